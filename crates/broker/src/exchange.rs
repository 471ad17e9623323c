//! One exchange with a TAM: TEEP over HTTP, section 5.

use reqwest::{
    Client, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use tamarack_agent::link::{Call, MAX_MESSAGE, Reply};
use tamarack_teep::{MEDIA_TYPE, MediaType};
use tamarack_trace::Trace;

use crate::{BrokerError, fetch::PayloadSource, http_client::explain, tee_link::TeeLink};

/// A TEEP exchange is four messages; one that goes on and on is a fault of the TAM.
const MAX_ROUNDS: usize = 32;

/// Carries messages between a TAM and the TEE.
#[derive(Debug, Clone)]
pub(crate) struct Exchanger {
    client: Client,
    tee: TeeLink,
    payloads: PayloadSource,
    trace: Trace,
}

impl Exchanger {
    pub(crate) fn new(client: Client, tee: TeeLink, trace: Trace) -> Self {
        let payloads = PayloadSource::new(client.clone());
        Self {
            client,
            tee,
            payloads,
            trace,
        }
    }

    /// Makes a call to the TEE.
    pub(crate) async fn call(&self, call: &Call) -> Result<Reply, BrokerError> {
        self.tee.call(call, &self.payloads).await
    }

    /// Runs an exchange until the TAM or the agent has nothing more to say.
    ///
    /// On a fault of HTTP or below, the agent is told and the exchange is over.
    // req: HTTP-021
    // req: HTTP-024
    // req: HTTP-028
    pub(crate) async fn run(
        &self,
        tam_uri: &str,
        first: Option<Vec<u8>>,
    ) -> Result<(), BrokerError> {
        let mut message = first;
        let traced = self.trace.exchange(Some(tam_uri));
        for round in 1..=MAX_ROUNDS {
            let post = |message| self.post(tam_uri, message);
            let answer = match traced.carry(message.take(), post).await {
                Ok(answer) => answer,
                Err(error) => {
                    self.report(tam_uri, &error).await;
                    return Err(error);
                }
            };
            let Some(answer) = answer else {
                tracing::debug!(tam_uri, rounds = round, "the TAM ended the exchange");
                return Ok(());
            };
            let call = Call::ProcessTeepMessage {
                tam_uri: tam_uri.to_owned(),
                message: answer,
            };
            match self.call(&call).await? {
                Reply::Message(reply) => message = Some(reply),
                Reply::NoData => {
                    tracing::debug!(tam_uri, rounds = round, "the agent ended the exchange");
                    return Ok(());
                }
                other => return Err(BrokerError::Link(format!("unexpected reply: {other:?}"))),
            }
        }
        Err(BrokerError::EndlessExchange {
            uri: tam_uri.to_owned(),
            rounds: MAX_ROUNDS,
        })
    }

    /// Posts a message, or an empty body to start; `None` if the TAM answers with nothing.
    // req: HTTP-022
    async fn post(
        &self,
        tam_uri: &str,
        message: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, BrokerError> {
        let fault = |reason: String| BrokerError::Tam {
            uri: tam_uri.to_owned(),
            reason,
        };
        let mut request = self.client.post(tam_uri).header(ACCEPT, MEDIA_TYPE);
        if let Some(message) = message {
            request = request.header(CONTENT_TYPE, MEDIA_TYPE).body(message);
        }
        let response = request
            .send()
            .await
            .map_err(|error| fault(explain(&error)))?;
        let status = response.status();
        if !status.is_success() {
            return Err(fault(format!("HTTP status {status}")));
        }
        let media_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| MediaType::parse(value.to_str().ok()?));
        let body = read_body(response).await.map_err(fault)?;
        if status == StatusCode::NO_CONTENT || body.is_empty() {
            return Ok(None);
        }
        match media_type {
            Some(media_type) if media_type.essence() == MEDIA_TYPE => Ok(Some(body)),
            // A wrong type is a failed request (AMB-28).
            other => Err(fault(match other {
                Some(other) => format!("the answer is {other}, not {MEDIA_TYPE}"),
                None => format!("the answer has no media type; expected {MEDIA_TYPE}"),
            })),
        }
    }

    /// Tells the agent that a message could not be delivered.
    async fn report(&self, tam_uri: &str, error: &BrokerError) {
        let call = Call::ProcessError {
            tam_uri: tam_uri.to_owned(),
            error: error.to_string(),
        };
        if let Err(error) = self.call(&call).await {
            tracing::warn!(%error, "the agent could not be told of a failed exchange");
        }
    }
}

/// Reads a body of bounded size.
async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > MAX_MESSAGE {
            return Err(format!("the answer is longer than {MAX_MESSAGE} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
