//! The protocol, without sockets: bytes in, bytes out (TEEP section 7.1).
//!
//! This file tells the kinds of messages apart. `question` asks. A QueryResponse goes through `attestation`, or
//! `known` if a token takes its place, which decide who it is by; `query_response` decides what that agent gets.
//! A Success or Error goes through `answer`, which takes note of what became of an Update, or through
//! `reaction`, which decides how an agent that could not answer is asked instead.

mod answer;
mod appraiser;
mod attestation;
mod certificates;
mod known;
mod query_response;
mod question;
mod reaction;
mod remedy;
mod remote;
mod reports;
mod settings;
mod tam_attester;
#[cfg(test)]
mod tests;
mod ticket;
mod verdict;

use std::fmt;

use tamarack_cose::{CryptoProvider, PublicKey, SignatureAlgorithm};
use tamarack_rats::EarPolicy;
use tamarack_teep::{
    Encoding, Explanation, Message, Numbering, Order, Protected, ProtectionError, TEEP_EAT_PROFILE,
    Update, protect_by_each,
};

use crate::{Clock, Store, StoreError, TamKeys};
use question::Addressee;
use reaction::Patience;
use ticket::Tickets;
use verdict::Handled;

pub use appraiser::{Appraised, Appraiser, BuiltInAppraiser, NotAppraised, PresentedEvidence};
pub use remote::RemoteAppraiser;
pub use settings::{AttestationModel, Settings};
pub use tam_attester::{TamAttester, TamIdentity, VerifiedTam};
pub use verdict::Dropped;

/// The TAM could not do its part. Nothing about the message is implied; HTTP answers 5xx.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The crypto provider or a key failed.
    #[error("a message could not be protected: {0}")]
    Crypto(#[from] tamarack_cose::Error),
    /// The Verifier could not be asked.
    #[error("the Verifier can't be asked: {0}")]
    Verifier(String),
}

/// A TAM, in the two calls of RFC 9397 section 6.2.1.
///
/// It keeps no state of its own: any number of them may share a store and keys.
///
/// ```
/// use tamarack_cose::aws_lc;
/// use tamarack_tam::{Settings, SqliteStore, SystemClock, Tam, TamKeys};
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("tam.sqlite");
/// let crypto = aws_lc::provider();
/// let store = SqliteStore::open(&path)?;
/// let keys = TamKeys::generate(&crypto)?;
/// let tam = Tam::new(store, SystemClock, crypto, keys, Settings::default());
///
/// let query_request = tam.process_connect()?;
/// assert!(!query_request.is_empty());
/// // What is no TEEP message by an enrolled device's agent gets no answer and leaves no trace.
/// assert_eq!(tam.process_teep_message(b"hello")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tam<S, C> {
    store: S,
    clock: C,
    crypto: CryptoProvider,
    keys: TamKeys,
    settings: Settings,
    attester: Option<Box<dyn TamAttester>>,
    patience: Patience,
    appraiser: Box<dyn Appraiser>,
    /// Whose Attestation Results count.
    verifiers: Vec<PublicKey>,
    /// Which findings of theirs are good enough.
    ear_policy: EarPolicy,
    /// The URI of the EAT profile of TEEP.
    eat_profile: String,
}

impl<S, C> fmt::Debug for Tam<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Tam");
        f.field("keys", &self.keys)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<S: Store, C: Clock> Tam<S, C> {
    /// A TAM with this state, time, crypto and keys.
    pub fn new(
        store: S,
        clock: C,
        crypto: CryptoProvider,
        keys: TamKeys,
        settings: Settings,
    ) -> Self {
        Self {
            store,
            clock,
            crypto,
            keys,
            settings,
            attester: None,
            patience: Patience::default(),
            appraiser: Box::new(BuiltInAppraiser { crypto }),
            verifiers: Vec::new(),
            ear_policy: EarPolicy::default(),
            eat_profile: TEEP_EAT_PROFILE.into(),
        }
    }

    /// The same TAM, with another appraiser of Evidence than the one that is built in.
    #[must_use]
    pub fn with_appraiser(self, appraiser: Box<dyn Appraiser>) -> Self {
        Self { appraiser, ..self }
    }

    /// The same TAM, which trusts Attestation Results by the Verifiers with these keys. Without any, it
    /// trusts none.
    #[must_use]
    pub fn with_verifiers(self, verifiers: Vec<PublicKey>) -> Self {
        Self { verifiers, ..self }
    }

    /// The same TAM, to which findings of Verifiers are good enough by another policy than the default.
    #[must_use]
    pub fn with_ear_policy(self, ear_policy: EarPolicy) -> Self {
        Self { ear_policy, ..self }
    }

    /// The same TAM, to which the EAT profile of TEEP has this URI (AMB-17).
    #[must_use]
    pub fn with_eat_profile(self, eat_profile: String) -> Self {
        Self {
            eat_profile,
            ..self
        }
    }

    /// The same TAM with something that proves to agents what it is. Without, an agent that demands that
    /// is not served.
    #[must_use]
    pub fn with_attester(self, attester: Box<dyn TamAttester>) -> Self {
        let attester = Some(attester);
        Self { attester, ..self }
    }

    /// Where the state is.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// What tells the time.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// The times and bounds.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The crypto provider.
    pub fn crypto(&self) -> &CryptoProvider {
        &self.crypto
    }

    /// The keys.
    pub fn keys(&self) -> &TamKeys {
        &self.keys
    }

    /// `ProcessConnect`: a session begins. Nothing is stored.
    ///
    /// # Errors
    ///
    /// If randomness or a key fails.
    // req: TEEP-TAM-001
    // req: TEEP-BROKER-011
    pub fn process_connect(&self) -> Result<Vec<u8>, EngineError> {
        self.ask(self.first_question(), Addressee::Anyone)
    }

    /// `ProcessTeepMessage`: a message from an agent; the reply, or `None` for an empty one.
    ///
    /// A message that is invalid, replayed, or not by the agent of an enrolled device is dropped: the
    /// reply is empty, nothing is stored, and one line is logged.
    ///
    /// # Errors
    ///
    /// If the store, randomness or a key fails.
    // req: TEEP-VAL-006
    // req: TEEP-OPS-003
    // req: TEEP-OPS-004
    pub fn process_teep_message(&self, bytes: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let handled = self.handle(bytes)?;
        handled.log();
        Ok(handled.into_reply())
    }

    fn handle(&self, bytes: &[u8]) -> Result<Handled, EngineError> {
        let (protected, message, encoding) = match self.decode(bytes) {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Dropped::Malformed(error).into()),
        };
        match message {
            Message::QueryResponse(response) => {
                self.query_response(&protected, &response, encoding.numbering)
            }
            Message::Success(_) | Message::Error(_) => {
                self.answer(&protected, &message, encoding.numbering)
            }
            // req: TEEP-MSG-004
            Message::QueryRequest(_) | Message::Update(_) => {
                Ok(Dropped::Direction(message.name()).into())
            }
        }
    }

    /// Takes a message apart without believing it.
    fn decode<'a>(
        &self,
        bytes: &'a [u8],
    ) -> Result<(Protected<'a>, Message, Encoding), ProtectionError> {
        let protected = Protected::decode(bytes, &self.settings.message)?;
        let (message, encoding) = protected.read_unverified()?;
        Ok((protected, message, encoding))
    }

    fn tickets(&self) -> Tickets<'_> {
        Tickets {
            crypto: &self.crypto,
            keys: self.keys.ticket_keys(),
            lifetime: self.settings.challenge_lifetime,
        }
    }

    /// Protects a message to an agent whose suite and numbering are known.
    // req: TEEP-COSE-012
    fn protect(
        &self,
        message: &Message,
        algorithm: SignatureAlgorithm,
        numbering: Numbering,
    ) -> Result<Vec<u8>, EngineError> {
        let signers = self.keys.signers_with(algorithm);
        let encoding = Encoding {
            numbering,
            order: Order::Deterministic,
        };
        Ok(protect_by_each(&self.crypto, &signers, message, encoding)?)
    }

    /// An Update that says what was wrong with the QueryResponse and asks for nothing.
    // req: TEEP-TAM-004
    fn fault(code: tamarack_teep::ErrorCode, text: &str) -> Update {
        Update {
            error: Some(code),
            explanation: Some(Explanation::english(text)),
            ..Update::default()
        }
    }
}
