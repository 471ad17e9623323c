//! The data folder, which is for one user only.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;

use super::State;
use crate::platform::PlatformFault;

/// Makes the folder of a TEE's data, if it is missing, with all that is above it, for this user only; and fails if anybody
/// else may do anything with it or with a file in it.
///
/// # Errors
///
/// [`PlatformFault::Exposed`] names the first file that others may read, write or enter; [`PlatformFault::File`] what
/// can't be looked at.
pub fn private_folder(dir: &Path) -> Result<(), PlatformFault> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700).recursive(true);
    builder
        .create(dir)
        .map_err(PlatformFault::file("make the folder", dir))?;
    let mut found: Vec<PathBuf> = vec![dir.into()];
    while let Some(path) = found.pop() {
        // The folder itself may be a link. What is linked from inside is somebody else's care.
        let looked = if path == dir {
            fs::metadata(&path)
        } else {
            fs::symlink_metadata(&path)
        };
        let metadata = match looked {
            Ok(metadata) => metadata,
            // Another program that prepares this TEE may be at work.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(PlatformFault::file("read", &path)(error)),
        };
        let mode = metadata.mode() & 0o777;
        if !metadata.is_symlink() && mode & 0o077 != 0 {
            return Err(PlatformFault::Exposed { path, mode });
        }
        if metadata.is_dir() {
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                // Root's alone, as the folder that a file system keeps what it finds in.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                Err(error) => return Err(PlatformFault::file("read", &path)(error)),
            };
            for entry in entries {
                found.push(entry.map_err(PlatformFault::file("read", &path))?.path());
            }
        }
    }
    Ok(())
}

/// Whether nobody but this user and root can exchange the folder's content.
pub(super) fn state(dir: &Path) -> State {
    match fs::metadata(dir) {
        Ok(metadata) => owned(metadata.uid(), geteuid().as_raw()),
        Err(error) => State::Missing(error.to_string()),
    }
}

fn owned(owner: u32, user: u32) -> State {
    if owner == user || owner == 0 {
        State::On
    } else {
        State::Partial(format!(
            "the data folder belongs to user {owner}, who can replace what is in it"
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_missing_is_made_for_one_user() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("a/b");
        private_folder(&dir).unwrap();
        for made in [dir.as_path(), dir.parent().unwrap()] {
            assert_eq!(fs::metadata(made).unwrap().mode() & 0o777, 0o700);
        }
        private_folder(&dir).unwrap();
    }

    #[test]
    fn what_others_can_reach_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path();
        set_mode(dir, 0o700);
        let inner = dir.join("platform");
        fs::create_dir(&inner).unwrap();
        let file = inner.join("counter");
        fs::write(&file, "0").unwrap();
        set_mode(&file, 0o600);
        set_mode(&inner, 0o700);
        private_folder(dir).unwrap();
        for path in [dir, &inner, &file] {
            let before = fs::metadata(path).unwrap().mode() & 0o777;
            for bit in [0o40, 0o20, 0o10, 0o4, 0o2, 0o1] {
                set_mode(path, before | bit);
                let error = private_folder(dir).unwrap_err();
                assert!(
                    matches!(&error, PlatformFault::Exposed { path: found, mode } if found == path && *mode == before | bit),
                    "{error}"
                );
            }
            set_mode(path, before);
        }
        // What a link says about itself means nothing.
        std::os::unix::fs::symlink("/etc", dir.join("link")).unwrap();
        private_folder(dir).unwrap();
    }

    #[test]
    fn a_strange_owner_is_told() {
        assert_eq!(owned(1000, 1000), State::On);
        assert_eq!(owned(0, 1000), State::On);
        assert!(matches!(owned(1000, 0), State::Partial(_)));
        assert!(matches!(owned(1000, 1001), State::Partial(_)));
    }
}
