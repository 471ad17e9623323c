use alloc::{borrow::Cow, string::String, vec::Vec};

use tamarack_cose::CryptoProvider;

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

    /// The component is started by the invocation procedure, perhaps with arguments.
    #[must_use]
    pub fn invoke(mut self, arguments: Option<Vec<u8>>) -> Self {
        self.invoke = Some(arguments);
        self
    }

    /// The integrated payload, if there is one.
    pub(super) fn payload(&self) -> Option<(&String, &Vec<u8>)> {
        match &self.source {
            Some(Source::Integrated { key, payload }) => Some((key, payload)),
            _ => None,
        }
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
        if let Some((digest, length)) = self.image {
            parameters.set(Parameter::ImageDigest(digest));
            parameters.set(Parameter::ImageSize(length));
        }
        let mut commands = Vec::new();
        if !parameters.is_empty() {
            commands.push(Command::OverrideParameters(parameters));
        }
        commands.extend(conditions);
        commands
    }

    // req: SUIT-SEQ-006, SUIT-SEQ-008
    pub(super) fn install(&self) -> Vec<Command<'static>> {
        let (parameter, action) = match &self.source {
            None => return Vec::new(),
            Some(Source::Integrated { key: uri, .. } | Source::Uri(uri)) => {
                (Parameter::Uri(Cow::Owned(uri.clone())), Action::Fetch)
            }
            Some(Source::Content(content)) => (
                Parameter::Content(Cow::Owned(content.clone())),
                Action::Write,
            ),
        };
        let mut commands = Vec::from([
            Command::OverrideParameters(Parameters::from_list([parameter])),
            Command::Action(action, ReportingPolicy::ALL),
        ]);
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
