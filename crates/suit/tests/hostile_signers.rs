//! Well-formed manifests under a good signature, from those who may not do what they try.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    Access, Action, ComponentId, Condition, Envelope, Error, NoFetch, Parameter, Processor,
    Section, SequenceNumber, Why,
    author::{ComponentBuilder, ManifestBuilder},
    report::{Reason, ReportResult},
};

// req: SUIT-AMB-013, SUIT-CMD-016, SUIT-PROC-007, SUIT-SEV-016
#[test]
fn payloads_that_are_not_what_was_signed() {
    let author = author(2);
    let signed = |payload: &[u8], uri: &'static str, size: u64, checked: bool| {
        let mut install = vec![
            set([
                common::uri(uri),
                digest_of(payload),
                Parameter::ImageSize(size),
            ]),
            action(Action::Fetch),
        ];
        install.extend(checked.then(|| condition(Condition::ImageMatch)));
        sign_sections(&author, &["a/b"], vec![(Section::Install, install)])
    };
    let run = |envelope: &[u8], served: &[u8]| {
        let mut device = device();
        let mut server = Server::with("coap://x", served);
        let outcome = update_from(&mut device, &author, envelope, &mut server);
        assert_eq!(device.components().count() == 0, outcome.result.is_err());
        outcome.result
    };
    let good = signed(b"payload", "coap://x", 7, true);
    assert_eq!(run(&good, b"payload"), Ok(()));
    let too_long = Error::ActionFailed {
        action: Action::Fetch,
        why: Why::TooLong(7),
    };
    assert_eq!(run(&good, b"payload and more"), Err(too_long));
    assert!(matches!(
        run(&good, b"paylord"),
        Err(Error::ConditionFailed { .. })
    ));
    assert!(matches!(
        run(&good, b"pay"),
        Err(Error::ConditionFailed { .. })
    ));
    assert!(matches!(
        run(&good, b""),
        Err(Error::ConditionFailed { .. })
    ));
    // Nothing vouches for the content.
    let unchecked = signed(b"payload", "coap://x", 7, false);
    assert_eq!(
        run(&unchecked, b"payload"),
        Err(Error::Unverified(id("a/b")))
    );
    // A fragment that names nothing is never asked of the network.
    let fragment = signed(b"payload", "#x", 7, true);
    assert!(matches!(
        run(&fragment, b"payload"),
        Err(Error::ActionFailed {
            why: Why::NotIntegrated(_),
            ..
        })
    ));
}

#[test]
fn a_source_that_ignores_the_bound() {
    struct Endless;
    impl tamarack_suit::Fetch for Endless {
        fn fetch(
            &mut self,
            _: &str,
            _: Option<&[u8]>,
            sink: &mut dyn FnMut(&[u8]) -> Result<(), tamarack_suit::DeviceError>,
        ) -> Result<(), tamarack_suit::DeviceError> {
            for _ in 0..10_000 {
                let _ = sink(b"12345678");
            }
            Ok(())
        }
    }
    let author = author(2);
    let install = vec![
        set([
            uri("coap://x"),
            digest_of(b"12345678"),
            Parameter::ImageSize(8),
        ]),
        action(Action::Fetch),
        condition(Condition::ImageMatch),
    ];
    let envelope = sign_sections(&author, &["a/b"], vec![(Section::Install, install)]);
    let outcome = update_from(&mut device(), &author, &envelope, &mut Endless);
    assert!(matches!(
        outcome.result,
        Err(Error::ActionFailed {
            why: Why::TooLong(8),
            ..
        })
    ));
}

// req: SUIT-MAN-003, SUIT-MAN-004, SUIT-MAN-005, SUIT-AMB-012
#[test]
fn older_manifests() {
    let author = author(2);
    let mut device = device();
    let (one, two) = (ta(&author, 1, b"one"), ta(&author, 2, b"two"));
    assert_eq!(update(&mut device, &author, &one).result, Ok(()));
    assert_eq!(update(&mut device, &author, &two).result, Ok(()));
    assert_eq!(
        update(&mut device, &author, &two).result,
        Ok(()),
        "the same again"
    );
    let outcome = update(&mut device, &author, &one);
    let rollback = Error::Rollback {
        current: SequenceNumber(2),
        received: SequenceNumber(1),
    };
    assert_eq!(outcome.result, Err(rollback));
    let other = ta(&author, 2, b"another two");
    assert!(matches!(
        update(&mut device, &author, &other).result,
        Err(Error::Rollback { .. })
    ));
    assert_eq!(device.content(&id("provider/app/ta")), Some(&b"two"[..]));
    // One that fails does not move the number.
    let bad = ManifestBuilder::new(SequenceNumber(9))
        .manifest_id(id("provider/app/suit"))
        .component(
            ComponentBuilder::new(id("provider/app/ta"))
                .class(vendor().class("window"))
                .integrated(&crypto(), "#ta", b"nine"),
        )
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author.signer])
        .unwrap();
    assert!(matches!(
        update(&mut device, &author, &bad).result,
        Err(Error::ConditionFailed { .. })
    ));
    assert_eq!(
        device.sequence_number(&id("provider/app/suit")),
        Some(SequenceNumber(2))
    );
}

// req: SUIT-ACL-004, SUIT-ACL-005, SUIT-ACL-006, SUIT-COM-004
#[test]
fn components_of_somebody_else() {
    let crypto = crypto();
    let (ours, theirs) = (author(2), author(4));
    let trusted = [ours.key, theirs.key];
    let owner = |prefix: &ComponentId, key| {
        id(match key {
            key if key == ours.key => "ours",
            _ => "theirs",
        }) == *prefix
    };
    let access = |signers: &[tamarack_suit::Authority], _: Access, component: &ComponentId| {
        [id("ours"), id("theirs")].iter().any(|prefix| {
            component.starts_with(prefix) && signers.iter().any(|key| owner(prefix, *key))
        })
    };
    let processor = Processor::new(&crypto, &trusted, &access);
    let try_on = |component: &str, manifest: &str| {
        let envelope = ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id(manifest))
            .component(ComponentBuilder::new(id(component)).integrated(&crypto, "#x", b"x"))
            .build()
            .unwrap()
            .sign(&crypto, &[&*ours.signer])
            .unwrap();
        let mut device = device();
        device.support_only([id("ours"), id("theirs")]);
        let outcome = processor.update_bytes(&mut device, &mut NoFetch, &envelope);
        if outcome.result.is_err() {
            assert_eq!(device.components().count(), 0);
        }
        outcome
    };
    assert_eq!(try_on("ours/x", "ours/suit").result, Ok(()));
    let outcome = try_on("theirs/x", "ours/suit");
    assert_eq!(
        outcome.result,
        Err(Error::ComponentUnauthorized(id("theirs/x")))
    );
    assert!(matches!(
        outcome.report.result,
        ReportResult::Failure {
            reason: Reason::ComponentUnauthorized,
            ..
        }
    ));
    let outcome = try_on("ours/x", "theirs/suit");
    assert_eq!(
        outcome.result,
        Err(Error::ComponentUnauthorized(id("theirs/suit")))
    );
    let outcome = try_on("nobody/x", "ours/suit");
    assert_eq!(
        outcome.result.unwrap_err().reason(),
        Reason::ComponentUnsupported
    );
}

// req: SUIT-SEV-016
#[test]
fn a_spoiled_payload_is_found_without_installing_it() {
    let author = author(2);
    let crypto = crypto();
    let whole = ta(&author, 1, b"payload");
    let spoiled_in = |envelope: &[u8]| {
        let decoded = Envelope::decode(envelope).unwrap();
        let authentic = decoded.authenticate(&crypto, &[author.key]).unwrap();
        authentic.spoiled_payload(&crypto).cloned()
    };
    assert_eq!(spoiled_in(&whole), None);
    let mut spoiled = whole.clone();
    *spoiled.last_mut().unwrap() ^= 1;
    assert_eq!(spoiled_in(&spoiled), Some(id("provider/app/ta")));

    // Of the images for several slots, each is one that the manifest promises.
    let image = |slot, payload: &[u8]| {
        let component = ComponentBuilder::new(id("provider/app/ta"));
        let key = format!("#{slot}");
        component.integrated(&crypto, key, payload).slot(slot)
    };
    let slots = ManifestBuilder::new(SequenceNumber(1))
        .component(image(0, b"for slot 0").or(image(1, b"for slot 1")))
        .build()
        .unwrap();
    let whole = signed(&slots);
    assert_eq!(spoiled_in(&whole), None);
    let mut spoiled = whole.clone();
    *spoiled.last_mut().unwrap() ^= 0x80;
    assert_eq!(spoiled_in(&spoiled), Some(id("provider/app/ta")));
}
