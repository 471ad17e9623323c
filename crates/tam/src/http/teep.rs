//! The TEEP endpoint (draft-ietf-teep-otrp-over-http, section 6).

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tamarack_teep::{MEDIA_TYPE, MediaType};

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
    if !accepts_teep(headers) {
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
    if !is_teep(headers) {
        return Err(Refused::ContentType);
    }
    // req: HTTP-045
    let reply = shared
        .run(move |tam| tam.process_teep_message(&body.bytes))
        .await?;
    Ok(reply.map_err(ApiError::from)?)
}

// req: HTTP-004
// req: HTTP-044
fn message_response(message: Vec<u8>) -> Response {
    let mut response = Body::from(message).into_response();
    let headers = response.headers_mut();
    let mut insert = |name, value| headers.insert(name, HeaderValue::from_static(value));
    insert(header::CONTENT_TYPE, MEDIA_TYPE);
    insert(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    insert(header::CONTENT_SECURITY_POLICY, "default-src 'none'");
    insert(header::REFERRER_POLICY, "no-referrer");
    response
}

/// Whether the body is said to be a TEEP message.
fn is_teep(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value
        .and_then(MediaType::parse)
        .is_some_and(|found| found.essence() == MEDIA_TYPE)
}

/// Whether the client takes a TEEP message: the most specific range that fits decides, and one with
/// weight 0 refuses (RFC 9110 section 12.5.1). No header accepts anything.
fn accepts_teep(headers: &HeaderMap) -> bool {
    let mut ranges = headers.get_all(header::ACCEPT).into_iter().peekable();
    if ranges.peek().is_none() {
        return true;
    }
    let ranges = ranges
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    let mut best = (0, false);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let specific = match name.as_str() {
            MEDIA_TYPE => 3,
            "application/*" => 2,
            "*/*" => 1,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let refused = weight.is_some_and(|q| q.trim().parse() == Ok(0.0_f32));
        if specific > best.0 {
            best = (specific, !refused);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|v| (name.clone(), HeaderValue::from_str(v).unwrap()));
        values.collect()
    }

    // req: HTTP-041
    #[test]
    fn accept_decides_by_the_most_specific_range() {
        let accepts = |values: &[&str]| accepts_teep(&headers(header::ACCEPT, values));
        assert!(accepts(&[]));
        assert!(accepts(&["application/teep+cbor"]));
        assert!(accepts(&["Application/TEEP+cbor;q=0.1"]));
        assert!(accepts(&["text/html", "*/*"]));
        assert!(accepts(&["text/html, application/*"]));
        assert!(!accepts(&["text/html"]));
        assert!(!accepts(&["application/teep+cbor;q=0"]));
        assert!(!accepts(&["*/*, application/teep+cbor; q=0.000"]));
        assert!(accepts(&["*/*;q=0, application/teep+cbor"]));
    }

    // req: HTTP-040
    #[test]
    fn a_content_type_is_compared_by_meaning() {
        let teep = |value: &str| is_teep(&headers(header::CONTENT_TYPE, &[value]));
        assert!(teep("application/teep+cbor"));
        assert!(teep("Application/TEEP+CBOR"));
        assert!(!teep("application/cbor"));
        assert!(!teep(""));
        assert!(!is_teep(&HeaderMap::new()));
    }
}
