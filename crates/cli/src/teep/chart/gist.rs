//! What a message says, in a few words.

use base16ct::lower::encode_string;
use tamarack_rats::Evidence;
use tamarack_suit::{Envelope, Report, explain::visible, report::ReportResult};
use tamarack_teep::{
    AttestationPayload, DataItems, Message, Protected,
    explain::{Explained, explain},
};

use super::super::show::Keys;

/// A message in a few words, and what ties it to others.
#[derive(Debug, Default)]
pub(super) struct Gist {
    /// The message's name; `None` if it is no message.
    pub(super) name: Option<&'static str>,
    /// What it says.
    pub(super) words: Vec<String>,
    /// What is wrong with it, the worst first.
    pub(super) problems: Vec<String>,
    /// The key id of the signer, in hexadecimal.
    pub(super) key_id: Option<String>,
    /// The id of the device, from its Evidence.
    pub(super) ueid: Option<String>,
    /// Tokens and challenges that the message brings up or repeats.
    pub(super) ties: Vec<Vec<u8>>,
}

/// Hexadecimal digits of a token, a challenge or a key id that are shown: enough to tell them apart.
const DIGITS: usize = 8;

/// The start of a value in hexadecimal.
pub(super) fn short(bytes: &[u8]) -> String {
    abridged(&encode_string(bytes))
}

/// The start of hexadecimal digits.
pub(super) fn abridged(hex: &str) -> String {
    match hex.get(..DIGITS) {
        Some(start) if hex.len() > DIGITS + 2 => format!("{start}…"),
        _ => hex.to_owned(),
    }
}

impl Gist {
    pub(super) fn of(bytes: &[u8], keys: &Keys) -> Self {
        let mut explained = explain(bytes, keys.without_public());
        // In a trace several sign: a key is held against those messages only that name it, or none.
        if keys.may_have_signed(explained.key_id.as_deref()) {
            explained = explain(bytes, keys.knowledge());
        }
        let mut gist = Self {
            name: explained.name,
            key_id: explained.key_id.as_deref().map(encode_string),
            problems: explained
                .problems()
                .map(|finding| visible(&finding.to_string()))
                .collect(),
            ..Self::default()
        };
        let limits = tamarack_cose::cbor::Limits::default();
        let message = match Protected::decode(bytes, &limits) {
            Ok(protected) => {
                let signatures = protected.signed().signatures().len();
                if signatures > 1 {
                    gist.words.push(format!("{signatures} signatures"));
                }
                protected.read_unverified().ok()
            }
            Err(_) => Message::decode(bytes, &limits).ok(),
        };
        if let Some((name, _)) = &explained.verified_by {
            gist.words.push(format!("verified by {}", visible(name)));
        }
        match message {
            Some((message, _)) => gist.read(&message),
            None => gist.as_far_as_seen(&explained),
        }
        gist
    }

    /// What can be said of a message that does not decode.
    fn as_far_as_seen(&mut self, explained: &Explained) {
        let options = explained.content.get("options");
        let token = options.and_then(|options| options.get("token"));
        if let Some(tamarack_teep::explain::Content::Leaf(token)) = token {
            self.words
                .push(format!("token {}", abridged(token.to_string().trim_end())));
        }
    }

    fn tie(&mut self, name: &str, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.words.push(format!("{name} {}", short(bytes)));
            self.ties.push(bytes.to_vec());
        }
    }

    fn report_count(&mut self, reports: &[Vec<u8>]) {
        match reports.len() {
            0 => {}
            1 => self.words.push("1 report".into()),
            count => self.words.push(format!("{count} reports")),
        }
    }

    fn read(&mut self, message: &Message) {
        let token = match message {
            Message::QueryRequest(message) => &message.token,
            Message::QueryResponse(message) => &message.token,
            Message::Update(message) => &message.token,
            Message::Success(message) => &message.token,
            Message::Error(message) => &message.token,
        };
        self.tie("token", token.as_ref().map(tamarack_teep::Token::as_bytes));
        match message {
            Message::QueryRequest(request) => {
                self.tie(
                    "challenge",
                    request
                        .challenge
                        .as_ref()
                        .map(tamarack_teep::Challenge::as_bytes),
                );
                self.attestation(request.attestation.as_ref());
                let asked = [
                    (DataItems::ATTESTATION, "attestation"),
                    (DataItems::TRUSTED_COMPONENTS, "trusted-components"),
                    (DataItems::EXTENSIONS, "extensions"),
                    (DataItems::SUIT_REPORTS, "suit-reports"),
                ];
                let asked = asked
                    .iter()
                    .filter(|(item, _)| request.data_items.contains(*item));
                let asked: Vec<&str> = asked.map(|(_, name)| *name).collect();
                if !asked.is_empty() {
                    self.words.push(format!("asks for {}", asked.join(", ")));
                }
            }
            Message::QueryResponse(response) => {
                self.attestation(response.attestation.as_ref());
                if let Some(list) = &response.tc_list {
                    self.words.push(format!("{} installed", list.len()));
                }
                let wanted = response.requested_tc_list.iter();
                let wanted: Vec<String> = wanted.map(|one| one.component.to_string()).collect();
                if !wanted.is_empty() {
                    self.words.push(format!("wants {}", few(&wanted)));
                }
                let unneeded = response.unneeded_manifest_list.iter();
                let unneeded: Vec<String> = unneeded.map(ToString::to_string).collect();
                if !unneeded.is_empty() {
                    self.words
                        .push(format!("no longer needs {}", few(&unneeded)));
                }
                self.report_count(&response.suit_reports);
            }
            Message::Update(update) => {
                let manifests = update.manifest_list.iter();
                let manifests: Vec<String> = manifests.map(|bytes| manifest(bytes)).collect();
                if !manifests.is_empty() {
                    self.words.push(format!("installs {}", few(&manifests)));
                }
                let removed = update.unneeded_manifest_list.iter();
                let removed: Vec<String> = removed.map(ToString::to_string).collect();
                if !removed.is_empty() {
                    self.words.push(format!("unlinks {}", few(&removed)));
                }
                self.attestation(update.attestation.as_ref());
                if let Some(code) = update.error {
                    self.words.push(code.to_string());
                }
                self.explanation(update.explanation.as_ref());
            }
            Message::Success(success) => {
                self.reports(&success.suit_reports);
                self.words
                    .extend(success.msg.as_ref().map(|text| quoted(text)));
            }
            Message::Error(error) => {
                self.words.push(error.code.to_string());
                self.tie(
                    "challenge",
                    error
                        .challenge
                        .as_ref()
                        .map(tamarack_teep::Challenge::as_bytes),
                );
                self.explanation(error.explanation.as_ref());
                self.reports(&error.suit_reports);
            }
        }
    }

    fn explanation(&mut self, explanation: Option<&tamarack_teep::Explanation>) {
        self.words
            .extend(explanation.map(|explanation| quoted(&explanation.text)));
    }

    fn reports(&mut self, reports: &[Vec<u8>]) {
        let failed = reports
            .iter()
            .filter_map(|bytes| match Report::decode(bytes).ok()?.result {
                ReportResult::Success => None,
                ReportResult::Failure { reason, .. } => Some(reason.to_string()),
            });
        let failed: Vec<String> = failed.collect();
        self.report_count(reports);
        if !failed.is_empty() {
            self.words.push(format!("failed: {}", few(&failed)));
        }
    }

    fn attestation(&mut self, payload: Option<&AttestationPayload>) {
        let Some(payload) = payload else { return };
        let Ok(evidence) = Evidence::decode(&payload.bytes) else {
            self.words
                .push(format!("attestation of {} bytes", payload.bytes.len()));
            return;
        };
        let claims = evidence.unverified_claims();
        let ueid = claims.ueid.as_deref().map(encode_string);
        self.words.push(match &ueid {
            Some(ueid) => format!("Evidence of {}", abridged(ueid)),
            None => "Evidence".into(),
        });
        self.ueid = ueid;
        self.ties.extend(claims.nonce.clone());
    }
}

/// Text that a peer chose.
fn quoted(text: &str) -> String {
    format!("“{}”", visible(text))
}

/// The first of several things.
fn few(things: &[String]) -> String {
    const SHOWN: usize = 3;
    match things.get(..SHOWN) {
        Some(first) if things.len() > SHOWN => {
            format!("{} and {} more", first.join(", "), things.len() - SHOWN)
        }
        _ => things.join(", "),
    }
}

/// A manifest by its name and number.
fn manifest(bytes: &[u8]) -> String {
    let Ok(envelope) = Envelope::decode(bytes) else {
        return format!("{} bytes that are no manifest", bytes.len());
    };
    match envelope.unverified_manifest() {
        Ok(manifest) => {
            let common = &manifest.common;
            let id = manifest.component_id.as_ref().or(common.components.first());
            let name = id.map_or_else(|| "a manifest".into(), ToString::to_string);
            format!("{name} #{}", manifest.sequence_number.0)
        }
        Err(_) => "a manifest that is broken".into(),
    }
}
