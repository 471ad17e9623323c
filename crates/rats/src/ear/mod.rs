//! EAT Attestation Results (draft-ietf-rats-ear): what a Verifier tells any relying party, in terms of AR4SI.

mod cbor;
#[cfg(feature = "jwt")]
mod json;
#[cfg(feature = "jwt")]
mod jws;
mod token;

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use tamarack_cose::PublicKey;

use crate::{Confirmation, HardwareVersion, ManifestReference, OemId, TrustTier, TrustVector};

#[cfg(feature = "jwt")]
pub use json::EarJsonError;
pub use token::{EarPolicy, UnverifiedEar};

/// The profile that is written (draft-ietf-rats-ear, level 03).
pub const EAR_PROFILE: &str = "tag:ietf.org,2026:rats/ear#03";

/// Profiles that deployed Verifiers write, with claims of the same meaning under older names.
const OLDER_PROFILES: [&str; 3] = [
    "tag:github.com,2023:veraison/ear",
    "tag:ietf.org,2025-07:ear",
    "tag:ietf.org,2025:ear#02",
];

/// Whether this is a profile of EAR.
#[must_use]
pub(crate) fn is_ear_profile(profile: &str) -> bool {
    profile == EAR_PROFILE || OLDER_PROFILES.contains(&profile)
}

/// An EAT Attestation Result, without who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ear {
    /// `eat_profile`: [`EAR_PROFILE`], or an older one.
    pub profile: String,
    /// `iat`: seconds since 1970-01-01 UTC.
    pub issued_at: u64,
    /// `exp`: seconds since 1970-01-01 UTC, from which on it does not count.
    pub expires_at: Option<u64>,
    /// `nbf`: seconds since 1970-01-01 UTC, before which it does not count yet.
    pub not_before: Option<u64>,
    /// `ear_verifier_id`: who appraised.
    pub verifier: VerifierId,
    /// `ear_status`: the worst of all, if it is said.
    pub status: Option<TrustTier>,
    /// `eat_nonce`: what its reader sent, 8 to 64 bytes.
    pub nonce: Option<Vec<u8>>,
    /// `cnf`: the key of whom it is about.
    pub confirmation: Option<Confirmation>,
    /// `submods`: one appraisal for each attester, by a name that the Verifier chooses; one or more.
    pub appraisals: BTreeMap<String, EarAppraisal>,
}

/// Which Verifier it was: its maker and its build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierId {
    /// Who made it.
    pub developer: String,
    /// Which build it is.
    pub build: String,
}

/// What was found about one attester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarAppraisal {
    /// `ear_status`.
    pub status: TrustTier,
    /// `ear_trustworthiness_vector`.
    pub vector: Option<TrustVector>,
    /// `ear_appraisal_policy_ids`.
    pub policies: Vec<String>,
    /// `eat_nonce`: what the Evidence answers, 8 to 64 bytes.
    pub nonce: Option<Vec<u8>>,
    /// `ear_teep_claims`, for a TAM.
    pub teep: Option<EarTeepClaims>,
    /// `ear_veraison_key_attestation`: a key that the attester vouches for. It is read from JSON only.
    pub attested_key: Option<PublicKey>,
}

impl From<TrustVector> for EarAppraisal {
    /// The appraisal with these findings, and the tier that they are in.
    fn from(vector: TrustVector) -> Self {
        Self {
            status: vector.tier(),
            vector: Some(vector),
            policies: Vec::new(),
            nonce: None,
            teep: None,
            attested_key: None,
        }
    }
}

impl EarAppraisal {
    /// The worse of what the status says and what the findings amount to.
    #[must_use]
    pub fn tier(&self) -> TrustTier {
        let vector = self.vector.map_or(self.status, |vector| vector.tier());
        self.status.max(vector)
    }
}

/// What a TAM wants to know of a device (`ear_teep_claims`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EarTeepClaims {
    /// `eat_nonce`.
    pub nonce: Option<Vec<u8>>,
    /// `ueid`.
    pub ueid: Option<Vec<u8>>,
    /// `oemid`.
    pub oemid: Option<OemId>,
    /// `hwmodel`.
    pub hwmodel: Option<Vec<u8>>,
    /// `hwversion`.
    pub hwversion: Option<HardwareVersion>,
    /// `manifests`.
    pub manifests: Vec<ManifestReference>,
}

impl Ear {
    /// The worst of all that is said about any attester.
    #[must_use]
    pub fn tier(&self) -> TrustTier {
        let appraisals = self.appraisals.values().map(EarAppraisal::tier);
        let worst = appraisals.max().unwrap_or(TrustTier::None);
        self.status.map_or(worst, |status| status.max(worst))
    }

    /// The nonce: of the result, or of the Evidence that every appraisal repeats.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        let mut nonces = self.appraisals.values().map(|found| found.nonce.as_deref());
        let of_evidence = nonces.next().flatten();
        let all_alike = nonces.all(|nonce| nonce == of_evidence);
        (self.nonce.as_deref()).or(of_evidence.filter(|_| all_alike))
    }

    /// The device, if an appraisal names it, and none names another.
    #[must_use]
    pub fn ueid(&self) -> Option<&[u8]> {
        let teep = self
            .appraisals
            .values()
            .filter_map(|found| found.teep.as_ref());
        only(teep.filter_map(|teep| teep.ueid.as_deref()))
    }

    /// The key of whom it is about: by cnf, or by the one key that an attester vouches for.
    #[must_use]
    pub fn confirmation(&self) -> Option<Confirmation> {
        let keys = self
            .appraisals
            .values()
            .filter_map(|found| found.attested_key);
        self.confirmation
            .or_else(|| only(keys).map(Confirmation::Key))
    }
}

/// The one value that there is, however often.
fn only<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}
