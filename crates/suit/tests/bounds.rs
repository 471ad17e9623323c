//! What input can make large, and how long the largest takes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use std::time::{Duration, Instant};

use common::*;
use tamarack_cose::{
    cbor::{Problem, Writer},
    encrypt::{
        ContentAlgorithm, Curve, DecryptionKey, Encryption, Recipient as ContentRecipient,
        RecipientKey,
    },
};
use tamarack_suit::{
    Action, Command, ConciseSwidTag, Condition, Envelope, Error, IndexArgument, Limits, Manifest,
    NoFetch, Parameter, Parameters, Report, Section, SequenceNumber, Severable, Text, WaitInfo,
    author::{BuildError, DependencyBuilder, Draft, ManifestBuilder},
    report::CapabilityReport,
};

/// What is wrong with what could not be decoded.
fn bound(result: Result<(), tamarack_cose::cbor::DecodeError>) -> &'static str {
    match result.unwrap_err().problem {
        Problem::OutOfBounds(bound) => bound,
        other => panic!("{other:?}"),
    }
}

const ENTRIES: &str = "the limit on entries";

/// A map of `count` entries.
fn map(count: u64, mut entry: impl FnMut(&mut Writer, u64)) -> Vec<u8> {
    Writer::build(|w| {
        w.map(usize::try_from(count).unwrap());
        for number in 0..count {
            entry(w, number);
        }
    })
}

#[test]
fn members_of_an_envelope() {
    let author = author(2);
    let manifest = raw_manifest(&[]);
    let payload = |key: String| {
        Writer::build(|w| {
            w.text(&key).bytes(b"x");
        })
    };
    let unknown = |label: i64| {
        Writer::build(|w| {
            w.int(label).uint(0);
        })
    };
    let payloads = |count| -> Vec<_> { (0..count).map(|n| payload(format!("#{n}"))).collect() };
    let unknowns = |count| -> Vec<_> { (0..count).map(|n| unknown(1000 + n)).collect() };
    let envelope = |members: &[Vec<u8>]| sign_with_members(&author, &manifest, members);
    for (most, more) in [(payloads(62), payloads(63)), (unknowns(62), unknowns(63))] {
        assert!(Envelope::decode(&envelope(&most)).is_ok());
        let more = envelope(&more);
        let decoded = Envelope::decode(&more).map(drop);
        assert_eq!(bound(decoded), "the limit on members of an envelope");
    }
}

#[test]
fn lists_and_maps_of_a_manifest() {
    let author = author(2);
    let limits = Limits::default();
    let most = limits.entries as u64;
    let text = |bytes: &[u8]| Text::decode(bytes, &limits).map(drop);
    let empty = |w: &mut Writer| {
        w.map(0);
    };
    let language = |w: &mut Writer, n: u64| {
        let tag: String = [n / 26, n % 26]
            .iter()
            .map(|at| char::from(b'a' + u8::try_from(*at).unwrap()))
            .collect();
        w.text(&tag);
    };
    let languages = |count| {
        map(count, |w, n| {
            language(w, n);
            empty(w);
        })
    };
    assert_eq!(text(&languages(most)), Ok(()));
    assert_eq!(bound(text(&languages(most + 1))), ENTRIES);
    let in_english = |inner: Vec<u8>| {
        Writer::build(|w| {
            w.map(1).text("en").raw(&inner);
        })
    };
    let label = |n: u64| i64::try_from(n).unwrap() + 1;
    let texts = |count| {
        map(count, |w, n| {
            w.int(label(n)).text("x");
        })
    };
    let components = |count| {
        map(count, |w, n| {
            w.array(1).bytes(&n.to_be_bytes());
            empty(w);
        })
    };
    let of_a_component = |count| {
        Writer::build(|w| {
            w.map(1).array(1).bytes(b"x").raw(&texts(count));
        })
    };
    for make in [
        &texts as &dyn Fn(u64) -> Vec<u8>,
        &components,
        &of_a_component,
    ] {
        assert_eq!(text(&in_english(make(most))), Ok(()));
        assert_eq!(bound(text(&in_english(make(most + 1)))), ENTRIES);
    }

    let others = |count| {
        map(count, |w, n| {
            w.int(1000 + label(n)).uint(0);
        })
    };
    let tag = ConciseSwidTag::decode(&others(most + 1), &limits).map(drop);
    assert_eq!(bound(tag), ENTRIES);
    let wait = |count| WaitInfo::decode(&others(count), &limits).map(drop);
    assert_eq!(wait(most), Ok(()));
    assert_eq!(bound(wait(most + 1)), ENTRIES);

    let refused = |command: &dyn Fn(&mut Writer)| {
        let sequence = Writer::build(|w| {
            w.array(2);
            command(w);
        });
        match problem(&sign_raw(&author, &raw_manifest(&[(20, &sequence)]))) {
            Problem::OutOfBounds(bound) => assert_eq!(bound, ENTRIES),
            other => panic!("{other:?}"),
        }
    };
    let list = |w: &mut Writer| {
        w.array(usize::try_from(most + 1).unwrap());
        (0..=most).for_each(|_| {
            w.uint(0);
        });
    };
    refused(&|w| {
        w.int(12);
        list(w);
    });
    refused(&|w| {
        w.int(20).raw(&others(most + 1));
    });
    refused(&|w| {
        w.int(34).raw(&map(most + 1, |w, n| {
            w.uint(n).map(1).int(14).uint(0);
        }));
    });
    refused(&|w| {
        w.int(35).raw(&map(most + 1, |w, n| {
            w.uint(n).array(1).int(14);
        }));
    });
    refused(&|w| {
        w.int(35).map(1).uint(0);
        list(w);
    });
}

#[test]
fn records_and_capabilities_of_a_report() {
    let crypto = crypto();
    let report = |records: usize| {
        let digest = Writer::build(|w| tamarack_suit::SuitDigest::sha256(&crypto, b"").write(w));
        Writer::build(|w| {
            w.map(3).int(3).array(records);
            for _ in 0..records {
                w.array(5).array(0).int(20).uint(1).uint(0).map(0);
            }
            w.int(4).bool(true).int(99).array(2).text("").raw(&digest);
        })
    };
    assert!(Report::decode(&report(64)).is_ok());
    let more = Report::decode(&report(65)).map(drop);
    assert_eq!(bound(more), "the limit on records");

    let capabilities = |elements: u64| {
        Writer::build(|w| {
            w.map(usize::try_from(4 + elements).unwrap());
            w.int(1).array(1).array(1).bool(true);
            for list in 2..=4 {
                w.int(list).array(1).int(1);
            }
            for n in 0..elements {
                w.array(1).uint(n).array(1).int(1);
            }
        })
    };
    let read = |bytes: &[u8]| {
        CapabilityReport::read(&mut tamarack_cose::cbor::Reader::new(bytes)).map(drop)
    };
    assert_eq!(read(&capabilities(252)), Ok(()));
    assert_eq!(bound(read(&capabilities(253))), "256 members");
}

/// How long an update takes that must end within a second of an optimised build; without optimisation it
/// takes about twenty times as long.
fn timed(envelope: &[u8], prepare: impl FnOnce(&mut tamarack_suit::MemoryDevice)) -> Error {
    let recipient = Recipient::trusting([author(2).key]).fast();
    let mut device = device();
    prepare(&mut device);
    let start = Instant::now();
    let outcome = recipient.update(&mut device, &mut NoFetch, envelope);
    let taken = start.elapsed();
    eprintln!(
        "{taken:?} for {} bytes: {:?}",
        envelope.len(),
        outcome.result
    );
    let most = match cfg!(debug_assertions) {
        true => Duration::from_secs(20),
        false => Duration::from_secs(1),
    };
    assert!(taken < most, "{taken:?}");
    outcome.result.unwrap_err()
}

/// Thirty-two components, each with an identifier that is as long as it gets.
fn components() -> Vec<String> {
    (0..32_u8)
        .map(|n| format!("{}/{n}", "x".repeat(900)))
        .collect()
}

fn install(commands: Vec<Command<'static>>) -> Vec<u8> {
    let components = components();
    let components: Vec<&str> = components.iter().map(String::as_str).collect();
    sign_sections(&author(2), &components, vec![(Section::Install, commands)])
}

/// Each of 256 indices, which is as many as a list has.
fn everywhere() -> Command<'static> {
    Command::SetComponentIndex(IndexArgument::List((0..256).map(|n| n % 32).collect()))
}

#[test]
fn the_longest_parameters_as_often_as_possible() {
    // Four mebibytes, set for 256 indices again and again.
    let large = || Parameter::Content(vec![b'x'; 4 << 20].into());
    let inner = run([everywhere(), set([large()])]);
    let error = timed(&install(vec![everywhere(), inner]), |_| {});
    assert_eq!(error, Error::LimitExceeded("the parameters that are set"));
    // The same by copying from one component to all.
    let copy = Command::CopyParameters(vec![(0, vec![18])]);
    let commands = vec![
        index(0),
        set([large()]),
        everywhere(),
        run([everywhere(), copy]),
    ];
    let error = timed(&install(commands), |_| {});
    assert_eq!(error, Error::LimitExceeded("the parameters that are set"));
}

#[test]
fn many_small_parameters_do_not_fill_the_memory() {
    // Two bytes each, and forty times that in memory.
    let parameters = Writer::build(|w| {
        w.map(256);
        for label in 0..256_i64 {
            w.int(-1 - label).uint(0);
        }
    });
    let command = Writer::build(|w| {
        w.int(34).map(256);
        for index in 0..256_u64 {
            w.uint(index).raw(&parameters);
        }
    });
    let section = Writer::build(|w| {
        w.array(2 * 64);
        for _ in 0..64 {
            w.raw(&command);
        }
    });
    let envelope = sign_raw(&author(2), &raw_manifest(&[(20, &section)]));
    let error = timed(&envelope, |_| {});
    let Error::Decode(error) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(error.problem, Problem::OutOfBounds(_)));
}

#[test]
fn keys_are_tried_within_a_limit() {
    let crypto = crypto();
    let own = DecryptionKey::generate(&crypto, Curve::P256).unwrap();
    let other = DecryptionKey::generate(&crypto, Curve::P256).unwrap();
    // The last of as many as there can be is the right one.
    let mut recipients: Vec<_> = (0..31)
        .map(|_| ContentRecipient::agreement(other.public_key()))
        .collect();
    recipients.push(ContentRecipient::agreement(own.public_key()));
    let encryption = Encryption::new(ContentAlgorithm::A128Gcm, b"SUIT Payload Encryption");
    let (info, mut encryptor) = encryption.detached(&crypto, &recipients).unwrap();
    let mut ciphertext = Vec::new();
    encryptor.update(b"x", &mut ciphertext).unwrap();
    encryptor.finish(&mut ciphertext).unwrap();
    let components: Vec<String> = (0..32).map(|n| format!("a/{n}")).collect();
    let components: Vec<&str> = components.iter().map(String::as_str).collect();
    let all = || Command::SetComponentIndex(IndexArgument::All);
    let commands = vec![
        all(),
        set([
            Parameter::EncryptionInfo(info.into()),
            Parameter::Content(ciphertext.into()),
        ]),
        run([all(), action(Action::Write)]),
    ];
    let envelope = sign_sections(&author(2), &components, vec![(Section::Install, commands)]);
    let keys = [RecipientKey::agreement(&crypto, own)];
    let trusted = [author(2).key];
    let processor =
        tamarack_suit::Processor::new(&crypto, &trusted, &tamarack_suit::SingleAuthority)
            .with_recipient_keys(&keys);
    let outcome = processor.update_bytes(&mut device(), &mut NoFetch, &envelope);
    assert_eq!(
        outcome.result,
        Err(Error::LimitExceeded("the keys that are tried"))
    );
}

#[test]
fn dependencies_are_held_within_a_limit() {
    let author = author(2);
    let library = ta(&author, 1, b"payload");
    let dependency = DependencyBuilder::of(&Envelope::decode(&library).unwrap()).unwrap();
    let root = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("root/suit"))
        .dependency(dependency.integrated("#library", library.clone()))
        .build()
        .unwrap();
    let root = signed(&root);
    for (dependency_bytes, holds) in [(library.len() as u64, true), (100, false)] {
        let limits = Limits {
            dependency_bytes,
            ..Limits::default()
        };
        let mut recipient = Recipient::trusting([author.key]);
        recipient.settings.limits = limits;
        let outcome = recipient.update(&mut device(), &mut NoFetch, &root);
        assert_eq!(outcome.result.is_ok(), holds, "{:?}", outcome.result);
    }
}

#[test]
fn as_many_commands_as_possible() {
    let error = timed(
        &install(vec![everywhere(), run([everywhere(), run([everywhere()])])]),
        |_| {},
    );
    assert_eq!(error, Error::LimitExceeded("executed commands"));
    // As many as it may set, those of all components.
    let list: Vec<_> = (0..32)
        .map(|index| {
            let all = Parameters::from_list([
                Parameter::ImageSize(1),
                Parameter::ComponentSlot(1),
                Parameter::UseBefore(1),
                Parameter::SourceComponent(1),
                digest_of(b"x"),
                uri("coap://example.com/x"),
                content(b"x"),
            ]);
            (index, all)
        })
        .collect();
    let mut commands = vec![index(0)];
    commands.extend((0..36).map(|_| Command::OverrideMultiple(list.clone())));
    commands.extend([everywhere(), run([everywhere(), run([everywhere()])])]);
    let error = timed(&install(commands), |_| {});
    assert_eq!(error, Error::LimitExceeded("executed commands"));
}

// req: SUIT-PAR-019
#[test]
fn as_many_sources_and_targets_as_possible() {
    let copies = run([everywhere(), action(Action::Copy)]);
    let commands = vec![
        index(0),
        set([Parameter::StrictOrder(false)]),
        everywhere(),
        set([
            digest_of(b"x"),
            Parameter::ImageSize(1),
            Parameter::SourceComponent(31),
        ]),
        everywhere(),
        copies,
    ];
    // Component 31 is changed and read.
    let error = timed(&install(commands), |_| {});
    assert!(
        matches!(error, Error::Invalid(_) | Error::ActionFailed { .. }),
        "{error}"
    );
    // With sources that no command changes, every command is let through, and remembered.
    let targets =
        || Command::SetComponentIndex(IndexArgument::List((0..256).map(|n| n % 31).collect()));
    let mut commands = vec![
        targets(),
        set([
            digest_of(b"x"),
            Parameter::ImageSize(1),
            Parameter::SourceComponent(31),
        ]),
    ];
    commands.push(set([Parameter::StrictOrder(false)]));
    commands.extend((0..18).map(|_| action(Action::Copy)));
    let error = timed(&install(commands), |device| {
        for component in components() {
            device.put(&id(&component), b"x");
        }
    });
    assert_eq!(error, Error::LimitExceeded("executed commands"));
}

#[test]
fn the_largest_content_as_often_as_possible() {
    let recipient = Recipient::trusting([author(2).key]);
    let limits = Limits {
        read_bytes: 10_000,
        ..Limits::default()
    };
    let settings = tamarack_suit::Settings {
        limits,
        ..Default::default()
    };
    // Two digest algorithms in turn, so that none is remembered.
    let sha = |algorithm| {
        Parameter::ImageDigest(tamarack_suit::SuitDigest::of(
            &crypto(),
            algorithm,
            &[b'x'; 1000],
        ))
    };
    let mut commands = vec![];
    for _ in 0..5 {
        for algorithm in [
            tamarack_cose::DigestAlgorithm::Sha256,
            tamarack_cose::DigestAlgorithm::Sha512,
        ] {
            commands.extend([set([sha(algorithm)]), condition(Condition::ImageMatch)]);
        }
    }
    let measure = |commands| {
        let envelope = sign_sections(&author(2), &["a"], vec![(Section::Install, commands)]);
        let mut device = device();
        device.put(&id("a"), &[b'x'; 1000]);
        let processor = recipient.processor().with_settings(settings);
        processor
            .update_bytes(&mut device, &mut NoFetch, &envelope)
            .result
    };
    assert_eq!(measure(commands.clone()), Ok(()));
    let again = commands[..4].to_vec();
    commands.extend(again);
    assert_eq!(
        measure(commands),
        Err(Error::LimitExceeded("the content that is read"))
    );
}

#[test]
fn a_builder_notices() {
    let languages = (0..300)
        .map(|n| (format!("x{n}").into(), Default::default()))
        .collect();
    let mut manifest = Manifest::new(SequenceNumber(1), Default::default());
    manifest.text = Some(Severable::Inline(Text { languages }.encode().into()));
    let draft = Draft::new(manifest).encode_unsigned(&crypto());
    let envelope = Envelope::decode(&draft).unwrap();
    assert!(envelope.unverified_manifest().is_err());
    // What is built by the builder is refused there.
    let entries = (1..300).map(|label| (label, "x".into())).collect();
    let text = tamarack_suit::LanguageText {
        manifest: entries,
        components: vec![],
    };
    let built = tamarack_suit::author::ManifestBuilder::new(SequenceNumber(1))
        .component(tamarack_suit::author::ComponentBuilder::new(id("a")).content(&crypto(), *b"x"))
        .text(Text {
            languages: vec![("en".into(), text)],
        })
        .build();
    assert!(matches!(built, Err(BuildError::Invalid(_))));
}
