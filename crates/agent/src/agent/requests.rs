//! What the rich environment asks the agent for: suggestions, of which the agent makes what it sees fit.

use alloc::{
    collections::VecDeque,
    string::{String, ToString},
};

use tamarack_suit::ComponentId;

use super::{Agent, AgentError, Outbound};
use crate::{
    platform::Platform,
    state::{ComponentRecord, Record, Request, RequestKind},
};

impl<P: Platform> Agent<P> {
    /// An application needs a component (`RequestTA`). The TAM URI is a suggestion of the REE.
    ///
    /// `None` if the component is installed. Otherwise the wish is remembered for the next QueryResponse.
    ///
    /// # Errors
    ///
    /// If too many wishes are waiting, no TAM is known, or the storage fails.
    // req: TEEP-AGENT-001
    // req: TEEP-AGENT-002
    // req: TEEP-AGENT-021
    pub fn request_ta(
        &mut self,
        component: &ComponentId,
        tam_uri: Option<&str>,
    ) -> Result<Option<Outbound>, AgentError> {
        let tam_uri = tam_uri.ok_or(AgentError::NoTam)?.to_string();
        let mut transaction = self.platform.storage().begin()?;
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
        }
        Ok(Some(Outbound {
            tam_uri,
            message: None,
        }))
    }

    /// An application no longer needs a component (`UnrequestTA`).
    ///
    /// The manifest that installed it is named to the TAM as unneeded; the TAM decides.
    ///
    /// # Errors
    ///
    /// If it is neither installed nor requested, no TAM is known, or the storage fails.
    pub fn unrequest_ta(
        &mut self,
        component: &ComponentId,
        tam_uri: Option<&str>,
    ) -> Result<Option<Outbound>, AgentError> {
        let tam_uri = tam_uri.ok_or(AgentError::NoTam)?.to_string();
        let mut transaction = self.platform.storage().begin()?;
        let withdrawn = Request::delete(&mut *transaction, &component.to_cbor())?;
        let Some(installed) = ComponentRecord::load(&*transaction, &component.to_cbor())? else {
            if !withdrawn {
                return Err(AgentError::NotInstalled(component.clone()));
            }
            transaction.commit()?;
            return Ok(None);
        };
        // At most one for each installed manifest, so there is no other bound to keep.
        let request = Request {
            component: installed.manifest,
            kind: RequestKind::Unneeded,
        };
        request.save(&mut *transaction)?;
        transaction.commit()?;
        Ok(Some(Outbound {
            tam_uri,
            message: None,
        }))
    }

    /// It may be time to ask for changes (`RequestPolicyCheck`): names one TAM a call until none is left.
    ///
    /// # Errors
    ///
    /// If no TAM is known.
    pub fn request_policy_check(
        &mut self,
        tam_uri: Option<&str>,
    ) -> Result<Option<Outbound>, AgentError> {
        let known: VecDeque<String> = tam_uri.map(ToString::to_string).into_iter().collect();
        if known.is_empty() {
            return Err(AgentError::NoTam);
        }
        let next = self.policy_round.next(|| known);
        Ok(next.map(|tam_uri| Outbound {
            tam_uri,
            message: None,
        }))
    }

    /// A message to this TAM could not be delivered (`ProcessError`).
    ///
    /// Nothing changes: the wishes wait for the next exchange. The result is for the log.
    // req: TEEP-AGENT-008
    pub fn process_error(&mut self, tam_uri: &str, error: &str) -> String {
        alloc::format!("a message to {tam_uri} could not be delivered: {error}")
    }
}
