//! Sessions of the challenge-response API.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tamarack_cose::CryptoProvider;

/// The id of a session; nobody guesses it.
pub(crate) type SessionId = String;

/// A session: a nonce that is waited for, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) nonce: Vec<u8>,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) expires_at: u64,
    /// The result, once Evidence has come. It comes once.
    pub(crate) result: Option<String>,
}

impl Session {
    fn is_open(&self, now: u64) -> bool {
        self.expires_at > now
    }
}

/// All sessions, of which there are only so many.
#[derive(Debug)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<SessionId, Session>>,
    most: usize,
}

impl Sessions {
    pub(crate) fn new(most: usize) -> Self {
        let open = Mutex::default();
        Self { open, most }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session; `None` if there are too many.
    pub(crate) fn open(
        &self,
        crypto: &CryptoProvider,
        nonce: Vec<u8>,
        now: u64,
        lifetime: u64,
    ) -> Result<Option<(SessionId, Session)>, tamarack_cose::Error> {
        let id = base16ct::lower::encode_string(&crypto.random_array::<16>()?);
        let session = Session {
            nonce,
            expires_at: now.saturating_add(lifetime),
            result: None,
        };
        let mut open = self.lock();
        if open.len() >= self.most {
            open.retain(|_, session| session.is_open(now));
        }
        if open.len() >= self.most {
            return Ok(None);
        }
        open.insert(id.clone(), session.clone());
        Ok(Some((id, session)))
    }

    pub(crate) fn get(&self, id: &str, now: u64) -> Option<Session> {
        let open = self.lock();
        open.get(id).filter(|session| session.is_open(now)).cloned()
    }

    /// Keeps the result of a session that has none yet; the session.
    pub(crate) fn complete(&self, id: &str, result: String, now: u64) -> Option<Session> {
        let mut open = self.lock();
        let session = open
            .get_mut(id)
            .filter(|session| session.is_open(now) && session.result.is_none())?;
        session.result = Some(result);
        Some(session.clone())
    }

    pub(crate) fn remove(&self, id: &str, now: u64) -> bool {
        let removed = self.lock().remove(id);
        removed.is_some_and(|session| session.is_open(now))
    }
}
