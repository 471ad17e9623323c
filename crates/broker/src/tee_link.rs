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

    /// Makes a call and serves the payloads and Attestation Results that the TEE asks for until it replies, however
    /// long that takes.
    // req: HTTP-029
    pub(crate) async fn call(
        &self,
        call: &Call,
        payloads: &PayloadSource,
        verifier: &Verifier,
    ) -> Result<Reply, BrokerError> {
        let mut conversation = self.begin(call).await?;
        loop {
            match conversation.hear().await? {
                Reply::Fetch { uri } => payloads.send(&uri, &mut conversation).await?,
                Reply::Appraise {
                    media_type,
                    evidence,
                } => {
                    let answer = verifier.appraise(media_type, evidence).await;
                    conversation.say(&answer).await?;
                }
                Reply::Failed { result, reason } => {
                    return Err(BrokerError::Tee { result, reason });
                }
                reply => return Ok(reply),
            }
        }
    }

    /// Makes a call that more frames follow in both directions.
    pub(crate) async fn begin(&self, call: &Call) -> Result<Conversation, BrokerError> {
        let unreachable = |source| BrokerError::TeeUnreachable {
            path: self.path.clone(),
            source,
        };
        let stream = UnixStream::connect(&self.path).await.map_err(unreachable)?;
        let mut conversation = Conversation(stream);
        conversation.say(call).await?;
        Ok(conversation)
    }
}

/// A call that is under way. Dropping it breaks off the connection.
#[derive(Debug)]
pub(crate) struct Conversation(UnixStream);

impl Conversation {
    /// Sends a frame.
    pub(crate) async fn say(&mut self, call: &Call) -> Result<(), BrokerError> {
        write_frame(&mut self.0, &call.encode()).await
    }

    /// Waits for the TEE's next frame. Half of it is lost if this is dropped before it is ready.
    pub(crate) async fn hear(&mut self) -> Result<Reply, BrokerError> {
        let frame = read_frame(&mut self.0).await?;
        Reply::decode(&frame).map_err(|error| BrokerError::Link(error.to_string()))
    }
}

fn broken(error: std::io::Error) -> BrokerError {
    BrokerError::Link(error.to_string())
}

/// A frame is its length in four bytes, big-endian, and its content.
async fn write_frame(stream: &mut UnixStream, frame: &[u8]) -> Result<(), BrokerError> {
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
