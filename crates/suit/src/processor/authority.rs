//! What signers may do with what they may touch.

use super::{Failure, Processor, check};
use crate::{Access, AuthenticatedEnvelope, ComponentId, Error, codec::Located};

/// The signers may use every command of the manifest on every component and dependency of it.
// req: SUIT-ACL-001, SUIT-ACL-004, SUIT-ACL-005
pub(super) fn commands(
    processor: &Processor<'_>,
    envelope: &AuthenticatedEnvelope<'_>,
    identifiers: &[ComponentId],
    path: &[u64],
) -> Result<(), Failure> {
    let manifest = envelope.manifest();
    let sections = manifest
        .sections()
        .filter_map(|(section, sequence)| Some((section.label(), sequence.content()?)));
    let shared = manifest.common.shared_sequence.iter();
    let shared = shared.map(|sequence| (check::SHARED, sequence));
    for (label, sequence) in shared.chain(sections) {
        for Located { offset, command } in sequence.walk() {
            for (index, id) in identifiers.iter().enumerate() {
                let index = index as u64;
                let access = match manifest.common.dependency(index) {
                    Some(_) => Access::Dependency,
                    None => Access::Component,
                };
                let signers = envelope.signers();
                if !processor
                    .access
                    .permits_command(signers, access, id, command)
                {
                    let error = Error::CommandUnauthorized {
                        command: command.label(),
                        component: id.clone(),
                    };
                    let mut failure = Failure::from(error).in_section(path, label, *offset);
                    failure.record_mut().component_index = index;
                    return Err(failure);
                }
            }
        }
    }
    Ok(())
}
