//! The TEE's end of one connection of the link.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use tamarack_agent::{
    Relay,
    link::{Call, MAX_FRAME, Reply},
    platform::Evidence,
};
use tamarack_suit::{DeviceError, Fetch};

/// How long the other side may take to send what it announced, or to read what it asked for.
const FRAME_TIME: Duration = Duration::from_secs(120);

/// How long a payload may take as a whole. The agent does nothing else meanwhile.
const FETCH_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Bytes of a payload that are read and dropped after it was refused.
const MAX_DROPPED: usize = 64 << 20;

/// Longest Attestation Result, and its media type, that goes into a message which the agent signs.
const MAX_RESULT: (usize, usize) = (64 << 10, 128);

/// The TEE's end of one connection: frames of four bytes of length, big-endian, and content.
pub(super) struct LinkStream {
    pub(super) stream: UnixStream,
}

impl LinkStream {
    /// Reads a frame, which has to be there whole within `time`: one that comes byte by byte would take a place
    /// from others for as long as it likes.
    pub(super) fn read(&mut self, time: Duration) -> io::Result<Vec<u8>> {
        let mut timely = Timely {
            stream: &self.stream,
            end: Instant::now() + time,
        };
        let mut length = [0; 4];
        timely.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_FRAME {
            let text = format!("a frame of {length} bytes was announced");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        // Grows with what arrives, not with what was announced.
        let mut frame = Vec::new();
        timely.take(length as u64).read_to_end(&mut frame)?;
        if frame.len() == length {
            Ok(frame)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    pub(super) fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidData, "a frame is too long");
        let length = u32::try_from(frame.len()).map_err(too_long)?;
        let mut timely = Timely {
            stream: &self.stream,
            end: Instant::now() + FRAME_TIME,
        };
        timely.write_all(&length.to_be_bytes())?;
        timely.write_all(frame)
    }
}

/// A stream of which everything has to be done in time, not each piece of it.
struct Timely<'a> {
    stream: &'a UnixStream,
    end: Instant,
}

impl Timely<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.end.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(Some(left)),
        }
    }
}

impl Read for Timely<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Timely<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Attestation Results come through the broker that made the call.
impl Relay for LinkStream {
    fn appraise(&mut self, evidence: &Evidence) -> Result<Evidence, String> {
        let reply = Reply::Appraise {
            media_type: evidence.media_type.clone(),
            evidence: evidence.bytes.clone(),
        };
        self.write(&reply.encode())
            .map_err(|error| error.to_string())?;
        let frame = self.read(FRAME_TIME).map_err(|error| error.to_string())?;
        match Call::decode(&frame) {
            Ok(Call::Appraised { media_type, result })
                if result.len() > MAX_RESULT.0 || media_type.len() > MAX_RESULT.1 =>
            {
                Err("the Attestation Result is too long".into())
            }
            Ok(Call::Appraised { media_type, result }) => Ok(Evidence {
                media_type,
                bytes: result,
            }),
            Ok(Call::AppraisalFailed(reason)) => Err(reason),
            _ => Err("the link is out of step".into()),
        }
    }
}

/// Payloads come through the broker that made the call.
impl Fetch for LinkStream {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let broken = |error: io::Error| DeviceError::Unavailable(format!("{uri}: {error}"));
        self.write(&Reply::Fetch { uri: uri.into() }.encode())
            .map_err(broken)?;
        // The broker sends on after a refusal. What is under way is read and dropped, so that the link stays
        // in step; more than that is a flood.
        let mut dropped = 0;
        let mut refusal = None;
        let started = Instant::now();
        loop {
            let frame = self.read(FRAME_TIME).map_err(broken)?;
            if started.elapsed() > FETCH_DEADLINE {
                return Err(DeviceError::Unavailable(format!(
                    "{uri}: it takes too long"
                )));
            }
            match Call::decode(&frame) {
                Ok(Call::FetchChunk(chunk)) if refusal.is_none() => {
                    refusal = sink(&chunk).err();
                }
                Ok(Call::FetchChunk(chunk)) => {
                    dropped += chunk.len();
                    if dropped > MAX_DROPPED {
                        let text = format!("{uri}: the broker does not stop sending");
                        return Err(DeviceError::Unavailable(text));
                    }
                }
                Ok(Call::FetchEnd) => return refusal.map_or(Ok(()), Err),
                Ok(Call::FetchFailed(reason)) => {
                    return Err(DeviceError::Unavailable(format!("{uri}: {reason}")));
                }
                _ => {
                    return Err(DeviceError::Unavailable(format!(
                        "{uri}: the link is out of step"
                    )));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn link() -> (LinkStream, UnixStream) {
        let (stream, other) = UnixStream::pair().unwrap();
        (LinkStream { stream }, other)
    }

    #[test]
    fn a_frame_that_comes_in_drips_is_given_up() {
        let (mut link, mut other) = link();
        let drips = thread::spawn(move || {
            other.write_all(&1000_u32.to_be_bytes()).unwrap();
            // Each byte comes well within the time; all of them don't.
            (0..1000).all(|_| {
                thread::sleep(Duration::from_millis(20));
                other.write_all(&[0]).is_ok()
            })
        });
        let error = link.read(Duration::from_millis(200)).unwrap_err();
        assert!(
            matches!(
                error.kind(),
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
            ),
            "{error}"
        );
        drop(link);
        assert!(!drips.join().unwrap(), "all of it was waited for");
    }

    #[test]
    fn an_attestation_result_without_bounds_is_not_taken() {
        for (media_type, result) in [("a".repeat(129), 1), ("a".into(), (64 << 10) + 1)] {
            let (mut link, mut other) = link();
            let answer = Call::Appraised {
                media_type,
                result: vec![0; result],
            };
            let answer = answer.encode();
            let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
            let sent = thread::spawn(move || other.write_all(&[&length[..], &answer].concat()));
            let evidence = Evidence {
                media_type: "application/eat+cwt".into(),
                bytes: vec![1],
            };
            let refused = link.appraise(&evidence).unwrap_err();
            assert!(refused.contains("too long"), "{refused}");
            drop(link);
            let _ = sent.join().unwrap();
        }
    }
}
