//! The sealed, transactional storage: [`Storage`] over a `redb` database.
//!
//! # What is promised
//!
//! - **Sealed.** Values, names and the names of namespaces are encrypted with AES-256-GCM, each namespace under a key
//!   of its own. The file shows how many namespaces there are, how many values each has, and how long these are.
//! - **Bound.** A piece of a value opens only at its place: in its namespace, under its name, as that piece. What all
//!   records are and the store's generation are sealed in its header, so a file in which anything was taken away,
//!   put back or exchanged, even by older authentic pieces, is refused as corrupt.
//! - **Fresh.** Each commit raises the generation and the platform's
//!   [monotonic counter](crate::platform::MonotonicCounter). A file older than the counter is refused as rolled back,
//!   so is a missing one. This is worth as much as the platform's counter.
//! - **Atomic.** A crash or a loss of power at any instant leaves the state before or after a commit. A full disk is an
//!   error, and leaves the state before and room enough to remove something.
//! - **Not repaired to something older.** What does not authenticate, or makes no sense to the database, is an error, at
//!   the start or when it is read. redb would go back to the commit before when the last one is damaged; it does not,
//!   as all commits have two phases, and where it is made to, the counter shows it.
//! - **Forgetting.** Destroying a namespace removes the random salt of its key. What is left of its values in free
//!   pages is sealed under a key that nobody can derive any more; copies of the file made before still hold the salt,
//!   and so does the file until its page is used again.
//!
//! # How
//!
//! Table `records` maps 32 bytes of namespace tag and 32 of name tag (both derived with keys, so they tell
//! nothing) to a sealed `Entry`: the name, the length, and what binds the pieces. The name
//! tag zero holds the `Space`: the salt of the namespace's key, and how many bytes its values have. Table
//! `chunks` maps the id of a value and a number to a sealed piece of 63 KiB, or less at the end. Table `header` has one
//! row: the sealed `Header`.
//!
//! A commit and the counter can't move in one step. The store goes first: a generation one above the counter is a crash
//! between the two, and the counter follows at the next opportunity.
//!
//! A number for each record is held in memory, with its place 96 bytes; a commit changes the numbers of what it changes, however
//! many records there are.

mod compaction;
mod database;
mod index;
mod keys;
mod medium;
mod read;
mod record;
mod rows;
mod transaction;

#[cfg(test)]
mod tests;

use core::fmt;
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::{Database, ReadableDatabase, WriteTransaction};
use tamarack_agent::platform::{Storage, StorageError, Transaction, View};
use tamarack_cose::CryptoProvider;

use crate::platform::{PlatformFault, TeePlatform};
pub use compaction::Compaction;
pub use medium::Medium;

use database::{Opened, failed, medium_failed};
use index::{Changes, Index};
use keys::Keys;
use medium::FileMedium;
use read::Reader;
use record::Header;
use rows::{Guarded, Rows, RowsMut};
use transaction::Write;

/// Limits of a [`Store`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Most bytes of the medium; a transaction that would need more fails with [`StorageError::Full`].
    /// Default: no limit but the disk.
    pub max_bytes: u64,
    /// Bytes of memory for caching pages of the file. Default: 16 MiB.
    pub cache_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_bytes: u64::MAX,
            cache_bytes: 16 << 20,
        }
    }
}

/// The storage of a TEE: see the [module](self).
pub struct Store {
    medium: Arc<dyn Medium>,
    options: StoreOptions,
    platform: Arc<dyn TeePlatform>,
    keys: Arc<Keys>,
    /// Held by the one transaction that may write.
    writer: Mutex<()>,
    state: Mutex<State>,
}

/// What has to change together at a commit.
struct State {
    /// `None` after a failure of the medium, until it is opened again.
    database: Option<Opened>,
    generation: u64,
    index: Arc<Index>,
}

impl Store {
    /// Opens the store in the file `path`, making it if the platform never had one.
    ///
    /// Reads and checks the whole file.
    ///
    /// # Errors
    ///
    /// [`StorageError::RolledBack`] if the file is older than the platform's counter, or missing though there was one;
    /// [`StorageError::Corrupt`] if it does not authenticate; [`StorageError::Failed`] if it can't be read, or is open in
    /// another process.
    pub fn open(
        path: &Path,
        platform: Arc<dyn TeePlatform>,
        crypto: &CryptoProvider,
        options: StoreOptions,
    ) -> Result<Self, StorageError> {
        let store = Self::open_as_it_is(path, platform, crypto, options)?;
        store.compact_what_is_mostly_free();
        Ok(store)
    }

    /// As [`open`](Self::open), and leaves the file as long as it is.
    pub(crate) fn open_as_it_is(
        path: &Path,
        platform: Arc<dyn TeePlatform>,
        crypto: &CryptoProvider,
        options: StoreOptions,
    ) -> Result<Self, StorageError> {
        if !path.exists() && platform.counter().value().map_err(counter_failed)? > 0 {
            // Nothing is made in its place.
            return Err(StorageError::RolledBack);
        }
        let medium = Arc::new(FileMedium::open(path)?);
        Self::over(medium, platform, crypto, options)
    }

    /// Opens the store on a medium, making it if the platform never had one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(
        medium: Arc<dyn Medium>,
        platform: Arc<dyn TeePlatform>,
        crypto: &CryptoProvider,
        options: StoreOptions,
    ) -> Result<Self, StorageError> {
        let store = Self::over(medium, platform, crypto, options)?;
        store.compact_what_is_mostly_free();
        Ok(store)
    }

    fn over(
        medium: Arc<dyn Medium>,
        platform: Arc<dyn TeePlatform>,
        crypto: &CryptoProvider,
        options: StoreOptions,
    ) -> Result<Self, StorageError> {
        let keys = Arc::new(Keys::new(crypto, platform.root_key()));
        let state = open_state(&medium, &*platform, &keys, &options)?;
        Ok(Self {
            medium,
            options,
            platform,
            keys,
            writer: Mutex::new(()),
            state: Mutex::new(state),
        })
    }

    fn lock_writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whatever panicked: the state is replaced as a whole or not at all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the database, which is opened again if it failed before.
    fn with_database<R>(
        &self,
        mut call: impl FnMut(&mut Database, &Arc<Index>) -> Result<R, redb::Error>,
    ) -> Result<R, StorageError> {
        let mut state = self.state();
        for _ in 0..2 {
            if state.database.is_none() {
                self.open_again(&mut state)?;
            }
            let State {
                database: Some(opened),
                index,
                ..
            } = &mut *state
            else {
                break;
            };
            let outcome = opened.with(|database| match call(database, index) {
                // redb does not go on after a failed write until the file was opened again.
                Err(redb::Error::PreviousIo | redb::Error::DatabaseClosed) => Ok(None),
                other => other.map(Some).map_err(failed),
            });
            if let Some(done) = outcome.inspect_err(|_| state.database = None)? {
                return Ok(done);
            }
            state.database = None;
        }
        Err(StorageError::Failed(
            "the file can't be used after an error of its medium".into(),
        ))
    }

    fn open_again(&self, state: &mut State) -> Result<(), StorageError> {
        state.database = None;
        *state = open_state(&self.medium, &*self.platform, &self.keys, &self.options)?;
        Ok(())
    }

    /// Makes a transaction durable: its rows are written, `changes` is what that does to the index.
    fn commit(
        &self,
        rows: Guarded<WriteTransaction>,
        changes: Changes,
    ) -> Result<(), StorageError> {
        let mut state = self.state();
        // A counter that fell behind (see the module) must not fall behind further.
        catch_up(&*self.platform, state.generation)?;
        let header = Header {
            generation: state.generation.saturating_add(1),
            index: state.index.sum_after(&changes),
        };
        rows.put_header(&header.seal(&self.keys)?)?;
        match rows.commit() {
            Ok(()) => {
                state.generation = header.generation;
                Arc::make_mut(&mut state.index).change(changes);
            }
            Err(error) => {
                // Whether the last write reached the medium, only the medium knows.
                self.open_again(&mut state).map_err(|_| error.clone())?;
                if state.generation != header.generation {
                    return Err(error);
                }
            }
        }
        if let Err(error) = catch_up(&*self.platform, state.generation) {
            // The change is durable and will be found; only its rollback would not be noticed yet.
            tracing::warn!(%error, "the monotonic counter did not follow a commit");
        }
        Ok(())
    }
}

impl Storage for Store {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StorageError> {
        // Waits here, not in redb, so that the state's lock is free for the commit that is waited for.
        let writer = self.lock_writer();
        let (rows, index) = self.with_database(|database, index| {
            let mut rows = database.begin_write()?;
            // With one phase, redb takes a damaged commit for one that was interrupted, and goes back to the one before.
            rows.set_two_phase_commit(true);
            Ok((Guarded::new(rows), index.clone()))
        })?;
        Ok(Box::new(Write::new(self, writer, rows, index)))
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StorageError> {
        let (rows, index) = self.with_database(|database, index| {
            Ok((Guarded::new(database.begin_read()?), index.clone()))
        })?;
        Ok(Box::new(Reader::new(self.keys.clone(), rows, index)))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("medium", &self.medium)
            .finish_non_exhaustive()
    }
}

fn open_state(
    medium: &Arc<dyn Medium>,
    platform: &dyn TeePlatform,
    keys: &Keys,
    options: &StoreOptions,
) -> Result<State, StorageError> {
    let counter = platform.counter().value().map_err(counter_failed)?;
    match counter {
        0 if database::is_unfinished(&**medium).map_err(medium_failed)? => {
            medium.set_length(0).map_err(medium_failed)?;
        }
        0 => {}
        _ if medium.length().map_err(medium_failed)? == 0 => return Err(StorageError::RolledBack),
        _ => {}
    }
    let mut opened = database::open(medium, options)?;
    let read = |database: &mut Database| {
        let rows = database.begin_read().map_err(failed)?;
        let Some(header) = rows.header()? else {
            return Ok(None);
        };
        let header = Header::open(keys, &header)?;
        Ok(Some((header, Index::of(&rows, keys)?)))
    };
    let Some((header, index)) = opened.with(read)? else {
        // Nothing was ever committed, unless the counter knows better.
        return match counter {
            0 => Ok(State {
                database: Some(opened),
                generation: 0,
                index: Arc::default(),
            }),
            _ => Err(StorageError::RolledBack),
        };
    };
    if index.sum() != header.index {
        return Err(StorageError::Corrupt(
            "the records are not those of the last commit".into(),
        ));
    }
    if header.generation < counter {
        return Err(StorageError::RolledBack);
    }
    catch_up(platform, header.generation)?;
    Ok(State {
        database: Some(opened),
        generation: header.generation,
        index: Arc::new(index),
    })
}

fn catch_up(platform: &dyn TeePlatform, generation: u64) -> Result<(), StorageError> {
    let counter = platform.counter();
    let value = counter.value().map_err(counter_failed)?;
    match generation.checked_sub(value) {
        Some(0) => Ok(()),
        Some(1) => counter.increment().map(|_| ()).map_err(counter_failed),
        // Somebody turned the counter back, or the store belongs to another platform.
        _ => Err(StorageError::RolledBack),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn counter_failed(fault: PlatformFault) -> StorageError {
    StorageError::Failed(fault.to_string())
}
