//! The HTTP client, set up as TEEP over HTTP demands.

use std::time::Duration;

use reqwest::{Client, redirect::Policy};

use crate::BrokerError;

/// How long a TAM or a payload server may take to accept a connection, and to send its next bytes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// No redirects, and no cookies either: the store for them is not even compiled in.
// req: HTTP-002
// req: HTTP-003
pub(crate) fn build() -> Result<Client, BrokerError> {
    Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .user_agent(concat!("tamarack/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| BrokerError::HttpClient(error.to_string()))
}

/// An error with its causes, which reqwest's own text leaves out.
pub(crate) fn explain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
