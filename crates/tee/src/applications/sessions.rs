use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tamarack_agent::{Quota, SecurityDomain};
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
    /// Sessions that are about to be opened, for each security domain.
    opening: HashMap<String, u64>,
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
    retired: AtomicBool,
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

    /// Adds a session, for which there is room, under a number that can't be guessed; hands it back if there is no
    /// randomness for one.
    pub(super) fn insert(&mut self, crypto: &CryptoProvider, open: Open) -> Result<u64, Arc<Open>> {
        let open = Arc::new(open);
        let number = crypto.random_array::<8>().map(u64::from_be_bytes);
        match number {
            // The sign bit stays clear, for readers whose numbers are signed.
            Ok(number) => {
                let number = number >> 1;
                self.open.insert(number, open);
                Ok(number)
            }
            Err(_) => Err(open),
        }
    }

    /// Keeps room for another session of a security domain, if there is some.
    ///
    /// Of the second half of the places, one each is kept for security domains with applications and without a session,
    /// their sub-domains included: `domains` are those with applications.
    ///
    /// # Errors
    ///
    /// What `domains` says.
    pub(super) fn reserve<E>(
        &mut self,
        domain: &str,
        quota: &Quota,
        domains: impl FnOnce() -> Result<BTreeSet<String>, E>,
    ) -> Result<bool, E> {
        let opening = self.opening.get(domain).copied().unwrap_or(0);
        let own = self.held(|holder| holder == domain);
        let free = (Self::MAX as u64).saturating_sub(self.held(|_| true));
        let mut has_room = free > 0 && own < quota.sessions;
        let root = SecurityDomain::root_of(domain);
        let of_root = |root: &str| self.held(|holder| SecurityDomain::root_of(holder) == root);
        if has_room && free <= Self::MAX as u64 / 2 && of_root(root) > 0 {
            let domains = domains()?;
            let roots: BTreeSet<&str> =
                domains.iter().map(|d| SecurityDomain::root_of(d)).collect();
            let waiting = roots.into_iter().filter(|root| of_root(root) == 0);
            has_room = free > waiting.count() as u64;
        }
        if has_room {
            self.opening
                .insert(domain.to_owned(), opening.saturating_add(1));
        }
        Ok(has_room)
    }

    /// How many sessions the domains hold that `of` is about, those that are about to be opened included.
    fn held(&self, of: impl Fn(&str) -> bool) -> u64 {
        let open = self.open.values().filter(|open| of(&open.domain));
        let opening = self.opening.iter().filter(|(domain, _)| of(domain));
        (open.count() as u64).saturating_add(opening.map(|(_, count)| count).sum())
    }

    /// Gives back the room that [`reserve`](Self::reserve) kept.
    pub(super) fn release(&mut self, domain: &str) {
        match self.opening.get_mut(domain) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(self.opening.remove(domain)),
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

/// What a command of a security domain may use up, from now on.
pub(super) fn allowance(quota: &Quota, cancellation: Cancellation) -> Allowance {
    // Longer than a day is as good as without end, and can be added to an instant.
    let time = Duration::from_millis(quota.time_ms).min(Duration::from_secs(86_400));
    Allowance::new(quota.fuel, Watch::new(time, cancellation))
}

/// Waits for something until it is free, or `watch` says that nobody waits any longer.
///
/// # Errors
///
/// [`ResultCode::CANCEL`] if somebody wished for the end, [`ResultCode::BUSY`] if it takes too long.
pub(super) fn wait_for<'a, T>(
    mutex: &'a Mutex<T>,
    watch: &Watch,
) -> Result<MutexGuard<'a, T>, ResultCode> {
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if watch.is_cancelled() => {
                return Err(ResultCode::CANCEL);
            }
            Err(TryLockError::WouldBlock) if watch.left().is_zero() => {
                return Err(ResultCode::BUSY);
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

impl Open {
    /// Commands of one session that run or wait.
    const MAX_COMMANDS: usize = 2;

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
            retired: AtomicBool::new(false),
        }
    }

    pub(super) fn invoke(
        &self,
        command: u32,
        input: Input<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let cancellation = Cancellation::default();
        {
            let mut commands = lock(&self.commands);
            // One that runs, and one that waits: each takes a thread from others.
            if commands.len() >= Self::MAX_COMMANDS {
                return Err(ResultCode::BUSY);
            }
            commands.push(cancellation.clone());
        }
        let outcome = self.invoke_in_turn(command, input, &cancellation);
        lock(&self.commands).retain(|running| !running.is(&cancellation));
        *lock(&self.used) = Instant::now();
        outcome
    }

    fn invoke_in_turn(
        &self,
        command: u32,
        input: Input<'_>,
        cancellation: &Cancellation,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        // No longer than it may run itself.
        let patience = allowance(&self.quota, cancellation.clone()).watch;
        let mut session = wait_for(&self.session, &patience)?;
        let _turn = wait_for(&self.turn, &patience)?;
        let session = session.as_mut().ok_or(ResultCode::BAD_STATE)?;
        let mut allowance = allowance(&self.quota, cancellation.clone());
        session.invoke(command, input, &mut allowance)
    }

    /// The application was replaced or removed: what runs comes to its end.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.cancel();
    }

    /// Whether the application was replaced or removed.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
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

    /// Closes the session, after a command that is under way, which is cancelled.
    pub(super) fn close(&self) {
        self.cancel();
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
