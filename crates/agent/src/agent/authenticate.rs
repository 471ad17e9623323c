//! Who sent this message, and is it one to act on?

use alloc::string::ToString;

use tamarack_cose::{KeyId, SignatureAlgorithm, x509::Trust};
use tamarack_teep::{Protected, ProtectionError, Verified};

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
        // A suite that this agent does not speak is told apart from a key that it does not trust.
        let offered =
            |ours: &SignatureAlgorithm| protected.algorithms().any(|found| found == *ours);
        let Some(algorithm) = self.algorithms().find(offered) else {
            let refusal = Refusal::unsupported_suites(self.algorithms());
            return Ok(Err(Rejection::stranger(refusal)));
        };
        let anchors = store.trust_anchors(AnchorRole::Tam);
        // One suite for the whole exchange: the one that the agent prefers (requirement TEEP-COSE-012).
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
                    Err(rejection(Refusal::certificate(&error), false))
                }
                Err(error) => Err(rejection(Refusal::permanent(&error.to_string()), false)),
            },
        )
    }
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
