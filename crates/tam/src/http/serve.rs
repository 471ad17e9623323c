use std::{future::Future, io, path::PathBuf, sync::Arc, time::Duration};

use tamarack_cose::aws_lc;
use tamarack_trace::{Party, Trace};
use tokio::net::TcpListener;

use super::{
    router,
    state::{HttpSettings, Shared},
    token::AdminToken,
};
use crate::{
    Clock, KeysError, Settings, SqliteStore, Store, StoreError, SystemClock, Tam, TamKeys,
    keys::create_private_dir,
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
    /// Where the messages of the TEEP endpoint are written, if anywhere.
    pub trace: Option<tamarack_trace::Settings>,
}

impl ServeConfig {
    /// The defaults, with this folder.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            engine: Settings::default(),
            http: HttpSettings::default(),
            trace: None,
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
    /// The trace could not be opened.
    #[error(transparent)]
    Trace(#[from] tamarack_trace::TraceError),
    /// The server failed.
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
}

/// Serves on `listener` until the process is told to stop (SIGINT or SIGTERM).
///
/// # Errors
///
/// If the folder can't be used, or the server fails.
pub async fn serve(config: ServeConfig, listener: TcpListener) -> Result<(), ServeError> {
    serve_until(config, listener, stop_signal()).await
}

/// Serves on `listener` until `stop` is ready, then finishes the requests at hand.
///
/// # Errors
///
/// If the folder can't be used, or the server fails.
pub async fn serve_until(
    config: ServeConfig,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let http = config.http;
    let trace = match &config.trace {
        Some(settings) => Trace::open(settings, Party::Tam)?,
        None => Trace::default(),
    };
    let shared = tokio::task::spawn_blocking(move || open(&config)).await;
    let shared = Arc::new(shared.map_err(io::Error::other)??);
    let sweeper = tokio::spawn(sweep(Arc::clone(&shared)));
    tracing::info!(address = %listener.local_addr()?, "serving");

    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let graceful =
        axum::serve(listener, router(shared, trace)).with_graceful_shutdown(async move {
            stop.await;
            // Nobody listens any more only if the server has ended by itself.
            let _ = stopping.send(true);
        });
    let out_of_patience = async move {
        // A sender that is gone is a server that has ended: nothing is left to wait for.
        let _ = stopped.wait_for(|stopped| *stopped).await;
        tokio::time::sleep(http.grace).await;
    };
    let served = tokio::select! {
        served = graceful => served,
        () = out_of_patience => Ok(()),
    };
    sweeper.abort();
    Ok(served?)
}

fn open(config: &ServeConfig) -> Result<Shared<SqliteStore, SystemClock>, ServeError> {
    let crypto = aws_lc::provider();
    create_private_dir(&config.data)?;
    let keys = TamKeys::open_or_create(&crypto, config.keys_dir())?;
    let token = AdminToken::open_or_create(&crypto, &config.admin_token())?;
    let path = config.database();
    let store = SqliteStore::open(&path).map_err(|error| ServeError::Store { path, error })?;
    let tam = Tam::new(store, SystemClock, crypto, keys, config.engine);
    Ok(Shared::new(Arc::new(tam), config.http, token))
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
