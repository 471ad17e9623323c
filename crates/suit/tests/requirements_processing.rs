//! What a Recipient does, in which order, and what it leaves alone.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::{sections::*, *};
use tamarack_suit::{
    Action, Command, Common, Condition, DeviceError, Error, Fetch, IndexArgument, Manifest,
    NoFetch, Parameter, Parameters, Section, SequenceNumber, Severable, Why, author::Draft,
};

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
