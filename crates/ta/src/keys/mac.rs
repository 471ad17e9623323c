use alloc::{string::String, vec::Vec};

use super::{AgreementKey, imported, opened, probe};
use crate::{ResultCode, interface::ALGORITHM_HMAC_256, tee};

/// A handle to a secret key that makes and verifies message authentication codes: HMAC with SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacKey {
    name: String,
}

impl MacKey {
    /// Makes a new key under `name`.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ACCESS_CONFLICT`] if there is one of that name, [`ResultCode::BAD_PARAMETERS`] for a bad name,
    /// [`ResultCode::STORAGE_NO_SPACE`].
    pub fn generate(name: &str) -> Result<Self, ResultCode> {
        tee::key_generate(name, ALGORITHM_HMAC_256)?;
        Ok(Self { name: name.into() })
    }

    /// Derives a key from a secret of this TA on this device: the same again for the same `info`.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate).
    pub fn derive(name: &str, info: &[u8]) -> Result<Self, ResultCode> {
        tee::key_derive(name, ALGORITHM_HMAC_256, info)?;
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
        own: &AgreementKey,
        peer: &[u8],
        info: &[u8],
    ) -> Result<Self, ResultCode> {
        tee::key_agree(name, ALGORITHM_HMAC_256, own.name(), peer, info)?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::BAD_PARAMETERS`] for a bad name, [`ResultCode::BAD_STATE`] if it is
    /// a key of another kind.
    pub fn open(name: &str) -> Result<Self, ResultCode> {
        probe(tee::key_mac_verify(name, &[], &[]), ResultCode::MAC_INVALID)?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name, or makes one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`generate`](Self::generate).
    pub fn open_or_generate(name: &str) -> Result<Self, ResultCode> {
        opened(Self::open(name), || Self::generate(name))
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

    /// The code of `message`, 32 bytes.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn mac(&self, message: &[u8]) -> Result<Vec<u8>, ResultCode> {
        tee::key_mac(&self.name, message)
    }

    /// Verifies a code, in constant time.
    ///
    /// # Errors
    ///
    /// [`ResultCode::MAC_INVALID`]; [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> Result<(), ResultCode> {
        tee::key_mac_verify(&self.name, message, mac)
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
