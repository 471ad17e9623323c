//! What the agent remembers, as typed records in its own namespace of the storage.

mod anchors;
mod components;
mod domains;
mod encryption;
mod manifests;
mod passport;
mod requests;
mod tams;
mod updates;
mod usage;

use alloc::{format, vec::Vec};

use tamarack_cose::cbor::{self, DecodeError, Limits, Reader};

use crate::platform::{Namespace, StorageError, Transaction, View};

pub use anchors::{Anchor, AnchorRole, RevocationRecord, TrustStore};
pub use components::ComponentRecord;
pub use domains::DomainRecord;
pub(crate) use domains::{children, own_quota, owner_name, owner_of};
pub use encryption::TamEncryptionKeys;
pub use manifests::KnownManifest;
pub use passport::Passport;
pub use requests::{Request, RequestKind};
pub use tams::TamEndpoint;
pub use updates::SeenUpdates;
pub use usage::DomainUsage;
pub(crate) use usage::Installed;

/// A value of the agent's namespace: a prefix that tells the kind, a key within it, an encoding.
pub trait Record: Sized {
    /// First byte of the name. No two kinds share one.
    const PREFIX: u8;

    /// The rest of the name.
    fn key(&self) -> Vec<u8>;

    /// The value.
    fn encode(&self) -> Vec<u8>;

    /// Reads a value that passed the strict door.
    ///
    /// # Errors
    ///
    /// If it is none of this kind, which means that the store is corrupt.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The record under `key`.
    ///
    /// # Errors
    ///
    /// If the storage fails or holds something else there.
    fn load(view: &dyn View, key: &[u8]) -> Result<Option<Self>, StorageError> {
        let value = view.get(&Namespace::agent(), &name::<Self>(key))?;
        value.map(|value| parse::<Self>(&value)).transpose()
    }

    /// All records of this kind, ordered by key.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn all(view: &dyn View) -> Result<Vec<Self>, StorageError> {
        let space = Namespace::agent();
        let names = view.names(&space, &[Self::PREFIX])?;
        let values = names
            .iter()
            .filter_map(|name| view.get(&space, name).transpose());
        values.map(|value| parse::<Self>(&value?)).collect()
    }

    /// Writes the record under its key.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    fn save(&self, transaction: &mut dyn Transaction) -> Result<(), StorageError> {
        transaction.put(
            &Namespace::agent(),
            &name::<Self>(&self.key()),
            &self.encode(),
        )
    }

    /// Removes the record under `key`; `false` if there was none.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    fn delete(transaction: &mut dyn Transaction, key: &[u8]) -> Result<bool, StorageError> {
        transaction.remove(&Namespace::agent(), &name::<Self>(key))
    }
}

fn name<R: Record>(key: &[u8]) -> Vec<u8> {
    [&[R::PREFIX], key].concat()
}

fn parse<R: Record>(value: &[u8]) -> Result<R, StorageError> {
    // What the agent wrote is bounded by what it accepted: a manifest without its payloads.
    let limits = Limits {
        bytes: 4 << 20,
        depth: 16,
    };
    let mut reader = Reader::new(value);
    cbor::check(value, &limits)
        .and_then(|()| R::decode(&mut reader))
        .map_err(|error| StorageError::Corrupt(format!("a record of the agent: {error}")))
}
