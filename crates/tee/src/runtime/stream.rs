use core::fmt;

use tamarack_ta::ResultCode;
use zeroize::Zeroizing;

use super::Watch;

/// What goes into a command.
pub enum Input<'a> {
    /// All of it at once.
    Whole(&'a [u8]),
    /// Piece by piece, and what comes out of it too.
    Streamed(Box<dyn CommandStream>),
}

/// Input and output of a command that are too long to be held in memory.
pub trait CommandStream: Send {
    /// Waits for the next bytes; `None` if there are no more.
    ///
    /// # Errors
    ///
    /// [`ResultCode::CANCEL`] if nobody sends them any more, or the call has to end meanwhile.
    fn next(&mut self, watch: &Watch) -> Result<Option<Vec<u8>>, ResultCode>;

    /// Sends bytes on.
    ///
    /// # Errors
    ///
    /// [`ResultCode::CANCEL`] if nobody takes them any more, or the call has to end meanwhile.
    fn send(&mut self, bytes: &[u8], watch: &Watch) -> Result<(), ResultCode>;
}

/// The stream of the running command, and what of it was not read yet.
pub(super) struct OpenStream {
    stream: Box<dyn CommandStream>,
    rest: Zeroizing<Vec<u8>>,
    /// How much of it was read.
    read: usize,
    at_end: bool,
}

impl OpenStream {
    pub(super) fn new(stream: Box<dyn CommandStream>) -> Self {
        Self {
            stream,
            rest: Zeroizing::default(),
            read: 0,
            at_end: false,
        }
    }

    /// Fills the front of `to`; 0 at the end.
    pub(super) fn read(&mut self, to: &mut [u8], watch: &Watch) -> Result<usize, ResultCode> {
        while self.read == self.rest.len() && !self.at_end {
            match self.stream.next(watch)? {
                Some(bytes) => self.rest = Zeroizing::new(bytes),
                None => self.at_end = true,
            }
            self.read = 0;
        }
        if self.at_end {
            return Ok(0);
        }
        let rest = self.rest.get(self.read..).unwrap_or_default();
        let count = to
            .iter_mut()
            .zip(rest)
            .map(|(to, from)| *to = *from)
            .count();
        self.read = self.read.saturating_add(count);
        Ok(count)
    }

    pub(super) fn send(&mut self, bytes: &[u8], watch: &Watch) -> Result<(), ResultCode> {
        self.stream.send(bytes, watch)
    }
}

impl fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenStream(…)")
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Streamed(_) => f.write_str("a stream"),
        }
    }
}
