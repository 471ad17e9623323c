//! A Trusted Application that does at length what it is told to: the one that the broker may play with.

use tamarack_tests::wat::application;

/// Runs until the TEE ends it.
pub(crate) const SPIN: u32 = 1;
/// Copies its streamed input to its streamed output.
pub(crate) const COPY: u32 = 2;
/// Sends output until the TEE ends it.
pub(crate) const POUR: u32 = 3;
/// Answers who opened the session, as the TEE says.
pub(crate) const WHO: u32 = 4;
/// Does nothing.
pub(crate) const NOTHING: u32 = 5;

/// Its code.
pub(crate) fn code() -> Vec<u8> {
    wat::parse_str(application(IMPORTS, FUNCTIONS)).unwrap()
}

const IMPORTS: &str = r#"
    (import "tee" "take" (func $take (param i32 i32) (result i32)))
    (import "tee" "output" (func $output (param i32 i32) (result i32)))
    (import "tee" "client" (func $client (result i64)))"#;

const FUNCTIONS: &str = "
    (func $pour (result i32)
        (local $code i32)
        (loop $next
            (local.set $code (call $write (i32.const 0) (i32.const 65536)))
            (br_if $next (i32.eqz (local.get $code))))
        (local.get $code))
    (func $who (result i32)
        (local $answer i64)
        (local.set $answer (call $client))
        (drop (call $take (i32.const 0) (i32.wrap_i64 (local.get $answer))))
        (call $output (i32.const 0) (i32.wrap_i64 (local.get $answer))))
    (func $invoke (param $command i32) (param i32) (result i32)
        (if (i32.eq (local.get $command) (i32.const 1)) (then (loop $for_ever (br $for_ever))))
        (if (i32.eq (local.get $command) (i32.const 2)) (then (return (call $copy))))
        (if (i32.eq (local.get $command) (i32.const 3)) (then (return (call $pour))))
        (if (i32.eq (local.get $command) (i32.const 4)) (then (return (call $who))))
        (if (i32.eq (local.get $command) (i32.const 5)) (then (return (i32.const 0))))
        (i32.const 0xFFFF000A))";
