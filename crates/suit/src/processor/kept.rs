//! Manifests that the device keeps: opened by their records, and removed by these alone if what is kept
//! was changed in storage.

use alloc::vec::Vec;

use super::{
    Failure, Outcome, Processor,
    machine::Machine,
    procedure::Procedure,
    shelf::Shelf,
    state::{State, read_all},
};
use crate::{
    AuthenticatedEnvelope, ComponentId, Device, Error, Fetch, ManifestRecord, codec::Envelope,
};

/// Opens the kept envelope of a manifest; it must be the one that was recorded.
pub(super) fn open<'s>(
    processor: &Processor<'_>,
    device: &mut dyn Device,
    shelf: &'s Shelf<Vec<u8>>,
    record: &ManifestRecord,
) -> Result<AuthenticatedEnvelope<'s>, Failure> {
    let limits = &processor.settings.limits;
    let bytes = read_all(device, &record.id, limits.envelope_bytes)?;
    let envelope = Envelope::decode_within(shelf.keep(bytes), limits)?;
    let authenticated =
        envelope.authenticate_recorded(processor.crypto, &record.digest, &record.signers)?;
    Ok(authenticated)
}

/// Whether an error of [`open`] is about what is kept, and not about reaching it.
pub(super) fn shows_change(error: &Error) -> bool {
    !matches!(error, Error::Device(_) | Error::Provider(_))
}

/// Uninstalls a manifest whose envelope was changed. None of its commands runs: the record says what it
/// installed.
// req: SUIT-DEP-033, SUIT-DEP-034
pub(super) fn uninstall(
    processor: &Processor<'_>,
    device: &mut dyn Device,
    fetch: &mut dyn Fetch,
    record: &ManifestRecord,
) -> Outcome {
    let (shelf, envelopes) = (Shelf::default(), Shelf::default());
    let procedure = Procedure::Uninstall;
    let state = State::new(processor, device, fetch, &shelf, &envelopes, procedure);
    let mut machine = Machine::new(state);
    let result = machine.uninstall_by_record(record);
    Outcome::unopened(processor, machine.state.device, record.digest, result)
}

impl Machine<'_> {
    pub(super) fn uninstall_by_record(&mut self, record: &ManifestRecord) -> Result<(), Failure> {
        if self.stays_for_others(record)? {
            return Ok(());
        }
        let candidates = self.remove_by_record(record)?;
        self.sweep(candidates)
    }

    /// Removes what a manifest installed and nobody else has, and forgets the manifest. Returns what it
    /// depended on.
    pub(super) fn remove_by_record(
        &mut self,
        record: &ManifestRecord,
    ) -> Result<Vec<ComponentId>, Failure> {
        self.state.device.forget_manifest(&record.id)?;
        self.remove_unowned(&record.components)?;
        Ok(record.dependencies.clone())
    }

    /// Whether a dependency can't take part in its own removal: it is gone, was changed, or was never recorded, so that
    /// nobody has admitted it. What it installed is then removed by its record once its dependent is gone.
    pub(super) fn is_lost(&mut self, slot: usize) -> Result<bool, Failure> {
        let dependency = self.state.slot(slot)?;
        if dependency.loaded.is_some() {
            return Ok(false);
        }
        if let Some(lost) = dependency.lost {
            return Ok(lost);
        }
        let processor = self.state.processor;
        let (dependency, device) = self.state.slot_and_device(slot)?;
        let lost = match device.manifest(&dependency.id)? {
            None => true,
            Some(record) => match open(processor, device, &Shelf::default(), &record) {
                Ok(_) => false,
                Err(error) if shows_change(error.error()) => true,
                Err(error) => return Err(error),
            },
        };
        self.state.slot_mut(slot)?.lost = Some(lost);
        Ok(lost)
    }
}
