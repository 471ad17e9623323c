use crate::{Authority, Command, ComponentId};

/// What a manifest wants with an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// The manifest lists the component: its commands may read, write, start and remove it.
    Component,
    /// The manifest wants to be kept at this identifier, and to have its sequence number counted there.
    Manifest,
    /// The manifest depends on the manifest at this identifier: it may bring it along where nothing is
    /// installed yet, and has it processed with the rights of that manifest's own signers.
    Dependency,
}

/// Who may touch what.
///
/// Asked for every identifier of a manifest after it was authenticated and before anything is done on
/// its behalf. A wrong `true` lets one provider overwrite what belongs to another. An answer that
/// changes during a procedure does not count.
///
/// [`TrustAnchors`](crate::TrustAnchors) is the access control in which each trust anchor carries its own
/// rights. A closure `Fn(&[Authority], Access, &ComponentId) -> bool` will do too.
// req: SUIT-ACL-001, SUIT-ACL-003
pub trait AccessControl {
    /// Whether a manifest by `signers` (each of which has been verified) has this access.
    fn permits(&self, signers: &[Authority], access: Access, component: &ComponentId) -> bool;

    /// Whether a manifest by `signers`, which has this access to a component or dependency, may use
    /// `command` on it. By default it may use every command.
    ///
    /// Asked for every command of the manifest, nested ones included, and each of its identifiers, whichever
    /// the command will act on: that is decided while the manifest runs, and this is asked before.
    fn permits_command(
        &self,
        signers: &[Authority],
        access: Access,
        component: &ComponentId,
        command: &Command<'_>,
    ) -> bool {
        let _ = (signers, access, component, command);
        true
    }
}

impl<F: Fn(&[Authority], Access, &ComponentId) -> bool> AccessControl for F {
    fn permits(&self, signers: &[Authority], access: Access, component: &ComponentId) -> bool {
        self(signers, access, component)
    }
}

/// The model with a single trusted authority: whoever may sign may touch everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SingleAuthority;

impl AccessControl for SingleAuthority {
    fn permits(&self, _: &[Authority], _: Access, _: &ComponentId) -> bool {
        true
    }
}
