use alloc::{string::String, vec::Vec};

use tamarack_cose::{
    CryptoProvider, Signer,
    cbor::{DecodeError, Problem},
};

use crate::{
    Claims, Confirmation, HardwareVersion, ManifestReference, OemId, cwt::sign_untagged,
    preferred::check_preferred,
};

/// What a Verifier says about a device, or about a TAM: the claims of an Attestation Result in the EAT
/// profile of TEEP.
///
/// What the profile demands is here without question; what it leaves open is an option. It says nothing
/// yet about who stated it: [`UnverifiedResult::verify`](crate::UnverifiedResult::verify) does.
// req: EAT-005
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationResult {
    /// `ueid` (256): 7 to 33 bytes, opaque.
    pub ueid: Vec<u8>,
    /// `oemid` (258).
    pub oemid: OemId,
    /// `hwmodel` (259): 1 to 32 bytes, opaque.
    pub hwmodel: Vec<u8>,
    /// `hwversion` (260).
    pub hwversion: HardwareVersion,
    /// `manifests` (272): of the TEEP Agent and what it depends on, such as firmware; one or more.
    pub manifests: Vec<ManifestReference>,
    /// `cnf` (8): the key that signs the TEEP messages of whom the result is about.
    pub confirmation: Confirmation,
    /// `eat_profile` (265). The media type of the result says it too, so that it may be left out.
    pub profile: Option<String>,
    /// `swname` (270): the URI of a component's SUIT manifest.
    // req: EAT-011
    pub swname: Option<String>,
    /// `iat` (6): seconds since 1970-01-01 UTC.
    pub issued_at: Option<u64>,
    /// `exp` (4): seconds since 1970-01-01 UTC, from which on it does not count.
    pub expires_at: Option<u64>,
    /// `nbf` (5): seconds since 1970-01-01 UTC, before which it does not count yet.
    pub not_before: Option<u64>,
    /// `eat_nonce` (10): 8 to 64 bytes.
    pub nonce: Option<Vec<u8>>,
}

impl AttestationResult {
    /// Decodes the claims set: definite lengths and the shortest encoding only, every demanded claim
    /// there. Claims that are not understood are ignored.
    ///
    /// # Errors
    ///
    /// If it is none.
    // req: EAT-003
    // req: EAT-005
    // req: EAT-009
    // req: EAT-013
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let claims = Claims::decode(bytes)?;
        check_preferred(bytes)?;
        let missing = |what| DecodeError::new(0, "attestation-result", Problem::Missing(what));
        if claims.manifests.is_empty() {
            return Err(missing("a SUIT_Reference in manifests (272)"));
        }
        Ok(Self {
            ueid: claims.ueid.ok_or_else(|| missing("ueid (256)"))?,
            oemid: claims.oemid.ok_or_else(|| missing("oemid (258)"))?,
            hwmodel: claims.hwmodel.ok_or_else(|| missing("hwmodel (259)"))?,
            hwversion: (claims.hwversion).ok_or_else(|| missing("hwversion (260)"))?,
            manifests: claims.manifests,
            confirmation: (claims.confirmation).ok_or_else(|| missing("cnf (8)"))?,
            profile: claims.profile,
            swname: claims.swname,
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
            not_before: claims.not_before,
            nonce: claims.nonce,
        })
    }

    /// Encodes the claims set deterministically.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let claims = Claims {
            expires_at: self.expires_at,
            not_before: self.not_before,
            issued_at: self.issued_at,
            confirmation: Some(self.confirmation),
            nonce: self.nonce.clone(),
            ueid: Some(self.ueid.clone()),
            oemid: Some(self.oemid),
            hwmodel: Some(self.hwmodel.clone()),
            hwversion: Some(self.hwversion.clone()),
            profile: self.profile.clone(),
            swname: self.swname.clone(),
            manifests: self.manifests.clone(),
            ..Claims::default()
        };
        claims.encode()
    }

    /// Signs the claims with the Verifier's key: a COSE_Sign1 without any tag, with the key id of the
    /// Verifier.
    ///
    /// # Errors
    ///
    /// If a claim is out of its bounds, so that nobody would take the result; or if the signer fails.
    // req: EAT-001
    // req: EAT-004
    // req: EAT-006
    // req: AMB-19
    pub fn issue(
        &self,
        crypto: &CryptoProvider,
        verifier: &dyn Signer,
    ) -> Result<Vec<u8>, tamarack_cose::Error> {
        let claims = self.encode();
        Self::decode(&claims)?;
        sign_untagged(crypto, verifier, &claims)
    }
}
