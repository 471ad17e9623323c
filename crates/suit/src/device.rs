use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::{ComponentId, ComponentMetadata, Identity, ManifestRecord, Version, WaitEvent};

/// What a Recipient offers the processor: components, records of manifests, and its identity.
///
/// All methods act within one transaction that the caller opened: it commits when the procedure
/// succeeded and rolls back otherwise, so that a procedure that fails, or power that fails during it,
/// leaves the old state. Only [`invoke`](Self::invoke) reaches outside. What was written must be what is
/// read afterwards in the same transaction.
///
/// In an update and an invocation, the processor calls these methods for identifiers only that a manifest declares, the
/// device [`supports`](Self::supports) and the signers may touch, and for the places where manifests are kept (such as
/// `boot/0/suit`): the content of a component `record.id` is the envelope that
/// [`record_manifest`](Self::record_manifest) was given, and need not be a component that the device supports otherwise. To
/// uninstall asks for no rights, since what is there was let in once, and reaches what records name. Whoever calls
/// [`Processor::invoke`](crate::Processor::invoke) or [`uninstall`](crate::Processor::uninstall) may ask for any identifier
/// of a record.
///
/// [`MemoryDevice`](crate::MemoryDevice) is an implementation to start from.
pub trait Device {
    /// What the Recipient is, as far as a component is concerned.
    ///
    /// Wrong identifiers let software for other hardware in.
    fn identity(&self, component: &ComponentId) -> &Identity;

    /// Whether the device could have such a component. Called before anything is done to it.
    fn supports(&self, component: &ComponentId) -> bool;

    /// The length of a component's content in bytes, `None` if there is no such component now.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn length(&mut self, component: &ComponentId) -> Result<Option<u64>, DeviceError>;

    /// Reads content from `offset` into `buffer` and returns how many bytes were read; fewer than
    /// asked for only at the end. Reads of one component mostly follow one another.
    ///
    /// # Errors
    ///
    /// If storage fails or the component does not exist.
    fn read_at(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, DeviceError>;

    /// Starts new content for a component, in place of what it has. `length` is the expected length, if
    /// the manifest gives one: a bound, not a promise.
    ///
    /// # Errors
    ///
    /// If storage fails or has no room.
    fn begin(&mut self, component: &ComponentId, length: Option<u64>) -> Result<(), DeviceError>;

    /// Appends to the content that was begun.
    ///
    /// # Errors
    ///
    /// If storage fails or has no room.
    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError>;

    /// Ends the content that was begun. Not called when fetching failed: the caller then rolls back.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn finish(&mut self, component: &ComponentId) -> Result<(), DeviceError>;

    /// Removes a component. Removing one that does not exist succeeds.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError>;

    /// Exchanges the contents of two components.
    ///
    /// # Errors
    ///
    /// If storage fails; by default that the device can't.
    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), DeviceError> {
        let _ = (one, other);
        Err(DeviceError::Unsupported)
    }

    /// The slot that a component is in, on devices that have slots.
    fn slot(&mut self, component: &ComponentId) -> Option<u64> {
        let _ = component;
        None
    }

    /// Starts a component. Returns when the component hands control back, if it does.
    ///
    /// # Errors
    ///
    /// If it can't be started; by default that the device can't.
    fn invoke(
        &mut self,
        component: &ComponentId,
        arguments: Option<&[u8]>,
    ) -> Result<(), DeviceError> {
        let _ = (component, arguments);
        Err(DeviceError::Unsupported)
    }

    /// The time in seconds since 1970-01-01 UTC, `None` without a clock that can be relied on.
    fn now(&mut self) -> Option<u64> {
        None
    }

    /// Prefixes of the identifiers that the device [`supports`](Self::supports), for reports about what it
    /// is capable of. At least one; the empty one, which is the default, stands for all.
    fn component_prefixes(&self) -> Vec<ComponentId> {
        Vec::from([ComponentId::default()])
    }

    /// How many seconds local time is ahead of UTC now, daylight saving included; `None` where no time
    /// zone is configured, and local times are therefore unsupported.
    fn time_zone(&mut self) -> Option<i64> {
        None
    }

    /// Which optional parts of the standard this device has. A manifest that needs another one is refused
    /// before anything is done.
    fn extensions(&self) -> Extensions {
        Extensions::default()
    }

    /// The energy in the battery, in mWh. Called where [`Extensions::battery`] is set.
    ///
    /// # Errors
    ///
    /// If it can't be measured.
    fn battery(&mut self) -> Result<u64, DeviceError> {
        Err(DeviceError::Unsupported)
    }

    /// Whether the application agrees to an update of this priority; the smaller, the more urgent. Called
    /// where [`Extensions::authorization`] is set.
    ///
    /// # Errors
    ///
    /// If it can't be asked.
    fn authorizes(&mut self, priority: i64) -> Result<bool, DeviceError> {
        let _ = priority;
        Err(DeviceError::Unsupported)
    }

    /// Whether the device can tell when an event of this kind has happened that is not about time: by default,
    /// authorizations where it has [`Extensions::authorization`]. A manifest that waits for another is refused
    /// before anything is done. Called where [`Extensions::wait`] is set.
    // req: SUIT-UPD-023
    fn observes(&self, event: &WaitEvent<'_>) -> bool {
        matches!(event, WaitEvent::Authorization(_)) && self.extensions().authorization
    }

    /// Whether an event has happened that the device [`observes`](Self::observes). May block until it has; on
    /// `false`, the procedure ends without effect and is to be repeated later.
    ///
    /// # Errors
    ///
    /// If it can't be told now.
    fn has_happened(&mut self, event: &WaitEvent<'_>) -> Result<bool, DeviceError> {
        match event {
            WaitEvent::Authorization(priority) => self.authorizes(*priority),
            _ => Err(DeviceError::Unsupported),
        }
    }

    /// Takes note of what the component is as a file, before [`begin`](Self::begin), or of what it is from now on, where
    /// the content is there already and stays. The device decides what of it is allowed; it is an untrusted wish. Called where [`Extensions::metadata`] is set.
    ///
    /// # Errors
    ///
    /// If the device's policy forbids it.
    // req: SUIT-UPD-027, SUIT-UPD-028
    fn set_metadata(
        &mut self,
        component: &ComponentId,
        metadata: &ComponentMetadata<'_>,
    ) -> Result<(), DeviceError> {
        let _ = (component, metadata);
        Err(DeviceError::Unsupported)
    }

    /// The version of what is installed at a component, or of the manifest that is kept there: by default, the version
    /// that the manifest set. Of what a manifest with a version has just written, the version is that; this is not asked.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn version(&mut self, component: &ComponentId) -> Result<Option<Version>, DeviceError> {
        let mut records = self.manifests()?.into_iter();
        let installed =
            records.find(|record| record.id == *component || record.components.contains(component));
        Ok(installed.and_then(|record| record.version))
    }

    /// The record of the manifest that is installed at an identifier.
    ///
    /// This is what protects from rollback: a record that gets lost lets older manifests in.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn manifest(&mut self, id: &ComponentId) -> Result<Option<ManifestRecord>, DeviceError>;

    /// All records, in any order.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn manifests(&mut self) -> Result<Vec<ManifestRecord>, DeviceError>;

    /// Keeps a manifest: its record, and `envelope` as the content of the component `record.id`. Called
    /// once per manifest at the end of a procedure that succeeded.
    ///
    /// # Errors
    ///
    /// If storage fails or has no room.
    fn record_manifest(
        &mut self,
        record: &ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), DeviceError>;

    /// Forgets a manifest that was uninstalled: its record and the content of its component.
    ///
    /// Its sequence number is forgotten with it: whoever may install may then begin anew.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), DeviceError>;
}

/// Optional parts of the standard that a device may have (draft-ietf-suit-update-management). Set others
/// with `Extensions { battery: true, ..Extensions::default() }`; the default is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions {
    /// [`Device::battery`]: condition minimum battery.
    pub battery: bool,
    /// [`Device::authorizes`]: condition update authorized.
    pub authorization: bool,
    /// [`Device::has_happened`]: directive wait.
    pub wait: bool,
    /// [`Device::set_metadata`]: parameter component metadata.
    pub metadata: bool,
}

/// Where payloads come from that are not in the envelope.
pub trait Fetch {
    /// Retrieves what is at `uri` and hands it to `sink` in order, in chunks of any size. The sink
    /// refuses what is too long; stop then and return its error. `arguments` are hints of the manifest.
    ///
    /// Neither the URI's host nor what it returns is trusted; the processor verifies the content.
    ///
    /// # Errors
    ///
    /// If the payload can't be had, or the sink refused.
    fn fetch(
        &mut self,
        uri: &str,
        arguments: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError>;
}

/// For recipients that take integrated payloads only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoFetch;

impl Fetch for NoFetch {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        _: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        Err(DeviceError::Unavailable(uri.into()))
    }
}

/// Why the device could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceError {
    /// The device has no such function.
    Unsupported,
    /// No room is left.
    NoSpace,
    /// Whoever owns the component has no more of something; says whose quota of what, and what was wanted.
    OverQuota(String),
    /// The payload could not be retrieved; says what or why.
    Unavailable(String),
    /// More bytes than the processor takes; the bound in bytes. Made by the processor's sink.
    TooLong(u64),
    /// Anything else; says what.
    Failed(String),
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("the device can't do that"),
            Self::NoSpace => f.write_str("no room is left"),
            Self::OverQuota(what) => f.write_str(what),
            Self::Unavailable(what) => write!(f, "the payload is not available: {what}"),
            Self::TooLong(bound) => write!(f, "more than {bound} bytes"),
            Self::Failed(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for DeviceError {}
