//! One exchange with a TAM: TEEP over HTTP, section 5.

use reqwest::{
    Client, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use std::time::Duration;
use tamarack_agent::link::{Call, MAX_MESSAGE, Reply};
use tamarack_teep::{MEDIA_TYPE, MediaType, Message, Protected};
use tamarack_trace::Trace;

use crate::{
    BrokerError,
    backoff::{Backoff, retry_after},
    fetch::PayloadSource,
    http_client::explain,
    tee_link::{Conversation, TeeLink},
    tees::unexpected,
    verifier::Verifier,
};

/// A TEEP exchange is four messages; one that goes on and on is a fault of the TAM.
const MAX_ROUNDS: usize = 32;

/// Times that an exchange is begun with a TAM of which an answer was lost.
const MAX_BEGINNINGS: usize = 3;

/// Exchanges that one exchange may lead to: with TAMs that have what is missing, and back. An agent that names one
/// after the other is a fault of the TEE.
const MAX_FURTHER: usize = 32;

/// Longer messages are not looked into: what refuses something is short.
const MAX_REFUSAL: usize = 64 << 10;

/// What came of exchanges.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// How many came to their end.
    pub(crate) exchanges: usize,
    /// What was refused in them, and by whom, in words.
    pub(crate) refusals: Vec<String>,
}

impl Ran {
    /// Adds what came of others.
    pub(crate) fn add(&mut self, other: Self) {
        self.exchanges += other.exchanges;
        self.refusals.extend(other.refusals);
    }

    fn end(&mut self, refusals: Vec<String>) {
        self.exchanges += 1;
        self.refusals.extend(refusals);
    }
}

/// Carries messages between a TAM and a TEE.
#[derive(Debug, Clone)]
pub(crate) struct Exchanger {
    client: Client,
    tee: TeeLink,
    payloads: PayloadSource,
    verifier: Verifier,
    trace: Trace,
}

/// Why a message brought no answer.
enum Fault {
    /// Nobody has worked on it: it may be sent again, after this time if the server says so.
    Unheard(String, Option<Duration>),
    /// It may have been worked on, and the answer was lost. Messages of TEEP count once: sent again, it would be
    /// dropped. See `docs/decisions/0020-lost-answers.md`.
    Lost(String),
    /// It was refused for good, or what answers is no TAM.
    Refused(String),
}

impl Exchanger {
    pub(crate) fn new(client: Client, tee: TeeLink, verifier: Verifier, trace: Trace) -> Self {
        let payloads = PayloadSource::new(client.clone());
        Self {
            client,
            tee,
            payloads,
            verifier,
            trace,
        }
    }

    /// Makes a call to the TEE.
    pub(crate) async fn call(&self, call: &Call) -> Result<Reply, BrokerError> {
        self.tee.call(call, &self.payloads, &self.verifier).await
    }

    /// Makes a call to the TEE that more frames follow.
    pub(crate) async fn begin(&self, call: &Call) -> Result<Conversation, BrokerError> {
        self.tee.begin(call).await
    }

    /// Runs an exchange, and those that the agent begins because of it: with TAMs that have what it found missing.
    ///
    /// # Errors
    ///
    /// If the first did not; what becomes of the others is for the log.
    pub(crate) async fn run(
        &self,
        tam_uri: &str,
        first: Option<Vec<u8>>,
    ) -> Result<Ran, BrokerError> {
        let begun_with = tam_uri;
        let first = self.exchange(tam_uri, first).await;
        let mut is_asked_again = false;
        let mut ran = Ran::default();
        for _ in 0..MAX_FURTHER {
            let (tam_uri, message) = match self.call(&Call::NextExchange).await {
                Ok(Reply::Outbound { tam_uri, message }) => (tam_uri, message),
                Ok(Reply::NoData) => break,
                Ok(other) => return Err(unexpected(&other)),
                Err(error) => {
                    tracing::warn!(%error, "the agent could not be asked for what is missing");
                    break;
                }
            };
            tracing::info!(tam_uri, "the agent asks for what is missing");
            is_asked_again |= tam_uri == begun_with;
            match self.exchange(&tam_uri, message).await {
                Ok(refusals) => ran.end(refusals),
                Err(error) => tracing::warn!(%error, "what is missing could not be asked for"),
            }
        }
        let refusals = first?;
        // Asked again, a TAM hears what is refused still.
        if !is_asked_again {
            ran.refusals.extend(refusals);
        }
        ran.exchanges += 1;
        Ok(ran)
    }

    /// Runs an exchange until the TAM or the agent has nothing more to say.
    ///
    /// On a fault of HTTP or below, the agent is told and the exchange is over. If it is not known how far the
    /// TAM got, another one is begun, in which the TAM speaks first; the agent's wishes wait for that.
    async fn exchange(
        &self,
        tam_uri: &str,
        first: Option<Vec<u8>>,
    ) -> Result<Vec<String>, BrokerError> {
        let mut first = first;
        let mut backoff = Backoff::default();
        for _ in 1..MAX_BEGINNINGS {
            match self.run_once(tam_uri, first.take()).await {
                Err(BrokerError::Tam {
                    reason, lost: true, ..
                }) => {
                    tracing::info!(
                        tam_uri,
                        reason,
                        "an answer was lost; the exchange begins anew"
                    );
                    let pause = backoff.after_failure(None).unwrap_or_default();
                    tokio::time::sleep(pause).await;
                }
                ended => return ended,
            }
        }
        self.run_once(tam_uri, first).await
    }

    // req: HTTP-021
    // req: HTTP-023
    // req: HTTP-024
    // req: HTTP-028
    async fn run_once(
        &self,
        tam_uri: &str,
        first: Option<Vec<u8>>,
    ) -> Result<Vec<String>, BrokerError> {
        let mut message = first;
        let (mut by_tam, mut by_tee) = (None, None);
        let traced = self.trace.exchange(Some(tam_uri));
        for round in 1..=MAX_ROUNDS {
            let post = |message| self.deliver(tam_uri, message);
            let answer = match traced.carry(message.take(), post).await {
                Ok(answer) => answer,
                Err(error) => {
                    self.report(tam_uri, &error).await;
                    return Err(error);
                }
            };
            let Some(answer) = answer else {
                tracing::debug!(tam_uri, rounds = round, "the TAM ended the exchange");
                return Ok(by_tam.into_iter().chain(by_tee).collect());
            };
            let refused = |message: &[u8], by: &str| {
                refusal(message).map(|words| format!("{by} at {tam_uri}: {words}"))
            };
            by_tam = refused(&answer, "the TAM").or(by_tam);
            match self.hand_over(tam_uri, answer).await? {
                Some(reply) => {
                    // What was refused before was settled, or there would be no further answer.
                    by_tee = refused(&reply, "the TEE, to the TAM");
                    message = Some(reply);
                }
                None => {
                    tracing::debug!(tam_uri, rounds = round, "the agent ended the exchange");
                    return Ok(by_tam.into_iter().chain(by_tee).collect());
                }
            }
        }
        Err(BrokerError::EndlessExchange {
            uri: tam_uri.to_owned(),
            rounds: MAX_ROUNDS,
        })
    }

    /// Hands a TAM's message to the agent; its answer, if it has one.
    // req: TEEP-BROKER-001
    pub(crate) async fn hand_over(
        &self,
        tam_uri: &str,
        message: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, BrokerError> {
        let call = Call::ProcessTeepMessage {
            tam_uri: tam_uri.to_owned(),
            message,
        };
        match self.call(&call).await? {
            Reply::Message(reply) => Ok(Some(reply)),
            Reply::NoData => Ok(None),
            other => Err(unexpected(&other)),
        }
    }

    /// Posts a message, or an empty body to begin; again if nobody has worked on it. `None` if the TAM answers
    /// with nothing.
    // req: TEEP-OPS-005
    async fn deliver(
        &self,
        tam_uri: &str,
        message: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, BrokerError> {
        let failed = |reason: String, lost| BrokerError::Tam {
            uri: tam_uri.to_owned(),
            reason,
            lost,
        };
        let mut backoff = Backoff::default();
        loop {
            match self.post(tam_uri, message.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(Fault::Refused(reason)) => return Err(failed(reason, false)),
                Err(Fault::Lost(reason)) => return Err(failed(reason, true)),
                Err(Fault::Unheard(reason, asked)) => match backoff.after_failure(asked) {
                    Some(pause) => {
                        tracing::info!(tam_uri, reason, ?pause, "a message is sent again later");
                        tokio::time::sleep(pause).await;
                    }
                    None => {
                        let reason = match asked {
                            Some(asked) => {
                                format!("{reason}; it asks to wait {} s", asked.as_secs())
                            }
                            None => reason,
                        };
                        return Err(failed(reason, false));
                    }
                },
            }
        }
    }

    // req: HTTP-022
    async fn post(
        &self,
        tam_uri: &str,
        message: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        // A beginning costs the TAM nothing and may be repeated at will.
        let begins = message.is_none();
        let lost = |reason: String| match begins {
            true => Fault::Unheard(reason, None),
            false => Fault::Lost(reason),
        };
        let mut request = self.client.post(tam_uri).header(ACCEPT, MEDIA_TYPE);
        if let Some(message) = message {
            request = request.header(CONTENT_TYPE, MEDIA_TYPE).body(message);
        }
        let response = request.send().await.map_err(|error| {
            let reason = explain(&error);
            match &error {
                error if error.is_builder() => Fault::Refused(reason),
                error if error.is_connect() => Fault::Unheard(reason, None),
                _ => lost(reason),
            }
        })?;
        let status = response.status();
        let reason = || format!("HTTP status {status}");
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                return Err(Fault::Unheard(reason(), retry_after(response.headers())));
            }
            // A proxy that heard nothing, or heard nonsense: the server behind it may have heard.
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
                return Err(match lost(reason()) {
                    Fault::Unheard(reason, _) => {
                        Fault::Unheard(reason, retry_after(response.headers()))
                    }
                    other => other,
                });
            }
            status if !status.is_success() => return Err(Fault::Refused(reason())),
            _ => {}
        }
        let media_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| MediaType::parse(value.to_str().ok()?));
        let body = match read_body(response).await {
            Ok(body) => body,
            Err(Unread::TooLong) => {
                let reason = format!("the answer is longer than {MAX_MESSAGE} bytes");
                return Err(Fault::Refused(reason));
            }
            Err(Unread::Broken(reason)) => return Err(lost(reason)),
        };
        if status == StatusCode::NO_CONTENT || body.is_empty() {
            return Ok(None);
        }
        match media_type {
            Some(media_type) if media_type.essence() == MEDIA_TYPE => Ok(Some(body)),
            // A wrong type is a failed request (AMB-28).
            other => Err(Fault::Refused(match other {
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

/// What a message refuses, if it does, for people: nothing is decided by it. The TEE and the TAM look at signatures.
fn refusal(message: &[u8]) -> Option<String> {
    if message.len() > MAX_REFUSAL {
        return None;
    }
    let protected = Protected::decode(message, &Default::default()).ok()?;
    let (code, explanation) = match protected.read_unverified().ok()?.0 {
        Message::Error(error) => (error.code, error.explanation),
        Message::Update(update) => (update.error?, update.explanation),
        _ => return None,
    };
    let words = explanation
        .map(|explanation| explanation.text)
        .unwrap_or_default();
    let words: String = words.chars().filter(|c| !c.is_control()).collect();
    Some(format!("{code}: {words}"))
}

enum Unread {
    TooLong,
    Broken(String),
}

/// Reads a body of bounded size.
async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, Unread> {
    let broken = |error: reqwest::Error| Unread::Broken(explain(&error));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MAX_MESSAGE {
            return Err(Unread::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
