use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::{
    body::BodyMemory,
    client::ClientAddress,
    error::ApiError,
    rate::{Denied, Rate, RateLimiter},
    token::AdminToken,
};
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
    /// Bytes of all bodies that are being read; what comes on top is answered with 503. Default 256 MiB.
    pub body_memory: usize,
    /// How long a client may take for the TLS handshake, and for the headers of a request; and how long a
    /// connection of HTTP/1.1 may be idle. Default 15 seconds.
    pub header_timeout: Duration,
    /// Most connections; more wait in the kernel's queue. Each needs a file descriptor. Default 900.
    pub connections: usize,
    /// Most connections from one address, or one /64 of IPv6; more are closed. Trusted proxies have no such
    /// bound. Default 256.
    pub connections_per_address: usize,
    /// Most requests at a time on one connection of HTTP/2. Default 64.
    pub streams: u32,
    /// TEEP messages from one address, or one /64 of IPv6, and requests to the admin API that have no token.
    /// Default 200 in a second, 4000 at once: many devices may share an address.
    pub rate_per_address: Rate,
    /// The same from everywhere. Default 2000 in a second, 8000 at once.
    pub rate: Rate,
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
            body_memory: 256 << 20,
            header_timeout: Duration::from_secs(15),
            connections: 900,
            connections_per_address: 256,
            streams: 64,
            rate_per_address: Rate {
                per_second: 200,
                burst: 4000,
            },
            rate: Rate {
                per_second: 2000,
                burst: 8000,
            },
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
    pub(super) body_memory: BodyMemory,
    rates: RateLimiter,
    permits: Arc<Semaphore>,
}

impl<S: Store + 'static, C: Clock + 'static> Shared<S, C> {
    pub(super) fn new(tam: Arc<Tam<S, C>>, settings: HttpSettings, token: AdminToken) -> Self {
        let permits = Arc::new(Semaphore::new(settings.concurrency));
        Self {
            tam,
            settings,
            token,
            body_memory: BodyMemory::new(settings.body_memory),
            rates: RateLimiter::new(settings.rate_per_address, settings.rate),
            permits,
        }
    }

    /// Takes a request of a client that nobody has authenticated into account, or refuses it.
    // req: TEEP-OPS-005
    pub(super) fn admit(&self, client: ClientAddress) -> Result<(), ApiError> {
        match self.rates.admit(client.0, Instant::now()) {
            Ok(()) => Ok(()),
            Err(Denied::Client(wait)) => Err(ApiError::TooOften(wait)),
            Err(Denied::Everybody(wait)) => Err(ApiError::Overloaded(wait)),
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
        let permit = permit.map_err(|_| ApiError::Overloaded(Duration::ZERO))?;
        let tam = Arc::clone(&self.tam);
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&tam);
            drop(permit);
            result
        });
        done.await.map_err(|error| ApiError::internal(&error))
    }
}
