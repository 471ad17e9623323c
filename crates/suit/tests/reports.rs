//! Reports say what happened.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    Action, Common, Condition, Envelope, Error, Manifest, NoFetch, Parameter, Processor, Section,
    SequenceNumber, Severable, SingleAuthority, SuitDigest,
    author::Draft,
    explain::{describe, describe_report},
    report::{Reason, Report, ReportResult},
};

fn round_trip(report: &Report) {
    let bytes = report.encode();
    assert_eq!(&Report::decode(&bytes).unwrap(), report);
    for length in 0..bytes.len() {
        assert!(Report::decode(&bytes[..length]).is_err());
    }
}

// req: SUIT-REP-001, SUIT-REP-002, SUIT-REP-003, SUIT-REP-009, SUIT-REP-012, SUIT-AMB-028
// req: TEEP-ENC-013
#[test]
fn success() {
    let author = author(2);
    let crypto = crypto();
    let trusted = [author.key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_nonce(b"12345678");
    let envelope = ta(&author, 1, b"payload");
    let report = processor
        .update_bytes(&mut device(), &mut NoFetch, &envelope)
        .report;
    round_trip(&report);
    assert_eq!(report.result, ReportResult::Success);
    assert_eq!(report.nonce.as_deref(), Some(&b"12345678"[..]));
    assert_eq!(report.reference.uri, "https://example.com/app.suit");
    let decoded = Envelope::decode(&envelope).unwrap();
    assert_eq!(report.reference.digest, decoded.claimed_digest());
    // What the conditions with a policy for success measured: vendor, class, content.
    let claims: Vec<_> = report.claims().collect();
    assert_eq!(claims.len(), 3);
    assert_eq!(claims[0].properties.vendor_id(), Some(&vendor().into()));
    assert_eq!(claims[1].properties.class_id(), Some(class()));
    let claims = &claims[2..];
    assert_eq!(claims[0].component, id("provider/app/ta"));
    assert_eq!(claims[0].properties.image_size(), Some(7));
    let digest = SuitDigest::sha256(&crypto, b"payload");
    assert_eq!(claims[0].properties.image_digest(), Some(&digest));
    // In the order of the CDDL's numbers: 2, 3, 4, 99; the digest is no byte string.
    let bytes = report.encode();
    assert_eq!(bytes[..2], [0xa4, 0x02]);
    assert_eq!(bytes[bytes.len() - 36..][..4], [0x82, 0x2f, 0x58, 0x20]);
}

// req: SUIT-REP-004, SUIT-REP-005, SUIT-REP-006, SUIT-REP-007, SUIT-REP-008, SUIT-REP-009, SUIT-PROC-012, SUIT-AMB-027
#[test]
fn failure() {
    let author = author(2);
    let install = vec![
        index(1),
        try_each(
            [
                vec![condition(Condition::Abort)],
                vec![set([digest_of(b"right")])],
            ],
            false,
        ),
        set([content(b"wrong")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let envelope = sign_sections(&author, &["a", "b"], vec![(Section::Install, install)]);
    let report = update(&mut device(), &author, &envelope).report;
    round_trip(&report);
    let ReportResult::Failure {
        record,
        reason,
        code,
    } = &report.result
    else {
        panic!("no failure");
    };
    assert_eq!(*reason, Reason::ConditionFailed);
    assert_eq!(*code, 15);
    assert!(record.manifest_id.is_empty());
    assert_eq!(record.section, 20);
    assert_eq!(record.component_index, 1);
    assert_eq!(record.properties.image_size(), Some(5));
    let measured = SuitDigest::sha256(&crypto(), b"wrong");
    assert_eq!(record.properties.image_digest(), Some(&measured));
    // The offset is that of the command in the encoded section.
    let manifest = Envelope::decode(&envelope)
        .unwrap()
        .unverified_manifest()
        .unwrap();
    let section = manifest
        .section(Section::Install)
        .unwrap()
        .content()
        .unwrap();
    let encoded = section.encode();
    assert_eq!(record.offset, encoded.len() as u64 - 2);
    assert_eq!(encoded[encoded.len() - 2..], [0x03, 0x0f]);
    // The soft failure on the way has its record, with an offset from the same start.
    let records: Vec<_> = report.records().collect();
    assert_eq!(records.len(), 1);
    let at = usize::try_from(records[0].offset).unwrap();
    assert_eq!(encoded[at..at + 2], [14, 0x0f]);
    assert_eq!(report.claims().count(), 0);
}

// req: SUIT-REP-009
#[test]
fn reasons() {
    let author = author(2);
    let reason = |envelope: &[u8]| {
        let report = update(&mut device(), &author, envelope).report;
        round_trip(&report);
        match report.result {
            ReportResult::Failure { reason, .. } => reason,
            ReportResult::Success => Reason::Ok,
        }
    };
    let install = |commands| sign_sections(&author, &["a"], vec![(Section::Install, commands)]);
    assert_eq!(reason(b"junk"), Reason::CborParse);
    assert_eq!(
        reason(&ta(&common::author(4), 1, b"x")),
        Reason::Unauthorized
    );
    assert_eq!(
        reason(&ta_draft(1, b"x").encode_unsigned(&crypto())),
        Reason::Unauthorized
    );
    assert_eq!(
        reason(&install(vec![action(Action::Wait)])),
        Reason::CommandUnsupported
    );
    assert_eq!(
        reason(&install(vec![set([Parameter::UpdatePriority(0)])])),
        Reason::ParameterUnsupported
    );
    assert_eq!(
        reason(&install(vec![index(3)])),
        Reason::ComponentUnsupported
    );
    assert_eq!(
        reason(&install(vec![condition(Condition::Abort)])),
        Reason::ConditionFailed
    );
    assert_eq!(
        reason(&install(vec![action(Action::Fetch)])),
        Reason::OperationFailed
    );
    for number in -3..40 {
        assert_eq!(Reason::from_number(number).number(), number);
    }
    // Bytes that are no envelope are named by their own digest.
    let report = update(&mut device(), &author, b"junk").report;
    assert_eq!(
        report.reference.digest,
        SuitDigest::sha256(&crypto(), b"junk")
    );
    assert!(matches!(
        update(&mut device(), &author, b"junk").result,
        Err(Error::Decode(_))
    ));
}

// req: SUIT-REP-010, SUIT-REP-013, SUIT-AMB-029
#[test]
fn reports_of_others() {
    // A record with an extension element, an unknown member, a capability report, a result map.
    let bytes = [
        0xa5, 0x03, 0x81, 0x86, 0x81, 0x01, 0x14, 0x05, 0x00, 0xa0, 0xf6, // records
        0x04, 0xa3, 0x05, 0x20, 0x06, 0x85, 0x80, 0x07, 0x00, 0x00, 0xa0, 0x07, 0x18,
        0x2a, // result
        0x08, 0xa4, 0x01, 0x81, 0x81, 0xf5, 0x02, 0x81, 0x03, 0x03, 0x81, 0x03, 0x04, 0x81,
        0x2f, // capability report
        0x18, 0x32, 0xf5, // something else
        0x18, 0x63, 0x82, 0x60, 0x82, 0x2f, 0x58, 0x20, // reference
    ];
    let bytes = [&bytes[..], &[7; 32]].concat();
    let report = Report::decode(&bytes).unwrap();
    assert_eq!(report.records().next().unwrap().manifest_id, [1]);
    assert!(matches!(
        report.result,
        ReportResult::Failure {
            code: -1,
            reason: Reason::Other(42),
            ..
        }
    ));
    // An older layout: the reference as a map.
    let old = [0xa3, 0x03, 0x80, 0x04, 0xf5, 0x18, 0x63, 0xa0];
    assert!(Report::decode(&old).is_err());
    // Success that is false.
    let mut lie = report.encode();
    let at = lie
        .windows(2)
        .position(|pair| pair == [0x04, 0xa3])
        .unwrap();
    lie.splice(at + 1.., [0xf4]);
    assert!(Report::decode(&lie).is_err());
}

#[test]
fn descriptions() {
    let author = author(2);
    let envelope = ta(&author, 7, b"payload");
    let decoded = Envelope::decode(&envelope).unwrap();
    let tree = describe(&decoded, Some(&crypto()));
    let text = tree.to_string();
    for part in [
        "manifest-digest-matches: yes",
        "sequence-number: 7",
        "- provider/app/ta",
        "uri: #ta",
        "- fetch  (policy 15, offset",
        "- #ta  (bytes 7, for provider/app/ta, digest-matches yes)",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    #[cfg(feature = "json")]
    {
        let json = tree.to_json();
        assert_eq!(json["manifest"]["sequence-number"], 7);
        assert_eq!(json["manifest"]["install"][1]["command"], "fetch");
        assert_eq!(json["integrated"][0]["key"], "#ta");
    }
    let report = update(&mut device(), &author, &envelope).report;
    let text = describe_report(&report).to_string();
    assert!(text.contains("result: success"), "{text}");
    assert!(text.contains("provider/app/ta"), "{text}");
    // What is not plainly visible is escaped.
    let install = vec![set([Parameter::ImageSize(1)])];
    let name = "x\u{1b}[2J\u{202e}";
    let hostile = sign_sections(&author, &[name], vec![(Section::Install, install)]);
    let text = describe(&Envelope::decode(&hostile).unwrap(), None).to_string();
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

#[test]
fn a_payload_of_several_components_is_compared_for_each() {
    let described = |promised: [&[u8]; 2]| {
        let install = [0, 1].map(|at: u64| {
            let position = usize::try_from(at).unwrap();
            vec![
                index(at),
                set([uri("#both"), digest_of(promised[position])]),
            ]
        });
        let common = Common {
            components: vec![id("one"), id("two")],
            ..Common::default()
        };
        let mut manifest = Manifest::new(SequenceNumber(1), common);
        manifest.set_section(
            Section::Install,
            Severable::Inline(sequence(install.concat())),
        );
        let envelope = Draft::new(manifest)
            .with_integrated("#both", b"payload")
            .encode_unsigned(&crypto());
        let envelope = Envelope::decode(&envelope).unwrap();
        let tree = describe(&envelope, Some(&crypto()));
        let payload = tree.get("integrated").unwrap().items()[0].clone();
        let each = payload.get("for").unwrap().items().iter();
        let each: Vec<_> = each
            .map(|one| (one.word("component").unwrap(), one.flag("digest-matches")))
            .collect();
        let text = tree.to_string();
        for line in ["- one  (digest-matches", "- two  (digest-matches"] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        (payload.flag("digest-matches"), each)
    };
    let each = |one, two| vec![("one".into(), Some(one)), ("two".into(), Some(two))];
    let (good, bad) = (&b"payload"[..], &b"another"[..]);
    assert_eq!(described([good, good]), (Some(true), each(true, true)));
    assert_eq!(described([good, bad]), (Some(false), each(true, false)));
    assert_eq!(described([bad, good]), (Some(false), each(false, true)));
}
