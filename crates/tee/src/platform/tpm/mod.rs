//! The platform `tpm`: a machine with a TPM 2.0.

mod connection;
mod counter;
mod key;
mod pcr;
mod quote;
mod root;
mod secrets;
mod wire;

use std::{path::Path, sync::Arc};

use tamarack_cose::CryptoProvider;

use super::{
    Device, DeviceOptions, PlatformFault,
    device::{self, Machine},
    folder,
};
use connection::Connection;
use counter::NvCounter;
use quote::Quotes;
use secrets::TpmSecrets;

/// The name of the platform.
const NAME: &str = "tpm";

/// Where the TPM is, by default: the device through which the kernel lets several programs use it.
const TCTI: &str = "device:/dev/tpmrm0";

const WARNING: &str = "the tpm platform keeps keys and counter in the TPM, but runs in the memory of this machine: whatever \
    runs as root here can read the TEE and use its keys while it does";

/// A machine with a TPM 2.0.
///
/// The TPM seals the root key, to the values of PCRs if that is chosen; it holds the key that signs Evidence, an
/// attestation key that quotes PCRs, and the TEEP key if that is of ESP256, none of which ever leaves it; and it counts.
/// What it can't do, Ed25519 and decryption, is done by this process, with keys in files that are sealed under the root
/// key.
#[derive(Debug)]
pub struct Tpm;

/// What an operator may choose about a [`Tpm`] platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TpmOptions {
    /// How the TPM is reached, as tpm2-tss writes it: `device:/dev/tpmrm0`, `swtpm:host=127.0.0.1,port=2321`, …
    /// Default: `device:/dev/tpmrm0`.
    pub tcti: String,
    /// The PCRs of the bank of SHA-256, 0 to 23, that Evidence quotes. Counts at the first start only. Default: 0 to 7,
    /// which measure the firmware and its settings.
    pub quoted_pcrs: Vec<u8>,
    /// The PCRs of the bank of SHA-256 that have to have the values that they had at the first start, or the root key
    /// is not unsealed. Counts at the first start only. Default: none.
    pub sealed_pcrs: Vec<u8>,
}

impl Default for TpmOptions {
    fn default() -> Self {
        Self {
            tcti: TCTI.into(),
            quoted_pcrs: (0..=7).collect(),
            sealed_pcrs: Vec::new(),
        }
    }
}

impl Tpm {
    /// Opens the device in `dir`, making its keys and its counter if there is none yet.
    ///
    /// # Errors
    ///
    /// If the TPM can't be reached or refuses, the device was made with another TPM, something else was booted than it
    /// is sealed to, or a file is missing, damaged, or open to other users.
    pub fn open(
        dir: &Path,
        crypto: &CryptoProvider,
        device: &DeviceOptions,
        options: &TpmOptions,
    ) -> Result<Device, PlatformFault> {
        let connection = Arc::new(Connection::open(&options.tcti)?);
        let folder = folder::open(dir, NAME, |new| {
            let root = root::make(new, &connection, crypto, &options.sealed_pcrs)?;
            let secrets = TpmSecrets::new(&connection, crypto, &root);
            Quotes::make(new, &secrets, &options.quoted_pcrs)?;
            device::make(new, &secrets, device, key::device_id(&connection, crypto)?)?;
            // Last: of a first start that was interrupted before, nothing is left in the TPM.
            NvCounter::make(new, &secrets)
        })?;
        let root = root::open(&folder, &connection)?;
        let secrets = TpmSecrets::new(&connection, crypto, &root);
        let machine = Machine {
            name: NAME,
            warning: WARNING,
            counter: Box::new(NvCounter::open(&folder, &secrets)?),
            hardware: Some(Box::new(Quotes::open(&folder, &secrets)?)),
            needs: connection::needs(&options.tcti),
            root,
        };
        Device::open(folder, &secrets, device, machine)
    }
}
