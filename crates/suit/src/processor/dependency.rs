//! Dependencies: opening the manifests that components hold, and keeping account of their sections.

use alloc::vec::Vec;

use super::{
    DependencyIntegrity, DependencySections, Failure, check, kept,
    machine::{Machine, path_to},
    procedure::Procedure,
    state::{Loaded, read_all, spend},
};
use crate::{
    Access, ComponentId, Error, ManifestRecord, Section,
    codec::{Envelope, SHARED},
};

impl Machine<'_> {
    /// Condition Dependency Integrity: what the component holds is an authentic envelope, and its
    /// manifest the one that the dependent names.
    // req: SUIT-DEP-027, SUIT-DEP-028
    pub(super) fn check_integrity(&mut self, manifest: usize, index: usize) -> Result<(), Failure> {
        let dependent = self.loaded(manifest)?;
        let slot = dependent.slot(index as u64)?;
        // Off-spec: a dependency that stays when its dependent goes, or is lost, is not looked at. It may
        // have been updated since, and must not thereby keep its dependents from being removed.
        if self.state.procedure == Procedure::Uninstall && self.stays_out(manifest, slot)? {
            return Ok(());
        }
        let dependent = self.loaded(manifest)?;
        let target = self.state.slot(slot)?;
        let wrong = |why| Failure::dependency(&target.id, why);
        if !dependent.is_dependency(index) {
            return Err(wrong("it is no dependency of this manifest"));
        }
        let expected = target
            .parameters
            .image_digest()
            .ok_or_else(|| wrong("its digest is not set"))?;
        let loaded = self.load(manifest, index)?;
        let found = self
            .manifests
            .get(loaded)
            .ok_or_else(Failure::defect)?
            .envelope
            .digest();
        if found != *expected {
            let target = self.state.slot(slot)?;
            return Err(Failure::dependency(&target.id, "it holds another manifest"));
        }
        self.check_sections(manifest, loaded)?;
        self.state.slot_mut(slot)?.verified = true;
        let dependent = self.manifests.get_mut(manifest);
        let dependent = dependent.ok_or_else(Failure::defect)?;
        if !dependent.intact.contains(&(index, loaded)) {
            dependent.intact.push((index, loaded));
        }
        Ok(())
    }

    /// Whether a manifest that depends on this one, by its position, found it intact.
    pub(super) fn is_intact(&self, dependency: usize) -> bool {
        let found = |loaded: &Loaded<'_>| loaded.intact.iter().any(|(_, at)| *at == dependency);
        self.manifests.iter().any(found)
    }

    /// The dependent has every section of the procedure that the dependency has.
    // req: SUIT-DEP-010
    fn check_sections(&self, dependent: usize, dependency: usize) -> Result<(), Failure> {
        if self.state.processor.settings.dependency_sections == DependencySections::Optional {
            return Ok(());
        }
        let has = |manifest: usize, section: Section| {
            self.manifests
                .get(manifest)
                .is_some_and(|loaded| loaded.envelope.manifest().section(section).is_some())
        };
        let lacking = |section: &&Section| has(dependency, **section) && !has(dependent, **section);
        match self.state.procedure.sections().iter().find(lacking) {
            Some(_) => {
                let dependency = self.manifests.get(dependency).ok_or_else(Failure::defect)?;
                Err(Failure::dependency(
                    &dependency.placement,
                    "it has a section that its dependent lacks",
                ))
            }
            None => Ok(()),
        }
    }

    /// The dependency whose `section` Process Dependency runs now; `None` if that is not to be.
    // req: SUIT-DEP-020, SUIT-DEP-022
    pub(super) fn open_dependency(
        &mut self,
        manifest: usize,
        index: usize,
        section: Section,
    ) -> Result<Option<usize>, Failure> {
        let Some(slot) = self.dependency_slot(manifest, index, section)? else {
            return Ok(None);
        };
        let loaded = self.state.slot(slot)?.loaded;
        let intact = &self.loaded(manifest)?.intact;
        if !loaded.is_some_and(|loaded| intact.contains(&(index, loaded))) {
            match self.state.processor.settings.dependency_integrity {
                DependencyIntegrity::Implied => self.check_integrity(manifest, index)?,
                DependencyIntegrity::Explicit => {
                    return Err(Failure::dependency(
                        &self.state.slot(slot)?.id,
                        "it is processed without a check of its integrity",
                    ));
                }
            }
        }
        if section == Section::Uninstall {
            self.released.push(slot);
        }
        Ok(self.state.slot(slot)?.loaded)
    }

    /// The dependency that Unlink removes, whose uninstall section runs now; `None` if it stays. That it is what was
    /// installed, its record says: the manifest need not check that again.
    // req: SUIT-DEP-035
    pub(super) fn release_dependency(
        &mut self,
        manifest: usize,
        index: usize,
    ) -> Result<Option<usize>, Failure> {
        let Some(slot) = self.dependency_slot(manifest, index, Section::Uninstall)? else {
            return Ok(None);
        };
        let loaded = self.load(manifest, index)?;
        self.released.push(slot);
        Ok(Some(loaded))
    }

    /// The slot of a dependency whose `section` is to be run now, which is noted; `None` if it takes no part.
    fn dependency_slot(
        &mut self,
        manifest: usize,
        index: usize,
        section: Section,
    ) -> Result<Option<usize>, Failure> {
        let dependent = self
            .manifests
            .get_mut(manifest)
            .ok_or_else(Failure::defect)?;
        dependent.processed.push((index as u64, section));
        let slot = dependent.slot(index as u64)?;
        let stays_out = section == Section::Uninstall && self.stays_out(manifest, slot)?;
        Ok((!stays_out).then_some(slot))
    }

    /// Whether the manifest in a slot takes no part in the removal of its dependent.
    fn stays_out(&mut self, manifest: usize, slot: usize) -> Result<bool, Failure> {
        Ok(self.still_needed(manifest, slot)? || self.is_lost(slot)?)
    }

    /// Whether somebody else than `manifest` needs the manifest in a slot. The dependent's own need ends
    /// before this is asked, so the removal of the last dependent finds none.
    // req: SUIT-DEP-031, SUIT-AMB-018
    fn still_needed(&mut self, manifest: usize, slot: usize) -> Result<bool, Failure> {
        let dependent = self.manifests.get(manifest).ok_or_else(Failure::defect)?;
        let (target, device) = self.state.slot_and_device(slot)?;
        let needs = |record: &ManifestRecord| {
            (record.id == target.id && record.root)
                || (record.id != dependent.placement && record.dependencies.contains(&target.id))
        };
        Ok(device.manifests()?.iter().any(needs))
    }

    /// Opens the envelope that a dependency component holds, once per procedure.
    // req: SUIT-DEP-003, SUIT-DEP-007, SUIT-DEP-029, SUIT-LIM-005
    fn load(&mut self, manifest: usize, index: usize) -> Result<usize, Failure> {
        let dependent = self.loaded(manifest)?;
        let slot = dependent.slot(index as u64)?;
        let common = &dependent.envelope.manifest().common;
        let scope = common.dependency(index as u64);
        let scope = scope.and_then(|d| common.scope(d)).cloned();
        if let Some(loaded) = self.state.slot(slot)?.loaded {
            if self.state.procedure == Procedure::Update {
                let envelope = self.loaded(loaded)?.envelope;
                let identifiers = check::identifiers(envelope.manifest(), scope.as_ref())?;
                self.refuse_other_scope(loaded, &identifiers)?;
            }
            return Ok(loaded);
        }
        let processor = self.state.processor;
        let limits = &processor.settings.limits;
        if dependent.path.len() >= limits.dependency_depth {
            return Err(Failure::limit("the depth of dependencies"));
        }
        let path = path_to(&dependent.path, index);
        let id = self.state.slot(slot)?.id.clone();
        let Some(length) = self.state.device.length(&id)? else {
            let why = "it has not been fetched";
            return Err(Failure::dependency(&id, why));
        };
        let kept = "the envelopes of dependencies";
        spend(&mut self.state.envelopes_left, length, kept)?;
        // An update verifies signatures. Later procedures meet what an update has verified.
        let record = match self.state.procedure {
            Procedure::Update => None,
            Procedure::Invoke | Procedure::Uninstall => self.state.device.manifest(&id)?,
        };
        let envelope = match &record {
            Some(record) => kept::open(processor, self.state.device, self.state.shelf, record)?,
            // Nobody has admitted it, so that nothing says what it may remove.
            None if self.state.procedure == Procedure::Uninstall => {
                return Err(Failure::dependency(&id, "it was never installed"));
            }
            None => {
                let bytes = read_all(self.state.device, &id, limits.envelope_bytes)?;
                let envelope = Envelope::decode_within(self.state.shelf.keep(bytes), limits)?;
                envelope.authenticate_by(processor.crypto, processor.trusted)?
            }
        };
        // What is recorded was installed under the identifiers that its record has, whoever depends on it.
        let identifiers = match &record {
            Some(record) => check::recorded_identifiers(envelope.manifest(), record)?,
            None => check::identifiers(envelope.manifest(), scope.as_ref())?,
        };
        // A manifest that depends on this one, directly or not, is neither processed again nor changed.
        let above = |loaded: &&Loaded<'_>| path.starts_with(&loaded.path);
        let mut dependents = self.manifests.iter().filter(above);
        if dependents.any(|loaded| identifiers.contains(&loaded.placement)) {
            let why = "it names a manifest that depends on it";
            return Err(Failure::dependency(&id, why));
        }
        if self.state.procedure == Procedure::Update {
            self.check_scope(manifest, scope.as_ref(), &identifiers, &path)?;
        }
        self.admit(&envelope, &id, &identifiers, &path)?;
        if self.state.procedure == Procedure::Update {
            self.refuse_other_instance(manifest, &envelope, scope.as_ref(), &id, &identifiers)?;
        }
        let envelope = self.state.envelopes.keep(envelope);
        let loaded = self.add(envelope, id, path, identifiers);
        self.state.slot_mut(slot)?.loaded = Some(loaded);
        Ok(loaded)
    }

    /// A scope puts what a dependency names where the dependent wants it, so that it takes the dependent's own signers'
    /// rights there, beside those of the dependency's.
    // req: SUIT-ACL-005, SUIT-DEP-002
    fn check_scope(
        &self,
        dependent: usize,
        scope: Option<&ComponentId>,
        identifiers: &[ComponentId],
        path: &[u64],
    ) -> Result<(), Failure> {
        let signers = self.loaded(dependent)?.envelope.signers();
        let access = self.state.processor.access;
        let scoped = identifiers.iter().filter(|_| scope.is_some());
        for (index, id) in (0..).zip(scoped) {
            if !access.permits(signers, Access::Component, id) {
                let failure = Failure::from(Error::ComponentUnauthorized(id.clone()));
                let mut failure = failure.in_section(path, SHARED, 0);
                failure.record_mut().component_index = index;
                return Err(failure);
            }
        }
        Ok(())
    }

    /// At the end of a section: the same section of each dependency was run, if it has one.
    // req: SUIT-DEP-011, SUIT-DEP-015
    pub(super) fn section_ended(
        &mut self,
        manifest: usize,
        section: Section,
    ) -> Result<(), Failure> {
        let loaded = self.loaded(manifest)?;
        let dependencies = &loaded.envelope.manifest().common.dependencies;
        let mut open = Vec::new();
        for dependency in dependencies {
            if !loaded.processed.contains(&(dependency.index, section)) {
                open.push(dependency.index);
            }
        }
        for index in open {
            let index = usize::try_from(index).map_err(|_| Error::ComponentIndex(index))?;
            if section == Section::Uninstall {
                // What is left over is removed with the dependent; see `procedure`.
                continue;
            }
            let dependency = self.load(manifest, index)?;
            self.check_sections(manifest, dependency)?;
            if self.state.processor.settings.dependency_sections == DependencySections::Optional {
                continue;
            }
            let dependency = self.manifests.get(dependency).ok_or_else(Failure::defect)?;
            if dependency.envelope.manifest().section(section).is_some() {
                return Err(Failure::dependency(
                    &dependency.placement,
                    "its section was not processed",
                ));
            }
        }
        Ok(())
    }

    /// What was brought along and is not going to be recorded, for nobody checked its integrity, would stay for ever.
    // req: SUIT-DEP-022
    fn refuse_unrecorded(
        &self,
        manifest: usize,
        index: usize,
        dependency: usize,
    ) -> Result<(), Failure> {
        let slot = self.loaded(manifest)?.slot(index as u64)?;
        let slot = self.state.slot(slot)?;
        match slot.written && !self.is_intact(dependency) {
            true => Err(Failure::unverified(&slot.id)),
            false => Ok(()),
        }
    }

    /// At the end of an update: what every manifest depends on is there and authentic, also where no
    /// command looked at it, or one changed it afterwards.
    // req: SUIT-DEP-007, SUIT-DEP-009, SUIT-DEP-029
    pub(super) fn dependencies_present(&mut self) -> Result<(), Failure> {
        let mut manifest = 0;
        // Loading adds to the list; the depth of dependencies bounds it.
        while let Some(loaded) = self.manifests.get(manifest) {
            for index in 0..loaded.slots.len() {
                let is_dependency = |loaded: &Loaded<'_>| loaded.is_dependency(index);
                if self.manifests.get(manifest).is_some_and(is_dependency) {
                    let dependency = self.load(manifest, index)?;
                    self.refuse_unrecorded(manifest, index, dependency)?;
                }
            }
            manifest += 1;
        }
        Ok(())
    }
}
