//! Power that fails at any moment of an update.
//!
//! [`scenarios`] are the updates, [`harness`] interrupts them, [`storage`] is the file system that forgets.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a test that meets the unexpected fails"
)]

mod broken;
#[path = "../common/mod.rs"]
mod common;
mod harness;
mod scenarios;
mod storage;

use harness::{Access, Trial, Tried};
use tamarack_suit::directory::Files;

/// How many random pairs of cuts are tried for each scenario.
const PAIRS: usize = 300;

/// Runs a scenario with every single cut and with random pairs; what was tried, or what went wrong.
fn torture<F: Files>(
    scenario: &scenarios::Scenario,
    access: Access<F>,
    pairs: usize,
) -> Result<Tried, String> {
    let trial = Trial::new(scenario, access)?;
    let tried = trial.every_cut()?;
    let pairs = trial.random_pairs(pairs, 0x7a)?;
    Ok(Tried {
        pairs: pairs.pairs,
        ..tried
    })
}

// req: SUIT-PROC-007, SUIT-PROC-009, SUIT-PROC-010, SUIT-PROC-011
// req: SUIT-MAN-004, SUIT-MAN-005, SUIT-DEP-031
#[test]
fn after_every_cut_the_state_is_old_or_new() {
    let all = scenarios::all();
    assert!(all.len() >= 12);
    // One thread for each processor, each with its own scenarios.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut failures = Vec::new();
                    let scenarios = scenarios::all();
                    for scenario in scenarios.iter().skip(thread).step_by(threads) {
                        match torture(scenario, |storage| storage, PAIRS) {
                            Ok(tried) => println!(
                                "{}: {} operations, {} cuts, {} pairs",
                                scenario.name, tried.operations, tried.cuts, tried.pairs
                            ),
                            Err(what) => failures.push(format!("{}: {what}", scenario.name)),
                        }
                    }
                    failures
                })
            })
            .collect();
        handles
            .into_iter()
            .flat_map(|handle| handle.join().unwrap())
            .collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

// The harness finds every one of these faults, so its silence above means something.
#[test]
fn careless_storage_is_found_out() {
    use broken::{ForgetfulFiles, ForgetfulFolders, JournalInMemory, SlowRename};
    let all = scenarios::all();
    let found = |torture: &dyn Fn(&scenarios::Scenario) -> Result<Tried, String>| {
        all.iter()
            .filter_map(|scenario| torture(scenario).err())
            .map(|what| {
                what.split_once(": ")
                    .map_or(what.clone(), |(_, what)| what.into())
            })
            .collect::<Vec<String>>()
    };
    let verdicts = [
        (
            "sync does nothing",
            found(&|s| torture(s, ForgetfulFiles, 0)),
        ),
        (
            "sync_folder does nothing",
            found(&|s| torture(s, ForgetfulFolders, 0)),
        ),
        ("rename copies", found(&|s| torture(s, SlowRename, 0))),
        (
            "the journal is applied before it is kept",
            found(&|s| torture(s, JournalInMemory::on, 0)),
        ),
    ];
    for (fault, violations) in verdicts {
        println!(
            "{fault}: {} scenarios, such as {:?}",
            violations.len(),
            violations.first()
        );
        assert!(violations.len() >= 10, "{fault}: {violations:?}");
    }
}
