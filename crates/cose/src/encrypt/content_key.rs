use core::fmt;

use super::{
    ContentAlgorithm, Encrypted, EncryptionKey, HpkeSuite, KeyAgreement, KeyWrap,
    RecipientAlgorithm, RecipientInfo, RecipientKey,
    header::Layer,
    hpke,
    kdf::{kdf_context, key_encryption_key},
    recipient_key::Means,
};
use crate::{CryptoProvider, Error, KeyError, SymmetricKey};

/// A content-encryption key, of its algorithm's length.
#[derive(Clone)]
pub struct ContentKey {
    algorithm: ContentAlgorithm,
    key: SymmetricKey,
}

impl ContentKey {
    /// A key for `algorithm`.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if its length is another than the algorithm's.
    pub fn new(algorithm: ContentAlgorithm, key: SymmetricKey) -> Result<Self, Error> {
        match key.secret_bytes().len() == algorithm.key_len() {
            true => Ok(Self { algorithm, key }),
            false => Err(Error::Misuse("the content key has another length")),
        }
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> ContentAlgorithm {
        self.algorithm
    }

    pub(super) fn key(&self) -> &SymmetricKey {
        &self.key
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentKey({})", self.algorithm.name())
    }
}

impl Encrypted<'_> {
    /// Checks that a recipient is of an algorithm for which there is one of `keys`. Whether it is the very key shows
    /// when the content key is looked for.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmUnsupported`] with the algorithm of a recipient, if none is; [`Error::NoRecipient`] if
    /// they have no algorithms, or not in their places.
    pub fn check_recipients(&self, keys: &[RecipientKey]) -> Result<(), Error> {
        let mut outcome = Err(Error::NoRecipient);
        for recipient in self.recipients().unwrap_or_default() {
            let Some(algorithm) = recipient.algorithm() else {
                continue;
            };
            if keys.iter().any(|key| key.is_for(algorithm)) {
                return Ok(());
            }
            outcome = Err(Error::AlgorithmUnsupported(algorithm.cose_id()));
        }
        outcome
    }

    /// Finds the content key with one of `keys`.
    ///
    /// A recipient that names a key id is tried with the keys of that id and with those that have none, any
    /// other with every key. Recipients that are not supported, or for others, are passed over.
    ///
    /// `purpose` goes into the key derivation of ECDH-ES, as SuppPubInfo.other: a key that was sent for one
    /// purpose is none for another. In SUIT it is `SUIT Payload Encryption`.
    ///
    /// What is for a target ([`content_key_for`](Self::content_key_for)) is passed over.
    ///
    /// # Errors
    ///
    /// [`Error::BadCiphertext`] if a recipient names one of `keys` and could not be opened with it,
    /// [`Error::OtherTarget`] if one is for a target, [`Error::NoRecipient`] if none could be opened otherwise.
    // req: SUIT-ENC-006
    pub fn content_key(
        &self,
        crypto: &CryptoProvider,
        keys: &[RecipientKey],
        purpose: &[u8],
    ) -> Result<ContentKey, Error> {
        self.find_content_key(crypto, keys, purpose, None)
    }

    /// As [`content_key`](Self::content_key), for content that goes to a target: what is for another one is
    /// passed over, what is for none is not.
    ///
    /// Without a target, who has a ciphertext and its headers can have whoever holds the key decrypt it for a use of
    /// his own. In SUIT, the target is the encoded component identifier.
    ///
    /// # Errors
    ///
    /// As [`content_key`](Self::content_key); [`Error::OtherTarget`] if a recipient is for another target.
    pub fn content_key_for(
        &self,
        crypto: &CryptoProvider,
        keys: &[RecipientKey],
        purpose: &[u8],
        target: &[u8],
    ) -> Result<ContentKey, Error> {
        self.find_content_key(crypto, keys, purpose, Some(target))
    }

    fn find_content_key(
        &self,
        crypto: &CryptoProvider,
        keys: &[RecipientKey],
        purpose: &[u8],
        target: Option<&[u8]>,
    ) -> Result<ContentKey, Error> {
        let is_other = |layer: &Layer<'_>| layer.target.is_some() && layer.target != target;
        if is_other(&self.layer) {
            return Err(Error::OtherTarget);
        }
        let mut outcome = Error::NoRecipient;
        let Some(recipients) = self.recipients() else {
            return keys
                .iter()
                .filter(|key| key.may_be(self.key_id()))
                .find_map(|key| match &key.means {
                    Means::Direct(key) => ContentKey::new(self.algorithm(), key.clone()).ok(),
                    Means::Unwrap(_) | Means::Agree(_) => None,
                })
                .ok_or(outcome);
        };
        for recipient in recipients {
            if is_other(&recipient.layer) {
                outcome = Error::OtherTarget;
                continue;
            }
            for key in keys.iter().filter(|key| key.may_be(recipient.key_id())) {
                let found = self
                    .open_recipient(crypto, recipient, key, purpose)
                    .and_then(|key| ContentKey::new(self.algorithm(), key));
                match found {
                    Ok(key) => return Ok(key),
                    Err(_) if recipient.key_id().is_some() && key.key_id().is_some() => {
                        outcome = Error::BadCiphertext;
                    }
                    Err(_) => {}
                }
            }
        }
        Err(outcome)
    }

    /// The content key that `recipient` holds for `key`.
    fn open_recipient(
        &self,
        crypto: &CryptoProvider,
        recipient: &RecipientInfo<'_>,
        key: &RecipientKey,
        purpose: &[u8],
    ) -> Result<SymmetricKey, Error> {
        recipient.layer.critical.check()?;
        let algorithm = recipient.algorithm().ok_or(Error::NoRecipient)?;
        match (algorithm, &key.means) {
            (RecipientAlgorithm::KeyWrap(wrap), Means::Unwrap(kek)) => {
                kek.unwrap(wrap, recipient.encrypted_key)
            }
            (RecipientAlgorithm::EcdhEs(wrap), Means::Agree(own)) => {
                recipient.open_ecdh_es(crypto, wrap, &**own, purpose)
            }
            (RecipientAlgorithm::Hpke(suite), Means::Agree(own)) => {
                recipient.open_hpke(crypto, suite, &**own, self.algorithm())
            }
            // RFC 9052 section 8.5.1: nothing is encrypted, and there is no other recipient.
            (RecipientAlgorithm::Direct, Means::Direct(key))
                if recipient.encrypted_key.is_empty()
                    && self.recipients().is_some_and(|all| all.len() == 1) =>
            {
                Ok(key.clone())
            }
            _ => Err(Error::NoRecipient),
        }
    }
}

impl RecipientInfo<'_> {
    // req: SUIT-ENC-017
    fn open_ecdh_es(
        &self,
        crypto: &CryptoProvider,
        wrap: KeyWrap,
        own: &dyn KeyAgreement,
        purpose: &[u8],
    ) -> Result<SymmetricKey, Error> {
        let ephemeral = self.layer.ephemeral_key.ok_or(KeyError::Invalid)?;
        let secret = own.agree(&EncryptionKey::from_cose_key(ephemeral)?)?;
        let salt = self.layer.salt.unwrap_or_default();
        let context = kdf_context(wrap, self.layer.protected, purpose);
        let kek = key_encryption_key(crypto, wrap, &secret, salt, &context);
        crypto.ciphers.unwrap(wrap, &kek, self.encrypted_key)
    }

    fn open_hpke(
        &self,
        crypto: &CryptoProvider,
        suite: HpkeSuite,
        own: &dyn KeyAgreement,
        content: ContentAlgorithm,
    ) -> Result<SymmetricKey, Error> {
        let encapsulated = self.layer.encapsulated_key.ok_or(KeyError::Invalid)?;
        let info = hpke::recipient_structure(content, self.layer.protected);
        hpke::open(crypto, suite, own, encapsulated, &info, self.encrypted_key)
    }
}
