//! Files with several public keys for encryption: those of a TAM, or of a TEE.

use std::path::Path;

use clap::ValueEnum;
use tamarack_cose::{
    CryptoProvider,
    encrypt::{Curve, EncryptionKey},
};

use crate::{
    failure::Failure,
    key_file::{KeyFile, KeyFormat},
};

/// A curve on which keys for content are agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EncryptionCurve {
    P256,
    X25519,
}

impl From<EncryptionCurve> for Curve {
    fn from(curve: EncryptionCurve) -> Self {
        match curve {
            EncryptionCurve::P256 => Self::P256,
            EncryptionCurve::X25519 => Self::X25519,
        }
    }
}

/// One key as it is; several as a sequence of PEM blocks, or as a JWK set.
pub(crate) fn encode_encryption_keys(
    keys: &[EncryptionKey],
    curve: Option<EncryptionCurve>,
    format: KeyFormat,
) -> Result<Vec<u8>, Failure> {
    let curve = curve.map(Curve::from);
    let selected = keys.iter();
    let selected: Vec<_> = selected
        .filter(|key| curve.is_none_or(|curve| key.curve() == curve))
        .collect();
    format.encode_several(&selected, "--curve", |key| format.encode_encryption(key))
}

/// The keys in a file: one, or as many as there are PEM blocks, or members of a JWK set.
pub(crate) fn read_encryption_keys(
    path: &Path,
    crypto: &CryptoProvider,
) -> Result<Vec<EncryptionKey>, Failure> {
    let file = KeyFile::read(path)?;
    file.parts()?
        .iter()
        .map(|part| part.encryption(crypto))
        .collect()
}
