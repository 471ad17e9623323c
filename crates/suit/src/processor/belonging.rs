//! What belongs to which manifest.

use alloc::vec::Vec;

use super::{
    Failure,
    machine::Machine,
    state::{Loaded, read_all},
};
use crate::{AuthenticatedEnvelope, ComponentId, Error, Manifest, ManifestRecord, codec::Envelope};

impl Machine<'_> {
    /// What a manifest names belongs to no other: no component of it is where a manifest is kept, and it is
    /// not kept where a component of another one is. One of the two could not be removed any more.
    ///
    /// Manifests that take part in the update are recorded anew at its end, so that what their records say
    /// of components does not count; they themselves do.
    // req: SUIT-DEP-032, SUIT-DEP-033
    pub(super) fn check_belonging(
        &mut self,
        manifest: &Manifest<'_>,
        placement: &ComponentId,
        identifiers: &[ComponentId],
    ) -> Result<(), Failure> {
        let is_dependency = |index: usize| manifest.common.dependency(index as u64).is_some();
        let is_component = |id: &ComponentId| {
            let mut listed = identifiers.iter().enumerate();
            listed.any(|(index, listed)| listed == id && !is_dependency(index))
        };
        let mut listed = identifiers.iter().enumerate();
        if listed.any(|(index, id)| is_dependency(index) && is_component(id)) {
            return Err(Failure::invalid(
                "lists one identifier as a component and as a dependency",
            ));
        }
        let dependencies = || {
            let listed = identifiers.iter().enumerate();
            listed.filter_map(|(index, id)| is_dependency(index).then_some(id))
        };
        if (1..)
            .zip(dependencies())
            .any(|(after, id)| dependencies().skip(after).any(|other| other == id))
        {
            return Err(Failure::invalid("lists one dependency twice"));
        }
        let in_use = |id: &ComponentId| Err(Error::InUse(id.clone()).into());
        let records = self.state.device.manifests()?;
        for id in dependencies() {
            self.refuse_content(id, &records)?;
        }
        for ManifestRecord { id, components, .. } in &records {
            if is_component(id) {
                return in_use(id);
            }
            if let Some(id) = dependencies().find(|id| components.contains(id)) {
                return in_use(id);
            }
            let takes_part =
                id == placement || self.manifests.iter().any(|other| other.placement == *id);
            if !takes_part && components.contains(placement) {
                return in_use(placement);
            }
        }
        for other in &self.manifests {
            if is_component(&other.placement) {
                return in_use(&other.placement);
            }
            for (index, slot) in other.slots.iter().enumerate() {
                if !other.is_dependency(index) && self.state.slot(*slot)?.id == *placement {
                    return in_use(placement);
                }
            }
        }
        Ok(())
    }

    /// Refuses a dependency whose place has content that is neither recorded nor an envelope: somebody's component, which
    /// the right to depend on manifests is no right to.
    fn refuse_content(
        &mut self,
        id: &ComponentId,
        records: &[ManifestRecord],
    ) -> Result<(), Failure> {
        if records.iter().any(|record| record.id == *id) || self.state.device.length(id)?.is_none()
        {
            return Ok(());
        }
        let limits = &self.state.processor.settings.limits;
        let bytes = read_all(self.state.device, id, limits.envelope_bytes)?;
        match Envelope::decode_within(&bytes, limits) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::InUse(id.clone()).into()),
        }
    }

    /// A manifest takes part once, under one scope: its record has room for one.
    // req: SUIT-DEP-002
    pub(super) fn refuse_other_scope(
        &self,
        loaded: usize,
        identifiers: &[ComponentId],
    ) -> Result<(), Failure> {
        let loaded = self.loaded(loaded)?;
        for (slot, id) in loaded.slots.iter().zip(identifiers) {
            if self.state.slot(*slot)?.id != *id {
                let why = "it takes part under another prefix";
                return Err(Failure::dependency(&loaded.placement, why));
            }
        }
        Ok(())
    }

    /// A dependency that is installed is that installation, and no other: it has the components that its record has as
    /// long as somebody else needs it, and is not installed at another place beside its own, where its number would not
    /// count and its components could not be updated any more.
    // req: SUIT-DEP-013, SUIT-DEP-032, SUIT-MAN-003
    pub(super) fn refuse_other_instance(
        &mut self,
        dependent: usize,
        envelope: &AuthenticatedEnvelope<'_>,
        scope: Option<&ComponentId>,
        id: &ComponentId,
        identifiers: &[ComponentId],
    ) -> Result<(), Failure> {
        let manifest = envelope.manifest();
        let own = manifest.placement();
        let dependent = &self
            .manifests
            .get(dependent)
            .ok_or_else(Failure::defect)?
            .placement;
        let records = self.state.device.manifests()?;
        if let Some(record) = records.iter().find(|record| record.id == *id) {
            let is_component =
                |(index, _): &(usize, _)| manifest.common.dependency(*index as u64).is_none();
            let mut components = identifiers.iter().enumerate().filter(is_component);
            let same = record.digest != envelope.digest()
                || components.all(|(_, id)| record.components.contains(id));
            let mut others = records.iter().filter(|other| other.id != *dependent);
            if !same && (record.root || others.any(|other| other.dependencies.contains(id))) {
                return Err(Failure::dependency(
                    id,
                    "it is installed under another prefix",
                ));
            }
        }
        if scope.is_none() && own != *id && records.iter().any(|record| record.id == own) {
            return Err(Failure::dependency(
                &own,
                "it is installed at its own place",
            ));
        }
        Ok(())
    }

    /// At the end of an update: no manifest depends on itself, over others or not. Each would need the others, so that
    /// none of them could be removed any more.
    pub(super) fn refuse_cycles(&mut self) -> Result<(), Failure> {
        let needs_none = |loaded: &Loaded<'_>| {
            let common = &loaded.envelope.manifest().common;
            common.dependencies.is_empty()
        };
        if self.manifests.iter().all(needs_none) {
            return Ok(());
        }
        let records = self.state.device.manifests()?;
        for start in self.manifests.iter().map(|loaded| &loaded.placement) {
            let mut reached: Vec<&ComponentId> = Vec::new();
            let mut open = Vec::from([start]);
            while let Some(id) = open.pop() {
                let record = records.iter().find(|record| record.id == *id);
                for needed in record.into_iter().flat_map(|record| &record.dependencies) {
                    if needed == start {
                        return Err(Failure::dependency(start, "it depends on itself"));
                    }
                    if !reached.contains(&needed) {
                        reached.push(needed);
                        open.push(needed);
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes those of some components that no manifest has.
    // req: SUIT-DEP-031, SUIT-DEP-033
    pub(super) fn remove_unowned(&mut self, components: &[ComponentId]) -> Result<(), Failure> {
        if components.is_empty() {
            return Ok(());
        }
        let records = self.state.device.manifests()?;
        for id in components {
            let has = |record: &ManifestRecord| {
                record.id == *id
                    || record.components.contains(id)
                    || record.dependencies.contains(id)
            };
            if !records.iter().any(has) {
                self.state.device.remove(id)?;
            }
        }
        Ok(())
    }
}
