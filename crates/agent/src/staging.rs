//! A transaction that holds the store only while it commits.
//!
//! A manifest is processed while payloads come in over the network, at the pace of whoever sends them. Were the
//! store's one write transaction open all that time, every Trusted Application that wants to store something
//! would wait for that sender. So changes are collected here: small ones in memory, long ones, piece by piece,
//! in a namespace of the store that is nobody's. [`Transaction::commit`] then moves everything to its place in
//! one transaction of the store.
//!
//! Nobody but the agent changes what the agent reads here, and it does one thing at a time; so what was read
//! while collecting still holds when it is committed.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use zeroize::{Zeroize as _, Zeroizing};

use crate::platform::{Namespace, Storage, StorageError, Transaction, View};

/// Bytes of one value that are held in memory before they go to the staging namespace.
const IN_MEMORY: usize = 256 * 1024;

/// Bytes moved at a time when a staged value goes to its place.
const PIECE: usize = 64 * 1024;

type Name = (Namespace, Vec<u8>);

/// Collected changes over the last committed state.
pub(crate) struct Staged<'a> {
    storage: &'a dyn Storage,
    changes: BTreeMap<Name, Change>,
    destroyed: BTreeSet<Namespace>,
    /// Number of the next value in the staging namespace.
    next: u64,
}

enum Change {
    Removed,
    Written(Value),
}

/// A value being collected: a part in the staging namespace, perhaps, and the rest in memory.
#[derive(Default)]
struct Value {
    staged: Option<(u64, u64)>,
    /// May be Personalization Data.
    tail: Zeroizing<Vec<u8>>,
}

impl Value {
    fn staged_len(&self) -> u64 {
        self.staged.map_or(0, |(_, length)| length)
    }

    fn len(&self) -> u64 {
        self.staged_len() + self.tail.len() as u64
    }

    /// Adds to what is in memory. A buffer that is too small is zeroed when a larger one takes its place.
    fn push(&mut self, chunk: &[u8]) {
        let needed = self.tail.len().saturating_add(chunk.len());
        if needed > self.tail.capacity() {
            let capacity = needed.max(self.tail.capacity().saturating_mul(2));
            let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
            larger.extend_from_slice(&self.tail);
            self.tail = larger;
        }
        self.tail.extend_from_slice(chunk);
    }
}

/// Removes what is left in the staging namespace.
///
/// # Errors
///
/// Those of the storage.
pub(crate) fn clear(storage: &dyn Storage) -> Result<(), StorageError> {
    let space = Namespace::staging();
    if storage.view()?.usage(&space)? == 0 {
        return Ok(());
    }
    let mut transaction = storage.begin()?;
    transaction.destroy(&space)?;
    transaction.commit()?;
    // A store that never writes in place has the room for others only once it is committed once more.
    storage.begin()?.commit()
}

/// A payload that did not come whole gives its room back at once: applications may need it before the next
/// manifest comes.
impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if self.next > 0 {
            // If it can't be now, it is before the next manifest.
            let _ = clear(self.storage);
        }
    }
}

fn staged_name(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

impl<'a> Staged<'a> {
    /// Starts collecting. What an earlier one left in the staging namespace is removed.
    pub(crate) fn begin(storage: &'a dyn Storage) -> Result<Self, StorageError> {
        clear(storage)?;
        Ok(Self {
            storage,
            changes: BTreeMap::new(),
            destroyed: BTreeSet::new(),
            next: 0,
        })
    }

    /// Applies `read` to the committed state, unless the namespace is destroyed.
    fn below<T: Default>(
        &self,
        space: &Namespace,
        read: impl FnOnce(&dyn View) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        if self.destroyed.contains(space) {
            return Ok(T::default());
        }
        read(&*self.storage.view()?)
    }

    fn change(&self, space: &Namespace, name: &[u8]) -> Option<&Change> {
        self.changes.get(&(space.clone(), name.to_vec()))
    }

    /// Writes the part of a value that is in memory to the staging namespace.
    fn spill(&mut self, key: &Name) -> Result<(), StorageError> {
        let Some(Change::Written(value)) = self.changes.get_mut(key) else {
            return Ok(());
        };
        let (number, length) = match value.staged {
            Some(staged) => staged,
            None => {
                self.next += 1;
                (self.next, 0)
            }
        };
        let mut transaction = self.storage.begin()?;
        transaction.append(&Namespace::staging(), &staged_name(number), &value.tail)?;
        transaction.commit()?;
        value.staged = Some((number, length + value.tail.len() as u64));
        value.tail.zeroize();
        Ok(())
    }
}

/// Reads a staged value from `offset`.
fn read_staged(
    view: &dyn View,
    number: u64,
    offset: u64,
    buffer: &mut [u8],
) -> Result<usize, StorageError> {
    let read = view.read_at(&Namespace::staging(), &staged_name(number), offset, buffer)?;
    read.ok_or_else(|| StorageError::Corrupt("a staged payload is gone".into()))
}

impl View for Staged<'_> {
    fn get(&self, space: &Namespace, name: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        match self.change(space, name) {
            None => self.below(space, |view| view.get(space, name)),
            Some(Change::Removed) => Ok(None),
            Some(Change::Written(value)) => {
                let mut whole = match value.staged {
                    None => Vec::new(),
                    Some((number, _)) => {
                        let staged = self.storage.view()?;
                        let found = staged.get(&Namespace::staging(), &staged_name(number))?;
                        found.ok_or_else(|| {
                            StorageError::Corrupt("a staged payload is gone".into())
                        })?
                    }
                };
                whole.extend_from_slice(&value.tail);
                Ok(Some(whole))
            }
        }
    }

    fn length(&self, space: &Namespace, name: &[u8]) -> Result<Option<u64>, StorageError> {
        match self.change(space, name) {
            None => self.below(space, |view| view.length(space, name)),
            Some(Change::Removed) => Ok(None),
            Some(Change::Written(value)) => Ok(Some(value.len())),
        }
    }

    fn read_at(
        &self,
        space: &Namespace,
        name: &[u8],
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, StorageError> {
        let value = match self.change(space, name) {
            None => return self.below(space, |view| view.read_at(space, name, offset, buffer)),
            Some(Change::Removed) => return Ok(None),
            Some(Change::Written(value)) => value,
        };
        let staged_len = value.staged_len();
        let mut read = 0;
        if let Some((number, _)) = value.staged
            && offset < staged_len
        {
            read = read_staged(&*self.storage.view()?, number, offset, buffer)?;
        }
        let rest = buffer.get_mut(read..).unwrap_or_default();
        let start = (offset + read as u64).saturating_sub(staged_len);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let tail = value.tail.get(start..).unwrap_or_default();
        Ok(Some(
            read + tail.iter().zip(rest).map(|(from, to)| *to = *from).count(),
        ))
    }

    fn names(&self, space: &Namespace, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StorageError> {
        let mut names: BTreeSet<Vec<u8>> = self
            .below(space, |view| view.names(space, prefix))?
            .into_iter()
            .collect();
        for ((changed, name), change) in &self.changes {
            if changed == space && name.starts_with(prefix) {
                match change {
                    Change::Removed => names.remove(name),
                    Change::Written(_) => names.insert(name.clone()),
                };
            }
        }
        Ok(names.into_iter().collect())
    }

    fn usage(&self, space: &Namespace) -> Result<u64, StorageError> {
        let mut used = self.below(space, |view| view.usage(space))?;
        for ((changed, name), change) in &self.changes {
            if changed == space {
                let before = self.below(space, |view| view.length(space, name))?;
                used = used.saturating_sub(before.unwrap_or(0));
                if let Change::Written(value) = change {
                    used += value.len();
                }
            }
        }
        Ok(used)
    }
}

impl Transaction for Staged<'_> {
    fn put(&mut self, space: &Namespace, name: &[u8], value: &[u8]) -> Result<(), StorageError> {
        let value = Value {
            staged: None,
            tail: Zeroizing::new(value.to_vec()),
        };
        self.changes
            .insert((space.clone(), name.to_vec()), Change::Written(value));
        Ok(())
    }

    fn append(&mut self, space: &Namespace, name: &[u8], chunk: &[u8]) -> Result<(), StorageError> {
        let key = (space.clone(), name.to_vec());
        if !matches!(self.changes.get(&key), Some(Change::Written(_))) {
            let before = Zeroizing::new(self.get(space, name)?.unwrap_or_default());
            self.put(space, name, &before)?;
        }
        let Some(Change::Written(value)) = self.changes.get_mut(&key) else {
            return Ok(());
        };
        value.push(chunk);
        if value.tail.len() >= IN_MEMORY {
            self.spill(&key)
        } else {
            Ok(())
        }
    }

    fn remove(&mut self, space: &Namespace, name: &[u8]) -> Result<bool, StorageError> {
        let existed = self.length(space, name)?.is_some();
        self.changes
            .insert((space.clone(), name.to_vec()), Change::Removed);
        Ok(existed)
    }

    fn destroy(&mut self, space: &Namespace) -> Result<(), StorageError> {
        self.changes.retain(|(changed, _), _| changed != space);
        self.destroyed.insert(space.clone());
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), StorageError> {
        let mut transaction = self.storage.begin()?;
        for space in &self.destroyed {
            transaction.destroy(space)?;
        }
        let mut buffer = Zeroizing::new(vec![0; PIECE]);
        let mut any_staged = false;
        for ((space, name), change) in &self.changes {
            let Change::Written(value) = change else {
                transaction.remove(space, name)?;
                continue;
            };
            let Some((number, length)) = value.staged else {
                transaction.put(space, name, &value.tail)?;
                continue;
            };
            any_staged = true;
            transaction.put(space, name, &[])?;
            let mut offset = 0;
            while offset < length {
                let read = read_staged(&*transaction, number, offset, &mut buffer)?;
                if read == 0 {
                    return Err(StorageError::Corrupt(
                        "a staged payload is too short".into(),
                    ));
                }
                transaction.append(space, name, buffer.get(..read).unwrap_or_default())?;
                offset += read as u64;
            }
            transaction.append(space, name, &value.tail)?;
        }
        if any_staged {
            transaction.destroy(&Namespace::staging())?;
        }
        transaction.commit()
    }
}
