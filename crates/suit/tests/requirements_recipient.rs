//! What a Recipient is: its identity, its rights, what it has to implement, and which manifests are for it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::{sections::*, *};
use tamarack_suit::{
    Access, Action, Command, Common, ComponentId, Condition, Device, Error, Identity,
    IndexArgument, Limits, Manifest, MemoryDevice, NoFetch, Parameter, Section, SequenceNumber,
    Settings, Severable, Uuid,
    author::{ComponentBuilder, Draft, ManifestBuilder},
};

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
