use core::cell::RefCell;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tamarack_agent::platform::{Namespace, StorageError, View};
use zeroize::Zeroizing;

use super::{
    index::{Index, values_of},
    keys::{Keys, SpaceKeys, Tag, mark},
    record::{CHUNK_LEN, ChunkKey, Entry, RecordKey, Space, entry_key, space_key},
    rows::Rows,
};

/// Reads one state of the store, and checks all that it reads against the index of that state.
pub(super) struct Reader<R> {
    pub(super) keys: Arc<Keys>,
    pub(super) rows: R,
    pub(super) index: Arc<Index>,
    /// Values that a transaction changed; `None` is one that it removed.
    pub(super) written: BTreeMap<RecordKey, Option<Written>>,
    /// Namespaces that were opened; `None` is one that does not exist.
    spaces: RefCell<BTreeMap<Tag, Option<OpenSpace>>>,
    /// The last record and the last chunk that were opened, as reads mostly follow one another.
    last_entry: RefCell<Option<(RecordKey, Entry)>>,
    last_chunk: RefCell<Option<(ChunkKey, Zeroizing<Vec<u8>>)>>,
}

/// A namespace with its keys.
#[derive(Clone)]
pub(super) struct OpenSpace {
    pub(super) tag: Tag,
    pub(super) keys: SpaceKeys,
    pub(super) space: Space,
}

/// A value that a transaction changed.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) entry: Entry,
    /// What follows the last chunk: fewer than [`CHUNK_LEN`] bytes that are not in the database yet.
    pub(super) tail: Zeroizing<Vec<u8>>,
}

impl<R: Rows> Reader<R> {
    pub(super) fn new(keys: Arc<Keys>, rows: R, index: Arc<Index>) -> Self {
        Self {
            keys,
            rows,
            index,
            written: BTreeMap::new(),
            spaces: RefCell::default(),
            last_entry: RefCell::default(),
            last_chunk: RefCell::default(),
        }
    }

    /// A sealed record: the one that the index says must be there.
    fn record(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(expected) = self.index.expected(key) else {
            return Ok(None);
        };
        match self.rows.record(key)? {
            Some(sealed) if self.keys.element(key, &sealed) == *expected => Ok(Some(sealed)),
            Some(_) => Err(StorageError::Corrupt(
                "a record is not the one last written".into(),
            )),
            None => Err(StorageError::Corrupt("a record is gone".into())),
        }
    }

    pub(super) fn space(&self, space: &Namespace) -> Result<Option<OpenSpace>, StorageError> {
        let tag = self.keys.space_tag(space);
        if let Some(known) = self.spaces.borrow().get(&tag) {
            return Ok(known.clone());
        }
        let open = match self.record(&space_key(&tag))? {
            None => None,
            Some(sealed) => {
                let content = Space::open(&self.keys, &tag, &sealed)?;
                let keys = self.keys.space(space, &content.salt);
                Some(OpenSpace {
                    tag,
                    keys,
                    space: content,
                })
            }
        };
        self.spaces.borrow_mut().insert(tag, open.clone());
        Ok(open)
    }

    /// Remembers what a transaction made of a namespace.
    pub(super) fn set_space(&mut self, tag: Tag, space: Option<OpenSpace>) {
        self.spaces.get_mut().insert(tag, space);
    }

    /// A namespace that was opened or set before.
    pub(super) fn known_space(&self, tag: &Tag) -> Option<OpenSpace> {
        self.spaces.borrow().get(tag).cloned().flatten()
    }

    /// Where the record of a value is.
    pub(super) fn key(&self, space: &OpenSpace, name: &[u8]) -> RecordKey {
        entry_key(&space.tag, &self.keys.name_tag(&space.keys, name))
    }

    /// Keys of all values of a namespace.
    pub(super) fn values(&self, space: &OpenSpace) -> BTreeSet<RecordKey> {
        let mut keys: BTreeSet<_> = self.index.values(&space.tag).copied().collect();
        for (key, written) in self.written.range(values_of(&space.tag)) {
            match written {
                Some(_) => keys.insert(*key),
                None => keys.remove(key),
            };
        }
        keys
    }

    pub(super) fn entry(
        &self,
        space: &OpenSpace,
        key: &RecordKey,
    ) -> Result<Option<Entry>, StorageError> {
        if let Some(written) = self.written.get(key) {
            return Ok(written.as_ref().map(|written| written.entry.clone()));
        }
        if let Some((last, entry)) = &*self.last_entry.borrow()
            && last == key
        {
            return Ok(Some(entry.clone()));
        }
        let Some(sealed) = self.record(key)? else {
            return Ok(None);
        };
        let entry = Entry::open(&self.keys, &space.keys, key, &sealed)?;
        *self.last_entry.borrow_mut() = Some((*key, entry.clone()));
        Ok(Some(entry))
    }

    /// Hands the bytes of a chunk to `see`: the one that the value's record says must be there.
    pub(super) fn with_chunk<T>(
        &self,
        space: &OpenSpace,
        entry: &Entry,
        number: u32,
        see: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, StorageError> {
        let key = entry.chunk_key(number);
        let mut last = self.last_chunk.borrow_mut();
        if let Some((last, chunk)) = &*last
            && *last == key
        {
            return Ok(see(chunk));
        }
        let wrong = |problem: &str| StorageError::Corrupt(format!("a piece of a value {problem}"));
        let expected = usize::try_from(number)
            .ok()
            .and_then(|number| entry.marks.get(number));
        let sealed = self.rows.chunk(&key)?.ok_or_else(|| wrong("is gone"))?;
        if expected != Some(&mark(&sealed)) {
            return Err(wrong("is not the one last written"));
        }
        let chunk = Zeroizing::new(self.keys.open_value(&space.keys, &key, &sealed)?);
        let seen = see(&chunk);
        *last = Some((key, chunk));
        Ok(seen)
    }

    /// A chunk under that key is about to be written or removed.
    pub(super) fn forget_chunk(&self) {
        *self.last_chunk.borrow_mut() = None;
    }

    /// Copies what a value has from `offset` on, up to the end of a chunk.
    fn read_some(
        &self,
        space: &OpenSpace,
        key: &RecordKey,
        entry: &Entry,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, StorageError> {
        let chunk_len = CHUNK_LEN as u64;
        let Ok(number) = u32::try_from(offset / chunk_len) else {
            return Ok(0); // No value is that long.
        };
        let within = usize::try_from(offset % chunk_len).unwrap_or_default();
        let mut copy = |chunk: &[u8]| {
            let from = chunk.get(within..).unwrap_or_default();
            buffer
                .iter_mut()
                .zip(from)
                .map(|(to, from)| *to = *from)
                .count()
        };
        if number < entry.chunks()? {
            return self.with_chunk(space, entry, number, copy);
        }
        match self.written.get(key) {
            Some(Some(written)) => Ok(copy(&written.tail)),
            _ => Ok(0),
        }
    }
}

impl<R: Rows> View for Reader<R> {
    fn get(&self, space: &Namespace, name: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(len) = self.length(space, name)? else {
            return Ok(None);
        };
        let too_long = |_| StorageError::Failed("a value is too long to be read whole".into());
        let mut value = vec![0; usize::try_from(len).map_err(too_long)?];
        self.read_at(space, name, 0, &mut value)?;
        Ok(Some(value))
    }

    fn length(&self, space: &Namespace, name: &[u8]) -> Result<Option<u64>, StorageError> {
        let Some(space) = self.space(space)? else {
            return Ok(None);
        };
        let entry = self.entry(&space, &self.key(&space, name))?;
        Ok(entry.map(|entry| entry.bytes))
    }

    fn read_at(
        &self,
        space: &Namespace,
        name: &[u8],
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, StorageError> {
        let Some(space) = self.space(space)? else {
            return Ok(None);
        };
        let key = self.key(&space, name);
        let Some(entry) = self.entry(&space, &key)? else {
            return Ok(None);
        };
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..)
            && !rest.is_empty()
        {
            let at = offset.saturating_add(done as u64);
            let read = self.read_some(&space, &key, &entry, at, rest)?;
            if read == 0 {
                break;
            }
            done += read;
        }
        Ok(Some(done))
    }

    fn names(&self, space: &Namespace, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StorageError> {
        let Some(space) = self.space(space)? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for key in self.values(&space) {
            if let Some(entry) = self.entry(&space, &key)?
                && entry.name.starts_with(prefix)
            {
                names.push(entry.name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn count(&self, space: &Namespace) -> Result<u64, StorageError> {
        let space = self.space(space)?;
        Ok(space.map_or(0, |space| self.values(&space).len() as u64))
    }

    fn usage(&self, space: &Namespace) -> Result<u64, StorageError> {
        Ok(self.space(space)?.map_or(0, |space| space.space.bytes))
    }
}
