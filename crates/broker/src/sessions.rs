//! The sessions of applications, and whose they are.
//!
//! The TEE knows sessions by numbers. Whoever knows a number is not thereby its owner: a session belongs to the user
//! who opened it, and applications know it by a number of the broker's own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tamarack_client::api::{CommandEnd, Denial, SessionState};
use tamarack_suit::ComponentId;
use tokio::sync::Notify;

use crate::{BrokerError, peer::Peer};

/// A session that nobody uses for so long is closed.
const IDLE: Duration = Duration::from_secs(600);

/// Numbers have 53 bits: there are programs for which a JSON number is a float.
const HIGHEST: u64 = 1 << 53;

/// All open sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    per_user: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    open: HashMap<u64, Arc<Session>>,
    /// How many each user is opening.
    opening: HashMap<u32, usize>,
}

/// One session of a user.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) number: u64,
    pub(crate) owner: u32,
    pub(crate) component: ComponentId,
    /// The place of its TEE, and its number there.
    pub(crate) tee: usize,
    pub(crate) inner: u64,
    /// Held while a command runs: they take turns.
    pub(crate) turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    running: Option<(u32, Arc<Notify>)>,
    last: Option<CommandEnd>,
    ended: bool,
    used: Instant,
}

/// Room for a session that is being opened.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    sessions: &'a Sessions,
    owner: u32,
    filled: bool,
}

impl Sessions {
    /// At most `per_user` sessions for each user at a time.
    pub(crate) fn new(per_user: usize) -> Self {
        Self {
            per_user,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for one more session of a user. One that has ended makes room for it.
    ///
    /// # Errors
    ///
    /// If the user has as many as one may have.
    pub(crate) fn room(&self, owner: u32) -> Result<Room<'_>, BrokerError> {
        let mut known = self.known();
        let opening = known.opening.get(&owner).copied().unwrap_or(0);
        let own = || known.open.values().filter(|open| open.owner == owner);
        if own().count() + opening >= self.per_user {
            let ended = own().filter(|open| open.state().ended);
            let oldest = ended.min_by_key(|open| open.state().used);
            let Some(oldest) = oldest.map(|open| open.number) else {
                return Err(BrokerError::TooManySessions {
                    user: owner,
                    most: self.per_user,
                });
            };
            known.open.remove(&oldest);
        }
        *known.opening.entry(owner).or_default() += 1;
        Ok(Room {
            sessions: self,
            owner,
            filled: false,
        })
    }

    /// A session by its number, for a user.
    ///
    /// # Errors
    ///
    /// If there is none, or it is another user's.
    pub(crate) fn of(&self, peer: &Peer, number: u64) -> Result<Arc<Session>, BrokerError> {
        let session = self.known().open.get(&number).map(Arc::clone);
        let session = session.ok_or(BrokerError::NoSession(number))?;
        if session.owner != peer.user {
            return Err(BrokerError::ForeignSession(Box::new(Denial {
                user: peer.user,
                action: "use the session of another user with".into(),
                component: Some(session.component.to_string()),
                rules: None,
            })));
        }
        Ok(session)
    }

    /// All sessions of a user.
    pub(crate) fn all_of(&self, peer: &Peer) -> Vec<SessionState> {
        let known = self.known();
        let own = known.open.values().filter(|open| open.owner == peer.user);
        own.map(|open| open.describe()).collect()
    }

    /// Forgets a session.
    pub(crate) fn remove(&self, number: u64) {
        self.known().open.remove(&number);
    }

    /// Forgets the sessions that nobody has used for long, and hands them over to be closed.
    pub(crate) fn take_idle(&self, now: Instant) -> Vec<Arc<Session>> {
        let idle = |_: &u64, open: &mut Arc<Session>| {
            let state = open.state();
            state.running.is_none() && now.duration_since(state.used) > IDLE
        };
        let mut known = self.known();
        known.open.extract_if(idle).map(|(_, open)| open).collect()
    }
}

impl Room<'_> {
    /// Fills it with what the TEE has opened.
    pub(crate) fn fill(mut self, component: ComponentId, tee: usize, inner: u64) -> Arc<Session> {
        let mut known = self.sessions.known();
        let number = loop {
            let number = fastrand::u64(1..HIGHEST);
            if !known.open.contains_key(&number) {
                break number;
            }
        };
        let session = Arc::new(Session {
            number,
            owner: self.owner,
            component,
            tee,
            inner,
            turn: tokio::sync::Mutex::default(),
            state: Mutex::new(State {
                running: None,
                last: None,
                ended: false,
                used: Instant::now(),
            }),
        });
        known.open.insert(number, Arc::clone(&session));
        // Both happen at once, so that no room is counted twice or not at all.
        known.opened(self.owner);
        self.filled = true;
        drop(known);
        session
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if !self.filled {
            self.sessions.known().opened(self.owner);
        }
    }
}

impl Known {
    fn opened(&mut self, owner: u32) {
        if let Some(count) = self.opening.get_mut(&owner) {
            *count -= 1;
            if *count == 0 {
                self.opening.remove(&owner);
            }
        }
    }
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it does, and how its last command ended.
    pub(crate) fn describe(&self) -> SessionState {
        let state = self.state();
        SessionState {
            session: self.number,
            component: self.component.to_string(),
            running: state.running.as_ref().map(|(command, _)| *command),
            last: state.last.clone(),
            ended: state.ended,
        }
    }

    /// A command begins; what tells it to end.
    ///
    /// # Errors
    ///
    /// If the session has ended.
    pub(crate) fn begin(&self, command: u32) -> Result<Arc<Notify>, BrokerError> {
        let mut state = self.state();
        if state.ended {
            return Err(BrokerError::SessionEnded(self.number));
        }
        let stop = Arc::new(Notify::new());
        state.running = Some((command, Arc::clone(&stop)));
        Ok(stop)
    }

    /// The command has ended, and perhaps the session with it.
    pub(crate) fn end(&self, last: CommandEnd, ended: bool) {
        let mut state = self.state();
        state.running = None;
        state.last = Some(last);
        state.ended |= ended;
        state.used = Instant::now();
    }

    /// Tells the command that is under way, if there is one, to end.
    pub(crate) fn stop(&self) {
        if let Some((_, stop)) = &self.state().running {
            stop.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(user: u32) -> Peer {
        Peer {
            user,
            groups: vec![],
        }
    }

    fn fill(sessions: &Sessions, owner: u32) -> Arc<Session> {
        let hello = "acme/hello".parse().unwrap();
        sessions.room(owner).unwrap().fill(hello, 0, 7)
    }

    #[test]
    fn a_user_has_so_many_sessions_and_takes_none_from_others() {
        let sessions = Sessions::new(2);
        let first = fill(&sessions, 1);
        let opening = sessions.room(1).unwrap();
        let full = sessions.room(1).unwrap_err().to_string();
        assert!(full.contains("user 1 has 2 sessions"), "{full}");
        fill(&sessions, 2);
        // One that could not be opened takes no room.
        drop(opening);
        let second = fill(&sessions, 1);
        sessions.room(1).unwrap_err();
        // Neither does one that was closed.
        sessions.remove(first.number);
        let third = fill(&sessions, 1);
        // One that has ended stays to be asked about until its room is wanted.
        let last = CommandEnd {
            command: 3,
            result: Some(1),
            error: None,
        };
        second.begin(3).unwrap();
        second.end(last.clone(), true);
        assert_eq!(
            sessions
                .of(&peer(1), second.number)
                .unwrap()
                .describe()
                .last,
            Some(last)
        );
        assert!(matches!(second.begin(4), Err(BrokerError::SessionEnded(_))));
        fill(&sessions, 1);
        sessions.of(&peer(1), second.number).unwrap_err();
        sessions.of(&peer(1), third.number).unwrap();
    }

    #[test]
    fn a_number_is_worth_nothing_to_another_user() {
        let sessions = Sessions::new(4);
        let session = fill(&sessions, 1);
        assert!(session.number > 0 && session.number < HIGHEST);
        for user in [0, 2] {
            let refused = sessions.of(&peer(user), session.number).unwrap_err();
            assert!(
                matches!(refused, BrokerError::ForeignSession(_)),
                "{refused}"
            );
            assert_eq!(sessions.all_of(&peer(user)), []);
        }
        assert_eq!(sessions.all_of(&peer(1)), [session.describe()]);
        let nothing = sessions.of(&peer(1), session.number ^ 1).unwrap_err();
        assert!(matches!(nothing, BrokerError::NoSession(_)), "{nothing}");
    }

    #[test]
    fn what_is_idle_is_taken_and_what_runs_is_not() {
        let sessions = Sessions::new(4);
        let (idle, busy) = (fill(&sessions, 1), fill(&sessions, 1));
        busy.begin(1).unwrap();
        let now = Instant::now();
        assert!(
            sessions
                .take_idle(now + IDLE - Duration::from_secs(60))
                .is_empty()
        );
        let taken = sessions.take_idle(now + IDLE + Duration::from_secs(60));
        assert_eq!(
            taken.iter().map(|open| open.number).collect::<Vec<_>>(),
            [idle.number]
        );
        sessions.of(&peer(1), idle.number).unwrap_err();
        sessions.of(&peer(1), busy.number).unwrap();
    }
}
