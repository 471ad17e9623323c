use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, ops::RangeInclusive};

use tamarack_cose::{
    CryptoProvider, PublicKey,
    cbor::{DecodeError, Problem},
    encrypt::RecipientKey,
};
use tamarack_suit::explain::Tree;

use super::{
    item::{Fault, Item, Octets, Value, Whole},
    node::{Content, Finding, Severity},
};

/// What is known before a message is looked at.
#[derive(Clone, Copy)]
pub struct Knowledge<'k> {
    /// Digests and signatures are computed with this.
    pub crypto: &'k CryptoProvider,
    /// Keys that may have signed, by what they are called.
    pub keys: &'k [(String, PublicKey)],
    /// Keys by which encrypted parts may be opened.
    pub recipient_keys: &'k [RecipientKey],
}

pub(super) mod source {
    pub(crate) const CBOR: &str = "RFC 8949, section 5.3";
    pub(crate) const COSE: &str = "RFC 9052, section 3";
    pub(crate) const EAT: &str = "RFC 9711, section 4";
    pub(crate) const SUIT: &str = "draft-ietf-suit-manifest";
    pub(crate) const REPORT: &str = "draft-ietf-suit-report";
    pub(crate) const MESSAGE: &str = "TEEP protocol, section 4";
    pub(crate) const VALIDATION: &str = "TEEP protocol, section 4.1.2";
    pub(crate) const QUERY_REQUEST: &str = "TEEP protocol, section 4.2";
    pub(crate) const QUERY_RESPONSE: &str = "TEEP protocol, section 4.3";
    pub(crate) const UPDATE: &str = "TEEP protocol, section 4.4";
    pub(crate) const ERROR: &str = "TEEP protocol, section 4.6";
    pub(crate) const EAT_PROFILE: &str = "TEEP protocol, section 5";
    pub(crate) const LABELS: &str = "TEEP protocol, section 6";
    pub(crate) const SUITES: &str = "TEEP protocol, section 8";
    pub(crate) const CDDL: &str = "TEEP protocol, appendix C";
}

/// Most findings that are kept: a person reads the first few.
const MOST: usize = 256;

/// Byte strings within byte strings that are looked into.
const NESTED: usize = 12;

/// Takes a message apart, and notes what is wrong where.
pub(super) struct Walk<'k> {
    pub(super) knowledge: Knowledge<'k>,
    path: Vec<String>,
    nested: usize,
    pub(super) findings: Vec<Finding>,
}

impl<'k> Walk<'k> {
    pub(super) fn new(knowledge: Knowledge<'k>) -> Self {
        Self {
            knowledge,
            path: Vec::new(),
            nested: 0,
            findings: Vec::new(),
        }
    }

    pub(super) fn has_problem(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.severity == Severity::Problem)
    }

    /// Looks at a part, which has this name in paths.
    pub(super) fn under<T>(
        &mut self,
        name: impl fmt::Display,
        look: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.path.push(name.to_string());
        let seen = look(self);
        self.path.pop();
        seen
    }

    pub(super) fn path(&self) -> String {
        self.path.join(" / ")
    }

    fn find(
        &mut self,
        severity: Severity,
        (offset, length): (usize, usize),
        what: impl fmt::Display,
        source: &'static str,
    ) {
        if self.findings.len() >= MOST {
            return;
        }
        let finding = Finding {
            severity,
            offset,
            length: length.max(1),
            path: self.path(),
            what: what.to_string(),
            source,
        };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    pub(super) fn problem(
        &mut self,
        item: &Item<'_>,
        what: impl fmt::Display,
        source: &'static str,
    ) {
        self.find(
            Severity::Problem,
            (item.offset, item.raw.len()),
            what,
            source,
        );
    }

    pub(super) fn problem_at(
        &mut self,
        offset: usize,
        what: impl fmt::Display,
        source: &'static str,
    ) {
        self.find(Severity::Problem, (offset, 1), what, source);
    }

    pub(super) fn note(&mut self, item: &Item<'_>, what: impl fmt::Display, source: &'static str) {
        self.find(Severity::Note, (item.offset, item.raw.len()), what, source);
    }

    /// What a decoder refused in a part.
    pub(super) fn refused(
        &mut self,
        part: &Octets<'_>,
        error: &DecodeError,
        place: &str,
        source: &'static str,
    ) {
        let offset = part.origin.locate(error.offset);
        let what = format!("{}: {}", error.rule, error.problem);
        let known =
            |finding: &Finding| finding.severity == Severity::Problem && finding.offset == offset;
        // Its cause may have been noted already, with better words.
        if self.findings.iter().any(known) {
            return;
        }
        match place {
            "" => self.problem_at(offset, what, source),
            place => self.under(place, |walk| walk.problem_at(offset, what, source)),
        }
    }

    /// Notes what is wrong with the encoding of an item itself, not of those in it.
    pub(super) fn encoding(&mut self, item: &Item<'_>) {
        if let Some(Fault { offset, problem }) = item.fault {
            let what = match problem {
                Problem::Truncated => "the input ends in the middle of this".to_string(),
                Problem::DuplicateKey => "the key occurs twice in its map".to_string(),
                problem => problem.to_string(),
            };
            self.find(Severity::Problem, (offset, 1), what, source::CBOR);
        }
    }

    /// Opens a byte string that should hold one item.
    pub(super) fn open<T>(
        &mut self,
        octets: &Octets<'_>,
        look: impl FnOnce(&mut Self, &Item<'_>) -> T,
    ) -> Option<T> {
        if self.nested >= NESTED {
            self.problem_at(
                octets.origin.locate(0),
                "nested too deeply to be shown",
                source::CBOR,
            );
            return None;
        }
        self.nested += 1;
        let Whole { item, rest } = octets.item();
        let seen = look(self, &item);
        if let Some(rest) = rest {
            self.problem_at(rest, "bytes follow the end of the item", source::CBOR);
        }
        self.nested -= 1;
        Some(seen)
    }

    /// Says that another kind of item belongs here, unless the item could not be read at all; then shows it.
    pub(super) fn wrong(
        &mut self,
        item: &Item<'_>,
        expected: &str,
        source: &'static str,
    ) -> Content {
        self.encoding(item);
        if !matches!(item.value, Value::Broken) {
            let what = format!("{expected} is expected, not {}", item.kind());
            self.problem(item, what, source);
        }
        self.anything(item)
    }

    pub(super) fn uint(&mut self, item: &Item<'_>, source: &'static str) -> Content {
        match item.uint() {
            Some(number) => Content::Leaf(Tree::Number(number.into())),
            None => self.wrong(item, "an unsigned integer", source),
        }
    }

    /// `uint .size 4`.
    pub(super) fn uint32(&mut self, item: &Item<'_>, source: &'static str) -> Content {
        if item
            .uint()
            .is_some_and(|number| u32::try_from(number).is_err())
        {
            self.problem(item, "the number has more than 4 bytes", source);
        }
        self.uint(item, source)
    }

    /// A byte string of a size, as it is.
    pub(super) fn octets(
        &mut self,
        item: &Item<'_>,
        sizes: RangeInclusive<usize>,
        source: &'static str,
    ) -> Content {
        self.encoding(item);
        let Some(octets) = item.bytes() else {
            return self.wrong(item, "a byte string", source);
        };
        self.size(item, octets.content.len(), sizes, source);
        Content::hex(&octets.content)
    }

    /// Text of a size in bytes.
    pub(super) fn text(
        &mut self,
        item: &Item<'_>,
        sizes: RangeInclusive<usize>,
        source: &'static str,
    ) -> Content {
        self.encoding(item);
        let Value::Text(text) = &item.value else {
            return self.wrong(item, "a text string", source);
        };
        self.size(item, text.len(), sizes, source);
        Content::text(text)
    }

    fn size(
        &mut self,
        item: &Item<'_>,
        size: usize,
        sizes: RangeInclusive<usize>,
        source: &'static str,
    ) {
        if sizes.contains(&size) || item.fault.is_some() {
            return;
        }
        let bytes = |number: usize| match number {
            1 => "1 byte".to_string(),
            number => format!("{number} bytes"),
        };
        let (least, most) = (sizes.start(), sizes.end());
        let what = match *most {
            usize::MAX => format!(
                "{} long; at least {} are allowed",
                bytes(size),
                bytes(*least)
            ),
            most => format!(
                "{} long; {least} to {} are allowed",
                bytes(size),
                bytes(most)
            ),
        };
        self.problem(item, what, source);
    }

    /// An array with `least` items or more, each shown by `show`.
    pub(super) fn list(
        &mut self,
        item: &Item<'_>,
        least: usize,
        source: &'static str,
        mut show: impl FnMut(&mut Self, &Item<'_>) -> Content,
    ) -> Content {
        self.encoding(item);
        let Some(items) = item.array() else {
            return self.wrong(item, "an array", source);
        };
        if items.len() < least && item.fault.is_none() {
            self.problem(item, "an empty list, where one entry is the least", source);
        }
        let shown = items
            .iter()
            .enumerate()
            .map(|(at, item)| self.under(format_args!("[{at}]"), |walk| show(walk, item)));
        Content::List(shown.collect())
    }

    /// An item of which nothing is known. What is wrong with its encoding is noted.
    pub(super) fn anything(&mut self, item: &Item<'_>) -> Content {
        self.encoding(item);
        match &item.value {
            Value::Uint(number) => Content::Leaf(Tree::Number((*number).into())),
            Value::Negative(number) => Content::Leaf(Tree::Number(-1 - i128::from(*number))),
            Value::Bytes(octets) => Content::start_of(&octets.content),
            Value::Text(text) => Content::text(text),
            Value::Bool(flag) => Content::Leaf(Tree::Flag(*flag)),
            Value::Null => Content::text("null"),
            Value::Float(number) => Content::text(number),
            Value::Simple(number) => Content::text(format_args!("simple({number})")),
            Value::Broken => Content::text("(broken)"),
            Value::Tag(tag, inner) => {
                let content = self.under(format_args!("tag {tag}"), |walk| walk.anything(inner));
                match content {
                    Content::Leaf(Tree::Text(text)) => Content::text(format_args!("{tag}({text})")),
                    content => Content::Map(Vec::from([super::Node::new(
                        format!("tag {tag}"),
                        None,
                        content,
                    )])),
                }
            }
            Value::Array(items) => Content::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| {
                        self.under(format_args!("[{at}]"), |walk| walk.anything(item))
                    })
                    .collect(),
            ),
            Value::Map(entries) => Content::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let name = self.key(key);
                        let content = self.under(&name, |walk| walk.anything(value));
                        super::Node::new(name, None, content)
                    })
                    .collect(),
            ),
        }
    }

    /// A key of a map, as a name. What is wrong with it is noted.
    pub(super) fn key(&mut self, key: &Item<'_>) -> String {
        let name = match &key.value {
            Value::Uint(number) => number.to_string(),
            Value::Negative(number) => (-1 - i128::from(*number)).to_string(),
            Value::Text(text) => text.to_string(),
            Value::Bytes(octets) => {
                format!("0x{}", base16ct::lower::encode_string(&octets.content))
            }
            _ => key.kind().to_string(),
        };
        self.under(&name, |walk| match key.value {
            Value::Array(_) | Value::Map(_) | Value::Tag(..) => drop(walk.anything(key)),
            _ => walk.encoding(key),
        });
        name
    }
}
