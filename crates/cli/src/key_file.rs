//! Key files in any format: PEM, JWK or COSE_Key, told apart by their content.

use std::path::Path;

use clap::ValueEnum;
use tamarack_cose::{
    CryptoProvider, Error, KeyError, PublicKey, SecretKey, SymmetricKey,
    encrypt::{DecryptionKey, EncryptionKey},
};
use zeroize::Zeroizing;

use crate::{failure::Failure, files, hss_file, symmetric_file};

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

pub(crate) fn text(path: &Path, bytes: &[u8]) -> Result<Zeroizing<String>, Failure> {
    let text = String::from_utf8(bytes.to_vec());
    text.map(Zeroizing::new)
        .map_err(|_| Failure::file(path, "not a text file"))
}

/// Reads a private key.
pub(crate) fn read_secret(path: &Path, crypto: &CryptoProvider) -> Result<SecretKey, Failure> {
    let bytes = Zeroizing::new(files::read(path)?);
    let key = match KeyFormat::of(&bytes) {
        KeyFormat::Pem => SecretKey::from_pem(crypto, &text(path, &bytes)?),
        KeyFormat::Jwk => SecretKey::from_jwk(crypto, &text(path, &bytes)?),
        KeyFormat::Cose => SecretKey::from_cose_key(crypto, &bytes),
    };
    key.map_err(|error| {
        Failure::file(path, error)
            .hint("a private key in PEM (PKCS #8), JWK or COSE_Key is expected; `tamarack key generate` makes one")
    })
}

/// Reads a public key that content is encrypted to, or the public part of a private one.
pub(crate) fn read_encryption(
    path: &Path,
    crypto: &CryptoProvider,
) -> Result<EncryptionKey, Failure> {
    let bytes = Zeroizing::new(files::read(path)?);
    let key = match KeyFormat::of(&bytes) {
        KeyFormat::Pem => {
            let pem = text(path, &bytes)?;
            EncryptionKey::from_pem(&pem).or_else(|error| {
                let secret = DecryptionKey::from_pem(crypto, &pem);
                secret.map(|key| *key.public_key()).map_err(|_| error)
            })
        }
        KeyFormat::Jwk => EncryptionKey::from_jwk(&text(path, &bytes)?),
        KeyFormat::Cose => EncryptionKey::from_cose_key(&bytes),
    };
    key.map_err(|error| {
        Failure::file(path, error).hint(
            "a P-256 or X25519 key is expected; `tamarack key generate --algorithm x25519` makes one",
        )
    })
}

/// Reads a private key for decryption.
pub(crate) fn read_decryption(
    path: &Path,
    crypto: &CryptoProvider,
) -> Result<DecryptionKey, Failure> {
    let bytes = Zeroizing::new(files::read(path)?);
    let key = match KeyFormat::of(&bytes) {
        KeyFormat::Pem => DecryptionKey::from_pem(crypto, &text(path, &bytes)?),
        KeyFormat::Jwk => DecryptionKey::from_jwk(crypto, &text(path, &bytes)?),
        KeyFormat::Cose => DecryptionKey::from_cose_key(crypto, &bytes),
    };
    key.map_err(|error| {
        Failure::file(path, error).hint(
            "a private P-256 or X25519 key, or a symmetric key, is expected; `tamarack key generate --algorithm x25519` makes one",
        )
    })
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

/// Looks at what a file holds.
pub(crate) fn kind(path: &Path) -> Result<Kind, Failure> {
    let bytes = Zeroizing::new(files::read(path)?);
    Ok(if hss_file::is_secret(&bytes) {
        Kind::Hss
    } else if symmetric_file::About::of(&bytes).is_symmetric {
        Kind::Symmetric
    } else {
        Kind::Asymmetric
    })
}

/// Reads a symmetric key, whatever it is for.
pub(crate) fn read_symmetric(path: &Path) -> Result<SymmetricKey, Failure> {
    let bytes = Zeroizing::new(files::read(path)?);
    let key = match KeyFormat::of(&bytes) {
        KeyFormat::Jwk => SymmetricKey::from_jwk(&text(path, &bytes)?),
        _ => SymmetricKey::from_cose_key(&bytes),
    };
    key.map_err(|error| Failure::file(path, error))
}

/// Reads a public key, or the public part of a private one.
pub(crate) fn read_public(path: &Path, crypto: &CryptoProvider) -> Result<PublicKey, Failure> {
    match read_publics(path, crypto)?.as_slice() {
        [key] => Ok(*key),
        keys => Err(Failure::file(
            path,
            format!("holds {} keys; one is expected", keys.len()),
        )),
    }
}

/// Reads the public keys in a file: one in any format, several PEM blocks, or a JWK set.
pub(crate) fn read_publics(
    path: &Path,
    crypto: &CryptoProvider,
) -> Result<Vec<PublicKey>, Failure> {
    let bytes = Zeroizing::new(files::read(path)?);
    if hss_file::is_secret(&bytes) {
        return Ok(vec![hss_file::HssFile::read(path)?.public_key(crypto)?]);
    }
    let keys = match KeyFormat::of(&bytes) {
        KeyFormat::Pem => pem_blocks(&text(path, &bytes)?)
            .map(|block| {
                PublicKey::from_pem(block).or_else(|error| {
                    let secret = SecretKey::from_pem(crypto, block);
                    secret.map(|key| *key.public_key()).map_err(|_| error)
                })
            })
            .collect(),
        KeyFormat::Jwk => {
            let json = text(path, &bytes)?;
            match serde_json::from_str::<JwkSet>(&json) {
                Ok(set) => set
                    .keys
                    .iter()
                    .map(|jwk| PublicKey::from_jwk(&jwk.to_string()))
                    .collect(),
                Err(_) => PublicKey::from_jwk(&json).map(|key| vec![key]),
            }
        }
        KeyFormat::Cose => PublicKey::from_cose_key(&bytes).map(|key| vec![key]),
    };
    keys.map_err(|error: KeyError| {
        Failure::file(path, error).hint("a public key in PEM, JWK or COSE_Key is expected")
    })
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
