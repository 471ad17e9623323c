use std::{fs, sync::atomic::Ordering};

use super::*;

#[test]
fn an_older_file_is_refused() {
    let bench = Bench::new();
    put(&bench.open(), &agent(), b"a", b"1").unwrap();
    let old = fs::read(bench.path()).unwrap();
    put(&bench.open(), &agent(), b"a", b"2").unwrap();
    let new = fs::read(bench.path()).unwrap();
    fs::write(bench.path(), old).unwrap();
    assert_eq!(bench.open_error(), StorageError::RolledBack);
    fs::write(bench.path(), new).unwrap();
    assert_eq!(get(&bench.open(), &agent(), b"a").unwrap().unwrap(), b"2");
}

#[test]
fn a_missing_or_empty_file_is_refused_once_there_was_one() {
    let bench = Bench::new();
    put(&bench.open(), &agent(), b"a", b"1").unwrap();
    fs::remove_file(bench.path()).unwrap();
    assert_eq!(bench.open_error(), StorageError::RolledBack);
    assert!(!bench.path().exists(), "nothing is made in its place");
    fs::write(bench.path(), b"").unwrap();
    assert_eq!(bench.open_error(), StorageError::RolledBack);
}

#[test]
fn a_file_of_another_machine_is_refused() {
    let bench = Bench::new();
    put(&bench.open(), &agent(), b"a", b"1").unwrap();
    let other = Bench::new();
    fs::copy(bench.path(), other.path()).unwrap();
    assert!(matches!(other.open_error(), StorageError::Corrupt(_)));
}

#[test]
fn a_counter_that_was_turned_back_is_noticed() {
    let bench = Bench::new();
    for value in [b"1", b"2"] {
        put(&bench.open(), &agent(), b"a", value).unwrap();
    }
    bench.machine.counter.value.store(0, Ordering::SeqCst);
    assert_eq!(bench.open_error(), StorageError::RolledBack);
}

#[test]
fn a_crash_between_store_and_counter_is_repaired() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, &agent(), b"a", b"1").unwrap();
    bench.machine.counter.broken.store(true, Ordering::SeqCst);
    put(&store, &agent(), b"a", b"2").unwrap();
    assert_eq!(bench.machine.counter().value().unwrap(), 1, "one behind");
    assert!(
        matches!(
            put(&store, &agent(), b"a", b"3"),
            Err(StorageError::Failed(_))
        ),
        "it must not fall behind by two"
    );
    assert_eq!(get(&store, &agent(), b"a").unwrap().unwrap(), b"2");
    drop(store);

    bench.machine.counter.broken.store(false, Ordering::SeqCst);
    let store = bench.open();
    assert_eq!(bench.machine.counter().value().unwrap(), 2, "caught up");
    assert_eq!(get(&store, &agent(), b"a").unwrap().unwrap(), b"2");
    put(&store, &agent(), b"a", b"4").unwrap();
}

#[test]
fn a_file_that_was_being_made_is_made_anew() {
    for length in [1, 9, 4096, 1 << 20] {
        let bench = Bench::new();
        fs::write(bench.path(), vec![0; length]).unwrap();
        put(&bench.open(), &agent(), b"a", b"1").unwrap();
        assert_eq!(get(&bench.open(), &agent(), b"a").unwrap().unwrap(), b"1");
    }
    let bench = Bench::new();
    fs::write(bench.path(), b"somebody else's file").unwrap();
    assert!(matches!(bench.open_error(), StorageError::Corrupt(_)));
    assert_eq!(fs::read(bench.path()).unwrap(), b"somebody else's file");
    // Once there was something, zeros are no beginning.
    let bench = Bench::new();
    put(&bench.open(), &agent(), b"a", b"1").unwrap();
    fs::write(bench.path(), [0; 4096]).unwrap();
    assert!(matches!(bench.open_error(), StorageError::Corrupt(_)));
}

#[test]
fn a_killed_process_leaves_the_last_commit() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, &agent(), b"a", b"old").unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.put(&agent(), b"a", b"new").unwrap();
    transaction
        .append(&domain(), b"payload", &[1; 1 << 20])
        .unwrap();
    // What the disk holds at this instant is what a restart finds.
    let copy = Bench {
        folder: tempfile::tempdir().unwrap(),
        machine: bench.machine.clone(),
    };
    fs::copy(bench.path(), copy.path()).unwrap();
    let restarted = copy.open();
    assert_eq!(get(&restarted, &agent(), b"a").unwrap().unwrap(), b"old");
    assert_eq!(get(&restarted, &domain(), b"payload").unwrap(), None);
}

#[test]
fn a_full_disk_loses_nothing() {
    let bench = Bench::new();
    let options = StoreOptions {
        max_bytes: 2 << 20,
        ..StoreOptions::default()
    };
    let store = bench.open_with(options).unwrap();
    put(&store, &agent(), b"a", b"old").unwrap();
    for _ in 0..3 {
        let mut transaction = store.begin().unwrap();
        transaction.put(&agent(), b"a", b"new").unwrap();
        let mut written = Ok(());
        for _ in 0..100 {
            written = transaction.append(&domain(), b"payload", &[1; 1 << 16]);
            if written.is_err() {
                break;
            }
        }
        assert_eq!(written, Err(StorageError::Full));
        drop(transaction);
        assert_eq!(get(&store, &agent(), b"a").unwrap().unwrap(), b"old");
        assert_eq!(get(&store, &domain(), b"payload").unwrap(), None);
    }
    put(&store, &agent(), b"a", b"small enough").unwrap();
    drop(store);
    let store = bench.open();
    assert_eq!(
        get(&store, &agent(), b"a").unwrap().unwrap(),
        b"small enough"
    );
}
