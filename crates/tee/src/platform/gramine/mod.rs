//! The platform `gramine`: an SGX enclave, run by the Gramine library OS.

mod quote;
#[cfg(test)]
mod tests;

use core::fmt;
use std::path::{Path, PathBuf};

use tamarack_cose::CryptoProvider;
use zeroize::Zeroizing;

use super::{
    Device, DeviceOptions, PlatformFault, RootKey,
    attributes::{Attributes, System},
    device::{self, Machine},
    file_counter::FileCounter,
    files, folder,
    secrets::Sealed,
};
use crate::hardening::Need;
use quote::Quotes;

/// The name of the platform.
const NAME: &str = "gramine";

/// Where Gramine has its pseudo-files, by default.
const ATTESTATION_DIR: &str = "/dev/attestation";

const WARNING: &str = "the gramine platform has no counter of its own: that all files of the TEE were put back together \
    to an older copy is not noticed";

/// The file with the name of the sealing key.
const SGX_KEY: &str = "sgx-key";

/// The file with what the sealing key is mixed with: random, not secret.
const SALT: &str = "root.salt";

/// An SGX enclave under Gramine.
///
/// The processor keeps the memory of the enclave from the rest of the machine, derives a sealing key for it, and quotes
/// what runs in it. It has no monotonic counter that could be relied on.
#[derive(Debug)]
pub struct Gramine;

/// Which enclaves get the same sealing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SgxKey {
    /// All of the same signer, for the same product: an updated enclave opens what its predecessor sealed.
    Signer,
    /// This very enclave, byte for byte: an updated one starts anew.
    Enclave,
}

impl SgxKey {
    /// All of them.
    const ALL: [Self; 2] = [Self::Signer, Self::Enclave];

    /// The name that SGX has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Signer => "mrsigner",
            Self::Enclave => "mrenclave",
        }
    }
}

impl fmt::Display for SgxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an operator may choose about a [`Gramine`] platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GramineOptions {
    /// Where the pseudo-files of Gramine are. Default: `/dev/attestation`.
    pub attestation_dir: PathBuf,
    /// The sealing key that the root key is derived from. Counts at the first start only. Default: that of the signer.
    pub key: SgxKey,
}

impl Default for GramineOptions {
    fn default() -> Self {
        Self {
            attestation_dir: ATTESTATION_DIR.into(),
            key: SgxKey::Signer,
        }
    }
}

impl Gramine {
    /// Opens the device in `dir`, making its keys if there is none yet.
    ///
    /// # Errors
    ///
    /// If this is no enclave that can be attested, it is none of those that the device was made for, or a file is
    /// missing, damaged, or open to other users.
    pub fn open(
        dir: &Path,
        crypto: &CryptoProvider,
        device: &DeviceOptions,
        options: &GramineOptions,
    ) -> Result<Device, PlatformFault> {
        Self::over(System, dir, crypto, device, options)
    }

    fn over(
        attributes: impl Attributes + 'static,
        dir: &Path,
        crypto: &CryptoProvider,
        device: &DeviceOptions,
        options: &GramineOptions,
    ) -> Result<Device, PlatformFault> {
        check_attestation_type(&attributes, &options.attestation_dir)?;
        let folder = folder::open(dir, NAME, |new| {
            files::create(&new.join(SALT), &crypto.random_array::<32>()?)?;
            files::create(&new.join(SGX_KEY), format!("{}\n", options.key).as_bytes())?;
            FileCounter::make(new)?;
            let root = root_key(new, crypto, &attributes, &options.attestation_dir)?;
            let secrets = Sealed::new(crypto, &root);
            device::make(new, &secrets, device, crypto.random_array()?)
        })?;
        let root = root_key(&folder, crypto, &attributes, &options.attestation_dir)?;
        let secrets = Sealed::new(crypto, &root);
        let machine = Machine {
            name: NAME,
            warning: WARNING,
            root,
            counter: Box::new(FileCounter::open(&folder)?),
            hardware: Some(Box::new(Quotes::new(attributes, &options.attestation_dir))),
            needs: vec![Need::Write(options.attestation_dir.clone())],
        };
        Device::open(folder, &secrets, device, machine)
    }
}

/// Quotes are made by DCAP; without it an enclave can't show anybody elsewhere what it is.
fn check_attestation_type(attributes: &impl Attributes, dir: &Path) -> Result<(), PlatformFault> {
    let path = dir.join("attestation_type");
    let found = attributes.read(&path).map_err(|error| {
        PlatformFault::Unavailable(format!(
            "can't read {}: {error}; is this an enclave, run by Gramine?",
            path.display()
        ))
    })?;
    match String::from_utf8_lossy(&found).trim_matches(['\0', '\n', ' ']) {
        "dcap" => Ok(()),
        other => Err(PlatformFault::Unavailable(format!(
            "{} says {other:?}: Gramine's manifest must say sgx.remote_attestation = \"dcap\"",
            path.display()
        ))),
    }
}

/// The root key of the device in `folder`, from the sealing key for which it was made.
fn root_key(
    folder: &Path,
    crypto: &CryptoProvider,
    attributes: &impl Attributes,
    dir: &Path,
) -> Result<RootKey, PlatformFault> {
    let path = folder.join(SGX_KEY);
    let name = files::read(&path)?;
    let key = SgxKey::ALL
        .into_iter()
        .find(|key| name.trim_ascii() == key.name().as_bytes());
    let key = key.ok_or_else(|| PlatformFault::Damaged {
        path,
        problem: "it names no sealing key".into(),
    })?;
    let path = dir.join("keys").join(format!("_sgx_{key}"));
    let sealing = attributes.read(&path).map_err(|error| {
        PlatformFault::Unavailable(format!(
            "can't read the sealing key {}: {error}",
            path.display()
        ))
    })?;
    let sealing = Zeroizing::new(sealing);
    if sealing.len() != 16 {
        return Err(PlatformFault::Unavailable(format!(
            "the sealing key {} has {} bytes, not 16",
            path.display(),
            sealing.len()
        )));
    }
    let salt = files::read_array::<32>(&folder.join(SALT))?;
    let kdf = crypto.kdf;
    let info = b"tamarack gramine root key";
    Ok(RootKey::new(kdf.derive(&sealing, &*salt, info)))
}
