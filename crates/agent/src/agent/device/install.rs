//! What may become part of the TEE.

use alloc::{format, vec};

use tamarack_cose::DigestAlgorithm;
use tamarack_suit::{
    Access, AccessControl, ComponentId, DeviceError, Envelope, ManifestRecord, SuitDigest,
};
use zeroize::Zeroizing;

use super::TeeDevice;
use crate::{
    domain::SecurityDomain,
    link::ComponentKind,
    platform::{Namespace, Platform, StorageError},
    state::{ComponentRecord, KnownManifest, Record},
    trust_anchors::TrustAnchorSet,
};

/// First bytes of a WebAssembly module: such a component is a Trusted Application.
const WASM_MAGIC: &[u8] = b"\0asm";

/// Largest envelope that is kept, without its payloads, in bytes.
const MAX_ENVELOPE: usize = 256 * 1024;

/// Most manifests of one security domain and the sub-domains in it, unlinked ones included.
const MAX_MANIFESTS: usize = 256;

/// Most components of one security domain and the sub-domains in it: each takes room in the agent's own records.
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
        if kind == ComponentKind::Application
            && old
                .as_ref()
                .is_none_or(|old| old.kind != ComponentKind::Application)
        {
            // What an application of that name left behind, in a session that ended late, is nobody's.
            let objects = Namespace::application(self.rights.domain_name(component), component);
            self.transaction.destroy(&objects)?;
        }
        let record = ComponentRecord {
            component: component.clone(),
            kind,
            domain: self.rights.domain_name(component).into(),
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
        let quota = self.rights.quota(domain);
        self.check_application_quota(component, domain)?;
        let code = self.transaction.get(space, name)?.unwrap_or_default();
        self.platform
            .runtime()
            .check(&code, quota.memory)
            .map_err(DeviceError::Failed)
    }

    fn digest(&self, space: &Namespace, name: &[u8]) -> Result<SuitDigest, DeviceError> {
        let mut context = self.crypto().digests.start(DigestAlgorithm::Sha256);
        // May be Personalization Data, of which nothing stays in memory.
        let mut buffer = Zeroizing::new(vec![0; 16 * 1024]);
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
        let tree = SecurityDomain::root_of(domain);
        let manifests = KnownManifest::all(&*self.transaction)?;
        let others = manifests.iter().filter(|known| {
            let domain = self.rights.domain_name(&known.record.id);
            known.record.id != record.id && SecurityDomain::root_of(domain) == tree
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

    /// Refuses more components than one domain may have, with all that are in it.
    pub(super) fn check_count(&self, component: &ComponentId) -> Result<(), DeviceError> {
        let domain = self.rights.domain_name(component);
        let tree = SecurityDomain::root_of(domain);
        let components = ComponentRecord::all(&*self.transaction)?;
        let others = components
            .iter()
            .filter(|c| SecurityDomain::root_of(&c.domain) == tree && c.component != *component);
        if others.count() >= MAX_COMPONENTS || components.len() >= MAX_COMPONENTS_IN_ALL {
            let text = format!("the limit of {MAX_COMPONENTS} components is reached");
            return Err(DeviceError::Failed(text));
        }
        Ok(())
    }
}
