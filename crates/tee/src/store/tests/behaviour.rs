use std::{
    collections::BTreeMap, os::unix::fs::PermissionsExt, sync::mpsc, thread, time::Duration,
};

use proptest::prelude::*;

use super::*;

#[test]
fn values_survive_a_restart() {
    let bench = Bench::new();
    let store = bench.open();
    let long: Vec<u8> = (0..200_000u32)
        .map(|i| u8::try_from(i % 251).unwrap())
        .collect();
    let mut transaction = store.begin().unwrap();
    transaction.put(&agent(), b"short", b"value").unwrap();
    transaction.put(&agent(), b"empty", b"").unwrap();
    transaction.put(&domain(), b"long", &long).unwrap();
    transaction.commit().unwrap();
    drop(store);

    let store = bench.open();
    assert_eq!(get(&store, &agent(), b"short").unwrap().unwrap(), b"value");
    assert_eq!(get(&store, &agent(), b"empty").unwrap().unwrap(), b"");
    assert_eq!(get(&store, &domain(), b"long").unwrap().unwrap(), long);
    assert_eq!(
        get(&store, &agent(), b"long").unwrap(),
        None,
        "another namespace"
    );
    assert_eq!(get(&store, &agent(), b"absent").unwrap(), None);
}

#[test]
fn appended_pieces_read_back_in_order() {
    let bench = Bench::new();
    let store = bench.open();
    let mut transaction = store.begin().unwrap();
    for piece in [&[1; 70_000][..], &[2; 3], &[], &[3; 65_536]] {
        transaction.append(&domain(), b"payload", piece).unwrap();
    }
    assert_eq!(
        transaction
            .get(&domain(), b"payload")
            .unwrap()
            .unwrap()
            .len(),
        135_539
    );
    transaction.commit().unwrap();

    let view = store.view().unwrap();
    let whole = view.get(&domain(), b"payload").unwrap().unwrap();
    assert_eq!(
        whole,
        [vec![1; 70_000], vec![2; 3], vec![3; 65_536]].concat()
    );
    for (offset, len) in [
        (0, 10),
        (65_530, 10),
        (69_999, 5),
        (131_070, 4),
        (135_530, 9),
        (1, 135_538),
    ] {
        let mut buffer = vec![0; len];
        let read = view
            .read_at(&domain(), b"payload", offset as u64, &mut buffer)
            .unwrap();
        assert_eq!(read, Some(len));
        assert_eq!(buffer, whole[offset..offset + len]);
    }
    let mut buffer = [0; 10];
    let mut read_at = |offset| {
        view.read_at(&domain(), b"payload", offset, &mut buffer)
            .unwrap()
    };
    assert_eq!(read_at(135_535), Some(4), "up to the end");
    assert_eq!(read_at(135_539), Some(0));
    assert_eq!(read_at(u64::MAX), Some(0));
    assert_eq!(view.length(&domain(), b"payload").unwrap(), Some(135_539));
    assert_eq!(view.length(&domain(), b"absent").unwrap(), None);
    assert_eq!(
        view.read_at(&domain(), b"absent", 0, &mut buffer).unwrap(),
        None
    );
    drop(view);

    let mut transaction = store.begin().unwrap();
    transaction.append(&domain(), b"payload", &[4]).unwrap();
    transaction.commit().unwrap();
    assert_eq!(
        get(&store, &domain(), b"payload").unwrap().unwrap().len(),
        135_540
    );
}

#[test]
fn a_dropped_transaction_leaves_no_trace() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, &agent(), b"kept", b"1").unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.put(&agent(), b"kept", b"2").unwrap();
    transaction.put(&domain(), b"new", b"3").unwrap();
    assert_eq!(
        transaction.get(&agent(), b"kept").unwrap().unwrap(),
        b"2",
        "sees its own writes"
    );
    drop(transaction);
    assert_eq!(get(&store, &agent(), b"kept").unwrap().unwrap(), b"1");
    assert_eq!(get(&store, &domain(), b"new").unwrap(), None);
    assert_eq!(bench.machine.counter().value().unwrap(), 1, "one commit");
}

#[test]
fn an_unchanged_transaction_costs_no_generation() {
    let bench = Bench::new();
    let store = bench.open();
    store.begin().unwrap().commit().unwrap();
    assert_eq!(bench.machine.counter().value().unwrap(), 0);
}

#[test]
fn names_are_sorted_and_filtered() {
    let bench = Bench::new();
    let store = bench.open();
    let mut transaction = store.begin().unwrap();
    for name in [&b"b"[..], b"a/2", b"a/1", b"a", b"\xFF"] {
        transaction.put(&agent(), name, b"x").unwrap();
    }
    transaction.put(&domain(), b"a/3", b"x").unwrap();
    assert_eq!(
        transaction.names(&agent(), b"a/").unwrap(),
        [b"a/1", b"a/2"]
    );
    transaction.remove(&agent(), b"a/1").unwrap();
    assert_eq!(transaction.names(&agent(), b"a/").unwrap(), [b"a/2"]);
    transaction.commit().unwrap();
    let view = store.view().unwrap();
    assert_eq!(
        view.names(&agent(), b"").unwrap(),
        [&b"a"[..], b"a/2", b"b", b"\xFF"]
    );
    assert_eq!(
        view.names(&Namespace::domain("none"), b"").unwrap().len(),
        0
    );
}

#[test]
fn usage_counts_the_bytes_of_values() {
    let bench = Bench::new();
    let store = bench.open();
    let mut transaction = store.begin().unwrap();
    transaction.put(&domain(), b"a", &[0; 100]).unwrap();
    transaction.append(&domain(), b"b", &[0; 50]).unwrap();
    transaction.put(&domain(), b"a", &[0; 10]).unwrap();
    assert_eq!(transaction.usage(&domain()).unwrap(), 60);
    transaction.commit().unwrap();
    drop(store);
    let store = bench.open();
    let mut transaction = store.begin().unwrap();
    assert_eq!(transaction.usage(&domain()).unwrap(), 60);
    assert!(transaction.remove(&domain(), b"b").unwrap());
    assert!(!transaction.remove(&domain(), b"b").unwrap());
    transaction.commit().unwrap();
    assert_eq!(store.view().unwrap().usage(&domain()).unwrap(), 10);
}

#[test]
fn a_destroyed_namespace_is_gone_and_its_successor_has_other_keys() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, &domain(), b"a", &[7; 100_000]).unwrap();
    put(&store, &agent(), b"a", b"stays").unwrap();
    let salt = |store: &Store| {
        let keys = store.keys.clone();
        let reader = Reader::new(
            keys,
            store
                .with_database(|database, _| Ok(database.begin_read()?))
                .unwrap(),
            store.state().index.clone(),
        );
        reader
            .space(&domain())
            .unwrap()
            .map(|space| space.space.salt)
    };
    let before = salt(&store).unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.destroy(&domain()).unwrap();
    assert_eq!(transaction.get(&domain(), b"a").unwrap(), None);
    transaction.commit().unwrap();
    assert_eq!(salt(&store), None);
    assert_eq!(store.view().unwrap().usage(&domain()).unwrap(), 0);
    assert_eq!(get(&store, &agent(), b"a").unwrap().unwrap(), b"stays");
    put(&store, &domain(), b"b", b"new").unwrap();
    assert_ne!(salt(&store).unwrap(), before);
    assert_eq!(get(&store, &domain(), b"a").unwrap(), None);
    drop(store);
    bench.open();
}

#[test]
fn nothing_is_readable_in_the_file() {
    let bench = Bench::new();
    let space = Namespace::domain("provider-in-plain-sight");
    put(
        &bench.open(),
        &space,
        b"name-in-plain-sight",
        &b"value-in-plain-sight".repeat(10),
    )
    .unwrap();
    let file = std::fs::read(bench.path()).unwrap();
    assert!(!file.windows(14).any(|bytes| bytes == b"in-plain-sight"));
    let mode = std::fs::metadata(bench.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_view_keeps_its_state_while_others_write() {
    let bench = Bench::new();
    let store = bench.open();
    put(&store, &agent(), b"a", b"old").unwrap();
    let view = store.view().unwrap();
    let mut transaction = store.begin().unwrap();
    transaction.put(&agent(), b"a", b"new").unwrap();
    assert_eq!(
        get(&store, &agent(), b"a").unwrap().unwrap(),
        b"old",
        "not committed"
    );
    transaction.commit().unwrap();
    assert_eq!(view.get(&agent(), b"a").unwrap().unwrap(), b"old");
    assert_eq!(get(&store, &agent(), b"a").unwrap().unwrap(), b"new");
}

#[test]
fn writers_wait_for_each_other() {
    let bench = Bench::new();
    let store = &bench.open();
    thread::scope(|scope| {
        let mut first = store.begin().unwrap();
        let (done, wait) = mpsc::channel();
        scope.spawn(move || {
            let mut second = store.begin().unwrap();
            let seen = second.get(&agent(), b"a").unwrap();
            second.put(&agent(), b"b", b"2").unwrap();
            second.commit().unwrap();
            done.send(seen).unwrap();
        });
        assert!(
            wait.recv_timeout(Duration::from_millis(50)).is_err(),
            "still waiting"
        );
        first.put(&agent(), b"a", b"1").unwrap();
        first.commit().unwrap();
        assert_eq!(wait.recv().unwrap().unwrap(), b"1");
    });
}

#[test]
fn a_second_process_is_told() {
    let bench = Bench::new();
    let store = bench.open();
    assert!(matches!(bench.open_error(), StorageError::Failed(_)));
    drop(store);
    bench.open();
}

#[derive(Debug, Clone)]
enum Operation {
    Put(u8, u8, usize),
    Append(u8, u8, usize),
    Remove(u8, u8),
    Destroy(u8),
    Commit,
    Abort,
    Restart,
}

fn operation() -> impl Strategy<Value = Operation> {
    let sizes = || prop_oneof![0usize..10, 65_530usize..65_540];
    prop_oneof![
        (0u8..3, 0u8..3, sizes()).prop_map(|(s, n, l)| Operation::Put(s, n, l)),
        (0u8..3, 0u8..3, sizes()).prop_map(|(s, n, l)| Operation::Append(s, n, l)),
        (0u8..3, 0u8..3).prop_map(|(s, n)| Operation::Remove(s, n)),
        (0u8..3).prop_map(Operation::Destroy),
        Just(Operation::Commit),
        Just(Operation::Abort),
        Just(Operation::Restart),
    ]
}

type Model = BTreeMap<(u8, u8), Vec<u8>>;

fn check(view: &dyn View, model: &Model) {
    for space in 0..3 {
        let namespace = Namespace::domain(&space.to_string());
        let expected: Vec<_> = model.range((space, 0)..=(space, 255)).collect();
        let names: Vec<_> = expected.iter().map(|((_, name), _)| vec![*name]).collect();
        assert_eq!(view.names(&namespace, b"").unwrap(), names);
        let bytes: usize = expected.iter().map(|(_, value)| value.len()).sum();
        assert_eq!(view.usage(&namespace).unwrap(), bytes as u64);
        for ((_, name), value) in expected {
            assert_eq!(
                view.get(&namespace, &[*name]).unwrap().as_ref(),
                Some(value)
            );
            let length = view.length(&namespace, &[*name]).unwrap();
            assert_eq!(length, Some(value.len() as u64));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_behaves_like_a_map(operations in proptest::collection::vec(operation(), 1..40)) {
        let bench = Bench::new();
        let mut committed = Model::new();
        let mut store = bench.open();
        let mut operations = operations.into_iter().peekable();
        while operations.peek().is_some() {
            let mut model = committed.clone();
            let mut restart = false;
            {
                let mut transaction = store.begin().unwrap();
                let mut commit = false;
                for (fill, operation) in (0u8..).zip(&mut operations) {
                    let namespace = |space: u8| Namespace::domain(&space.to_string());
                    match operation {
                        Operation::Put(s, n, len) => {
                            transaction.put(&namespace(s), &[n], &vec![fill; len]).unwrap();
                            model.insert((s, n), vec![fill; len]);
                        }
                        Operation::Append(s, n, len) => {
                            transaction.append(&namespace(s), &[n], &vec![fill; len]).unwrap();
                            model.entry((s, n)).or_default().extend(vec![fill; len]);
                        }
                        Operation::Remove(s, n) => {
                            let removed = transaction.remove(&namespace(s), &[n]).unwrap();
                            prop_assert_eq!(removed, model.remove(&(s, n)).is_some());
                        }
                        Operation::Destroy(s) => {
                            transaction.destroy(&namespace(s)).unwrap();
                            model.retain(|(space, _), _| *space != s);
                        }
                        Operation::Commit => { commit = true; break; }
                        Operation::Abort => break,
                        Operation::Restart => { restart = true; break; }
                    }
                }
                check(&*transaction, &model);
                if commit {
                    transaction.commit().unwrap();
                    committed = model;
                }
            }
            if restart {
                drop(store);
                store = bench.open();
            }
            check(&*store.view().unwrap(), &committed);
        }
    }
}
