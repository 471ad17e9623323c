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

/// How long a payload may take as a whole. The agent does nothing else meanwhile.
const FETCH_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Bytes of a payload that are read and dropped after it was refused.
const MAX_DROPPED: usize = 64 << 20;

/// The TEE's end of one connection: frames of four bytes of length, big-endian, and content.
pub(super) struct LinkStream {
    pub(super) stream: UnixStream,
}

impl LinkStream {
    pub(super) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_FRAME {
            let text = format!("a frame of {length} bytes was announced");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        // Grows with what arrives, not with what was announced.
        let mut frame = Vec::new();
        Read::by_ref(&mut self.stream)
            .take(length as u64)
            .read_to_end(&mut frame)?;
        if frame.len() == length {
            Ok(frame)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    pub(super) fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidData, "a frame is too long");
        let length = u32::try_from(frame.len()).map_err(too_long)?;
        self.stream.write_all(&length.to_be_bytes())?;
        self.stream.write_all(frame)
    }
}

/// So do Attestation Results.
impl Relay for LinkStream {
    fn appraise(&mut self, evidence: &Evidence) -> Result<Evidence, String> {
        let reply = Reply::Appraise {
            media_type: evidence.media_type.clone(),
            evidence: evidence.bytes.clone(),
        };
        self.write(&reply.encode())
            .map_err(|error| error.to_string())?;
        let frame = self.read().map_err(|error| error.to_string())?;
        match Call::decode(&frame) {
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
            let frame = self.read().map_err(broken)?;
            if started.elapsed() > FETCH_DEADLINE {
                return Err(DeviceError::Unavailable(format!(
                    "{uri}: it takes too long"
                )));
            }
            match Call::decode(&frame) {
                // Chunks without content would keep the agent busy for ever.
                Ok(Call::FetchChunk(chunk)) if chunk.is_empty() => {
                    return Err(DeviceError::Unavailable(format!("{uri}: an empty chunk")));
                }
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
