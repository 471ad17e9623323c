//! Sessions, updates while they are open, and migration.

use std::{sync::mpsc, thread, time::Duration};

use tamarack_agent::{Quota, platform::Storage};
use tamarack_ta::ResultCode;

use super::world::{World, id, ta, with_exports};
use crate::{
    applications::InvocationError,
    runtime::{CommandStream, Input, Watch},
};

const NOTHING: &str = "(i32.const 0)";

/// Stores the input of `tee_migrate` as `x`, and answers `code`.
fn migrating(code: u32) -> String {
    with_exports(
        r#"(data (i32.const 100) "x")"#,
        "(call $answer (call $read (i32.const 0) (i32.const 100) (i32.const 1)))",
        &format!(
            r#"(func (export "tee_migrate") (param $len i32) (result i32)
                (drop (call $take (i32.const 0) (local.get $len)))
                (drop (call $write (i32.const 0) (i32.const 100) (i32.const 1)
                    (i32.const 0) (local.get $len)))
                (i32.const {code}))"#
        ),
    )
}

#[test]
fn new_code_migrates_once_and_learns_from_where() {
    let world = World::new();
    world.domain("acme", |_| {});
    world.install("acme", "acme/ta", 3, &migrating(0));
    assert_eq!(
        world.invoke("acme/ta", 1, b"").unwrap(),
        b"",
        "from nothing"
    );
    world.install("acme", "acme/ta", 5, &ta("", NOTHING));
    world.invoke("acme/ta", 1, b"").unwrap();
    world.install("acme", "acme/ta", 6, &migrating(0));
    assert_eq!(
        world.invoke("acme/ta", 1, b"").unwrap(),
        5_u64.to_be_bytes(),
        "from the code that ran last"
    );
    // Not again.
    world.install("acme", "acme/ta", 7, &migrating(0));
    assert_eq!(
        world.invoke("acme/ta", 1, b"").unwrap(),
        5_u64.to_be_bytes()
    );
}

#[test]
fn a_migration_that_fails_keeps_sessions_away_and_is_tried_again() {
    let world = World::new();
    world.domain("acme", |_| {});
    world.install("acme", "acme/ta", 1, &ta("", NOTHING));
    world.invoke("acme/ta", 1, b"").unwrap();
    world.install("acme", "acme/ta", 2, &migrating(9));
    for _ in 0..2 {
        let refused = world.open("acme/ta");
        assert_eq!(refused, Err(InvocationError::Migration(ResultCode(9))));
        assert_eq!(world.object("acme", "acme/ta", "x"), None);
    }
    // The release that mends it comes from where the first one was.
    world.install("acme", "acme/ta", 3, &migrating(0));
    assert_eq!(
        world.invoke("acme/ta", 1, b"").unwrap(),
        1_u64.to_be_bytes()
    );
}

/// Input that comes when a test says so, and tells when it is waited for.
struct Gate {
    waiting: mpsc::Sender<()>,
    open: mpsc::Receiver<()>,
}

impl CommandStream for Gate {
    fn next(&mut self, _: &Watch) -> Result<Option<Vec<u8>>, ResultCode> {
        let _ = self.waiting.send(());
        let _ = self.open.recv();
        Ok(None)
    }

    fn send(&mut self, _: &[u8], _: &Watch) -> Result<(), ResultCode> {
        Ok(())
    }
}

#[test]
fn a_command_is_refused_cleanly_if_its_application_is_replaced_meanwhile() {
    let world = World::new();
    world.domain("acme", |_| {});
    // Waits for input; command 1 then stores something, command 2 reads, command 3 does neither.
    let waits = "(drop (call $input (i32.const 0) (i32.const 1)))
        (if (i32.eq (local.get $command) (i32.const 1)) (then
            (return (call $write (i32.const 0) (i32.const 100) (i32.const 1)
                (i32.const 0) (i32.const 1)))))
        (if (i32.eq (local.get $command) (i32.const 2)) (then
            (return (call $answer
                (call $read (i32.const 0) (i32.const 100) (i32.const 1))))))
        (i32.const 0)";
    let waits = ta(r#"(data (i32.const 100) "x")"#, waits);
    let busy = Ok(Err(ResultCode::BUSY));
    for (command, expected) in [
        (1, Err(InvocationError::Replaced)),
        (2, busy),
        (3, Ok(Ok(Vec::new()))),
    ] {
        world.install("acme", "acme/ta", 1, &waits);
        let session = world.open("acme/ta").unwrap();
        let (waiting, is_waiting) = mpsc::channel();
        let (go_on, open) = mpsc::channel();
        thread::scope(|scope| {
            let running = scope.spawn(|| {
                let input = Input::Streamed(Box::new(Gate { waiting, open }));
                let outcome = world.applications.invoke(session, command, input);
                outcome.map(|outcome| outcome.map(|output| output.to_vec()))
            });
            is_waiting.recv().unwrap();
            world.install("acme", "acme/ta", 2, &ta("", NOTHING));
            go_on.send(()).unwrap();
            assert_eq!(running.join().unwrap(), expected, "command {command}");
        });
        assert_eq!(world.object("acme", "acme/ta", "x"), None);
        let gone = world.invoke_in(session, 1, b"");
        assert_eq!(gone, Err(InvocationError::NoSession));
    }
}

#[test]
fn a_command_that_goes_on_after_its_application_was_replaced_ends() {
    let world = World::new();
    world.domain("acme", |domain| domain.quota.fuel = u64::MAX);
    let endless = "(drop (call $input (i32.const 0) (i32.const 1)))
        (loop $l (br $l)) (unreachable)";
    world.install("acme", "acme/ta", 1, &ta("", endless));
    let session = world.open("acme/ta").unwrap();
    let (waiting, is_waiting) = mpsc::channel();
    let (go_on, open) = mpsc::channel();
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            let input = Input::Streamed(Box::new(Gate { waiting, open }));
            world.applications.invoke(session, 1, input).map(drop)
        });
        is_waiting.recv().unwrap();
        world.install("acme", "acme/ta", 2, &ta("", NOTHING));
        go_on.send(()).unwrap();
        assert_eq!(running.join().unwrap(), Err(InvocationError::Replaced));
    });
    assert!(world.open("acme/ta").is_ok());
}

#[test]
fn who_waits_for_a_turn_waits_no_longer_than_a_command_may_take() {
    let world = World::new();
    world.domain("acme", |domain| domain.quota.time_ms = 300);
    let endless = "(drop (call $input (i32.const 0) (i32.const 1))) (i32.const 0)";
    world.install("acme", "acme/ta", 1, &ta("", endless));
    let sessions = [
        world.open("acme/ta").unwrap(),
        world.open("acme/ta").unwrap(),
    ];
    let (waiting, is_waiting) = mpsc::channel();
    let (go_on, open) = mpsc::channel();
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            let input = Input::Streamed(Box::new(Gate { waiting, open }));
            world.applications.invoke(sessions[0], 1, input).map(drop)
        });
        is_waiting.recv().unwrap();
        let busy = Ok(Err(ResultCode::BUSY));
        assert_eq!(world.invoke_in(sessions[1], 1, b""), busy);
        let refused = world.open("acme/ta");
        assert_eq!(refused, Err(InvocationError::Refused(ResultCode::BUSY)));
        go_on.send(()).unwrap();
        running.join().unwrap().unwrap();
    });
}

#[test]
fn a_session_can_be_cancelled_from_elsewhere() {
    let world = World::new();
    world.domain("acme", |domain| domain.quota.fuel = u64::MAX);
    world.install(
        "acme",
        "acme/ta",
        1,
        &ta("", "(loop $l (br $l)) (unreachable)"),
    );
    let session = world.open("acme/ta").unwrap();
    thread::scope(|scope| {
        let running = scope.spawn(|| world.invoke_in(session, 1, b""));
        // Again and again, as the command may not have begun.
        while !running.is_finished() {
            let _ = world.applications.cancel(session);
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(running.join().unwrap(), Ok(Err(ResultCode::CANCEL)));
    });
    let unknown = world.applications.cancel(session ^ 1);
    assert_eq!(unknown, Err(InvocationError::NoSession));
}

#[test]
fn time_runs_out_as_the_domain_says() {
    let world = World::new();
    world.domain("acme", |domain| {
        domain.quota.fuel = u64::MAX;
        domain.quota.time_ms = 20;
    });
    world.install(
        "acme",
        "acme/ta",
        1,
        &ta("", "(loop $l (br $l)) (unreachable)"),
    );
    let session = world.open("acme/ta").unwrap();
    let dead = world.invoke_in(session, 1, b"");
    assert_eq!(dead, Ok(Err(ResultCode::TARGET_DEAD)));
    let gone = world.invoke_in(session, 1, b"");
    assert_eq!(gone, Err(InvocationError::NoSession));
}

#[test]
fn the_sessions_of_one_domain_leave_room_for_others() {
    let world = World::new();
    for name in ["greedy", "modest"] {
        world.domain(name, |domain| domain.quota.sessions = 3);
        world.install(name, &format!("{name}/ta"), 1, &ta("", NOTHING));
    }
    let sessions: Vec<u64> = (0..3).map(|_| world.open("greedy/ta").unwrap()).collect();
    let full = Err(InvocationError::TooManySessions { quota: 3 });
    assert_eq!(world.open("greedy/ta"), full);
    assert!(world.open("modest/ta").is_ok());
    world.applications.close(sessions[0]).unwrap();
    assert!(world.open("greedy/ta").is_ok());
}

#[test]
fn the_last_places_are_for_domains_without_a_session() {
    let world = World::new();
    let greedy: Vec<String> = (0..5).map(|number| format!("greedy{number}")).collect();
    let modest = ["modest", "shy", "late"];
    for name in greedy.iter().map(String::as_str).chain(modest) {
        world.domain(name, |_| {});
        world.install(name, &format!("{name}/ta"), 1, &ta("", NOTHING));
    }
    // A sub-domain has no place beside that of its domain.
    world.domain("greedy0/below", |domain| {
        domain.prefix = id("greedy0/below");
        domain.quota = Quota {
            bytes: 100_000,
            applications: 1,
            objects: 1,
            sessions: 1,
            ..domain.quota
        };
    });
    world.install("greedy0/below", "greedy0/below/ta", 1, &ta("", NOTHING));
    let mut sessions = Vec::new();
    for name in &greedy {
        while let Ok(session) = world.open(&format!("{name}/ta")) {
            sessions.push(session);
        }
    }
    assert_eq!(sessions.len(), 64 - modest.len());
    assert!(world.open("greedy0/below/ta").is_err());
    for name in modest {
        assert!(world.open(&format!("{name}/ta")).is_ok(), "{name}");
        assert!(world.open(&format!("{name}/ta")).is_err(), "{name}");
        assert!(world.open("greedy1/ta").is_err());
    }
}

#[test]
fn what_was_removed_can_t_be_opened() {
    let world = World::new();
    world.domain("acme", |_| {});
    world.install("acme", "acme/ta", 1, &ta("", NOTHING));
    let session = world.open("acme/ta").unwrap();
    let mut transaction = world.store.begin().unwrap();
    use tamarack_agent::state::{ComponentRecord, Record};
    let key = id("acme/ta").to_cbor();
    ComponentRecord::delete(&mut *transaction, &key).unwrap();
    transaction.commit().unwrap();
    world.applications.retire(&id("acme/ta"));
    let gone = Err(InvocationError::NotInstalled(id("acme/ta")));
    assert_eq!(world.open("acme/ta"), gone);
    let ended = world.invoke_in(session, 1, b"");
    assert_eq!(ended, Err(InvocationError::NoSession));
}
