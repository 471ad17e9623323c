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
                Reply::Fetch { uri } => payloads.send(&uri, &mut conversation).await,
                Reply::Appraise {
                    media_type,
                    evidence,
                } => {
                    let answer = verifier.appraise(media_type, evidence).await;
                    conversation.answer(&answer).await;
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

    /// Sends what the TEE has asked for. One that does not listen any more has gone on without it, as a command does that is
    /// cancelled: what it says then is there already, or hearing it fails as well.
    pub(crate) async fn answer(&mut self, call: &Call) {
        let _ = self.say(call).await;
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener},
        os::unix::net::UnixListener,
        thread,
    };

    use reqwest::Client;

    use super::*;

    /// A server whose one payload has no end for as long as somebody reads it; its URI.
    fn endless_payload() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}/payload", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // An answer to nothing would be none.
            assert_ne!(stream.read(&mut [0; 4096]).unwrap(), 0);
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            while stream.write_all(&[0; 4096]).is_ok() {}
        });
        uri
    }

    #[tokio::test]
    async fn a_tee_that_gives_up_on_a_payload_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tee.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let tee = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut say = |reply: &Reply| {
                let frame = reply.encode();
                let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
                stream.write_all(&[&length, &frame[..]].concat()).unwrap();
            };
            let uri = endless_payload();
            say(&Reply::Fetch { uri });
            say(&Reply::NoData);
            // It reads the call and the beginning of the payload.
            stream.read_exact(&mut [0; 4096]).unwrap();
            stream.shutdown(Shutdown::Both).unwrap();
        });
        let client = Client::builder().no_proxy().build().unwrap();
        let (payloads, verifier) = (
            PayloadSource::new(client.clone()),
            Verifier::new(client, None),
        );
        let link = TeeLink::new(&path);
        let reply = link.call(&Call::List, &payloads, &verifier).await;
        assert_eq!(reply.unwrap(), Reply::NoData);
        tee.join().unwrap();
    }
}
