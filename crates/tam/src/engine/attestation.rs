//! Is this message by the agent of an enrolled device in good order? Nothing here changes anything.

use std::borrow::Cow;

use tamarack_cose::{PublicKey, SignatureAlgorithm};
use tamarack_rats::{
    AppraisalError, Confirmation, Evidence, EvidenceError, Expectation, Freshness, OutOfDate,
    PayloadKind, PresentedResult, ResultError, decrypt_eat, is_encrypted_eat,
};
use tamarack_teep::{
    AttestationPayload, CipherSuite, DataItems, ErrorCode, MediaType, Protected, QueryResponse,
    Verified,
};

use super::{
    EngineError, Tam,
    appraiser::{Appraised, NotAppraised, PresentedEvidence},
    ticket::{Purpose, Ticket, TicketError},
    verdict::Dropped,
};
use crate::{Clock, Device, Store, TicketMark, Timestamp, Ueid};

/// A QueryResponse that an enrolled device's agent has made, freshly, and signed.
pub(super) struct Attested {
    pub(super) ueid: Ueid,
    pub(super) device: Device,
    pub(super) mark: TicketMark,
    /// What it was asked for.
    pub(super) asked: DataItems,
    /// The challenge or token that it answers.
    pub(super) nonce: Vec<u8>,
    pub(super) verified: Verified,
    /// An Attestation Result to hand back to the agent, if the Verifier gave one for it.
    pub(super) result_for_agent: Option<AttestationPayload>,
}

/// Why a message does not count as attested.
pub(super) enum NotAttested {
    /// It answers no challenge that is open: no answer.
    Drop(Dropped),
    /// It answers an open challenge, and does not convince: an answer is due.
    Fault { device: Option<Ueid>, fault: Fault },
    /// It is by the agent of a genuine device, and these of its components are not as they should be. What
    /// else it says can't be relied on; an Update of these components may mend it.
    // req: TEEP-TAM-009
    OutOfDate {
        attested: Box<Attested>,
        found: Box<OutOfDate>,
    },
    /// The Verifier could not be asked. Nothing about the message is implied.
    Unavailable(String),
}

impl From<Dropped> for NotAttested {
    fn from(reason: Dropped) -> Self {
        Self::Drop(reason)
    }
}

impl Fault {
    fn about(self, device: Option<Ueid>) -> NotAttested {
        let fault = self;
        NotAttested::Fault { device, fault }
    }
}

/// What does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("attestation-payload-format {0} is not supported")]
    Format(String),
    #[error("no Verifier is trusted for Attestation Results")]
    AttestationResult,
    #[error("the attestation-payload is missing")]
    Missing,
    #[error("the attestation-payload names no device")]
    Nameless,
    #[error("the device is not enrolled")]
    NotEnrolled,
    #[error(transparent)]
    Appraisal(#[from] AppraisalError),
    #[error(transparent)]
    Result(#[from] ResultError),
    #[error("the Verifier refuses the Evidence: {0}")]
    Rejected(String),
    #[error("the attestation-payload binds a key by an id that is not known")]
    UnknownKey,
    #[error("the message is not signed with the key that the attestation-payload binds")]
    NotBound,
    #[error("{0}")]
    Certificate(String),
    #[error("{0}")]
    CertificateExpired(String),
    #[error("the key of the agent or of the attester is revoked")]
    Revoked,
}

impl Fault {
    /// The code with which the agent is told.
    // req: TEEP-OPS-002
    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::Certificate(_) | Self::Revoked => ErrorCode::BAD_CERTIFICATE,
            Self::CertificateExpired(_) => ErrorCode::CERTIFICATE_EXPIRED,
            _ => ErrorCode::ATTESTATION_REQUIRED,
        }
    }

    /// What the agent is told. Whoever has not shown to hold an attester's key does not learn whether a
    /// device is enrolled, and nobody learns what a Verifier says about it to the TAM.
    // req: TEEP-PRIV-004
    pub(super) fn text(&self) -> String {
        match self {
            Self::NotEnrolled | Self::Appraisal(AppraisalError::Evidence(_)) => {
                "the Evidence is not by the attester of an enrolled device".into()
            }
            Self::Rejected(_) => "the Verifier refuses the Evidence".into(),
            other => other.to_string(),
        }
    }
}

/// An Attestation Result and how it came by.
struct Presented<'a> {
    result: PresentedResult<'a>,
    /// The nonce that it must repeat, if that is known beforehand: of the Evidence that was appraised.
    nonce: Option<&'a [u8]>,
    /// The key that the Evidence holds, of which a result may say the thumbprint only.
    held: Option<PublicKey>,
    /// The result for the agent that came with it.
    for_agent: Option<AttestationPayload>,
}

impl<S: Store, C: Clock> Tam<S, C> {
    /// Finds out whether the agent of an enrolled device made `response`, freshly, and signed it.
    ///
    /// In this order, the cheapest and least revealing first: the payload can be read; its nonce is an
    /// open challenge of this TAM; its format is supported; the device is enrolled; it was the endorsed
    /// attester or a trusted Verifier who signed; what is said is in order; and exactly the key that the
    /// payload binds signed the message. Whether the device has used the challenge before comes later: it
    /// is nobody else's business.
    // req: TEEP-TAM-006
    pub(super) fn attest(
        &self,
        protected: &Protected<'_>,
        response: &QueryResponse,
        now: Timestamp,
    ) -> Result<Result<Attested, NotAttested>, EngineError> {
        let Some(payload) = &response.attestation else {
            // A token that is none is ignored, and of a stranger nobody knows whether it has to do with this TAM at all.
            let signer = match response.token {
                Some(_) => None,
                None => self.known_signer(protected)?,
            };
            return Ok(Err(match signer {
                Some(ueid) => Fault::Missing.about(Some(ueid)),
                None => Dropped::NotAttested.into(),
            }));
        };
        let payload = &match self.decrypt(payload) {
            Ok(payload) => payload,
            Err(error) => return Ok(Err(Dropped::Undecryptable(error).into())),
        };
        let evidence = Evidence::decode(&payload.bytes);
        let attested = self.attest_payload(protected, payload, &evidence, now)?;
        let device = match &attested {
            Ok(attested) => attested,
            Err(NotAttested::OutOfDate { attested, .. }) => attested,
            Err(_) => return Ok(attested),
        };
        let attester = &device.device.endorsement.attester;
        match self.is_revoked(attester, &device.verified.signer(), evidence.as_ref().ok())? {
            true => Ok(Err(Fault::Revoked.about(Some(device.ueid.clone())))),
            false => Ok(attested),
        }
    }

    /// `evidence` is the payload read as such.
    fn attest_payload(
        &self,
        protected: &Protected<'_>,
        payload: &AttestationPayload,
        evidence: &Result<Evidence<'_>, EvidenceError>,
        now: Timestamp,
    ) -> Result<Result<Attested, NotAttested>, EngineError> {
        let kind = match self.classify(payload, evidence.as_ref().ok()) {
            Ok(kind) => kind,
            Err(fault) => return Ok(Err(self.faulty_format(evidence, fault, now))),
        };
        let trusts_results = !self.verifiers.is_empty();
        match PresentedResult::decode(kind, &payload.bytes) {
            None => self.attest_by_evidence(protected, payload, evidence, now),
            Some(_) if !trusts_results => Ok(Err(self.faulty_format(
                evidence,
                Fault::AttestationResult,
                now,
            ))),
            Some(Err(error)) => Ok(Err(Dropped::UnreadableResult(error).into())),
            Some(Ok(result)) => {
                let presented = Presented {
                    result,
                    nonce: None,
                    held: None,
                    for_agent: None,
                };
                self.attest_by_result(protected, presented, now)
            }
        }
    }

    /// The payload, out of the encryption that it may be in.
    // req: TEEP-ENC-002
    // req: TEEP-ENC-009
    fn decrypt<'p>(
        &self,
        payload: &'p AttestationPayload,
    ) -> Result<Cow<'p, AttestationPayload>, tamarack_cose::Error> {
        if !is_encrypted_eat(&payload.bytes) {
            return Ok(Cow::Borrowed(payload));
        }
        let keys = self.keys.recipient_keys();
        Ok(Cow::Owned(AttestationPayload {
            format: payload.format.clone(),
            bytes: decrypt_eat(&self.crypto, keys, &payload.bytes)?,
        }))
    }

    /// The verdict on a payload that will not do for its format: an answer is due if it repeats an open
    /// challenge nevertheless.
    fn faulty_format(
        &self,
        evidence: &Result<Evidence<'_>, EvidenceError>,
        fault: Fault,
        now: Timestamp,
    ) -> NotAttested {
        let nonce = match evidence {
            Ok(evidence) => evidence.unverified_claims().nonce.as_deref(),
            Err(error) => return Dropped::Unreadable(error.clone()).into(),
        };
        match self.open_ticket(nonce.unwrap_or_default(), now) {
            Ok(_) => fault.about(None),
            Err(dropped) => dropped.into(),
        }
    }

    /// Background-Check: Evidence goes to the appraiser.
    fn attest_by_evidence(
        &self,
        protected: &Protected<'_>,
        payload: &AttestationPayload,
        evidence: &Result<Evidence<'_>, EvidenceError>,
        now: Timestamp,
    ) -> Result<Result<Attested, NotAttested>, EngineError> {
        let format = payload.format.as_deref().and_then(MediaType::parse);
        let supported = self.appraiser.takes(format.as_ref());
        let claims = match evidence {
            Ok(evidence) => Some(evidence.unverified_claims()),
            // What can't be read here may be what the Verifier can.
            Err(_) if supported && format.is_some() && self.appraiser.takes_unreadable() => None,
            Err(error) => return Ok(Err(Dropped::Unreadable(error.clone()).into())),
        };
        let nonce = claims.and_then(|claims| claims.nonce.as_deref());
        let ticket = match claims.map(|claims| self.ticket_of(nonce, claims.issued_at, now)) {
            None => None,
            Some(Ok((ticket, _))) => Some(ticket),
            Some(Err(dropped)) => return Ok(Err(dropped.into())),
        };
        if !supported {
            // A text of the sender's choice ends in the log: only as much of it as is a media type.
            let named = format.map(|found| found.essence().chars().take(64).collect());
            let fault = Fault::Format(named.unwrap_or_default());
            return Ok(Err(fault.about(None)));
        }
        let ueid = claims.and_then(|claims| claims.ueid.clone());
        let ueid = ueid.and_then(|ueid| Ueid::new(ueid).ok());
        // What names a device must name one that is known; the Verifier may read what is not read here.
        let device = match (&ueid, evidence) {
            (Some(ueid), Ok(evidence)) => match self.known_device(ueid, evidence, now)? {
                Ok(device) => Some(device),
                Err(fault) => return Ok(Err(fault.about(Some(ueid.clone())))),
            },
            (None, Ok(_)) => return Ok(Err(Fault::Nameless.about(None))),
            (_, Err(_)) => None,
        };
        let presented = PresentedEvidence {
            format: payload.format.as_deref(),
            bytes: &payload.bytes,
            nonce,
            maximum_age: self
                .settings
                .timestamp_window
                .map(|window| window.as_secs()),
            endorsement: device.as_ref().map(|device| &device.endorsement),
            for_agent_too: self.settings.results_for_agents,
            now: now.seconds(),
        };
        let (confirmation, out_of_date) = match self.appraiser.appraise(&presented) {
            Ok(Appraised::Here(found)) => (found.confirmation, None),
            Err(NotAppraised::Refused(AppraisalError::OutOfDate(found))) => {
                (found.confirmation, Some(found))
            }
            Ok(Appraised::Results { for_tam, for_agent }) => {
                let format = for_tam.format.as_deref().and_then(MediaType::parse);
                let kind = PayloadKind::of(format.as_ref(), &self.eat_profile);
                let result = match PresentedResult::decode(kind, &for_tam.bytes) {
                    Some(Ok(result)) => result,
                    Some(Err(error)) => return Ok(Err(Fault::Result(error).about(ueid))),
                    None => {
                        let reason = "the Verifier answers with no Attestation Result";
                        return Ok(Err(NotAttested::Unavailable(reason.into())));
                    }
                };
                let confirmed = claims.and_then(|claims| claims.confirmation);
                let presented = Presented {
                    result,
                    nonce,
                    held: confirmed.and_then(|confirmed| confirmed.public_key().copied()),
                    for_agent,
                };
                return self.attest_by_result(protected, presented, now);
            }
            Err(NotAppraised::Refused(error)) => {
                return Ok(Err(Fault::Appraisal(error).about(ueid)));
            }
            Err(NotAppraised::Rejected(reason)) => {
                return Ok(Err(Fault::Rejected(reason).about(ueid)));
            }
            Err(NotAppraised::Unavailable(reason)) => {
                return Ok(Err(NotAttested::Unavailable(reason)));
            }
        };
        let (Some(ueid), Some(device), Some(ticket)) = (ueid, device, ticket) else {
            return Ok(Err(Fault::Nameless.about(None)));
        };
        let attested = self.attest_here(
            protected,
            (ueid, device, ticket, nonce.unwrap_or_default().to_vec()),
            &confirmation,
        );
        Ok(match (attested, out_of_date) {
            (Ok(attested), Some(found)) => Err(NotAttested::OutOfDate {
                attested: Box::new(attested),
                found,
            }),
            (attested, _) => attested,
        })
    }

    /// A device whose Evidence was appraised in this process: did the key that it binds sign the message?
    fn attest_here(
        &self,
        protected: &Protected<'_>,
        (ueid, device, ticket, nonce): (Ueid, Device, Ticket, Vec<u8>),
        confirmation: &Confirmation,
    ) -> Result<Attested, NotAttested> {
        match self.verify_message(protected, Some(*confirmation), None, &device) {
            Ok(verified) => Ok(Attested {
                ueid,
                device,
                mark: ticket.mark,
                asked: ticket.items,
                nonce,
                verified,
                result_for_agent: None,
            }),
            Err(fault) => Err(fault.about(Some(ueid))),
        }
    }

    /// An Attestation Result, presented by the agent (Passport) or got from a Verifier for its Evidence.
    ///
    /// A nonce in it must be a challenge or token of this TAM; one without a nonce is as fresh as its time
    /// of issue, where the settings allow that. Either way it stands in the order of issue, so that it is
    /// used once.
    // req: TEEP-TAM-007
    // req: TEEP-TAM-008
    // req: TEEP-FRESH-008
    // req: AMB-02
    fn attest_by_result(
        &self,
        protected: &Protected<'_>,
        presented: Presented<'_>,
        now: Timestamp,
    ) -> Result<Result<Attested, NotAttested>, EngineError> {
        let Presented {
            result,
            nonce,
            held,
            for_agent,
        } = presented;
        let stated = nonce.or(result.unverified_nonce()).map(<[u8]>::to_vec);
        let issued_at = result.unverified_issued_at();
        let (ticket, freshness) = match self.ticket_of(stated.as_deref(), issued_at, now) {
            Ok(fresh) => fresh,
            Err(dropped) => return Ok(Err(dropped.into())),
        };
        let ueid = result.unverified_ueid().map(<[u8]>::to_vec);
        let Some(ueid) = ueid.and_then(|ueid| Ueid::new(ueid).ok()) else {
            return Ok(Err(Fault::Nameless.about(None)));
        };
        let Some(device) = self.store.device(&ueid)? else {
            return Ok(Err(Fault::NotEnrolled.about(Some(ueid))));
        };
        let confirmation = result.unverified_confirmation();
        let verified = match self.verify_message(protected, confirmation, held, &device) {
            Ok(verified) => verified,
            Err(fault) => return Ok(Err(fault.about(Some(ueid)))),
        };
        let expectation = Expectation {
            verifiers: &self.verifiers,
            profile: &self.eat_profile,
            message_key: &verified.signer(),
            freshness,
            now: now.seconds(),
        };
        Ok(
            match result.verify(&self.crypto, &expectation, self.ear_policy) {
                Ok(_) => Ok(Attested {
                    ueid,
                    device,
                    mark: ticket.mark,
                    asked: ticket.items,
                    nonce: stated.clone().unwrap_or_default(),
                    verified,
                    result_for_agent: for_agent,
                }),
                Err(error) => Err(Fault::Result(error).about(Some(ueid))),
            },
        )
    }

    /// The message, verified with exactly the key that was confirmed; `held` is one that it may be.
    // req: TEEP-TAM-008
    pub(super) fn verify_message(
        &self,
        protected: &Protected<'_>,
        confirmation: Option<Confirmation>,
        held: Option<PublicKey>,
        device: &Device,
    ) -> Result<Verified, Fault> {
        let confirmation = confirmation.ok_or(Fault::UnknownKey)?;
        let key = self
            .bound_key(&confirmation, held, device)
            .ok_or(Fault::UnknownKey)?;
        protected
            .verify(&self.crypto, &[key])
            .map_err(|_| Fault::NotBound)
    }

    /// The key that is bound. By its thumbprint alone it can be found if the Evidence holds it, if the device used it
    /// before, or if its maker has endorsed it.
    fn bound_key(
        &self,
        confirmation: &Confirmation,
        held: Option<PublicKey>,
        device: &Device,
    ) -> Option<PublicKey> {
        let endorsed = &device.endorsement;
        let stated = confirmation.public_key().copied();
        let mut known = stated
            .into_iter()
            .chain(held)
            .chain(device.agent_key)
            .chain(endorsed.agent_keys.iter().copied())
            .chain([endorsed.attester]);
        known.find(|key| confirmation.confirms(key, &self.crypto))
    }

    /// What makes a payload fresh, and its place in the order of issue: the challenge or token that its nonce
    /// is; or where there is none, its time of issue, if the settings allow that.
    ///
    /// A time never stands ahead of now, so that it does not block the challenges of today.
    // req: TEEP-FRESH-008
    fn ticket_of<'n>(
        &self,
        nonce: Option<&'n [u8]>,
        issued_at: Option<u64>,
        now: Timestamp,
    ) -> Result<(Ticket, Freshness<'n>), Dropped> {
        match (nonce, self.settings.timestamp_window) {
            (None, Some(window)) => {
                let issued_at = issued_at.unwrap_or_default().saturating_mul(1_000_000);
                let mark = TicketMark {
                    issued_at: Timestamp(issued_at).min(now),
                    salt: [0; 16],
                };
                let items = self.first_question().items;
                let maximum_age = window.as_secs();
                Ok((Ticket { mark, items }, Freshness::Timestamp { maximum_age }))
            }
            (nonce, _) => {
                let nonce = nonce.unwrap_or_default();
                Ok((self.open_ticket(nonce, now)?, Freshness::Nonce(nonce)))
            }
        }
    }

    /// The challenge, or the token in its place, that this nonce is, if it is open.
    // req: AMB-02
    fn open_ticket(&self, nonce: &[u8], now: Timestamp) -> Result<Ticket, Dropped> {
        let open = |purpose| self.tickets().open(purpose, nonce, now);
        let opened = match open(Purpose::Challenge) {
            Err(TicketError::NotIssued) => open(Purpose::Passport),
            opened => opened,
        };
        opened.map_err(|error| match error {
            // req: TEEP-TOK-005
            TicketError::Expired => Dropped::Expired,
            TicketError::NotIssued => Dropped::NotIssued,
        })
    }

    /// Says what the payload is.
    ///
    /// The draft makes an EAT in the TEEP profile, which is also what an absent format means, an Attestation
    /// Result (AMB-16). Deployed agents send Evidence without a format: unlabelled, it is told apart by the
    /// profile that it names itself, or by being what a result can't be.
    // req: TEEP-TAM-005
    // req: TEEP-MSG-027
    fn classify(
        &self,
        payload: &AttestationPayload,
        evidence: Option<&Evidence<'_>>,
    ) -> Result<PayloadKind, Fault> {
        let Some(format) = &payload.format else {
            let names_profile = evidence.is_some_and(|evidence| {
                let profile = evidence.unverified_claims().profile.as_deref();
                profile == Some(&*self.eat_profile)
            });
            let is_result = PresentedResult::decode(PayloadKind::TeepResult, &payload.bytes)
                .is_some_and(|result| result.is_ok());
            return Ok(match names_profile || is_result {
                true => PayloadKind::TeepResult,
                false => PayloadKind::Evidence,
            });
        };
        match MediaType::parse(format) {
            Some(found) => Ok(PayloadKind::of(Some(&found), &self.eat_profile)),
            None => Err(Fault::Format("that is no media type".into())),
        }
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
    use tamarack_rats::Claims;
    use tamarack_teep::TEEP_EAT_PROFILE;

    use super::*;
    use crate::testing::{Agent, World};

    // req: TEEP-TAM-005
    // req: TEEP-MSG-027
    // req: TEEP-MSG-028
    #[test]
    fn a_payload_is_classified_by_its_format() {
        let world = World::new();
        let agent = Agent::new("one");
        let classify = |format: Option<&str>, profile: Option<&str>| {
            let signer = agent.crypto.signatures.signer(&agent.attester).unwrap();
            let claims = Claims {
                profile: profile.map(Into::into),
                ..Claims::default()
            };
            let payload = AttestationPayload {
                format: format.map(Into::into),
                bytes: claims.sign(&agent.crypto, &*signer).unwrap(),
            };
            let evidence = Evidence::decode(&payload.bytes).unwrap();
            world.tam.classify(&payload, Some(&evidence))
        };
        let psa = Some("tag:psacertified.org,2023:psa#tfm");
        let teep = Some(TEEP_EAT_PROFILE);
        assert_eq!(classify(None, None), Ok(PayloadKind::Evidence));
        assert_eq!(classify(None, psa), Ok(PayloadKind::Evidence));
        assert_eq!(classify(None, teep), Ok(PayloadKind::TeepResult));
        assert_eq!(
            classify(Some("application/eat+cwt"), teep),
            Ok(PayloadKind::Evidence),
            "the label decides"
        );
        let spelled = "Application/EAT+CWT ; EAT_PROFILE=\"urn:ietf:rfc:rfcXXXX\"";
        assert_eq!(classify(Some(spelled), psa), Ok(PayloadKind::TeepResult));
        let other = classify(Some("application/vnd.other"), psa);
        assert_eq!(other, Ok(PayloadKind::Evidence));
        assert!(classify(Some("\n"), psa).is_err());
    }
}
