use alloc::vec::Vec;

use crate::ResultCode;

/// A Trusted Application: what the TEE calls, in the order of `GlobalPlatform`'s life cycle.
///
/// Every session has an instance of its own: [`create`](Self::create) and
/// [`open_session`](Self::open_session), then any number of [`invoke_command`](Self::invoke_command), then
/// [`close_session`](Self::close_session) and [`destroy`](Self::destroy). What one session must tell
/// another goes through [`objects`](crate::objects). Calls of one TA never overlap.
///
/// After an installation and after each update one more instance lives before the first session: `create`,
/// [`migrate`](Self::migrate), `destroy`.
///
/// | Call | When | If it fails |
/// |---|---|---|
/// | `create` | first in each instance | no instance, no session |
/// | `migrate` | once after an installation or an update | undone; no session opens, and it is tried again at the next attempt |
/// | `open_session` | once, after `create` | undone; no session |
/// | `invoke_command` | any number of times | undone; the session goes on |
/// | `close_session`, `destroy` | last, unless the session died | |
///
/// An error undoes what the call changed (see the [crate](crate#commands-are-transactions)) and reaches
/// the application that called as its result code. [`ResultCode::SUCCESS`] as an error is treated as
/// [`ResultCode::GENERIC`].
///
/// [`commands!`](crate::commands) writes `invoke_command` out of methods with typed parameters.
pub trait TrustedApplication: Sized {
    /// Makes an instance (`TA_CreateEntryPoint`).
    ///
    /// # Errors
    ///
    /// Any result code; the session is then not opened.
    fn create() -> Result<Self, ResultCode>;

    /// Brings what is stored up to date, after the TA was installed or updated.
    ///
    /// `from` is the sequence number of the manifest whose code ran last, and `None` after an installation. Several
    /// versions may lie between it and this one, and the one before may have failed to migrate: `from` says what ran,
    /// not what was installed.
    ///
    /// # Errors
    ///
    /// Any result code; what it changed is then undone, no session opens, and it is called again at the next attempt.
    fn migrate(&mut self, from: Option<u64>) -> Result<(), ResultCode> {
        let _ = from;
        Ok(())
    }

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
    /// The input was written outside the TEE and can be anything. It is empty if it is
    /// [streamed](crate::session::Input). What is returned, unless it is empty, replaces what was
    /// [written](crate::session::Output) as output and has not left the TEE yet.
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
