use alloc::{borrow::Cow, string::String, vec::Vec};

use tamarack_cose::cbor::DecodeError;

use super::{EncryptedImage, staging::Staging};
use crate::{
    ComponentId, SuitDigest,
    codec::{
        Action, Command, Condition, Envelope, Parameter, Parameters, ReportingPolicy, Section,
    },
};

/// A manifest that the one being made depends on.
#[derive(Debug, Clone)]
pub struct DependencyBuilder {
    pub(super) id: ComponentId,
    digest: SuitDigest,
    sections: Vec<Section>,
    uri: Option<String>,
    pub(super) envelope: Option<Vec<u8>>,
    /// The component that the envelope goes to before it is decrypted, and how it is decrypted.
    encrypted: Option<(ComponentId, EncryptedImage)>,
}

impl DependencyBuilder {
    /// The manifest that is kept at `id` and has this digest in its authentication wrapper.
    ///
    /// It is taken to have the sections install, validate and uninstall; [`of`](Self::of) knows better.
    /// Without more, it must be installed already.
    // req: SUIT-DEP-005
    #[must_use]
    pub fn new(id: ComponentId, digest: SuitDigest) -> Self {
        Self {
            id,
            digest,
            sections: Vec::from([Section::Install, Section::Validate, Section::Uninstall]),
            uri: None,
            envelope: None,
            encrypted: None,
        }
    }

    /// The manifest in `envelope`: it and no other, by its digest.
    ///
    /// # Errors
    ///
    /// If the manifest does not decode.
    // req: SUIT-DEP-036
    pub fn of(envelope: &Envelope<'_>) -> Result<Self, DecodeError> {
        let manifest = envelope.unverified_manifest()?;
        Ok(Self {
            sections: manifest.sections().map(|(section, _)| section).collect(),
            ..Self::new(manifest.placement(), envelope.claimed_digest())
        })
    }

    /// Where the envelope is fetched from if the manifest is not installed yet.
    #[must_use]
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self.envelope = None;
        self
    }

    /// The envelope is carried in the one being made, under `key`.
    // req: SUIT-DEP-038
    #[must_use]
    pub fn integrated(mut self, key: impl Into<String>, envelope: impl Into<Vec<u8>>) -> Self {
        self.uri = Some(key.into());
        self.envelope = Some(envelope.into());
        self
    }

    /// The envelope is encrypted: what is fetched, or carried along, is its ciphertext. It goes to the
    /// component `staging`, is checked there, and is decrypted on its way from there to where the manifest is
    /// kept.
    ///
    /// So a manifest is hidden from everybody but its recipients: of this one, which everybody can read, only
    /// the digest and the place say anything about it. No other manifest may have the component `staging`.
    // req: SUIT-DEP-044
    #[must_use]
    pub fn encrypted(mut self, staging: ComponentId, image: EncryptedImage) -> Self {
        self.encrypted = Some((staging, image));
        self
    }

    /// How the envelope is encrypted, if it is.
    pub(super) fn image(&self) -> Option<&EncryptedImage> {
        self.encrypted.as_ref().map(|(_, image)| image)
    }

    /// The integrated envelope, if there is one.
    pub(super) fn payload(&self) -> Option<(&String, &Vec<u8>)> {
        self.uri.as_ref().zip(self.envelope.as_ref())
    }

    pub(super) fn shared(&self) -> Vec<Command<'static>> {
        let digest = Parameter::ImageDigest(self.digest);
        Vec::from([Command::OverrideParameters(Parameters::from_list([digest]))])
    }

    /// The component that holds the ciphertext of the envelope before it is decrypted.
    pub(super) fn staging(&self) -> Option<Staging> {
        let (uri, (id, encrypted)) = self.uri.as_ref().zip(self.encrypted.as_ref())?;
        Some(Staging {
            id: id.clone(),
            uri: uri.clone(),
            image: encrypted.ciphertext,
        })
    }

    /// Gets the envelope; `staged` is the index of the component that holds its ciphertext, if one does.
    // req: SUIT-DEP-015
    pub(super) fn resolve(&self, staged: Option<u64>) -> Vec<Command<'static>> {
        let mut commands = Vec::new();
        if let Some(staged) = staged {
            commands.extend(Staging::copy_from(staged, self.image()));
        } else if let Some(uri) = &self.uri {
            let uri = Parameter::Uri(Cow::Owned(uri.clone()));
            commands.push(Command::OverrideParameters(Parameters::from_list([uri])));
            commands.push(Command::Action(Action::Fetch, ReportingPolicy::ON_FAILURE));
        }
        match self.sections.contains(&Section::DependencyResolution) {
            true => commands.extend(self.process(Section::DependencyResolution)),
            false => commands.push(integrity()),
        }
        commands
    }

    /// The commands that run the dependency's section within the dependent's.
    // req: SUIT-DEP-010, SUIT-DEP-030, SUIT-AMB-005
    pub(super) fn process(&self, section: Section) -> Vec<Command<'static>> {
        if !self.sections.contains(&section) {
            return Vec::new();
        }
        let process = Command::Action(Action::ProcessDependency, ReportingPolicy::NONE);
        Vec::from([integrity(), process])
    }
}

fn integrity() -> Command<'static> {
    Command::Condition(Condition::DependencyIntegrity, ReportingPolicy::ALL)
}
