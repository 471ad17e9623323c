use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use tamarack_cose::{
    KeyId,
    cbor::{DecodeError, Problem, Reader, Writer},
};

use super::{Anchor, AnchorRole, Record};
use crate::platform::{StorageError, View};

/// Where a TAM is reached: provisioned beside the keys that it signs with.
///
/// Endpoints that have a key in common are ways to one and the same TAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TamEndpoint {
    uri: String,
    keys: Vec<KeyId>,
    position: u64,
}

impl TamEndpoint {
    /// Most endpoints that a device knows.
    pub const MAX: usize = 16;

    /// Longest URI in bytes.
    pub const MAX_URI: usize = 2048;

    /// The endpoint at `uri` of the TAM that has one of `keys`. Those with a lower `position` are asked first.
    ///
    /// # Errors
    ///
    /// If the URI is no http or https URI, or too long, in words.
    // req: HTTP-006
    pub fn new(uri: &str, keys: Vec<KeyId>, position: u64) -> Result<Self, String> {
        let host = uri
            .strip_prefix("https://")
            .or_else(|| uri.strip_prefix("http://"));
        if host.is_none_or(str::is_empty) {
            return Err(format!("{uri:?} is no http or https URI"));
        }
        if uri.len() > Self::MAX_URI || uri.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!(
                "{uri:?} is too long or has characters that no URI has"
            ));
        }
        Ok(Self {
            uri: uri.to_owned(),
            keys,
            position,
        })
    }

    /// The URI of its TEEP resource.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Thumbprints of the keys that the TAM signs with.
    #[must_use]
    pub fn keys(&self) -> &[KeyId] {
        &self.keys
    }

    /// The same endpoint without a key; `None` if it was the only one.
    #[must_use]
    pub fn without_key(mut self, key: &KeyId) -> Option<Self> {
        self.keys.retain(|found| found != key);
        (!self.keys.is_empty()).then_some(self)
    }

    /// Whether both are ways to the same TAM.
    #[must_use]
    pub fn is_same_tam(&self, other: &Self) -> bool {
        self.keys.iter().any(|key| other.keys.contains(key))
    }

    /// The endpoints of TAMs that are trusted, in the order in which they are asked.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    // req: TEEP-AGENT-022
    pub fn trusted(view: &dyn View) -> Result<Vec<Self>, StorageError> {
        let anchors = Anchor::all(view)?;
        let trusted = |key: &KeyId| {
            let mut anchors = anchors.iter();
            anchors.any(|anchor| anchor.role() == AnchorRole::Tam && anchor.key_id == *key)
        };
        let mut endpoints = Self::all(view)?;
        endpoints.retain(|endpoint| endpoint.keys.iter().any(trusted));
        endpoints.sort_by_key(|endpoint| endpoint.position);
        Ok(endpoints)
    }

    /// Whether two keys are those of one TAM, which a new key has while the old one still counts.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn share_a_tam(view: &dyn View, one: &KeyId, other: &KeyId) -> Result<bool, StorageError> {
        if one == other {
            return Ok(true);
        }
        let shared = |found: &Self| found.keys.contains(one) && found.keys.contains(other);
        Ok(Self::all(view)?.iter().any(shared))
    }
}

impl Record for TamEndpoint {
    const PREFIX: u8 = b't';

    fn key(&self) -> Vec<u8> {
        self.uri.clone().into_bytes()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(3).text(&self.uri).uint(self.position);
            w.array(self.keys.len());
            self.keys.iter().for_each(|key| {
                w.bytes(key.as_bytes());
            });
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "tam-endpoint";
        reader.array_of(3, "an array of 3", rule)?;
        let uri = reader.text(rule)?.to_owned();
        let position = reader.uint(rule)?;
        let mut keys = Vec::new();
        for _ in 0..reader.array(rule)? {
            let wrong = reader.error(rule, Problem::Expected("a key id"));
            keys.push(KeyId::from_bytes(reader.bytes(rule)?).ok_or(wrong)?);
        }
        Ok(Self {
            uri,
            keys,
            position,
        })
    }
}
