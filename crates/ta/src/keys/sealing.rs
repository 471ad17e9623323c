use alloc::{string::String, vec::Vec};

use super::{AgreementKey, imported, opened, probe};
use crate::{
    ResultCode,
    interface::{ALGORITHM_A128GCM, ALGORITHM_A256GCM, ALGORITHM_CHACHA20_POLY1305},
    tee,
};

/// A handle to a secret key that seals data: nobody without the key reads or changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey {
    name: String,
}

/// What a [`SealingKey`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SealingAlgorithm {
    /// AES-GCM with a key of 128 bits.
    Aes128Gcm,
    /// AES-GCM with a key of 256 bits.
    Aes256Gcm,
    /// `ChaCha20` and Poly1305.
    ChaCha20Poly1305,
}

impl SealingAlgorithm {
    fn number(self) -> i32 {
        match self {
            Self::Aes128Gcm => ALGORITHM_A128GCM,
            Self::Aes256Gcm => ALGORITHM_A256GCM,
            Self::ChaCha20Poly1305 => ALGORITHM_CHACHA20_POLY1305,
        }
    }
}

impl SealingKey {
    /// Makes a new key under `name`.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ACCESS_CONFLICT`] if there is one of that name, [`ResultCode::BAD_PARAMETERS`] for a bad name,
    /// [`ResultCode::STORAGE_NO_SPACE`].
    pub fn generate(name: &str, algorithm: SealingAlgorithm) -> Result<Self, ResultCode> {
        tee::key_generate(name, algorithm.number())?;
        Ok(Self { name: name.into() })
    }

    /// Derives a key from a secret of this TA on this device: the same again for the same `info` and algorithm.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate).
    pub fn derive(
        name: &str,
        algorithm: SealingAlgorithm,
        info: &[u8],
    ) -> Result<Self, ResultCode> {
        tee::key_derive(name, algorithm.number(), info)?;
        Ok(Self { name: name.into() })
    }

    /// Makes the key that `own` has in common with who holds the private half of `peer`, a public `COSE_Key`.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate); [`ResultCode::BAD_FORMAT`] if `peer` is no key, [`ResultCode::BAD_PARAMETERS`] if it
    /// is none on the curve of `own`.
    pub fn agree(
        name: &str,
        algorithm: SealingAlgorithm,
        own: &AgreementKey,
        peer: &[u8],
        info: &[u8],
    ) -> Result<Self, ResultCode> {
        tee::key_agree(name, algorithm.number(), own.name(), peer, info)?;
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
            tee::key_open(name, &[], &[]).map(drop),
            ResultCode::CIPHERTEXT_INVALID,
        )?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name, whatever its algorithm, or makes one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`generate`](Self::generate).
    pub fn open_or_generate(name: &str, algorithm: SealingAlgorithm) -> Result<Self, ResultCode> {
        opened(Self::open(name), || Self::generate(name, algorithm))
    }

    /// Takes over a symmetric `COSE_Key` that came as Personalization Data, under a name of its own.
    ///
    /// # Errors
    ///
    /// As [`SigningKey::import`](super::SigningKey::import).
    pub fn import(name: &str, personalization: &str) -> Result<Self, ResultCode> {
        imported(name, personalization, Self::open)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seals `data` and binds it to `associated`, which stays readable and is not in the result: a nonce of 12 bytes, the
    /// ciphertext, and a tag of 16 bytes.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn seal(&self, associated: &[u8], data: &[u8]) -> Result<Vec<u8>, ResultCode> {
        tee::key_seal(&self.name, associated, data)
    }

    /// Opens what was [sealed](Self::seal) with the same `associated`.
    ///
    /// # Errors
    ///
    /// [`ResultCode::CIPHERTEXT_INVALID`] if anything of it is not what it was; [`ResultCode::ITEM_NOT_FOUND`] if the key
    /// was deleted.
    pub fn unseal(&self, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, ResultCode> {
        tee::key_open(&self.name, associated, sealed)
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
