//! Thousands of runs in which anything may happen, each from a seed.
//!
//! `TAMARACK_RUNS` is the number of runs, `TAMARACK_STEPS` how many steps each has, `TAMARACK_SEED` the one seed
//! to run.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use tamarack_simulator::{Defect, Failure, Invariant, run, schedule, shrink};

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}

fn steps() -> usize {
    number("TAMARACK_STEPS").map_or(40, |steps| usize::try_from(steps).unwrap())
}

/// The first of these seeds whose run violates something, made short.
fn first_failure(seeds: std::ops::Range<u64>, defect: Option<Defect>) -> Option<(u64, Failure)> {
    let next = AtomicU64::new(seeds.start);
    let found = AtomicU64::new(u64::MAX);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end || found.load(Ordering::SeqCst) < seed {
                        return;
                    }
                    if run(&schedule(seed, steps()), defect).is_err() {
                        found.fetch_min(seed, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let seed = found.into_inner();
    let actions = schedule(seed, steps());
    let violation = run(&actions, defect).err()?;
    (seed != u64::MAX).then(|| (seed, shrink(actions, violation, defect)))
}

// req: TEEP-AGENT-020
// req: TEEP-TOK-008
#[test]
fn whatever_the_adversary_does_the_invariants_hold() {
    let start = Instant::now();
    let seeds = match number("TAMARACK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TAMARACK_RUNS").unwrap_or(2000),
    };
    let count = seeds.end - seeds.start;
    if let Some((seed, failure)) = first_failure(seeds, None) {
        panic!(
            "TAMARACK_SEED={seed} TAMARACK_STEPS={} violates\n{failure}",
            steps()
        );
    }
    println!(
        "{count} runs of {} steps in {:.1?}",
        steps(),
        start.elapsed()
    );
}
