//! A device that writes down everything that is done to it, and can fail on demand.

use std::{cell::RefCell, rc::Rc};

use tamarack_suit::{
    ComponentId, ComponentMetadata, Device, DeviceError, Extensions, Fetch, Identity,
    ManifestRecord, MemoryDevice, Outcome, SequenceNumber, SuitDigest, Version, WaitEvent,
};

/// Something that a processor did outside itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Begin(ComponentId),
    Append(ComponentId),
    Finish(ComponentId),
    Remove(ComponentId),
    Swap(ComponentId, ComponentId),
    Invoke(ComponentId),
    Record(ComponentId),
    Forget(ComponentId),
    Fetch(String),
}

/// The components whose content was begun, in this order.
pub fn begun(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Begin(id) => Some(id.to_string()),
            _ => None,
        })
        .collect()
}

impl Effect {
    /// The components whose content it is about.
    pub fn components(&self) -> Vec<&ComponentId> {
        match self {
            Self::Begin(id)
            | Self::Append(id)
            | Self::Finish(id)
            | Self::Remove(id)
            | Self::Invoke(id)
            | Self::Record(id)
            | Self::Forget(id) => vec![id],
            Self::Swap(one, other) => vec![one, other],
            Self::Fetch(_) => vec![],
        }
    }
}

type Log = Rc<RefCell<Vec<Effect>>>;

/// A [`MemoryDevice`] under observation.
pub struct Recorder {
    pub inner: MemoryDevice,
    log: Log,
    /// The most bytes that one read returns; short reads are legal.
    pub most_read: usize,
    /// The number of the effect that fails, and all after it.
    pub fails_at: Option<usize>,
    /// What its battery holds once it was asked about an event.
    pub charges_to: Option<u64>,
    /// What its battery gains whenever somebody asks how much it holds.
    pub gains: u64,
    /// Whether it can tell when events have happened that are not about time.
    pub observes: bool,
    /// What the device was asked about what, beginning included: `length`, `read`, `begin`, `record`.
    pub asked: Vec<(&'static str, ComponentId)>,
    /// A component whose storage is hostile: once it was read, it holds this.
    pub turns: Option<(ComponentId, Vec<u8>)>,
}

impl Recorder {
    pub fn new(inner: MemoryDevice) -> Self {
        Self {
            inner,
            log: Log::default(),
            most_read: usize::MAX,
            fails_at: None,
            charges_to: None,
            gains: 0,
            observes: true,
            asked: vec![],
            turns: None,
        }
    }

    /// Runs `work` in a transaction; returns its outcome and what it did.
    pub fn observe(
        &mut self,
        fetch: &mut dyn Fetch,
        work: impl FnOnce(&mut dyn Device, &mut dyn Fetch) -> Outcome,
    ) -> (Outcome, Vec<Effect>) {
        self.log.borrow_mut().clear();
        let before = self.inner.clone();
        let mut fetch = Observed {
            inner: fetch,
            log: Rc::clone(&self.log),
        };
        let outcome = work(self, &mut fetch);
        if outcome.result.is_err() {
            self.inner = before;
        }
        (outcome, self.log.take())
    }

    fn effect(&mut self, effect: Effect) -> Result<(), DeviceError> {
        let mut log = self.log.borrow_mut();
        log.push(effect);
        match self.fails_at {
            Some(at) if log.len() > at => Err(DeviceError::Failed("power".into())),
            _ => Ok(()),
        }
    }
}

struct Observed<'f> {
    inner: &'f mut dyn Fetch,
    log: Log,
}

impl Fetch for Observed<'_> {
    fn fetch(
        &mut self,
        uri: &str,
        arguments: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        self.log.borrow_mut().push(Effect::Fetch(uri.into()));
        self.inner.fetch(uri, arguments, sink)
    }
}

impl Device for Recorder {
    fn identity(&self, component: &ComponentId) -> &Identity {
        self.inner.identity(component)
    }

    fn supports(&self, component: &ComponentId) -> bool {
        self.inner.supports(component)
    }

    fn length(&mut self, component: &ComponentId) -> Result<Option<u64>, DeviceError> {
        self.asked.push(("length", component.clone()));
        self.inner.length(component)
    }

    fn read_at(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, DeviceError> {
        self.asked.push(("read", component.clone()));
        let most = buffer.len().min(self.most_read);
        let read = self.inner.read_at(component, offset, &mut buffer[..most])?;
        if let Some((target, content)) = &self.turns
            && target == component
        {
            self.inner.put(target, content);
        }
        Ok(read)
    }

    fn begin(&mut self, component: &ComponentId, length: Option<u64>) -> Result<(), DeviceError> {
        self.asked.push(("begin", component.clone()));
        self.effect(Effect::Begin(component.clone()))?;
        self.inner.begin(component, length)
    }

    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        self.effect(Effect::Append(component.clone()))?;
        self.inner.append(component, chunk)
    }

    fn finish(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        self.effect(Effect::Finish(component.clone()))?;
        self.inner.finish(component)
    }

    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        self.effect(Effect::Remove(component.clone()))?;
        self.inner.remove(component)
    }

    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), DeviceError> {
        self.effect(Effect::Swap(one.clone(), other.clone()))?;
        self.inner.swap(one, other)
    }

    fn slot(&mut self, component: &ComponentId) -> Option<u64> {
        self.inner.slot(component)
    }

    fn invoke(
        &mut self,
        component: &ComponentId,
        arguments: Option<&[u8]>,
    ) -> Result<(), DeviceError> {
        self.effect(Effect::Invoke(component.clone()))?;
        self.inner.invoke(component, arguments)
    }

    fn now(&mut self) -> Option<u64> {
        self.inner.now()
    }

    fn component_prefixes(&self) -> Vec<ComponentId> {
        self.inner.component_prefixes()
    }

    fn time_zone(&mut self) -> Option<i64> {
        self.inner.time_zone()
    }

    fn extensions(&self) -> Extensions {
        self.inner.extensions()
    }

    fn battery(&mut self) -> Result<u64, DeviceError> {
        let energy = self.inner.battery()?;
        self.inner.set_battery(energy + self.gains);
        Ok(energy)
    }

    fn authorizes(&mut self, priority: i64) -> Result<bool, DeviceError> {
        self.inner.authorizes(priority)
    }

    fn observes(&self, event: &WaitEvent<'_>) -> bool {
        self.observes && self.inner.observes(event)
    }

    fn has_happened(&mut self, event: &WaitEvent<'_>) -> Result<bool, DeviceError> {
        if let Some(battery) = self.charges_to {
            self.inner.set_battery(battery);
        }
        self.inner.has_happened(event)
    }

    fn set_metadata(
        &mut self,
        component: &ComponentId,
        metadata: &ComponentMetadata<'_>,
    ) -> Result<(), DeviceError> {
        self.inner.set_metadata(component, metadata)
    }

    fn version(&mut self, component: &ComponentId) -> Result<Option<Version>, DeviceError> {
        self.inner.version(component)
    }

    fn manifest(&mut self, id: &ComponentId) -> Result<Option<ManifestRecord>, DeviceError> {
        self.asked.push(("record", id.clone()));
        self.inner.manifest(id)
    }

    fn manifests(&mut self) -> Result<Vec<ManifestRecord>, DeviceError> {
        self.inner.manifests()
    }

    fn record_manifest(
        &mut self,
        record: &ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), DeviceError> {
        self.effect(Effect::Record(record.id.clone()))?;
        self.inner.record_manifest(record, envelope)
    }

    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.effect(Effect::Forget(id.clone()))?;
        self.inner.forget_manifest(id)
    }
}

/// What can be seen of a device: the contents of components that are no manifests, each manifest's
/// record without who signed it, and what was started. How the envelopes of manifests are kept is the
/// processor's own business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    pub components: Vec<(ComponentId, Vec<u8>)>,
    pub manifests: Vec<Kept>,
    pub invoked: Vec<(ComponentId, Vec<u8>)>,
}

/// The part of a [`ManifestRecord`] that a manifest determines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub id: ComponentId,
    pub sequence_number: SequenceNumber,
    pub digest: SuitDigest,
    pub components: Vec<ComponentId>,
    pub dependencies: Vec<ComponentId>,
    pub root: bool,
}

impl Visible {
    pub fn of(device: &MemoryDevice) -> Self {
        let manifests: Vec<_> = Device::manifests(&mut device.clone())
            .unwrap()
            .into_iter()
            .map(|record| Kept {
                id: record.id,
                sequence_number: record.sequence_number,
                digest: record.digest,
                components: record.components,
                dependencies: record.dependencies,
                root: record.root,
            })
            .collect();
        let components = device
            .components()
            .filter(|id| manifests.iter().all(|kept| kept.id != **id))
            .map(|id| (id.clone(), device.content(id).unwrap().to_vec()))
            .collect();
        Self {
            components,
            manifests,
            invoked: device.invoked().to_vec(),
        }
    }
}
