//! Time, cancellation and streams.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use tamarack_ta::ResultCode;

use super::{home::little, *};
use crate::runtime::{Allowance, Cancellation, CommandStream, Death, Watch};

const CANCELLED: &str = r#"(import "tee" "cancelled" (func $cancelled (result i32)))"#;
const STREAMS: &str = r#"
    (import "tee" "input_read" (func $read (param i32 i32) (result i64)))
    (import "tee" "output_write" (func $write (param i32 i32) (result i32)))"#;

const FOR_EVER: &str = "(loop $l (br $l)) (unreachable)";

fn run(session: &mut Session, allowance: &mut Allowance) -> Result<Vec<u8>, ResultCode> {
    let output = session.invoke(1, Input::Whole(b""), allowance);
    output.map(|output| output.to_vec())
}

fn endless_fuel(time: Duration) -> Allowance {
    Allowance::new(u64::MAX, Watch::new(time, Cancellation::default()))
}

#[test]
fn a_command_that_takes_too_long_ends() {
    let mut session = session("", FOR_EVER, &Quota::default());
    let mut allowance = endless_fuel(Duration::from_millis(30));
    assert_eq!(
        run(&mut session, &mut allowance),
        Err(ResultCode::TARGET_DEAD)
    );
    assert_eq!(session.death(), Some(&Death::OutOfTime));
    assert!(allowance.fuel > 0);
}

#[test]
fn a_command_that_does_not_heed_its_cancellation_ends() {
    let mut session = session("", FOR_EVER, &Quota::default());
    let cancellation = Cancellation::default();
    let watch = Watch::new(Duration::from_secs(600), cancellation.clone());
    let mut allowance = Allowance::new(u64::MAX, watch);
    let running = thread::spawn(move || {
        let outcome = run(&mut session, &mut allowance);
        (outcome, session.death().cloned())
    });
    cancellation.request();
    let (outcome, death) = running.join().unwrap();
    assert_eq!(outcome, Err(ResultCode::CANCEL));
    assert_eq!(death, Some(Death::Cancelled));
}

#[test]
fn a_command_that_heeds_its_cancellation_lives_on() {
    let body = "(loop $l (br_if $l (i32.eqz (call $cancelled)))) (i32.const 0xFFFF0002)";
    let mut session = session(CANCELLED, body, &Quota::default());
    let cancellation = Cancellation::default();
    let watch = Watch::new(Duration::from_secs(600), cancellation.clone());
    let mut allowance = Allowance::new(u64::MAX, watch);
    cancellation.request();
    assert_eq!(run(&mut session, &mut allowance), Err(ResultCode::CANCEL));
    assert_eq!(session.death(), None);
}

#[test]
fn fuel_that_is_left_is_told() {
    let mut session = session("", "(i32.const 0)", &Quota::default());
    let mut allowance = little();
    let before = allowance.fuel;
    run(&mut session, &mut allowance).unwrap();
    assert!(allowance.fuel < before && allowance.fuel > before - 1000);
}

/// Pieces that come through a channel, and one to send what goes out.
struct Channels {
    input: Receiver<Result<Option<Vec<u8>>, ResultCode>>,
    output: Sender<Vec<u8>>,
}

impl CommandStream for Channels {
    fn next(&mut self, _: &Watch) -> Result<Option<Vec<u8>>, ResultCode> {
        self.input.recv().unwrap_or(Err(ResultCode::CANCEL))
    }

    fn send(&mut self, bytes: &[u8], _: &Watch) -> Result<(), ResultCode> {
        self.output
            .send(bytes.to_vec())
            .map_err(|_| ResultCode::CANCEL)
    }
}

/// Copies the input to the output, four bytes at a time, and answers the code that ends it.
const COPY: &str = "(local $answer i64)
    (loop $l
        (local.set $answer (call $read (i32.const 0) (i32.const 4)))
        (local.set $len (i32.wrap_i64 (local.get $answer)))
        (if (local.get $len) (then
            (drop (call $write (i32.const 0) (local.get $len)))
            (br $l))))
    (i32.wrap_i64 (i64.shr_u (local.get $answer) (i64.const 32)))";

fn streamed(pieces: Vec<Result<Option<Vec<u8>>, ResultCode>>) -> (Result<(), ResultCode>, Vec<u8>) {
    let (send_input, input) = channel();
    let (output, received) = channel();
    for piece in pieces {
        send_input.send(piece).unwrap();
    }
    drop(send_input);
    let mut session = session(STREAMS, COPY, &Quota::default());
    let input = Input::Streamed(Box::new(Channels { input, output }));
    let outcome = session.invoke(1, input, &mut plenty());
    (outcome.map(drop), received.iter().flatten().collect())
}

#[test]
fn streams_pass_through_in_pieces_of_any_size() {
    let pieces = [&b"on"[..], b"e, two, th", b"ree"].map(|piece| Ok(Some(piece.to_vec())));
    let (outcome, output) = streamed(pieces.into_iter().chain([Ok(None)]).collect());
    assert_eq!(outcome, Ok(()));
    assert_eq!(output, b"one, two, three");
}

#[test]
fn a_stream_that_breaks_off_is_told() {
    let (outcome, output) = streamed(vec![Ok(Some(b"half".to_vec()))]);
    assert_eq!(outcome, Err(ResultCode::CANCEL));
    assert_eq!(output, b"half", "what went out can't be taken back");
}

#[test]
fn without_a_stream_there_is_no_more_input_and_output_collects() {
    let body = "(drop (call $write (i32.const 0) (i32.const 3)))
        (drop (call $write (i32.const 0) (i32.const 2)))
        (i32.wrap_i64 (call $read (i32.const 0) (i32.const 4)))";
    let quota = Quota {
        output_bytes: 5,
        ..Quota::default()
    };
    let mut session = session(STREAMS, body, &quota);
    assert_eq!(run(&mut session, &mut little()).unwrap(), [0; 5]);
    let too_long = "(call $write (i32.const 0) (i32.const 6))";
    let mut session = super::session(STREAMS, too_long, &quota);
    assert_eq!(
        run(&mut session, &mut little()),
        Err(ResultCode::EXCESS_DATA)
    );
}

#[test]
fn the_death_of_a_session_is_the_tee_s_word() {
    let mut session = session("", "(i32.const 0xFFFF3024)", &Quota::default());
    assert_eq!(run(&mut session, &mut little()), Err(ResultCode::GENERIC));
    assert_eq!(session.death(), None);
}

#[test]
fn log_lines_are_those_of_the_whole_call() {
    let log = r#"(import "tee" "log" (func $log (param i32 i32)))"#;
    let mut session = session(
        log,
        "(call $log (i32.const 0) (i32.const 1)) (i32.const 0)",
        &Quota::default(),
    );
    let mut allowance = plenty();
    let before = allowance.log_lines;
    let written = logged(|| drop(run(&mut session, &mut allowance).unwrap()));
    assert_eq!(written.lines().count(), 1);
    assert_eq!(allowance.log_lines, before - 1);
    allowance.log_lines = 0;
    let written = logged(|| drop(run(&mut session, &mut allowance).unwrap()));
    assert_eq!(written, "");
}
