//! JSON over HTTP, to a TAM's admin API.

use std::path::Path;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// An HTTP client for short requests. It also trusts the authorities whose certificates are in a PEM file.
pub(crate) fn client(authorities: Option<&Path>) -> Result<Client, Failure> {
    let Some(authorities) = authorities else {
        return build(Client::builder());
    };
    let pem = crate::files::read(authorities)?;
    let found = reqwest::Certificate::from_pem_bundle(&pem)
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| Failure::file(authorities, "holds no certificate as PEM"))?;
    build(Client::builder().tls_certs_merge(found))
}

fn build(builder: reqwest::ClientBuilder) -> Result<Client, Failure> {
    builder
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Failure::new(format!("cannot set up the HTTP client: {error}")))
}

/// Sends a request and reads the JSON that answers it. `peer` says who is asked, for errors.
pub(crate) async fn json<T: DeserializeOwned>(
    request: RequestBuilder,
    peer: &str,
) -> Result<T, Failure> {
    let (_, body) = send(request, peer).await?;
    decode(&body, peer)
}

/// Sends a request and reads the JSON that answers it, if there is any.
pub(crate) async fn json_if_any<T: DeserializeOwned>(
    request: RequestBuilder,
    peer: &str,
) -> Result<Option<T>, Failure> {
    let (status, body) = send(request, peer).await?;
    if status == StatusCode::NO_CONTENT {
        return Ok(None);
    }
    decode(&body, peer).map(Some)
}

fn decode<T: DeserializeOwned>(body: &[u8], peer: &str) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(format!(
            "{peer} gave an answer that makes no sense: {error}"
        ))
    })
}

/// Sends a request to which the answer has no content that matters.
pub(crate) async fn done(request: RequestBuilder, peer: &str) -> Result<(), Failure> {
    send(request, peer).await.map(drop)
}

async fn send(request: RequestBuilder, peer: &str) -> Result<(StatusCode, Vec<u8>), Failure> {
    let response = request.send().await.map_err(|error| {
        let mut cause = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            cause = inner.to_string();
            source = inner.source();
        }
        Failure::new(format!("{peer} can't be reached: {cause}"))
            .hint("check the address, and that the process is running")
    })?;
    let status = response.status();
    let body = response
        .bytes()
        .await
        .map_err(|error| Failure::new(format!("{peer} broke off its answer: {error}")))?;
    if status.is_success() {
        return Ok((status, body.to_vec()));
    }
    Err(refused(status, &body, peer))
}

/// The API answers a failed request with an object that has `error` and perhaps `detail`.
fn refused(status: StatusCode, body: &[u8], peer: &str) -> Failure {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let member = |name: &str| {
        problem
            .get(name)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    let text = match (member("error"), member("detail")) {
        (Some(error), Some(detail)) => format!("{error}: {detail}"),
        (Some(error), None) => error,
        _ => format!("{peer} answered with HTTP status {status}"),
    };
    let failure = Failure::new(text);
    match status {
        StatusCode::UNAUTHORIZED => {
            failure.hint("the token is in the file admin.token in the TAM's data folder")
        }
        _ => failure,
    }
}
