//! What may become part of the TEE.

use alloc::{format, string::ToString, vec};

use tamarack_cose::DigestAlgorithm;
use tamarack_suit::{
    Access, AccessControl, ComponentId, DeviceError, Envelope, ManifestRecord, SuitDigest,
};

use super::TeeDevice;
use crate::{
    domain::SecurityDomain,
    link::ComponentKind,
    platform::{Namespace, Platform, StorageError},
    state::{ComponentRecord, DomainRecord, KnownManifest, Record},
    trust_anchors::TrustAnchorSet,
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

impl<P: Platform> TeeDevice<'_, P> {
    /// Makes a written component part of the TEE: finds out what it is and whether it can be that.
    pub(super) fn install(
        &mut self,
        component: &ComponentId,
        by: &ManifestRecord,
    ) -> Result<(), DeviceError> {
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
            None if TrustAnchorSet::is(component).map_err(DeviceError::Failed)? => {
                self.install_trust_anchors(component, &space, &name)?;
                ComponentKind::TrustAnchors
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
        let components = ComponentRecord::all(&*self.transaction)?;
        let taken = components.iter().find(|component| {
            component.domain != name && component.component.starts_with(&domain.prefix)
        });
        if let Some(taken) = taken {
            let text = format!("{} is installed by somebody else already", taken.component);
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
    pub(super) fn is_in_use(&self, name: &str) -> Result<bool, StorageError> {
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
    pub(super) fn check_manifest(
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
    pub(super) fn check_count(&self, component: &ComponentId) -> Result<(), DeviceError> {
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
}
