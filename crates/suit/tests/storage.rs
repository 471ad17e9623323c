//! What is installed and what storage made of it: manifests and components that get into each other's way,
//! kept envelopes that were changed, and a choice among several manifests.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    Action, Common, ComponentId, Condition, Dependency, Device, Envelope, Error, Manifest,
    MemoryDevice, NoFetch, Parameter, Section, SequenceNumber, Severable,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
    report::Reason,
};

/// A manifest kept at `place` that writes a text into one component.
fn app(place: &str, component: &str, number: u64) -> Draft {
    ManifestBuilder::new(SequenceNumber(number))
        .manifest_id(id(place))
        .component(ComponentBuilder::new(id(component)).content(&crypto(), *b"content"))
        .build()
        .unwrap()
}

/// A manifest kept at `place` with an installed or integrated dependency.
fn dependent(place: &str, dependency: &[u8]) -> Vec<u8> {
    let builder = DependencyBuilder::of(&Envelope::decode(dependency).unwrap()).unwrap();
    let component = format!("{place}-json");
    signed(
        &ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id(place))
            .component(ComponentBuilder::new(id(&component)).content(&crypto(), *b"{}"))
            .dependency(builder.integrated("#dependency", dependency))
            .build()
            .unwrap(),
    )
}

/// A manifest that lists components and does not change any.
fn listing(place: &str, components: &[&str], dependencies: Vec<Dependency>) -> Vec<u8> {
    let common = Common {
        components: components.iter().map(|text| id(text)).collect(),
        dependencies,
        shared_sequence: None,
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id(place));
    signed(&Draft::new(manifest))
}

fn installed(envelopes: &[&[u8]]) -> MemoryDevice {
    let mut device = device();
    for envelope in envelopes {
        let outcome = update(&mut device, &author(2), envelope);
        assert_eq!(outcome.result, Ok(()));
    }
    device
}

/// Uninstalls in a transaction; the names of what is left.
fn remove(device: &mut MemoryDevice, place: &str) -> Result<Vec<String>, Error> {
    let recipient = Recipient::trusting([author(2).key]);
    let outcome = in_transaction(device, |device| {
        recipient
            .processor()
            .uninstall(device, &mut NoFetch, &id(place))
    });
    assert_eq!(outcome.report.result.is_success(), outcome.result.is_ok());
    outcome.result?;
    Ok(device.components().map(ToString::to_string).collect())
}

/// The update is refused before any effect.
fn refused(device: &MemoryDevice, envelope: &[u8]) -> Error {
    let recipient = Recipient::trusting([author(2).key]);
    let mut device = Recorder::new(device.clone());
    let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| {
        recipient.update(device, fetch, envelope)
    });
    assert_eq!(effects, []);
    outcome.result.unwrap_err()
}

// req: SUIT-DEP-032, SUIT-DEP-033
#[test]
fn a_manifest_is_nobodys_plain_component() {
    let device = installed(&[&signed(&app("a/suit", "a/x", 1))]);
    let error = refused(&device, &listing("b/suit", &["b/x", "a/suit"], vec![]));
    assert_eq!(error, Error::InUse(id("a/suit")));
    assert_eq!(error.reason(), Reason::OperationFailed);
    // Nor is one kept where another has a component.
    let error = refused(&device, &signed(&app("a/x", "b/x", 1)));
    assert_eq!(error, Error::InUse(id("a/x")));
    // Its own update is not in its way, and both go with all that they ever had.
    let mut device = installed(&[
        &signed(&app("a/suit", "a/x", 1)),
        &signed(&app("b/suit", "b/x", 1)),
        &signed(&app("a/suit", "a/y", 2)),
    ]);
    remove(&mut device, "b/suit").unwrap();
    assert_eq!(remove(&mut device, "a/suit"), Ok(vec![]));
}

// req: SUIT-DEP-032, SUIT-DEP-033
#[test]
fn nor_is_one_that_is_installed_in_the_same_update() {
    // The second dependency has the place of the first among its components.
    let first = signed(&app("first/suit", "first/x", 1));
    let thief = listing("second/suit", &["second/x", "first/suit"], vec![]);
    let builder =
        |envelope: &[u8]| DependencyBuilder::of(&Envelope::decode(envelope).unwrap()).unwrap();
    for order in [[&first, &thief], [&thief, &first]] {
        let mut manifest = ManifestBuilder::new(SequenceNumber(1)).manifest_id(id("root/suit"));
        for (envelope, key) in order.into_iter().zip(["#one", "#two"]) {
            manifest = manifest.dependency(builder(envelope).integrated(key, envelope.clone()));
        }
        let root = signed(&manifest.build().unwrap());
        let mut device = device();
        let outcome = update(&mut device, &author(2), &root);
        assert_eq!(outcome.result, Err(Error::InUse(id("first/suit"))));
        assert_eq!(device.components().count(), 0);
    }
}

// req: SUIT-DEP-032
#[test]
fn one_identifier_is_no_component_and_dependency_at_once() {
    let twice = listing(
        "b/suit",
        &["b/x", "a/suit"],
        vec![Dependency {
            index: 2,
            prefix: Some(id("a/suit")),
        }],
    );
    assert!(matches!(refused(&device(), &twice), Error::Invalid(_)));
}

// req: SUIT-DEP-034
#[test]
fn a_changed_envelope_does_not_keep_what_it_installed() {
    // Its uninstall section would fail, and must not be asked.
    let good = app("a/suit", "a/x", 1);
    let mut manifest = good.manifest().clone();
    let abort = sequence([condition(Condition::Abort)]);
    manifest.set_section(Section::Uninstall, Severable::Inline(abort));
    let evil = signed(&Draft::new(manifest));
    for changed in [&evil[..], b"", b"\0", &[0xff; 70_000]] {
        let mut device = installed(&[&signed(&good), &signed(&app("b/suit", "b/x", 1))]);
        device.put(&id("a/suit"), changed);
        assert_eq!(
            remove(&mut device, "a/suit"),
            Ok(vec!["b/suit".into(), "b/x".into()])
        );
        assert_eq!(Device::manifest(&mut device, &id("a/suit")), Ok(None));
        // It is gone, and may come again.
        let outcome = update(&mut device, &author(2), &signed(&good));
        assert_eq!(outcome.result, Ok(()));
    }
    // It does not run, though.
    let mut device = installed(&[&signed(&good)]);
    device.put(&id("a/suit"), &evil);
    let recipient = Recipient::trusting([author(2).key]);
    let outcome = recipient.invoke(&mut device, &mut NoFetch, &id("a/suit"));
    assert_eq!(outcome.result, Err(Error::ManifestDigest));
}

// req: SUIT-DEP-033, SUIT-DEP-034
#[test]
fn what_others_have_stays_when_a_record_is_all_there_is() {
    // Two manifests share a component, and one depends on the other.
    let shared = signed(&app("a/suit", "shared", 1));
    let mut device = installed(&[&shared, &listing("b/suit", &["shared"], vec![])]);
    device.put(&id("a/suit"), b"changed");
    assert_eq!(
        remove(&mut device, "a/suit"),
        Ok(vec!["b/suit".into(), "shared".into()])
    );

    let mut device = installed(&[&shared, &dependent("c/suit", &shared)]);
    device.put(&id("a/suit"), b"changed");
    let left = remove(&mut device, "a/suit").unwrap();
    assert!(left.contains(&"shared".to_owned()), "{left:?}");
    // The last dependent takes it along, though its dependency can't be asked.
    assert_eq!(remove(&mut device, "c/suit"), Ok(vec![]));
}

// req: SUIT-DEP-034, SUIT-DEP-035
#[test]
fn a_lost_dependency_does_not_keep_its_dependent() {
    let inner = signed(&app("inner/suit", "inner/x", 1));
    let outer = dependent("outer/suit", &inner);
    for changed in [Some(&b"changed"[..]), None] {
        let mut device = installed(&[&outer]);
        match changed {
            Some(bytes) => device.put(&id("inner/suit"), bytes),
            None => Device::remove(&mut device, &id("inner/suit")).unwrap(),
        }
        assert_eq!(remove(&mut device, "outer/suit"), Ok(vec![]));
        assert_eq!(Device::manifests(&mut device), Ok(vec![]));
    }
    // Without a record there is nothing to be removed.
    let mut device = installed(&[&outer]);
    Device::forget_manifest(&mut device, &id("inner/suit")).unwrap();
    assert_eq!(
        remove(&mut device, "outer/suit"),
        Ok(vec!["inner/x".into()])
    );
    // A new release that needs it no more gets rid of it as well.
    let mut device = installed(&[&outer]);
    device.put(&id("inner/suit"), b"changed");
    let next = signed(&app("outer/suit", "outer/y", 2));
    assert_eq!(update(&mut device, &author(2), &next).result, Ok(()));
    assert_eq!(device.content(&id("inner/x")), None);
    assert_eq!(device.sequence_number(&id("inner/suit")), None);
}

/// A manifest at one place that fails when it is installed, if `good` is not set.
fn release(number: u64, good: bool) -> Vec<u8> {
    let text: &'static [u8] = match good {
        true => b"good",
        false => b"bad",
    };
    let common = Common {
        components: vec![id("app/x")],
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(number), common);
    let install = sequence([
        set([content(text), digest_of(b"good")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
        set([Parameter::ImageSize(number)]),
    ]);
    manifest.set_section(Section::Install, Severable::Inline(install));
    signed(&Draft::new(manifest))
}

// req: SUIT-PROC-002, SUIT-PROC-003
#[test]
fn the_latest_that_is_authentic_and_works_is_installed() {
    let recipient = Recipient::trusting([author(2).key]);
    let processor = recipient.processor();
    let choose = |device: &mut MemoryDevice, envelopes: &[&[u8]]| {
        let mut tried = vec![];
        let chosen = processor.update_latest(envelopes, &mut |envelope| {
            tried.push(envelope.manifest().sequence_number.0);
            in_transaction(device, |device| {
                processor.update(device, &mut NoFetch, envelope)
            })
        });
        (chosen.map(|outcome| outcome.result), tried)
    };
    let [one, two, three] = [1, 2, 3].map(|number| release(number, true));
    let broken = release(4, false);
    let foreign = ta(&author(6), 9, b"foreign");
    let mut changed = release(8, true);
    *changed.last_mut().unwrap() ^= 1;

    let mut device = device();
    let all: [&[u8]; 7] = [&one, &three, b"junk", &broken, &two, &changed, &foreign];
    assert_eq!(choose(&mut device, &all), (Ok(Ok(())), vec![4, 3]));
    let place: ComponentId = id("app/x/suit");
    assert_eq!(device.sequence_number(&place), Some(SequenceNumber(3)));
    assert_eq!(device.content(&id("app/x")), Some(&b"good"[..]));

    // It does not fall back below what is installed, and says what is wrong with the latest.
    let (chosen, tried) = choose(&mut device, &[&one, &broken, &two, &broken]);
    assert_eq!(tried, [4, 2, 1]);
    assert!(matches!(chosen, Ok(Err(Error::ConditionFailed { .. }))));
    assert_eq!(device.sequence_number(&place), Some(SequenceNumber(3)));

    // Nothing is tried if nobody is trusted.
    let (chosen, tried) = choose(&mut device, &[&foreign, b"junk"]);
    assert_eq!(tried, [0_u64; 0]);
    assert!(matches!(chosen, Err(Error::Unauthorized(_))));
    assert_eq!(choose(&mut device, &[]), (Err(Error::Unsigned), vec![]));
}
