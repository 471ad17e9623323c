use alloc::{boxed::Box, string::ToString, vec, vec::Vec};

use tamarack_cose::{SignatureAlgorithm, x509::ChainError};
use tamarack_teep::{
    Challenge, CipherSuite, Error, ErrorCode, Explanation, FreshnessMechanism, SuitCoseProfile,
    Token, VERSION,
};

/// An Error in the making: why the agent does not do what a message asks.
#[derive(Debug, Clone)]
pub(super) struct Refusal(Box<Error>);

impl Refusal {
    fn new(code: ErrorCode, text: &str) -> Self {
        let mut error = Error::new(code);
        error.explanation = Some(Explanation::english(text));
        Self(Box::new(error))
    }

    /// Something in the message is wrong.
    // req: TEEP-ERR-003
    pub(super) fn permanent(text: &str) -> Self {
        Self::new(ErrorCode::PERMANENT_ERROR, text)
    }

    /// Something is wrong with the sender's certificates; the text names the one.
    // req: TEEP-ERR-003
    // req: TEEP-OPS-002
    // req: AMB-15
    pub(super) fn certificate(error: &ChainError) -> Self {
        let code = match error.problem.is_validity() {
            true => ErrorCode::CERTIFICATE_EXPIRED,
            false => ErrorCode::BAD_CERTIFICATE,
        };
        Self::new(code, &error.to_string())
    }

    /// A passing fault of the TEE.
    pub(super) fn temporary(text: &str) -> Self {
        Self::new(ErrorCode::TEMPORARY_ERROR, text)
    }

    /// The message asks for something that this version of the protocol does not have.
    pub(super) fn unsupported_extension(text: &str) -> Self {
        Self::new(ErrorCode::UNSUPPORTED_EXTENSION, text)
    }

    /// The TAM has to show what it is, in answer to `challenge`.
    pub(super) fn attestation_required(text: &str, challenge: Option<Challenge>) -> Self {
        let mut refusal = Self::new(ErrorCode::ATTESTATION_REQUIRED, text);
        refusal.0.supported_freshness_mechanisms = vec![FreshnessMechanism::NONCE];
        refusal.0.challenge = challenge;
        refusal
    }

    // req: TEEP-ERR-006
    pub(super) fn unsupported_version() -> Self {
        let mut refusal = Self::new(
            ErrorCode::UNSUPPORTED_MSG_VERSION,
            "none of the versions is supported",
        );
        refusal.0.versions = vec![VERSION];
        refusal
    }

    // req: TEEP-ERR-006
    pub(super) fn unsupported_freshness() -> Self {
        let text = "none of the freshness mechanisms is supported";
        let mut refusal = Self::new(ErrorCode::UNSUPPORTED_FRESHNESS_MECHANISMS, text);
        refusal.0.supported_freshness_mechanisms =
            vec![FreshnessMechanism::NONCE, FreshnessMechanism::TIMESTAMP];
        refusal
    }

    // req: TEEP-ERR-006
    pub(super) fn unsupported_suites(ours: impl Iterator<Item = SignatureAlgorithm>) -> Self {
        let text = "none of the cipher suites is supported";
        let mut refusal = Self::new(ErrorCode::UNSUPPORTED_CIPHER_SUITES, text);
        refusal.0.supported_teep_cipher_suites = ours.map(CipherSuite::sign1).collect();
        refusal
    }

    // req: TEEP-ERR-006
    pub(super) fn unsupported_suit_report() -> Self {
        let text = "a SUIT report is protected in a way that is not supported";
        let mut refusal = Self::new(ErrorCode::UNSUPPORTED_SUIT_REPORT, text);
        refusal.0.supported_suit_cose_profiles = SuitCoseProfile::ALL.to_vec();
        refusal
    }

    /// Manifests failed; the reports say how.
    // req: TEEP-ERR-010
    pub(super) fn manifests_failed(text: &str, suit_reports: Vec<Vec<u8>>) -> Self {
        Self::new(ErrorCode::MANIFEST_PROCESSING_FAILED, text).with_reports(suit_reports)
    }

    /// What became of each manifest.
    pub(super) fn with_reports(mut self, suit_reports: Vec<Vec<u8>>) -> Self {
        self.0.suit_reports = suit_reports;
        self
    }

    /// The token of the message that is answered.
    // req: TEEP-MSG-080
    pub(super) fn with_token(mut self, token: Option<Token>) -> Self {
        self.0.token = token;
        self
    }

    pub(super) fn into_message(self) -> Error {
        *self.0
    }
}
