#[cfg(feature = "jwt")]
use alloc::string::String;
use alloc::vec::Vec;

use tamarack_cose::{CryptoProvider, Signed, Signer};

use super::Ear;
#[cfg(feature = "jwt")]
use super::jws::{self, Jws};
use crate::{
    Expectation, ResultError, Subject, TrustTier,
    cwt::{sign_untagged, without_cwt_tag},
    result::check_time,
};

/// Which findings are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarPolicy {
    /// The worst tier that will do. Default: [`TrustTier::Affirming`].
    pub worst: TrustTier,
}

impl Default for EarPolicy {
    fn default() -> Self {
        let worst = TrustTier::Affirming;
        Self { worst }
    }
}

/// An EAR as received: what it claims is known, nothing is verified.
#[derive(Debug, Clone)]
pub struct UnverifiedEar<'a> {
    token: Token<'a>,
    ear: Ear,
}

#[derive(Debug, Clone)]
enum Token<'a> {
    Cwt(Signed<'a>),
    #[cfg(feature = "jwt")]
    Jwt(Jws<'a>),
}

impl Ear {
    /// Signs as a CWT: a COSE_Sign1 without any tag.
    ///
    /// # Errors
    ///
    /// If a claim is out of its bounds, or the signer fails.
    pub fn issue_cwt(
        &self,
        crypto: &CryptoProvider,
        verifier: &dyn Signer,
    ) -> Result<Vec<u8>, tamarack_cose::Error> {
        let claims = self.encode();
        Self::decode(&claims)?;
        sign_untagged(crypto, verifier, &claims)
    }

    /// Signs as a JWT, under ES256 or EdDSA.
    ///
    /// # Errors
    ///
    /// If a claim is out of its bounds, or the signer fails.
    #[cfg(feature = "jwt")]
    pub fn issue_jwt(
        &self,
        crypto: &CryptoProvider,
        verifier: &dyn Signer,
    ) -> Result<String, tamarack_cose::Error> {
        Self::decode(&self.encode())?;
        jws::sign(crypto, verifier, &self.to_json())
    }
}

impl<'a> UnverifiedEar<'a> {
    /// Takes an EAR in CWT form apart. Tags are accepted.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn decode_cwt(bytes: &'a [u8]) -> Result<Self, ResultError> {
        let signed = Signed::decode(without_cwt_tag(bytes))?;
        let payload = signed.unverified_payload();
        let payload = payload.ok_or(tamarack_cose::Error::Payload("missing"))?;
        let ear = Ear::decode(payload)?;
        let token = Token::Cwt(signed);
        Ok(Self { token, ear })
    }

    /// Takes an EAR in JWT form apart.
    ///
    /// # Errors
    ///
    /// If it is none.
    #[cfg(feature = "jwt")]
    pub fn decode_jwt(bytes: &'a [u8]) -> Result<Self, ResultError> {
        let jws = Jws::decode(bytes)?;
        let ear = Ear::from_json(&jws.payload)?;
        let token = Token::Jwt(jws);
        Ok(Self { token, ear })
    }

    /// The claims as stated.
    #[must_use]
    pub fn unverified_claims(&self) -> &Ear {
        &self.ear
    }

    /// Verifies the result, and whether its findings are good enough. The signature comes first.
    ///
    /// # Errors
    ///
    /// The first reason not to be convinced.
    // req: TEEP-TAM-007
    // req: TEEP-TAM-008
    pub fn verify(
        self,
        crypto: &CryptoProvider,
        expectation: &Expectation<'_>,
        policy: EarPolicy,
    ) -> Result<Subject, ResultError> {
        let verifier = match &self.token {
            Token::Cwt(signed) => signed.verify(crypto, expectation.verifiers, None)?.0,
            #[cfg(feature = "jwt")]
            Token::Jwt(jws) => jws.verify(crypto, expectation.verifiers)?,
        };
        let ear = self.ear;
        let (Some(confirmation), Some(ueid)) = (ear.confirmation(), ear.ueid()) else {
            return Err(ResultError::NotBound);
        };
        if !confirmation.confirms(expectation.message_key, crypto) {
            return Err(ResultError::NotBound);
        }
        let issued_at = Some(ear.issued_at);
        check_time(
            expectation,
            ear.nonce(),
            issued_at,
            ear.not_before..ear.expires_at,
        )?;
        if ear.tier() > policy.worst {
            return Err(ResultError::Tier(ear.tier()));
        }
        Ok(Subject {
            ueid: ueid.to_vec(),
            confirmation,
            verifier,
        })
    }
}
