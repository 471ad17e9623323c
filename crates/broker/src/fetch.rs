//! Payloads that the agent asks for while it processes a manifest.

use reqwest::Client;
use tamarack_agent::link::{Call, FETCH_CHUNK};

use crate::{BrokerError, http_client::explain, tee_link::Conversation};

/// Gets payloads by HTTP and hands them to the TEE in pieces. What they are worth, the TEE finds out.
#[derive(Debug, Clone)]
pub(crate) struct PayloadSource {
    client: Client,
}

impl PayloadSource {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends the payload behind `uri`, or why it can't be had, for as long as the TEE listens.
    pub(crate) async fn send(&self, uri: &str, tee: &mut Conversation) {
        tracing::debug!(uri, "fetching a payload");
        let end = match self.stream(uri, tee).await {
            Ok(()) => Call::FetchEnd,
            Err(Failure::Link(error)) => {
                tracing::debug!(uri, %error, "the TEE wants no more of a payload");
                return;
            }
            Err(Failure::Payload(reason)) => {
                tracing::warn!(uri, reason, "a payload can't be fetched");
                Call::FetchFailed(reason)
            }
        };
        tee.answer(&end).await;
    }

    async fn stream(&self, uri: &str, tee: &mut Conversation) -> Result<(), Failure> {
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
                let piece = Call::FetchChunk(chunk.to_vec());
                tee.say(&piece).await.map_err(Failure::Link)?;
            }
        }
        Ok(())
    }
}

enum Failure {
    /// The TEE does not listen.
    Link(BrokerError),
    /// The payload is.
    Payload(String),
}
