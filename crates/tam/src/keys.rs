//! The TAM's own keys, and the files in which they live.

use std::{
    fmt, fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use base16ct::{lower::encode_string, mixed};
use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey, SecretKey, SignatureAlgorithm, Signer,
    encrypt::{Curve, DecryptionKey, EncryptionKey, RecipientKey},
    x509::{Certificate, CertifiedSigner},
};
use zeroize::Zeroizing;

/// Why the keys could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// A file or folder could not be read or made.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others may read a private key.
    #[error("{}: others can read this private key (mode {mode:03o}); run: chmod 600 {0}", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is there and holds something else.
    #[error("{}: {problem}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No key could be made.
    #[error("no key could be made: {0}")]
    Crypto(#[from] tamarack_cose::Error),
}

/// The keys of a TAM: for each signature algorithm one or more that sign, one for each curve on which agents agree
/// on keys to encrypt Evidence and reports with, and one or more that seal challenges and tokens.
///
/// While a key is replaced by another there are two: messages carry the signature of each, and challenges are
/// sealed with the newest and opened with any. TAMs behind one address share them.
///
/// The files are `esp256.pem` and `ed25519.pem`, which sign, `p256.pem` and `x25519.pem`, which decrypt (all PKCS
/// #8), and `ticket.key` (hexadecimal), which seals; keys that came later
/// have a number: `esp256.2.pem`. Beside a key may be the certificates that vouch for it, the key's own first:
/// `esp256.certificates.pem`, which go into the messages that it signs.
pub struct TamKeys {
    /// In the order of preference of the algorithms, and the oldest of each first.
    signers: Vec<Box<dyn Signer>>,
    /// P-256 and X25519, each under its thumbprint.
    recipient: [RecipientKey; 2],
    encryption: [EncryptionKey; 2],
    /// The newest first.
    tickets: Vec<Zeroizing<[u8; 32]>>,
}

impl fmt::Debug for TamKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TamKeys").field(&self.public_keys()).finish()
    }
}

/// The kinds of key files.
const TICKET: Kind = Kind {
    name: "ticket",
    extension: "key",
};

fn kind_of(algorithm: SignatureAlgorithm) -> Kind {
    Kind {
        name: match algorithm {
            SignatureAlgorithm::Ed25519 => "ed25519",
            _ => "esp256",
        },
        extension: "pem",
    }
}

/// The algorithms for which a TAM has keys.
const ALGORITHMS: [SignatureAlgorithm; 2] = SignatureAlgorithm::STATELESS;

impl TamKeys {
    /// Fresh keys that live in memory only.
    ///
    /// # Errors
    ///
    /// If the source of randomness fails.
    pub fn generate(crypto: &CryptoProvider) -> Result<Self, tamarack_cose::Error> {
        let signer = |algorithm| {
            let key = SecretKey::generate(crypto, algorithm)?;
            crypto.signatures.signer(&key)
        };
        let p256 = DecryptionKey::generate(crypto, Curve::P256)?;
        let x25519 = DecryptionKey::generate(crypto, Curve::X25519)?;
        Ok(Self {
            signers: ALGORITHMS
                .into_iter()
                .map(signer)
                .collect::<Result<_, _>>()?,
            encryption: [*p256.public_key(), *x25519.public_key()],
            recipient: [p256, x25519].map(|key| recipient(crypto, key)),
            tickets: vec![Zeroizing::new(crypto.random_array()?)],
        })
    }

    /// The keys under `directory`.
    ///
    /// Of each kind one is made if there is none, readable by its owner only. A file is never overwritten.
    ///
    /// # Errors
    ///
    /// If a file can't be read or made, holds something else, or can be read by others; or certificates do not
    /// belong to the key beside them.
    pub fn open_or_create(
        crypto: &CryptoProvider,
        directory: impl AsRef<Path>,
    ) -> Result<Self, KeysError> {
        let directory = directory.as_ref();
        create_private_dir(directory)?;
        let mut signers = Vec::new();
        for algorithm in ALGORITHMS {
            for path in kind_of(algorithm).files_or_first(directory)? {
                signers.push(signer(crypto, algorithm, &path)?);
            }
        }
        let mut tickets = Vec::new();
        for path in TICKET.files_or_first(directory)? {
            tickets.insert(0, ticket(crypto, &path)?);
        }
        let decryption = |curve, name| decryption(crypto, curve, &directory.join(name));
        let p256 = decryption(Curve::P256, "p256.pem")?;
        let x25519 = decryption(Curve::X25519, "x25519.pem")?;
        Ok(Self {
            signers,
            encryption: [*p256.public_key(), *x25519.public_key()],
            recipient: [p256, x25519].map(|key| recipient(crypto, key)),
            tickets,
        })
    }

    /// Adds a key of each kind to those under `directory`; the names of the new files.
    ///
    /// # Errors
    ///
    /// As [`open_or_create`](Self::open_or_create).
    // req: TEEP-OPS-001
    pub fn rotate(crypto: &CryptoProvider, directory: &Path) -> Result<Vec<PathBuf>, KeysError> {
        Self::open_or_create(crypto, directory)?;
        let mut made = Vec::new();
        for algorithm in ALGORITHMS {
            let path = kind_of(algorithm).next(directory)?;
            signer(crypto, algorithm, &path)?;
            made.push(path);
        }
        let path = TICKET.next(directory)?;
        ticket(crypto, &path)?;
        made.push(path);
        Ok(made)
    }

    /// Moves all keys under `directory` but the newest of each kind to the folder `retired` there, with their
    /// certificates; the names of the files that were moved.
    ///
    /// # Errors
    ///
    /// If a file can't be moved.
    // req: TEEP-OPS-001
    pub fn retire(directory: &Path) -> Result<Vec<PathBuf>, KeysError> {
        let retired = directory.join("retired");
        let mut moved = Vec::new();
        for kind in ALGORITHMS.map(kind_of).into_iter().chain([TICKET]) {
            let mut files = kind.files(directory)?;
            files.pop();
            for path in files {
                create_private_dir(&retired)?;
                let certificates = certificates_of(&path);
                for path in [path, certificates] {
                    let Some(name) = path.file_name().filter(|_| path.exists()) else {
                        continue;
                    };
                    fs::rename(&path, retired.join(unique(name, &retired)))
                        .map_err(|error| io_error(&path, error))?;
                    moved.push(path);
                }
            }
        }
        Ok(moved)
    }

    /// Puts a chain of certificates beside the key under `directory` that the first of them is for, in the place of
    /// the one that is there; the name of the file.
    ///
    /// # Errors
    ///
    /// If there is no such key, or the file can't be written.
    // req: TEEP-OPS-001
    pub fn certify(
        crypto: &CryptoProvider,
        directory: &Path,
        chain: &[Certificate],
    ) -> Result<PathBuf, KeysError> {
        let own = chain.first().map(Certificate::key);
        for algorithm in ALGORITHMS {
            for path in kind_of(algorithm).files(directory)? {
                let pem = read_private(&path)?;
                let key = SecretKey::from_pem(crypto, &pem);
                if key.ok().as_ref().map(SecretKey::public_key) != own {
                    continue;
                }
                let blocks = chain.iter().map(Certificate::to_pem);
                let text: String =
                    blocks
                        .collect::<Result<_, _>>()
                        .map_err(|error| KeysError::Content {
                            path: path.clone(),
                            problem: error.to_string(),
                        })?;
                let certificates = certificates_of(&path);
                let new = certificates.with_extension("new");
                write_private(&new, text.as_bytes()).map_err(|error| io_error(&new, error))?;
                fs::rename(&new, &certificates).map_err(|error| io_error(&certificates, error))?;
                return Ok(certificates);
            }
        }
        Err(KeysError::Content {
            path: directory.to_owned(),
            problem: "the first certificate is for none of the keys here".into(),
        })
    }

    /// The key that signs with `algorithm`; if there are several, the oldest, which devices know best.
    #[must_use]
    pub fn signer(&self, algorithm: SignatureAlgorithm) -> Option<&dyn Signer> {
        self.signers_with(algorithm).into_iter().next()
    }

    /// The keys that sign with `algorithm`, the oldest first.
    #[must_use]
    pub fn signers_with(&self, algorithm: SignatureAlgorithm) -> Vec<&dyn Signer> {
        let signers = self.signers().into_iter();
        signers
            .filter(|signer| signer.public_key().algorithm() == algorithm)
            .collect()
    }

    /// The keys that sign with `algorithm` but for those with the ids in `refused`: what is left to try after an
    /// agent has answered ERR_BAD_CERTIFICATE or ERR_CERTIFICATE_EXPIRED.
    // req: TEEP-ERR-008
    #[must_use]
    pub fn signers_besides(
        &self,
        algorithm: SignatureAlgorithm,
        refused: &[KeyId],
        crypto: &CryptoProvider,
    ) -> Vec<&dyn Signer> {
        let signers = self.signers_with(algorithm).into_iter();
        signers
            .filter(|signer| !refused.contains(&signer.public_key().key_id(crypto)))
            .collect()
    }

    /// The keys that sign messages, in the order of preference of their algorithms, the oldest of each first.
    #[must_use]
    pub fn signers(&self) -> Vec<&dyn Signer> {
        self.signers.iter().map(|signer| &**signer).collect()
    }

    /// The public keys that devices are to trust.
    #[must_use]
    pub fn public_keys(&self) -> Vec<PublicKey> {
        let signers = self.signers.iter();
        signers.map(|signer| *signer.public_key()).collect()
    }

    /// The public keys that agents encrypt to, one for each curve, in the order of preference.
    // req: TEEP-ENC-009
    #[must_use]
    pub fn encryption_keys(&self) -> &[EncryptionKey] {
        &self.encryption
    }

    /// The keys that open what agents have encrypted.
    #[must_use]
    pub fn recipient_keys(&self) -> &[RecipientKey] {
        &self.recipient
    }

    /// The keys that seal challenges and tokens, the newest first.
    pub(crate) fn ticket_keys(&self) -> &[Zeroizing<[u8; 32]>] {
        &self.tickets
    }
}

/// A kind of key file: `NAME.EXTENSION`, `NAME.2.EXTENSION`, and so on.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    extension: &'static str,
}

impl Kind {
    fn path(self, directory: &Path, number: u32) -> PathBuf {
        let Self { name, extension } = self;
        directory.join(match number {
            1 => format!("{name}.{extension}"),
            number => format!("{name}.{number}.{extension}"),
        })
    }

    /// The number in a file's name, if it is of this kind.
    fn number(self, file: &str) -> Option<u32> {
        let rest = file.strip_prefix(self.name)?;
        let middle = rest.strip_suffix(self.extension)?.strip_suffix('.')?;
        match middle.strip_prefix('.') {
            None => middle.is_empty().then_some(1),
            // 1 has no number, and no number begins with a zero: one file, one name.
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|number: &u32| *number > 1 && number.to_string() == digits),
        }
    }

    fn numbers(self, directory: &Path) -> Result<Vec<u32>, KeysError> {
        let fault = |error| io_error(directory, error);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(directory).map_err(fault)? {
            let name = entry.map_err(fault)?.file_name();
            numbers.extend(name.to_str().and_then(|name| self.number(name)));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The files, the oldest first.
    fn files(self, directory: &Path) -> Result<Vec<PathBuf>, KeysError> {
        let numbers = self.numbers(directory)?.into_iter();
        Ok(numbers.map(|number| self.path(directory, number)).collect())
    }

    /// The files, or the name of the first if there is none.
    fn files_or_first(self, directory: &Path) -> Result<Vec<PathBuf>, KeysError> {
        let files = self.files(directory)?;
        Ok(match files.is_empty() {
            true => vec![self.path(directory, 1)],
            false => files,
        })
    }

    /// The name of the next file.
    fn next(self, directory: &Path) -> Result<PathBuf, KeysError> {
        let last = self.numbers(directory)?.pop().unwrap_or(0);
        Ok(self.path(directory, last.saturating_add(1)))
    }
}

/// Where the certificates of the key in a file are.
fn certificates_of(key: &Path) -> PathBuf {
    key.with_extension("certificates.pem")
}

/// A name that nothing in the folder has.
fn unique(name: &std::ffi::OsStr, folder: &Path) -> std::ffi::OsString {
    let mut unique = name.to_owned();
    while folder.join(&unique).exists() {
        unique.push("~");
    }
    unique
}

fn signer(
    crypto: &CryptoProvider,
    algorithm: SignatureAlgorithm,
    path: &Path,
) -> Result<Box<dyn Signer>, KeysError> {
    let problem = |path: &Path, problem: String| KeysError::Content {
        path: path.to_owned(),
        problem,
    };
    let pem = read_or_create_private(path, || {
        SecretKey::generate(crypto, algorithm)?
            .to_pem()
            .map_err(Into::into)
    })?;
    let key = SecretKey::from_pem(crypto, &pem).map_err(|e| problem(path, e.to_string()))?;
    let found = key.public_key().algorithm();
    if found != algorithm {
        let text = format!("a key for {}, not {}", found.name(), algorithm.name());
        return Err(problem(path, text));
    }
    let signer = crypto.signatures.signer(&key)?;
    let path = certificates_of(path);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(signer),
        Err(error) => return Err(io_error(&path, error)),
    };
    let list = Certificate::list_from_pem(&text).map_err(|e| problem(&path, e.to_string()))?;
    let chain = list.iter().map(|certificate| certificate.to_der().to_vec());
    match CertifiedSigner::new(signer, chain.collect()) {
        Ok(certified) => Ok(Box::new(certified)),
        Err(_) => Err(problem(
            &path,
            "the first certificate is not for the key beside it".into(),
        )),
    }
}

fn decryption(
    crypto: &CryptoProvider,
    curve: Curve,
    path: &Path,
) -> Result<DecryptionKey, KeysError> {
    let problem = |problem: String| KeysError::Content {
        path: path.to_owned(),
        problem,
    };
    let pem = read_or_create_private(path, || {
        DecryptionKey::generate(crypto, curve)?.to_pem(crypto)
    })?;
    let key = DecryptionKey::from_pem(crypto, &pem).map_err(|error| problem(error.to_string()))?;
    match key.public_key().curve() == curve {
        true => Ok(key),
        false => Err(problem(format!("a key on another curve than {curve:?}"))),
    }
}

fn recipient(crypto: &CryptoProvider, key: DecryptionKey) -> RecipientKey {
    let key_id = key.public_key().key_id(crypto);
    RecipientKey::agreement(crypto, key).with_key_id(key_id.as_bytes())
}

fn ticket(crypto: &CryptoProvider, path: &Path) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let text = read_or_create_private(path, || {
        let key = Zeroizing::new(crypto.random_array::<32>()?);
        Ok(Zeroizing::new(format!("{}\n", encode_string(&*key))))
    })?;
    let bytes = mixed::decode_vec(text.trim()).map(Zeroizing::new);
    bytes
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
        .map(Zeroizing::new)
        .ok_or_else(|| KeysError::Content {
            path: path.to_owned(),
            problem: "not a key of 64 hexadecimal digits".into(),
        })
}

/// The key with which the TAM attests itself, `attester.pem` under `directory`, made if it is missing. It signs
/// nothing else.
///
/// # Errors
///
/// As [`TamKeys::open_or_create`].
pub(crate) fn attester_key(
    crypto: &CryptoProvider,
    directory: impl AsRef<Path>,
) -> Result<Box<dyn Signer>, KeysError> {
    let path = directory.as_ref().join("attester.pem");
    signer(crypto, SignatureAlgorithm::Esp256, &path)
}

/// Makes a folder that its owner alone may enter, with those above it, unless it is there.
pub(crate) fn create_private_dir(path: &Path) -> Result<(), KeysError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| io_error(path, error))
}

/// Reads a private text file, made with `content` if it is missing.
pub(crate) fn read_or_create_private(
    path: &Path,
    content: impl FnOnce() -> Result<Zeroizing<String>, tamarack_cose::Error>,
) -> Result<Zeroizing<String>, KeysError> {
    match read_private(path) {
        Err(KeysError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
        done => return done,
    }
    let content = content()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Written beside its place and then linked there: whole or not at all, and of two processes that
    // start together one wins.
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written =
        write_private(&temporary, content.as_bytes()).and_then(|()| {
            match fs::hard_link(&temporary, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            }
        });
    let removed = fs::remove_file(&temporary);
    written
        .and(removed)
        .map_err(|error| io_error(path, error))?;
    read_private(path)
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, KeysError> {
    let text = fs::read_to_string(path).map_err(|error| io_error(path, error))?;
    let text = Zeroizing::new(text);
    #[cfg(unix)]
    {
        let metadata = fs::metadata(path).map_err(|error| io_error(path, error))?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeysError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
    }
    Ok(text)
}

fn io_error(path: &Path, error: io::Error) -> KeysError {
    KeysError::Io {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tamarack_cose::aws_lc;

    #[test]
    fn keys_are_made_once_and_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        let crypto = aws_lc::provider();
        let first = TamKeys::open_or_create(&crypto, &keys).unwrap();
        let second = TamKeys::open_or_create(&crypto, &keys).unwrap();
        assert_eq!(first.public_keys(), second.public_keys());
        assert_eq!(first.ticket_keys(), second.ticket_keys());
        assert_eq!(first.encryption_keys(), second.encryption_keys());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&keys), 0o700);
        let mut names: Vec<_> = fs::read_dir(&keys)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        names.sort();
        assert_eq!(names.len(), 5, "no temporary file is left: {names:?}");
        assert!(names.iter().all(|path| mode(path) == 0o600));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let crypto = aws_lc::provider();
        TamKeys::open_or_create(&crypto, dir.path()).unwrap();
        let path = dir.path().join("ed25519.pem");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = TamKeys::open_or_create(&crypto, dir.path())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("chmod 600") && error.contains("ed25519.pem"),
            "{error}"
        );
    }

    // req: TEEP-OPS-001
    #[test]
    fn keys_are_rotated_and_the_old_ones_retired() {
        let dir = tempfile::tempdir().unwrap();
        let crypto = aws_lc::provider();
        let open = || TamKeys::open_or_create(&crypto, dir.path()).unwrap();
        let first = open();
        let made = TamKeys::rotate(&crypto, dir.path()).unwrap();
        assert_eq!(made.len(), 3);
        let both = open();
        assert_eq!(both.public_keys().len(), 4);
        assert_eq!(both.ticket_keys().len(), 2);
        assert_eq!(both.ticket_keys()[1], first.ticket_keys()[0]);
        for algorithm in ALGORITHMS {
            let keys = both.signers_with(algorithm);
            let old = first.signer(algorithm).unwrap().public_key();
            assert_eq!(keys[0].public_key(), old, "the oldest first");
            let left = both.signers_besides(algorithm, &[old.key_id(&crypto)], &crypto);
            assert_eq!(left.len(), 1);
            assert_ne!(left[0].public_key(), old);
        }
        TamKeys::rotate(&crypto, dir.path()).unwrap();
        let moved = TamKeys::retire(dir.path()).unwrap();
        assert_eq!(moved.len(), 6);
        let last = open();
        assert_eq!(last.public_keys().len(), 2);
        assert!(
            last.public_keys()
                .iter()
                .all(|key| !both.public_keys().contains(key))
        );
        assert!(
            TamKeys::retire(dir.path()).unwrap().is_empty(),
            "the newest stay"
        );
        // A number is not used again, so that a retired key is not taken for a new one.
        assert!(dir.path().join("esp256.3.pem").exists());
        assert!(!dir.path().join("esp256.pem").exists());
    }

    #[test]
    fn a_chain_belongs_to_the_key_beside_it() {
        use tamarack_cose::x509::{Issue, Usage};
        let dir = tempfile::tempdir().unwrap();
        let crypto = aws_lc::provider();
        let keys = TamKeys::open_or_create(&crypto, dir.path()).unwrap();
        let [esp256, ed25519] = keys.signers()[..] else {
            panic!("two keys")
        };
        let issue = |key: &PublicKey| Issue::new(*key, "CN=TAM", Usage::Leaf(None));
        let certificate = issue(esp256.public_key())
            .self_signed(&crypto, esp256)
            .unwrap();
        let path = dir.path().join("esp256.certificates.pem");
        fs::write(&path, certificate.to_pem().unwrap()).unwrap();
        let keys = TamKeys::open_or_create(&crypto, dir.path()).unwrap();
        let signer = keys.signer(SignatureAlgorithm::Esp256).unwrap();
        assert_eq!(signer.certificates(), [certificate.to_der()]);
        assert!(
            keys.signer(SignatureAlgorithm::Ed25519)
                .unwrap()
                .certificates()
                .is_empty()
        );
        let other = issue(ed25519.public_key())
            .self_signed(&crypto, ed25519)
            .unwrap();
        for wrong in [other.to_pem().unwrap(), "no certificate".into()] {
            fs::write(&path, wrong).unwrap();
            let error = TamKeys::open_or_create(&crypto, dir.path()).unwrap_err();
            assert!(
                error.to_string().contains("esp256.certificates.pem"),
                "{error}"
            );
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = TamKeys::generate(&aws_lc::provider()).unwrap();
        let text = format!("{keys:?}");
        assert!(
            !text.contains(&encode_string(&keys.ticket_keys()[0][..])),
            "{text}"
        );
    }
}
