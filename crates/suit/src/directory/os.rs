//! The files of the operating system.
//!
//! Every operation walks from the folder, which is held open, name by name, and follows no link on the
//! way: what is checked is what is operated on, whatever happens to the names in the meantime.

use std::{
    fs::{File, TryLockError},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat},
    io::Errno,
};

use super::{DirectoryDevice, DirectoryError, FileError, Files, name::PRIVATE};
use crate::Identity;

/// Files below a folder of the operating system, which is locked against other processes meanwhile.
///
/// New files and folders are for their owner alone.
// req: SUIT-UPD-027, SUIT-UPD-028, SUIT-UPD-030
pub struct OsFiles {
    root: File,
    /// Holds the lock as long as it is open.
    _lock: File,
    /// The file that was read last, which mostly is the next to be read.
    reading: Option<(String, File)>,
    /// The file that was appended to last.
    writing: Option<(String, File)>,
}

impl DirectoryDevice<OsFiles> {
    /// The device in a folder, which is made if it does not exist.
    ///
    /// The folder is locked until the device is dropped. `folder` itself may be a link; nothing below it
    /// that the device touches may.
    ///
    /// # Errors
    ///
    /// As [`OsFiles::open`] and [`DirectoryDevice::on`].
    pub fn open(folder: impl AsRef<Path>, identity: Identity) -> Result<Self, DirectoryError> {
        Self::on(OsFiles::open(folder)?, identity)
    }
}

impl OsFiles {
    /// Opens a folder, which is made if it does not exist, and locks it.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Busy`] if somebody else has it locked; if a file operation fails.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, DirectoryError> {
        const LOCK: &str = ".suit/lock";
        let folder = folder.as_ref();
        let open = || {
            std::fs::create_dir_all(folder)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = rustix::fs::open(folder, flags, Mode::empty())?;
            make_folder(&File::from(root.try_clone()?), PRIVATE)?;
            Ok(File::from(root))
        };
        let at_folder = |error| DirectoryError::at(&folder.to_string_lossy())(error);
        let root = open().map_err(|error: io::Error| at_folder(error.into()))?;
        let private = open_folder(&root, PRIVATE).map_err(DirectoryError::at(PRIVATE))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
        let lock = open_file(&private, "lock", flags).map_err(DirectoryError::at(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DirectoryError::Busy),
            Err(TryLockError::Error(error)) => return Err(DirectoryError::at(LOCK)(error.into())),
        }
        Ok(Self {
            root,
            _lock: lock,
            reading: None,
            writing: None,
        })
    }

    /// The folder that the last name of a path is in, and that name.
    // req: SUIT-UPD-030
    fn parent<'p>(&self, path: &'p str) -> Result<(File, &'p str), FileError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.folder(folder)?, checked(name)?))
    }

    fn folder(&self, path: &str) -> Result<File, FileError> {
        let mut folder = self.root.try_clone()?;
        if !path.is_empty() {
            for name in path.split('/') {
                folder = open_folder(&folder, checked(name)?)?;
            }
        }
        Ok(folder)
    }

    fn open_below(&self, path: &str, flags: OFlags) -> Result<File, FileError> {
        let (folder, name) = self.parent(path)?;
        open_file(&folder, name, flags)
    }

    fn appending(&mut self, path: &str) -> Result<&mut File, FileError> {
        let open = match self.writing.take() {
            Some(open) if open.0 == path => open,
            _ => {
                let file = self.open_below(path, OFlags::WRONLY | OFlags::APPEND)?;
                (path.into(), file)
            }
        };
        Ok(&mut self.writing.insert(open).1)
    }

    /// A name changes: what is open may be another file afterwards.
    fn close(&mut self) {
        self.reading = None;
        self.writing = None;
    }
}

impl core::fmt::Debug for OsFiles {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OsFiles")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// A name that stays in its folder, wherever the path comes from.
fn checked(name: &str) -> Result<&str, FileError> {
    match name {
        "" | "." | ".." => Err(FileError::Foreign),
        _ => Ok(name),
    }
}

fn open_folder(within: &File, name: &str) -> Result<File, FileError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(within, name, flags, Mode::empty())?.into())
}

/// Opens a regular file. Without NONBLOCK, a pipe that somebody put there could stop us.
fn open_file(within: &File, name: &str, flags: OFlags) -> Result<File, FileError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(openat(within, name, flags, Mode::RUSR | Mode::WUSR)?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(FileError::Foreign),
    }
}

fn make_folder(within: &File, name: &str) -> Result<(), Errno> {
    match mkdirat(within, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Files for OsFiles {
    fn length(&mut self, file: &str) -> Result<Option<u64>, FileError> {
        let found = self
            .parent(file)
            .and_then(|(folder, name)| Ok(statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?));
        match found {
            Ok(found) if FileType::from_raw_mode(found.st_mode).is_file() => {
                Ok(Some(u64::try_from(found.st_size).unwrap_or_default()))
            }
            Ok(_) => Err(FileError::Foreign),
            Err(FileError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_at(&mut self, file: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, FileError> {
        let open = match self.reading.take() {
            Some(open) if open.0 == file => open,
            _ => (file.into(), self.open_below(file, OFlags::RDONLY)?),
        };
        let (_, file) = self.reading.insert(open);
        Ok(file.read_at(buffer, offset)?)
    }

    fn create(&mut self, file: &str) -> Result<(), FileError> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
        self.writing = Some((file.into(), self.open_below(file, flags)?));
        Ok(())
    }

    fn append(&mut self, file: &str, bytes: &[u8]) -> Result<(), FileError> {
        Ok(self.appending(file)?.write_all(bytes)?)
    }

    fn sync(&mut self, file: &str) -> Result<(), FileError> {
        Ok(self.appending(file)?.sync_all()?)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), FileError> {
        self.close();
        let (old_folder, old_name) = self.parent(from)?;
        let (new_folder, new_name) = self.parent(to)?;
        Ok(renameat(&old_folder, old_name, &new_folder, new_name)?)
    }

    fn remove(&mut self, file: &str) -> Result<(), FileError> {
        self.close();
        let removed = self
            .parent(file)
            .and_then(|(folder, name)| Ok(unlinkat(&folder, name, AtFlags::empty())?));
        match removed {
            Err(FileError::Missing) => Ok(()),
            other => other,
        }
    }

    fn list(&mut self, folder: &str) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.folder(folder)?)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    fn create_folder(&mut self, folder: &str) -> Result<(), FileError> {
        let (within, name) = self.parent(folder)?;
        make_folder(&within, name)?;
        // What is there may be a link, or no folder at all.
        open_folder(&within, name).map(drop)
    }

    fn remove_folder(&mut self, folder: &str) -> Result<bool, FileError> {
        let removed = self.parent(folder).and_then(|(within, name)| {
            match unlinkat(&within, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
                other => Ok(other.map(|()| true)?),
            }
        });
        match removed {
            Err(FileError::Missing) => Ok(true),
            other => other,
        }
    }

    fn sync_folder(&mut self, folder: &str) -> Result<(), FileError> {
        Ok(self.folder(folder)?.sync_all()?)
    }
}

impl From<Errno> for FileError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace,
            Errno::ACCESS | Errno::PERM | Errno::ROFS => Self::Denied,
            Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO => Self::Foreign,
            Errno::NOENT => Self::Missing,
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::Other(error.to_string()),
        }
    }
}
