//! Updates for a device that is genuine and out of date: attestation failed, and the TAM may mend what it failed for
//! (TEEP section 7.1.1.1).

use std::collections::{BTreeSet, HashSet};

use tamarack_rats::ComponentFault;
use tamarack_suit::ComponentId;

use super::{
    EngineError, Tam,
    attestation::Attested,
    verdict::{Handled, Verdict},
};
use crate::{
    Clock, Store, Timestamp,
    catalog::{Catalog, Domain, Manifest, ManifestId},
    policy::{Observed, Plan},
};

impl<S: Store, C: Clock> Tam<S, C> {
    /// The answer to a device whose components `faults` don't pass, if deployments for it have something newer of
    /// them; nothing else that the device says counts, not even what it has installed.
    ///
    /// A measured component is the Trusted Component whose identifier, as text, is its name.
    // req: TEEP-TAM-009
    // req: TEEP-TAM-010
    // req: ARCH-044
    pub(super) fn remedy(
        &self,
        attested: &Attested,
        faults: &[ComponentFault],
        now: Timestamp,
    ) -> Result<Option<Handled>, EngineError> {
        if attested.mark <= attested.device.mark {
            return Ok(Some(Self::used(attested)));
        }
        let catalog = self.store.catalog()?;
        let failing: Vec<ComponentId> = faults
            .iter()
            .filter_map(|fault| fault.name.parse().ok())
            .collect();
        let mut plan = self.plan_unseen(attested, &catalog)?;
        let remedies = remedies(&plan, &failing, &catalog);
        plan.install.retain(|id| remedies.contains(id));
        plan.unlink.clear();
        if plan.install.is_empty() {
            return Ok(None);
        }
        let (update, pending) = self.update(attested, plan, now)?;
        let install = pending.install.len();
        if !self.accept(attested, None, Some(&pending), None, &catalog, now)? {
            return Ok(Some(Self::used(attested)));
        }
        let verdict = Verdict::Update {
            message: self.reply_to(attested, update)?,
            install,
            unlink: 0,
        };
        Ok(Some(Handled::about(&attested.ueid, verdict)))
    }

    /// What a device shall do that has shown nothing of what is on it.
    fn plan_unseen(&self, attested: &Attested, catalog: &Catalog) -> Result<Plan, EngineError> {
        let revision = catalog.deployments_revision();
        let exhausted: HashSet<ManifestId> =
            self.store
                .exhausted(&attested.ueid, revision, self.settings.failures)?;
        let nothing = Observed {
            installed: &[],
            requested: &[],
            unneeded: &[],
        };
        // Nothing is there as far as the TAM can see, so nothing is confirmed either.
        let confirmed = HashSet::new();
        let target = self.target(&attested.device, &exhausted, &confirmed);
        Ok(crate::policy::plan(&target, &nothing, catalog))
    }
}

/// Those manifests of the plan that bring a failing component, and what they need.
fn remedies(plan: &Plan, failing: &[ComponentId], catalog: &Catalog) -> BTreeSet<ManifestId> {
    let planned = || plan.install.iter().filter_map(|id| catalog.manifest(*id));
    let brings = |manifest: &&Manifest| {
        let mut images = manifest.components.iter();
        images.any(|image| failing.contains(&image.component))
    };
    let mut remedies: BTreeSet<ManifestId> = planned().filter(brings).map(|m| m.id).collect();
    // What is needed stands before what needs it.
    let mut later: Vec<&Manifest> = planned().collect();
    later.reverse();
    for manifest in later {
        let is_needed = catalog
            .manifests()
            .iter()
            .filter(|needing| remedies.contains(&needing.id))
            .any(|needing| {
                let around = Domain::parent_of(&needing.domain);
                let domains = around.into_iter().chain([needing.domain.as_str()]);
                needing.dependencies.contains(&manifest.digest)
                    || domains
                        .filter_map(|name| catalog.domain_manifest(name))
                        .any(|domain| domain.id == manifest.id)
            });
        if is_needed {
            remedies.insert(manifest.id);
        }
    }
    remedies
}
