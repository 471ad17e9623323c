//! From what a device holds and what the operator wants to what an Update says: a pure function.

mod inventory;
#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_teep::RequestedComponent;

use crate::{
    InstalledComponent, Mode,
    catalog::{Catalog, Domain, Manifest, ManifestId, ManifestKind},
};
use inventory::{Inventory, Presence};

/// Which device a plan is for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its ueid.
    pub ueid: &'a [u8],
    /// The labels of its endorsement.
    pub labels: &'a BTreeMap<String, String>,
    /// SUIT vendor identifiers of its endorsement; without any, every manifest suits it.
    pub vendor_ids: &'a [[u8; 16]],
    /// SUIT class identifiers of its endorsement; without any, every manifest suits it.
    pub class_ids: &'a [[u8; 16]],
    /// Longest envelope that can be sent.
    pub envelope_bytes: u64,
    /// Manifests that failed on it too often to be sent again.
    pub exhausted: &'a HashSet<ManifestId>,
    /// Manifests that it said it installed, of each the last. They say what is in a component whose digest it does not
    /// say, or says by another algorithm than the manifest.
    pub confirmed: &'a HashSet<ManifestId>,
}

/// What the device says, in an attested QueryResponse.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// tc-list.
    pub installed: &'a [InstalledComponent],
    /// requested-tc-list.
    pub requested: &'a [RequestedComponent],
    /// unneeded-manifest-list.
    pub unneeded: &'a [ComponentId],
}

/// What an Update shall do. Empty if all is well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Manifests to unlink, by manifest component id.
    pub unlink: Vec<ComponentId>,
    /// Manifests to install, each after what it needs.
    pub install: Vec<ManifestId>,
    /// What the operator's wishes call for and this device can't be given.
    pub left_out: Vec<(ManifestId, LeftOut)>,
}

/// Why a manifest can't be given to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeftOut {
    /// It is for devices of other vendors or classes.
    #[error("it is for devices of other vendors or classes")]
    DoesNotApply,
    /// It was published before the limit was set.
    #[error("its envelope fits into no Update")]
    TooLarge,
    /// The device could not apply it, as often as it was sent.
    #[error("it failed on the device too often; a newer release is sent")]
    FailedTooOften,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unlink.is_empty() && self.install.is_empty()
    }
}

/// Decides what an Update to the device shall do.
///
/// - `required` components are installed, and updated when outdated.
/// - `on-request` components are installed when the device asks for them (unless the newest manifest is
///   older than it accepts), updated when outdated, and unlinked when it no longer needs them.
/// - Components that this TAM published and no deployment covers are unlinked, unless something that
///   stays depends on them. What other TAMs installed is left alone.
/// - What was withdrawn is unlinked, whatever deployments say.
/// - Before a component, the manifest of its security domain is brought up to date, after those of the domains
///   that it is in, then the published manifests that it depends on. A security domain on the device is kept
///   current; one that is being removed is unlinked, after everything in it.
///
/// A manifest that asks for vendors or classes none of which the endorsement lists does not apply: of the
/// releases of a manifest, the newest that applies counts. If none does, the device is not given any, and
/// what it holds of one stays while a deployment wants it.
///
/// What a key has signed that may no longer sign for its domain is not installed anew, nor is what failed
/// too often or fits into no Update, nor anything that needs either.
///
/// Carrying out a plan leads to a state whose plan is empty.
// req: TEEP-TAM-011
#[must_use]
pub fn plan(target: &Target<'_>, observed: &Observed<'_>, catalog: &Catalog) -> Plan {
    Planner {
        target,
        observed,
        catalog,
        inventory: Inventory::new(observed.installed, target.confirmed, catalog),
        newest: newest(target, catalog),
    }
    .plan()
}

/// For each manifest component id the newest manifest that applies to the target; if none does, the newest.
fn newest<'a>(
    target: &Target<'_>,
    catalog: &'a Catalog,
) -> BTreeMap<&'a ComponentId, &'a Manifest> {
    let mut newest: BTreeMap<_, &Manifest> = catalog
        .newest()
        .map(|manifest| (&manifest.manifest_component, manifest))
        .collect();
    let published = catalog.manifests().iter().filter(|m| !m.withdrawn);
    for manifest in published.filter(|m| target.suits(m)) {
        let best = newest
            .entry(&manifest.manifest_component)
            .or_insert(manifest);
        if !target.suits(best) || manifest.sequence_number > best.sequence_number {
            *best = manifest;
        }
    }
    newest
}

impl Target<'_> {
    /// Whether the device may answer to what the manifest asks of its vendor and class.
    fn suits(&self, manifest: &Manifest) -> bool {
        let meet = |endorsed: &[[u8; 16]], asked: &[[u8; 16]]| {
            endorsed.is_empty() || asked.is_empty() || asked.iter().any(|id| endorsed.contains(id))
        };
        meet(self.vendor_ids, &manifest.vendor_ids) && meet(self.class_ids, &manifest.class_ids)
    }
}

struct Planner<'a> {
    target: &'a Target<'a>,
    observed: &'a Observed<'a>,
    catalog: &'a Catalog,
    inventory: Inventory<'a>,
    newest: BTreeMap<&'a ComponentId, &'a Manifest>,
}

/// What becomes of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It shall be there, and current.
    Wanted,
    /// It would be wanted, and does not apply to the device.
    Unsuitable,
    /// It shall not be there.
    Unwanted,
    /// It is not there and nobody wants it, or it is a domain's.
    Ignored,
}

impl<'a> Planner<'a> {
    fn plan(&self) -> Plan {
        let newest = self.newest.values().copied();
        let fates: Vec<_> = newest
            .map(|manifest| match self.fate(manifest) {
                Fate::Wanted if !self.target.suits(manifest) => (manifest, Fate::Unsuitable),
                fate => (manifest, fate),
            })
            .collect();
        let with = |fate| {
            fates
                .iter()
                .filter(move |(_, found)| *found == fate)
                .map(|(m, _)| *m)
        };

        let mut needed = Needed::default();
        with(Fate::Wanted).for_each(|manifest| self.need(manifest, &mut needed));
        let feasible = self.feasible(&needed);
        let mut queue = Queue::default();
        with(Fate::Wanted)
            .filter(|manifest| feasible.contains(&manifest.id))
            .for_each(|manifest| self.enqueue(manifest, &mut queue));
        let superseding = with(Fate::Wanted)
            .chain(with(Fate::Unsuitable))
            .filter_map(|manifest| self.catalog.newest_of(&manifest.manifest_component));
        let left_out = self.left_out(superseding, &needed);
        let mut unlink: Vec<_> = with(Fate::Unwanted)
            .filter(|manifest| !needed.releases.contains_key(&manifest.manifest_component))
            .collect();
        // A domain goes after what is in it, components first, then its sub-domains.
        unlink.sort_by_key(|manifest| match manifest.kind {
            ManifestKind::Component => None,
            ManifestKind::Domain => Some(Reverse(Domain::depth_of(&manifest.domain))),
        });
        let unlink = unlink
            .into_iter()
            .map(|manifest| manifest.manifest_component.clone())
            .collect();
        Plan {
            unlink,
            install: queue.into_order(),
            left_out,
        }
    }

    /// What can't be given to this device, of the newest that is wanted and of all that it needs.
    fn left_out(
        &self,
        newest: impl Iterator<Item = &'a Manifest>,
        needed: &Needed<'a>,
    ) -> Vec<(ManifestId, LeftOut)> {
        let considered: BTreeMap<_, _> = newest
            .map(|manifest| (manifest.id, manifest))
            .chain(needed.manifests.iter().map(|(id, m)| (*id, *m)))
            .collect();
        let missing = considered
            .into_values()
            .filter(|manifest| !self.is_current(manifest));
        missing
            .filter_map(|manifest| Some((manifest.id, self.obstacle(manifest)?)))
            .collect()
    }

    /// What stands in the way of giving the manifest to this device, whatever else is there.
    fn obstacle(&self, manifest: &Manifest) -> Option<LeftOut> {
        if !self.target.suits(manifest) {
            Some(LeftOut::DoesNotApply)
        } else if manifest.envelope_bytes > self.target.envelope_bytes {
            Some(LeftOut::TooLarge)
        } else if self.target.exhausted.contains(&manifest.id) {
            Some(LeftOut::FailedTooOften)
        } else {
            None
        }
    }

    fn fate(&self, manifest: &Manifest) -> Fate {
        let present = self.inventory.presence(manifest) != Presence::Absent;
        if manifest.kind == ManifestKind::Domain {
            let domain = self.catalog.domain(&manifest.domain);
            return match present {
                true if domain.is_none_or(|domain| domain.retired) => Fate::Unwanted,
                // A rotated key or a new quota reaches devices that have the domain already.
                true => Fate::Wanted,
                false => Fate::Ignored,
            };
        }
        let unneeded = self
            .observed
            .unneeded
            .contains(&manifest.manifest_component);
        let requests = || {
            self.observed
                .requested
                .iter()
                .filter(|r| manifest.answers_to(&r.component))
        };
        match self.mode(manifest) {
            Some(Mode::Required) => Fate::Wanted,
            Some(Mode::OnRequest) if requests().any(|r| acceptable(manifest, r)) => Fate::Wanted,
            Some(Mode::OnRequest) if present && !unneeded => Fate::Wanted,
            Some(Mode::OnRequest) | None if present || unneeded => Fate::Unwanted,
            Some(Mode::OnRequest) | None => Fate::Ignored,
        }
    }

    /// How strongly the deployments for this device want the manifest; none wants what was withdrawn.
    fn mode(&self, manifest: &Manifest) -> Option<Mode> {
        if manifest.withdrawn {
            return None;
        }
        let deployments = self.catalog.deployments().iter();
        deployments
            .filter(|deployment| manifest.answers_to(&deployment.component))
            .filter(|deployment| {
                deployment
                    .selector
                    .selects(self.target.ueid, self.target.labels)
            })
            .map(|deployment| deployment.mode)
            .max()
    }

    /// Manifests that must be there before `manifest`: its domain's, then those it depends on.
    fn prerequisites(&self, manifest: &Manifest) -> Vec<&'a Manifest> {
        let domain = match manifest.kind {
            ManifestKind::Component => self.domain_manifest(&manifest.domain),
            ManifestKind::Domain => {
                Domain::parent_of(&manifest.domain).and_then(|name| self.domain_manifest(name))
            }
        };
        let dependencies = manifest.dependencies.iter();
        let published = dependencies.filter_map(|digest| self.dependency(digest));
        domain.into_iter().chain(published).collect()
    }

    /// The manifest of the security domain `name` itself, as it counts for this device.
    fn domain_manifest(&self, name: &str) -> Option<&'a Manifest> {
        let mut newest = self.newest.values().copied();
        newest.find(|manifest| manifest.kind == ManifestKind::Domain && manifest.domain == name)
    }

    /// The published manifest with this digest; its newest release, if that is wanted for itself.
    fn dependency(&self, digest: &SuitDigest) -> Option<&'a Manifest> {
        let exact = self.catalog.by_digest(digest)?;
        let newest = *self.newest.get(&exact.manifest_component)?;
        let newest_is_wanted = newest.kind == ManifestKind::Domain || self.mode(newest).is_some();
        let newest_will_do = newest.sequence_number >= exact.sequence_number;
        Some(match newest_is_wanted && newest_will_do {
            true => newest,
            false => exact,
        })
    }

    /// Notes `manifest` and everything that it needs.
    fn need(&self, manifest: &'a Manifest, needed: &mut Needed<'a>) {
        // A list in place of recursion: how long a chain of dependencies is, is up to its signers.
        let mut left = vec![manifest];
        while let Some(manifest) = left.pop() {
            if needed.manifests.insert(manifest.id, manifest).is_some() {
                continue;
            }
            let held = self.inventory.release(&manifest.manifest_component);
            let release = needed
                .releases
                .entry(&manifest.manifest_component)
                .or_default();
            // One that is out of question does not stand in the way of an older one.
            let own = match self.target.suits(manifest) {
                true => manifest.sequence_number,
                false => 0,
            };
            *release = own.max(held.unwrap_or(0)).max(*release);
            left.extend(self.prerequisites(manifest));
        }
    }

    /// Those needed manifests that are on the device, or can be brought there with all that they need.
    fn feasible(&self, needed: &Needed<'a>) -> BTreeSet<ManifestId> {
        let possible = needed.manifests.values().filter(|manifest| {
            self.is_current(manifest)
                || self.obstacle(manifest).is_none()
                    && !self.target.exhausted.contains(&manifest.id)
                    && !manifest.withdrawn
                    // A key that was withdrawn from the domain takes what it signed with it.
                    && self.catalog.is_authorized(manifest)
                    // A device has one release of a manifest, and does not go back to an older one.
                    && needed.releases.get(&manifest.manifest_component)
                        == Some(&manifest.sequence_number)
        });
        let mut feasible: BTreeSet<_> = possible.map(|manifest| manifest.id).collect();
        // What needs something impossible is impossible, and so on until that is all.
        loop {
            let is_lost = |manifest: &&&Manifest| {
                feasible.contains(&manifest.id)
                    && !self.is_current(manifest)
                    && !self
                        .prerequisites(manifest)
                        .iter()
                        .all(|m| feasible.contains(&m.id))
            };
            let lost: Vec<_> = needed
                .manifests
                .values()
                .filter(is_lost)
                .map(|m| m.id)
                .collect();
            if lost.is_empty() {
                return feasible;
            }
            lost.iter().for_each(|id| {
                feasible.remove(id);
            });
        }
    }

    fn is_current(&self, manifest: &Manifest) -> bool {
        self.inventory.presence(manifest) == Presence::Current
    }

    /// Puts a feasible manifest in the queue, after what it needs.
    fn enqueue(&self, manifest: &'a Manifest, queue: &mut Queue) {
        // A manifest is on the stack once to be looked at, and again to be queued after what it needs.
        let mut stack = vec![(manifest, false)];
        while let Some((manifest, is_ready)) = stack.pop() {
            if is_ready {
                match manifest.kind {
                    ManifestKind::Domain => queue.domains.push(manifest.id),
                    ManifestKind::Component => queue.components.push(manifest.id),
                }
            } else if !self.is_current(manifest) && queue.visited.insert(manifest.id) {
                stack.push((manifest, true));
                let prerequisites = self.prerequisites(manifest).into_iter().rev();
                stack.extend(prerequisites.map(|prerequisite| (prerequisite, false)));
            }
        }
    }
}

// req: TEEP-MSG-046
fn acceptable(manifest: &Manifest, request: &RequestedComponent) -> bool {
    request
        .sequence_number
        .is_none_or(|lowest| manifest.sequence_number >= lowest)
}

/// What is wanted, with all that it needs.
#[derive(Default)]
struct Needed<'a> {
    manifests: BTreeMap<ManifestId, &'a Manifest>,
    /// For each manifest component id the newest release that is needed or there.
    releases: BTreeMap<&'a ComponentId, u64>,
}

#[derive(Default)]
struct Queue {
    visited: BTreeSet<ManifestId>,
    domains: Vec<ManifestId>,
    components: Vec<ManifestId>,
}

impl Queue {
    fn into_order(mut self) -> Vec<ManifestId> {
        self.domains.append(&mut self.components);
        self.domains
    }
}
