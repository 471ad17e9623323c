//! The manifest processor: procedures over command sequences.
//!
//! Everything that can be checked without executing a command is checked first ([`check`]). Then a
//! machine with an explicit, bounded stack ([`machine`]) goes through the sections in the order of the
//! procedure twice: a rehearsal without any effect, which fails on all that is known to fail by then, and
//! the performance. What is uninstalled is not rehearsed: it must go.

mod authority;
mod belonging;
mod buffer;
mod capabilities;
mod check;
mod condition;
mod dependency;
mod directive;
mod failure;
mod frame;
mod intake;
mod kept;
mod latest;
mod machine;
mod order;
mod outcome;
mod procedure;
mod settings;
mod shelf;
mod state;

#[cfg(feature = "author")]
pub(crate) use intake::PURPOSE;
pub use outcome::Outcome;
pub use settings::{
    CapabilityPolicy, DecryptedContent, DependencyIntegrity, DependencySections, IdentityChecks,
    Measurement, Settings, WrittenContent,
};

use tamarack_cose::{CryptoProvider, encrypt::RecipientKey};

use crate::{
    AccessControl, AuthenticatedEnvelope, ComponentId, Device, Error, Fetch, TrustAnchors, Trusted,
    codec::Envelope,
};

use failure::Failure;
use procedure::Procedure;
use shelf::Shelf;

/// Carries out what authenticated manifests say.
///
/// One value serves any number of procedures; it holds no state between them. See the
/// [crate documentation](crate) for an example.
#[derive(Clone, Copy)]
pub struct Processor<'p> {
    crypto: &'p CryptoProvider,
    trusted: Trusted<'p>,
    access: &'p dyn AccessControl,
    settings: Settings,
    nonce: Option<&'p [u8]>,
    recipient_keys: &'p [RecipientKey],
}

impl<'p> Processor<'p> {
    /// A processor with the default [`Settings`].
    ///
    /// `trusted` are the keys, or the [`TrustAnchors`], that may authenticate manifests; `access` alone says what each of
    /// them may touch: the rights that trust anchors have count where it is these anchors, as in
    /// [`trusting`](Self::trusting).
    #[must_use]
    pub fn new(
        crypto: &'p CryptoProvider,
        trusted: impl Into<Trusted<'p>>,
        access: &'p dyn AccessControl,
    ) -> Self {
        Self {
            crypto,
            trusted: trusted.into(),
            access,
            settings: Settings::default(),
            nonce: None,
            recipient_keys: &[],
        }
    }

    /// A processor with the default [`Settings`], for manifests of trust anchors with the rights of each.
    #[must_use]
    pub fn trusting(crypto: &'p CryptoProvider, anchors: &'p TrustAnchors) -> Self {
        Self::new(crypto, anchors, anchors)
    }

    /// The same processor with other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The same processor with a nonce that goes into its reports (SUIT-REP-003).
    #[must_use]
    pub fn with_nonce(mut self, nonce: &'p [u8]) -> Self {
        self.nonce = Some(nonce);
        self
    }

    /// The same processor with keys for encrypted payloads. Without any, encryption is not supported.
    #[must_use]
    pub fn with_recipient_keys(mut self, recipient_keys: &'p [RecipientKey]) -> Self {
        self.recipient_keys = recipient_keys;
        self
    }

    /// Installs or updates what the manifest describes: dependency resolution, payload fetch, candidate
    /// verification, install, validate; each after the shared sequence.
    ///
    /// Before anything is done: every command and parameter is supported, every component exists and may
    /// be touched by the signers, and the manifest is no older than what is installed. Afterwards: every
    /// component that was written was verified, and the manifest is recorded.
    ///
    /// Commit the device's transaction if and only if [`Outcome::result`] is `Ok`.
    // req: SUIT-SEQ-001, SUIT-SEQ-003
    pub fn update(
        &self,
        device: &mut dyn Device,
        fetch: &mut dyn Fetch,
        envelope: &AuthenticatedEnvelope<'_>,
    ) -> Outcome {
        procedure::run(self, device, fetch, envelope, Procedure::Update, None)
    }

    /// Decodes and authenticates `envelope` and goes on with [`update`](Self::update).
    ///
    /// There is a report in any case, also for bytes that are no envelope.
    pub fn update_bytes(
        &self,
        device: &mut dyn Device,
        fetch: &mut dyn Fetch,
        envelope: &[u8],
    ) -> Outcome {
        let decoded = match Envelope::decode_within(envelope, &self.settings.limits) {
            Ok(decoded) => decoded,
            Err(error) => {
                let digest = crate::SuitDigest::sha256(self.crypto, envelope);
                return Outcome::refused(self, device, digest, error.into());
            }
        };
        match decoded.authenticate_by(self.crypto, self.trusted) {
            Ok(authenticated) => self.update(device, fetch, &authenticated),
            Err(error) => Outcome::refused(self, device, decoded.claimed_digest(), error.into()),
        }
    }

    /// Starts what the manifest recorded at `id` installed: validate, load, invoke; each after the
    /// shared sequence.
    ///
    /// The manifest was authenticated when it was installed; that it is the same one is checked by the
    /// recorded digest.
    // req: SUIT-SEQ-002, SUIT-PROC-013
    pub fn invoke(
        &self,
        device: &mut dyn Device,
        fetch: &mut dyn Fetch,
        id: &ComponentId,
    ) -> Outcome {
        self.run_recorded(device, fetch, id, Procedure::Invoke)
    }

    /// Removes what the manifest recorded at `id` installed, by its uninstall section or, without one,
    /// by removing its components.
    ///
    /// A manifest that others depend on stays until the last of them is gone; dependencies that nothing
    /// else needs go with it. If the envelope that is kept is not the one that was recorded, none of its
    /// commands runs: the components that its record names are removed.
    // req: SUIT-DEP-034, SUIT-DEP-035, SUIT-AMB-018
    pub fn uninstall(
        &self,
        device: &mut dyn Device,
        fetch: &mut dyn Fetch,
        id: &ComponentId,
    ) -> Outcome {
        self.run_recorded(device, fetch, id, Procedure::Uninstall)
    }

    fn run_recorded(
        &self,
        device: &mut dyn Device,
        fetch: &mut dyn Fetch,
        id: &ComponentId,
        procedure: Procedure,
    ) -> Outcome {
        let unknown = || crate::SuitDigest::sha256(self.crypto, &[]);
        let record = match device.manifest(id) {
            Ok(Some(record)) => record,
            Ok(None) => {
                let error = Error::NotInstalled(id.clone());
                return Outcome::refused(self, device, unknown(), error.into());
            }
            Err(error) => return Outcome::refused(self, device, unknown(), error.into()),
        };
        let shelf = Shelf::default();
        match kept::open(self, device, &shelf, &record) {
            Ok(envelope) => {
                procedure::run(self, device, fetch, &envelope, procedure, Some(&record))
            }
            Err(error)
                if procedure == Procedure::Uninstall && kept::shows_change(error.error()) =>
            {
                kept::uninstall(self, device, fetch, &record)
            }
            Err(error) => Outcome::refused(self, device, record.digest, error),
        }
    }
}
