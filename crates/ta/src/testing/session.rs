use alloc::vec::Vec;

use super::tee;
use crate::{ResultCode, TrustedApplication};

/// A session with a TA, in this thread's in-memory TEE.
///
/// Dropped without [`close`](Self::close) it ends like a session whose application vanished: the TA is
/// not told.
#[derive(Debug)]
pub struct Session<T> {
    application: T,
}

impl<T: TrustedApplication> Session<T> {
    /// Creates an instance of the TA and opens a session.
    ///
    /// # Errors
    ///
    /// The TA's result code.
    pub fn open(input: &[u8]) -> Result<Self, ResultCode> {
        let application = transaction(|| {
            let mut application = T::create()?;
            application.open_session(input)?;
            Ok(application)
        })?;
        Ok(Self { application })
    }

    /// Invokes a command.
    ///
    /// # Errors
    ///
    /// The TA's result code; what the command changed is then undone.
    pub fn invoke(&mut self, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
        transaction(|| self.application.invoke_command(command, input))
    }

    /// Closes the session and ends the instance.
    pub fn close(mut self) {
        self.application.close_session();
        self.application.destroy();
    }
}

fn transaction<R>(call: impl FnOnce() -> Result<R, ResultCode>) -> Result<R, ResultCode> {
    let before = tee::with(|tee| tee.stored.clone());
    let result = call();
    match ResultCode::of(&result) {
        ResultCode::SUCCESS => result,
        code => {
            tee::with(|tee| tee.stored = before);
            Err(code)
        }
    }
}
