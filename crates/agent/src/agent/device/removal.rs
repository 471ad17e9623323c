//! How things leave the TEE.

use tamarack_suit::{Access, AccessControl, ComponentId, Device, DeviceError, ManifestRecord};

use super::TeeDevice;
use crate::{
    domain::SecurityDomain,
    link::ComponentKind,
    platform::{Namespace, Platform},
    state::{ComponentRecord, KnownManifest, Record},
};

impl<P: Platform> TeeDevice<'_, P> {
    /// Removes what a manifest installed, whatever its own uninstall section says or leaves undone; what
    /// another manifest lists too goes to that one.
    pub(super) fn remove_all_of(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        let manifests = KnownManifest::all(&*self.transaction)?;
        for mut installed in ComponentRecord::all(&*self.transaction)? {
            if installed.manifest != *id {
                continue;
            }
            let heir = manifests.iter().find(|known| {
                known.envelope.is_some()
                    && known.record.id != *id
                    && known.record.components.contains(&installed.component)
            });
            match heir {
                Some(heir) => {
                    installed.manifest = heir.record.id.clone();
                    installed.save(self.transaction)?;
                }
                None => self.remove(&installed.component)?,
            }
        }
        Ok(())
    }

    /// Removes what an older release of the manifest installed and this one no longer lists.
    pub(super) fn remove_dropped(&mut self, record: &ManifestRecord) -> Result<(), DeviceError> {
        let old = self.known(&record.id)?.map(|known| known.record.components);
        for component in old.unwrap_or_default() {
            let installed = self.record(&component)?;
            let ours = installed.is_some_and(|installed| installed.manifest == record.id);
            let still_theirs = self
                .rights
                .permits(&record.signers, Access::Component, &component);
            if ours && still_theirs && !record.components.contains(&component) {
                self.remove(&component)?;
            }
        }
        Ok(())
    }

    /// Takes a component out of the TEE with everything that was its own.
    pub(super) fn uninstall(&mut self, record: &ComponentRecord) -> Result<(), DeviceError> {
        match record.kind {
            ComponentKind::SecurityDomain => {
                let name = SecurityDomain::name_of(&record.component)
                    .map_err(DeviceError::Failed)?
                    .unwrap_or_default();
                self.remove_domain(&name)?;
            }
            ComponentKind::Application => {
                let space = Namespace::application(&record.domain, &record.component);
                self.transaction.destroy(&space)?;
                self.retired.push(record.component.clone());
            }
            ComponentKind::TrustAnchors => self.remove_trust_anchors(&record.component)?,
            ComponentKind::Data => {}
        }
        ComponentRecord::delete(self.transaction, &record.component.to_cbor())?;
        Ok(())
    }
}
