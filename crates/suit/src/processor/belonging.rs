//! What belongs to which manifest.

use super::{Failure, machine::Machine};
use crate::{ComponentId, Error, Manifest, ManifestRecord};

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
        let in_use = |id: &ComponentId| Err(Error::InUse(id.clone()).into());
        for ManifestRecord { id, components, .. } in &self.state.device.manifests()? {
            if is_component(id) {
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
}
