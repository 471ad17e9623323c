use alloc::{collections::BTreeMap, string::ToString, vec::Vec};

use crate::{ComponentId, Device, DeviceError, Identity, ManifestRecord, SequenceNumber};

/// A device in memory, for tests, documentation and trying manifests out.
///
/// A clone is a snapshot: [`transaction`](Self::transaction) uses one to roll back.
///
/// ```
/// use tamarack_suit::{ComponentId, Identity, MemoryDevice};
///
/// let mut device = MemoryDevice::new(Identity::default());
/// let id: ComponentId = "app".parse()?;
/// device.put(&id, b"version 1");
/// let outcome: Result<(), &str> = device.transaction(|device| {
///     device.put(&"app".parse().map_err(|_| "")?, b"half of version");
///     Err("power failed")
/// });
/// assert_eq!(outcome, Err("power failed"));
/// assert_eq!(device.content(&id), Some(&b"version 1"[..]));
/// # Ok::<(), tamarack_suit::ComponentIdError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryDevice {
    identity: Identity,
    components: BTreeMap<ComponentId, Vec<u8>>,
    records: BTreeMap<ComponentId, ManifestRecord>,
    invoked: Vec<(ComponentId, Vec<u8>)>,
    supported: Option<Vec<ComponentId>>,
    slots: BTreeMap<ComponentId, u64>,
    now: Option<u64>,
}

impl MemoryDevice {
    /// An empty device that supports every component identifier.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            ..Self::default()
        }
    }

    /// Makes the device support identifiers with these prefixes only.
    pub fn support_only(&mut self, prefixes: impl IntoIterator<Item = ComponentId>) {
        self.supported = Some(prefixes.into_iter().collect());
    }

    /// Sets the clock, in seconds since 1970-01-01 UTC.
    pub fn set_now(&mut self, now: u64) {
        self.now = Some(now);
    }

    /// Puts a component into a slot.
    pub fn set_slot(&mut self, component: &ComponentId, slot: u64) {
        self.slots.insert(component.clone(), slot);
    }

    /// Gives a component content.
    pub fn put(&mut self, component: &ComponentId, content: &[u8]) {
        self.components.insert(component.clone(), content.to_vec());
    }

    /// A component's content.
    #[must_use]
    pub fn content(&self, component: &ComponentId) -> Option<&[u8]> {
        self.components.get(component).map(Vec::as_slice)
    }

    /// The components that exist; manifests that are kept are among them.
    pub fn components(&self) -> impl Iterator<Item = &ComponentId> {
        self.components.keys()
    }

    /// The sequence number of the manifest at an identifier.
    #[must_use]
    pub fn sequence_number(&self, id: &ComponentId) -> Option<SequenceNumber> {
        self.records.get(id).map(|record| record.sequence_number)
    }

    /// What was invoked so far: components and arguments.
    #[must_use]
    pub fn invoked(&self) -> &[(ComponentId, Vec<u8>)] {
        &self.invoked
    }

    /// Runs `work` on the device; if it fails, the device is as it was before.
    ///
    /// # Errors
    ///
    /// What `work` returned.
    pub fn transaction<T, E>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let before = self.clone();
        work(self).inspect_err(|_| *self = before)
    }

    fn existing(&mut self, component: &ComponentId) -> Result<&mut Vec<u8>, DeviceError> {
        self.components
            .get_mut(component)
            .ok_or_else(|| DeviceError::Failed(component.to_string() + " does not exist"))
    }
}

impl Device for MemoryDevice {
    fn identity(&self, _: &ComponentId) -> &Identity {
        &self.identity
    }

    fn supports(&self, component: &ComponentId) -> bool {
        let prefixes = self.supported.as_ref();
        prefixes.is_none_or(|prefixes| prefixes.iter().any(|prefix| component.starts_with(prefix)))
    }

    fn length(&mut self, component: &ComponentId) -> Result<Option<u64>, DeviceError> {
        Ok(self
            .components
            .get(component)
            .map(|content| content.len() as u64))
    }

    fn read_at(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, DeviceError> {
        let content = self.existing(component)?;
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| content.get(offset..));
        let mut read = 0;
        for (to, from) in buffer.iter_mut().zip(rest.unwrap_or_default()) {
            *to = *from;
            read += 1;
        }
        Ok(read)
    }

    fn begin(&mut self, component: &ComponentId, _: Option<u64>) -> Result<(), DeviceError> {
        self.components.insert(component.clone(), Vec::new());
        Ok(())
    }

    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        self.existing(component)?.extend_from_slice(chunk);
        Ok(())
    }

    fn finish(&mut self, _: &ComponentId) -> Result<(), DeviceError> {
        Ok(())
    }

    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        self.components.remove(component);
        Ok(())
    }

    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), DeviceError> {
        let first = core::mem::take(self.existing(one)?);
        let second = core::mem::replace(self.existing(other)?, first);
        *self.existing(one)? = second;
        Ok(())
    }

    fn slot(&mut self, component: &ComponentId) -> Option<u64> {
        self.slots.get(component).copied()
    }

    fn invoke(
        &mut self,
        component: &ComponentId,
        arguments: Option<&[u8]>,
    ) -> Result<(), DeviceError> {
        self.existing(component)?;
        let arguments = arguments.unwrap_or_default().to_vec();
        self.invoked.push((component.clone(), arguments));
        Ok(())
    }

    fn now(&mut self) -> Option<u64> {
        self.now
    }

    fn manifest(&mut self, id: &ComponentId) -> Result<Option<ManifestRecord>, DeviceError> {
        Ok(self.records.get(id).cloned())
    }

    fn manifests(&mut self) -> Result<Vec<ManifestRecord>, DeviceError> {
        Ok(self.records.values().cloned().collect())
    }

    fn record_manifest(
        &mut self,
        record: &ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), DeviceError> {
        self.records.insert(record.id.clone(), record.clone());
        self.put(&record.id, envelope);
        Ok(())
    }

    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.records.remove(id);
        self.components.remove(id);
        Ok(())
    }
}
