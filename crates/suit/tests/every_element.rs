//! Registries whose elements are all alike, element by element: what `docs/suit.md` says of each.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::{MacAlgorithm, MacKey, cbor::Writer, tag};
use tamarack_suit::{
    Action, ActorId, Comparison, ComponentMetadata, Condition, Envelope, Error, FileType,
    LanguageText, Limits, Parameter, Permissions, Processor, Section, SequenceNumber, Severable,
    SingleAuthority, Text, TrustAnchor, TrustAnchors, Version, VersionMatch, WaitEvent, WaitInfo,
    Why,
    author::{ComponentBuilder, ManifestBuilder},
    explain::{component_text_name, manifest_text_name},
};

// req: SUIT-SEV-002, SUIT-SEV-005, SUIT-SEV-008
#[test]
fn every_severable_section_is_run_from_the_envelope() {
    let sections = [
        (Section::DependencyResolution, "p/15"),
        (Section::PayloadFetch, "p/16"),
        (Section::CandidateVerification, "p/18"),
        (Section::Install, "p/20"),
    ];
    let mut builder = ManifestBuilder::new(SequenceNumber(1)).manifest_id(id("p/suit"));
    for (position, (section, component)) in sections.into_iter().enumerate() {
        let commands = [
            index(position as u64),
            set([content(b"was run"), digest_of(b"was run")]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ];
        builder = builder
            .component(ComponentBuilder::new(id(component)))
            .section(section, sequence(commands));
    }
    let mut draft = builder.build().unwrap();
    for (section, _) in sections {
        draft = draft.sever(&crypto(), section);
    }
    let bytes = draft.sign(&crypto(), &[&*author(2).signer]).unwrap();
    let envelope = Envelope::decode(&bytes).unwrap();
    let labels: Vec<i64> = envelope.severed().iter().map(|s| s.label).collect();
    assert_eq!(labels, [15, 16, 18, 20]);
    assert_eq!(envelope.encode(), bytes);
    let mut device = device();
    assert_eq!(update(&mut device, &author(2), &bytes).result, Ok(()));
    for (_, component) in sections {
        assert_eq!(device.content(&id(component)), Some(&b"was run"[..]));
    }
    // None of them is done without.
    for label in labels {
        let without = envelope.clone().without_severed(label).encode();
        assert!(matches!(
            refused_untouched(&without),
            Error::SeveredMissing(_)
        ));
    }
}

// req: SUIT-MAN-009, SUIT-UPD-008
#[test]
fn every_text_label_reaches_the_reader() {
    let text = |label: i64| (label, format!("text {label}").into());
    let about_the_manifest: Vec<_> = (1..=4).map(text).collect();
    let about_a_component: Vec<_> = (1..=8).map(text).collect();
    let text = Text {
        languages: vec![(
            "en".into(),
            LanguageText {
                manifest: about_the_manifest.clone(),
                components: vec![(id("p/app"), about_a_component.clone())],
            },
        )],
    };
    let bytes = ManifestBuilder::new(SequenceNumber(1))
        .component(ComponentBuilder::new(id("p/app")).content(&crypto(), b"x"))
        .text(text)
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author(2).signer])
        .unwrap();
    let manifest = Envelope::decode(&bytes)
        .unwrap()
        .unverified_manifest()
        .unwrap();
    let content = manifest.text.as_ref().and_then(Severable::content).unwrap();
    let read = Text::decode(content, &Limits::default()).unwrap();
    assert_eq!(read.languages[0].1.manifest, about_the_manifest);
    assert_eq!(read.languages[0].1.components[0].1, about_a_component);
    assert_eq!(read.encode(), **content);
    // Each has the name that the table gives it.
    let table = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/suit.md"),
    )
    .unwrap();
    for label in 1..=4 {
        assert!(table.contains(&format!("| {} | `{label}` |", manifest_text_name(label))));
    }
    for label in 1..=8 {
        assert!(table.contains(&format!("| {} | `{label}` |", component_text_name(label))));
    }
}

/// A manifest that waits for one event before it writes.
fn waiting_for(event: WaitEvent<'static>) -> Vec<u8> {
    let info = WaitInfo::new(vec![event]).unwrap().encode();
    let commands = vec![
        set([
            Parameter::WaitInfo(info.into()),
            content(b"x"),
            digest_of(b"x"),
        ]),
        action(Action::Wait),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    sign_sections(&author(2), &["p/app"], vec![(Section::Install, commands)])
}

// req: SUIT-UPD-020, SUIT-UPD-021, SUIT-UPD-022, SUIT-UPD-023
#[test]
fn every_wait_event_is_waited_for() {
    // A Thursday, 01:00:00 UTC, in a zone that is an hour ahead.
    let now = 3600;
    let other_device = WaitEvent::OtherDeviceVersion {
        device: b"pump"[..].into(),
        versions: vec![VersionMatch {
            comparison: Comparison::Equal,
            version: Version(vec![2]),
        }],
    };
    for (label, event) in [
        (1, WaitEvent::Authorization(3)),
        (2, WaitEvent::Power(1)),
        (3, WaitEvent::Network(1)),
        (4, other_device),
        (5, WaitEvent::Time(now)),
        (6, WaitEvent::TimeOfDay(7200)),
        (7, WaitEvent::DayOfWeek(4)),
        (8, WaitEvent::TimeOfDayUtc(3600)),
        (9, WaitEvent::DayOfWeekUtc(4)),
    ] {
        assert_eq!(event.label(), label);
        let envelope = waiting_for(event.clone());
        // Before it has happened, and after.
        let mut early = device();
        early.set_events([]);
        early.authorize(2);
        early.set_time_zone(3600);
        early.set_now(match label {
            7 | 9 => now + 2 * 86_400,
            _ => now - 1,
        });
        let outcome = update(&mut early, &author(2), &envelope);
        let why = Why::NotYet(label);
        let action = Action::Wait;
        assert_eq!(
            outcome.result,
            Err(Error::ActionFailed { action, why }),
            "{label}"
        );
        assert_eq!(early.components().count(), 0);

        let mut late = device();
        late.set_events([event]);
        late.authorize(3);
        late.set_time_zone(3600);
        late.set_now(now);
        let outcome = update(&mut late, &author(2), &envelope);
        assert_eq!(outcome.result, Ok(()), "{label}");
    }
}

// req: SUIT-UPD-024, SUIT-UPD-025
#[test]
fn every_metadata_member_reaches_the_device() {
    let whole = ComponentMetadata {
        default_permissions: Some(Permissions::LIST_READ),
        user_permissions: vec![
            (ActorId::Number(0), Permissions::LIST_READ),
            (
                ActorId::Bytes(b"id"[..].into()),
                Permissions::new(0x3fff).unwrap(),
            ),
        ],
        group_permissions: vec![(ActorId::Text("staff".into()), Permissions::LIST_READ)],
        role_permissions: vec![(ActorId::Uuid([9; 16]), Permissions::LIST_READ)],
        file_type: Some(FileType::Directory),
        modification_time: Some(1 << 32),
        creation_time: Some(5),
        creator: Some(ActorId::Text("tool".into())),
    };
    let commands = vec![
        set([
            Parameter::ComponentMetadata(whole.encode().into()),
            content(b""),
            digest_of(b""),
        ]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let envelope = sign_sections(&author(2), &["p/app"], vec![(Section::Install, commands)]);
    let mut device = device();
    device.keep_metadata();
    assert_eq!(update(&mut device, &author(2), &envelope).result, Ok(()));
    assert_eq!(device.metadata(&id("p/app")), Some(&whole));
}

// req: SUIT-ENV-006, SUIT-ENV-007
#[test]
fn every_mac_algorithm_authenticates() {
    let crypto = crypto();
    for algorithm in MacAlgorithm::ALL {
        let (ours, other) = (
            MacKey::generate(&crypto, algorithm).unwrap(),
            MacKey::generate(&crypto, algorithm).unwrap(),
        );
        let trusted = TrustAnchors::new(&crypto, [TrustAnchor::new(ours.clone())]);
        let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
        let install = |key: &MacKey| {
            let envelope = ta_draft(1, b"payload").mac(&crypto, key, None);
            let mut device = device();
            in_transaction(&mut device, |device| {
                processor.update_bytes(device, &mut tamarack_suit::NoFetch, &envelope)
            })
        };
        assert_eq!(install(&ours).result, Ok(()), "{}", algorithm.name());
        assert!(install(&other).result.is_err(), "{}", algorithm.name());
    }
}

// req: SUIT-ENV-006
#[test]
fn signatures_under_the_older_numbers_are_taken() {
    let crypto = crypto();
    for (seed, number) in [(2, -7), (3, -8)] {
        let author = author(seed);
        let unsigned = ta_draft(1, b"payload").encode_unsigned(&crypto);
        let unsigned = Envelope::decode(&unsigned).unwrap();
        let protected = Writer::build(|w| {
            w.map(1).int(1).int(number);
        });
        let signed = Writer::build(|w| {
            w.array(4).text("Signature1").bytes(&protected);
            w.bytes(b"").bytes(unsigned.digest_bytes());
        });
        let signature = author.signer.sign(&signed).unwrap();
        let block = Writer::build(|w| {
            w.tag(tag::SIGN1).array(4).bytes(&protected).map(0).null();
            w.bytes(&signature);
        });
        let digest = encoded_digest(&unsigned.claimed_digest());
        let mut envelope = envelope_of(&digest, &[block], unsigned.manifest_item());
        // The payload as well, which is a member of its own.
        envelope[0] += 1;
        envelope.extend(Writer::build(|w| {
            w.text("#ta").bytes(b"payload");
        }));
        let mut device = device();
        assert_eq!(
            update(&mut device, &author, &envelope).result,
            Ok(()),
            "{number}"
        );
    }
}
