//! The file under the database, and what its errors mean.

use core::ops::Bound;
use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::Path};

use redb::{BackendError, Builder, Database, StorageBackend, backends::FileBackend};
use tamarack_agent::platform::StorageError;

use super::StoreOptions;

pub(super) fn open(path: &Path, options: &StoreOptions) -> Result<Database, StorageError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| StorageError::Failed(format!("can't open {}: {error}", path.display())))?;
    let backend = FileBackend::new(file).map_err(failed)?;
    Builder::new()
        .set_cache_size(options.cache_bytes)
        // The file was in hands that are not trusted; what the seals don't cover must not make redb stumble.
        .set_check_integrity_on_open(true)
        .create_with_backend(Limited { file: backend, max_bytes: options.max_bytes })
        .map_err(failed)
}

/// A file that does not grow beyond a limit, and has no holes.
#[derive(Debug)]
struct Limited {
    file: FileBackend,
    max_bytes: u64,
}

impl Limited {
    /// Makes the disk give the room for what lies between two positions.
    fn fill(&self, from: u64, to: u64) -> io::Result<()> {
        let zeros = [0; 64 << 10];
        let mut position = from;
        while let Some(left) = to.checked_sub(position).filter(|left| *left > 0) {
            let len = usize::try_from(left).unwrap_or(zeros.len());
            let piece = zeros.get(..len).unwrap_or(&zeros);
            self.file.write(position, piece)?;
            position = position.saturating_add(piece.len() as u64);
        }
        Ok(())
    }
}

impl StorageBackend for Limited {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.max_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let old = self.file.len()?;
        self.file.set_len(len)?;
        // A file with holes would find the disk full in the middle of a commit, and again at the next.
        self.fill(old, len).inspect_err(|_| {
            if let Err(error) = self.file.set_len(old) {
                tracing::warn!(%error, "the store's file could not be shortened again");
            }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

/// What an error of the medium means to the caller.
pub(super) fn failed(error: impl Into<redb::Error>) -> StorageError {
    match error.into() {
        redb::Error::Io(error) if is_full(&error) => StorageError::Full,
        redb::Error::Corrupted(problem) => StorageError::Corrupt(problem),
        error => StorageError::Failed(error.to_string()),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
