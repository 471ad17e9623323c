//! What an application is answered when something can't be done: one table of HTTP status codes.

use std::time::Duration;

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use tamarack_client::api::{Origin, Problem};
use tamarack_ta::ResultCode;

use crate::BrokerError;

/// How long to wait for a TEE that is busy.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// A failure as the application sees it.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    problem: Problem,
    wait: Option<Duration>,
}

impl Failure {
    fn new(status: StatusCode, origin: Origin, error: impl ToString) -> Self {
        let problem = Problem {
            error: error.to_string(),
            origin,
            result: None,
            denied: None,
        };
        Self {
            status,
            problem,
            wait: None,
        }
    }

    pub(super) fn bad_request(error: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Origin::Broker, error)
    }

    /// A request in a version of HTTP in which a body that breaks off looks like a whole one.
    pub(super) fn too_old_for_streams() -> Self {
        Self::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Origin::Broker,
            "streams need HTTP/1.1",
        )
    }

    /// A command that ended with another result than success.
    pub(super) fn of_command(command: u32, result: u32) -> Self {
        let code = ResultCode(result);
        let (status, origin, error) = match code {
            ResultCode::CANCEL => (
                status_of(result),
                Origin::Tee,
                "the command was cancelled".to_owned(),
            ),
            ResultCode::TARGET_DEAD => (
                status_of(result),
                Origin::Tee,
                "the application died; its session is over".to_owned(),
            ),
            _ => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Origin::TrustedApplication,
                format!(
                    "command {command} returned {result:#010x}: {}",
                    code.description()
                ),
            ),
        };
        let mut failure = Self::new(status, origin, error);
        failure.problem.result = Some(result);
        failure
    }

    /// The GlobalPlatform result code, if there is one.
    pub(super) fn result(&self) -> Option<u32> {
        self.problem.result
    }
}

/// The status for a result with which the TEE refuses a call. What is not in the table is no fault of the request.
fn status_of(result: u32) -> StatusCode {
    match ResultCode(result) {
        ResultCode::BAD_PARAMETERS | ResultCode::BAD_FORMAT => StatusCode::BAD_REQUEST,
        ResultCode::ACCESS_DENIED | ResultCode::SECURITY => StatusCode::FORBIDDEN,
        ResultCode::ITEM_NOT_FOUND => StatusCode::NOT_FOUND,
        ResultCode::BAD_STATE | ResultCode::CANCEL | ResultCode::ACCESS_CONFLICT => {
            StatusCode::CONFLICT
        }
        ResultCode::EXCESS_DATA => StatusCode::PAYLOAD_TOO_LARGE,
        ResultCode::NOT_IMPLEMENTED | ResultCode::NOT_SUPPORTED => StatusCode::NOT_IMPLEMENTED,
        ResultCode::TARGET_DEAD => StatusCode::BAD_GATEWAY,
        ResultCode::BUSY | ResultCode::OUT_OF_MEMORY => StatusCode::SERVICE_UNAVAILABLE,
        ResultCode::STORAGE_NO_SPACE => StatusCode::INSUFFICIENT_STORAGE,
        // An application that refuses a session may do so with a code of its own.
        ResultCode(1..=0xEFFF_FFFF) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        let (status, origin) = match &error {
            BrokerError::Tee { result, .. } => (status_of(*result), Origin::Tee),
            BrokerError::TeeUnreachable { .. } | BrokerError::Link(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, Origin::Communication)
            }
            BrokerError::Tam { .. } | BrokerError::EndlessExchange { .. } => {
                (StatusCode::BAD_GATEWAY, Origin::Communication)
            }
            BrokerError::NoTee(_) | BrokerError::NotHeld(_) | BrokerError::NoSession(_) => {
                (StatusCode::NOT_FOUND, Origin::Broker)
            }
            BrokerError::SessionEnded(_) => (StatusCode::GONE, Origin::Tee),
            BrokerError::Unknown | BrokerError::Denied(_) | BrokerError::ForeignSession(_) => {
                (StatusCode::FORBIDDEN, Origin::Broker)
            }
            BrokerError::TooOften { .. } | BrokerError::TooManySessions { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, Origin::Broker)
            }
            BrokerError::Cancelled | BrokerError::Abandoned => {
                (StatusCode::CONFLICT, Origin::Broker)
            }
            BrokerError::WillNotEnd => (StatusCode::GATEWAY_TIMEOUT, Origin::Tee),
            BrokerError::InputStalled(_) | BrokerError::OutputStalled(_) => {
                (StatusCode::REQUEST_TIMEOUT, Origin::Broker)
            }
            BrokerError::Listen { .. }
            | BrokerError::ListenForTam { .. }
            | BrokerError::SocketGroup { .. }
            | BrokerError::Permissions { .. }
            | BrokerError::Authority { .. }
            | BrokerError::HttpClient(_)
            | BrokerError::Trace(_) => (StatusCode::INTERNAL_SERVER_ERROR, Origin::Broker),
        };
        let mut failure = Self::new(status, origin, &error);
        failure.problem.result = error.result();
        match error {
            BrokerError::TooOften { wait } => failure.wait = Some(wait),
            BrokerError::Tee { .. } if status == StatusCode::SERVICE_UNAVAILABLE => {
                failure.wait = Some(BUSY_WAIT);
            }
            BrokerError::Denied(denial) | BrokerError::ForeignSession(denial) => {
                failure.problem.denied = Some(denial);
            }
            _ => {}
        }
        failure
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), Origin::Broker, rejection.body_text())
    }
}

impl From<PathRejection> for Failure {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), Origin::Broker, rejection.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        let seconds = self
            .wait
            .map(|wait| wait.as_millis().div_ceil(1000).to_string());
        if let Some(value) = seconds.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn statuses_are_those_that_the_page_for_applications_lists() {
        let page = include_str!("../../../../docs/applications.md");
        let rows = page.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `0x")?.split('|').map(str::trim);
            let code = u32::from_str_radix(cells.next()?.get(..8)?, 16).ok()?;
            let status = cells.next()?.parse::<u16>().ok()?;
            Some((code, (status, cells.next()?.trim_matches('`'))))
        });
        let rows: BTreeMap<u32, (u16, &str)> = rows.collect();
        for (code, (status, name)) in &rows {
            assert_eq!(status_of(*code).as_u16(), *status, "{code:#010x}");
            assert_eq!(ResultCode(*code).name(), Some(*name), "{code:#010x}");
        }
        // What is not listed has no name and is 500, and a code of an application's own 422.
        for code in (0xFFFF_0000..=0xFFFF_5100_u32).chain(0xF010_0000..=0xF010_0100) {
            if !rows.contains_key(&code) {
                assert_eq!(ResultCode(code).name(), None, "{code:#010x}");
                assert_eq!(status_of(code), StatusCode::INTERNAL_SERVER_ERROR);
            }
        }
        assert_eq!(status_of(1), StatusCode::UNPROCESSABLE_ENTITY);
    }
}
