//! What commands do.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    Action, Command, Condition, DeviceError, Error, IndexArgument, MemoryDevice, NoFetch, Outcome,
    Parameter, Parameters, Processor, Section, Settings, SingleAuthority, Uuid, VendorId, Why,
    WrittenContent,
};

/// Runs install on components `a/b` and `c`; Write needs no further condition.
fn install(device: &mut MemoryDevice, mut commands: Vec<Command<'static>>) -> Outcome {
    let author = author(2);
    // Each of these manifests is a release of its own.
    let _ = tamarack_suit::Device::forget_manifest(device, &id("a/b/suit"));
    commands.insert(0, index(0));
    let envelope = sign_sections(
        &author,
        &["a/b", "c", "d"],
        vec![(Section::Install, commands)],
    );
    processed(device, &author, &envelope)
}

fn processed(device: &mut MemoryDevice, author: &Author, envelope: &[u8]) -> Outcome {
    let crypto = crypto();
    let trusted = [author.key];
    let settings = Settings {
        written_content: WrittenContent::CoveredBySignature,
        ..Settings::default()
    };
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_settings(settings);
    let mut server = Server::with("coap://x", b"fetched");
    in_transaction(device, |device| {
        processor.update_bytes(device, &mut server, envelope)
    })
}

/// What `c` holds after `commands`, which write to it where they get to.
fn marks(commands: Vec<Command<'static>>) -> Result<Option<Vec<u8>>, Error> {
    let mut device = device();
    device.put(&id("a/b"), b"content");
    let outcome = install(&mut device, commands);
    outcome
        .result
        .map(|()| device.content(&id("c")).map(<[u8]>::to_vec))
}

fn mark(text: &'static [u8]) -> Vec<Command<'static>> {
    vec![
        index(1),
        set([content(text)]),
        action(Action::Write),
        index(0),
    ]
}

fn then(mut commands: Vec<Command<'static>>, more: Vec<Command<'static>>) -> Vec<Command<'static>> {
    commands.extend(more);
    commands
}

fn failed(condition: Condition) -> impl Fn(&Error) -> bool {
    move |error| matches!(error, Error::ConditionFailed { condition: found, .. } if *found == condition)
}

// req: SUIT-CMD-002, SUIT-CMD-003, SUIT-PROC-016, SUIT-PAR-005
#[test]
fn identifiers() {
    let cases = [
        (
            Condition::VendorIdentifier,
            Parameter::VendorId(vendor().into()),
            true,
        ),
        (
            Condition::VendorIdentifier,
            Parameter::VendorId(Uuid([1; 16]).into()),
            false,
        ),
        (
            Condition::VendorIdentifier,
            Parameter::VendorId(VendorId::Pen(vec![1].into())),
            false,
        ),
        (
            Condition::VendorIdentifier,
            Parameter::ClassId(class()),
            false,
        ),
        (
            Condition::ClassIdentifier,
            Parameter::ClassId(class()),
            true,
        ),
        (
            Condition::ClassIdentifier,
            Parameter::ClassId(vendor()),
            false,
        ),
        (
            Condition::DeviceIdentifier,
            Parameter::DeviceId(Uuid([7; 16])),
            true,
        ),
        (
            Condition::DeviceIdentifier,
            Parameter::DeviceId(class()),
            false,
        ),
        (Condition::DeviceIdentifier, Parameter::ImageSize(1), false),
    ];
    for (tested, parameter, holds) in cases {
        let result = marks(vec![set([parameter]), condition(tested)]);
        assert_eq!(result.is_ok(), holds, "{tested:?}");
        if let Err(error) = result {
            assert!(failed(tested)(&error));
        }
    }
}

// req: SUIT-CMD-002, SUIT-PAR-005
#[test]
fn a_vendor_is_known_by_its_enterprise_number() {
    let pen = |bytes: &'static [u8]| VendorId::Pen(bytes.into());
    let mut identity = identity();
    identity.vendors = vec![pen(b"\x81\xfd\x59")];
    let device = MemoryDevice::new(identity);
    for (vendor, holds) in [(pen(b"\x81\xfd\x59"), true), (pen(b"\x81\xfd\x58"), false)] {
        let test = vec![
            set([Parameter::VendorId(vendor)]),
            condition(Condition::VendorIdentifier),
        ];
        assert_eq!(install(&mut device.clone(), test).result.is_ok(), holds);
    }
}

// req: SUIT-CMD-005, SUIT-CMD-006, SUIT-AMB-013, SUIT-UPD-013, SUIT-CMD-007, SUIT-CMD-008, SUIT-DEP-026
#[test]
fn conditions_on_content() {
    let digest = || digest_of(b"content");
    let other = || digest_of(b"other");
    use Condition::{Abort, CheckContent, ComponentSlot, ImageMatch, ImageNotMatch, IsDependency};
    let cases: Vec<(Condition, Vec<Parameter<'static>>, bool)> = vec![
        (ImageMatch, vec![digest()], true),
        (ImageMatch, vec![digest(), Parameter::ImageSize(7)], true),
        (ImageMatch, vec![digest(), Parameter::ImageSize(8)], false),
        (ImageMatch, vec![other()], false),
        (ImageMatch, vec![content(b"content")], false),
        (ImageNotMatch, vec![other()], true),
        (ImageNotMatch, vec![digest()], false),
        (ImageNotMatch, vec![content(b"content")], false),
        (CheckContent, vec![content(b"content")], true),
        (CheckContent, vec![content(b"conten")], false),
        (CheckContent, vec![content(b"contents")], false),
        (CheckContent, vec![content(b"confuse")], false),
        (CheckContent, vec![digest()], false),
        (ComponentSlot, vec![Parameter::ComponentSlot(0)], false),
        (ComponentSlot, vec![digest()], false),
        (IsDependency, vec![digest()], false),
        (Abort, vec![digest()], false),
    ];
    for (tested, parameters, holds) in cases {
        let result = marks(vec![set(parameters.clone()), condition(tested)]);
        assert_eq!(result.is_ok(), holds, "{tested:?} {parameters:?}");
        if let Err(error) = result {
            assert!(failed(tested)(&error));
        }
    }
    // A component that does not exist.
    for (tested, parameter) in [
        (ImageMatch, digest()),
        (ImageNotMatch, digest()),
        (CheckContent, content(b"")),
    ] {
        let result = marks(vec![index(2), set([parameter]), condition(tested)]);
        assert_eq!(result.is_ok(), tested == ImageNotMatch, "{tested:?}");
    }
}

// req: SUIT-UPD-011, SUIT-UPD-012
#[test]
fn use_before() {
    let at = |now: Option<u64>, bound: Option<u64>| {
        let mut device = device();
        now.into_iter().for_each(|now| device.set_now(now));
        let parameters = bound.map_or(Parameter::ImageSize(1), Parameter::UseBefore);
        install(
            &mut device,
            vec![set([parameters]), condition(Condition::UseBefore)],
        )
        .result
        .is_ok()
    };
    assert!(at(Some(99), Some(100)));
    assert!(!at(Some(100), Some(100)));
    assert!(at(Some(u64::from(u32::MAX) + 1), Some(u64::MAX)));
    assert!(!at(None, Some(100)));
    assert!(!at(Some(99), None));
}

// req: SUIT-CMD-007
#[test]
fn slots() {
    let mut device = device();
    device.set_slot(&id("a/b"), 3);
    let in_slot = |slot| {
        vec![
            set([Parameter::ComponentSlot(slot)]),
            condition(Condition::ComponentSlot),
        ]
    };
    assert_eq!(install(&mut device, in_slot(3)).result, Ok(()));
    assert!(install(&mut device, in_slot(2)).result.is_err());
}

// req: SUIT-CMD-010, SUIT-CMD-011, SUIT-PAR-012, SUIT-PAR-013, SUIT-PAR-014, SUIT-PAR-015, SUIT-PROC-018
// req: SUIT-UPD-031
#[test]
fn try_each_and_soft_failure() {
    let abort = || condition(Condition::Abort);
    let soft = |value| set([Parameter::SoftFailure(value)]);
    let with = |alternatives: Vec<Vec<Command<'static>>>, or_nothing| {
        marks(vec![try_each(alternatives, or_nothing)])
    };
    assert_eq!(
        with(vec![mark(b"1"), mark(b"2")], false),
        Ok(Some(b"1".to_vec()))
    );
    assert_eq!(
        with(vec![vec![abort()], mark(b"2")], false),
        Ok(Some(b"2".to_vec()))
    );
    // What was done in a failed alternative stays done; its sequence ends at the failure.
    assert_eq!(
        with(
            vec![then(mark(b"1"), vec![abort(), index(9)]), vec![soft(true)]],
            false
        )
        .err(),
        Some(Error::ComponentIndex(9)),
        "checked beforehand"
    );
    assert_eq!(
        with(
            vec![
                then(then(mark(b"1"), vec![abort()]), mark(b"x")),
                vec![soft(true)]
            ],
            false
        ),
        Ok(Some(b"1".to_vec()))
    );
    assert!(with(vec![vec![abort()], vec![abort()]], false).is_err());
    assert_eq!(with(vec![vec![abort()], vec![abort()]], true), Ok(None));
    assert_eq!(with(vec![vec![abort()]], true), Ok(None));
    // Without Soft Failure the next alternative is not tried.
    assert!(with(vec![vec![soft(false), abort()], mark(b"2")], true).is_err());
    // Nor after a directive failed.
    let no_uri = with(vec![vec![action(Action::Fetch)], mark(b"2")], true);
    assert!(matches!(
        no_uri,
        Err(Error::ActionFailed {
            why: Why::ParameterMissing(21),
            ..
        })
    ));
    // It is not handed down: Run Sequence starts without.
    assert!(with(vec![vec![run([abort()])], mark(b"2")], true).is_err());
    // It may not be set where no sequence could end softly.
    assert!(matches!(marks(vec![soft(true)]), Err(Error::Invalid(_))));
    // Nested alternatives.
    let inner = try_each([vec![abort()], mark(b"3")], false);
    assert_eq!(
        with(vec![vec![abort()], vec![inner]], false),
        Ok(Some(b"3".to_vec()))
    );
    // A sequence that failed softly is followed by the next command.
    let softly = run(then(
        then(vec![soft(true)], mark(b"4")),
        vec![abort(), index(1)],
    ));
    assert_eq!(marks(vec![softly]), Ok(Some(b"4".to_vec())));
    assert!(marks(vec![run([soft(false), abort()])]).is_err());
    // Override Multiple sets it like any other parameter.
    let soft_by_index = |value| {
        let parameters = Parameters::from_list([Parameter::SoftFailure(value)]);
        Command::OverrideMultiple(vec![(0, parameters)])
    };
    let softly = run(then(
        vec![soft_by_index(true)],
        then(mark(b"5"), vec![abort()]),
    ));
    assert_eq!(marks(vec![softly]), Ok(Some(b"5".to_vec())));
    assert!(with(vec![vec![soft_by_index(false), abort()], mark(b"2")], true).is_err());
    assert!(matches!(
        marks(vec![soft_by_index(true)]),
        Err(Error::Invalid(_))
    ));
}

// req: SUIT-COM-014, SUIT-COM-017, SUIT-COM-018, SUIT-AMB-014
#[test]
fn several_components_at_once() {
    let all = || Command::SetComponentIndex(IndexArgument::All);
    let list = |list: &[u64]| Command::SetComponentIndex(IndexArgument::List(list.to_vec()));
    let write = || vec![set([content(b"x")]), action(Action::Write)];
    let written = |commands| {
        let mut device = device();
        let outcome = install(&mut device, commands);
        assert_eq!(outcome.result, Ok(()));
        device
            .components()
            .filter(|component| **component != id("a/b/suit"))
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(written(then(vec![all()], write())), ["a/b", "c", "d"]);
    assert_eq!(written(then(vec![list(&[2, 0])], write())), ["a/b", "d"]);
    // Nested sequences run once per component, with the plain index.
    assert_eq!(written(vec![all(), run(write())]), ["a/b", "c", "d"]);
    assert_eq!(
        written(vec![list(&[1, 2]), try_each([write()], false)]),
        ["c", "d"]
    );
    // The whole nested sequence for one component before the next.
    let in_order = |commands| {
        let author = author(2);
        let envelope = sign_sections(
            &author,
            &["a/b", "c", "d"],
            vec![(Section::Install, commands)],
        );
        let recipient = Recipient::trusting([author.key]);
        let (outcome, effects) = Recorder::new(device()).observe(&mut NoFetch, |device, fetch| {
            recipient.update(device, fetch, &envelope)
        });
        assert_eq!(outcome.result, Ok(()));
        begun(&effects)
    };
    let checked = |bytes| {
        vec![
            set([content(bytes), digest_of(bytes)]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ]
    };
    let twice = || then(then(checked(b"x"), vec![index(2)]), checked(b"y"));
    let whole = ["a/b", "d", "c", "d"];
    assert_eq!(in_order(vec![list(&[0, 1]), run(twice())]), whole);
    assert_eq!(
        in_order(vec![list(&[0, 1]), try_each([twice()], false)]),
        whole
    );
    // The outer index is back after a nested sequence.
    assert_eq!(written(then(vec![run([index(2)])], write())), ["a/b"]);
}

// req: SUIT-CMD-012, SUIT-DEP-017, SUIT-PAR-001, SUIT-UPD-031, SUIT-UPD-032
#[test]
fn parameters() {
    let set_if_unset = |parameter| Command::SetParameters(Parameters::from_list([parameter]));
    let write = || action(Action::Write);
    let on_c = |commands: Vec<Command<'static>>| marks(then(vec![index(1)], commands));
    assert_eq!(
        on_c(vec![set_if_unset(content(b"1")), write()]),
        Ok(Some(b"1".to_vec()))
    );
    assert_eq!(
        on_c(vec![
            set_if_unset(content(b"1")),
            set_if_unset(content(b"2")),
            write()
        ]),
        Ok(Some(b"1".to_vec()))
    );
    assert_eq!(
        on_c(vec![set([content(b"1")]), set([content(b"2")]), write()]),
        Ok(Some(b"2".to_vec()))
    );
    // Those of one component are not those of another.
    assert!(marks(vec![set([content(b"1")]), index(1), write()]).is_err());
    let several = Command::OverrideMultiple(vec![
        (0, Parameters::from_list([content(b"0")])),
        (1, Parameters::from_list([content(b"1")])),
    ]);
    assert_eq!(marks(vec![several, write()]), Ok(Some(b"1".to_vec())));
    let copied = vec![
        set([content(b"0")]),
        index(1),
        // What is there already is overwritten.
        set([content(b"1")]),
        Command::CopyParameters(vec![(0, vec![18, 21])]),
        write(),
    ];
    assert_eq!(marks(copied), Ok(Some(b"0".to_vec())));
}

// req: SUIT-CMD-013, SUIT-CMD-015, SUIT-CMD-017, SUIT-CMD-018, SUIT-CMD-019, SUIT-DEP-033
#[test]
fn directives() {
    let mut device = device();
    device.put(&id("c"), b"source");
    let digest = digest_of(b"source");
    let copy = vec![
        set([Parameter::SourceComponent(1), digest.clone()]),
        action(Action::Copy),
        condition(Condition::ImageMatch),
    ];
    assert_eq!(install(&mut device, copy.clone()).result, Ok(()));
    assert_eq!(device.content(&id("a/b")), Some(&b"source"[..]));
    // Unlink removes.
    assert_eq!(
        install(&mut device, vec![index(1), action(Action::Unlink)]).result,
        Ok(())
    );
    assert_eq!(device.content(&id("c")), None);
    // Write takes its content from the parameter, and fails without one.
    let write = vec![
        set([content(b"written"), digest_of(b"written")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let mut written = device.clone();
    assert_eq!(install(&mut written, write).result, Ok(()));
    assert_eq!(written.content(&id("a/b")), Some(&b"written"[..]));
    assert!(matches!(
        install(&mut written, vec![action(Action::Write)]).result,
        Err(Error::ActionFailed {
            action: Action::Write,
            why: Why::ParameterMissing(18),
        })
    ));
    // A source that is not there.
    let outcome = install(&mut device, copy);
    assert!(matches!(
        outcome.result,
        Err(Error::ActionFailed {
            why: Why::SourceMissing,
            ..
        })
    ));
    // Swap: both have to be verified.
    device.put(&id("c"), b"other");
    let swap = vec![
        set([Parameter::SourceComponent(1), digest_of(b"other")]),
        action(Action::Swap),
        condition(Condition::ImageMatch),
    ];
    let outcome = install(&mut device, swap.clone());
    assert_eq!(outcome.result, Err(Error::Unverified(id("c"))));
    assert_eq!(device.content(&id("c")), Some(&b"other"[..]), "rolled back");
    let both = then(
        swap,
        vec![index(1), set([digest]), condition(Condition::ImageMatch)],
    );
    assert_eq!(install(&mut device, both).result, Ok(()));
    assert_eq!(device.content(&id("c")), Some(&b"source"[..]));
    // Copying onto itself, and more than the image size.
    let itself = vec![set([Parameter::SourceComponent(0)]), action(Action::Copy)];
    assert!(matches!(
        install(&mut device, itself).result,
        Err(Error::Invalid(_))
    ));
    let small = vec![
        set([Parameter::SourceComponent(1), Parameter::ImageSize(3)]),
        action(Action::Copy),
    ];
    assert!(matches!(
        install(&mut device, small).result,
        Err(Error::ActionFailed {
            why: Why::TooLong(3),
            ..
        })
    ));
    // What matches already is not fetched again.
    let fetch = vec![
        set([
            uri("coap://nowhere"),
            digest_of(b"source"),
            Parameter::ImageSize(6),
        ]),
        index(1),
        set([
            uri("coap://nowhere"),
            digest_of(b"source"),
            Parameter::ImageSize(6),
        ]),
        action(Action::Fetch),
        condition(Condition::ImageMatch),
    ];
    assert_eq!(install(&mut device, fetch).result, Ok(()));
    let absent = vec![set([uri("coap://nowhere")]), action(Action::Fetch)];
    assert!(matches!(
        install(&mut device, absent).result,
        Err(Error::ActionFailed {
            why: Why::Device(DeviceError::Unavailable(_)),
            ..
        })
    ));
}

// req: SUIT-CMD-020, SUIT-PROC-008, SUIT-PROC-013, SUIT-SEQ-002
#[test]
fn invocation() {
    let author = author(2);
    let crypto = crypto();
    let trusted = [author.key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    let sections = vec![
        (
            Section::Install,
            vec![
                set([content(b"code"), digest_of(b"code")]),
                action(Action::Write),
                condition(Condition::ImageMatch),
            ],
        ),
        (
            Section::Validate,
            vec![set([digest_of(b"code")]), condition(Condition::ImageMatch)],
        ),
        (
            Section::Invoke,
            vec![
                set([Parameter::InvokeArguments(b"fast".into())]),
                action(Action::Invoke),
            ],
        ),
    ];
    let envelope = sign_sections(&author, &["a/b"], sections);
    let mut device = device();
    assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
    assert!(device.invoked().is_empty());
    let place = id("a/b/suit");
    assert_eq!(
        processor.invoke(&mut device, &mut NoFetch, &place).result,
        Ok(())
    );
    assert_eq!(device.invoked(), [(id("a/b"), b"fast".to_vec())]);
    // Content that changed is not started.
    device.put(&id("a/b"), b"evil");
    let outcome = processor.invoke(&mut device, &mut NoFetch, &place);
    assert!(matches!(outcome.result, Err(Error::ConditionFailed { .. })));
    assert_eq!(device.invoked().len(), 1);
    // Nor is anything if the stored manifest is another one.
    device.put(&id("a/b"), b"code");
    device.put(&place, &ta(&author, 1, b"x"));
    let outcome = processor.invoke(&mut device, &mut NoFetch, &place);
    assert_eq!(outcome.result, Err(Error::ManifestDigest));
    let outcome = processor.invoke(&mut device, &mut NoFetch, &id("nothing"));
    assert!(outcome.result.is_err());
}

// req: SUIT-COM-005, SUIT-COM-010, SUIT-SEQ-001, SUIT-SEQ-003, SUIT-PAR-001
#[test]
fn the_shared_sequence_runs_before_each_section() {
    let author = author(2);
    // Each section writes what the shared sequence set, and then sets something else.
    let section = || vec![action(Action::Write), set([content(b"changed")])];
    let shared = sequence([set([content(b"shared")])]);
    let common = tamarack_suit::Common {
        components: vec![id("a/b")],
        shared_sequence: Some(shared),
        ..Default::default()
    };
    let mut manifest = tamarack_suit::Manifest::new(tamarack_suit::SequenceNumber(1), common);
    for name in [Section::PayloadFetch, Section::Install, Section::Validate] {
        manifest.set_section(name, tamarack_suit::Severable::Inline(sequence(section())));
    }
    let draft = tamarack_suit::author::Draft::new(manifest);
    let envelope = draft.sign(&crypto(), &[&*author.signer]).unwrap();
    let mut device = device();
    assert_eq!(processed(&mut device, &author, &envelope).result, Ok(()));
    assert_eq!(device.content(&id("a/b")), Some(&b"shared"[..]));
}

// req: SUIT-DEP-033, SUIT-DEP-035
#[test]
fn uninstall() {
    let author = author(2);
    let crypto = crypto();
    // The keys that signed are no longer trusted, and may touch nothing: removal works all the same.
    let nobody = |_: &[tamarack_suit::Authority], _: tamarack_suit::Access, _: &_| false;
    let processor = Processor::new(&crypto, &[], &nobody);
    for without in [false, true] {
        let mut device = device();
        let draft = ta_draft(1, b"payload");
        let manifest = draft.manifest().clone();
        let draft = match without {
            false => draft,
            true => {
                let mut bare =
                    tamarack_suit::Manifest::new(manifest.sequence_number, manifest.common.clone());
                bare.component_id.clone_from(&manifest.component_id);
                let install = manifest.section(Section::Install).unwrap().clone();
                bare.set_section(Section::Install, install);
                tamarack_suit::author::Draft::new(bare).with_integrated("#ta", b"payload")
            }
        };
        let envelope = draft.sign(&crypto, &[&*author.signer]).unwrap();
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        assert_eq!(device.components().count(), 2);
        let suit = id("provider/app/suit");
        let outcome = processor.uninstall(&mut device, &mut NoFetch, &suit);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(device.components().count(), 0);
        assert_eq!(device.sequence_number(&suit), None);
        let again = processor.uninstall(&mut device, &mut NoFetch, &suit);
        assert!(again.result.is_err());
    }
}

// req: SUIT-DEP-032
#[test]
fn a_component_of_another_manifest() {
    let author = author(2);
    let mut device = device();
    assert_eq!(
        update(&mut device, &author, &ta(&author, 1, b"ours")).result,
        Ok(())
    );
    let in_use = |taken| match taken {
        "provider/app/suit" => Error::InUse(id(taken)),
        _ => Error::ActionFailed {
            action: Action::Fetch,
            why: Why::InUse,
        },
    };
    for taken in ["provider/app/ta", "provider/app/suit"] {
        let other = tamarack_suit::author::ManifestBuilder::new(tamarack_suit::SequenceNumber(1))
            .manifest_id(id("other/suit"))
            .component(
                tamarack_suit::author::ComponentBuilder::new(id(taken)).integrated(
                    &crypto(),
                    "#x",
                    b"theirs",
                ),
            )
            .build()
            .unwrap()
            .sign(&crypto(), &[&*author.signer])
            .unwrap();
        let outcome = update(&mut device, &author, &other);
        assert_eq!(outcome.result, Err(in_use(taken)));
    }
    assert_eq!(device.content(&id("provider/app/ta")), Some(&b"ours"[..]));
}
