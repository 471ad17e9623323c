//! The broker as a process: the local API, and the periodic policy check.

use std::{
    future::Future,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path as UrlPath, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use base64ct::{Base64, Encoding};
use tamarack_agent::link::{Call, InstalledComponent, Reply};
use tamarack_suit::ComponentId;
use tamarack_trace::{Party, Trace};
use tokio::{net::UnixListener, sync::Mutex};

use crate::{
    BrokerError,
    api::{
        Command, CommandResult, Component, ComponentRequest, Components, Invocation, OpenSession,
        Outcome, Problem, Session,
    },
    exchange::Exchanger,
    http_client,
    tee_link::TeeLink,
};

/// How a broker runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The socket of the TEE.
    pub tee: PathBuf,
    /// A TAM for an agent that knows none; the agent decides.
    pub tam_uri: String,
    /// The socket for applications.
    pub socket: PathBuf,
    /// Time between policy checks.
    pub policy_interval: Duration,
    /// Where the messages of exchanges are written, if anywhere.
    pub trace: Option<tamarack_trace::Settings>,
}

impl Default for Config {
    /// A policy check every hour; paths and URI are empty.
    fn default() -> Self {
        Self {
            tee: PathBuf::new(),
            tam_uri: String::new(),
            socket: PathBuf::new(),
            policy_interval: Duration::from_secs(3600),
            trace: None,
        }
    }
}

struct Broker {
    exchanger: Exchanger,
    tam_uri: String,
    /// One exchange at a time: the agent would answer a second one in the middle of the first.
    exchanging: Mutex<()>,
}

/// A broker whose socket is open: applications can connect, and are answered once it [serves](Server::serve).
pub struct Server {
    broker: Arc<Broker>,
    listener: UnixListener,
    config: Config,
}

impl Server {
    /// Opens the socket for applications. Needs a Tokio runtime.
    ///
    /// The socket is for its owner and group (mode 0660). One that a broker left behind is replaced; one that
    /// still answers is not.
    ///
    /// # Errors
    ///
    /// If the socket or the trace can't be opened, or the HTTP client can't be made.
    pub fn open(config: Config) -> Result<Self, BrokerError> {
        let client = http_client::build()?;
        let trace = match &config.trace {
            Some(settings) => Trace::open(settings, Party::Agent)?,
            None => Trace::default(),
        };
        let exchanger = Exchanger::new(client, TeeLink::new(&config.tee), trace);
        let listener = listen(&config.socket)?;
        let broker = Arc::new(Broker {
            exchanger,
            tam_uri: config.tam_uri.clone(),
            exchanging: Mutex::new(()),
        });
        Ok(Self {
            broker,
            listener,
            config,
        })
    }

    /// Answers applications and makes policy checks until `stop` is ready, then removes the socket.
    ///
    /// # Errors
    ///
    /// If the socket fails.
    pub async fn serve(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), BrokerError> {
        let Self {
            broker,
            listener,
            config,
        } = self;
        let checks = tokio::spawn(check_periodically(
            Arc::clone(&broker),
            config.policy_interval,
        ));
        tracing::info!(socket = %config.socket.display(), "applications are served");
        let served = axum::serve(listener, router(broker))
            .with_graceful_shutdown(stop)
            .await;
        checks.abort();
        // The socket goes with the process that answered on it; its absence is what others see.
        let _ = std::fs::remove_file(&config.socket);
        served.map_err(|source| BrokerError::Listen {
            path: config.socket,
            source,
        })
    }
}

fn listen(path: &Path) -> Result<UnixListener, BrokerError> {
    let fault = |source| BrokerError::Listen {
        path: path.to_owned(),
        source,
    };
    let left_behind = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path).is_err();
    if left_behind {
        std::fs::remove_file(path).map_err(fault)?;
    }
    let listener = UnixListener::bind(path).map_err(fault)?;
    let mode = std::fs::Permissions::from_mode(0o660);
    std::fs::set_permissions(path, mode).map_err(fault)?;
    Ok(listener)
}

// req: HTTP-025
async fn check_periodically(broker: Arc<Broker>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        if let Err(error) = broker.check_policy().await {
            tracing::warn!(%error, "a policy check failed");
        }
    }
}

impl Broker {
    async fn call(&self, call: &Call) -> Result<Reply, BrokerError> {
        self.exchanger.call(call).await
    }

    /// Makes a call that may start an exchange, and runs that; `true` if there was one.
    // req: HTTP-020
    // req: TEEP-BROKER-010
    async fn start(&self, call: &Call) -> Result<bool, BrokerError> {
        let _one_at_a_time = self.exchanging.lock().await;
        match self.call(call).await? {
            Reply::NoData => Ok(false),
            Reply::Outbound { tam_uri, message } => {
                self.exchanger.run(&tam_uri, message).await?;
                Ok(true)
            }
            other => Err(unexpected(&other)),
        }
    }

    // req: HTTP-026
    async fn check_policy(&self) -> Result<usize, BrokerError> {
        let call = Call::RequestPolicyCheck {
            tam_uri: Some(self.tam_uri.clone()),
        };
        let mut exchanges = 0;
        let mut failed = None;
        loop {
            match self.start(&call).await {
                Ok(false) => break,
                Ok(true) => exchanges += 1,
                // The other TAMs are asked all the same, and the agent's round comes to its end.
                Err(error @ (BrokerError::Tam { .. } | BrokerError::EndlessExchange { .. })) => {
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(exchanges)
    }

    async fn list(&self) -> Result<Vec<InstalledComponent>, BrokerError> {
        match self.call(&Call::List).await? {
            Reply::Components(components) => Ok(components),
            other => Err(unexpected(&other)),
        }
    }

    async fn open(&self, component: ComponentId) -> Result<u64, BrokerError> {
        match self.call(&Call::OpenSession { component }).await? {
            Reply::Session(session) => Ok(session),
            other => Err(unexpected(&other)),
        }
    }

    async fn invoke(
        &self,
        session: u64,
        command: u32,
        input: Vec<u8>,
    ) -> Result<CommandResult, BrokerError> {
        match self
            .call(&Call::Invoke {
                session,
                command,
                input,
            })
            .await?
        {
            Reply::Output { result, output } => Ok(CommandResult {
                result,
                output_base64: Base64::encode_string(&output),
                output_text: String::from_utf8(output).ok(),
            }),
            other => Err(unexpected(&other)),
        }
    }

    async fn close(&self, session: u64) -> Result<(), BrokerError> {
        match self.call(&Call::CloseSession { session }).await? {
            Reply::NoData => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(reply: &Reply) -> BrokerError {
    BrokerError::Link(format!("unexpected reply: {reply:?}"))
}

fn router(broker: Arc<Broker>) -> Router {
    Router::new()
        .route("/v1/components", get(list))
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
struct Failure(StatusCode, Problem);

impl Failure {
    fn bad_request(error: impl ToString) -> Self {
        Self(
            StatusCode::BAD_REQUEST,
            Problem {
                error: error.to_string(),
                result: None,
            },
        )
    }
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        let (status, result) = match &error {
            BrokerError::Tee { result, .. } => (StatusCode::UNPROCESSABLE_ENTITY, Some(*result)),
            BrokerError::TeeUnreachable { .. } | BrokerError::Link(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, None)
            }
            BrokerError::Tam { .. } | BrokerError::EndlessExchange { .. } => {
                (StatusCode::BAD_GATEWAY, None)
            }
            BrokerError::Listen { .. } | BrokerError::HttpClient(_) | BrokerError::Trace(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, None)
            }
        };
        Self(
            status,
            Problem {
                error: error.to_string(),
                result,
            },
        )
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self(
            rejection.status(),
            Problem {
                error: rejection.body_text(),
                result: None,
            },
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
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
    let components = broker.list().await?.into_iter().map(|installed| Component {
        component: installed.component.to_string(),
        kind: installed.kind.name().to_owned(),
        domain: installed.domain,
        manifest: installed.manifest.to_string(),
        sequence_number: installed.sequence_number,
        size: installed.size,
        digest: installed.digest,
    });
    Ok(Json(Components {
        components: components.collect(),
    }))
}

async fn request(
    State(broker): State<Arc<Broker>>,
    body: Body<ComponentRequest>,
) -> Answer<Outcome> {
    let Json(body) = body?;
    let component = parse_component(&body.component)?;
    let tam_uri = Some(broker.tam_uri.clone());
    let started = broker
        .start(&Call::RequestTa {
            component: component.clone(),
            tam_uri,
        })
        .await?;
    outcome(&broker, started, &component).await
}

async fn unrequest(
    State(broker): State<Arc<Broker>>,
    body: Body<ComponentRequest>,
) -> Answer<Outcome> {
    let Json(body) = body?;
    let component = parse_component(&body.component)?;
    let tam_uri = Some(broker.tam_uri.clone());
    let call = Call::UnrequestTa {
        component: component.clone(),
        tam_uri,
    };
    let started = broker.start(&call).await?;
    outcome(&broker, started, &component).await
}

async fn outcome(broker: &Broker, started: bool, component: &ComponentId) -> Answer<Outcome> {
    let installed = broker
        .list()
        .await?
        .iter()
        .any(|found| found.component == *component);
    Ok(Json(Outcome {
        exchanges: usize::from(started),
        installed: Some(installed),
    }))
}

async fn policy_check(State(broker): State<Arc<Broker>>) -> Answer<Outcome> {
    Ok(Json(Outcome {
        exchanges: broker.check_policy().await?,
        installed: None,
    }))
}

async fn open_session(
    State(broker): State<Arc<Broker>>,
    body: Body<OpenSession>,
) -> Answer<Session> {
    let component = parse_component(&body?.component)?;
    Ok(Json(Session {
        session: broker.open(component).await?,
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
    let session = broker.open(parse_component(&body.component)?).await?;
    let result = broker.invoke(session, body.command, input).await;
    // A command that killed its session has closed it already; the command's own outcome counts.
    let _ = broker.close(session).await;
    Ok(Json(result?))
}
