//! Input that an attacker made: refused, before anything happens.
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
    Access, Action, Command, ComponentId, Condition, Envelope, Error, IndexArgument, Limits,
    NoFetch, Parameter, Processor, Section, SequenceNumber, Settings, SingleAuthority, Why,
    author::{ComponentBuilder, ManifestBuilder},
    report::{Reason, ReportResult},
};

/// The envelope is refused, and the device is as it was, without any transaction.
fn refused_untouched(envelope: &[u8]) -> Error {
    let author = author(2);
    let crypto = crypto();
    let trusted = [author.key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    let mut device = device();
    let outcome = processor.update_bytes(&mut device, &mut NoFetch, envelope);
    assert_eq!(device.components().count(), 0, "{:?}", outcome.result);
    assert!(!outcome.report.result.is_success());
    outcome.result.unwrap_err()
}

fn problem(envelope: &[u8]) -> Problem {
    match refused_untouched(envelope) {
        Error::Decode(error) => error.problem,
        other => panic!("{other}"),
    }
}

// req: SUIT-ENV-004, SUIT-ENV-017
#[test]
fn truncated_anywhere() {
    let severed = ta_draft(1, b"payload").sever(&crypto(), Section::Install);
    for draft in [ta_draft(1, b"payload"), severed] {
        let envelope = draft.sign(&crypto(), &[&*author(2).signer]).unwrap();
        for length in 0..envelope.len() {
            refused_untouched(&envelope[..length]);
        }
        let mut longer = envelope.clone();
        longer.push(0);
        assert_eq!(problem(&longer), Problem::TrailingBytes);
    }
}

// req: SUIT-ENV-004, SUIT-SEV-006, SUIT-SEV-016
#[test]
fn any_single_bit_flipped() {
    let author = author(2);
    let severed = ta_draft(1, b"payload").sever(&crypto(), Section::Install);
    for draft in [ta_draft(1, b"payload"), severed] {
        let envelope = draft.sign(&crypto(), &[&*author.signer]).unwrap();
        let mut survived = 0;
        for bit in 0..envelope.len() * 8 {
            let mut flipped = envelope.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut device = device();
            let outcome = update(&mut device, &author, &flipped);
            match outcome.result {
                // Only what changes nothing that counts may pass, with the content that was signed.
                Ok(()) => {
                    survived += 1;
                    // The key id in the unprotected header, which no signature covers: the key is then found
                    // by trying.
                    assert_eq!(
                        device.content(&id("provider/app/ta")),
                        Some(&b"payload"[..])
                    );
                    assert_eq!(outcome.report.reference.digest, draft.digest(&crypto()));
                }
                Err(_) => assert_eq!(device.components().count(), 0),
            }
        }
        assert!(survived <= 33 * 8);
    }
}

// req: SUIT-ENV-005
#[test]
fn a_wrapper_without_a_block() {
    let envelope = ta_draft(1, b"payload").encode_unsigned(&crypto());
    assert_eq!(refused_untouched(&envelope), Error::Unsigned);
    // Not even the digest.
    let empty = Writer::build(|w| {
        w.map(2)
            .int(2)
            .bytes(&[0x80])
            .int(3)
            .bytes(&raw_manifest(&[]));
    });
    assert!(matches!(problem(&empty), Problem::OutOfBounds(_)));
}

// req: SUIT-ENV-006, SUIT-ENV-007
#[test]
fn blocks_that_are_no_tagged_detached_signature() {
    let envelope = ta(&author(2), 1, b"payload");
    let decoded = Envelope::decode(&envelope).unwrap();
    let block = decoded.authentication_blocks()[0].to_vec();
    let digest = decoded.claimed_digest();
    let with = |block: &[u8]| {
        let digest = Writer::build(|w| {
            w.array(2).int(digest.algorithm_id()).bytes(digest.bytes());
        });
        let wrapper = Writer::build(|w| {
            w.array(2).bytes(&digest).bytes(block);
        });
        Writer::build(|w| {
            w.map(2)
                .int(2)
                .bytes(&wrapper)
                .int(3)
                .raw(decoded.manifest_item());
        })
    };
    assert_eq!(block[0], 0xd2);
    assert!(matches!(
        refused_untouched(&with(&block[1..])),
        Error::CoseUnsupported(_)
    ));
    let mut mac = block.clone();
    mac[0] = 0xd1;
    let error = refused_untouched(&with(&mac));
    assert_eq!(error.reason(), Reason::CoseUnsupported);
    let mut encrypted = block.clone();
    encrypted[0] = 0xd0;
    assert!(matches!(
        refused_untouched(&with(&encrypted)),
        Error::CoseUnsupported(_)
    ));
    let attached = tamarack_cose::sign1(&*author(2).signer, b"x", None).unwrap();
    assert!(matches!(
        refused_untouched(&with(&attached)),
        Error::CoseUnsupported(_)
    ));
    assert!(matches!(refused_untouched(&with(b"")), Error::Decode(_)));
    let mut trailing = block;
    trailing.push(0);
    assert_eq!(problem(&with(&trailing)), Problem::TrailingBytes);
}

// req: SUIT-ENV-011
#[test]
fn one_good_and_one_bad_signature() {
    let (good, other) = (author(2), author(4));
    let draft = ta_draft(1, b"payload");
    let crypto = crypto();
    let both = draft
        .sign(&crypto, &[&*good.signer, &*other.signer])
        .unwrap();
    let envelope = Envelope::decode(&both).unwrap();
    let mut keys = envelope
        .authenticate(&crypto, &[other.key, good.key])
        .unwrap()
        .signers()
        .to_vec();
    keys.sort();
    let mut expected = vec![good.key, other.key];
    expected.sort();
    assert_eq!(keys, expected);
    // By a stranger: passed over.
    let signers = envelope
        .authenticate(&crypto, &[good.key])
        .unwrap()
        .signers()
        .to_vec();
    assert_eq!(signers, [good.key]);
    // In the name of a trusted key, and wrong: refused.
    let block = envelope.authentication_blocks()[1];
    let at = both
        .windows(block.len())
        .position(|window| window == block)
        .unwrap();
    let mut forged = both.clone();
    forged[at + block.len() - 1] ^= 1;
    let forged = Envelope::decode(&forged).unwrap();
    assert!(forged.authenticate(&crypto, &[good.key]).is_ok());
    assert!(matches!(
        forged.authenticate(&crypto, &[good.key, other.key]),
        Err(Error::Unauthorized(_))
    ));
}

// A key id of another scheme is no reason to refuse a good signature.
#[test]
fn key_ids_of_another_scheme() {
    let author = author(2);
    let crypto = crypto();
    let envelope = ta(&author, 1, b"payload");
    let kid = author.key.key_id(&crypto);
    let at = envelope
        .windows(32)
        .position(|window| window == kid.as_bytes())
        .unwrap();
    // {4: h'…32 bytes…'} becomes {4: 'kid-1'}, with the lengths around it.
    let mut short = envelope.clone();
    short.splice(at - 2..at + 32, *b"\x45kid-1");
    let removed = 34 - 6;
    // The wrapper and the block, each with a one-byte length.
    assert_eq!((short[4], short[45]), (0x58, 0x58));
    for length in [5, 46] {
        short[length] -= removed;
    }
    let decoded = Envelope::decode(&short).unwrap();
    assert_eq!(
        decoded
            .authenticate(&crypto, &[author.key])
            .unwrap()
            .signers(),
        [author.key]
    );
    // Nor is one that has the form of a thumbprint and is nobody's.
    let mut other = envelope;
    other[at] ^= 1;
    let decoded = Envelope::decode(&other).unwrap();
    assert!(decoded.authenticate(&crypto, &[author.key]).is_ok());
}

// req: SUIT-SEV-006, SUIT-SEV-007, SUIT-SEV-008
#[test]
fn severed_install_swapped_under_a_good_signature() {
    let author = author(2);
    let crypto = crypto();
    let evil = sequence([set([content(b"evil")]), action(Action::Write)]).encode();
    let member = |label: i64, content: &[u8]| {
        Writer::build(|w| {
            w.int(label).bytes(content);
        })
    };
    let draft = ta_draft(1, b"payload").sever(&crypto, Section::Install);
    let manifest = draft.manifest().encode();
    let swapped = sign_with_members(&author, &manifest, &[member(20, &evil)]);
    assert_eq!(refused_untouched(&swapped), Error::SeveredDigest(20));
    // Left out: nothing runs.
    let gone = sign_raw(&author, &manifest);
    assert_eq!(refused_untouched(&gone), Error::SeveredMissing("install"));
    // Where the manifest has the section itself, or has none, the envelope's is never looked at.
    let inline = ta_draft(1, b"payload");
    let payload = Writer::build(|w| {
        w.text("#ta").bytes(b"payload");
    });
    let members = [member(15, &evil), member(20, &evil), payload];
    let extra = sign_with_members(&author, &inline.manifest().encode(), &members);
    let mut device = device();
    assert_eq!(update(&mut device, &author, &extra).result, Ok(()));
    assert_eq!(
        device.content(&id("provider/app/ta")),
        Some(&b"payload"[..])
    );
}

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
        refused_untouched(&envelope),
        Error::LimitExceeded("executed commands")
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
    let access = |signers: &[tamarack_cose::PublicKey], _: Access, component: &ComponentId| {
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

// req: SUIT-PROC-004, SUIT-PROC-015, SUIT-PAR-003, SUIT-UPD-001, SUIT-AMB-010
#[test]
fn what_is_not_supported_is_refused_before_anything_runs() {
    let author = author(2);
    let write = || vec![set([content(b"x")]), action(Action::Write)];
    let unsupported = [
        Command::Condition(Condition::MinimumBattery, Default::default()),
        Command::Condition(Condition::UpdateAuthorized, Default::default()),
        Command::Condition(Condition::Version, Default::default()),
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
        Parameter::WaitInfo(vec![0xa0].into()),
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
    let error = refused_untouched(&with(-18, 32));
    assert_eq!(error, Error::AlgorithmUnsupported(-18));
    assert_eq!(error.reason(), Reason::AlgorithmUnsupported);
}

#[test]
fn an_envelope_longer_than_the_limit() {
    let author = author(2);
    let crypto = crypto();
    let trusted = [author.key];
    let limits = Limits {
        envelope_bytes: 100,
        ..Limits::default()
    };
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_settings(Settings {
        limits,
        ..Settings::default()
    });
    let outcome = processor.update_bytes(&mut device(), &mut NoFetch, &ta(&author, 1, b"payload"));
    assert!(matches!(outcome.result, Err(Error::Decode(_))));
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
}
