//! The Verifier that appraises this device's Evidence, for TAMs that want Attestation Results (Passport model).

use reqwest::{
    Client,
    header::{ACCEPT, CONTENT_TYPE},
};
use tamarack_agent::link::Call;
use tamarack_teep::MediaType;

use crate::http_client::explain;

/// Longest Attestation Result that is passed on, in bytes.
const MAX_RESULT: usize = 64 * 1024;

/// Carries Evidence to a Verifier and its result back. Neither is read: who relies on the result verifies it.
#[derive(Debug, Clone)]
pub(crate) struct Verifier {
    client: Client,
    uri: Option<String>,
}

impl Verifier {
    pub(crate) fn new(client: Client, uri: Option<String>) -> Self {
        Self { client, uri }
    }

    /// The answer to the TEE: a result, or why there is none.
    pub(crate) async fn appraise(&self, media_type: String, evidence: Vec<u8>) -> Call {
        match self.ask(media_type, evidence).await {
            Ok((media_type, result)) => Call::Appraised { media_type, result },
            Err(reason) => {
                tracing::warn!(reason, "no Attestation Result can be had");
                Call::AppraisalFailed(reason)
            }
        }
    }

    async fn ask(
        &self,
        media_type: String,
        evidence: Vec<u8>,
    ) -> Result<(String, Vec<u8>), String> {
        let uri = self.uri.as_ref().ok_or("no Verifier is configured")?;
        let wanted = MediaType::teep_eat().to_string();
        let request = self.client.post(uri).header(ACCEPT, wanted);
        let request = request.header(CONTENT_TYPE, media_type).body(evidence);
        let mut response = request.send().await.map_err(|error| explain(&error))?;
        if !response.status().is_success() {
            return Err(format!("{uri}: HTTP status {}", response.status()));
        }
        let media_type = response.headers().get(CONTENT_TYPE);
        let media_type = media_type.and_then(|value| value.to_str().ok());
        let media_type = media_type.ok_or("the result has no media type")?.to_owned();
        let mut result = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
            if result.len() + chunk.len() > MAX_RESULT {
                return Err(format!(
                    "{uri}: the result is longer than {MAX_RESULT} bytes"
                ));
            }
            result.extend_from_slice(&chunk);
        }
        Ok((media_type, result))
    }
}
