//! Dependencies: opening the manifests that components hold, and keeping account of their sections.

use alloc::vec::Vec;

use super::{
    DependencyIntegrity, DependencySections, Failure, check, kept,
    machine::{Machine, path_to},
    procedure::Procedure,
    state::{Loaded, read_all},
};
use crate::{Error, ManifestRecord, Section, codec::Envelope};

impl Machine<'_> {
    /// Condition Dependency Integrity: what the component holds is an authentic envelope, and its
    /// manifest the one that the dependent names.
    // req: SUIT-DEP-027, SUIT-DEP-028
    pub(super) fn check_integrity(&mut self, manifest: usize, index: usize) -> Result<(), Failure> {
        let dependent = self.loaded(manifest)?;
        let slot = dependent.slot(index as u64)?;
        // Off-spec: a dependency that stays when its dependent goes, or is lost, is not looked at. It may
        // have been updated since, and must not thereby keep its dependents from being removed.
        if self.procedure == Procedure::Uninstall && self.stays_out(manifest, slot)? {
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
        let target = self.state.slot_mut(slot)?;
        target.intact = true;
        target.verified = true;
        Ok(())
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
        match self.procedure.sections().iter().find(lacking) {
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

    /// The dependency whose `section` is to be run now; `None` if that is not to be.
    // req: SUIT-DEP-020, SUIT-DEP-022
    pub(super) fn open_dependency(
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
        if section == Section::Uninstall && self.stays_out(manifest, slot)? {
            return Ok(None);
        }
        let target = self.state.slot(slot)?;
        if !target.intact {
            match self.state.processor.settings.dependency_integrity {
                DependencyIntegrity::Implied => self.check_integrity(manifest, index)?,
                DependencyIntegrity::Explicit => {
                    return Err(Failure::dependency(
                        &target.id,
                        "it is processed without a check of its integrity",
                    ));
                }
            }
        }
        let loaded = self.state.slot(slot)?.loaded;
        if section == Section::Uninstall {
            self.released.push(slot);
        }
        Ok(loaded)
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
        if let Some(loaded) = self.state.slot(slot)?.loaded {
            return Ok(loaded);
        }
        let processor = self.state.processor;
        let limits = &processor.settings.limits;
        if dependent.path.len() >= limits.dependency_depth {
            return Err(Failure::limit("the depth of dependencies"));
        }
        let path = path_to(&dependent.path, index);
        let common = &dependent.envelope.manifest().common;
        let scope = common
            .dependency(index as u64)
            .and_then(|d| common.scope(d))
            .cloned();
        let id = self.state.slot(slot)?.id.clone();
        if self.state.device.length(&id)?.is_none() {
            let why = "it has not been fetched";
            return Err(Failure::dependency(&id, why));
        }
        // An update verifies signatures. Later procedures meet what an update has verified.
        let record = match self.procedure {
            Procedure::Update => None,
            Procedure::Invoke | Procedure::Uninstall => self.state.device.manifest(&id)?,
        };
        let envelope = match record {
            Some(record) => kept::open(processor, self.state.device, self.state.shelf, &record)?,
            None => {
                let bytes = read_all(self.state.device, &id, limits.envelope_bytes)?;
                let envelope = Envelope::decode_within(self.state.shelf.keep(bytes), limits)?;
                envelope.authenticate_by(processor.crypto, processor.trusted)?
            }
        };
        let identifiers = check::identifiers(envelope.manifest(), scope.as_ref())?;
        // A manifest that depends on this one, directly or not, is neither processed again nor changed.
        let above = |loaded: &&Loaded<'_>| path.starts_with(&loaded.path);
        let mut dependents = self.manifests.iter().filter(above);
        if dependents.any(|loaded| identifiers.contains(&loaded.placement)) {
            let why = "it names a manifest that depends on it";
            return Err(Failure::dependency(&id, why));
        }
        self.admit(&envelope, &id, &identifiers, &path)?;
        let envelope = self.state.envelopes.keep(envelope);
        let loaded = self.add(envelope, id, path, identifiers);
        self.state.slot_mut(slot)?.loaded = Some(loaded);
        Ok(loaded)
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
                    self.load(manifest, index)?;
                }
            }
            manifest += 1;
        }
        Ok(())
    }
}
