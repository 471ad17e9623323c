use std::{fmt, io::Read, net::IpAddr, path::PathBuf, time::Duration};

use base64ct::{Base64UrlUnpadded, Encoding};
use reqwest::{
    Certificate, StatusCode, Url,
    blocking::{Client, Response},
    header::{ACCEPT, CONTENT_TYPE},
    redirect::Policy,
};
use serde::Deserialize;
use tamarack_teep::AttestationPayload;

use crate::ResultFormat;

/// Longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 256 << 10;

/// How a Verifier is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Where it is, such as `https://verifier.example`; `appraise` is added to its path.
    pub url: String,
    /// A PEM file with certificates of authorities that its certificate may chain to, beside those of the
    /// system.
    pub authorities: Option<PathBuf>,
    /// How long it may take to answer. Default 10 seconds.
    pub timeout: Duration,
}

impl ClientConfig {
    /// The defaults, with this URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            authorities: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Why a Verifier gives no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The client can't be set up like that.
    #[error("{0}")]
    Config(String),
    /// It can't be reached, takes too long, or answers what is no answer.
    #[error("{0}")]
    Unavailable(String),
    /// It refuses the Evidence.
    #[error("{0}")]
    Refused(String),
}

/// Asks a Verifier. It blocks the thread that it is used on, which must not be one of an asynchronous runtime
/// that others wait for.
pub struct VerifierClient {
    http: Client,
    url: Url,
}

impl fmt::Debug for VerifierClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifierClient")
            .field(&self.url.as_str())
            .finish()
    }
}

/// What the Verifier answers where several results are asked for.
#[derive(Deserialize)]
struct Results {
    results: Vec<JsonResult>,
}

#[derive(Deserialize)]
struct JsonResult {
    format: String,
    value: Option<String>,
    refused: Option<String>,
}

/// Whether a URL leads to this machine only.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// What it answers where it refuses (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl VerifierClient {
    /// A client. No redirect is followed, and a server with TLS is verified.
    ///
    /// # Errors
    ///
    /// [`ClientError::Config`] if the URL is neither of HTTPS nor of this machine, or the authorities can't be read.
    pub fn new(config: &ClientConfig) -> Result<Self, ClientError> {
        let wrong = |reason: String| ClientError::Config(reason);
        let url = Url::parse(&format!("{}/appraise", config.url.trim_end_matches('/')))
            .map_err(|error| wrong(format!("{}: {error}", config.url)))?;
        // What was encrypted to the TAM goes on in the clear: nobody else may see it on this hop.
        // req: EAT-019
        if !(url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url)) {
            let advice = "a URL of https is expected, or one of http on this machine";
            return Err(wrong(format!("{}: {advice}", config.url)));
        }
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .timeout(config.timeout)
            .user_agent(concat!("tamarack/", env!("CARGO_PKG_VERSION")));
        if url.scheme() == "http" {
            // A proxy would be a hop that leaves this machine.
            builder = builder.no_proxy();
        }
        if let Some(path) = &config.authorities {
            let fault = |reason: &dyn fmt::Display| wrong(format!("{}: {reason}", path.display()));
            let pem = std::fs::read(path).map_err(|error| fault(&error))?;
            let found = Certificate::from_pem_bundle(&pem).map_err(|error| fault(&error))?;
            if found.is_empty() {
                return Err(fault(&"holds no certificate; a PEM file is expected"));
            }
            builder = builder.tls_certs_merge(found);
        }
        let http = builder.build().map_err(|error| wrong(explain(&error)))?;
        Ok(Self { http, url })
    }

    /// Has Evidence appraised, and returns the results in these formats, in order, as they came: signed, and
    /// not verified. Several are asked for in one request, so that one nonce does for all.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] or [`ClientError::Unavailable`].
    // req: TEEP-TAM-017
    pub fn appraise(
        &self,
        media_type: &str,
        evidence: &[u8],
        nonce: Option<&[u8]>,
        formats: &[ResultFormat],
    ) -> Result<Vec<AttestationPayload>, ClientError> {
        let mut url = self.url.clone();
        if let Some(nonce) = nonce {
            let nonce = Base64UrlUnpadded::encode_string(nonce);
            url.query_pairs_mut().append_pair("nonce", &nonce);
        }
        let accept = match formats {
            [format] => format.media_type(),
            _ => "application/json".into(),
        };
        let response = self
            .http
            .post(url)
            .header(CONTENT_TYPE, media_type)
            .header(ACCEPT, accept)
            .body(evidence.to_vec())
            .send()
            .map_err(|error| ClientError::Unavailable(explain(&error)))?;
        let status = response.status();
        let body = read(response)?;
        match status {
            StatusCode::OK => {}
            // These are about the Evidence; all others about the Verifier, or the way there.
            StatusCode::BAD_REQUEST
            | StatusCode::FORBIDDEN
            | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                let detail = serde_json::from_slice::<Problem>(&body)
                    .map_or_else(|_| status.to_string(), |problem| problem.detail);
                return Err(ClientError::Refused(for_people(&detail)));
            }
            status => return Err(ClientError::Unavailable(format!("it answers {status}"))),
        }
        if let [format] = formats {
            return Ok(vec![AttestationPayload {
                format: Some(format.media_type()),
                bytes: body,
            }]);
        }
        let unreadable = || ClientError::Unavailable("its answer can't be read".into());
        let Results { results } = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        let result = |format: &ResultFormat| {
            let media_type = format.media_type();
            let found = results.iter().find(|result| result.format == media_type);
            let found = found.ok_or_else(unreadable)?;
            if let Some(reason) = &found.refused {
                return Err(ClientError::Refused(for_people(reason)));
            }
            let value = found.value.as_deref().ok_or_else(unreadable)?;
            Ok(AttestationPayload {
                format: Some(media_type),
                bytes: Base64UrlUnpadded::decode_vec(value).map_err(|_| unreadable())?,
            })
        };
        formats.iter().map(result).collect()
    }
}

/// What a Verifier says, short, and without what could do something to a terminal or a log.
fn for_people(text: &str) -> String {
    let text = text.chars().take(256);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn read(response: Response) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    let read = response.take(MAX_ANSWER + 1).read_to_end(&mut body);
    match read {
        Ok(length) if length as u64 <= MAX_ANSWER => Ok(body),
        Ok(_) => Err(ClientError::Unavailable(format!(
            "its answer is longer than {MAX_ANSWER} bytes"
        ))),
        Err(error) => Err(ClientError::Unavailable(error.to_string())),
    }
}

/// An error with its causes, which reqwest's own text leaves out.
fn explain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::TcpListener,
        thread::{sleep, spawn},
    };

    use super::*;

    /// What a client makes of an answer, which is sent in pieces with a pause after each.
    fn appraise(pieces: Vec<Vec<u8>>, formats: &[ResultFormat]) -> ClientError {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            while !request.windows(8).any(|found| found == b"evidence") {
                let _ = stream.read(&mut request).unwrap();
            }
            for piece in pieces {
                // The client may have had enough.
                let _ = stream.write_all(&piece);
                sleep(Duration::from_millis(300));
            }
            // Nobody may have followed a redirect.
            listener.set_nonblocking(true).unwrap();
            assert!(listener.accept().is_err());
        });
        let config = ClientConfig {
            timeout: Duration::from_secs(1),
            ..ClientConfig::new(url)
        };
        let client = VerifierClient::new(&config).unwrap();
        let error = client
            .appraise("application/eat+cwt", b"evidence", None, formats)
            .unwrap_err();
        server.join().unwrap();
        error
    }

    fn response(status: &str, headers: &str, body: &[u8]) -> Vec<Vec<u8>> {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
        vec![[head.as_bytes(), body].concat()]
    }

    #[test]
    fn what_is_no_answer_of_a_verifier_is_none() {
        let one = [ResultFormat::Teep];
        let both = [ResultFormat::Teep, ResultFormat::EarJwt];
        let long = vec![b'x'; 300 << 10];
        let slowly = [b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n".to_vec()]
            .into_iter()
            .chain((0..6).map(|_| b"x".to_vec()))
            .collect();
        for (pieces, formats) in [
            (vec![], &one[..]),
            (vec![b"SSH-2.0-OpenSSH\r\n".to_vec()], &one),
            (response("200 OK", "", &long), &one),
            (response("302 Found", "location: /elsewhere\r\n", b""), &one),
            (response("500 Internal Server Error", "", b""), &one),
            (response("204 No Content", "", b""), &one),
            (slowly, &one),
            (response("200 OK", "", b"{"), &both),
            (response("200 OK", "", br#"{"results":[]}"#), &both),
        ] {
            let shown = format!("{:?}", pieces.first().map(|piece| piece.get(..40)));
            let error = appraise(pieces, formats);
            assert!(
                matches!(error, ClientError::Unavailable(_)),
                "{shown}: {error:?}"
            );
        }
    }

    #[test]
    fn a_refusal_is_told_without_what_it_could_do_to_a_terminal() {
        let detail = format!(r#"{{"detail":"no\u001b[2J\n{}"}}"#, "x".repeat(1000));
        let error = appraise(
            response("403 Forbidden", "", detail.as_bytes()),
            &[ResultFormat::Teep],
        );
        let ClientError::Refused(text) = error else {
            panic!("{error:?}")
        };
        assert!(text.starts_with("no [2J x"), "{text}");
        assert_eq!(text.chars().count(), 256);
    }

    // req: EAT-019
    #[test]
    fn evidence_leaves_this_machine_encrypted_only() {
        let client = |url: &str| {
            VerifierClient::new(&ClientConfig {
                url: url.into(),
                authorities: None,
                timeout: Duration::from_secs(1),
            })
        };
        for url in [
            "https://verifier.example/",
            "http://127.0.0.1:8081",
            "http://[::1]:8081",
            "http://localhost",
        ] {
            assert!(client(url).is_ok(), "{url}");
        }
        for url in [
            "http://verifier.example",
            "http://192.0.2.1",
            "http://localhost.example",
            "ftp://127.0.0.1",
            "verifier",
        ] {
            assert!(client(url).is_err(), "{url}");
        }
    }
}
