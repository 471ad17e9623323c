//! Files in and out, with errors that name them.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::failure::Failure;

/// Largest file that is read whole, in bytes.
const MAX: u64 = 256 << 20;

/// Reads a file, or standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let fault = |error: io::Error| Failure::file(path, explain(&error));
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().take(MAX + 1).read_to_end(&mut bytes)
    } else {
        fs::File::open(path)
            .map_err(fault)?
            .take(MAX + 1)
            .read_to_end(&mut bytes)
    };
    if read.map_err(fault)? as u64 > MAX {
        return Err(Failure::file(path, format!("larger than {MAX} bytes")));
    }
    Ok(bytes)
}

/// Reads a text file.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|_| Failure::file(path, "not a text file"))
}

/// Writes a file in place of an older one, or to standard output for `-`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let fault = |error: io::Error| Failure::file(path, explain(&error));
    if path == Path::new("-") {
        return io::stdout().write_all(bytes).map_err(fault);
    }
    fs::write(path, bytes).map_err(|error| write_fault(path, &error))
}

/// Writes a file that is not there yet, or to standard output for `-`.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path == Path::new("-") {
        return write(path, bytes);
    }
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => in_the_way(path),
        _ => write_fault(path, &error),
    })?;
    file.write_all(bytes)
        .map_err(|error| Failure::file(path, explain(&error)))
}

/// Fails if there is anything at a path, even a link that leads nowhere.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(in_the_way(path)),
        Err(_) => Ok(()),
    }
}

/// Makes a folder and those around it, if they are not there.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::file(path, explain(&error)))
}

fn in_the_way(path: &Path) -> Failure {
    Failure::file(path, "the file exists").hint("it is not overwritten; choose another place")
}

/// A failure to write, in which a missing folder is called that.
fn write_fault(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => Failure::file(path, "its folder does not exist"),
        _ => Failure::file(path, explain(error)),
    }
}

/// Writes a file that only its owner may read, and never over another one.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(|error| {
        let failure = write_fault(path, &error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                failure.hint("private keys are never overwritten; choose another file")
            }
            _ => failure,
        }
    })?;
    file.write_all(bytes)
        .map_err(|error| Failure::file(path, explain(&error)))
}

/// The system's error without its number.
pub(crate) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::AlreadyExists => "the file exists".into(),
        _ => error.to_string(),
    }
}
