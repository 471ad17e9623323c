//! Directives that act on a component's content.

use alloc::vec::Vec;

use super::{
    DecryptedContent, Failure,
    intake::{Stored, failed},
    procedure::Procedure,
    state::{Loaded, Slot, State, spend},
};
use crate::{
    ComponentId, DeviceError, Error, Why, WrittenContent,
    codec::{
        Action, ComponentMetadata, Parameter, Parameters, WaitEvent, WaitInfo,
        parameter_label as label,
    },
};

impl<'r> State<'r> {
    /// Carries out a directive on one component. Those about dependencies are the machine's own.
    pub(super) fn act(
        &mut self,
        action: Action,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<(), Failure> {
        match action {
            Action::Write => self.write(manifest, index, slot),
            Action::Fetch => self.fetch(manifest, index, slot),
            Action::Copy => self.copy(manifest, index, slot),
            Action::Swap => self.swap(manifest, index, slot),
            Action::Invoke => self.invoke(slot),
            Action::Unlink => self.unlink(manifest, slot),
            Action::Wait => self.wait(slot),
            Action::ProcessDependency => Err(Error::CommandUnsupported(action.label()).into()),
        }
    }

    /// Whether this is only a rehearsal, in which case the content of `slot` is taken to have changed.
    fn rehearsed(&mut self, slot: usize) -> Result<bool, Failure> {
        let rehearsing = self.rehearsing;
        self.slot_mut(slot)?.expected |= rehearsing;
        Ok(rehearsing)
    }

    /// Goes on if all events have happened.
    // req: SUIT-UPD-020, SUIT-UPD-021, SUIT-UPD-023
    fn wait(&mut self, slot: usize) -> Result<(), Failure> {
        let action = Action::Wait;
        let info = self.slot(slot)?.parameters.wait_info();
        let info = info.ok_or_else(|| missing(action, label::WAIT_INFO))?;
        let info = WaitInfo::decode(info, &self.processor.settings.limits)?;
        let (now, zone) = (self.device.now(), self.device.time_zone());
        for event in info.events() {
            let observed = match event {
                WaitEvent::Time(_) | WaitEvent::TimeOfDayUtc(_) | WaitEvent::DayOfWeekUtc(_) => {
                    now.is_some()
                }
                WaitEvent::TimeOfDay(_) | WaitEvent::DayOfWeek(_) => {
                    now.is_some() && zone.is_some()
                }
                event => self.device.observes(event),
            };
            if !observed {
                return Err(Error::ParameterUnsupported(label::WAIT_INFO).into());
            }
        }
        if self.rehearsing {
            return Ok(());
        }
        for event in info.events() {
            let happened = match event.has_come(now.unwrap_or_default(), zone) {
                Some(come) => come,
                None => self
                    .device
                    .has_happened(event)
                    .map_err(|error| failed(action, error))?,
            };
            if !happened {
                return Err(Failure::action(action, Why::NotYet(event.label())));
            }
        }
        Ok(())
    }

    /// Tells the device what kind of file the new content is, before there is any.
    // req: SUIT-UPD-024, SUIT-UPD-026
    pub(super) fn describe(&mut self, action: Action, slot: usize) -> Result<(), Failure> {
        let limits = &self.processor.settings.limits;
        let (target, device) = self.slot_and_device(slot)?;
        let Some(encoded) = target.parameters.component_metadata() else {
            return Ok(());
        };
        let metadata = ComponentMetadata::decode(encoded, limits)?;
        device
            .set_metadata(&target.id, &metadata)
            .map_err(|error| failed(action, error))
    }

    /// Has the content that is wanted, and tells the device what kind of file it is from now on.
    // req: SUIT-UPD-025
    fn stays(&mut self, action: Action, slot: usize) -> Result<(), Failure> {
        match self.rehearsing {
            true => Ok(()),
            false => self.describe(action, slot),
        }
    }

    // req: SUIT-CMD-018
    fn write(&mut self, manifest: &Loaded<'_>, index: usize, slot: usize) -> Result<(), Failure> {
        let action = Action::Write;
        let content = self.slot(slot)?.parameters.content();
        let content = content.ok_or_else(|| missing(action, label::CONTENT))?;
        self.refuse_in_use(action, manifest, index, slot)?;
        if self.rehearsed(slot)? {
            return self.check_recipients(action, slot);
        }
        self.store(action, manifest, index, slot, content)?;
        if self.processor.settings.written_content == WrittenContent::CoveredBySignature {
            self.slot_mut(slot)?.verified = true;
        }
        Ok(())
    }

    // req: SUIT-CMD-013, SUIT-CMD-015, SUIT-SEV-013, SUIT-SEV-015
    fn fetch(&mut self, manifest: &Loaded<'_>, index: usize, slot: usize) -> Result<(), Failure> {
        let action = Action::Fetch;
        let parameters = &self.slot(slot)?.parameters;
        let uri = parameters.uri();
        let uri = uri.ok_or_else(|| missing(action, label::URI))?;
        let arguments = parameters.fetch_arguments();
        let integrated = manifest.envelope.integrated(uri);
        let may_replace = self.procedure == Procedure::Update && self.slot(slot)?.loaded.is_none();
        match self.already(manifest, index, slot)? {
            // The envelope at hand may have what the one that is there lacks.
            Already::Manifest { whole } if may_replace && (!whole || integrated.is_some()) => {}
            Already::Manifest { .. } => return Ok(()),
            Already::Content => return self.stays(action, slot),
            Already::Nothing => self.refuse_in_use(action, manifest, index, slot)?,
        }
        if integrated.is_none() && uri.starts_with('#') {
            // The envelope of an installed manifest is kept without its payloads: what they became is
            // still there when a dependent has the manifest processed again.
            return match self.slot(slot)?.expected || self.has_digest(slot)? {
                true => Ok(()),
                false => Err(Failure::action(action, Why::NotIntegrated(uri.into()))),
            };
        }
        if self.rehearsed(slot)? {
            return Ok(());
        }
        if let Some(payload) = integrated {
            return self.store(action, manifest, index, slot, payload);
        }
        let mut intake = self.take_in(action, manifest, index, slot)?;
        // A producer that carries on after the sink refused does not get away with it.
        let mut refused: Option<Failure> = None;
        let device = &mut *self.device;
        let mut sink = |chunk: &[u8]| match &refused {
            Some(error) => Err(told(error.error())),
            None => intake.take(device, chunk).map_err(|error| {
                let told = told(error.error());
                refused = Some(error);
                told
            }),
        };
        let produced = self.fetch.fetch(uri, arguments, &mut sink);
        match refused {
            Some(error) => return Err(error),
            None => produced.map_err(|error| failed(action, error))?,
        }
        let stored = intake.finish(self.device)?;
        self.stored(slot, &stored)
    }

    /// Stores bytes that are at hand.
    fn store(
        &mut self,
        action: Action,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let mut intake = self.take_in(action, manifest, index, slot)?;
        intake.take(self.device, bytes)?;
        let stored = intake.finish(self.device)?;
        self.stored(slot, &stored)
    }

    // req: SUIT-CMD-017
    fn copy(&mut self, manifest: &Loaded<'_>, index: usize, slot: usize) -> Result<(), Failure> {
        let action = Action::Copy;
        let from = self.existing_source(action, manifest, slot)?;
        match self.already(manifest, index, slot)? {
            Already::Nothing => {}
            Already::Manifest { .. } => return Ok(()),
            Already::Content => return self.stays(action, slot),
        }
        self.refuse_in_use(action, manifest, index, slot)?;
        if from == slot {
            return Err(Failure::invalid("copies a component onto itself"));
        }
        // What an earlier directive brings may be what is wanted already, and nothing is decrypted then.
        let is_known = !self.slot(slot)?.expected;
        if self.rehearsed(slot)? {
            return match is_known {
                true => self.check_recipients(action, slot),
                false => Ok(()),
            };
        }
        let mut intake = self.take_in(action, manifest, index, slot)?;
        self.read(from, &mut |device, chunk| intake.take(device, chunk))?;
        let stored = intake.finish(self.device)?;
        self.stored(slot, &stored)?;
        // What vouches for the plaintext vouches for the ciphertext too.
        let covered = self.slot(slot)?.verified;
        self.slot_mut(from)?.verified |= covered;
        Ok(())
    }

    // req: SUIT-CMD-019
    fn swap(&mut self, manifest: &Loaded<'_>, index: usize, slot: usize) -> Result<(), Failure> {
        let action = Action::Swap;
        let source = self.existing_source(action, manifest, slot)?;
        if slot == source {
            return Err(Failure::invalid("swaps a component with itself"));
        }
        self.refuse_in_use(action, manifest, index, slot)?;
        let source_index = manifest.slots.iter().position(|slot| *slot == source);
        self.refuse_in_use(action, manifest, source_index.unwrap_or(index), source)?;
        if self.rehearsed(slot)? && self.rehearsed(source)? {
            return Ok(());
        }
        let (one, other) = (self.slots.get(slot), self.slots.get(source));
        let (one, other) = one.zip(other).ok_or_else(Failure::defect)?;
        self.device
            .swap(&one.id, &other.id)
            .map_err(|error| failed(action, error))?;
        self.slot_mut(slot)?.changed();
        self.slot_mut(source)?.changed();
        Ok(())
    }

    // req: SUIT-CMD-020
    fn invoke(&mut self, slot: usize) -> Result<(), Failure> {
        if self.rehearsing {
            return Ok(());
        }
        let (target, device) = self.slot_and_device(slot)?;
        // What was written and not verified is never started.
        if target.written && !target.verified {
            return Err(Failure::unverified(&target.id));
        }
        device
            .invoke(&target.id, target.parameters.invoke_arguments())
            .map_err(|error| failed(Action::Invoke, error))?;
        // Where it returns, it may have changed anything.
        self.slots.iter_mut().for_each(|slot| slot.measured = None);
        Ok(())
    }

    /// Removes a component unless another manifest has it too.
    // req: SUIT-DEP-033
    fn unlink(&mut self, manifest: &Loaded<'_>, slot: usize) -> Result<(), Failure> {
        let (target, device) = self.slot_and_device(slot)?;
        let id = &target.id;
        for record in &device.manifests()? {
            if record.id == *id {
                return Err(Failure::action(Action::Unlink, Why::InUse));
            }
            if record.id != manifest.placement && record.components.contains(id) {
                return Ok(());
            }
        }
        if self.rehearsed(slot)? {
            return Ok(());
        }
        let (target, device) = self.slot_and_device(slot)?;
        device
            .remove(&target.id)
            .map_err(|error| failed(Action::Unlink, error))?;
        let target = self.slot_mut(slot)?;
        target.changed();
        target.written = false;
        Ok(())
    }

    /// The slot that parameter 22 names, which must have content.
    fn existing_source(
        &mut self,
        action: Action,
        manifest: &Loaded<'_>,
        slot: usize,
    ) -> Result<usize, Failure> {
        let source = self.source(action, manifest, slot)?;
        // To depend on a manifest is no right to what else its place may hold.
        let mut others = manifest.slots.iter().enumerate();
        if others.any(|(index, slot)| *slot == source && manifest.is_dependency(index)) {
            let id = &self.slot(source)?.id;
            return Err(Failure::dependency(id, "it is the source of a directive"));
        }
        let (found, device) = self.slot_and_device(source)?;
        match found.expected || device.length(&found.id)?.is_some() {
            true => Ok(source),
            false => Err(Failure::action(action, Why::SourceMissing)),
        }
    }

    /// The slot that parameter 22 names.
    pub(super) fn source(
        &self,
        action: Action,
        manifest: &Loaded<'_>,
        slot: usize,
    ) -> Result<usize, Failure> {
        let index = self.slot(slot)?.parameters.source_component();
        let index = index.ok_or_else(|| missing(action, label::SOURCE_COMPONENT))?;
        manifest.slot(index)
    }

    /// What of the wanted content the component has already, so that storing it again is needless.
    fn already(
        &mut self,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<Already, Failure> {
        let (target, device) = self.slot_and_device(slot)?;
        let Some(digest) = target
            .parameters
            .image_digest()
            .filter(|_| !target.expected)
        else {
            return Ok(Already::Nothing);
        };
        let size = target.parameters.image_size();
        if manifest.is_dependency(index) {
            let digest = *digest;
            return Ok(match self.holds_manifest(slot, &digest)? {
                Some(whole) => Already::Manifest { whole },
                None => Already::Nothing,
            });
        }
        // Without a size, comparing could cost more than fetching.
        if size.is_none() || device.length(&target.id)? != size {
            return Ok(Already::Nothing);
        }
        Ok(match self.has_digest(slot)? {
            true => Already::Content,
            false => Already::Nothing,
        })
    }

    /// Whether the component has content with the wanted digest.
    fn has_digest(&mut self, slot: usize) -> Result<bool, Failure> {
        let Some(digest) = self.slot(slot)?.parameters.image_digest() else {
            return Ok(false);
        };
        let measured = self.measure(slot, digest.algorithm()?)?;
        Ok(measured.is_some_and(|(found, _)| found == digest))
    }

    /// Refuses to change what another installed manifest has, and a manifest that is being processed.
    // req: SUIT-DEP-032
    fn refuse_in_use(
        &mut self,
        action: Action,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<(), Failure> {
        let is_update = self.procedure == Procedure::Update;
        let (target, device) = self.slot_and_device(slot)?;
        let id = &target.id;
        if manifest.is_dependency(index) && (target.ran || !is_update) {
            return Err(Failure::action(action, Why::InUse));
        }
        let ours = |other: &ComponentId| *other == manifest.placement;
        for record in &device.manifests()? {
            let in_use = if record.id == *id {
                // A manifest: one that is there for its own sake, or that is no dependency of ours.
                record.root || !manifest.is_dependency(index)
            } else {
                !ours(&record.id)
                    && (record.components.contains(id) || record.dependencies.contains(id))
            };
            if in_use {
                return Err(Failure::action(action, Why::InUse));
            }
        }
        Ok(())
    }

    fn stored(&mut self, slot: usize, stored: &Stored) -> Result<(), Failure> {
        let covered = self.processor.settings.decrypted_content == DecryptedContent::CoveredByTag;
        let target = self.slot_mut(slot)?;
        target.changed();
        target.measured = stored.measured;
        target.verified = stored.authenticated && covered;
        Ok(())
    }

    /// Sets parameters of one component, except those of the processor itself.
    // req: SUIT-CMD-012, SUIT-DEP-017
    pub(super) fn set_parameters(
        &mut self,
        slot: usize,
        parameters: &'r Parameters<'r>,
        replace: bool,
    ) -> Result<(), Failure> {
        let target = self.slots.get_mut(slot).ok_or_else(Failure::defect)?;
        for parameter in parameters.iter() {
            let of_processor = matches!(
                parameter,
                Parameter::StrictOrder(_) | Parameter::SoftFailure(_)
            );
            if !of_processor && (replace || !target.parameters.has(parameter)) {
                set(&mut self.parameters_left, target, parameter)?;
            }
        }
        Ok(())
    }

    /// Copies parameters of other components to one.
    // req: SUIT-UPD-032
    pub(super) fn copy_parameters(
        &mut self,
        manifest: &Loaded<'_>,
        slot: usize,
        list: &[(u64, Vec<i64>)],
    ) -> Result<(), Failure> {
        for (index, labels) in list {
            let source = manifest.slot(*index)?;
            for label in labels {
                let copied = self.slot(source)?.parameters.get(*label);
                if let Some(parameter) = copied {
                    let target = self.slots.get_mut(slot).ok_or_else(Failure::defect)?;
                    set(&mut self.parameters_left, target, parameter)?;
                }
            }
        }
        Ok(())
    }
}

/// What a component has already of what is to be stored.
#[derive(Clone, Copy)]
enum Already {
    /// Nothing, or something else.
    Nothing,
    /// That very content.
    Content,
    /// The manifest that is wanted, in an envelope that may be another one.
    Manifest {
        /// Whether that envelope will do: somebody who is trusted now vouches for it, and it never carried what the
        /// manifest installs, which is not kept.
        whole: bool,
    },
}

fn set<'r>(
    left: &mut u64,
    target: &mut Slot<'r>,
    parameter: &'r Parameter<'r>,
) -> Result<(), Failure> {
    spend(left, parameter.size(), "the parameters that are set")?;
    target.parameters.set(parameter);
    Ok(())
}

fn missing(action: Action, label: i64) -> Failure {
    Failure::action(action, Why::ParameterMissing(label))
}

/// What whoever hands over a payload is told of why no more of it is taken.
fn told(error: &Error) -> DeviceError {
    match error {
        Error::ActionFailed {
            why: Why::Device(error),
            ..
        } => error.clone(),
        Error::ActionFailed {
            why: Why::TooLong(bound),
            ..
        } => DeviceError::TooLong(*bound),
        _ => DeviceError::Unsupported,
    }
}
