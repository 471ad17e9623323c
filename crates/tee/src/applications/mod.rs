//! Trusted Applications at work: which are installed, who has a session with them.

mod calls;
mod error;
mod prepare;
mod sessions;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Instant,
};

use tamarack_agent::platform::Storage;
use tamarack_cose::CryptoProvider;
use tamarack_suit::ComponentId;
use tamarack_ta::{ResultCode, interface::Client};
use zeroize::Zeroizing;

use crate::{
    platform::TeePlatform,
    runtime::{Cancellation, Death, Input, ModuleError, Quota, TaRuntime},
    services::{Application, Surroundings},
    store::Store,
};
pub use error::InvocationError;
use prepare::{Compiled, find};
use sessions::{Open, Sessions, allowance, lock, wait_for};

/// The Trusted Applications of a TEE and their sessions.
pub struct Applications(Arc<Inner>);

struct Inner {
    /// Itself, for the sessions whose applications call others.
    this: Weak<Inner>,
    runtime: TaRuntime,
    around: Arc<Surroundings>,
    /// Compiled modules by component: compiling costs more than most commands.
    modules: Mutex<HashMap<ComponentId, Compiled>>,
    sessions: Mutex<Sessions>,
}

impl Applications {
    /// The applications in `store`.
    ///
    /// # Errors
    ///
    /// If the interpreter can't be set up.
    pub fn new(
        store: Arc<Store>,
        platform: Arc<dyn TeePlatform>,
        crypto: CryptoProvider,
    ) -> Result<Self, ModuleError> {
        let around = Surroundings {
            store,
            platform,
            crypto,
            started: Instant::now(),
        };
        let runtime = TaRuntime::new()?;
        Ok(Self(Arc::new_cyclic(|this| Inner {
            this: this.clone(),
            runtime,
            around: Arc::new(around),
            modules: Mutex::default(),
            sessions: Mutex::default(),
        })))
    }

    /// Says whether `code` could run with `memory` bytes.
    ///
    /// # Errors
    ///
    /// What keeps it from running, in words.
    pub fn check(&self, code: &[u8], memory: u64) -> Result<(), String> {
        let quota = Quota::with_memory(memory);
        let loaded = self.0.runtime.load(code, &quota);
        loaded.map(drop).map_err(|error| error.to_string())
    }

    /// Opens a session with the application installed as `component`, for `client`, with data of its choice.
    ///
    /// Before the first session after an installation or an update, the application
    /// [migrates](tamarack_ta::interface) what is stored.
    ///
    /// # Errors
    ///
    /// If there is none, it refuses, or too many sessions are open.
    pub fn open(
        &self,
        component: &ComponentId,
        client: Client,
        input: &[u8],
    ) -> Result<u64, InvocationError> {
        let inner = &self.0;
        inner.sessions().expire();
        let view = inner.around.store.view()?;
        let application = find(&*view, component)?;
        // Before anything is compiled, waited for or run.
        let _room = inner.reserve(&*view, &application)?;
        let ready = inner.prepare(&*view, application)?;
        drop(view);
        let Application { record, quota, .. } = &ready.application;
        let turn = inner.sessions().turn(ready.turn());
        let session = {
            let mut allowance = allowance(quota, Cancellation::default());
            let waited = wait_for(&turn, &allowance.watch);
            let _turn = waited.map_err(InvocationError::Refused)?;
            inner.migrate(&ready, &[], &mut allowance)?;
            let services = inner.services(&ready, client, &[]);
            ready
                .module
                .open_session(services, input, &mut allowance)
                .map_err(InvocationError::Refused)?
        };
        let domain = record.domain.clone();
        let open = Open::new(component.clone(), domain, *quota, turn, session);
        let inserted = inner.sessions().insert(&inner.around.crypto, open);
        let number = inserted.map_err(|open| {
            open.close();
            InvocationError::Refused(ResultCode::GENERIC)
        })?;
        // An update that was committed meanwhile has ended the sessions that it found; this one was not
        // among them, and runs the old code.
        let view = inner.around.store.view()?;
        if !ready.application.is_installed(&*view)? {
            self.close(number)?;
            return Err(InvocationError::Refused(ResultCode::BUSY));
        }
        Ok(number)
    }

    /// Invokes a command in a session. Commands of one application wait for each other, whatever
    /// their session: they share its objects. So do those of all applications of a domain whose applications share some.
    ///
    /// The inner result is the application's own.
    ///
    /// # Errors
    ///
    /// If the session is not open, or the application changed while the command ran.
    pub fn invoke(
        &self,
        session: u64,
        command: u32,
        input: Input<'_>,
    ) -> Result<Result<Zeroizing<Vec<u8>>, ResultCode>, InvocationError> {
        let open = self.0.sessions().get(session);
        let open = open.ok_or(InvocationError::NoSession)?;
        let outcome = open.invoke(command, input);
        match open.death() {
            None => {}
            Some(_) if open.is_retired() => return Err(InvocationError::Replaced),
            Some(Death::Commit(ResultCode::BUSY)) => {
                self.0.sessions().remove(session);
                return Err(InvocationError::Replaced);
            }
            Some(_) => drop(self.0.sessions().remove(session)),
        }
        Ok(outcome)
    }

    /// Asks what runs in a session to come to its end.
    ///
    /// # Errors
    ///
    /// If it is not open.
    pub fn cancel(&self, session: u64) -> Result<(), InvocationError> {
        let open = self.0.sessions().get(session);
        open.ok_or(InvocationError::NoSession)?.cancel();
        Ok(())
    }

    /// Closes a session.
    ///
    /// # Errors
    ///
    /// If it is not open.
    pub fn close(&self, session: u64) -> Result<(), InvocationError> {
        let open = self.0.sessions().remove(session);
        open.ok_or(InvocationError::NoSession)?.close();
        Ok(())
    }

    /// Ends the sessions of an application that was replaced or removed. Commands under way are cancelled: they have
    /// [a moment](tamarack_ta::interface::CANCEL_GRACE_MS) to come to their own end, see nothing of what is stored any
    /// more, and change nothing.
    pub fn retire(&self, component: &ComponentId) {
        self.0.modules().remove(component);
        let ended = self.0.sessions().remove_all(component);
        ended.iter().for_each(|open| open.retire());
        if !ended.is_empty() {
            tracing::info!(%component, sessions = ended.len(), "sessions ended: the component changed");
        }
    }
}

impl Inner {
    fn modules(&self) -> MutexGuard<'_, HashMap<ComponentId, Compiled>> {
        lock(&self.modules)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }
}
