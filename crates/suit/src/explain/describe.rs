use alloc::{string::String, string::ToString, vec, vec::Vec};

use tamarack_cose::{CryptoProvider, Headers, Mac0, MacAlgorithm, SignatureAlgorithm, Signed};

use super::Tree;
use crate::{
    Limits,
    codec::{
        Command, Envelope, IndexArgument, Manifest, Parameter, Parameters, Section, Sequence,
        Severable, Text,
    },
    report::{CapabilityReport, Entry, Record, Report, ReportResult},
};

fn map<const N: usize>(members: [(&str, Tree); N]) -> Vec<(String, Tree)> {
    members
        .into_iter()
        .map(|(name, tree)| (name.to_string(), tree))
        .collect()
}

/// Describes an envelope. Nothing in it is taken to be authentic.
///
/// With `crypto`, digests are compared with what they are about.
#[must_use]
pub fn describe(envelope: &Envelope<'_>, crypto: Option<&CryptoProvider>) -> Tree {
    let digest = envelope.claimed_digest();
    let mut members = map([
        ("tagged", Tree::Flag(envelope.is_tagged())),
        ("manifest-digest", Tree::text(digest)),
    ]);
    let mut put = |name: &str, tree| members.push((name.to_string(), tree));
    if let Some(crypto) = crypto {
        let matches = digest
            .matches(crypto, envelope.manifest_item())
            .unwrap_or_default();
        put("manifest-digest-matches", Tree::Flag(matches));
    }
    let blocks = envelope.authentication_blocks().iter();
    put(
        "signatures",
        Tree::List(blocks.map(|block| signature(block)).collect()),
    );
    let manifest = envelope.unverified_manifest();
    put(
        "manifest",
        match &manifest {
            Ok(manifest) => self::manifest(manifest, &envelope.limits),
            Err(error) => Tree::text(error),
        },
    );
    if !envelope.severed().is_empty() {
        let severed = envelope.severed().iter().map(|severed| {
            let name = member_name(severed.label);
            let mut members = map([
                ("element", Tree::text(name)),
                ("bytes", Tree::number(severed.content().len() as u64)),
            ]);
            let digest = manifest
                .as_ref()
                .ok()
                .and_then(|m| severed_digest(m, severed.label));
            let matches = crypto
                .zip(digest)
                .map(|(crypto, digest)| digest.matches(crypto, severed.item()).unwrap_or_default());
            if let Some(matches) = matches {
                members.push(("digest-matches".to_string(), Tree::Flag(matches)));
            }
            if let (Ok(manifest), Some(_)) = (&manifest, Section::from_label(severed.label))
                && let Ok(decoded) = manifest.decode_severed(severed.content(), &envelope.limits)
            {
                members.push(("commands".to_string(), sequence(&decoded)));
            }
            if severed.label == crate::codec::TEXT {
                members.push((
                    "text".to_string(),
                    text(severed.content(), &envelope.limits),
                ));
            }
            Tree::Map(members)
        });
        put("severed", Tree::List(severed.collect()));
    }
    if !envelope.integrated().is_empty() {
        let payloads = envelope.integrated().iter().map(|(key, payload)| {
            Tree::Map(map([
                ("key", Tree::text(key)),
                ("bytes", Tree::number(payload.len() as u64)),
            ]))
        });
        put("integrated", Tree::List(payloads.collect()));
    }
    Tree::Map(members)
}

fn severed_digest(manifest: &Manifest<'_>, label: i64) -> Option<crate::SuitDigest> {
    match Section::from_label(label) {
        Some(section) => manifest.section(section)?.digest(),
        None if label == crate::codec::TEXT => manifest.text.as_ref()?.digest(),
        None => manifest.coswid.as_ref()?.digest(),
    }
}

fn member_name(label: i64) -> &'static str {
    match Section::from_label(label) {
        Some(section) => section.name(),
        None if label == crate::codec::TEXT => "text",
        None => "coswid",
    }
}

fn signature(block: &[u8]) -> Tree {
    let headers = |headers: &Headers<'_>| {
        let algorithm = match headers.algorithm_id() {
            Some(id) => match (
                SignatureAlgorithm::from_cose_id(id),
                MacAlgorithm::from_cose_id(id),
            ) {
                (Some(known), _) if known.cose_id() == id => Tree::text(known.name()),
                (_, Some(known)) => Tree::text(known.name()),
                _ => Tree::number(id),
            },
            None => Tree::text("no algorithm"),
        };
        let mut members = map([("algorithm", algorithm)]);
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
        Err(_) => match Mac0::decode(block) {
            Ok(mac) => headers(mac.headers()),
            Err(_) => Tree::text("an unknown structure"),
        },
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
        put("shared-sequence", sequence(shared));
    }
    for (section, commands) in manifest.sections() {
        put(
            section.name(),
            match commands {
                Severable::Inline(commands) => sequence(commands),
                Severable::Severed { digest, .. } => {
                    Tree::text(alloc::format!("severed, {digest}"))
                }
            },
        );
    }
    match &manifest.text {
        Some(Severable::Inline(content)) => put("text", text(content, limits)),
        Some(Severable::Severed { digest, .. }) => {
            put("text", Tree::text(alloc::format!("severed, {digest}")));
        }
        None => {}
    }
    match &manifest.coswid {
        Some(Severable::Inline(content)) => put("coswid", Tree::hex(content)),
        Some(Severable::Severed { digest, .. }) => {
            put("coswid", Tree::text(alloc::format!("severed, {digest}")));
        }
        None => {}
    }
    Tree::Map(members)
}

fn sequence(sequence: &Sequence<'_>) -> Tree {
    let commands = sequence.commands().iter().map(|located| {
        let mut members = map([("command", Tree::text(located.command.name()))]);
        let mut put = |name: &str, tree| members.push((name.to_string(), tree));
        match &located.command {
            Command::Condition(_, policy) | Command::Action(_, policy) => {
                put("policy", Tree::number(policy.bits()));
            }
            Command::SetComponentIndex(index) => put(
                "index",
                match index {
                    IndexArgument::One(index) => Tree::number(*index),
                    IndexArgument::All => Tree::text("all"),
                    IndexArgument::List(list) => {
                        Tree::List(list.iter().map(|index| Tree::number(*index)).collect())
                    }
                },
            ),
            Command::TryEach {
                alternatives,
                or_nothing,
            } => {
                put("or-nothing", Tree::Flag(*or_nothing));
                put(
                    "alternatives",
                    Tree::List(alternatives.iter().map(self::sequence).collect()),
                );
            }
            Command::SetParameters(parameters) | Command::OverrideParameters(parameters) => {
                put("parameters", self::parameters(parameters));
            }
            Command::RunSequence(inner) => put("sequence", self::sequence(inner)),
            Command::OverrideMultiple(list) => put(
                "components",
                Tree::Map(
                    list.iter()
                        .map(|(index, parameters)| {
                            (index.to_string(), self::parameters(parameters))
                        })
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

fn parameters(parameters: &Parameters<'_>) -> Tree {
    Tree::Map(
        parameters
            .iter()
            .map(|parameter| {
                let name = match parameter {
                    Parameter::Other { label, .. } => alloc::format!("parameter {label}"),
                    known => known.name().to_string(),
                };
                (name, self::parameter(parameter))
            })
            .collect(),
    )
}

fn parameter(parameter: &Parameter<'_>) -> Tree {
    match parameter {
        Parameter::VendorId(vendor) => Tree::text(vendor),
        Parameter::ClassId(uuid) | Parameter::DeviceId(uuid) => Tree::text(uuid),
        Parameter::ImageDigest(digest) => Tree::text(digest),
        Parameter::UseBefore(value)
        | Parameter::ComponentSlot(value)
        | Parameter::ImageSize(value)
        | Parameter::SourceComponent(value)
        | Parameter::MinimumBattery(value) => Tree::number(*value),
        Parameter::StrictOrder(value) | Parameter::SoftFailure(value) => Tree::Flag(*value),
        Parameter::Uri(uri) => Tree::text(uri),
        Parameter::UpdatePriority(value) => Tree::number(*value),
        Parameter::Version(version) => Tree::text(version),
        Parameter::Content(bytes)
        | Parameter::EncryptionInfo(bytes)
        | Parameter::InvokeArguments(bytes)
        | Parameter::FetchArguments(bytes)
        | Parameter::WaitInfo(bytes)
        | Parameter::ComponentMetadata(bytes) => Tree::hex(bytes),
        Parameter::Other { value, .. } => Tree::hex(value),
    }
}

fn text(content: &[u8], limits: &Limits) -> Tree {
    let decoded = match Text::decode(content, limits) {
        Ok(decoded) => decoded,
        Err(error) => return Tree::text(error),
    };
    let entries = |entries: &[(i64, alloc::borrow::Cow<'_, str>)], names: &[&str]| {
        entries
            .iter()
            .map(|(label, text)| {
                let name = usize::try_from(*label)
                    .ok()
                    .and_then(|label| names.get(label - 1));
                let name = name.map_or_else(|| label.to_string(), ToString::to_string);
                (name, Tree::text(text))
            })
            .collect::<Vec<_>>()
    };
    let languages = decoded.languages.iter().map(|(tag, language)| {
        let mut members = entries(
            &language.manifest,
            &[
                "manifest-description",
                "update-description",
                "json-source",
                "yaml-source",
            ],
        );
        for (id, component) in &language.components {
            let names = [
                "vendor-name",
                "model-name",
                "vendor-domain",
                "model-info",
                "component-description",
                "component-version",
                "version-required",
                "current-version",
            ];
            members.push((id.to_string(), Tree::Map(entries(component, &names))));
        }
        (tag.to_string(), Tree::Map(members))
    });
    Tree::Map(languages.collect())
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
                if let Tree::Map(more) = parameters(&claims.properties) {
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
        members.push(("properties".to_string(), parameters(&record.properties)));
    }
    Tree::Map(members)
}
