//! What a procedure knows about components: parameters, and what was written and verified.

use alloc::{vec, vec::Vec};

use super::{Failure, Processor, buffer::Buffer, procedure::Procedure, shelf::Shelf};
use crate::{
    AuthenticatedEnvelope, ComponentId, Device, DigestAlgorithm, Fetch, Section, SuitDigest,
    codec::{Envelope, InForce, Parameter, Parameters},
    report::Entry,
};

/// A component in one procedure, over all manifests that name it.
// req: SUIT-PAR-001, SUIT-PROC-006, SUIT-DEP-019
pub(super) struct Slot<'r> {
    pub(super) id: ComponentId,
    pub(super) parameters: InForce<'r>,
    /// In a rehearsal: the performance will have changed the content by now.
    pub(super) expected: bool,
    /// Content was stored in this procedure.
    pub(super) written: bool,
    /// A condition vouched for the content since.
    pub(super) verified: bool,
    /// The digest and length of the content, as long as nothing changes it.
    pub(super) measured: Option<(SuitDigest, u64)>,
    /// What image match found is to be reported.
    pub(super) reported: bool,
    /// The manifest in the component, once it was loaded: its position in the machine's list.
    // req: SUIT-DEP-029
    pub(super) loaded: Option<usize>,
    /// A section of that manifest was run: it is the one that is installed.
    pub(super) ran: bool,
    /// The manifest in the component takes no part in its own removal, for what was installed is not there any more.
    pub(super) lost: Option<bool>,
}

impl Slot<'_> {
    fn new(id: ComponentId) -> Self {
        Self {
            id,
            parameters: InForce::with_room(),
            expected: false,
            written: false,
            verified: false,
            measured: None,
            reported: false,
            loaded: None,
            ran: false,
            lost: None,
        }
    }

    /// Forgets what a rehearsal led to. What it measured remains true: nothing was changed.
    // req: SUIT-PROC-001
    pub(super) fn rewind(&mut self) {
        self.parameters.clear();
        self.expected = false;
        self.verified = false;
        self.reported = false;
    }

    /// The content changed: what was known about it no longer holds.
    pub(super) fn changed(&mut self) {
        self.written = true;
        self.verified = false;
        self.measured = None;
        self.reported = false;
        self.loaded = None;
        self.lost = None;
    }
}

/// A manifest that takes part in a procedure.
pub(super) struct Loaded<'r> {
    pub(super) envelope: &'r AuthenticatedEnvelope<'r>,
    /// Where the manifest is kept.
    pub(super) placement: ComponentId,
    /// The way to it from the root.
    pub(super) path: Vec<u64>,
    /// The slot of each component and dependency, by index.
    pub(super) slots: Vec<usize>,
    /// Sections of dependencies that were run: index and section.
    pub(super) processed: Vec<(u64, Section)>,
    /// Dependencies that this manifest found intact: index, and position in the machine's list. What another manifest
    /// found counts for that one only.
    // req: SUIT-DEP-027
    pub(super) intact: Vec<(usize, usize)>,
}

impl Loaded<'_> {
    /// The slot of the component or dependency at an index.
    pub(super) fn slot(&self, index: u64) -> Result<usize, Failure> {
        let at = usize::try_from(index)
            .ok()
            .and_then(|at| self.slots.get(at));
        at.copied().ok_or_else(|| Failure::no_component(index))
    }

    pub(super) fn is_dependency(&self, index: usize) -> bool {
        self.envelope
            .manifest()
            .common
            .dependency(index as u64)
            .is_some()
    }
}

/// The place of a command in the manifests.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// The position of the manifest in the machine's list.
    pub(super) manifest: usize,
    /// The label of the section.
    pub(super) section: i64,
    pub(super) offset: u64,
    pub(super) component_index: u64,
}

/// Everything that commands work on, besides the manifests themselves.
pub(super) struct State<'r> {
    pub(super) processor: &'r Processor<'r>,
    pub(super) device: &'r mut dyn Device,
    pub(super) fetch: &'r mut dyn Fetch,
    /// The bytes of envelopes that were read from components.
    pub(super) shelf: &'r Shelf<Vec<u8>>,
    /// What these bytes are.
    pub(super) envelopes: &'r Shelf<AuthenticatedEnvelope<'r>>,
    pub(super) slots: Vec<Slot<'r>>,
    /// What manifests are processed for now.
    pub(super) procedure: Procedure,
    /// Whether commands are gone through without any effect, to find out beforehand what can be known.
    pub(super) rehearsing: bool,
    /// Whether nothing is reported of what commands do, and nothing need be made for that.
    pub(super) silent: bool,
    /// Bytes of content that may still be read, and of parameters that may still be set.
    pub(super) read_left: u64,
    pub(super) parameters_left: u64,
    /// Bytes of envelopes of dependencies that may still be held.
    pub(super) envelopes_left: u64,
    /// Recipients that may still be tried with a key.
    pub(super) trials_left: u64,
    /// Records for the report.
    pub(super) entries: Vec<Entry>,
    /// The command that is being executed.
    pub(super) place: Place,
    /// What it measured.
    pub(super) measured: Measured,
    /// What content is read into, which may be secret; as long as `chunk_bytes`, once there is content to read.
    buffer: Buffer,
}

/// What a command measured: one thing, such as the battery, or a digest and a size. Kept without memory of its own,
/// since what is measured is reported only if the manifest asks for it.
#[derive(Default)]
pub(super) struct Measured([Option<Parameter<'static>>; 2]);

impl Measured {
    pub(super) fn set(&mut self, parameter: Parameter<'static>) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(parameter);
        }
    }

    pub(super) fn clear(&mut self) {
        if !self.is_empty() {
            *self = Self::default();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self.0, [None, _])
    }

    /// Whether these are the parameters that were measured.
    pub(super) fn is(&self, parameters: &Parameters<'_>) -> bool {
        self.0.iter().flatten().eq(parameters.iter())
    }

    pub(super) fn take(&mut self) -> Parameters<'static> {
        Parameters::from_list(self.0.iter_mut().filter_map(Option::take))
    }
}

impl<'r> State<'r> {
    pub(super) fn new(
        processor: &'r Processor<'r>,
        device: &'r mut dyn Device,
        fetch: &'r mut dyn Fetch,
        shelf: &'r Shelf<Vec<u8>>,
        envelopes: &'r Shelf<AuthenticatedEnvelope<'r>>,
        procedure: Procedure,
    ) -> Self {
        Self {
            processor,
            device,
            fetch,
            shelf,
            envelopes,
            slots: Vec::new(),
            procedure,
            rehearsing: false,
            silent: false,
            read_left: processor.settings.limits.read_bytes,
            parameters_left: processor.settings.limits.parameter_bytes,
            envelopes_left: processor.settings.limits.dependency_bytes,
            trials_left: processor.settings.limits.key_trials,
            entries: Vec::new(),
            place: Place::default(),
            measured: Measured::default(),
            buffer: Buffer::default(),
        }
    }
}

impl<'r> State<'r> {
    pub(super) fn slot(&self, slot: usize) -> Result<&Slot<'r>, Failure> {
        self.slots.get(slot).ok_or_else(Failure::defect)
    }

    /// The slot, and the device, which is asked about its component.
    pub(super) fn slot_and_device(
        &mut self,
        slot: usize,
    ) -> Result<(&Slot<'r>, &mut dyn Device), Failure> {
        let slot = self.slots.get(slot).ok_or_else(Failure::defect)?;
        Ok((slot, self.device))
    }

    pub(super) fn slot_mut(&mut self, slot: usize) -> Result<&mut Slot<'r>, Failure> {
        self.slots.get_mut(slot).ok_or_else(Failure::defect)
    }

    /// The slot of a component, made if there is none yet.
    pub(super) fn slot_for(&mut self, id: ComponentId) -> usize {
        let known = self.slots.iter().position(|slot| slot.id == id);
        known.unwrap_or_else(|| {
            self.slots.push(Slot::new(id));
            self.slots.len() - 1
        })
    }

    /// Adds to the report, within the limit.
    pub(super) fn report(&mut self, entry: Entry) {
        if self.entries.len() < self.processor.settings.limits.records {
            self.entries.push(entry);
        }
    }

    /// Reads a component in chunks. `None` if it does not exist, else its length.
    pub(super) fn read(
        &mut self,
        slot: usize,
        take: &mut Take<'_>,
    ) -> Result<Option<u64>, Failure> {
        let id = &self.slots.get(slot).ok_or_else(Failure::defect)?.id;
        let Some(length) = self.device.length(id)? else {
            return Ok(None);
        };
        let buffer = self.buffer.bytes();
        if buffer.is_empty() {
            buffer.resize(self.processor.settings.limits.chunk_bytes.max(64), 0);
        }
        let mut offset = 0;
        while offset < length {
            let read = self.device.read_at(id, offset, buffer)?;
            let chunk = buffer.get(..read).filter(|chunk| !chunk.is_empty());
            let chunk = chunk.ok_or_else(|| Failure::truncated(id))?;
            spend(&mut self.read_left, read as u64, "the content that is read")?;
            take(self.device, chunk)?;
            offset += read as u64;
        }
        Ok(Some(offset))
    }

    /// The digest and length of a component's content; `None` if it does not exist.
    pub(super) fn measure(
        &mut self,
        slot: usize,
        algorithm: DigestAlgorithm,
    ) -> Result<Option<&(SuitDigest, u64)>, Failure> {
        let known = &self.slot(slot)?.measured;
        let is_of = |(digest, _): &(SuitDigest, u64)| digest.algorithm_id() == algorithm.cose_id();
        if !known.as_ref().is_some_and(is_of) {
            let mut context = self.processor.crypto.digests.start(algorithm);
            let length = self.read(slot, &mut |_, chunk| {
                context.update(chunk);
                Ok(())
            })?;
            let measured =
                length.map(|length| (SuitDigest::finished(algorithm, context.finish()), length));
            self.slot_mut(slot)?.measured = measured;
        }
        Ok(self.slot(slot)?.measured.as_ref())
    }

    /// The digest of the manifest in the envelope that a component holds; `None` if it holds none.
    // req: SUIT-DEP-003, SUIT-DEP-004, SUIT-DEP-006
    pub(super) fn measure_manifest(
        &mut self,
        slot: usize,
        algorithm: DigestAlgorithm,
    ) -> Result<Option<SuitDigest>, Failure> {
        let crypto = self.processor.crypto;
        let mut digest = None;
        self.with_envelope(slot, &mut |envelope| {
            let item = envelope.manifest_item();
            digest = Some(SuitDigest::of(crypto, algorithm, item));
            Ok(())
        })?;
        Ok(digest)
    }

    /// Whether a component holds the manifest with this digest and, if so, whether the envelope around it will do: it is
    /// authentic by who is trusted now, and what it once carried, which is not kept, became what is there.
    // req: SUIT-CMD-015
    pub(super) fn holds_manifest(
        &mut self,
        slot: usize,
        digest: &SuitDigest,
    ) -> Result<Option<bool>, Failure> {
        let Processor {
            crypto, trusted, ..
        } = *self.processor;
        let (mut is_it, mut is_authentic) = (false, false);
        self.with_envelope(slot, &mut |envelope| {
            is_it = digest.matches(crypto, envelope.manifest_item())?;
            is_authentic = is_it && envelope.authenticate_by(crypto, trusted).is_ok();
            Ok(())
        })?;
        if !is_it {
            return Ok(None);
        }
        let (target, device) = self.slot_and_device(slot)?;
        let record = device.manifest(&target.id)?;
        let mut whole = is_authentic && record.is_some();
        for id in record.into_iter().flat_map(|record| record.components) {
            whole &= device.length(&id)?.is_some();
        }
        Ok(Some(whole))
    }

    /// Looks at the envelope that a component holds, if it holds one.
    pub(super) fn with_envelope(
        &mut self,
        slot: usize,
        look: &mut dyn FnMut(&Envelope<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let id = &self.slots.get(slot).ok_or_else(Failure::defect)?.id;
        let Some(length) = self.device.length(id)? else {
            return Ok(());
        };
        spend(&mut self.read_left, length, "the content that is read")?;
        let limits = &self.processor.settings.limits;
        let bytes = read_all(self.device, id, limits.envelope_bytes)?;
        match Envelope::decode_within(&bytes, limits) {
            Ok(envelope) => look(&envelope),
            Err(_) => Ok(()),
        }
    }
}

/// What is done with each chunk of content.
type Take<'t> = dyn FnMut(&mut dyn Device, &[u8]) -> Result<(), Failure> + 't;

/// Takes from what a procedure may still use.
pub(super) fn spend(left: &mut u64, bytes: u64, what: &'static str) -> Result<(), Failure> {
    *left = left
        .checked_sub(bytes)
        .ok_or_else(|| Failure::limit(what))?;
    Ok(())
}

/// Reads a component whole, which is done with envelopes only.
pub(super) fn read_all(
    device: &mut dyn Device,
    id: &ComponentId,
    limit: usize,
) -> Result<Vec<u8>, Failure> {
    let length = device.length(id)?.unwrap_or_default();
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= limit)
        .ok_or_else(|| Failure::limit("the size of envelopes"))?;
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match device.read_at(id, filled as u64, rest)? {
            0 => return Err(Failure::truncated(id)),
            read => filled += read,
        }
    }
    Ok(bytes)
}
