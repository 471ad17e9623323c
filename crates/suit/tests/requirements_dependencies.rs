//! What a dependent and its dependency have to do with one another.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    Action, Command, Common, Condition, Dependency, Envelope, Error, Limits, Manifest, NoFetch,
    Parameter, Parameters, Section, SequenceNumber, Settings, Severable, Why,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
};

const CARRIED: &str = "#inner";

/// A manifest of component `a/x` (index 0) with a dependency (index 1) that is kept at `place`.
fn dependent(
    author: &Author,
    place: &str,
    carried: &[u8],
    sections: Vec<(Section, Vec<Command<'static>>)>,
) -> Vec<u8> {
    let digest = Envelope::decode(carried).unwrap().claimed_digest();
    let common = Common {
        components: vec![id("a/x")],
        dependencies: vec![Dependency {
            index: 1,
            prefix: Some(id(place)),
        }],
        shared_sequence: Some(sequence([
            index(1),
            set([Parameter::ImageDigest(digest), uri(CARRIED)]),
        ])),
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id("a/suit"));
    for (section, commands) in sections {
        manifest.set_section(section, Severable::Inline(sequence(commands)));
    }
    Draft::new(manifest)
        .with_integrated(CARRIED, carried)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

fn process() -> Vec<Command<'static>> {
    vec![
        index(1),
        condition(Condition::DependencyIntegrity),
        action(Action::ProcessDependency),
    ]
}

/// Fetches and processes in install; more commands before that.
fn fetching(before: Vec<Command<'static>>) -> Vec<(Section, Vec<Command<'static>>)> {
    let mut install = vec![index(1), action(Action::Fetch)];
    install.extend(before);
    install.extend(process());
    vec![(Section::Install, install), (Section::Validate, process())]
}

/// A manifest of `b/x` with these install commands, kept at `b/suit`.
fn inner(author: &Author, install: Vec<Command<'static>>) -> Vec<u8> {
    let common = Common {
        components: vec![id("b/x")],
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id("b/suit"));
    manifest.set_section(Section::Install, Severable::Inline(sequence(install)));
    Draft::new(manifest)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

// req: SUIT-DEP-006, SUIT-ENV-012
#[test]
fn a_reference_outlives_signatures_and_severed_elements() {
    let (author, other) = (author(2), author(3));
    let crypto = crypto();
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("b/suit"))
        .text(tamarack_suit::Text {
            languages: vec![("en".into(), tamarack_suit::LanguageText::default())],
        })
        .component(ComponentBuilder::new(id("b/x")).content(&crypto, *b"x"))
        .build()
        .unwrap()
        .sever_text(&crypto)
        .sever(&crypto, Section::Install);
    let named = draft.sign(&crypto, &[&*author.signer]).unwrap();
    let resigned = draft.sign(&crypto, &[&*other.signer]).unwrap();
    let added = Envelope::decode(&named)
        .unwrap()
        .add_signatures(&crypto, &[&*other.signer])
        .unwrap();
    // Without its text, which nobody needs.
    let without_text = {
        let decoded = Envelope::decode(&named).unwrap();
        let install = decoded
            .severed()
            .iter()
            .find(|severed| severed.label == 20)
            .unwrap();
        let member = [&[20][..], install.item()].concat();
        sign_with_members(&author, &draft.manifest().encode(), &[member])
    };
    for carried in [&named, &resigned, &added, &without_text] {
        let dependency = DependencyBuilder::of(&Envelope::decode(&named).unwrap()).unwrap();
        let envelope = ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id("a/suit"))
            .component(ComponentBuilder::new(id("a/x")).content(&crypto, *b"a"))
            .dependency(dependency.integrated(CARRIED, carried.clone()))
            .build()
            .unwrap()
            .sign(&crypto, &[&*author.signer])
            .unwrap();
        let recipient = Recipient::trusting([author.key, other.key]);
        let mut device = device();
        let outcome = recipient.update(&mut device, &mut NoFetch, &envelope);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(device.content(&id("b/x")), Some(&b"x"[..]));
    }
}

// req: SUIT-DEP-006
#[test]
fn a_dependency_may_have_grown_since_its_size_was_written_down() {
    let (author, other) = (author(2), author(3));
    let named = inner(&author, checked(b"x"));
    let grown = Envelope::decode(&named)
        .unwrap()
        .add_signatures(&crypto(), &[&*other.signer])
        .unwrap();
    let size = Parameter::ImageSize(named.len() as u64);
    let mut install = vec![index(1), set([size]), action(Action::Fetch)];
    install.extend(process());
    let sections = vec![(Section::Install, install)];
    for carried in [&named, &grown] {
        let envelope = dependent(&author, "b/suit", carried, sections.clone());
        let recipient = Recipient::trusting([author.key, other.key]);
        let mut device = device();
        let outcome = recipient.update(&mut device, &mut NoFetch, &envelope);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(device.content(&id("b/x")), Some(&b"x"[..]));
    }
    // No more than an envelope may have.
    let settings = Settings {
        limits: Limits {
            envelope_bytes: 1024,
            ..Limits::default()
        },
        ..Settings::default()
    };
    let far = "https://example.com/inner.suit";
    let install = vec![index(1), set([uri(far)]), action(Action::Fetch)];
    let sections = vec![(Section::Install, [install, process()].concat())];
    let envelope = dependent(&author, "b/suit", &named, sections);
    let recipient = Recipient::trusting([author.key]).with_settings(settings);
    let mut server = Server::with(far, &[0; 2048]);
    let outcome = recipient.update(&mut device(), &mut server, &envelope);
    let too_long = Error::ActionFailed {
        action: Action::Fetch,
        why: Why::TooLong(1024),
    };
    assert_eq!(outcome.result, Err(too_long));
}

fn checked(bytes: &'static [u8]) -> Vec<Command<'static>> {
    vec![
        set([content(bytes), digest_of(bytes)]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ]
}

// req: SUIT-DEP-013
#[test]
fn a_dependency_is_kept_where_its_dependent_says() {
    let author = author(2);
    let carried = ta(&author, 1, b"payload");
    let placed = Envelope::decode(&carried)
        .unwrap()
        .unverified_manifest()
        .unwrap();
    assert_eq!(placed.component_id, Some(id("provider/app/suit")));
    let envelope = dependent(&author, "elsewhere/suit", &carried, fetching(vec![]));
    let mut device = device();
    assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
    assert!(device.sequence_number(&id("elsewhere/suit")).is_some());
    assert_eq!(device.sequence_number(&id("provider/app/suit")), None);
    // As a root manifest it goes where it says itself.
    let mut device = common::device();
    assert_eq!(update(&mut device, &author, &carried).result, Ok(()));
    assert!(device.sequence_number(&id("provider/app/suit")).is_some());
}

// req: SUIT-DEP-016, SUIT-DEP-004
#[test]
fn other_commands_may_be_about_a_dependency() {
    let author = author(2);
    let carried = ta(&author, 1, b"payload");
    let about = |commands| dependent(&author, "provider/app/suit", &carried, fetching(commands));
    for commands in [
        vec![condition(Condition::ImageMatch)],
        vec![condition(Condition::IsDependency)],
        vec![
            set([Parameter::Content(carried.clone().into())]),
            condition(Condition::CheckContent),
        ],
        vec![
            set([Parameter::Content(carried.clone().into())]),
            action(Action::Write),
        ],
        vec![run([condition(Condition::ImageMatch)])],
        vec![Command::CopyParameters(vec![(0, vec![21])])],
    ] {
        let envelope = about(commands.clone());
        let result = update(&mut device(), &author, &envelope).result;
        assert_eq!(result, Ok(()), "{commands:?}");
    }
    // A copy of an envelope is an envelope.
    let mut device = device();
    device.put(&id("a/x"), &carried);
    let copies = vec![
        index(1),
        set([Parameter::SourceComponent(0)]),
        action(Action::Copy),
        condition(Condition::DependencyIntegrity),
        action(Action::ProcessDependency),
    ];
    let envelope = dependent(
        &author,
        "provider/app/suit",
        &carried,
        vec![(Section::Install, copies), (Section::Validate, process())],
    );
    assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
    assert_eq!(
        device.content(&id("provider/app/ta")),
        Some(&b"payload"[..])
    );
}

// req: SUIT-DEP-017, SUIT-DEP-019
#[test]
fn parameters_of_a_component_are_shared_across_manifests() {
    let author = author(2);
    // The dependency writes what is set for its component, and sets something if nothing is.
    let carried = inner(
        &author,
        vec![
            Command::SetParameters(Parameters::from_list([content(b"by the dependency")])),
            Command::SetParameters(Parameters::from_list([digest_of(b"by the dependency")])),
            action(Action::Write),
            condition(Condition::ImageMatch),
            set([content(b"left behind")]),
        ],
    );
    let digest = Envelope::decode(&carried).unwrap().claimed_digest();
    let with = |before: Vec<Command<'static>>| {
        // The same component under another index than in the dependency: 1 instead of 0.
        let common = Common {
            components: vec![id("a/x"), id("b/x"), id("a/after")],
            dependencies: vec![Dependency {
                index: 3,
                prefix: Some(id("b/suit")),
            }],
            shared_sequence: None,
        };
        let mut install = vec![
            index(3),
            set([Parameter::ImageDigest(digest), uri(CARRIED)]),
            action(Action::Fetch),
            index(1),
        ];
        install.extend(before);
        install.extend([
            index(3),
            condition(Condition::DependencyIntegrity),
            action(Action::ProcessDependency),
            // What the dependency set stays set.
            index(2),
            Command::CopyParameters(vec![(1, vec![18])]),
            set([digest_of(b"left behind")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ]);
        let mut manifest = Manifest::new(SequenceNumber(1), common);
        manifest.component_id = Some(id("a/suit"));
        manifest.set_section(Section::Install, Severable::Inline(sequence(install)));
        let envelope = Draft::new(manifest)
            .with_integrated(CARRIED, carried.clone())
            .sign(&crypto(), &[&*author.signer])
            .unwrap();
        let mut device = device();
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        assert_eq!(device.content(&id("a/after")), Some(&b"left behind"[..]));
        device.content(&id("b/x")).unwrap().to_vec()
    };
    assert_eq!(with(vec![condition_that_holds()]), b"by the dependency");
    let overridden = vec![set([
        content(b"by the dependent"),
        digest_of(b"by the dependent"),
    ])];
    assert_eq!(with(overridden), b"by the dependent");
}

/// Something to stand between two indices.
fn condition_that_holds() -> Command<'static> {
    try_each([vec![condition(Condition::Abort)]], true)
}

// req: SUIT-DEP-018
#[test]
fn what_must_hold_is_not_up_to_the_dependent() {
    let author = author(2);
    let carried = inner(
        &author,
        vec![
            set([content(b"fixed"), digest_of(b"fixed")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ],
    );
    let digest = Envelope::decode(&carried).unwrap().claimed_digest();
    let common = Common {
        components: vec![id("b/x")],
        dependencies: vec![Dependency {
            index: 1,
            prefix: Some(id("b/suit")),
        }],
        shared_sequence: None,
    };
    let install = [
        index(0),
        set([content(b"evil"), digest_of(b"evil")]),
        index(1),
        set([Parameter::ImageDigest(digest), uri(CARRIED)]),
        action(Action::Fetch),
        condition(Condition::DependencyIntegrity),
        action(Action::ProcessDependency),
    ];
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id("a/suit"));
    manifest.set_section(Section::Install, Severable::Inline(sequence(install)));
    let envelope = Draft::new(manifest)
        .with_integrated(CARRIED, carried)
        .sign(&crypto(), &[&*author.signer])
        .unwrap();
    let mut device = device();
    assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
    assert_eq!(device.content(&id("b/x")), Some(&b"fixed"[..]));
}

// req: SUIT-DEP-029, SUIT-DEP-030
#[test]
fn integrity_is_checked_anew_in_each_procedure() {
    let author = author(2);
    let carried = ta(&author, 1, b"payload");
    let recipient = Recipient::trusting([author.key]);
    let invoke = |checked: bool| {
        let mut sections = fetching(vec![]);
        sections[1].1 = match checked {
            true => process(),
            false => vec![index(1), action(Action::ProcessDependency)],
        };
        let envelope = dependent(&author, "provider/app/suit", &carried, sections);
        let mut device = device();
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        recipient
            .invoke(&mut device, &mut NoFetch, &id("a/suit"))
            .result
    };
    assert_eq!(invoke(true), Ok(()));
    // Good enough for the update, where install had looked at it; not for the invocation.
    assert!(matches!(invoke(false), Err(Error::Dependency { .. })));
    // What the builder makes repeats it wherever it is needed.
    let built = DependencyBuilder::of(&Envelope::decode(&carried).unwrap()).unwrap();
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .dependency(built.integrated(CARRIED, carried.clone()))
        .manifest_id(id("a/suit"))
        .build()
        .unwrap();
    for (section, sequence) in draft.manifest().sections() {
        let commands: Vec<_> = sequence
            .content()
            .unwrap()
            .walk()
            .map(|located| located.command.label())
            .collect();
        assert!(commands.contains(&7), "{}", section.name());
    }
}

// req: SUIT-ENV-016
#[test]
fn a_manifest_that_was_verified_is_used_as_it_was() {
    let author = author(2);
    let good = inner(
        &author,
        vec![
            set([content(b"good"), digest_of(b"good")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ],
    );
    let evil = inner(
        &common::author(4),
        vec![set([content(b"evil")]), action(Action::Write)],
    );
    let envelope = dependent(&author, "b/suit", &good, {
        let mut sections = fetching(vec![]);
        sections.truncate(1);
        sections
    });
    let recipient = Recipient::trusting([author.key]);
    let mut device = Recorder::new(device());
    device.turns = Some((id("b/suit"), evil));
    let outcome = recipient.update(&mut device, &mut NoFetch, &envelope);
    // Read once, verified, and used from memory: what storage says afterwards has no effect.
    assert_eq!(outcome.result, Ok(()));
    let reads = device.asked.iter();
    let reads = reads.filter(|asked| **asked == ("read", id("b/suit")));
    assert_eq!(reads.count(), 1);
    assert_eq!(device.inner.content(&id("b/x")), Some(&b"good"[..]));
    let kept = device.inner.content(&id("b/suit")).unwrap();
    let kept = Envelope::decode(kept).unwrap();
    assert!(recipient.authenticate(&kept).is_ok());
}

// req: SUIT-DEP-010, SUIT-DEP-015, SUIT-DEP-014
#[test]
fn steps_are_taken_in_lockstep() {
    let author = author(2);
    let write = |text: &'static [u8]| {
        vec![
            set([content(text), digest_of(text)]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ]
    };
    let common = Common {
        components: vec![id("b/fetched"), id("b/installed")],
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id("b/suit"));
    for (section, at) in [(Section::PayloadFetch, 0), (Section::Install, 1)] {
        let mut commands = vec![index(at)];
        commands.extend(write(b"inner"));
        manifest.set_section(section, Severable::Inline(sequence(commands)));
    }
    let carried = Draft::new(manifest)
        .sign(&crypto(), &[&*author.signer])
        .unwrap();
    let mut outer = vec![index(0)];
    outer.extend(write(b"outer"));
    let mut install = process();
    install.splice(0..0, outer);
    let resolve = vec![
        index(1),
        action(Action::Fetch),
        condition(Condition::DependencyIntegrity),
    ];
    let envelope = dependent(
        &author,
        "b/suit",
        &carried,
        vec![
            (Section::DependencyResolution, resolve),
            (Section::PayloadFetch, process()),
            (Section::Install, install),
        ],
    );
    let recipient = Recipient::trusting([author.key]);
    let mut device = Recorder::new(device());
    let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| {
        recipient.update(device, fetch, &envelope)
    });
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(
        begun(&effects),
        ["b/suit", "b/fetched", "a/x", "b/installed"]
    );
}
