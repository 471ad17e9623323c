//! The session and the running command: who calls, whether they still want an answer, what is kept whatever happens, and
//! streams.

use alloc::vec::Vec;
use core::fmt;

pub use crate::interface::Client;
use crate::{ResultCode, interface, tee};

/// Who opened the session.
///
/// That a Trusted Application calls, and which, is the TEE's own knowledge. The user of an Untrusted Application is what the
/// broker says, which is outside the TEE.
///
/// # Errors
///
/// [`ResultCode::BAD_FORMAT`] if the TEE tells of a kind of client that this crate does not know.
pub fn client() -> Result<Client, ResultCode> {
    interface::decode_client(&tee::client()?).ok_or(ResultCode::BAD_FORMAT)
}

/// Whether somebody wants the running command to end.
///
/// A command that takes long asks now and then, and returns [`ResultCode::CANCEL`]. One that goes on for more than
/// [`CANCEL_GRACE_MS`](interface::CANCEL_GRACE_MS) dies.
#[must_use]
pub fn cancelled() -> bool {
    tee::cancelled()
}

/// Keeps what the running command changed so far, whatever becomes of it.
///
/// A command that fails, is cancelled or dies is undone (see the [crate](crate#commands-are-transactions)), and whoever
/// calls can see to that at a moment of his choice. What must not be undone then, an attempt that was used up for instance,
/// is committed before the command does what depends on it:
///
/// ```
/// use tamarack_ta::{ResultCode, objects, session};
///
/// fn guess(is_right: impl FnOnce() -> bool) -> Result<bool, ResultCode> {
///     let left = objects::read("attempts left").map_or(3, |left| left[0]);
///     let left = left.checked_sub(1).ok_or(ResultCode::ACCESS_DENIED)?;
///     objects::write("attempts left", &[left])?;
///     session::commit()?;
///     // Whoever ends the command from here on has used up the attempt.
///     let right = is_right();
///     if right {
///         objects::write("attempts left", &[3])?;
///     }
///     Ok(right)
/// }
/// # for expected in [Ok(false), Ok(false), Ok(false), Err(ResultCode::ACCESS_DENIED)] {
/// #     assert_eq!(guess(|| false), expected);
/// # }
/// ```
///
/// The storage is written for each commit, which takes its time, and fuel: a command commits where it has to, once or twice.
///
/// # Errors
///
/// [`ResultCode::BAD_STATE`] in [`migrate`](crate::TrustedApplication::migrate), which is one step;
/// [`ResultCode::STORAGE_NO_SPACE`] and [`ResultCode::STORAGE_NOT_AVAILABLE`] as from the storage; [`ResultCode::BUSY`] if this
/// TA was replaced or removed meanwhile. What failed because of the storage is undone, back to the commit before; a command
/// that can't go on without it returns the error.
pub fn commit() -> Result<(), ResultCode> {
    tee::commit()
}

/// The streamed input of the running command.
///
/// There is one stream; several values of this type read from the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input;

impl Input {
    /// Reads at least one byte, and at most as many as `out` holds; 0 at the end.
    ///
    /// # Errors
    ///
    /// [`ResultCode::CANCEL`] if nobody sends the rest any more.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, ResultCode> {
        tee::input_read(out)
    }

    /// Reads until `out` is full.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); [`ResultCode::NO_DATA`] if the input ends before.
    pub fn read_exact(&mut self, mut out: &mut [u8]) -> Result<(), ResultCode> {
        while !out.is_empty() {
            let read = self.read(out)?;
            if read == 0 {
                return Err(ResultCode::NO_DATA);
            }
            out = out.get_mut(read..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads all that is left.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); [`ResultCode::EXCESS_DATA`] for more than `max` bytes.
    pub fn read_to_end(&mut self, max: usize) -> Result<Vec<u8>, ResultCode> {
        let mut all = Vec::new();
        let mut part = [0; 1024];
        loop {
            let read = self.read(&mut part)?;
            if read == 0 {
                return Ok(all);
            }
            if max.saturating_sub(all.len()) < read {
                return Err(ResultCode::EXCESS_DATA);
            }
            all.extend_from_slice(part.get(..read).unwrap_or_default());
        }
    }
}

/// The output of the running command, written in parts.
///
/// Where output is streamed, what is written leaves the TEE at once, even if the command fails later. Otherwise the parts
/// are the command's output, if it succeeds. A command that writes its output returns nothing: bytes that it returns replace
/// what it wrote.
#[derive(Debug, Clone, Copy, Default)]
pub struct Output;

impl Output {
    /// Writes `bytes`.
    ///
    /// # Errors
    ///
    /// [`ResultCode::EXCESS_DATA`] if that is more than a command may answer, [`ResultCode::CANCEL`] if nobody takes it
    /// any more.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ResultCode> {
        tee::output_write(bytes)
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
