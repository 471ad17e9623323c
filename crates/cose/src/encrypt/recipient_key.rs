use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::{Ciphers, DecryptionKey, EncryptionKey, KeyAgreements, KeyWrap, RecipientAlgorithm};
use crate::{CryptoProvider, Error, KeyError, SymmetricKey, key::CoseKey};

/// A key of this side with which content keys are found, and by which id others call it.
pub struct RecipientKey {
    key_id: Option<Vec<u8>>,
    pub(super) means: Means,
}

/// What the key can do.
pub(super) enum Means {
    Unwrap(Box<dyn KeyUnwrapper>),
    Agree(Box<dyn KeyAgreement>),
    /// It is the content key.
    Direct(SymmetricKey),
}

/// A key-encryption key, wherever it lives: in memory, in a secure element.
pub trait KeyUnwrapper: Send + Sync {
    /// The algorithm that the key is for, which is a matter of its length; `None` if it is for none.
    fn algorithm(&self) -> Option<KeyWrap>;

    /// Unwraps a content key.
    ///
    /// # Errors
    ///
    /// [`Error::BadCiphertext`] if it was not wrapped under this key; [`Error::Misuse`] if the key is not
    /// one of `algorithm`; [`Error::Crypto`] if its home can't use it now.
    fn unwrap(&self, algorithm: KeyWrap, wrapped: &[u8]) -> Result<SymmetricKey, Error>;
}

/// A private Diffie-Hellman key, wherever it lives: in memory, in a secure element.
pub trait KeyAgreement: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &EncryptionKey;

    /// The secret shared with `peer`, 32 bytes, as [`KeyAgreements::agree`] says.
    ///
    /// # Errors
    ///
    /// [`KeyError::Invalid`] if `peer` is of another curve or no usable point of it; [`Error::Crypto`] if
    /// the key's home can't use it now.
    fn agree(&self, peer: &EncryptionKey) -> Result<SymmetricKey, Error>;
}

impl RecipientKey {
    fn new(means: Means) -> Self {
        Self {
            key_id: None,
            means,
        }
    }

    /// A key-encryption key in memory, for AES-KW.
    #[must_use]
    pub fn wrapping(crypto: &CryptoProvider, key: SymmetricKey) -> Self {
        let ciphers = crypto.ciphers;
        Self::wrapping_in(Box::new(InMemoryKek { ciphers, key }))
    }

    /// A key-encryption key that lives elsewhere, for AES-KW.
    #[must_use]
    pub fn wrapping_in(home: Box<dyn KeyUnwrapper>) -> Self {
        Self::new(Means::Unwrap(home))
    }

    /// A private key in memory, for ECDH-ES and HPKE.
    #[must_use]
    pub fn agreement(crypto: &CryptoProvider, key: DecryptionKey) -> Self {
        let agreements = crypto.agreements;
        Self::agreement_in(Box::new(InMemoryKey { agreements, key }))
    }

    /// A private key that lives elsewhere, for ECDH-ES and HPKE.
    #[must_use]
    pub fn agreement_in(home: Box<dyn KeyAgreement>) -> Self {
        Self::new(Means::Agree(home))
    }

    /// A content key that both sides hold: for COSE_Encrypt0, and for direct recipients.
    #[must_use]
    pub fn direct(key: SymmetricKey) -> Self {
        Self::new(Means::Direct(key))
    }

    /// A key from a COSE_Key: a private key, or a symmetric one for AES-KW. Its kid, if there is one, becomes
    /// the key id.
    ///
    /// # Errors
    ///
    /// If it is of another type or curve, malformed, or public.
    pub fn from_cose_key(crypto: &CryptoProvider, bytes: &[u8]) -> Result<Self, Error> {
        let members = CoseKey::decode(bytes)?;
        let this = match members.kty {
            super::symmetric::KTY_SYMMETRIC => {
                Self::wrapping(crypto, SymmetricKey::of_members(&members)?)
            }
            _ => Self::agreement(crypto, DecryptionKey::of_members(crypto, &members)?),
        };
        Ok(match members.kid {
            Some(key_id) => this.with_key_id(key_id),
            None => this,
        })
    }

    /// The same key under an id.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<Vec<u8>>) -> Self {
        Self {
            key_id: Some(key_id.into()),
            ..self
        }
    }

    /// The id.
    #[must_use]
    pub fn key_id(&self) -> Option<&[u8]> {
        self.key_id.as_deref()
    }

    /// Whether content keys that were encrypted by `algorithm` can be found with keys like this one.
    #[must_use]
    pub fn is_for(&self, algorithm: RecipientAlgorithm) -> bool {
        match (algorithm, &self.means) {
            (RecipientAlgorithm::KeyWrap(wrap), Means::Unwrap(kek)) => {
                kek.algorithm() == Some(wrap)
            }
            (RecipientAlgorithm::EcdhEs(_), Means::Agree(_))
            | (RecipientAlgorithm::Direct, Means::Direct(_)) => true,
            (RecipientAlgorithm::Hpke(suite), Means::Agree(own)) => {
                own.public_key().curve() == suite.curve()
            }
            _ => false,
        }
    }

    /// Whether a recipient that names `key_id`, or none, may mean this key.
    ///
    /// A key without an id may be meant by any.
    pub(super) fn may_be(&self, key_id: Option<&[u8]>) -> bool {
        match (key_id, self.key_id()) {
            (Some(named), Some(own)) => named == own,
            _ => true,
        }
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RecipientKey");
        match &self.means {
            Means::Unwrap(_) => debug.field("wrapping", &"AES-KW"),
            Means::Agree(key) => debug.field("agreement", key.public_key()),
            Means::Direct(key) => debug.field("direct", key),
        };
        debug.finish_non_exhaustive()
    }
}

struct InMemoryKek {
    ciphers: &'static dyn Ciphers,
    key: SymmetricKey,
}

impl KeyUnwrapper for InMemoryKek {
    fn algorithm(&self) -> Option<KeyWrap> {
        KeyWrap::from_key_len(self.key.secret_bytes().len())
    }

    fn unwrap(&self, algorithm: KeyWrap, wrapped: &[u8]) -> Result<SymmetricKey, Error> {
        self.ciphers.unwrap(algorithm, &self.key, wrapped)
    }
}

struct InMemoryKey {
    agreements: &'static dyn KeyAgreements,
    key: DecryptionKey,
}

impl KeyAgreement for InMemoryKey {
    fn public_key(&self) -> &EncryptionKey {
        self.key.public_key()
    }

    fn agree(&self, peer: &EncryptionKey) -> Result<SymmetricKey, Error> {
        if peer.curve() != self.key.public_key().curve() {
            return Err(KeyError::Invalid.into());
        }
        self.agreements.agree(&self.key, peer)
    }
}
