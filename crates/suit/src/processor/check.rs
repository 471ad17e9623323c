//! What is checked before the first command of a manifest runs.

use alloc::vec::Vec;

use tamarack_cose::encrypt::Encrypted;

use super::{
    Failure, IdentityChecks, Processor,
    authority::{Rights, access_to},
};
use crate::{
    Access, AuthenticatedEnvelope, ComponentId, Device, Error, Limits, Manifest, ManifestRecord,
    Section,
    codec::{
        Action, Command, Condition, IndexArgument, Located, Parameter, Parameters, SHARED,
        Sequence, WaitEvent, WaitInfo,
    },
};

/// Checks the commands of every sequence, without executing any: also that the signers may use them on what is `touched`.
pub(super) fn commands(
    processor: &Processor<'_>,
    device: &mut dyn Device,
    envelope: &AuthenticatedEnvelope<'_>,
    touched: &[ComponentId],
    path: &[u64],
) -> Result<(), Failure> {
    let manifest = envelope.manifest();
    if processor.settings.identity_checks == IdentityChecks::Required {
        identity_checked(manifest).map_err(|failure| failure.in_section(path, SHARED, 0))?;
    }
    for (label, sequence) in manifest.numbered_sequences() {
        sequence_start(manifest, sequence).map_err(|failure| failure.in_section(path, label, 0))?;
    }
    let rights = Rights::new(processor, envelope, touched);
    for (label, sequence) in manifest.numbered_sequences() {
        sequence.each(&mut |Located { offset, command }| {
            let mut check = || {
                rights.check(command)?;
                supported(processor, device, command)?;
                indices(manifest, command)
            };
            check().map_err(|mut failure| {
                let index = match failure.error() {
                    // It knows the component that is in the way, whatever the index.
                    Error::CommandUnauthorized { .. } => failure.record_mut().component_index,
                    _ => index_at(sequence, *offset, 0).unwrap_or_default(),
                };
                let mut failure = failure.in_section(path, label, *offset);
                failure.record_mut().component_index = index;
                failure
            })
        })?;
    }
    Ok(())
}

/// The component index at a command, for the report: of several, the first one. `None` if the command is neither
/// in this sequence nor in one within it.
// req: SUIT-REP-006
fn index_at(sequence: &Sequence<'_>, wanted: u64, mut index: u64) -> Option<u64> {
    for Located { offset, command } in sequence.commands() {
        if *offset == wanted {
            return Some(index);
        }
        match command {
            Command::SetComponentIndex(IndexArgument::One(one)) => index = *one,
            Command::SetComponentIndex(IndexArgument::All) => index = 0,
            Command::SetComponentIndex(IndexArgument::List(list)) => {
                index = list.first().copied().unwrap_or_default();
            }
            Command::OverrideMultiple(list) => {
                index = list.last().map_or(index, |(last, _)| *last);
            }
            _ => {}
        }
        for nested in command.nested() {
            if let Some(found) = index_at(nested, wanted, index) {
                return Some(found);
            }
        }
    }
    None
}

/// Whether the manifest says whom its components are for.
// req: SUIT-COM-009
fn identity_checked(manifest: &Manifest<'_>) -> Result<(), Failure> {
    let common = &manifest.common;
    let (mut vendor, mut class) = (false, false);
    if let Some(shared) = &common.shared_sequence {
        shared.each(&mut |located| {
            match located.command {
                Command::Condition(Condition::VendorIdentifier, _) => vendor = true,
                Command::Condition(Condition::ClassIdentifier, _) => class = true,
                _ => {}
            }
            Ok::<(), Failure>(())
        })?;
    }
    match (vendor && class) || common.components.is_empty() {
        true => Ok(()),
        false => Err(Failure::invalid(
            "checks neither vendor nor class, or one of them only, in its shared sequence",
        )),
    }
}

// req: SUIT-COM-012
fn sequence_start(manifest: &Manifest<'_>, sequence: &Sequence<'_>) -> Result<(), Failure> {
    match sequence.commands().first() {
        Some(first) if !first.command.chooses_components() => {}
        _ => return Ok(()),
    }
    match manifest.common.index_count() {
        0 | 1 => Ok(()),
        _ => Err(Failure::invalid(
            "has several components and a sequence that does not begin with set-component-index",
        )),
    }
}

/// Whether the processor and the device implement a command and the parameters that it sets.
// req: SUIT-PROC-004, SUIT-PROC-015, SUIT-PAR-003, SUIT-UPD-001, SUIT-AMB-010
fn supported(
    processor: &Processor<'_>,
    device: &mut dyn Device,
    command: &Command<'_>,
) -> Result<(), Failure> {
    let has = device.extensions();
    let supported = match command {
        Command::Condition(Condition::MinimumBattery, _) => has.battery,
        Command::Condition(Condition::UpdateAuthorized, _) => has.authorization,
        Command::Action(Action::Wait, _) => has.wait,
        Command::Other { .. } => false,
        Command::Condition(..)
        | Command::Action(..)
        | Command::SetComponentIndex(_)
        | Command::TryEach { .. }
        | Command::RunSequence(_)
        | Command::CopyParameters(_) => true,
        Command::SetParameters(parameters) | Command::OverrideParameters(parameters) => {
            return parameters_supported(processor, device, parameters);
        }
        Command::OverrideMultiple(list) => {
            for (_, parameters) in list {
                parameters_supported(processor, device, parameters)?;
            }
            true
        }
    };
    match supported {
        true => Ok(()),
        false => Err(Error::CommandUnsupported(command.label()).into()),
    }
}

fn parameters_supported(
    processor: &Processor<'_>,
    device: &mut dyn Device,
    parameters: &Parameters<'_>,
) -> Result<(), Failure> {
    let has = device.extensions();
    for parameter in parameters.iter() {
        let supported = match parameter {
            Parameter::ImageDigest(digest) => {
                digest.algorithm()?;
                true
            }
            Parameter::MinimumBattery(_) => has.battery,
            Parameter::UpdatePriority(_) => has.authorization,
            Parameter::ComponentMetadata(_) => has.metadata,
            Parameter::WaitInfo(info) => {
                has.wait && events_known(&processor.settings.limits, info)?
            }
            Parameter::EncryptionInfo(_) if processor.recipient_keys.is_empty() => false,
            Parameter::EncryptionInfo(info) => {
                Encrypted::decode_encrypt(info)?;
                true
            }
            Parameter::Other { .. } => false,
            _ => true,
        };
        if !supported {
            return Err(Error::ParameterUnsupported(parameter.label()).into());
        }
    }
    Ok(())
}

/// Whether all events of a wait are known. Whether the device can tell when they have happened is asked where it
/// waits: what was installed is invoked and removed without a clock too.
// req: SUIT-UPD-021
fn events_known(limits: &Limits, info: &[u8]) -> Result<bool, Failure> {
    let info = WaitInfo::decode(info, limits)?;
    let mut events = info.events().iter();
    Ok(!events.any(|event| matches!(event, WaitEvent::Other { .. })))
}

/// Whether the components that a command names exist.
// req: SUIT-COM-016
fn indices(manifest: &Manifest<'_>, command: &Command<'_>) -> Result<(), Failure> {
    let count = manifest.common.index_count() as u64;
    let in_range = |index: &u64| match *index < count {
        true => Ok(()),
        false => Err(Failure::no_component(*index)),
    };
    let sources =
        |parameters: &Parameters<'_>| parameters.source_component().iter().try_for_each(in_range);
    match command {
        Command::SetComponentIndex(IndexArgument::One(index)) => in_range(index),
        Command::SetComponentIndex(IndexArgument::List(list)) => list.iter().try_for_each(in_range),
        Command::SetParameters(parameters) | Command::OverrideParameters(parameters) => {
            sources(parameters)
        }
        Command::OverrideMultiple(list) => list.iter().try_for_each(|(index, parameters)| {
            in_range(index)?;
            sources(parameters)
        }),
        Command::CopyParameters(list) => list.iter().try_for_each(|(index, _)| in_range(index)),
        _ => Ok(()),
    }
}

/// Severed sections that the procedure runs must be there.
// req: SUIT-SEV-008
pub(super) fn sections_present(
    manifest: &Manifest<'_>,
    sections: &[Section],
) -> Result<(), Failure> {
    for section in sections {
        let sequence = manifest.section(*section);
        if sequence.is_some_and(|sequence| sequence.content().is_none()) {
            let failure = Failure::from(Error::SeveredMissing(section.name()));
            return Err(failure.in_section(&[], section.label(), 0));
        }
    }
    Ok(())
}

/// The identifiers of a manifest's components and dependencies, by index, with `scope` before those of
/// components.
pub(super) fn identifiers(
    manifest: &Manifest<'_>,
    scope: Option<&ComponentId>,
) -> Result<Vec<ComponentId>, Failure> {
    let common = &manifest.common;
    let mut identifiers = Vec::new();
    for index in 0..common.index_count() as u64 {
        let id = common.identifier(index);
        let id = id.ok_or_else(|| Failure::no_component(index))?.clone();
        identifiers.push(match scope {
            Some(scope) => scope
                .clone()
                .followed_by(&id)
                .map_err(|_| Failure::invalid("has a component identifier that is too long"))?,
            None => id,
        });
    }
    Ok(identifiers)
}

/// The identifiers under which a recorded manifest's components and dependencies were installed, by
/// index. They may have a scope that the manifest itself does not know.
pub(super) fn recorded_identifiers(
    manifest: &Manifest<'_>,
    record: &ManifestRecord,
) -> Result<Vec<ComponentId>, Failure> {
    let common = &manifest.common;
    let (mut components, mut dependencies) = (record.components.iter(), record.dependencies.iter());
    let mut identifiers = Vec::new();
    for index in 0..common.index_count() as u64 {
        let next = match common.dependency(index) {
            Some(_) => dependencies.next(),
            None => components.next(),
        };
        let id = next.ok_or_else(|| Failure::no_component(index))?;
        identifiers.push(id.clone());
    }
    Ok(identifiers)
}

/// The device has every component, and the signers may touch it.
// req: SUIT-COM-004, SUIT-ACL-004, SUIT-ACL-005, SUIT-ACL-006
pub(super) fn access(
    processor: &Processor<'_>,
    device: &dyn Device,
    envelope: &AuthenticatedEnvelope<'_>,
    placement: &ComponentId,
    identifiers: &[ComponentId],
    path: &[u64],
) -> Result<(), Failure> {
    let unauthorized = |access, id: &ComponentId| {
        let permitted = processor.access.permits(envelope.signers(), access, id);
        (!permitted).then(|| Error::ComponentUnauthorized(id.clone()))
    };
    // A manifest that installed something over itself could not be removed any more.
    if identifiers.contains(placement) {
        let failure = Failure::invalid("is kept where one of its components is");
        return Err(failure.in_section(path, SHARED, 0));
    }
    if let Some(error) = unauthorized(Access::Manifest, placement) {
        return Err(Failure::from(error).in_section(path, 0, 0));
    }
    for (index, id) in identifiers.iter().enumerate() {
        let index = index as u64;
        let access = access_to(envelope.manifest(), index);
        let error = match device.supports(id) {
            true => unauthorized(access, id),
            false => Some(Error::ComponentUnsupported(id.clone())),
        };
        if let Some(error) = error {
            let mut failure = Failure::from(error).in_section(path, SHARED, 0);
            failure.record_mut().component_index = index;
            return Err(failure);
        }
    }
    Ok(())
}

/// The manifest is newer than the one that is installed at the same place, or it is the same one.
// req: SUIT-MAN-003, SUIT-MAN-004, SUIT-AMB-012
pub(super) fn rollback(
    device: &mut dyn Device,
    envelope: &AuthenticatedEnvelope<'_>,
    placement: &ComponentId,
) -> Result<(), Failure> {
    let Some(record) = device.manifest(placement)? else {
        return Ok(());
    };
    let (current, received) = (record.sequence_number, envelope.manifest().sequence_number);
    let same = received == current && envelope.digest() == record.digest;
    match received > current || same {
        true => Ok(()),
        false => Err(Error::Rollback { current, received }.into()),
    }
}
