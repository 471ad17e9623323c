//! Speaking first: a QueryResponse that nobody asked for, to a TAM that is known to take one.

use alloc::{collections::BTreeMap, vec::Vec};

use tamarack_cose::KeyId;
use tamarack_teep::{Encoding, QueryRequest};

use super::{Agent, AgentError};
use crate::{
    platform::Platform,
    state::{Anchor, AnchorRole, Record, TamEndpoint},
};

/// The last QueryRequest of each TAM that asked for nothing fresh: it can be answered again, unasked.
///
/// Lost on a restart, and harmlessly so: then the TAM speaks first.
#[derive(Debug, Default)]
pub(super) struct PlainQueries {
    /// By the TAM's key: no more entries than there are TAM anchors.
    last: BTreeMap<KeyId, (QueryRequest, Encoding)>,
}

impl PlainQueries {
    /// A TAM's QueryRequest was answered. One with a token or a challenge is for one answer only, and ends what
    /// an earlier one allowed.
    // req: TEEP-AGENT-004
    pub(super) fn answered(&mut self, tam: &KeyId, request: &QueryRequest, encoding: Encoding) {
        if request.token.is_none() && request.challenge.is_none() {
            self.last.insert(*tam, (request.clone(), encoding));
        } else {
            self.last.remove(tam);
        }
    }

    /// A message to the TAM with these keys was not delivered.
    // req: TEEP-AGENT-005
    pub(super) fn failed(&mut self, keys: &[KeyId]) {
        self.last.retain(|key, _| !keys.contains(key));
    }
}

impl<P: Platform> Agent<P> {
    /// A QueryResponse to the TAM at `uri` that it did not ask for, if it is known to take one and its key is
    /// trusted still. What the device was not provisioned with has no key that could be known.
    // req: TEEP-AGENT-003
    // req: TEEP-AGENT-006
    pub(super) fn unsolicited(&mut self, uri: &str) -> Result<Option<Vec<u8>>, AgentError> {
        let view = self.platform.storage().view()?;
        let endpoints = TamEndpoint::trusted(&*view)?;
        let anchors = Anchor::all(&*view)?;
        drop(view);
        let is_trusted = |key: &KeyId| {
            let mut anchors = anchors.iter();
            anchors.any(|anchor| anchor.role == AnchorRole::Tam && anchor.key_id == *key)
        };
        let mut keys = endpoints
            .iter()
            .filter(|found| found.uri() == uri)
            .flat_map(TamEndpoint::keys)
            .filter(|key| is_trusted(key));
        let Some((tam, (request, encoding))) =
            keys.find_map(|key| Some((*key, self.plain_queries.last.get(key)?.clone())))
        else {
            return Ok(None);
        };
        match self.answer_query(&request)? {
            Ok(response) => {
                self.exchanges.open(tam, self.platform.now());
                self.answer(&response.into(), encoding).map(Some)
            }
            // The TAM speaks first, and hears what is wrong.
            Err(_) => Ok(None),
        }
    }
}
