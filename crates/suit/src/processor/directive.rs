//! Directives that act on a component's content.

use alloc::string::ToString;

use super::{
    Measurement,
    state::{Loaded, State},
};
use crate::{
    ComponentId, DeviceError, DigestAlgorithm, Error, Why, WrittenContent,
    codec::{Action, ComponentMetadata, Parameters, WaitInfo, parameter_label as label},
    digest::SuitDigest,
};

/// What bounds new content.
struct Bound {
    /// The image size, if it is set.
    expected: Option<u64>,
    /// The most bytes that are taken.
    most: u64,
}

impl State<'_> {
    /// Carries out a directive on one component. Those about dependencies are the machine's own.
    pub(super) fn act(
        &mut self,
        action: Action,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<(), Error> {
        match action {
            Action::Write => self.write(manifest, index, slot),
            Action::Fetch => self.fetch(manifest, index, slot),
            Action::Copy => self.copy(manifest, index, slot),
            Action::Swap => self.swap(manifest, index, slot),
            Action::Invoke => self.invoke(slot),
            Action::Unlink => self.unlink(manifest, slot),
            Action::Wait => self.wait(slot),
            Action::ProcessDependency => Err(Error::CommandUnsupported(action.label())),
        }
    }

    /// Whether this is only a rehearsal, in which case the content of `slot` is taken to have changed.
    fn rehearsed(&mut self, slot: usize) -> Result<bool, Error> {
        let rehearsing = self.rehearsing;
        self.slot_mut(slot)?.expected |= rehearsing;
        Ok(rehearsing)
    }

    /// Goes on if all events have happened.
    // req: SUIT-UPD-020, SUIT-UPD-023
    fn wait(&mut self, slot: usize) -> Result<(), Error> {
        let action = Action::Wait;
        let info = self.slot(slot)?.parameters.wait_info();
        let info = info.ok_or(missing(action, label::WAIT_INFO))?.to_vec();
        if self.rehearsing {
            return Ok(());
        }
        let (now, zone) = (self.device.now(), self.device.time_zone());
        for event in WaitInfo::decode(&info, &self.processor.settings.limits)?.events() {
            let about_time = event.has_come(now.unwrap_or_default(), zone);
            let happened = match (about_time, now) {
                (Some(come), Some(_)) => come,
                (Some(_), None) => return Err(failed(action)(DeviceError::Unsupported)),
                (None, _) => self.device.has_happened(event).map_err(failed(action))?,
            };
            if !happened {
                return Err(Error::action(action, Why::NotYet(event.label())));
            }
        }
        Ok(())
    }

    /// Tells the device what kind of file the new content is, before there is any.
    // req: SUIT-UPD-024, SUIT-UPD-026
    fn describe(&mut self, action: Action, slot: usize) -> Result<(), Error> {
        let target = self.slot(slot)?;
        let Some(encoded) = target.parameters.component_metadata() else {
            return Ok(());
        };
        let (id, encoded) = (target.id.clone(), encoded.to_vec());
        let metadata = ComponentMetadata::decode(&encoded, &self.processor.settings.limits)?;
        self.device
            .set_metadata(&id, &metadata)
            .map_err(failed(action))
    }

    // req: SUIT-CMD-018
    fn write(&mut self, manifest: &Loaded<'_>, index: usize, slot: usize) -> Result<(), Error> {
        let action = Action::Write;
        let content = self.slot(slot)?.parameters.content().map(<[u8]>::to_vec);
        let content = content.ok_or(missing(action, label::CONTENT))?;
        let algorithm = self.refuse_in_use(action, manifest, index, slot)?;
        if self.rehearsed(slot)? {
            return Ok(());
        }
        let bound = self.bound(slot)?;
        self.store(action, slot, algorithm, &bound, |_, sink| sink(&content))?;
        if self.processor.settings.written_content == WrittenContent::CoveredBySignature {
            self.slot_mut(slot)?.verified = true;
        }
        Ok(())
    }

    // req: SUIT-CMD-013, SUIT-CMD-015, SUIT-SEV-013, SUIT-SEV-015
    fn fetch(&mut self, manifest: &Loaded<'_>, index: usize, slot: usize) -> Result<(), Error> {
        let action = Action::Fetch;
        let parameters = &self.slot(slot)?.parameters;
        let uri = parameters.uri().map(ToString::to_string);
        let uri = uri.ok_or(missing(action, label::URI))?;
        let arguments = parameters.fetch_arguments().map(<[u8]>::to_vec);
        if self.already_matches(manifest, index, slot)? {
            return Ok(());
        }
        let algorithm = self.refuse_in_use(action, manifest, index, slot)?;
        let integrated = manifest.envelope().integrated(&uri);
        if integrated.is_none() && uri.starts_with('#') {
            return Err(Error::action(action, Why::NotIntegrated(uri)));
        }
        if self.rehearsed(slot)? {
            return Ok(());
        }
        let bound = self.bound(slot)?;
        if let Some(payload) = integrated {
            return self.store(action, slot, algorithm, &bound, |_, sink| sink(payload));
        }
        self.store(action, slot, algorithm, &bound, |fetch, sink| {
            fetch.fetch(&uri, arguments.as_deref(), sink)
        })
    }

    // req: SUIT-CMD-017
    fn copy(&mut self, manifest: &Loaded<'_>, index: usize, slot: usize) -> Result<(), Error> {
        let action = Action::Copy;
        let source = self.existing_source(action, manifest, slot)?;
        let source = self.slot(source)?.id.clone();
        if self.already_matches(manifest, index, slot)? {
            return Ok(());
        }
        let algorithm = self.refuse_in_use(action, manifest, index, slot)?;
        let target = self.slot(slot)?.id.clone();
        if source == target {
            return Err(Error::Invalid("copies a component onto itself"));
        }
        if self.rehearsed(slot)? {
            return Ok(());
        }
        let bound = self.bound(slot)?;
        self.describe(action, slot)?;
        self.device
            .begin(&target, bound.expected)
            .map_err(failed(action))?;
        let mut measuring = algorithm.map(|a| (a, self.processor.crypto.digests.start(a)));
        let mut length = 0_u64;
        self.read(&source, |device, chunk| {
            length += chunk.len() as u64;
            if length > bound.most {
                return Err(Error::action(action, Why::TooLong(bound.most)));
            }
            if let Some((_, context)) = &mut measuring {
                context.update(chunk);
            }
            device.append(&target, chunk).map_err(failed(action))
        })?;
        self.device.finish(&target).map_err(failed(action))?;
        let measured = measuring.map(|(a, context)| SuitDigest::finished(a, context.finish()));
        self.stored(slot, measured.map(|digest| (digest, length)))
    }

    // req: SUIT-CMD-019
    fn swap(&mut self, manifest: &Loaded<'_>, index: usize, slot: usize) -> Result<(), Error> {
        let action = Action::Swap;
        let source = self.existing_source(action, manifest, slot)?;
        let one = self.slot(slot)?.id.clone();
        let other = self.slot(source)?.id.clone();
        self.refuse_in_use(action, manifest, index, slot)?;
        let source_index = manifest.slots.iter().position(|slot| *slot == source);
        self.refuse_in_use(action, manifest, source_index.unwrap_or(index), source)?;
        if self.rehearsed(slot)? && self.rehearsed(source)? {
            return Ok(());
        }
        self.device.swap(&one, &other).map_err(failed(action))?;
        self.slot_mut(slot)?.changed();
        self.slot_mut(source)?.changed();
        Ok(())
    }

    // req: SUIT-CMD-020
    fn invoke(&mut self, slot: usize) -> Result<(), Error> {
        if self.rehearsing {
            return Ok(());
        }
        let target = self.slot(slot)?;
        // What was written and not verified is never started.
        if target.written && !target.verified {
            return Err(Error::Unverified(target.id.clone()));
        }
        let id = target.id.clone();
        let arguments = target.parameters.invoke_arguments().map(<[u8]>::to_vec);
        self.device
            .invoke(&id, arguments.as_deref())
            .map_err(failed(Action::Invoke))
    }

    /// Removes a component unless another manifest has it too.
    // req: SUIT-DEP-033
    fn unlink(&mut self, manifest: &Loaded<'_>, slot: usize) -> Result<(), Error> {
        let id = self.slot(slot)?.id.clone();
        for record in self.device.manifests()? {
            if record.id == id {
                return Err(Error::action(Action::Unlink, Why::InUse));
            }
            if record.id != manifest.placement && record.components.contains(&id) {
                return Ok(());
            }
        }
        if self.rehearsed(slot)? {
            return Ok(());
        }
        self.device.remove(&id).map_err(failed(Action::Unlink))?;
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
    ) -> Result<usize, Error> {
        let source = self.source(action, manifest, slot)?;
        let found = self.slot(source)?;
        let (expected, id) = (found.expected, found.id.clone());
        match expected || self.device.length(&id)?.is_some() {
            true => Ok(source),
            false => Err(Error::action(action, Why::SourceMissing)),
        }
    }

    /// The slot that parameter 22 names.
    pub(super) fn source(
        &self,
        action: Action,
        manifest: &Loaded<'_>,
        slot: usize,
    ) -> Result<usize, Error> {
        let index = self.slot(slot)?.parameters.source_component();
        let index = index.ok_or(missing(action, label::SOURCE_COMPONENT))?;
        let at = usize::try_from(index)
            .ok()
            .and_then(|index| manifest.slots.get(index));
        at.copied().ok_or(Error::ComponentIndex(index))
    }

    fn bound(&self, slot: usize) -> Result<Bound, Error> {
        let expected = self.slot(slot)?.parameters.image_size();
        let limit = self.processor.settings.limits.payload_bytes;
        Ok(Bound {
            expected,
            most: expected.map_or(limit, |size| size.min(limit)),
        })
    }

    /// Whether the component has the wanted content already, so that storing it again is needless.
    fn already_matches(
        &mut self,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<bool, Error> {
        let target = self.slot(slot)?;
        let Some(digest) = target
            .parameters
            .image_digest()
            .filter(|_| !target.expected)
        else {
            return Ok(false);
        };
        let size = target.parameters.image_size();
        let id = target.id.clone();
        let algorithm = digest.algorithm()?;
        if manifest.is_dependency(index) {
            return Ok(self.measure_manifest(slot, algorithm)? == Some(digest));
        }
        // Without a size, comparing could cost more than fetching.
        if size.is_none() || self.device.length(&id)? != size {
            return Ok(false);
        }
        let measured = self.measure(slot, algorithm)?;
        Ok(measured.is_some_and(|(found, _)| found == digest))
    }

    /// Refuses to change what another installed manifest has; returns the algorithm to measure with.
    // req: SUIT-DEP-032
    fn refuse_in_use(
        &mut self,
        action: Action,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<Option<DigestAlgorithm>, Error> {
        let target = self.slot(slot)?;
        let id = target.id.clone();
        let measuring = self.processor.settings.measurement == Measurement::WhileWriting;
        let algorithm = match target.parameters.image_digest() {
            Some(digest) if measuring => Some(digest.algorithm()?),
            _ => None,
        };
        let ours = |other: &ComponentId| *other == manifest.placement;
        for record in self.device.manifests()? {
            let in_use = if record.id == id {
                // A manifest: one that is there for its own sake, or that is no dependency of ours.
                record.root || !manifest.is_dependency(index)
            } else {
                !ours(&record.id)
                    && (record.components.contains(&id) || record.dependencies.contains(&id))
            };
            if in_use {
                return Err(Error::action(action, Why::InUse));
            }
        }
        Ok(algorithm)
    }

    /// Stores what `produce` hands to its sink, bounded and measured on the way.
    // req: SUIT-AMB-013, SUIT-CMD-016
    fn store(
        &mut self,
        action: Action,
        slot: usize,
        algorithm: Option<DigestAlgorithm>,
        bound: &Bound,
        produce: impl FnOnce(
            &mut dyn crate::Fetch,
            &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
        ) -> Result<(), DeviceError>,
    ) -> Result<(), Error> {
        let id = self.slot(slot)?.id.clone();
        self.describe(action, slot)?;
        self.device
            .begin(&id, bound.expected)
            .map_err(failed(action))?;
        let mut measuring = algorithm.map(|a| (a, self.processor.crypto.digests.start(a)));
        let mut length = 0_u64;
        let device = &mut *self.device;
        // A producer that carries on after the sink refused does not get away with it.
        let mut refused = None;
        let mut sink = |chunk: &[u8]| {
            length = length.saturating_add(chunk.len() as u64);
            if length > bound.most || refused.is_some() {
                refused.get_or_insert(DeviceError::TooLong(bound.most));
                return Err(DeviceError::TooLong(bound.most));
            }
            if let Some((_, context)) = &mut measuring {
                context.update(chunk);
            }
            device
                .append(&id, chunk)
                .inspect_err(|error| refused = Some(error.clone()))
        };
        let produced = produce(&mut *self.fetch, &mut sink);
        match refused.map_or(produced, Err) {
            Ok(()) => {}
            Err(DeviceError::TooLong(bound)) => {
                return Err(Error::action(action, Why::TooLong(bound)));
            }
            Err(error) => return Err(failed(action)(error)),
        }
        self.device.finish(&id).map_err(failed(action))?;
        let measured = measuring.map(|(a, context)| SuitDigest::finished(a, context.finish()));
        self.stored(slot, measured.map(|digest| (digest, length)))
    }

    fn stored(&mut self, slot: usize, measured: Option<(SuitDigest, u64)>) -> Result<(), Error> {
        let target = self.slot_mut(slot)?;
        target.changed();
        target.measured = measured;
        Ok(())
    }

    /// Sets parameters of one component, except those of the processor itself.
    // req: SUIT-CMD-012, SUIT-DEP-017
    pub(super) fn set_parameters(
        &mut self,
        slot: usize,
        parameters: &Parameters<'_>,
        replace: bool,
    ) -> Result<(), Error> {
        let target = self.slot_mut(slot)?;
        for parameter in parameters.iter() {
            let of_processor =
                matches!(parameter.label(), label::STRICT_ORDER | label::SOFT_FAILURE);
            if !of_processor && (replace || target.parameters.get(parameter.label()).is_none()) {
                target.parameters.set(parameter.clone().into_owned());
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
        list: &[(u64, alloc::vec::Vec<i64>)],
    ) -> Result<(), Error> {
        for (index, labels) in list {
            let at = usize::try_from(*index)
                .ok()
                .and_then(|index| manifest.slots.get(index));
            let source = self.slot(*at.ok_or(Error::ComponentIndex(*index))?)?;
            let copies = labels
                .iter()
                .filter_map(|label| source.parameters.get(*label).cloned());
            let copies = Parameters::from_list(copies);
            self.set_parameters(slot, &copies, true)?;
        }
        Ok(())
    }
}

fn missing(action: Action, label: i64) -> Error {
    Error::action(action, Why::ParameterMissing(label))
}

fn failed(action: Action) -> impl FnOnce(DeviceError) -> Error {
    move |error| Error::action(action, Why::Device(error))
}
