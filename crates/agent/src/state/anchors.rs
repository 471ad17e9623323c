use alloc::{string::String, vec, vec::Vec};

use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey,
    cbor::{DecodeError, Problem, Reader, Writer},
    x509::{Revocation, Revocations, Trust, TrustAnchor},
};
use tamarack_suit::ComponentId;

use super::Record;
use crate::{
    platform::{StorageError, Transaction, View},
    trust_anchors::{AnchorEntry, TrustAnchorSet, list},
};

/// What a trust anchor authorises. An anchor of one role authorises nothing of another.
pub use tamarack_cose::x509::Purpose as AnchorRole;

/// Somebody who is trusted: a key or a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Who, and for what.
    pub entry: AnchorEntry,
    /// The thumbprint of the key.
    pub key_id: KeyId,
    /// What tells the anchor from others with the same key: [`TrustAnchor::id`].
    pub id: KeyId,
    /// The set of trust anchors that brought it; `None` if the device was made with it.
    pub origin: Option<ComponentId>,
}

impl Anchor {
    /// The anchor `key` in this role, as the device's maker sets it.
    #[must_use]
    pub fn new(role: AnchorRole, key: PublicKey, name: &str, crypto: &CryptoProvider) -> Self {
        Self::of(AnchorEntry::new(TrustAnchor::key(role, key), name), crypto)
    }

    /// An anchor as the device's maker sets it.
    #[must_use]
    pub fn of(entry: AnchorEntry, crypto: &CryptoProvider) -> Self {
        Self {
            key_id: entry.anchor.public_key().key_id(crypto),
            id: entry.anchor.id(crypto),
            entry,
            origin: None,
        }
    }

    /// What it is trusted for.
    #[must_use]
    pub fn role(&self) -> AnchorRole {
        self.entry.anchor.purpose
    }

    /// Its public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.entry.anchor.public_key()
    }
}

impl Record for Anchor {
    const PREFIX: u8 = b'a';

    fn key(&self) -> Vec<u8> {
        let mut key = vec![self.role() as u8];
        key.extend_from_slice(self.key_id.as_bytes());
        key.extend_from_slice(self.id.as_bytes());
        key.extend(self.origin.iter().flat_map(ComponentId::to_cbor));
        key
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(4);
            self.entry.write(w);
            w.bytes(self.key_id.as_bytes()).bytes(self.id.as_bytes());
            write_origin(w, self.origin.as_ref());
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "anchor";
        reader.array_of(4, "an array of 4", rule)?;
        let entry = AnchorEntry::read(reader)?;
        let wrong = reader.error(rule, Problem::Expected("an id of 32 bytes"));
        let mut id = || Ok(KeyId::from_bytes(reader.bytes(rule)?));
        let (Some(key_id), Some(id)) = (id()?, id()?) else {
            return Err(wrong);
        };
        Ok(Self {
            entry,
            key_id,
            id,
            origin: read_origin(reader)?,
        })
    }
}

/// What one set of trust anchors revokes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationRecord {
    /// The set; `None` for the device's maker.
    pub origin: Option<ComponentId>,
    /// What it revokes.
    pub revocations: Vec<Revocation>,
}

impl Record for RevocationRecord {
    const PREFIX: u8 = b'v';

    fn key(&self) -> Vec<u8> {
        self.origin.iter().flat_map(ComponentId::to_cbor).collect()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(2);
            write_origin(w, self.origin.as_ref());
            w.array(self.revocations.len());
            for revocation in &self.revocations {
                revocation.write(w);
            }
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(2, "an array of 2", "revocations")?;
        Ok(Self {
            origin: read_origin(reader)?,
            revocations: list(reader, TrustAnchorSet::MAX_REVOCATIONS, Revocation::read)?,
        })
    }
}

fn write_origin(w: &mut Writer, origin: Option<&ComponentId>) {
    match origin {
        Some(origin) => origin.write(w),
        None => {
            w.null();
        }
    }
}

fn read_origin(reader: &mut Reader<'_>) -> Result<Option<ComponentId>, DecodeError> {
    match reader.take_null() {
        true => Ok(None),
        false => ComponentId::read(reader, "origin").map(Some),
    }
}

/// Everybody who is trusted, and everything that is revoked.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    /// The anchors, revoked ones too.
    pub anchors: Vec<Anchor>,
    /// The revocations of the maker and of all sets together.
    pub revocations: Revocations,
}

impl TrustStore {
    /// Reads what is in force.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn load(view: &dyn View) -> Result<Self, StorageError> {
        let revoked = RevocationRecord::all(view)?.into_iter();
        Ok(Self {
            anchors: Anchor::all(view)?,
            revocations: revoked.flat_map(|record| record.revocations).collect(),
        })
    }

    /// The anchors in `role`.
    pub fn of(&self, role: AnchorRole) -> impl Iterator<Item = &Anchor> {
        self.anchors
            .iter()
            .filter(move |anchor| anchor.role() == role)
    }

    /// The anchors in `role` for verifying with.
    #[must_use]
    pub fn trust_anchors(&self, role: AnchorRole) -> Vec<TrustAnchor> {
        self.of(role)
            .map(|anchor| anchor.entry.anchor.clone())
            .collect()
    }

    /// Whether somebody counts in `role` at `now`, in seconds since 1970-01-01 UTC: not revoked, valid, and not
    /// limited to some components.
    #[must_use]
    pub fn has(&self, role: AnchorRole, crypto: &CryptoProvider, now: u64) -> bool {
        let unlimited = self
            .of(role)
            .filter(|anchor| anchor.entry.prefixes.is_none());
        let anchors: Vec<_> = unlimited
            .map(|anchor| anchor.entry.anchor.clone())
            .collect();
        let trust = Trust::new(&anchors, &self.revocations, now);
        (0..anchors.len()).any(|index| trust.counts(crypto, index))
    }

    /// Whether the key with this thumbprint is trusted as a TAM's, and not revoked.
    #[must_use]
    pub fn is_a_tam(&self, key_id: &KeyId, crypto: &CryptoProvider) -> bool {
        let mut named = self
            .of(AnchorRole::Tam)
            .filter(|anchor| anchor.key_id == *key_id);
        named.any(|anchor| match anchor.entry.anchor.as_certificate() {
            Some(certificate) => !self.revocations.is_revoked(crypto, certificate),
            None => !self.revocations.is_key_revoked(crypto, anchor.public_key()),
        })
    }

    /// Whether a device administrator says that both are keys of one TAM: by giving them one name in a set.
    // req: TEEP-OPS-001
    #[must_use]
    pub fn share_a_tam(&self, one: &KeyId, other: &KeyId) -> bool {
        let named = |key: &KeyId| {
            let of_key = self.of(AnchorRole::Tam);
            of_key
                .filter(|anchor| anchor.origin.is_some())
                .filter(|anchor| anchor.key_id == *key)
                .map(|anchor| (&anchor.origin, &anchor.entry.name))
                .collect::<Vec<_>>()
        };
        let others = named(other);
        named(one).iter().any(|name| others.contains(name))
    }

    /// Takes out what the set `origin` brought.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn remove_set(
        transaction: &mut dyn Transaction,
        origin: &ComponentId,
    ) -> Result<(), StorageError> {
        for anchor in Anchor::all(transaction)? {
            if anchor.origin.as_ref() == Some(origin) {
                Anchor::delete(transaction, &anchor.key())?;
            }
        }
        RevocationRecord::delete(transaction, &origin.to_cbor())?;
        Ok(())
    }

    /// Puts a set in the place of what the set `origin` brought before.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn replace_set(
        transaction: &mut dyn Transaction,
        origin: &ComponentId,
        set: TrustAnchorSet,
        crypto: &CryptoProvider,
    ) -> Result<(), StorageError> {
        Self::remove_set(transaction, origin)?;
        for entry in set.anchors {
            let anchor = Anchor {
                origin: Some(origin.clone()),
                ..Anchor::of(entry, crypto)
            };
            anchor.save(transaction)?;
        }
        let record = RevocationRecord {
            origin: Some(origin.clone()),
            revocations: set.revocations,
        };
        record.save(transaction)
    }
}

/// The name of an anchor for people.
impl core::fmt::Display for Anchor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name: String = self
            .entry
            .name
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        write!(f, "{name} ({})", self.key_id)
    }
}
