//! What signers may do with what they may touch.

use super::{Failure, Processor, check};
use crate::{AuthenticatedEnvelope, ComponentId, Error, codec::Located};

/// The signers may use every command of the manifest on every component and dependency of it.
// req: SUIT-ACL-001, SUIT-ACL-004, SUIT-ACL-005
pub(super) fn commands(
    processor: &Processor<'_>,
    envelope: &AuthenticatedEnvelope<'_>,
    identifiers: &[ComponentId],
    path: &[u64],
) -> Result<(), Failure> {
    let manifest = envelope.manifest();
    for (label, sequence) in manifest.numbered_sequences() {
        for Located { offset, command } in sequence.walk() {
            for (index, id) in identifiers.iter().enumerate() {
                let index = index as u64;
                let access = check::access_to(manifest, index);
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
