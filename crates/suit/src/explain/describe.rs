use alloc::{borrow::Cow, string::String, string::ToString, vec, vec::Vec};

use tamarack_cose::{
    CryptoProvider, Headers, Mac, Mac0, Signed,
    cbor::{DecodeError, Reader},
};

use super::{Tree, describe_coswid, describe_mud, parameter, shape, tree::map};
use crate::{
    ComponentId, Limits, SuitDigest,
    codec::{
        Command, Common, Envelope, IndexArgument, Manifest, Section, Sequence, Severable, Text,
    },
    report::{CapabilityReport, Entry, Record, Report, ReportResult},
};

/// Describes an envelope. Nothing in it is taken to be authentic.
///
/// With `crypto`, digests are compared with what they are about: of the manifest, of severed elements, and
/// of integrated payloads.
#[must_use]
pub fn describe(envelope: &Envelope<'_>, crypto: Option<&CryptoProvider>) -> Tree {
    let digest = envelope.claimed_digest();
    let mut members = map([
        ("tagged", Tree::Flag(envelope.is_tagged())),
        ("manifest-digest", Tree::text(digest)),
    ]);
    let mut put = |name: &str, tree| members.push((name.to_string(), tree));
    let matches = |digest: &SuitDigest, data: &[u8]| {
        crypto.map(|crypto| Tree::Flag(digest.matches(crypto, data).unwrap_or_default()))
    };
    if let Some(matches) = matches(&digest, envelope.manifest_item()) {
        put("manifest-digest-matches", matches);
    }
    let blocks = envelope.authentication_blocks().iter();
    put(
        "signatures",
        Tree::List(blocks.map(|block| signature(block)).collect()),
    );
    let manifest = unverified(envelope, crypto);
    put(
        "manifest",
        match &manifest {
            Ok(manifest) => self::manifest(manifest, &envelope.limits),
            Err(error) => Tree::text(alloc::format!("{}: {}", error.rule, error.problem)),
        },
    );
    let manifest = manifest.as_ref().ok();
    if !envelope.severed().is_empty() {
        let severed = envelope.severed().iter().map(|severed| {
            let mut members = map([
                ("element", Tree::text(severed.name())),
                ("bytes", Tree::number(severed.content().len() as u64)),
            ]);
            let digest = manifest.and_then(|manifest| manifest.severed_digest(severed.label));
            match digest {
                Some(digest) => {
                    let matches = matches(&digest, severed.item());
                    members.extend(matches.map(|tree| ("digest-matches".to_string(), tree)));
                }
                // No Recipient looks at it.
                None if manifest.is_some() => {
                    members.push(("in-manifest".to_string(), Tree::Flag(false)));
                }
                None => {}
            }
            Tree::Map(members)
        });
        put("severed", Tree::List(severed.collect()));
    }
    if !envelope.integrated().is_empty() {
        let payloads = envelope.integrated().iter().map(|(key, payload)| {
            let mut members = map([
                ("key", Tree::text(key)),
                ("bytes", Tree::number(payload.len() as u64)),
            ]);
            let users = manifest
                .map(|manifest| users(manifest, key))
                .unwrap_or_default();
            let matches = |digests: &[SuitDigest]| {
                let crypto = crypto.filter(|_| !digests.is_empty())?;
                let mut digests = digests.iter();
                Some(digests.any(|digest| is_about(digest, crypto, payload)))
            };
            let flag = |matches| ("digest-matches".to_string(), Tree::Flag(matches));
            // Of several, one that is let down is one too many.
            let verdicts = users.iter().filter_map(|(_, digests)| matches(digests));
            let verdict = verdicts.reduce(|one, other| one && other).map(flag);
            let used_by = match users.as_slice() {
                [] => None,
                [(id, _)] => Some(Tree::text(id)),
                several => {
                    let each = several.iter().map(|(id, digests)| {
                        let mut user = map([("component", Tree::text(id))]);
                        user.extend(matches(digests).map(flag));
                        Tree::Map(user)
                    });
                    Some(Tree::List(each.collect()))
                }
            };
            members.extend(used_by.map(|tree| ("for".to_string(), tree)));
            members.extend(verdict);
            Tree::Map(members)
        });
        put("integrated", Tree::List(payloads.collect()));
    }
    Tree::Map(members)
}

/// The components and dependencies that fetch the payload with a key, with the digests set for each.
fn users<'m>(manifest: &'m Manifest<'_>, key: &str) -> Vec<(&'m ComponentId, Vec<SuitDigest>)> {
    let common = &manifest.common;
    let indices = 0..common.index_count() as u64;
    let fetches = indices.filter(|index| manifest.uris(*index).contains(&key));
    let user = |index| Some((common.identifier(index)?, manifest.image_digests(index)));
    fetches.filter_map(user).collect()
}

/// Whether a digest is that of a payload or, of an integrated dependency, that of its manifest.
fn is_about(digest: &SuitDigest, crypto: &CryptoProvider, payload: &[u8]) -> bool {
    digest.matches(crypto, payload) == Ok(true)
        || Envelope::decode(payload)
            .is_ok_and(|dependency| digest.matches(crypto, dependency.manifest_item()) == Ok(true))
}

/// The manifest in an envelope with those severed elements filled in that the envelope has and that decode,
/// if, with `crypto`, their digests are right. Nobody vouches for it: it is to look at.
///
/// # Errors
///
/// As [`Manifest::decode`].
pub fn unverified<'a>(
    envelope: &Envelope<'a>,
    crypto: Option<&CryptoProvider>,
) -> Result<Manifest<'a>, DecodeError> {
    let mut manifest = envelope.unverified_manifest()?;
    for severed in envelope.severed() {
        let Some(digest) = manifest.severed_digest(severed.label) else {
            continue;
        };
        if crypto.is_some_and(|crypto| digest.matches(crypto, severed.item()) != Ok(true)) {
            continue;
        }
        // What does not decode stays out.
        let _ = manifest.fill_in(severed, digest, &envelope.limits);
    }
    Ok(manifest)
}

fn signature(block: &[u8]) -> Tree {
    let structure = Reader::new(block).tag("SUIT_Authentication_Block").ok();
    let structure = structure.and_then(shape::cose_name);
    let headers = |headers: &Headers<'_>| {
        let mut members = map([("algorithm", Tree::algorithm(headers.algorithm_id()))]);
        if let Some(structure) = structure {
            members.push(("structure".to_string(), Tree::text(structure)));
        }
        if let Some(key_id) = headers.key_id() {
            members.push(("key-id".to_string(), Tree::hex(key_id)));
        }
        Tree::Map(members)
    };
    match Signed::decode(block) {
        Ok(signed) => match signed.signatures().as_slice() {
            [one] => headers(one),
            several => Tree::List(several.iter().map(|one| headers(one)).collect()),
        },
        Err(error) => match (Mac0::decode(block), Mac::decode(block)) {
            (Ok(mac), _) => headers(mac.headers()),
            (_, Ok(mac)) => headers(mac.headers()),
            _ => Tree::text(error),
        },
    }
}

/// An element, wherever it stands.
fn severable<T>(element: &Severable<T>, show: impl FnOnce(&T) -> Tree, name: &str) -> Tree {
    match element {
        Severable::Inline(content) => show(content),
        Severable::Severed { digest, content } => {
            let mut members = map([("severed", Tree::text(digest))]);
            match content {
                Some(content) => members.push((name.to_string(), show(content))),
                None => members.push(("in-envelope".to_string(), Tree::Flag(false))),
            }
            Tree::Map(members)
        }
    }
}

fn manifest(manifest: &Manifest<'_>, limits: &Limits) -> Tree {
    let common = &manifest.common;
    let mut members = map([("sequence-number", Tree::number(manifest.sequence_number.0))]);
    let mut put = |name: &str, tree| members.push((name.to_string(), tree));
    if let Some(uri) = &manifest.reference_uri {
        put("reference-uri", Tree::text(uri));
    }
    if let Some(id) = &manifest.component_id {
        put("manifest-component-id", Tree::text(id));
    }
    if let Some(version) = &manifest.set_version {
        put("version", Tree::text(version));
    }
    if !common.components.is_empty() {
        put(
            "components",
            Tree::List(common.components.iter().map(Tree::text).collect()),
        );
    }
    if !common.dependencies.is_empty() {
        let dependencies = common.dependencies.iter().map(|dependency| {
            let mut members = Vec::new();
            if let Some(id) = common.identifier(dependency.index) {
                members.push(("id".to_string(), Tree::text(id)));
            }
            members.extend(map([("index", Tree::number(dependency.index))]));
            Tree::Map(members)
        });
        put("dependencies", Tree::List(dependencies.collect()));
    }
    if let Some(shared) = &common.shared_sequence {
        put("shared-sequence", sequence(shared, common));
    }
    for (section, commands) in manifest.sections() {
        let show = |commands: &Sequence<'_>| sequence(commands, common);
        put(section.name(), severable(commands, show, "commands"));
    }
    if let Some(element) = &manifest.text {
        put(
            "text",
            severable(element, |content| text(content, limits), "languages"),
        );
    }
    if let Some(element) = &manifest.coswid {
        let show = |content: &Cow<'_, [u8]>| describe_coswid(content, limits);
        put("coswid", severable(element, show, "content"));
    }
    if let Some(mud) = &manifest.mud {
        put("mud", describe_mud(mud));
    }
    Tree::Map(members)
}

fn sequence(sequence: &Sequence<'_>, common: &Common<'_>) -> Tree {
    let commands = sequence.commands().iter().map(|located| {
        let name = match &located.command {
            Command::Condition(condition, _) => alloc::format!("condition-{}", condition.name()),
            directive => directive.name().to_string(),
        };
        let mut members = map([("command", Tree::Text(name))]);
        let mut put = |name: &str, tree| members.push((name.to_string(), tree));
        match &located.command {
            Command::Condition(_, policy) | Command::Action(_, policy) => {
                put("policy", Tree::number(policy.bits()));
            }
            Command::SetComponentIndex(index) => {
                let index = match index {
                    IndexArgument::One(index) => {
                        if let Some(id) = common.identifier(*index) {
                            put("component", Tree::text(id));
                        }
                        Tree::number(*index)
                    }
                    IndexArgument::All => Tree::text("all"),
                    IndexArgument::List(list) => {
                        Tree::List(list.iter().map(|index| Tree::number(*index)).collect())
                    }
                };
                put("index", index);
            }
            Command::TryEach {
                alternatives,
                or_nothing,
            } => {
                if *or_nothing {
                    put("or-nothing", Tree::Flag(true));
                }
                put(
                    "alternatives",
                    Tree::List(
                        alternatives
                            .iter()
                            .map(|inner| self::sequence(inner, common))
                            .collect(),
                    ),
                );
            }
            Command::SetParameters(parameters) | Command::OverrideParameters(parameters) => {
                put("parameters", parameter::all(parameters));
            }
            Command::RunSequence(inner) => put("sequence", self::sequence(inner, common)),
            Command::OverrideMultiple(list) => put(
                "components",
                Tree::Map(
                    list.iter()
                        .map(|(index, parameters)| (index.to_string(), parameter::all(parameters)))
                        .collect(),
                ),
            ),
            Command::CopyParameters(list) => put(
                "components",
                Tree::Map(
                    list.iter()
                        .map(|(index, labels)| {
                            let labels = labels.iter().map(|label| Tree::number(*label)).collect();
                            (index.to_string(), Tree::List(labels))
                        })
                        .collect(),
                ),
            ),
            Command::Other { label, argument } => {
                put("label", Tree::number(*label));
                put("argument", Tree::hex(argument));
            }
        }
        put("offset", Tree::number(located.offset));
        Tree::Map(members)
    });
    Tree::List(commands.collect())
}

fn text(content: &[u8], limits: &Limits) -> Tree {
    let decoded = match Text::decode(content, limits) {
        Ok(decoded) => decoded,
        Err(error) => return Tree::text(error),
    };
    let entries = |entries: &[(i64, Cow<'_, str>)], name: fn(i64) -> String| {
        let named = entries
            .iter()
            .map(|(label, text)| (name(*label), Tree::text(shortened(text))));
        named.collect::<Vec<_>>()
    };
    let languages = decoded.languages.iter().map(|(tag, language)| {
        let mut members = entries(&language.manifest, super::manifest_text_name);
        for (id, component) in &language.components {
            let texts = entries(component, super::component_text_name);
            members.push((id.to_string(), Tree::Map(texts)));
        }
        (tag.to_string(), Tree::Map(members))
    });
    Tree::Map(languages.collect())
}

/// As much of a text as anybody reads.
// req: SUIT-UPD-010
fn shortened(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 1024;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => {
            let shown = text.get(..end).unwrap_or_default();
            alloc::format!("{shown}... ({} bytes)", text.len()).into()
        }
        None => text.into(),
    }
}

/// Describes a report.
#[must_use]
pub fn describe_report(report: &Report) -> Tree {
    let mut members = map([
        ("uri", Tree::text(&report.reference.uri)),
        ("manifest-digest", Tree::text(report.reference.digest)),
    ]);
    let mut put = |name: &str, tree| members.push((name.to_string(), tree));
    if let Some(nonce) = &report.nonce {
        put("nonce", Tree::hex(nonce));
    }
    match &report.result {
        ReportResult::Success => put("result", Tree::text("success")),
        ReportResult::Failure {
            code,
            record,
            reason,
        } => put(
            "result",
            Tree::Map(map([
                ("reason", Tree::text(reason)),
                ("code", Tree::number(*code)),
                ("record", self::record(record)),
            ])),
        ),
    }
    if !report.records.is_empty() {
        let entries = report.records.iter().map(|entry| match entry {
            Entry::Record(record) => self::record(record),
            Entry::Claims(claims) => {
                let mut members = map([("component", Tree::text(&claims.component))]);
                if let Tree::Map(more) = parameter::all(&claims.properties) {
                    members.extend(more);
                }
                Tree::Map(members)
            }
        });
        put("records", Tree::List(entries.collect()));
    }
    if let Some(capabilities) = &report.capability_report {
        put("capability-report", self::capabilities(capabilities));
    }
    Tree::Map(members)
}

fn capabilities(report: &CapabilityReport) -> Tree {
    let components = report.components.iter().map(|component| {
        let below = if component.is_prefix {
            " and below"
        } else {
            ""
        };
        Tree::text(alloc::format!("{}{below}", component.id))
    });
    let mut members = map([("components", Tree::List(components.collect()))]);
    for (list, labels) in &report.lists {
        let labels = labels.iter().map(|label| Tree::number(*label));
        members.push((list.name().to_string(), Tree::List(labels.collect())));
    }
    Tree::Map(members)
}

fn record(record: &Record) -> Tree {
    let path = record
        .manifest_id
        .iter()
        .map(|index| Tree::number(*index))
        .collect();
    let mut members = vec![(
        "section".to_string(),
        match record.section {
            0 => Tree::text("none"),
            3 => Tree::text("shared-sequence"),
            label => match Section::from_label(label) {
                Some(section) => Tree::text(section.name()),
                None => Tree::number(label),
            },
        },
    )];
    members.extend(map([
        ("offset", Tree::number(record.offset)),
        ("component-index", Tree::number(record.component_index)),
    ]));
    if !record.manifest_id.is_empty() {
        members.push(("manifest".to_string(), Tree::List(path)));
    }
    if !record.properties.is_empty() {
        members.push(("properties".to_string(), parameter::all(&record.properties)));
    }
    Tree::Map(members)
}
