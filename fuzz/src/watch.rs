//! A device in memory that writes down which components are changed.

use tamarack_suit::{
    ComponentId, ComponentMetadata, Device, DeviceError, Extensions, Identity, ManifestRecord, MemoryDevice,
    Version, WaitEvent,
};

/// The device.
pub struct Watched {
    /// What it is.
    pub inner: MemoryDevice,
    /// The component of every call that changes or starts one.
    pub effects: Vec<ComponentId>,
    /// Those whose manifest was forgotten.
    pub forgotten: Vec<ComponentId>,
}

impl Watched {
    /// The device, with nothing done to it.
    pub fn new(inner: MemoryDevice) -> Self {
        Self {
            inner,
            effects: Vec::new(),
            forgotten: Vec::new(),
        }
    }

    fn note(&mut self, id: &ComponentId) {
        self.effects.push(id.clone());
    }
}

impl Device for Watched {
    fn identity(&self, id: &ComponentId) -> &Identity {
        self.inner.identity(id)
    }
    fn supports(&self, id: &ComponentId) -> bool {
        self.inner.supports(id)
    }
    fn length(&mut self, id: &ComponentId) -> Result<Option<u64>, DeviceError> {
        self.inner.length(id)
    }
    fn read_at(&mut self, id: &ComponentId, offset: u64, to: &mut [u8]) -> Result<usize, DeviceError> {
        self.inner.read_at(id, offset, to)
    }
    fn begin(&mut self, id: &ComponentId, length: Option<u64>) -> Result<(), DeviceError> {
        self.note(id);
        self.inner.begin(id, length)
    }
    fn append(&mut self, id: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        self.note(id);
        self.inner.append(id, chunk)
    }
    fn finish(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.note(id);
        self.inner.finish(id)
    }
    fn remove(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.note(id);
        self.inner.remove(id)
    }
    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), DeviceError> {
        self.note(one);
        self.note(other);
        self.inner.swap(one, other)
    }
    fn slot(&mut self, id: &ComponentId) -> Option<u64> {
        self.inner.slot(id)
    }
    fn invoke(&mut self, id: &ComponentId, arguments: Option<&[u8]>) -> Result<(), DeviceError> {
        self.note(id);
        self.inner.invoke(id, arguments)
    }
    fn now(&mut self) -> Option<u64> {
        self.inner.now()
    }
    fn time_zone(&mut self) -> Option<i64> {
        self.inner.time_zone()
    }
    fn extensions(&self) -> Extensions {
        self.inner.extensions()
    }
    fn battery(&mut self) -> Result<u64, DeviceError> {
        self.inner.battery()
    }
    fn authorizes(&mut self, priority: i64) -> Result<bool, DeviceError> {
        self.inner.authorizes(priority)
    }
    fn has_happened(&mut self, event: &WaitEvent<'_>) -> Result<bool, DeviceError> {
        self.inner.has_happened(event)
    }
    fn set_metadata(&mut self, id: &ComponentId, metadata: &ComponentMetadata<'_>) -> Result<(), DeviceError> {
        self.note(id);
        self.inner.set_metadata(id, metadata)
    }
    fn version(&mut self, id: &ComponentId) -> Result<Option<Version>, DeviceError> {
        self.inner.version(id)
    }
    fn manifest(&mut self, id: &ComponentId) -> Result<Option<ManifestRecord>, DeviceError> {
        self.inner.manifest(id)
    }
    fn manifests(&mut self) -> Result<Vec<ManifestRecord>, DeviceError> {
        self.inner.manifests()
    }
    fn record_manifest(&mut self, record: &ManifestRecord, envelope: &[u8]) -> Result<(), DeviceError> {
        self.note(&record.id);
        self.inner.record_manifest(record, envelope)
    }
    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.note(id);
        self.forgotten.push(id.clone());
        self.inner.forget_manifest(id)
    }
}
