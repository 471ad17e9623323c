//! The TAM as the HTTP client: it contacts a device that listens.
//!
//! What TEEP over HTTP says of the client and the server applies the other way round, as far as it can
//! (requirement HTTP-010). Messages are matched by what they hold, here as everywhere: the answer of another
//! device counts as what it is.

use std::{sync::Arc, time::Duration};

use reqwest::{
    Client, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE},
    redirect::Policy,
};
use tamarack_teep::{MEDIA_TYPE, MediaType};

use super::{error::ApiError, state::Shared};
use crate::{Clock, Store, Tam};

/// Messages that are sent in one exchange: it has two, and more after failures.
const MAX_MESSAGES: usize = 32;

/// How long a device may take to accept a connection, and to carry out a message.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Runs an exchange with the device that listens at `uri`; how many messages it answered.
// req: HTTP-002
// req: HTTP-003
// req: HTTP-010
pub(super) async fn contact<S: Store + 'static, C: Clock + 'static>(
    shared: &Arc<Shared<S, C>>,
    uri: &str,
) -> Result<usize, ApiError> {
    let invalid = |text: &str| ApiError::Invalid(format!("uri {uri:?}: {text}"));
    let url = Url::parse(uri).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("not an http or https URI"));
    }
    let client = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .user_agent(concat!("tamarack/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ApiError::internal(&error))?;
    let mut message = shared.run(Tam::process_connect).await??;
    for answers in 0..MAX_MESSAGES {
        let answer = post(&client, &url, message, shared.settings.message_bytes)
            .await
            .map_err(|reason| ApiError::Device(format!("the device at {uri}: {reason}")))?;
        let Some(answer) = answer else {
            return Ok(answers);
        };
        let reply = shared
            .run(move |tam| tam.process_teep_message(&answer))
            .await??;
        match reply {
            Some(reply) => message = reply,
            None => return Ok(answers + 1),
        }
    }
    Ok(MAX_MESSAGES)
}

/// Posts a message; `None` if the device has nothing to answer.
async fn post(
    client: &Client,
    url: &Url,
    message: Vec<u8>,
    limit: usize,
) -> Result<Option<Vec<u8>>, String> {
    let explain = |error: reqwest::Error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        match cause {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        }
    };
    let request = client
        .post(url.clone())
        .header(ACCEPT, MEDIA_TYPE)
        .header(CONTENT_TYPE, MEDIA_TYPE)
        .body(message);
    let mut response = request.send().await.map_err(explain)?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("HTTP status {status}"));
    }
    let media_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| MediaType::parse(value.to_str().ok()?));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(explain)? {
        if body.len() + chunk.len() > limit {
            return Err(format!("the answer is longer than {limit} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    if status == StatusCode::NO_CONTENT || body.is_empty() {
        return Ok(None);
    }
    // A wrong type is a failed request (AMB-28).
    match media_type {
        Some(found) if found.essence() == MEDIA_TYPE => Ok(Some(body)),
        _ => Err(format!("the answer is not {MEDIA_TYPE}")),
    }
}
