//! Trusted Applications at work: which are installed, who has a session with them, what they may reach.

mod services;
mod sessions;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use tamarack_agent::{
    link::ComponentKind,
    platform::{Namespace, Storage, StorageError},
    state::{ComponentRecord, DomainRecord, Record},
};
use tamarack_cose::CryptoProvider;
use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_ta::ResultCode;

use crate::{
    runtime::{ModuleError, Quota, TaModule, TaRuntime},
    store::Store,
};
use services::SealedServices;
use sessions::{Open, Sessions, lock};

/// The Trusted Applications of a TEE and their sessions.
pub struct Applications {
    runtime: TaRuntime,
    store: Arc<Store>,
    crypto: CryptoProvider,
    /// Compiled modules by component: compiling costs more than most commands.
    modules: Mutex<HashMap<ComponentId, Compiled>>,
    sessions: Mutex<Sessions>,
}

/// A module, and what it was compiled from and for.
#[derive(Clone)]
struct Compiled {
    digest: SuitDigest,
    quota: Quota,
    module: TaModule,
}

/// Why a call to a Trusted Application did not come to a result of the application's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvocationError {
    /// No Trusted Application is installed under that identifier.
    #[error("no trusted application is installed as {0}")]
    NotInstalled(ComponentId),
    /// The component is data, or a security domain.
    #[error("{0} is not a trusted application")]
    NotAnApplication(ComponentId),
    /// No such session is open, or it ended.
    #[error("no such session; it may have ended because it was idle or its application changed")]
    NoSession,
    /// Too many sessions are open.
    #[error("{} sessions are open already", Sessions::MAX)]
    TooManySessions,
    /// The application refused to open a session, or died doing so.
    #[error("the application refused the session: {}", .0.description())]
    Refused(ResultCode),
    /// The application can't run here any more.
    #[error("the application can't run: {0}")]
    Module(String),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl InvocationError {
    /// The GlobalPlatform result code that the caller sees.
    #[must_use]
    pub fn result_code(&self) -> ResultCode {
        match self {
            Self::NotInstalled(_) => ResultCode::ITEM_NOT_FOUND,
            Self::NotAnApplication(_) => ResultCode::BAD_PARAMETERS,
            Self::NoSession => ResultCode::BAD_STATE,
            Self::TooManySessions => ResultCode::BUSY,
            Self::Refused(code) => *code,
            Self::Module(_) => ResultCode::NOT_SUPPORTED,
            Self::Storage(StorageError::Full) => ResultCode::STORAGE_NO_SPACE,
            Self::Storage(_) => ResultCode::STORAGE_NOT_AVAILABLE,
        }
    }
}

impl Applications {
    /// The applications in `store`.
    ///
    /// # Errors
    ///
    /// If the interpreter can't be set up.
    pub fn new(store: Arc<Store>, crypto: CryptoProvider) -> Result<Self, ModuleError> {
        Ok(Self {
            runtime: TaRuntime::new()?,
            store,
            crypto,
            modules: Mutex::default(),
            sessions: Mutex::default(),
        })
    }

    /// Says whether `code` could run with `memory` bytes.
    ///
    /// # Errors
    ///
    /// What keeps it from running, in words.
    pub fn check(&self, code: &[u8], memory: u64) -> Result<(), String> {
        let quota = Quota {
            memory_bytes: clamp(memory),
            ..Quota::default()
        };
        self.runtime
            .load(code, &quota)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Opens a session with the application installed as `component`.
    ///
    /// # Errors
    ///
    /// If there is none, it refuses, or too many sessions are open.
    pub fn open(&self, component: &ComponentId) -> Result<u64, InvocationError> {
        self.sessions().expire();
        let (module, services, digest) = self.prepare(component)?;
        let turn = self.sessions().turn(component);
        let session = {
            let _turn = lock(&turn);
            module
                .open_session(Box::new(services), &[])
                .map_err(InvocationError::Refused)?
        };
        let open = Open::new(component.clone(), turn, session);
        let refused = self.sessions().insert(&self.crypto, open);
        let number = refused.map_err(|open| {
            open.close();
            InvocationError::TooManySessions
        })?;
        // An update that was committed meanwhile has ended the sessions that it found; this one was not
        // among them, and runs the old code.
        if self
            .installed(component)?
            .is_none_or(|now| now.digest != digest)
        {
            self.close(number)?;
            return Err(InvocationError::Refused(ResultCode::BUSY));
        }
        Ok(number)
    }

    fn installed(&self, component: &ComponentId) -> Result<Option<ComponentRecord>, StorageError> {
        ComponentRecord::load(&*self.store.view()?, &component.to_cbor())
    }

    /// Invokes a command in a session. Commands of one application wait for each other, whatever
    /// their session: they share its objects.
    ///
    /// The inner result is the application's own.
    ///
    /// # Errors
    ///
    /// If the session is not open.
    pub fn invoke(
        &self,
        session: u64,
        command: u32,
        input: &[u8],
    ) -> Result<Result<Vec<u8>, ResultCode>, InvocationError> {
        let open = self
            .sessions()
            .get(session)
            .ok_or(InvocationError::NoSession)?;
        let outcome = open.invoke(command, input);
        if let Some(death) = open.death() {
            tracing::warn!(component = %open.component(), %death, "a trusted application died");
            self.sessions().remove(session);
        }
        Ok(outcome)
    }

    /// Closes a session.
    ///
    /// # Errors
    ///
    /// If it is not open.
    pub fn close(&self, session: u64) -> Result<(), InvocationError> {
        let open = self
            .sessions()
            .remove(session)
            .ok_or(InvocationError::NoSession)?;
        open.close();
        Ok(())
    }

    /// Ends the sessions of an application that was replaced or removed; commands under way finish first.
    pub fn retire(&self, component: &ComponentId) {
        self.modules().remove(component);
        let ended = self.sessions().remove_all(component);
        if !ended.is_empty() {
            tracing::info!(%component, sessions = ended.len(), "sessions ended: the component changed");
        }
    }

    /// The compiled module, and what its session may reach.
    fn prepare(
        &self,
        component: &ComponentId,
    ) -> Result<(TaModule, SealedServices, SuitDigest), InvocationError> {
        let view = self.store.view()?;
        let record = ComponentRecord::load(&*view, &component.to_cbor())?
            .ok_or_else(|| InvocationError::NotInstalled(component.clone()))?;
        if record.kind != ComponentKind::Application {
            return Err(InvocationError::NotAnApplication(component.clone()));
        }
        let domain = DomainRecord::load(&*view, record.domain.as_bytes())?;
        let limits = domain.map(|record| record.domain.quota).unwrap_or_default();
        let quota = Quota {
            memory_bytes: clamp(limits.memory),
            fuel: limits.fuel,
            ..Quota::default()
        };
        let cached = self.modules().get(component).cloned();
        let module = match cached {
            Some(known) if known.digest == record.digest && known.quota == quota => known.module,
            _ => {
                let space = Namespace::domain(&record.domain);
                let code = view.get(&space, &component.to_cbor())?;
                let code = code.ok_or_else(|| {
                    StorageError::Corrupt(format!("the code of {component} is missing"))
                })?;
                // What runs is what was signed, whatever happened to the storage in between.
                // req: ARCH-022
                if !record.digest.matches(&self.crypto, &code).unwrap_or(false) {
                    let text = format!("the code of {component} is not what was installed");
                    return Err(StorageError::Corrupt(text).into());
                }
                let loaded = self.runtime.load(&code, &quota);
                let module = loaded.map_err(|e| InvocationError::Module(e.to_string()))?;
                let compiled = Compiled {
                    digest: record.digest,
                    quota,
                    module: module.clone(),
                };
                self.modules().insert(component.clone(), compiled);
                module
            }
        };
        let digest = record.digest;
        let services =
            SealedServices::new(Arc::clone(&self.store), self.crypto, record, limits.bytes);
        Ok((module, services, digest))
    }

    fn modules(&self) -> MutexGuard<'_, HashMap<ComponentId, Compiled>> {
        lock(&self.modules)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }
}

fn clamp(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
