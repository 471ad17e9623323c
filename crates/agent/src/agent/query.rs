use alloc::vec::Vec;

use tamarack_cose::{
    KeyId, PublicKey, SignatureAlgorithm, Signed,
    cbor::{Reader, Type},
};
use tamarack_suit::{ComponentId, Parameter, Parameters, Report, report::Claims};
use tamarack_teep::{
    AttestationPayload, Challenge, DataItems, FreshnessMechanism, QueryRequest, QueryResponse,
    RequestedComponent, Token, VERSION,
};

use super::{Agent, AgentError, Confidentiality, Refusal, device::TeeDevice};
use crate::{
    platform::{Platform, StorageError, View},
    relay::Relay,
    rights::Rights,
    staging::Staged,
    state::{ComponentRecord, KnownManifest, Passport, Record, Request, RequestKind, TrustStore},
};

/// The bound of eat_nonce, which the answer to a challenge goes into (AMB-30).
const MAX_NONCE: usize = 64;

/// Most manifests on which there is a report of the boot in one QueryResponse.
const MAX_BOOT_REPORTS: usize = 64;

impl<P: Platform> Agent<P> {
    /// Answers a QueryRequest of a trusted TAM.
    // req: TEEP-AGENT-015
    ///
    /// With the answer comes how reports to the TAM are encrypted from now on.
    // req: TEEP-PRIV-001
    pub(super) fn answer_query(
        &mut self,
        request: &QueryRequest,
        key: &PublicKey,
        tam: &KeyId,
        store: &TrustStore,
        relay: &mut dyn Relay,
    ) -> Result<Result<Answer, Refusal>, AgentError> {
        if let Err(refusal) = self.check_query(request, key.algorithm()) {
            return Ok(Err(refusal));
        }
        if let Err(refusal) = self.appraise_tam(request, key, store)? {
            return Ok(Err(refusal));
        }
        let view = self.platform.storage().view()?;
        let confidentiality = Confidentiality::choose(&*view, tam, request)?;
        let wanted = |items| request.data_items.contains(items);
        let attestation = if wanted(DataItems::ATTESTATION) {
            match self.attest(request, key.algorithm(), confidentiality, relay)? {
                Ok(payload) => Some(payload),
                Err(refusal) => return Ok(Err(refusal)),
            }
        } else {
            None
        };
        let suit_reports = match wanted(DataItems::SUIT_REPORTS) {
            true => self.boot_reports(request.token.as_ref(), confidentiality, relay)?,
            false => Vec::new(),
        };
        let (mut requested_tc_list, unneeded_manifest_list) = wishes(&*view)?;
        for dependency in self.wanted_dependencies(&*view, tam)? {
            if !requested_tc_list
                .iter()
                .any(|wish| wish.component == dependency)
            {
                requested_tc_list.push(RequestedComponent::any_version(dependency));
            }
        }
        let response = QueryResponse {
            // req: TEEP-MSG-040
            token: request.token.clone(),
            selected_version: None,
            attestation,
            suit_reports,
            // req: TEEP-MSG-042
            tc_list: match wanted(DataItems::TRUSTED_COMPONENTS) {
                true => Some(claims(&*view)?),
                false => None,
            },
            requested_tc_list,
            unneeded_manifest_list,
            ext_list: wanted(DataItems::EXTENSIONS).then(Vec::new),
        };
        Ok(Ok((response, confidentiality)))
    }

    /// Whether the agent understands and supports what the TAM asks for.
    fn check_query(
        &self,
        request: &QueryRequest,
        algorithm: SignatureAlgorithm,
    ) -> Result<(), Refusal> {
        if !request.offered_versions().contains(&VERSION) {
            return Err(Refusal::unsupported_version());
        }
        // The suite in which the message came is the one of the exchange; a TAM that signs in it offers it.
        let mut offered = request.supported_teep_cipher_suites.iter();
        // req: TEEP-COSE-007
        if !offered.any(|suite| suite.as_sign1() == Some(algorithm)) {
            return Err(Refusal::unsupported_suites(self.algorithms()));
        }
        // req: TEEP-AGENT-014
        if !request
            .suit_reports
            .iter()
            .all(|report| is_supported(report))
        {
            return Err(Refusal::unsupported_suit_report());
        }
        match request.data_items.unknown() {
            0 => Ok(()),
            bits => {
                let text = alloc::format!("data-item-requested has unknown bits: {bits:#x}");
                Err(Refusal::unsupported_extension(&text))
            }
        }
    }

    /// Makes what the TAM asks for: Evidence for its challenge, or for its token an Attestation Result, as far as
    /// a Verifier can be had (AMB-02).
    // req: TEEP-FRESH-001
    // req: TEEP-FRESH-002
    // req: TEEP-FRESH-003
    fn attest(
        &self,
        request: &QueryRequest,
        algorithm: SignatureAlgorithm,
        confidentiality: Option<Confidentiality>,
        relay: &mut dyn Relay,
    ) -> Result<Result<AttestationPayload, Refusal>, AgentError> {
        let nonce = match nonce(request) {
            Ok(nonce) => nonce,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let signer = self.signer(Some(algorithm))?;
        let Ok(evidence) = self.platform.attest(nonce, signer.public_key()) else {
            return Ok(Err(Refusal::temporary("the attester failed")));
        };
        let is_passport = request.challenge.is_none() && request.token.is_some();
        let mut found = AttestationPayload {
            // req: TEEP-MSG-026
            format: Some(evidence.media_type.clone()),
            bytes: evidence.bytes.clone(),
        };
        if is_passport && let Ok(result) = relay.appraise(&evidence) {
            found = AttestationPayload {
                format: Some(result.media_type),
                bytes: result.bytes,
            };
        } else if nonce.is_none()
            && let Some(kept) = Passport::load(&*self.platform.storage().view()?, &[])?
            && self.may_show(&kept, signer.public_key())
        {
            // A result that a TAM handed back has its time, and a nonce that only that TAM knows.
            found = AttestationPayload {
                format: kept.format,
                bytes: kept.bytes,
            };
        }
        if let Some(confidentiality) = confidentiality {
            let crypto = self.platform.crypto();
            let encrypted = confidentiality.encrypt_token(crypto, &found.bytes);
            found.bytes = encrypted.map_err(AgentError::Signing)?;
        }
        Ok(Ok(found))
    }

    /// Whether there is a point in showing a result to a TAM, for messages signed with `key`.
    pub(super) fn may_show(&self, passport: &Passport, key: &PublicKey) -> bool {
        let ueid = &self.platform.identity().ueid;
        passport.may_convince(self.platform.crypto(), ueid, key, self.platform.now())
    }

    /// Reports on whether what is installed would start now: the validation of each manifest, without any effect.
    // req: TEEP-MSG-029
    // req: TEEP-MSG-043
    // req: TEEP-MSG-083
    fn boot_reports(
        &self,
        token: Option<&Token>,
        confidentiality: Option<Confidentiality>,
        relay: &mut dyn Relay,
    ) -> Result<Vec<Vec<u8>>, AgentError> {
        let view = self.platform.storage().view()?;
        let installed = KnownManifest::all(&*view)?;
        let rights = Rights::load(&*view)?;
        drop(view);
        let signers = rights.signers(self.platform.crypto(), self.platform.now());
        let installed = installed.iter().filter(|known| known.envelope.is_some());
        let mut reports = Vec::new();
        for known in installed.take(MAX_BOOT_REPORTS) {
            // Dropped without a commit: nothing of it lasts.
            let mut transaction = Staged::begin(self.platform.storage())?;
            let mut device = TeeDevice::new(&self.platform, &rights, &mut transaction);
            let mut processor = self.processor(&signers, &rights);
            if let Some(token) = token {
                processor = processor.with_nonce(token.as_bytes());
            }
            let outcome = processor.invoke(&mut device, relay, &known.record.id);
            reports.push(self.encode_report(&outcome.report, confidentiality)?);
        }
        Ok(reports)
    }

    /// A report for a message to a TAM.
    pub(super) fn encode_report(
        &self,
        report: &Report,
        confidentiality: Option<Confidentiality>,
    ) -> Result<Vec<u8>, AgentError> {
        let Some(confidentiality) = confidentiality else {
            return Ok(report.encode());
        };
        let encrypted = confidentiality.encrypt_report(self.platform.crypto(), report);
        encrypted.map_err(|error| match error {
            tamarack_suit::Error::Unauthorized(error) | tamarack_suit::Error::Provider(error) => {
                AgentError::Signing(error)
            }
            _ => AgentError::Signing(tamarack_cose::Error::Crypto("a report can't be encrypted")),
        })
    }
}

/// The nonce that the payload holds; `None` if it is to hold the time only.
fn nonce(request: &QueryRequest) -> Result<Option<&[u8]>, Refusal> {
    let offered = request.offered_freshness();
    let challenge = request.challenge.as_ref().map(Challenge::as_bytes);
    let token = request.token.as_ref().map(Token::as_bytes);
    let timestamp = offered.contains(&FreshnessMechanism::TIMESTAMP);
    match challenge.or(token) {
        Some(nonce) if offered.contains(&FreshnessMechanism::NONCE) => {
            if nonce.len() > MAX_NONCE {
                let text = "the challenge is longer than an EAT nonce, 64 bytes";
                return Err(Refusal::permanent(text));
            }
            Ok(Some(nonce))
        }
        _ if timestamp => Ok(None),
        None if offered.contains(&FreshnessMechanism::NONCE) => Err(Refusal::permanent(
            "attestation is requested without a challenge",
        )),
        _ => Err(Refusal::unsupported_freshness()),
    }
}

/// An answer, and how what follows it is encrypted.
type Answer = (QueryResponse, Option<Confidentiality>);

/// Whether a TAM's SUIT report is plain, or signed with an algorithm that the agent has. MACs are for those who
/// share a key, and what is encrypted is not for this agent.
fn is_supported(report: &[u8]) -> bool {
    let is_plain = Reader::new(report).peek() == Type::Map;
    let is_signed = || {
        Signed::decode(report).is_ok_and(|signed| {
            signed
                .signatures()
                .iter()
                .any(|headers| headers.algorithm().is_ok())
        })
    };
    is_plain || is_signed()
}

/// One entry for each installed component: its digest and size.
// req: TEEP-MSG-044
fn claims(view: &dyn View) -> Result<Vec<Claims>, StorageError> {
    let claim = |found: ComponentRecord| Claims {
        component: found.component,
        properties: Parameters::from_list([
            Parameter::ImageDigest(found.digest),
            Parameter::ImageSize(found.size),
        ]),
    };
    Ok(ComponentRecord::all(view)?.into_iter().map(claim).collect())
}

/// What applications want, and the manifests that they no longer need.
// req: TEEP-MSG-045
fn wishes(view: &dyn View) -> Result<(Vec<RequestedComponent>, Vec<ComponentId>), StorageError> {
    let (mut wanted, mut unneeded) = (Vec::new(), Vec::new());
    for request in Request::all(view)? {
        let key = request.component.to_cbor();
        match request.kind {
            RequestKind::Wanted if ComponentRecord::load(view, &key)?.is_none() => {
                wanted.push(RequestedComponent::any_version(request.component));
            }
            RequestKind::Unneeded if KnownManifest::is_installed(view, &request.component)? => {
                unneeded.push(request.component);
            }
            RequestKind::Wanted | RequestKind::Unneeded => {}
        }
    }
    Ok((wanted, unneeded))
}
