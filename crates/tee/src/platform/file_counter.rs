use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{MonotonicCounter, PlatformFault, files};

/// A counter in a file, in decimal. Whoever can write the file can turn it back, and whoever puts it back together with
/// the storage is not noticed.
#[derive(Debug)]
pub(super) struct FileCounter {
    path: PathBuf,
    value: Mutex<u64>,
}

/// The file, in the folder of the platform.
const FILE: &str = "counter";

impl FileCounter {
    /// Makes the counter of a new device.
    pub(super) fn make(folder: &Path) -> Result<(), PlatformFault> {
        files::create(&folder.join(FILE), b"0\n")
    }

    pub(super) fn open(folder: &Path) -> Result<Self, PlatformFault> {
        let path = folder.join(FILE);
        let text = files::read(&path)?;
        let value = core::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let value = value.ok_or_else(|| PlatformFault::Damaged {
            path: path.clone(),
            problem: "it holds no number".into(),
        })?;
        Ok(Self {
            path,
            value: Mutex::new(value),
        })
    }
}

impl MonotonicCounter for FileCounter {
    fn value(&self) -> Result<u64, PlatformFault> {
        Ok(*self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn increment(&self) -> Result<u64, PlatformFault> {
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        let next = value.saturating_add(1);
        files::replace(&self.path, format!("{next}\n").as_bytes())?;
        *value = next;
        Ok(next)
    }
}
