//! A device whose components are files in a folder.
//!
//! The component `acme/hello` is the file `acme+/hello`: every segment is a name, and `+` marks those that
//! lead on, so that `acme` may be a component too. Upper-case letters are `!` and the lower-case one, and
//! what could mislead a file system is `%` and hexadecimal digits. The device's own bookkeeping is in
//! `.suit`: the records of manifests, their envelopes, a lock, and while an update runs its journal and
//! the staging folder with all new content.
//!
//! An update is one [`Transaction`]. Nothing of it is visible before [`commit`](Transaction::commit),
//! which takes effect at one instant: when the journal gets its name. Whatever happens before, the old
//! state stays; whatever happens after, the new one comes about, at the latest when the folder is opened
//! again. Content is never held in memory.
//!
//! The device works on any storage that offers [`Files`]; `OsFiles` (feature `directory`) are those of
//! the operating system. See `docs/decisions/0015-journal-before-change.md` for why it works this way.
//!
#![cfg_attr(
    all(feature = "directory", unix),
    doc = r##"
```
use tamarack_suit::{Device, Identity, directory::DirectoryDevice};

# let folder = tempfile::tempdir()?;
# let folder = folder.path();
let mut device = DirectoryDevice::open(folder, Identity::default())?;
let id = "acme/hello".parse()?;

let mut transaction = device.transaction()?;
transaction.begin(&id, None)?;
transaction.append(&id, b"hello")?;
transaction.finish(&id)?;
assert!(!folder.join("acme+/hello").exists());
transaction.commit()?;
assert_eq!(std::fs::read(folder.join("acme+/hello"))?, b"hello");

// A transaction that is dropped has not happened.
device.transaction()?.remove(&id)?;
assert!(folder.join("acme+/hello").exists());
# Ok::<(), Box<dyn std::error::Error>>(())
```
"##
)]

mod error;
mod files;
mod journal;
mod name;
#[cfg(all(feature = "directory", unix))]
mod os;
mod record;
mod sealed;
mod transaction;

pub use error::DirectoryError;
pub use files::{FileError, Files};
#[cfg(all(feature = "directory", unix))]
pub use os::OsFiles;
pub use transaction::Transaction;

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem};

use crate::{ComponentId, DeviceError, Identity, ManifestRecord};
use name::{JOURNAL, PRIVATE, RECORDS, STAGING};

/// What starts a component: given its identifier and arguments.
pub type Invoker = dyn FnMut(&ComponentId, Option<&[u8]>) -> Result<(), DeviceError>;

/// A device whose components are files in a folder; see the [module](self).
///
/// Changes are made in a [`transaction`](Self::transaction).
pub struct DirectoryDevice<F> {
    files: F,
    /// The records as they were committed.
    records: Vec<ManifestRecord>,
    /// Whether nothing of an earlier transaction is left in the folder.
    settled: bool,
    identity: Identity,
    supported: Option<Vec<ComponentId>>,
    slots: BTreeMap<ComponentId, u64>,
    now: Option<u64>,
    invoker: Option<Box<Invoker>>,
}

impl<F: Files> DirectoryDevice<F> {
    /// The device in the folder that `files` work on, which nobody else may work on at the same time.
    ///
    /// A transaction that power loss interrupted is completed if it was committed and removed otherwise.
    /// Files that the device did not make stay as they are.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Damaged`], with the folder as it was; [`DirectoryError::Incomplete`] if a transaction was
    /// committed and still can't be completed; or if a file operation fails.
    // req: SUIT-PROC-010
    pub fn on(mut files: F, identity: Identity) -> Result<Self, DirectoryError> {
        for folder in [PRIVATE, STAGING] {
            make_folder(&mut files, folder)?;
        }
        let mut device = Self {
            files,
            records: Vec::new(),
            settled: false,
            identity,
            supported: None,
            slots: BTreeMap::new(),
            now: None,
            invoker: None,
        };
        device.settle()?;
        Ok(device)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// If an earlier transaction is [incomplete](DirectoryError::Incomplete) and still can't be
    /// completed.
    pub fn transaction(&mut self) -> Result<Transaction<'_, F>, DirectoryError> {
        if !self.settled {
            self.settle()?;
        }
        Ok(Transaction::new(self))
    }

    /// The records of the manifests that are installed, in the order of their identifiers.
    #[must_use]
    pub fn records(&self) -> &[ManifestRecord] {
        &self.records
    }

    /// The path of the file that holds a component's content, or would hold it, relative to the folder.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::NameTooLong`].
    pub fn path_of(&self, component: &ComponentId) -> Result<String, DirectoryError> {
        match self.records.iter().any(|record| record.id == *component) {
            true => name::envelope(component),
            false => name::component(component),
        }
    }

    /// Makes the device support identifiers with these prefixes only.
    pub fn support_only(&mut self, prefixes: impl IntoIterator<Item = ComponentId>) {
        self.supported = Some(prefixes.into_iter().collect());
    }

    /// Sets the clock, in seconds since 1970-01-01 UTC; without, the device knows no time.
    pub fn set_now(&mut self, now: u64) {
        self.now = Some(now);
    }

    /// Puts a component into a slot.
    pub fn set_slot(&mut self, component: &ComponentId, slot: u64) {
        self.slots.insert(component.clone(), slot);
    }

    /// Sets what starts components; without, the device starts none.
    pub fn set_invoker(
        &mut self,
        invoker: impl FnMut(&ComponentId, Option<&[u8]>) -> Result<(), DeviceError> + 'static,
    ) {
        self.invoker = Some(Box::new(invoker));
    }

    /// Completes what was committed, removes what was not, and reads the records. Returns whether a
    /// transaction was completed.
    fn settle(&mut self) -> Result<bool, DirectoryError> {
        self.settled = false;
        // The journal may have got its name by a process that ended before syncing it: nothing it says
        // may be done before it is certain to be there after a power loss.
        self.sync_private()?;
        let journal = self.read_private(JOURNAL)?;
        if let Some(bytes) = &journal {
            let steps = journal::decode(bytes)?;
            journal::apply(&mut self.files, &steps)
                .map_err(|error| DirectoryError::Incomplete(Box::new(error)))?;
            self.files
                .remove(JOURNAL)
                .map_err(DirectoryError::at(JOURNAL))?;
            // The numbers of staged files are used again; the journal must not come back then.
            self.sync_private()?;
        }
        self.clear_staging()?;
        self.records = match self.read_private(RECORDS)? {
            Some(bytes) => record::decode(&bytes)?,
            None => Vec::new(),
        };
        self.settled = true;
        Ok(journal.is_some())
    }

    fn sync_private(&mut self) -> Result<(), DirectoryError> {
        self.files
            .sync_folder(PRIVATE)
            .map_err(DirectoryError::at(PRIVATE))
    }

    /// Removes everything from the staging folder.
    fn clear_staging(&mut self) -> Result<(), DirectoryError> {
        let names = self
            .files
            .list(STAGING)
            .map_err(DirectoryError::at(STAGING))?;
        for name in names {
            let path = String::from(STAGING) + "/" + &name;
            self.files
                .remove(&path)
                .map_err(DirectoryError::at(&path))?;
        }
        Ok(())
    }

    /// Writes a new file and syncs its content. What is too long to be read again is not written.
    fn write_private(&mut self, path: &str, content: &[u8]) -> Result<(), DirectoryError> {
        if content.len() > sealed::MAX_LEN {
            return Err(DirectoryError::at(path)(FileError::NoSpace));
        }
        self.files
            .create(path)
            .and_then(|()| self.files.append(path, content))
            .and_then(|()| self.files.sync(path))
            .map_err(DirectoryError::at(path))
    }

    /// Reads a file of the device's own whole; `None` if it does not exist.
    fn read_private(&mut self, path: &'static str) -> Result<Option<Vec<u8>>, DirectoryError> {
        let Some(length) = self.files.length(path).map_err(DirectoryError::at(path))? else {
            return Ok(None);
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= sealed::MAX_LEN)
            .ok_or_else(|| DirectoryError::Damaged {
                path,
                error: DecodeError::new(0, "file of the device", Problem::OutOfBounds("4 MiB")),
            })?;
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let read = self.files.read_at(path, filled as u64, rest);
            match read.map_err(DirectoryError::at(path))? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(Some(bytes))
    }
}

/// Whether a file is there; an error if something else is.
// req: SUIT-UPD-029
fn is_there(files: &mut impl Files, path: &str) -> Result<bool, DirectoryError> {
    let length = files.length(path).map_err(DirectoryError::at(path))?;
    Ok(length.is_some())
}

/// Makes a folder that a power loss does not take away again.
fn make_folder(files: &mut impl Files, folder: &str) -> Result<(), DirectoryError> {
    files
        .create_folder(folder)
        .and_then(|()| files.sync_folder(name::parent(folder)))
        .map_err(DirectoryError::at(folder))
}

impl<F> core::fmt::Debug for DirectoryDevice<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DirectoryDevice")
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}
