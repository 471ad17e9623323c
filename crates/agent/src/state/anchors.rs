use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey,
    cbor::{DecodeError, Problem, Reader, Writer},
};

use super::Record;
use crate::platform::{StorageError, View};

/// What a trust anchor authorises. An anchor of one role authorises nothing of another.
// req: ARCH-020
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorRole {
    /// The key of a TAM, whose messages the agent acts on.
    Tam,
    /// The key of a device administrator, who signs security domains and what no domain owns.
    Signer,
    /// The key of a Verifier, whose results say which TAMs are in order. With one, TAMs have to be attested.
    Verifier,
}

/// A trusted public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// What it is trusted for.
    pub role: AnchorRole,
    /// The key.
    pub key: PublicKey,
    /// The key's thumbprint.
    pub key_id: KeyId,
    /// Where it came from, for people.
    pub name: String,
}

impl Anchor {
    /// An anchor for `key`.
    #[must_use]
    pub fn new(role: AnchorRole, key: PublicKey, name: &str, crypto: &CryptoProvider) -> Self {
        Self {
            role,
            key,
            key_id: key.key_id(crypto),
            name: name.to_owned(),
        }
    }

    /// The keys trusted in `role`.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn keys(view: &dyn View, role: AnchorRole) -> Result<Vec<PublicKey>, StorageError> {
        let anchors = Self::all(view)?.into_iter();
        Ok(anchors
            .filter(|anchor| anchor.role == role)
            .map(|anchor| anchor.key)
            .collect())
    }
}

impl Record for Anchor {
    const PREFIX: u8 = b'a';

    fn key(&self) -> Vec<u8> {
        let mut key = vec![self.role as u8];
        key.extend_from_slice(self.key_id.as_bytes());
        key
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(4)
                .uint(self.role as u64)
                .raw(&self.key.to_cose_key());
            w.bytes(self.key_id.as_bytes()).text(&self.name);
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "anchor";
        reader.array_of(4, "an array of 4", rule)?;
        let wrong = reader.error(rule, Problem::Expected("a role and a key"));
        let role = match reader.uint(rule)? {
            0 => AnchorRole::Tam,
            1 => AnchorRole::Signer,
            2 => AnchorRole::Verifier,
            _ => return Err(wrong),
        };
        let key = PublicKey::from_cose_key(reader.raw(rule)?).map_err(|_| wrong.clone())?;
        let key_id = KeyId::from_bytes(reader.bytes(rule)?).ok_or(wrong)?;
        Ok(Self {
            role,
            key,
            key_id,
            name: reader.text(rule)?.to_owned(),
        })
    }
}
