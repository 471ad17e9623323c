//! From what is installed to what can run.

use std::{collections::BTreeSet, sync::Arc};

use tamarack_agent::{
    link::ComponentKind,
    platform::{Namespace, StorageError, View},
    state::{ComponentRecord, DomainRecord, KnownManifest, Record},
};
use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_ta::interface::Client;

use super::{Inner, InvocationError, sessions::TurnKey};
use crate::{
    runtime::{self, Allowance, TaModule},
    services::{Application, Caller, Migration, TaServices},
};

/// A module, and what it was compiled from and for.
#[derive(Clone)]
pub(super) struct Compiled {
    digest: SuitDigest,
    quota: runtime::Quota,
    size: u64,
    module: TaModule,
}

/// An application that can run.
pub(super) struct Ready {
    pub(super) application: Application,
    pub(super) module: TaModule,
}

impl Ready {
    /// With whom it takes turns.
    pub(super) fn turn(&self) -> TurnKey {
        let Application {
            record,
            shared_objects,
            ..
        } = &self.application;
        match shared_objects.is_empty() {
            true => TurnKey::Application(record.component.clone()),
            false => TurnKey::Domain(record.domain.clone()),
        }
    }
}

/// Room for a session that is about to be opened, given back when it is, or is not.
pub(super) struct Room<'a> {
    inner: &'a Inner,
    domain: String,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.inner.sessions().release(&self.domain);
    }
}

/// What is installed as the application `component`.
pub(super) fn find(
    view: &dyn View,
    component: &ComponentId,
) -> Result<Application, InvocationError> {
    let record = ComponentRecord::load(view, &component.to_cbor())?
        .ok_or_else(|| InvocationError::NotInstalled(component.clone()))?;
    if record.kind != ComponentKind::Application {
        return Err(InvocationError::NotAnApplication(component.clone()));
    }
    let domain = DomainRecord::load(view, record.domain.as_bytes())?;
    let manifest = KnownManifest::load(view, &record.manifest.to_cbor())?;
    Ok(Application {
        quota: DomainRecord::own_quota(view, &record.domain)?,
        shared_objects: domain
            .map(|record| record.domain.shared_objects)
            .unwrap_or_default(),
        sequence_number: manifest.map_or(0, |known| known.record.sequence_number.0),
        record,
    })
}

/// Bytes of modules that are kept compiled, as they are installed: compiled they take some times as much.
const MAX_COMPILED: u64 = 16 << 20;

/// The security domains that have applications.
fn with_applications(view: &dyn View) -> Result<BTreeSet<String>, StorageError> {
    let components = ComponentRecord::all(view)?.into_iter();
    Ok(components
        .filter(|component| component.kind == ComponentKind::Application)
        .map(|component| component.domain)
        .collect())
}

impl Inner {
    /// Keeps room for a session with an application.
    pub(super) fn reserve(
        &self,
        view: &dyn View,
        application: &Application,
    ) -> Result<Room<'_>, InvocationError> {
        let Application { record, quota, .. } = application;
        let domains = || with_applications(view);
        match self.sessions().reserve(&record.domain, quota, domains)? {
            true => Ok(Room {
                inner: self,
                domain: record.domain.clone(),
            }),
            false => Err(InvocationError::TooManySessions {
                quota: quota.sessions,
            }),
        }
    }

    /// Keeps a compiled module, and as many others as there is room for.
    fn keep(&self, component: &ComponentId, compiled: Compiled) {
        let mut modules = self.modules();
        modules.insert(component.clone(), compiled);
        while modules.values().map(|kept| kept.size).sum::<u64>() > MAX_COMPILED {
            let other = modules.keys().find(|other| *other != component).cloned();
            match other {
                Some(other) => drop(modules.remove(&other)),
                None => break,
            }
        }
    }

    /// An application that was found in `view`, compiled.
    pub(super) fn prepare(
        &self,
        view: &dyn View,
        application: Application,
    ) -> Result<Ready, InvocationError> {
        let record = &application.record;
        let component = &record.component;
        let wanted = runtime::Quota::with_memory(application.quota.memory);
        let cached = self.modules().get(component).cloned();
        let module = match cached {
            Some(known) if known.digest == record.digest && known.quota == wanted => known.module,
            _ => {
                let space = Namespace::domain(&record.domain);
                let code = view.get(&space, &component.to_cbor())?;
                let code = code.ok_or_else(|| {
                    StorageError::Corrupt(format!("the code of {component} is missing"))
                })?;
                // What runs is what was signed, whatever happened to the storage in between.
                // req: ARCH-022
                let crypto = &self.around.crypto;
                if !record.digest.matches(crypto, &code).unwrap_or(false) {
                    let text = format!("the code of {component} is not what was installed");
                    return Err(StorageError::Corrupt(text).into());
                }
                let loaded = self.runtime.load(&code, &wanted);
                let module = loaded.map_err(|e| InvocationError::Module(e.to_string()))?;
                let compiled = Compiled {
                    digest: record.digest,
                    quota: wanted,
                    size: record.size,
                    module: module.clone(),
                };
                self.keep(component, compiled);
                module
            }
        };
        Ok(Ready {
            application,
            module,
        })
    }

    /// What a session with an application reaches.
    pub(super) fn services(&self, ready: &Ready, client: Client, waiting: &[Caller]) -> TaServices {
        TaServices::new(
            Arc::clone(&self.around),
            self.this.clone(),
            ready.application.clone(),
            client,
            waiting,
        )
    }

    /// Has an application bring what is stored up to date, if other code of it ran last. Its turn must be held.
    pub(super) fn migrate(
        &self,
        ready: &Ready,
        waiting: &[Caller],
        allowance: &mut Allowance,
    ) -> Result<(), InvocationError> {
        let mut services = self.services(ready, Client::Unknown, waiting);
        let from = match services.migration().map_err(InvocationError::Migration)? {
            Migration::None => return Ok(()),
            Migration::FromNothing => Vec::new(),
            Migration::From(number) => number.to_be_bytes().to_vec(),
        };
        let marked = services.mark_migrated();
        marked.map_err(InvocationError::Migration)?;
        let migrated = ready.module.migrate(services, &from, allowance);
        migrated.map_err(InvocationError::Migration)
    }
}
