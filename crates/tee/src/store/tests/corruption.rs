//! Bytes that changed, at rest and under a store that is open: an error or the truth, and never a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{memory::MemoryBench, *};

/// What is stored in the end. Each value had another content before.
fn contents() -> Vec<(Namespace, &'static [u8], Vec<u8>)> {
    vec![
        (agent(), b"a", b"second".to_vec()),
        (application(), b"counter", 2_u64.to_be_bytes().to_vec()),
        (application(), b"long", vec![2; 70_000]),
        (domain(), b"payload", vec![3; 1_000]),
    ]
}

fn bench() -> MemoryBench {
    let bench = MemoryBench::new();
    let store = bench.open();
    put(&store, &agent(), b"a", b"first").unwrap();
    let mut transaction = store.begin().unwrap();
    transaction
        .put(&application(), b"counter", &1_u64.to_be_bytes())
        .unwrap();
    transaction
        .put(&application(), b"long", &[1; 70_000])
        .unwrap();
    transaction
        .put(&Namespace::domain("gone"), b"x", &[9; 500])
        .unwrap();
    transaction.commit().unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.destroy(&Namespace::domain("gone")).unwrap();
    for (space, name, value) in contents() {
        transaction.put(&space, name, &value).unwrap();
    }
    transaction.commit().unwrap();
    bench
}

/// Reads everything; an error, or whether it is what was stored last.
fn is_true(store: &Store) -> Result<bool, StorageError> {
    for (space, name, value) in contents() {
        if get(store, &space, name)?.as_ref() != Some(&value) {
            return Ok(false);
        }
    }
    let gone = Namespace::domain("gone");
    Ok(store.view()?.names(&gone, b"")?.is_empty() && get(store, &gone, b"x")?.is_none())
}

/// Positions at which something is stored, every so many, and those of the header, all.
fn positions(bytes: &[u8], stride: usize) -> impl Iterator<Item = usize> {
    let header = (0..320).collect::<Vec<_>>();
    let pages = bytes
        .chunks(512)
        .enumerate()
        .filter(|(number, sector)| *number > 0 && sector.iter().any(|byte| *byte != 0));
    let pages: Vec<_> = pages
        .flat_map(|(number, sector)| number * 512..number * 512 + sector.len())
        .collect();
    header.into_iter().chain(pages.into_iter().step_by(stride))
}

fn flip_at_rest(stride: usize) {
    let bench = bench();
    let bytes = bench.bytes();
    let (mut corrupt, mut rolled_back, mut harmless) = (0, 0, 0);
    for position in positions(&bytes, stride) {
        for bits in [0x01, 0x80] {
            let mut flipped = bytes.clone();
            flipped[position] ^= bits;
            let flipped = bench.holding(flipped);
            let read = || {
                let store = flipped.open_with(StoreOptions::default())?;
                is_true(&store)
            };
            match catch_unwind(AssertUnwindSafe(read)) {
                Ok(Ok(true)) => harmless += 1,
                Ok(Err(StorageError::Corrupt(_))) => corrupt += 1,
                Ok(Err(StorageError::RolledBack)) => rolled_back += 1,
                other => panic!("bits {bits:#x} at {position}: {other:?}"),
            }
        }
    }
    println!("{corrupt} corrupt, {rolled_back} rolled back, {harmless} without effect");
    assert!(corrupt > 100 && harmless > 100);
}

#[test]
fn flipped_bits_at_rest_are_noticed_or_harmless() {
    flip_at_rest(61);
}

#[test]
#[ignore = "takes minutes: each byte that is stored"]
fn every_flipped_byte_at_rest_is_noticed_or_harmless() {
    flip_at_rest(1);
}

#[test]
fn flipped_bits_under_an_open_store_are_noticed_or_harmless() {
    let bench = bench();
    let bytes = bench.bytes();
    let options = || StoreOptions {
        cache_bytes: 0,
        ..StoreOptions::default()
    };
    let (mut noticed, mut harmless) = (0, 0);
    for position in positions(&bytes, 97) {
        let copy = bench.holding(bytes.clone());
        // The counter belongs to what `bench` holds; it must not go on.
        let store = copy.open_with(options()).unwrap();
        copy.flip(position, 0x10);
        let run = || {
            let read = is_true(&store);
            let mut transaction = store.begin()?;
            let written = transaction
                .put(&application(), b"counter", &[3; 8])
                .and_then(|()| transaction.destroy(&domain()))
                .and_then(|()| transaction.append(&application(), b"long", b"more"));
            drop(transaction);
            written.and(read)
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(true)) => harmless += 1,
            Ok(Err(StorageError::Corrupt(_))) => noticed += 1,
            other => panic!("at {position}: {other:?}"),
        }
        // However it ended, the store can be closed, and what is on the medium is no older state.
        assert!(catch_unwind(AssertUnwindSafe(|| drop(store))).is_ok());
        match copy.open_with(options()).and_then(|store| is_true(&store)) {
            Ok(true) | Err(StorageError::Corrupt(_) | StorageError::RolledBack) => {}
            other => panic!("at {position}: {other:?}"),
        }
    }
    println!("{noticed} noticed, {harmless} without effect");
    assert!(noticed > 50 && harmless > 50);
}

#[test]
fn a_medium_that_ends_early_is_corrupt() {
    let bench = bench();
    let bytes = bench.bytes();
    for length in [
        1,
        8,
        9,
        100,
        320,
        4096,
        10_000,
        bytes.len() / 2,
        bytes.len() - 1,
    ] {
        let cut = bench.holding(bytes[..length].to_vec());
        let error = cut.open_with(StoreOptions::default()).unwrap_err();
        assert!(
            matches!(error, StorageError::Corrupt(_) | StorageError::RolledBack),
            "{length}: {error}"
        );
    }
}
