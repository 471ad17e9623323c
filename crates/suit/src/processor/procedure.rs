//! The three procedures, from their first check to their last record.

use alloc::vec::Vec;

use super::{
    Failure, Outcome, Processor,
    capabilities::explains,
    check, kept,
    machine::Machine,
    shelf::Shelf,
    state::{Loaded, Slot, State, read_all},
};
use crate::{
    Access, AuthenticatedEnvelope, ComponentId, Device, Fetch, ManifestRecord, Section,
    codec::{Parameter, Parameters, SHARED},
    report::{Claims, Entry},
};

/// What a manifest is processed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Procedure {
    Update,
    Invoke,
    Uninstall,
}

impl Procedure {
    /// The sections that the procedure runs, in order.
    // req: SUIT-SEQ-001, SUIT-SEQ-002, SUIT-SEQ-003
    pub(super) fn sections(self) -> &'static [Section] {
        match self {
            Self::Update => &Section::UPDATE,
            Self::Invoke => &[Section::Validate, Section::Load, Section::Invoke],
            Self::Uninstall => &[Section::Uninstall],
        }
    }
}

/// Runs a procedure on an authenticated root manifest: on one that is `recorded`, unless it is an update.
pub(super) fn run(
    processor: &Processor<'_>,
    device: &mut dyn Device,
    fetch: &mut dyn Fetch,
    envelope: &AuthenticatedEnvelope<'_>,
    procedure: Procedure,
    recorded: Option<&ManifestRecord>,
) -> Outcome {
    let (shelf, envelopes) = (Shelf::default(), Shelf::default());
    let state = State::new(processor, device, fetch, &shelf, &envelopes, procedure);
    let mut machine = Machine::new(state);
    let result = match (procedure, recorded) {
        (Procedure::Invoke, Some(record)) => machine.invoke(envelope, record),
        (Procedure::Uninstall, Some(record)) => machine.uninstall(envelope, record),
        _ => machine.update(envelope),
    };
    if result.is_ok() {
        machine.state.claim();
    }
    Outcome::of(
        processor,
        machine.state.device,
        envelope,
        machine.state.entries,
        result,
    )
}

impl<'r> Machine<'r> {
    fn update(&mut self, envelope: &'r AuthenticatedEnvelope<'r>) -> Result<(), Failure> {
        let placement = envelope.manifest().placement();
        let identifiers = check::identifiers(envelope.manifest(), None)?;
        self.prepare(envelope, placement, identifiers)?;
        self.run_shared()?;
        self.rehearse()?;
        self.run_sections()?;
        self.dependencies_present()?;
        self.state.all_verified()?;
        let left = self.record()?;
        self.refuse_cycles()?;
        self.state.procedure = Procedure::Uninstall;
        self.sweep(left)?;
        self.state.all_verified()
    }

    fn invoke(
        &mut self,
        envelope: &'r AuthenticatedEnvelope<'r>,
        record: &ManifestRecord,
    ) -> Result<(), Failure> {
        let identifiers = check::recorded_identifiers(envelope.manifest(), record)?;
        self.prepare(envelope, record.id.clone(), identifiers)?;
        self.rehearse()?;
        self.run_sections()?;
        self.state.all_verified()?;
        Ok(())
    }

    /// Removes a root manifest, then the dependencies that nothing needs any more.
    // req: SUIT-AMB-018, SUIT-DEP-034
    fn uninstall(
        &mut self,
        envelope: &'r AuthenticatedEnvelope<'r>,
        record: &ManifestRecord,
    ) -> Result<(), Failure> {
        let identifiers = check::recorded_identifiers(envelope.manifest(), record)?;
        match self.prepare(envelope, record.id.clone(), identifiers) {
            Ok(()) => {}
            // The device lost an extension or a key since: the record knows what is to go.
            Err(failure) if explains(failure.error()) => return self.uninstall_by_record(record),
            Err(failure) => return Err(failure),
        }
        if self.stays_for_others(record)? {
            return Ok(());
        }
        let candidates = self.uninstall_one(record)?;
        self.sweep(candidates)?;
        self.state.all_verified()
    }

    /// Whether somebody depends on a manifest: it then only stops being there for its own sake.
    pub(super) fn stays_for_others(&mut self, record: &ManifestRecord) -> Result<bool, Failure> {
        let records = self.state.device.manifests()?;
        if !is_needed(&record.id, &records) {
            return Ok(false);
        }
        let record = ManifestRecord {
            root: false,
            ..record.clone()
        };
        let limit = self.state.processor.settings.limits.envelope_bytes;
        let bytes = read_all(self.state.device, &record.id, limit)?;
        self.state.device.record_manifest(&record, &bytes)?;
        Ok(true)
    }

    /// Runs the uninstall section of the manifest that was added last or, without one, removes its
    /// components; forgets it, and what it took with it. Returns what these depended on.
    fn uninstall_one(&mut self, record: &ManifestRecord) -> Result<Vec<ComponentId>, Failure> {
        let last = self.manifests.len().saturating_sub(1);
        let loaded = self.manifests.get(last).ok_or_else(Failure::defect)?;
        if loaded
            .envelope
            .manifest()
            .section(Section::Uninstall)
            .is_some()
        {
            self.run(last, Section::Uninstall)?;
        } else {
            self.unlink_components(last)?;
        }
        let mut left = record.dependencies.clone();
        self.state.device.forget_manifest(&record.id)?;
        for slot in core::mem::take(&mut self.released) {
            let id = self.state.slot(slot)?.id.clone();
            if let Some(mut released) = self.state.device.manifest(&id)? {
                left.append(&mut released.dependencies);
            }
            self.state.device.forget_manifest(&id)?;
        }
        Ok(left)
    }

    /// Uninstalls dependencies that are left without a dependent and are no roots themselves.
    pub(super) fn sweep(&mut self, mut candidates: Vec<ComponentId>) -> Result<(), Failure> {
        let processor = self.state.processor;
        while let Some(id) = candidates.pop() {
            let records = self.state.device.manifests()?;
            let needed = is_needed(&id, &records);
            let Some(record) = records.into_iter().find(|record| record.id == id) else {
                continue;
            };
            if record.root || needed {
                continue;
            }
            let envelope = match kept::open(processor, self.state.device, self.state.shelf, &record)
            {
                Ok(envelope) => envelope,
                Err(error) if kept::shows_change(error.error()) => {
                    candidates.extend(self.remove_by_record(&record)?);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let identifiers = check::recorded_identifiers(envelope.manifest(), &record)?;
            let envelope = self.state.envelopes.keep(envelope);
            self.add(envelope, id, Vec::new(), identifiers);
            candidates.extend(self.uninstall_one(&record)?);
        }
        Ok(())
    }

    /// All checks that need no command to be executed.
    // req: SUIT-PROC-001, SUIT-COM-010
    fn prepare(
        &mut self,
        envelope: &'r AuthenticatedEnvelope<'r>,
        placement: ComponentId,
        identifiers: Vec<ComponentId>,
    ) -> Result<(), Failure> {
        self.admit(envelope, &placement, &identifiers, &[])?;
        check::sections_present(envelope.manifest(), self.state.procedure.sections())?;
        self.add(envelope, placement, Vec::new(), identifiers);
        Ok(())
    }

    /// Checks whether a manifest may take part. One that is uninstalled is recorded: it was admitted when it was installed.
    pub(super) fn admit(
        &mut self,
        envelope: &AuthenticatedEnvelope<'_>,
        placement: &ComponentId,
        identifiers: &[ComponentId],
        path: &[u64],
    ) -> Result<(), Failure> {
        let processor = self.state.processor;
        let device = &mut *self.state.device;
        // What a manifest may remove was settled when it was installed: its signer's rights may have
        // gone since, and it must go all the same.
        let touched = match self.state.procedure {
            Procedure::Uninstall => &[],
            Procedure::Update | Procedure::Invoke => {
                check::access(processor, device, envelope, placement, identifiers, path)?;
                identifiers
            }
        };
        check::commands(processor, device, envelope, touched, path)?;
        if self.state.procedure == Procedure::Update {
            check::rollback(device, envelope, placement)?;
            self.check_belonging(envelope.manifest(), placement, identifiers)
                .map_err(|failure| failure.in_section(path, SHARED, 0))?;
        }
        Ok(())
    }

    /// Adds a manifest that takes part; returns its position.
    pub(super) fn add(
        &mut self,
        envelope: &'r AuthenticatedEnvelope<'r>,
        placement: ComponentId,
        path: Vec<u64>,
        identifiers: Vec<ComponentId>,
    ) -> usize {
        let mut slots = Vec::new();
        for id in identifiers {
            slots.push(self.state.slot_for(id));
        }
        self.manifests.push(Loaded {
            envelope,
            placement,
            path,
            slots,
            processed: Vec::new(),
            intact: Vec::new(),
        });
        self.manifests.len() - 1
    }

    /// Runs the sections of the procedure, one after the other over all manifests.
    // req: SUIT-DEP-014
    fn run_sections(&mut self) -> Result<(), Failure> {
        self.state
            .procedure
            .sections()
            .iter()
            .try_for_each(|section| self.run(0, *section))
    }

    /// Records the root and the dependencies that were used. Returns what the manifests before these
    /// depended on: what nothing else depends on is needed no more.
    // req: SUIT-MAN-005
    fn record(&mut self) -> Result<Vec<ComponentId>, Failure> {
        let mut left = Vec::new();
        let mut dropped = Vec::new();
        for (position, loaded) in self.manifests.iter().enumerate() {
            let is_root = position == 0;
            let is_there = |slot: &Slot<'_>| slot.loaded == Some(position);
            let in_use = self.state.slots.iter().any(is_there) && self.is_intact(position);
            if !is_root && !in_use {
                continue;
            }
            let before = self.state.device.manifest(&loaded.placement)?;
            let envelope = loaded.envelope;
            let mut components = Vec::new();
            let mut dependencies = Vec::new();
            for (index, slot) in loaded.slots.iter().enumerate() {
                let id = self.state.slot(*slot)?.id.clone();
                match loaded.is_dependency(index) {
                    true => dependencies.push(id),
                    false => components.push(id),
                }
            }
            let record = ManifestRecord {
                id: loaded.placement.clone(),
                sequence_number: envelope.manifest().sequence_number,
                digest: envelope.digest(),
                signers: envelope.signers().to_vec(),
                components,
                dependencies,
                root: is_root || before.as_ref().is_some_and(|before| before.root),
                version: envelope.manifest().set_version.clone(),
            };
            self.state
                .device
                .record_manifest(&record, envelope.kept_envelope())?;
            if let Some(mut before) = before {
                left.append(&mut before.dependencies);
                dropped.extend(before.components.into_iter().filter(|id| {
                    let signers = envelope.signers();
                    !record.components.contains(id)
                        && self
                            .state
                            .processor
                            .access
                            .permits(signers, Access::Component, id)
                }));
            }
        }
        self.remove_unowned(&dropped)?;
        Ok(left)
    }
}

/// Whether an installed manifest depends on the one that is kept at an identifier.
fn is_needed(id: &ComponentId, records: &[ManifestRecord]) -> bool {
    let mut records = records.iter();
    records.any(|record| record.dependencies.contains(id))
}

impl State<'_> {
    /// Everything that was written passed a condition afterwards.
    // req: SUIT-PROC-007, SUIT-CMD-016, SUIT-SEV-016
    fn all_verified(&self) -> Result<(), Failure> {
        match self
            .slots
            .iter()
            .find(|slot| slot.written && !slot.verified)
        {
            Some(slot) => Err(Failure::unverified(&slot.id)),
            None => Ok(()),
        }
    }

    /// Adds to the report what components are now. The last that is done with them.
    // req: SUIT-REP-012, SUIT-AMB-028
    fn claim(&mut self) {
        for slot in core::mem::take(&mut self.slots) {
            if let Some((digest, length)) = slot.measured.filter(|_| slot.reported) {
                let measured = [Parameter::ImageDigest(digest), Parameter::ImageSize(length)];
                let claims = Claims {
                    component: slot.id,
                    properties: Parameters::from_list(measured),
                };
                self.report(Entry::Claims(claims));
            }
        }
    }
}
