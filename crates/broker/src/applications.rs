//! The local API: JSON over HTTP on a Unix socket.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path as UrlPath, State, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use base64ct::{Base64, Encoding};
use tamarack_suit::{ComponentId, Uuid};

use crate::{
    BrokerError,
    api::{
        Command, CommandResult, Component, ComponentRequest, Components, Invocation, OpenSession,
        Outcome, Problem, Session, Tee, TeeRequirements, Tees,
    },
    broker::{Broker, Done},
};

pub(crate) fn router(broker: Arc<Broker>) -> Router {
    Router::new()
        .route("/v1/components", get(list))
        .route("/v1/tees", get(tees))
        .route("/v1/request", post(request))
        .route("/v1/unrequest", post(unrequest))
        .route("/v1/policy-check", post(policy_check))
        .route("/v1/sessions", post(open_session))
        .route("/v1/sessions/{session}", delete(close_session))
        .route("/v1/sessions/{session}/invoke", post(invoke))
        .route("/v1/invoke", post(invoke_once))
        .with_state(broker)
}

/// A failure as the application sees it.
struct Failure {
    status: StatusCode,
    problem: Problem,
    wait: Option<Duration>,
}

impl Failure {
    fn new(status: StatusCode, error: impl ToString) -> Self {
        let problem = Problem {
            error: error.to_string(),
            result: None,
        };
        Self {
            status,
            problem,
            wait: None,
        }
    }

    fn bad_request(error: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        let status = match &error {
            BrokerError::Tee { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            BrokerError::TeeUnreachable { .. } | BrokerError::Link(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            BrokerError::Tam { .. } | BrokerError::EndlessExchange { .. } => {
                StatusCode::BAD_GATEWAY
            }
            BrokerError::NoTee(_) | BrokerError::NotHeld(_) => StatusCode::NOT_FOUND,
            BrokerError::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
            BrokerError::Listen { .. }
            | BrokerError::ListenForTam { .. }
            | BrokerError::Authority { .. }
            | BrokerError::HttpClient(_)
            | BrokerError::Trace(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut failure = Self::new(status, &error);
        match error {
            BrokerError::Tee { result, .. } => failure.problem.result = Some(result),
            BrokerError::TooOften { wait } => failure.wait = Some(wait),
            _ => {}
        }
        failure
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        let seconds = self.wait.map(|wait| (wait.as_secs() + 1).to_string());
        if let Some(value) = seconds.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        response
    }
}

type Answer<T> = Result<Json<T>, Failure>;
type Body<T> = Result<Json<T>, JsonRejection>;

fn parse_component(text: &str) -> Result<ComponentId, Failure> {
    text.parse()
        .map_err(|error| Failure::bad_request(format!("component {text:?}: {error}")))
}

fn input(text: Option<String>, base64: Option<String>) -> Result<Vec<u8>, Failure> {
    match (text, base64) {
        (Some(_), Some(_)) => Err(Failure::bad_request(
            "give input_text or input_base64, not both",
        )),
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => Base64::decode_vec(&base64)
            .map_err(|_| Failure::bad_request("input_base64 is not base64")),
        (None, None) => Ok(Vec::new()),
    }
}

async fn list(State(broker): State<Arc<Broker>>) -> Answer<Components> {
    let mut components = Vec::new();
    let mut unreachable = Vec::new();
    let mut last = None;
    for tee in broker.tees.iter() {
        let listed = match tee.list().await {
            Ok(listed) => listed,
            Err(error) => {
                unreachable.push(error.to_string());
                last = Some(error);
                continue;
            }
        };
        let name = name_of(&broker, tee).await?;
        components.extend(listed.into_iter().map(|installed| Component {
            component: installed.component.to_string(),
            kind: installed.kind.name().to_owned(),
            domain: installed.domain,
            manifest: installed.manifest.to_string(),
            sequence_number: installed.sequence_number,
            size: installed.size,
            digest: installed.digest,
            tee: name.clone(),
        }));
    }
    match last {
        Some(error) if unreachable.len() == broker.tees.len() => Err(error.into()),
        _ => Ok(Json(Components {
            components,
            unreachable,
        })),
    }
}

/// What a TEE is called, where there are several.
async fn name_of(broker: &Broker, tee: &crate::tees::Tee) -> Result<Option<String>, BrokerError> {
    match broker.tees.len() {
        0 | 1 => Ok(None),
        _ => Ok(Some(tee.describe().await?.name)),
    }
}

async fn tees(State(broker): State<Arc<Broker>>) -> Answer<Tees> {
    let uuids = |ids: &[[u8; 16]]| ids.iter().map(|id| Uuid(*id).to_string()).collect();
    let (mut tees, mut unreachable) = (Vec::new(), Vec::new());
    for tee in broker.tees.iter() {
        match tee.describe().await {
            Ok(found) => tees.push(Tee {
                vendors: uuids(&found.vendors),
                classes: uuids(&found.classes),
                name: found.name,
                platform: found.platform,
                version: found.version,
                capabilities: found.capabilities,
                tam_uris: found.tam_uris,
            }),
            Err(error) => unreachable.push(error.to_string()),
        }
    }
    Ok(Json(Tees { tees, unreachable }))
}

/// A component, the TAM that is suggested for it, and what its TEE must be.
type Wish = (ComponentId, Option<String>, TeeRequirements);

/// What an application wishes, once it may cause an exchange.
fn wish(broker: &Broker, body: Body<ComponentRequest>) -> Result<Wish, Failure> {
    let Json(body) = body?;
    let component = parse_component(&body.component)?;
    broker.spend()?;
    Ok((component, body.tam_uri, body.tee.unwrap_or_default()))
}

async fn request(
    State(broker): State<Arc<Broker>>,
    body: Body<ComponentRequest>,
) -> Answer<Outcome> {
    let (component, tam_uri, tee) = wish(&broker, body)?;
    let done = broker.request(&component, tam_uri.as_deref(), &tee).await?;
    outcome(&broker, done, &component).await
}

async fn unrequest(
    State(broker): State<Arc<Broker>>,
    body: Body<ComponentRequest>,
) -> Answer<Outcome> {
    let (component, tam_uri, tee) = wish(&broker, body)?;
    let done = (broker.unrequest(&component, tam_uri.as_deref(), &tee)).await?;
    outcome(&broker, done, &component).await
}

async fn outcome(broker: &Broker, done: Done<'_>, component: &ComponentId) -> Answer<Outcome> {
    let installed = done.tee.holds(component).await?;
    Ok(Json(Outcome {
        exchanges: done.exchanges,
        tee: name_of(broker, done.tee).await?,
        installed: Some(installed),
    }))
}

async fn policy_check(State(broker): State<Arc<Broker>>) -> Answer<Outcome> {
    broker.spend()?;
    Ok(Json(Outcome {
        exchanges: broker.check_policy().await?,
        tee: None,
        installed: None,
    }))
}

async fn open_session(
    State(broker): State<Arc<Broker>>,
    body: Body<OpenSession>,
) -> Answer<Session> {
    let Json(body) = body?;
    let component = parse_component(&body.component)?;
    let requirements = body.tee.unwrap_or_default();
    Ok(Json(Session {
        session: broker.open(component, &requirements).await?,
    }))
}

async fn close_session(
    State(broker): State<Arc<Broker>>,
    UrlPath(session): UrlPath<u64>,
) -> Result<StatusCode, Failure> {
    broker.close(session).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn invoke(
    State(broker): State<Arc<Broker>>,
    UrlPath(session): UrlPath<u64>,
    body: Body<Command>,
) -> Answer<CommandResult> {
    let Json(body) = body?;
    let input = input(body.input_text, body.input_base64)?;
    Ok(Json(broker.invoke(session, body.command, input).await?))
}

async fn invoke_once(
    State(broker): State<Arc<Broker>>,
    body: Body<Invocation>,
) -> Answer<CommandResult> {
    let Json(body) = body?;
    let input = input(body.input_text, body.input_base64)?;
    let component = parse_component(&body.component)?;
    let requirements = body.tee.unwrap_or_default();
    let session = broker.open(component, &requirements).await?;
    let result = broker.invoke(session, body.command, input).await;
    // A command that killed its session has closed it already; the command's own outcome counts.
    let _ = broker.close(session).await;
    Ok(Json(result?))
}
