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
use tamarack_teep::http::{accepts_message, is_message, message_headers};

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
    if !is_message(headers) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    if !accepts_message(headers) {
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
        Ok(Some(answer)) => (message_headers(), answer).into_response(),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::warn!(%error, "a TAM's message could not be handed over");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn come_again(status: StatusCode, wait: Duration) -> Response {
    let mut response = status.into_response();
    if let Ok(value) = HeaderValue::from_str(&(wait.as_secs() + 1).to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}
