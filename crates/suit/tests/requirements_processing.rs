//! What a Recipient does, in which order, and what it leaves alone.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    Access, Action, Command, Common, ComponentId, Condition, Device, DeviceError, Error, Fetch,
    Identity, IndexArgument, Limits, Manifest, MemoryDevice, NoFetch, Parameter, Parameters,
    Section, SequenceNumber, Settings, Severable, Uuid, Why, WrittenContent,
    author::{ComponentBuilder, Draft, ManifestBuilder},
    report::{Reason, ReportResult},
};

/// Settings under which content of the manifest needs no condition.
fn written_is_covered() -> Settings {
    Settings {
        written_content: WrittenContent::CoveredBySignature,
        ..Settings::default()
    }
}

/// Processes sections of a manifest for these components; Write needs no further condition.
fn process(
    device: &mut Recorder,
    components: &[&str],
    sections: Vec<(Section, Vec<Command<'static>>)>,
) -> (tamarack_suit::Outcome, Vec<Effect>) {
    let author = author(2);
    let recipient = Recipient::trusting([author.key]).with_settings(written_is_covered());
    let envelope = sign_sections(&author, components, sections);
    let mut server = Server::with("coap://x", b"fetched");
    device.observe(&mut server, |device, fetch| {
        recipient.update(device, fetch, &envelope)
    })
}

fn install(
    components: &[&str],
    commands: Vec<Command<'static>>,
) -> (tamarack_suit::Outcome, Vec<Effect>, MemoryDevice) {
    let mut device = Recorder::new(device());
    device.inner.put(&id("a"), b"content");
    let (outcome, effects) = process(&mut device, components, vec![(Section::Install, commands)]);
    (outcome, effects, device.inner)
}

fn write(text: &'static [u8]) -> Vec<Command<'static>> {
    vec![set([content(text)]), action(Action::Write)]
}

// req: SUIT-PROC-001
#[test]
fn first_authenticity_then_the_version_then_the_number() {
    let author = author(2);
    let recipient = Recipient::trusting([author.key]);
    let good = ta(&author, 2, b"two");
    let mut device = Recorder::new(device());
    let asked = |device: &mut Recorder, envelope: &[u8]| {
        device.asked.clear();
        let outcome = recipient.update(device, &mut NoFetch, envelope);
        let asked = device.asked.iter().map(|(what, _)| *what);
        (outcome.result, asked.collect::<Vec<_>>())
    };
    // Nobody asks the device anything on behalf of a stranger, or for another version.
    let (result, none) = asked(&mut device, &ta(&common::author(4), 2, b"two"));
    assert!(matches!(result, Err(Error::Unauthorized(_))));
    assert_eq!(none, [""; 0]);
    let mut manifest = raw_manifest(&[]);
    manifest[2] = 2;
    let (result, none) = asked(&mut device, &sign_raw(&author, &manifest));
    assert!(matches!(result, Err(Error::Decode(_))));
    assert_eq!(none, [""; 0]);
    // The record comes first, then commands.
    let (result, all) = asked(&mut device, &good);
    assert_eq!((result, all[0]), (Ok(()), "record"));
    let (result, record) = asked(&mut device, &ta(&author, 1, b"one"));
    assert!(matches!(result, Err(Error::Rollback { .. })));
    assert_eq!(record, ["record"]);
}

// req: SUIT-PROC-001, SUIT-PAR-001, SUIT-PROC-006
#[test]
fn parameters_belong_to_one_component_and_one_procedure() {
    // Each component has its own value for the same parameter.
    let commands = vec![
        index(0),
        set([content(b"0")]),
        index(1),
        set([content(b"1")]),
        index(2),
        set([content(b"2")]),
        Command::SetComponentIndex(IndexArgument::All),
        action(Action::Write),
    ];
    let (outcome, _, device) = install(&["x", "y", "z"], commands);
    assert_eq!(outcome.result, Ok(()));
    for (component, expected) in [("x", b"0"), ("y", b"1"), ("z", b"2")] {
        assert_eq!(device.content(&id(component)), Some(&expected[..]));
    }
    // The next manifest finds nothing set.
    let author = author(2);
    let recipient = Recipient::trusting([author.key]).with_settings(written_is_covered());
    let processor = recipient.processor();
    let mut device = common::device();
    let first = sign_sections(&author, &["x"], vec![(Section::Install, write(b"0"))]);
    let second = {
        let install = vec![action(Action::Write)];
        let mut manifest = Manifest::new(
            SequenceNumber(2),
            Common {
                components: vec![id("x")],
                ..Common::default()
            },
        );
        manifest.set_section(Section::Install, Severable::Inline(sequence(install)));
        Draft::new(manifest)
            .sign(&crypto(), &[&*author.signer])
            .unwrap()
    };
    let outcome = processor.update_bytes(&mut device, &mut NoFetch, &first);
    assert_eq!(outcome.result, Ok(()));
    let outcome = processor.update_bytes(&mut device, &mut NoFetch, &second);
    assert!(matches!(
        outcome.result,
        Err(Error::ActionFailed {
            why: Why::ParameterMissing(18),
            ..
        })
    ));
}

// req: SUIT-PROC-002, SUIT-PROC-003
#[test]
fn of_several_manifests_the_latest_good_one_stays() {
    let author = author(2);
    let stranger = common::author(4);
    let one = ta(&author, 1, b"one");
    let two = ta(&author, 2, b"two");
    let forged = ta(&stranger, 3, b"three");
    let spoiled = ta_draft(4, b"four")
        .with_integrated("#ta", b"five")
        .sign(&crypto(), &[&*author.signer])
        .unwrap();
    // In whatever order they are tried.
    let available = [one, two, forged, spoiled];
    for first in 0..4 {
        for step in [1, 3] {
            let mut device = device();
            for at in 0..4 {
                let _ = update(&mut device, &author, &available[(first + at * step) % 4]);
            }
            assert_eq!(device.content(&id("provider/app/ta")), Some(&b"two"[..]));
            let number = device.sequence_number(&id("provider/app/suit"));
            assert_eq!(number, Some(SequenceNumber(2)));
        }
    }
}

// req: SUIT-PROC-009
#[test]
fn the_same_manifest_leads_to_the_same_state() {
    let author = author(2);
    let envelope = ta(&author, 1, b"payload");
    let states = [1, 7, 4096].map(|most_read| {
        let mut device = Recorder::new(device());
        device
            .inner
            .put(&id("provider/app/ta"), b"whatever was there");
        device.most_read = most_read;
        let recipient = Recipient::trusting([author.key]);
        let (outcome, _) = device.observe(&mut NoFetch, |device, fetch| {
            recipient.update(device, fetch, &envelope)
        });
        (outcome, Visible::of(&device.inner))
    });
    assert_eq!(states[0], states[1]);
    assert_eq!(states[0], states[2]);
    assert_eq!(states[0].0.result, Ok(()));
}

// req: SUIT-PROC-010, SUIT-PROC-011, SUIT-PROC-007
#[test]
fn interrupted_anywhere_and_done_again() {
    let swap = || {
        vec![
            index(0),
            set([Parameter::SourceComponent(1), digest_of(b"new")]),
            try_each(
                [
                    vec![condition(Condition::ImageMatch)],
                    vec![
                        action(Action::Swap),
                        condition(Condition::ImageMatch),
                        index(1),
                        set([digest_of(b"old")]),
                        condition(Condition::ImageMatch),
                    ],
                ],
                false,
            ),
            index(2),
            set([Parameter::SourceComponent(0), digest_of(b"new")]),
            action(Action::Copy),
            condition(Condition::ImageMatch),
        ]
    };
    let start = || {
        let mut device = Recorder::new(device());
        device.inner.put(&id("a"), b"old");
        device.inner.put(&id("b"), b"new");
        device
    };
    let run =
        |device: &mut Recorder| process(device, &["a", "b", "c"], vec![(Section::Install, swap())]);
    let mut whole = start();
    let (outcome, effects) = run(&mut whole);
    assert_eq!(outcome.result, Ok(()));
    assert!(effects.len() > 4);
    for at in 0..effects.len() {
        let mut device = start();
        let before = Visible::of(&device.inner);
        device.fails_at = Some(at);
        let (outcome, _) = run(&mut device);
        assert!(outcome.result.is_err(), "{at}");
        assert_eq!(Visible::of(&device.inner), before, "{at}");
        device.fails_at = None;
        let (outcome, _) = run(&mut device);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(
            Visible::of(&device.inner),
            Visible::of(&whole.inner),
            "{at}"
        );
        // And once more.
        assert_eq!(run(&mut device).0.result, Ok(()));
        assert_eq!(
            Visible::of(&device.inner),
            Visible::of(&whole.inner),
            "{at}"
        );
    }
}

// req: SUIT-PROC-014, SUIT-PROC-012
#[test]
fn a_command_that_fails_is_reported_with_a_reason_and_a_code() {
    let failing = [
        (
            vec![condition(Condition::Abort)],
            Reason::ConditionFailed,
            15,
        ),
        (
            vec![condition(Condition::ImageMatch)],
            Reason::ConditionFailed,
            15,
        ),
        (
            vec![condition(Condition::VendorIdentifier)],
            Reason::ConditionFailed,
            15,
        ),
        (
            vec![condition(Condition::UseBefore)],
            Reason::ConditionFailed,
            15,
        ),
        (vec![action(Action::Fetch)], Reason::OperationFailed, 16),
        (vec![action(Action::Write)], Reason::OperationFailed, 16),
        (vec![action(Action::Copy)], Reason::OperationFailed, 16),
        (vec![action(Action::Swap)], Reason::OperationFailed, 16),
    ];
    for (mut commands, expected, number) in failing {
        // What follows is not executed.
        commands.extend(write(b"too late"));
        let (outcome, effects, _) = install(&["x"], commands);
        assert_eq!(effects, []);
        let ReportResult::Failure {
            code,
            reason,
            record,
        } = outcome.report.result
        else {
            panic!("no failure");
        };
        assert_eq!((reason, code), (expected, number));
        assert_eq!((record.section, record.offset), (20, 1));
    }
}

// req: SUIT-PROC-017, SUIT-CMD-022, SUIT-CMD-011
#[test]
fn a_failed_directive_ends_everything() {
    let soft = || set([Parameter::SoftFailure(true)]);
    let failing = || vec![soft(), action(Action::Fetch)];
    for nested in [
        vec![run(failing())],
        vec![try_each([failing()], true)],
        vec![try_each([vec![run(failing())], vec![soft()]], true)],
        vec![run([soft(), run(failing())])],
    ] {
        let mut commands = nested;
        commands.extend(write(b"too late"));
        let (outcome, effects, _) = install(&["x"], commands);
        assert!(matches!(outcome.result, Err(Error::ActionFailed { .. })));
        assert_eq!(effects, []);
    }
    // A condition ends its own sequence only; without Soft Failure the outer ones, too.
    let condition_in = |soft_failure: bool| {
        let mut inner = vec![set([Parameter::SoftFailure(soft_failure)])];
        inner.push(condition(Condition::Abort));
        inner.extend(write(b"skipped"));
        let mut commands = vec![run(inner)];
        commands.extend(write(b"after"));
        let (outcome, _, device) = install(&["x"], commands);
        (
            outcome.result.is_ok(),
            device.content(&id("x")).map(<[u8]>::to_vec),
        )
    };
    assert_eq!(condition_in(true), (true, Some(b"after".to_vec())));
    assert_eq!(condition_in(false), (false, None));
}

// req: SUIT-SEQ-001, SUIT-SEQ-002, SUIT-SEQ-003, SUIT-SEQ-007, SUIT-DEP-039, SUIT-MAN-008
#[test]
fn sections_run_in_their_order_and_to_their_end() {
    let order = [
        Section::DependencyResolution,
        Section::PayloadFetch,
        Section::CandidateVerification,
        Section::Install,
        Section::Validate,
    ];
    let components = ["c0", "c1", "c2", "c3", "c4"];
    // Strict order is no reason to leave something for later.
    let sections = order.iter().enumerate().rev().map(|(at, section)| {
        let mut commands = vec![index(at as u64), set([Parameter::StrictOrder(false)])];
        commands.extend(write(b"x"));
        (*section, commands)
    });
    let mut device = Recorder::new(device());
    let (outcome, effects) = process(&mut device, &components, sections.collect());
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(begun(&effects), components);
    assert!(matches!(effects.last(), Some(Effect::Record(_))));

    let author = author(2);
    let recipient = Recipient::trusting([author.key]);
    let sections = [Section::Invoke, Section::Load, Section::Validate]
        .into_iter()
        .zip([2, 1, 0])
        .map(|(section, at)| (section, vec![index(at), action(Action::Invoke)]));
    let mut sections: Vec<_> = sections.collect();
    sections.push((
        Section::Install,
        vec![index(0), set([Parameter::ImageSize(1)])],
    ));
    let envelope = sign_sections(&author, &["c0", "c1", "c2"], sections);
    let mut device = Recorder::new(common::device());
    for component in ["c0", "c1", "c2"] {
        device.inner.put(&id(component), b"code");
    }
    let place = id("c0/suit");
    let (outcome, _) = device.observe(&mut NoFetch, |device, fetch| {
        recipient.update(device, fetch, &envelope)
    });
    assert_eq!(outcome.result, Ok(()));
    let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| {
        recipient.invoke(device, fetch, &place)
    });
    assert_eq!(outcome.result, Ok(()));
    let invoked = ["c0", "c1", "c2"].map(|component| Effect::Invoke(id(component)));
    assert_eq!(effects, invoked);
}

// req: SUIT-SEQ-011, SUIT-COM-017, SUIT-REP-006
#[test]
fn several_components_are_reported_one_by_one() {
    let commands = |argument| {
        vec![
            index(0),
            Command::SetComponentIndex(argument),
            set([content(b"x"), digest_of(b"x")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ]
    };
    let claimed = |argument| {
        let (outcome, effects, _) = install(&["x", "y", "z"], commands(argument));
        assert_eq!(outcome.result, Ok(()));
        let claims: Vec<_> = outcome
            .report
            .claims()
            .map(|claims| claims.component.to_string())
            .collect();
        (claims, begun(&effects))
    };
    let (claims, order) = claimed(IndexArgument::All);
    assert_eq!(
        (claims, order),
        (
            vec!["x".into(), "y".into(), "z".into()],
            vec!["x".into(), "y".into(), "z".into()]
        )
    );
    let (claims, order) = claimed(IndexArgument::List(vec![2, 0]));
    assert_eq!(claims.len(), 2);
    assert_eq!(order, ["z", "x"], "in the order of the list");
    // Failures, too: a record for each component, in the order of the list.
    let failing = vec![
        index(0),
        Command::SetComponentIndex(IndexArgument::List(vec![2, 1, 0])),
        try_each([vec![condition(Condition::Abort)]], true),
    ];
    let (outcome, ..) = install(&["x", "y", "z"], failing);
    let indices: Vec<_> = outcome
        .report
        .records()
        .map(|record| record.component_index)
        .collect();
    assert_eq!(indices, [2, 1, 0]);
    // And the one that ends the procedure: the component at which it failed.
    for (argument, failed) in [
        (IndexArgument::All, 1),
        (IndexArgument::List(vec![2, 1, 0]), 1),
    ] {
        let failing = vec![
            index(0),
            set([content(b"x"), digest_of(b"x")]),
            index(1),
            set([content(b"x"), digest_of(b"another")]),
            index(2),
            set([content(b"x"), digest_of(b"x")]),
            Command::SetComponentIndex(argument),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ];
        let (outcome, ..) = install(&["x", "y", "z"], failing);
        let ReportResult::Failure { record, .. } = outcome.report.result else {
            panic!("{:?}", outcome.result);
        };
        assert_eq!(record.component_index, failed);
    }
}

// req: SUIT-REP-005, SUIT-REP-006
#[test]
fn what_is_found_beforehand_is_reported_where_it_stands() {
    let unknown = || Command::Other {
        label: -300,
        argument: vec![0xf6].into(),
    };
    let wrong = |failed: Command<'static>| {
        vec![
            index(2),
            run([
                Command::SetComponentIndex(IndexArgument::List(vec![1, 0])),
                try_each([vec![condition(Condition::Abort)], vec![failed]], false),
            ]),
        ]
    };
    for failed in [unknown(), set([Parameter::MinimumBattery(1)])] {
        for (commands, component) in [
            (vec![index(2), failed.clone()], 2),
            (wrong(failed.clone()), 1),
            (
                vec![
                    index(1),
                    run([index(2), set([content(b"x")])]),
                    failed.clone(),
                ],
                1,
            ),
            (
                vec![
                    Command::OverrideMultiple(vec![
                        (0, Parameters::from_list([content(b"x")])),
                        (2, Parameters::from_list([content(b"x")])),
                    ]),
                    failed.clone(),
                ],
                2,
            ),
            (
                vec![
                    index(1),
                    Command::SetComponentIndex(IndexArgument::All),
                    failed,
                ],
                0,
            ),
        ] {
            let (outcome, effects) = process(
                &mut Recorder::new(device()),
                &["x", "y", "z"],
                vec![(Section::Install, commands)],
            );
            assert_eq!(effects, []);
            let ReportResult::Failure { record, .. } = outcome.report.result else {
                panic!("{:?}", outcome.result);
            };
            assert_eq!(record.section, 20);
            assert_eq!(record.component_index, component, "{:?}", outcome.result);
        }
    }
}

// req: SUIT-COM-010, SUIT-MAN-005
#[test]
fn a_manifest_for_another_device_is_not_recorded_without_a_section_either() {
    let author = author(2);
    let manifest = |vendor: Uuid, sections: &[Section]| {
        let common = Common {
            components: vec![id("x")],
            shared_sequence: Some(sequence([
                set([Parameter::VendorId(vendor.into())]),
                condition(Condition::VendorIdentifier),
            ])),
            ..Common::default()
        };
        let mut manifest = Manifest::new(SequenceNumber(u64::MAX), common);
        for section in sections {
            let invoke = sequence([action(Action::Invoke)]);
            manifest.set_section(*section, Severable::Inline(invoke));
        }
        Draft::new(manifest)
            .sign(&crypto(), &[&*author.signer])
            .unwrap()
    };
    let recipient = Recipient::trusting([author.key]);
    for sections in [&[][..], &[Section::Invoke]] {
        for (vendor, fits) in [(vendor(), true), (Uuid([9; 16]), false)] {
            let envelope = manifest(vendor, sections);
            let (outcome, effects) = Recorder::new(device())
                .observe(&mut NoFetch, |device, fetch| {
                    recipient.update(device, fetch, &envelope)
                });
            assert_eq!(outcome.result.is_ok(), fits);
            assert_eq!(effects.is_empty(), !fits, "{effects:?}");
        }
    }
}

// req: SUIT-CMD-001, SUIT-PAR-002, SUIT-MAN-008
#[test]
fn what_every_recipient_has_to_implement() {
    let author = author(2);
    let commands = vec![
        index(0),
        set([
            Parameter::VendorId(vendor().into()),
            Parameter::ClassId(class()),
            digest_of(b"fetched"),
            Parameter::ImageSize(7),
            uri("coap://x"),
        ]),
        condition(Condition::VendorIdentifier),
        condition(Condition::ClassIdentifier),
        action(Action::Fetch),
        condition(Condition::ImageMatch),
    ];
    let mut with_invoke = Recorder::new(device());
    let sections = vec![
        (Section::Install, commands),
        (
            Section::Validate,
            vec![
                index(0),
                set([digest_of(b"fetched")]),
                condition(Condition::ImageMatch),
            ],
        ),
        (Section::Invoke, vec![index(0), action(Action::Invoke)]),
    ];
    let (outcome, _) = process(&mut with_invoke, &["x", "y"], sections);
    assert_eq!(outcome.result, Ok(()));
    let recipient = Recipient::trusting([author.key]);
    let outcome = recipient.invoke(&mut with_invoke, &mut NoFetch, &id("x/suit"));
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(with_invoke.inner.invoked().len(), 1);
}

// req: SUIT-CMD-004
#[test]
fn a_right_identifier_is_no_authority() {
    let stranger = author(4);
    let envelope = ta(&stranger, 1, b"payload");
    assert!(matches!(
        update(&mut device(), &author(2), &envelope).result,
        Err(Error::Unauthorized(_))
    ));
    // Nor does it give access to what somebody else may touch.
    let nothing = |_: &[tamarack_suit::Authority], _: Access, _: &ComponentId| false;
    let recipient = Recipient::trusting([stranger.key]).with_access(&nothing);
    let outcome = recipient.update(&mut device(), &mut NoFetch, &envelope);
    assert!(matches!(
        outcome.result,
        Err(Error::ComponentUnauthorized(_))
    ));
}

// req: SUIT-CMD-003
#[test]
fn identifiers_are_those_of_the_recipient() {
    let author = author(2);
    let envelope = ta(&author, 1, b"payload");
    let mut nameless = MemoryDevice::default();
    assert!(matches!(
        update(&mut nameless, &author, &envelope).result,
        Err(Error::ConditionFailed { .. })
    ));
    let mut several = MemoryDevice::new(Identity {
        vendors: vec![Uuid([1; 16]).into(), vendor().into()],
        classes: vec![Uuid([2; 16]), class()],
        devices: vec![],
    });
    assert_eq!(update(&mut several, &author, &envelope).result, Ok(()));
}

// req: SUIT-CMD-014, SUIT-CMD-013
#[test]
fn fetch_arguments_reach_the_network_and_nothing_else_does() {
    #[derive(Default)]
    struct Arguments(Vec<Option<Vec<u8>>>);
    impl Fetch for Arguments {
        fn fetch(
            &mut self,
            _: &str,
            arguments: Option<&[u8]>,
            sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
        ) -> Result<(), DeviceError> {
            self.0.push(arguments.map(<[u8]>::to_vec));
            sink(b"fetched")
        }
    }
    let author = author(2);
    let fetch = || {
        vec![
            set([uri("coap://x"), digest_of(b"fetched")]),
            action(Action::Fetch),
            condition(Condition::ImageMatch),
        ]
    };
    let mut commands = fetch();
    commands.push(set([Parameter::FetchArguments(b"\xa1\x01\x02".into())]));
    commands.extend(fetch());
    let envelope = sign_sections(&author, &["x"], vec![(Section::Install, commands)]);
    let mut fetch = Arguments::default();
    let outcome = update_from(&mut device(), &author, &envelope, &mut fetch);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(fetch.0, [None, Some(b"\xa1\x01\x02".to_vec())]);
}

// req: SUIT-PAR-011, SUIT-COM-008
#[test]
fn standard_commands_need_no_custom_parameter() {
    // Everything here works without any, and a manifest that sets one is refused, not half understood.
    let good = || {
        vec![
            set([content(b"x"), digest_of(b"x")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ]
    };
    assert_eq!(install(&["x"], good()).0.result, Ok(()));
    let custom = Parameter::Other {
        label: -300,
        value: vec![0x01].into(),
    };
    let mut with = good();
    with.push(set([custom.clone()]));
    let (outcome, effects, _) = install(&["x"], with);
    assert_eq!(outcome.result, Err(Error::ParameterUnsupported(-300)));
    assert_eq!(effects, []);
    let author = author(2);
    let common = Common {
        components: vec![id("x")],
        shared_sequence: Some(sequence([set([custom])])),
        ..Common::default()
    };
    let manifest = Manifest::new(SequenceNumber(1), common);
    let envelope = Draft::new(manifest)
        .sign(&crypto(), &[&*author.signer])
        .unwrap();
    assert_eq!(
        update(&mut device(), &author, &envelope).result,
        Err(Error::ParameterUnsupported(-300))
    );
}

// req: SUIT-COM-003, SUIT-COM-004
#[test]
fn no_more_components_than_the_target_has() {
    let author = author(2);
    let limits = Limits {
        components: 2,
        ..Limits::default()
    };
    let recipient = Recipient::trusting([author.key]).with_settings(Settings {
        limits,
        ..written_is_covered()
    });
    let of = |components: &[&str]| {
        let install = vec![
            index(0),
            Command::SetComponentIndex(IndexArgument::All),
            set([content(b"x")]),
            action(Action::Write),
        ];
        let envelope = sign_sections(&author, components, vec![(Section::Install, install)]);
        let mut device = Recorder::new(device());
        device.inner.support_only(["x", "y"].map(id));
        device.observe(&mut NoFetch, |device, fetch| {
            recipient.update(device, fetch, &envelope)
        })
    };
    assert_eq!(of(&["x", "y"]).0.result, Ok(()));
    let (outcome, effects) = of(&["x", "y", "x"]);
    assert!(matches!(outcome.result, Err(Error::Decode(_))));
    assert_eq!(effects, []);
    let (outcome, effects) = of(&["x", "z"]);
    assert_eq!(outcome.result, Err(Error::ComponentUnsupported(id("z"))));
    assert_eq!(effects, []);
}

// req: SUIT-ENV-015, SUIT-PROC-013, SUIT-PROC-008
#[test]
fn invocation_checks_the_manifest_and_whether_it_applies() {
    let author = author(2);
    let recipient = Recipient::trusting([author.key]);
    let envelope = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("app/suit"))
        .component(
            ComponentBuilder::new(id("app/ta"))
                .vendor(vendor())
                .class(class())
                .content(&crypto(), *b"code")
                .invoke(None),
        )
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author.signer])
        .unwrap();
    let mut device = device();
    assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
    let place = id("app/suit");
    let invoke = |device: &mut MemoryDevice| recipient.invoke(device, &mut NoFetch, &place).result;
    assert_eq!(invoke(&mut device), Ok(()));
    assert_eq!(device.invoked().len(), 1);
    // Every bit of the kept manifest counts; the device's own record of its digest is what it is held to.
    let kept = device.content(&place).unwrap().to_vec();
    let item = tamarack_suit::Envelope::decode(&kept)
        .unwrap()
        .manifest_item()
        .to_vec();
    let start = kept
        .windows(item.len())
        .position(|window| window == item)
        .unwrap();
    for at in start..start + item.len() {
        let mut changed = kept.clone();
        changed[at] ^= 1;
        device.put(&place, &changed);
        assert!(invoke(&mut device).is_err(), "{at}");
    }
    device.put(&place, &kept);
    assert_eq!(invoke(&mut device), Ok(()));
    assert_eq!(device.invoked().len(), 2);
    // Content that is not what was installed is not started.
    device.put(&id("app/ta"), b"evil");
    assert!(matches!(
        invoke(&mut device),
        Err(Error::ConditionFailed { .. })
    ));
    assert_eq!(device.invoked().len(), 2);
    // Nor is software for another class, wherever the storage came from.
    device.put(&id("app/ta"), b"code");
    let mut other = MemoryDevice::new(Identity {
        vendors: vec![vendor().into()],
        classes: vec![vendor().class("window")],
        devices: vec![],
    });
    for record in Device::manifests(&mut device).unwrap() {
        other.record_manifest(&record, &kept).unwrap();
    }
    other.put(&id("app/ta"), b"code");
    assert!(matches!(
        invoke(&mut other),
        Err(Error::ConditionFailed {
            condition: Condition::ClassIdentifier,
            ..
        })
    ));
    assert!(other.invoked().is_empty());
}

// req: SUIT-ACL-001, SUIT-ACL-003, SUIT-ACL-004
#[test]
fn rights_are_the_recipients_own() {
    let (ours, theirs) = (author(2), author(4));
    let envelope = |author: &Author, component: &str| {
        ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id(component).joined(b"suit").unwrap())
            .component(ComponentBuilder::new(id(component)).content(&crypto(), *b"x"))
            .build()
            .unwrap()
            .sign(&crypto(), &[&*author.signer])
            .unwrap()
    };
    // One authority for everything.
    let single = Recipient::trusting([ours.key]);
    let outcome = single.update(&mut device(), &mut NoFetch, &envelope(&ours, "any/thing"));
    assert_eq!(outcome.result, Ok(()));
    // Prefixes by identity.
    let prefixes = |signers: &[tamarack_suit::Authority], _: Access, component: &ComponentId| {
        (signers.iter().any(|signer| *signer == ours.key) && component.starts_with(&id("ours")))
            || (signers.iter().any(|signer| *signer == theirs.key)
                && component.starts_with(&id("theirs")))
    };
    let recipient = Recipient::trusting([ours.key, theirs.key]).with_access(&prefixes);
    let run = |author: &Author, component: &str| {
        recipient
            .update(&mut device(), &mut NoFetch, &envelope(author, component))
            .result
    };
    assert_eq!(run(&ours, "ours/x"), Ok(()));
    assert_eq!(run(&theirs, "theirs/x"), Ok(()));
    assert_eq!(
        run(&ours, "theirs/x"),
        Err(Error::ComponentUnauthorized(id("theirs/x/suit")))
    );
    assert_eq!(
        run(&theirs, "ours/x"),
        Err(Error::ComponentUnauthorized(id("ours/x/suit")))
    );
}

// req: SUIT-CMD-012, SUIT-UPD-031
#[test]
fn override_parameters_replaces_and_takes_lists() {
    let (outcome, _, device) = install(
        &["x", "y"],
        vec![
            index(0),
            Command::SetComponentIndex(IndexArgument::All),
            set([content(b"first")]),
            set([content(b"second")]),
            action(Action::Write),
            Command::OverrideMultiple(vec![(1, Parameters::from_list([content(b"third")]))]),
            action(Action::Write),
        ],
    );
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("x")), Some(&b"second"[..]));
    assert_eq!(device.content(&id("y")), Some(&b"third"[..]));
}

// req: SUIT-UPD-031
#[test]
fn what_follows_a_list_of_overrides_is_about_its_last_component() {
    let common = Common {
        components: ["x", "y", "z"].map(id).to_vec(),
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    let size = |size| Parameters::from_list([Parameter::ImageSize(size)]);
    let commands = [
        Command::OverrideMultiple(vec![(2, size(2)), (1, size(1))]),
        set([uri("coap://x")]),
    ];
    manifest.set_section(Section::Install, Severable::Inline(sequence(commands)));
    assert_eq!(manifest.uris(0), [""; 0]);
    assert_eq!(manifest.uris(1), ["coap://x"]);
    assert_eq!(manifest.uris(2), [""; 0]);
    assert_eq!(manifest.parameters_of(2), [&size(2)]);
}

// req: SUIT-COM-018
#[test]
fn what_a_nested_sequence_chooses_ends_with_it() {
    let common = Common {
        components: ["x", "y"].map(id).to_vec(),
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    let nested = [index(1), set([uri("coap://y")])];
    let commands = [
        index(0),
        try_each([nested.to_vec()], false),
        set([uri("coap://x")]),
        run(nested),
        set([uri("coap://x/2")]),
    ];
    manifest.set_section(Section::Install, Severable::Inline(sequence(commands)));
    assert_eq!(manifest.uris(0), ["coap://x", "coap://x/2"]);
    assert_eq!(manifest.uris(1), ["coap://y", "coap://y"]);
}
