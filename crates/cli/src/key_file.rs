//! Key files in any format: PEM, JWK or COSE_Key, told apart by their content.

use std::path::Path;

use clap::ValueEnum;
use tamarack_cose::{CryptoProvider, Error, KeyError, PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::{failure::Failure, files};

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
    fn of(bytes: &[u8]) -> Self {
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
}

fn text(path: &Path, bytes: &[u8]) -> Result<Zeroizing<String>, Failure> {
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

/// Reads a public key, or the public part of a private one.
pub(crate) fn read_public(path: &Path, crypto: &CryptoProvider) -> Result<PublicKey, Failure> {
    let bytes = Zeroizing::new(files::read(path)?);
    let public = match KeyFormat::of(&bytes) {
        KeyFormat::Pem => {
            let pem = text(path, &bytes)?;
            PublicKey::from_pem(&pem).or_else(|error| {
                let secret = SecretKey::from_pem(crypto, &pem);
                secret.map(|key| *key.public_key()).map_err(|_| error)
            })
        }
        KeyFormat::Jwk => PublicKey::from_jwk(&text(path, &bytes)?),
        KeyFormat::Cose => PublicKey::from_cose_key(&bytes),
    };
    public.map_err(|error: KeyError| {
        Failure::file(path, error).hint("a public key in PEM, JWK or COSE_Key is expected")
    })
}
