use alloc::string::String;
use core::fmt;

use base16ct::HexDisplay;

use crate::{CryptoProvider, PublicKey};

/// The key id of TEEP: the SHA-256 COSE Key Thumbprint of a public key (RFC 9679). 32 bytes. A secret key
/// has one too, which is no digest of it: see [`MacKey::key_id`](crate::MacKey::key_id).
///
/// Public information; shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// The thumbprint of `key`: SHA-256 over the deterministic encoding of its required members.
    #[must_use]
    pub fn of(key: &PublicKey, crypto: &CryptoProvider) -> Self {
        Self::of_cose_key(&key.to_cose_key(), crypto)
    }

    /// The thumbprint of a key by the deterministic encoding of its required members.
    pub(crate) fn of_cose_key(members: &[u8], crypto: &CryptoProvider) -> Self {
        Self(crypto.sha256(members))
    }

    /// A key id as received; `None` unless it is 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A key id written as 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut id = [0; 32];
        let decoded = base16ct::mixed::decode(text, &mut id).ok()?.len();
        (decoded == id.len()).then_some(Self(id))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        alloc::format!("{self}")
    }
}

impl From<[u8; 32]> for KeyId {
    fn from(id: [u8; 32]) -> Self {
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", HexDisplay(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}
