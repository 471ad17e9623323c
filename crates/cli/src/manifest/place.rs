//! Where in a file something stands, and what.

use std::path::Path;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type};
use tamarack_suit::explain::{self, Content};

use crate::failure::Failure;

/// The content of a byte string.
pub(super) fn content(item: &[u8]) -> &[u8] {
    Reader::new(item).bytes("byte string").unwrap_or_default()
}

/// A failure to decode an envelope: what is wrong, at which byte, what stands there, and in which part.
pub(super) fn failure(path: &Path, bytes: &[u8], error: &DecodeError) -> Failure {
    let found = Found::at(bytes, error);
    let mut text = error.to_string();
    match found {
        Some(Found::Number(number)) => text += &format!(", where {number} stands"),
        Some(Found::Tag(tag)) => text += &format!(", where tag {tag} stands"),
        None => {}
    }
    let part = explain::locate(bytes, error.offset);
    if !part.is_empty() {
        text += &format!(", in {part}");
    }
    let failure = Failure::file(path, text);
    const EXPECTED: &str = "a SUIT envelope, in CBOR with or without tag 107, is expected";
    let content = Content::of(bytes);
    let then = found.and_then(|found| found.in_older_drafts(error.rule));
    match (then, content) {
        (Some(then), Content::Envelope) => failure.hint(then),
        (_, Content::Manifest) => failure.hint(format!(
            "this is a manifest without the envelope around it; {EXPECTED}"
        )),
        (_, Content::Cose(tag)) => failure.hint(format!(
            "this is a COSE structure (tag {tag}), such as a signature or what says how content is encrypted; {EXPECTED}"
        )),
        _ => failure.hint(EXPECTED),
    }
}

/// That a number was another one in earlier revisions of the drafts, whose envelopes are still about.
pub(super) fn older_draft(what: &str, then: i64, now: &str) -> String {
    format!("{what} was {then} in older drafts, and is {now}: the file was made for one of them")
}

/// What stands where something else was expected.
#[derive(Clone, Copy)]
enum Found {
    Number(i64),
    Tag(u64),
}

impl Found {
    fn at(bytes: &[u8], error: &DecodeError) -> Option<Self> {
        if !matches!(
            error.problem,
            Problem::Expected(_) | Problem::OutOfBounds(_)
        ) {
            return None;
        }
        let mut reader = Reader::new(bytes.get(error.offset..)?);
        match reader.peek() {
            Type::Tag => reader.tag("found").ok().map(Self::Tag),
            Type::Uint | Type::NegativeInt => reader.int("found").ok().map(Self::Number),
            _ => None,
        }
    }

    /// What it was in earlier revisions of the drafts.
    fn in_older_drafts(self, rule: &str) -> Option<String> {
        let (what, then, now) = match (rule, self) {
            ("SUIT_Envelope", Self::Tag(48)) => ("the tag of an envelope", 48, "107"),
            ("SUIT_Envelope", Self::Number(1)) => ("delegation", 1, "reserved"),
            ("SUIT_Manifest", Self::Number(10)) => ("validate", 10, "7"),
            ("SUIT_Manifest", Self::Number(11)) => ("load", 11, "8"),
            ("SUIT_Manifest", Self::Number(12)) => ("run, now invoke,", 12, "9"),
            ("SUIT_Manifest", Self::Number(13)) => ("text", 13, "23"),
            ("SUIT_Manifest", Self::Number(17)) => ("install", 17, "20"),
            _ => return None,
        };
        Some(older_draft(what, then, now))
    }
}
