use alloc::vec::Vec;

use crate::ResultCode;

/// A Trusted Application: what the TEE calls, in the order of `GlobalPlatform`'s life cycle.
///
/// Every session has an instance of its own: [`create`](Self::create) and
/// [`open_session`](Self::open_session), then any number of [`invoke_command`](Self::invoke_command), then
/// [`close_session`](Self::close_session) and [`destroy`](Self::destroy). What one session must tell
/// another goes through [`objects`](crate::objects). Calls of one TA never overlap.
///
/// An error undoes what the call changed (see the [crate](crate#commands-are-transactions)) and reaches
/// the application that called as its result code. [`ResultCode::SUCCESS`] as an error is treated as
/// [`ResultCode::GENERIC`].
pub trait TrustedApplication: Sized {
    /// Makes an instance (`TA_CreateEntryPoint`).
    ///
    /// # Errors
    ///
    /// Any result code; the session is then not opened.
    fn create() -> Result<Self, ResultCode>;

    /// Opens the session (`TA_OpenSessionEntryPoint`) with data of the application's choice.
    ///
    /// # Errors
    ///
    /// Any result code, e.g. [`ResultCode::ACCESS_DENIED`]; the session is then not opened.
    fn open_session(&mut self, input: &[u8]) -> Result<(), ResultCode> {
        let _ = input;
        Ok(())
    }

    /// Handles one command (`TA_InvokeCommandEntryPoint`): bytes in, bytes out.
    ///
    /// The input was written outside the TEE and can be anything.
    ///
    /// # Errors
    ///
    /// Any result code; [`ResultCode::NOT_SUPPORTED`] for a command that the TA does not know.
    fn invoke_command(&mut self, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode>;

    /// Closes the session (`TA_CloseSessionEntryPoint`). Not called for a session that died.
    fn close_session(&mut self) {}

    /// Ends the instance (`TA_DestroyEntryPoint`). Not called for a session that died.
    fn destroy(self) {}
}
