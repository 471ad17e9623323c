//! The boundary of WebAssembly: the imports of the TEE, and the instance behind the exports.
//!
//! All `unsafe` code of the SDK is here. It is needed for two things that WebAssembly's boundary can't say
//! in Rust's types: an import takes the address of a slice as a number, and the exported functions share
//! one instance that lives between calls.

#![expect(
    unsafe_code,
    reason = "addresses cross the import boundary; see the module's documentation"
)]

mod calls;
mod import;

use core::cell::UnsafeCell;

pub(crate) use calls::*;

use crate::{ResultCode, TrustedApplication};

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
            .and_then(|output| match output.is_empty() {
                // What the command wrote to the stream stays its output.
                true => Ok(()),
                false => set_output(&output),
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

    /// `tee_migrate`.
    pub fn migrate(&self, input_len: usize) -> u32 {
        let done = self.with_input(input_len, |application, input| match input {
            [] => application.migrate(None),
            _ => {
                let from = input.try_into().map_err(|_| ResultCode::BAD_PARAMETERS)?;
                application.migrate(Some(u64::from_be_bytes(from)))
            }
        });
        ResultCode::of(&done).0
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
