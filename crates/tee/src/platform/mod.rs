//! What the machine gives the TEE: a root key, a monotonic counter, an identity that can be attested.
//!
//! Everything above is the same on every platform, a [`Device`]. What differs is what these few things are worth: on
//! [`Software`] they are files, on a machine with a TPM, in a confidential VM ([`Tsm`]) or an enclave ([`Gramine`]),
//! hardware keeps some of them. `docs/platforms.md` says which, and what that protects against.

mod attributes;
mod counter;
mod device;
mod file_counter;
mod files;
mod folder;
mod gramine;
mod keys;
mod measurement;
mod secrets;
mod software;
#[cfg(feature = "tpm")]
mod tpm;
mod tsm;

use core::fmt;
use std::{
    io,
    path::{Path, PathBuf},
};

use tamarack_agent::platform::Identity;
use tamarack_cose::{
    Signer,
    encrypt::{EncryptionKey, RecipientKey},
};
use tamarack_rats::{HardwareReport, TpmEndorsement};
use zeroize::Zeroizing;

use crate::hardening::Need;

pub use counter::MonotonicCounter;
pub use device::{Device, DeviceOptions};
pub use gramine::{Gramine, GramineOptions, SgxKey};
pub use software::Software;
#[cfg(feature = "tpm")]
pub use tpm::{Tpm, TpmOptions};
pub use tsm::{Tsm, TsmOptions};

/// The machine under a TEE.
///
/// A platform unseals its root key once, when it is opened, and keeps everything else behind handles, so that
/// keys can live in a TPM or an enclave.
pub trait TeePlatform: Send + Sync {
    /// A short name: `software`, `tpm`, … Evidence states it as the model of the hardware.
    fn name(&self) -> &'static str;

    /// What an operator must know before trusting this platform with anything; `None` if it keeps the
    /// promises of a TEE.
    fn warning(&self) -> Option<&'static str>;

    /// The key that everything stored is sealed under. The same after every start, unknown outside.
    fn root_key(&self) -> &RootKey;

    /// The counter that makes a rolled-back store show.
    fn counter(&self) -> &dyn MonotonicCounter;

    /// Who this device is, and which updates apply to it.
    fn identity(&self) -> &Identity;

    /// The keys that sign TEEP messages, of different algorithms, in order of preference; one at least. None is
    /// the attestation key.
    fn teep_keys(&self) -> &[Box<dyn Signer>];

    /// The keys to which others encrypt what is for this TEE only.
    fn recipient_keys(&self) -> &[RecipientKey];

    /// The public halves of the recipient keys, for those who encrypt.
    fn encryption_keys(&self) -> &[EncryptionKey];

    /// SHA-256 of the code that runs in the TEE.
    fn measurement(&self) -> [u8; 32];

    /// How the platform proves what it is.
    fn attester(&self) -> Attester<'_>;

    /// What it reaches outside the folder of its data once it is open, so that the process can be confined to that. Nothing,
    /// by default.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
}

/// How a platform proves what it is.
#[non_exhaustive]
pub enum Attester<'a> {
    /// With a key that signs Entity Attestation Tokens which the TEE composes itself.
    Key(&'a dyn Signer),
    /// With such a key, and with what the hardware reports about these tokens.
    Hardware {
        /// The key that signs them.
        key: &'a dyn Signer,
        /// The hardware.
        hardware: &'a dyn HardwareAttester,
    },
}

impl<'a> Attester<'a> {
    /// The key that signs Entity Attestation Tokens.
    #[must_use]
    pub fn key(&self) -> &'a dyn Signer {
        match self {
            Self::Key(key) | Self::Hardware { key, .. } => *key,
        }
    }

    /// The hardware that reports about them, if there is any.
    #[must_use]
    pub fn hardware(&self) -> Option<&'a dyn HardwareAttester> {
        match self {
            Self::Key(_) => None,
            Self::Hardware { hardware, .. } => Some(*hardware),
        }
    }
}

impl fmt::Debug for Attester<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Attester")
            .field(self.key().public_key())
            .finish()
    }
}

/// Hardware that reports what it is, over bytes of the TEE's choice.
pub trait HardwareAttester: Send + Sync {
    /// A report about these 32 bytes, which say which Evidence it is for
    /// ([`Claims::report_binding`](tamarack_rats::Claims::report_binding)).
    ///
    /// # Errors
    ///
    /// If the hardware can't answer now.
    fn report(&self, binding: &[u8; 32]) -> Result<HardwareReport, PlatformFault>;

    /// What a Verifier has to know to check the reports of a TPM; `None` of other hardware, which its maker vouches for.
    fn tpm(&self) -> Option<TpmEndorsement> {
        None
    }
}

/// The 32 bytes that everything stored is sealed under. Zeroed when dropped, never shown.
#[derive(Clone)]
pub struct RootKey(Zeroizing<[u8; 32]>);

impl RootKey {
    /// Wraps the bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(…)")
    }
}

/// Why a platform can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformFault {
    /// A file can't be read or written.
    #[error("can't {action} {}: {source}", path.display())]
    File {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A key file can be read by somebody else.
    #[error("{} is open to other users (mode {mode:o}); run: chmod go-rwx {}", path.display(), path.display())]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file does not hold what it must.
    #[error("{} is damaged: {problem}; restore it from a backup, or start with an empty folder", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A sealed file does not open.
    #[error("{} does not open under the root key: the key is another one, or the file was changed", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The folder belongs to a device on another platform.
    #[error(
        "{} was made on the platform {made_on}, not {asked_for}: start it with --platform {made_on}, or make a new device in an empty folder",
        path.display()
    )]
    OtherPlatform {
        /// The folder of the TEE.
        path: PathBuf,
        /// The platform on which it was made.
        made_on: String,
        /// The platform on which it was to be opened.
        asked_for: &'static str,
    },
    /// The hardware is not there, or not set up.
    #[error("{0}")]
    Unavailable(String),
    /// The hardware refuses.
    #[error("can't {action}: {problem}")]
    Hardware {
        /// What was tried.
        action: &'static str,
        /// What the hardware says.
        problem: String,
    },
    /// The crypto provider failed.
    #[error(transparent)]
    Crypto(#[from] tamarack_cose::Error),
}

impl PlatformFault {
    /// What it means that `action` failed with the file or folder `path`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File {
            action,
            path: path.into(),
            source,
        }
    }
}
