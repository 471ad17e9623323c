//! A device that remembers what a manifest did to it.

use std::collections::BTreeMap;

use tamarack_cose::{CryptoProvider, DigestAlgorithm, DigestContext};
use tamarack_suit::{
    ComponentId, ComponentMetadata, Device, DeviceError, Extensions, Identity, ManifestRecord,
    SuitDigest, Version, WaitEvent,
};

use crate::progress::Progress;

/// Passes everything on to another device, and remembers what was changed.
pub(super) struct Witness<'d> {
    device: &'d mut dyn Device,
    crypto: &'d CryptoProvider,
    progress: Progress,
    writing: BTreeMap<ComponentId, Writing>,
    /// What was done, in order.
    pub(super) deeds: Vec<Deed>,
}

struct Writing {
    bytes: u64,
    digest: Box<dyn DigestContext>,
}

/// One change.
pub(super) enum Deed {
    /// New content.
    Wrote {
        component: ComponentId,
        bytes: u64,
        digest: Option<SuitDigest>,
    },
    /// The component is gone.
    Removed(ComponentId),
    /// The contents of two components were exchanged.
    Swapped(ComponentId, ComponentId),
    /// The component would be started.
    Started {
        component: ComponentId,
        arguments: Option<Vec<u8>>,
    },
}

impl<'d> Witness<'d> {
    pub(super) fn of(
        device: &'d mut dyn Device,
        crypto: &'d CryptoProvider,
        progress: Progress,
    ) -> Self {
        Self {
            device,
            crypto,
            progress,
            writing: BTreeMap::new(),
            deeds: Vec::new(),
        }
    }
}

impl Device for Witness<'_> {
    fn identity(&self, component: &ComponentId) -> &Identity {
        self.device.identity(component)
    }

    fn supports(&self, component: &ComponentId) -> bool {
        self.device.supports(component)
    }

    fn length(&mut self, component: &ComponentId) -> Result<Option<u64>, DeviceError> {
        self.device.length(component)
    }

    fn read_at(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, DeviceError> {
        self.device.read_at(component, offset, buffer)
    }

    fn begin(&mut self, component: &ComponentId, length: Option<u64>) -> Result<(), DeviceError> {
        self.device.begin(component, length)?;
        self.progress.begin(component.to_string(), length);
        let digest = self.crypto.digests.start(DigestAlgorithm::Sha256);
        let writing = Writing { bytes: 0, digest };
        self.writing.insert(component.clone(), writing);
        Ok(())
    }

    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        self.device.append(component, chunk)?;
        let bytes = chunk.len() as u64;
        if let Some(writing) = self.writing.get_mut(component) {
            writing.bytes += bytes;
            writing.digest.update(chunk);
        }
        self.progress.advance(bytes);
        Ok(())
    }

    fn finish(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        self.device.finish(component)?;
        self.progress.end();
        if let Some(writing) = self.writing.remove(component) {
            let digest = writing.digest.finish();
            self.deeds.push(Deed::Wrote {
                component: component.clone(),
                bytes: writing.bytes,
                digest: SuitDigest::new(DigestAlgorithm::Sha256, digest.as_ref()),
            });
        }
        Ok(())
    }

    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        let was_there = self.device.length(component)?.is_some();
        self.device.remove(component)?;
        if was_there {
            self.deeds.push(Deed::Removed(component.clone()));
        }
        Ok(())
    }

    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), DeviceError> {
        self.device.swap(one, other)?;
        self.deeds.push(Deed::Swapped(one.clone(), other.clone()));
        Ok(())
    }

    fn slot(&mut self, component: &ComponentId) -> Option<u64> {
        self.device.slot(component)
    }

    /// Starts nothing: what would be started is shown.
    fn invoke(
        &mut self,
        component: &ComponentId,
        arguments: Option<&[u8]>,
    ) -> Result<(), DeviceError> {
        self.deeds.push(Deed::Started {
            component: component.clone(),
            arguments: arguments.map(<[u8]>::to_vec),
        });
        Ok(())
    }

    fn now(&mut self) -> Option<u64> {
        self.device.now()
    }

    fn component_prefixes(&self) -> Vec<ComponentId> {
        self.device.component_prefixes()
    }

    fn time_zone(&mut self) -> Option<i64> {
        self.device.time_zone()
    }

    fn extensions(&self) -> Extensions {
        self.device.extensions()
    }

    fn battery(&mut self) -> Result<u64, DeviceError> {
        self.device.battery()
    }

    fn authorizes(&mut self, priority: i64) -> Result<bool, DeviceError> {
        self.device.authorizes(priority)
    }

    fn observes(&self, event: &WaitEvent<'_>) -> bool {
        self.device.observes(event)
    }

    fn has_happened(&mut self, event: &WaitEvent<'_>) -> Result<bool, DeviceError> {
        self.device.has_happened(event)
    }

    fn set_metadata(
        &mut self,
        component: &ComponentId,
        metadata: &ComponentMetadata<'_>,
    ) -> Result<(), DeviceError> {
        self.device.set_metadata(component, metadata)
    }

    fn version(&mut self, component: &ComponentId) -> Result<Option<Version>, DeviceError> {
        self.device.version(component)
    }

    fn manifest(&mut self, id: &ComponentId) -> Result<Option<ManifestRecord>, DeviceError> {
        self.device.manifest(id)
    }

    fn manifests(&mut self) -> Result<Vec<ManifestRecord>, DeviceError> {
        self.device.manifests()
    }

    fn record_manifest(
        &mut self,
        record: &ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), DeviceError> {
        self.device.record_manifest(record, envelope)
    }

    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.device.forget_manifest(id)
    }
}
