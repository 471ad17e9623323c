//! Interfaces of the kernel that are files: each write and each read is an operation.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

/// No such file has more bytes.
const MAX_LEN: u64 = 64 * 1024;

/// Files whose writes and reads do something.
pub(super) trait Attributes: Send + Sync {
    /// Makes a folder; the kernel fills it with files.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Writes all of it in one operation.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Reads all of it.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// Those of the kernel.
pub(super) struct System;

impl Attributes for System {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let written = OpenOptions::new().write(true).open(path)?.write(bytes)?;
        match written == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_LEN).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
