//! The TEEP endpoint (draft-ietf-teep-otrp-over-http, section 6).

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use tamarack_teep::http::{accepts_message, is_message, message_headers};

use super::{body::read_body, client::ClientAddress, error::ApiError, state::Shared};
use crate::{Clock, Store, Tam};

pub(super) fn router<S: Store + 'static, C: Clock + 'static>() -> Router<Arc<Shared<S, C>>> {
    // Other methods get 405 with Allow from the router.
    // req: HTTP-001
    Router::new().route("/tam", post(teep))
}

/// One message in, one message out.
async fn teep<S: Store + 'static, C: Clock + 'static>(
    State(shared): State<Arc<Shared<S, C>>>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match exchange(&shared, client, &headers, body).await {
        // req: HTTP-043
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(message)) => message_response(message),
        Err(Refused::Accept) => StatusCode::NOT_ACCEPTABLE.into_response(),
        Err(Refused::ContentType) => StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
        Err(Refused::Other(error)) => error.into_empty(),
    }
}

enum Refused {
    /// The client can't read TEEP messages.
    Accept,
    /// The body is something else.
    ContentType,
    Other(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}

async fn exchange<S: Store + 'static, C: Clock + 'static>(
    shared: &Shared<S, C>,
    client: ClientAddress,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<Vec<u8>>, Refused> {
    // Nobody is authenticated before the engine has verified the message.
    shared.admit(client)?;
    let body = read_body(shared, body, shared.settings.message_bytes).await?;
    // req: HTTP-041
    if !accepts_message(headers) {
        return Err(Refused::Accept);
    }
    // req: HTTP-042
    if body.bytes.is_empty() {
        return Ok(Some(
            shared
                .run(Tam::process_connect)
                .await?
                .map_err(ApiError::from)?,
        ));
    }
    // req: HTTP-040
    if !is_message(headers) {
        return Err(Refused::ContentType);
    }
    // req: HTTP-045
    let reply = shared
        .run(move |tam| tam.process_teep_message(&body.bytes))
        .await?;
    Ok(reply.map_err(ApiError::from)?)
}

// req: HTTP-044
fn message_response(message: Vec<u8>) -> Response {
    (message_headers(), message).into_response()
}
