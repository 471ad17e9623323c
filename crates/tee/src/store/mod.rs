//! The sealed, transactional storage: [`Storage`] over a `redb` file.
//!
//! # What is promised
//!
//! - **Sealed.** Values, names and the names of namespaces are encrypted with AES-256-GCM, each namespace under a key
//!   of its own. The file shows how many namespaces and values there are, and how long these are.
//! - **Bound.** A piece of a value opens only at its place: in its namespace, under its name, as that piece. Digests of
//!   all records and the store's generation are sealed in its header, so a file in which anything was taken away,
//!   put back or exchanged, even by older authentic pieces, is refused as corrupt.
//! - **Fresh.** Each commit raises the generation and the platform's
//!   [monotonic counter](crate::platform::MonotonicCounter). A file older than the counter is refused as rolled back,
//!   so is a missing one. This is worth as much as the platform's counter.
//! - **Atomic.** A crash at any instant leaves the state before or after a commit. A full disk is an error, and leaves
//!   the state before.
//! - **Forgetting.** Destroying a namespace removes the random salt of its key; copies of the file made before still hold
//!   it.
//!
//! # How
//!
//! Table `records` maps 32 bytes of namespace tag and 32 of name tag (both derived with keys, so they tell
//! nothing) to a sealed `Entry`: the name, the length, and what binds the pieces. The name
//! tag zero holds the `Space`: the salt of the namespace's key, and how many bytes its values have. Table
//! `chunks` maps a random value id and a number to a sealed piece of 64 KiB, or less at the end. Table `header` has one
//! row: the sealed `Header`.
//!
//! A commit and the counter can't move in one step. The store goes first: a generation one above the counter is a crash
//! between the two, and the counter follows at the next opportunity.
//!
//! The digests of all records are held in memory (about 100 bytes each) and hashed at each commit: made for
//! thousands of records, not for millions.

mod file;
mod index;
mod keys;
mod read;
mod record;
mod rows;
mod transaction;

#[cfg(test)]
mod tests;

use core::fmt;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::{Database, ReadableDatabase, WriteTransaction};
use tamarack_agent::platform::{Storage, StorageError, Transaction, View};
use tamarack_cose::CryptoProvider;

use crate::platform::{PlatformFault, TeePlatform};
use file::failed;
use index::Index;
use keys::Keys;
use read::Reader;
use record::Header;
use rows::{Rows, RowsMut};
use transaction::Write;

/// Limits of a [`Store`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Most bytes of the file; a transaction that would need more fails with [`StorageError::Full`].
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
    path: PathBuf,
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
    database: Option<Database>,
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
        let keys = Arc::new(Keys::new(crypto, platform.root_key()));
        let state = open_state(path, &*platform, &keys, &options)?;
        Ok(Self {
            path: path.into(),
            options,
            platform,
            keys,
            writer: Mutex::new(()),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whatever panicked: the state is replaced as a whole or not at all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the database, which is opened again if the medium failed before.
    fn with_database<R>(
        &self,
        mut call: impl FnMut(&Database, &State) -> Result<R, redb::Error>,
    ) -> Result<R, StorageError> {
        let mut state = self.state();
        for _ in 0..2 {
            if state.database.is_none() {
                *state = open_state(&self.path, &*self.platform, &self.keys, &self.options)?;
            }
            let Some(database) = &state.database else {
                break;
            };
            match call(database, &state) {
                // redb does not go on after a failed write until the file was opened again.
                Err(redb::Error::PreviousIo | redb::Error::DatabaseClosed) => state.database = None,
                other => return other.map_err(failed),
            }
        }
        Err(StorageError::Failed(
            "the file can't be used after an error of its medium".into(),
        ))
    }

    /// Makes a transaction durable: its rows are written, `index` is what they are now.
    fn commit(&self, rows: WriteTransaction, index: Index) -> Result<(), StorageError> {
        let mut state = self.state();
        // A counter that fell behind (see the module) must not fall behind further.
        catch_up(&*self.platform, state.generation)?;
        let header = Header {
            generation: state.generation.saturating_add(1),
            index: index.digest(&self.keys),
        };
        rows.put_header(&header.seal(&self.keys)?)?;
        match rows.commit() {
            Ok(()) => {
                state.generation = header.generation;
                state.index = Arc::new(index);
            }
            Err(error) => {
                // Whether the last write reached the medium, only the medium knows.
                let error = failed(error);
                state.database = None;
                *state = open_state(&self.path, &*self.platform, &self.keys, &self.options)
                    .map_err(|_| error.clone())?;
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
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, index) = self
            .with_database(|database, state| Ok((database.begin_write()?, state.index.clone())))?;
        Ok(Box::new(Write::new(self, writer, rows, index)))
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StorageError> {
        let (rows, index) = self
            .with_database(|database, state| Ok((database.begin_read()?, state.index.clone())))?;
        Ok(Box::new(Reader::new(self.keys.clone(), rows, index)))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn open_state(
    path: &Path,
    platform: &dyn TeePlatform,
    keys: &Keys,
    options: &StoreOptions,
) -> Result<State, StorageError> {
    let counter = platform.counter().value().map_err(counter_failed)?;
    if counter > 0 && !path.exists() {
        return Err(StorageError::RolledBack);
    }
    let database = file::open(path, options)?;
    let rows = database.begin_read().map_err(failed)?;
    let Some(header) = rows.header()? else {
        drop(rows);
        // Nothing was ever committed, unless the counter knows better.
        return match counter {
            0 => Ok(State {
                database: Some(database),
                generation: 0,
                index: Arc::default(),
            }),
            _ => Err(StorageError::RolledBack),
        };
    };
    let header = Header::open(keys, &header)?;
    let index = Index::of(&rows, keys)?;
    drop(rows);
    if index.digest(keys) != header.index {
        return Err(StorageError::Corrupt(
            "the records are not those of the last commit".into(),
        ));
    }
    if header.generation < counter {
        return Err(StorageError::RolledBack);
    }
    catch_up(platform, header.generation)?;
    Ok(State {
        database: Some(database),
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
