//! The broker as a process: its sockets, and the periodic policy check.

use std::{
    future::Future,
    os::unix::fs::{FileTypeExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tamarack_trace::{Party, Trace};
use tokio::net::{TcpListener, UnixListener};

use crate::{
    BrokerError, Transport, applications,
    backoff::until_policy_check,
    broker::Broker,
    budget::Budget,
    exchange::Exchanger,
    http_client, peer,
    permissions::{Permissions, group_number},
    places::Places,
    sessions::Sessions,
    tam_listener,
    tee_link::TeeLink,
    tees::Tees,
    verifier::Verifier,
};

/// How a broker runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The sockets of the TEEs; the first is preferred.
    pub tees: Vec<PathBuf>,
    /// TAMs for an agent that knows none; the agent decides.
    pub tam_uris: Vec<String>,
    /// The socket for applications.
    pub socket: PathBuf,
    /// The group whose members can connect to it, by name or number; the broker's own by default.
    pub socket_group: Option<String>,
    /// The file with the permissions of applications. Without one, only root and the broker's own user have any.
    pub permissions: Option<PathBuf>,
    /// Sessions that one user may have open at a time.
    pub sessions_per_user: usize,
    /// Time between policy checks, give or take a tenth.
    pub policy_interval: Duration,
    /// The Verifier whose Attestation Results TAMs are shown that ask for some: where it takes Evidence.
    pub verifier: Option<String>,
    /// How TAMs are reached.
    pub transport: Transport,
    /// Exchanges that applications may cause in a minute, and all at once; 0 for any number.
    pub requests_per_minute: u32,
    /// Where a TAM may bring messages of its own accord, `HOST:PORT`; nowhere by default.
    pub listen_for_tam: Option<String>,
    /// Messages that may come in there in a minute, and all at once; 0 for any number.
    pub messages_per_minute: u32,
    /// Where the messages of exchanges are written, if anywhere.
    pub trace: Option<tamarack_trace::Settings>,
}

impl Default for Config {
    /// A policy check every hour, 240 requests and 240 messages in a minute, 16 sessions for each user; there are no
    /// paths and no URI.
    fn default() -> Self {
        Self {
            tees: Vec::new(),
            tam_uris: Vec::new(),
            socket: PathBuf::new(),
            socket_group: None,
            permissions: None,
            sessions_per_user: 16,
            policy_interval: Duration::from_secs(3600),
            verifier: None,
            transport: Transport::default(),
            requests_per_minute: 240,
            listen_for_tam: None,
            messages_per_minute: 240,
            trace: None,
        }
    }
}

/// A broker whose sockets are open: applications can connect, and are answered once it
/// [serves](Server::serve).
pub struct Server {
    broker: Arc<Broker>,
    listener: UnixListener,
    for_tam: Option<TcpListener>,
    config: Config,
}

impl Server {
    /// Opens the socket for applications, and the one for TAMs. Needs a Tokio runtime.
    ///
    /// The socket is for its owner and group (mode 0660). One that a broker left behind is replaced; one that
    /// still answers is not.
    ///
    /// # Errors
    ///
    /// If a socket, the permissions or the trace can't be opened, or the HTTP client can't be made.
    pub async fn open(config: Config) -> Result<Self, BrokerError> {
        let client = http_client::build(&config.transport)?;
        let trace = match &config.trace {
            Some(settings) => Trace::open(settings, Party::Agent)?,
            None => Trace::default(),
        };
        let verifier = Verifier::new(client.clone(), config.verifier.clone());
        let exchangers = config.tees.iter().map(|path| {
            let (verifier, trace) = (verifier.clone(), trace.clone());
            Exchanger::new(client.clone(), TeeLink::new(path), verifier, trace)
        });
        let broker = Arc::new(Broker {
            tees: Tees::new(exchangers.collect()),
            tam_uris: config.tam_uris.clone(),
            budget: Budget::new(config.requests_per_minute),
            permissions: Arc::new(Permissions::open(config.permissions.as_deref())?),
            sessions: Sessions::new(config.sessions_per_user),
            places: Places::default(),
        });
        let for_tam = match &config.listen_for_tam {
            Some(address) => Some(listen_for_tam(address).await?),
            None => None,
        };
        let group = config.socket_group.as_deref().map(group).transpose()?;
        let listener = listen(&config.socket, group)?;
        Ok(Self {
            broker,
            listener,
            for_tam,
            config,
        })
    }

    /// Where a TAM may bring messages.
    #[must_use]
    pub fn tam_address(&self) -> Option<std::net::SocketAddr> {
        self.for_tam.as_ref()?.local_addr().ok()
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
            for_tam,
            config,
        } = self;
        let checks = tokio::spawn(check_periodically(
            Arc::clone(&broker),
            config.policy_interval,
        ));
        let follows = tokio::spawn(Arc::clone(&broker.permissions).follow());
        let router = tam_listener::router(Arc::clone(&broker), config.messages_per_minute);
        let for_tam = for_tam
            .map(|listener| tokio::spawn(async move { axum::serve(listener, router).await }));
        tracing::info!(socket = %config.socket.display(), "applications are served");
        let router = applications::router(broker);
        let service = router.into_make_service_with_connect_info::<peer::Connection>();
        let served = axum::serve(listener, service)
            .with_graceful_shutdown(stop)
            .await;
        checks.abort();
        follows.abort();
        if let Some(for_tam) = for_tam {
            for_tam.abort();
        }
        // The socket goes with the process that answered on it; its absence is what others see.
        let _ = std::fs::remove_file(&config.socket);
        served.map_err(|source| BrokerError::Listen {
            path: config.socket,
            source,
        })
    }
}

/// A group by its name or number.
fn group(text: &str) -> Result<u32, BrokerError> {
    let number = text.parse().or_else(|_| group_number(text));
    number.map_err(|reason| BrokerError::SocketGroup {
        group: text.to_owned(),
        reason,
    })
}

fn listen(path: &Path, group: Option<u32>) -> Result<UnixListener, BrokerError> {
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
    if let Some(group) = group {
        chown(path, None, Some(group)).map_err(|error| BrokerError::SocketGroup {
            group: group.to_string(),
            reason: error.to_string(),
        })?;
    }
    let mode = std::fs::Permissions::from_mode(0o660);
    std::fs::set_permissions(path, mode).map_err(fault)?;
    Ok(listener)
}

async fn listen_for_tam(address: &str) -> Result<TcpListener, BrokerError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| BrokerError::ListenForTam {
        address: address.to_owned(),
        source,
    })
}

// req: HTTP-025
// req: TEEP-OPS-005
async fn check_periodically(broker: Arc<Broker>, interval: Duration) {
    let mut failures = 0_u32;
    loop {
        tokio::time::sleep(until_policy_check(interval, failures)).await;
        match broker.check_policy().await {
            Ok(_) => failures = 0,
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::warn!(%error, failures, "a policy check failed");
            }
        }
    }
}
