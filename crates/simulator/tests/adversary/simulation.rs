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
    number("TAMARACK_STEPS").map_or(30, |steps| usize::try_from(steps).unwrap())
}

/// The first of these seeds whose run violates something, made short; if `only` is given, that and nothing
/// before it.
pub(crate) fn first_failure(
    seeds: std::ops::Range<u64>,
    defect: Option<Defect>,
    only: Option<Invariant>,
) -> Option<(u64, Failure)> {
    let violation = |seed| {
        let violation = run(&schedule(seed, steps()), defect).err()?;
        only.is_none_or(|only| violation.invariant == only)
            .then_some(violation)
    };
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
                    if violation(seed).is_some() {
                        found.fetch_min(seed, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let seed = found.into_inner();
    if seed == u64::MAX {
        return None;
    }
    let failure = shrink(schedule(seed, steps()), violation(seed)?, defect);
    Some((seed, failure))
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
    if let Some((seed, failure)) = first_failure(seeds, None, None) {
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
