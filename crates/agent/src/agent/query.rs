use alloc::vec::Vec;

use tamarack_cose::{
    Signed,
    cbor::{Reader, Type},
};
use tamarack_suit::{ComponentId, Parameter, Parameters, report::Claims};
use tamarack_teep::{
    AttestationPayload, Challenge, DataItems, FreshnessMechanism, QueryRequest, QueryResponse,
    RequestedComponent, VERSION,
};

use super::{Agent, AgentError, Refusal};
use crate::{
    platform::{Platform, StorageError, View},
    state::{ComponentRecord, KnownManifest, Record, Request, RequestKind},
};

/// The bound of eat_nonce, which the answer to a challenge goes into (AMB-30).
const MAX_NONCE: usize = 64;

impl<P: Platform> Agent<P> {
    /// Answers a QueryRequest of a trusted TAM.
    // req: TEEP-AGENT-015
    pub(super) fn answer_query(
        &self,
        request: &QueryRequest,
    ) -> Result<Result<QueryResponse, Refusal>, AgentError> {
        if let Err(refusal) = self.check_query(request) {
            return Ok(Err(refusal));
        }
        let wanted = |items| request.data_items.contains(items);
        let attestation = if wanted(DataItems::ATTESTATION) {
            match self.attest(request) {
                Ok(payload) => Some(payload),
                Err(refusal) => return Ok(Err(refusal)),
            }
        } else {
            None
        };
        let view = self.platform.storage().view()?;
        let (requested_tc_list, unneeded_manifest_list) = wishes(&*view)?;
        Ok(Ok(QueryResponse {
            // req: TEEP-MSG-040
            token: request.token.clone(),
            selected_version: None,
            attestation,
            suit_reports: Vec::new(),
            // req: TEEP-MSG-042
            tc_list: match wanted(DataItems::TRUSTED_COMPONENTS) {
                true => Some(claims(&*view)?),
                false => None,
            },
            requested_tc_list,
            unneeded_manifest_list,
            ext_list: wanted(DataItems::EXTENSIONS).then(Vec::new),
        }))
    }

    /// Whether the agent understands and supports what the TAM asks for.
    fn check_query(&self, request: &QueryRequest) -> Result<(), Refusal> {
        if !request.offered_versions().contains(&VERSION) {
            return Err(Refusal::unsupported_version());
        }
        let ours = self.platform.teep_key().public_key().algorithm();
        let mut offered = request.supported_teep_cipher_suites.iter();
        // req: TEEP-COSE-007
        if !offered.any(|suite| suite.as_sign1() == Some(ours)) {
            return Err(Refusal::unsupported_suites(ours));
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

    /// Makes Evidence that answers the challenge or, in the Passport model, the token.
    // req: TEEP-FRESH-002
    // req: TEEP-FRESH-003
    fn attest(&self, request: &QueryRequest) -> Result<AttestationPayload, Refusal> {
        if !request
            .offered_freshness()
            .contains(&FreshnessMechanism::NONCE)
        {
            return Err(Refusal::unsupported_freshness());
        }
        let challenge = request.challenge.as_ref().map(Challenge::as_bytes);
        let token = request.token.as_ref().map(tamarack_teep::Token::as_bytes);
        let nonce = challenge
            .or(token)
            .ok_or_else(|| Refusal::permanent("attestation is requested without a challenge"))?;
        if nonce.len() > MAX_NONCE {
            let text = "the challenge is longer than an EAT nonce, 64 bytes";
            return Err(Refusal::permanent(text));
        }
        let evidence = self
            .platform
            .attest(nonce, self.platform.teep_key().public_key());
        let evidence = evidence.map_err(|_| Refusal::temporary("the attester failed"))?;
        // req: TEEP-MSG-026
        Ok(AttestationPayload {
            format: Some(evidence.media_type),
            bytes: evidence.bytes,
        })
    }
}

/// Whether a TAM's SUIT report is plain, or signed with an algorithm that the agent has. MACs are for those who
/// share a key, and what is encrypted is not for this agent.
fn is_supported(report: &[u8]) -> bool {
    let is_plain = Reader::new(report).peek("SUIT_Report") == Ok(Type::Map);
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
