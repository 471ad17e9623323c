use core::ops::Bound;
use std::collections::BTreeMap;

use tamarack_agent::platform::StorageError;

use super::{
    keys::{Keys, Tag},
    record::{RecordKey, entry_key, space_key},
    rows::Rows,
};

/// The digests of all records, as they were sealed. What is read from the file must match.
#[derive(Debug, Default, Clone)]
pub(super) struct Index(BTreeMap<RecordKey, [u8; 32]>);

/// What a transaction does to the index; `None` is a record that it removed.
pub(super) type Changes = BTreeMap<RecordKey, Option<[u8; 32]>>;

impl Index {
    /// Reads every record.
    pub(super) fn of(rows: &impl Rows, keys: &Keys) -> Result<Self, StorageError> {
        let mut index = BTreeMap::new();
        rows.each_record(&mut |key, sealed| {
            index.insert(*key, keys.sha256(sealed));
        })?;
        Ok(Self(index))
    }

    pub(super) fn digest(&self, keys: &Keys) -> [u8; 32] {
        let mut all = Vec::with_capacity(self.0.len().saturating_mul(96));
        for (key, digest) in &self.0 {
            all.extend_from_slice(key);
            all.extend_from_slice(digest);
        }
        keys.sha256(&all)
    }

    pub(super) fn with(&self, changes: Changes) -> Self {
        let mut index = self.0.clone();
        for (key, change) in changes {
            match change {
                Some(digest) => index.insert(key, digest),
                None => index.remove(&key),
            };
        }
        Self(index)
    }

    /// The digest that the record under `key` must have, if there is one.
    pub(super) fn expected(&self, key: &RecordKey) -> Option<&[u8; 32]> {
        self.0.get(key)
    }

    /// Keys of the records of a namespace's values.
    pub(super) fn values(&self, space: &Tag) -> impl Iterator<Item = &RecordKey> {
        self.0.range(values_of(space)).map(|(key, _)| key)
    }
}

/// Where the records of a namespace's values are: its own record, of name tag zero, is before them.
pub(super) fn values_of(space: &Tag) -> (Bound<RecordKey>, Bound<RecordKey>) {
    let last = entry_key(space, &[0xFF; 32]);
    (Bound::Excluded(space_key(space)), Bound::Included(last))
}
