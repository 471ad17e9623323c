//! Which command a place in a report means.

use std::borrow::Cow;

use tamarack_suit::{
    Command, ComponentId, Device, Envelope, Manifest, Parameter, Section, explain, report::Record,
};

/// A place in words.
pub(super) struct Place {
    /// The command there, if it is known.
    pub(super) command: Option<String>,
    pub(super) component: Option<ComponentId>,
    /// Whether the component is a dependency of the manifest.
    pub(super) is_dependency: bool,
    /// The dependency that the place is in; `None` for the root manifest.
    pub(super) dependency: Option<String>,
    pub(super) section: String,
    pub(super) offset: u64,
    /// What the manifest sets there for vendor, class and device.
    pub(super) wants: Vec<Parameter<'static>>,
}

/// The label of the shared sequence, and of no sequence.
const SHARED: i64 = 3;
const NONE: i64 = 0;

/// The most bytes of a dependency's envelope that are read to explain a place.
const MAX: u64 = 4 << 20;

impl Place {
    /// Looks up the place that a record means, in a root manifest or in those of its dependencies, which are
    /// read from a device.
    pub(super) fn of(
        record: &Record,
        root: Option<&Manifest<'static>>,
        device: &mut dyn Device,
    ) -> Self {
        let mut manifest = root.map(Cow::Borrowed);
        let mut dependency = None;
        for index in &record.manifest_id {
            let id = manifest
                .as_ref()
                .and_then(|manifest| manifest.common.identifier(*index).cloned());
            dependency = Some(match &id {
                Some(id) => id.to_string(),
                None => format!("dependency {index}"),
            });
            manifest = id.and_then(|id| stored(device, &id)).map(Cow::Owned);
        }
        let manifest = manifest.as_deref();
        let sequence = manifest.and_then(|manifest| match record.section {
            SHARED => manifest.common.shared_sequence.as_ref(),
            label => manifest.section(Section::from_label(label)?)?.content(),
        });
        let located = sequence.and_then(|sequence| {
            let mut all = sequence.walk();
            all.find(|located| located.offset == record.offset)
        });
        let parameters = manifest.map(|manifest| manifest.parameters_of(record.component_index));
        let wants = parameters.into_iter().flatten().flat_map(|set| {
            let identifies = |parameter: &&Parameter<'_>| {
                matches!(
                    parameter,
                    Parameter::VendorId(_) | Parameter::ClassId(_) | Parameter::DeviceId(_)
                )
            };
            set.iter()
                .filter(identifies)
                .cloned()
                .map(Parameter::into_owned)
        });
        Self {
            command: located.map(|located| match &located.command {
                Command::Condition(condition, _) => condition.name().to_owned(),
                directive => directive.name().to_owned(),
            }),
            component: manifest.and_then(|manifest| {
                let common = &manifest.common;
                common.identifier(record.component_index).cloned()
            }),
            is_dependency: manifest.is_some_and(|manifest| {
                manifest.common.dependency(record.component_index).is_some()
            }),
            dependency,
            section: match record.section {
                NONE => "before any command".into(),
                SHARED => "shared sequence".into(),
                label => match Section::from_label(label) {
                    Some(section) => section.name().into(),
                    None => format!("section {label}"),
                },
            },
            offset: record.offset,
            wants: wants.collect(),
        }
    }

    /// Where it is: section, byte, and dependency.
    pub(super) fn shown(&self) -> String {
        let mut text = self.section.clone();
        if self.command.is_some() || self.offset > 0 {
            text += &format!(", byte {}", self.offset);
        }
        if let Some(dependency) = &self.dependency {
            text += &format!(", of {dependency}");
        }
        text
    }

    /// Whether another place is this one.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.section == other.section
            && self.offset == other.offset
            && self.component == other.component
            && self.dependency == other.dependency
    }
}

/// The manifest of a dependency, as the device has it.
pub(super) fn stored(device: &mut dyn Device, id: &ComponentId) -> Option<Manifest<'static>> {
    let length = device
        .length(id)
        .ok()
        .flatten()
        .filter(|length| *length <= MAX)?;
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match device.read_at(id, filled as u64, rest) {
            Ok(0) | Err(_) => return None,
            Ok(read) => filled += read,
        }
    }
    let envelope = Envelope::decode(&bytes).ok()?;
    explain::unverified(&envelope, None)
        .ok()
        .map(Manifest::into_owned)
}
