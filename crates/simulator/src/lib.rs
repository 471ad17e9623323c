//! TAMs and devices in one process, and an adversary between them.
//!
//! TEEP does not believe the broker: whoever controls the Rich Execution Environment may drop, delay, repeat,
//! reorder and change every message, mix exchanges and devices, spoil payloads, and switch the TEE off in the
//! middle of anything. This crate plays that part against the real state machines. [`World`] holds
//! `tamarack_tam::Tam` on its SQLite store and `tamarack_agent::Agent` on a TEE in memory ([`MemoryTee`]), with
//! one clock that only the simulator moves. [`Action`] is what the adversary, an operator or an application
//! can do in one step, [`schedule`] draws a list of them from a seed, [`run`] plays it, lets messages flow again
//! at the end, and checks the [`Invariant`]s after every step; [`shrink`] makes a list that violates one short.
//!
//! [`Defect`]s break a party on purpose, to show that the invariants can fail.

mod adversary;
mod clock;
mod honest;
mod invariants;
mod mangle;
mod people;
mod run;
mod store;
mod tee;
mod world;

pub use adversary::{Action, FetchFault, schedule};
pub use clock::SimClock;
pub use invariants::{Invariant, Violation};
pub use mangle::Mangle;
pub use people::{COMPONENTS, DEVICES, DOMAINS, RELEASES, TAMS, release_component};
pub use run::{Failure, run, shrink};
pub use store::SimStore;
pub use tee::{MemoryTee, PowerLoss, Stored};
pub use world::{Defect, Letter, Party, World};

use tamarack_suit::ComponentId;

/// A component identifier from its text form.
#[must_use]
#[track_caller]
pub fn id(text: &str) -> ComponentId {
    text.parse().unwrap()
}
