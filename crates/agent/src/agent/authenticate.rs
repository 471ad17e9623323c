//! Who sent this message, and is it one to act on?

use alloc::string::ToString;

use tamarack_cose::SignatureAlgorithm;
use tamarack_teep::{Protected, ProtectionError, Verified};

use super::{Agent, refusal::Refusal};
use crate::{
    platform::{Platform, StorageError},
    state::{Anchor, AnchorRole},
};

impl<P: Platform> Agent<P> {
    /// Opens a message with the TAM anchors, or says what to answer instead.
    ///
    /// No field of the message counts before this has succeeded. With the message comes the SHA-256 of what
    /// was signed: the bytes around it can be changed without a key.
    // req: TEEP-VAL-007
    // req: ARCH-021
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
        let mut keys = Anchor::keys(&*self.platform.storage().view()?, AnchorRole::Tam)?;
        // A suite that this agent does not speak is told apart from a key that it does not trust.
        let offered = |ours: &SignatureAlgorithm| protected.algorithms().any(|found| found == *ours);
        let Some(algorithm) = self.algorithms().find(offered) else {
            let refusal = Refusal::unsupported_suites(self.algorithms());
            return Ok(Err(Rejection::stranger(refusal)));
        };
        // One suite for the whole exchange: the one that the agent prefers (requirement TEEP-COSE-012).
        keys.retain(|key| key.algorithm() == algorithm);
        let payload = protected.signed().unverified_payload().unwrap_or_default();
        Ok(match protected.verify(crypto, &keys) {
            Ok(verified) => Ok((verified, crypto.sha256(payload))),
            Err(ProtectionError::Message { error, token, .. }) => Err(Rejection {
                refusal: Refusal::permanent(&error.to_string()).with_token(token),
                authentic: true,
                algorithm: Some(algorithm),
            }),
            Err(error) => Err(Rejection {
                algorithm: Some(algorithm),
                ..Rejection::stranger(Refusal::permanent(&error.to_string()))
            }),
        })
    }
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
