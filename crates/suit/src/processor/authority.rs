//! What signers may do with what they may touch.

use super::{Failure, Processor, check};
use crate::{AuthenticatedEnvelope, ComponentId, Error};

/// The signers may use every command of the manifest on every component and dependency of it.
// req: SUIT-ACL-001, SUIT-ACL-004, SUIT-ACL-005
pub(super) fn commands(
    processor: &Processor<'_>,
    envelope: &AuthenticatedEnvelope<'_>,
    identifiers: &[ComponentId],
    path: &[u64],
) -> Result<(), Failure> {
    let manifest = envelope.manifest();
    let signers = envelope.signers();
    check::each_command(manifest, path, &mut |command| {
        for (index, id) in (0..).zip(identifiers) {
            let access = check::access_to(manifest, index);
            let access_control = processor.access;
            if !access_control.permits_command(signers, access, id, command) {
                let error = Error::CommandUnauthorized {
                    command: command.label(),
                    component: id.clone(),
                };
                let mut failure = Failure::from(error);
                failure.record_mut().component_index = index;
                return Err(failure);
            }
        }
        Ok(())
    })
}
