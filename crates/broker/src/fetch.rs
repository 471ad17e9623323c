//! Payloads that the agent asks for while it processes a manifest.

use reqwest::Client;
use tamarack_agent::link::{Call, FETCH_CHUNK};
use tokio::net::UnixStream;

use crate::{BrokerError, http_client::explain, tee_link::write_frame};

/// Gets payloads by HTTP and hands them to the TEE in pieces. What they are worth, the TEE finds out.
#[derive(Debug, Clone)]
pub(crate) struct PayloadSource {
    client: Client,
}

impl PayloadSource {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends the payload behind `uri`, or why it can't be had.
    pub(crate) async fn send(&self, uri: &str, stream: &mut UnixStream) -> Result<(), BrokerError> {
        tracing::debug!(uri, "fetching a payload");
        let end = match self.stream(uri, stream).await {
            Ok(()) => Call::FetchEnd,
            Err(Failure::Link(error)) => return Err(error),
            Err(Failure::Payload(reason)) => {
                tracing::warn!(uri, reason, "a payload can't be fetched");
                Call::FetchFailed(reason)
            }
        };
        write_frame(stream, &end.encode()).await
    }

    async fn stream(&self, uri: &str, stream: &mut UnixStream) -> Result<(), Failure> {
        let payload = |error: &reqwest::Error| Failure::Payload(explain(error));
        let mut response = self.client.get(uri).send().await.map_err(|e| payload(&e))?;
        if !response.status().is_success() {
            return Err(Failure::Payload(format!(
                "HTTP status {}",
                response.status()
            )));
        }
        while let Some(bytes) = response.chunk().await.map_err(|e| payload(&e))? {
            for chunk in bytes.chunks(FETCH_CHUNK) {
                let frame = Call::FetchChunk(chunk.to_vec()).encode();
                write_frame(stream, &frame).await.map_err(Failure::Link)?;
            }
        }
        Ok(())
    }
}

enum Failure {
    /// The TEE is gone.
    Link(BrokerError),
    /// The payload is.
    Payload(String),
}
