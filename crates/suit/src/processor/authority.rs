//! What signers may do with what they may touch.

use alloc::vec::Vec;

use super::{Failure, Processor};
use crate::{
    Access, AccessControl, AuthenticatedEnvelope, Authority, ComponentId, Error, Manifest,
    codec::Command,
};

/// What a manifest wants with what is at an index of it.
pub(super) fn access_to(manifest: &Manifest<'_>, index: u64) -> Access {
    match manifest.common.dependency(index) {
        Some(_) => Access::Dependency,
        None => Access::Component,
    }
}

/// The rights of a manifest's signers on components and dependencies of it.
pub(super) struct Rights<'c> {
    access: &'c dyn AccessControl,
    signers: &'c [Authority],
    /// By index.
    touched: Vec<(Access, &'c ComponentId)>,
}

impl<'c> Rights<'c> {
    pub(super) fn new(
        processor: &Processor<'c>,
        envelope: &'c AuthenticatedEnvelope<'_>,
        identifiers: &'c [ComponentId],
    ) -> Self {
        let mut touched = Vec::with_capacity(identifiers.len());
        for (index, id) in (0..).zip(identifiers) {
            touched.push((access_to(envelope.manifest(), index), id));
        }
        Self {
            access: processor.access,
            signers: envelope.signers(),
            touched,
        }
    }

    /// The signers may use a command, wherever it stands, on all of it.
    // req: SUIT-ACL-001, SUIT-ACL-004, SUIT-ACL-005
    pub(super) fn check(&self, command: &Command<'_>) -> Result<(), Failure> {
        for (index, (access, id)) in (0..).zip(&self.touched) {
            let access_control = self.access;
            if !access_control.permits_command(self.signers, *access, id, command) {
                let mut failure = Failure::from(Error::CommandUnauthorized {
                    command: command.label(),
                    component: ComponentId::clone(id),
                });
                failure.record_mut().component_index = index;
                return Err(failure);
            }
        }
        Ok(())
    }
}
