use core::ops::Range;

use tamarack_cose::{CryptoProvider, PublicKey, Signed, cbor::DecodeError};

use super::{AttestationResult, bundle::Bundle};
use crate::{Freshness, cwt::without_cwt_tag};

/// Why an Attestation Result does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// It is no signed token, or no Verifier that is trusted signed it.
    #[error("Attestation Result: {0}")]
    Cose(#[from] tamarack_cose::Error),
    /// It is no claims set of the profile.
    #[error("Attestation Result: {0}")]
    Claims(#[from] DecodeError),
    /// It is no EAR in JSON.
    #[cfg(feature = "jwt")]
    #[error("Attestation Result: {0}")]
    Json(#[from] crate::EarJsonError),
    /// It names another profile.
    #[error("the Attestation Result is of another profile")]
    OtherProfile,
    /// It is about who holds another key, or does not say whom it is about.
    #[error("the Attestation Result is about who holds another key, or nobody")]
    NotBound,
    /// It has expired.
    #[error("the Attestation Result has expired")]
    Expired,
    /// It does not count yet.
    #[error("the Attestation Result does not count yet")]
    NotYet,
    /// It does not repeat the nonce, or was issued too long ago, or in the future.
    #[error("the Attestation Result is not fresh")]
    NotFresh,
    /// Its findings are not good enough.
    #[error("the Verifier's findings are {0}")]
    Tier(crate::TrustTier),
}

/// What an Attestation Result is measured against.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    /// The keys of the Verifiers that are trusted.
    pub verifiers: &'a [PublicKey],
    /// The URI of the EAT profile, which a result may name: [`TEEP_EAT_PROFILE`](crate::TEEP_EAT_PROFILE).
    // req: AMB-17
    pub profile: &'a str,
    /// The key that is known to have signed the TEEP message in which the result came.
    pub message_key: &'a PublicKey,
    /// What makes it fresh.
    pub freshness: Freshness<'a>,
    /// Seconds since 1970-01-01 UTC.
    pub now: u64,
}

/// An Attestation Result as received: what it claims is known, nothing is verified.
///
/// ```
/// # use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
/// # use tamarack_suit::{SuitDigest, report::Reference};
/// use tamarack_rats::{
///     AttestationResult, Confirmation, Expectation, Freshness, OemId, TEEP_EAT_PROFILE, UnverifiedResult,
/// };
///
/// # let crypto = rustcrypto::provider();
/// # let verifier = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
/// # let agent = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
/// # let digest = SuitDigest::sha256(&crypto, b"manifest");
/// # let reference = Reference { uri: "https://example.com/agent".into(), digest };
/// // The Verifier:
/// let result = AttestationResult {
///     ueid: b"\x01device 4711".to_vec(),
///     oemid: OemId::Enterprise(64242),
///     hwmodel: b"lock".to_vec(),
///     hwversion: "1.3.4".into(),
///     manifests: vec![reference.into()],
///     confirmation: Confirmation::KeyId(agent.public_key().key_id(&crypto)),
///     profile: Some(TEEP_EAT_PROFILE.into()),
///     swname: None,
///     issued_at: Some(1_800_000_000),
///     expires_at: Some(1_800_003_600),
///     not_before: None,
///     nonce: Some(b"a fresh nonce".to_vec()),
/// };
/// let token = result.issue(&crypto, &*crypto.signatures.signer(&verifier)?)?;
///
/// // Who relies on it, and has verified the TEEP message with the agent's key:
/// let expectation = Expectation {
///     verifiers: &[*verifier.public_key()],
///     profile: TEEP_EAT_PROFILE,
///     message_key: agent.public_key(),
///     freshness: Freshness::Nonce(b"a fresh nonce"),
///     now: 1_800_000_001,
/// };
/// let verified = UnverifiedResult::decode(&token)?.verify(&crypto, &expectation)?;
/// assert_eq!(verified.claims(), &result);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct UnverifiedResult<'a> {
    signed: Signed<'a>,
    bundle: Bundle<'a>,
    payload: &'a [u8],
    claims: AttestationResult,
}

impl<'a> UnverifiedResult<'a> {
    /// Takes a result apart: a COSE_Sign1, or a detached EAT bundle around one. Tags are accepted.
    ///
    /// # Errors
    ///
    /// If it is none, or its payload is no claims set of the profile.
    // req: EAT-010
    // req: AMB-19
    pub fn decode(bytes: &'a [u8]) -> Result<Self, ResultError> {
        let bundle = Bundle::decode(bytes)?;
        let signed = Signed::decode(without_cwt_tag(bundle.token))?;
        let payload = signed.unverified_payload();
        let payload = payload.ok_or(tamarack_cose::Error::Payload("missing"))?;
        let claims = AttestationResult::decode(payload)?;
        Ok(Self {
            signed,
            bundle,
            payload,
            claims,
        })
    }

    /// The claims as stated, for finding the nonce and the key, and for showing to people.
    #[must_use]
    pub fn unverified_claims(&self) -> &AttestationResult {
        &self.claims
    }

    /// Verifies the result. The signature comes first; nothing that the claims say matters before it holds.
    ///
    /// A key id in the token is a hint which of the Verifier's keys to try first, and no more.
    ///
    /// # Errors
    ///
    /// The first reason not to be convinced.
    // req: TEEP-TAM-007
    // req: TEEP-TAM-008
    // req: TEEP-AGENT-011
    // req: TEEP-AGENT-012
    pub fn verify(
        self,
        crypto: &CryptoProvider,
        expectation: &Expectation<'_>,
    ) -> Result<VerifiedResult, ResultError> {
        let (verifier, _) = self.signed.verify(crypto, expectation.verifiers, None)?;
        self.bundle.check(crypto, self.payload)?;
        let claims = self.claims;
        let profile = claims.profile.as_deref();
        if profile.is_some_and(|named| named != expectation.profile) {
            return Err(ResultError::OtherProfile);
        }
        if !claims
            .confirmation
            .confirms(expectation.message_key, crypto)
        {
            return Err(ResultError::NotBound);
        }
        check_time(
            expectation,
            claims.nonce.as_deref(),
            claims.issued_at,
            claims.not_before..claims.expires_at,
        )?;
        Ok(VerifiedResult { claims, verifier })
    }
}

/// Checks that a result counts now, within what it says about that, and is fresh.
// req: EAT-018
// req: TEEP-FRESH-008
pub(crate) fn check_time(
    expectation: &Expectation<'_>,
    nonce: Option<&[u8]>,
    issued_at: Option<u64>,
    counts: Range<Option<u64>>,
) -> Result<(), ResultError> {
    if counts.end.is_some_and(|at| at <= expectation.now) {
        return Err(ResultError::Expired);
    }
    if counts.start.is_some_and(|at| at > expectation.now) {
        return Err(ResultError::NotYet);
    }
    match (expectation.freshness).holds(nonce, issued_at, expectation.now) {
        true => Ok(()),
        false => Err(ResultError::NotFresh),
    }
}

/// An Attestation Result by a trusted Verifier, fresh, about who signed the message in which it came.
///
/// Only [`UnverifiedResult::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedResult {
    claims: AttestationResult,
    verifier: PublicKey,
}

impl VerifiedResult {
    /// What the Verifier says.
    #[must_use]
    pub fn claims(&self) -> &AttestationResult {
        &self.claims
    }

    /// Which Verifier signed.
    #[must_use]
    pub fn verifier(&self) -> &PublicKey {
        &self.verifier
    }
}
