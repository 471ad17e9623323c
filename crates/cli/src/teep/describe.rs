//! A TEEP message as a value that people and programs can read.

use base16ct::lower::encode_string;
use serde_json::{Map, Value, json};
use tamarack_cose::{CryptoProvider, SignatureAlgorithm};
use tamarack_rats::{Claims, Confirmation, Evidence};
use tamarack_suit::{ComponentId, Envelope, Parameter, Report, explain, report};
use tamarack_teep::{
    AttestationPayload, CipherSuite, DataItems, Encoding, Explanation, Message, Numbering, Token,
};

pub(super) fn algorithm(id: Option<i64>) -> String {
    let Some(id) = id else { return "none".into() };
    match (id, SignatureAlgorithm::from_cose_id(id)) {
        (-7, _) => "ES256 (-7)".into(),
        (-8, _) => "EdDSA (-8)".into(),
        (_, Some(algorithm)) => format!("{} ({id})", algorithm.name()),
        (_, None) => format!("unknown ({id})"),
    }
}

/// Collects members, leaving out what is absent.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Members {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    fn put_some<T: Into<Value>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn put_list(&mut self, name: &str, list: Vec<Value>) {
        if !list.is_empty() {
            self.put(name, list);
        }
    }

    fn put_token(&mut self, token: Option<&Token>) {
        self.put_some("token", token.map(|token| encode_string(token.as_bytes())));
    }

    fn put_explanation(&mut self, explanation: Option<&Explanation>) {
        self.put_some("err-msg", explanation.map(|e| e.text.clone()));
        self.put_some("err-lang", explanation.and_then(|e| e.language.clone()));
    }

    fn put_attestation(&mut self, payload: Option<&AttestationPayload>, crypto: &CryptoProvider) {
        let Some(payload) = payload else { return };
        self.put_some("attestation-payload-format", payload.format.clone());
        self.put("attestation-payload", attestation(&payload.bytes, crypto));
    }

    fn put_reports(&mut self, reports: &[Vec<u8>]) {
        self.put_list(
            "suit-reports",
            reports.iter().map(|bytes| suit_report(bytes)).collect(),
        );
    }
}

pub(super) fn message(
    message: &Message,
    encoding: Encoding,
    crypto: &CryptoProvider,
) -> Map<String, Value> {
    let mut m = Members::default();
    m.put("message", message.name());
    if encoding.numbering == Numbering::Compact {
        m.put(
            "numbering",
            "compact (the renumbering proposed in February 2026)",
        );
    }
    match message {
        Message::QueryRequest(request) => {
            m.put_token(request.token.as_ref());
            let freshness = &request.supported_freshness_mechanisms;
            m.put_list(
                "supported-freshness-mechanisms",
                freshness
                    .iter()
                    .map(|mechanism| json!(mechanism.0))
                    .collect(),
            );
            m.put_some(
                "challenge",
                request
                    .challenge
                    .as_ref()
                    .map(|c| encode_string(c.as_bytes())),
            );
            m.put_list(
                "versions",
                request.versions.iter().map(|v| json!(v)).collect(),
            );
            m.put_attestation(request.attestation.as_ref(), crypto);
            m.put_reports(&request.suit_reports);
            m.put_list(
                "supported-teep-cipher-suites",
                request
                    .supported_teep_cipher_suites
                    .iter()
                    .map(suite)
                    .collect(),
            );
            m.put_list(
                "supported-suit-cose-profiles",
                request
                    .supported_suit_cose_profiles
                    .iter()
                    .map(|p| json!(p.0))
                    .collect(),
            );
            m.put("data-item-requested", data_items(request.data_items));
        }
        Message::QueryResponse(response) => {
            m.put_token(response.token.as_ref());
            m.put_some("selected-version", response.selected_version);
            m.put_attestation(response.attestation.as_ref(), crypto);
            m.put_reports(&response.suit_reports);
            if let Some(list) = &response.tc_list {
                m.put("tc-list", list.iter().map(claims).collect::<Vec<_>>());
            }
            m.put_list(
                "requested-tc-list",
                response
                    .requested_tc_list
                    .iter()
                    .map(|request| {
                        let mut r = Members::default();
                        r.put("component-id", request.component.to_string());
                        r.put_some("tc-manifest-sequence-number", request.sequence_number);
                        r.put_some("have-binary", request.have_binary);
                        Value::Object(r.0)
                    })
                    .collect(),
            );
            m.put_list(
                "unneeded-manifest-list",
                ids(&response.unneeded_manifest_list),
            );
            m.put_some(
                "ext-list",
                response.ext_list.as_ref().map(|list| json!(list)),
            );
        }
        Message::Update(update) => {
            m.put_token(update.token.as_ref());
            m.put_list(
                "unneeded-manifest-list",
                ids(&update.unneeded_manifest_list),
            );
            let manifests = update
                .manifest_list
                .iter()
                .map(|bytes| envelope(bytes, crypto));
            m.put_list("manifest-list", manifests.collect());
            m.put_attestation(update.attestation.as_ref(), crypto);
            m.put_some("err-code", update.error.map(|code| format!("{code:?}")));
            m.put_explanation(update.explanation.as_ref());
        }
        Message::Success(success) => {
            m.put_token(success.token.as_ref());
            m.put_some("msg", success.msg.clone());
            m.put_reports(&success.suit_reports);
        }
        Message::Error(error) => {
            m.put("err-code", format!("{:?}", error.code));
            m.put_token(error.token.as_ref());
            m.put_explanation(error.explanation.as_ref());
            m.put_list(
                "supported-teep-cipher-suites",
                error
                    .supported_teep_cipher_suites
                    .iter()
                    .map(suite)
                    .collect(),
            );
            m.put_list(
                "supported-freshness-mechanisms",
                error
                    .supported_freshness_mechanisms
                    .iter()
                    .map(|f| json!(f.0))
                    .collect(),
            );
            m.put_list(
                "supported-suit-cose-profiles",
                error
                    .supported_suit_cose_profiles
                    .iter()
                    .map(|p| json!(p.0))
                    .collect(),
            );
            m.put_some(
                "challenge",
                error
                    .challenge
                    .as_ref()
                    .map(|c| encode_string(c.as_bytes())),
            );
            m.put_list(
                "versions",
                error.versions.iter().map(|v| json!(v)).collect(),
            );
            m.put_reports(&error.suit_reports);
        }
    }
    m.0
}

fn ids(list: &[ComponentId]) -> Vec<Value> {
    list.iter().map(|id| json!(id.to_string())).collect()
}

fn suite(suite: &CipherSuite) -> Value {
    match suite.as_sign1() {
        Some(algorithm) => json!(format!("COSE_Sign1 with {}", algorithm.name())),
        None => json!(
            suite
                .0
                .iter()
                .map(|op| json!([op.cose_type, op.algorithm]))
                .collect::<Vec<_>>()
        ),
    }
}

fn data_items(items: DataItems) -> Vec<Value> {
    let names = [
        (DataItems::ATTESTATION, "attestation"),
        (DataItems::TRUSTED_COMPONENTS, "trusted-components"),
        (DataItems::EXTENSIONS, "extensions"),
        (DataItems::SUIT_REPORTS, "suit-reports"),
    ];
    let mut list: Vec<Value> = names
        .iter()
        .filter(|(item, _)| items.contains(*item))
        .map(|(_, name)| json!(name))
        .collect();
    if items.unknown() != 0 {
        list.push(json!(format!("unknown bits {:#x}", items.unknown())));
    }
    list
}

/// A manifest in full, or what is wrong with it.
fn envelope(bytes: &[u8], crypto: &CryptoProvider) -> Value {
    match Envelope::decode(bytes) {
        Ok(envelope) => explain::describe(&envelope, Some(crypto)).to_json(),
        Err(error) => json!({ "bytes": bytes.len(), "error": error.to_string() }),
    }
}

/// An EAT's claims, or just the size of another format.
fn attestation(bytes: &[u8], crypto: &CryptoProvider) -> Value {
    match Evidence::decode(bytes) {
        Ok(evidence) => eat(evidence.unverified_claims(), crypto),
        Err(_) => json!(format!("{} bytes", bytes.len())),
    }
}

fn eat(claims: &Claims, crypto: &CryptoProvider) -> Value {
    let mut m = Members::default();
    m.put_some("iat", claims.issued_at);
    m.put_some(
        "cnf",
        claims.confirmation.map(|confirmation| match confirmation {
            Confirmation::Key(key) | Confirmation::Named { key, .. } => {
                format!("{} key {}", key.algorithm().name(), key.key_id(crypto))
            }
            Confirmation::KeyId(id) => format!("key {id}"),
        }),
    );
    m.put_some("eat_nonce", claims.nonce.as_deref().map(encode_string));
    m.put_some("ueid", claims.ueid.as_deref().map(encode_string));
    m.put_some("oemid", claims.oemid.map(|id| id.to_string()));
    m.put_some("hwmodel", claims.hwmodel.as_deref().map(encode_string));
    let hwversion = claims.hwversion.as_ref().map(ToString::to_string);
    m.put_some("hwversion", hwversion);
    m.put_some("eat_profile", claims.profile.clone());
    m.put_some("swname", claims.swname.clone());
    m.put_list(
        "measurements",
        claims
            .measurements
            .iter()
            .map(|found| {
                json!({ "name": found.name, "version": found.version, "sha256": encode_string(&found.sha256) })
            })
            .collect(),
    );
    Value::Object(m.0)
}

fn claims(claims: &report::Claims) -> Value {
    let mut m = Members::default();
    m.put("component", claims.component.to_string());
    for parameter in claims.properties.iter() {
        let value = match parameter {
            Parameter::ImageDigest(digest) => json!(digest.to_string()),
            Parameter::ImageSize(size) => json!(size),
            other => json!(format!("{other:?}")),
        };
        m.put(parameter.name(), value);
    }
    Value::Object(m.0)
}

/// A SUIT report, or what is wrong with it.
fn suit_report(bytes: &[u8]) -> Value {
    let report = match Report::decode(bytes) {
        Ok(report) => report,
        Err(error) => return json!({ "bytes": bytes.len(), "error": error.to_string() }),
    };
    let mut m = Members::default();
    m.put("manifest-digest", report.reference.digest.to_string());
    if !report.reference.uri.is_empty() {
        m.put("manifest-uri", report.reference.uri.clone());
    }
    m.put_some("nonce", report.nonce.as_deref().map(encode_string));
    m.put_list(
        "system-property-claims",
        report.claims().map(claims).collect(),
    );
    match &report.result {
        report::ReportResult::Failure { reason, record, .. } => {
            m.put("result", "failure");
            m.put("reason", format!("{reason:?}"));
            m.put("section", record.section);
            m.put("offset", record.offset);
            m.put("component-index", record.component_index);
        }
        report::ReportResult::Success => m.put("result", "success"),
    }
    Value::Object(m.0)
}
