use std::collections::{HashMap, HashSet};

use tamarack_suit::{ComponentId, SuitDigest};

use crate::{
    InstalledComponent,
    catalog::{Catalog, ComponentImage, Manifest, ManifestId},
};

/// How much of a manifest is on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Nothing.
    Absent,
    /// Something, and not as this manifest makes it.
    Outdated,
    /// All of it.
    Current,
}

/// A device's tc-list, prepared for questions about manifests.
pub(super) struct Inventory<'a> {
    catalog: &'a Catalog,
    confirmed: &'a HashSet<ManifestId>,
    images: HashMap<&'a ComponentId, Vec<Option<&'a SuitDigest>>>,
    /// Manifest component ids of which something is there, under a release old or new.
    present: HashSet<&'a ComponentId>,
}

impl<'a> Inventory<'a> {
    pub(super) fn new(
        installed: &'a [InstalledComponent],
        confirmed: &'a HashSet<ManifestId>,
        catalog: &'a Catalog,
    ) -> Self {
        let mut images: HashMap<_, Vec<_>> = HashMap::new();
        for entry in installed {
            images
                .entry(&entry.component)
                .or_default()
                .push(entry.digest.as_ref());
        }
        // A component counts for the manifest whose newest release has it; one that no newest release
        // has, for the manifest that once installed it.
        let mut owners: HashMap<&ComponentId, &ComponentId> = HashMap::new();
        for manifest in catalog.manifests().iter().chain(catalog.newest()) {
            for image in &manifest.components {
                owners.insert(&image.component, &manifest.manifest_component);
            }
        }
        let present = images
            .keys()
            .filter_map(|component| owners.get(component).copied());
        let present = present.collect();
        Self {
            catalog,
            confirmed,
            images,
            present,
        }
    }

    pub(super) fn presence(&self, manifest: &Manifest) -> Presence {
        let is_there = |image: &ComponentImage| {
            self.images.get(&image.component).is_some_and(|found| {
                // Without a digest in the manifest, that the component is there is all there is to know.
                let nothing_known = image.digests.is_empty();
                found.iter().any(|found| {
                    let comparable = |wanted: &SuitDigest| {
                        found.is_some_and(|found| found.algorithm_id() == wanted.algorithm_id())
                    };
                    match image.digests.iter().any(comparable) {
                        true => image.is(*found),
                        false => nothing_known || self.confirmed.contains(&manifest.id),
                    }
                })
            })
        };
        if !manifest.components.is_empty() && manifest.components.iter().all(is_there) {
            Presence::Current
        } else if self.present.contains(&manifest.manifest_component) {
            Presence::Outdated
        } else {
            Presence::Absent
        }
    }

    /// The newest release of a manifest that is there whole.
    pub(super) fn release(&self, manifest_component: &ComponentId) -> Option<u64> {
        let manifests = self.catalog.manifests().iter();
        manifests
            .filter(|manifest| manifest.manifest_component == *manifest_component)
            .filter(|manifest| self.presence(manifest) == Presence::Current)
            .map(|manifest| manifest.sequence_number)
            .max()
    }
}
