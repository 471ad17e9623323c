//! Manifests that are malformed or ask for what is not there, under a good signature.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::cbor::{Problem, Writer};
use tamarack_suit::{
    Action, Command, Condition, Envelope, Error, IndexArgument, Parameter, Section,
    explain::locate, report::Reason,
};

// req: SUIT-FMT-003, SUIT-FMT-004, SUIT-FMT-006, SUIT-FMT-007, SUIT-SEQ-004, SUIT-ENV-013
#[test]
fn malformed_under_a_good_signature() {
    let author = author(2);
    let install = |content: &[u8]| sign_raw(&author, &raw_manifest(&[(20, content)]));
    // An odd count, none at all, no array, trailing bytes, a huge count, a command 0.
    assert!(matches!(
        problem(&install(&[0x81, 0x15])),
        Problem::Expected(_)
    ));
    assert!(matches!(
        problem(&install(&[0x83, 0x15, 0x0f, 0x15])),
        Problem::Expected(_)
    ));
    assert!(matches!(problem(&install(&[0x80])), Problem::Expected(_)));
    assert!(matches!(
        problem(&install(&[0xa1, 0x15, 0x0f])),
        Problem::Expected(_)
    ));
    assert_eq!(
        problem(&install(&[0x82, 0x15, 0x0f, 0x00])),
        Problem::TrailingBytes
    );
    let huge = [
        0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x15, 0x0f,
    ];
    assert_eq!(problem(&install(&huge)), Problem::Truncated);
    assert!(matches!(
        problem(&install(&[0x82, 0x00, 0x0f])),
        Problem::OutOfBounds(_)
    ));
    // A reporting policy of 16; parameter 0; an empty parameter map; a parameter twice.
    assert!(matches!(
        problem(&install(&[0x82, 0x15, 0x10])),
        Problem::OutOfBounds(_)
    ));
    assert!(matches!(
        problem(&install(&[0x82, 0x14, 0xa1, 0x00, 0x00])),
        Problem::OutOfBounds(_)
    ));
    assert!(matches!(
        problem(&install(&[0x82, 0x14, 0xa0])),
        Problem::OutOfBounds(_)
    ));
    let twice = [0x82, 0x14, 0xa2, 0x0e, 0x01, 0x0e, 0x02];
    assert_eq!(problem(&install(&twice)), Problem::DuplicateKey);
    // A sequence that is not wrapped; a nested one neither.
    let unwrapped = Writer::build(|w| {
        w.raw(&raw_manifest(&[])).int(20).array(2).int(14).uint(0);
    });
    let mut unwrapped = unwrapped;
    unwrapped[0] += 1;
    assert!(matches!(
        problem(&sign_raw(&author, &unwrapped)),
        Problem::Expected(_)
    ));
    assert!(matches!(
        problem(&install(&[0x82, 0x0f, 0x82, 0x82, 0x0e, 0x00, 0xf6])),
        Problem::Expected(_)
    ));
    // Try Each of nothing.
    assert!(matches!(
        problem(&install(&[0x82, 0x0f, 0x81, 0xf6])),
        Problem::Expected(_)
    ));
    assert!(matches!(
        problem(&install(&[0x82, 0x0f, 0x80])),
        Problem::OutOfBounds(_)
    ));
    // Component indices that are none.
    for bad in [
        &[0x82, 0x0c, 0xf4][..],
        &[0x82, 0x0c, 0x20],
        &[0x82, 0x0c, 0x80],
        &[0x82, 0x0c, 0x81, 0x20],
    ] {
        assert!(matches!(
            problem(&install(bad)),
            Problem::Expected(_) | Problem::OutOfBounds(_)
        ));
    }
    // Labels 0 and 1 in the envelope; unknown labels in manifest and common.
    for label in [0, 1] {
        let member = Writer::build(|w| {
            w.int(label).bytes(b"");
        });
        let envelope = sign_with_members(&author, &raw_manifest(&[]), &[member]);
        assert!(matches!(problem(&envelope), Problem::OutOfBounds(_)));
    }
    for label in [0, 10, 25, -300] {
        let envelope = sign_raw(&author, &raw_manifest(&[(label, b"")]));
        assert!(
            matches!(problem(&envelope), Problem::Expected(_)),
            "{label}"
        );
    }
}

// req: SUIT-FMT-003
#[test]
fn one_key_twice() {
    let author = author(2);
    let sequence = sequence([condition(Condition::Abort)]).encode();
    let manifest = raw_manifest(&[(20, &sequence), (20, &sequence)]);
    assert_eq!(
        problem(&sign_raw(&author, &manifest)),
        Problem::DuplicateKey
    );
    // A second manifest in the envelope, under the same label in a longer form.
    let second = Writer::build(|w| {
        w.raw(&[0x18, 0x03]).bytes(&raw_manifest(&[]));
    });
    let envelope = sign_with_members(&author, &raw_manifest(&[]), &[second]);
    assert_eq!(problem(&envelope), Problem::DuplicateKey);
}

// req: SUIT-LIM-005
#[test]
fn nested_too_deeply() {
    let author = author(2);
    let nested = |levels: usize| {
        let inner = vec![condition(Condition::Abort)];
        (0..levels).fold(inner, |inner, _| vec![try_each([inner], true)])
    };
    let install =
        |levels| sign_sections(&author, &["a/b"], vec![(Section::Install, nested(levels))]);
    assert_eq!(update(&mut device(), &author, &install(4)).result, Ok(()));
    assert_eq!(problem(&install(5)), Problem::TooDeep);
    // As many as fit into an envelope.
    let mut bytes = vec![0x82, 0x0e, 0x00];
    for _ in 0..3000 {
        bytes = Writer::build(|w| {
            w.array(2).int(32).bytes(&bytes);
        });
    }
    assert_eq!(
        problem(&sign_raw(&author, &raw_manifest(&[(20, &bytes)]))),
        Problem::TooDeep
    );
}

#[test]
fn more_commands_than_the_limit() {
    let author = author(2);
    let many = |count| vec![set([Parameter::ImageSize(1)]); count];
    let install = |count| sign_sections(&author, &["a/b"], vec![(Section::Install, many(count))]);
    assert!(matches!(problem(&install(1025)), Problem::OutOfBounds(_)));
    // 64 components times 100 commands.
    let names: Vec<String> = (0..32).map(|n| format!("c{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut commands = vec![Command::SetComponentIndex(IndexArgument::All)];
    commands.extend(many(200));
    let envelope = sign_sections(&author, &names, vec![(Section::Install, commands)]);
    assert_eq!(
        refused_untouched(&envelope),
        Error::LimitExceeded("executed commands")
    );
    // An index list of thousands.
    let list = IndexArgument::List(vec![0; 10_000]);
    let commands = vec![
        Command::SetComponentIndex(list),
        set([Parameter::ImageSize(1)]),
    ];
    let envelope = sign_sections(&author, &["a/b", "c"], vec![(Section::Install, commands)]);
    assert_eq!(
        problem(&envelope),
        Problem::OutOfBounds("the limit on entries")
    );
}

// req: SUIT-COM-016
#[test]
fn component_index_out_of_range() {
    let author = author(2);
    let cases = [
        vec![index(1), set([content(b"x")])],
        vec![index(u64::MAX), set([content(b"x")])],
        vec![Command::SetComponentIndex(IndexArgument::List(vec![
            0, 255,
        ]))],
        vec![set([Parameter::SourceComponent(4)]), action(Action::Copy)],
        vec![try_each([vec![index(9)]], true)],
        vec![Command::OverrideMultiple(vec![(
            7,
            tamarack_suit::Parameters::from_list([content(b"x")]),
        )])],
        vec![Command::CopyParameters(vec![(3, vec![18])])],
    ];
    for commands in cases {
        let envelope = sign_sections(&author, &["a/b"], vec![(Section::Install, commands)]);
        assert!(matches!(
            refused_untouched(&envelope),
            Error::ComponentIndex(_)
        ));
    }
    // No component at all.
    let envelope = sign_sections(
        &author,
        &[],
        vec![(Section::Install, vec![condition(Condition::Abort)])],
    );
    assert!(matches!(
        refused_untouched(&envelope),
        Error::Decode(_) | Error::ComponentIndex(0)
    ));
}

// req: SUIT-COM-012
#[test]
fn several_components_and_no_index() {
    let author = author(2);
    let envelope = sign_sections(
        &author,
        &["a", "b"],
        vec![(
            Section::Install,
            vec![condition(Condition::Abort), index(0)],
        )],
    );
    assert!(matches!(refused_untouched(&envelope), Error::Invalid(_)));
}

// req: SUIT-COM-007, SUIT-COM-008, SUIT-DEP-021
#[test]
fn directives_in_the_shared_sequence() {
    let author = author(2);
    for bad in [
        vec![action(Action::Fetch)],
        vec![action(Action::ProcessDependency)],
        vec![run([action(Action::Write)])],
        vec![try_each([vec![action(Action::Invoke)]], true)],
        vec![Command::Other {
            label: -300,
            argument: vec![0xf6].into(),
        }],
    ] {
        let shared = sequence(bad).encode();
        let common = Writer::build(|w| {
            w.map(2)
                .int(2)
                .array(1)
                .array(1)
                .bytes(b"a")
                .int(4)
                .bytes(&shared);
        });
        let manifest = Writer::build(|w| {
            w.map(3).int(1).uint(1).int(2).uint(1).int(3).bytes(&common);
        });
        assert!(matches!(
            problem(&sign_raw(&author, &manifest)),
            Problem::Expected(_)
        ));
    }
}

// req: SUIT-MAN-001
#[test]
fn another_manifest_version() {
    let author = author(2);
    let mut manifest = raw_manifest(&[]);
    assert_eq!(manifest[2], 1);
    manifest[2] = 2;
    assert!(matches!(
        problem(&sign_raw(&author, &manifest)),
        Problem::OutOfBounds("1")
    ));
}

// req: SUIT-FMT-012, SUIT-FMT-011
#[test]
fn digests_of_other_algorithms_or_lengths() {
    let author = author(2);
    let with = |algorithm: i64, length: usize| {
        let digest = Writer::build(|w| {
            w.array(2).int(algorithm).bytes(&vec![0; length]);
        });
        let install = Writer::build(|w| {
            w.array(2).int(20).map(1).int(3).bytes(&digest);
        });
        sign_raw(&author, &raw_manifest(&[(20, &install)]))
    };
    assert!(matches!(problem(&with(-16, 31)), Problem::OutOfBounds(_)));
    assert!(matches!(problem(&with(-16, 33)), Problem::OutOfBounds(_)));
    assert!(matches!(problem(&with(-44, 32)), Problem::OutOfBounds(_)));
    assert!(matches!(problem(&with(-16, 0)), Problem::OutOfBounds(_)));
    assert!(matches!(problem(&with(-18, 64)), Problem::OutOfBounds(_)));
    assert!(matches!(problem(&with(-45, 32)), Problem::OutOfBounds(_)));
    // SHA-256/64: never a digest that was cut.
    let error = refused_untouched(&with(-15, 8));
    assert_eq!(error, Error::AlgorithmUnsupported(-15));
    assert_eq!(error.reason(), Reason::AlgorithmUnsupported);
}

// req: SUIT-PROC-004, SUIT-PROC-015, SUIT-PAR-003, SUIT-UPD-001, SUIT-AMB-010
#[test]
fn what_is_not_supported_is_refused_before_anything_runs() {
    let author = author(2);
    let write = || vec![set([content(b"x")]), action(Action::Write)];
    let unsupported = [
        Command::Condition(Condition::MinimumBattery, Default::default()),
        Command::Condition(Condition::UpdateAuthorized, Default::default()),
        action(Action::Wait),
        Command::Other {
            label: -257,
            argument: vec![0xf6].into(),
        },
        Command::Other {
            label: 99,
            argument: vec![0x00].into(),
        },
    ];
    for command in unsupported {
        let label = command.label();
        // Even where it would never be reached.
        let mut install = write();
        install.push(try_each(
            [vec![], vec![command]].into_iter().map(|mut inner| {
                inner.insert(0, set([Parameter::ImageSize(1)]));
                inner
            }),
            true,
        ));
        let envelope = sign_sections(&author, &["a/b"], vec![(Section::Install, install)]);
        let error = refused_untouched(&envelope);
        assert_eq!(error, Error::CommandUnsupported(label));
        assert_eq!(error.reason(), Reason::CommandUnsupported);
    }
    for parameter in [
        Parameter::MinimumBattery(1),
        Parameter::UpdatePriority(-1),
        Parameter::EncryptionInfo(vec![0x80].into()),
        Parameter::WaitInfo(vec![0xa1, 0x05, 0x00].into()),
        Parameter::ComponentMetadata(vec![0xa0].into()),
        Parameter::Other {
            label: -300,
            value: vec![0xf5].into(),
        },
        Parameter::Other {
            label: 77,
            value: vec![0x01].into(),
        },
    ] {
        let label = parameter.label();
        let mut install = write();
        install.push(set([parameter]));
        let envelope = sign_sections(&author, &["a/b"], vec![(Section::Install, install)]);
        let error = refused_untouched(&envelope);
        assert_eq!(error, Error::ParameterUnsupported(label));
        assert_eq!(error.reason(), Reason::ParameterUnsupported);
    }
}

#[test]
fn what_is_wrong_in_a_manifest_is_found_in_its_envelope() {
    let author = author(2);
    // The version, which no manifest has.
    let mut manifest = raw_manifest(&[]);
    assert_eq!(manifest[..3], [0xa3, 0x01, 0x01]);
    manifest[2] = 0x17;
    let envelope = sign_raw(&author, &manifest);
    let at = envelope
        .windows(manifest.len())
        .position(|window| window == manifest)
        .unwrap();
    let decoded = Envelope::decode(&envelope).unwrap();
    assert_eq!(decoded.manifest_position(), at);
    let unverified = decoded.unverified_manifest().unwrap_err();
    let verified = decoded.authenticate(&crypto(), &[author.key]).unwrap_err();
    assert_eq!(verified, Error::Decode(unverified.clone()));
    assert_eq!(unverified.offset, at + 2);
    assert!(locate(&envelope, unverified.offset).starts_with("manifest"));
}
