//! Objects of the in-memory TEE behave as a simple model of them does.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{cell::RefCell, collections::BTreeMap};

use proptest::prelude::*;
use tamarack_ta::{
    ResultCode, TrustedApplication,
    objects::{Object, Seek, Storage},
    session,
    testing::{self, Session},
};

/// What a command can do to objects.
#[derive(Debug, Clone)]
enum Step {
    Create(Storage, usize, Vec<u8>),
    Write(Storage, usize, Vec<u8>),
    WriteAt(Storage, usize, u64, Vec<u8>),
    Truncate(Storage, usize, u64),
    Rename(Storage, usize, usize),
    Delete(Storage, usize),
    Commit,
}

const NAMES: [&str; 4] = ["a", "b", "ü/..", "a\0b"];

fn step() -> impl Strategy<Value = Step> {
    let storage = || prop_oneof![Just(Storage::Private), Just(Storage::Shared)];
    let name = || 0..NAMES.len();
    let data = || prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![
        (storage(), name(), data()).prop_map(|(s, n, d)| Step::Create(s, n, d)),
        (storage(), name(), data()).prop_map(|(s, n, d)| Step::Write(s, n, d)),
        (storage(), name(), 0..30u64, data()).prop_map(|(s, n, at, d)| Step::WriteAt(s, n, at, d)),
        (storage(), name(), 0..30u64).prop_map(|(s, n, size)| Step::Truncate(s, n, size)),
        (storage(), name(), name()).prop_map(|(s, n, new)| Step::Rename(s, n, new)),
        (storage(), name()).prop_map(|(s, n)| Step::Delete(s, n)),
        Just(Step::Commit),
    ]
}

/// The last name of the shared ones is not shared.
fn is_shared(name: usize) -> bool {
    name < NAMES.len() - 1
}

fn perform(step: &Step) -> Result<(), ResultCode> {
    match step {
        Step::Create(storage, name, data) => storage.create_new(NAMES[*name], data),
        Step::Write(storage, name, data) => storage.write(NAMES[*name], data),
        Step::WriteAt(storage, name, at, data) => {
            let mut object = Object::open(*storage, NAMES[*name])?;
            object.seek(Seek::Start(*at))?;
            object.write(data)?;
            assert_eq!(object.position(), at + data.len() as u64);
            Ok(())
        }
        Step::Truncate(storage, name, size) => {
            Object::open(*storage, NAMES[*name])?.truncate(*size)
        }
        Step::Rename(storage, name, new) => {
            Object::open(*storage, NAMES[*name])?.rename(NAMES[*new])
        }
        Step::Delete(storage, name) => storage.delete(NAMES[*name]),
        Step::Commit => session::commit(),
    }
}

/// The same, with two maps.
#[derive(Default, Clone)]
struct Model {
    private: BTreeMap<&'static str, Vec<u8>>,
    shared: BTreeMap<&'static str, Vec<u8>>,
}

impl Model {
    fn of(&mut self, storage: Storage) -> &mut BTreeMap<&'static str, Vec<u8>> {
        match storage {
            Storage::Private => &mut self.private,
            Storage::Shared => &mut self.shared,
        }
    }

    fn perform(&mut self, step: &Step) -> Result<(), ResultCode> {
        let (storage, names) = match step {
            Step::Create(storage, name, _)
            | Step::Write(storage, name, _)
            | Step::WriteAt(storage, name, ..)
            | Step::Truncate(storage, name, _)
            | Step::Delete(storage, name) => (*storage, vec![*name]),
            Step::Rename(storage, name, new) => (*storage, vec![*name, *new]),
            Step::Commit => return Ok(()),
        };
        let denied = |name: &usize| storage == Storage::Shared && !is_shared(*name);
        if names.first().is_some_and(denied) {
            return Err(ResultCode::ACCESS_DENIED);
        }
        let objects = self.of(storage);
        let name = NAMES[names[0]];
        match step {
            Step::Create(_, _, data) => match objects.contains_key(name) {
                true => return Err(ResultCode::ACCESS_CONFLICT),
                false => drop(objects.insert(name, data.clone())),
            },
            Step::Write(_, _, data) => drop(objects.insert(name, data.clone())),
            Step::WriteAt(_, _, at, data) => {
                let object = objects.get_mut(name).ok_or(ResultCode::ITEM_NOT_FOUND)?;
                let at = usize::try_from(*at).unwrap();
                while object.len() < at {
                    object.push(0);
                }
                for (offset, byte) in data.iter().enumerate() {
                    match object.get_mut(at + offset) {
                        Some(place) => *place = *byte,
                        None => object.push(*byte),
                    }
                }
            }
            Step::Truncate(_, _, size) => {
                let object = objects.get_mut(name).ok_or(ResultCode::ITEM_NOT_FOUND)?;
                object.resize(usize::try_from(*size).unwrap(), 0);
            }
            Step::Rename(..) => {
                if !objects.contains_key(name) {
                    return Err(ResultCode::ITEM_NOT_FOUND);
                }
                if denied(&names[1]) {
                    return Err(ResultCode::ACCESS_DENIED);
                }
                if objects.contains_key(NAMES[names[1]]) {
                    return Err(ResultCode::ACCESS_CONFLICT);
                }
                let object = objects.remove(name).unwrap();
                objects.insert(NAMES[names[1]], object);
            }
            Step::Delete(..) => {
                objects.remove(name).ok_or(ResultCode::ITEM_NOT_FOUND)?;
            }
            Step::Commit => {}
        }
        Ok(())
    }
}

fn assert_same(model: &Model) {
    for (storage, objects) in [
        (Storage::Private, &model.private),
        (Storage::Shared, &model.shared),
    ] {
        assert_eq!(
            storage.list().unwrap(),
            objects.keys().copied().collect::<Vec<_>>()
        );
        for (name, data) in objects {
            assert_eq!(storage.read(name).as_ref(), Ok(data));
            assert_eq!(storage.size(name), Ok(data.len() as u64));
            let mut object = Object::open(storage, name).unwrap();
            let parts: Vec<u8> = std::iter::from_fn(|| Some(object.read(7).unwrap()))
                .take_while(|part| !part.is_empty())
                .flatten()
                .collect();
            assert_eq!(parts, *data);
        }
    }
}

/// Each command performs the steps that the test left for it, and fails if it is command 13.
struct Steps;

/// The steps of the next command, and what became of those of the last.
type Todo = (Vec<Step>, Vec<Result<(), ResultCode>>);

thread_local! {
    static TODO: RefCell<Todo> = const { RefCell::new((Vec::new(), Vec::new())) };
}

impl TrustedApplication for Steps {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self)
    }

    fn invoke_command(&mut self, command: u32, _: &[u8]) -> Result<Vec<u8>, ResultCode> {
        TODO.with_borrow_mut(|(steps, results)| {
            results.extend(std::mem::take(steps).iter().map(perform));
        });
        match command {
            13 => Err(ResultCode::CANCEL),
            _ => Ok(Vec::new()),
        }
    }
}

proptest! {
    #[test]
    fn objects_behave_as_the_model(commands in prop::collection::vec((prop::collection::vec(step(), 0..8), any::<bool>()), 0..8)) {
        testing::reset();
        for name in NAMES.iter().take(NAMES.len() - 1) {
            testing::share(name);
        }
        let mut model = Model::default();
        let mut session = Session::<Steps>::open(b"").unwrap();
        for (steps, succeeds) in commands {
            let mut after = model.clone();
            let mut expected = Vec::new();
            for step in &steps {
                expected.push(after.perform(step));
                if matches!(step, Step::Commit) {
                    model = after.clone();
                }
            }
            TODO.with_borrow_mut(|todo| *todo = (steps, Vec::new()));
            if succeeds {
                session.invoke(1, b"").unwrap();
                model = after;
            } else {
                prop_assert_eq!(session.invoke(13, b""), Err(ResultCode::CANCEL));
            }
            let results = TODO.with_borrow_mut(|todo| std::mem::take(&mut todo.1));
            prop_assert_eq!(results, expected);
            assert_same(&model);
        }
    }
}

#[test]
fn positions_move_within_their_type() {
    let mut object = Object::create(Storage::Private, "x").unwrap();
    object.write(b"12345").unwrap();
    assert_eq!(object.seek(Seek::End(-2)), Ok(3));
    assert_eq!(object.seek(Seek::Current(-1)), Ok(2));
    assert_eq!(object.read(9).unwrap(), b"345");
    assert_eq!(object.seek(Seek::Current(-6)), Err(ResultCode::OVERFLOW));
    assert_eq!(object.seek(Seek::Start(u64::MAX)), Ok(u64::MAX));
    assert_eq!(object.read(1).unwrap(), b"");
    assert_eq!(object.write(b"x"), Err(ResultCode::OVERFLOW));
    assert_eq!(
        Object::create_new(Storage::Private, "x"),
        Err(ResultCode::ACCESS_CONFLICT)
    );
    object.rename("y").unwrap();
    assert_eq!(object.size(), Ok(5));
    assert_eq!(
        Object::open(Storage::Private, "x"),
        Err(ResultCode::ITEM_NOT_FOUND)
    );
    object.delete().unwrap();
    assert_eq!(
        Object::create(Storage::Private, ""),
        Err(ResultCode::BAD_PARAMETERS)
    );
}
