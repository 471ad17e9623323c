mod counter;
mod files;

use core::fmt;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use tamarack_agent::platform::Identity;
use tamarack_cose::{
    CryptoProvider, DigestAlgorithm, SecretKey, SignatureAlgorithm, Signer,
    encrypt::{Curve, DecryptionKey, EncryptionKey, RecipientKey},
    x509::{Certificate, CertifiedSigner},
};
use tamarack_suit::{Uuid, VendorId};
use zeroize::Zeroizing;

use super::{Attester, MonotonicCounter, PlatformFault, RootKey, TeePlatform};
use counter::FileCounter;

const WARNING: &str = "the software platform keeps its keys in files: it protects against nothing that can \
    read or replace the files of this user, and its Evidence proves nothing about hardware. For \
    development and tests only";

/// A platform made of files, for development and tests.
///
/// **It protects against nothing physical, nor against the user it runs as, nor against root.** Root key, attester
/// key, TEEP keys and recipient keys lie in a folder of mode 0700, in files of mode 0600. Whoever reads them can open the storage and
/// forge Evidence; whoever restores old copies of the folder and of the store together has rolled
/// the TEE back unseen, since the counter is a file too. What it does give: the same interfaces, formats and failures as
/// a real platform, and isolation between Trusted Applications.
///
/// | File in `DIR/platform` | Holds |
/// |---|---|
/// | `root.key` | 32 random bytes |
/// | `attester.key` | the private key that signs Evidence, as `COSE_Key` |
/// | `teep-esp256.key`, `teep-ed25519.key` | private keys that sign TEEP messages, one at least |
/// | `attester.certificates.pem`, `teep-esp256.certificates.pem`, … | certificates that vouch for these keys, if any |
/// | `recipient-p256.key`, `recipient-x25519.key` | private keys that decrypt |
/// | `algorithms` | names of the algorithms of TEEP messages, in order of preference, one a line |
/// | `ueid` | 17 bytes: 0x01 (random) and 16 random bytes |
/// | `counter` | the monotonic counter, in decimal |
pub struct Software {
    root: RootKey,
    attester: Box<dyn Signer>,
    teep: Vec<Box<dyn Signer>>,
    recipient: Vec<RecipientKey>,
    encryption: Vec<EncryptionKey>,
    identity: Identity,
    measurement: [u8; 32],
    counter: FileCounter,
}

/// What an operator may choose about a [`Software`] platform.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SoftwareOptions {
    /// Algorithms of the TEEP keys, in order of preference. Counts at the first start only. Default: ESP256.
    pub teep_algorithms: Vec<SignatureAlgorithm>,
    /// Domain name of the device's vendor, from which its vendor identifier is derived (UUIDv5).
    /// Default: `tamarack.example`.
    pub vendor: String,
    /// Class of the device, from which its class identifier is derived (UUIDv5). Default: `software-tee`.
    pub class: String,
}

impl Default for SoftwareOptions {
    fn default() -> Self {
        Self {
            teep_algorithms: vec![SignatureAlgorithm::Esp256],
            vendor: "tamarack.example".into(),
            class: "software-tee".into(),
        }
    }
}

impl Software {
    /// Opens the platform in `dir`, making its keys if there is none yet.
    ///
    /// Logs a warning that says what this platform does not protect.
    ///
    /// # Errors
    ///
    /// If a file is missing, damaged, or open to other users; nothing is ever replaced.
    pub fn open(
        dir: &Path,
        crypto: &CryptoProvider,
        options: &SoftwareOptions,
    ) -> Result<Self, PlatformFault> {
        tracing::warn!("{WARNING}");
        let folder = dir.join("platform");
        if !folder.exists() {
            create(dir, &folder, crypto, options)?;
        }
        files::check_private(&folder)?;

        let root = folder.join("root.key");
        let root = files::read_array::<32>(&root)?;
        let attester = read_key(&folder.join("attester.key"), crypto)?;
        let recipients = RECIPIENTS
            .iter()
            .map(|(_, file)| read_decryption_key(&folder.join(file), crypto))
            .collect::<Result<Vec<_>, _>>()?;
        let ueid = files::read_array::<17>(&folder.join("ueid"))?;
        let vendor = Uuid::vendor(&options.vendor);
        Ok(Self {
            root: RootKey::new(*root),
            attester: certified(
                crypto.signatures.signer(&attester)?,
                &folder.join("attester.key"),
            )?,
            teep: teep_keys(&folder, crypto)?,
            encryption: recipients.iter().map(|key| *key.public_key()).collect(),
            recipient: recipients
                .into_iter()
                .map(|key| {
                    let key_id = key.public_key().key_id(crypto);
                    RecipientKey::agreement(crypto, key).with_key_id(key_id.as_bytes())
                })
                .collect(),
            identity: Identity {
                ueid: ueid.to_vec(),
                suit: tamarack_suit::Identity {
                    vendors: vec![VendorId::Uuid(vendor)],
                    classes: vec![vendor.class(&options.class)],
                    devices: Vec::new(),
                },
            },
            measurement: measure_this_program(crypto)?,
            counter: FileCounter::open(folder.join("counter"))?,
        })
    }
}

impl Software {
    /// Gives the key of the platform in `dir` that the first certificate is for, the attester's or one that signs
    /// TEEP messages, this chain in the place of the one that it has. It counts from the next start on.
    ///
    /// # Errors
    ///
    /// If the first certificate is for none of the keys, or the file can't be written.
    pub fn certify(&self, dir: &Path, chain: &[Certificate]) -> Result<(), PlatformFault> {
        let folder = dir.join("platform");
        let teep = self.teep.iter().map(|signer| {
            let key = signer.public_key();
            (key, teep_file(key.algorithm().name()))
        });
        let mut keys = teep.chain([(self.attester.public_key(), "attester.key".into())]);
        let damaged = |problem: String| PlatformFault::Damaged {
            path: folder.clone(),
            problem,
        };
        let own = chain.first().map(Certificate::key);
        let Some((_, file)) = keys.find(|(key, _)| Some(*key) == own) else {
            return Err(damaged(
                "the first certificate is for none of the keys of this device".into(),
            ));
        };
        let blocks = chain.iter().map(Certificate::to_pem);
        let text: String = blocks
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(error.to_string()))?;
        files::replace(&certificates_of(&folder.join(file)), text.as_bytes())
    }
}

impl TeePlatform for Software {
    fn name(&self) -> &'static str {
        "software"
    }

    fn warning(&self) -> Option<&'static str> {
        Some(WARNING)
    }

    fn root_key(&self) -> &RootKey {
        &self.root
    }

    fn counter(&self) -> &dyn MonotonicCounter {
        &self.counter
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn teep_keys(&self) -> &[Box<dyn Signer>] {
        &self.teep
    }

    fn recipient_keys(&self) -> &[RecipientKey] {
        &self.recipient
    }

    fn encryption_keys(&self) -> &[EncryptionKey] {
        &self.encryption
    }

    fn measurement(&self) -> [u8; 32] {
        self.measurement
    }

    fn attester(&self) -> Attester<'_> {
        Attester::Key(&*self.attester)
    }
}

impl fmt::Debug for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Software")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Makes all files in a folder beside, then renames it: the platform exists whole or not at all.
fn create(
    dir: &Path,
    folder: &Path,
    crypto: &CryptoProvider,
    options: &SoftwareOptions,
) -> Result<(), PlatformFault> {
    let new = dir.join("platform.new");
    files::create_empty_folder(dir, &new)?;
    let root = Zeroizing::new(crypto.random_array::<32>()?);
    files::create(&new.join("root.key"), &*root)?;
    let attester = SecretKey::generate(crypto, SignatureAlgorithm::Esp256)?;
    files::create(&new.join("attester.key"), &attester.to_cose_key())?;
    let mut algorithms = String::new();
    for algorithm in &options.teep_algorithms {
        let key = SecretKey::generate(crypto, *algorithm)?;
        files::create(&new.join(teep_file(algorithm.name())), &key.to_cose_key())?;
        algorithms = format!("{algorithms}{}\n", algorithm.name());
    }
    files::create(&new.join(ALGORITHMS), algorithms.as_bytes())?;
    for (curve, file) in RECIPIENTS {
        let key = DecryptionKey::generate(crypto, curve)?;
        files::create(&new.join(file), &key.to_cose_key())?;
    }
    // RFC 9711 section 4.2.1.1: type 0x01 (RAND) and 128 random bits.
    let ueid = [&[0x01][..], &crypto.random_array::<16>()?].concat();
    files::create(&new.join("ueid"), &ueid)?;
    files::create(&new.join("counter"), b"0\n")?;
    files::rename(&new, folder)?;
    tracing::info!(folder = %folder.display(), "made the keys of a new device");
    Ok(())
}

/// The file with the names of the algorithms.
const ALGORITHMS: &str = "algorithms";

/// The curves and files of the recipient keys: what each SUIT COSE profile asks for.
const RECIPIENTS: [(Curve, &str); 2] = [
    (Curve::P256, "recipient-p256.key"),
    (Curve::X25519, "recipient-x25519.key"),
];

fn teep_file(algorithm: &str) -> String {
    format!("teep-{}.key", algorithm.to_ascii_lowercase())
}

/// The keys that sign TEEP messages, as the file with the algorithms lists them.
fn teep_keys(
    folder: &Path,
    crypto: &CryptoProvider,
) -> Result<Vec<Box<dyn Signer>>, PlatformFault> {
    let path = folder.join(ALGORITHMS);
    let damaged = |problem: &str| PlatformFault::Damaged {
        path: path.clone(),
        problem: problem.into(),
    };
    let text = files::read(&path)?;
    let names = core::str::from_utf8(&text).map_err(|_| damaged("it is no text"))?;
    let mut keys = Vec::new();
    for name in names.lines() {
        let known = [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519];
        if !known.iter().any(|algorithm| algorithm.name() == name) {
            return Err(damaged(
                "it names an algorithm that TEEP does not sign with",
            ));
        }
        let path = folder.join(teep_file(name));
        let key = read_key(&path, crypto)?;
        if key.public_key().algorithm().name() != name {
            return Err(damaged("a key is of another algorithm than it says"));
        }
        keys.push(certified(crypto.signatures.signer(&key)?, &path)?);
    }
    match keys.is_empty() {
        true => Err(damaged("it names no algorithm")),
        false => Ok(keys),
    }
}

fn read_decryption_key(
    path: &Path,
    crypto: &CryptoProvider,
) -> Result<DecryptionKey, PlatformFault> {
    let bytes = files::read(path)?;
    DecryptionKey::from_cose_key(crypto, &bytes).map_err(|error| PlatformFault::Damaged {
        path: path.into(),
        problem: error.to_string(),
    })
}

fn read_key(path: &Path, crypto: &CryptoProvider) -> Result<SecretKey, PlatformFault> {
    SecretKey::from_cose_key(crypto, &files::read(path)?).map_err(|error| PlatformFault::Damaged {
        path: path.into(),
        problem: error.to_string(),
    })
}

/// Where the certificates of the key in a file are.
fn certificates_of(key: &Path) -> PathBuf {
    key.with_extension("certificates.pem")
}

/// The signer with the certificates in the file beside that of its key, if it is there.
fn certified(signer: Box<dyn Signer>, key: &Path) -> Result<Box<dyn Signer>, PlatformFault> {
    let path = &certificates_of(key);
    let damaged = |problem: String| PlatformFault::Damaged {
        path: path.into(),
        problem,
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(signer),
        Err(source) => {
            return Err(PlatformFault::File {
                action: "read",
                path: path.into(),
                source,
            });
        }
    };
    let list = Certificate::list_from_pem(&text).map_err(|error| damaged(error.to_string()))?;
    let chain = list.iter().map(|certificate| certificate.to_der().to_vec());
    match CertifiedSigner::new(signer, chain.collect()) {
        Ok(certified) => Ok(Box::new(certified)),
        Err(_) => Err(damaged("the first certificate is not for the key".into())),
    }
}

fn measure_this_program(crypto: &CryptoProvider) -> Result<[u8; 32], PlatformFault> {
    let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("the running program"));
    let fault = |source| PlatformFault::File {
        action: "measure",
        path: path.clone(),
        source,
    };
    let mut file = File::open(&path).map_err(fault)?;
    let mut hash = crypto.digests.start(DigestAlgorithm::Sha256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut buffer).map_err(fault)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    let mut measurement = [0; 32];
    measurement.copy_from_slice(hash.finish().as_ref());
    Ok(measurement)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use tamarack_cose::rustcrypto;

    use super::*;

    fn open(dir: &Path) -> Result<Software, PlatformFault> {
        Software::open(dir, &rustcrypto::provider(), &SoftwareOptions::default())
    }

    #[test]
    fn the_device_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        assert_eq!(first.counter().increment().unwrap(), 1);
        let again = open(dir.path()).unwrap();
        assert_eq!(first.root.bytes(), again.root.bytes());
        let public = |platform: &Software| *platform.teep_keys()[0].public_key();
        assert_eq!(public(&first), public(&again));
        assert_eq!(first.encryption_keys(), again.encryption_keys());
        assert_eq!(first.encryption_keys().len(), first.recipient_keys().len());
        assert_eq!(first.attester.public_key(), again.attester.public_key());
        assert_eq!(first.identity(), again.identity());
        assert_eq!(first.measurement(), again.measurement());
        assert_eq!(again.counter().value().unwrap(), 1);
        assert_ne!(public(&first), *first.attester.public_key());
        assert_eq!(first.identity().ueid.len(), 17);
        assert_eq!(first.identity().ueid[0], 1);
    }

    #[test]
    fn devices_differ() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (open(one.path()).unwrap(), open(other.path()).unwrap());
        assert_ne!(one.root.bytes(), other.root.bytes());
        assert_ne!(one.identity().ueid, other.identity().ueid);
        assert_eq!(one.identity().suit, other.identity().suit);
    }

    #[test]
    fn the_teep_keys_have_the_algorithms_that_were_chosen() {
        let (esp256, ed25519) = (SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519);
        for chosen in [vec![ed25519], vec![ed25519, esp256], vec![esp256, ed25519]] {
            let dir = tempfile::tempdir().unwrap();
            let options = SoftwareOptions {
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
        let identity = open(dir.path()).unwrap().identity.suit;
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
}
