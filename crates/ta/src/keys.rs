//! Signing keys that are made inside the TEE and never leave it.
//!
//! Not even the TA sees the private key: it holds a name, the TEE holds the key.
//!
//! ```
//! use tamarack_ta::keys::SigningKey;
//!
//! let key = SigningKey::open_or_generate("device")?;
//! let signature = key.sign(b"a message")?;
//! assert_eq!(signature.len(), 64);
//! # Ok::<(), tamarack_ta::ResultCode>(())
//! ```

use alloc::{string::String, vec::Vec};

use crate::{ResultCode, interface::ALGORITHM_ESP256, tee};

/// A handle to an ECDSA P-256 key (COSE algorithm ESP256) in the TEE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    name: String,
}

impl SigningKey {
    /// Makes a new key under `name`.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ACCESS_CONFLICT`] if there is one, [`ResultCode::BAD_PARAMETERS`] for a bad name,
    /// [`ResultCode::STORAGE_NO_SPACE`].
    pub fn generate(name: &str) -> Result<Self, ResultCode> {
        tee::key_generate(name, ALGORITHM_ESP256)?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::BAD_PARAMETERS`] for a bad name.
    pub fn open(name: &str) -> Result<Self, ResultCode> {
        tee::key_public(name)?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name, making it if there is none.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`generate`](Self::generate).
    pub fn open_or_generate(name: &str) -> Result<Self, ResultCode> {
        match Self::open(name) {
            Err(ResultCode::ITEM_NOT_FOUND) => Self::generate(name),
            other => other,
        }
    }

    /// The public key as an encoded `COSE_Key` (RFC 9052): key type EC2, curve P-256, both coordinates.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn public_key(&self) -> Result<Vec<u8>, ResultCode> {
        tee::key_public(&self.name)
    }

    /// Signs `message`, which the TEE hashes with SHA-256. 64 bytes: r and s.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ResultCode> {
        tee::key_sign(&self.name, message)
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
