//! Which TAM to ask: by trust, by what a caller suggests, and by how it went the last time.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};

use tamarack_cose::KeyId;
use tamarack_suit::ComponentId;

use crate::state::TamEndpoint;

/// Seconds for which a TAM that did not answer comes after the others: after the first failure, and at most. It
/// doubles with every further one.
const AVOIDED: (u64, u64) = (60, 3600);

/// Seconds for which a TAM that was named for a component comes after those that were not.
const NAMED: u64 = 60;

/// Most requests of which it is remembered whom they named.
const MAX_NAMED: usize = 64;

/// How it went with TAMs: lost on a restart, and harmlessly so.
#[derive(Debug, Default)]
pub(crate) struct TamHistory {
    /// By URI. No more than there are endpoints.
    failures: BTreeMap<String, Failures>,
    /// Who was named for which component, oldest first.
    named: VecDeque<Named>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: u64,
}

#[derive(Debug)]
struct Named {
    component: ComponentId,
    uri: String,
    at: u64,
}

impl TamHistory {
    /// A TAM could not be reached.
    // req: TEEP-AGENT-008
    pub(crate) fn failed(&mut self, endpoints: &[TamEndpoint], uri: &str, now: u64) {
        // The rich environment can make up any URI.
        self.failures
            .retain(|known, _| endpoints.iter().any(|endpoint| endpoint.uri() == known));
        if endpoints.iter().any(|endpoint| endpoint.uri() == uri) {
            let failures = self.failures.entry(uri.to_owned());
            let failures = failures.or_insert(Failures {
                count: 0,
                last: now,
            });
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
        }
    }

    /// The TAM with one of these keys answers.
    pub(crate) fn answered(&mut self, endpoints: &[TamEndpoint], key: &KeyId) {
        let of_tam = endpoints.iter().filter(|found| found.keys().contains(key));
        for endpoint in of_tam {
            self.failures.remove(endpoint.uri());
        }
    }

    /// Whether nothing has failed: then there is nothing to take back.
    pub(crate) fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }

    /// Whether a TAM comes after the others because it did not answer.
    fn is_avoided(&self, uri: &str, now: u64) -> bool {
        self.failures.get(uri).is_some_and(|failures| {
            let doubled = AVOIDED.0 << failures.count.saturating_sub(1).min(16);
            now < failures.last.saturating_add(doubled.min(AVOIDED.1))
        })
    }

    /// The endpoint to ask about a component. Called again for the same one, it names another, as long as there
    /// is another; so who repeats a request reaches every TAM.
    ///
    /// `hint` is what the caller suggests.
    // req: TEEP-AGENT-002
    // req: TEEP-AGENT-008
    // req: ARCH-001
    pub(crate) fn choose(
        &mut self,
        endpoints: &[TamEndpoint],
        component: &ComponentId,
        hint: Option<&str>,
        now: u64,
    ) -> Option<String> {
        self.named
            .retain(|named| now.saturating_sub(named.at) < NAMED && named.at <= now);
        let last_named = |uri: &str| {
            let mut named = self.named.iter().enumerate().rev();
            named
                .find(|(_, named)| named.component == *component && named.uri == uri)
                .map(|(at, _)| at)
        };
        let chosen = endpoints.iter().min_by_key(|endpoint| {
            let uri = endpoint.uri();
            (
                last_named(uri),
                self.is_avoided(uri, now),
                hint != Some(uri),
            )
        })?;
        let uri = chosen.uri().to_owned();
        self.named.push_back(Named {
            component: component.clone(),
            uri: uri.clone(),
            at: now,
        });
        if self.named.len() > MAX_NAMED {
            self.named.pop_front();
        }
        Some(uri)
    }

    /// The TAMs to ask in a round of policy checks, each with all the ways to it, those first that answer.
    pub(crate) fn round(&self, endpoints: &[TamEndpoint], now: u64) -> VecDeque<VecDeque<String>> {
        let mut ordered: Vec<&TamEndpoint> = endpoints.iter().collect();
        ordered.sort_by_key(|endpoint| self.is_avoided(endpoint.uri(), now));
        let mut tams: Vec<Vec<&TamEndpoint>> = Vec::new();
        for endpoint in ordered {
            let known = tams
                .iter_mut()
                .find(|ways| ways.iter().any(|way| way.is_same_tam(endpoint)));
            match known {
                Some(ways) => ways.push(endpoint),
                None => tams.push([endpoint].into()),
            }
        }
        let uris = |ways: Vec<&TamEndpoint>| ways.iter().map(|way| way.uri().to_owned()).collect();
        tams.into_iter().map(uris).collect()
    }
}

/// The TAMs still to be named in a round of policy checks.
#[derive(Debug, Default)]
pub(crate) struct PolicyRound {
    /// Those left, each with the ways to it; `None` between rounds.
    left: Option<VecDeque<VecDeque<String>>>,
    /// The way that was named last, and the others to the same TAM.
    last: Option<(String, VecDeque<String>)>,
}

impl PolicyRound {
    /// The next TAM, from `all` when a round begins; `None` ends the round.
    // req: TEEP-AGENT-007
    pub(crate) fn next(
        &mut self,
        all: impl FnOnce() -> VecDeque<VecDeque<String>>,
    ) -> Option<String> {
        let left = self.left.get_or_insert_with(all);
        let next = left
            .pop_front()
            .and_then(|mut ways| Some((ways.pop_front()?, ways)));
        if next.is_none() {
            self.left = None;
        }
        self.last = next;
        self.last.as_ref().map(|(uri, _)| uri.clone())
    }

    /// What was named last did not answer: another way to the same TAM is named next, if there is one.
    // req: TEEP-AGENT-008
    pub(crate) fn failed(&mut self, uri: &str) {
        let Some(left) = &mut self.left else {
            return;
        };
        if let Some((_, ways)) = self.last.take_if(|(named, _)| named == uri)
            && !ways.is_empty()
        {
            left.push_front(ways);
        }
    }
}
