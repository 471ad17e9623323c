use alloc::{collections::BTreeMap, string::ToString, vec::Vec};

use crate::{
    ComponentId, ComponentMetadata, Device, DeviceError, Extensions, FileType, Identity,
    ManifestRecord, Outcome, SequenceNumber, WaitEvent,
};

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
    time_zone: Option<i64>,
    battery: Option<u64>,
    least_priority: Option<i64>,
    events: Option<Vec<WaitEvent<'static>>>,
    metadata: Option<BTreeMap<ComponentId, ComponentMetadata<'static>>>,
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

    /// Sets the time zone: how many seconds local time is ahead of UTC.
    pub fn set_time_zone(&mut self, ahead: i64) {
        self.time_zone = Some(ahead);
    }

    /// Gives the device a battery, with this energy in mWh.
    pub fn set_battery(&mut self, energy: u64) {
        self.battery = Some(energy);
    }

    /// Makes the application agree to updates of this priority and of more urgent ones, which have
    /// smaller numbers.
    pub fn authorize(&mut self, least_priority: i64) {
        self.least_priority = Some(least_priority);
    }

    /// Makes the device able to wait, and these events have happened; those about time follow its clock.
    pub fn set_events(&mut self, happened: impl IntoIterator<Item = WaitEvent<'static>>) {
        self.events = Some(happened.into_iter().collect());
    }

    /// Makes the device keep component metadata, and refuse symbolic links, whose targets nobody vouches
    /// for.
    pub fn keep_metadata(&mut self) {
        self.metadata.get_or_insert_default();
    }

    /// What a component is as a file, where the device keeps that.
    #[must_use]
    pub fn metadata(&self, component: &ComponentId) -> Option<&ComponentMetadata<'static>> {
        self.metadata.as_ref()?.get(component)
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

    /// Carries out a procedure on the device; if it fails, the device is as it was before.
    pub fn attempt(&mut self, procedure: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        let before = self.clone();
        let outcome = procedure(self);
        if outcome.result.is_err() {
            *self = before;
        }
        outcome
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

    fn component_prefixes(&self) -> Vec<ComponentId> {
        let all = || Vec::from([ComponentId::default()]);
        self.supported.clone().unwrap_or_else(all)
    }

    fn extensions(&self) -> Extensions {
        Extensions {
            battery: self.battery.is_some(),
            authorization: self.least_priority.is_some(),
            wait: self.events.is_some(),
            metadata: self.metadata.is_some(),
        }
    }

    fn battery(&mut self) -> Result<u64, DeviceError> {
        self.battery.ok_or(DeviceError::Unsupported)
    }

    fn authorizes(&mut self, priority: i64) -> Result<bool, DeviceError> {
        let least = self.least_priority.ok_or(DeviceError::Unsupported)?;
        Ok(priority <= least)
    }

    fn observes(&self, event: &WaitEvent<'_>) -> bool {
        match event {
            WaitEvent::Authorization(_) => self.least_priority.is_some(),
            _ => self.events.is_some(),
        }
    }

    fn has_happened(&mut self, event: &WaitEvent<'_>) -> Result<bool, DeviceError> {
        match event {
            WaitEvent::Authorization(priority) => self.authorizes(*priority),
            event => Ok(self
                .events
                .iter()
                .flatten()
                .any(|happened| happened == event)),
        }
    }

    // req: SUIT-UPD-028
    fn set_metadata(
        &mut self,
        component: &ComponentId,
        metadata: &ComponentMetadata<'_>,
    ) -> Result<(), DeviceError> {
        let kept = self.metadata.as_mut().ok_or(DeviceError::Unsupported)?;
        if metadata.kind() == FileType::SymbolicLink {
            return Err(DeviceError::Unsupported);
        }
        kept.insert(component.clone(), metadata.clone().into_owned());
        Ok(())
    }

    fn begin(&mut self, component: &ComponentId, _: Option<u64>) -> Result<(), DeviceError> {
        self.components.insert(component.clone(), Vec::new());
        Ok(())
    }

    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        self.existing(component)?.extend_from_slice(chunk);
        Ok(())
    }

    // req: SUIT-UPD-026
    fn finish(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        let kind = self.metadata(component).map(ComponentMetadata::kind);
        match kind == Some(FileType::Directory) && !self.existing(component)?.is_empty() {
            true => Err(DeviceError::Failed("a directory has no content".into())),
            false => Ok(()),
        }
    }

    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        self.components.remove(component);
        if let Some(metadata) = &mut self.metadata {
            metadata.remove(component);
        }
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

    fn time_zone(&mut self) -> Option<i64> {
        self.time_zone
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
