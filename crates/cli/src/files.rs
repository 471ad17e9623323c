//! Files in and out, with errors that name them.

mod roles;
mod target;

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

pub(crate) use roles::keep_apart;
pub(crate) use target::{Target, publish};

/// Largest file that is read whole, in bytes.
const MAX: u64 = 256 << 20;

/// Whether a path stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads a file, or standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    whole(path, reader(path)?)
}

/// Opens a file to be read piece by piece, or standard input for `-`.
pub(crate) fn reader(path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    Ok(match is_standard(path) {
        true => Box::new(io::stdin()),
        false => Box::new(open(path, fs::OpenOptions::new().read(true))?),
    })
}

/// Reads a file of any size, or standard input for `-`, piece by piece; returns its length in bytes.
pub(crate) fn each_chunk(path: &Path, mut take: impl FnMut(&[u8])) -> Result<u64, Failure> {
    const CHUNK: usize = 1 << 16;
    let mut from = reader(path)?;
    let mut buffer = vec![0; CHUNK];
    let mut length = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::file(path, explain(&error))),
        };
        take(buffer.get(..read).unwrap_or_default());
        length += read as u64;
    }
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|_| Failure::file(path, "not a text file"))
}

/// Reads a file of which a changed one is made, at `--out` or else in its place, with other files.
///
/// In place, nobody else changes the file until the target is published or dropped: whoever wants to, waits.
pub(crate) fn revise(
    path: &Path,
    out: Option<&Path>,
    with: &[&Path],
) -> Result<(Vec<u8>, Target), Failure> {
    let out = out.filter(|out| !roles::is_same(path, out));
    let inputs = [path].into_iter().chain(with.iter().copied());
    keep_apart(inputs, out.map(|out| ("--out", out)))?;
    match out {
        Some(out) => Ok((read(path)?, Target::replacing(out)?)),
        None if is_standard(path) => Ok((read(path)?, Target::replacing(path)?)),
        None => {
            let file = hold(path)?;
            let bytes = whole(path, &file)?;
            Ok((bytes, Target::replacing(path)?.holding(file)))
        }
    }
}

/// Writes a file in place of an older one, or to standard output for `-`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Target::replacing(path)?.fill(bytes)
}

/// Writes a file that only its owner may read, and never over another one; or to standard output for `-`.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Target::secret(path)?.fill(bytes)
}

/// Makes a folder and those around it, if they are not there.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::file(path, explain(&error)))
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Locks a file. A lock is on what was opened, and whoever held it before may have put another file in its
/// place: then that one is locked.
fn hold(path: &Path) -> Result<fs::File, Failure> {
    let fault = |error: io::Error| Failure::file(path, explain(&error));
    loop {
        let file = open(path, fs::OpenOptions::new().read(true).write(true))?;
        if !file.metadata().map_err(fault)?.is_file() {
            return Err(Failure::file(path, "is no file that can be replaced")
                .hint("--out says where the result goes"));
        }
        file.lock().map_err(|error| {
            Failure::file(path, format!("can't be locked: {error}"))
                .hint("--out puts the result elsewhere")
        })?;
        let held = file.metadata().map_err(fault)?;
        let there = fs::metadata(path).map_err(fault)?;
        if (held.dev(), held.ino()) == (there.dev(), there.ino()) {
            return Ok(file);
        }
    }
}

fn open(path: &Path, options: &fs::OpenOptions) -> Result<fs::File, Failure> {
    let file = options.open(path);
    file.map_err(|error| Failure::file(path, explain(&error)))
}

fn whole(path: &Path, from: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(MAX + 1).read_to_end(&mut bytes);
    if read.map_err(|error| Failure::file(path, explain(&error)))? as u64 > MAX {
        return Err(Failure::file(path, format!("larger than {MAX} bytes")));
    }
    Ok(bytes)
}

/// Where a path leads over symbolic links, also if nothing is there.
pub(crate) fn followed(path: &Path) -> PathBuf {
    /// As many as Linux follows.
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST {
        match fs::read_link(&path) {
            Ok(to) => path = folder_of(&path).join(to),
            Err(_) => break,
        }
    }
    path
}

/// The system's error without its number.
pub(crate) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::AlreadyExists => "the file exists".into(),
        io::ErrorKind::IsADirectory => "is a folder".into(),
        io::ErrorKind::StorageFull => "no space is left on the device".into(),
        _ => error.to_string(),
    }
}
