//! Where the bytes of a store lie.

use core::fmt;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use tamarack_agent::platform::StorageError;

/// What a [`Store`](super::Store) keeps its bytes on: a file, or what a platform has in its place.
///
/// Nothing that it says is trusted. What it loses or gives wrongly is noticed; what it keeps when the power goes decides
/// whether a commit that was reported is there afterwards. One store has it for itself.
pub trait Medium: fmt::Debug + Send + Sync {
    /// How many bytes there are.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::UnexpectedEof`] beyond the end, and those of the medium.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Replaces bytes that are there. May be lost, in whole or in part, until [`sync`](Self::sync).
    ///
    /// # Errors
    ///
    /// Those of the medium. Lack of room should not be one: it shows in [`set_length`](Self::set_length).
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts off what is beyond, or adds zeros, which have their room from now on. May be lost until
    /// [`sync`](Self::sync).
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::StorageFull`] if there is no room, which leaves the length as it was; and those of the medium.
    fn set_length(&self, length: u64) -> io::Result<()>;

    /// Returns once everything before is safe from loss of power.
    ///
    /// # Errors
    ///
    /// Those of the medium; what was before may be lost then.
    fn sync(&self) -> io::Result<()>;
}

/// A file of mode 0600, without holes, locked against other processes.
#[derive(Debug)]
pub(super) struct FileMedium {
    file: File,
    path: PathBuf,
}

impl FileMedium {
    /// Opens the file, making it if it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let failed = |what: &str, error: io::Error| {
            StorageError::Failed(format!("can't {what} {}: {error}", path.display()))
        };
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed("open", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("{} is open in another process", path.display());
                return Err(StorageError::Failed(text));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
        }
        if is_new && let Some(folder) = path.parent() {
            // A file whose name is lost with the power looks like a store that was taken away.
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|error| failed("keep the name of", error))?;
        }
        Ok(Self {
            file,
            path: path.into(),
        })
    }

    /// Makes the disk give the room for what lies between two positions.
    fn fill(&self, from: u64, to: u64) -> io::Result<()> {
        let zeros = [0; 64 << 10];
        let mut position = from;
        while let Some(left) = to.checked_sub(position).filter(|left| *left > 0) {
            let len = usize::try_from(left).unwrap_or(zeros.len());
            let piece = zeros.get(..len).unwrap_or(&zeros);
            self.file.write_all_at(piece, position)?;
            position = position.saturating_add(piece.len() as u64);
        }
        Ok(())
    }
}

impl Medium for FileMedium {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let old = self.length()?;
        self.file.set_len(length)?;
        // A file with holes would find the disk full in the middle of a commit, and again at the next.
        self.fill(old, length).inspect_err(|_| {
            if let Err(error) = self.file.set_len(old) {
                let path = self.path.display();
                tracing::warn!(%path, %error, "the file could not be shortened again");
            }
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
