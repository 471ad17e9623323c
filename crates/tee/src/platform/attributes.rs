//! Interfaces of the kernel that are files: each write and each read is an operation.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

/// No such file has more bytes.
const MAX_LEN: u64 = 64 * 1024;

/// The largest report, with what comes with it, that Evidence has room for, in bytes.
pub(super) const MAX_REPORT: usize = 48 * 1024;

/// The data that a report is about, as the hardware takes it: 32 bytes, and zeros behind.
pub(super) fn report_data(binding: &[u8; 32]) -> [u8; 64] {
    let mut data = [0; 64];
    data.iter_mut()
        .zip(binding)
        .for_each(|(to, from)| *to = *from);
    data
}

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
