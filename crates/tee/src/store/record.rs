//! What the sealed records hold. Numbers are big-endian.

use tamarack_agent::platform::StorageError;

use super::{
    index::Element,
    keys::{Keys, Mark, SpaceKeys, Tag},
};

/// Where a record is: the tag of its namespace and the tag of its name.
pub(super) type RecordKey = [u8; 64];

/// Where a chunk is: the id of its value and its number.
pub(super) type ChunkKey = [u8; 20];

/// Most bytes of a value in one chunk, before sealing. With what is around it, a chunk then fills 64 KiB of the
/// file; were it longer, it would take 128 KiB, as redb's pages double.
pub(super) const CHUNK_LEN: usize = 63 << 10;

const FORMAT: u8 = 2;

/// The one row of the header: format 1, generation 8, index 32 bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    /// How many commits there were.
    pub(super) generation: u64,
    /// Sum of the index: which records there are.
    pub(super) index: Element,
}

/// A namespace: salt 32, bytes 8 bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Space {
    /// Makes the namespace's keys unlike those of an earlier one of the same name.
    pub(super) salt: [u8; 32],
    /// Bytes of all its values.
    pub(super) bytes: u64,
}

/// A value: id 16, bytes 8, number of chunks 4 bytes, 28 bytes for each chunk, then the name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// Names the value's chunks: 6 bytes of the namespace's tag, so that these lie together, and 10 random ones.
    pub(super) id: [u8; 16],
    /// How many bytes the value has.
    pub(super) bytes: u64,
    /// What each chunk must be. All but the last hold [`CHUNK_LEN`] bytes.
    pub(super) marks: Vec<Mark>,
    /// The name.
    pub(super) name: Vec<u8>,
}

/// The key of a namespace's own record.
pub(super) fn space_key(space: &Tag) -> RecordKey {
    entry_key(space, &[0; 32])
}

/// The key of a value's record.
pub(super) fn entry_key(space: &Tag, name: &Tag) -> RecordKey {
    let mut key = [0; 64];
    let (left, right) = key.split_at_mut(32);
    left.copy_from_slice(space);
    right.copy_from_slice(name);
    key
}

/// Takes fixed-size fields off the front of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], StorageError> {
        let (field, rest) = self.0.split_first_chunk().ok_or_else(bad_format)?;
        self.0 = rest;
        Ok(*field)
    }

    fn end(self) -> Result<(), StorageError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(bad_format())
        }
    }
}

/// Authentic, but not of this format: written by another version of the store.
fn bad_format() -> StorageError {
    StorageError::Corrupt("a record has an unknown format".into())
}

impl Header {
    pub(super) fn seal(&self, keys: &Keys) -> Result<Vec<u8>, StorageError> {
        let generation = self.generation.to_be_bytes();
        keys.seal_header([&[FORMAT], &generation[..], &self.index].concat())
    }

    pub(super) fn open(keys: &Keys, sealed: &[u8]) -> Result<Self, StorageError> {
        let plain = keys.open_header(sealed)?;
        let mut fields = Fields(&plain);
        if fields.take()? != [FORMAT] {
            return Err(bad_format());
        }
        let header = Self {
            generation: u64::from_be_bytes(fields.take()?),
            index: fields.take()?,
        };
        fields.end().map(|()| header)
    }
}

impl Space {
    pub(super) fn seal(&self, keys: &Keys, tag: &Tag) -> Result<Vec<u8>, StorageError> {
        keys.seal_space(tag, [&self.salt[..], &self.bytes.to_be_bytes()].concat())
    }

    pub(super) fn open(keys: &Keys, tag: &Tag, sealed: &[u8]) -> Result<Self, StorageError> {
        let plain = keys.open_space(tag, sealed)?;
        let mut fields = Fields(&plain);
        let space = Self {
            salt: fields.take()?,
            bytes: u64::from_be_bytes(fields.take()?),
        };
        fields.end().map(|()| space)
    }
}

impl Entry {
    /// An empty value.
    pub(super) fn new(keys: &Keys, space: &Tag, name: &[u8]) -> Result<Self, StorageError> {
        let mut id = keys.random::<16>()?;
        for (to, from) in id.iter_mut().zip(space.iter().take(6)) {
            *to = *from;
        }
        Ok(Self {
            id,
            bytes: 0,
            marks: Vec::new(),
            name: name.into(),
        })
    }

    /// Where the chunk of that number is.
    pub(super) fn chunk_key(&self, number: u32) -> ChunkKey {
        let mut key = [0; 20];
        let (left, right) = key.split_at_mut(16);
        left.copy_from_slice(&self.id);
        right.copy_from_slice(&number.to_be_bytes());
        key
    }

    /// The number of the chunk after the last one.
    pub(super) fn chunks(&self) -> Result<u32, StorageError> {
        // 2^32 chunks are 2^48 bytes: the disk is full before.
        u32::try_from(self.marks.len()).map_err(|_| StorageError::Full)
    }

    pub(super) fn seal(
        &self,
        keys: &Keys,
        space: &SpaceKeys,
        key: &RecordKey,
    ) -> Result<Vec<u8>, StorageError> {
        let plain = [
            &self.id[..],
            &self.bytes.to_be_bytes(),
            &self.chunks()?.to_be_bytes(),
            self.marks.as_flattened(),
            &self.name,
        ]
        .concat();
        keys.seal_value(space, key, plain)
    }

    pub(super) fn open(
        keys: &Keys,
        space: &SpaceKeys,
        key: &RecordKey,
        sealed: &[u8],
    ) -> Result<Self, StorageError> {
        let plain = keys.open_value(space, key, sealed)?;
        let mut fields = Fields(&plain);
        let id = fields.take()?;
        let bytes = u64::from_be_bytes(fields.take()?);
        let chunks = u32::from_be_bytes(fields.take()?);
        let marks = (0..chunks)
            .map(|_| fields.take())
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id,
            bytes,
            marks,
            name: fields.0.to_vec(),
        })
    }
}
