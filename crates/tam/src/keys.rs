//! The TAM's own keys, and the files in which they live.

use std::{
    fmt, fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use base16ct::{lower::encode_string, mixed};
use tamarack_cose::{
    CryptoProvider, PublicKey, SecretKey, SignatureAlgorithm, Signer,
    encrypt::{Curve, DecryptionKey, EncryptionKey, RecipientKey},
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

/// The keys of a TAM: one for each signature algorithm, one for each curve on which agents agree on keys to
/// encrypt Evidence and reports with, and one that seals challenges and tokens.
///
/// TAMs behind one address share them.
pub struct TamKeys {
    esp256: Box<dyn Signer>,
    ed25519: Box<dyn Signer>,
    /// P-256 and X25519, each under its thumbprint.
    recipient: [RecipientKey; 2],
    encryption: [EncryptionKey; 2],
    ticket: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for TamKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TamKeys").field(&self.public_keys()).finish()
    }
}

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
            esp256: signer(SignatureAlgorithm::Esp256)?,
            ed25519: signer(SignatureAlgorithm::Ed25519)?,
            encryption: [*p256.public_key(), *x25519.public_key()],
            recipient: [p256, x25519].map(|key| recipient(crypto, key)),
            ticket: Zeroizing::new(crypto.random_array()?),
        })
    }

    /// The keys under `directory`: `esp256.pem` and `ed25519.pem` sign, `p256.pem` and `x25519.pem` decrypt (all
    /// PKCS #8), `ticket.key` (hexadecimal) seals.
    ///
    /// What is missing is made, readable by its owner only. A file is never overwritten.
    ///
    /// # Errors
    ///
    /// If a file can't be read or made, holds something else, or can be read by others.
    pub fn open_or_create(
        crypto: &CryptoProvider,
        directory: impl AsRef<Path>,
    ) -> Result<Self, KeysError> {
        let directory = directory.as_ref();
        create_private_dir(directory)?;
        let decryption = |curve, name| decryption(crypto, curve, &directory.join(name));
        let p256 = decryption(Curve::P256, "p256.pem")?;
        let x25519 = decryption(Curve::X25519, "x25519.pem")?;
        Ok(Self {
            encryption: [*p256.public_key(), *x25519.public_key()],
            recipient: [p256, x25519].map(|key| recipient(crypto, key)),
            esp256: signer(
                crypto,
                SignatureAlgorithm::Esp256,
                &directory.join("esp256.pem"),
            )?,
            ed25519: signer(
                crypto,
                SignatureAlgorithm::Ed25519,
                &directory.join("ed25519.pem"),
            )?,
            ticket: ticket(crypto, &directory.join("ticket.key"))?,
        })
    }

    /// The key that signs with `algorithm`.
    #[must_use]
    pub fn signer(&self, algorithm: SignatureAlgorithm) -> Option<&dyn Signer> {
        let found = self.signers().into_iter();
        found
            .into_iter()
            .find(|signer| signer.public_key().algorithm() == algorithm)
    }

    /// The keys that sign messages, in the order of preference.
    #[must_use]
    pub fn signers(&self) -> [&dyn Signer; 2] {
        [&*self.esp256, &*self.ed25519]
    }

    /// The public keys that devices are to trust.
    #[must_use]
    pub fn public_keys(&self) -> [PublicKey; 2] {
        self.signers().map(|signer| *signer.public_key())
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

    pub(crate) fn ticket_key(&self) -> &[u8; 32] {
        &self.ticket
    }
}

fn signer(
    crypto: &CryptoProvider,
    algorithm: SignatureAlgorithm,
    path: &Path,
) -> Result<Box<dyn Signer>, KeysError> {
    let problem = |problem: String| KeysError::Content {
        path: path.to_owned(),
        problem,
    };
    let pem = read_or_create_private(path, || {
        SecretKey::generate(crypto, algorithm)?
            .to_pem()
            .map_err(Into::into)
    })?;
    let key = SecretKey::from_pem(crypto, &pem).map_err(|error| problem(error.to_string()))?;
    let found = key.public_key().algorithm();
    if found != algorithm {
        return Err(problem(format!(
            "a key for {}, not {}",
            found.name(),
            algorithm.name()
        )));
    }
    Ok(crypto.signatures.signer(&key)?)
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
        assert_eq!(first.ticket_key(), second.ticket_key());
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

    #[test]
    fn debug_shows_no_secret() {
        let keys = TamKeys::generate(&aws_lc::provider()).unwrap();
        let text = format!("{keys:?}");
        assert!(!text.contains(&encode_string(keys.ticket_key())), "{text}");
    }
}
