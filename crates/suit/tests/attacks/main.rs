//! One folder per attack: envelopes, what is expected of them, and an explanation.
//!
//! `TAMARACK_WRITE_FIXTURES=1 cargo test -p tamarack-suit --test attacks` writes the folders anew.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod authorities;
#[path = "../common/mod.rs"]
mod common;
mod components;
mod dependencies;
mod encoding;
mod encryption;
mod features;
mod fixture;
mod payloads;
mod sequences;
mod signatures;

use std::{fs, sync::LazyLock};

use fixture::Attack;

/// Every attack; in write mode, written first.
static ATTACKS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let attacks: Vec<Attack> = [
        encoding::attacks(),
        signatures::attacks(),
        sequences::attacks(),
        components::attacks(),
        payloads::attacks(),
        dependencies::attacks(),
        authorities::attacks(),
        encryption::attacks(),
        features::attacks(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if std::env::var_os("TAMARACK_WRITE_FIXTURES").is_some() {
        attacks.iter().for_each(Attack::write);
    }
    attacks.iter().for_each(Attack::assert_current);
    attacks
        .iter()
        .map(|attack| attack.name.to_owned())
        .collect()
});

#[test]
fn every_folder_is_one_that_is_made() {
    let mut made = ATTACKS.clone();
    made.sort();
    let mut folders: Vec<_> = fs::read_dir(fixture::root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(folders, made);
}

// req: SUIT-FMT-003, SUIT-FMT-004, SUIT-FMT-006, SUIT-FMT-007, SUIT-FMT-012, SUIT-ENV-004, SUIT-ENV-005, SUIT-ENV-006
// req: SUIT-ENV-007, SUIT-ENV-013, SUIT-SEV-006, SUIT-SEV-007, SUIT-SEV-008, SUIT-SEV-015, SUIT-MAN-001, SUIT-MAN-003
// req: SUIT-MAN-009, SUIT-COM-001, SUIT-COM-008, SUIT-COM-012, SUIT-COM-015, SUIT-COM-016, SUIT-PROC-004, SUIT-PROC-015
// req: SUIT-SEQ-004, SUIT-SEQ-009, SUIT-CMD-016, SUIT-PAR-003, SUIT-PAR-004, SUIT-PAR-014, SUIT-ACL-004, SUIT-ACL-005
// req: SUIT-ACL-001, SUIT-ENC-006, SUIT-ENC-007, SUIT-UPD-017, SUIT-UPD-020, SUIT-UPD-028, SUIT-PAR-019
// req: SUIT-ACL-006, SUIT-LIM-005, SUIT-DEP-004, SUIT-DEP-007, SUIT-DEP-022, SUIT-DEP-027, SUIT-DEP-032
#[test]
fn every_attack_fails() {
    let wrong: Vec<_> = ATTACKS
        .iter()
        .flat_map(|name| fixture::run(&fixture::root().join(name)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
