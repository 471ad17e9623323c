//! Each invariant fails when a party is broken on purpose; a check that nothing can fail shows nothing.

use tamarack_simulator::{Action, Defect, Invariant, run};
use tamarack_tam::Mode;

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
    // By chance these steps come together too seldom: an Update follows one QueryResponse, so that only somebody
    // whom the device trusts can send it what is older.
    let exchange = Action::Exchange {
        device: 0,
        tam: 0,
        legs: 8,
    };
    let publish = Action::Publish {
        tam: 0,
        component: 0,
    };
    let schedule = [
        Action::Deploy {
            tam: 0,
            component: 0,
            device: None,
            mode: Mode::Required,
        },
        publish,
        exchange,
        publish,
        exchange,
        Action::Undeploy {
            tam: 0,
            deployment: 0,
        },
        exchange,
        Action::Forge {
            device: 0,
            release: (0, 0, 0),
        },
    ];
    assert!(run(&schedule, None).is_ok());
    let violation = run(&schedule, Some(Defect::ForgetsUnlinked)).unwrap_err();
    assert_eq!(violation.invariant, Invariant::NoDowngrade, "{violation:?}");
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
