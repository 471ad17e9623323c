//! Is this message by the agent of an enrolled device in good order? Nothing here changes anything.

use tamarack_cose::{PublicKey, SignatureAlgorithm};
use tamarack_rats::{AppraisalError, Claims, Confirmation, EAT_CWT, Evidence, appraise};
use tamarack_teep::{
    AttestationPayload, CipherSuite, MediaType, Protected, QueryResponse, TEEP_EAT_PROFILE,
    Verified,
};

use super::{EngineError, Tam, ticket::TicketError, verdict::Dropped};
use crate::{Clock, Device, Store, TicketMark, Timestamp, Ueid};

/// A QueryResponse that an enrolled device's agent has made, freshly, and signed.
pub(super) struct Attested {
    pub(super) ueid: Ueid,
    pub(super) device: Device,
    pub(super) mark: TicketMark,
    pub(super) verified: Verified,
}

/// Why a message does not count as attested.
pub(super) enum NotAttested {
    /// It answers no challenge that is open: no answer.
    Drop(Dropped),
    /// It answers an open challenge, and does not convince: an answer is due.
    Fault { device: Option<Ueid>, fault: Fault },
}

impl From<Dropped> for NotAttested {
    fn from(reason: Dropped) -> Self {
        Self::Drop(reason)
    }
}

/// What does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("attestation-payload-format {0} is not supported")]
    Format(String),
    #[error("no Verifier is trusted for Attestation Results")]
    AttestationResult,
    #[error("the Evidence names no device")]
    Nameless,
    #[error("the device is not enrolled")]
    NotEnrolled,
    #[error(transparent)]
    Appraisal(#[from] AppraisalError),
    #[error("the Evidence binds a key by an id that is not known")]
    UnknownKey,
    #[error("the message is not signed with the key that the Evidence binds")]
    NotBound,
}

impl Fault {
    /// What the agent is told. Whoever has not shown to hold an attester's key does not learn whether a
    /// device is enrolled.
    // req: TEEP-PRIV-004
    pub(super) fn text(&self) -> String {
        match self {
            Self::NotEnrolled | Self::Appraisal(AppraisalError::Evidence(_)) => {
                "the Evidence is not by the attester of an enrolled device".into()
            }
            other => other.to_string(),
        }
    }
}

impl<S: Store, C: Clock> Tam<S, C> {
    /// Appraises the Evidence in `response` and verifies the message with the key that it binds.
    ///
    /// In this order, the cheapest and least revealing first: the payload can be read; its nonce is an
    /// open challenge of this TAM; it is Evidence in a supported format; the device is enrolled; the
    /// endorsed attester signed the Evidence, which is about this device, answers this challenge and
    /// measures what it shall; and exactly the key that the Evidence binds signed the message. Whether
    /// the device has used the challenge before comes later: it is nobody else's business.
    // req: TEEP-TAM-006
    pub(super) fn attest(
        &self,
        protected: &Protected<'_>,
        response: &QueryResponse,
        now: Timestamp,
    ) -> Result<Result<Attested, NotAttested>, EngineError> {
        let Some(payload) = &response.attestation else {
            return Ok(Err(Dropped::NotAttested.into()));
        };
        let evidence = match Evidence::decode(&payload.bytes) {
            Ok(evidence) => evidence,
            Err(error) => return Ok(Err(Dropped::Unreadable(error).into())),
        };
        let claims = evidence.unverified_claims();
        let mark = match self
            .tickets()
            .open(claims.nonce.as_deref().unwrap_or_default(), now)
        {
            Ok(mark) => mark,
            // req: TEEP-TOK-005
            Err(TicketError::Expired) => return Ok(Err(Dropped::Expired.into())),
            Err(TicketError::NotIssued) => return Ok(Err(Dropped::NotIssued.into())),
        };
        if let Err(fault) = classify(payload, claims) {
            return Ok(Err(NotAttested::Fault {
                device: None,
                fault,
            }));
        }
        let Some(ueid) = claims.ueid.clone().and_then(|ueid| Ueid::new(ueid).ok()) else {
            return Ok(Err(NotAttested::Fault {
                device: None,
                fault: Fault::Nameless,
            }));
        };
        let Some(device) = self.store.device(&ueid)? else {
            let fault = Fault::NotEnrolled;
            return Ok(Err(NotAttested::Fault {
                device: Some(ueid),
                fault,
            }));
        };
        let nonce = claims.nonce.as_deref().unwrap_or_default();
        Ok(match self.verify(protected, &evidence, &device, nonce) {
            Ok(verified) => Ok(Attested {
                ueid,
                device,
                mark,
                verified,
            }),
            Err(fault) => Err(NotAttested::Fault {
                device: Some(ueid),
                fault,
            }),
        })
    }

    pub(super) fn verify(
        &self,
        protected: &Protected<'_>,
        evidence: &Evidence<'_>,
        device: &Device,
        nonce: &[u8],
    ) -> Result<Verified, Fault> {
        let result = appraise(&self.crypto, evidence, &device.endorsement, nonce)?;
        let key = self
            .bound_key(&result.confirmation, device)
            .ok_or(Fault::UnknownKey)?;
        // req: TEEP-TAM-008
        protected
            .verify(&self.crypto, &[key])
            .map_err(|_| Fault::NotBound)
    }

    /// The key that the Evidence binds. By its id alone it can be found only if the device used it before.
    fn bound_key(&self, confirmation: &Confirmation, device: &Device) -> Option<PublicKey> {
        let held = confirmation.public_key().copied();
        held.or(device.agent_key)
            .filter(|key| confirmation.confirms(key, &self.crypto))
    }
}

/// Says whether the payload is Evidence that can be appraised here.
///
/// The draft makes an EAT in the TEEP profile, which is also what an absent format means, an Attestation
/// Result (AMB-16). Deployed agents send Evidence without a format: unlabelled, it is told apart by the
/// profile that it names itself.
// req: TEEP-TAM-005
// req: TEEP-MSG-027
fn classify(payload: &AttestationPayload, claims: &Claims) -> Result<(), Fault> {
    let Some(format) = &payload.format else {
        return match claims.profile.as_deref() {
            Some(TEEP_EAT_PROFILE) => Err(Fault::AttestationResult),
            _ => Ok(()),
        };
    };
    match MediaType::parse(format) {
        Some(found) if found == MediaType::teep_eat() => Err(Fault::AttestationResult),
        Some(found) if found.essence() == EAT_CWT => Ok(()),
        // A text of the sender's choice ends in the log: only as much of it as is a media type.
        Some(found) => Err(Fault::Format(found.essence().chars().take(64).collect())),
        None => Err(Fault::Format("that is no media type".into())),
    }
}

/// The algorithm under which an unverified message is protected, if it is one that is offered.
///
/// A suite is a COSE structure and an algorithm, and the only structure offered is COSE_Sign1.
// req: TEEP-COSE-013
pub(super) fn offered_suite(protected: &Protected<'_>) -> Option<SignatureAlgorithm> {
    match protected.signed() {
        tamarack_cose::Signed::Sign1(sign1) => {
            let algorithm = sign1.headers().algorithm().ok();
            algorithm.filter(|algorithm| CipherSuite::ALGORITHMS.contains(algorithm))
        }
        tamarack_cose::Signed::Sign(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(format: Option<&str>) -> AttestationPayload {
        AttestationPayload {
            format: format.map(Into::into),
            bytes: Vec::new(),
        }
    }

    fn profile(profile: Option<&str>) -> Claims {
        Claims {
            profile: profile.map(Into::into),
            ..Claims::default()
        }
    }

    // req: TEEP-TAM-005
    // req: TEEP-MSG-027
    // req: TEEP-MSG-028
    #[test]
    fn a_payload_is_classified_by_its_format() {
        let psa = profile(Some("tag:psacertified.org,2023:psa#tfm"));
        let teep = profile(Some(TEEP_EAT_PROFILE));
        let plain = profile(None);
        let evidence = |format, claims| classify(&payload(format), claims);
        assert_eq!(evidence(None, &plain), Ok(()));
        assert_eq!(evidence(None, &psa), Ok(()));
        assert_eq!(evidence(None, &teep), Err(Fault::AttestationResult));
        assert_eq!(
            evidence(Some("application/eat+cwt"), &teep),
            Ok(()),
            "the label decides"
        );
        let spelled = "Application/EAT+CWT ; EAT_PROFILE=\"urn:ietf:rfc:rfcXXXX\"";
        assert_eq!(evidence(Some(spelled), &psa), Err(Fault::AttestationResult));
        let other = evidence(Some("application/vnd.other"), &psa);
        assert_eq!(other, Err(Fault::Format("application/vnd.other".into())));
        assert!(evidence(Some("\n"), &psa).is_err());
    }
}
