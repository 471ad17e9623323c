//! What the kernel is asked once, for the process as a whole.

use nix::{
    errno::Errno,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
        stat::{Mode, umask},
    },
};

use super::State;

fn state(outcome: Result<(), Errno>) -> State {
    match outcome {
        Ok(()) => State::On,
        Err(error) => State::Missing(error.desc().into()),
    }
}

/// A crash leaves no memory behind. The limit alone would not stop a program that takes cores through a pipe, which
/// [`no_tracing`] does.
pub(super) fn no_core_dumps() -> State {
    state(setrlimit(Resource::RLIMIT_CORE, 0, 0))
}

/// The files of the process in `/proc` are root's from now on, its memory among them, and nobody without the right
/// to trace everything attaches to it.
pub(super) fn no_tracing() -> State {
    state(prctl::set_dumpable(false))
}

pub(super) fn no_new_privileges() -> State {
    state(prctl::set_no_new_privs())
}

/// New files and folders are for this user only.
pub(super) fn private_files() {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
}
