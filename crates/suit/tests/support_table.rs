//! The support table in `docs/suit.md`: complete, and true as far as a program can tell.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use common::*;
use tamarack_cose::{
    DigestAlgorithm, MacAlgorithm, SignatureAlgorithm, SymmetricKey,
    encrypt::{ContentAlgorithm, Curve, DecryptionKey, RecipientAlgorithm, RecipientKey},
};
use tamarack_suit::{
    MemoryDevice, Processor, Profile, Section, SingleAuthority,
    report::{CapabilityList, CapabilityReport, Reason},
};

/// One row of the table.
struct Row {
    registry: String,
    feature: String,
    label: String,
    decode: String,
    encode: String,
    process: String,
    tests: Vec<String>,
}

impl Row {
    fn number(&self) -> Option<i64> {
        self.label.parse().ok()
    }
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(crates().join("../docs/suit.md")).unwrap()
}

fn rows() -> Vec<Row> {
    let text = page();
    let mut rows = Vec::new();
    let mut registry = String::new();
    let mut in_table = false;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            heading.clone_into(&mut registry);
        }
        if line.starts_with("| Feature | Label |") {
            in_table = true;
            continue;
        }
        in_table &= line.starts_with('|');
        if !in_table || line.starts_with("|--") {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 7, "{line}");
        assert!(
            cells.iter().all(|cell| !cell.is_empty()),
            "an empty cell: {line}"
        );
        let tests = cells[6]
            .split(", ")
            .map(|test| test.trim_matches('`').to_owned());
        rows.push(Row {
            registry: registry.clone(),
            feature: cells[0].to_owned(),
            label: cells[1].trim_matches('`').to_owned(),
            decode: cells[3].to_owned(),
            encode: cells[4].to_owned(),
            process: cells[5].to_owned(),
            tests: tests.collect(),
        });
    }
    rows
}

/// The numbers of one registry in the table.
fn numbers(rows: &[Row], registry: &str) -> BTreeSet<i64> {
    let rows = rows.iter().filter(|row| row.registry == registry);
    let numbers: BTreeSet<i64> = rows.filter_map(Row::number).collect();
    assert!(!numbers.is_empty(), "no table of {registry}");
    numbers
}

#[test]
fn every_cell_is_one_of_those_that_are_explained() {
    for row in rows() {
        let is_one_of = |cell: &str, words: &[&str]| {
            assert!(words.contains(&cell), "{}: {cell}", row.feature);
        };
        is_one_of(&row.decode, &["yes", "refused"]);
        is_one_of(&row.encode, &["yes", "never"]);
        is_one_of(
            &row.process,
            &[
                "yes", "device", "keys", "kept", "reported", "reports", "refused", "never",
            ],
        );
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let page = page();
    // Those of the table, and those that the text around it names.
    let named = page.split('`').filter(|quoted| quoted.contains(".rs::"));
    let named: BTreeSet<&str> = named.collect();
    for row in rows() {
        for test in &row.tests {
            assert!(named.contains(test.as_str()), "{}: {test}", row.feature);
        }
    }
    for test in named {
        let (file, function) = test.split_once("::").unwrap();
        let source = files.entry(file.to_owned()).or_insert_with(|| {
            fs::read_to_string(crates().join(file)).unwrap_or_else(|_| panic!("no {file}"))
        });
        let at = source
            .find(&format!("fn {function}("))
            .unwrap_or_else(|| panic!("no {test}"));
        // The attribute of a test stands between its function and what is before it.
        let before = &source[..at];
        let item = before.rfind("\n\n").unwrap_or_default();
        assert!(before[item..].contains("#[test]"), "{test} is no test");
    }
}

/// The constants of a module of `label.rs`: what is known of a registry.
fn labels_in_the_code(module: &str) -> BTreeSet<i64> {
    let source = fs::read_to_string(crates().join("suit/src/codec/label.rs")).unwrap();
    let start = source.find(&format!("mod {module} {{")).unwrap();
    let body = &source[start..];
    let body = &body[..body.find("\n}").unwrap()];
    body.lines()
        .filter_map(|line| line.split_once(": i64 = "))
        .map(|(_, value)| value.trim_end_matches(';').parse().unwrap())
        .collect()
}

#[test]
fn every_registered_label_has_its_row() {
    let rows = rows();
    for (registry, module) in [
        ("Common", "common"),
        ("Conditions and directives", "command"),
        ("Parameters", "parameter"),
        ("Wait events", "wait_event"),
        ("Component metadata", "metadata"),
    ] {
        assert_eq!(
            numbers(&rows, registry),
            labels_in_the_code(module),
            "{registry}"
        );
    }
    let mut envelope = labels_in_the_code("envelope");
    envelope.extend([14, 23]);
    envelope.extend(
        Section::ALL
            .iter()
            .filter(|s| s.is_severable())
            .map(|s| s.label()),
    );
    assert_eq!(numbers(&rows, "Envelope"), envelope);
    let mut manifest = labels_in_the_code("manifest");
    manifest.insert(tamarack_suit::Mud::LABEL);
    assert_eq!(numbers(&rows, "Manifest"), manifest);
    assert_eq!(numbers(&rows, "Dependency metadata"), BTreeSet::from([1]));
    assert_eq!(numbers(&rows, "Text about the manifest"), (1..=4).collect());
    assert_eq!(numbers(&rows, "Text about components"), (1..=8).collect());
    assert_eq!(
        numbers(&rows, "Report"),
        BTreeSet::from([2, 3, 4, 5, 6, 7, 8, 99])
    );
    let reasons = (0..100).filter(|n| !matches!(Reason::from_number(*n), Reason::Other(_)));
    assert_eq!(numbers(&rows, "Report reasons"), reasons.collect());
    assert_eq!(numbers(&rows, "Capability report"), (1..=10).collect());
    assert_eq!(
        numbers(&rows, "COSE structures"),
        BTreeSet::from([16, 17, 18, 96, 97, 98, 107])
    );
}

#[test]
fn every_algorithm_has_its_row() {
    let rows = rows();
    let digests = DigestAlgorithm::ALL.iter().map(|a| a.cose_id());
    assert_eq!(numbers(&rows, "Digest algorithms"), digests.collect());
    let macs = MacAlgorithm::ALL.iter().map(|a| a.cose_id());
    assert_eq!(numbers(&rows, "MAC algorithms"), macs.collect());
    let contents = ContentAlgorithm::ALL.iter().map(|a| a.cose_id());
    assert_eq!(numbers(&rows, "Content algorithms"), contents.collect());
    let exchanges = RecipientAlgorithm::ALL.iter().map(|a| a.cose_id());
    assert_eq!(
        numbers(&rows, "Key exchange algorithms"),
        exchanges.collect()
    );
    // What is taken under another number is never written.
    let signatures = rows
        .iter()
        .filter(|row| row.registry == "Signature algorithms");
    for row in signatures.clone() {
        let id = row.number().unwrap();
        let algorithm = SignatureAlgorithm::from_cose_id(id).unwrap();
        let expected = if algorithm.cose_id() == id {
            "yes"
        } else {
            "never"
        };
        assert_eq!(row.encode, expected, "{}", row.feature);
    }
    let known = SignatureAlgorithm::COSE_IDS.into_iter();
    assert_eq!(numbers(&rows, "Signature algorithms"), known.collect());
    let profiles: BTreeMap<&str, String> = rows
        .iter()
        .filter(|row| row.registry == "Profiles")
        .map(|row| (row.feature.as_str(), row.label.clone()))
        .collect();
    let registered = Profile::REGISTERED
        .iter()
        .map(|(name, profile)| (*name, format!("{:?}", profile.descriptor())));
    assert_eq!(profiles, registered.collect());
}

fn capabilities(keys: &[RecipientKey], device: &MemoryDevice) -> CapabilityReport {
    let (crypto, trusted) = (crypto(), [author(2).key]);
    Processor::new(&crypto, &trusted, &SingleAuthority)
        .with_recipient_keys(keys)
        .capabilities(device)
}

/// A key of each kind, and of each length or curve that a kind has.
fn keys_of_all_kinds() -> Vec<RecipientKey> {
    let wraps = [16, 24, 32].map(|length| {
        let key = SymmetricKey::new(vec![7; length]);
        RecipientKey::wrapping(&crypto(), key)
    });
    let agreements = [Curve::P256, Curve::X25519].map(|curve| {
        let key = DecryptionKey::from_bytes(&crypto(), curve, &[7; 32]).unwrap();
        RecipientKey::agreement(&crypto(), key)
    });
    let direct = RecipientKey::direct(SymmetricKey::new([7; 16]));
    wraps
        .into_iter()
        .chain(agreements)
        .chain([direct])
        .collect()
}

/// "yes", "device" and "keys" stand where the processor lists a label without anything, with a device that
/// has all extensions, and with keys; everywhere else it lists nothing.
#[test]
fn what_the_table_says_is_what_the_processor_says() {
    let keys = keys_of_all_kinds();
    let mut rich = device();
    rich.set_battery(1);
    rich.authorize(0);
    rich.set_events([]);
    rich.keep_metadata();
    let plain = capabilities(&[], &device());
    let extended = capabilities(&[], &rich);
    let keyed = capabilities(&keys, &device());
    let rows = rows();
    for (registry, list) in [
        ("Envelope", CapabilityList::Envelope),
        ("Common", CapabilityList::Common),
        ("Dependency metadata", CapabilityList::Dependency),
        ("Text about the manifest", CapabilityList::Text),
        ("Text about components", CapabilityList::ComponentText),
        ("Conditions and directives", CapabilityList::Commands),
        ("Parameters", CapabilityList::Parameters),
        ("Digest algorithms", CapabilityList::Algorithms),
        ("Signature algorithms", CapabilityList::Algorithms),
        ("MAC algorithms", CapabilityList::Algorithms),
        ("Key exchange algorithms", CapabilityList::Algorithms),
        ("Content algorithms", CapabilityList::Algorithms),
    ] {
        for row in rows.iter().filter(|row| row.registry == registry) {
            let Some(label) = row.number() else { continue };
            let in_each = [&plain, &extended, &keyed].map(|r| r.list(list).contains(&label));
            let expected = match row.process.as_str() {
                "yes" | "kept" | "reported" => [true; 3],
                "device" => [false, true, false],
                "keys" => [false, false, true],
                "refused" => [false; 3],
                other => panic!("{}: {other}", row.feature),
            };
            assert_eq!(in_each, expected, "{registry}: {}", row.feature);
        }
        // And nothing is listed that has no row.
        if list != CapabilityList::Algorithms {
            let listed: BTreeSet<i64> = [&extended, &keyed]
                .iter()
                .flat_map(|report| report.list(list).to_vec())
                .collect();
            assert!(listed.is_subset(&numbers(&rows, registry)), "{registry}");
        }
    }
    // Each key is listed with what can be done with it, and with nothing else.
    let exchanges = numbers(&rows, "Key exchange algorithms");
    for (key, expected) in keys.chunks(1).zip([
        &[-3][..],
        &[-4],
        &[-5],
        &[-31, -30, -29, 46, 53],
        &[-31, -30, -29, 49, 50],
        &[-6],
    ]) {
        let report = capabilities(key, &device());
        let listed: BTreeSet<i64> = report
            .list(CapabilityList::Algorithms)
            .iter()
            .copied()
            .filter(|id| exchanges.contains(id))
            .collect();
        assert!(listed.iter().eq(expected), "{key:?}: {listed:?}");
    }
    let listed = plain.list(CapabilityList::Manifest).iter().copied();
    let mut manifest: BTreeSet<i64> = listed.collect();
    // The label of MUD is an agreement of this library, so it is promised to nobody.
    manifest.insert(tamarack_suit::Mud::LABEL);
    assert_eq!(numbers(&rows, "Manifest"), manifest);
}
