//! Trusted Applications in the text format of WebAssembly.

/// An application with these imports and functions beside what every one has. Its `$invoke` is given the command and the
/// length of the input, and answers the result code; `$copy` is there to copy streamed input to streamed output, 16 KiB
/// at a time.
#[must_use]
pub fn application(imports: &str, functions: &str) -> String {
    format!(
        r#"(module
    {imports}
    (import "tee" "input_read" (func $read (param i32 i32) (result i64)))
    (import "tee" "output_write" (func $write (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $copy (result i32)
        (local $answer i64) (local $code i32)
        (loop $next
            (local.set $answer (call $read (i32.const 0) (i32.const 16384)))
            (local.set $code (i32.wrap_i64 (i64.shr_u (local.get $answer) (i64.const 32))))
            (if (local.get $code) (then (return (local.get $code))))
            (if (i32.eqz (i32.wrap_i64 (local.get $answer))) (then (return (i32.const 0))))
            (local.set $code (call $write (i32.const 0) (i32.wrap_i64 (local.get $answer))))
            (if (local.get $code) (then (return (local.get $code))))
            (br $next))
        (unreachable))
    {functions}
    (func (export "tee_abi_v1"))
    (func (export "tee_create") (result i32) (i32.const 0))
    (func (export "tee_open_session") (param i32) (result i32) (i32.const 0))
    (export "tee_invoke_command" (func $invoke))
    (func (export "tee_close_session"))
    (func (export "tee_destroy")))"#
    )
}
