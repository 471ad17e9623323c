//! Mallory sits on the network between the broker and the TAM: sees all, changes what she likes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use reqwest::Client;
use tamarack_cose::{CryptoProvider, Signer};
use tamarack_rats::Evidence;
use tamarack_teep::{Encoding, MEDIA_TYPE, Message, Protected, Token, Update, protect};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{failure::Failure, http};

/// What Mallory does to the next Update.
#[derive(Debug, Clone, Default)]
pub(super) enum Plan {
    /// Lets everything pass.
    #[default]
    Watch,
    /// Flips one bit of the next Update.
    FlipBit,
    /// Answers the next QueryResponse with this instead of what the TAM says.
    Substitute(Vec<u8>),
    /// Answers the next QueryResponse with an Update that installs this manifest, signed with the TAM's own key.
    Forge(Arc<Forgery>),
}

/// What somebody has who stole the TAM's key.
pub(super) struct Forgery {
    pub(super) crypto: CryptoProvider,
    pub(super) key: Box<dyn Signer>,
    pub(super) manifest: Vec<u8>,
}

impl std::fmt::Debug for Forgery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forgery").finish_non_exhaustive()
    }
}

impl Forgery {
    /// The Update that follows the QueryResponse, as the TAM would make it.
    fn follow(&self, query_response: &[u8]) -> Option<Vec<u8>> {
        let limits = tamarack_cose::cbor::Limits::default();
        let protected = Protected::decode(query_response, &limits).ok()?;
        let agent = protected.key_ids().next()?;
        let (Message::QueryResponse(response), _) = protected.read_unverified().ok()? else {
            return None;
        };
        let evidence = Evidence::decode(&response.attestation.as_ref()?.bytes).ok()?;
        let nonce = evidence.unverified_claims().nonce.clone()?;
        let update = Update {
            token: Token::following(&self.crypto, &nonce, &agent).ok(),
            manifest_list: vec![self.manifest.clone()],
            ..Update::default()
        };
        let encoding = Encoding::default();
        protect(&self.crypto, &*self.key, &update.into(), encoding).ok()
    }
}

/// What Mallory has seen.
#[derive(Debug, Default)]
struct Notes {
    plan: Plan,
    /// The last QueryResponse that passed.
    query_response: Option<Vec<u8>>,
    /// The last Update that passed.
    update: Option<Vec<u8>>,
    /// What the device answered to the last Update, genuine or not.
    answer: Option<Message>,
}

/// The attacker on the network.
pub(super) struct Mallory {
    notes: Arc<Mutex<Notes>>,
    tam: String,
    client: Client,
    server: JoinHandle<()>,
    uri: String,
}

#[derive(Clone)]
struct Wire {
    notes: Arc<Mutex<Notes>>,
    tam: String,
    client: Client,
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message in a body, signature unchecked: Mallory can read all of it.
fn read(body: &[u8]) -> Option<Message> {
    let protected = Protected::decode(body, &tamarack_cose::cbor::Limits::default()).ok()?;
    Some(protected.read_unverified().ok()?.0)
}

impl Mallory {
    /// Sits down in front of the TAM at `tam`.
    pub(super) async fn start(tam: &str) -> Result<Self, Failure> {
        let fault = |error: std::io::Error| Failure::new(format!("cannot listen: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(fault)?;
        let uri = format!("http://{}/tam", listener.local_addr().map_err(fault)?);
        let notes = Arc::new(Mutex::new(Notes::default()));
        let client = http::client(None)?;
        let wire = Wire {
            notes: Arc::clone(&notes),
            tam: tam.to_owned(),
            client: client.clone(),
        };
        let router = Router::new()
            .route("/tam", post(relay))
            .layer(axum::extract::DefaultBodyLimit::max(4 << 20))
            .with_state(wire);
        let server = tokio::spawn(async move {
            // It serves until the demo ends.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            notes,
            tam: tam.to_owned(),
            client,
            server,
            uri,
        })
    }

    /// Where the broker believes the TAM to be.
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// Makes up her mind about the next Update.
    pub(super) fn plan(&self, plan: Plan) {
        let mut notes = lock(&self.notes);
        notes.plan = plan;
        notes.answer = None;
    }

    /// The last Update that passed.
    pub(super) fn recorded_update(&self) -> Option<Vec<u8>> {
        lock(&self.notes).update.clone()
    }

    /// What the device answered to the last Update.
    pub(super) fn answer(&self) -> Option<Message> {
        lock(&self.notes).answer.clone()
    }

    /// Posts the recorded QueryResponse to the TAM once more and returns the HTTP status and the size of
    /// what comes back.
    pub(super) async fn replay_query_response(&self) -> Result<(u16, usize), Failure> {
        let body = lock(&self.notes).query_response.clone();
        let body = body.ok_or_else(|| Failure::new("nothing was recorded"))?;
        let request = self
            .client
            .post(&self.tam)
            .header(header::ACCEPT, MEDIA_TYPE)
            .header(header::CONTENT_TYPE, MEDIA_TYPE)
            .body(body);
        let fault = |error: reqwest::Error| Failure::new(format!("the TAM: {error}"));
        let response = request.send().await.map_err(fault)?;
        let status = response.status().as_u16();
        Ok((status, response.bytes().await.map_err(fault)?.len()))
    }
}

impl Drop for Mallory {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn relay(State(wire): State<Wire>, body: Bytes) -> Response {
    let sent = read(&body);
    let is_query_response = matches!(sent, Some(Message::QueryResponse(_)));
    {
        let mut notes = lock(&wire.notes);
        if is_query_response {
            notes.query_response = Some(body.to_vec());
        }
        if let Some(Message::Success(_) | Message::Error(_)) = sent {
            notes.answer = sent;
        }
        if is_query_response && let Plan::Substitute(_) | Plan::Forge(_) = notes.plan {
            let forged = match std::mem::take(&mut notes.plan) {
                Plan::Substitute(message) => Some(message),
                Plan::Forge(forgery) => forgery.follow(&body),
                Plan::Watch | Plan::FlipBit => None,
            };
            return forged.map_or_else(|| StatusCode::BAD_GATEWAY.into_response(), reply);
        }
    }
    let mut request = wire
        .client
        .post(&wire.tam)
        .header(header::ACCEPT, MEDIA_TYPE);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, MEDIA_TYPE).body(body);
    }
    let Ok(response) = request.send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let status = response.status();
    let Ok(answer) = response.bytes().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    if answer.is_empty() {
        return status.into_response();
    }
    let mut answer = answer.to_vec();
    if let Some(Message::Update(_)) = read(&answer) {
        let mut notes = lock(&wire.notes);
        notes.update = Some(answer.clone());
        if let Plan::FlipBit = notes.plan {
            notes.plan = Plan::Watch;
            let middle = answer.len() / 2;
            if let Some(byte) = answer.get_mut(middle) {
                *byte ^= 1;
            }
        }
    }
    reply(answer)
}

fn reply(message: Vec<u8>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(MEDIA_TYPE),
    );
    (headers, message).into_response()
}
