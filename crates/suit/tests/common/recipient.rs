//! The one place where tests say whom a Recipient trusts, and how it processes.

use tamarack_cose::{CryptoProvider, PublicKey, aws_lc};
use tamarack_suit::{
    AccessControl, AuthenticatedEnvelope, ComponentId, Device, Envelope, Error, Fetch, Outcome,
    Processor, Settings, SingleAuthority,
};

/// A Recipient: its trust anchors, their rights, and its settings.
pub struct Recipient<'a> {
    pub crypto: CryptoProvider,
    pub trusted: Vec<PublicKey>,
    pub access: &'a dyn AccessControl,
    pub settings: Settings,
}

impl Recipient<'static> {
    /// Trusts these keys with everything.
    pub fn trusting(trusted: impl IntoIterator<Item = PublicKey>) -> Self {
        Self {
            crypto: super::crypto(),
            trusted: trusted.into_iter().collect(),
            access: &SingleAuthority,
            settings: Settings::default(),
        }
    }
}

impl<'a> Recipient<'a> {
    /// The same with these rights.
    pub fn with_access(self, access: &'a dyn AccessControl) -> Self {
        Self { access, ..self }
    }

    pub fn with_settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// The same with fast primitives, for tests that verify thousands of signatures.
    pub fn fast(self) -> Self {
        Self {
            crypto: aws_lc::provider(),
            ..self
        }
    }

    pub fn authenticate<'e>(
        &self,
        envelope: &Envelope<'e>,
    ) -> Result<AuthenticatedEnvelope<'e>, Error> {
        envelope.authenticate(&self.crypto, &self.trusted)
    }

    pub fn processor(&self) -> Processor<'_> {
        Processor::new(&self.crypto, &self.trusted, self.access).with_settings(self.settings)
    }

    pub fn update(
        &self,
        device: &mut dyn Device,
        fetch: &mut dyn Fetch,
        envelope: &[u8],
    ) -> Outcome {
        self.processor().update_bytes(device, fetch, envelope)
    }

    pub fn invoke(
        &self,
        device: &mut dyn Device,
        fetch: &mut dyn Fetch,
        id: &ComponentId,
    ) -> Outcome {
        self.processor().invoke(device, fetch, id)
    }

    pub fn uninstall(
        &self,
        device: &mut dyn Device,
        fetch: &mut dyn Fetch,
        id: &ComponentId,
    ) -> Outcome {
        self.processor().uninstall(device, fetch, id)
    }
}
