use tamarack_cose::{CryptoProvider, PublicKey, Signed, cbor::DecodeError};

use crate::{Claims, cwt::without_cwt_tag};

/// Why a token is no Evidence that could be appraised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The token is no signed CWT, or its signature does not verify.
    #[error("Evidence: {0}")]
    Cose(#[from] tamarack_cose::Error),
    /// The payload is no claims set.
    #[error("Evidence: {0}")]
    Claims(#[from] DecodeError),
}

/// A signed EAT as received: which device it claims to be from is known, nothing is verified.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    signed: Signed<'a>,
    claims: Claims,
}

impl<'a> Evidence<'a> {
    /// Takes a token apart: COSE_Sign1, tagged as COSE, as CWT and COSE, or not at all.
    ///
    /// # Errors
    ///
    /// If it is none, or its payload is no claims set.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, EvidenceError> {
        let signed = Signed::decode(without_cwt_tag(bytes))?;
        let payload = signed.unverified_payload();
        let payload = payload.ok_or(tamarack_cose::Error::Payload("missing"))?;
        let claims = Claims::decode(payload)?;
        Ok(Self { signed, claims })
    }

    /// The COSE object, for finding certificates of the attester.
    #[must_use]
    pub fn signed(&self) -> &Signed<'a> {
        &self.signed
    }

    /// The claims as stated, for finding the endorsement and for showing to people.
    #[must_use]
    pub fn unverified_claims(&self) -> &Claims {
        &self.claims
    }

    /// The claims, once `attester` is known to have signed them.
    ///
    /// # Errors
    ///
    /// If another key signed, or none.
    pub fn verify(
        &self,
        crypto: &CryptoProvider,
        attester: &PublicKey,
    ) -> Result<&Claims, EvidenceError> {
        // The key comes from the endorsement, not from the token, so its key id need not agree.
        match &self.signed {
            Signed::Sign1(sign1) => drop(sign1.verify(crypto, attester, None)?),
            Signed::Sign(sign) => drop(sign.verify(crypto, &[*attester], None)?),
        }
        Ok(&self.claims)
    }
}
