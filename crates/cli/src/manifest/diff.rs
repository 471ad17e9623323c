use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tamarack_cose::{CryptoProvider, aws_lc};
use tamarack_suit::{
    Command, Common, Envelope, IndexArgument, Limits, Manifest, Parameters, Sequence, Severable,
    SuitDigest,
    explain::{self, Tree},
};

use super::{decode, outline::plain, place};
use crate::{
    failure::Failure,
    files,
    output::{BAD, DIM, GOOD, Output, STRONG, printable},
};

/// Say what changed from one manifest to another.
///
///   tamarack manifest diff hello-1.suit hello-2.suit
///
/// Compares what the manifests say and who signed them, and verifies nothing. Exit
/// code 0 if nothing differs, 1 if something does, 2 if the manifests could not be
/// compared.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Diff {
    /// The older envelope, `-` for standard input.
    before: PathBuf,
    /// The newer one, likewise.
    after: PathBuf,
}

/// Something that is so in one manifest only, or is another thing in each.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    /// What it is about: the manifest, a component, a section.
    about: String,
    what: String,
    before: Option<String>,
    after: Option<String>,
}

/// A change of this name says that a whole component is there or not.
const COMPONENT: &str = "component";

impl Diff {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let changes = self.changes().map_err(|failure| failure.code(2))?;
        let list = changes.iter().map(Change::to_json);
        let value = json!({
            "same": changes.is_empty(),
            "changes": list.collect::<Vec<Value>>(),
        });
        output.result(&value, || match changes.is_empty() {
            true => "no difference".into(),
            false => text(&changes),
        });
        // Whoever misses the result must not take it for a difference.
        output.arrived().map_err(|_| Failure::told().code(2))?;
        match changes.is_empty() {
            true => Ok(()),
            false => Err(Failure::told()),
        }
    }

    fn changes(&self) -> Result<Vec<Change>, Failure> {
        files::keep_apart([&*self.before, &*self.after], [])?;
        let crypto = aws_lc::provider();
        let [before, after] = [files::read(&self.before)?, files::read(&self.after)?];
        let one = decode(&self.before, &before)?;
        let other = decode(&self.after, &after)?;
        let opened = |path, bytes, envelope| {
            explain::unverified(envelope, Some(&crypto))
                .map_err(|error| place::failure(path, bytes, &error))
        };
        let manifests = [
            opened(&self.before, &before, &one)?,
            opened(&self.after, &after, &other)?,
        ];
        Ok(changes(
            [&one, &other],
            [&manifests[0], &manifests[1]],
            &crypto,
        ))
    }
}

fn changes(
    envelopes: [&Envelope<'_>; 2],
    manifests: [&Manifest<'_>; 2],
    crypto: &CryptoProvider,
) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("manifest", manifests.map(about_manifest), &mut changes);
    let ids = manifests.map(identifiers);
    for (index, name) in &ids[0] {
        let other = ids[1].iter().find(|(_, known)| known == name);
        match other {
            None => changes.push(Change {
                about: name.clone(),
                what: COMPONENT.into(),
                before: Some(name.clone()),
                after: None,
            }),
            Some((other, _)) => {
                let facts = [
                    parameters(manifests[0], *index),
                    parameters(manifests[1], *other),
                ];
                compare(name, facts, &mut changes);
            }
        }
    }
    let added = ids[1]
        .iter()
        .filter(|(_, name)| ids[0].iter().all(|(_, known)| known != name));
    for (index, name) in added {
        changes.push(Change {
            about: name.clone(),
            what: COMPONENT.into(),
            before: None,
            after: Some(name.clone()),
        });
        compare(
            name,
            [Vec::new(), parameters(manifests[1], *index)],
            &mut changes,
        );
    }
    let names = ["shared-sequence"].into_iter();
    for name in names.chain(tamarack_suit::Section::ALL.map(tamarack_suit::Section::name)) {
        let lines = manifests.map(|manifest| commands(manifest, name));
        compare_lines(name, &lines[0], &lines[1], &mut changes);
    }
    compare("text", manifests.map(texts), &mut changes);
    compare("software", manifests.map(software), &mut changes);
    let payloads = envelopes.map(|envelope| carried(envelope, crypto));
    compare("envelope", payloads, &mut changes);
    let digests = envelopes.map(Envelope::claimed_digest);
    if changes.is_empty() && digests[0] != digests[1] {
        changes.push(Change {
            about: "manifest".into(),
            what: "digest".into(),
            before: Some(digests[0].to_string()),
            after: Some(digests[1].to_string()),
        });
    }
    let signers = envelopes.map(signers);
    compare_lines("signatures", &signers[0], &signers[1], &mut changes);
    changes
}

/// Facts by name.
type Facts = Vec<(String, String)>;

fn compare(about: &str, [before, after]: [Facts; 2], changes: &mut Vec<Change>) {
    let value = |facts: &Facts, name: &str| {
        let mut facts = facts.iter();
        facts
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    let new = after
        .iter()
        .filter(|(name, _)| value(&before, name).is_none());
    for (name, _) in before.iter().chain(new) {
        let (before, after) = (value(&before, name), value(&after, name));
        if before != after {
            changes.push(Change {
                about: about.into(),
                what: name.clone(),
                before,
                after,
            });
        }
    }
}

fn about_manifest(manifest: &Manifest<'_>) -> Facts {
    let mut facts = vec![(
        "sequence-number".to_owned(),
        manifest.sequence_number.to_string(),
    )];
    let mut put = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    put(
        "version",
        manifest.set_version.as_ref().map(ToString::to_string),
    );
    let id = manifest.component_id.as_ref();
    put("manifest-component-id", id.map(ToString::to_string));
    put(
        "reference-uri",
        manifest.reference_uri.as_deref().map(str::to_owned),
    );
    let text = manifest.text.as_ref();
    put("text", text.map(|text| standing(text).to_owned()));
    let coswid = manifest.coswid.as_ref();
    put("coswid", coswid.map(|coswid| standing(coswid).to_owned()));
    // Whether a section is there at all, its commands say.
    for (section, sequence) in manifest.sections() {
        if section.is_severable() {
            put(section.name(), Some(standing(sequence).to_owned()));
        }
    }
    facts
}

/// Where an element is that may be severed.
fn standing<T>(element: &Severable<T>) -> &'static str {
    match element {
        Severable::Inline(_) => "in the manifest",
        Severable::Severed { .. } => "severed",
    }
}

/// What is said about the software: its tag, and the reference to its MUD file.
fn software(manifest: &Manifest<'_>) -> Facts {
    let mut facts = Facts::new();
    let mut put = |about: &str, tree: Tree| match tree {
        Tree::Map(members) => {
            let named = |(name, tree): &(String, Tree)| (format!("{about} {name}"), plain(tree));
            facts.extend(members.iter().map(named));
        }
        other => facts.push((about.to_owned(), plain(&other))),
    };
    if let Some(content) = manifest.coswid.as_ref().and_then(Severable::content) {
        put(
            "coswid",
            explain::describe_coswid(content, &Limits::default()),
        );
    }
    if let Some(mud) = &manifest.mud {
        put("mud", explain::describe_mud(mud));
    }
    facts
}

/// Components and dependencies with their indices and names.
fn identifiers(manifest: &Manifest<'_>) -> Vec<(u64, String)> {
    let common = &manifest.common;
    let indices = 0..common.index_count() as u64;
    let name = |index| {
        let id = common.identifier(index)?;
        let kind = match common.dependency(index) {
            Some(_) => "dependency",
            None => "component",
        };
        Some((index, format!("{kind} {id}")))
    };
    indices.filter_map(name).collect()
}

/// What is set for a component, with all values where there are several.
fn parameters(manifest: &Manifest<'_>, index: u64) -> Facts {
    let mut facts: Facts = Vec::new();
    let sets = manifest.parameters_of(index).into_iter();
    for (name, tree) in sets
        .flat_map(Parameters::iter)
        .map(explain::describe_parameter)
    {
        let value = match name.as_str() {
            "source-component" => identifier(&manifest.common, &tree),
            _ => plain(&tree),
        };
        match facts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) if values.split(" | ").any(|known| known == value) => {}
            Some((_, values)) => *values += &format!(" | {value}"),
            None => facts.push((name, value)),
        }
    }
    facts
}

/// The identifier at an index, which may be another one in another manifest.
fn identifier(common: &Common<'_>, index: &Tree) -> String {
    let Tree::Number(number) = index else {
        return String::new();
    };
    let id = u64::try_from(*number)
        .ok()
        .and_then(|index| common.identifier(index));
    id.map_or_else(|| number.to_string(), ToString::to_string)
}

/// The commands of a section, or what is known of it.
fn commands(manifest: &Manifest<'_>, name: &str) -> Vec<String> {
    let common = &manifest.common;
    let mut lines = Vec::new();
    let section = manifest
        .sections()
        .find(|(section, _)| section.name() == name);
    let sequence = match (&common.shared_sequence, section) {
        (Some(shared), _) if name == "shared-sequence" => Some(shared),
        (_, Some((_, section))) => {
            if let (None, Some(digest)) = (section.content(), section.digest()) {
                lines.push(format!(
                    "commands with digest {digest}, not in the envelope"
                ));
            }
            section.content()
        }
        _ => None,
    };
    if let Some(sequence) = sequence {
        describe(sequence, common, 0, &mut lines);
    }
    lines
}

fn describe(sequence: &Sequence<'_>, common: &Common<'_>, depth: usize, lines: &mut Vec<String>) {
    let names = |parameters: &Parameters<'_>| {
        let names = parameters.iter().map(|p| explain::describe_parameter(p).0);
        names.collect::<Vec<_>>().join(", ")
    };
    let id = |index: u64| match common.identifier(index) {
        Some(id) => id.to_string(),
        None => format!("index {index}"),
    };
    for located in sequence.commands() {
        let command = &located.command;
        let mut say = |depth: usize, text: String| lines.push("  ".repeat(depth) + &text);
        let name = command.name();
        match command {
            Command::Condition(_, policy) => {
                say(depth, format!("condition {name}, policy {}", policy.bits()));
            }
            Command::Action(_, policy) => say(depth, format!("{name}, policy {}", policy.bits())),
            Command::SetComponentIndex(IndexArgument::One(index)) => {
                say(depth, format!("for {}", id(*index)));
            }
            Command::SetComponentIndex(IndexArgument::All) => {
                say(depth, "for all components".into());
            }
            Command::SetComponentIndex(IndexArgument::List(list)) => {
                let list: Vec<String> = list.iter().map(|index| id(*index)).collect();
                say(depth, format!("for {}", list.join(" and ")));
            }
            Command::SetParameters(parameters) | Command::OverrideParameters(parameters) => {
                say(depth, format!("{name}: {}", names(parameters)));
            }
            Command::OverrideMultiple(list) => {
                for (index, parameters) in list {
                    say(
                        depth,
                        format!("{name} of {}: {}", id(*index), names(parameters)),
                    );
                }
            }
            Command::CopyParameters(list) => {
                for (index, labels) in list {
                    say(depth, format!("{name} from {}: {labels:?}", id(*index)));
                }
            }
            Command::TryEach {
                alternatives,
                or_nothing,
            } => {
                say(depth, name.into());
                for (position, alternative) in alternatives.iter().enumerate() {
                    let text = format!("alternative {}", position + 1);
                    lines.push("  ".repeat(depth + 1) + &text);
                    describe(alternative, common, depth + 2, lines);
                }
                if *or_nothing {
                    lines.push("  ".repeat(depth + 1) + "or nothing");
                }
            }
            Command::RunSequence(inner) => {
                say(depth, name.into());
                describe(inner, common, depth + 1, lines);
            }
            Command::Other { label, argument } => {
                let argument = base16ct::HexDisplay(argument);
                say(depth, format!("command {label} with {argument:x}"));
            }
            other => say(depth, other.name().into()),
        }
    }
}

/// Texts by language and name.
fn texts(manifest: &Manifest<'_>) -> Facts {
    let Some(content) = manifest.text.as_ref().and_then(Severable::content) else {
        let digest = manifest.text.as_ref().and_then(Severable::digest);
        let absent = digest.map(|digest| format!("with digest {digest}, not in the envelope"));
        return absent
            .map(|text| ("text".to_owned(), text))
            .into_iter()
            .collect();
    };
    let mut facts = Vec::new();
    if let Ok(text) = tamarack_suit::Text::decode(content, &tamarack_suit::Limits::default()) {
        for (tag, language) in &text.languages {
            let manifest = [(None, &language.manifest)].into_iter();
            let components = language.components.iter();
            let components = components.map(|(id, entries)| (Some(id), entries));
            for (id, entries) in manifest.chain(components) {
                let (names, of): (fn(i64) -> String, _) = match id {
                    None => (explain::manifest_text_name, String::new()),
                    Some(id) => (explain::component_text_name, format!(" of {id}")),
                };
                for (label, text) in entries {
                    let name = format!("{}{of} ({tag})", names(*label));
                    facts.push((name, text.to_string()));
                }
            }
        }
    }
    facts
}

/// What the envelope carries besides the manifest.
fn carried(envelope: &Envelope<'_>, crypto: &CryptoProvider) -> Facts {
    let severed = envelope.severed().iter().map(|severed| {
        let size = format!("{} bytes", severed.content().len());
        (format!("severed {}", severed.name()), size)
    });
    let integrated = envelope.integrated().iter().map(|(key, payload)| {
        let digest = SuitDigest::sha256(crypto, payload);
        let value = format!("{} bytes, {digest}", payload.len());
        (format!("payload {key}"), value)
    });
    severed.chain(integrated).collect()
}

fn signers(envelope: &Envelope<'_>) -> Vec<String> {
    let described = explain::describe(envelope, None);
    let signatures = described.get("signatures").map_or(&[][..], Tree::items);
    let signer = |signature: &Tree| match (signature.word("algorithm"), signature.word("key-id")) {
        (Some(algorithm), Some(id)) => format!("{algorithm} by key {id}"),
        (Some(algorithm), None) => format!("{algorithm}, without key id"),
        _ => signature.to_string().trim_end().replace('\n', ", "),
    };
    let mut signers: Vec<String> = signatures.iter().map(signer).collect();
    signers.sort();
    signers
}

/// Compares lists of lines by their longest common part.
fn compare_lines(about: &str, before: &[String], after: &[String], changes: &mut Vec<Change>) {
    // lengths[i][j]: the longest common part of what is left from i and j.
    let width = after.len() + 1;
    let mut lengths = vec![0_u32; (before.len() + 1) * width];
    let at = |lengths: &[u32], i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or(0);
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            let longest = match before.get(i) == after.get(j) {
                true => at(&lengths, i + 1, j + 1) + 1,
                false => at(&lengths, i + 1, j).max(at(&lengths, i, j + 1)),
            };
            if let Some(cell) = lengths.get_mut(i * width + j) {
                *cell = longest;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        let (one, other) = (before.get(i), after.get(j));
        let (removed, added) = match (one, other) {
            (None, None) => break,
            (Some(one), Some(other)) if one == other => {
                (i, j) = (i + 1, j + 1);
                continue;
            }
            (Some(one), Some(_)) if at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) => {
                (Some(one), None)
            }
            (Some(one), None) => (Some(one), None),
            (_, Some(other)) => (None, Some(other)),
        };
        i += usize::from(removed.is_some());
        j += usize::from(added.is_some());
        changes.push(Change {
            about: about.into(),
            what: if about == "signatures" {
                "signature"
            } else {
                "command"
            }
            .into(),
            before: removed.cloned(),
            after: added.cloned(),
        });
    }
}

impl Change {
    fn to_json(&self) -> Value {
        json!({
            "about": self.about,
            "what": self.what,
            "change": match (&self.before, &self.after) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "changed",
            },
            "before": self.before,
            "after": self.after,
        })
    }

    /// Whether the value says all, and the name nothing.
    fn is_item(&self) -> bool {
        matches!(self.what.as_str(), "command" | "signature")
    }
}

fn text(changes: &[Change]) -> String {
    const WIDE: usize = 64;
    let mut lines: Vec<String> = Vec::new();
    let mut about = "";
    for change in changes {
        let minus = |text: &str| format!("{BAD}- {}{BAD:#}", printable(text));
        let plus = |text: &str| format!("{GOOD}+ {}{GOOD:#}", printable(text));
        if change.about != about {
            about = &change.about;
            if change.what == COMPONENT {
                lines.push(match change.after {
                    Some(_) => plus(about),
                    None => minus(about),
                });
                continue;
            }
            lines.push(format!("{STRONG}{}{STRONG:#}", printable(about)));
        }
        let what = printable(&change.what);
        match (&change.before, &change.after) {
            (Some(before), None) if change.is_item() => lines.push(format!("  {}", minus(before))),
            (None, Some(after)) if change.is_item() => lines.push(format!("  {}", plus(after))),
            (Some(before), None) => {
                lines.push(format!("  {}", minus(&format!("{what}: {before}"))));
            }
            (None, Some(after)) => lines.push(format!("  {}", plus(&format!("{what}: {after}")))),
            (Some(before), Some(after)) if before.len() + after.len() <= WIDE => {
                let (before, after) = (printable(before), printable(after));
                lines.push(format!("  {what}: {before} {DIM}→{DIM:#} {after}"));
            }
            (before, after) => {
                lines.push(format!("  {what}"));
                lines.extend(before.iter().map(|text| format!("    {}", minus(text))));
                lines.extend(after.iter().map(|text| format!("    {}", plus(text))));
            }
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_compared_by_what_they_have_in_common() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut changes = Vec::new();
        compare_lines(
            "install",
            &lines("a b c d"),
            &lines("a x c d e"),
            &mut changes,
        );
        let marks: Vec<String> = changes
            .iter()
            .map(|change| match (&change.before, &change.after) {
                (Some(before), _) => format!("-{before}"),
                (_, after) => format!("+{}", after.as_deref().unwrap_or_default()),
            })
            .collect();
        assert_eq!(marks, ["-b", "+x", "+e"]);
    }
}
