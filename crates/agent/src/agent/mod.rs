//! The agent: the conceptual API, and the way a message takes.

mod device;
mod query;
mod refusal;
mod requests;
mod unsolicited;
mod update;

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use tamarack_cose::cbor::Limits;
use tamarack_suit::{ComponentId, Fetch};
use tamarack_teep::{Encoding, Message, Protected, ProtectionError, Verified, protect};

use crate::{
    exchange::{Exchanges, StrangerBudget},
    link::{InstalledComponent, MAX_MESSAGE},
    platform::{Platform, StorageError, View},
    state::{Anchor, AnchorRole, ComponentRecord, KnownManifest, Record, Request},
    tams::{PolicyRound, TamHistory},
};
use refusal::Refusal;
use unsolicited::PlainQueries;

/// The TEEP Agent of one TEE.
pub struct Agent<P> {
    platform: P,
    limits: Limits,
    exchanges: Exchanges,
    policy_round: PolicyRound,
    tams: TamHistory,
    plain_queries: PlainQueries,
    stranger_budget: StrangerBudget,
}

/// Start an exchange: post the message, or nothing, to this TAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// The TAM's URI.
    pub tam_uri: String,
    /// The first message; none where the TAM is to speak first.
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
            plain_queries: PlainQueries::default(),
            stranger_budget: StrangerBudget::default(),
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
        fetch: &mut dyn Fetch,
    ) -> Result<Option<Vec<u8>>, AgentError> {
        let (verified, digest) = match self.verify(message)? {
            Ok(verified) => verified,
            Err(Rejection { refusal, authentic }) => {
                if !authentic && !self.stranger_budget.spend(self.platform.now()) {
                    return Ok(None);
                }
                let refusal = refusal.into_message().into();
                return self.answer(&refusal, Encoding::default()).map(Some);
            }
        };
        let mut encoding = Encoding {
            numbering: verified.encoding().numbering,
            ..Default::default()
        };
        let tam = verified.signer().key_id(self.platform.crypto());
        self.tam_answered(&tam)?;
        let answer = match verified.into_message() {
            Message::QueryRequest(request) => {
                let token = request.token.clone();
                match self.answer_query(&request)? {
                    Ok(response) => {
                        self.exchanges.open(tam, self.platform.now());
                        self.plain_queries.answered(&tam, &request, encoding);
                        response.into()
                    }
                    Err(refusal) => refusal.with_token(token).into_message().into(),
                }
            }
            Message::Update(update) => self.apply_update(&update, &tam, digest, fetch)?,
            // req: TEEP-MSG-004
            other => {
                // What is no TAM's message says nothing about the TAM's numbering.
                encoding = Encoding::default();
                let text = alloc::format!("an agent does not take a {}", other.name());
                Refusal::permanent(&text).into_message().into()
            }
        };
        self.answer(&answer, encoding).map(Some)
    }

    /// Opens a message with the TAM anchors, or says what to answer instead.
    ///
    /// No field of the message counts before this has succeeded. With the message comes the SHA-256 of what
    /// was signed: the bytes around it can be changed without a key.
    // req: TEEP-VAL-007
    // req: ARCH-021
    fn verify(
        &self,
        message: &[u8],
    ) -> Result<Result<(Verified, [u8; 32]), Rejection>, StorageError> {
        let crypto = self.platform.crypto();
        let protected = match Protected::decode(message, &self.limits) {
            Ok(protected) => protected,
            Err(error) => {
                return Ok(Err(Rejection::stranger(Refusal::permanent(
                    &error.to_string(),
                ))));
            }
        };
        let ours = self.platform.teep_key().public_key().algorithm();
        let mut keys = Anchor::keys(&*self.platform.storage().view()?, AnchorRole::Tam)?;
        // A suite that this agent does not speak is told apart from a key that it does not trust.
        if !protected.algorithms().any(|algorithm| algorithm == ours) {
            return Ok(Err(Rejection::stranger(Refusal::unsupported_suites(ours))));
        }
        // One suite for the whole exchange: the agent's (requirement TEEP-COSE-012).
        keys.retain(|key| key.algorithm() == ours);
        let payload = protected.signed().unverified_payload().unwrap_or_default();
        Ok(match protected.verify(crypto, &keys) {
            Ok(verified) => Ok((verified, crypto.sha256(payload))),
            Err(ProtectionError::Message { error, token, .. }) => Err(Rejection {
                refusal: Refusal::permanent(&error.to_string()).with_token(token),
                authentic: true,
            }),
            Err(error) => Err(Rejection::stranger(Refusal::permanent(&error.to_string()))),
        })
    }

    /// Signs an answer.
    fn answer(&self, message: &Message, encoding: Encoding) -> Result<Vec<u8>, AgentError> {
        let signer = self.platform.teep_key();
        protect(self.platform.crypto(), signer, message, encoding).map_err(AgentError::Signing)
    }
}

/// A message that is not acted on.
struct Rejection {
    refusal: Refusal,
    /// Whether a trusted TAM signed it.
    authentic: bool,
}

impl Rejection {
    fn stranger(refusal: Refusal) -> Self {
        Self {
            refusal,
            authentic: false,
        }
    }
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
