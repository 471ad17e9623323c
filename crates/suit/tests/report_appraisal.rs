//! What a Verifier and an author learn from reports: consistency with the manifest, and capabilities.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use tamarack_suit::{
    Action, CapabilityPolicy, Command, Condition, Envelope, Error, MemoryDevice, NoFetch, Outcome,
    Parameter, Processor, Report, ReportingPolicy, Section, Settings, SingleAuthority,
    report::{CapabilityList, Entry, Inconsistency, ReportResult},
};

use common::*;

fn process(device: &mut MemoryDevice, envelope: &[u8], policy: CapabilityPolicy) -> Outcome {
    let crypto = crypto();
    let trusted = [author(2).key];
    let settings = Settings {
        capability_report: policy,
        ..Settings::default()
    };
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_settings(settings);
    processor.update_bytes(device, &mut NoFetch, envelope)
}

// req: SUIT-REP-014, SUIT-MTI-010, SUIT-UPD-033
#[test]
fn capabilities_are_told_where_they_were_missing_or_asked_for() {
    let author = author(2);
    let good = ta(&author, 1, b"payload");
    let wait = vec![action(Action::Wait)];
    let wanting = sign_sections(&author, &["a/b"], vec![(Section::Install, wait)]);
    let failing = vec![condition(Condition::Abort)];
    let failing = sign_sections(&author, &["a/b"], vec![(Section::Install, failing)]);
    let told = |envelope: &[u8], policy| {
        let report = process(&mut device(), envelope, policy).report;
        assert_eq!(Report::decode(&report.encode()), Ok(report.clone()));
        report.capability_report.is_some()
    };
    assert!(!told(&good, CapabilityPolicy::Unsupported));
    assert!(!told(&failing, CapabilityPolicy::Unsupported));
    assert!(told(&wanting, CapabilityPolicy::Unsupported));
    assert!(told(&good, CapabilityPolicy::Always));
    assert!(!told(&wanting, CapabilityPolicy::Never));
}

// req: SUIT-REP-015, SUIT-REP-016
#[test]
fn what_an_extension_adds_is_listed_where_the_device_has_it() {
    let crypto = crypto();
    let trusted = [author(2).key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    let plain = processor.capabilities(&device());
    for label in [26, 27, 29] {
        assert!(!plain.list(CapabilityList::Commands).contains(&label));
    }
    // Of the extensions what needs nothing of the device: dependencies, and most of update management.
    for label in [4, 7, 8, 11, 19, 25, 28, 33, 34, 35] {
        assert!(
            plain.list(CapabilityList::Commands).contains(&label),
            "{label}"
        );
    }
    let mut rich = device();
    rich.set_battery(1);
    rich.authorize(0);
    rich.set_events([]);
    rich.keep_metadata();
    rich.support_only([id("provider")]);
    let rich = processor.capabilities(&rich);
    for label in [26, 27, 29] {
        assert!(rich.list(CapabilityList::Commands).contains(&label));
    }
    for label in [26, 27, 29, 30] {
        assert!(rich.list(CapabilityList::Parameters).contains(&label));
    }
    assert!(rich.components[0].covers(&id("provider/app")));
    assert!(!rich.components[0].covers(&id("other/app")));
}

/// Every command and parameter that is listed as supported passes the checks, and no other does.
// req: SUIT-REP-015
#[test]
fn the_list_of_commands_does_not_lie() {
    let author = author(2);
    let crypto = crypto();
    let trusted = [author.key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    let listed = processor.capabilities(&device());
    for label in 1..60 {
        let argument = match label {
            12 | 15 | 19 | 20 | 32 | 34 | 35 => continue,
            _ => [0x00],
        };
        let section = [&[0x82][..], &encoded(label), &argument].concat();
        let envelope = sign_raw(&author, &raw_manifest(&[(20, &section)]));
        let outcome = process(&mut device(), &envelope, CapabilityPolicy::Never);
        let unsupported = outcome.result == Err(Error::CommandUnsupported(label));
        let is_listed = listed.list(CapabilityList::Commands).contains(&label);
        assert_eq!(
            is_listed, !unsupported,
            "command {label}: {:?}",
            outcome.result
        );
    }
}

fn encoded(label: i64) -> Vec<u8> {
    tamarack_cose::cbor::Writer::build(|w| {
        w.int(label);
    })
}

/// A report of a failed update, and its manifest.
fn failed_report() -> (Vec<u8>, Report) {
    let author = author(2);
    let commands = vec![
        try_each(
            [
                vec![
                    set([digest_of(b"something")]),
                    condition(Condition::ImageMatch),
                ],
                vec![set([Parameter::ImageSize(1)])],
            ],
            false,
        ),
        condition(Condition::Abort),
    ];
    let envelope = sign_sections(&author, &["a/b"], vec![(Section::Install, commands)]);
    let mut device = device();
    device.put(&id("a/b"), b"content");
    let outcome = process(&mut device, &envelope, CapabilityPolicy::Never);
    assert!(outcome.result.is_err());
    (envelope, outcome.report)
}

// req: SUIT-REP-025, SUIT-REP-026
#[test]
fn a_report_that_does_not_fit_its_manifest_is_found_out() {
    let crypto = crypto();
    let trusted = [author(2).key];
    let (bytes, report) = failed_report();
    let envelope = Envelope::decode(&bytes)
        .unwrap()
        .authenticate(&crypto, &trusted)
        .unwrap();
    assert_eq!(report.check_against(&envelope), Ok(vec![]));
    assert_eq!(report.records().count(), 1);

    let other = ta(&author(2), 1, b"payload");
    let other = Envelope::decode(&other)
        .unwrap()
        .authenticate(&crypto, &trusted)
        .unwrap();
    assert_eq!(report.check_against(&other), Err(Inconsistency::Digest));

    let with = |change: &dyn Fn(&mut tamarack_suit::report::Record)| {
        let mut report = report.clone();
        for entry in &mut report.records {
            if let Entry::Record(record) = entry {
                change(record);
            }
        }
        report.check_against(&envelope)
    };
    assert_eq!(
        with(&|record| record.section = 16),
        Err(Inconsistency::Section(16))
    );
    assert_eq!(
        with(&|record| record.component_index = 1),
        Err(Inconsistency::Component(1))
    );
    assert_eq!(
        with(&|record| record.manifest_id = vec![4]),
        Err(Inconsistency::Dependency(4))
    );
    // The place of the Try Each itself: a command, but none that a record is due for.
    assert!(matches!(
        with(&|record| record.offset = 1),
        Err(Inconsistency::Offset { .. })
    ));
    // In the middle of a command.
    assert!(matches!(
        with(&|record| record.offset += 1),
        Err(Inconsistency::Offset { .. })
    ));
    let mut elsewhere = report.clone();
    elsewhere.reference.uri = "https://example.org".into();
    assert!(matches!(
        elsewhere.check_against(&envelope),
        Err(Inconsistency::ReferenceUri(_))
    ));
    let ReportResult::Failure { record, .. } = &mut elsewhere.result else {
        panic!("the update failed");
    };
    record.offset += 1;
    elsewhere.reference.uri = String::new();
    assert!(matches!(
        elsewhere.check_against(&envelope),
        Err(Inconsistency::Offset { .. })
    ));
}

// req: SUIT-REP-025
#[test]
fn claims_become_measurements_by_component() {
    let crypto = crypto();
    let author = author(2);
    let bytes = ta(&author, 1, b"payload");
    let report = process(&mut device(), &bytes, CapabilityPolicy::Never).report;
    let envelope = Envelope::decode(&bytes)
        .unwrap()
        .authenticate(&crypto, &[author.key])
        .unwrap();
    let measurements = report.check_against(&envelope).unwrap();
    assert_eq!(measurements.len(), 1);
    let (component, properties) = &measurements[0];
    assert_eq!(*component, id("provider/app/ta"));
    assert_eq!(properties.image_size(), Some(7));
    assert_eq!(properties.class_id(), Some(class()));
}

// req: SUIT-SEQ-009, SUIT-SEQ-010, SUIT-AMB-028
#[test]
fn reports_say_as_much_as_the_policy_asks() {
    let author = author(2);
    // Each bit alone, on a test that fails softly and on one that holds.
    let entries = |bits: u8| {
        let policy = ReportingPolicy::new(bits).unwrap();
        let matches = |bytes: &[u8]| {
            let digest = tamarack_suit::SuitDigest::sha256(&crypto(), bytes);
            vec![
                set([Parameter::ImageDigest(digest)]),
                Command::Condition(Condition::ImageMatch, policy),
            ]
        };
        let commands = vec![try_each([matches(b"another"), matches(b"content")], false)];
        let envelope = sign_sections(&author, &["a/b"], vec![(Section::Validate, commands)]);
        let mut device = device();
        device.put(&id("a/b"), b"content");
        let outcome = process(&mut device, &envelope, CapabilityPolicy::Never);
        assert_eq!(outcome.result, Ok(()));
        outcome.report
    };
    let counts = |bits| {
        let report = entries(bits);
        let measured = report
            .records()
            .filter(|record| !record.properties.is_empty());
        (
            report.records().count(),
            measured.count(),
            report.claims().count(),
        )
    };
    assert_eq!(counts(0b0000), (0, 0, 0));
    assert_eq!(counts(0b0001), (0, 0, 1));
    assert_eq!(counts(0b0010), (1, 0, 0));
    assert_eq!(counts(0b0100), (0, 0, 1));
    assert_eq!(counts(0b1000), (1, 1, 0));
    assert_eq!(counts(0b1111), (1, 1, 1));
}
