use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tamarack_agent::Quota;
use tamarack_cose::CryptoProvider;
use tamarack_suit::ComponentId;
use tamarack_ta::ResultCode;
use zeroize::Zeroizing;

use crate::runtime::{Allowance, Cancellation, Death, Input, Session, Watch};

/// The open sessions of a TEE, by number.
#[derive(Default)]
pub(super) struct Sessions {
    open: HashMap<u64, Arc<Open>>,
    turns: HashMap<TurnKey, Turn>,
}

/// Held while an application does something: its sessions share its objects, so they take turns.
pub(super) type Turn = Arc<Mutex<()>>;

/// Who takes turns with each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TurnKey {
    /// The sessions of one application.
    Application(ComponentId),
    /// Those of all applications of a security domain, which share objects.
    Domain(String),
}

/// One open session.
pub(super) struct Open {
    component: ComponentId,
    domain: String,
    quota: Quota,
    turn: Turn,
    /// `None` once it was closed.
    session: Mutex<Option<Session>>,
    used: Mutex<Instant>,
    /// The commands that run or wait for their turn.
    commands: Mutex<Vec<Cancellation>>,
}

impl Sessions {
    /// Most sessions at a time.
    pub(super) const MAX: usize = 64;
    /// A session that nobody uses for so long is closed: its application may be gone.
    const IDLE: Duration = Duration::from_secs(600);

    /// The turn of a component.
    pub(super) fn turn(&mut self, key: TurnKey) -> Turn {
        // A turn that nobody holds or waits for is forgotten.
        self.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(self.turns.entry(key).or_default())
    }

    /// Adds a session under a number that can't be guessed; hands it back if there is no room.
    pub(super) fn insert(&mut self, crypto: &CryptoProvider, open: Open) -> Result<u64, Arc<Open>> {
        let open = Arc::new(open);
        let number = crypto.random_array::<8>().map(u64::from_be_bytes);
        match number {
            // The sign bit stays clear, for readers whose numbers are signed.
            Ok(number) if self.has_room(&open.domain, &open.quota) => {
                let number = number >> 1;
                self.open.insert(number, open);
                Ok(number)
            }
            _ => Err(open),
        }
    }

    /// Whether a security domain may open another session.
    pub(super) fn has_room(&self, domain: &str, quota: &Quota) -> bool {
        let own = self.open.values().filter(|open| open.domain == domain);
        self.open.len() < Self::MAX && (own.count() as u64) < quota.sessions
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

/// What a command of a security domain may use up, from now on.
pub(super) fn allowance(quota: &Quota, cancellation: Cancellation) -> Allowance {
    // Longer than a day is as good as without end, and can be added to an instant.
    let time = Duration::from_millis(quota.time_ms).min(Duration::from_secs(86_400));
    Allowance {
        fuel: quota.fuel,
        watch: Watch::new(time, cancellation),
    }
}

impl Open {
    pub(super) fn new(
        component: ComponentId,
        domain: String,
        quota: Quota,
        turn: Turn,
        session: Session,
    ) -> Self {
        Self {
            component,
            domain,
            quota,
            turn,
            session: Mutex::new(Some(session)),
            used: Mutex::new(Instant::now()),
            commands: Mutex::default(),
        }
    }

    pub(super) fn component(&self) -> &ComponentId {
        &self.component
    }

    pub(super) fn invoke(
        &self,
        command: u32,
        input: Input<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let cancellation = Cancellation::default();
        lock(&self.commands).push(cancellation.clone());
        let mut session = lock(&self.session);
        let turn = lock(&self.turn);
        let outcome = match session.as_mut() {
            // Whoever cancels a command that still waits for its turn does not want it to begin.
            Some(_) if cancellation.is_requested() => Err(ResultCode::CANCEL),
            Some(session) => {
                let mut allowance = allowance(&self.quota, cancellation.clone());
                session.invoke(command, input, &mut allowance)
            }
            None => Err(ResultCode::BAD_STATE),
        };
        drop(turn);
        lock(&self.commands).retain(|running| !running.is(&cancellation));
        *lock(&self.used) = Instant::now();
        outcome
    }

    /// Asks the commands that run or wait to end.
    pub(super) fn cancel(&self) {
        lock(&self.commands).iter().for_each(Cancellation::request);
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
            session.close(&mut allowance(&self.quota, Cancellation::default()));
        }
    }

    fn idle(&self) -> Duration {
        match lock(&self.commands).is_empty() {
            true => lock(&self.used).elapsed(),
            false => Duration::ZERO,
        }
    }
}
