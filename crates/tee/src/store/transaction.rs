use std::{
    collections::BTreeSet,
    sync::{Arc, MutexGuard},
};

use redb::WriteTransaction;
use tamarack_agent::platform::{Namespace, StorageError, Transaction, View};
use zeroize::Zeroizing;

use super::{
    Store,
    index::{Changes, Index},
    keys::{Tag, mark},
    read::{OpenSpace, Reader, Written},
    record::{CHUNK_LEN, Entry, RecordKey, Space, space_key},
    rows::{Guarded, RowsMut},
};

/// The one transaction that writes. Dropped, it leaves no trace.
///
/// Full chunks go to the database as they come; records, and the last chunk of each value, at the commit.
pub(super) struct Write<'a> {
    store: &'a Store,
    reader: Reader<Guarded<WriteTransaction>>,
    /// Namespaces that were changed or destroyed.
    touched: BTreeSet<Tag>,
    /// Whether somebody's values were written, and not only records of the agent, which are few.
    fills: bool,
    /// Dropped last: the next writer must not start before this one's rows are gone.
    _writer: MutexGuard<'a, ()>,
}

impl<'a> Write<'a> {
    pub(super) fn new(
        store: &'a Store,
        writer: MutexGuard<'a, ()>,
        rows: Guarded<WriteTransaction>,
        index: Arc<Index>,
    ) -> Self {
        let reader = Reader::new(store.keys.clone(), rows, index);
        Self {
            store,
            reader,
            touched: BTreeSet::new(),
            fills: false,
            _writer: writer,
        }
    }

    /// The namespace, to write a value there, made if there is none.
    fn writable_space(&mut self, space: &Namespace) -> Result<OpenSpace, StorageError> {
        self.fills |= *space != Namespace::agent();
        if let Some(open) = self.reader.space(space)? {
            return Ok(open);
        }
        let content = Space {
            salt: self.reader.keys.random()?,
            bytes: 0,
        };
        let keys = self.reader.keys.space(space, &content.salt);
        Ok(OpenSpace {
            tag: self.reader.keys.space_tag(space),
            keys,
            space: content,
        })
    }

    fn touch(&mut self, tag: Tag, space: Option<OpenSpace>) {
        self.touched.insert(tag);
        self.reader.set_space(tag, space);
    }

    fn remove_chunks(&self, entry: &Entry) -> Result<(), StorageError> {
        self.reader.forget_chunk();
        (0..entry.chunks()?)
            .try_for_each(|number| self.reader.rows.remove_chunk(&entry.chunk_key(number)))
    }

    /// Adds a chunk to the end of a value.
    fn push_chunk(
        &self,
        space: &OpenSpace,
        entry: &mut Entry,
        chunk: &[u8],
    ) -> Result<(), StorageError> {
        let place = entry.chunk_key(entry.chunks()?);
        let sealed = self
            .reader
            .keys
            .seal_value(&space.keys, &place, chunk.to_vec())?;
        self.reader.forget_chunk();
        self.reader.rows.put_chunk(&place, &sealed)?;
        entry.marks.push(mark(&sealed));
        Ok(())
    }

    /// A value as it can be appended to: a last chunk that is not full becomes the tail again.
    fn reopen(
        &mut self,
        space: &OpenSpace,
        key: &RecordKey,
        name: &[u8],
    ) -> Result<Written, StorageError> {
        let entry = match self.reader.written.remove(key) {
            Some(Some(written)) => return Ok(written),
            Some(None) => None,
            None => self.reader.entry(space, key)?,
        };
        let Some(mut entry) = entry else {
            let entry = Entry::new(&self.reader.keys, &space.tag, name)?;
            return Ok(Written {
                entry,
                tail: Zeroizing::default(),
            });
        };
        let mut tail = Zeroizing::default();
        if entry.bytes % CHUNK_LEN as u64 != 0
            && let Some(last) = entry.chunks()?.checked_sub(1)
        {
            tail = self
                .reader
                .with_chunk(space, &entry, last, |chunk| Zeroizing::new(chunk.to_vec()))?;
            self.reader.rows.remove_chunk(&entry.chunk_key(last))?;
            entry.marks.pop();
        }
        Ok(Written { entry, tail })
    }

    /// Adds `data` to the end of a value.
    fn extend(
        &mut self,
        mut space: OpenSpace,
        key: RecordKey,
        mut value: Written,
        mut data: &[u8],
    ) -> Result<(), StorageError> {
        let len = data.len() as u64;
        while value.tail.len().saturating_add(data.len()) >= CHUNK_LEN {
            let room = CHUNK_LEN.saturating_sub(value.tail.len());
            let (now, later) = data.split_at_checked(room).unwrap_or((data, &[]));
            value.tail.extend_from_slice(now);
            self.push_chunk(&space, &mut value.entry, &value.tail)?;
            value.tail.clear();
            data = later;
        }
        value.tail.extend_from_slice(data);
        value.entry.bytes = value.entry.bytes.saturating_add(len);
        space.space.bytes = space.space.bytes.saturating_add(len);
        self.reader.written.insert(key, Some(value));
        self.touch(space.tag, Some(space));
        Ok(())
    }

    /// Writes the records, and says what that does to the index.
    fn write_records(&mut self) -> Result<Changes, StorageError> {
        let mut changes = Changes::new();
        let keys = self.reader.keys.clone();
        let written = core::mem::take(&mut self.reader.written);
        for tag in core::mem::take(&mut self.touched) {
            let space = self.reader.known_space(&tag);
            let sealed = space
                .map(|space| space.space.seal(&keys, &tag))
                .transpose()?;
            self.write_record(&mut changes, space_key(&tag), sealed)?;
        }
        for (key, value) in written {
            // The namespace of a value that is there is there.
            let space = key
                .first_chunk()
                .and_then(|tag| self.reader.known_space(tag));
            let sealed = match (value, space) {
                (Some(Written { mut entry, tail }), Some(space)) => {
                    if !tail.is_empty() {
                        self.push_chunk(&space, &mut entry, &tail)?;
                    }
                    Some(entry.seal(&keys, &space.keys, &key)?)
                }
                _ => None,
            };
            self.write_record(&mut changes, key, sealed)?;
        }
        Ok(changes)
    }

    fn write_record(
        &self,
        changes: &mut Changes,
        key: RecordKey,
        sealed: Option<Vec<u8>>,
    ) -> Result<(), StorageError> {
        match &sealed {
            Some(sealed) => self.reader.rows.put_record(&key, sealed)?,
            None => self.reader.rows.remove_record(&key)?,
        }
        let element = sealed.map(|sealed| self.reader.keys.element(&key, &sealed));
        changes.insert(key, element);
        Ok(())
    }
}

impl View for Write<'_> {
    fn get(&self, space: &Namespace, name: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.reader.get(space, name)
    }

    fn length(&self, space: &Namespace, name: &[u8]) -> Result<Option<u64>, StorageError> {
        self.reader.length(space, name)
    }

    fn read_at(
        &self,
        space: &Namespace,
        name: &[u8],
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, StorageError> {
        self.reader.read_at(space, name, offset, buffer)
    }

    fn names(&self, space: &Namespace, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StorageError> {
        self.reader.names(space, prefix)
    }

    fn count(&self, space: &Namespace) -> Result<u64, StorageError> {
        self.reader.count(space)
    }

    fn usage(&self, space: &Namespace) -> Result<u64, StorageError> {
        self.reader.usage(space)
    }
}

impl Transaction for Write<'_> {
    fn put(&mut self, space: &Namespace, name: &[u8], value: &[u8]) -> Result<(), StorageError> {
        let mut space = self.writable_space(space)?;
        let key = self.reader.key(&space, name);
        if let Some(old) = self.reader.entry(&space, &key)? {
            self.remove_chunks(&old)?;
            space.space.bytes = space.space.bytes.saturating_sub(old.bytes);
        }
        let entry = Entry::new(&self.reader.keys, &space.tag, name)?;
        self.extend(
            space,
            key,
            Written {
                entry,
                tail: Zeroizing::default(),
            },
            value,
        )
    }

    fn append(&mut self, space: &Namespace, name: &[u8], chunk: &[u8]) -> Result<(), StorageError> {
        let space = self.writable_space(space)?;
        let key = self.reader.key(&space, name);
        let value = self.reopen(&space, &key, name)?;
        self.extend(space, key, value, chunk)
    }

    fn remove(&mut self, space: &Namespace, name: &[u8]) -> Result<bool, StorageError> {
        let Some(mut space) = self.reader.space(space)? else {
            return Ok(false);
        };
        let key = self.reader.key(&space, name);
        let Some(entry) = self.reader.entry(&space, &key)? else {
            return Ok(false);
        };
        self.remove_chunks(&entry)?;
        self.reader.written.insert(key, None);
        space.space.bytes = space.space.bytes.saturating_sub(entry.bytes);
        self.touch(space.tag, Some(space));
        Ok(true)
    }

    fn destroy(&mut self, space: &Namespace) -> Result<(), StorageError> {
        let Some(space) = self.reader.space(space)? else {
            return Ok(());
        };
        // In the order in which they lie in the file: of the pages that are changed on the way, few exist at a time,
        // which is what a full disk has room for.
        let mut chunks = BTreeSet::new();
        for key in self.reader.values(&space) {
            if let Some(entry) = self.reader.entry(&space, &key)? {
                chunks.extend((0..entry.chunks()?).map(|number| entry.chunk_key(number)));
            }
            self.reader.written.insert(key, None);
        }
        self.reader.forget_chunk();
        for key in chunks {
            self.reader.rows.remove_chunk(&key)?;
        }
        self.touch(space.tag, None);
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), StorageError> {
        let changes = self.write_records()?;
        let Self {
            store,
            reader,
            touched: _,
            fills,
            _writer,
        } = *self;
        if changes.is_empty() {
            return Ok(());
        }
        // The index is not copied for the commit if nobody else looks at it.
        let Reader { rows, index, .. } = reader;
        drop(index);
        if fills {
            rows.leave_room()?;
        }
        store.commit(rows, changes)
    }
}
