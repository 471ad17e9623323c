use tamarack_ta::ResultCode;

use super::*;
use crate::runtime::Death;

const TAKE: &str = r#"(import "tee" "take" (func $take (param i32 i32) (result i32)))"#;
const OUTPUT: &str = r#"(import "tee" "output" (func $output (param i32 i32) (result i32)))"#;
const LOG: &str = r#"(import "tee" "log" (func $log (param i32 i32)))"#;
const RANDOM: &str = r#"(import "tee" "random" (func $random (param i32 i32)))"#;
const READ: &str = r#"(import "tee" "object_read" (func $read (param i32 i32 i32) (result i64)))"#;
const WRITE: &str =
    r#"(import "tee" "object_write" (func $write (param i32 i32 i32 i32 i32) (result i32)))"#;
const GENERATE: &str =
    r#"(import "tee" "key_generate" (func $generate (param i32 i32 i32) (result i32)))"#;

fn small() -> Quota {
    Quota {
        memory_bytes: 4 << 16,
        output_bytes: 100,
        ..Quota::default()
    }
}

/// Invokes and expects the session to die of it.
fn dies(imports: &str, body: &str) -> Death {
    let mut session = session(imports, body, &small());
    assert_eq!(invoke(&mut session, 1, b""), Err(ResultCode::TARGET_DEAD));
    assert_eq!(
        invoke(&mut session, 1, b""),
        Err(ResultCode::TARGET_DEAD),
        "and stays dead"
    );
    session.death().unwrap().clone()
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    assert_eq!(
        dies("", "(loop $l (br $l)) (unreachable)"),
        Death::OutOfFuel
    );
}

#[test]
fn an_endless_loop_of_services_runs_out_of_fuel() {
    for (import, call) in [
        (LOG, "(call $log (i32.const 0) (i32.const 1))"),
        (RANDOM, "(call $random (i32.const 0) (i32.const 1))"),
        (
            READ,
            "(drop (call $read (i32.const 0) (i32.const 0) (i32.const 1)))",
        ),
        (TAKE, "(drop (call $take (i32.const 0) (i32.const 1)))"),
    ] {
        let body = format!("(loop $l {call} (br $l)) (unreachable)");
        assert_eq!(dies(import, &body), Death::OutOfFuel);
    }
}

#[test]
fn fuel_is_fresh_for_each_call() {
    let body = "(local $i i32) (loop $l
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 50000)))) (i32.const 0)";
    let mut session = session("", body, &small());
    for _ in 0..10 {
        invoke(&mut session, 1, b"").unwrap();
    }
}

#[test]
fn traps_end_the_session() {
    assert!(matches!(dies("", "(unreachable)"), Death::Trap(_)));
    assert!(matches!(
        dies("", "(i32.div_u (i32.const 1) (i32.const 0))"),
        Death::Trap(_)
    ));
    assert!(matches!(
        dies("", "(i32.load (i32.const 0x7fffffff))"),
        Death::Trap(_)
    ));
}

#[test]
fn deep_recursion_ends_the_session() {
    let body = "(call $invoke (local.get $command) (local.get $len)) (i32.const 1) (i32.add)";
    assert!(matches!(dies("", body), Death::Trap(_)));
}

#[test]
fn memory_grows_to_the_quota_and_no_further() {
    // Grows by one page until it fails; answers the pages that it got.
    let body = "(loop $l
        (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size)";
    let mut session = session("", body, &small());
    assert_eq!(invoke(&mut session, 1, b""), Err(ResultCode(4)));
    let huge = "(memory.grow (i32.const 65535))";
    assert_eq!(
        invoke(&mut super::session("", huge, &small()), 1, b""),
        Err(ResultCode(u32::MAX)),
        "refused"
    );
}

#[test]
fn bad_addresses_end_the_session() {
    let memory_end = 1 << 16;
    for (start, len) in [
        (memory_end, 1),
        (memory_end - 1, 2),
        (-1, 1),
        (-1, -1),
        (0, -1),
        (1, -1),
        (0, memory_end + 1),
    ] {
        let at = format!("(i32.const {start}) (i32.const {len})");
        let ok = "(i32.const 0)";
        for (import, call) in [
            (OUTPUT, format!("(call $output {at})")),
            (TAKE, format!("(call $take {at})")),
            (LOG, format!("(call $log {at}) {ok}")),
            (RANDOM, format!("(call $random {at}) {ok}")),
            (READ, format!("(drop (call $read (i32.const 0) {at})) {ok}")),
            (WRITE, format!("(call $write (i32.const 0) {at} {ok} {ok})")),
            (
                WRITE,
                format!("(call $write (i32.const 0) {ok} (i32.const 1) {at})"),
            ),
            (GENERATE, format!("(call $generate {at} (i32.const -9))")),
        ] {
            // A length beyond all fuel is refused for its price already.
            assert!(
                matches!(dies(import, &call), Death::Trap(_) | Death::OutOfFuel),
                "{call}"
            );
        }
    }
}

#[test]
fn bad_names_and_algorithms_are_refused() {
    for (import, call) in [
        (
            WRITE,
            "(call $write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        ),
        (
            WRITE,
            "(call $write (i32.const 0) (i32.const 0) (i32.const 65) (i32.const 0) (i32.const 0))",
        ),
        // The byte at 1024 is 0xFF, no UTF-8.
        (
            WRITE,
            "(i32.store8 (i32.const 1024) (i32.const 0xff))
             (call $write (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 0) (i32.const 0))",
        ),
    ] {
        let mut session = session(import, call, &small());
        assert_eq!(invoke(&mut session, 1, b""), Err(ResultCode::BAD_PARAMETERS));
        assert_eq!(session.death(), None);
    }
    let call = "(call $generate (i32.const 0) (i32.const 1) (i32.const -8))";
    assert_eq!(
        invoke(&mut session(GENERATE, call, &small()), 1, b""),
        Err(ResultCode::NOT_SUPPORTED)
    );
}

#[test]
fn oversized_output_is_refused() {
    let mut session = session(
        OUTPUT,
        "(call $output (i32.const 0) (local.get $command))",
        &small(),
    );
    assert_eq!(invoke(&mut session, 100, b"").unwrap().len(), 100);
    assert_eq!(invoke(&mut session, 101, b""), Err(ResultCode::EXCESS_DATA));
    assert!(invoke(&mut session, 0, b"").unwrap().is_empty());
}

#[test]
fn output_of_a_failed_command_is_not_delivered() {
    let body = "(drop (call $output (i32.const 0) (i32.const 8))) (local.get $command)";
    let mut session = session(OUTPUT, body, &small());
    assert_eq!(invoke(&mut session, 7, b""), Err(ResultCode(7)));
    assert_eq!(**invoke(&mut session, 0, b"").unwrap(), [0; 8]);
}

#[test]
fn oversized_input_is_refused_before_the_ta_sees_it() {
    let quota = Quota {
        input_bytes: 3,
        ..small()
    };
    let mut session = session("", "(unreachable)", &quota);
    assert_eq!(
        invoke(&mut session, 1, b"four"),
        Err(ResultCode::EXCESS_DATA)
    );
    assert_eq!(session.death(), None);
}

#[test]
fn the_tray_is_emptied_once_and_by_its_exact_length() {
    // Takes `command` bytes to address 0 and, if that went well, tries it again.
    let body = "(if (result i32) (call $take (i32.const 0) (local.get $command))
        (then (i32.const 1))
        (else (call $take (i32.const 0) (local.get $command))))";
    let mut session = session(TAKE, body, &small());
    assert_eq!(invoke(&mut session, 2, b"abc"), Err(ResultCode(1)));
    assert_eq!(invoke(&mut session, 4, b"abc"), Err(ResultCode(1)));
    assert_eq!(
        invoke(&mut session, 3, b"abc"),
        Err(ResultCode::BAD_PARAMETERS),
        "the second time"
    );
}

#[test]
fn log_lines_are_few_short_and_clean() {
    let body =
        "(i32.store8 (i32.const 0) (i32.const 10)) (i32.store8 (i32.const 1) (i32.const 0xff))
        (local.set $command (i32.const 100))
        (loop $l (call $log (i32.const 0) (i32.const 1000))
            (local.set $command (i32.sub (local.get $command) (i32.const 1)))
            (br_if $l (local.get $command))) (i32.const 0)";
    let mut session = session(LOG, body, &small());
    let log = logged(|| drop(invoke(&mut session, 1, b"").unwrap()));
    assert_eq!(log.lines().count(), 64);
    for line in log.lines() {
        let (_, text) = line.split_once(" \u{FFFD}").unwrap();
        // The first 256 bytes, of which two are a blank and no UTF-8; and the name of the component.
        assert!(text.starts_with(&"\u{20}".repeat(254)), "{line:?}");
        assert!(text.len() < 254 + 40, "{line:?}");
    }
}

#[test]
fn what_looks_like_a_panic_and_is_none_stays_in_the_log() {
    // `panic`, twice, and a line that holds a line break.
    let texts = r#"(data (i32.const 0) "panic") (data (i32.const 8) "a\0ab")"#;
    let imports = format!("{LOG} {texts}");
    let said = "(call $log (i32.const 0) (i32.const 5)) (call $log (i32.const 0) (i32.const 5))
        (call $log (i32.const 8) (i32.const 3))";
    let alive = format!("{said} (i32.const 0)");
    let mut living = session(&imports, &alive, &small());
    let log = logged(|| drop(invoke(&mut living, 1, b"").unwrap()));
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines.iter().all(|line| line.contains("INFO")), "{log}");
    assert!(lines[2].contains("a b"), "{log}");

    let mut dying = session(&imports, &format!("{said} (unreachable)"), &small());
    let log = logged(|| drop(invoke(&mut dying, 1, b"")));
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("INFO"), "{log}");
    assert!(
        lines[1].contains("WARN") && lines[1].contains("panicked: a b"),
        "{log}"
    );
}

/// Writes one byte under the name at address 0 (`AB`), then answers `command`, or traps for 99.
const WRITE_THEN_ANSWER: &str = "(i32.store16 (i32.const 0) (i32.const 0x4241))
    (drop (call $write (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 0) (i32.const 1)))
    (if (i32.eq (local.get $command) (i32.const 99)) (then (unreachable)))
    (local.get $command)";

#[test]
fn only_success_changes_anything() {
    let home = Home::new();
    let module = load_text(&module_text(WRITE, WRITE_THEN_ANSWER), &small()).unwrap();
    let mut session = home.open(&module).unwrap();
    assert_eq!(invoke(&mut session, 5, b""), Err(ResultCode(5)));
    assert_eq!(home.object("AB"), None, "undone after an error");
    assert_eq!(invoke(&mut session, 99, b""), Err(ResultCode::TARGET_DEAD));
    assert_eq!(home.object("AB"), None, "undone after a trap");
    let mut session = home.open(&module).unwrap();
    invoke(&mut session, 0, b"").unwrap();
    assert_eq!(home.object("AB").unwrap(), b"A");
}

#[test]
fn a_commit_that_fails_ends_the_session() {
    let home = Home::new();
    let module = load_text(&module_text(WRITE, WRITE_THEN_ANSWER), &small()).unwrap();
    let mut session = home.open(&module).unwrap();
    home.uninstall();
    assert_eq!(invoke(&mut session, 0, b""), Err(ResultCode::BUSY));
    assert_eq!(
        session.death(),
        Some(&Death::Commit(ResultCode::BUSY)),
        "what it remembers is not what is stored"
    );
    assert_eq!(home.object("AB"), None);
}

#[test]
fn a_ta_that_does_not_open_is_not_opened() {
    let text = module_text("", "(i32.const 0)");
    let home = Home::new();
    for (entry, code) in [("tee_create\")", 3), ("tee_open_session\") (param i32)", 4)] {
        let text = text.replace(
            &format!("{entry} (result i32) (i32.const 0)"),
            &format!("{entry} (result i32) (i32.const {code})"),
        );
        let opened = home.open(&load_text(&text, &small()).unwrap());
        assert_eq!(opened.err(), Some(ResultCode(code)));
    }
}
