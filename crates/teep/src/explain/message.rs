//! The five messages, element by element.

use alloc::{format, string::String, vec::Vec};

use tamarack_suit::{Profile, Report};

use super::{
    cose::{Structure, algorithm_text},
    item::{Item, Value},
    node::{Content, Node},
    rules::Facts,
    walk::{Walk, source},
};
use crate::{
    Challenge, DataItems, ErrorCode, Numbering, Token,
    message::{elements, options_of},
    numbering::{Label, MessageType},
};

impl MessageType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::QueryRequest => "QueryRequest",
            Self::QueryResponse => "QueryResponse",
            Self::Update => "Update",
            Self::Success => "Success",
            Self::Error => "Error",
        }
    }
}

impl Label {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SupportedTeepCipherSuites => "supported-teep-cipher-suites",
            Self::Challenge => "challenge",
            Self::Versions => "versions",
            Self::SupportedSuitCoseProfiles => "supported-suit-cose-profiles",
            Self::SelectedVersion => "selected-version",
            Self::AttestationPayload => "attestation-payload",
            Self::TcList => "tc-list",
            Self::ExtList => "ext-list",
            Self::ManifestList => "manifest-list",
            Self::Msg => "msg",
            Self::ErrMsg => "err-msg",
            Self::AttestationPayloadFormat => "attestation-payload-format",
            Self::RequestedTcList => "requested-tc-list",
            Self::UnneededManifestList => "unneeded-manifest-list",
            Self::ComponentId => "component-id",
            Self::TcManifestSequenceNumber => "tc-manifest-sequence-number",
            Self::HaveBinary => "have-binary",
            Self::SuitReports => "suit-reports",
            Self::Token => "token",
            Self::SupportedFreshnessMechanisms => "supported-freshness-mechanisms",
            Self::ErrLang => "err-lang",
            Self::ErrCode => "err-code",
        }
    }

    /// The number, which fits: there are fewer than 24.
    fn signed_number(self, numbering: Numbering) -> i64 {
        i64::try_from(self.number(numbering)).unwrap_or(i64::MAX)
    }
}

/// Whether an item looks like a message: an array that starts with a small number.
pub(super) fn is_message(item: &Item<'_>) -> bool {
    let first = item.array().and_then(<[_]>::first);
    first.is_some_and(|first| first.uint().is_some())
}

/// The message type of an item, if it is one in this numbering.
pub(super) fn kind_of(item: &Item<'_>, numbering: Numbering) -> Option<MessageType> {
    MessageType::from_number(item.array()?.first()?.uint()?, numbering)
}

impl Walk<'_> {
    /// Shows a message.
    pub(super) fn message(&mut self, item: &Item<'_>, numbering: Numbering) -> Content {
        match kind_of(item, numbering) {
            Some(kind) => self.under(kind.name(), |walk| walk.message_of(item, kind, numbering)),
            None => self.under("message", |walk| walk.no_message(item)),
        }
    }

    fn no_message(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        let first = item.array().and_then(<[_]>::first);
        match first.map(|first| (first, first.uint())) {
            Some((first, Some(number))) => {
                let what = match number {
                    0 | 4 | 7..=23 => format!("message type {number} is reserved"),
                    number => format!("{number} is no message type"),
                };
                self.under("type", |walk| walk.problem(first, what, source::MESSAGE));
            }
            Some((first, None)) => {
                self.under("type", |walk| {
                    drop(walk.wrong(first, "a message type", source::MESSAGE));
                });
            }
            None if item.fault.is_none() => {
                self.problem(
                    item,
                    "a message is an array that starts with its type",
                    source::MESSAGE,
                );
            }
            None => {}
        }
        self.anything(item)
    }

    fn message_of(&mut self, item: &Item<'_>, kind: MessageType, numbering: Numbering) -> Content {
        self.encoding(item);
        let items = item.array().unwrap_or_default();
        let expected = elements(kind);
        if items.len() != expected
            && items.iter().all(|item| item.fault.is_none())
            && item.fault.is_none()
        {
            let what = format!(
                "{} has {expected} elements, this one {}",
                kind.name(),
                items.len()
            );
            let at = items.get(expected).unwrap_or(item);
            self.problem(at, what, source::CDDL);
        }
        let mut facts = Facts::new(kind);
        let mut nodes = Vec::new();
        if let Some(options) = items.get(1) {
            let content = self.under("options", |walk| {
                walk.options(options, &mut facts, numbering)
            });
            nodes.push(Node::plain("options", content));
        }
        for (at, element) in items.iter().enumerate().skip(2) {
            let name = match (kind, at) {
                (MessageType::QueryRequest, 2) => Label::SupportedTeepCipherSuites.name(),
                (MessageType::QueryRequest, 3) => Label::SupportedSuitCoseProfiles.name(),
                (MessageType::QueryRequest, 4) => "data-item-requested",
                (MessageType::Error, 2) => Label::ErrCode.name(),
                _ => {
                    let name = format!("[{at}]");
                    let content = self.under(&name, |walk| walk.anything(element));
                    nodes.push(Node::new(name, None, content));
                    continue;
                }
            };
            let content = self.under(name, |walk| match (kind, at) {
                (MessageType::QueryRequest, 2) => walk.cipher_suites(element),
                (MessageType::QueryRequest, 3) => walk.profiles(element),
                (MessageType::QueryRequest, _) => walk.data_items(element, &mut facts),
                _ => walk.error_code(element, &mut facts, numbering),
            });
            nodes.push(Node::plain(name, content));
        }
        let companions = self.presence(&facts);
        nodes.extend(
            companions.map(|text| Node::plain("to accompany the error", Content::text(text))),
        );
        Content::Map(nodes)
    }

    fn options<'i>(
        &mut self,
        item: &'i Item<'i>,
        facts: &mut Facts<'i>,
        numbering: Numbering,
    ) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a map of options", source::MESSAGE);
        };
        let meant = options_of(facts.kind);
        let mut nodes = Vec::new();
        for (key, value) in entries {
            let Some(number) = key.uint() else {
                let name = self.key(key);
                if !matches!(key.value, Value::Broken) {
                    self.problem(key, "a label is an unsigned integer", source::MESSAGE);
                }
                nodes.push(Node::new(name, None, self.anything(value)));
                continue;
            };
            let Some(label) = Label::from_number(number, numbering) else {
                let what = match number {
                    0 | 5 => format!("label {number} is reserved"),
                    _ => format!("label {number} is not registered; receivers pass over it"),
                };
                let name = format!("label {number}");
                let content = self.under(&name, |walk| {
                    walk.encoding(key);
                    walk.note(key, what, source::LABELS);
                    walk.anything(value)
                });
                nodes.push(Node::new(name, None, content));
                continue;
            };
            let (name, number) = (label.name(), label.signed_number(numbering));
            let content = self.under(format_args!("{name} ({number})"), |walk| {
                walk.encoding(key);
                if !meant.contains(&label) {
                    let what = format!(
                        "{name} has no place in {} messages; receivers pass over it",
                        facts.kind.name()
                    );
                    walk.note(key, what, source::LABELS);
                    return walk.anything(value);
                }
                facts.options.push((label, key));
                walk.option(label, value, facts, numbering)
            });
            nodes.push(Node::new(name, Some(number), content));
        }
        match nodes.is_empty() {
            true => Content::text("none"),
            false => Content::Map(nodes),
        }
    }

    fn option(
        &mut self,
        label: Label,
        item: &Item<'_>,
        facts: &mut Facts<'_>,
        numbering: Numbering,
    ) -> Content {
        const RULES: &str = source::CDDL;
        match label {
            Label::Token => {
                facts.token = item.bytes().map(|octets| octets.content.to_vec());
                self.octets(item, Token::MIN..=Token::MAX, RULES)
            }
            Label::Challenge => {
                let content = self.octets(item, Challenge::MIN..=Challenge::MAX, RULES);
                if item.bytes().is_some_and(|octets| octets.content.len() > 64) {
                    self.note(
                        item,
                        "longer than the 64 bytes of an EAT's nonce",
                        source::EAT_PROFILE,
                    );
                }
                content
            }
            Label::Versions => self.list(item, 1, RULES, |walk, one| walk.uint32(one, RULES)),
            Label::ExtList => self.list(item, 0, RULES, |walk, one| walk.uint32(one, RULES)),
            Label::SelectedVersion => self.uint32(item, RULES),
            Label::SupportedTeepCipherSuites => self.cipher_suites(item),
            Label::SupportedSuitCoseProfiles => self.profiles(item),
            Label::SupportedFreshnessMechanisms => self.list(item, 1, RULES, |walk, one| {
                facts.freshness.extend(one.uint());
                match one.uint() {
                    Some(0) => Content::text("nonce (0)"),
                    Some(1) => Content::text("timestamp (1)"),
                    _ => walk.uint(one, RULES),
                }
            }),
            Label::Msg | Label::ErrMsg => self.text(item, 1..=128, RULES),
            Label::ErrLang => self.text(item, 1..=35, RULES),
            Label::ErrCode => self.error_code(item, facts, numbering),
            Label::AttestationPayloadFormat => {
                let content = self.text(item, 0..=usize::MAX, RULES);
                if let Value::Text(text) = &item.value
                    && crate::MediaType::parse(text).is_none()
                {
                    self.problem(item, "not a media type", source::QUERY_REQUEST);
                }
                content
            }
            Label::AttestationPayload => {
                self.encoding(item);
                match item.bytes() {
                    Some(octets) => self.token(octets),
                    None => self.wrong(item, "a byte string", RULES),
                }
            }
            Label::SuitReports => self.list(item, 1, RULES, |walk, one| {
                walk.encoding(one);
                let Some(octets) = one.bytes() else {
                    return walk.wrong(one, "a byte string that holds a SUIT_Report", RULES);
                };
                let mut found: Option<Report> = None;
                let content = walk.report(octets, &mut found);
                if let Some(report) = found {
                    facts
                        .reports
                        .push((octets.origin.locate(0), walk.path(), report.nonce));
                }
                content
            }),
            Label::ManifestList => self.list(item, 1, RULES, |walk, one| {
                walk.encoding(one);
                match one.bytes() {
                    Some(octets) => walk.manifest(octets),
                    None => walk.wrong(one, "a byte string that holds a SUIT_Envelope", RULES),
                }
            }),
            Label::TcList => self.list(item, 0, RULES, Self::property_claims),
            Label::RequestedTcList => self.list(item, 1, RULES, |walk, one| {
                walk.requested_component(one, numbering)
            }),
            Label::UnneededManifestList => {
                self.list(item, 1, RULES, |walk, one| walk.component_id(one, RULES))
            }
            // Inside of requested-tc-info only; no message means them.
            Label::ComponentId | Label::TcManifestSequenceNumber | Label::HaveBinary => {
                self.anything(item)
            }
        }
    }

    fn requested_component(&mut self, item: &Item<'_>, numbering: Numbering) -> Content {
        self.encoding(item);
        let Some(entries) = item.map() else {
            return self.wrong(item, "a map of requested-tc-info", source::CDDL);
        };
        let mut nodes = Vec::new();
        let (mut component, mut number, mut binary) = (false, false, None);
        for (key, value) in entries {
            let label = key
                .uint()
                .and_then(|key| Label::from_number(key, numbering));
            let known = [
                Label::ComponentId,
                Label::TcManifestSequenceNumber,
                Label::HaveBinary,
            ];
            let Some(label) = label.filter(|label| known.contains(label)) else {
                let name = self.key(key);
                let is_broken = matches!(key.value, Value::Broken);
                let content = self.under(&name, |walk| {
                    if key.uint().is_some() {
                        walk.note(key, "not known in requested-tc-info", source::LABELS);
                    } else if !is_broken {
                        walk.problem(key, "a label is an unsigned integer", source::CDDL);
                    }
                    walk.anything(value)
                });
                nodes.push(Node::new(name, None, content));
                continue;
            };
            let (name, shown) = (label.name(), label.signed_number(numbering));
            let content = self.under(format_args!("{name} ({shown})"), |walk| {
                walk.encoding(key);
                match (label, &value.value) {
                    (Label::ComponentId, _) => {
                        component = true;
                        walk.component_id(value, source::CDDL)
                    }
                    (Label::TcManifestSequenceNumber, _) => {
                        number = true;
                        walk.uint(value, source::CDDL)
                    }
                    (_, Value::Bool(flag)) => {
                        binary = flag.then_some(value);
                        walk.anything(value)
                    }
                    _ => walk.wrong(value, "true or false", source::CDDL),
                }
            });
            nodes.push(Node::new(name, Some(shown), content));
        }
        if !component && item.fault.is_none() {
            self.problem(item, "component-id is missing", source::CDDL);
        }
        // req: TEEP-MSG-047
        if let Some(binary) = binary
            && !number
        {
            let what = "have-binary is true, so tc-manifest-sequence-number must be there";
            self.under("have-binary", |walk| {
                walk.problem(binary, what, source::QUERY_RESPONSE);
            });
        }
        Content::Map(nodes)
    }

    fn cipher_suites(&mut self, item: &Item<'_>) -> Content {
        self.list(item, 1, source::SUITES, |walk, suite| {
            let mut names: Vec<String> = Vec::new();
            let content = walk.list(suite, 0, source::SUITES, |walk, operation| {
                walk.encoding(operation);
                match operation.array() {
                    Some([kind, algorithm])
                        if kind.uint().is_some() && algorithm.int().is_some() =>
                    {
                        let kind = kind.uint().unwrap_or_default();
                        let structure = Structure::of_tag(kind).map_or("unknown", Structure::name);
                        let algorithm = algorithm_text(algorithm.int().unwrap_or_default());
                        let text = format!("{structure} ({kind}) with {algorithm}");
                        names.push(text.clone());
                        Content::text(text)
                    }
                    _ => walk.wrong(operation, "[COSE type, COSE algorithm]", source::SUITES),
                }
            });
            match suite.array() {
                Some(items) if items.len() == names.len() && !items.is_empty() => {
                    Content::text(names.join(", then "))
                }
                _ => content,
            }
        })
    }

    fn profiles(&mut self, item: &Item<'_>) -> Content {
        self.list(item, 1, source::SUITES, |walk, profile| {
            let numbers: Option<Vec<i64>> = profile
                .array()
                .and_then(|items| items.iter().map(Item::int).collect());
            let Some(Ok(descriptor)) = numbers.map(<[i64; 4]>::try_from) else {
                return walk.wrong(profile, "an array of four algorithms", source::SUITES);
            };
            walk.encoding(profile);
            let registered = Profile::REGISTERED.iter();
            let name = registered
                .clone()
                .find(|(_, known)| *known == Profile::of(descriptor));
            match name {
                Some((name, _)) => Content::text(format!("{name} {descriptor:?}")),
                None => {
                    let names = descriptor.map(algorithm_text);
                    Content::text(names.join(", "))
                }
            }
        })
    }

    fn data_items<'i>(&mut self, item: &'i Item<'i>, facts: &mut Facts<'i>) -> Content {
        self.encoding(item);
        let Some(number) = item.uint() else {
            return self.wrong(
                item,
                "a bitmap, which is an unsigned integer,",
                source::QUERY_REQUEST,
            );
        };
        let items = DataItems(number);
        facts.data_items = Some((items, item));
        if items.unknown() != 0 {
            let what = format!("bits {:#x} are not registered", items.unknown());
            self.note(item, what, source::QUERY_REQUEST);
        }
        let names = [
            (DataItems::ATTESTATION, "attestation"),
            (DataItems::TRUSTED_COMPONENTS, "trusted-components"),
            (DataItems::EXTENSIONS, "extensions"),
            (DataItems::SUIT_REPORTS, "suit-reports"),
        ];
        let set = names.iter().filter(|(bit, _)| items.contains(*bit));
        let mut set: Vec<Content> = set
            .map(|(bit, name)| Content::text(format!("{name} ({})", bit.0)))
            .collect();
        if items.unknown() != 0 {
            set.push(Content::text(format!(
                "unknown bits {:#x}",
                items.unknown()
            )));
        }
        Content::List(set)
    }

    fn error_code(
        &mut self,
        item: &Item<'_>,
        facts: &mut Facts<'_>,
        numbering: Numbering,
    ) -> Content {
        self.encoding(item);
        let Some(number) = item.uint() else {
            return self.wrong(
                item,
                "an error code, which is an unsigned integer,",
                source::ERROR,
            );
        };
        let code = ErrorCode::from_number(number, numbering);
        facts.code = Some((code, item.offset));
        match (number, code.name()) {
            (0, _) => {
                self.problem(item, "error code 0 is never sent", source::ERROR);
                Content::text("reserved (0)")
            }
            (_, Some(name)) => Content::text(format!("{name} ({number})")),
            (_, None) => {
                let what = format!("error code {number} is not registered: an unknown error");
                self.note(item, what, source::ERROR);
                Content::text(format!("unknown ({number})"))
            }
        }
    }
}
