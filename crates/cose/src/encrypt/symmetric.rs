use alloc::{vec, vec::Vec};

use zeroize::Zeroizing;

use crate::{
    CryptoProvider, Error, KeyError, SymmetricKey,
    cbor::Writer,
    key::{CoseKey, label, present},
};

/// The COSE key type of symmetric keys (RFC 9053 section 7.3).
pub(super) const KTY_SYMMETRIC: i64 = 4;

/// Longest key in bytes; one of HMAC with SHA-512 is half as long as this.
const MAX_LEN: usize = 128;

impl SymmetricKey {
    /// A fresh key of `bytes` bytes.
    ///
    /// # Errors
    ///
    /// If the source of randomness fails.
    pub fn generate(crypto: &CryptoProvider, bytes: usize) -> Result<Self, Error> {
        let mut key = Zeroizing::new(vec![0; bytes]);
        crypto.random.fill(&mut key)?;
        Ok(Self::new(&key[..]))
    }

    /// Decodes a symmetric COSE_Key. Unknown members are ignored.
    ///
    /// # Errors
    ///
    /// If the bytes are no COSE_Key, one of another type, or the key is empty or longer than 128 bytes.
    pub fn from_cose_key(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::of_members(&CoseKey::decode(bytes)?)
    }

    pub(super) fn of_members(key: &CoseKey<'_>) -> Result<Self, KeyError> {
        match key.kty {
            KTY_SYMMETRIC => Self::checked(present("k", key.k)?, "COSE"),
            _ => Err(KeyError::Unsupported(
                "a key that is not symmetric where one is needed".into(),
            )),
        }
    }

    /// Refuses lengths that no algorithm has.
    pub(super) fn checked(k: &[u8], format: &'static str) -> Result<Self, KeyError> {
        match k.len() {
            1..=MAX_LEN => Ok(Self::new(k)),
            _ => Err(KeyError::Format {
                format,
                problem: "k is not 1 to 128 bytes long".into(),
            }),
        }
    }

    /// Encodes the COSE_Key with the required members only, in deterministic order.
    #[must_use]
    pub fn to_cose_key(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::build(|w| {
            w.map(2).int(label::KTY).int(KTY_SYMMETRIC);
            w.int(label::K).bytes(self.secret_bytes());
        }))
    }
}
