//! QueryResponses that nobody asked for (TEEP section 7.2).
//!
//! A TAM whose last QueryRequest needed no fresh answer of this very exchange, since the time is fresh enough for
//! it, can be answered again right away: an application that needs something waits for one round trip less.

use alloc::{collections::BTreeMap, vec::Vec};

use tamarack_cose::{KeyId, PublicKey};
use tamarack_suit::NoFetch;
use tamarack_teep::{Encoding, QueryRequest};

use super::{Agent, AgentError};
use crate::{
    platform::Platform,
    state::{AnchorRole, TamEndpoint, TrustStore},
};
use tamarack_cose::x509::Trust;

/// The last QueryRequests that may be answered once more: lost on a restart, and harmlessly so.
///
/// By the anchor that stands for the TAM; no more entries than there are TAM anchors.
#[derive(Debug, Default)]
pub(super) struct LastQueries(BTreeMap<KeyId, LastQuery>);

#[derive(Debug)]
struct LastQuery {
    request: QueryRequest,
    key: PublicKey,
    encoding: Encoding,
}

impl LastQueries {
    /// A TAM has asked.
    // req: TEEP-AGENT-004
    pub(super) fn asked(
        &mut self,
        tam: KeyId,
        request: &QueryRequest,
        key: PublicKey,
        encoding: Encoding,
    ) {
        if request.token.is_some() || request.challenge.is_some() {
            self.0.remove(&tam);
            return;
        }
        let request = QueryRequest {
            // It was for that exchange.
            attestation: None,
            suit_reports: Vec::new(),
            ..request.clone()
        };
        let query = LastQuery {
            request,
            key,
            encoding,
        };
        self.0.insert(tam, query);
    }

    /// A message to the TAM with one of these keys could not be delivered.
    // req: TEEP-AGENT-005
    pub(super) fn failed(&mut self, keys: &[KeyId]) {
        self.0.retain(|tam, _| !keys.contains(tam));
    }
}

impl<P: Platform> Agent<P> {
    /// A QueryResponse for the TAM at `uri`, if it takes one that it did not ask for.
    ///
    /// # Errors
    ///
    /// If the storage or a key fails.
    // req: TEEP-AGENT-003
    // req: TEEP-AGENT-006
    pub(super) fn unsolicited(&mut self, uri: &str) -> Result<Option<Vec<u8>>, AgentError> {
        if self.last_queries.0.is_empty() {
            return Ok(None);
        }
        let view = self.platform.storage().view()?;
        let endpoints = TamEndpoint::trusted(&*view)?;
        let store = TrustStore::load(&*view)?;
        drop(view);
        let anchors = store.trust_anchors(AnchorRole::Tam);
        let trust = Trust::new(&anchors, &store.revocations, self.platform.now());
        let crypto = self.platform.crypto();
        // The key itself has to be trusted still; a certificate would come with the next message only.
        let counts = |key: &PublicKey| {
            let mut anchors = anchors.iter().enumerate();
            anchors.any(|(index, anchor)| anchor.public_key() == key && trust.counts(crypto, index))
        };
        let keys = endpoints.iter().filter(|found| found.uri() == uri);
        let keys = keys.flat_map(TamEndpoint::keys);
        let found = keys.filter_map(|tam| Some((*tam, self.last_queries.0.get(tam)?)));
        let mut found = found.filter(|(_, query)| counts(&query.key));
        let Some((tam, query)) = found.next() else {
            return Ok(None);
        };
        let (request, key, encoding) = (query.request.clone(), query.key, query.encoding);
        match self.respond(&request, &key, &tam, &store, &mut NoFetch)? {
            Ok(response) => {
                let algorithm = Some(key.algorithm());
                self.answer(&response.into(), encoding, algorithm).map(Some)
            }
            // The TAM asks, and hears why not.
            Err(_) => Ok(None),
        }
    }
}
