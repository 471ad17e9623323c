//! Sessions, updates while they are open, and migration.

use std::{thread, time::Duration};

use tamarack_agent::platform::Storage;
use tamarack_ta::ResultCode;

use super::world::{World, id, ta, with_exports};
use crate::applications::InvocationError;

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

#[test]
fn a_command_is_refused_cleanly_if_its_application_is_replaced_meanwhile() {
    let world = World::new();
    world.domain("acme", |_| {});
    // Command 1 takes a while before it stores something; command 2 takes as long and stores nothing.
    let slow = "(local $i i32)
        (loop $l
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 100000000))))
        (if (i32.eq (local.get $command) (i32.const 1)) (then
            (drop (call $write (i32.const 0) (i32.const 100) (i32.const 1)
                (i32.const 0) (i32.const 1)))))
        (i32.const 0)";
    let slow = ta(r#"(data (i32.const 100) "x")"#, slow);
    world.install("acme", "acme/ta", 1, &slow);
    for (command, expected) in [(1, Err(InvocationError::Replaced)), (2, Ok(Ok(Vec::new())))] {
        let session = world.open("acme/ta").unwrap();
        thread::scope(|scope| {
            let running = scope.spawn(|| world.invoke_in(session, command, b""));
            thread::sleep(Duration::from_millis(20));
            assert!(!running.is_finished(), "it is still running");
            world.install("acme", "acme/ta", 2, &ta("", NOTHING));
            assert_eq!(running.join().unwrap(), expected);
        });
        assert_eq!(world.object("acme", "acme/ta", "x"), None);
        let gone = world.invoke_in(session, 1, b"");
        assert_eq!(gone, Err(InvocationError::NoSession));
        world.install("acme", "acme/ta", 3, &slow);
    }
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
