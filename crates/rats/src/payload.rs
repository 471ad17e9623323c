//! What an attestation payload is, and who relies on it.

use alloc::vec::Vec;

use tamarack_cose::{CryptoProvider, PublicKey};
use tamarack_teep::MediaType;

use crate::{Confirmation, EAT_CWT, Expectation, ResultError, UnverifiedResult, VerifiedResult};

/// What an attestation payload is, by its attestation-payload-format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadKind {
    /// An Attestation Result in the EAT profile of TEEP.
    TeepResult,
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
    /// Takes a result apart; `None` for Evidence, which is no result.
    ///
    /// # Errors
    ///
    /// If the bytes are no result of this kind.
    pub fn decode(kind: PayloadKind, bytes: &'a [u8]) -> Option<Result<Self, ResultError>> {
        match kind {
            PayloadKind::TeepResult => Some(UnverifiedResult::decode(bytes).map(Self::Teep)),
            PayloadKind::Evidence => None,
        }
    }

    /// The nonce that it says it answers.
    #[must_use]
    pub fn unverified_nonce(&self) -> Option<&[u8]> {
        match self {
            Self::Teep(result) => result.unverified_claims().nonce.as_deref(),
        }
    }

    /// When it says it was issued, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn unverified_issued_at(&self) -> Option<u64> {
        match self {
            Self::Teep(result) => result.unverified_claims().issued_at,
        }
    }

    /// Which device it says it is about, if it says so.
    #[must_use]
    pub fn unverified_ueid(&self) -> Option<&[u8]> {
        match self {
            Self::Teep(result) => Some(&result.unverified_claims().ueid),
        }
    }

    /// Which key it says it is about, if it says so.
    #[must_use]
    pub fn unverified_confirmation(&self) -> Option<Confirmation> {
        match self {
            Self::Teep(result) => Some(result.unverified_claims().confirmation),
        }
    }

    /// Verifies the result.
    ///
    /// # Errors
    ///
    /// The first reason not to be convinced.
    pub fn verify(
        self,
        crypto: &CryptoProvider,
        expectation: &Expectation<'_>,
    ) -> Result<Subject, ResultError> {
        match self {
            Self::Teep(result) => Ok(result.verify(crypto, expectation)?.into()),
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
