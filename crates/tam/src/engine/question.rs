//! What the TAM asks an agent: QueryRequests (TEEP section 4.2).

use tamarack_cose::{PublicKey, SignatureAlgorithm};
use tamarack_teep::{
    AttestationPayload, Challenge, CipherSuite, DataItems, FreshnessMechanism, Numbering,
    QueryRequest, SuitCoseProfile, Token, protect_for_unknown_agent,
};

use super::{AttestationModel, EngineError, Tam, ticket::Purpose};
use crate::{Clock, Device, Store, Ueid};

/// What a QueryRequest offers and asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// Signature algorithms of the suites that are offered, in order of preference.
    pub(super) algorithms: Vec<SignatureAlgorithm>,
    pub(super) freshness: Vec<FreshnessMechanism>,
    pub(super) items: DataItems,
    /// The TAM's own attestation, for an agent that wants it.
    pub(super) attestation: Option<AttestationPayload>,
    pub(super) suit_reports: Vec<Vec<u8>>,
}

/// Who is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Addressee<'a> {
    /// Whoever connected; nothing is known about it.
    Anyone,
    /// Whoever sent a message in this suite and numbering.
    Sender(SignatureAlgorithm, Numbering),
    /// A device that has attested its agent's key.
    Device(&'a Ueid, SignatureAlgorithm, Numbering),
}

impl<S: Store, C: Clock> Tam<S, C> {
    /// The question to an agent of which nothing is known.
    // req: TEEP-COSE-006
    // req: TEEP-MSG-020
    pub(super) fn first_question(&self) -> Question {
        let keys = self.keys.public_keys();
        let mut freshness = vec![FreshnessMechanism::NONCE];
        if self.settings.timestamp_window.is_some() {
            freshness.push(FreshnessMechanism::TIMESTAMP);
        }
        Question {
            algorithms: keys.iter().map(PublicKey::algorithm).collect(),
            freshness,
            items: DataItems::ATTESTATION
                | DataItems::TRUSTED_COMPONENTS
                | self.settings.also_asked,
            attestation: None,
            suit_reports: Vec::new(),
        }
    }

    /// A QueryRequest to a device that is known: signed once, with the algorithm of its agent, and without
    /// a demand for attestation while its last one counts. `None` if its agent has not attested a key yet.
    ///
    /// For a TAM that contacts devices by itself.
    ///
    /// # Errors
    ///
    /// If the store, randomness or a key fails.
    // req: TEEP-COSE-010
    pub fn query_device(&self, ueid: &Ueid) -> Result<Option<Vec<u8>>, EngineError> {
        let Some(device) = self.store.device(ueid)? else {
            return Ok(None);
        };
        let Some(addressee) = addressee(ueid, &device) else {
            return Ok(None);
        };
        let mut question = self.first_question();
        let lifetime = self.settings.attestation_lifetime;
        let attested = device.attested_at;
        if attested.is_some_and(|at| self.clock.now() < at.plus(lifetime)) {
            question.items = question.items.without(DataItems::ATTESTATION);
        }
        self.ask(question, addressee).map(Some)
    }

    /// Asks. Nothing is stored: what has to be known later is in the challenge or token.
    ///
    /// The token goes exactly with questions that do not ask for attestation, and, in the place of a
    /// challenge, with those that ask for an Attestation Result (AMB-01, AMB-02).
    // req: TEEP-MSG-022
    // req: TEEP-MSG-023
    // req: TEEP-FRESH-005
    pub(super) fn ask(
        &self,
        question: Question,
        addressee: Addressee<'_>,
    ) -> Result<Vec<u8>, EngineError> {
        let Question {
            algorithms,
            freshness,
            items,
            attestation,
            suit_reports,
        } = question;
        let issue = |purpose| self.tickets().issue(purpose, items, self.clock.now());
        let (mut token, mut challenge) = (None, None);
        let attests = items.contains(DataItems::ATTESTATION);
        let nonce = freshness.contains(&FreshnessMechanism::NONCE);
        match (attests, addressee, self.settings.attestation_model) {
            (false, Addressee::Device(ueid, ..), _) => {
                token = Token::new(issue(Purpose::Device(ueid))?);
            }
            // Nobody else is asked without a demand for attestation.
            (false, ..) => {}
            (true, _, AttestationModel::Passport) if nonce => {
                token = Token::new(issue(Purpose::Passport)?);
            }
            (true, _, AttestationModel::BackgroundCheck) if nonce => {
                challenge = Challenge::new(issue(Purpose::Challenge)?);
            }
            (true, ..) => {}
        }
        let mut request = QueryRequest {
            token,
            challenge,
            attestation,
            suit_reports,
            supported_teep_cipher_suites: algorithms
                .iter()
                .copied()
                .map(CipherSuite::sign1)
                .collect(),
            supported_suit_cose_profiles: SuitCoseProfile::ALL.to_vec(),
            data_items: items,
            // The only version is the default, and left out: what is not sent can't be misread in another
            // numbering. So with the mechanisms that are the default.
            ..QueryRequest::default()
        };
        if attests && freshness != [FreshnessMechanism::NONCE] {
            request.supported_freshness_mechanisms = freshness;
        }
        let message = request.into();
        let (algorithm, numbering) = match addressee {
            Addressee::Anyone => {
                let signers = self.keys.signers();
                return Ok(protect_for_unknown_agent(&self.crypto, &signers, &message)?);
            }
            Addressee::Sender(algorithm, numbering)
            | Addressee::Device(_, algorithm, numbering) => (algorithm, numbering),
        };
        self.protect(&message, algorithm, numbering)
    }
}

/// The device as somebody to be asked, once its agent has attested a key.
pub(super) fn addressee<'a>(ueid: &'a Ueid, device: &Device) -> Option<Addressee<'a>> {
    let algorithm = device.agent_key?.algorithm();
    let numbering = device.numbering.unwrap_or(Numbering::Sparse);
    Some(Addressee::Device(ueid, algorithm, numbering))
}
