//! The support table in `docs/teep.md`: complete, and true as far as a program can tell.

use std::{fs, path::Path};

use tamarack_teep::ErrorCode;

struct Row {
    section: String,
    feature: String,
    tests: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/teep.md")).unwrap();
    let mut rows = Vec::new();
    let mut section = "";
    for line in page.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        let is_row = line.starts_with("| ") && !line.starts_with("| Feature |");
        if !is_row {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{line}");
        assert!(!cells[0].is_empty(), "{line}");
        let tests = cells[4].split(", ").map(|t| t.trim_matches('`').into());
        rows.push(Row {
            section: section.into(),
            feature: cells[0].into(),
            tests: tests.collect(),
        });
    }
    rows
}

#[test]
fn every_test_that_is_named_exists() {
    for row in rows() {
        for test in &row.tests {
            let (file, function) = test
                .split_once("::")
                .unwrap_or_else(|| panic!("{}: {test:?}", row.feature));
            let folder = if file.starts_with("tests/") {
                root().to_owned()
            } else {
                root().join("crates")
            };
            let text = fs::read_to_string(folder.join(file))
                .unwrap_or_else(|error| panic!("{}: {file}: {error}", row.feature));
            let (before, _) = text
                .split_once(&format!("fn {function}("))
                .unwrap_or_else(|| panic!("{}: no {function} in {file}", row.feature));
            let attributes = &before[before.rfind("\n\n").unwrap_or(0)..];
            assert!(
                attributes.contains("#[test]") || attributes.contains("#[tokio::test"),
                "{test} is no test"
            );
        }
    }
}

/// The numbers in the names of the features of one section, as in `token (20)`.
fn numbers(section: &str) -> Vec<u64> {
    let rows = rows();
    let features = rows.iter().filter(|row| row.section == section);
    let parts = features.flat_map(|row| row.feature.split('('));
    let mut numbers: Vec<u64> = parts
        .filter_map(|part| {
            part.split_once(')')?
                .0
                .trim_start_matches("bit ")
                .parse()
                .ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn every_number_of_the_registries_has_its_row() {
    assert_eq!(numbers("Messages"), [1, 2, 3, 5, 6]);
    // Label 5 is reserved.
    let labels: Vec<u64> = (1..=23).filter(|&label| label != 5).collect();
    assert_eq!(numbers("Labels"), labels);
    assert_eq!(numbers("Data items"), [1, 2, 4, 8]);
    let codes: Vec<u64> = (0..1_000)
        .filter(|&code| ErrorCode(code).name().is_some())
        .collect();
    assert_eq!(numbers("Error codes"), codes);
}
