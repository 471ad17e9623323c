//! What the broker does for applications, and of its own accord.

use std::{sync::Arc, time::Instant};

use tamarack_agent::link::{Call, Reply};
use tamarack_client::api::TeeRequirements;
use tamarack_suit::ComponentId;

use crate::{
    BrokerError,
    budget::Budget,
    exchange::Ran,
    permissions::Permissions,
    places::Places,
    sessions::Sessions,
    tees::{Tee, Tees, unexpected},
};

/// TAMs that are tried for one request at most.
const MAX_TAMS: usize = 16;

/// The broker: it carries, and chooses a TEE. Everything else is decided by agents and TAMs.
pub(crate) struct Broker {
    pub(crate) tees: Tees,
    /// TAMs for agents that know none.
    pub(crate) tam_uris: Vec<String>,
    /// Exchanges that applications may cause.
    pub(crate) budget: Budget,
    /// What users may do.
    pub(crate) permissions: Arc<Permissions>,
    /// The sessions of applications.
    pub(crate) sessions: Sessions,
    /// Calls of applications to TEEs.
    pub(crate) places: Places,
}

/// What became of a request.
pub(crate) struct Done<'a> {
    /// The TEE that it went to.
    pub(crate) tee: &'a Tee,
    /// What came of the exchanges.
    pub(crate) ran: Ran,
}

impl Broker {
    /// An application is about to cause an exchange.
    // req: ARCH-042
    pub(crate) fn spend(&self) -> Result<(), BrokerError> {
        let spent = self.budget.spend(Instant::now());
        spent.map_err(|wait| BrokerError::TooOften { wait })
    }

    /// An application needs a component. Each TAM that the agent names is asked, until the component is there
    /// or the agent names one again.
    // req: TEEP-BROKER-004
    // req: TEEP-BROKER-006
    // req: ARCH-001
    pub(crate) async fn request(
        &self,
        component: &ComponentId,
        hint: Option<&str>,
        requirements: &TeeRequirements,
    ) -> Result<Done<'_>, BrokerError> {
        let tee = self.tees.for_request(component, requirements).await?;
        let suggestions = self.suggestions(tee, hint).await?;
        let _one_at_a_time = tee.exchanging.lock().await;
        let mut tried = Tried::default();
        for tam_uri in suggestions {
            let component = component.clone();
            let call = Call::RequestTa { component, tam_uri };
            while tried.go_on(tee, &call).await? {}
        }
        tried.done(tee)
    }

    /// An application no longer needs a component. Another TAM is asked only if one can't be reached: the first
    /// that can decides.
    // req: TEEP-BROKER-007
    pub(crate) async fn unrequest(
        &self,
        component: &ComponentId,
        hint: Option<&str>,
        requirements: &TeeRequirements,
    ) -> Result<Done<'_>, BrokerError> {
        let mut unknown = None;
        for tee in self.tees.for_withdrawal(component, requirements).await? {
            match self.unrequest_from(tee, component, hint).await {
                // Nobody asked this one.
                Err(error @ BrokerError::Tee { .. }) => unknown = Some(error),
                ended => return ended,
            }
        }
        Err(unknown.unwrap_or_else(|| BrokerError::NotHeld(component.to_string())))
    }

    async fn unrequest_from<'a>(
        &self,
        tee: &'a Tee,
        component: &ComponentId,
        hint: Option<&str>,
    ) -> Result<Done<'a>, BrokerError> {
        let suggestions = self.suggestions(tee, hint).await?;
        let _one_at_a_time = tee.exchanging.lock().await;
        let mut tried = Tried::default();
        for tam_uri in suggestions {
            let component = component.clone();
            let call = Call::UnrequestTa { component, tam_uri };
            while tried.ran.exchanges == 0 && tried.go_on(tee, &call).await? {}
            // Called again, an agent whose application has never been installed knows nothing of it.
            if tried.failed.is_none() {
                break;
            }
        }
        tried.done(tee)
    }

    /// What to suggest to an agent: first what the application says, if that is a TAM that somebody in charge
    /// knows, then the broker's own. An application could name any server in the world.
    // req: HTTP-009
    async fn suggestions(
        &self,
        tee: &Tee,
        hint: Option<&str>,
    ) -> Result<Vec<Option<String>>, BrokerError> {
        let mut suggestions = self.tam_uris.clone();
        if let Some(hint) = hint {
            let own = suggestions.iter().position(|known| known == hint);
            if let Some(at) = own {
                suggestions.remove(at);
            }
            if own.is_some()
                || tee
                    .describe()
                    .await?
                    .tam_uris
                    .iter()
                    .any(|known| known == hint)
            {
                suggestions.insert(0, hint.to_owned());
            } else {
                tracing::info!(hint, "an application suggests a TAM that nobody knows");
            }
        }
        if suggestions.is_empty() {
            return Ok(vec![None]);
        }
        Ok(suggestions.into_iter().map(Some).collect())
    }

    /// Has all agents ask their TAMs for changes.
    // req: HTTP-026
    // req: TEEP-BROKER-009
    pub(crate) async fn check_policy(&self) -> Result<Ran, BrokerError> {
        let mut ran = Ran::default();
        let mut failed = None;
        for tee in self.tees.iter() {
            let failure = self.check_policy_of(tee, &mut ran).await.err();
            failed = failed.or(failure);
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(ran),
        }
    }

    /// The other TAMs are asked even if one fails, and the agent's round comes to its end. An agent that knows
    /// no TAM is asked about each that the broker knows.
    async fn check_policy_of(&self, tee: &Tee, ran: &mut Ran) -> Result<(), BrokerError> {
        let _one_at_a_time = tee.exchanging.lock().await;
        let mut failed = None;
        let suggestions = self.suggestions(tee, None).await?;
        let mut named: Vec<String> = Vec::new();
        for tam_uri in suggestions {
            let call = Call::RequestPolicyCheck { tam_uri };
            let mut again = false;
            for _ in 0..=MAX_TAMS {
                match tee.call(&call).await {
                    Ok(Reply::NoData) => break,
                    Ok(Reply::Outbound { tam_uri, message }) => {
                        // What was asked in this round already, for another suggestion, is not asked again.
                        if named.contains(&tam_uri) {
                            again = true;
                            continue;
                        }
                        named.push(tam_uri.clone());
                        match tee.exchanger.run(&tam_uri, message).await {
                            Ok(further) => ran.add(further),
                            Err(error) if error.is_of_tam() => {
                                failed.get_or_insert(error);
                            }
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(other) => return Err(unexpected(&other)),
                    Err(error) => return Err(failed.unwrap_or(error)),
                }
            }
            if again {
                // The agent has TAMs of its own, and does not care for suggestions.
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// The TAMs that an agent has named for one request.
#[derive(Default)]
struct Tried {
    uris: Vec<String>,
    ran: Ran,
    failed: Option<BrokerError>,
}

impl Tried {
    /// Makes a call that may start an exchange, and runs that; `false` if the agent names nobody, or somebody
    /// who was asked already.
    // req: HTTP-020
    // req: TEEP-BROKER-010
    async fn go_on(&mut self, tee: &Tee, call: &Call) -> Result<bool, BrokerError> {
        let (tam_uri, message) = match tee.call(call).await? {
            Reply::NoData => return Ok(false),
            Reply::Outbound { tam_uri, message } => (tam_uri, message),
            other => return Err(unexpected(&other)),
        };
        if self.uris.contains(&tam_uri) || self.uris.len() >= MAX_TAMS {
            return Ok(false);
        }
        self.uris.push(tam_uri.clone());
        match tee.exchanger.run(&tam_uri, message).await {
            Ok(ran) => self.ran.add(ran),
            Err(error) if error.is_of_tam() => {
                self.failed.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// One TAM that answered is enough.
    fn done(self, tee: &Tee) -> Result<Done<'_>, BrokerError> {
        match self.failed {
            Some(error) if self.ran.exchanges == 0 => Err(error),
            _ => Ok(Done { tee, ran: self.ran }),
        }
    }
}
