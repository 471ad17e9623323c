//! Each invariant fails when a party is broken on purpose; a check that nothing can fail shows nothing.

use tamarack_simulator::{Defect, Invariant};

use crate::simulation::first_failure;

/// More runs than it takes: most defects show in the first few.
const RUNS: u64 = 400;

#[track_caller]
fn violates(defect: Defect, invariant: Invariant) {
    let Some((seed, failure)) = first_failure(0..RUNS, Some(defect), Some(invariant)) else {
        panic!("{defect:?} does not violate {invariant:?} in {RUNS} runs");
    };
    // What is left is to the point.
    assert!(
        failure.actions.len() <= 12,
        "{defect:?}, seed {seed}: {failure}"
    );
}

#[test]
fn a_device_that_trusts_a_stranger_installs_what_nobody_deployed() {
    violates(Defect::TrustsRogue, Invariant::Authorised);
}

#[test]
fn a_device_that_forgets_what_it_unlinked_is_downgraded() {
    violates(Defect::ForgetsUnlinked, Invariant::NoDowngrade);
}

#[test]
fn a_tam_that_takes_challenges_again_answers_twice() {
    violates(Defect::ReusesChallenges, Invariant::SingleUse);
}

#[test]
fn a_tam_that_takes_no_note_is_out_of_step() {
    violates(Defect::IgnoresLists, Invariant::Convergence);
}

#[test]
fn a_device_that_does_not_see_what_it_holds_is_updated_for_ever() {
    violates(Defect::HidesComponents, Invariant::Quiescence);
}

#[test]
fn a_device_that_hoards_is_noticed() {
    violates(Defect::Hoards, Invariant::BoundedMemory);
}

#[test]
fn a_device_that_panics_is_noticed() {
    violates(Defect::Panics, Invariant::Panic);
}
