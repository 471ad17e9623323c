//! The HTTP client, set up as TEEP over HTTP demands.

use std::{path::PathBuf, time::Duration};

use reqwest::{Certificate, Client, NoProxy, Proxy, redirect::Policy};

use crate::BrokerError;

/// How long a TAM or a payload server may take to accept a connection, and to send its next bytes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// How the broker reaches TAMs and payload servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transport {
    /// PEM files with certificates of authorities whose servers are trusted, beside those of the system.
    pub authorities: Vec<PathBuf>,
    /// Trust the authorities in the files only, not those of the system.
    pub only_those: bool,
    /// The URL of a proxy, for everything but what the environment variable NO_PROXY lists. Without, the
    /// variables HTTPS_PROXY, HTTP_PROXY and ALL_PROXY say.
    pub proxy: Option<String>,
}

/// No redirects, and no cookies either: the store for them is not even compiled in. A server with TLS is
/// verified as RFC 9110 section 4.3.4 says, and there is no way to turn that off; it speaks TLS 1.2 or 1.3.
// req: HTTP-002
// req: HTTP-003
// req: HTTP-008
pub(crate) fn build(transport: &Transport) -> Result<Client, BrokerError> {
    let mut authorities = Vec::new();
    for path in &transport.authorities {
        authorities.extend(read_authorities(path)?);
    }
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .user_agent(concat!("tamarack/", env!("CARGO_PKG_VERSION")));
    builder = match transport.only_those {
        true => builder.tls_certs_only(authorities),
        false => builder.tls_certs_merge(authorities),
    };
    if let Some(url) = &transport.proxy {
        let proxy = Proxy::all(url).map_err(|error| {
            BrokerError::HttpClient(format!("the proxy {url:?}: {}", explain(&error)))
        })?;
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_env()));
    }
    builder
        .build()
        .map_err(|error| BrokerError::HttpClient(explain(&error)))
}

fn read_authorities(path: &PathBuf) -> Result<Vec<Certificate>, BrokerError> {
    let fault = |reason: String| BrokerError::Authority {
        path: path.clone(),
        reason,
    };
    let pem = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| fault(explain(&error)))?;
    if found.is_empty() {
        return Err(fault("holds no certificate; a PEM file is expected".into()));
    }
    Ok(found)
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
