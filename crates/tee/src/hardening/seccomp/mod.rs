//! System calls, by seccomp.
//!
//! Two filters, of which the stricter answer counts:
//!
//! - **Needed** calls are allowed, some with certain arguments only. Every other one is answered as by a kernel that does
//!   not have it (`ENOSYS`): a library that tries something newer falls back to what it did before, so the list does
//!   not have to follow each release of each C library.
//! - **Hostile** calls, with which nothing in this process has any business, end it at once: to go on would be to let
//!   somebody try the next thing.
//!
//! See decision 26 in `docs/decisions`.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod calls;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod filter;

use super::{Need, State};

/// Restricts all threads of the process.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn restrict(needs: &[Need]) -> State {
    let enforce = || {
        // The second one takes away the call that sets filters.
        seccompiler::apply_filter_all_threads(&filter::hostile()?)?;
        seccompiler::apply_filter_all_threads(&filter::needed(needs, std::process::id())?)
    };
    match enforce() {
        Ok(()) => State::On,
        Err(error) => State::Missing(explain(&error)),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn restrict(_: &[Need]) -> State {
    State::Missing("there is no list of system calls for this processor".into())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn explain(error: &seccompiler::Error) -> String {
    match error {
        seccompiler::Error::Seccomp(error) | seccompiler::Error::Prctl(error) => {
            format!("the kernel does not take a filter: {error}")
        }
        error => error.to_string(),
    }
}
