use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{error::ApiError, token::AdminToken};
use crate::{Clock, Store, Tam};

/// How the HTTP server is set: bounds and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpSettings {
    /// Longest body of a TEEP message. Default 1 MiB.
    pub message_bytes: usize,
    /// Longest envelope that is read for publication. Default 16 MiB, so that one which is longer than
    /// [`Settings::update_bytes`](crate::Settings::update_bytes) is refused with advice.
    pub envelope_bytes: usize,
    /// How long a body may take to arrive. Default 30 seconds.
    pub body_timeout: Duration,
    /// Most requests that are worked on at once; what comes on top is answered with 503. Default 64.
    pub concurrency: usize,
    /// How long requests may go on once the server is told to stop. Default 10 seconds.
    pub grace: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            envelope_bytes: 16 << 20,
            body_timeout: Duration::from_secs(30),
            concurrency: 64,
            grace: Duration::from_secs(10),
        }
    }
}

/// What every request needs.
pub(super) struct Shared<S, C> {
    pub(super) tam: Arc<Tam<S, C>>,
    pub(super) settings: HttpSettings,
    pub(super) token: AdminToken,
    permits: Arc<Semaphore>,
}

impl<S: Store + 'static, C: Clock + 'static> Shared<S, C> {
    pub(super) fn new(tam: Arc<Tam<S, C>>, settings: HttpSettings, token: AdminToken) -> Self {
        let permits = Arc::new(Semaphore::new(settings.concurrency));
        Self {
            tam,
            settings,
            token,
            permits,
        }
    }

    /// Runs `work`, which may block, on a thread of its own.
    ///
    /// What finds all permits taken is refused at once: a queue would only grow.
    // req: TEEP-OPS-005
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tam<S, C>) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|_| ApiError::Overloaded)?;
        let tam = Arc::clone(&self.tam);
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&tam);
            drop(permit);
            result
        });
        done.await.map_err(|error| ApiError::internal(&error))
    }
}
