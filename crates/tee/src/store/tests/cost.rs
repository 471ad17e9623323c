//! What a commit costs beside a bare commit of redb that writes the same bytes.

use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};

use super::*;

const TABLE: TableDefinition<'static, u32, &[u8]> = TableDefinition::new("bare");
const COMMITS: u32 = 50;

/// The middle one of some durations.
fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations[durations.len() / 2]
}

fn time(mut commit: impl FnMut(u32)) -> Duration {
    let durations = (0..COMMITS).map(|number| {
        let start = Instant::now();
        commit(number);
        start.elapsed()
    });
    median(durations.collect())
}

#[test]
#[ignore = "a measurement: run it with --release -- --ignored --nocapture"]
fn a_commit_beside_a_bare_one() {
    for records in [100_u32, 1_000, 10_000] {
        let bench = Bench::new();
        let store = bench.open();
        let mut transaction = store.begin().unwrap();
        for number in 0..records {
            transaction
                .put(&application(), &number.to_be_bytes(), &[1; 200])
                .unwrap();
        }
        transaction.commit().unwrap();
        let sealed = time(|number| {
            put(&store, &application(), &number.to_be_bytes(), &[2; 200]).unwrap();
        });

        let bare = Database::create(bench.folder.path().join("bare")).unwrap();
        let write = |numbers: core::ops::Range<u32>, value: &[u8]| {
            let mut transaction = bare.begin_write().unwrap();
            transaction.set_two_phase_commit(true);
            {
                let mut table = transaction.open_table(TABLE).unwrap();
                for number in numbers {
                    table.insert(number, value).unwrap();
                }
            }
            transaction.commit().unwrap();
        };
        write(0..records, &[1; 200]);
        let bare = time(|number| write(number..number + 1, &[2; 200]));
        let ratio = sealed.as_secs_f64() / bare.as_secs_f64();
        println!("{records} records: {sealed:?} sealed, {bare:?} bare, {ratio:.2} times");
    }
}
