use alloc::{string::String, vec::Vec};

use super::{imported, opened};
use crate::{
    ResultCode,
    interface::{ALGORITHM_ECDH_P256, ALGORITHM_ECDH_X25519},
    tee,
};

/// A handle to a private key for Diffie-Hellman. [`MacKey::agree`](super::MacKey::agree) and
/// [`SealingKey::agree`](super::SealingKey::agree) use it.
///
/// ```
/// use tamarack_ta::{keys::{AgreementCurve, AgreementKey, MacKey}, testing};
///
/// let ours = AgreementKey::generate("ours", AgreementCurve::X25519)?;
/// let public_key = ours.public_key()?;
/// let (theirs, mac) = testing::within("far/away", || {
///     let theirs = AgreementKey::generate("theirs", AgreementCurve::X25519)?;
///     let in_common = MacKey::agree("in common", &theirs, &public_key, b"greetings")?;
///     Ok((theirs.public_key()?, in_common.mac(b"hello")?))
/// })?;
/// let in_common = MacKey::agree("in common", &ours, &theirs, b"greetings")?;
/// in_common.verify(b"hello", &mac)?;
/// # Ok::<(), tamarack_ta::ResultCode>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementKey {
    name: String,
}

/// The curve of an [`AgreementKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AgreementCurve {
    /// NIST's P-256.
    P256,
    /// Curve25519.
    X25519,
}

impl AgreementCurve {
    fn number(self) -> i32 {
        match self {
            Self::P256 => ALGORITHM_ECDH_P256,
            Self::X25519 => ALGORITHM_ECDH_X25519,
        }
    }
}

impl AgreementKey {
    /// Makes a new key under `name`.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ACCESS_CONFLICT`] if there is one of that name, [`ResultCode::BAD_PARAMETERS`] for a bad name,
    /// [`ResultCode::STORAGE_NO_SPACE`].
    pub fn generate(name: &str, curve: AgreementCurve) -> Result<Self, ResultCode> {
        tee::key_generate(name, curve.number())?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name.
    ///
    /// A [`SigningKey`](super::SigningKey) is not told from one of these here; agreeing with it is refused.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::BAD_PARAMETERS`] for a bad name, [`ResultCode::BAD_STATE`] if it is
    /// a secret key.
    pub fn open(name: &str) -> Result<Self, ResultCode> {
        tee::key_public(name)?;
        Ok(Self { name: name.into() })
    }

    /// Opens the key of that name, whatever its curve, or makes one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`generate`](Self::generate).
    pub fn open_or_generate(name: &str, curve: AgreementCurve) -> Result<Self, ResultCode> {
        opened(Self::open(name), || Self::generate(name, curve))
    }

    /// Takes over a private `COSE_Key` that came as Personalization Data, under a name of its own.
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

    /// The public key as an encoded `COSE_Key` (RFC 9052), for the peer.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
    pub fn public_key(&self) -> Result<Vec<u8>, ResultCode> {
        tee::key_public(&self.name)
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
