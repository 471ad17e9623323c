//! Messages for people: every part by its name in the standard, and what is wrong, where.
//!
//! [`explain`] takes any bytes. What can be made out is shown, down to the claims of tokens, the records of
//! reports and the commands of manifests; what is wrong is listed as [`Finding`]s, each with the byte of the
//! input where it is, however deep it is nested. Nothing of it is to be acted on: the decoders are
//! [`Protected`](crate::Protected) and [`Message`].
//!
//! ```
//! use tamarack_teep::explain::{Knowledge, explain};
//!
//! let crypto = tamarack_cose::rustcrypto::provider();
//! let knowledge = Knowledge { crypto: &crypto, keys: &[], recipient_keys: &[] };
//! // A Success with a token of two bytes.
//! let explained = explain(&[0x82, 0x05, 0xa1, 0x14, 0x42, 0x01, 0x02], knowledge);
//! assert_eq!(explained.name, Some("Success"));
//! let finding = &explained.findings[0];
//! assert_eq!((finding.offset, &*finding.path), (4, "Success / options / token (20)"));
//! assert_eq!(finding.what, "2 bytes long; 8 to 64 bytes are allowed");
//! ```

mod claims;
mod cose;
mod diagnostic;
mod item;
mod jwt;
mod message;
mod node;
mod rules;
mod suit;
mod walk;

use alloc::{format, string::String, vec::Vec};

use tamarack_cose::cbor::Limits;

pub use diagnostic::diagnostic;
pub use node::{Content, Finding, Node, Severity};
pub use walk::Knowledge;

use crate::{Message, Numbering, numbering::MessageType};
use cose::{LIMITS, Structure};
use item::{Item, Octets, Value, Whole};
use message::{is_message, kind_of};
use walk::{Walk, source};

/// A message, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The message's name in the draft, or what else the input is: `EAT`. `None` if it is not known.
    pub name: Option<&'static str>,
    /// The numbering that makes the most sense of it.
    pub numbering: Numbering,
    /// The name of the COSE structure around it, if there is one.
    pub structure: Option<&'static str>,
    /// The structure: headers and signatures.
    pub protection: Option<Content>,
    /// The name and the thumbprint of the key that verified the signature, in hexadecimal.
    pub verified_by: Option<(String, String)>,
    /// The key id in the headers, of the first signature that has one.
    pub key_id: Option<Vec<u8>>,
    /// What is in it.
    pub content: Content,
    /// What a person should know, in the order of the bytes.
    pub findings: Vec<Finding>,
}

impl Explained {
    /// What is wrong, without what is merely worth a look.
    pub fn problems(&self) -> impl Iterator<Item = &Finding> {
        let mut findings = self.findings.iter();
        core::iter::from_fn(move || findings.find(|finding| finding.severity == Severity::Problem))
    }
}

/// Takes apart a TEEP message, protected or bare, or an EAT; whatever is wrong with it.
#[must_use]
pub fn explain(bytes: &[u8], knowledge: Knowledge<'_>) -> Explained {
    let octets = Octets::file(bytes);
    let Whole { item, rest } = octets.item();
    let mut walk = Walk::new(knowledge);
    let mut explained = Explained {
        name: None,
        numbering: Numbering::Sparse,
        structure: None,
        protection: None,
        verified_by: None,
        key_id: None,
        content: Content::text(""),
        findings: Vec::new(),
    };
    match Structure::of(&item, Structure::Sign) {
        // A message starts with a number, a COSE structure with a byte string.
        Some(structure) => protected(&mut walk, &item, structure, &mut explained),
        None if is_message(&item) => bare(&mut walk, &octets, &item, &mut explained),
        None => match walk.jwt(&octets) {
            Some(content) => {
                explained.name = Some("EAT");
                explained.content = content;
                explained.findings = walk.findings;
                return explained;
            }
            None => neither(&mut walk, &item, &mut explained),
        },
    }
    if let Some(rest) = rest {
        let name = explained.structure.or(explained.name).unwrap_or("input");
        walk.under(name, |walk| {
            walk.problem_at(rest, "bytes follow the end of the message", source::CBOR);
        });
    }
    if !walk.has_problem()
        && explained.structure.is_some()
        && let Err(error) = tamarack_cose::Signed::decode_within(bytes, &LIMITS)
        && explained.name != Some("EAT")
    {
        let what = format!("not accepted: {error}");
        let name = explained.structure.unwrap_or_default();
        walk.under(name, |walk| walk.problem_at(0, what, source::COSE));
    }
    explained.findings = walk.findings;
    explained.findings.sort_by_key(|finding| finding.offset);
    explained
}

fn protected(
    walk: &mut Walk<'_>,
    item: &Item<'_>,
    structure: Structure,
    explained: &mut Explained,
) {
    explained.structure = Some(structure.name());
    let mut name = None;
    let mut numbering = Numbering::Sparse;
    let mut shown_content = None;
    let shown = walk.under(structure.name(), |walk| {
        walk.cose(item, structure, b"EAT Encryption", |walk, payload| {
            if let Some(payload) = payload {
                let (found, used, content) = walk_payload(walk, payload);
                name = found;
                numbering = used;
                shown_content = Some(content);
                let size = format!("{} bytes", payload.content.len());
                return Node::plain("payload", Content::text(size));
            }
            Node::plain("payload", Content::text("none"))
        })
    });
    if shown_content.is_none()
        && matches!(structure, Structure::Sign1 | Structure::Sign)
        && !walk.has_problem()
    {
        let what = "the payload, which is the message, is missing";
        walk.under(structure.name(), |walk| {
            walk.problem(item, what, source::VALIDATION);
        });
    }
    if let Some((offset, why)) = shown.unverified
        && matches!(structure, Structure::Sign1 | Structure::Sign)
    {
        walk.under(format!("{} / signature", structure.name()), |walk| {
            walk.problem_at(offset, why, source::VALIDATION);
        });
    }
    if !matches!(structure, Structure::Sign1 | Structure::Sign) && name != Some("EAT") {
        let what = "a message comes in COSE_Sign1 or COSE_Sign";
        walk.under(structure.name(), |walk| {
            walk.note(item, what, source::SUITES);
        });
    }
    explained.name = name;
    explained.numbering = numbering;
    explained.verified_by = shown.signature.verified_by;
    explained.key_id = shown.signature.key_id;
    explained.protection = Some(Content::Map(shown.nodes));
    explained.content = shown_content.unwrap_or_else(|| Content::text("nothing"));
}

/// What is signed: a message, or the claims of an EAT.
fn walk_payload(
    walk: &mut Walk<'_>,
    payload: &Octets<'_>,
) -> (Option<&'static str>, Numbering, Content) {
    let is_claims = matches!(payload.content.first(), Some(0xa0..=0xbf));
    let shown = walk.open(payload, |walk, item| match is_claims {
        true => (
            Some("EAT"),
            Numbering::Sparse,
            walk.under("EAT", |walk| walk.claims(item)),
        ),
        false => {
            let (numbering, content) = message(walk, payload, item);
            let name = kind_of(item, numbering).map(MessageType::name);
            (name, numbering, content)
        }
    });
    shown.unwrap_or_else(|| (None, Numbering::Sparse, Content::text("nothing")))
}

fn bare(walk: &mut Walk<'_>, octets: &Octets<'_>, item: &Item<'_>, explained: &mut Explained) {
    let (numbering, content) = message(walk, octets, item);
    explained.name = kind_of(item, numbering).map(MessageType::name);
    explained.numbering = numbering;
    explained.content = content;
}

/// Shows a message in the numbering that a receiver would read it in or, if none would, in the one that
/// makes more sense of it.
fn message(walk: &mut Walk<'_>, octets: &Octets<'_>, item: &Item<'_>) -> (Numbering, Content) {
    let limits = Limits {
        depth: 16,
        ..LIMITS
    };
    let decoded = Message::decode(&octets.content, &limits);
    let before = walk.findings.clone();
    let (numbering, content) = match &decoded {
        Ok((_, encoding)) => (encoding.numbering, walk.message(item, encoding.numbering)),
        Err(_) => {
            let sparse = walk.message(item, Numbering::Sparse);
            let sparse_findings = core::mem::replace(&mut walk.findings, before.clone());
            let compact = walk.message(item, Numbering::Compact);
            match strangeness(&walk.findings) < strangeness(&sparse_findings) {
                true => (Numbering::Compact, compact),
                false => {
                    walk.findings = sparse_findings;
                    (Numbering::Sparse, sparse)
                }
            }
        }
    };
    // What the decoder refuses is refused, even if this walk sees nothing wrong.
    let mut found = walk.findings.iter().skip(before.len());
    let explains = found.any(|finding| finding.severity == Severity::Problem);
    if let Err(error) = decoded
        && !explains
    {
        let name = kind_of(item, numbering).map_or("message", MessageType::name);
        // Offsets of the decoder count in definite lengths; these are the same as long as there are no others.
        walk.under(name, |walk| {
            walk.refused(octets, &error, "", source::VALIDATION);
        });
    }
    (numbering, content)
}

/// How little sense a numbering makes of a message: what is wrong with the message itself. What is nested in
/// it, and where it is cut off, tells nothing about numbers.
fn strangeness(findings: &[Finding]) -> usize {
    let of_message = |finding: &&Finding| {
        finding.source.starts_with("TEEP protocol") && finding.source != source::EAT_PROFILE
    };
    findings.iter().filter(of_message).count()
}

/// An input that is neither a message nor in COSE nor JSON.
fn neither(walk: &mut Walk<'_>, item: &Item<'_>, explained: &mut Explained) {
    const CWT: u64 = 61;
    if let Value::Tag(CWT, inner) = &item.value
        && let Some(structure) = Structure::of(inner, Structure::Encrypt)
    {
        return protected(walk, inner, structure, explained);
    }
    explained.content = walk.under("input", |walk| {
        let content = walk.anything(item);
        if !walk.has_problem() {
            let what = match &item.value {
                Value::Tag(107, _) => "a SUIT envelope; `manifest show` shows it".into(),
                // Untagged, it starts with its authentication wrapper.
                Value::Map(entries)
                    if entries.first().is_some_and(|(key, _)| key.int() == Some(2)) =>
                {
                    "a SUIT envelope, it seems; `manifest show` shows it".into()
                }
                Value::Tag(tag, _) => format!("tag {tag} is none of a TEEP message"),
                _ => format!(
                    "a TEEP message is a COSE structure or an array, not {}",
                    item.kind()
                ),
            };
            walk.problem(item, what, source::MESSAGE);
        }
        content
    });
}
