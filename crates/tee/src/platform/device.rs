//! A device: what every platform has in common.

use core::fmt;
use std::path::{Path, PathBuf};

use tamarack_agent::platform::Identity;
use tamarack_cose::{
    SignatureAlgorithm, Signer,
    encrypt::{EncryptionKey, RecipientKey},
    x509::Certificate,
};
use tamarack_suit::{Uuid, VendorId};

use super::{
    Attester, HardwareAttester, MonotonicCounter, PlatformFault, RootKey, TeePlatform,
    keys::{self, Keys},
    measurement::measure_this_program,
    secrets::Secrets,
};
use crate::hardening::Need;

/// The file with the universal entity id.
const UEID: &str = "ueid";

/// What the maker of a device may choose about it, on every platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeviceOptions {
    /// Algorithms of the TEEP keys, in order of preference. Counts at the first start only. Default: ESP256.
    pub teep_algorithms: Vec<SignatureAlgorithm>,
    /// Domain name of the device's vendor, from which its vendor identifier is derived (UUIDv5).
    /// Default: `tamarack.example`.
    pub vendor: String,
    /// Class of the device, from which its class identifier is derived (UUIDv5). Default: the name of the
    /// platform with `-tee` behind it.
    pub class: Option<String>,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            teep_algorithms: vec![SignatureAlgorithm::Esp256],
            vendor: "tamarack.example".into(),
            class: None,
        }
    }
}

/// A device, opened on one of the platforms.
///
/// Its folder, `platform` in that of the TEE, has mode 0700, its files mode 0600. How private keys are kept in them,
/// and where the root key and the counter are, depends on the platform.
///
/// | File in `DIR/platform` | Holds |
/// |---|---|
/// | `name` | the name of the platform |
/// | `attester.key` | the key that signs Evidence |
/// | `teep-esp256.key`, `teep-ed25519.key` | the keys that sign TEEP messages, one at least |
/// | `attester.certificates.pem`, `teep-esp256.certificates.pem`, … | certificates that vouch for these keys, if any |
/// | `recipient-p256.key`, `recipient-x25519.key` | the keys that decrypt |
/// | `algorithms` | names of the algorithms of TEEP messages, in order of preference, one a line |
/// | `ueid` | 17 bytes: 0x01 and 16 bytes of which nobody else has the same |
pub struct Device {
    machine: Machine,
    folder: PathBuf,
    keys: Keys,
    identity: Identity,
    measurement: [u8; 32],
}

/// What differs from platform to platform.
pub(super) struct Machine {
    pub(super) name: &'static str,
    /// What it does not protect.
    pub(super) warning: &'static str,
    pub(super) root: RootKey,
    pub(super) counter: Box<dyn MonotonicCounter>,
    pub(super) hardware: Option<Box<dyn HardwareAttester>>,
    /// What it reaches outside the folder once it is open.
    pub(super) needs: Vec<Need>,
}

/// Makes what a new device has on every platform, in an empty folder. `ueid` are the 16 bytes that are this device's.
pub(super) fn make(
    folder: &Path,
    secrets: &dyn Secrets,
    options: &DeviceOptions,
    ueid: [u8; 16],
) -> Result<(), PlatformFault> {
    keys::make(folder, secrets, &options.teep_algorithms)?;
    // RFC 9711 section 4.2.1.1: type 0x01 (RAND), of 128 bits.
    secrets.write(&folder.join(UEID), &[&[0x01][..], &ueid].concat())
}

impl Device {
    /// Opens the device in `folder`; logs what its platform does not protect.
    pub(super) fn open(
        folder: PathBuf,
        secrets: &dyn Secrets,
        options: &DeviceOptions,
        machine: Machine,
    ) -> Result<Self, PlatformFault> {
        tracing::warn!("{}", machine.warning);
        let path = folder.join(UEID);
        let ueid = secrets.read(&path)?;
        if ueid.len() != 17 {
            let problem = format!("it has {} bytes, not 17", ueid.len());
            return Err(PlatformFault::Damaged { path, problem });
        }
        let vendor = Uuid::vendor(&options.vendor);
        let class = (options.class.clone()).unwrap_or_else(|| format!("{}-tee", machine.name));
        Ok(Self {
            keys: Keys::open(&folder, secrets)?,
            identity: Identity {
                ueid: ueid.to_vec(),
                suit: tamarack_suit::Identity {
                    vendors: vec![VendorId::Uuid(vendor)],
                    classes: vec![vendor.class(&class)],
                    devices: Vec::new(),
                },
            },
            measurement: measure_this_program(secrets.crypto())?,
            machine,
            folder,
        })
    }

    /// Gives the key of the device that the first certificate is for, the attester's or one that signs
    /// TEEP messages, this chain in the place of the one that it has. It counts from the next start on.
    ///
    /// # Errors
    ///
    /// If the first certificate is for none of the keys, or the file can't be written.
    pub fn certify(&self, chain: &[Certificate]) -> Result<(), PlatformFault> {
        self.keys.certify(&self.folder, chain)
    }
}

impl TeePlatform for Device {
    fn name(&self) -> &'static str {
        self.machine.name
    }

    fn warning(&self) -> Option<&'static str> {
        Some(self.machine.warning)
    }

    fn root_key(&self) -> &RootKey {
        &self.machine.root
    }

    fn counter(&self) -> &dyn MonotonicCounter {
        &*self.machine.counter
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn teep_keys(&self) -> &[Box<dyn Signer>] {
        &self.keys.teep
    }

    fn recipient_keys(&self) -> &[RecipientKey] {
        &self.keys.recipient
    }

    fn encryption_keys(&self) -> &[EncryptionKey] {
        &self.keys.encryption
    }

    fn measurement(&self) -> [u8; 32] {
        self.measurement
    }

    fn attester(&self) -> Attester<'_> {
        let key = &*self.keys.attester;
        match &self.machine.hardware {
            None => Attester::Key(key),
            Some(hardware) => Attester::Hardware {
                key,
                hardware: &**hardware,
            },
        }
    }

    fn needs(&self) -> Vec<Need> {
        self.machine.needs.clone()
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("platform", &self.machine.name)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}
