//! Input and output of a command, piece by piece over the link.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tamarack_agent::link::{Call, Reply, STREAM_CHUNK};
use tamarack_ta::ResultCode;

use super::link::LinkStream;
use crate::runtime::{CommandStream, Watch};

/// How long a read or a write waits before the TEE looks whether the command has to end.
const PATIENCE: Duration = Duration::from_millis(50);

/// Longest frame that answers [`Reply::NextInput`]: a piece, and what is around it.
const MAX_ANSWER: usize = STREAM_CHUNK + 64;

/// The streams of the command that a connection of the link is for.
pub(super) struct Streams {
    stream: UnixStream,
    /// Set once a frame was written in part only: what follows would be taken for the rest of it.
    unwritable: Arc<AtomicBool>,
    /// Set once a frame was read in part only.
    unreadable: bool,
}

impl Streams {
    pub(super) fn of(link: &LinkStream) -> io::Result<Self> {
        let stream = link.stream.try_clone()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            unwritable: Arc::default(),
            unreadable: false,
        })
    }

    /// Whether nothing more can be said on the connection.
    pub(super) fn unwritable(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.unwritable)
    }

    /// Reads exactly `buffer`, for as long as the command may run.
    fn read(&mut self, buffer: &mut [u8], watch: &Watch) -> Result<(), ResultCode> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let read = progress(self.stream.read(rest), watch);
            done += read.inspect_err(|_| self.unreadable |= done > 0)?;
        }
        Ok(())
    }

    /// Writes a frame, for as long as the command may run. After half a frame nothing else can be understood, so the
    /// connection ends there.
    fn write(&mut self, frame: &[u8], watch: &Watch) -> Result<(), ResultCode> {
        let length = u32::try_from(frame.len()).map_err(|_| ResultCode::EXCESS_DATA)?;
        if self.unwritable.load(Ordering::Acquire) {
            return Err(ResultCode::CANCEL);
        }
        let bytes = [&length.to_be_bytes(), frame].concat();
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let written = progress(self.stream.write(rest), watch);
            done += written.inspect_err(|_| {
                self.unwritable.fetch_or(done > 0, Ordering::AcqRel);
            })?;
        }
        Ok(())
    }
}

/// How many bytes a read or a write moved: none, to be tried again, where the other side may only be slow.
fn progress(moved: io::Result<usize>, watch: &Watch) -> Result<usize, ResultCode> {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    match moved {
        Ok(count @ 1..) => Ok(count),
        Err(error)
            if matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
                && !watch.is_cancelled() =>
        {
            watch.check().map(|()| 0).map_err(|_| ResultCode::CANCEL)
        }
        _ => Err(ResultCode::CANCEL),
    }
}

impl CommandStream for Streams {
    fn next(&mut self, watch: &Watch) -> Result<Option<Vec<u8>>, ResultCode> {
        if self.unreadable {
            return Err(ResultCode::CANCEL);
        }
        self.write(&Reply::NextInput.encode(), watch)?;
        let mut length = [0; 4];
        self.read(&mut length, watch)?;
        let length = u32::from_be_bytes(length) as usize;
        let mut frame = vec![0; length.min(MAX_ANSWER)];
        let read = match length > MAX_ANSWER {
            true => Err(ResultCode::COMMUNICATION),
            false => self.read(&mut frame, watch),
        };
        read.inspect_err(|_| self.unreadable = true)?;
        match Call::decode(&frame) {
            Ok(Call::InputChunk(bytes)) => Ok(Some(bytes)),
            Ok(Call::InputEnd) => Ok(None),
            Ok(Call::InputFailed(reason)) => {
                tracing::debug!(reason, "the input of a command ended early");
                Err(ResultCode::CANCEL)
            }
            _ => Err(ResultCode::COMMUNICATION),
        }
    }

    fn send(&mut self, bytes: &[u8], watch: &Watch) -> Result<(), ResultCode> {
        bytes
            .chunks(STREAM_CHUNK)
            .try_for_each(|piece| self.write(&Reply::OutputChunk(piece.to_vec()).encode(), watch))
    }
}
