use alloc::{borrow::Cow, string::String, vec::Vec};

use tamarack_cose::CryptoProvider;

use super::{EncryptedImage, staging::Staging};
use crate::{
    ComponentId, SuitDigest, Uuid, VendorId,
    codec::{Action, Command, Condition, Parameter, Parameters, ReportingPolicy},
};

/// A component of a manifest that is being made, and where its content comes from.
#[derive(Debug, Clone)]
pub struct ComponentBuilder {
    pub(super) id: ComponentId,
    vendor: Option<VendorId<'static>>,
    class: Option<Uuid>,
    image: Option<(SuitDigest, u64)>,
    source: Option<Source>,
    /// The component that the payload goes to before it is copied.
    staging: Option<ComponentId>,
    /// How the payload is decrypted.
    encrypted: Option<EncryptedImage>,
    slot: Option<u64>,
    /// Images for other slots.
    others: Vec<ComponentBuilder>,
    invoke: Option<Option<Vec<u8>>>,
}

#[derive(Debug, Clone)]
enum Source {
    /// A payload in the envelope.
    Integrated { key: String, payload: Vec<u8> },
    /// A payload elsewhere.
    Uri(String),
    /// Content in the manifest itself.
    Content(Vec<u8>),
}

impl ComponentBuilder {
    /// A component with nothing known about it.
    #[must_use]
    pub fn new(id: ComponentId) -> Self {
        Self {
            id,
            vendor: None,
            class: None,
            image: None,
            source: None,
            staging: None,
            encrypted: None,
            slot: None,
            others: Vec::new(),
            invoke: None,
        }
    }

    /// The vendor whose software the device must take.
    #[must_use]
    pub fn vendor(mut self, vendor: impl Into<VendorId<'static>>) -> Self {
        self.vendor = Some(vendor.into());
        self
    }

    /// The class that the device must be of.
    #[must_use]
    pub fn class(mut self, class: Uuid) -> Self {
        self.class = Some(class);
        self
    }

    /// What the content is: its digest and its length in bytes.
    #[must_use]
    pub fn image(mut self, digest: SuitDigest, length: u64) -> Self {
        self.image = Some((digest, length));
        self
    }

    /// Content that is carried in the envelope under `key`, by custom a fragment such as `#ta`.
    // req: SUIT-SEV-013, SUIT-SEV-014
    #[must_use]
    pub fn integrated(
        mut self,
        crypto: &CryptoProvider,
        key: impl Into<String>,
        payload: impl Into<Vec<u8>>,
    ) -> Self {
        let (key, payload) = (key.into(), payload.into());
        self = self.image(SuitDigest::sha256(crypto, &payload), payload.len() as u64);
        self.source = Some(Source::Integrated { key, payload });
        self
    }

    /// Content that is fetched from `uri`.
    #[must_use]
    pub fn uri(mut self, uri: impl Into<String>, digest: SuitDigest, length: u64) -> Self {
        self.source = Some(Source::Uri(uri.into()));
        self.image(digest, length)
    }

    /// Content that stands in the manifest, under its signature: some tens of bytes.
    // req: SUIT-PAR-010
    #[must_use]
    pub fn content(mut self, crypto: &CryptoProvider, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        self = self.image(SuitDigest::sha256(crypto, &content), content.len() as u64);
        self.source = Some(Source::Content(content));
        self
    }

    /// The payload is fetched into the component `staging` first, with all others, and checked there; only
    /// then is anything installed: copied from there and checked again, after which `staging` is empty.
    ///
    /// No other manifest may have the component `staging`. Content that stands in the manifest is not staged.
    // req: SUIT-DEP-040
    #[must_use]
    pub fn staged(mut self, staging: ComponentId) -> Self {
        self.staging = Some(staging);
        self
    }

    /// Content whose ciphertext is fetched from `uri` into the component `staging`, checked there, and
    /// decrypted on its way from there to this one.
    ///
    /// No other manifest may have the component `staging`.
    // req: SUIT-ENC-005, SUIT-ENC-007, SUIT-ENC-008, SUIT-ENC-022
    #[must_use]
    pub fn encrypted_uri(
        mut self,
        uri: impl Into<String>,
        staging: ComponentId,
        image: EncryptedImage,
    ) -> Self {
        self.source = Some(Source::Uri(uri.into()));
        self.decrypted(staging, image)
    }

    /// Content whose ciphertext is carried in the envelope under `key`; as
    /// [`encrypted_uri`](Self::encrypted_uri).
    #[must_use]
    pub fn encrypted_integrated(
        mut self,
        key: impl Into<String>,
        ciphertext: impl Into<Vec<u8>>,
        staging: ComponentId,
        image: EncryptedImage,
    ) -> Self {
        let (key, payload) = (key.into(), ciphertext.into());
        self.source = Some(Source::Integrated { key, payload });
        self.decrypted(staging, image)
    }

    /// Content whose ciphertext stands in the manifest, under its signature, and is decrypted when it is
    /// written: some tens of bytes.
    // req: SUIT-ENC-003
    #[must_use]
    pub fn encrypted_content(
        mut self,
        ciphertext: impl Into<Vec<u8>>,
        image: EncryptedImage,
    ) -> Self {
        self.source = Some(Source::Content(ciphertext.into()));
        self.image = Some(image.plaintext);
        self.encrypted = Some(image);
        self
    }

    fn decrypted(mut self, staging: ComponentId, image: EncryptedImage) -> Self {
        self.image = Some(image.plaintext);
        self.encrypted = Some(image);
        self.staging = Some(staging);
        self
    }

    /// The slot that the image is for: the manifest applies to devices whose component has it.
    #[must_use]
    pub fn slot(mut self, slot: u64) -> Self {
        self.slot = Some(slot);
        self
    }

    /// Another image of the same component, for another slot. Of `other`, the slot, the image and the
    /// source count; the identifier and the devices are this one's. None of them can be staged or encrypted:
    /// give each a manifest of its own.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.others.push(other);
        self
    }

    /// The component is started by the invocation procedure, perhaps with arguments.
    #[must_use]
    pub fn invoke(mut self, arguments: Option<Vec<u8>>) -> Self {
        self.invoke = Some(arguments);
        self
    }

    /// How the content is encrypted, if it is.
    pub(super) fn encrypted(&self) -> Option<&EncryptedImage> {
        self.encrypted.as_ref()
    }

    /// The integrated payloads.
    pub(super) fn payloads(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.images().filter_map(|image| match &image.source {
            Some(Source::Integrated { key, payload }) => Some((key, payload)),
            _ => None,
        })
    }

    /// Whether there are images for several slots, and one of them is staged or encrypted.
    pub(super) fn has_staged_alternatives(&self) -> bool {
        let special = |image: &Self| image.staging.is_some() || image.encrypted.is_some();
        !self.others.is_empty() && self.images().any(special)
    }

    /// This image and those for other slots.
    fn images(&self) -> impl Iterator<Item = &Self> {
        core::iter::once(self).chain(&self.others)
    }

    /// Sets parameters that depend on the slot, if there are any.
    fn by_slot(
        &self,
        parameters: impl Fn(&Self) -> Vec<Parameter<'static>>,
    ) -> Vec<Command<'static>> {
        let mut alternatives = self.images().map(|image| {
            let set = |list| Command::OverrideParameters(Parameters::from_list(list));
            let parameters = parameters(image);
            let slot = image.slot.iter().flat_map(|slot| {
                [
                    set(Vec::from([Parameter::ComponentSlot(*slot)])),
                    checked(Condition::ComponentSlot),
                ]
            });
            let own = (!parameters.is_empty()).then(|| set(parameters));
            slot.chain(own).collect::<Vec<_>>()
        });
        if self.others.is_empty() {
            return alternatives.next().unwrap_or_default();
        }
        let alternatives = alternatives
            .map(|commands| commands.into_iter().collect())
            .collect();
        Vec::from([Command::TryEach {
            alternatives,
            or_nothing: false,
        }])
    }

    // req: SUIT-COM-006, SUIT-COM-011, SUIT-COM-019
    pub(super) fn shared(&self) -> Vec<Command<'static>> {
        let mut parameters = Parameters::new();
        let mut conditions = Vec::new();
        if let Some(vendor) = &self.vendor {
            parameters.set(Parameter::VendorId(vendor.clone()));
            conditions.push(checked(Condition::VendorIdentifier));
        }
        if let Some(class) = self.class {
            parameters.set(Parameter::ClassId(class));
            conditions.push(checked(Condition::ClassIdentifier));
        }
        let image = |component: &Self| {
            let image = component.image.iter();
            let parameters = image.flat_map(|(digest, length)| {
                [
                    Parameter::ImageDigest(*digest),
                    Parameter::ImageSize(*length),
                ]
            });
            parameters.collect::<Vec<_>>()
        };
        let mut commands = Vec::new();
        let by_slot = self.slot.is_some() || !self.others.is_empty();
        if !by_slot {
            for parameter in image(self) {
                parameters.set(parameter);
            }
        }
        if !parameters.is_empty() {
            commands.push(Command::OverrideParameters(parameters));
        }
        if by_slot {
            commands.extend(self.by_slot(image));
        }
        commands.extend(conditions);
        commands
    }

    /// The component that holds the payload before it is copied, unless it stands in the manifest.
    pub(super) fn staging(&self) -> Option<Staging> {
        match (&self.staging, &self.source) {
            (Some(id), Some(Source::Integrated { key: uri, .. } | Source::Uri(uri))) => {
                let image = match &self.encrypted {
                    Some(encrypted) => encrypted.ciphertext,
                    None => self.image,
                };
                Some(Staging {
                    id: id.clone(),
                    uri: uri.clone(),
                    image,
                })
            }
            _ => None,
        }
    }

    /// Installs the content; `staged` is the index of the component that holds it, if one does.
    // req: SUIT-SEQ-006, SUIT-SEQ-008
    pub(super) fn install(&self, staged: Option<u64>) -> Vec<Command<'static>> {
        if let Some(staged) = staged {
            let mut commands = Staging::copy_from(staged, self.encrypted.as_ref());
            commands.extend(self.validate());
            return commands;
        }
        let action = match &self.source {
            None => return Vec::new(),
            Some(Source::Integrated { .. } | Source::Uri(_)) => Action::Fetch,
            Some(Source::Content(_)) => Action::Write,
        };
        let source = |component: &Self| {
            let source = component.source.iter();
            let parameters = source.map(|source| match source {
                Source::Integrated { key: uri, .. } | Source::Uri(uri) => {
                    Parameter::Uri(Cow::Owned(uri.clone()))
                }
                Source::Content(content) => Parameter::Content(Cow::Owned(content.clone())),
            });
            let info = component.encrypted.as_ref().map(EncryptedImage::parameter);
            parameters.chain(info).collect::<Vec<_>>()
        };
        let mut commands = match self.others.is_empty() {
            // The shared sequence has looked at the slot.
            true => Vec::from([Command::OverrideParameters(Parameters::from_list(source(
                self,
            )))]),
            false => self.by_slot(source),
        };
        commands.push(Command::Action(action, ReportingPolicy::ALL));
        commands.extend(self.validate());
        commands
    }

    pub(super) fn validate(&self) -> Vec<Command<'static>> {
        self.image
            .iter()
            .map(|_| checked(Condition::ImageMatch))
            .collect()
    }

    pub(super) fn invocation(&self) -> Vec<Command<'static>> {
        let Some(arguments) = &self.invoke else {
            return Vec::new();
        };
        let arguments = arguments.clone().map(|arguments| {
            let arguments = Parameter::InvokeArguments(Cow::Owned(arguments));
            Command::OverrideParameters(Parameters::from_list([arguments]))
        });
        arguments
            .into_iter()
            .chain([Command::Action(Action::Invoke, ReportingPolicy::ON_FAILURE)])
            .collect()
    }

    pub(super) fn uninstall(&self) -> Vec<Command<'static>> {
        Vec::from([Command::Action(Action::Unlink, ReportingPolicy::ALL)])
    }
}

fn checked(condition: Condition) -> Command<'static> {
    Command::Condition(condition, ReportingPolicy::ALL)
}
