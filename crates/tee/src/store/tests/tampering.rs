//! What somebody who can write the file can do with it, and is caught doing.

use std::fs;

use redb::{Database, ReadableTable, TableDefinition};

use super::*;

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

type Rows<const N: usize> = Vec<([u8; N], Vec<u8>)>;

/// The rows of a table, whatever its types are.
fn rows<const N: usize>(path: &Path, name: &str) -> Rows<N> {
    let database = Database::open(path).unwrap();
    let table: TableDefinition<'_, &[u8; N], &[u8]> = TableDefinition::new(name);
    let table = database.begin_read().unwrap().open_table(table).unwrap();
    table
        .iter()
        .unwrap()
        .map(|row| {
            row.map(|(key, value)| (*key.value(), value.value().to_vec()))
                .unwrap()
        })
        .collect()
}

fn set<const N: usize>(path: &Path, name: &str, key: &[u8; N], value: Option<&[u8]>) {
    let database = Database::open(path).unwrap();
    let definition: TableDefinition<'_, &[u8; N], &[u8]> = TableDefinition::new(name);
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(definition).unwrap();
        match value {
            Some(value) => table.insert(key, value).map(|_| ()).unwrap(),
            None => table.remove(key).map(|_| ()).unwrap(),
        }
    }
    transaction.commit().unwrap();
}

fn bench() -> Bench {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, &agent(), b"a", b"first").unwrap();
    put(&store, &agent(), b"b", &[2; 100_000]).unwrap();
    drop(store);
    bench
}

#[test]
fn an_older_authentic_record_is_refused() {
    let bench = bench();
    let old = rows::<64>(&bench.path(), "records");
    put(&bench.open(), &agent(), b"a", b"second").unwrap();
    for (key, value) in old {
        let now = rows::<64>(&bench.path(), "records");
        let (_, current) = now.iter().find(|(k, _)| *k == key).unwrap();
        if *current == value {
            continue;
        }
        set(&bench.path(), "records", &key, Some(&value));
        assert!(matches!(bench.open_error(), StorageError::Corrupt(_)));
        set(&bench.path(), "records", &key, Some(current));
    }
    assert_eq!(
        get(&bench.open(), &agent(), b"a").unwrap().unwrap(),
        b"second"
    );
}

/// All rows of a store, as somebody keeps them to put them back.
fn snapshot(bench: &Bench) -> (Rows<64>, Rows<20>) {
    (
        rows(&bench.path(), "records"),
        rows(&bench.path(), "chunks"),
    )
}

#[test]
fn an_older_object_of_an_application_is_refused() {
    let bench = bench();
    put(&bench.open(), &application(), b"count", b"1").unwrap();
    let (records, chunks) = snapshot(&bench);
    put(&bench.open(), &application(), b"count", b"2").unwrap();
    let (new_records, _) = snapshot(&bench);
    // Its record and its piece, both as they were, beside everything else as it is.
    for (key, value) in &records {
        let current = new_records.iter().find(|(k, _)| k == key);
        if current.is_some_and(|(_, current)| current == value) {
            continue;
        }
        set(&bench.path(), "records", key, Some(value));
    }
    for (key, value) in &chunks {
        set(&bench.path(), "chunks", key, Some(value));
    }
    assert!(matches!(bench.open_error(), StorageError::Corrupt(_)));
    for (key, value) in &new_records {
        set(&bench.path(), "records", key, Some(value));
    }
    // An old piece that nothing refers to is nobody's.
    let got = get(&bench.open(), &application(), b"count").unwrap();
    assert_eq!(got.unwrap(), b"2");
}

#[test]
fn a_destroyed_namespace_that_is_put_back_is_refused() {
    let bench = bench();
    put(&bench.open(), &application(), b"key", b"secret").unwrap();
    let (records, chunks) = snapshot(&bench);
    let store = bench.open();
    let mut transaction = store.begin().unwrap();
    transaction.destroy(&application()).unwrap();
    transaction.commit().unwrap();
    drop(store);
    let (left, _) = snapshot(&bench);
    assert_eq!(records.len() - left.len(), 2, "its salt and its value");
    for (key, value) in &records {
        set(&bench.path(), "records", key, Some(value));
    }
    for (key, value) in &chunks {
        set(&bench.path(), "chunks", key, Some(value));
    }
    assert!(matches!(bench.open_error(), StorageError::Corrupt(_)));
}

#[test]
fn exchanged_removed_and_added_records_are_refused() {
    let bench = bench();
    let records = rows::<64>(&bench.path(), "records");
    for (key, value) in &records {
        for (_, other) in records.iter().filter(|(other, _)| other != key) {
            set(&bench.path(), "records", key, Some(other));
            assert!(matches!(bench.open_error(), StorageError::Corrupt(_)));
        }
        set(&bench.path(), "records", key, None);
        assert!(matches!(bench.open_error(), StorageError::Corrupt(_)));
        set(&bench.path(), "records", key, Some(value));
    }
    set(&bench.path(), "records", &[9; 64], Some(b"new"));
    assert!(matches!(bench.open_error(), StorageError::Corrupt(_)));
    set(&bench.path(), "records", &[9; 64], None);
    bench.open();
}

#[test]
fn exchanged_and_removed_pieces_are_refused() {
    let bench = bench();
    let chunks = rows::<20>(&bench.path(), "chunks");
    assert_eq!(chunks.len(), 3);
    let all = || {
        let store = bench.open();
        (get(&store, &agent(), b"a"), get(&store, &agent(), b"b"))
    };
    let corrupt =
        |got: &Result<Option<Vec<u8>>, StorageError>| matches!(got, Err(StorageError::Corrupt(_)));
    for (key, value) in &chunks {
        for (_, other) in chunks.iter().filter(|(other, _)| other != key) {
            set(&bench.path(), "chunks", key, Some(other));
            let (a, b) = all();
            assert!(corrupt(&a) || corrupt(&b));
        }
        set(&bench.path(), "chunks", key, None);
        let (a, b) = all();
        assert!(corrupt(&a) || corrupt(&b));
        set(&bench.path(), "chunks", key, Some(value));
    }
    assert_eq!(
        all(),
        (Ok(Some(b"first".into())), Ok(Some(vec![2; 100_000])))
    );
}

#[test]
fn a_piece_of_an_aborted_transaction_is_refused() {
    let bench = bench();
    let store = bench.open();
    let mut transaction = store.begin().unwrap();
    transaction.append(&agent(), b"a", b" aborted").unwrap();
    drop(transaction);
    // The piece was sealed for exactly this place, and lies somewhere in the file.
    let reader = Reader::new(
        store.keys.clone(),
        store
            .with_database(|database, _| Ok(database.begin_read()?))
            .unwrap(),
        store.state().index.clone(),
    );
    let space = reader.space(&agent()).unwrap().unwrap();
    let key = reader.key(&space, b"a");
    let entry = reader.entry(&space, &key).unwrap().unwrap();
    drop(reader);
    let place = entry.chunk_key(0);
    let aborted = b"first aborted".to_vec();
    let aborted = store.keys.seal_value(&space.keys, &place, aborted).unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.append(&agent(), b"a", b" written").unwrap();
    transaction.commit().unwrap();
    drop(store);
    set(&bench.path(), "chunks", &place, Some(&aborted));
    let got = get(&bench.open(), &agent(), b"a");
    assert!(matches!(got, Err(StorageError::Corrupt(_))), "{got:?}");
}

#[test]
fn flipped_bits_give_an_error_or_the_truth() {
    let bench = bench();
    let original = fs::read(bench.path()).unwrap();
    let mut refused = 0;
    for position in (0..original.len()).step_by(4999) {
        let mut flipped = original.clone();
        flipped[position] ^= 0x10;
        fs::write(bench.path(), &flipped).unwrap();
        let read = || {
            let store = bench.open_with(StoreOptions::default())?;
            Ok::<_, StorageError>((get(&store, &agent(), b"a")?, get(&store, &agent(), b"b")?))
        };
        match read() {
            Ok((a, b)) => {
                assert_eq!(a.unwrap(), b"first");
                assert_eq!(b.unwrap(), [2; 100_000]);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
}

#[test]
fn something_else_in_the_file_is_refused() {
    let bench = bench();
    fs::write(
        bench.path(),
        b"not a database at all, but long enough to look at",
    )
    .unwrap();
    assert!(matches!(
        bench.open_error(),
        StorageError::Corrupt(_) | StorageError::Failed(_)
    ));
    fs::remove_file(bench.path()).unwrap();
    let database = Database::create(bench.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(Table::new("header")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(
        bench.open_error(),
        StorageError::Corrupt(_) | StorageError::Failed(_)
    ));
}
