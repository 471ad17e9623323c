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
        str::from_utf8(&self.bytes).map_err(|_| self.failure("not a text file"))
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
            self.failure(error)
                .hint("a private key in PEM (PKCS #8), JWK or COSE_Key is expected; `tamarack key generate` makes one")
        })
    }

    /// The public key that content is encrypted to, or the public part of a private one.
    pub(crate) fn encryption(&self, crypto: &CryptoProvider) -> Result<EncryptionKey, Failure> {
        let key = match KeyFormat::of(&self.bytes) {
            KeyFormat::Pem => {
                let pem = self.text()?;
                EncryptionKey::from_pem(pem).or_else(|error| {
                    let secret = DecryptionKey::from_pem(crypto, pem);
                    secret.map(|key| *key.public_key()).map_err(|_| error)
                })
            }
            KeyFormat::Jwk => EncryptionKey::from_jwk(self.text()?),
            KeyFormat::Cose => EncryptionKey::from_cose_key(&self.bytes),
        };
        key.map_err(|error| {
            self.failure(error).hint(
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
            self.failure(error).hint(
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

    /// What the symmetric key is for, and the key for that.
    pub(crate) fn shared(&self) -> Result<(Use, Shared), Failure> {
        let key = self.symmetric()?;
        let used_for = self.about().used_for(&key);
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
        let keys = match KeyFormat::of(&self.bytes) {
            KeyFormat::Pem => pem_blocks(self.text()?)
                .map(|block| {
                    PublicKey::from_pem(block).or_else(|error| {
                        let secret = SecretKey::from_pem(crypto, block);
                        secret.map(|key| *key.public_key()).map_err(|_| error)
                    })
                })
                .collect(),
            KeyFormat::Jwk => {
                let json = self.text()?;
                match serde_json::from_str::<JwkSet>(json) {
                    Ok(set) => set
                        .keys
                        .iter()
                        .map(|jwk| PublicKey::from_jwk(&jwk.to_string()))
                        .collect(),
                    Err(_) => PublicKey::from_jwk(json).map(|key| vec![key]),
                }
            }
            KeyFormat::Cose => PublicKey::from_cose_key(&self.bytes).map(|key| vec![key]),
        };
        keys.map_err(|error: KeyError| {
            self.failure(error)
                .hint("a public key in PEM, JWK or COSE_Key is expected")
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
    std::iter::from_fn(move || {
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
    })
}
