//! The TEE as the SUIT processor sees it: components and manifests in one storage transaction.

use alloc::{collections::BTreeSet, format, string::ToString, vec, vec::Vec};

use tamarack_cose::{CryptoProvider, DigestAlgorithm};
use tamarack_suit::{
    Access, AccessControl, ComponentId, Device, DeviceError, Envelope, Identity, ManifestRecord,
    SuitDigest,
};

use crate::{
    domain::SecurityDomain,
    link::ComponentKind,
    platform::{Namespace, Platform, StorageError, Transaction},
    rights::Rights,
    state::{ComponentRecord, DomainRecord, KnownManifest, Record},
};

/// First bytes of a WebAssembly module: such a component is a Trusted Application.
const WASM_MAGIC: &[u8] = b"\0asm";

/// Largest descriptor of a security domain, in bytes.
const MAX_DESCRIPTOR: u64 = 16 * 1024;

/// Largest envelope that is kept, without its payloads, in bytes.
const MAX_ENVELOPE: usize = 256 * 1024;

/// Most manifests of one security domain, unlinked ones included.
const MAX_MANIFESTS: usize = 256;

/// Most components of one security domain: each takes room in the agent's own records.
const MAX_COMPONENTS: usize = 256;

/// Most components of all security domains together: a TAM is told of each in every QueryResponse.
const MAX_COMPONENTS_IN_ALL: usize = 1024;

/// The TEE during one SUIT procedure.
pub(super) struct TeeDevice<'a, P> {
    platform: &'a P,
    rights: &'a Rights,
    transaction: &'a mut dyn Transaction,
    /// Components whose content was written in this procedure.
    written: BTreeSet<ComponentId>,
    /// Trusted Applications whose sessions end once the transaction is committed.
    retired: Vec<ComponentId>,
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
            written: BTreeSet::new(),
            retired: Vec::new(),
        }
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
        Ok(Namespace::domain(&self.rights.domain_name(component)))
    }

    /// The envelope under a manifest's identifier, which is content too.
    fn envelope(&self, id: &ComponentId) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.known(id)?.and_then(|known| known.envelope))
    }

    fn refuse_over_quota(&self, component: &ComponentId) -> Result<(), DeviceError> {
        let domain = self.rights.domain_name(component);
        let mut used = self.transaction.usage(&Namespace::domain(&domain))?;
        for record in ComponentRecord::all(&*self.transaction)? {
            if record.domain == domain && record.kind == ComponentKind::Application {
                let objects = Namespace::application(&domain, &record.component);
                used += self.transaction.usage(&objects)?;
            }
        }
        if used <= self.rights.quota(&domain).bytes {
            Ok(())
        } else {
            Err(DeviceError::NoSpace)
        }
    }

    /// Makes a written component part of the TEE: finds out what it is and whether it can be that.
    fn install(&mut self, component: &ComponentId, by: &ManifestRecord) -> Result<(), DeviceError> {
        let old = self.record(component)?;
        if let Some(old) = &old
            && old.manifest != by.id
        {
            let text = format!("{component} belongs to the manifest {}", old.manifest);
            return Err(DeviceError::Failed(text));
        }
        if self.envelope(component)?.is_some() {
            let text = format!("{component} is the identifier of a manifest");
            return Err(DeviceError::Failed(text));
        }
        let space = self.space(component)?;
        let name = component.to_cbor();
        let size = self.transaction.length(&space, &name)?.unwrap_or(0);
        let kind = match SecurityDomain::name_of(component).map_err(DeviceError::Failed)? {
            Some(domain) => {
                self.install_domain(&domain, &space, &name, size)?;
                ComponentKind::SecurityDomain
            }
            None if self.starts_with_magic(&space, &name)? => {
                self.check_application(component, &space, &name)?;
                ComponentKind::Application
            }
            None => ComponentKind::Data,
        };
        let record = ComponentRecord {
            component: component.clone(),
            kind,
            domain: self.rights.domain_name(component),
            manifest: by.id.clone(),
            digest: self.digest(&space, &name)?,
            size,
        };
        if let Some(old) = old.filter(|old| old.kind == ComponentKind::Application)
            && (old.kind != record.kind || old.domain != record.domain)
        {
            // Nobody can reach its objects any more, and nobody is to find them later.
            let objects = Namespace::application(&old.domain, component);
            self.transaction.destroy(&objects)?;
        }
        record.save(self.transaction)?;
        Ok(())
    }

    fn install_domain(
        &mut self,
        name: &str,
        space: &Namespace,
        key: &[u8],
        size: u64,
    ) -> Result<(), DeviceError> {
        if size > MAX_DESCRIPTOR {
            let text = format!("the descriptor of a security domain is {size} bytes long");
            return Err(DeviceError::Failed(text));
        }
        let descriptor = self.transaction.get(space, key)?.unwrap_or_default();
        let domain = SecurityDomain::decode(&descriptor)
            .map_err(|error| DeviceError::Failed(error.to_string()))?;
        if let Some(rival) = self.rights.rival(name, &domain.prefix) {
            let text = format!(
                "{} belongs to the security domain {}",
                domain.prefix, rival.name
            );
            return Err(DeviceError::Failed(text));
        }
        let old = DomainRecord::load(&*self.transaction, name.as_bytes())?;
        if old.is_some_and(|old| old.domain.prefix != domain.prefix) && self.is_in_use(name)? {
            let text = format!("the security domain {name} is in use and can't move its prefix");
            return Err(DeviceError::Failed(text));
        }
        DomainRecord {
            name: name.into(),
            domain,
        }
        .save(self.transaction)?;
        Ok(())
    }

    /// Whether components are installed in a security domain.
    fn is_in_use(&self, name: &str) -> Result<bool, StorageError> {
        let components = ComponentRecord::all(&*self.transaction)?;
        Ok(components.iter().any(|component| component.domain == name))
    }

    fn starts_with_magic(&self, space: &Namespace, name: &[u8]) -> Result<bool, StorageError> {
        let mut magic = [0; 4];
        let read = self.transaction.read_at(space, name, 0, &mut magic)?;
        Ok(read == Some(4) && magic == WASM_MAGIC)
    }

    fn check_application(
        &self,
        component: &ComponentId,
        space: &Namespace,
        name: &[u8],
    ) -> Result<(), DeviceError> {
        let domain = self.rights.domain_name(component);
        let quota = self.rights.quota(&domain);
        let others = ComponentRecord::all(&*self.transaction)?;
        let applications = others.iter().filter(|other| {
            other.domain == domain
                && other.kind == ComponentKind::Application
                && other.component != *component
        });
        if applications.count() as u64 >= quota.applications {
            let text = format!(
                "the quota of {} applications is reached",
                quota.applications
            );
            return Err(DeviceError::Failed(text));
        }
        let code = self.transaction.get(space, name)?.unwrap_or_default();
        self.platform
            .runtime()
            .check(&code, quota.memory)
            .map_err(DeviceError::Failed)
    }

    fn digest(&self, space: &Namespace, name: &[u8]) -> Result<SuitDigest, DeviceError> {
        let mut context = self.crypto().digests.start(DigestAlgorithm::Sha256);
        let mut buffer = vec![0; 16 * 1024];
        let mut offset = 0;
        loop {
            let read = self
                .transaction
                .read_at(space, name, offset, &mut buffer)?
                .unwrap_or(0);
            if read == 0 {
                break;
            }
            context.update(buffer.get(..read).unwrap_or_default());
            offset += read as u64;
        }
        SuitDigest::new(DigestAlgorithm::Sha256, context.finish().as_ref())
            .ok_or_else(|| DeviceError::Failed("a digest of the wrong size".into()))
    }

    /// Whether a manifest may be kept under its identifier, by whoever brought it: as a root or a dependency.
    fn check_manifest(
        &mut self,
        record: &ManifestRecord,
        envelope: &[u8],
    ) -> Result<(), DeviceError> {
        let refuse = |text: &str| Err(DeviceError::Failed(format!("{}: {text}", record.id)));
        if envelope.len() > MAX_ENVELOPE {
            return refuse("the manifest is too long to be kept");
        }
        let placement = Envelope::decode(envelope)
            .and_then(|envelope| envelope.unverified_manifest())
            .map(|manifest| manifest.placement());
        // Under another identifier than its own, its number would not count.
        if placement.as_ref() != Ok(&record.id) {
            return refuse("the manifest belongs under another identifier");
        }
        if !self
            .rights
            .permits(&record.signers, Access::Manifest, &record.id)
        {
            return refuse("the signer has no right to that identifier");
        }
        let domain = self.rights.domain_name(&record.id);
        let manifests = KnownManifest::all(&*self.transaction)?;
        let others = manifests.iter().filter(|known| {
            known.record.id != record.id && self.rights.domain_name(&known.record.id) == domain
        });
        // Those that were unlinked count too: their numbers are remembered for ever.
        if others.count() >= MAX_MANIFESTS {
            return refuse("the limit on manifests of the security domain is reached");
        }
        if self.record(&record.id)?.is_some() || record.components.contains(&record.id) {
            return refuse("the identifier is that of a component");
        }
        Ok(())
    }

    /// Refuses more components than one domain may have.
    fn check_count(&self, component: &ComponentId) -> Result<(), DeviceError> {
        let domain = self.rights.domain_name(component);
        let components = ComponentRecord::all(&*self.transaction)?;
        let others = components
            .iter()
            .filter(|c| c.domain == domain && c.component != *component);
        if others.count() >= MAX_COMPONENTS || components.len() >= MAX_COMPONENTS_IN_ALL {
            let text = format!("the limit of {MAX_COMPONENTS} components is reached");
            return Err(DeviceError::Failed(text));
        }
        Ok(())
    }

    /// Removes what a manifest installed, whatever its own uninstall section says or leaves undone; what
    /// another manifest lists too goes to that one.
    fn remove_all_of(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
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
    fn remove_dropped(&mut self, record: &ManifestRecord) -> Result<(), DeviceError> {
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
    fn uninstall(&mut self, record: &ComponentRecord) -> Result<(), DeviceError> {
        match record.kind {
            ComponentKind::SecurityDomain => {
                let name = SecurityDomain::name_of(&record.component);
                let name = name.ok().flatten().unwrap_or_default();
                if self.is_in_use(&name)? {
                    let text = format!("the security domain {name} still holds components");
                    return Err(DeviceError::Failed(text));
                }
                DomainRecord::delete(self.transaction, name.as_bytes())?;
                self.transaction.destroy(&Namespace::domain(&name))?;
            }
            ComponentKind::Application => {
                let space = Namespace::application(&record.domain, &record.component);
                self.transaction.destroy(&space)?;
                self.retired.push(record.component.clone());
            }
            ComponentKind::Data => {}
        }
        ComponentRecord::delete(self.transaction, &record.component.to_cbor())?;
        Ok(())
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
        match length {
            Some(length) => Ok(Some(length)),
            None => Ok(self
                .envelope(component)?
                .map(|envelope| envelope.len() as u64)),
        }
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

    fn begin(&mut self, component: &ComponentId, _: Option<u64>) -> Result<(), DeviceError> {
        if let Some(old) = self.record(component)? {
            self.transaction
                .remove(&Namespace::domain(&old.domain), &component.to_cbor())?;
            if old.kind == ComponentKind::Application {
                self.retired.push(component.clone());
            }
        }
        self.written.insert(component.clone());
        let space = self.space(component)?;
        self.transaction.put(&space, &component.to_cbor(), &[])?;
        Ok(())
    }

    fn append(&mut self, component: &ComponentId, chunk: &[u8]) -> Result<(), DeviceError> {
        let space = self.space(component)?;
        self.transaction
            .append(&space, &component.to_cbor(), chunk)?;
        self.refuse_over_quota(component)
    }

    fn finish(&mut self, _: &ComponentId) -> Result<(), DeviceError> {
        Ok(())
    }

    fn remove(&mut self, component: &ComponentId) -> Result<(), DeviceError> {
        let space = self.space(component)?;
        self.transaction.remove(&space, &component.to_cbor())?;
        self.written.remove(component);
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
        // A dependency's envelope was written like a component's content; the record holds it from now on.
        if self.written.remove(&record.id) {
            let space = self.space(&record.id)?;
            self.transaction.remove(&space, &record.id.to_cbor())?;
        }
        for component in &record.components {
            if self.written.contains(component) {
                self.check_count(component)?;
                self.install(component, record)?;
            }
        }
        self.remove_dropped(record)?;
        let known = KnownManifest {
            record: record.clone(),
            envelope: Some(envelope.to_vec()),
        };
        known.save(self.transaction)?;
        Ok(())
    }

    fn forget_manifest(&mut self, id: &ComponentId) -> Result<(), DeviceError> {
        self.remove_all_of(id)?;
        if let Some(mut known) = self.known(id)? {
            // The number stays, or the Update that once installed it could bring it back.
            known.envelope = None;
            known.record.components.clear();
            known.record.dependencies.clear();
            known.save(self.transaction)?;
        }
        Ok(())
    }
}
