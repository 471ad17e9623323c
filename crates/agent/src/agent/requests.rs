//! What the rich environment asks the agent for: suggestions, of which the agent makes what it sees fit.

use alloc::{
    collections::VecDeque,
    string::{String, ToString},
    vec::Vec,
};

use tamarack_cose::KeyId;
use tamarack_suit::ComponentId;

use super::{Agent, AgentError, Outbound};
use crate::{
    platform::{Platform, StorageError, Transaction},
    state::{ComponentRecord, KnownManifest, Record, Request, RequestKind, TamEndpoint},
};

impl<P: Platform> Agent<P> {
    /// An application needs a component (`RequestTA`). The TAM URI is a suggestion of the REE.
    ///
    /// `None` if the component is installed. Otherwise the wish is remembered for the next QueryResponse, and a
    /// TAM is named: one that the device was provisioned with, if there is any, and another one each time that
    /// this is called for the same component. A suggestion only counts among those; on a device that was
    /// provisioned with no URI it is what is named.
    ///
    /// # Errors
    ///
    /// If too many wishes are waiting, no TAM is known, or the storage fails.
    // req: TEEP-AGENT-001
    // req: TEEP-AGENT-002
    // req: TEEP-AGENT-021
    // req: ARCH-043
    pub fn request_ta(
        &mut self,
        component: &ComponentId,
        tam_uri: Option<&str>,
    ) -> Result<Option<Outbound>, AgentError> {
        let tams = &mut self.tams;
        let now = self.platform.now();
        let mut transaction = self.platform.storage().begin()?;
        let endpoints = TamEndpoint::trusted(&*transaction)?;
        let fallback = fallback(&endpoints, tam_uri)?;
        let installed = ComponentRecord::load(&*transaction, &component.to_cbor())?;
        if let Some(installed) = installed {
            // Wanted again, whatever was said before.
            if Request::delete(&mut *transaction, &installed.manifest.to_cbor())? {
                transaction.commit()?;
            }
            return Ok(None);
        }
        let key = component.to_cbor();
        if Request::load(&*transaction, &key)?.is_none() {
            if Request::all(&*transaction)?.len() >= Request::MAX {
                return Err(AgentError::TooManyRequests);
            }
            let request = Request {
                component: component.clone(),
                kind: RequestKind::Wanted,
            };
            request.save(&mut *transaction)?;
            transaction.commit()?;
        } else {
            drop(transaction);
        }
        let chosen = tams.choose(&endpoints, component, tam_uri, now);
        self.begin(chosen, fallback)
    }

    /// An application no longer needs a component (`UnrequestTA`).
    ///
    /// The manifest that installed it is named to the TAM as unneeded; the TAM decides. The TAM that brought it
    /// is asked first.
    ///
    /// # Errors
    ///
    /// If it is neither installed nor requested, no TAM is known, or the storage fails.
    pub fn unrequest_ta(
        &mut self,
        component: &ComponentId,
        tam_uri: Option<&str>,
    ) -> Result<Option<Outbound>, AgentError> {
        let tams = &mut self.tams;
        let now = self.platform.now();
        let mut transaction = self.platform.storage().begin()?;
        let endpoints = TamEndpoint::trusted(&*transaction)?;
        let fallback = fallback(&endpoints, tam_uri)?;
        let withdrawn = Request::delete(&mut *transaction, &component.to_cbor())?;
        let Some(installed) = ComponentRecord::load(&*transaction, &component.to_cbor())? else {
            if !withdrawn {
                return Err(AgentError::NotInstalled(component.clone()));
            }
            transaction.commit()?;
            return Ok(None);
        };
        let manager = manager(&*transaction, &installed.manifest)?;
        // At most one for each installed manifest, so there is no other bound to keep.
        let request = Request {
            component: installed.manifest,
            kind: RequestKind::Unneeded,
        };
        // Said again, it changes nothing, and a commit costs a write of the platform's counter.
        if withdrawn || Request::load(&*transaction, &request.key())?.as_ref() != Some(&request) {
            request.save(&mut *transaction)?;
            transaction.commit()?;
        } else {
            drop(transaction);
        }
        // No other TAM may remove it, whatever the caller suggests.
        let mut of_manager = endpoints.clone();
        of_manager.retain(|endpoint| manager.is_none_or(|key| endpoint.keys().contains(&key)));
        let able = if of_manager.is_empty() {
            &endpoints
        } else {
            &of_manager
        };
        let chosen = tams.choose(able, component, tam_uri, now);
        self.begin(chosen, fallback)
    }

    /// It may be time to ask for changes (`RequestPolicyCheck`): names one TAM a call until none is left.
    ///
    /// A TAM that has several URIs is named with another one of them after
    /// [`process_error`](Self::process_error).
    ///
    /// # Errors
    ///
    /// If no TAM is known, or the storage fails.
    // req: ARCH-049
    pub fn request_policy_check(
        &mut self,
        tam_uri: Option<&str>,
    ) -> Result<Option<Outbound>, AgentError> {
        let endpoints = self.endpoints()?;
        let fallback = fallback(&endpoints, tam_uri)?;
        let (tams, now) = (&self.tams, self.platform.now());
        let next = self.policy_round.next(|| match fallback {
            Some(uri) => VecDeque::from([VecDeque::from([uri])]),
            None => tams.round(&endpoints, now),
        });
        self.begin(next, None)
    }

    /// A message to this TAM could not be delivered (`ProcessError`).
    ///
    /// The wishes wait for the next exchange; for a while, other TAMs are named before this one. The result is
    /// for the log.
    // req: TEEP-AGENT-008
    pub fn process_error(&mut self, tam_uri: &str, error: &str) -> String {
        // A storage that fails has nobody to be named, and says so to the next request.
        let endpoints = self.endpoints().unwrap_or_default();
        self.tams.failed(&endpoints, tam_uri, self.platform.now());
        for endpoint in endpoints.iter().filter(|found| found.uri() == tam_uri) {
            self.last_queries.failed(endpoint.keys());
        }
        self.policy_round.failed(tam_uri);
        alloc::format!("a message to {tam_uri} could not be delivered: {error}")
    }

    /// The TAM with this key was heard: whatever failed before, it can be reached.
    pub(super) fn tam_answered(&mut self, key: &KeyId) -> Result<(), StorageError> {
        if !self.tams.is_clean() {
            let endpoints = self.endpoints()?;
            self.tams.answered(&endpoints, key);
        }
        Ok(())
    }

    /// An exchange, in which the TAM speaks first unless it takes what it did not ask for.
    fn begin(
        &mut self,
        chosen: Option<String>,
        fallback: Option<String>,
    ) -> Result<Option<Outbound>, AgentError> {
        let Some(tam_uri) = chosen.or(fallback) else {
            return Ok(None);
        };
        let message = self.unsolicited(&tam_uri)?;
        Ok(Some(Outbound { tam_uri, message }))
    }

    fn endpoints(&self) -> Result<Vec<TamEndpoint>, StorageError> {
        TamEndpoint::trusted(&*self.platform.storage().view()?)
    }
}

/// The TAM that the caller knows of, for a device that was provisioned with none; an error if nobody knows any.
fn fallback(
    endpoints: &[TamEndpoint],
    tam_uri: Option<&str>,
) -> Result<Option<String>, AgentError> {
    if !endpoints.is_empty() {
        return Ok(None);
    }
    let uri = tam_uri.ok_or(AgentError::NoTam)?;
    Ok(Some(uri.to_string()))
}

/// The key of the TAM that brought a manifest, if that is known.
fn manager(
    transaction: &dyn Transaction,
    manifest: &ComponentId,
) -> Result<Option<KeyId>, StorageError> {
    let known = KnownManifest::load(transaction, &manifest.to_cbor())?;
    Ok(known.and_then(|known| known.tam))
}
