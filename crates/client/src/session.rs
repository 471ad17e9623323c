use std::{
    io::{self, Read, Write},
    sync::mpsc,
    thread,
};

use crate::{
    Client, Error,
    api::SessionState,
    client::{accept, broken},
    http::{self, HangUp, RequestBody, ResponseBody, ResponseReader},
};

/// A session with a Trusted Application. One that was opened with this value is closed when it is dropped.
#[derive(Debug)]
pub struct Session {
    client: Client,
    number: u64,
    /// Whether dropping leaves it open.
    kept: bool,
}

/// Tells the command that is under way in a session to end, from another thread or process.
#[derive(Debug, Clone)]
pub struct Canceller {
    client: Client,
    number: u64,
}

/// A command's input, to write. [`finish`](Self::finish) says that it is complete; dropped before, it cancels the
/// command.
#[derive(Debug)]
pub struct Input(RequestBody);

/// A command's output, to read, once there is some.
#[derive(Debug)]
pub struct Output {
    client: Client,
    session: u64,
    command: u32,
    state: Reading,
    /// Nobody feeds a command that is not heard.
    _hang_up: HangUp,
}

#[derive(Debug)]
enum Reading {
    Waiting(ResponseReader),
    Body(ResponseBody),
    Failed,
}

impl Session {
    pub(crate) fn new(client: Client, number: u64) -> Self {
        Self {
            client,
            number,
            kept: false,
        }
    }

    pub(crate) fn lasting(client: Client, number: u64) -> Self {
        Self {
            client,
            number,
            kept: true,
        }
    }

    /// Its number, which the same user can use it by.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What it does, and how its last command ended.
    ///
    /// # Errors
    ///
    /// If there is no such session of this user.
    pub fn state(&self) -> Result<SessionState, Error> {
        self.client.state(self.number)
    }

    /// Invokes a command with an input of up to a megabyte; its output.
    ///
    /// # Errors
    ///
    /// [`Error::Command`] if it ends with another result than success; others if the session is not open or the TEE
    /// does not answer.
    pub fn invoke(&self, command: u32, input: &[u8]) -> Result<Vec<u8>, Error> {
        self.client.invoke_in(self.number, command, input)
    }

    /// Invokes a command whose input and output have any length: reads the one, on a thread of its own, and writes the
    /// other until the command ends. Returns the number of bytes of output. Neither is ever held whole.
    ///
    /// A command may end before it has read all input; what is not read yet then is not waited for.
    ///
    /// # Errors
    ///
    /// As of [`invoke`](Self::invoke), and if `input` can't be read, which cancels the command, or `output` can't be
    /// written. What was written before an error is not all that there would have been.
    pub fn run(
        &self,
        command: u32,
        input: impl Read + Send + 'static,
        mut output: impl Write,
    ) -> Result<u64, Error> {
        let (to, mut from) = self.stream(command)?;
        let (fault, faults) = mpsc::channel();
        thread::spawn(move || feed(input, to, &fault));
        let copied = from.copy_to(&mut output);
        // An input that can't be read is why the command was given up.
        copied.map_err(|error| match faults.try_recv() {
            Ok(fault) => Error::Input(fault),
            Err(_) => error,
        })
    }

    /// Invokes a command, and gives the two ends to feed it and to hear from it. Use them from two threads, unless
    /// one of them carries little: a command that is not heard takes no more input.
    ///
    /// # Errors
    ///
    /// If the broker can't be reached. Everything else shows when the output is read.
    pub fn stream(&self, command: u32) -> Result<(Input, Output), Error> {
        let path = format!("/v1/sessions/{}/commands/{command}", self.number);
        let sent = http::send_streaming(self.client.socket(), &path);
        let (body, reader) = sent.map_err(|error| self.client.unreachable(error))?;
        let hang_up = reader.hang_up().map_err(Error::BrokenOff)?;
        let output = Output {
            client: self.client.clone(),
            session: self.number,
            command,
            state: Reading::Waiting(reader),
            _hang_up: hang_up,
        };
        Ok((Input(body), output))
    }

    /// What cancels the session's commands.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller {
            client: self.client.clone(),
            number: self.number,
        }
    }

    /// Closes the session; a command that is under way is cancelled.
    ///
    /// # Errors
    ///
    /// If it is not open any more, or the TEE does not answer.
    pub fn close(mut self) -> Result<(), Error> {
        self.kept = true;
        self.client.close(self.number)
    }

    /// Leaves the session open beyond this value, and gives its number.
    #[must_use]
    pub fn keep(mut self) -> u64 {
        self.kept = true;
        self.number
    }
}

/// Reads an input to its end, as long as somebody wants it.
fn feed(mut input: impl Read, mut to: Input, fault: &mpsc::Sender<io::Error>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let sent = match input.read(&mut buffer) {
            Ok(0) => {
                let _ = to.finish();
                return;
            }
            Ok(count) => to.write_all(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let _ = fault.send(error);
                return;
            }
        };
        // Nobody reads on: the command has ended, and its answer says how.
        if sent.is_err() {
            return;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.kept {
            // The TEE closes what is not used.
            let _ = self.client.close(self.number);
        }
    }
}

impl Canceller {
    /// Tells the command that is under way to end. It ends with [`Error::Cancelled`], unless it was done before.
    ///
    /// # Errors
    ///
    /// If there is no such session of this user.
    pub fn cancel(&self) -> Result<(), Error> {
        self.client.cancel(self.number)
    }
}

impl Input {
    /// Says that the input is complete.
    ///
    /// # Errors
    ///
    /// If nobody reads any more; reading the output tells why.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.finish()
    }
}

impl Write for Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Output {
    /// Writes the output to `sink` until the command ends; the number of bytes.
    ///
    /// # Errors
    ///
    /// As of [`Session::run`].
    pub fn copy_to(&mut self, sink: &mut impl Write) -> Result<u64, Error> {
        let mut buffer = vec![0; 64 << 10];
        let mut copied = 0;
        loop {
            let count = self.next(&mut buffer)?;
            let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else {
                sink.flush().map_err(Error::Output)?;
                return Ok(copied);
            };
            sink.write_all(piece).map_err(Error::Output)?;
            copied += count as u64;
        }
    }

    /// Reads the next bytes of the output; 0 at the end of a command that succeeded.
    ///
    /// # Errors
    ///
    /// As of [`Session::invoke`].
    pub fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match std::mem::replace(&mut self.state, Reading::Failed) {
            Reading::Failed => Err(Error::BrokenOff(io::ErrorKind::BrokenPipe.into())),
            Reading::Waiting(reader) => {
                let response = accept(reader.response().map_err(broken)?, Some(self.command))?;
                self.state = Reading::Body(response.body);
                self.next(buffer)
            }
            Reading::Body(mut body) => match body.read(buffer) {
                Ok(count) => {
                    self.state = Reading::Body(body);
                    Ok(count)
                }
                Err(error) => Err(self.reason(error)),
            },
        }
    }

    /// Why an output was broken off: the session remembers.
    fn reason(&self, error: io::Error) -> Error {
        let state = self.client.state(self.session).ok();
        let last = state.and_then(|state| state.last);
        match last.filter(|last| last.command == self.command) {
            Some(crate::api::CommandEnd {
                result: Some(result),
                error: None,
                ..
            }) if result != 0 => Error::of_result(self.command, result),
            Some(crate::api::CommandEnd {
                error: Some(text), ..
            }) => Error::BrokenOff(io::Error::other(text)),
            _ => broken(error),
        }
    }
}

impl Read for Output {
    /// As [`next`](Output::next), with the [`Error`] in the error.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(io::Error::other)
    }
}
