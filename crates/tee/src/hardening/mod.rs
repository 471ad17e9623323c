//! What the process of a TEE gives up, so that a bug in it is worth little and its memory stays its own.
//!
//! The attacker here is the rest of the machine's user space, and whoever found a way to run code in this very
//! process: a hostile broker, a hostile Trusted Application, a hostile file. Against root and against the kernel nothing
//! here helps; that takes a platform in hardware.
//!
//! It happens in two steps, since what opens keys has to be protected before and confined after:
//!
//! 1. [`Hardening::begin`], before the first key is read: no core dumps, no tracing, no new privileges, files for
//!    this user only, memory that is not swapped out.
//! 2. [`Hardening::confine`], once the platform and the socket are open, and before the storage is read and any thread
//!    is started: files by Landlock, system calls by seccomp. What the platform still has to reach, it says as
//!    [`Need`]s.
//!
//! All of it is as good as the kernel and the rights of the process allow. A [`Report`] says what came of each
//! [`Protection`]; whether that is enough is the caller's decision.
//!
//! Two more things do not depend on the kernel and are always on: [`private_folder`] refuses a data folder that others can
//! read, and the [`LinkSocket`](crate::LinkSocket) serves no other users than its [`Peers`].

mod folder;
mod landlock;
mod memory;
mod need;
mod peers;
mod process;
mod report;
mod seccomp;

use std::path::Path;

pub use folder::private_folder;
pub use need::Need;
pub(crate) use peers::credentials;
pub use peers::{Broker, Peers};
pub use report::{Protection, Report, State};

/// A process on its way to being hardened: see the [module](self).
#[derive(Debug)]
pub struct Hardening(Report);

impl Hardening {
    /// Protects the memory and the new files of this process, from now on.
    ///
    /// Every program that holds keys of a TEE may do this, also one that ends soon and is not confined.
    #[must_use = "it says what is missing"]
    pub fn begin() -> Self {
        let mut report = Report::default();
        report.add(Protection::CoreDumps, process::no_core_dumps());
        report.add(Protection::Tracing, process::no_tracing());
        report.add(Protection::Privileges, process::no_new_privileges());
        process::private_files();
        report.add(Protection::LockedMemory, memory::lock());
        Self(report)
    }

    /// Takes from this process what it does not need to serve: all files but those in the folder `data`, networks, and
    /// most system calls. There is no way back.
    ///
    /// To be called while the process has one thread: Landlock reaches others in new kernels only.
    #[must_use]
    pub fn confine(self, data: &Path, needs: &[Need]) -> Report {
        let mut report = self.0;
        report.add(Protection::PrivateFiles, folder::state(data));
        for (protection, state) in landlock::restrict(data, needs) {
            report.add(protection, state);
        }
        report.add(Protection::SystemCalls, seccomp::restrict(needs));
        report
    }
}
