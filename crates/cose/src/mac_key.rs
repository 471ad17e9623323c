use subtle::ConstantTimeEq;

use crate::{
    CryptoProvider, DigestValue, Error, KeyError, KeyId, MacAlgorithm, SymmetricKey,
    encrypt::KeyWrap,
};

/// What a key id is the MAC of. No MAC_structure begins with this byte, so it is the MAC of no message.
const KEY_ID: &[u8] = b"tamarack key id";

/// A secret key and the one MAC algorithm that it is for.
///
/// A key of its own type: a public key can't be taken for a secret by a message that names another
/// algorithm.
#[derive(Debug, Clone)]
pub struct MacKey {
    algorithm: MacAlgorithm,
    key: SymmetricKey,
}

impl MacKey {
    /// A key for an algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unsupported`] if the key is shorter than the algorithm's hash: it would be the weakest
    /// part.
    pub fn new(algorithm: MacAlgorithm, key: SymmetricKey) -> Result<Self, KeyError> {
        match key.secret_bytes().len() >= algorithm.tag_len() {
            true => Ok(Self { algorithm, key }),
            false => Err(KeyError::Unsupported(
                "an HMAC key that is shorter than the hash".into(),
            )),
        }
    }

    /// A fresh key of the algorithm's hash length.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if the source of randomness fails.
    pub fn generate(crypto: &CryptoProvider, algorithm: MacAlgorithm) -> Result<Self, Error> {
        let key = SymmetricKey::generate(crypto, algorithm.tag_len())?;
        Ok(Self { algorithm, key })
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> MacAlgorithm {
        self.algorithm
    }

    /// A name for the key that says nothing about it: the first 32 bytes of the key's MAC of a fixed
    /// text.
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        key_id(crypto, self.algorithm, &self.key)
    }

    /// The secret, to be wrapped.
    pub(crate) fn key(&self) -> &SymmetricKey {
        &self.key
    }

    pub(crate) fn tag(&self, crypto: &CryptoProvider, message: &[u8]) -> DigestValue {
        let key = self.key.secret_bytes();
        crypto.macs.hmac(self.algorithm, key, message)
    }

    /// Compares in constant time.
    pub(crate) fn check(
        &self,
        crypto: &CryptoProvider,
        message: &[u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        match self.tag(crypto, message).as_ref().ct_eq(tag).into() {
            true => Ok(()),
            false => Err(Error::BadSignature),
        }
    }
}

/// A secret key that wraps MAC keys (AES-KW), each of which authenticates one message.
#[derive(Debug, Clone)]
pub struct MacWrappingKey {
    algorithm: KeyWrap,
    key: SymmetricKey,
}

impl MacWrappingKey {
    /// A key of 16, 24 or 32 bytes; its length says the algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unsupported`] if it has another length.
    pub fn new(key: SymmetricKey) -> Result<Self, KeyError> {
        match KeyWrap::from_key_len(key.secret_bytes().len()) {
            Some(algorithm) => Ok(Self { algorithm, key }),
            None => Err(KeyError::Unsupported(
                "an AES key that is not 128, 192 or 256 bits long".into(),
            )),
        }
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> KeyWrap {
        self.algorithm
    }

    /// A name for the key that says nothing about it: the HMAC-SHA-256 of a fixed text.
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        key_id(crypto, MacAlgorithm::Hmac256, &self.key)
    }

    /// The key that wraps.
    pub(crate) fn key(&self) -> &SymmetricKey {
        &self.key
    }
}

/// The first 32 bytes of a key's MAC of [`KEY_ID`].
fn key_id(crypto: &CryptoProvider, algorithm: MacAlgorithm, key: &SymmetricKey) -> KeyId {
    let id = crypto.macs.hmac(algorithm, key.secret_bytes(), KEY_ID);
    KeyId::from(id.as_ref().first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn providers() -> [CryptoProvider; 2] {
        [crate::rustcrypto::provider(), crate::aws_lc::provider()]
    }

    fn key(algorithm: MacAlgorithm, byte: u8) -> MacKey {
        MacKey::new(algorithm, SymmetricKey::new([byte; 64])).unwrap()
    }

    // Test case 6; the keys of the others are shorter than the hash.
    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let expected = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        for crypto in providers() {
            let key = SymmetricKey::new([0xaa; 131]);
            let key = MacKey::new(MacAlgorithm::Hmac256, key).unwrap();
            let tag = key.tag(&crypto, message);
            assert_eq!(base16ct::lower::encode_string(tag.as_ref()), expected);
        }
    }

    #[test]
    fn keys_are_long_enough_and_show_nothing() {
        for algorithm in MacAlgorithm::ALL {
            let short = SymmetricKey::new(alloc::vec![1; algorithm.tag_len() - 1]);
            assert!(MacKey::new(algorithm, short).is_err());
        }
        let [one, two] = providers();
        let ours = key(MacAlgorithm::Hmac512, 0xab);
        assert!(!alloc::format!("{ours:?}").contains("ab, ab"));
        assert_eq!(ours.key_id(&one), ours.key_id(&two));
        let fresh = MacKey::generate(&one, MacAlgorithm::Hmac256).unwrap();
        assert_ne!(fresh.key_id(&one), ours.key_id(&one));
    }

    #[test]
    fn wrapping_keys_have_the_lengths_of_aes() {
        let crypto = crate::rustcrypto::provider();
        for length in 0..=64 {
            let key = MacWrappingKey::new(SymmetricKey::new(alloc::vec![7; length]));
            assert_eq!(key.is_ok(), [16, 24, 32].contains(&length));
        }
        let wrapping = MacWrappingKey::new(SymmetricKey::new([1; 32])).unwrap();
        assert_eq!(wrapping.algorithm(), KeyWrap::A256Kw);
        let other = MacWrappingKey::new(SymmetricKey::new([2; 32])).unwrap();
        assert_ne!(wrapping.key_id(&crypto), other.key_id(&crypto));
    }
}
