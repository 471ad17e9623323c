//! Who sent this message, and is it one to act on?

use alloc::string::ToString;

use tamarack_cose::x509::Trust;
use tamarack_teep::{Protected, ProtectionError, Verified};

use super::{Agent, refusal::Refusal};
use crate::{
    platform::{Platform, StorageError},
    state::{AnchorRole, TrustStore},
};

impl<P: Platform> Agent<P> {
    /// Opens a message with the TAM anchors, or says what to answer instead.
    ///
    /// No field of the message counts before this has succeeded. With the message comes the SHA-256 of what
    /// was signed: the bytes around it can be changed without a key.
    // req: TEEP-VAL-007
    // req: ARCH-021
    // req: ARCH-040
    pub(super) fn verify(
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
        let store = TrustStore::load(&*self.platform.storage().view()?)?;
        // A suite that this agent does not speak is told apart from a key that it does not trust.
        if !protected.algorithms().any(|algorithm| algorithm == ours) {
            return Ok(Err(Rejection::stranger(Refusal::unsupported_suites(ours))));
        }
        let anchors = store.trust_anchors(AnchorRole::Tam);
        // One suite for the whole exchange: the agent's (requirement TEEP-COSE-012).
        let trust =
            Trust::new(&anchors, &store.revocations, self.platform.now()).with_algorithm(ours);
        let payload = protected.signed().unverified_payload().unwrap_or_default();
        Ok(
            match protected.verify_trusted(crypto, &trust, AnchorRole::Tam) {
                Ok(verified) => Ok((verified, crypto.sha256(payload))),
                Err(ProtectionError::Message { error, token, .. }) => Err(Rejection {
                    refusal: Refusal::permanent(&error.to_string()).with_token(token),
                    authentic: true,
                }),
                Err(ProtectionError::Cose(tamarack_cose::Error::Certificate(error))) => {
                    Err(Rejection::stranger(Refusal::certificate(&error)))
                }
                Err(error) => Err(Rejection::stranger(Refusal::permanent(&error.to_string()))),
            },
        )
    }
}

/// A message that is not acted on.
pub(super) struct Rejection {
    pub(super) refusal: Refusal,
    /// Whether a trusted TAM signed it.
    pub(super) authentic: bool,
}

impl Rejection {
    fn stranger(refusal: Refusal) -> Self {
        Self {
            refusal,
            authentic: false,
        }
    }
}
