//! Files that only this user can read, written so that a crash leaves the old or the new content.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use zeroize::Zeroizing;

use super::PlatformFault;

/// No file of the platform is longer.
const MAX_LEN: u64 = 4096;

/// Fails if anybody but the owner may do anything with `path`.
pub(super) fn check_private(path: &Path) -> Result<(), PlatformFault> {
    let metadata = fs::metadata(path).map_err(PlatformFault::file("read", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(PlatformFault::Exposed {
            path: path.into(),
            mode,
        })
    }
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PlatformFault> {
    check_private(path)?;
    let file = File::open(path).map_err(PlatformFault::file("read", path))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(MAX_LEN).unwrap_or_default(),
    ));
    file.take(MAX_LEN)
        .read_to_end(&mut bytes)
        .map_err(PlatformFault::file("read", path))?;
    Ok(bytes)
}

pub(super) fn read_array<const N: usize>(path: &Path) -> Result<Zeroizing<[u8; N]>, PlatformFault> {
    let bytes = read(path)?;
    match <[u8; N]>::try_from(bytes.as_slice()) {
        Ok(array) => Ok(Zeroizing::new(array)),
        Err(_) => Err(PlatformFault::Damaged {
            path: path.into(),
            problem: format!("it has {} bytes, not {N}", bytes.len()),
        }),
    }
}

/// Makes a file that does not exist yet.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), PlatformFault> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(PlatformFault::file("write", path))
}

/// Replaces the content of a file, all of it or nothing.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), PlatformFault> {
    let new = path.with_extension("new");
    if new.exists() {
        fs::remove_file(&new).map_err(PlatformFault::file("remove", &new))?;
    }
    create(&new, bytes)?;
    rename(&new, path)
}

/// Renames durably.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), PlatformFault> {
    fs::rename(from, to).map_err(PlatformFault::file("write", to))?;
    let parent = to.parent().unwrap_or(to);
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(PlatformFault::file("write", parent))
}

/// Makes `parent` if it is missing, and in it the folder `path`, removing what is left of an earlier try.
pub(super) fn create_empty_folder(parent: &Path, path: &Path) -> Result<(), PlatformFault> {
    let private = |recursive| {
        let mut builder = DirBuilder::new();
        builder.mode(0o700).recursive(recursive);
        builder
    };
    private(true)
        .create(parent)
        .map_err(PlatformFault::file("make the folder", parent))?;
    if path.exists() {
        fs::remove_dir_all(path).map_err(PlatformFault::file("remove", path))?;
    }
    private(false)
        .create(path)
        .map_err(PlatformFault::file("make the folder", path))
}
