//! What an attestation payload is, and who relies on it.

use alloc::vec::Vec;

use tamarack_cose::{CryptoProvider, PublicKey};
use tamarack_teep::MediaType;

use crate::{
    Confirmation, EAT_CWT, EAT_JWT, EarPolicy, Expectation, ResultError, UnverifiedEar,
    UnverifiedResult, VerifiedResult, ear::is_ear_profile,
};

/// What an attestation payload is, by its attestation-payload-format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadKind {
    /// An Attestation Result in the EAT profile of TEEP.
    TeepResult,
    /// An EAT Attestation Result in CWT form.
    EarCwt,
    /// An EAT Attestation Result in JWT form.
    EarJwt,
    /// Evidence, in whatever format: it goes to a Verifier.
    Evidence,
}

impl PayloadKind {
    /// Classifies a payload for who knows the EAT profile of TEEP by the URI `profile`.
    ///
    /// An absent format means an Attestation Result in this profile; an unknown one means Evidence.
    // req: TEEP-TAM-005
    // req: TEEP-AGENT-010
    // req: AMB-16
    // req: AMB-17
    #[must_use]
    pub fn of(format: Option<&MediaType>, profile: &str) -> Self {
        let Some(format) = format else {
            return Self::TeepResult;
        };
        match (format.essence(), format.parameter("eat_profile")) {
            (EAT_CWT, Some(named)) if named == profile => Self::TeepResult,
            // The draft of EAR writes a hyphen for the plus sign.
            (EAT_CWT | "application/eat-cwt", Some(named)) if is_ear_profile(named) => Self::EarCwt,
            (EAT_JWT | "application/eat-jwt", Some(named)) if is_ear_profile(named) => Self::EarJwt,
            _ => Self::Evidence,
        }
    }
}

/// An Attestation Result as received, in any of the formats that are understood.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PresentedResult<'a> {
    /// In the EAT profile of TEEP.
    Teep(UnverifiedResult<'a>),
    /// An EAT Attestation Result.
    Ear(UnverifiedEar<'a>),
}

/// Whom a verified Attestation Result is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The device.
    pub ueid: Vec<u8>,
    /// The key that signed the message in which the result came.
    pub confirmation: Confirmation,
    /// The Verifier that says so.
    pub verifier: PublicKey,
}

impl<'a> PresentedResult<'a> {
    /// Takes a result apart; `None` for Evidence, which is no result, and for what can't be read without
    /// the feature `jwt`.
    ///
    /// # Errors
    ///
    /// If the bytes are no result of this kind.
    pub fn decode(kind: PayloadKind, bytes: &'a [u8]) -> Option<Result<Self, ResultError>> {
        match kind {
            PayloadKind::TeepResult => Some(UnverifiedResult::decode(bytes).map(Self::Teep)),
            PayloadKind::EarCwt => Some(UnverifiedEar::decode_cwt(bytes).map(Self::Ear)),
            #[cfg(feature = "jwt")]
            PayloadKind::EarJwt => Some(UnverifiedEar::decode_jwt(bytes).map(Self::Ear)),
            #[cfg(not(feature = "jwt"))]
            PayloadKind::EarJwt => None,
            PayloadKind::Evidence => None,
        }
    }

    /// The nonce that it says it answers.
    #[must_use]
    pub fn unverified_nonce(&self) -> Option<&[u8]> {
        match self {
            Self::Teep(result) => result.unverified_claims().nonce.as_deref(),
            Self::Ear(ear) => ear.unverified_claims().nonce(),
        }
    }

    /// When it says it was issued, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn unverified_issued_at(&self) -> Option<u64> {
        match self {
            Self::Teep(result) => result.unverified_claims().issued_at,
            Self::Ear(ear) => Some(ear.unverified_claims().issued_at),
        }
    }

    /// From when on it says that it does not count any more, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn unverified_expires_at(&self) -> Option<u64> {
        match self {
            Self::Teep(result) => result.unverified_claims().expires_at,
            Self::Ear(ear) => ear.unverified_claims().expires_at,
        }
    }

    /// Which device it says it is about, if it says so.
    #[must_use]
    pub fn unverified_ueid(&self) -> Option<&[u8]> {
        match self {
            Self::Teep(result) => Some(&result.unverified_claims().ueid),
            Self::Ear(ear) => ear.unverified_claims().ueid(),
        }
    }

    /// Which key it says it is about, if it says so.
    #[must_use]
    pub fn unverified_confirmation(&self) -> Option<Confirmation> {
        match self {
            Self::Teep(result) => Some(result.unverified_claims().confirmation),
            Self::Ear(ear) => ear.unverified_claims().confirmation(),
        }
    }

    /// Verifies the result, and of an EAR whether its findings are good enough. A result in the profile of
    /// TEEP has no findings: that there is one is the finding.
    ///
    /// # Errors
    ///
    /// The first reason not to be convinced.
    pub fn verify(
        self,
        crypto: &CryptoProvider,
        expectation: &Expectation<'_>,
        policy: EarPolicy,
    ) -> Result<Subject, ResultError> {
        match self {
            Self::Teep(result) => Ok(result.verify(crypto, expectation)?.into()),
            Self::Ear(ear) => ear.verify(crypto, expectation, policy),
        }
    }
}

impl From<VerifiedResult> for Subject {
    fn from(verified: VerifiedResult) -> Self {
        let claims = verified.claims();
        Self {
            ueid: claims.ueid.clone(),
            confirmation: claims.confirmation,
            verifier: *verified.verifier(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TEEP_EAT_PROFILE;

    // req: TEEP-TAM-005
    // req: AMB-16
    // req: AMB-17
    #[test]
    fn a_payload_is_what_its_format_says() {
        let kind = |text: &str| {
            let format = MediaType::parse(text).unwrap();
            PayloadKind::of(Some(&format), TEEP_EAT_PROFILE)
        };
        assert_eq!(
            PayloadKind::of(None, TEEP_EAT_PROFILE),
            PayloadKind::TeepResult
        );
        for (text, expected) in [
            (
                "application/eat+cwt; eat_profile=\"urn:ietf:rfc:rfcXXXX\"",
                PayloadKind::TeepResult,
            ),
            (
                "Application/EAT+CWT;eat_profile=urn:ietf:rfc:rfcXXXX",
                PayloadKind::TeepResult,
            ),
            (
                "application/eat+cwt; eat_profile=\"tag:ietf.org,2026:rats/ear#03\"",
                PayloadKind::EarCwt,
            ),
            (
                "application/eat-jwt; eat_profile=\"tag:ietf.org,2026:rats/ear#03\"",
                PayloadKind::EarJwt,
            ),
            (
                "application/eat+jwt; eat_profile=\"tag:github.com,2023:veraison/ear\"",
                PayloadKind::EarJwt,
            ),
            ("application/eat+cwt", PayloadKind::Evidence),
            ("application/eat+jwt", PayloadKind::Evidence),
            (
                "application/eat+cwt; eat_profile=\"urn:ietf:rfc:rfc9999\"",
                PayloadKind::Evidence,
            ),
            ("application/vnd.example", PayloadKind::Evidence),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        let other = MediaType::parse("application/eat+cwt; eat_profile=\"urn:other\"").unwrap();
        assert_eq!(
            PayloadKind::of(Some(&other), "urn:other"),
            PayloadKind::TeepResult
        );
    }
}
