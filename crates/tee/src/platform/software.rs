//! The platform `software`.

use std::path::Path;

use tamarack_cose::CryptoProvider;
use zeroize::Zeroizing;

use super::{
    Device, DeviceOptions, PlatformFault, RootKey,
    device::{self, Machine},
    file_counter::FileCounter,
    files, folder,
    secrets::Plain,
};

/// The name of the platform.
pub(super) const NAME: &str = "software";

const WARNING: &str = "the software platform keeps its keys in files: it protects against nothing that can \
    read or replace the files of this user, and its Evidence proves nothing about hardware. For \
    development and tests only";

/// The file with the root key.
const ROOT: &str = "root.key";

/// A platform made of files, for development and tests.
///
/// **It protects against nothing physical, nor against the user it runs as, nor against root.** Root key, attester
/// key, TEEP keys and recipient keys lie in a folder of mode 0700, in files of mode 0600. Whoever reads them can open the storage and
/// forge Evidence; whoever restores old copies of the folder and of the store together has rolled
/// the TEE back unseen, since the counter is a file too. What it does give: the same interfaces, formats and failures as
/// a real platform, and isolation between Trusted Applications.
///
/// Beside the files of every [`Device`] there are `root.key`, 32 random bytes, and `counter`, the monotonic counter in
/// decimal. Private keys are `COSE_Key`s.
#[derive(Debug)]
pub struct Software;

impl Software {
    /// Opens the device in `dir`, making its keys if there is none yet.
    ///
    /// Logs a warning that says what this platform does not protect.
    ///
    /// # Errors
    ///
    /// If a file is missing, damaged, or open to other users; nothing is ever replaced.
    pub fn open(
        dir: &Path,
        crypto: &CryptoProvider,
        options: &DeviceOptions,
    ) -> Result<Device, PlatformFault> {
        let secrets = Plain(crypto);
        let folder = folder::open(dir, NAME, |new| {
            let root = Zeroizing::new(crypto.random_array::<32>()?);
            files::create(&new.join(ROOT), &*root)?;
            FileCounter::make(new)?;
            device::make(new, &secrets, options, crypto.random_array()?)
        })?;
        let root = files::read_array::<32>(&folder.join(ROOT))?;
        let machine = Machine {
            name: NAME,
            warning: WARNING,
            root: RootKey::new(*root),
            counter: Box::new(FileCounter::open(&folder)?),
            hardware: None,
            needs: Vec::new(),
        };
        Device::open(folder, &secrets, options, machine)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use tamarack_cose::{SignatureAlgorithm, rustcrypto};
    use tamarack_suit::{Uuid, VendorId};

    use super::*;
    use crate::platform::TeePlatform;

    fn open(dir: &Path) -> Result<Device, PlatformFault> {
        Software::open(dir, &rustcrypto::provider(), &DeviceOptions::default())
    }

    #[test]
    fn the_device_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        assert_eq!(first.counter().increment().unwrap(), 1);
        let again = open(dir.path()).unwrap();
        assert_eq!(first.root_key().bytes(), again.root_key().bytes());
        let public = |platform: &Device| *platform.teep_keys()[0].public_key();
        assert_eq!(public(&first), public(&again));
        assert_eq!(first.encryption_keys(), again.encryption_keys());
        assert_eq!(first.encryption_keys().len(), first.recipient_keys().len());
        assert_eq!(
            first.attester().key().public_key(),
            again.attester().key().public_key()
        );
        assert_eq!(first.identity(), again.identity());
        assert_eq!(first.measurement(), again.measurement());
        assert_eq!(again.counter().value().unwrap(), 1);
        assert_ne!(public(&first), *first.attester().key().public_key());
        assert_eq!(first.identity().ueid.len(), 17);
        assert_eq!(first.identity().ueid[0], 1);
    }

    #[test]
    fn devices_differ() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (open(one.path()).unwrap(), open(other.path()).unwrap());
        assert_ne!(one.root_key().bytes(), other.root_key().bytes());
        assert_ne!(one.identity().ueid, other.identity().ueid);
        assert_eq!(one.identity().suit, other.identity().suit);
    }

    #[test]
    fn the_teep_keys_have_the_algorithms_that_were_chosen() {
        let (esp256, ed25519) = (SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519);
        for chosen in [vec![ed25519], vec![ed25519, esp256], vec![esp256, ed25519]] {
            let dir = tempfile::tempdir().unwrap();
            let options = DeviceOptions {
                teep_algorithms: chosen.clone(),
                ..Default::default()
            };
            let platform = Software::open(dir.path(), &rustcrypto::provider(), &options).unwrap();
            let found = platform.teep_keys().iter();
            let found: Vec<_> = found.map(|key| key.public_key().algorithm()).collect();
            assert_eq!(found, chosen);
        }
    }

    #[test]
    fn identifiers_are_the_name_based_ones() {
        let dir = tempfile::tempdir().unwrap();
        let identity = open(dir.path()).unwrap().identity().suit.clone();
        let vendor = Uuid::vendor("tamarack.example");
        assert_eq!(identity.vendors, [VendorId::Uuid(vendor)]);
        assert_eq!(identity.classes, [vendor.class("software-tee")]);
    }

    #[test]
    fn files_are_private_and_must_stay_so() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap();
        let folder = dir.path().join("platform");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for entry in fs::read_dir(&folder).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
        let key = folder.join("teep-esp256.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            open(dir.path()),
            Err(PlatformFault::Exposed { path, mode: 0o640 }) if path == key
        ));
    }

    #[test]
    fn missing_and_damaged_files_are_named_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap();
        let folder = dir.path().join("platform");
        for name in [
            "root.key",
            "attester.key",
            "algorithms",
            "teep-esp256.key",
            "recipient-p256.key",
            "recipient-x25519.key",
            "ueid",
            "counter",
        ] {
            let path = folder.join(name);
            let content = fs::read(&path).unwrap();
            fs::write(&path, b"?").unwrap();
            assert!(
                matches!(open(dir.path()), Err(PlatformFault::Damaged { .. })),
                "{name}"
            );
            fs::remove_file(&path).unwrap();
            assert!(
                matches!(open(dir.path()), Err(PlatformFault::File { path: p, .. }) if p == path)
            );
            assert!(!path.exists());
            files::create(&path, &content).unwrap();
        }
        open(dir.path()).unwrap();
    }

    #[test]
    fn a_first_start_that_was_interrupted_is_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("platform.new");
        fs::create_dir(&new).unwrap();
        fs::write(new.join("root.key"), b"half").unwrap();
        open(dir.path()).unwrap();
        assert!(!new.exists());
    }

    #[test]
    fn a_folder_of_another_platform_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap();
        let name = dir.path().join("platform/name");
        assert_eq!(fs::read(&name).unwrap(), b"software\n");
        files::replace(&name, b"tpm\n").unwrap();
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("made on the platform tpm, not software"),
            "{error}"
        );
        // As it was before there were others.
        fs::remove_file(&name).unwrap();
        open(dir.path()).unwrap();
    }
}
