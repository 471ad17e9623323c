//! Places for output: open before the work is done, filled, and published when all of it is there.

use std::{
    fs::{self, File, Permissions},
    io::{self, Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, fchown},
    },
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{explain, folder_of, followed, is_standard};
use crate::{failure::Failure, output::patient};

/// A place for output that is open. What can be known to go wrong there has gone wrong by then, and what is
/// there stays there until [`publish`].
pub(crate) struct Target {
    path: PathBuf,
    place: Place,
    /// The file that is replaced, locked.
    held: Option<File>,
}

enum Place {
    StandardOutput,
    /// A device or a pipe, which can't be replaced.
    Stream(File),
    /// A file that gets its name when it is whole, over an older one.
    Replacing {
        new: NamedTempFile,
        at: PathBuf,
    },
    /// A file that gets its name when it is whole, if nothing is there.
    New(NamedTempFile),
}

impl Target {
    /// Replaces what is at the path, or at the end of the links there. `-` is standard output.
    pub(crate) fn replacing(path: &Path) -> Result<Self, Failure> {
        if is_standard(path) {
            return Ok(Self::of(path, Place::StandardOutput));
        }
        let fault = |error: io::Error| Failure::file(path, explain(&error));
        // What may not be written may not be replaced either.
        let old = match fs::OpenOptions::new().write(true).open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(fault(error)),
        };
        let Some(old) = old else {
            let (new, at) = (temporary(path, NEW_FILE)?, followed(path));
            return Ok(Self::of(path, Place::Replacing { new, at }));
        };
        let known = old.metadata().map_err(fault)?;
        if !known.is_file() {
            return Ok(Self::of(path, Place::Stream(old)));
        }
        let new = temporary(path, OWNERS_ONLY)?;
        let own = new.as_file().metadata().map_err(fault)?;
        let mut mode = known.permissions();
        if (own.uid(), own.gid()) != (known.uid(), known.gid()) {
            // Only root may give files away; for others, the new file is theirs, and their group has no part in it.
            if fchown(new.as_file(), Some(known.uid()), Some(known.gid())).is_err() {
                mode.set_mode(mode.mode() & !0o070);
            }
        }
        new.as_file().set_permissions(mode).map_err(fault)?;
        let at = followed(path);
        Ok(Self::of(path, Place::Replacing { new, at }))
    }

    /// Writes a file where there is nothing yet, not even a link that leads nowhere. `-` is standard output.
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        let known = fs::metadata(path);
        if known.is_ok_and(|known| !known.is_file() && !known.is_dir()) {
            // A device or a pipe holds nothing that could be overwritten.
            return Self::replacing(path);
        }
        Self::where_nothing_is(path, NEW_FILE)
    }

    /// Writes a file that only its owner may read, where there is nothing yet. `-` is standard output.
    pub(crate) fn secret(path: &Path) -> Result<Self, Failure> {
        Self::where_nothing_is(path, OWNERS_ONLY)
    }

    fn where_nothing_is(path: &Path, mode: u32) -> Result<Self, Failure> {
        if is_standard(path) {
            return Ok(Self::of(path, Place::StandardOutput));
        }
        if fs::symlink_metadata(path).is_ok() {
            return Err(in_the_way(path));
        }
        let new = temporary(path, mode)?;
        Ok(Self::of(path, Place::New(new)))
    }

    fn of(path: &Path, place: Place) -> Self {
        let path = path.to_owned();
        Self {
            path,
            place,
            held: None,
        }
    }

    /// Keeps a lock until this is published or dropped.
    pub(super) fn holding(mut self, lock: File) -> Self {
        self.held = Some(lock);
        self
    }

    /// Removes the file that is to be replaced, where what it says holds no more whatever comes.
    pub(crate) fn remove_old(&self) -> Result<(), Failure> {
        let Place::Replacing { at, .. } = &self.place else {
            return Ok(());
        };
        match fs::remove_file(at) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.fault(&error)),
            _ => Ok(()),
        }
    }

    /// Whether this is standard output, so that nothing else may be said there.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self.place, Place::StandardOutput)
    }

    /// Appends to the output.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = match &mut self.place {
            Place::StandardOutput => patient(io::stdout().lock().write_all(bytes)),
            Place::Stream(file) => file.write_all(bytes),
            Place::Replacing { new, .. } | Place::New(new) => new.as_file_mut().write_all(bytes),
        };
        written.map_err(|error| self.fault(&error))
    }

    /// Puts all of the output there at once, and publishes it.
    pub(crate) fn fill(mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.put(bytes)?;
        publish([self])
    }

    /// Has the output arrive where it is kept: a disk may be found full as late as this.
    fn settle(&mut self) -> Result<(), Failure> {
        let settled = match &mut self.place {
            Place::StandardOutput => patient(io::stdout().flush()),
            Place::Stream(_) => Ok(()),
            Place::Replacing { new, .. } | Place::New(new) => new.as_file().sync_all(),
        };
        settled.map_err(|error| self.fault(&error))
    }

    /// Gives the output its name.
    fn appear(self) -> Result<(), Failure> {
        match self.place {
            Place::StandardOutput | Place::Stream(_) => Ok(()),
            Place::Replacing { new, at } => match new.persist(&at) {
                Ok(_) => Ok(()),
                // A file that is mounted by itself keeps its name.
                Err(error) if error.error.kind() == io::ErrorKind::ResourceBusy => {
                    let written = overwrite(&at, error.file);
                    written.map_err(|error| Failure::file(&self.path, explain(&error)))
                }
                Err(error) => Err(Failure::file(&self.path, explain(&error.error))),
            },
            Place::New(new) => match new.persist_noclobber(&self.path) {
                Ok(_) => Ok(()),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(in_the_way(&self.path))
                }
                Err(error) => Err(Failure::file(&self.path, explain(&error.error))),
            },
        }
    }

    fn fault(&self, error: &io::Error) -> Failure {
        match self.is_standard() {
            true => Failure::new(format!("standard output: {}", explain(error))),
            false => Failure::file(&self.path, explain(error)),
        }
    }
}

/// Puts outputs that belong together in their places. None is there before all are whole.
pub(crate) fn publish(targets: impl IntoIterator<Item = Target>) -> Result<(), Failure> {
    let mut targets: Vec<Target> = targets.into_iter().collect();
    for target in &mut targets {
        target.settle()?;
    }
    targets.into_iter().try_for_each(Target::appear)
}

/// Writes what is new into the file that is there.
fn overwrite(at: &Path, mut new: NamedTempFile) -> io::Result<()> {
    new.rewind()?;
    let mut old = fs::OpenOptions::new().write(true).truncate(true).open(at)?;
    io::copy(&mut new, &mut old)?;
    old.sync_all()
}

/// What the umask leaves of this, new files have.
const NEW_FILE: u32 = 0o666;
const OWNERS_ONLY: u32 = 0o600;

/// A file without a name of its own yet, in the folder of the path that it is for.
fn temporary(path: &Path, mode: u32) -> Result<NamedTempFile, Failure> {
    let at = followed(path);
    if at.as_os_str().as_bytes().ends_with(b"/") {
        return Err(Failure::file(path, "is the name of a folder"));
    }
    let file = tempfile::Builder::new()
        .prefix(".tamarack-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder_of(&at));
    file.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::file(path, "its folder does not exist"),
        io::ErrorKind::PermissionDenied => Failure::file(path, "its folder can't be written"),
        _ => Failure::file(path, explain(&error)),
    })
}

fn in_the_way(path: &Path) -> Failure {
    Failure::file(path, "the file exists").hint("it is never overwritten; choose another place")
}
