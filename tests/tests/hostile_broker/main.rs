//! A hostile broker: the process of the rich environment that owns the link to the TEE. It sees, changes, drops, repeats
//! and invents every frame, message and payload, and has the files and the rights of its user.
//!
//! Each attempt is made at a real `tamarack tee serve`. After each, nobody else may have noticed anything:
//! [`stage::Stage::is_unharmed`]. The same list is in `docs/attacks-broker.md`.

mod attempt;
mod frames;
mod machine;
mod messages;
mod requests;
mod sessions;
mod stage;
mod streams;
mod turns;
mod worker;

use std::{
    collections::HashSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use attempt::Attempt;
use stage::Stage;
use tamarack_tests::system::eventually;

/// KiB that a process of the TEE may grow by, whatever is tried: two of the longest messages.
const MEMORY: u64 = 16 << 10;

/// All attempts, in the order of their numbers.
fn attempts() -> impl Iterator<Item = (usize, &'static Attempt)> {
    let lists = [
        frames::ATTEMPTS,
        turns::ATTEMPTS,
        messages::ATTEMPTS,
        sessions::ATTEMPTS,
        streams::ATTEMPTS,
        requests::ATTEMPTS,
        machine::ATTEMPTS,
    ];
    (1..).zip(lists.into_iter().flatten())
}

// req: ARCH-006
// req: ARCH-040
// req: ARCH-042
// req: ARCH-043
// req: TEEP-VAL-001
// req: TEEP-VAL-004
// req: TEEP-VAL-007
// req: TEEP-VAL-008
// req: TEEP-OPS-005
#[test]
fn the_hostile_broker_gains_nothing_and_nobody_notices() {
    let mut stage = Stage::new();
    // What is made once and kept: threads' memory, modules, buffers.
    stage.is_unharmed();
    let mut wrong = Vec::new();
    // A restart in an attempt begins a new process, whose growth counts from there.
    let mut before = None;
    // For whoever looks into one of them.
    let only = std::env::var("TAMARACK_ATTEMPT").ok();
    for (number, attempt) in attempts() {
        if only
            .as_ref()
            .is_some_and(|only| *only != number.to_string())
        {
            continue;
        }
        let process = stage.process().id();
        let begun = match before {
            Some((known, memory)) if known == process => memory,
            _ => {
                stage.is_unharmed();
                stage.process().resident_kib()
            }
        };
        before = Some((process, begun));
        let started = Instant::now();
        // One that goes wrong does not hide the others.
        let made = catch_unwind(AssertUnwindSafe(|| (attempt.act)(&mut stage)));
        let mut complain = |text: String| wrong.push(format!("{number}, {}: {text}", attempt.what));
        match made {
            Ok(outcomes) if outcomes.is_empty() => complain("it tried nothing".into()),
            Ok(outcomes) => outcomes
                .iter()
                .filter(|outcome| !attempt.expected.is_met_by(outcome))
                .for_each(|outcome| complain(outcome.to_string())),
            Err(_) => complain("it panicked, as above".into()),
        }
        if catch_unwind(AssertUnwindSafe(|| stage.is_unharmed())).is_err() {
            complain("it did harm, as above".into());
        }
        let resident = stage.process().resident_kib();
        if stage.process().id() == process {
            let grown = resident.saturating_sub(begun);
            if grown > MEMORY {
                complain(format!("{grown} KiB more"));
            }
        }
        eprintln!(
            "{number}: {} ({:?}, {resident} KiB)",
            attempt.what,
            started.elapsed()
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Connections that were hung up on are closed; one is open for the next to come.
    eventually("files are closed", || {
        let sockets = stage.descriptors().get("socket").copied();
        (sockets.unwrap_or_default() <= 2).then_some(())
    });
}

#[test]
fn the_page_and_the_attempts_agree() {
    let rows: Vec<String> = attempts()
        .map(|(number, attempt)| format!("| {number} | {} | {} |", attempt.what, attempt.expected))
        .collect();
    assert!(rows.len() >= 40);
    let different: HashSet<_> = attempts().map(|(_, attempt)| attempt.what).collect();
    assert_eq!(different.len(), rows.len(), "each attempt is another");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/attacks-broker.md");
    let page = fs::read_to_string(page).unwrap_or_default();
    let written: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let written = written.get(1..).unwrap_or_default();
    assert!(written == rows, "the table should be:\n{}", rows.join("\n"));
}
