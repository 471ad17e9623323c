//! Attestation of TAMs: an agent whose device trusts Verifiers serves TAMs only that one of them vouches for.

use alloc::{collections::BTreeMap, vec::Vec};

use tamarack_cose::{
    KeyId, PublicKey,
    x509::{Trust, TrustAnchor},
};
use tamarack_rats::{
    EAT_CWT, Expectation, Freshness, ResultError, TEEP_EAT_PROFILE, UnverifiedResult,
};
use tamarack_teep::{AttestationPayload, Challenge, MediaType, QueryRequest};

use super::{Agent, AgentError, Refusal};
use crate::{
    platform::Platform,
    state::{AnchorRole, TrustStore},
};

/// Bytes of a challenge to a TAM.
const CHALLENGE: usize = 32;

/// Seconds within which a TAM answers a challenge.
const LIFETIME: u64 = 4 * 3600;

/// The challenges that TAMs have not answered: lost on a restart, after which they get others.
///
/// By the key of the TAM; no more entries than there are TAM anchors.
#[derive(Debug, Default)]
pub(super) struct TamAttestations {
    challenges: BTreeMap<KeyId, (Challenge, u64)>,
}

impl TamAttestations {
    /// The challenge that the TAM has to answer now. It counts once, whatever the answer is.
    // req: TEEP-FRESH-008
    fn take_challenge(&mut self, tam: &KeyId, now: u64) -> Option<Challenge> {
        let (challenge, at) = self.challenges.remove(tam)?;
        (now.saturating_sub(at) < LIFETIME && at <= now).then_some(challenge)
    }
}

impl<P: Platform> Agent<P> {
    /// Says whether the TAM whose `key` verified the QueryRequest is one to answer, or what it gets instead: a
    /// challenge, and nothing about the device.
    ///
    /// A device that trusts no Verifier for TAMs asks none to be attested. On others each QueryRequest needs an
    /// attestation of its own: an old one, played again, has none that is fresh.
    // req: TEEP-AGENT-009
    // req: TEEP-AGENT-010
    // req: TEEP-ERR-009
    // req: ARCH-047
    pub(super) fn appraise_tam(
        &mut self,
        request: &QueryRequest,
        key: &PublicKey,
        store: &TrustStore,
    ) -> Result<Result<(), Refusal>, AgentError> {
        let verifiers = self.verifiers(store);
        if verifiers.is_empty() {
            return Ok(Ok(()));
        }
        let tam = key.key_id(self.platform.crypto());
        let now = self.platform.now();
        let Some(payload) = &request.attestation else {
            return self.challenge(tam, "the TAM has to be attested").map(Err);
        };
        if !is_result(payload) {
            // Only a Verifier can read it, and the agent reaches none but through those whom it doubts.
            let text = "an Attestation Result of the TAM is needed, in the EAT profile of TEEP";
            return self.challenge(tam, text).map(Err);
        }
        let Some(challenge) = self.tam_attestations.take_challenge(&tam, now) else {
            let text = "the attestation of the TAM answers no challenge";
            return self.challenge(tam, text).map(Err);
        };
        let expectation = Expectation {
            verifiers: &verifiers,
            profile: TEEP_EAT_PROFILE,
            message_key: key,
            freshness: Freshness::Nonce(challenge.as_bytes()),
            now,
        };
        let crypto = self.platform.crypto();
        let verified = UnverifiedResult::decode(&payload.bytes)
            .and_then(|result| result.verify(crypto, &expectation));
        match verified {
            Ok(_) => Ok(Ok(())),
            Err(error) => Ok(Err(refusal(&error))),
        }
    }

    /// The keys of the Verifiers that count now.
    fn verifiers(&self, store: &TrustStore) -> Vec<PublicKey> {
        let anchors = store.trust_anchors(AnchorRole::Verifier);
        let trust = Trust::new(&anchors, &store.revocations, self.platform.now());
        let counts = |(index, anchor): (usize, &TrustAnchor)| {
            trust
                .counts(self.platform.crypto(), index)
                .then(|| *anchor.public_key())
        };
        anchors.iter().enumerate().filter_map(counts).collect()
    }

    /// An Error that says with which challenge the TAM is to attest itself.
    fn challenge(&mut self, tam: KeyId, text: &str) -> Result<Refusal, AgentError> {
        let bytes: [u8; CHALLENGE] = self
            .platform
            .crypto()
            .random_array()
            .map_err(AgentError::Signing)?;
        let challenge = Challenge::new(bytes.to_vec());
        if let Some(challenge) = &challenge {
            let entry = (challenge.clone(), self.platform.now());
            self.tam_attestations.challenges.insert(tam, entry);
        }
        Ok(Refusal::attestation_required(text, challenge))
    }
}

/// Whether the payload is an Attestation Result by its format, which is also what no format means.
fn is_result(payload: &AttestationPayload) -> bool {
    let Some(format) = &payload.format else {
        return true;
    };
    MediaType::parse(format)
        .is_some_and(|found| found == MediaType::teep_eat() && found.essence() == EAT_CWT)
}

/// A result that does not convince is the end of it: another challenge would not change what it says.
fn refusal(error: &ResultError) -> Refusal {
    Refusal::permanent(&alloc::format!("the TAM is not attested: {error}"))
}
