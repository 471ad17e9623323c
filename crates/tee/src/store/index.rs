use core::ops::Bound;
use std::collections::BTreeMap;

use tamarack_agent::platform::StorageError;

use super::{
    keys::{Keys, Tag},
    record::{RecordKey, entry_key, space_key},
    rows::Rows,
};

/// A number that stands for one record at its place, as it was sealed. Nobody without the store's keys can tell it.
pub(super) type Element = [u8; 32];

/// The elements of all records. What is read from the file must match.
///
/// Their sum, which is sealed in the header, changes with a record by as much as that record, however many others there are.
/// That the sum is of these records and no others rests on the elements being unknown: as they are values of a
/// pseudorandom function, two different sets of records have the same sum once in 2^256.
#[derive(Debug, Default, Clone)]
pub(super) struct Index {
    elements: BTreeMap<RecordKey, Element>,
    sum: Element,
}

/// What a transaction does to the index; `None` is a record that it removed.
pub(super) type Changes = BTreeMap<RecordKey, Option<Element>>;

/// Adds an element to a sum, bit by bit and without carry; added once more, it is taken away.
fn add(sum: &mut Element, element: &Element) {
    for (sum, element) in sum.iter_mut().zip(element) {
        *sum ^= element;
    }
}

impl Index {
    /// Reads every record.
    pub(super) fn of(rows: &impl Rows, keys: &Keys) -> Result<Self, StorageError> {
        let mut index = Self::default();
        let mut last = None;
        let mut in_order = true;
        rows.each_record(&mut |key, sealed| {
            in_order &= last.is_none_or(|last| last < *key);
            last = Some(*key);
            let element = keys.element(key, sealed);
            add(&mut index.sum, &element);
            index.elements.insert(*key, element);
        })?;
        // A record that is there twice would be in the sum not at all, and could be an old one.
        match in_order {
            true => Ok(index),
            false => Err(StorageError::Corrupt(
                "the records are out of order, or one is there twice".into(),
            )),
        }
    }

    /// The sum of all elements.
    pub(super) fn sum(&self) -> Element {
        self.sum
    }

    /// What the sum is after these changes.
    pub(super) fn sum_after(&self, changes: &Changes) -> Element {
        let mut sum = self.sum;
        for (key, change) in changes {
            for element in self.elements.get(key).into_iter().chain(change) {
                add(&mut sum, element);
            }
        }
        sum
    }

    /// Makes these changes.
    pub(super) fn change(&mut self, changes: Changes) {
        self.sum = self.sum_after(&changes);
        for (key, change) in changes {
            match change {
                Some(element) => self.elements.insert(key, element),
                None => self.elements.remove(&key),
            };
        }
    }

    /// The element that the record under `key` must have, if there is one.
    pub(super) fn expected(&self, key: &RecordKey) -> Option<&Element> {
        self.elements.get(key)
    }

    /// Keys of the records of a namespace's values.
    pub(super) fn values(&self, space: &Tag) -> impl Iterator<Item = &RecordKey> {
        self.elements.range(values_of(space)).map(|(key, _)| key)
    }
}

/// Where the records of a namespace's values are: its own record, of name tag zero, is before them.
pub(super) fn values_of(space: &Tag) -> (Bound<RecordKey>, Bound<RecordKey>) {
    let last = entry_key(space, &[0xFF; 32]);
    (Bound::Excluded(space_key(space)), Bound::Included(last))
}

#[cfg(test)]
mod tests {
    use tamarack_cose::rustcrypto;

    use super::*;
    use crate::{platform::RootKey, store::record::ChunkKey};

    /// Rows as somebody put them into the file who knows its format.
    struct Crafted(Vec<(RecordKey, Vec<u8>)>);

    impl Rows for Crafted {
        fn header(&self) -> Result<Option<Vec<u8>>, StorageError> {
            Ok(None)
        }

        fn record(&self, _: &RecordKey) -> Result<Option<Vec<u8>>, StorageError> {
            Ok(None)
        }

        fn chunk(&self, _: &ChunkKey) -> Result<Option<Vec<u8>>, StorageError> {
            Ok(None)
        }

        fn each_record(&self, see: &mut dyn FnMut(&RecordKey, &[u8])) -> Result<(), StorageError> {
            self.0.iter().for_each(|(key, sealed)| see(key, sealed));
            Ok(())
        }
    }

    #[test]
    fn an_old_record_that_is_there_twice_does_not_vanish_from_the_sum() {
        let keys = Keys::new(&rustcrypto::provider(), &RootKey::new([7; 32]));
        let row = |key: u8, sealed: &[u8]| ([key; 64], sealed.to_vec());
        let honest = [row(1, b"one"), row(2, b"new"), row(3, b"three")];
        Index::of(&Crafted(honest.to_vec()), &keys).unwrap();
        let old = row(2, b"old");
        for crafted in [
            vec![
                row(1, b"one"),
                row(2, b"new"),
                old.clone(),
                old.clone(),
                row(3, b"three"),
            ],
            vec![old.clone(), row(1, b"one"), old, row(3, b"three")],
            vec![row(3, b"three"), row(1, b"one")],
        ] {
            let refused = Index::of(&Crafted(crafted), &keys);
            assert!(matches!(refused, Err(StorageError::Corrupt(_))));
        }
    }
}
