//! The agent: the conceptual API, and the way a message takes.

mod authenticate;
mod confidential;
mod dependencies;
mod device;
mod query;
mod refusal;
mod requests;
mod tam_attestation;
mod unsolicited;
mod update;

use alloc::{string::String, vec::Vec};

use tamarack_cose::{KeyId, PublicKey, SignatureAlgorithm, Signer, cbor::Limits};
use tamarack_suit::ComponentId;
use tamarack_teep::{
    Challenge, Encoding, ErrorCode, Message, QueryRequest, QueryResponse, Token, announced, protect,
};

use crate::{
    exchange::{Exchange, Exchanges, StrangerBudget},
    link::{InstalledComponent, MAX_MESSAGE},
    platform::{Platform, StorageError, View},
    relay::Relay,
    state::{ComponentRecord, KnownManifest, Record, Request, TrustStore},
    tams::{PolicyRound, TamHistory},
};
use authenticate::{Authentic, Rejection};
use dependencies::Waiting;
use refusal::Refusal;
use tam_attestation::TamAttestations;
use unsolicited::LastQueries;

pub(crate) use confidential::Confidentiality;

/// The TEEP Agent of one TEE.
pub struct Agent<P> {
    platform: P,
    limits: Limits,
    exchanges: Exchanges,
    policy_round: PolicyRound,
    tams: TamHistory,
    stranger_budget: StrangerBudget,
    tam_attestations: TamAttestations,
    last_queries: LastQueries,
    verdict: Option<Verdict>,
    waiting: Waiting,
}

/// What a TAM said was wrong with the last QueryResponse to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The key of the TAM.
    pub tam: KeyId,
    /// The error.
    pub code: ErrorCode,
    /// Why, in the TAM's words.
    pub text: String,
}

/// Start an exchange: post the message, or nothing, to this TAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// The TAM's URI.
    pub tam_uri: String,
    /// The first message: a QueryResponse that the TAM did not ask for, if it takes such. Otherwise the TAM speaks
    /// first.
    pub message: Option<Vec<u8>>,
}

/// Why the agent could not do what the broker asked. Faults of a TAM's message are answers, not errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No TAM is known.
    #[error("no TAM is known: neither the agent nor the caller names one")]
    NoTam,
    /// More requests than the agent remembers.
    #[error("{} requests are waiting already", Request::MAX)]
    TooManyRequests,
    /// The component is not installed and nobody asked for it.
    #[error("{0} is neither installed nor requested")]
    NotInstalled(ComponentId),
    /// The answer could not be signed.
    #[error("the answer could not be signed: {0}")]
    Signing(tamarack_cose::Error),
}

impl<P: Platform> Agent<P> {
    /// An agent in the TEE that `platform` is, taking messages of up to
    /// [`MAX_MESSAGE`](crate::link::MAX_MESSAGE) bytes.
    pub fn new(platform: P) -> Self {
        Self {
            platform,
            limits: Limits {
                bytes: MAX_MESSAGE,
                ..Limits::default()
            },
            exchanges: Exchanges::default(),
            policy_round: PolicyRound::default(),
            tams: TamHistory::default(),
            stranger_budget: StrangerBudget::default(),
            tam_attestations: TamAttestations::default(),
            last_queries: LastQueries::default(),
            verdict: None,
            waiting: Waiting::default(),
        }
    }

    /// The TEE that the agent lives in.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// A message came from a TAM (`ProcessTeepMessage`); the answer, or `None` to end the exchange.
    ///
    /// Whatever is wrong with the message is said in the answer, a TEEP Error.
    ///
    /// # Errors
    ///
    /// If the TEE itself fails: its storage, or its keys.
    pub fn process_teep_message(
        &mut self,
        message: &[u8],
        relay: &mut dyn Relay,
    ) -> Result<Option<Vec<u8>>, AgentError> {
        let Authentic {
            verified,
            tam,
            digest,
            store,
        } = match self.verify(message)? {
            Ok(authentic) => authentic,
            Err(Rejection {
                refusal,
                authentic,
                algorithm,
            }) => {
                if !authentic && !self.stranger_budget.spend(self.platform.now()) {
                    return Ok(None);
                }
                let refusal = refusal.into_message().into();
                let answer = self.answer(&refusal, Encoding::default(), algorithm);
                return answer.map(Some);
            }
        };
        let mut encoding = Encoding {
            numbering: verified.encoding().numbering,
            ..Default::default()
        };
        let key = verified.signer();
        self.tam_answered(&tam)?;
        let answer = match verified.into_message() {
            Message::QueryRequest(request) => {
                let token = request.token.clone();
                self.last_queries.asked(tam, &request, key, encoding);
                match self.respond(&request, &key, &tam, &store, relay)? {
                    Ok(response) => response.into(),
                    Err(refusal) => refusal.with_token(token).into_message().into(),
                }
            }
            Message::Update(update) if self.exchanges.is_in(&tam, key.algorithm()) => {
                self.apply_update(&update, &tam, digest, relay)?
            }
            Message::Update(update) => {
                let text = "no exchange is open in which this Update belongs";
                let refusal = Refusal::permanent(text).with_token(update.token);
                refusal.into_message().into()
            }
            // req: TEEP-MSG-004
            other => {
                // What is no TAM's message says nothing about the TAM's numbering.
                encoding = Encoding::default();
                let text = alloc::format!("an agent does not take a {}", other.name());
                Refusal::permanent(&text).into_message().into()
            }
        };
        let algorithm = Some(key.algorithm());
        self.answer(&answer, encoding, algorithm).map(Some)
    }

    /// Answers a QueryRequest of the TAM that `tam` stands for, which opens an exchange with it.
    fn respond(
        &mut self,
        request: &QueryRequest,
        key: &PublicKey,
        tam: &KeyId,
        store: &TrustStore,
        relay: &mut dyn Relay,
    ) -> Result<Result<QueryResponse, Refusal>, AgentError> {
        let (response, confidentiality) =
            match self.answer_query(request, key, tam, store, relay)? {
                Ok(answer) => answer,
                Err(refusal) => return Ok(Err(refusal)),
            };
        let crypto = self.platform.crypto();
        let nonce = nonce(request);
        let algorithm = key.algorithm();
        let agent = self.signer(Some(algorithm))?.public_key().key_id(crypto);
        let exchange = Exchange {
            algorithm,
            confidentiality,
            followed: announced(crypto, nonce).map(|_| (nonce.to_vec(), agent)),
            opened: self.platform.now(),
            updates: 0,
        };
        self.exchanges.open(*tam, exchange);
        Ok(Ok(response))
    }

    /// What a TAM said was wrong with the last QueryResponse, if that was the last thing that it said; for the
    /// log.
    // req: TEEP-AGENT-023
    pub fn take_verdict(&mut self) -> Option<Verdict> {
        self.verdict.take()
    }

    /// The signature algorithms of this agent, the preferred one first.
    fn algorithms(&self) -> impl Iterator<Item = SignatureAlgorithm> {
        let keys = self.platform.teep_keys().iter();
        keys.map(|key| key.public_key().algorithm())
    }

    /// The key that signs with `algorithm`, or the preferred one.
    fn signer(&self, algorithm: Option<SignatureAlgorithm>) -> Result<&dyn Signer, AgentError> {
        let keys = self.platform.teep_keys();
        let mut matching = keys
            .iter()
            .filter(|key| Some(key.public_key().algorithm()) == algorithm);
        let signer = matching.next().or(keys.first());
        let missing = tamarack_cose::Error::Crypto("the TEE has no key for messages");
        signer
            .map(|signer| &**signer)
            .ok_or(AgentError::Signing(missing))
    }

    /// Signs an answer.
    fn answer(
        &self,
        message: &Message,
        encoding: Encoding,
        algorithm: Option<SignatureAlgorithm>,
    ) -> Result<Vec<u8>, AgentError> {
        let signer = self.signer(algorithm)?;
        protect(self.platform.crypto(), signer, message, encoding).map_err(AgentError::Signing)
    }
}

/// What the answer to a QueryRequest is fresh by: its challenge, else its token; empty if it has neither.
fn nonce(request: &QueryRequest) -> &[u8] {
    let challenge = request.challenge.as_ref().map(Challenge::as_bytes);
    let token = request.token.as_ref().map(Token::as_bytes);
    challenge.or(token).unwrap_or_default()
}

/// What is installed, as the TEE lists it for applications.
///
/// # Errors
///
/// If the storage fails.
// req: ARCH-003
pub fn installed_components(view: &dyn View) -> Result<Vec<InstalledComponent>, StorageError> {
    let mut listed = Vec::new();
    for found in ComponentRecord::all(view)? {
        let manifest = KnownManifest::load(view, &found.manifest.to_cbor())?;
        listed.push(InstalledComponent {
            sequence_number: manifest.map_or(0, |known| known.record.sequence_number.0),
            component: found.component,
            kind: found.kind,
            domain: found.domain,
            manifest: found.manifest,
            size: found.size,
            digest: base16ct::lower::encode_string(found.digest.bytes()),
        });
    }
    Ok(listed)
}

impl<P> core::fmt::Debug for Agent<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Agent")
            .field("exchanges", &self.exchanges)
            .finish_non_exhaustive()
    }
}
