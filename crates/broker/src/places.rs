use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{BrokerError, applications::Failure, broker::Broker, peer::Peer};

/// Calls to TEEs that one user may have under way, beside one command in each session. A TEE serves a bounded number of
/// connections; more calls of the user wait.
const PER_USER: usize = 8;

/// Who is making calls to TEEs.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<HashMap<u32, Arc<Semaphore>>>);

impl Places {
    async fn take(&self, user: u32) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Users who make no calls are forgotten.
            users.retain(|_, places| Arc::strong_count(places) > 1);
            let places = users.entry(user);
            Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(PER_USER))))
        };
        places.acquire_owned().await.ok()
    }
}

/// A place for the call that a request makes. Dropping it makes room.
pub(crate) struct Place(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl<S> FromRequestParts<S> for Place
where
    S: Send + Sync,
    Arc<Broker>: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let peer = Peer::from_request_parts(parts, state).await?;
        let broker = Arc::<Broker>::from_ref(state);
        let permit = broker.places.take(peer.user).await;
        permit.map(Self).ok_or_else(|| BrokerError::Unknown.into())
    }
}
