//! A full disk: an error, and room enough to remove something.

use super::{memory::MemoryBench, *};

fn limited(bytes: u64) -> StoreOptions {
    StoreOptions {
        max_bytes: bytes,
        ..StoreOptions::default()
    }
}

/// Puts values of a size until there is no room; how many there are.
fn fill(store: &Store, bytes: usize) -> u32 {
    for number in 0_u32.. {
        let value = vec![7; bytes];
        match put(store, &application(), &number.to_be_bytes(), &value) {
            Ok(()) => {}
            Err(StorageError::Full) => return number,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

#[test]
fn what_is_removed_from_a_full_disk_makes_room() {
    for bytes in [200, 4_000, 60_000, 300_000] {
        let bench = MemoryBench::new();
        let options = limited(4 << 20);
        let store = bench.open_with(options).unwrap();
        let count = fill(&store, bytes);
        // Neither the agent's notes nor a restart take the room for that.
        for note in 0..50_u8 {
            put(&store, &agent(), &[note], &[note; 100]).unwrap();
        }
        drop(store);
        let store = bench.open_with(options).unwrap();
        for number in 0..count / 2 {
            let mut transaction = store.begin().unwrap();
            transaction
                .remove(&application(), &number.to_be_bytes())
                .unwrap();
            transaction.commit().unwrap();
        }
        let room = fill(&store, bytes);
        assert!(
            room > 0,
            "values of {bytes} bytes: nothing fits after removal"
        );
        let mut transaction = store.begin().unwrap();
        transaction.destroy(&application()).unwrap();
        transaction.commit().unwrap();
        let again = fill(&store, bytes);
        println!(
            "{count} values of {bytes} bytes, {room} after half of them went, {again} after all went"
        );
        assert!(again >= count / 2, "{count} values, then {again}");
        assert_eq!(
            store.view().unwrap().usage(&application()).unwrap(),
            u64::from(again) * bytes as u64
        );
    }
}

#[test]
fn a_store_on_a_full_disk_can_be_opened_read_and_compacted() {
    let bench = MemoryBench::new();
    let store = bench.open_with(limited(4 << 20)).unwrap();
    let count = fill(&store, 10_000);
    drop(store);
    // Not a byte more than there is.
    let options = limited(bench.bytes().len() as u64);
    let store = bench.open_with(options).unwrap();
    let last = (count - 1).to_be_bytes();
    assert_eq!(
        get(&store, &application(), &last).unwrap(),
        Some(vec![7; 10_000])
    );
    // It may need more room than there is.
    let compacted = store.compact();
    assert!(matches!(compacted, Ok(_) | Err(StorageError::Full)));
    assert_eq!(
        get(&store, &application(), &last).unwrap(),
        Some(vec![7; 10_000])
    );
    drop(store);
    let store = bench.open_with(options).unwrap();
    assert_eq!(
        get(&store, &application(), &last).unwrap(),
        Some(vec![7; 10_000])
    );
}
