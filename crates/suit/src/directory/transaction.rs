use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};

use zeroize::Zeroizing;

use super::{
    DirectoryDevice, DirectoryError, FileError, Files, is_there,
    journal::{self, Step},
    name::{self, JOURNAL, NEW_JOURNAL, STAGING},
    record,
};
use crate::{ComponentId, Device, DeviceError, Identity, ManifestRecord};

/// Changes to a [`DirectoryDevice`] that happen together or not at all.
///
/// The processor works on it as on any [`Device`]: what it wrote is what it reads. All of that is in the
/// staging folder until [`commit`](Self::commit); dropped without, it has not happened.
#[must_use = "without a commit, nothing happens"]
pub struct Transaction<'d, F: Files> {
    device: &'d mut DirectoryDevice<F>,
    /// What components are at the end, those that change: nothing, or what was staged.
    contents: BTreeMap<ComponentId, Option<Staged>>,
    records: Vec<ManifestRecord>,
    /// The number of the next staged file.
    next: u64,
    /// Whether the staging folder may be needed after the transaction.
    handed_over: bool,
}

#[derive(Clone, Copy)]
struct Staged {
    number: u64,
    finished: bool,
}

/// How many bytes are copied at a time.
const CHUNK: usize = 4096;

impl<'d, F: Files> Transaction<'d, F> {
    pub(super) fn new(device: &'d mut DirectoryDevice<F>) -> Self {
        Self {
            records: device.records.clone(),
            device,
            contents: BTreeMap::new(),
            next: 0,
            handed_over: false,
        }
    }

    /// Makes the changes permanent, all of them at one instant.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Incomplete`] if the changes are permanent and could not all be put in their
    /// place yet. With any other error the folder is as it was before the transaction.
    // req: SUIT-PROC-007, SUIT-PROC-010
    pub fn commit(mut self) -> Result<(), DirectoryError> {
        let steps = self.prepare()?;
        if steps.is_empty() {
            return Ok(());
        }
        self.device
            .write_private(NEW_JOURNAL, &journal::encode(&steps))?;
        self.device
            .files
            .sync_folder(STAGING)
            .map_err(DirectoryError::at(STAGING))?;
        // From here on the folder alone knows whether the transaction is committed.
        self.handed_over = true;
        self.device.settled = false;
        let files = &mut self.device.files;
        if let Err(error) = files.rename(NEW_JOURNAL, JOURNAL)
            && files.length(JOURNAL) == Ok(None)
        {
            return Err(DirectoryError::at(JOURNAL)(error));
        }
        match self.device.settle() {
            Ok(true) => Ok(()),
            Ok(false) => Err(DirectoryError::at(JOURNAL)(FileError::Missing)),
            Err(error @ DirectoryError::Incomplete(_)) => Err(error),
            Err(error) => Err(DirectoryError::Incomplete(error.into())),
        }
    }

    /// Gives the changes up, which dropping does as well, and says whether all staged files are gone.
    ///
    /// # Errors
    ///
    /// If they are not; they are removed before the next transaction.
    pub fn roll_back(mut self) -> Result<(), DirectoryError> {
        self.clear()
    }

    fn clear(&mut self) -> Result<(), DirectoryError> {
        self.handed_over = true;
        self.device.settled = false;
        self.device.clear_staging()?;
        self.device.settled = true;
        Ok(())
    }

    /// Syncs what was staged, and lists what has to be done at once.
    fn prepare(&mut self) -> Result<Vec<Step>, DirectoryError> {
        let mut steps = Vec::new();
        for (id, content) in &self.contents {
            let component = name::component(id)?;
            let envelope = name::envelope(id)?;
            let is_manifest = self.records.iter().any(|record| record.id == *id);
            let (home, other) = match is_manifest {
                true => (envelope, component),
                false => (component, envelope),
            };
            let files = &mut self.device.files;
            // What is there must be the device's, also where it is about to be replaced.
            let occupied = is_there(files, &home)?;
            if is_there(files, &other)? {
                steps.push(Step::Remove { path: other });
            }
            match content {
                Some(Staged { number, finished }) => {
                    if !finished {
                        return Err(DirectoryError::Unfinished(id.clone()));
                    }
                    let staged = name::staged(*number);
                    files.sync(&staged).map_err(DirectoryError::at(&staged))?;
                    steps.push(Step::Place {
                        number: *number,
                        path: home,
                    });
                }
                None if occupied => steps.push(Step::Remove { path: home }),
                None => {}
            }
        }
        if self.records != self.device.records {
            let number = self.next;
            self.next += 1;
            self.device
                .write_private(&name::staged(number), &record::encode(&self.records))?;
            steps.push(Step::Place {
                number,
                path: name::RECORDS.into(),
            });
        }
        Ok(steps)
    }

    /// The file that a component's content is in now; `None` if the component was removed.
    fn source(&self, component: &ComponentId) -> Result<Option<String>, DirectoryError> {
        match self.contents.get(component) {
            Some(content) => Ok(content.map(|staged| name::staged(staged.number))),
            None => self.device.path_of(component).map(Some),
        }
    }

    fn current_length(&mut self, component: &ComponentId) -> Result<Option<u64>, DirectoryError> {
        let Some(path) = self.source(component)? else {
            return Ok(None);
        };
        self.device
            .files
            .length(&path)
            .map_err(DirectoryError::at(&path))
    }

    /// Starts a staged file for a component.
    // req: SUIT-UPD-029
    fn stage(&mut self, component: &ComponentId) -> Result<Staged, DirectoryError> {
        // What can't be put in its place later is refused now.
        let home = self.device.path_of(component)?;
        is_there(&mut self.device.files, &home)?;
        let number = self.next;
        self.next += 1;
        let path = name::staged(number);
        self.device
            .files
            .create(&path)
            .map_err(DirectoryError::at(&path))?;
        Ok(Staged {
            number,
            finished: false,
        })
    }

    /// Sets what a component is to be; what was staged for it before goes.
    fn set(
        &mut self,
        component: &ComponentId,
        content: Option<Staged>,
    ) -> Result<(), DirectoryError> {
        let before = self.contents.insert(component.clone(), content);
        if let Some(Staged { number, .. }) = before.flatten() {
            let path = name::staged(number);
            self.device
                .files
                .remove(&path)
                .map_err(DirectoryError::at(&path))?;
        }
        Ok(())
    }

    /// The staged content of a component, staged now if it is not yet.
    fn staged_copy(&mut self, component: &ComponentId) -> Result<Staged, DeviceError> {
        let Some(length) = self.current_length(component)? else {
            return Err(missing(component));
        };
        if let Some(Some(staged)) = self.contents.get(component) {
            return Ok(*staged);
        }
        let from = self.device.path_of(component)?;
        let mut staged = self.stage(component)?;
        let to = name::staged(staged.number);
        let files = &mut self.device.files;
        let mut buffer = Zeroizing::new(vec![0; CHUNK]);
        let mut offset = 0;
        while offset < length {
            let read = files
                .read_at(&from, offset, &mut buffer)
                .map_err(DirectoryError::at(&from))?;
            let chunk = buffer.get(..read).filter(|chunk| !chunk.is_empty());
            let chunk = chunk.ok_or_else(|| missing(component))?;
            files.append(&to, chunk).map_err(DirectoryError::at(&to))?;
            offset += read as u64;
        }
        staged.finished = true;
        Ok(staged)
    }
}

fn missing(component: &ComponentId) -> DeviceError {
    DeviceError::Failed(String::from(component) + " does not exist")
}

impl<F: Files> Drop for Transaction<'_, F> {
    fn drop(&mut self) {
        if !self.handed_over && (self.next > 0 || !self.contents.is_empty()) {
            // If that fails, it is done before the next transaction.
            let _ = self.clear();
        }
    }
}

impl<F: Files> Device for Transaction<'_, F> {
    fn identity(&self, _: &ComponentId) -> &Identity {
        &self.device.identity
    }

    fn supports(&self, component: &ComponentId) -> bool {
        let prefixes = self.device.supported.as_ref();
        name::fits(component)
            && prefixes
                .is_none_or(|prefixes| prefixes.iter().any(|prefix| component.starts_with(prefix)))
    }

    fn component_prefixes(&self) -> Vec<ComponentId> {
        let prefixes = self.device.supported.clone();
        prefixes.unwrap_or_else(|| vec![ComponentId::default()])
    }

    fn length(&mut self, component: &ComponentId) -> Result<Option<u64>, DeviceError> {
        Ok(self.current_length(component)?)
    }

    fn read_at(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, DeviceError> {
        let path = self.source(component)?.ok_or_else(|| missing(component))?;
        let read = self.device.files.read_at(&path, offset, buffer);
        Ok(read.map_err(DirectoryError::at(&path))?)
    }

    fn begin(&mut self, component: &ComponentId, _: Option<u64>) -> Result<(), DeviceError> {
        let staged = self.stage(component)?;
        Ok(self.set(component, Some(staged))?)
    }

    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        let Some(Some(Staged {
            number,
            finished: false,
        })) = self.contents.get(component)
        else {
            return Err(DirectoryError::Unfinished(component.clone()).into());
        };
        let path = name::staged(*number);
        let appended = self.device.files.append(&path, chunk);
        Ok(appended.map_err(DirectoryError::at(&path))?)
    }

    fn finish(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        match self.contents.get_mut(component) {
            Some(Some(staged)) => {
                staged.finished = true;
                Ok(())
            }
            _ => Err(missing(component)),
        }
    }

    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        match self.current_length(component)? {
            Some(_) => Ok(self.set(component, None)?),
            None => Ok(()),
        }
    }

    /// Both contents are staged as copies; the old ones stay in their place until the commit.
    // req: SUIT-PROC-011
    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), DeviceError> {
        let first = self.staged_copy(one)?;
        let second = self.staged_copy(other)?;
        if one != other {
            // Not `set`: what was staged for one is now the other's.
            self.contents.insert(one.clone(), Some(second));
            self.contents.insert(other.clone(), Some(first));
        }
        Ok(())
    }

    fn slot(&mut self, component: &ComponentId) -> Option<u64> {
        self.device.slots.get(component).copied()
    }

    fn invoke(
        &mut self,
        component: &ComponentId,
        arguments: Option<&[u8]>,
    ) -> Result<(), DeviceError> {
        if self.current_length(component)?.is_none() {
            return Err(missing(component));
        }
        match &mut self.device.invoker {
            Some(invoker) => invoker(component, arguments),
            None => Err(DeviceError::Unsupported),
        }
    }

    fn now(&mut self) -> Option<u64> {
        self.device.now
    }

    fn manifest(&mut self, id: &ComponentId) -> Result<Option<ManifestRecord>, DeviceError> {
        let record = self.records.iter().find(|record| record.id == *id);
        Ok(record.cloned())
    }

    fn manifests(&mut self) -> Result<Vec<ManifestRecord>, DeviceError> {
        Ok(self.records.clone())
    }

    fn record_manifest(
        &mut self,
        record: &ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), DeviceError> {
        self.begin(&record.id, Some(envelope.len() as u64))?;
        self.append(&record.id, envelope)?;
        self.finish(&record.id)?;
        match self
            .records
            .binary_search_by(|known| known.id.cmp(&record.id))
        {
            Ok(at) => {
                if let Some(known) = self.records.get_mut(at) {
                    known.clone_from(record);
                }
            }
            Err(at) => self.records.insert(at, record.clone()),
        }
        Ok(())
    }

    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.records.retain(|record| record.id != *id);
        Ok(self.set(id, None)?)
    }
}
