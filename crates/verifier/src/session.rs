//! Sessions of the challenge-response API.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
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

    fn with<T>(&self, now: u64, work: impl FnOnce(&mut HashMap<SessionId, Session>) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| session.expires_at > now);
        work(&mut open)
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
        Ok(self.with(now, |open| {
            if open.len() >= self.most {
                return None;
            }
            open.insert(id.clone(), session.clone());
            Some((id, session))
        }))
    }

    pub(crate) fn get(&self, id: &str, now: u64) -> Option<Session> {
        self.with(now, |open| open.get(id).cloned())
    }

    /// Keeps the result of a session that has none yet; the session.
    pub(crate) fn complete(&self, id: &str, result: String, now: u64) -> Option<Session> {
        self.with(now, |open| {
            let session = open
                .get_mut(id)
                .filter(|session| session.result.is_none())?;
            session.result = Some(result);
            Some(session.clone())
        })
    }

    pub(crate) fn remove(&self, id: &str, now: u64) -> bool {
        self.with(now, |open| open.remove(id).is_some())
    }
}
