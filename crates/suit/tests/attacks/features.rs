//! What the extensions of update management could be used for.

use serde_json::json;
use tamarack_suit::{
    Action, Command, Common, Comparison, ComponentMetadata, Condition, FileType, Manifest,
    Parameter, Parameters, Section, SequenceNumber, Severable, Version, VersionMatch, WaitEvent,
    WaitInfo, author::Draft,
};

use crate::{common::*, fixture::Attack};

fn install(components: &[&str], commands: Vec<Command<'static>>) -> Vec<u8> {
    sign_sections(&author(2), components, vec![(Section::Install, commands)])
}

/// Writes `x`, as a file of this kind.
fn as_file(kind: FileType) -> Vec<u8> {
    let metadata = ComponentMetadata {
        file_type: Some(kind),
        ..ComponentMetadata::default()
    };
    install(
        &["a/b"],
        vec![
            set([
                content(b"/etc/passwd"),
                digest_of(b"/etc/passwd"),
                Parameter::ComponentMetadata(metadata.encode().into()),
            ]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ],
    )
}

fn waiting() -> Vec<u8> {
    let info = WaitInfo::new(vec![WaitEvent::Network(99)]).unwrap();
    install(
        &["a/b"],
        vec![
            set([Parameter::WaitInfo(info.encode().into())]),
            action(Action::Wait),
            set([content(b"x"), digest_of(b"x")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ],
    )
}

/// Writes components and sets a version for them.
fn versioned(author: &Author, place: &str, component: &str, version: i64) -> Vec<u8> {
    let common = Common {
        components: vec![id(component)],
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id(place));
    manifest.set_version = Some(Version(vec![version]));
    let install = sequence([
        set([content(b"x"), digest_of(b"x")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ]);
    manifest.set_section(Section::Install, Severable::Inline(install));
    Draft::new(manifest)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

/// Changes `ours/y` if `ours/x` has version 2 at least.
fn needs_version() -> Vec<u8> {
    install(
        &["ours/y", "ours/x"],
        vec![
            index(1),
            set([Parameter::Version(VersionMatch {
                comparison: Comparison::GreaterEqual,
                version: Version(vec![2]),
            })]),
            condition(Condition::Version),
            index(0),
            set([content(b"y"), digest_of(b"y")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ],
    )
}

/// Copies in a circle while the order of commands does not matter.
fn race(order: Command<'static>) -> Vec<u8> {
    let copy = |to, from| {
        [
            index(to),
            set([Parameter::SourceComponent(from), digest_of(b"content")]),
            action(Action::Copy),
            condition(Condition::ImageMatch),
        ]
    };
    let mut commands = vec![index(0), order];
    commands.extend(copy(1, 0));
    commands.extend(copy(2, 1));
    install(&["a", "b", "c"], commands)
}

pub fn attacks() -> Vec<Attack> {
    let (ours, theirs) = (author(2), author(4));
    vec![
        Attack::new(
            "strict-order-race",
            "has one command read what another writes, while strict order is false: which comes first is anybody's guess",
            "What would be a race is refused, also by a processor that runs commands in order.",
        )
        .holding("a", "content")
        .refused("circle", race(set([Parameter::StrictOrder(false)])), "Invalid")
        .refused("circle-by-override-multiple", race(Command::OverrideMultiple(vec![
            (0, Parameters::from_list([Parameter::StrictOrder(false)])),
        ])), "Invalid")
        .accepted("in-order", race(set([Parameter::StrictOrder(true)]))),
        Attack::new(
            "symbolic-link",
            "has a component made a symbolic link to a file outside",
            "Metadata is a wish. A device that keeps it makes no links for strangers.",
        )
        .setting("metadata", json!(true))
        .refused("link", as_file(FileType::SymbolicLink), "ActionFailed(write, Device)")
        .rolled_back("directory-with-content", as_file(FileType::Directory), "ActionFailed(write, Device)")
        .accepted("file", as_file(FileType::Regular)),
        Attack::new(
            "metadata-ignored",
            "hopes that a device which knows no metadata stores what was meant to be kept from others",
            "A parameter that is not implemented is no reason to go on without it.",
        )
        .refused("file", as_file(FileType::Regular), "ParameterUnsupported"),
        Attack::new(
            "wait-for-ever",
            "waits for what never happens, so that the device does nothing else",
            "A wait ends the procedure without effect, to be repeated later.",
        )
        .setting("waits", json!(true))
        .refused("never", waiting(), "ActionFailed(wait, NotYet)"),
        Attack::new(
            "wait-unsupported",
            "waits on a device that can't",
            "Refused before anything is done.",
        )
        .refused("never", waiting(), "ParameterUnsupported"),
        Attack::new(
            "version-spoofed",
            "claims a version for a component of somebody else, on which an update of that depends",
            "The version of a component is that of the manifest which installed it, and only who may touch a component \
             installs it.",
        )
        .rights(&[(2, "ours"), (4, "theirs")])
        .refused("nothing-there", needs_version(), "ConditionFailed(version)")
        .accepted("ours-1", versioned(&ours, "ours/suit", "ours/x", 1))
        .refused("theirs-on-ours", versioned(&theirs, "theirs/suit", "ours/x", 9), "ComponentUnauthorized")
        .accepted("theirs-9", versioned(&theirs, "theirs/suit", "theirs/x", 9))
        .refused("still-too-old", needs_version(), "ConditionFailed(version)"),
    ]
}
