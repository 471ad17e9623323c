//! The imports as safe functions: a slice becomes an address and a length, an answer a [`Result`].

use alloc::{vec, vec::Vec};

use super::import;
use crate::{ResultCode, interface::Answer};

/// Calls an import. What is in brackets is a slice, which becomes its address and its length.
///
/// The TEE reads the slices during the call, and writes into none of them.
macro_rules! call {
    (@ $name:ident ($($done:expr),*)) => {
        // SAFETY: the addresses and lengths are those of slices that are borrowed until the call returns.
        unsafe { import::$name($($done),*) }
    };
    (@ $name:ident ($($done:expr),*) [$slice:expr] $(, $($rest:tt)*)?) => {
        call!(@ $name ($($done,)* $slice.as_ptr(), $slice.len()) $($($rest)*)?)
    };
    (@ $name:ident ($($done:expr),*) $plain:expr $(, $($rest:tt)*)?) => {
        call!(@ $name ($($done,)* $plain) $($($rest)*)?)
    };
    ($name:ident: $($arguments:tt)*) => {
        call!(@ $name () $($arguments)*)
    };
}

/// What an import answers that lays nothing on the tray.
fn done(code: u32) -> Result<(), ResultCode> {
    ResultCode(code).into_result()
}

/// Takes `len` bytes from the tray.
pub(super) fn take(len: usize) -> Result<Vec<u8>, ResultCode> {
    let mut bytes = vec![0; len];
    // SAFETY: the TEE writes exactly `len` bytes, which `bytes` owns.
    done(unsafe { import::take(bytes.as_mut_ptr(), len) })?;
    Ok(bytes)
}

fn number(answer: u64) -> Result<usize, ResultCode> {
    let answer = Answer::from_bits(answer);
    answer.code.into_result()?;
    // `usize` is 32 bits wide here; a length that does not fit would be the TEE's mistake.
    usize::try_from(answer.len).map_err(|_| ResultCode::GENERIC)
}

/// Takes what a service laid on the tray.
fn fetch(answer: u64) -> Result<Vec<u8>, ResultCode> {
    take(number(answer)?)
}

pub(super) fn set_output(bytes: &[u8]) -> Result<(), ResultCode> {
    done(call!(output: [bytes]))
}

pub(crate) fn input_read(out: &mut [u8]) -> Result<usize, ResultCode> {
    // SAFETY: the TEE writes inside the slice during the call.
    number(unsafe { import::input_read(out.as_mut_ptr(), out.len()) })
}

pub(crate) fn output_write(bytes: &[u8]) -> Result<(), ResultCode> {
    done(call!(output_write: [bytes]))
}

pub(crate) fn client() -> Result<Vec<u8>, ResultCode> {
    fetch(import::client())
}

pub(crate) fn cancelled() -> bool {
    import::cancelled() != 0
}

pub(crate) fn commit() -> Result<(), ResultCode> {
    done(import::commit())
}

pub(crate) fn object_create(storage: u32, name: &str, data: &[u8]) -> Result<(), ResultCode> {
    done(call!(object_create: storage, [name], [data]))
}

pub(crate) fn object_size(storage: u32, name: &str) -> Result<u64, ResultCode> {
    let answer = Answer::from_bits(call!(object_size: storage, [name]));
    answer.code.into_result()?;
    Ok(answer.len.into())
}

pub(crate) fn object_read(storage: u32, name: &str) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(object_read: storage, [name]))
}

pub(crate) fn object_read_at(
    storage: u32,
    name: &str,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(object_read_at: storage, [name], offset, len))
}

pub(crate) fn object_write(storage: u32, name: &str, data: &[u8]) -> Result<(), ResultCode> {
    done(call!(object_write: storage, [name], [data]))
}

pub(crate) fn object_write_at(
    storage: u32,
    name: &str,
    offset: u64,
    data: &[u8],
) -> Result<(), ResultCode> {
    done(call!(object_write_at: storage, [name], offset, [data]))
}

pub(crate) fn object_truncate(storage: u32, name: &str, size: u64) -> Result<(), ResultCode> {
    done(call!(object_truncate: storage, [name], size))
}

pub(crate) fn object_rename(storage: u32, name: &str, new: &str) -> Result<(), ResultCode> {
    done(call!(object_rename: storage, [name], [new]))
}

pub(crate) fn object_delete(storage: u32, name: &str) -> Result<(), ResultCode> {
    done(call!(object_delete: storage, [name]))
}

pub(crate) fn object_list(storage: u32) -> Result<Vec<u8>, ResultCode> {
    fetch(import::object_list(storage))
}

pub(crate) fn personalization_read(name: &str) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(personalization_read: [name]))
}

pub(crate) fn personalization_list() -> Result<Vec<u8>, ResultCode> {
    fetch(import::personalization_list())
}

pub(crate) fn key_generate(name: &str, algorithm: i32) -> Result<(), ResultCode> {
    done(call!(key_generate: [name], algorithm))
}

pub(crate) fn key_derive(name: &str, algorithm: i32, info: &[u8]) -> Result<(), ResultCode> {
    done(call!(key_derive: [name], algorithm, [info]))
}

pub(crate) fn key_agree(
    name: &str,
    algorithm: i32,
    own: &str,
    peer: &[u8],
    info: &[u8],
) -> Result<(), ResultCode> {
    done(call!(key_agree: [name], algorithm, [own], [peer], [info]))
}

pub(crate) fn key_import(name: &str, personalization: &str) -> Result<(), ResultCode> {
    done(call!(key_import: [name], [personalization]))
}

pub(crate) fn key_public(name: &str) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(key_public: [name]))
}

pub(crate) fn key_sign(name: &str, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(key_sign: [name], [data]))
}

pub(crate) fn key_verify(name: &str, data: &[u8], signature: &[u8]) -> Result<(), ResultCode> {
    done(call!(key_verify: [name], [data], [signature]))
}

pub(crate) fn key_mac(name: &str, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(key_mac: [name], [data]))
}

pub(crate) fn key_mac_verify(name: &str, data: &[u8], mac: &[u8]) -> Result<(), ResultCode> {
    done(call!(key_mac_verify: [name], [data], [mac]))
}

pub(crate) fn key_seal(name: &str, associated: &[u8], data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(key_seal: [name], [associated], [data]))
}

pub(crate) fn key_open(name: &str, associated: &[u8], data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(key_open: [name], [associated], [data]))
}

pub(crate) fn key_delete(name: &str) -> Result<(), ResultCode> {
    done(call!(key_delete: [name]))
}

pub(crate) fn key_list() -> Result<Vec<u8>, ResultCode> {
    fetch(import::key_list())
}

pub(crate) fn verify(key: &[u8], data: &[u8], signature: &[u8]) -> Result<(), ResultCode> {
    done(call!(verify: [key], [data], [signature]))
}

pub(crate) fn digest(algorithm: i32, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(digest: algorithm, [data]))
}

pub(crate) fn attest(nonce: &[u8], key: &str) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(attest: [nonce], [key]))
}

pub(crate) fn call(service: &str, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
    fetch(call!(call: [service], command, [input]))
}

pub(crate) fn random(out: &mut [u8]) {
    // SAFETY: the TEE writes inside the slice during the call.
    unsafe { import::random(out.as_mut_ptr(), out.len()) }
}

pub(crate) fn time() -> u64 {
    import::time()
}

pub(crate) fn time_system() -> u64 {
    import::time_system()
}

pub(crate) fn time_persistent() -> Result<Vec<u8>, ResultCode> {
    fetch(import::time_persistent())
}

pub(crate) fn time_persistent_set(seconds: u64) -> Result<(), ResultCode> {
    done(import::time_persistent_set(seconds))
}

pub(crate) fn log(text: &str) {
    call!(log: [text]);
}
