//! Who sent this message, and is it one to act on?

use alloc::{string::ToString, vec::Vec};

use tamarack_cose::{KeyId, SignatureAlgorithm, x509::Trust};
use tamarack_teep::{CipherSuite, Message, Protected, ProtectionError, Token, Verified};

use super::{Agent, refusal::Refusal};
use crate::{
    platform::{Platform, StorageError},
    state::{AnchorRole, TrustStore},
};

impl<P: Platform> Agent<P> {
    /// Opens a message with the TAM anchors, or says what to answer instead.
    ///
    /// No field of the message counts before this has succeeded.
    // req: TEEP-VAL-007
    // req: ARCH-021
    // req: ARCH-040
    pub(super) fn verify(
        &self,
        message: &[u8],
    ) -> Result<Result<Authentic, Rejection>, StorageError> {
        let crypto = self.platform.crypto();
        let protected = match Protected::decode(message, &self.limits) {
            Ok(protected) => protected,
            Err(error) => {
                return Ok(Err(Rejection::stranger(Refusal::permanent(
                    &error.to_string(),
                ))));
            }
        };
        let store = TrustStore::load(&*self.platform.storage().view()?)?;
        let Some(algorithm) = self.algorithm_for(&protected) else {
            // A suite that this agent does not speak is told apart from a header that nobody can go by.
            let refusal = match unreadable(&protected) {
                Some(error) => Refusal::permanent(&error.to_string()),
                None => Refusal::unsupported_suites(self.algorithms()),
            };
            let refusal = refusal.with_token(claimed_token(&protected));
            return Ok(Err(Rejection::stranger(refusal)));
        };
        let anchors = store.trust_anchors(AnchorRole::Tam);
        // One suite for the whole exchange (requirement TEEP-COSE-012).
        let trust =
            Trust::new(&anchors, &store.revocations, self.platform.now()).with_algorithm(algorithm);
        let payload = protected.signed().unverified_payload().unwrap_or_default();
        let rejection = |refusal, authentic| Rejection {
            refusal,
            authentic,
            algorithm: Some(algorithm),
        };
        Ok(
            match protected.verify_trusted(crypto, &trust, AnchorRole::Tam) {
                Ok(verified) => {
                    let vouching = verified.signatory().and_then(|by| anchors.get(by.anchor));
                    let key = vouching.map_or(verified.signer(), |anchor| *anchor.public_key());
                    Ok(Authentic {
                        verified,
                        tam: key.key_id(crypto),
                        digest: crypto.sha256(payload),
                        store,
                    })
                }
                Err(ProtectionError::Message { error, token, .. }) => {
                    let refusal = Refusal::permanent(&error.to_string()).with_token(token);
                    Err(rejection(refusal, true))
                }
                Err(ProtectionError::Cose(tamarack_cose::Error::Certificate(error))) => {
                    let refusal = Refusal::certificate(&error);
                    let refusal = refusal.with_token(claimed_token(&protected));
                    Err(rejection(refusal, false))
                }
                Err(error) => {
                    let refusal = Refusal::permanent(&error.to_string());
                    let refusal = refusal.with_token(claimed_token(&protected));
                    Err(rejection(refusal, false))
                }
            },
        )
    }

    /// In which suite to go on: of those in which the message is signed the one that the agent prefers, among those that
    /// the TAM offers if there is one.
    fn algorithm_for(&self, protected: &Protected<'_>) -> Option<SignatureAlgorithm> {
        let is_signed = |ours: &SignatureAlgorithm| protected.algorithms().any(|is| is == *ours);
        let mut signed: Vec<_> = self.algorithms().filter(is_signed).collect();
        if signed.len() > 1 {
            let offered = claimed_suites(protected);
            signed.sort_by_key(|ours| !offered.contains(ours));
        }
        signed.first().copied()
    }
}

/// The token of a message that nobody vouches for, which an Error about it repeats.
// req: AMB-15
fn claimed_token(protected: &Protected<'_>) -> Option<Token> {
    match protected.read_unverified().ok()?.0 {
        Message::QueryRequest(request) => request.token,
        Message::Update(update) => update.token,
        _ => None,
    }
}

/// The algorithms in which the sender of a message would go on, as it says.
fn claimed_suites(protected: &Protected<'_>) -> Vec<SignatureAlgorithm> {
    let Ok((Message::QueryRequest(request), _)) = protected.read_unverified() else {
        return Vec::new();
    };
    let suites = request.supported_teep_cipher_suites.iter();
    suites.filter_map(CipherSuite::as_sign1).collect()
}

/// Why no signature's algorithm is known, if not because it is one that is not supported.
fn unreadable(protected: &Protected<'_>) -> Option<tamarack_cose::Error> {
    let headers = protected.signed().signatures();
    let mut errors = headers.into_iter().filter_map(|h| h.algorithm().err());
    errors.find(|error| !matches!(error, tamarack_cose::Error::AlgorithmUnsupported(_)))
}

/// A message of a TAM that is trusted.
pub(super) struct Authentic {
    pub(super) verified: Verified,
    /// The thumbprint of the anchor that stands for the TAM: its own key, or that of the authority which has
    /// certified it. What an authority certifies as TAMs counts as one.
    pub(super) tam: KeyId,
    /// SHA-256 of what was signed: the bytes around it can be changed without a key.
    pub(super) digest: [u8; 32],
    /// Whom the device trusted when it was verified.
    pub(super) store: TrustStore,
}

/// A message that is not acted on.
pub(super) struct Rejection {
    pub(super) refusal: Refusal,
    /// Whether a trusted TAM signed it.
    pub(super) authentic: bool,
    /// In which suite it came, if the agent speaks that.
    pub(super) algorithm: Option<SignatureAlgorithm>,
}

impl Rejection {
    fn stranger(refusal: Refusal) -> Self {
        Self {
            refusal,
            authentic: false,
            algorithm: None,
        }
    }
}
