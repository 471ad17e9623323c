//! Power that fails at any moment of whatever changes what a TEE stores, and disks that are full.
//!
//! [`scenarios`] are the changes, made by the real agent in the real TEE; [`harness`] interrupts them; [`machine`]
//! is the medium that forgets, and the counter.

#![expect(unreachable_pub, reason = "a test is one crate")]

mod harness;
mod machine;
mod scenarios;

use std::thread;

use harness::{Effort, Trial, Tried};
use machine::Defect;
use scenarios::{Scenario, World};

/// What fits in a minute; everything with TAMARACK_POWER_LOSS=full in the environment.
fn effort() -> Effort {
    match std::env::var("TAMARACK_POWER_LOSS").as_deref() {
        Ok("full") => Effort {
            stride: 1,
            pairs: 100,
            full_stride: 1,
        },
        _ => Effort {
            stride: 5,
            pairs: 8,
            full_stride: 11,
        },
    }
}

/// Does `torture` to all scenarios, in as many threads as there are processors; what went wrong.
fn all(
    torture: impl Fn(&World, &Scenario) -> Result<Tried, String> + Sync,
) -> Vec<(&'static str, String)> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let torture = &torture;
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut failures = Vec::new();
                    let world = World::new();
                    for scenario in world.scenarios().iter().skip(thread).step_by(threads) {
                        match torture(&world, scenario) {
                            Ok(tried) => println!("{}: {tried:?}", scenario.name),
                            Err(what) => failures.push((scenario.name, what)),
                        }
                    }
                    failures
                })
            })
            .collect();
        let joined = handles.into_iter().map(|handle| handle.join().unwrap());
        joined.flatten().collect()
    })
}

#[track_caller]
fn assert_none(failures: &[(&str, String)]) {
    let lines: Vec<_> = failures
        .iter()
        .map(|(name, what)| format!("{name}: {what}"))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

// req: TEEP-AGENT-017
#[test]
fn after_every_cut_a_committed_state_is_there_and_the_act_can_be_done() {
    let effort = effort();
    assert_none(&all(|world, scenario| {
        let trial = Trial::new(world, scenario, None)?;
        let tried = trial.cuts(effort)?;
        let pairs = trial.random_pairs(effort.pairs, 0x7a)?;
        Ok(Tried {
            pairs: pairs.pairs,
            ..tried
        })
    }));
}

// req: TEEP-ERR-010
#[test]
fn without_room_everything_stays_and_the_store_goes_on() {
    let effort = effort();
    assert_none(&all(|world, scenario| {
        Trial::new(world, scenario, None)?.without_room(effort)
    }));
}

// The harness finds every one of these faults, so its silence above means something.
#[test]
fn careless_machines_are_found_out() {
    let effort = effort();
    for defect in [
        Defect::SyncDoesNothing,
        Defect::SyncKeepsHalf,
        Defect::CounterFirst,
    ] {
        let found = all(|world, scenario| Trial::new(world, scenario, Some(defect))?.cuts(effort));
        println!(
            "{defect:?}: {} scenarios, such as {:?}",
            found.len(),
            found.first()
        );
        assert!(found.len() >= 12, "{defect:?}: {found:?}");
    }
}
