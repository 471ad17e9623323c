use alloc::{string::String, vec::Vec};

use super::{BuildError, ComponentBuilder, DependencyBuilder, Draft, staging::Staging};
use crate::{
    ComponentId, SequenceNumber,
    codec::{
        Command, Common, ConciseSwidTag, Dependency, IndexArgument, Manifest, Mud, Section,
        Sequence, Severable, Text, VERSION_REQUIRED, Version,
    },
};

/// Builds a manifest in the shape of the TEEP draft's examples.
///
/// The shared sequence checks vendor and class and sets digests and sizes; install fetches (or writes)
/// and verifies each component; validate verifies them again; uninstall unlinks them. Dependencies are
/// fetched and verified by dependency resolution and have their own sections run within those of the
/// dependent. What is staged is fetched and verified by payload fetch, and copied by install.
#[derive(Debug, Clone)]
#[must_use]
pub struct ManifestBuilder {
    sequence_number: SequenceNumber,
    manifest_id: Option<ComponentId>,
    reference_uri: Option<String>,
    version: Option<Version>,
    components: Vec<ComponentBuilder>,
    dependencies: Vec<DependencyBuilder>,
    text: Option<Text<'static>>,
    mud: Option<Mud<'static>>,
    coswid: Option<Vec<u8>>,
    replaced: Vec<(Section, Option<Sequence<'static>>)>,
}

impl ManifestBuilder {
    /// A manifest of this release. Numbers rise from release to release.
    // req: SUIT-MAN-002
    pub fn new(sequence_number: SequenceNumber) -> Self {
        Self {
            sequence_number,
            manifest_id: None,
            reference_uri: None,
            version: None,
            components: Vec::new(),
            dependencies: Vec::new(),
            text: None,
            mud: None,
            coswid: None,
            replaced: Vec::new(),
        }
    }

    /// Where the manifest itself is kept.
    pub fn manifest_id(mut self, id: ComponentId) -> Self {
        self.manifest_id = Some(id);
        self
    }

    /// Where the manifest can be had.
    pub fn reference_uri(mut self, uri: impl Into<String>) -> Self {
        self.reference_uri = Some(uri.into());
        self
    }

    /// The version of what is installed; empty for none.
    pub fn version(mut self, version: impl Into<Vec<i64>>) -> Self {
        self.version = Some(Version(version.into())).filter(|version| !version.0.is_empty());
        self
    }

    /// How what is installed behaves in a network, by reference.
    // req: SUIT-MUD-001
    pub fn mud(mut self, mud: Mud<'static>) -> Self {
        self.mud = Some(mud);
        self
    }

    /// What software is installed, for inventories. [`Draft::sever_coswid`] moves it out of the manifest.
    // req: SUIT-UPD-006
    pub fn coswid(mut self, tag: &ConciseSwidTag<'_>) -> Self {
        self.coswid = Some(tag.encode());
        self
    }

    /// Text for people.
    pub fn text(mut self, text: Text<'static>) -> Self {
        self.text = Some(text);
        self
    }

    /// Adds a component; its index is the number of components before it. Staging components come after
    /// all of them.
    pub fn component(mut self, component: ComponentBuilder) -> Self {
        self.components.push(component);
        self
    }

    /// Adds a dependency; its index comes after those of all components, staging components included.
    pub fn dependency(mut self, dependency: DependencyBuilder) -> Self {
        self.dependencies.push(dependency);
        self
    }

    /// Uses this sequence for a section, in place of what would be built.
    pub fn section(mut self, section: Section, sequence: Sequence<'static>) -> Self {
        self.replaced.push((section, Some(sequence)));
        self
    }

    /// Leaves a section out.
    pub fn without_section(mut self, section: Section) -> Self {
        self.replaced.push((section, None));
        self
    }

    /// The manifest, ready to be signed.
    ///
    /// # Errors
    ///
    /// If there is nothing to install, identifiers or keys occur twice, or the manifest would not be
    /// accepted by a Recipient with the default [`Limits`](crate::Limits).
    pub fn build(self) -> Result<Draft, BuildError> {
        if self.components.is_empty() && self.dependencies.is_empty() {
            return Err(BuildError::Empty);
        }
        self.refuse_duplicate_identifiers()?;
        self.refuse_text_about_others()?;
        self.refuse_other_comparisons()?;
        if let Some(component) = self.components.iter().find(|c| c.has_staged_alternatives()) {
            return Err(BuildError::StagedAlternatives(component.id.clone()));
        }
        self.refuse_other_targets()?;
        let mut manifest = Manifest::new(self.sequence_number, self.common());
        manifest.component_id.clone_from(&self.manifest_id);
        manifest.reference_uri = self.reference_uri.clone().map(Into::into);
        manifest.set_version.clone_from(&self.version);
        manifest.text = self
            .text
            .as_ref()
            .map(|text| Severable::Inline(text.encode().into()));
        manifest.mud.clone_from(&self.mud);
        manifest.coswid = self.coswid.clone().map(|tag| Severable::Inline(tag.into()));
        for section in Section::ALL {
            let replaced = self
                .replaced
                .iter()
                .rev()
                .find(|(name, _)| *name == section);
            let sequence = match replaced {
                Some((_, sequence)) => sequence.clone(),
                None => self.sequence(Some(section)),
            };
            if let Some(sequence) = sequence {
                manifest.set_section(section, Severable::Inline(sequence));
            }
        }
        let components = self.components.iter().flat_map(ComponentBuilder::payloads);
        let dependencies = self
            .dependencies
            .iter()
            .filter_map(DependencyBuilder::payload);
        let mut keys: Vec<&String> = Vec::new();
        let mut integrated = Vec::new();
        for (key, payload) in components.chain(dependencies) {
            if keys.contains(&key) {
                return Err(BuildError::DuplicateKey(key.clone()));
            }
            keys.push(key);
            integrated.push((key, payload));
        }
        let draft = Draft::checked(&manifest)?;
        Ok(integrated.into_iter().fold(draft, |draft, (key, payload)| {
            draft.with_integrated(key.clone(), payload.clone())
        }))
    }

    fn refuse_duplicate_identifiers(&self) -> Result<(), BuildError> {
        let components = self.components.iter().map(|component| component.id.clone());
        let staging = self.staging().map(|staging| staging.id);
        let dependencies = self.dependencies.iter();
        let dependencies = dependencies.map(|dependency| dependency.id.clone());
        let mut seen: Vec<ComponentId> = Vec::new();
        for id in components.chain(staging).chain(dependencies) {
            if seen.contains(&id) {
                return Err(BuildError::DuplicateIdentifier(id));
            }
            seen.push(id);
        }
        Ok(())
    }

    fn refuse_other_targets(&self) -> Result<(), BuildError> {
        let components = self.components.iter().map(|c| (&c.id, c.encrypted()));
        let dependencies = self.dependencies.iter().map(|d| (&d.id, d.image()));
        for (id, image) in components.chain(dependencies) {
            if image.is_some_and(|image| !image.is_for(id)) {
                return Err(BuildError::OtherTarget(id.clone()));
            }
        }
        Ok(())
    }

    // req: SUIT-MAN-010
    fn refuse_text_about_others(&self) -> Result<(), BuildError> {
        let languages = self.text.iter().flat_map(|text| &text.languages);
        let mut described = languages.flat_map(|(_, text)| &text.components);
        let listed = |id: &ComponentId| self.components.iter().any(|component| component.id == *id);
        match described.find(|(id, _)| !listed(id)) {
            Some((id, _)) => Err(BuildError::TextComponent(id.clone())),
            None => Ok(()),
        }
    }

    /// Operators can compare versions only with what everybody reads in the same way.
    // req: SUIT-UPD-009
    fn refuse_other_comparisons(&self) -> Result<(), BuildError> {
        let languages = self.text.iter().flat_map(|text| &text.languages);
        let components = languages.flat_map(|(_, text)| &text.components);
        let required = components
            .flat_map(|(_, texts)| texts)
            .filter(|(label, _)| *label == VERSION_REQUIRED);
        for (_, text) in required {
            let mut found = text.split(|c| !"<>=!~≠≤≥≈".contains(c));
            if let Some(other) =
                found.find(|found| !["", ">", ">=", "=", "<=", "<"].contains(found))
            {
                return Err(BuildError::Comparison(other.into()));
            }
        }
        Ok(())
    }

    /// The components, the staging components and the dependencies, with their indices: dependencies first,
    /// since what they install may be needed.
    fn places(&self) -> Vec<Place<'_>> {
        let components = self.components.iter().map(Of::Component);
        let dependencies = self.dependencies.iter().map(Of::Dependency);
        let mut next_staging = self.components.len() as u64;
        let mut places: Vec<_> = (0..)
            .zip(components.chain(dependencies))
            .map(|(index, of)| {
                let staging = of.staging().map(|staging| {
                    next_staging += 1;
                    (next_staging - 1, staging)
                });
                Place { index, staging, of }
            })
            .collect();
        // Staging components push the dependencies on.
        let staged = next_staging - self.components.len() as u64;
        for place in places.iter_mut().skip(self.components.len()) {
            place.index += staged;
        }
        places.rotate_left(self.components.len());
        places
    }

    fn common(&self) -> Common<'static> {
        let components = self.components.iter().map(|component| component.id.clone());
        let staging = self.staging().map(|staging| staging.id);
        let components: Vec<_> = components.chain(staging).collect();
        let dependency = |(index, dependency): (u64, &DependencyBuilder)| Dependency {
            index,
            prefix: Some(dependency.id.clone()),
        };
        Common {
            dependencies: (components.len() as u64..)
                .zip(&self.dependencies)
                .map(dependency)
                .collect(),
            components,
            shared_sequence: self.sequence(None),
        }
    }

    /// Where payloads go before they are copied, in the order of their indices.
    fn staging(&self) -> impl Iterator<Item = Staging> {
        let components = self.components.iter().filter_map(ComponentBuilder::staging);
        let dependencies = self.dependencies.iter();
        components.chain(dependencies.filter_map(DependencyBuilder::staging))
    }

    /// A section, or else the shared sequence, of what each dependency and then each component needs;
    /// `None` if that is nothing.
    // req: SUIT-COM-012, SUIT-COM-013
    fn sequence(&self, section: Option<Section>) -> Option<Sequence<'static>> {
        let places = self.places();
        let several = places.len() + self.staging().count() > 1;
        let mut commands = Vec::new();
        for (index, needed) in places.iter().flat_map(|place| place.commands(section)) {
            if needed.is_empty() {
                continue;
            }
            if several {
                commands.push(Command::SetComponentIndex(IndexArgument::One(index)));
            }
            commands.extend(needed);
        }
        (!commands.is_empty()).then(|| commands.into_iter().collect())
    }
}

/// A component or dependency in its manifest.
struct Place<'b> {
    index: u64,
    /// Where its payload goes first, and with which index.
    staging: Option<(u64, Staging)>,
    of: Of<'b>,
}

#[derive(Clone, Copy)]
enum Of<'b> {
    Component(&'b ComponentBuilder),
    Dependency(&'b DependencyBuilder),
}

impl Of<'_> {
    fn staging(self) -> Option<Staging> {
        match self {
            Self::Component(component) => component.staging(),
            Self::Dependency(dependency) => dependency.staging(),
        }
    }
}

impl Place<'_> {
    /// What a section, or else the shared sequence, has to do: with the staging component, with the component
    /// or dependency itself, and with the staging component again; with their indices.
    fn commands(&self, section: Option<Section>) -> [(u64, Vec<Command<'static>>); 3] {
        let staged = self.staging.as_ref().map(|(index, _)| *index);
        let (own, fetched, copied) = match self.of {
            Of::Component(component) => {
                let own = match section {
                    None => component.shared(),
                    Some(Section::Install) => component.install(staged),
                    Some(Section::Validate) => component.validate(),
                    Some(Section::Invoke) => component.invocation(),
                    Some(Section::Uninstall) => component.uninstall(),
                    Some(_) => Vec::new(),
                };
                (own, Section::PayloadFetch, Section::Install)
            }
            Of::Dependency(dependency) => {
                let own = match section {
                    None => dependency.shared(),
                    Some(Section::DependencyResolution) => dependency.resolve(staged),
                    Some(section) => dependency.process(section),
                };
                let resolution = Section::DependencyResolution;
                (own, resolution, resolution)
            }
        };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        if let Some((_, staging)) = &self.staging {
            match section {
                None => before = staging.shared(),
                Some(section) if section == fetched => before = staging.fetch(),
                Some(_) => {}
            }
            if section == Some(copied) {
                after = staging.release();
            }
        }
        let staged = staged.unwrap_or_default();
        [(staged, before), (self.index, own), (staged, after)]
    }
}
