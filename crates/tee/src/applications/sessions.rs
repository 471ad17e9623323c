use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tamarack_cose::CryptoProvider;
use tamarack_suit::ComponentId;
use tamarack_ta::ResultCode;

use crate::runtime::{Death, Session};

/// The open sessions of a TEE, by number.
#[derive(Default)]
pub(super) struct Sessions {
    open: HashMap<u64, Arc<Open>>,
    turns: HashMap<ComponentId, Turn>,
}

/// Held while an application does something: its sessions share its objects, so they take turns.
pub(super) type Turn = Arc<Mutex<()>>;

/// One open session.
pub(super) struct Open {
    component: ComponentId,
    turn: Turn,
    /// `None` once it was closed.
    session: Mutex<Option<Session>>,
    used: Mutex<Instant>,
}

impl Sessions {
    /// Most sessions at a time.
    pub(super) const MAX: usize = 64;
    /// A session that nobody uses for so long is closed: its application may be gone.
    const IDLE: Duration = Duration::from_secs(600);

    /// The turn of a component.
    pub(super) fn turn(&mut self, component: &ComponentId) -> Turn {
        // A turn that nobody holds or waits for is forgotten.
        self.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(self.turns.entry(component.clone()).or_default())
    }

    /// Adds a session under a number that can't be guessed; hands it back if there is no room.
    pub(super) fn insert(&mut self, crypto: &CryptoProvider, open: Open) -> Result<u64, Arc<Open>> {
        let open = Arc::new(open);
        let number = crypto.random_array::<8>().map(u64::from_be_bytes);
        match number {
            // The sign bit stays clear, for readers whose numbers are signed.
            Ok(number) if self.open.len() < Self::MAX => {
                let number = number >> 1;
                self.open.insert(number, open);
                Ok(number)
            }
            _ => Err(open),
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<Arc<Open>> {
        self.open.get(&number).map(Arc::clone)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Arc<Open>> {
        self.open.remove(&number)
    }

    /// Removes the sessions of a component.
    pub(super) fn remove_all(&mut self, component: &ComponentId) -> Vec<Arc<Open>> {
        self.open
            .extract_if(|_, open| open.component == *component)
            .map(|(_, open)| open)
            .collect()
    }

    /// Removes sessions that were idle for too long.
    pub(super) fn expire(&mut self) {
        self.open.retain(|_, open| open.idle() < Self::IDLE);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    pub(super) fn new(component: ComponentId, turn: Turn, session: Session) -> Self {
        Self {
            component,
            turn,
            session: Mutex::new(Some(session)),
            used: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn component(&self) -> &ComponentId {
        &self.component
    }

    pub(super) fn invoke(&self, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let mut session = lock(&self.session);
        let turn = lock(&self.turn);
        let outcome = match session.as_mut() {
            Some(session) => session.invoke(command, input),
            None => Err(ResultCode::BAD_STATE),
        };
        drop(turn);
        *lock(&self.used) = Instant::now();
        outcome
    }

    pub(super) fn death(&self) -> Option<Death> {
        lock(&self.session)
            .as_ref()
            .and_then(|session| session.death().cloned())
    }

    /// Closes the session, after a command that is under way.
    pub(super) fn close(&self) {
        let mut session = lock(&self.session);
        if let Some(session) = session.take() {
            let _turn = lock(&self.turn);
            session.close();
        }
    }

    fn idle(&self) -> Duration {
        lock(&self.used).elapsed()
    }
}
