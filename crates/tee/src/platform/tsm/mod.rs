//! The platform `tsm`: a confidential virtual machine under Linux.

mod report;
#[cfg(test)]
mod tests;

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
use report::Reports;

/// The name of the platform.
const NAME: &str = "tsm";

/// Where the reports are, by default.
const REPORT_DIR: &str = "/sys/kernel/config/tsm/report";

const WARNING: &str = "the tsm platform has no counter of its own: that all files of the TEE were put back together to \
    an older copy is not noticed. Whatever runs as root in this virtual machine can read the TEE";

const WARNING_KEY_BESIDE: &str = "the tsm platform has no counter of its own: that all files of the TEE were put back \
    together to an older copy is not noticed; and its root key lies in its folder, so sealing is worth as much as the \
    encryption of the disk below (see --root-key). Whatever runs as root in this virtual machine can read the TEE";

/// The file with a root key that nobody else keeps.
const ROOT: &str = "root.key";

/// The file with what a root key from elsewhere is mixed with: random, not secret.
const SALT: &str = "root.salt";

/// A confidential virtual machine (SEV-SNP, TDX, CCA), through the interface that Linux has for all of them.
///
/// The hardware keeps the memory of the machine from its host, and reports what was started in it. It keeps no key for
/// the guest: the root key is given in a file, by whatever opens the guest's encrypted disk or fetches keys for it
/// after attestation, or lies in the folder of the device, which then has to be on an encrypted disk.
#[derive(Debug)]
pub struct Tsm;

/// What an operator may choose about a [`Tsm`] platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TsmOptions {
    /// Where configfs-tsm is. Default: `/sys/kernel/config/tsm/report`.
    pub report_dir: PathBuf,
    /// A file with 32 to 4096 secret bytes, the same at every start, from which the root key is derived. Default: none;
    /// the root key lies in the folder of the device.
    pub root_key: Option<PathBuf>,
}

impl Default for TsmOptions {
    fn default() -> Self {
        Self {
            report_dir: REPORT_DIR.into(),
            root_key: None,
        }
    }
}

impl Tsm {
    /// Opens the device in `dir`, making its keys if there is none yet.
    ///
    /// # Errors
    ///
    /// If there is no configfs-tsm, the root key is not the one with which the device was made, or a file is missing,
    /// damaged, or open to other users.
    pub fn open(
        dir: &Path,
        crypto: &CryptoProvider,
        device: &DeviceOptions,
        options: &TsmOptions,
    ) -> Result<Device, PlatformFault> {
        Self::over(System, dir, crypto, device, options)
    }

    fn over(
        attributes: impl Attributes + 'static,
        dir: &Path,
        crypto: &CryptoProvider,
        device: &DeviceOptions,
        options: &TsmOptions,
    ) -> Result<Device, PlatformFault> {
        if !options.report_dir.is_dir() {
            return Err(PlatformFault::Unavailable(format!(
                "there are no reports of a security module in {}: is this a confidential virtual machine, with Linux 6.7 \
                 or newer, and configfs mounted?",
                options.report_dir.display()
            )));
        }
        let folder = folder::open(dir, NAME, |new| {
            match &options.root_key {
                Some(_) => files::create(&new.join(SALT), &crypto.random_array::<32>()?)?,
                None => {
                    let root = Zeroizing::new(crypto.random_array::<32>()?);
                    files::create(&new.join(ROOT), &*root)?;
                }
            }
            FileCounter::make(new)?;
            let root = root_key(new, crypto, options)?;
            let secrets = Sealed::new(crypto, &root);
            device::make(new, &secrets, device, crypto.random_array()?)
        })?;
        let root = root_key(&folder, crypto, options)?;
        let secrets = Sealed::new(crypto, &root);
        // One for each device, and the same at the next start, so that what a crash leaves is used again.
        let entry = crypto.kdf.derive(root.bytes(), &[], b"tamarack tsm report");
        let reports = Reports::new(attributes, &options.report_dir, &entry);
        let machine = Machine {
            name: NAME,
            warning: match options.root_key {
                Some(_) => WARNING,
                None => WARNING_KEY_BESIDE,
            },
            root,
            counter: Box::new(FileCounter::open(&folder)?),
            hardware: Some(Box::new(reports)),
            needs: vec![Need::Write(options.report_dir.clone())],
        };
        Device::open(folder, &secrets, device, machine)
    }
}

/// The root key of the device in `folder`, from where it was when the device was made.
fn root_key(
    folder: &Path,
    crypto: &CryptoProvider,
    options: &TsmOptions,
) -> Result<RootKey, PlatformFault> {
    let (own, salt) = (folder.join(ROOT), folder.join(SALT));
    match &options.root_key {
        Some(path) if salt.exists() => {
            let secret = files::read(path)?;
            if secret.len() < 32 {
                let problem = format!("it has {} bytes, and a root key 32 at least", secret.len());
                let path = path.clone();
                return Err(PlatformFault::Damaged { path, problem });
            }
            let salt = files::read_array::<32>(&salt)?;
            let kdf = crypto.kdf;
            Ok(RootKey::new(kdf.derive(
                &secret,
                &*salt,
                b"tamarack tsm root key",
            )))
        }
        None if own.exists() => Ok(RootKey::new(*files::read_array::<32>(&own)?)),
        Some(_) if own.exists() => Err(PlatformFault::Unavailable(format!(
            "{} was made with a root key of its own, which lies in it: start it without --root-key",
            folder.display()
        ))),
        None if salt.exists() => Err(PlatformFault::Unavailable(format!(
            "{} was made with a root key from elsewhere: give it with --root-key",
            folder.display()
        ))),
        _ => Err(PlatformFault::Damaged {
            path: folder.into(),
            problem: format!("it has neither {ROOT} nor {SALT}"),
        }),
    }
}
