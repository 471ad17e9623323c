//! The broker's end of the link to a TEE process: frames over a Unix socket.

use std::path::{Path, PathBuf};

use tamarack_agent::link::{Call, MAX_FRAME, Reply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::{BrokerError, fetch::PayloadSource, verifier::Verifier};

/// Where a TEE answers. Every call has a connection of its own, so that a slow update blocks nobody.
#[derive(Debug, Clone)]
pub(crate) struct TeeLink {
    path: PathBuf,
}

impl TeeLink {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Makes a call and serves the payloads and Attestation Results that the TEE asks for until it replies.
    pub(crate) async fn call(
        &self,
        call: &Call,
        payloads: &PayloadSource,
        verifier: &Verifier,
    ) -> Result<Reply, BrokerError> {
        let unreachable = |source| BrokerError::TeeUnreachable {
            path: self.path.clone(),
            source,
        };
        let mut stream = UnixStream::connect(&self.path).await.map_err(unreachable)?;
        write_frame(&mut stream, &call.encode()).await?;
        loop {
            let frame = read_frame(&mut stream).await?;
            let reply = Reply::decode(&frame).map_err(|e| BrokerError::Link(e.to_string()))?;
            match reply {
                Reply::Fetch { uri } => payloads.send(&uri, &mut stream).await?,
                Reply::Appraise {
                    media_type,
                    evidence,
                } => {
                    let answer = verifier.appraise(media_type, evidence).await;
                    write_frame(&mut stream, &answer.encode()).await?;
                }
                Reply::Failed { result, reason } => {
                    return Err(BrokerError::Tee { result, reason });
                }
                reply => return Ok(reply),
            }
        }
    }
}

fn broken(error: std::io::Error) -> BrokerError {
    BrokerError::Link(error.to_string())
}

/// A frame is its length in four bytes, big-endian, and its content.
pub(crate) async fn write_frame(stream: &mut UnixStream, frame: &[u8]) -> Result<(), BrokerError> {
    let length = u32::try_from(frame.len())
        .ok()
        .filter(|_| frame.len() <= MAX_FRAME)
        .ok_or_else(|| {
            BrokerError::Link(format!("a frame of {} bytes is too long", frame.len()))
        })?;
    stream
        .write_all(&length.to_be_bytes())
        .await
        .map_err(broken)?;
    stream.write_all(frame).await.map_err(broken)
}

async fn read_frame(stream: &mut UnixStream) -> Result<Vec<u8>, BrokerError> {
    let length = stream.read_u32().await.map_err(broken)? as usize;
    if length > MAX_FRAME {
        return Err(BrokerError::Link(format!(
            "the TEE announced a frame of {length} bytes"
        )));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await.map_err(broken)?;
    Ok(frame)
}
