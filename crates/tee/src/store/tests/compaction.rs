use super::*;

/// A store with one value left of many.
fn mostly_free() -> Bench {
    let bench = Bench::new();
    let store = bench.open();
    let mut transaction = store.begin().unwrap();
    for number in 0..100_u8 {
        transaction
            .put(&application(), &[number], &vec![number; 100_000])
            .unwrap();
    }
    transaction.put(&agent(), b"a", b"kept").unwrap();
    transaction.commit().unwrap();
    let mut transaction = store.begin().unwrap();
    for number in 0..99_u8 {
        transaction.remove(&application(), &[number]).unwrap();
    }
    transaction.commit().unwrap();
    bench
}

fn check(store: &Store) {
    assert_eq!(get(store, &agent(), b"a").unwrap().unwrap(), b"kept");
    let last = get(store, &application(), &[99]).unwrap().unwrap();
    assert_eq!(last, vec![99; 100_000]);
    assert_eq!(
        store.view().unwrap().usage(&application()).unwrap(),
        100_000
    );
}

#[test]
fn a_store_that_is_mostly_free_is_compacted_when_it_is_opened() {
    let bench = mostly_free();
    let length = || std::fs::metadata(bench.path()).unwrap().len();
    let before = length();
    assert!(before > 10 << 20, "{before}");
    let store = bench.open();
    assert!(length() < 1 << 20, "{} of {before}", length());
    check(&store);
    let counter = bench.machine.counter().value().unwrap();
    assert_eq!(counter, 2, "no commit of the store");
    // It goes on.
    put(&store, &agent(), b"b", b"new").unwrap();
    drop(store);
    check(&bench.open());
}

#[test]
fn a_store_can_be_opened_as_it_is() {
    let bench = mostly_free();
    let length = || std::fs::metadata(bench.path()).unwrap().len();
    let before = length();
    let options = StoreOptions::default();
    let crypto = rustcrypto::provider();
    let store = Store::open_as_it_is(&bench.path(), bench.machine.clone(), &crypto, options);
    let store = store.unwrap();
    assert_eq!(length(), before);
    let compaction = store.compact().unwrap();
    let after = length();
    assert_eq!(compaction, Compaction { before, after });
    assert!(after < 1 << 20, "{after} of {before}");
    check(&store);
}

#[test]
fn compaction_keeps_everything_and_says_what_it_did() {
    let bench = Bench::new();
    let store = bench.open();
    for number in 0..30_u8 {
        put(&store, &application(), &[number], &vec![number; 50_000]).unwrap();
    }
    for number in 0..29_u8 {
        let mut transaction = store.begin().unwrap();
        transaction.remove(&application(), &[number]).unwrap();
        transaction.commit().unwrap();
    }
    let view = store.view().unwrap();
    assert!(
        matches!(store.compact(), Err(StorageError::Failed(_))),
        "somebody reads"
    );
    assert_eq!(view.length(&application(), &[29]).unwrap(), Some(50_000));
    drop(view);
    let Compaction { before, after } = store.compact().unwrap();
    assert!(after < before, "{before} to {after}");
    assert_eq!(std::fs::metadata(bench.path()).unwrap().len(), after);
    let kept = get(&store, &application(), &[29]).unwrap().unwrap();
    assert_eq!(kept, vec![29; 50_000]);
    put(&store, &application(), b"more", &[1; 200_000]).unwrap();
}
