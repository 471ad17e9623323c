//! The device in a folder against names, files and storage that mean it no good.
#![cfg(all(feature = "directory", unix))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;
#[path = "power_loss/storage.rs"]
mod storage;

use std::{fs, os::unix::fs::symlink, path::Path};

use common::*;
use storage::{Storage, Survival, Tree};
use tamarack_suit::{
    Access, Command, ComponentId, Condition, Device, DeviceError, Error, ManifestRecord, NoFetch,
    Outcome, Parameter, Processor, Section, SequenceNumber, SingleAuthority, SuitDigest, Why,
    author::{ComponentBuilder, ManifestBuilder},
    directory::{DirectoryDevice, DirectoryError, FileError, Files},
};
use tempfile::TempDir;

fn open(folder: &Path) -> DirectoryDevice<tamarack_suit::directory::OsFiles> {
    DirectoryDevice::open(folder, identity()).unwrap()
}

/// Updates in a transaction that is committed if that succeeded.
fn update<F: Files>(
    device: &mut DirectoryDevice<F>,
    envelope: &[u8],
) -> Result<Outcome, DirectoryError> {
    let crypto = crypto();
    let trusted = [author(2).key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    let mut transaction = device.transaction()?;
    let outcome = processor.update_bytes(&mut transaction, &mut NoFetch, envelope);
    if outcome.result.is_ok() {
        transaction.commit()?;
    }
    Ok(outcome)
}

fn install<F: Files>(device: &mut DirectoryDevice<F>, envelope: &[u8]) {
    assert_eq!(update(device, envelope).unwrap().result, Ok(()));
}

fn store<F: Files>(
    device: &mut DirectoryDevice<F>,
    id: &ComponentId,
    content: &[u8],
) -> Result<(), DeviceError> {
    let mut transaction = device.transaction()?;
    transaction.begin(id, None)?;
    transaction.append(id, content)?;
    transaction.finish(id)?;
    Ok(transaction.commit()?)
}

fn read<F: Files>(device: &mut DirectoryDevice<F>, id: &ComponentId) -> Option<Vec<u8>> {
    let mut transaction = device.transaction().unwrap();
    let length = transaction.length(id).unwrap()?;
    let mut content = vec![0; usize::try_from(length).unwrap() + 1];
    let read = transaction.read_at(id, 0, &mut content).unwrap();
    content.truncate(read);
    assert_eq!(content.len() as u64, length);
    Some(content)
}

/// All files below a folder, links as what they are.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    let path = entry.path();
                    found.push(path.strip_prefix(folder).unwrap().display().to_string());
                }
            }
        }
    }
    found.sort();
    found
}

fn refused_as_foreign<T: std::fmt::Debug>(result: Result<T, DeviceError>) {
    let Err(DeviceError::Failed(what)) = &result else {
        panic!("{result:?}");
    };
    assert!(what.contains("move it away"), "{what}");
}

// req: SUIT-UPD-026, SUIT-PROC-010, SUIT-MAN-004
#[test]
fn an_update_is_files_that_a_person_recognises() {
    let folder = TempDir::new().unwrap();
    let author = author(2);
    {
        let mut device = open(folder.path());
        install(&mut device, &ta(&author, 1, b"code"));
    }
    let everything = [
        ".suit/envelopes/provider+/app+/suit",
        ".suit/lock",
        ".suit/records",
        "provider+/app+/ta",
    ];
    assert_eq!(files(folder.path()), everything);
    let code = || fs::read(folder.path().join("provider+/app+/ta")).unwrap();
    assert_eq!(code(), b"code");
    // Opened again, the device knows what it has.
    let mut device = open(folder.path());
    assert_eq!(device.records()[0].sequence_number, SequenceNumber(1));
    assert_eq!(device.records()[0].signers.len(), 1);
    let outcome = update(&mut device, &ta(&author, 1, b"other")).unwrap();
    assert!(matches!(outcome.result, Err(Error::Rollback { .. })));
    for (number, content) in [(1, &b"code"[..]), (3, b"newer"), (3, b"newer")] {
        install(&mut device, &ta(&author, number, content));
        assert_eq!(code(), content);
        assert_eq!(files(folder.path()), everything);
    }
    let outcome = update(&mut device, &ta(&author, 2, b"older")).unwrap();
    assert!(matches!(outcome.result, Err(Error::Rollback { .. })));
    assert_eq!(code(), b"newer");
    // Uninstalled, nothing is left, also no folder.
    let crypto = crypto();
    let trusted = [author.key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    let mut transaction = device.transaction().unwrap();
    let outcome = processor.uninstall(&mut transaction, &mut NoFetch, &id("provider/app/suit"));
    assert_eq!(outcome.result, Ok(()));
    transaction.commit().unwrap();
    assert_eq!(files(folder.path()), [".suit/lock", ".suit/records"]);
    assert!(!folder.path().join("provider+").exists());
    assert!(device.records().is_empty());
}

// req: SUIT-PROC-007, SUIT-MAN-005
#[test]
fn nothing_is_visible_before_the_commit() {
    let folder = TempDir::new().unwrap();
    let mut device = open(folder.path());
    let (a, b) = (id("a"), id("b"));
    store(&mut device, &a, b"old").unwrap();
    let before = files(folder.path());
    {
        let mut transaction = device.transaction().unwrap();
        transaction.begin(&a, Some(3)).unwrap();
        transaction.append(&a, b"n").unwrap();
        transaction.append(&a, b"ew").unwrap();
        transaction.finish(&a).unwrap();
        transaction.begin(&b, None).unwrap();
        transaction.finish(&b).unwrap();
        transaction.swap(&a, &b).unwrap();
        // What was written is what is read.
        assert_eq!(transaction.length(&a), Ok(Some(0)));
        assert_eq!(transaction.length(&b), Ok(Some(3)));
        let mut two = [0; 2];
        assert_eq!(transaction.read_at(&b, 1, &mut two), Ok(2));
        assert_eq!(&two, b"ew");
        transaction.remove(&b).unwrap();
        assert_eq!(transaction.length(&b), Ok(None));
        assert!(transaction.read_at(&b, 0, &mut two).is_err());
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"old");
    }
    assert_eq!(files(folder.path()), before);
    assert_eq!(read(&mut device, &a).unwrap(), b"old");
    // Content that was not finished can't be committed, and nothing can be appended to what was.
    let mut transaction = device.transaction().unwrap();
    assert!(transaction.append(&a, b"x").is_err());
    assert!(transaction.finish(&b).is_err());
    transaction.begin(&a, None).unwrap();
    assert_eq!(
        transaction.commit(),
        Err(DirectoryError::Unfinished(a.clone()))
    );
    let mut transaction = device.transaction().unwrap();
    transaction.begin(&a, None).unwrap();
    transaction.finish(&a).unwrap();
    assert!(transaction.append(&a, b"x").is_err());
    transaction.roll_back().unwrap();
    assert_eq!(files(folder.path()), before);
}

// req: SUIT-PROC-011
#[test]
fn contents_are_exchanged_without_losing_one() {
    let folder = TempDir::new().unwrap();
    let mut device = open(folder.path());
    let (a, b, c) = (id("a"), id("b"), id("c"));
    let long: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    store(&mut device, &a, &long).unwrap();
    store(&mut device, &b, b"short").unwrap();
    let mut transaction = device.transaction().unwrap();
    assert!(transaction.swap(&a, &c).is_err());
    transaction.swap(&a, &a).unwrap();
    transaction.swap(&a, &b).unwrap();
    transaction.commit().unwrap();
    assert_eq!(read(&mut device, &a).unwrap(), b"short");
    assert_eq!(read(&mut device, &b).unwrap(), long);
    assert_eq!(files(folder.path()), [".suit/lock", "a", "b"]);
}

#[test]
fn what_the_device_is_set_up_to_do() {
    let folder = TempDir::new().unwrap();
    let mut device = open(folder.path());
    let a = id("a");
    store(&mut device, &a, b"x").unwrap();
    let mut transaction = device.transaction().unwrap();
    assert_eq!(transaction.invoke(&a, None), Err(DeviceError::Unsupported));
    assert_eq!(transaction.now(), None);
    assert!(transaction.supports(&id("b")));
    drop(transaction);
    let invoked = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = invoked.clone();
    device.set_invoker(move |_, arguments| {
        count.set(count.get() + arguments.map_or(1, <[u8]>::len));
        Ok(())
    });
    device.set_now(5);
    device.set_slot(&a, 1);
    device.support_only([id("a")]);
    let mut transaction = device.transaction().unwrap();
    assert_eq!(transaction.invoke(&a, Some(b"xyz")), Ok(()));
    assert!(transaction.invoke(&id("b"), None).is_err());
    assert_eq!(invoked.get(), 3);
    assert_eq!(
        (transaction.now(), transaction.slot(&a)),
        (Some(5), Some(1))
    );
    assert!(transaction.supports(&id("a/b")) && !transaction.supports(&id("b")));
}

// req: SUIT-UPD-029
#[test]
fn hostile_identifiers_stay_in_the_folder() {
    let outer = TempDir::new().unwrap();
    let folder = outer.path().join("device");
    fs::write(outer.path().join("passwd"), b"root").unwrap();
    let mut device = open(&folder);
    let hostile: [&[&[u8]]; 16] = [
        &[b"..", b"passwd"],
        &[b"../passwd"],
        &[b"/etc/passwd"],
        &[b".suit", b"records"],
        &[b".suit", b"journal"],
        &[b"."],
        &[b""],
        &[],
        &[b"", b""],
        &[b"a\0b"],
        &[b"acme"],
        &[b"acme", b"hello"],
        &[b"ACME"],
        &[b"Acme", b"hello"],
        &[b"acme+"],
        &[b"acme+", b"hello"],
    ];
    for (content, segments) in hostile.iter().enumerate() {
        let id = ComponentId::new(*segments).unwrap();
        assert!(device.transaction().unwrap().supports(&id));
        store(&mut device, &id, format!("{content}").as_bytes()).unwrap();
    }
    for (content, segments) in hostile.iter().enumerate() {
        let id = ComponentId::new(*segments).unwrap();
        assert_eq!(
            read(&mut device, &id).unwrap(),
            format!("{content}").as_bytes()
        );
        assert!(folder.join(device.path_of(&id).unwrap()).is_file());
    }
    assert_eq!(fs::read(outer.path().join("passwd")).unwrap(), b"root");
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2);
    assert_eq!(files(&folder).len(), hostile.len() + 1);
    // What does not fit is refused before anything is done.
    let long = ComponentId::new([[b'x'; 300]]).unwrap();
    assert!(!device.transaction().unwrap().supports(&long));
    assert!(store(&mut device, &long, b"").is_err());
    let envelope = sign_sections(&author(2), &[&"x".repeat(300)], vec![]);
    let outcome = update(&mut device, &envelope).unwrap();
    assert_eq!(outcome.result, Err(Error::ComponentUnsupported(long)));
    assert_eq!(files(&folder).len(), hostile.len() + 1);
}

// req: SUIT-UPD-028, SUIT-UPD-029, SUIT-UPD-030
#[test]
fn links_are_not_followed() {
    let outside = TempDir::new().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, b"outside").unwrap();
    let folder = TempDir::new().unwrap();
    let below = |path: &str| folder.path().join(path);
    let mut device = open(folder.path());
    // A component that is a link, and one whose folder is a link.
    symlink(&secret, below("link")).unwrap();
    symlink(outside.path(), below("away+")).unwrap();
    symlink("nowhere", below("dangling")).unwrap();
    for name in ["link", "away/secret", "dangling"] {
        let component = id(name);
        refused_as_foreign(store(&mut device, &component, b"evil"));
        let mut transaction = device.transaction().unwrap();
        refused_as_foreign(transaction.length(&component));
        refused_as_foreign(transaction.read_at(&component, 0, &mut [0; 8]));
        refused_as_foreign(transaction.swap(&component, &id("link")));
        refused_as_foreign(transaction.remove(&component));
    }
    // The same through the processor: the update fails, and the report says where.
    let envelope = ManifestBuilder::new(SequenceNumber(1))
        .component(ComponentBuilder::new(id("away/secret")).content(&crypto(), *b"evil"))
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author(2).signer])
        .unwrap();
    let outcome = update(&mut device, &envelope).unwrap();
    assert!(matches!(
        outcome.result,
        Err(Error::ActionFailed {
            why: Why::Device(DeviceError::Failed(_)),
            ..
        })
    ));
    assert_eq!(fs::read(&secret).unwrap(), b"outside");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert!(below("link").is_symlink() && below("away+").is_symlink());

    // A link that appears between the staging and the commit.
    for (name, place) in [("late", "late"), ("folder/late", "folder+")] {
        let component = id(name);
        let mut transaction = device.transaction().unwrap();
        transaction.begin(&component, None).unwrap();
        transaction.append(&component, b"new").unwrap();
        transaction.finish(&component).unwrap();
        symlink(
            if name == "late" {
                &secret
            } else {
                outside.path()
            },
            below(place),
        )
        .unwrap();
        assert!(matches!(
            transaction.commit(),
            Err(DirectoryError::File {
                error: FileError::Foreign,
                ..
            })
        ));
        assert_eq!(fs::read(&secret).unwrap(), b"outside");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
        fs::remove_file(below(place)).unwrap();
        store(&mut device, &component, b"new").unwrap();
        assert_eq!(
            fs::read(below(&device.path_of(&component).unwrap())).unwrap(),
            b"new"
        );
    }

    // A hard link shares its content with a file outside; a new content does not get there.
    fs::hard_link(&secret, below("hard")).unwrap();
    store(&mut device, &id("hard"), b"new").unwrap();
    assert_eq!(fs::read(&secret).unwrap(), b"outside");
    assert_eq!(fs::read(below("hard")).unwrap(), b"new");
    // The folder of the bookkeeping is none that a link leads to.
    drop(device);
    let other = TempDir::new().unwrap();
    symlink(outside.path(), other.path().join(".suit")).unwrap();
    let refused = DirectoryDevice::open(other.path(), identity()).unwrap_err();
    assert!(matches!(
        refused,
        DirectoryError::File {
            error: FileError::Foreign,
            ..
        }
    ));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn foreign_files_stay() {
    let folder = TempDir::new().unwrap();
    let below = |path: &str| folder.path().join(path);
    fs::write(below("README"), b"by hand").unwrap();
    fs::create_dir_all(below("acme+")).unwrap();
    fs::write(below("acme+/notes"), b"by hand").unwrap();
    fs::create_dir(below("taken")).unwrap();
    make_pipe(&below("pipe"));
    let mut device = open(folder.path());
    let hello = id("acme/hello");
    store(&mut device, &hello, b"x").unwrap();
    let mut transaction = device.transaction().unwrap();
    transaction.remove(&hello).unwrap();
    transaction.commit().unwrap();
    assert!(!below("acme+/hello").exists());
    // A folder or a pipe where a component belongs.
    for name in ["taken", "pipe"] {
        refused_as_foreign(store(&mut device, &id(name), b"x"));
        let mut transaction = device.transaction().unwrap();
        refused_as_foreign(transaction.read_at(&id(name), 0, &mut [0; 8]));
    }
    // A file where a folder belongs.
    fs::write(below("file+"), b"by hand").unwrap();
    refused_as_foreign(store(&mut device, &id("file/x"), b"x"));
    // What somebody left in the staging folder is no content.
    fs::write(below(".suit/staging/0"), b"by hand").unwrap();
    symlink(below("README"), below(".suit/staging/1")).unwrap();
    drop(device);
    let mut device = open(folder.path());
    assert_eq!(fs::read_dir(below(".suit/staging")).unwrap().count(), 0);
    store(&mut device, &hello, b"y").unwrap();
    for kept in ["README", "acme+/notes", "file+"] {
        assert_eq!(fs::read(below(kept)).unwrap(), b"by hand");
    }
    // A file by hand at a component's path is that component's content.
    assert_eq!(read(&mut device, &id("acme/notes")).unwrap(), b"by hand");
}

fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[test]
fn one_process_at_a_time() {
    let folder = TempDir::new().unwrap();
    let device = open(folder.path());
    assert_eq!(
        DirectoryDevice::open(folder.path(), identity()).unwrap_err(),
        DirectoryError::Busy
    );
    drop(device);
    open(folder.path());
}

#[test]
fn what_may_not_be_written_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("locked+")).unwrap();
    let mut device = open(folder.path());
    let permissions = |mode| {
        let path = folder.path().join("locked+");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    permissions(0o500);
    let probe = fs::write(folder.path().join("locked+/probe"), b"");
    if probe.is_ok() {
        eprintln!("SKIPPED: this user may write everywhere");
        return;
    }
    let refused = store(&mut device, &id("locked/x"), b"x");
    let Err(DeviceError::Failed(what)) = &refused else {
        panic!("{refused:?}");
    };
    assert!(what.contains("committed and not yet in place") && what.contains("permission denied"));
    // Committed is committed: it is completed as soon as that is possible.
    assert!(matches!(
        device.transaction().err(),
        Some(DirectoryError::File {
            error: FileError::Denied,
            ..
        })
    ));
    permissions(0o700);
    assert_eq!(read(&mut device, &id("locked/x")).unwrap(), b"x");
}

// Files are for their owner alone.
// req: SUIT-UPD-027
#[test]
fn nobody_else_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let mut device = open(folder.path());
    install(&mut device, &ta(&author(2), 1, b"code"));
    for path in ["provider+", "provider+/app+/ta", ".suit", ".suit/records"] {
        let mode = fs::metadata(folder.path().join(path))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{path}");
    }
}

// req: SUIT-MAN-005
#[test]
fn damaged_bookkeeping_is_refused_and_kept() {
    let storage = Storage::default();
    let mut device = DirectoryDevice::on(storage.clone(), identity()).unwrap();
    install(&mut device, &ta(&author(2), 1, b"code"));
    drop(device);
    let records = storage.tree()[".suit/records"].clone().unwrap();
    for at in 0..records.len() {
        let mut flipped = records.clone();
        flipped[at] ^= 0x10;
        for damaged in [&flipped[..], &records[..at]] {
            refused_as_damaged(&storage, ".suit/records", damaged);
        }
    }
    storage.put(".suit/records", &records);
    for journal in [
        &b""[..],
        b"\x80",
        b"junk",
        &records,
        &[0x9f; 100],
        &[0; 5 << 20],
    ] {
        refused_as_damaged(&storage, ".suit/journal", journal);
    }
}

fn refused_as_damaged(storage: &Storage, path: &str, content: &[u8]) {
    let storage = storage.duplicate();
    storage.put(path, content);
    let before = storage.tree();
    let refused = DirectoryDevice::on(storage.clone(), identity()).unwrap_err();
    assert!(
        matches!(refused, DirectoryError::Damaged { path: damaged, .. } if damaged == path),
        "{refused}"
    );
    assert!(refused.to_string().contains("restore it"));
    storage.reboot(Survival::Everything);
    assert_eq!(storage.tree(), before);
}

/// An update of two components that finds no room at some operations.
fn without_room(storage: &Storage, full: (usize, usize)) -> Result<(), DeviceError> {
    storage.fill(full);
    let result = (|| {
        let mut device = DirectoryDevice::on(storage.clone(), identity())?;
        let envelope = ManifestBuilder::new(SequenceNumber(2))
            .manifest_id(id("provider/app/suit"))
            .component(ComponentBuilder::new(id("provider/app/ta")).content(&crypto(), *b"new"))
            .component(ComponentBuilder::new(id("new/data")).content(&crypto(), *b"data"))
            .build()
            .unwrap()
            .sign(&crypto(), &[&*author(2).signer])
            .unwrap();
        match update(&mut device, &envelope)?.result {
            Err(
                Error::ActionFailed {
                    why: Why::Device(error),
                    ..
                }
                | Error::Device(error),
            ) => Err(error),
            other => {
                assert_eq!(other, Ok(()));
                Ok(())
            }
        }
    })();
    storage.fill((0, 0));
    result
}

// req: SUIT-PROC-007, SUIT-PROC-010
#[test]
fn a_full_disk_at_every_operation() {
    let before = Storage::default();
    let mut device = DirectoryDevice::on(before.clone(), identity()).unwrap();
    install(&mut device, &ta(&author(2), 1, b"code"));
    drop(device);
    before.reboot(Survival::Everything);
    let old = before.tree();
    let after = before.duplicate();
    assert_eq!(without_room(&after, (0, 0)), Ok(()));
    let (new, operations) = (after.tree(), after.operations());
    let settled = |storage: &Storage| -> Tree {
        DirectoryDevice::on(storage.clone(), identity()).unwrap();
        storage.tree()
    };
    let mut incomplete = 0;
    // No room once, and no room from then on.
    for at in 0..operations {
        for end in [at + 1, usize::MAX] {
            let storage = before.duplicate();
            let result = without_room(&storage, (at, end));
            match result {
                Err(DeviceError::NoSpace) => {
                    assert_eq!(settled(&storage), old, "operation {at}");
                }
                Err(DeviceError::Failed(what)) => {
                    assert!(what.contains("committed and not yet in place"), "{what}");
                    assert!(what.contains("no room is left"), "{what}");
                    assert_eq!(settled(&storage), new, "operation {at}");
                    incomplete += 1;
                }
                Ok(()) => assert_eq!(settled(&storage), new, "operation {at}"),
                Err(other) => panic!("operation {at}: {other}"),
            }
            // With room, it can be done.
            assert_eq!(without_room(&storage, (0, 0)), Ok(()));
            assert_eq!(storage.tree(), new);
        }
    }
    assert!(incomplete > 0 && incomplete < 2 * operations);
}

// A process that ends, and leaves the power on, at the worst moment: the journal has its name, and nothing
// else has happened. What comes first afterwards is to make that certain.
// req: SUIT-PROC-010
#[test]
fn a_device_that_failed_goes_on_without_being_opened_again() {
    let storage = Storage::default();
    let mut device = DirectoryDevice::on(storage.clone(), identity()).unwrap();
    store(&mut device, &id("a"), b"old").unwrap();
    let mut transaction = device.transaction().unwrap();
    transaction.begin(&id("a"), None).unwrap();
    transaction.append(&id("a"), b"new").unwrap();
    transaction.finish(&id("a")).unwrap();
    // sync, create, append, sync, sync the folder, rename; then nothing goes any more.
    let now = storage.operations();
    storage.fill((now + 6, usize::MAX));
    assert!(matches!(
        transaction.commit(),
        Err(DirectoryError::Incomplete(_))
    ));
    assert_eq!(storage.tree()["a"].as_deref(), Some(&b"old"[..]));
    assert!(device.transaction().is_err());
    storage.fill((0, 0));
    assert_eq!(read(&mut device, &id("a")).unwrap(), b"new");
}

// What one signer may touch is decided by identifiers; the folder does not blur them.
// req: SUIT-UPD-029
#[test]
fn a_signer_does_not_get_at_the_components_of_another() {
    let folder = TempDir::new().unwrap();
    let mut device = open(folder.path());
    store(&mut device, &id("other/key"), b"secret").unwrap();
    let crypto = crypto();
    let trusted = [author(2).key];
    let access = |_: &[_], _: Access, component: &ComponentId| component.starts_with(&id("mine"));
    let processor = Processor::new(&crypto, &trusted, &access);
    for name in [
        "other/key",
        "mine%2f../other/key",
        "..%2fother/key",
        "mine/..%2f..%2fother+%2fkey",
    ] {
        let write: Vec<Command<'static>> = vec![
            set([
                Parameter::Content(b"evil".as_slice().into()),
                digest_of(b"evil"),
            ]),
            action(tamarack_suit::Action::Write),
            condition(Condition::ImageMatch),
        ];
        let envelope = sign_sections(&author(2), &[name], vec![(Section::Install, write)]);
        let mut transaction = device.transaction().unwrap();
        let outcome = processor.update_bytes(&mut transaction, &mut NoFetch, &envelope);
        if outcome.result.is_ok() {
            transaction.commit().unwrap();
        }
    }
    assert_eq!(read(&mut device, &id("other/key")).unwrap(), b"secret");
}

/// What could not be read again must not be committed.
// req: SUIT-PROC-010
#[test]
fn records_that_are_too_long_are_not_committed() {
    let storage = Storage::default();
    let record = |count: usize| {
        let component = ComponentId::new(vec![[b'x'; 100]; 9]).unwrap();
        ManifestRecord {
            id: id("a/suit"),
            sequence_number: SequenceNumber(1),
            digest: SuitDigest::sha256(&crypto(), b"x"),
            signers: vec![],
            components: vec![component; count],
            dependencies: vec![],
            root: true,
            version: None,
        }
    };
    let keep = |record: &ManifestRecord| {
        let mut device = DirectoryDevice::on(storage.clone(), identity()).unwrap();
        let mut transaction = device.transaction().unwrap();
        transaction.record_manifest(record, b"envelope").unwrap();
        let committed = transaction.commit();
        (committed, device.records().to_vec())
    };
    // Not quite 4 MiB, and more.
    let (fits, too_long) = (record(4500), record(4700));
    assert_eq!(keep(&fits), (Ok(()), vec![fits.clone()]));
    let before = storage.tree();
    let (committed, records) = keep(&too_long);
    assert!(matches!(
        committed,
        Err(DirectoryError::File {
            error: FileError::NoSpace,
            ..
        })
    ));
    assert_eq!(records, [fits]);
    assert_eq!(storage.tree(), before);
    let device = DirectoryDevice::on(storage, identity()).unwrap();
    assert_eq!(device.records(), records);
}
