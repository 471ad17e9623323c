//! The database on a medium, and what its errors mean.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{Builder, Database, StorageBackend};
use tamarack_agent::platform::StorageError;

use super::{Medium, StoreOptions};

/// A database that leaves its medium as the last commit left it.
///
/// redb would write once more when it is closed: to trim what lies free at the end, which is what a full device needs
/// to remove anything, and to note what a check at the next start would find out anyway. And it would read for that, with
/// a panic in a panic, which nothing survives, where somebody changed the pages.
pub(super) struct Opened {
    /// There until it is dropped.
    database: Option<Database>,
    is_closing: Arc<AtomicBool>,
}

impl Opened {
    /// Does something with the database, whose pages somebody may have changed since they were checked.
    pub(super) fn with<T>(
        &mut self,
        call: impl FnOnce(&mut Database) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let database = self.database.as_mut();
        guarded(|| call(database.ok_or_else(|| failed(redb::Error::DatabaseClosed))?))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // For a transaction that is still there: it closes the database when it ends.
        self.is_closing.store(true, Ordering::Release);
        let database = self.database.take();
        let _ = catch_unwind(AssertUnwindSafe(move || {
            let _closed_while_unwinding = database;
            // redb leaves its medium alone where it is closed by a panic.
            resume_unwind(Box::new(()))
        }));
    }
}

pub(super) fn open(
    medium: &Arc<dyn Medium>,
    options: &StoreOptions,
) -> Result<Opened, StorageError> {
    let is_closing = Arc::new(AtomicBool::new(false));
    let backend = Backend {
        medium: Arc::clone(medium),
        max_bytes: options.max_bytes,
        is_closing: Arc::clone(&is_closing),
    };
    let database = guarded(|| {
        Builder::new()
            .set_cache_size(options.cache_bytes)
            // The file was in hands that are not trusted; what the seals don't cover must not make redb stumble.
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
            .map_err(failed)
    })?;
    Ok(Opened {
        database: Some(database),
        is_closing,
    })
}

/// Whether the power went while redb made its first pages: it can't go on from there, and nothing was stored yet.
pub(super) fn is_unfinished(medium: &dyn Medium) -> io::Result<bool> {
    // redb writes its magic number, nine bytes, once all else is safe.
    let mut start = [0; 9];
    let length = usize::try_from(medium.length()?).unwrap_or(usize::MAX);
    let start = start.get_mut(..length.min(9)).unwrap_or_default();
    medium.read_at(0, start)?;
    Ok(!start.is_empty() && start.iter().all(|byte| *byte == 0))
}

/// Does something with pages that somebody may have changed since they were checked: redb panics on some of what it
/// never writes.
pub(super) fn guarded<T>(
    call: impl FnOnce() -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    // What is left behind by a panic is not used again: the database is opened anew.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(stumbled()))
}

fn stumbled() -> StorageError {
    StorageError::Corrupt("the pages of the database make no sense".into())
}

/// A medium as redb wants it, which does not grow beyond a limit.
#[derive(Debug)]
struct Backend {
    medium: Arc<dyn Medium>,
    max_bytes: u64,
    is_closing: Arc<AtomicBool>,
}

impl Backend {
    fn check_open(&self) -> io::Result<()> {
        match self.is_closing.load(Ordering::Acquire) {
            true => Err(io::Error::other("the store is closed")),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.check_open()?;
        self.medium.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.check_open()?;
        self.medium.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_open()?;
        if len > self.max_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.medium.set_length(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check_open()?;
        self.medium.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_open()?;
        self.medium.write_at(offset, data)
    }
}

/// What an error of the medium means to the caller.
pub(super) fn failed(error: impl Into<redb::Error>) -> StorageError {
    match error.into() {
        redb::Error::Io(error) => medium_failed(error),
        redb::Error::Corrupted(problem) => StorageError::Corrupt(problem),
        // Such tables are not the store's.
        error @ (redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableIsNotMultimap(_)) => StorageError::Corrupt(error.to_string()),
        error => StorageError::Failed(error.to_string()),
    }
}

/// What an error of the medium means to the caller.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn medium_failed(error: io::Error) -> StorageError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StorageError::Full
        }
        // redb's, for a file that is none of its own.
        io::ErrorKind::InvalidData => StorageError::Corrupt(error.to_string()),
        // Of what the database says it has, something is missing.
        io::ErrorKind::UnexpectedEof => StorageError::Corrupt("the file ends too early".into()),
        _ => StorageError::Failed(error.to_string()),
    }
}
