//! What authors write and decoders accept of commands and parameters.
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
    Command, Comparison, Limits, Manifest, Parameter, ReportingPolicy, SuitDigest, Uuid, Version,
    VersionMatch,
};

/// What is wrong with an install sequence, under a good signature.
fn install_problem(content: &[u8]) -> Problem {
    problem(&sign_raw(&author(2), &raw_manifest(&[(20, content)])))
}

/// The encoded sequence that sets one parameter, of an encoded label and value.
fn setting(parameter: &[u8]) -> Vec<u8> {
    [&[0x82, 20, 0xa1][..], parameter].concat()
}

// req: SUIT-FMT-005, SUIT-PAR-004, SUIT-UPD-016
#[test]
fn structured_parameters_are_wrapped_and_scalars_are_not() {
    let digest = encoded_digest(&SuitDigest::sha256(&crypto(), b"x"));
    let version = Writer::build(|w| {
        w.array(2).uint(3).array(1).uint(1);
    });
    for (label, value) in [
        (3, digest),
        (28, version),
        (29, vec![0xa1, 1, 0]),
        (30, vec![0xa1, 1, 4]),
    ] {
        let head = Writer::build(|w| {
            w.int(label);
        });
        let unwrapped = setting(&[&head[..], &value].concat());
        assert!(
            matches!(install_problem(&unwrapped), Problem::Expected(_)),
            "{label}"
        );
        let wrapped = setting(&[&head[..], &byte_string(&value)].concat());
        assert_eq!(install_decodes(&wrapped).encode(), wrapped, "{label}");
    }
    // A COSE_Encrypt in its byte string is a matter of its own; bare, it is no parameter.
    assert!(matches!(
        install_problem(&setting(&[19, 0x80])),
        Problem::Expected(_)
    ));
    for (label, value) in [(4, vec![1]), (5, vec![0]), (14, vec![7]), (22, vec![0])] {
        let wrapped = setting(&[&[label][..], &byte_string(&value)].concat());
        assert!(
            matches!(install_problem(&wrapped), Problem::Expected(_)),
            "{label}"
        );
        let plain = setting(&[&[label][..], &value].concat());
        assert_eq!(install_decodes(&plain).encode(), plain, "{label}");
    }
    // Arguments of directives are not wrapped either.
    for bad in [
        &[0x82, 20, 0x43, 0xa1, 14, 1][..],
        &[0x82, 12, 0x41, 0],
        &[0x82, 15, 0x45, 0x81, 0x43, 0x82, 14, 15],
    ] {
        assert!(matches!(install_problem(bad), Problem::Expected(_)));
    }
}

// req: SUIT-COM-015
#[test]
fn component_indices_are_numbers_true_or_lists() {
    for good in [
        &[0x82, 12, 0][..],
        &[0x82, 12, 0xf5],
        &[0x82, 12, 0x82, 0, 1],
    ] {
        assert_eq!(install_decodes(good).encode(), good);
    }
    for bad in [
        &[0x82, 12, 0xf4][..],
        &[0x82, 12, 0x20],
        &[0x82, 12, 0x80],
        &[0x82, 12, 0x81, 0x20],
        &[0x82, 12, 0x81, 0xf5],
        &[0x82, 12, 0x61, b'0'],
        &[0x82, 12, 0xf6],
    ] {
        assert!(
            matches!(
                install_problem(bad),
                Problem::Expected(_) | Problem::OutOfBounds(_)
            ),
            "{bad:02x?}"
        );
    }
}

// req: SUIT-SEQ-005, SUIT-SEQ-009
#[test]
fn every_command_without_an_argument_has_a_reporting_policy() {
    let with_policy = [1, 2, 3, 4, 5, 6, 7, 8, 14, 24, 25, 26, 27, 28]
        .into_iter()
        .chain([11, 18, 21, 22, 23, 29, 31, 33]);
    for label in with_policy {
        let head = Writer::build(|w| {
            w.array(2).int(label);
        });
        for policy in 0..16_u8 {
            let content = [&head[..], &[policy]].concat();
            let sequence = install_decodes(&content);
            assert_eq!(sequence.encode(), content);
            let found = sequence.commands()[0].command.policy().unwrap();
            assert_eq!(found.bits(), policy);
            assert_eq!(found.reports_success(), policy & 5 != 0);
            assert_eq!(found.reports_failure(), policy & 10 != 0);
        }
        for bad in [
            &[16][..],
            &[0x18, 255],
            &[0x20],
            &[0xf6],
            &[0xf5],
            &[0x41, 1],
        ] {
            let problem = install_problem(&[&head[..], bad].concat());
            assert!(matches!(
                problem,
                Problem::Expected(_) | Problem::OutOfBounds(_)
            ));
        }
    }
    assert_eq!(ReportingPolicy::new(16), None);
    for label in [12, 15, 19, 20, 32, 34, 35] {
        let content = Writer::build(|w| {
            w.array(2).int(label).bool(false);
        });
        assert!(
            matches!(install_problem(&content), Problem::Expected(_)),
            "{label}"
        );
    }
}

// req: SUIT-CMD-009, SUIT-CMD-021
#[test]
fn nested_sequences_are_wrapped_and_have_no_policy() {
    let run = [0x82, 0x18, 32, 0x43, 0x82, 14, 15];
    assert_eq!(install_decodes(&run).encode(), run);
    assert_eq!(install_decodes(&run).commands()[0].command.policy(), None);
    let alternatives = [0x82, 15, 0x83, 0x43, 0x82, 14, 15, 0x43, 0x82, 14, 0, 0xf6];
    let sequence = install_decodes(&alternatives);
    assert_eq!(sequence.encode(), alternatives);
    let Command::TryEach {
        alternatives,
        or_nothing,
    } = &sequence.commands()[0].command
    else {
        panic!("no try-each");
    };
    assert_eq!((alternatives.len(), *or_nothing), (2, true));
    for bad in [
        &[0x82, 0x18, 32, 0x82, 14, 15][..],
        &[0x82, 0x18, 32, 15],
        &[0x82, 15, 0x43, 0x82, 14, 15],
        &[0x82, 15, 0x82, 0xf6, 0xf6],
    ] {
        assert!(
            matches!(install_problem(bad), Problem::Expected(_)),
            "{bad:02x?}"
        );
    }
}

// req: SUIT-PAR-004, SUIT-PAR-005, SUIT-PAR-009
#[test]
fn every_parameter_has_one_type() {
    let uuid = Uuid([1; 16]);
    let good = [
        Parameter::VendorId(uuid.into()),
        Parameter::ClassId(uuid),
        Parameter::ImageDigest(SuitDigest::sha256(&crypto(), b"x")),
        Parameter::UseBefore(u64::MAX),
        Parameter::ComponentSlot(0),
        Parameter::StrictOrder(false),
        Parameter::SoftFailure(true),
        Parameter::ImageSize(0),
        Parameter::Content(b"".as_slice().into()),
        Parameter::Uri("#x".into()),
        Parameter::SourceComponent(0),
        Parameter::InvokeArguments(b"x".as_slice().into()),
        Parameter::DeviceId(uuid),
        Parameter::FetchArguments(b"x".as_slice().into()),
        Parameter::MinimumBattery(1),
        Parameter::UpdatePriority(-1),
        Parameter::Version(VersionMatch {
            comparison: Comparison::GreaterEqual,
            version: Version(vec![1, 2]),
        }),
    ];
    // One value of each CBOR type.
    let values: [&[u8]; 8] = [
        &[0x07],
        &[0x26],
        &[0x41, 0],
        &[0x61, b'x'],
        &[0x81, 0],
        &[0xa1, 1, 0],
        &[0xf5],
        &[0xf6],
    ];
    for parameter in good {
        let label = parameter.label();
        let commands = sequence([set([parameter.clone()])]);
        assert_eq!(install_decodes(&commands.encode()), commands);
        let accepted: Vec<_> = values
            .iter()
            .filter(|value| {
                let head = Writer::build(|w| {
                    w.int(label);
                });
                let content = setting(&[&head[..], value].concat());
                let manifest = raw_manifest(&[(20, &content)]);
                Manifest::decode(&manifest, &Limits::default()).is_ok()
            })
            .map(|value| value[0] >> 5)
            .collect();
        let expected: &[u8] = match label {
            4 | 5 | 14 | 22 | 26 => &[0],
            27 => &[0, 1],
            18 | 23 | 25 => &[2],
            21 => &[3],
            12 | 13 => &[7],
            // 16 bytes, a wrapped digest, a wrapped version: none of the above.
            _ => &[],
        };
        assert_eq!(accepted, expected, "{label}");
    }
}

// req: SUIT-PAR-009
#[test]
fn a_uri_has_the_characters_of_one() {
    let with = |uri: &str| {
        let value = Writer::build(|w| {
            w.map(1).int(21).text(uri);
        });
        Writer::build(|w| {
            w.array(2).int(20).raw(&value);
        })
    };
    for uri in [
        "",
        "#file.bin",
        "http://example.com/file.bin",
        "coaps://[2001:db8::1]:5684/a;b=c?d='e'&f=(g)*,+$!@#h-._~",
        "../caf%C3%A9",
    ] {
        assert_eq!(install_decodes(&with(uri)).encode(), with(uri));
    }
    for none in [
        " ", "a b", "a\nb", "a\0", "<a>", "\"", "\\a", "^", "`", "{a}", "|", "%", "a%4", "%zz",
        "café", "\u{7f}",
    ] {
        assert!(
            matches!(install_problem(&with(none)), Problem::Expected(_)),
            "{none:?}"
        );
    }
    // Nor under the tag of URIs.
    let tagged = Writer::build(|w| {
        w.array(2).int(20).map(1).int(21).tag(32).text("#a");
    });
    assert!(matches!(install_problem(&tagged), Problem::Expected(_)));
}
