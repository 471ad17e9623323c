use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{DomainError, EngineError, PublishError, StoreError, WithdrawError, api};

/// Why a request to the admin API fails.
#[derive(Debug)]
pub(super) enum ApiError {
    /// No token, or the wrong one.
    Unauthorized,
    /// The token is good, and for something else.
    Forbidden(String),
    NotFound(String),
    Method,
    /// The request can't be read.
    Malformed(String),
    /// The request can be read and asks for what is not allowed.
    Invalid(String),
    /// It contradicts what is there.
    Conflict(String),
    TooLarge(usize),
    Timeout,
    /// This client asks too often; it is to wait this long.
    TooOften(Duration),
    /// All hands are busy; it may be better after this time.
    Overloaded(Duration),
    /// A device that was to be contacted did not answer as it should.
    Device(String),
    /// The TAM failed. What is said about it goes to the log, not to the client.
    Internal,
}

impl ApiError {
    /// A failure of the TAM, logged.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %error, "a request failed");
        Self::Internal
    }

    fn parts(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Unauthorized => {
                let detail = "send Authorization: Bearer with the token in admin.token, or with one that was made for you";
                (StatusCode::UNAUTHORIZED, "unauthorized", detail.into())
            }
            Self::Forbidden(detail) => (StatusCode::FORBIDDEN, "forbidden", detail),
            Self::NotFound(detail) => (StatusCode::NOT_FOUND, "not-found", detail),
            Self::Method => {
                let detail = "the header Allow names the methods of this path";
                (
                    StatusCode::METHOD_NOT_ALLOWED,
                    "method-not-allowed",
                    detail.into(),
                )
            }
            Self::Malformed(detail) => (StatusCode::BAD_REQUEST, "malformed", detail),
            Self::Invalid(detail) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail),
            Self::Conflict(detail) => (StatusCode::CONFLICT, "conflict", detail),
            Self::TooLarge(limit) => {
                let detail = format!("the body is longer than {limit} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
            }
            Self::Timeout => {
                let detail = "the body took too long to arrive";
                (StatusCode::REQUEST_TIMEOUT, "timeout", detail.into())
            }
            Self::TooOften(_) => {
                let detail = "this address asks too often; try again after the time in Retry-After";
                (StatusCode::TOO_MANY_REQUESTS, "too-often", detail.into())
            }
            Self::Overloaded(_) => {
                let detail = "too many requests are being worked on; try again";
                (StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail.into())
            }
            Self::Device(detail) => (StatusCode::BAD_GATEWAY, "device-failed", detail),
            Self::Internal => {
                let detail = "the TAM failed; its log says why";
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", detail.into())
            }
        }
    }

    /// The response of the TEEP endpoint: the status alone, since a body would have to be a TEEP message.
    pub(super) fn into_empty(self) -> Response {
        let wait = self.wait();
        let mut response = self.parts().0.into_response();
        add_retry_after(&mut response, wait);
        response
    }

    /// How long the client is to wait before it asks again.
    fn wait(&self) -> Option<Duration> {
        match self {
            Self::TooOften(wait) | Self::Overloaded(wait) => Some(*wait),
            _ => None,
        }
    }
}

/// Retry-After in seconds, 1 at least (RFC 9110 section 10.2.3).
fn add_retry_after(response: &mut Response, wait: Option<Duration>) {
    if let Some(wait) = wait {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let wait = self.wait();
        let (status, error, detail) = self.parts();
        let mut response = (
            status,
            Json(api::Error {
                error: error.into(),
                detail,
            }),
        )
            .into_response();
        add_retry_after(&mut response, wait);
        if status == StatusCode::UNAUTHORIZED {
            let value = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        Self::internal(&error)
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        let detail = error.to_string();
        match error {
            PublishError::Store(error) => Self::internal(&error),
            PublishError::Malformed(_) => Self::Malformed(detail),
            PublishError::TooLarge { limit, .. } => Self::TooLarge(limit),
            PublishError::NotNewer { .. } | PublishError::ComponentTaken { .. } => {
                Self::Conflict(detail)
            }
            PublishError::Retired(_) => Self::Conflict(detail),
            PublishError::NotYours(_) => Self::Forbidden(detail),
            PublishError::Busy => Self::Overloaded(Duration::ZERO),
            _ => Self::Invalid(detail),
        }
    }
}

impl From<DomainError> for ApiError {
    fn from(error: DomainError) -> Self {
        let detail = error.to_string();
        match error {
            DomainError::Store(error) => Self::internal(&error),
            DomainError::Manifest(error) => error.into(),
            DomainError::Unknown(_) => Self::NotFound(detail),
            DomainError::PrefixTaken(_)
            | DomainError::WouldMove { .. }
            | DomainError::HasSubDomain { .. }
            | DomainError::InUse { .. } => Self::Conflict(detail),
            DomainError::NotYours(_) | DomainError::ForeignAnchor => Self::Forbidden(detail),
            DomainError::Busy => Self::Overloaded(Duration::ZERO),
            _ => Self::Invalid(detail),
        }
    }
}

impl From<WithdrawError> for ApiError {
    fn from(error: WithdrawError) -> Self {
        let detail = error.to_string();
        match error {
            WithdrawError::Store(error) => Self::internal(&error),
            WithdrawError::Unknown(_) => Self::NotFound(detail),
            WithdrawError::NotYours(_) => Self::Forbidden(detail),
            WithdrawError::Busy => Self::Overloaded(Duration::ZERO),
            WithdrawError::Needed { .. } | WithdrawError::OfDomain(_) => Self::Conflict(detail),
        }
    }
}

/// Any other method.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::Method
}

/// Any other path.
pub(super) async fn not_found() -> ApiError {
    ApiError::NotFound("there is nothing at this path".into())
}
