//! The TEE as the SUIT processor sees it: components and manifests in one storage transaction.

mod domains;
mod install;
mod manager;
mod quota;
mod removal;
mod trust;

use alloc::{collections::BTreeSet, format, string::ToString, vec::Vec};

use tamarack_cose::{CryptoProvider, KeyId};
use tamarack_suit::{ComponentId, Device, DeviceError, Identity, ManifestRecord};

use crate::{
    link::ComponentKind,
    platform::{Namespace, Platform, StorageError, Transaction},
    rights::Rights,
    state::{ComponentRecord, KnownManifest, Record},
};
use quota::Budget;

/// The TEE during one SUIT procedure.
pub(super) struct TeeDevice<'a, P> {
    platform: &'a P,
    rights: &'a Rights,
    transaction: &'a mut dyn Transaction,
    /// The TAM that asks for the procedure.
    tam: Option<KeyId>,
    /// Components whose content was written in this procedure.
    written: BTreeSet<ComponentId>,
    /// The component whose content was begun last.
    writing: Option<ComponentId>,
    /// The component that was looked for last and is not there.
    absent: Option<ComponentId>,
    /// Trusted Applications whose sessions end once the transaction is committed.
    retired: Vec<ComponentId>,
    /// What the domain whose component is being written may still store.
    budget: Option<Budget>,
    /// Whether the procedure made or changed a security domain, of which `rights` know nothing.
    changed_domains: bool,
}

impl From<StorageError> for DeviceError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Full => Self::NoSpace,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl<'a, P: Platform> TeeDevice<'a, P> {
    pub(super) fn new(
        platform: &'a P,
        rights: &'a Rights,
        transaction: &'a mut dyn Transaction,
    ) -> Self {
        Self {
            platform,
            rights,
            transaction,
            tam: None,
            written: BTreeSet::new(),
            writing: None,
            absent: None,
            retired: Vec::new(),
            budget: None,
            changed_domains: false,
        }
    }

    /// The procedure is one that the TAM with this key asks for: it manages what is installed, and changes
    /// nothing that another TAM manages.
    pub(super) fn on_behalf_of(mut self, tam: &KeyId) -> Self {
        self.tam = Some(*tam);
        self
    }

    /// The component whose content was begun last: of a procedure that failed for want of a payload, the one that
    /// lacks it.
    pub(super) fn writing(&self) -> Option<&ComponentId> {
        self.writing.as_ref()
    }

    /// Whether this component was looked for last, and is not there.
    pub(super) fn is_absent(&self, component: &ComponentId) -> bool {
        self.absent.as_ref() == Some(component)
    }

    /// Trusted Applications that were replaced or removed.
    pub(super) fn into_retired(self) -> Vec<ComponentId> {
        self.retired
    }

    fn crypto(&self) -> &CryptoProvider {
        self.platform.crypto()
    }

    fn record(&self, component: &ComponentId) -> Result<Option<ComponentRecord>, StorageError> {
        ComponentRecord::load(&*self.transaction, &component.to_cbor())
    }

    fn known(&self, id: &ComponentId) -> Result<Option<KnownManifest>, StorageError> {
        KnownManifest::load(&*self.transaction, &id.to_cbor())
    }

    /// Where a component's content is, or goes.
    fn space(&self, component: &ComponentId) -> Result<Namespace, StorageError> {
        if let (false, Some(record)) = (self.written.contains(component), self.record(component)?) {
            return Ok(Namespace::domain(&record.domain));
        }
        Ok(Namespace::domain(self.rights.domain_name(component)))
    }

    /// The envelope under a manifest's identifier, which is content too.
    fn envelope(&self, id: &ComponentId) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.known(id)?.and_then(|known| known.envelope))
    }
}

impl<P: Platform> Device for TeeDevice<'_, P> {
    fn identity(&self, _: &ComponentId) -> &Identity {
        &self.platform.identity().suit
    }

    fn supports(&self, component: &ComponentId) -> bool {
        !component.is_empty()
    }

    fn length(&mut self, component: &ComponentId) -> Result<Option<u64>, DeviceError> {
        let length = self
            .transaction
            .length(&self.space(component)?, &component.to_cbor())?;
        let length = match length {
            Some(length) => Some(length),
            None => self
                .envelope(component)?
                .map(|envelope| envelope.len() as u64),
        };
        self.absent = length.is_none().then(|| component.clone());
        Ok(length)
    }

    fn read_at(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, DeviceError> {
        let space = self.space(component)?;
        if let Some(read) =
            self.transaction
                .read_at(&space, &component.to_cbor(), offset, buffer)?
        {
            return Ok(read);
        }
        let missing = || DeviceError::Failed(format!("{component} is not there"));
        let envelope = self.envelope(component)?.ok_or_else(missing)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = envelope.get(offset..).unwrap_or_default();
        Ok(rest
            .iter()
            .zip(buffer)
            .map(|(from, to)| *to = *from)
            .count())
    }

    fn begin(&mut self, component: &ComponentId, length: Option<u64>) -> Result<(), DeviceError> {
        self.budget = None;
        if let Some(old) = self.record(component)? {
            self.transaction
                .remove(&Namespace::domain(&old.domain), &component.to_cbor())?;
            if old.kind == ComponentKind::Application {
                self.retired.push(component.clone());
            }
        }
        self.written.insert(component.clone());
        self.writing = Some(component.clone());
        let space = self.space(component)?;
        self.transaction.put(&space, &component.to_cbor(), &[])?;
        // What can't fit is refused before it is fetched.
        self.check_bytes(component, length.unwrap_or(0))
    }

    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        let space = self.space(component)?;
        self.transaction
            .append(&space, &component.to_cbor(), chunk)?;
        self.check_bytes(component, 0)
    }

    fn finish(&mut self, _: &ComponentId) -> Result<(), DeviceError> {
        Ok(())
    }

    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        if let Some(installed) = self.record(component)? {
            self.check_manager(&installed.manifest)?;
        }
        let space = self.space(component)?;
        self.transaction.remove(&space, &component.to_cbor())?;
        self.written.remove(component);
        self.budget = None;
        match self.record(component)? {
            Some(record) => self.uninstall(&record),
            None => Ok(()),
        }
    }

    fn now(&mut self) -> Option<u64> {
        Some(self.platform.now())
    }

    fn manifest(&mut self, id: &ComponentId) -> Result<Option<ManifestRecord>, DeviceError> {
        Ok(self.known(id)?.map(|known| known.record))
    }

    fn manifests(&mut self) -> Result<Vec<ManifestRecord>, DeviceError> {
        let known = KnownManifest::all(&*self.transaction)?.into_iter();
        Ok(known
            .filter(|known| known.envelope.is_some())
            .map(|known| known.record)
            .collect())
    }

    fn record_manifest(
        &mut self,
        record: &ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), DeviceError> {
        self.check_manifest(record, envelope)?;
        let tam = self.next_manager(&record.id, &record.digest)?;
        // A dependency's envelope was written like a component's content; the record holds it from now on.
        if self.written.remove(&record.id) {
            let space = self.space(&record.id)?;
            self.transaction.remove(&space, &record.id.to_cbor())?;
        }
        for component in &record.components {
            if self.written.contains(component) {
                self.check_count(component)?;
                self.install(component, record)?;
                self.check_owner_stayed(component)?;
            }
        }
        self.check_owner_stayed(&record.id)?;
        self.remove_dropped(record)?;
        let known = KnownManifest {
            record: record.clone(),
            envelope: Some(envelope.to_vec()),
            tam,
        };
        known.save(self.transaction)?;
        self.budget = None;
        self.check_bytes(&record.id, 0)
    }

    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.check_manager(id)?;
        self.remove_all_of(id)?;
        self.budget = None;
        if let Some(mut known) = self.known(id)? {
            // The number stays, or the Update that once installed it could bring it back.
            known.envelope = None;
            known.tam = None;
            known.record.components.clear();
            known.record.dependencies.clear();
            known.save(self.transaction)?;
        }
        Ok(())
    }
}
