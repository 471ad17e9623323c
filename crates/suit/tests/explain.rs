//! What parameters are shown as: those that are CBOR themselves, by the names of their members.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    ActorId, Comparison, ComponentMetadata, FileType, Parameter, Permissions, Section, Severable,
    VersionMatch, WaitEvent, WaitInfo,
    explain::{Diagnostic, Tree, describe_parameter},
};

fn shown(parameter: &Parameter<'_>) -> Tree {
    describe_parameter(parameter).1
}

fn word(tree: &Tree, name: &str) -> String {
    tree.word(name)
        .unwrap_or_else(|| panic!("{name} in {tree}"))
}

/// The diagnostic notation of a manifest that sets the parameter.
fn notation(parameter: Parameter<'static>) -> String {
    let commands = sequence([set([parameter])]);
    let draft = ta_draft(1, b"content");
    let mut manifest = draft.manifest().clone();
    manifest.set_section(Section::Load, Severable::Inline(commands));
    let envelope = sign_raw(&author(1), &manifest.encode());
    Diagnostic::of(&envelope).to_string()
}

#[test]
fn wait_events_are_shown_by_name() {
    let events = vec![
        WaitEvent::Authorization(2),
        WaitEvent::Power(-1),
        WaitEvent::Network(3),
        WaitEvent::OtherDeviceVersion {
            device: b"\x01\x02".as_slice().into(),
            versions: vec![VersionMatch {
                comparison: Comparison::GreaterEqual,
                version: "1.2".parse().unwrap(),
            }],
        },
        WaitEvent::Time(1_800_000_000),
        WaitEvent::TimeOfDay(1),
        WaitEvent::DayOfWeek(2),
        WaitEvent::TimeOfDayUtc(3),
        WaitEvent::DayOfWeekUtc(4),
        WaitEvent::Other {
            label: 77,
            value: b"\xf5".as_slice().into(),
        },
    ];
    let encoded = WaitInfo::new(events).unwrap().encode();
    let tree = shown(&Parameter::WaitInfo(encoded.clone().into()));
    for (name, value) in [
        ("authorization", "2"),
        ("power", "-1"),
        ("network", "3"),
        ("time", "1800000000"),
        ("time-of-day", "1"),
        ("day-of-week", "2"),
        ("time-of-day-utc", "3"),
        ("day-of-week-utc", "4"),
        ("event 77", "f5"),
    ] {
        assert_eq!(word(&tree, name), value);
    }
    let other = tree.get("other-device-version").unwrap();
    assert_eq!(word(other, "device"), "0102");
    let versions = other.get("versions").unwrap().items();
    assert_eq!(versions, [Tree::Text(">= 1.2".into())]);

    let notation = notation(Parameter::WaitInfo(encoded.into()));
    for part in [
        "/ authorization / 1: 2,",
        "/ day-of-week-utc / 9: 4,",
        "77: true",
    ] {
        assert!(notation.contains(part), "{part} in {notation}");
    }
    // What is no wait information is shown as it is.
    let broken = shown(&Parameter::WaitInfo(b"\xa0".as_slice().into()));
    assert_eq!(broken, Tree::Text("a0".into()));
}

#[test]
fn component_metadata_is_shown_by_name() {
    let read = Permissions::LIST_READ;
    let write = Permissions::new(u64::from(read.bits()) | 1 << 13).unwrap();
    let metadata = ComponentMetadata {
        default_permissions: Permissions::new(0),
        user_permissions: vec![
            (ActorId::Number(1000), write),
            (ActorId::Uuid([0x11; 16]), read),
        ],
        role_permissions: vec![(ActorId::Text("auditor".into()), read)],
        file_type: Some(FileType::SymbolicLink),
        modification_time: Some(5),
        creator: Some(ActorId::Bytes(b"\xab".as_slice().into())),
        ..ComponentMetadata::default()
    };
    let encoded = metadata.encode();
    let tree = shown(&Parameter::ComponentMetadata(encoded.clone().into()));
    for (name, value) in [
        ("default-permissions", "none"),
        ("file-type", "symbolic link"),
        ("modification-time", "5"),
        ("creator", "ab"),
    ] {
        assert_eq!(word(&tree, name), value);
    }
    assert_eq!(tree.get("creation-time"), None);
    assert_eq!(tree.get("group-permissions"), None);
    let users = tree.get("user-permissions").unwrap().items();
    assert_eq!(users.len(), 2);
    assert_eq!(word(&users[0], "actor"), "1000");
    assert_eq!(word(&users[0], "permissions"), "list_read, write_attr_ex");
    let uuid = "11111111-1111-1111-1111-111111111111";
    assert_eq!(word(&users[1], "actor"), uuid);
    let roles = tree.get("role-permissions").unwrap().items();
    assert_eq!(word(&roles[0], "actor"), "auditor");

    let notation = notation(Parameter::ComponentMetadata(encoded.into()));
    for part in ["/ default-permissions / 1: 0,", "/ creator / 8: h'ab'"] {
        assert!(notation.contains(part), "{part} in {notation}");
    }
    let broken = shown(&Parameter::ComponentMetadata(b"\x00".as_slice().into()));
    assert_eq!(broken, Tree::Text("00".into()));
}
