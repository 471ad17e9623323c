use alloc::{string::String, vec::Vec};

use super::{imported, opened, probe};
use crate::{
    ResultCode,
    interface::{ALGORITHM_ED25519, ALGORITHM_ESP256},
    tee,
};

/// A handle to a private key that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    name: String,
}

/// What a [`SigningKey`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA with SHA-256 on P-256.
    Esp256,
    /// Ed25519.
    Ed25519,
}

impl SignatureAlgorithm {
    fn number(self) -> i32 {
        match self {
            Self::Esp256 => ALGORITHM_ESP256,
            Self::Ed25519 => ALGORITHM_ED25519,
        }
    }
}

impl SigningKey {
    /// Makes a new key under `name`.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ACCESS_CONFLICT`] if there is one of that name, [`ResultCode::BAD_PARAMETERS`] for a bad name,
    /// [`ResultCode::STORAGE_NO_SPACE`].
    pub fn generate(name: &str, algorithm: SignatureAlgorithm) -> Result<Self, ResultCode> {
        tee::key_generate(name, algorithm.number())?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::BAD_PARAMETERS`] for a bad name, [`ResultCode::BAD_STATE`] if it is
    /// a key of another kind.
    pub fn open(name: &str) -> Result<Self, ResultCode> {
        probe(
            tee::key_verify(name, &[], &[]),
            ResultCode::SIGNATURE_INVALID,
        )?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name, whatever its algorithm, or makes one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`generate`](Self::generate).
    pub fn open_or_generate(name: &str, algorithm: SignatureAlgorithm) -> Result<Self, ResultCode> {
        opened(Self::open(name), || Self::generate(name, algorithm))
    }

    /// Takes over a private `COSE_Key` that came as Personalization Data, under a name of its own.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if there is no such data; [`ResultCode::BAD_FORMAT`] if it is no key;
    /// [`ResultCode::BAD_STATE`] if it is one of another kind; [`ResultCode::ACCESS_CONFLICT`] if a key `name` exists.
    pub fn import(name: &str, personalization: &str) -> Result<Self, ResultCode> {
        imported(name, personalization, Self::open)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key as an encoded `COSE_Key` (RFC 9052).
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn public_key(&self) -> Result<Vec<u8>, ResultCode> {
        tee::key_public(&self.name)
    }

    /// Signs `message`, which the TEE hashes as the algorithm says. 64 bytes: r and s for ESP256.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ResultCode> {
        tee::key_sign(&self.name, message)
    }

    /// Verifies a signature of this key.
    ///
    /// # Errors
    ///
    /// [`ResultCode::SIGNATURE_INVALID`]; [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ResultCode> {
        tee::key_verify(&self.name, message, signature)
    }

    /// Destroys the key.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if it was deleted before.
    pub fn delete(self) -> Result<(), ResultCode> {
        tee::key_delete(&self.name)
    }
}
