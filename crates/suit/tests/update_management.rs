//! The update management extensions, on a device that has them and on one that does not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use tamarack_suit::{
    Action, Command, Common, Comparison, ComponentMetadata, Condition, Dependency, Envelope, Error,
    FileType, Manifest, MemoryDevice, NoFetch, Outcome, Parameter, Permissions, Section,
    SequenceNumber, Severable, Version, VersionMatch, WaitEvent, WaitInfo, Why, author::Draft,
    report::Reason,
};

use common::*;

/// What one component `a/b` becomes under these install commands.
fn install(device: &mut MemoryDevice, commands: Vec<Command<'static>>) -> Outcome {
    let author = author(2);
    let envelope = sign_sections(&author, &["a/b"], vec![(Section::Install, commands)]);
    update(device, &author, &envelope)
}

/// A test and then a write, which shows whether the test held.
fn guarded(test: Vec<Command<'static>>) -> Vec<Command<'static>> {
    let mut commands = test;
    commands.push(set([content(b"new"), digest_of(b"new")]));
    commands.push(action(Action::Write));
    commands.push(condition(Condition::ImageMatch));
    commands
}

fn failed(outcome: &Outcome) -> Condition {
    match &outcome.result {
        Err(Error::ConditionFailed { condition, .. }) => *condition,
        other => panic!("{other:?}"),
    }
}

// req: SUIT-UPD-014
#[test]
fn the_battery_must_hold_as_much_as_is_asked() {
    let commands = |parameters: Vec<Parameter<'static>>| {
        let mut test = vec![condition(Condition::MinimumBattery)];
        if !parameters.is_empty() {
            test.insert(0, set(parameters));
        }
        guarded(test)
    };
    let mut device = device();
    device.set_battery(500);
    let least = |energy| commands(vec![Parameter::MinimumBattery(energy)]);
    assert_eq!(
        failed(&install(&mut device, least(501))),
        Condition::MinimumBattery
    );
    assert_eq!(
        failed(&install(&mut device, commands(vec![]))),
        Condition::MinimumBattery
    );
    assert_eq!(device.content(&id("a/b")), None);
    assert_eq!(install(&mut device, least(500)).result, Ok(()));
    assert_eq!(device.content(&id("a/b")), Some(&b"new"[..]));
}

// req: SUIT-UPD-015
#[test]
fn the_application_is_asked_with_the_priority() {
    let commands = |priority| {
        guarded(vec![
            set([Parameter::UpdatePriority(priority)]),
            condition(Condition::UpdateAuthorized),
        ])
    };
    let mut device = device();
    // Numerically smaller is more urgent: it agrees to -5 and below.
    device.authorize(-5);
    assert_eq!(
        failed(&install(&mut device, commands(-4))),
        Condition::UpdateAuthorized
    );
    let unset = guarded(vec![condition(Condition::UpdateAuthorized)]);
    assert_eq!(
        failed(&install(&mut device, unset)),
        Condition::UpdateAuthorized
    );
    assert_eq!(install(&mut device, commands(-5)).result, Ok(()));
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Installs `a/b` with a version.
fn install_version(device: &mut MemoryDevice, number: u64, text: &str) {
    let envelope = versioned(number, text, vec![]);
    assert_eq!(update(device, &author(2), &envelope).result, Ok(()));
}

/// What sets a version for `a/b`, writes it, and tests something then.
fn versioned(number: u64, text: &str, test: Vec<Command<'static>>) -> Vec<u8> {
    let common = Common {
        components: vec![id("a/b")],
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(number), common);
    manifest.component_id = Some(id("a/suit"));
    manifest.set_version = Some(version(text));
    let commands = [guarded(vec![]), test].concat();
    manifest.set_section(Section::Install, Severable::Inline(sequence(commands)));
    signed(&Draft::new(manifest))
}

fn version_is(comparison: Comparison, text: &str) -> Vec<Command<'static>> {
    let wanted = Parameter::Version(VersionMatch {
        comparison,
        version: version(text),
    });
    vec![set([wanted]), condition(Condition::Version)]
}

// req: SUIT-UPD-003, SUIT-UPD-005, SUIT-UPD-016, SUIT-UPD-017
#[test]
fn the_version_that_a_manifest_set_is_what_later_ones_compare_with() {
    let author = author(2);
    let compare = |comparison, text: &str| {
        let test = version_is(comparison, text);
        sign_sections(&author, &["a/b"], vec![(Section::Validate, test)])
    };
    let mut device = device();
    // Nothing is installed, so there is no version.
    let outcome = update(&mut device, &author, &compare(Comparison::Equal, "1"));
    assert_eq!(failed(&outcome), Condition::Version);
    install_version(&mut device, 1, "1.9.3");
    for (comparison, text, holds) in [
        (Comparison::Equal, "1", true),
        (Comparison::GreaterEqual, "1.0", true),
        (Comparison::Lesser, "1.10", true),
        (Comparison::Greater, "1.9.3", false),
        (Comparison::LesserEqual, "1.9.2", false),
    ] {
        let outcome = update(&mut device.clone(), &author, &compare(comparison, text));
        assert_eq!(outcome.result.is_ok(), holds, "{comparison:?} {text}");
        if !holds {
            // The report says what was found.
            let found = outcome.report.result;
            let text = format!("{found:?}");
            assert!(text.contains("Version([1, 9, 3])"), "{text}");
        }
    }
}

// req: SUIT-UPD-016, SUIT-UPD-017
#[test]
fn what_was_just_written_has_the_version_that_its_manifest_sets() {
    let author = author(2);
    let mut device = device();
    install_version(&mut device, 1, "1.0");
    for (text, holds) in [("1.0", false), ("2.0", true)] {
        let envelope = versioned(2, "2.0", version_is(Comparison::Equal, text));
        let outcome = update(&mut device.clone(), &author, &envelope);
        assert_eq!(outcome.result.is_ok(), holds, "{text}");
    }
    // A manifest has the version that it sets, also where it is a dependency: there already, or brought along.
    let library = versioned(2, "2.0", vec![]);
    let digest = Envelope::decode(&library).unwrap().claimed_digest();
    let dependent = |text: &str| {
        let mut manifest = Manifest::new(
            SequenceNumber(1),
            Common {
                components: vec![id("a/suit")],
                dependencies: vec![Dependency {
                    index: 0,
                    prefix: None,
                }],
                shared_sequence: None,
            },
        );
        manifest.component_id = Some(id("dependent/suit"));
        let commands = [
            vec![
                set([Parameter::ImageDigest(digest), uri("#library")]),
                action(Action::Fetch),
            ],
            version_is(Comparison::GreaterEqual, text),
            vec![
                condition(Condition::DependencyIntegrity),
                action(Action::ProcessDependency),
            ],
        ]
        .concat();
        manifest.set_section(Section::Install, Severable::Inline(sequence(commands)));
        signed(&Draft::new(manifest).with_integrated("#library", library.clone()))
    };
    let mut there = common::device();
    assert_eq!(update(&mut there, &author, &library).result, Ok(()));
    for device in [common::device(), there] {
        for (text, holds) in [("1", true), ("2.0", true), ("2.1", false)] {
            let outcome = update(&mut device.clone(), &author, &dependent(text));
            assert_eq!(
                outcome.result.is_ok(),
                holds,
                "{text}: {:?}",
                outcome.result
            );
        }
    }
}

// req: SUIT-UPD-013
#[test]
fn content_does_not_match_by_its_digest_alone() {
    let mut device = device();
    device.put(&id("a/b"), b"old");
    for (digest, holds) in [(&b"old"[..], false), (b"new", true)] {
        // The size is that of what is to come.
        let commands = guarded(vec![
            set([digest_of(digest), Parameter::ImageSize(300)]),
            condition(Condition::ImageNotMatch),
            set([Parameter::ImageSize(3)]),
        ]);
        let outcome = install(&mut device.clone(), commands);
        assert_eq!(outcome.result.is_ok(), holds, "{:?}", outcome.result);
    }
    let absent = guarded(vec![
        set([digest_of(b"old")]),
        condition(Condition::ImageNotMatch),
    ]);
    assert_eq!(install(&mut common::device(), absent).result, Ok(()));
}

fn wait(events: Vec<WaitEvent<'static>>) -> Vec<Command<'static>> {
    let info = WaitInfo::new(events).unwrap().encode();
    guarded(vec![
        set([Parameter::WaitInfo(info.into())]),
        action(Action::Wait),
    ])
}

// req: SUIT-UPD-020, SUIT-UPD-023
#[test]
fn an_update_waits_until_all_events_have_happened() {
    let network = WaitEvent::Network(1);
    let events = vec![network.clone(), WaitEvent::Time(1000)];
    let mut device = device();
    device.set_events([]);
    device.set_now(999);
    let not_yet = |outcome: Outcome| match outcome.result {
        Err(Error::ActionFailed {
            action: Action::Wait,
            why: Why::NotYet(event),
        }) => event,
        other => panic!("{other:?}"),
    };
    assert_eq!(not_yet(install(&mut device, wait(events.clone()))), 3);
    device.set_events([network]);
    assert_eq!(not_yet(install(&mut device, wait(events.clone()))), 5);
    assert_eq!(device.components().count(), 0);
    // The same manifest again, once everything has happened.
    device.set_now(1000);
    assert_eq!(install(&mut device, wait(events)).result, Ok(()));
}

// req: SUIT-UPD-021, SUIT-UPD-022
#[test]
fn local_time_is_unsupported_without_a_zone() {
    let events = vec![WaitEvent::TimeOfDay(3600)];
    let mut device = device();
    device.set_events([]);
    device.set_now(0);
    let outcome = install(&mut device, wait(events.clone()));
    assert_eq!(outcome.result, Err(Error::ParameterUnsupported(29)));
    // The zone counts as it is when the event is looked at.
    device.set_time_zone(0);
    assert!(install(&mut device, wait(events.clone())).result.is_err());
    device.set_time_zone(3600);
    assert_eq!(install(&mut device, wait(events)).result, Ok(()));
}

// req: SUIT-UPD-023
#[test]
fn another_devices_version_is_unsupported_where_nobody_knows_it() {
    let mut device = Recorder::new(device());
    device.inner.set_events([]);
    let event = WaitEvent::OtherDeviceVersion {
        device: b"pump"[..].into(),
        versions: vec![VersionMatch {
            comparison: Comparison::Equal,
            version: version("2"),
        }],
    };
    // What is written before the wait would be an effect.
    let commands = [guarded(vec![]), wait(vec![event])].concat();
    let author = author(2);
    let envelope = sign_sections(&author, &["a/b"], vec![(Section::Install, commands)]);
    let recipient = Recipient::trusting([author.key]);
    for (observes, expected) in [
        (
            true,
            Error::ActionFailed {
                action: Action::Wait,
                why: Why::NotYet(4),
            },
        ),
        (false, Error::ParameterUnsupported(29)),
    ] {
        device.observes = observes;
        let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| {
            recipient.update(device, fetch, &envelope)
        });
        assert_eq!(outcome.result, Err(expected));
        assert_eq!(effects.is_empty(), !observes);
    }
}

#[test]
fn what_was_installed_after_a_wait_is_invoked_and_removed_where_nobody_could_wait() {
    let author = author(2);
    let network = WaitEvent::Network(1);
    let sections = vec![
        (Section::Install, wait(vec![network.clone()])),
        (Section::Invoke, vec![action(Action::Invoke)]),
    ];
    let envelope = sign_sections(&author, &["a/b"], sections);
    let recipient = Recipient::trusting([author.key]);
    let mut device = Recorder::new(device());
    device.inner.set_events([network]);
    let place = id("a/b/suit");
    let (outcome, _) = device.observe(&mut NoFetch, |device, fetch| {
        recipient.update(device, fetch, &envelope)
    });
    assert_eq!(outcome.result, Ok(()));
    device.observes = false;
    let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| {
        recipient.invoke(device, fetch, &place)
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(effects, [Effect::Invoke(id("a/b"))]);
    let (outcome, _) = device.observe(&mut NoFetch, |device, fetch| {
        recipient.processor().uninstall(device, fetch, &place)
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.inner.components().count(), 0);
}

// req: SUIT-UPD-021
#[test]
fn times_are_unsupported_without_a_clock() {
    for event in [
        WaitEvent::Time(0),
        WaitEvent::TimeOfDayUtc(0),
        WaitEvent::DayOfWeekUtc(4),
        WaitEvent::TimeOfDay(0),
        WaitEvent::DayOfWeek(4),
    ] {
        let mut device = device();
        device.set_events([]);
        device.set_time_zone(0);
        let outcome = install(&mut device, wait(vec![event.clone()]));
        assert_eq!(
            outcome.result,
            Err(Error::ParameterUnsupported(29)),
            "{event:?}"
        );
        // 1970-01-01 was a Thursday.
        device.set_now(0);
        let outcome = install(&mut device, wait(vec![event.clone()]));
        assert_eq!(outcome.result, Ok(()), "{event:?}");
    }
}

// req: SUIT-UPD-024, SUIT-UPD-026
#[test]
fn metadata_is_applied_with_the_content() {
    let metadata = |kind| {
        let metadata = ComponentMetadata {
            default_permissions: Some(Permissions::LIST_READ),
            file_type: kind,
            ..ComponentMetadata::default()
        };
        Parameter::ComponentMetadata(metadata.encode().into())
    };
    let write = |kind, bytes: &'static [u8]| {
        vec![
            set([metadata(kind), content(bytes), digest_of(bytes)]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ]
    };
    let new_device = || {
        let mut device = device();
        device.keep_metadata();
        device
    };
    let mut device = new_device();
    assert_eq!(install(&mut device, write(None, b"text")).result, Ok(()));
    let kept = device.metadata(&id("a/b")).unwrap();
    assert_eq!(kept.kind(), FileType::Regular);
    assert_eq!(kept.default_permissions, Some(Permissions::LIST_READ));
    // A directory is an empty write.
    let mut device = new_device();
    let full = install(&mut device, write(Some(FileType::Directory), b"text"));
    assert!(full.result.is_err());
    assert_eq!(
        install(&mut device, write(Some(FileType::Directory), b"")).result,
        Ok(())
    );
    assert_eq!(
        device.metadata(&id("a/b")).unwrap().kind(),
        FileType::Directory
    );
}

// req: SUIT-UPD-024
#[test]
fn metadata_is_applied_where_the_content_is_there_already() {
    let commands = |permissions| {
        let metadata = ComponentMetadata {
            default_permissions: Some(permissions),
            ..ComponentMetadata::default()
        };
        vec![
            set([
                Parameter::ComponentMetadata(metadata.encode().into()),
                uri("coap://text"),
                digest_of(b"text"),
                Parameter::ImageSize(4),
            ]),
            action(Action::Fetch),
            condition(Condition::ImageMatch),
        ]
    };
    for permissions in [Permissions::LIST_READ, Permissions::CREATE_WRITE] {
        let mut device = device();
        device.keep_metadata();
        device.put(&id("a/b"), b"text");
        // Nothing is fetched: there is no server.
        assert_eq!(install(&mut device, commands(permissions)).result, Ok(()));
        let kept = device.metadata(&id("a/b")).unwrap();
        assert_eq!(kept.default_permissions, Some(permissions));
    }
}

// req: SUIT-UPD-027, SUIT-UPD-028
#[test]
fn a_link_is_made_by_no_device_that_does_not_allow_it() {
    let metadata = ComponentMetadata {
        file_type: Some(FileType::SymbolicLink),
        ..ComponentMetadata::default()
    };
    let commands = vec![
        set([
            Parameter::ComponentMetadata(metadata.encode().into()),
            content(b"/etc/passwd"),
            digest_of(b"/etc/passwd"),
        ]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let mut device = device();
    device.keep_metadata();
    let outcome = install(&mut device, commands);
    assert!(matches!(
        outcome.result,
        Err(Error::ActionFailed {
            action: Action::Write,
            ..
        })
    ));
    assert_eq!(device.content(&id("a/b")), None);
}

// req: SUIT-UPD-027
#[test]
fn malformed_metadata_refuses_the_manifest() {
    let mut device = device();
    device.keep_metadata();
    let bits = Parameter::ComponentMetadata(vec![0xa1, 0x01, 0x19, 0x40, 0x00].into());
    let outcome = install(&mut device, guarded(vec![set([bits])]));
    assert_eq!(outcome.result.unwrap_err().reason(), Reason::CborParse);
}

// req: SUIT-UPD-001, SUIT-PROC-004
#[test]
fn a_device_without_an_extension_refuses_the_manifest_that_needs_it() {
    let info = WaitInfo::new(vec![WaitEvent::Time(0)]).unwrap().encode();
    let metadata = ComponentMetadata::default().encode();
    for (command, error) in [
        (
            condition(Condition::MinimumBattery),
            Error::CommandUnsupported(26),
        ),
        (
            condition(Condition::UpdateAuthorized),
            Error::CommandUnsupported(27),
        ),
        (action(Action::Wait), Error::CommandUnsupported(29)),
        (
            set([Parameter::MinimumBattery(0)]),
            Error::ParameterUnsupported(26),
        ),
        (
            set([Parameter::UpdatePriority(0)]),
            Error::ParameterUnsupported(27),
        ),
        (
            set([Parameter::WaitInfo(info.into())]),
            Error::ParameterUnsupported(29),
        ),
        (
            set([Parameter::ComponentMetadata(metadata.into())]),
            Error::ParameterUnsupported(30),
        ),
    ] {
        let mut device = device();
        // Even where the command would never be reached.
        let hidden = try_each([vec![set([Parameter::ImageSize(3)])], vec![command]], false);
        let outcome = install(&mut device, guarded(vec![hidden]));
        assert_eq!(outcome.result, Err(error));
        assert_eq!(device.components().count(), 0);
    }
}

// req: SUIT-UPD-006, SUIT-UPD-007
#[test]
fn software_identification_is_carried_and_not_required() {
    use tamarack_suit::{ConciseSwidTag, Entity, TagId};
    let tag = ConciseSwidTag {
        tag_id: TagId::Text("com.example.lock".into()),
        tag_version: 0,
        software_name: "lock".into(),
        software_version: None,
        entities: vec![Entity {
            name: "Example".into(),
            roles: vec![1, 2],
            others: vec![],
        }],
        others: vec![],
    };
    let author = author(2);
    let mut manifest = ta_draft(1, b"code").manifest().clone();
    manifest.coswid = Some(Severable::Inline(tag.encode().into()));
    let draft = Draft::new(manifest).with_integrated("#ta", b"code");
    let envelope = draft.sign(&crypto(), &[&*author.signer]).unwrap();
    let mut device = device();
    assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
    assert_eq!(device.content(&id("provider/app/ta")), Some(&b"code"[..]));
    // A payload (6) nests as its directories (16) do: each is a map with path elements (26).
    let nested = |levels: usize| {
        (0..levels).fold(vec![0xa0], |inner, _| {
            [&[0xa1, 0x18, 26, 0xa1, 0x10][..], &inner].concat()
        })
    };
    let with = |payload: Vec<u8>| {
        let tag = ConciseSwidTag {
            others: vec![(6, payload.into())],
            ..tag.clone()
        };
        let mut manifest = ta_draft(1, b"code").manifest().clone();
        manifest.coswid = Some(Severable::Inline(tag.encode().into()));
        let draft = Draft::new(manifest).with_integrated("#ta", b"code");
        update(&mut common::device(), &author, &signed(&draft)).result
    };
    assert_eq!(with(nested(15)), Ok(()));
    assert!(matches!(with(nested(16)), Err(Error::Decode(_))));
}
