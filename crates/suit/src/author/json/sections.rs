use alloc::{borrow::Cow, format, string::String, vec::Vec};

use tamarack_cose::CryptoProvider;

use super::{
    Input, InputError,
    image::{Image, identifier},
    input::place,
    text,
};
use crate::{
    ComponentId, SequenceNumber,
    author::{BuildError, Draft},
    codec::{
        Action, Command, Common, Condition, IndexArgument, Manifest, Parameter, Parameters,
        ReportingPolicy, Section, Sequence, Severable, Version,
    },
};

/// What the examples report of a slot: that it is the right one, with system information (SUIT-SEQ-009).
const SLOT_POLICY: u8 = 5;

impl Input {
    /// Makes the manifest. `payload` reads the file that a component names, or says why it can't.
    ///
    /// # Errors
    ///
    /// [`InputError::Place`] for what does not fit together in the JSON, or what `payload` says;
    /// [`InputError::Build`] if the manifest would not be accepted by a Recipient with the default
    /// [`Limits`](crate::Limits).
    pub fn draft(
        &self,
        crypto: &CryptoProvider,
        payload: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Draft, InputError> {
        let input = &self.manifest;
        if input.manifest_version != Manifest::VERSION {
            return Err(InputError::new("manifest-version", "is not 1"));
        }
        let images = input.components.iter().enumerate();
        let images = images
            .map(|(position, component)| Image::new(component, position, crypto, payload))
            .collect::<Result<Vec<_>, _>>()?;
        if images.iter().all(|image| image.vendor.is_none()) {
            let problem = "none has a vendor-id: every device there is would take the manifest";
            return Err(InputError::new("components", problem));
        }
        let plan = Plan::new(&images)?;
        let common = Common {
            components: plan.ids.clone(),
            shared_sequence: plan.shared(),
            ..Common::default()
        };
        let number = SequenceNumber(input.manifest_sequence_number);
        let mut manifest = Manifest::new(number, common);
        manifest.reference_uri = input.reference_uri.clone().map(Cow::Owned);
        manifest.component_id = input
            .manifest_component_id
            .as_ref()
            .map(|segments| identifier(segments, "manifest-component-id"))
            .transpose()?;
        manifest.set_version = input.set_version.clone().map(Version);
        manifest.text =
            text::text(self, &images)?.map(|text| Severable::Inline(text.encode().into()));
        for (section, sequence) in [
            (Section::PayloadFetch, plan.payload_fetch()),
            (Section::Install, plan.install()),
            (Section::Validate, plan.validate()),
            (Section::Load, plan.load()),
            (Section::Invoke, plan.invoke()),
        ] {
            if let Some(sequence) = sequence {
                manifest.set_section(section, Severable::Inline(sequence));
            }
        }
        let mut draft = Draft::checked(&manifest)?;
        let carried = || {
            let carried = images.iter();
            carried.filter_map(|image| image.component.uri.as_ref().zip(image.integrated.as_ref()))
        };
        for (uri, content) in carried() {
            if carried().any(|(other, another)| other == uri && another != content) {
                return Err(BuildError::DuplicateKey(uri.clone()).into());
            }
            draft = draft.with_integrated(uri.clone(), content.clone());
        }
        Ok(match input.severable {
            true => draft.sever_large(crypto),
            false => draft,
        })
    }
}

/// A component of the manifest: one image, or one for each of several slots.
struct Target<'p> {
    index: u64,
    images: Vec<&'p Image<'p>>,
}

struct Plan<'p> {
    ids: Vec<ComponentId>,
    targets: Vec<Target<'p>>,
}

impl<'p> Plan<'p> {
    fn new(images: &'p [Image<'p>]) -> Result<Self, InputError> {
        let mut ids: Vec<ComponentId> = Vec::new();
        let mut targets: Vec<Target<'p>> = Vec::new();
        for image in images {
            let mut known = targets.iter_mut();
            if let Some(target) = known.find(|target| target.is_at(&image.install_id)) {
                target.images.push(image);
                continue;
            }
            targets.push(Target {
                index: ids.len() as u64,
                images: Vec::from([image]),
            });
            let download = image.download.iter().map(|download| &download.id);
            let load = image.load.iter().map(|load| &load.id);
            for id in [&image.install_id].into_iter().chain(download).chain(load) {
                // What one image leaves there, another would overwrite.
                if ids.contains(id) {
                    return Err(BuildError::DuplicateIdentifier(id.clone()).into());
                }
                ids.push(id.clone());
            }
        }
        for target in &targets {
            target.check()?;
        }
        Ok(Self { ids, targets })
    }

    fn index(&self, id: &ComponentId) -> u64 {
        let at = self.ids.iter().position(|known| known == id);
        at.map_or(u64::MAX, |at| at as u64)
    }

    fn commands(&self) -> Commands {
        Commands {
            several: self.ids.len() > 1,
            selected: None,
            list: Vec::new(),
        }
    }

    fn shared(&self) -> Option<Sequence<'static>> {
        let mut commands = self.commands();
        for target in &self.targets {
            commands.select(target.index);
            commands.choose(&target.images, |image| {
                let vendor = image
                    .vendor
                    .map(|vendor| Parameter::VendorId(vendor.into()));
                let image_parameters = [
                    Parameter::ImageDigest(image.digest),
                    Parameter::ImageSize(image.size),
                ];
                vendor
                    .into_iter()
                    .chain(image.class.map(Parameter::ClassId))
                    .chain(image_parameters)
                    .collect()
            });
            if target.images.iter().any(|image| image.vendor.is_some()) {
                commands.check(Condition::VendorIdentifier);
            }
            if target.images.iter().any(|image| image.class.is_some()) {
                commands.check(Condition::ClassIdentifier);
            }
        }
        commands.finish()
    }

    fn payload_fetch(&self) -> Option<Sequence<'static>> {
        let mut commands = self.commands();
        for target in &self.targets {
            let Some(first) = target
                .images
                .first()
                .and_then(|image| image.download.as_ref())
            else {
                continue;
            };
            commands.select(self.index(&first.id));
            commands.choose(&target.images, |image| {
                let download = image.download.iter();
                let parameters = download.flat_map(|download| {
                    let size = download.size.map(Parameter::ImageSize);
                    [Parameter::ImageDigest(download.digest)]
                        .into_iter()
                        .chain(size)
                });
                parameters.chain(uri(image)).collect()
            });
            commands.act(Action::Fetch);
            commands.check(Condition::ImageMatch);
        }
        commands.finish()
    }

    fn install(&self) -> Option<Sequence<'static>> {
        let mut commands = self.commands();
        for target in &self.targets {
            let Some(first) = target.images.first().filter(|i| i.component.uri.is_some()) else {
                continue;
            };
            commands.select(target.index);
            match &first.download {
                Some(download) => {
                    let source = Parameter::SourceComponent(self.index(&download.id));
                    commands.set([source]);
                    commands.act(Action::Copy);
                }
                None => {
                    commands.choose(&target.images, |image| uri(image).into_iter().collect());
                    commands.act(Action::Fetch);
                }
            }
            commands.check(Condition::ImageMatch);
        }
        commands.finish()
    }

    fn validate(&self) -> Option<Sequence<'static>> {
        let mut commands = self.commands();
        for target in &self.targets {
            commands.select(target.index);
            commands.check(Condition::ImageMatch);
        }
        commands.finish()
    }

    fn load(&self) -> Option<Sequence<'static>> {
        let mut commands = self.commands();
        for target in &self.targets {
            let Some(first) = target.images.first().and_then(|image| image.load.as_ref()) else {
                continue;
            };
            commands.select(self.index(&first.id));
            commands.choose(&target.images, |image| {
                let load = image.load.iter();
                let parameters = load.flat_map(|load| {
                    [
                        Parameter::ImageDigest(load.digest),
                        Parameter::ImageSize(load.size),
                        Parameter::SourceComponent(target.index),
                    ]
                });
                parameters.collect()
            });
            commands.act(Action::Copy);
            commands.check(Condition::ImageMatch);
        }
        commands.finish()
    }

    /// Starts the bootable image. Which of several is to be started, the JSON does not say.
    fn invoke(&self) -> Option<Sequence<'static>> {
        let images = self.targets.iter().flat_map(|target| &target.images);
        let mut bootable = images.filter(|image| image.component.bootable);
        let (Some(image), None) = (bootable.next(), bootable.next()) else {
            return None;
        };
        let mut commands = self.commands();
        let id = image
            .load
            .as_ref()
            .map_or(&image.install_id, |load| &load.id);
        commands.select(self.index(id));
        commands.act(Action::Invoke);
        commands.finish()
    }
}

fn uri(image: &Image<'_>) -> Option<Parameter<'static>> {
    let uri = image.component.uri.clone()?;
    Some(Parameter::Uri(Cow::Owned(uri)))
}

impl Target<'_> {
    fn is_at(&self, id: &ComponentId) -> bool {
        self.images
            .first()
            .is_some_and(|image| image.install_id == *id)
    }

    /// Images of one component differ in their slots, and in what the slots hold, but in nothing else.
    fn check(&self) -> Result<(), InputError> {
        let Some((first, others)) = self.images.split_first() else {
            return Ok(());
        };
        let mut slots = Vec::from([first.component.slot]);
        for other in others {
            let slot = other.component.slot;
            let same = |field, problem: &str| {
                let problem = format!(
                    "{problem} components[{}], which is the same component",
                    first.position
                );
                Err(InputError::new(place(other.position, field), problem))
            };
            if first.component.slot.is_none() || slot.is_none() {
                return same("slot", "images are told apart by their slots, here and in");
            }
            if slots.contains(&slot) {
                return same("slot", "is taken already, as in");
            }
            slots.push(slot);
            let id = |image: &Image<'_>| image.download.as_ref().map(|d| d.id.clone());
            if id(first) != id(other) {
                return same("download-id", "is not that of");
            }
            let id = |image: &Image<'_>| image.load.as_ref().map(|l| l.id.clone());
            if id(first) != id(other) {
                return same("load-id", "is not that of");
            }
            if first.component.uri.is_some() != other.component.uri.is_some() {
                return same("uri", "has to be given both here and in");
            }
            if first.vendor.is_some() != other.vendor.is_some() {
                return same("vendor-id", "has to be given both here and in");
            }
            if first.class.is_some() != other.class.is_some() {
                return same("class-id", "has to be given both here and in");
            }
        }
        Ok(())
    }
}

/// A sequence in the making.
struct Commands {
    /// Whether the manifest has more than one component, so that commands have to say which they are for.
    several: bool,
    selected: Option<u64>,
    list: Vec<Command<'static>>,
}

impl Commands {
    fn select(&mut self, index: u64) {
        if self.several && self.selected != Some(index) {
            let index = IndexArgument::One(index);
            self.list.push(Command::SetComponentIndex(index));
        }
        self.selected = Some(index);
    }

    fn set(&mut self, parameters: impl IntoIterator<Item = Parameter<'static>>) {
        let parameters = Parameters::from_list(parameters);
        if !parameters.is_empty() {
            self.list.push(Command::OverrideParameters(parameters));
        }
    }

    /// Sets what all images have in common; what they don't, after a look at the slot.
    // req: SUIT-COM-007
    fn choose(
        &mut self,
        images: &[&Image<'_>],
        parameters: impl Fn(&Image<'_>) -> Vec<Parameter<'static>>,
    ) {
        let lists: Vec<Vec<_>> = images.iter().map(|image| parameters(image)).collect();
        let everywhere =
            |parameter: &Parameter<'static>| lists.iter().all(|list| list.contains(parameter));
        let shared = lists.first().into_iter().flatten();
        self.set(shared.filter(|parameter| everywhere(parameter)).cloned());
        if lists.iter().flatten().all(everywhere) && images.len() > 1 {
            return;
        }
        let alternatives = images.iter().zip(&lists).map(|(image, list)| {
            let mut commands = Self {
                list: Vec::new(),
                ..*self
            };
            if let Some(slot) = image.component.slot {
                let policy = ReportingPolicy::new(SLOT_POLICY).unwrap_or_default();
                commands.set([Parameter::ComponentSlot(slot)]);
                let condition = Command::Condition(Condition::ComponentSlot, policy);
                commands.list.push(condition);
            }
            let own = list.iter().filter(|parameter| !everywhere(parameter));
            commands.set(own.cloned());
            commands.list
        });
        let mut alternatives: Vec<Vec<_>> = alternatives.collect();
        match alternatives.len() {
            0 | 1 => self.list.extend(alternatives.pop().into_iter().flatten()),
            _ => self.list.push(Command::TryEach {
                alternatives: alternatives
                    .into_iter()
                    .map(|commands| commands.into_iter().collect())
                    .collect(),
                or_nothing: false,
            }),
        }
    }

    fn check(&mut self, condition: Condition) {
        let command = Command::Condition(condition, ReportingPolicy::ALL);
        self.list.push(command);
    }

    fn act(&mut self, action: Action) {
        let command = Command::Action(action, ReportingPolicy::ON_FAILURE);
        self.list.push(command);
    }

    fn finish(self) -> Option<Sequence<'static>> {
        (!self.list.is_empty()).then(|| self.list.into_iter().collect())
    }
}
