//! Where a TAM brings a message of its own accord: the agent as the HTTP server.
//!
//! The rules of TEEP over HTTP apply as far as they can (requirement HTTP-010): POST, the media type both ways,
//! the headers of a response, an empty answer as 204. A QueryRequest comes in, the QueryResponse is in the
//! response; the TAM's Update comes in the next request. Nothing is believed because it came this way: the agent
//! takes a TAM's message by its signature.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tamarack_agent::link::MAX_MESSAGE;
use tamarack_teep::{MEDIA_TYPE, MediaType};

use crate::{broker::Broker, budget::Budget};

/// How long a TAM may take to send a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// What stands for the URI of a TAM that came by itself.
const BY_ITSELF: &str = "a TAM that came of its own accord";

struct Inbound {
    broker: Arc<Broker>,
    budget: Budget,
}

/// `/teep` for the only TEE, `/teep/NAME` for one of several.
// req: HTTP-010
pub(crate) fn router(broker: Arc<Broker>, messages_per_minute: u32) -> Router {
    let inbound = Inbound {
        broker,
        budget: Budget::new(messages_per_minute),
    };
    // Other methods get 405 with Allow from the router.
    Router::new()
        .route("/teep", post(to_only))
        .route("/teep/{tee}", post(to_named))
        .with_state(Arc::new(inbound))
}

async fn to_only(State(inbound): State<Arc<Inbound>>, headers: HeaderMap, body: Body) -> Response {
    deliver(&inbound, None, &headers, body).await
}

async fn to_named(
    State(inbound): State<Arc<Inbound>>,
    Path(tee): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    deliver(&inbound, Some(&tee), &headers, body).await
}

async fn deliver(
    inbound: &Inbound,
    tee: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    if let Err(wait) = inbound.budget.spend(Instant::now()) {
        return come_again(StatusCode::TOO_MANY_REQUESTS, wait);
    }
    if !is_teep(headers) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    if !accepts_teep(headers) {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    let message = match tokio::time::timeout(PATIENCE, to_bytes(body, MAX_MESSAGE)).await {
        Ok(Ok(message)) => message,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    // A TAM begins with a message: only an agent may be asked to begin with nothing.
    if message.is_empty() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let tee = match inbound.broker.tees.named(tee).await {
        Ok(tee) => tee,
        Err(error) => {
            tracing::info!(%error, "a TAM's message is for no TEE");
            return StatusCode::NOT_FOUND.into_response();
        }
    };
    // The agent is in an exchange that it began itself.
    let Ok(_one_at_a_time) = tee.exchanging.try_lock() else {
        return come_again(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(2));
    };
    // req: TEEP-BROKER-012
    match tee.exchanger.hand_over(BY_ITSELF, message.to_vec()).await {
        Ok(Some(answer)) => answered(answer),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::warn!(%error, "a TAM's message could not be handed over");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

// req: HTTP-004
fn answered(message: Vec<u8>) -> Response {
    let mut response = Body::from(message).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn come_again(status: StatusCode, wait: Duration) -> Response {
    let mut response = status.into_response();
    if let Ok(value) = HeaderValue::from_str(&(wait.as_secs() + 1).to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn is_teep(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| MediaType::parse(value.to_str().ok()?));
    value.is_some_and(|found| found.essence() == MEDIA_TYPE)
}

/// Whether a TEEP message is an acceptable answer. A TAM has no use for anything else.
fn accepts_teep(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    values.peek().is_none()
        || values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .filter_map(|range| range.split(';').next())
            .any(|range| {
                let range = range.trim();
                ["*/*", "application/*", MEDIA_TYPE]
                    .iter()
                    .any(|known| range.eq_ignore_ascii_case(known))
            })
}
