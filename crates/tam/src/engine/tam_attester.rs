use tamarack_cose::PublicKey;
use tamarack_teep::{AttestationPayload, Challenge};

/// How a TAM proves to agents what it is (TEEP section 7.2.1).
///
/// An agent whose device administrator demands it answers a QueryRequest with ERR_ATTESTATION_REQUIRED; the
/// TAM then asks again, with what this makes.
pub trait TamAttester: Send + Sync {
    /// Makes an attestation payload that answers `challenge`, if there is one, and confirms that `key` signs the
    /// TAM's messages.
    ///
    /// # Errors
    ///
    /// Why none can be had now, in words for the operator.
    // req: TEEP-FRESH-003
    fn attest(
        &self,
        challenge: Option<&Challenge>,
        key: &PublicKey,
    ) -> Result<AttestationPayload, String>;

    /// SUIT reports of the boot of the TAM, encoded; none by default.
    // req: TEEP-MSG-029
    fn suit_reports(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}
