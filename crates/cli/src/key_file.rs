//! Key files in any format: PEM, JWK or COSE_Key, told apart by their content.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use tamarack_cose::{
    CryptoProvider, Error, KeyError, PublicKey, SecretKey, Signer, SymmetricKey,
    encrypt::{DecryptionKey, EncryptionKey},
    x509::{Certificate, CertifiedSigner},
};
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    files,
    hss_file::{self, HssFile},
    symmetric_file::{About, Shared, Use},
};

/// How the PEM block of a certificate begins.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
/// What the PEM blocks of private keys are called, in any format.
const PRIVATE: &str = "PRIVATE KEY-----";
/// How the block ends that OpenSSL puts before a key on a curve: it says which, as the key does.
const PARAMETERS: &str = "-----END EC PARAMETERS-----";
/// How the block begins that it ends.
const BEFORE_KEY: &str = "-----BEGIN EC PARAMETERS-----";
/// Object identifiers of keys that are something else than what is needed.
const RSA: &str = "1.2.840.113549.1.1.1";
const NO_RSA: &str = "an RSA key, which is not supported";
const ELLIPTIC_CURVE: &str = "1.2.840.10045.2.1";
const X25519: &str = "1.3.101.110";

/// A format of key files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyFormat {
    /// PEM: PKCS #8 for private keys, SPKI for public ones.
    Pem,
    /// JSON Web Key.
    Jwk,
    /// COSE_Key, in CBOR.
    Cose,
}

impl KeyFormat {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        match start {
            Some(b'{') => Self::Jwk,
            Some(b'-') => Self::Pem,
            _ => Self::Cose,
        }
    }

    /// Encodes a public key.
    pub(crate) fn encode_public(self, key: &PublicKey) -> Result<Vec<u8>, Failure> {
        Ok(match self {
            Self::Pem => key.to_pem().map_err(Error::from)?.into_bytes(),
            Self::Jwk => (key.to_jwk() + "\n").into_bytes(),
            Self::Cose => key.to_cose_key(),
        })
    }

    /// Encodes a private key.
    pub(crate) fn encode_secret(self, key: &SecretKey) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let text = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        Ok(match self {
            Self::Pem => text(&key.to_pem().map_err(Error::from)?),
            Self::Jwk => text(&key.to_jwk()),
            Self::Cose => key.to_cose_key(),
        })
    }

    /// Encodes a public key for encryption.
    pub(crate) fn encode_encryption(self, key: &EncryptionKey) -> Result<Vec<u8>, Failure> {
        Ok(match self {
            Self::Pem => key.to_pem().map_err(Error::from)?.into_bytes(),
            Self::Jwk => (key.to_jwk() + "\n").into_bytes(),
            Self::Cose => key.to_cose_key(),
        })
    }

    /// Encodes keys with `one`: one as it is; several as a sequence of PEM blocks, or as a JWK set. In COSE_Key,
    /// which is not delimited, it has to be one; `option` is what chooses it.
    pub(crate) fn encode_several<K>(
        self,
        keys: &[K],
        option: &str,
        one: impl Fn(&K) -> Result<Vec<u8>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        if let [key] = keys {
            return one(key);
        }
        let encoded = || keys.iter().map(one).collect::<Result<Vec<_>, _>>();
        match self {
            Self::Pem => Ok(encoded()?.concat()),
            Self::Jwk => {
                let jwk = |key: &Vec<u8>| {
                    serde_json::from_slice::<serde_json::Value>(key).unwrap_or_default()
                };
                let set =
                    serde_json::json!({ "keys": encoded()?.iter().map(jwk).collect::<Vec<_>>() });
                Ok(format!("{set:#}\n").into_bytes())
            }
            Self::Cose => {
                let hint = format!("add {option}");
                Err(Failure::new("--format cose prints one key; which?").hint(hint))
            }
        }
    }

    /// Encodes a private key for decryption.
    pub(crate) fn encode_decryption(
        self,
        key: &DecryptionKey,
        crypto: &CryptoProvider,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let text = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        Ok(match self {
            Self::Pem => text(&key.to_pem(crypto)?),
            Self::Jwk => text(&key.to_jwk()),
            Self::Cose => key.to_cose_key(),
        })
    }
}

/// What a key file holds, as far as that shows without using the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key pair or half of one.
    Asymmetric,
    /// A secret that both sides hold.
    Symmetric,
    /// A private HSS/LMS key.
    Hss,
}

/// Whether bytes are those of a key file: what is in one is nothing to print.
pub(crate) fn is_key(bytes: &[u8]) -> bool {
    match KeyFormat::of(bytes) {
        KeyFormat::Pem => true,
        KeyFormat::Jwk => str::from_utf8(bytes).is_ok_and(|text| {
            let value = serde_json::from_str::<serde_json::Value>(text);
            value.is_ok_and(|value| value.get("kty").is_some() || value.get("keys").is_some())
        }),
        KeyFormat::Cose => {
            hss_file::is_secret(bytes)
                || PublicKey::from_cose_key(bytes).is_ok()
                || EncryptionKey::from_cose_key(bytes).is_ok()
                || SymmetricKey::from_cose_key(bytes).is_ok()
        }
    }
}

/// A key file. It is read once: what comes from a pipe is there only once.
pub(crate) struct KeyFile {
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
}

impl KeyFile {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            path: path.to_owned(),
            bytes: Zeroizing::new(files::read(path)?),
        })
    }

    /// What the file holds.
    pub(crate) fn kind(&self) -> Kind {
        if hss_file::is_secret(&self.bytes) {
            Kind::Hss
        } else if self.about().is_symmetric {
            Kind::Symmetric
        } else {
            Kind::Asymmetric
        }
    }

    /// What the file says besides the key.
    pub(crate) fn about(&self) -> About {
        About::of(&self.bytes)
    }

    /// The file's keys, each as a file of its own: the blocks of a PEM file, the members of a JWK set.
    pub(crate) fn parts(&self) -> Result<Vec<Self>, Failure> {
        let part = |bytes: &[u8]| Self {
            path: self.path.clone(),
            bytes: Zeroizing::new(bytes.to_vec()),
        };
        Ok(match KeyFormat::of(&self.bytes) {
            KeyFormat::Pem => pem_blocks(self.text()?)
                .map(|block| part(block.as_bytes()))
                .collect(),
            KeyFormat::Jwk => match serde_json::from_str::<JwkSet>(self.text()?) {
                Ok(set) => set
                    .keys
                    .iter()
                    .map(|jwk| part(jwk.to_string().as_bytes()))
                    .collect(),
                Err(_) => vec![part(&self.bytes)],
            },
            KeyFormat::Cose => vec![part(&self.bytes)],
        })
    }

    /// A failure about this file.
    pub(crate) fn failure(&self, cause: impl fmt::Display) -> Failure {
        Failure::file(&self.path, cause)
    }

    fn text(&self) -> Result<&str, Failure> {
        let text = str::from_utf8(&self.bytes).map_err(|_| self.failure("not a text file"))?;
        // OpenSSL puts a block with the curve before the key. No other block is passed over.
        Ok(match text.trim_start().strip_prefix(BEFORE_KEY) {
            Some(parameters) => parameters
                .split_once(PARAMETERS)
                .map_or(text, |(_, key)| key.trim_start()),
            None => text,
        })
    }

    /// A failure to read a key: what the file is instead, where that can be told, and what is expected.
    fn unfit(&self, error: impl Into<Error>, expected: &str) -> Failure {
        let error = error.into();
        let failure = match self.instead(&error) {
            Some(what) => self.failure(format!("this is {what}")),
            None => self.failure(error),
        };
        failure.hint(expected)
    }

    fn instead(&self, error: &Error) -> Option<String> {
        if self.bytes.trim_ascii().is_empty() {
            return Some("an empty file".into());
        }
        if let Error::Key(error) = error
            && let KeyError::Unsupported(what) = &**error
        {
            match what.as_str() {
                RSA => return Some(NO_RSA.into()),
                ELLIPTIC_CURVE => {
                    return Some(
                        "a key on another curve than P-256, which is not supported".into(),
                    );
                }
                X25519 => return Some("an X25519 key, which is for encryption only".into()),
                _ => {}
            }
        }
        let text = self.text().ok()?;
        let label = text.split_once("-----BEGIN ")?.1.split_once("-----")?.0;
        if label.contains("ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Some(
                "a private key under a passphrase; `openssl pkey -in FILE` takes it off".into(),
            );
        }
        match label {
            "PRIVATE KEY" | "PUBLIC KEY" | "EC PRIVATE KEY" => None,
            "CERTIFICATE" => Some("a certificate, and not a key".into()),
            rsa if rsa.starts_with("RSA ") => Some(NO_RSA.into()),
            other => Some(format!("a PEM block {other}, which is not supported")),
        }
    }

    /// What signs with the private key, and sends the certificates that follow it in the file.
    pub(crate) fn signer(&self, crypto: &CryptoProvider) -> Result<Box<dyn Signer>, Failure> {
        let signer = crypto.signatures.signer(&self.secret(crypto)?)?;
        let Some(chain) = self.certificates()? else {
            return Ok(signer);
        };
        let chain = chain
            .iter()
            .map(|certificate| certificate.to_der().to_vec());
        match CertifiedSigner::new(signer, chain.collect()) {
            Ok(certified) => Ok(Box::new(certified)),
            Err(_) => Err(self.failure("the first certificate is not for the private key")),
        }
    }

    /// The private key.
    pub(crate) fn secret(&self, crypto: &CryptoProvider) -> Result<SecretKey, Failure> {
        if self.about().is_for_agreement {
            return Err(self
                .failure("the file says that the key is for encryption, not for signatures")
                .hint("one key for both weakens both; `tamarack key generate` makes one for signatures"));
        }
        let key = match KeyFormat::of(&self.bytes) {
            KeyFormat::Pem => {
                // Certificates may follow.
                let text = self.text()?;
                let end = text.find(CERTIFICATE).unwrap_or(text.len());
                SecretKey::from_pem(crypto, text.get(..end).unwrap_or_default())
            }
            KeyFormat::Jwk => SecretKey::from_jwk(crypto, self.text()?),
            KeyFormat::Cose => SecretKey::from_cose_key(crypto, &self.bytes),
        };
        key.map_err(|error| {
            self.unfit(error, "a private P-256 or Ed25519 key in PEM, JWK or COSE_Key is expected; `tamarack key generate` makes one")
        })
    }

    /// The public key that content is encrypted to, or the public part of a private one.
    pub(crate) fn encryption(&self, crypto: &CryptoProvider) -> Result<EncryptionKey, Failure> {
        let key = match KeyFormat::of(&self.bytes) {
            KeyFormat::Pem => {
                let pem = self.text()?;
                match pem.contains(PRIVATE) {
                    true => DecryptionKey::from_pem(crypto, pem).map(|key| *key.public_key()),
                    false => EncryptionKey::from_pem(pem).map_err(Error::from),
                }
            }
            KeyFormat::Jwk => EncryptionKey::from_jwk(self.text()?).map_err(Error::from),
            KeyFormat::Cose => EncryptionKey::from_cose_key(&self.bytes).map_err(Error::from),
        };
        key.map_err(|error| {
            self.unfit(
                error,
                "a P-256 or X25519 key is expected; `tamarack key generate --algorithm x25519` makes one",
            )
        })
    }

    /// The private key for decryption.
    pub(crate) fn decryption(&self, crypto: &CryptoProvider) -> Result<DecryptionKey, Failure> {
        let key = match KeyFormat::of(&self.bytes) {
            KeyFormat::Pem => DecryptionKey::from_pem(crypto, self.text()?),
            KeyFormat::Jwk => DecryptionKey::from_jwk(crypto, self.text()?),
            KeyFormat::Cose => DecryptionKey::from_cose_key(crypto, &self.bytes),
        };
        key.map_err(|error| {
            self.unfit(
                error,
                "a private P-256 or X25519 key, or a symmetric key, is expected; `tamarack key generate --algorithm x25519` makes one",
            )
        })
    }

    /// The symmetric key, whatever it is for.
    pub(crate) fn symmetric(&self) -> Result<SymmetricKey, Failure> {
        let key = match KeyFormat::of(&self.bytes) {
            KeyFormat::Jwk => SymmetricKey::from_jwk(self.text()?),
            _ => SymmetricKey::from_cose_key(&self.bytes),
        };
        key.map_err(|error| self.failure(error))
    }

    /// The symmetric key, for AES key wrap.
    pub(crate) fn wrapping(&self) -> Result<SymmetricKey, Failure> {
        match self.about().other_than_wrap() {
            Some(other) => Err(self.for_another_purpose(other)),
            None => self.symmetric(),
        }
    }

    fn for_another_purpose(&self, purpose: &str) -> Failure {
        self.failure(format!("the file says that the key is for {purpose}"))
            .hint("one key for two purposes weakens both; `tamarack key generate` makes keys of AES key wrap (a128kw) and of HMAC (hmac256)")
    }

    /// What the symmetric key is for, and the key for that.
    pub(crate) fn shared(&self) -> Result<(Use, Shared), Failure> {
        let key = self.symmetric()?;
        let about = self.about();
        let used_for = about.used_for(&key);
        let used_for = used_for.map_err(|other| self.for_another_purpose(other))?;
        let shared = used_for.key(key).map_err(|error| self.failure(error))?;
        Ok((used_for, shared))
    }

    /// The private HSS/LMS key.
    pub(crate) fn hss(&self) -> Result<HssFile, Failure> {
        HssFile::of(&self.path, &self.bytes)
    }

    /// The certificates in the file; `None` if it holds something else.
    pub(crate) fn certificates(&self) -> Result<Option<Vec<Certificate>>, Failure> {
        let Ok(text) = self.text() else {
            return Ok(None);
        };
        if !text.contains(CERTIFICATE) {
            return Ok(None);
        }
        let list = Certificate::list_from_pem(text).map_err(|error| self.failure(error))?;
        Ok(Some(list))
    }

    /// The public key, or the public part of a private one.
    pub(crate) fn public(&self, crypto: &CryptoProvider) -> Result<PublicKey, Failure> {
        match self.publics(crypto)?.as_slice() {
            [key] => Ok(*key),
            keys => Err(self.failure(format!("holds {} keys; one is expected", keys.len()))),
        }
    }

    /// The public keys: one in any format, several PEM blocks, or a JWK set.
    pub(crate) fn publics(&self, crypto: &CryptoProvider) -> Result<Vec<PublicKey>, Failure> {
        if self.kind() == Kind::Hss {
            return Ok(vec![self.hss()?.public_key(crypto)?]);
        }
        // Of a chain, the key of its first certificate.
        if let Some(own) = self
            .certificates()?
            .and_then(|list| list.into_iter().next())
        {
            return Ok(vec![*own.key()]);
        }
        let one = |key: Result<PublicKey, KeyError>| Ok(vec![key?]);
        let keys: Result<Vec<_>, Error> = match KeyFormat::of(&self.bytes) {
            KeyFormat::Pem => pem_blocks(self.text()?)
                .map(|block| match block.contains(PRIVATE) {
                    true => SecretKey::from_pem(crypto, block).map(|key| *key.public_key()),
                    false => PublicKey::from_pem(block).map_err(Error::from),
                })
                .collect(),
            KeyFormat::Jwk => {
                let json = self.text()?;
                match serde_json::from_str::<JwkSet>(json) {
                    Ok(set) => set
                        .keys
                        .iter()
                        .map(|jwk| PublicKey::from_jwk(&jwk.to_string()).map_err(Error::from))
                        .collect(),
                    Err(_) => one(PublicKey::from_jwk(json)),
                }
            }
            KeyFormat::Cose => one(PublicKey::from_cose_key(&self.bytes)),
        };
        keys.map_err(|error| {
            self.unfit(
                error,
                "a public P-256, Ed25519 or HSS/LMS key in PEM, JWK or COSE_Key is expected",
            )
        })
    }
}

/// Reads a private key.
pub(crate) fn read_secret(path: &Path, crypto: &CryptoProvider) -> Result<SecretKey, Failure> {
    KeyFile::read(path)?.secret(crypto)
}

/// Reads a public key, or the public part of a private one.
pub(crate) fn read_public(path: &Path, crypto: &CryptoProvider) -> Result<PublicKey, Failure> {
    KeyFile::read(path)?.public(crypto)
}

/// Reads the public keys in a file: one in any format, several PEM blocks, or a JWK set.
pub(crate) fn read_publics(
    path: &Path,
    crypto: &CryptoProvider,
) -> Result<Vec<PublicKey>, Failure> {
    KeyFile::read(path)?.publics(crypto)
}

/// A JWK set (RFC 7517 section 5).
#[derive(serde::Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

/// The blocks of a PEM file, each with its end line; what does not end is a block too, and wrong.
fn pem_blocks(pem: &str) -> impl Iterator<Item = &str> {
    const END: &str = "-----END";
    let mut rest = pem.trim();
    let blocks = std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(END).and_then(|end| {
            let line = rest.get(end..)?.find('\n')?;
            Some(end + line)
        });
        let (block, left) = rest.split_at(end.unwrap_or(rest.len()));
        rest = left.trim_start();
        Some(block)
    });
    blocks.filter(|block| !block.starts_with(BEFORE_KEY))
}
