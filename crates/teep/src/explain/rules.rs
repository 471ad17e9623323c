//! What one message says must agree with itself: rules about what goes together.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    item::Item,
    walk::{Walk, source},
};
use crate::{
    DataItems, ErrorCode,
    numbering::{Label, MessageType},
};

/// What a message was found to hold.
pub(super) struct Facts<'i> {
    pub(super) kind: MessageType,
    message: &'i Item<'i>,
    /// The options that mean something in the message, with their keys.
    pub(super) options: Vec<(Label, &'i Item<'i>)>,
    pub(super) token: Option<Vec<u8>>,
    pub(super) freshness: Vec<u64>,
    pub(super) data_items: Option<(DataItems, &'i Item<'i>)>,
    /// The error code and where it stands.
    pub(super) code: Option<(ErrorCode, usize)>,
    /// Of each report that could be read: where it starts, its path, its nonce.
    pub(super) reports: Vec<(usize, String, Option<Vec<u8>>)>,
}

impl<'i> Facts<'i> {
    pub(super) fn new(kind: MessageType, message: &'i Item<'i>) -> Self {
        Self {
            kind,
            message,
            options: Vec::new(),
            token: None,
            freshness: Vec::new(),
            data_items: None,
            code: None,
            reports: Vec::new(),
        }
    }

    fn key(&self, label: Label) -> Option<&'i Item<'i>> {
        let found = self.options.iter().find(|(known, _)| *known == label);
        found.map(|(_, key)| *key)
    }

    fn has(&self, label: Label) -> bool {
        self.key(label).is_some()
    }
}

impl Walk<'_> {
    /// Checks what goes together. Returns what must accompany an error code, and whether it does.
    pub(super) fn presence(&mut self, facts: &Facts<'_>) -> Option<String> {
        // req: TEEP-VAL-005
        if let Some(format) = facts.key(Label::AttestationPayloadFormat)
            && !facts.has(Label::AttestationPayload)
        {
            let what = "the format of an attestation-payload that is not there";
            self.at_option(Label::AttestationPayloadFormat, |walk| {
                walk.problem(format, what, source::VALIDATION);
            });
        }
        if let Some(language) = facts.key(Label::ErrLang)
            && !facts.has(Label::ErrMsg)
        {
            self.at_option(Label::ErrLang, |walk| {
                walk.note(
                    language,
                    "the language of an err-msg that is not there",
                    source::ERROR,
                );
            });
        }
        match facts.kind {
            MessageType::QueryRequest => self.freshness(facts),
            MessageType::QueryResponse | MessageType::Success | MessageType::Error => {
                self.report_nonces(facts);
            }
            MessageType::Update => {}
        }
        self.companions(facts)
    }

    fn at_option(&mut self, label: Label, say: impl FnOnce(&mut Self)) {
        self.under("options", |walk| walk.under(label.name(), say));
    }

    // req: TEEP-MSG-022
    // req: TEEP-MSG-023
    fn freshness(&mut self, facts: &Facts<'_>) {
        let Some((items, bitmap)) = facts.data_items else {
            return;
        };
        const SOURCE: &str = source::QUERY_REQUEST;
        let (token, challenge) = (facts.key(Label::Token), facts.key(Label::Challenge));
        if items.contains(DataItems::ATTESTATION) {
            match (token, challenge) {
                (Some(token), Some(_)) => self.at_option(Label::Token, |walk| {
                    let what = "a token beside a challenge: where attestation is asked for, the challenge \
                                goes alone or, for the Passport model, the token";
                    walk.problem(token, what, SOURCE);
                }),
                (None, None) if facts.freshness.is_empty() || facts.freshness.contains(&0) => {
                    self.under("data-item-requested", |walk| {
                        let what = "attestation is asked for with neither challenge nor token: nothing \
                                    makes a nonce";
                        walk.problem(bitmap, what, SOURCE);
                    });
                }
                _ => {}
            }
            return;
        }
        if token.is_none() {
            self.under("data-item-requested", |walk| {
                walk.problem(
                    bitmap,
                    "the attestation bit is clear, so a token must be there",
                    SOURCE,
                );
            });
        }
        for label in [Label::Challenge, Label::SupportedFreshnessMechanisms] {
            if let Some(key) = facts.key(label) {
                let what = format!(
                    "{} goes with the attestation bit, which is clear",
                    label.name()
                );
                self.at_option(label, |walk| walk.problem(key, what, SOURCE));
            }
        }
    }

    // req: TEEP-MSG-083
    fn report_nonces(&mut self, facts: &Facts<'_>) {
        let Some(token) = &facts.token else { return };
        let source = match facts.kind {
            MessageType::QueryResponse => source::QUERY_RESPONSE,
            MessageType::Success => "TEEP protocol, section 4.5",
            _ => source::ERROR,
        };
        for (offset, path, nonce) in &facts.reports {
            let what = match nonce {
                Some(nonce) if nonce == token => continue,
                Some(_) => "the report's nonce (2) is not the token of this message",
                None => "the report has no nonce (2); the token of this message must be its nonce",
            };
            // The path of the report starts with that of the message.
            let within = self.path();
            let place = path
                .strip_prefix(&within)
                .unwrap_or(path)
                .trim_start_matches(" / ");
            self.under(place.to_string(), |walk| {
                walk.problem_at(*offset, what, source)
            });
        }
    }

    // req: TEEP-ERR-003
    // req: TEEP-ERR-006
    // req: TEEP-ERR-009
    fn companions(&mut self, facts: &Facts<'_>) -> Option<String> {
        let (code, offset) = facts.code?;
        let in_error = facts.kind == MessageType::Error;
        let source = if in_error {
            source::ERROR
        } else {
            source::UPDATE
        };
        // What must be there, and what should.
        let (must, should): (Option<Label>, Option<Label>) = match code {
            ErrorCode::PERMANENT_ERROR
            | ErrorCode::UNSUPPORTED_EXTENSION
            | ErrorCode::BAD_CERTIFICATE => (None, Some(Label::ErrMsg)),
            ErrorCode::UNSUPPORTED_FRESHNESS_MECHANISMS => {
                (Some(Label::SupportedFreshnessMechanisms), None)
            }
            ErrorCode::UNSUPPORTED_MSG_VERSION if in_error => (Some(Label::Versions), None),
            ErrorCode::UNSUPPORTED_CIPHER_SUITES => (Some(Label::SupportedTeepCipherSuites), None),
            ErrorCode::ATTESTATION_REQUIRED if in_error => (
                Some(Label::SupportedFreshnessMechanisms),
                Some(Label::Challenge),
            ),
            ErrorCode::ATTESTATION_REQUIRED => (Some(Label::ErrMsg), None),
            ErrorCode::UNSUPPORTED_SUIT_REPORT => (Some(Label::SupportedSuitCoseProfiles), None),
            ErrorCode::MANIFEST_PROCESSING_FAILED => (None, Some(Label::SuitReports)),
            _ => (None, None),
        };
        let only_from_agents = [
            ErrorCode::UNSUPPORTED_FRESHNESS_MECHANISMS,
            ErrorCode::UNSUPPORTED_CIPHER_SUITES,
            ErrorCode::UNSUPPORTED_SUIT_REPORT,
            ErrorCode::MANIFEST_PROCESSING_FAILED,
        ];
        if !in_error && only_from_agents.contains(&code) {
            self.under("options / err-code", |walk| {
                walk.problem_at(offset, format!("{code} is for an agent to send"), source);
            });
            return None;
        }
        if let Some(label) = must.filter(|label| !facts.has(*label)) {
            let what = format!("{code} must come with {}", label.name());
            self.under("err-code", |walk| walk.problem_at(offset, what, source));
        }
        if let Some(label) = should.filter(|label| !facts.has(*label)) {
            let what = match code {
                ErrorCode::ATTESTATION_REQUIRED => {
                    "challenge is absent; a nonce needs one".to_string()
                }
                code => format!("{code} should come with {}", label.name()),
            };
            self.under("err-code", |walk| walk.note(facts.message, what, source));
        }
        let say = |label: Label, word: &str| {
            let there = if facts.has(label) { "there" } else { "missing" };
            format!("{} ({word}): {there}", label.name())
        };
        let must = must.map(|label| say(label, "must"));
        let should = should.map(|label| say(label, "should"));
        let parts: Vec<String> = must.into_iter().chain(should).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
