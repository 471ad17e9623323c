//! What may be installed: security domains, published manifests, deployments, as one consistent picture.

use std::collections::{BTreeMap, HashMap};

use tamarack_cose::PublicKey;
use tamarack_suit::{ComponentId, SuitDigest};

use crate::{Deployment, Timestamp};

/// First segment of the component identifiers of security domains themselves.
pub const DOMAIN_SEGMENT: &[u8] = b"security-domain";

/// The number of a published manifest in this TAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestId(pub i64);

/// What a manifest makes of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentImage {
    /// Which component.
    pub component: ComponentId,
    /// Digests of its image, of which the device may have either: one for each slot, say. None if the manifest states
    /// none.
    pub digests: Vec<SuitDigest>,
}

impl ComponentImage {
    /// What its digest may be, `None` alone if the manifest states none.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = Option<&SuitDigest>> {
        let none = self.digests.is_empty().then_some(None);
        self.digests.iter().map(Some).chain(none)
    }

    /// Whether this is the digest of its image, as far as the manifest says.
    #[must_use]
    pub fn is(&self, digest: Option<&SuitDigest>) -> bool {
        match digest {
            Some(digest) => self.digests.contains(digest),
            None => self.digests.is_empty(),
        }
    }
}

/// What a manifest is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// It installs Trusted Components.
    Component,
    /// It installs a security domain.
    Domain,
}

/// A published manifest, without its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its number.
    pub id: ManifestId,
    /// What it is for.
    pub kind: ManifestKind,
    /// The security domain that it belongs to.
    pub domain: String,
    /// Its own component identifier, by which it is updated and unlinked.
    pub manifest_component: ComponentId,
    /// Its place in the order of releases.
    pub sequence_number: u64,
    /// The digest in its authentication wrapper.
    pub digest: SuitDigest,
    /// What it installs.
    pub components: Vec<ComponentImage>,
    /// Digests of the manifests that it depends on.
    pub dependencies: Vec<SuitDigest>,
    /// SUIT vendor identifiers of which a device must answer to one; empty if any device will do.
    pub vendor_ids: Vec<[u8; 16]>,
    /// SUIT class identifiers of which a device must answer to one; empty if any device will do.
    pub class_ids: Vec<[u8; 16]>,
    /// The key that signed it.
    pub signer: PublicKey,
    /// Since when it is published.
    pub published_at: Timestamp,
    /// Size of the envelope in bytes.
    pub envelope_bytes: u64,
    /// Whether it was withdrawn: no device gets it any more, and what it installed is to go.
    pub withdrawn: bool,
}

impl Manifest {
    /// Whether a person who says `component` means this manifest.
    #[must_use]
    pub fn answers_to(&self, component: &ComponentId) -> bool {
        self.manifest_component == *component
            || self
                .components
                .iter()
                .any(|image| image.component == *component)
    }
}

/// A security domain: one provider's components and the keys that sign them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its name, unique.
    pub name: String,
    /// It owns every component under this prefix that is under no longer prefix of another domain.
    pub prefix: ComponentId,
    /// Keys that may sign its manifests.
    pub signers: Vec<PublicKey>,
    /// The key that signs the manifest of the domain itself, if it has one.
    pub anchor: Option<PublicKey>,
    /// Whether it is being removed from the devices.
    pub retired: bool,
}

impl Domain {
    /// The name of the domain that the domain `name` is in, if it is in one.
    #[must_use]
    pub fn parent_of(name: &str) -> Option<&str> {
        name.rsplit_once('/').map(|(parent, _)| parent)
    }

    /// How many domains lead to it, itself included.
    pub(crate) fn depth_of(name: &str) -> usize {
        name.split('/').count()
    }
}

/// A consistent picture of domains, manifests and deployments.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    revision: u64,
    deployments_revision: u64,
    domains: Vec<Domain>,
    manifests: Vec<Manifest>,
    deployments: Vec<Deployment>,
    /// Position of the newest manifest for each manifest component id.
    newest: BTreeMap<ComponentId, usize>,
    by_digest: HashMap<String, usize>,
}

impl Catalog {
    /// Puts a picture together.
    ///
    /// `revision` changes with anything in it, `deployments_revision` with the deployments.
    #[must_use]
    pub fn new(
        revision: u64,
        deployments_revision: u64,
        domains: Vec<Domain>,
        manifests: Vec<Manifest>,
        deployments: Vec<Deployment>,
    ) -> Self {
        let mut newest: BTreeMap<ComponentId, usize> = BTreeMap::new();
        let mut by_digest = HashMap::new();
        for (position, manifest) in manifests.iter().enumerate() {
            by_digest.insert(manifest.digest.to_string(), position);
            let found = newest
                .entry(manifest.manifest_component.clone())
                .or_insert(position);
            let best = manifests.get(*found).map_or(0, |best| best.sequence_number);
            if manifest.sequence_number >= best {
                *found = position;
            }
        }
        Self {
            revision,
            deployments_revision,
            domains,
            manifests,
            deployments,
            newest,
            by_digest,
        }
    }

    /// Changes with anything in the catalog.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Changes with the deployments.
    #[must_use]
    pub fn deployments_revision(&self) -> u64 {
        self.deployments_revision
    }

    /// The domains.
    #[must_use]
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Every published manifest, superseded ones too.
    #[must_use]
    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// The deployments.
    #[must_use]
    pub fn deployments(&self) -> &[Deployment] {
        &self.deployments
    }

    /// The newest manifest for each manifest component id, in the order of these ids.
    pub fn newest(&self) -> impl Iterator<Item = &Manifest> {
        self.newest
            .values()
            .filter_map(|position| self.manifests.get(*position))
    }

    /// The newest manifest with this manifest component id.
    #[must_use]
    pub fn newest_of(&self, manifest_component: &ComponentId) -> Option<&Manifest> {
        self.manifests.get(*self.newest.get(manifest_component)?)
    }

    /// The manifest with this digest.
    #[must_use]
    pub fn by_digest(&self, digest: &SuitDigest) -> Option<&Manifest> {
        self.manifests
            .get(*self.by_digest.get(&digest.to_string())?)
    }

    /// The manifest with this number.
    #[must_use]
    pub fn manifest(&self, id: ManifestId) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.id == id)
    }

    /// The domain with this name.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name == name)
    }

    /// The domain that owns `component`: the one with the longest prefix of it. Security domains
    /// themselves are owned by none.
    #[must_use]
    pub fn owner_of(&self, component: &ComponentId) -> Option<&Domain> {
        owner_among(self.domains.iter(), component)
    }

    /// The sub-domains of the domain `name`, without their own ones.
    pub fn sub_domains(&self, name: &str) -> impl Iterator<Item = &Domain> {
        self.domains
            .iter()
            .filter(move |domain| Domain::parent_of(&domain.name) == Some(name))
    }

    /// Every release of the manifest with this manifest component id.
    pub fn releases<'a>(
        &'a self,
        manifest_component: &'a ComponentId,
    ) -> impl Iterator<Item = &'a Manifest> {
        self.manifests
            .iter()
            .filter(move |manifest| manifest.manifest_component == *manifest_component)
    }

    /// Whether the key that signed `manifest` may still sign for its domain.
    #[must_use]
    pub fn is_authorized(&self, manifest: &Manifest) -> bool {
        self.domain(&manifest.domain)
            .is_some_and(|domain| match manifest.kind {
                ManifestKind::Component => domain.signers.contains(&manifest.signer),
                ManifestKind::Domain => domain.anchor == Some(manifest.signer),
            })
    }

    /// The newest manifest of the security domain `name` itself.
    #[must_use]
    pub fn domain_manifest(&self, name: &str) -> Option<&Manifest> {
        self.newest()
            .find(|manifest| manifest.kind == ManifestKind::Domain && manifest.domain == name)
    }
}

/// As [`Catalog::owner_of`], among these domains.
pub(crate) fn owner_among<'a>(
    domains: impl Iterator<Item = &'a Domain>,
    component: &ComponentId,
) -> Option<&'a Domain> {
    if is_domain(component) {
        return None;
    }
    domains
        .filter(|domain| component.starts_with(&domain.prefix))
        .max_by_key(|domain| domain.prefix.segments().count())
}

/// Whether `component` is reserved for security domains.
#[must_use]
pub fn is_domain(component: &ComponentId) -> bool {
    component.segments().next() == Some(DOMAIN_SEGMENT)
}
