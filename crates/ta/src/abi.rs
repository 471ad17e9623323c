//! The boundary of WebAssembly: the imports of the TEE, and the instance behind the exports.
//!
//! All `unsafe` code of the SDK is here. It is needed for two things that WebAssembly's boundary can't say
//! in Rust's types: an import takes the address of a slice as a number, and the exported functions share
//! one instance that lives between calls.

#![expect(
    unsafe_code,
    reason = "addresses cross the import boundary; see the module's documentation"
)]

use alloc::{vec, vec::Vec};
use core::cell::UnsafeCell;

use crate::{ResultCode, TrustedApplication, interface::Answer};

mod import {
    // Addresses and lengths are 32 bits wide on this target, as `interface` states them.
    #[link(wasm_import_module = "tee")]
    unsafe extern "C" {
        pub(super) fn take(to: *mut u8, len: usize) -> u32;
        pub(super) fn output(from: *const u8, len: usize) -> u32;
        pub(super) fn object_read(name: *const u8, name_len: usize) -> u64;
        pub(super) fn object_write(
            name: *const u8,
            name_len: usize,
            data: *const u8,
            data_len: usize,
        ) -> u32;
        pub(super) fn object_delete(name: *const u8, name_len: usize) -> u32;
        pub(super) safe fn object_list() -> u64;
        pub(super) fn personalization_read(name: *const u8, name_len: usize) -> u64;
        pub(super) fn key_generate(name: *const u8, name_len: usize, algorithm: i32) -> u32;
        pub(super) fn key_public(name: *const u8, name_len: usize) -> u64;
        pub(super) fn key_sign(
            name: *const u8,
            name_len: usize,
            data: *const u8,
            data_len: usize,
        ) -> u64;
        pub(super) fn key_delete(name: *const u8, name_len: usize) -> u32;
        pub(super) fn random(to: *mut u8, len: usize);
        pub(super) safe fn time() -> u64;
        pub(super) fn log(text: *const u8, len: usize);
    }
}

/// Takes `len` bytes from the tray.
fn take(len: usize) -> Result<Vec<u8>, ResultCode> {
    let mut bytes = vec![0; len];
    // SAFETY: the TEE writes exactly `len` bytes, which `bytes` owns.
    let code = unsafe { import::take(bytes.as_mut_ptr(), len) };
    ResultCode(code).into_result()?;
    Ok(bytes)
}

/// Takes what a service laid on the tray.
fn fetch(answer: u64) -> Result<Vec<u8>, ResultCode> {
    let answer = Answer::from_bits(answer);
    answer.code.into_result()?;
    // `usize` is 32 bits wide here; a length that does not fit would be the TEE's mistake.
    take(usize::try_from(answer.len).map_err(|_| ResultCode::GENERIC)?)
}

pub(crate) fn object_read(name: &str) -> Result<Vec<u8>, ResultCode> {
    // SAFETY: the TEE reads the slice during the call, here and below.
    fetch(unsafe { import::object_read(name.as_ptr(), name.len()) })
}

pub(crate) fn object_write(name: &str, data: &[u8]) -> Result<(), ResultCode> {
    // SAFETY: as above.
    ResultCode(unsafe {
        import::object_write(name.as_ptr(), name.len(), data.as_ptr(), data.len())
    })
    .into_result()
}

pub(crate) fn object_delete(name: &str) -> Result<(), ResultCode> {
    // SAFETY: as above.
    ResultCode(unsafe { import::object_delete(name.as_ptr(), name.len()) }).into_result()
}

pub(crate) fn object_list() -> Result<Vec<u8>, ResultCode> {
    fetch(import::object_list())
}

pub(crate) fn personalization_read(name: &str) -> Result<Vec<u8>, ResultCode> {
    // SAFETY: as above.
    fetch(unsafe { import::personalization_read(name.as_ptr(), name.len()) })
}

pub(crate) fn key_generate(name: &str, algorithm: i32) -> Result<(), ResultCode> {
    // SAFETY: as above.
    ResultCode(unsafe { import::key_generate(name.as_ptr(), name.len(), algorithm) }).into_result()
}

pub(crate) fn key_public(name: &str) -> Result<Vec<u8>, ResultCode> {
    // SAFETY: as above.
    fetch(unsafe { import::key_public(name.as_ptr(), name.len()) })
}

pub(crate) fn key_sign(name: &str, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    // SAFETY: as above.
    fetch(unsafe { import::key_sign(name.as_ptr(), name.len(), data.as_ptr(), data.len()) })
}

pub(crate) fn key_delete(name: &str) -> Result<(), ResultCode> {
    // SAFETY: as above.
    ResultCode(unsafe { import::key_delete(name.as_ptr(), name.len()) }).into_result()
}

pub(crate) fn random(out: &mut [u8]) {
    // SAFETY: the TEE writes inside the slice during the call.
    unsafe { import::random(out.as_mut_ptr(), out.len()) }
}

pub(crate) fn time() -> u64 {
    import::time()
}

pub(crate) fn log(text: &str) {
    // SAFETY: as above.
    unsafe { import::log(text.as_ptr(), text.len()) }
}

/// The one instance of the TA in this WebAssembly instance, for the functions that [`export!`](crate::export) makes.
pub struct Instance<T>(UnsafeCell<Option<T>>);

// SAFETY: the target has no threads, and the TEE does not call an export while another one runs, so the
// cell is never reached twice at a time. Should a TEE break that rule, it harms only what it rules anyway.
unsafe impl<T> Sync for Instance<T> {}

impl<T: TrustedApplication> Instance<T> {
    /// No instance yet.
    #[expect(clippy::new_without_default, reason = "only ever a static")]
    pub const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    #[expect(
        clippy::mut_from_ref,
        reason = "the rule of the Sync implementation makes it exclusive"
    )]
    fn slot(&self) -> &mut Option<T> {
        // SAFETY: see the Sync implementation; no method keeps the reference beyond its return.
        unsafe { &mut *self.0.get() }
    }

    /// `tee_create`.
    pub fn create(&self) -> u32 {
        let created = T::create();
        let code = ResultCode::of(&created);
        *self.slot() = created.ok();
        code.0
    }

    /// `tee_open_session`.
    pub fn open_session(&self, input_len: usize) -> u32 {
        let opened = self.with_input(input_len, |application, input| {
            application.open_session(input)
        });
        ResultCode::of(&opened).0
    }

    /// `tee_invoke_command`.
    pub fn invoke_command(&self, command: u32, input_len: usize) -> u32 {
        let done = self
            .with_input(input_len, |application, input| {
                application.invoke_command(command, input)
            })
            .and_then(|output| {
                // SAFETY: the TEE reads the slice during the call.
                ResultCode(unsafe { import::output(output.as_ptr(), output.len()) }).into_result()
            });
        ResultCode::of(&done).0
    }

    /// `tee_close_session`.
    pub fn close_session(&self) {
        if let Some(application) = self.slot() {
            application.close_session();
        }
    }

    /// `tee_destroy`.
    pub fn destroy(&self) {
        if let Some(application) = self.slot().take() {
            application.destroy();
        }
    }

    fn with_input<R>(
        &self,
        input_len: usize,
        call: impl FnOnce(&mut T, &[u8]) -> Result<R, ResultCode>,
    ) -> Result<R, ResultCode> {
        let input = take(input_len)?;
        let application = self.slot().as_mut().ok_or(ResultCode::BAD_STATE)?;
        call(application, &input)
    }
}
