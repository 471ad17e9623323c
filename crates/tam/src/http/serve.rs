use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use tamarack_cose::{PublicKey, aws_lc};
use tamarack_trace::{Party, Trace};
use tamarack_verifier::{ClientConfig, ClientError, VerifierClient};
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    admin_router,
    client::TrustedProxies,
    connections::{Connections, Listener},
    router,
    state::{HttpSettings, Shared},
    teep_router,
    tls::{Certificate, TlsError, TlsFiles},
    token::AdminToken,
};
use crate::{
    Clock, KeysError, RemoteAppraiser, Settings, SqliteStore, Store, StoreError, SystemClock, Tam,
    TamIdentity, TamKeys, VerifiedTam,
    keys::{attester_key, create_private_dir},
};

/// How often pending Updates are looked through for those that have expired.
const SWEEP: Duration = Duration::from_secs(300);

/// What a TAM needs to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeConfig {
    /// Its folder: `keys/`, `admin.token` and `tam.sqlite`, each made if it is missing.
    pub data: PathBuf,
    /// The protocol's times and bounds.
    pub engine: Settings,
    /// The server's.
    pub http: HttpSettings,
    /// The certificate for HTTPS, which is then the only thing served; HTTP in clear text without.
    pub tls: Option<TlsFiles>,
    /// Proxies in front of the TAM, which say in X-Forwarded-For where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// Where the messages of the TEEP endpoint are written, if anywhere.
    pub trace: Option<tamarack_trace::Settings>,
    /// Who attests devices, besides their endorsed attesters.
    pub attestation: AttestationConfig,
}

/// Who attests devices, besides their endorsed attesters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttestationConfig {
    /// Keys of Verifiers whose Attestation Results count. Without any, none do.
    pub verifiers: Vec<PublicKey>,
    /// The Verifier to which Evidence goes. Without, the TAM appraises it.
    pub remote: Option<ClientConfig>,
    /// The Verifier that vouches for this TAM, for agents that demand it. Without, such agents are not served.
    pub own: Option<ClientConfig>,
}

/// Where the TAM listens.
#[derive(Debug)]
pub struct Listeners {
    /// For the TEEP endpoint; and for the admin API, if that has no listener of its own.
    pub teep: TcpListener,
    /// For the admin API only.
    pub admin: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    /// One for everything.
    fn from(listener: TcpListener) -> Self {
        Self {
            teep: listener,
            admin: None,
        }
    }
}

impl ServeConfig {
    /// The defaults, with this folder.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            engine: Settings::default(),
            http: HttpSettings::default(),
            tls: None,
            trusted_proxies: Vec::new(),
            trace: None,
            attestation: AttestationConfig::default(),
        }
    }

    /// Where the TAM's keys are.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// Where the token of the admin API is.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.data.join("admin.token")
    }

    /// Where the database is.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data.join("tam.sqlite")
    }
}

/// Why the TAM does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The keys or the token could not be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database could not be opened.
    #[error("{}: {error}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        error: StoreError,
    },
    /// The way to the Verifier can't be used.
    #[error("the Verifier: {0}")]
    Verifier(#[from] ClientError),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The trace could not be opened.
    #[error(transparent)]
    Trace(#[from] tamarack_trace::TraceError),
    /// The server failed.
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
}

/// Serves on `listeners` until the process is told to stop (SIGINT or SIGTERM).
///
/// # Errors
///
/// If the folder or the certificate can't be used, or the server fails.
pub async fn serve(config: ServeConfig, listeners: impl Into<Listeners>) -> Result<(), ServeError> {
    serve_until(config, listeners, stop_signal()).await
}

/// Serves on `listeners` until `stop` is ready, then finishes the requests at hand.
///
/// # Errors
///
/// If the folder or the certificate can't be used, or the server fails.
pub async fn serve_until(
    config: ServeConfig,
    listeners: impl Into<Listeners>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let listeners = listeners.into();
    let certificate = config.tls.as_ref().map(Certificate::open).transpose()?;
    let acceptor = certificate
        .as_ref()
        .map(Certificate::acceptor)
        .transpose()?;
    let (http, proxies) = (config.http, config.trusted_proxies.clone());
    let trace = match &config.trace {
        Some(settings) => Trace::open(settings, Party::Tam)?,
        None => Trace::default(),
    };
    let shared = tokio::task::spawn_blocking(move || open(&config)).await;
    let shared = Arc::new(shared.map_err(io::Error::other)??);
    // What runs beside the connections ends with this.
    let mut beside = JoinSet::new();
    beside.spawn(sweep(Arc::clone(&shared)));
    if let Some(certificate) = certificate {
        beside.spawn(certificate.follow());
    }

    let (stopping, stopped) = tokio::sync::watch::channel(false);
    let connections = Connections::new(http, Arc::new(TrustedProxies::new(proxies)), stopped);
    let listener = |tcp, router| Listener {
        tcp,
        tls: acceptor.clone(),
        router,
    };
    tracing::info!(address = %listeners.teep.local_addr()?, tls = acceptor.is_some(), "serving");
    let mut serving = JoinSet::new();
    let first = match listeners.admin {
        None => listener(listeners.teep, router(shared, trace)),
        Some(admin) => {
            let admin = listener(admin, admin_router(Arc::clone(&shared)));
            serving.spawn(connections.clone().serve(admin));
            listener(listeners.teep, teep_router(shared, trace))
        }
    };
    serving.spawn(connections.clone().serve(first));
    stop.await;
    // The listeners wait for this; so do the connections, to finish what is under way.
    let _ = stopping.send(true);
    while serving.join_next().await.is_some() {}
    connections.drained().await;
    Ok(())
}

fn open(config: &ServeConfig) -> Result<Shared<SqliteStore, SystemClock>, ServeError> {
    let crypto = aws_lc::provider();
    create_private_dir(&config.data)?;
    let keys = TamKeys::open_or_create(&crypto, config.keys_dir())?;
    let token = AdminToken::open_or_create(&crypto, &config.admin_token())?;
    let path = config.database();
    let store = SqliteStore::open(&path).map_err(|error| ServeError::Store { path, error })?;
    let AttestationConfig {
        verifiers,
        remote,
        own,
    } = config.attestation.clone();
    let identity = match &own {
        Some(_) => Some(tam_identity(config.keys_dir())?),
        None => None,
    };
    let mut tam =
        Tam::new(store, SystemClock, crypto, keys, config.engine).with_verifiers(verifiers);
    if let Some(remote) = &remote {
        let client = VerifierClient::new(remote)?;
        tam = tam.with_appraiser(Box::new(RemoteAppraiser { client }));
    }
    if let Some((own, identity)) = own.as_ref().zip(identity) {
        let verifier = VerifierClient::new(own)?;
        tam = tam.with_attester(Box::new(VerifiedTam { identity, verifier }));
    }
    Ok(Shared::new(Arc::new(tam), config.http, token))
}

/// What the TAM with these keys says about itself to Verifiers: its attester's key is made if it is missing.
///
/// # Errors
///
/// If the key can't be had, or the program not be read.
pub fn tam_identity(keys: impl AsRef<Path>) -> Result<TamIdentity, ServeError> {
    let crypto = aws_lc::provider();
    let attester = attester_key(&crypto, keys)?;
    let program = std::env::current_exe().and_then(std::fs::read)?;
    let measurement = crypto.sha256(&program);
    Ok(TamIdentity::new(crypto, attester, measurement))
}

/// Discards Updates that nobody answered in time.
// req: TEEP-TOK-006
async fn sweep<S: Store + 'static, C: Clock + 'static>(shared: Arc<Shared<S, C>>) {
    loop {
        let swept = shared
            .run(|tam| tam.store().discard_expired(tam.clock().now()))
            .await;
        match swept {
            Ok(Ok(count)) if count > 0 => tracing::info!(count, "unanswered Updates discarded"),
            Ok(Err(error)) => tracing::error!(error = %error, "Updates could not be discarded"),
            _ => {}
        }
        tokio::time::sleep(SWEEP).await;
    }
}

async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // If signals can't be had, the process is ended the hard way.
    if interrupt.await.is_err() {
        std::future::pending::<()>().await;
    }
}
