//! The Verifier as an HTTP server.

use std::{
    future::Future,
    io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64ct::{Base64, Base64Url, Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde_json::{Value, json};
use tamarack_rats::EAT_CWT;
use tamarack_teep::MediaType;
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{
    Findings, Refused, ResultFormat, Verifier,
    session::{Session, Sessions},
};

/// The media type of a session's state.
const SESSION: &str = "application/vnd.veraison.challenge-response-session+json";

/// The path of the challenge-response API.
const API: &str = "/challenge-response/v1";

/// Sizes of nonces, in bytes, as in eat_nonce.
const NONCE_SIZES: std::ops::RangeInclusive<usize> = 8..=64;

/// How the server is set: bounds and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSettings {
    /// Longest Evidence, in bytes. Default 256 KiB.
    pub evidence_bytes: usize,
    /// How long Evidence may take to arrive. Default 10 seconds.
    pub body_timeout: Duration,
    /// Most requests that are worked on at once; what comes on top is answered with 503. Default 64.
    pub concurrency: usize,
    /// Most sessions; what comes on top is answered with 503. Default 10,000.
    pub sessions: usize,
    /// How long a session lasts. Default 5 minutes.
    pub session_lifetime: Duration,
    /// How long requests may go on once the server is told to stop. Default 10 seconds.
    pub grace: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            evidence_bytes: 256 << 10,
            body_timeout: Duration::from_secs(10),
            concurrency: 64,
            sessions: 10_000,
            session_lifetime: Duration::from_secs(300),
            grace: Duration::from_secs(10),
        }
    }
}

struct Shared {
    verifier: Verifier,
    settings: ServerSettings,
    sessions: Sessions,
    permits: Semaphore,
}

type App = State<Arc<Shared>>;

/// Serves on `listener` until `stop` is ready, then finishes the requests at hand.
///
/// # Errors
///
/// If the server fails.
pub async fn serve_until(
    verifier: Verifier,
    settings: ServerSettings,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let shared = Arc::new(Shared {
        verifier,
        settings,
        sessions: Sessions::new(settings.sessions),
        permits: Semaphore::new(settings.concurrency),
    });
    tracing::info!(address = %listener.local_addr()?, "serving");
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let graceful = axum::serve(listener, router(shared)).with_graceful_shutdown(async move {
        stop.await;
        // Nobody listens any more only if the server has ended by itself.
        let _ = stopping.send(true);
    });
    let out_of_patience = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        tokio::time::sleep(settings.grace).await;
    };
    tokio::select! {
        served = graceful => served,
        () = out_of_patience => Ok(()),
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/appraise", post(appraise))
        .route(&format!("{API}/newSession"), post(new_session))
        .route(
            &format!("{API}/session/{{id}}"),
            get(session).post(submit).delete(end_session),
        )
        .route("/.well-known/verifier/key.jwk", get(key_jwk))
        .route("/.well-known/verifier/key.cose", get(key_cose))
        .route("/.well-known/veraison/verification", get(description))
        .with_state(shared)
}

/// Why a request fails.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, detail) = self;
        // A problem in the shape of RFC 9457.
        let body = json!({ "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail });
        let mut response = (status, body.to_string()).into_response();
        insert(
            &mut response,
            header::CONTENT_TYPE,
            "application/problem+json",
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            insert(&mut response, header::RETRY_AFTER, "1");
        }
        response
    }
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let status = match &refused {
            Refused::Format(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refused::Unreadable(_) => StatusCode::BAD_REQUEST,
            Refused::Crypto(_) => {
                tracing::error!(error = %refused, "no result");
                let detail = "the Verifier failed; its log says why";
                return Self(StatusCode::INTERNAL_SERVER_ERROR, detail.into());
            }
            _ => StatusCode::FORBIDDEN,
        };
        Self(status, refused.to_string())
    }
}

fn bad_request(detail: impl Into<String>) -> Failure {
    Failure(StatusCode::BAD_REQUEST, detail.into())
}

/// Seconds since 1970-01-01 UTC.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Shared {
    /// Reads the Evidence and appraises it, on a thread where that may take its time.
    async fn appraise(
        self: &Arc<Self>,
        headers: &HeaderMap,
        body: Body,
        nonce: Option<Vec<u8>>,
        formats: Vec<ResultFormat>,
    ) -> Result<Vec<Result<Vec<u8>, Refused>>, Failure> {
        let busy = || {
            let detail = "too many requests are being worked on; try again";
            Failure(StatusCode::SERVICE_UNAVAILABLE, detail.into())
        };
        let _permit = self.permits.try_acquire().map_err(|_| busy())?;
        let reading = to_bytes(body, self.settings.evidence_bytes);
        let evidence = tokio::time::timeout(self.settings.body_timeout, reading)
            .await
            .map_err(|_| {
                let detail = "the Evidence took too long to arrive";
                Failure(StatusCode::REQUEST_TIMEOUT, detail.into())
            })?
            .map_err(|_| {
                let most = self.settings.evidence_bytes;
                let detail = format!("the Evidence broke off, or is longer than {most} bytes");
                Failure(StatusCode::PAYLOAD_TOO_LARGE, detail)
            })?;
        let media_type = headers.get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|value| MediaType::parse(value.to_str().ok()?));
        let media_type = media_type.ok_or_else(|| {
            let detail = "send the media type of the Evidence in Content-Type";
            Failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail.into())
        })?;
        let shared = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || {
            let nonce = nonce.as_deref();
            let findings: Findings =
                (shared.verifier).appraise(&media_type, &evidence, nonce, now())?;
            // Never the Evidence, nor whom it is about.
            tracing::info!(tier = %findings.tier(), "appraised");
            let issue = |format| shared.verifier.issue(&findings, format);
            Ok::<_, Refused>(formats.into_iter().map(issue).collect())
        });
        let done = work.await.map_err(|error| {
            tracing::error!(error = %error, "an appraisal failed");
            Failure(StatusCode::INTERNAL_SERVER_ERROR, String::new())
        })?;
        Ok(done?)
    }
}

/// The nonce that the reader of the result has sent.
#[derive(Deserialize)]
struct NonceQuery {
    nonce: Option<String>,
    #[serde(rename = "nonceSize")]
    size: Option<usize>,
}

fn nonce(text: &str) -> Result<Vec<u8>, Failure> {
    let decoded = Base64UrlUnpadded::decode_vec(text)
        .or_else(|_| Base64Url::decode_vec(text))
        .or_else(|_| Base64::decode_vec(text));
    let sized = decoded
        .ok()
        .filter(|nonce| NONCE_SIZES.contains(&nonce.len()));
    sized.ok_or_else(|| bad_request("nonce: 8 to 64 bytes in base64url are expected"))
}

/// Evidence in, result out.
// req: TEEP-TAM-017
async fn appraise(
    State(shared): App,
    Query(query): Query<NonceQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let nonce = query.nonce.as_deref().map(nonce).transpose()?;
    let accepted = accepted(&headers)?;
    let formats = match accepted {
        Accepted::One(format) => vec![format],
        Accepted::All => ResultFormat::ALL.to_vec(),
    };
    let results = shared
        .appraise(&headers, body, nonce, formats.clone())
        .await?;
    match accepted {
        Accepted::One(format) => {
            let result = results.into_iter().next().transpose()?.unwrap_or_default();
            let mut response = Body::from(result).into_response();
            insert(&mut response, header::CONTENT_TYPE, &format.media_type());
            Ok(response)
        }
        Accepted::All => {
            let described = formats.into_iter().zip(results).map(|(format, result)| {
                let format = format.media_type();
                match result {
                    Ok(value) => {
                        json!({ "format": format, "value": Base64UrlUnpadded::encode_string(&value) })
                    }
                    Err(refused) => json!({ "format": format, "refused": refused.to_string() }),
                }
            });
            let results: Vec<Value> = described.collect();
            Ok(Json(json!({ "results": results })).into_response())
        }
    }
}

/// What the client takes.
#[derive(Clone, Copy)]
enum Accepted {
    One(ResultFormat),
    /// Everything, as JSON.
    All,
}

/// The first format in Accept that there is; the one of TEEP if anything will do.
fn accepted(headers: &HeaderMap) -> Result<Accepted, Failure> {
    let mut ranges = headers.get_all(header::ACCEPT).into_iter().peekable();
    if ranges.peek().is_none() {
        return Ok(Accepted::One(ResultFormat::Teep));
    }
    let ranges = ranges.filter_map(|value| value.to_str().ok());
    let found = ranges.flat_map(MediaType::split_list).find_map(|range| {
        let media_type = MediaType::parse(range)?;
        match media_type.essence() {
            "application/json" => Some(Accepted::All),
            "*/*" | "application/*" => Some(Accepted::One(ResultFormat::Teep)),
            _ => ResultFormat::of(&media_type).map(Accepted::One),
        }
    });
    found.ok_or_else(|| {
        let known = ResultFormat::ALL.map(ResultFormat::media_type).join(", ");
        let detail = format!("results come as {known}, or all together as application/json");
        Failure(StatusCode::NOT_ACCEPTABLE, detail)
    })
}

async fn new_session(
    State(shared): App,
    Query(query): Query<NonceQuery>,
) -> Result<Response, Failure> {
    let crypto = shared.verifier.crypto();
    let failed = |error: tamarack_cose::Error| Failure::from(Refused::Crypto(error));
    let nonce = match (&query.nonce, query.size) {
        (Some(_), Some(_)) => return Err(bad_request("give nonce or nonceSize, not both")),
        (Some(text), None) => nonce(text)?,
        (None, size) => {
            let mut nonce = vec![0; size.unwrap_or(32)];
            if !NONCE_SIZES.contains(&nonce.len()) {
                return Err(bad_request("nonceSize: 8 to 64 bytes are possible"));
            }
            crypto.random.fill(&mut nonce).map_err(failed)?;
            nonce
        }
    };
    let lifetime = shared.settings.session_lifetime.as_secs();
    let opened = shared.sessions.open(crypto, nonce, now(), lifetime);
    let Some((id, session)) = opened.map_err(failed)? else {
        let detail = "too many sessions are open; try again";
        return Err(Failure(StatusCode::SERVICE_UNAVAILABLE, detail.into()));
    };
    let mut response = state(&session, StatusCode::CREATED);
    insert(&mut response, header::LOCATION, &format!("session/{id}"));
    Ok(response)
}

fn no_session() -> Failure {
    let detail = "there is no such session, or no longer";
    Failure(StatusCode::NOT_FOUND, detail.into())
}

async fn session(State(shared): App, Path(id): Path<String>) -> Result<Response, Failure> {
    let session = shared.sessions.get(&id, now()).ok_or_else(no_session)?;
    Ok(state(&session, StatusCode::OK))
}

async fn submit(
    State(shared): App,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let session = shared.sessions.get(&id, now()).ok_or_else(no_session)?;
    if session.result.is_some() {
        return Err(bad_request("the session has had its Evidence"));
    }
    let formats = vec![ResultFormat::EarJwt];
    let results = shared
        .appraise(&headers, body, Some(session.nonce), formats)
        .await?;
    let jwt = results.into_iter().next().transpose()?.unwrap_or_default();
    let jwt = String::from_utf8_lossy(&jwt).into_owned();
    let complete = shared.sessions.complete(&id, jwt, now());
    Ok(state(&complete.ok_or_else(no_session)?, StatusCode::OK))
}

async fn end_session(State(shared): App, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    match shared.sessions.remove(&id, now()) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_session()),
    }
}

fn state(session: &Session, status: StatusCode) -> Response {
    let expiry = UNIX_EPOCH + Duration::from_secs(session.expires_at);
    let mut body = json!({
        "nonce": Base64::encode_string(&session.nonce),
        "expiry": humantime::format_rfc3339_seconds(expiry).to_string(),
        "accept": [EAT_CWT],
        "status": if session.result.is_some() { "complete" } else { "waiting" },
    });
    if let (Some(result), Some(members)) = (&session.result, body.as_object_mut()) {
        members.insert("result".into(), json!(result));
    }
    let mut response = (status, body.to_string()).into_response();
    insert(&mut response, header::CONTENT_TYPE, SESSION);
    response
}

async fn key_jwk(State(shared): App) -> Response {
    let mut response = shared.verifier.public_key().to_jwk().into_response();
    insert(&mut response, header::CONTENT_TYPE, "application/jwk+json");
    response
}

async fn key_cose(State(shared): App) -> Response {
    let mut response = shared.verifier.public_key().to_cose_key().into_response();
    insert(&mut response, header::CONTENT_TYPE, "application/cose-key");
    response
}

/// The description that clients of Veraison read.
async fn description(State(shared): App) -> Json<Value> {
    let jwk = shared.verifier.public_key().to_jwk();
    let jwk: Value = serde_json::from_str(&jwk).unwrap_or_default();
    Json(json!({
        "ear-verification-key": jwk,
        "media-types": [EAT_CWT],
        "version": env!("CARGO_PKG_VERSION"),
        "service-state": "READY",
        "api-endpoints": { "newChallengeResponseSession": format!("{API}/newSession") },
    }))
}
