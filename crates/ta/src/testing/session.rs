use alloc::{boxed::Box, string::String, vec::Vec};
use core::panic::AssertUnwindSafe;
use std::panic::{catch_unwind, resume_unwind};

use super::{
    Streamed, StreamedInput,
    state::{self, Call},
};
use crate::{
    ResultCode, TrustedApplication,
    interface::Client,
    wire::{Input, Output},
};

/// A session with a TA, in this thread's in-memory TEE.
///
/// Dropped without [`close`](Self::close) it ends like a session whose application vanished: the TA is
/// not told.
#[derive(Debug)]
pub struct Session<T> {
    instance: T,
    application: String,
    client: Client,
    is_dead: bool,
}

impl<T: TrustedApplication> Session<T> {
    /// Creates an instance of the TA and opens a session.
    ///
    /// # Errors
    ///
    /// The TA's result code.
    pub fn open(input: &[u8]) -> Result<Self, ResultCode> {
        let (application, client) =
            state::with(|tee| (tee.application().into(), tee.client.clone()));
        Self::open_as(application, client, input)
    }

    /// Opens a session with the TA as `application`, on behalf of `client`.
    pub(super) fn open_as(
        application: String,
        client: Client,
        input: &[u8],
    ) -> Result<Self, ResultCode> {
        let call = Call::new(&application, client.clone(), StreamedInput::default());
        let (instance, _) = transaction(call, || {
            let mut instance = T::create()?;
            instance.open_session(input)?;
            Ok(instance)
        });
        Ok(Self {
            instance: instance?,
            application,
            client,
            is_dead: false,
        })
    }

    /// Invokes a command.
    ///
    /// # Errors
    ///
    /// The TA's result code; what the command changed is then undone, but for what it [committed](crate::session::commit).
    /// [`ResultCode::TARGET_DEAD`] if the session is [dead](super::end_at_commit).
    pub fn invoke(&mut self, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let (returned, written) = self.run(command, input, StreamedInput::default());
        returned.map(|returned| match returned.is_empty() {
            true => written,
            false => returned,
        })
    }

    /// Invokes a command with typed parameters and a typed result, as [`wire`](crate::wire) has them: several parameters
    /// are a tuple.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke); [`ResultCode::BAD_FORMAT`] if the output is of another type.
    pub fn call<R>(&mut self, command: u32, parameters: impl Output) -> Result<R, ResultCode>
    where
        R: for<'a> Input<'a>,
    {
        let output = self.invoke(command, &parameters.into_output()?)?;
        R::from_input(&output)
    }

    /// Invokes a command with streamed input and output.
    pub fn stream(&mut self, command: u32, input: StreamedInput) -> Streamed {
        let (returned, mut output) = self.run(command, &[], input);
        let result = returned.map(|returned| output.extend(returned));
        Streamed { result, output }
    }

    fn run(
        &mut self,
        command: u32,
        input: &[u8],
        stream: StreamedInput,
    ) -> (Result<Vec<u8>, ResultCode>, Vec<u8>) {
        if self.is_dead {
            return (Err(ResultCode::TARGET_DEAD), Vec::new());
        }
        let mut call = Call::new(&self.application, self.client.clone(), stream);
        call.after_commit = state::with(|tee| core::mem::take(&mut tee.after_commit));
        let (instance, is_dead) = (&mut self.instance, &mut self.is_dead);
        transaction(call, || {
            let result = until_ended(|| instance.invoke_command(command, input));
            result.unwrap_or_else(|Ended| {
                *is_dead = true;
                Err(ResultCode::CANCEL)
            })
        })
    }

    /// Closes the session and ends the instance. A dead one has ended already.
    pub fn close(mut self) {
        if self.is_dead {
            return;
        }
        let call = Call::new(&self.application, self.client, StreamedInput::default());
        let _ = transaction(call, || {
            self.instance.close_session();
            self.instance.destroy();
            Ok(())
        });
    }
}

/// Does what the TEE does after a TA was installed or updated: creates an instance, lets it
/// [migrate](TrustedApplication::migrate), and ends it.
///
/// # Errors
///
/// The TA's result code; what it changed is then undone.
pub fn migrate<T: TrustedApplication>(from: Option<u64>) -> Result<(), ResultCode> {
    let application: String = state::with(|tee| tee.application().into());
    transaction(Call::migration(&application), || {
        let mut instance = T::create()?;
        instance.migrate(from)?;
        instance.destroy();
        Ok(())
    })
    .0
}

/// Runs a call as a transaction. Tells how it went and what it wrote as output.
fn transaction<R>(
    call: Call,
    run: impl FnOnce() -> Result<R, ResultCode>,
) -> (Result<R, ResultCode>, Vec<u8>) {
    let running = Running::start(call);
    let result = run();
    let mut call = running.end();
    let written = call
        .as_mut()
        .map(|call| core::mem::take(&mut call.output))
        .unwrap_or_default();
    let result = match (ResultCode::of(&result), call) {
        (ResultCode::SUCCESS, Some(call)) => {
            state::with(|tee| tee.commit(call));
            result
        }
        // The TEE was emptied while the call ran.
        (ResultCode::SUCCESS, None) => result,
        // Whether a session is dead, the TEE says, and nobody in it.
        (ResultCode::TARGET_DEAD, _) => Err(ResultCode::GENERIC),
        (code, _) => Err(code),
    };
    (result, written)
}

/// Somebody ended the command.
struct Ended;

/// Ends the command that runs: what it would do next never happens.
pub(super) fn end() -> ! {
    resume_unwind(Box::new(Ended))
}

/// Runs a command, which may [end](end).
fn until_ended<R>(command: impl FnOnce() -> R) -> Result<R, Ended> {
    // Nobody uses the instance again whose command ended.
    catch_unwind(AssertUnwindSafe(command)).map_err(|payload| match payload.downcast() {
        Ok(ended) => *ended,
        Err(panic) => resume_unwind(panic),
    })
}

/// A call that runs; if it panics, it does not run any more.
struct Running;

impl Running {
    fn start(call: Call) -> Self {
        state::with(|tee| tee.calls.push(call));
        Self
    }

    fn end(self) -> Option<Call> {
        core::mem::forget(self);
        Self::pop()
    }

    fn pop() -> Option<Call> {
        state::with(|tee| {
            let call = tee.calls.pop();
            if tee.calls.is_empty() {
                tee.cancel_after = None;
            }
            call
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        Self::pop();
    }
}
