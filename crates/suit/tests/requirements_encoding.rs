//! What authors write and decoders accept of envelopes, of what is severed from them, and of manifests.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::{
    Signed,
    cbor::{Problem, Reader, Type, Writer},
};
use tamarack_suit::{
    Action, Command, Condition, Envelope, Error, IndexArgument, LanguageText, Limits, Manifest,
    Section, Sequence, SequenceNumber, SuitDigest, Text, Version,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
};

/// A manifest that uses everything that the builder knows.
fn built() -> Draft {
    let inner = ta(&author(2), 1, b"payload");
    let text = Text {
        languages: vec![(
            "en".into(),
            LanguageText {
                manifest: vec![(1, "Everything".into())],
                components: vec![(id("app/a"), vec![(6, "1.0".into())])],
            },
        )],
    };
    ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("app/suit"))
        .reference_uri("https://example.com/everything")
        .version(vec![1, 0])
        .text(text)
        .component(
            ComponentBuilder::new(id("app/a"))
                .vendor(vendor())
                .class(class())
                .integrated(&crypto(), "#a", b"a")
                .invoke(Some(b"fast".to_vec())),
        )
        .component(ComponentBuilder::new(id("app/b")).content(&crypto(), *b"b"))
        .component(ComponentBuilder::new(id("app/c")).uri(
            "https://example.com/c",
            SuitDigest::sha256(&crypto(), b"c"),
            1,
        ))
        .dependency(
            DependencyBuilder::of(&Envelope::decode(&inner).unwrap())
                .unwrap()
                .integrated("#inner", inner.clone()),
        )
        .build()
        .unwrap()
}

/// Every command of a manifest, nested ones included.
fn commands<'m>(manifest: &'m Manifest<'_>) -> Vec<&'m Command<'m>> {
    manifest
        .sequences()
        .flat_map(Sequence::walk)
        .map(|located| &located.command)
        .collect()
}

// req: SUIT-FMT-008, SUIT-CMD-023
#[test]
fn the_author_uses_registered_labels_and_custom_ones_are_kept() {
    let draft = built();
    for command in commands(draft.manifest()) {
        assert!((1..=35).contains(&command.label()), "{}", command.label());
        if let Command::SetParameters(list) | Command::OverrideParameters(list) = command {
            assert!(
                list.iter()
                    .all(|parameter| (1..=30).contains(&parameter.label()))
            );
        }
    }
    // A custom command with each kind of argument, and a custom parameter beside it.
    for argument in [&[0x41, 1][..], &[0x61, b'x'], &[0x20], &[0xf6]] {
        let content = [
            &[0x84, 0x39, 1, 0][..],
            argument,
            &[20, 0xa1, 0x39, 1, 0, 0x61, b'v'],
        ]
        .concat();
        let sequence = install_decodes(&content);
        assert_eq!(sequence.encode(), content);
        assert_eq!(sequence.commands()[0].command.label(), -257);
    }
}

// req: SUIT-ENV-001, SUIT-ENV-002, SUIT-ENV-003, SUIT-FMT-009, SUIT-FMT-010
#[test]
fn an_envelope_has_one_wrapper_and_after_it_one_manifest() {
    let envelope = signed(&built());
    let mut reader = Reader::new(&envelope);
    assert_eq!(reader.tag("envelope").unwrap(), 107);
    let members = reader.map("envelope").unwrap();
    let mut labels = Vec::new();
    for _ in 0..members {
        match reader.peek() {
            Type::Text => reader.skip("key").unwrap(),
            _ => labels.push(reader.int("label").unwrap()),
        }
        assert_eq!(reader.peek(), Type::Bytes);
        reader.skip("value").unwrap();
    }
    assert_eq!(labels, [2, 3]);
    let decoded = Envelope::decode(&envelope).unwrap();
    let (wrapper, item) = (
        encoded_digest(&decoded.claimed_digest()),
        decoded.manifest_item(),
    );
    // Algorithm and bytes, of the manifest with the head of its byte string.
    let hash = crypto().sha256(item);
    assert_eq!(wrapper, [&[0x82, 0x2f, 0x58, 0x20][..], &hash].concat());
    assert!(Reader::new(item).bytes("manifest").is_ok());
    // The wrapper is an array of byte strings: the digest, and each block.
    let mut reader = Reader::new(&envelope);
    reader.tag("envelope").unwrap();
    reader.map("envelope").unwrap();
    assert_eq!(reader.uint("label").unwrap(), 2);
    let mut content = Reader::new(reader.bytes("wrapper").unwrap());
    assert_eq!(content.array("wrapper").unwrap(), 2);
    assert_eq!(content.bytes("digest").unwrap(), wrapper);
    let block = content.bytes("block").unwrap();
    assert_eq!(decoded.authentication_blocks(), [block]);
    assert!(content.is_at_end());
    let wrapper = Writer::build(|w| {
        w.array(1).bytes(&wrapper);
    });
    let of = |with_wrapper: bool, with_manifest: bool| {
        Writer::build(|w| {
            w.map(usize::from(with_wrapper) + usize::from(with_manifest));
            if with_wrapper {
                w.int(2).bytes(&wrapper);
            }
            if with_manifest {
                w.int(3).raw(item);
            }
        })
    };
    assert!(Envelope::decode(&of(true, true)).is_ok());
    assert!(matches!(problem(&of(true, false)), Problem::Missing(_)));
    assert!(matches!(problem(&of(false, true)), Problem::Missing(_)));
    // A manifest under its own tag is none.
    let alone = Writer::build(|w| {
        w.tag(1070)
            .raw(Reader::new(item).bytes("manifest").unwrap());
    });
    assert!(matches!(problem(&alone), Problem::Expected(_)));
}

// req: SUIT-ENV-008
#[test]
fn authenticity_comes_before_decoding() {
    let junk = Writer::build(|w| {
        w.text("this is no manifest");
    });
    let item = byte_string(&junk);
    let digest = encoded_digest(&SuitDigest::sha256(&crypto(), &item));
    let stranger = tamarack_cose::sign1_detached(&*author(4).signer, &digest, None).unwrap();
    // Nobody vouches for it, so nobody looks into it.
    let envelope = envelope_of(&digest, &[stranger], &item);
    assert!(matches!(
        refused_untouched(&envelope),
        Error::Unauthorized(_)
    ));
    assert_eq!(
        refused_untouched(&envelope_of(&digest, &[], &item)),
        Error::Unsigned
    );
    // Signed by whom it should be, it is looked into, and refused.
    assert!(matches!(
        refused_untouched(&sign_raw(&author(2), &junk)),
        Error::Decode(_)
    ));
}

// req: SUIT-ENV-009, SUIT-ENV-010, SUIT-ENV-012, SUIT-MTI-005, SUIT-MTI-008
#[test]
fn every_signature_is_one_of_the_digest_as_it_is_now() {
    let (p256, ed25519) = (author(2), author(3));
    let crypto = crypto();
    let draft = built();
    let both = draft
        .sign(&crypto, &[&*p256.signer, &*ed25519.signer])
        .unwrap();
    let decoded = Envelope::decode(&both).unwrap();
    let digest = encoded_digest(&decoded.claimed_digest());
    let mut algorithms = Vec::new();
    for (block, author) in decoded
        .authentication_blocks()
        .iter()
        .zip([&p256, &ed25519])
    {
        let block = Signed::decode(block).unwrap();
        let (key, payload) = block.verify(&crypto, &[author.key], Some(&digest)).unwrap();
        assert_eq!((key, payload), (author.key, &digest[..]));
        algorithms.extend(
            block
                .signatures()
                .iter()
                .map(|headers| headers.algorithm_id()),
        );
    }
    assert_eq!(algorithms, [Some(-9), Some(-19)]);

    // Somebody who passes it on adds a signature, or takes one away: the digest stays what it is.
    let one = Envelope::decode(&both).unwrap();
    let alone = signed(&draft);
    let added = Envelope::decode(&alone)
        .unwrap()
        .add_signatures(&crypto, &[&*ed25519.signer])
        .unwrap();
    let added = Envelope::decode(&added).unwrap();
    assert_eq!(added.claimed_digest(), one.claimed_digest());
    assert_eq!(added.claimed_digest(), draft.digest(&crypto));
    let recipient = Recipient::trusting([ed25519.key]);
    assert_eq!(
        recipient.authenticate(&added).unwrap().signers(),
        [ed25519.key]
    );

    // Nothing is signed that was changed since.
    let mut changed = alone.clone();
    let item = Envelope::decode(&alone).unwrap().manifest_item().to_vec();
    let at = alone.windows(item.len()).position(|window| window == item);
    changed[at.unwrap() + 10] ^= 1;
    let changed = Envelope::decode(&changed).unwrap();
    assert_eq!(
        changed.add_signatures(&crypto, &[&*ed25519.signer]),
        Err(Error::ManifestDigest)
    );
}

// req: SUIT-SEV-001, SUIT-SEV-002, SUIT-SEV-004, SUIT-SEV-010, SUIT-MAN-007
#[test]
fn what_can_be_severed_is_moved_and_leaves_its_digest() {
    let crypto = crypto();
    let mut draft = built();
    let whole = draft.manifest().clone();
    for section in Section::ALL {
        draft = draft.sever(&crypto, section);
    }
    let draft = draft.sever_text(&crypto);
    let manifest = draft.manifest();
    for (section, sequence) in manifest.sections() {
        let severable = matches!(section.label(), 15 | 16 | 18 | 20);
        assert_eq!(sequence.digest().is_some(), severable, "{}", section.name());
    }
    assert!(manifest.text.as_ref().unwrap().digest().is_some());
    // Signed afterwards: what the signature covers has the digests in it.
    let envelope = signed(&draft);
    let decoded = Envelope::decode(&envelope).unwrap();
    assert_eq!(&decoded.unverified_manifest().unwrap(), manifest);
    for severed in decoded.severed() {
        let digest = SuitDigest::sha256(&crypto, severed.item());
        match Section::ALL
            .iter()
            .find(|section| section.label() == severed.label)
        {
            Some(section) => {
                assert_eq!(manifest.section(*section).unwrap().digest(), Some(digest));
                let before = whole.section(*section).unwrap().content().unwrap();
                assert_eq!(severed.content(), before.encode());
            }
            None => assert_eq!(severed.label, 23),
        }
    }
    let mut labels: Vec<_> = decoded
        .severed()
        .iter()
        .map(|severed| severed.label)
        .collect();
    labels.sort_unstable();
    assert_eq!(labels, [15, 20, 23]);
    // In the manifest the digest is an array and not wrapped.
    let encoded = manifest.encode();
    let digest = encoded_digest(
        &manifest
            .section(Section::Install)
            .unwrap()
            .digest()
            .unwrap(),
    );
    let member = [&[20][..], &digest].concat();
    assert!(encoded.windows(member.len()).any(|window| window == member));
    // Sections that stay inline are refused as digests.
    for label in [7, 8, 9, 0x18] {
        let mut manifest = raw_manifest(&[]);
        manifest[0] += 1;
        manifest.extend(match label {
            0x18 => vec![0x18, 24],
            label => vec![label],
        });
        manifest.extend(&digest);
        assert!(matches!(
            problem(&sign_raw(&author(2), &manifest)),
            Problem::Expected(_)
        ));
    }
    // The others are accepted in either form.
    for label in [15, 16, 18, 20, 23] {
        let mut manifest = raw_manifest(&[]);
        manifest[0] += 1;
        manifest.push(label);
        manifest.extend(&digest);
        let decoded = Manifest::decode(&manifest, &Limits::default()).unwrap();
        assert_eq!(decoded.encode(), manifest);
    }
    // Common is a wrapped map.
    let unwrapped = [0xa3, 1, 1, 2, 1, 3, 0xa1, 2, 0x81, 0x81, 0x41, b'a'];
    assert!(matches!(
        problem(&sign_raw(&author(2), &unwrapped)),
        Problem::Expected(_)
    ));
}

// req: SUIT-SEV-012, SUIT-SEV-008
#[test]
fn severed_text_may_get_lost_on_the_way() {
    let crypto = crypto();
    let author = author(2);
    let text = Text {
        languages: vec![("de".into(), LanguageText::default())],
    };
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .text(text)
        .component(ComponentBuilder::new(id("a")).content(&crypto, *b"a"))
        .build()
        .unwrap()
        .sever_text(&crypto);
    let with = signed(&draft);
    let without = sign_raw(&author, &draft.manifest().encode());
    assert!(without.len() < with.len());
    for envelope in [with, without] {
        let decoded = Envelope::decode(&envelope).unwrap();
        assert_eq!(decoded.claimed_digest(), draft.digest(&crypto));
        let mut device = device();
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        assert_eq!(device.content(&id("a")), Some(&b"a"[..]));
    }
}

// req: SUIT-MAN-002, SUIT-MAN-006
#[test]
fn sequence_number_and_reference_are_plain() {
    for number in [0, 23, 1 << 32, u64::MAX] {
        let draft = ManifestBuilder::new(SequenceNumber(number))
            .reference_uri("https://example.com/x")
            .component(ComponentBuilder::new(id("a")).content(&crypto(), *b"a"))
            .build()
            .unwrap();
        let encoded = draft.manifest().encode();
        let mut reader = Reader::new(&encoded);
        reader.map("manifest").unwrap();
        reader.skip("label").unwrap();
        assert_eq!(reader.uint("version").unwrap(), 1);
        assert_eq!(reader.int("label").unwrap(), 2);
        assert_eq!(reader.uint("sequence number").unwrap(), number);
        reader.skip("label").unwrap();
        reader.skip("common").unwrap();
        assert_eq!(reader.int("label").unwrap(), 4);
        assert_eq!(reader.text("reference").unwrap(), "https://example.com/x");
    }
    let negative = [
        0xa3, 1, 1, 2, 0x20, 3, 0x46, 0xa1, 2, 0x81, 0x81, 0x41, b'a',
    ];
    assert!(matches!(
        problem(&sign_raw(&author(2), &negative)),
        Problem::Expected(_)
    ));
    let tagged = [&[4, 0xd8, 32, 0x61, b'x'][..]].concat();
    let mut manifest = raw_manifest(&[]);
    manifest[0] += 1;
    manifest.extend(tagged);
    assert!(matches!(
        problem(&sign_raw(&author(2), &manifest)),
        Problem::Expected(_)
    ));
}

// req: SUIT-COM-001, SUIT-COM-002
#[test]
fn components_are_lists_of_byte_strings() {
    let with = |components: &[u8]| {
        let common = [&[0xa1, 2][..], components].concat();
        let manifest = Writer::build(|w| {
            w.map(3).int(1).uint(1).int(2).uint(1).int(3).bytes(&common);
        });
        sign_raw(&author(2), &manifest)
    };
    for bad in [
        &[0x80][..],
        &[0xa0],
        &[0x81, 0x41, b'a'],
        &[0x81, 0x81, 0x61, b'a'],
        &[0x81, 0x81, 1],
        &[0x81, 0x81, 0x81, 0x41, b'a'],
        &[0xf6],
    ] {
        assert!(
            matches!(
                problem(&with(bad)),
                Problem::Expected(_) | Problem::OutOfBounds(_)
            ),
            "{bad:02x?}"
        );
    }
    let draft = built();
    let manifest = draft.manifest();
    // One byte string per segment, and every component that a command is about is in the list.
    let encoded = manifest.common.components[0].to_cbor();
    assert_eq!(encoded, [0x82, 0x43, b'a', b'p', b'p', 0x41, b'a']);
    let count = manifest.common.index_count() as u64;
    assert_eq!(count, 4);
    for command in commands(manifest) {
        if let Command::SetComponentIndex(IndexArgument::One(index)) = command {
            assert!(*index < count);
        }
    }
}

// req: SUIT-COM-013
#[test]
fn one_component_alone_needs_no_index() {
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .component(ComponentBuilder::new(id("a/b")).integrated(&crypto(), "#a", *b"payload"))
        .build()
        .unwrap();
    assert!(
        !commands(draft.manifest())
            .iter()
            .any(|command| matches!(command, Command::SetComponentIndex(_)))
    );
    let mut device = device();
    let outcome = update(&mut device, &author(2), &signed(&draft));
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("a/b")), Some(&b"payload"[..]));
}

// req: SUIT-COM-006, SUIT-COM-019, SUIT-SEQ-008, SUIT-DEP-018, SUIT-DEP-030, SUIT-COM-012
#[test]
fn built_manifests_set_what_they_use_and_check_what_they_store() {
    let draft = built();
    let manifest = draft.manifest();
    let shared = manifest.common.shared_sequence.as_ref().unwrap();
    assert!(shared.walk().all(|located| matches!(
        located.command,
        Command::Condition(..) | Command::SetComponentIndex(_) | Command::OverrideParameters(_)
    )));
    // Values that must hold are not up to a dependent.
    assert!(
        !commands(manifest)
            .iter()
            .any(|c| matches!(c, Command::SetParameters(_)))
    );
    for (section, sequence) in manifest.sections() {
        let sequence = sequence.content().unwrap();
        // What the shared sequence set, and then this one, by index.
        let mut set: Vec<(u64, i64)> = Vec::new();
        let mut index = 0;
        let mut stored = None;
        let mut intact = Vec::new();
        for located in shared.walk().chain(sequence.walk()) {
            let needs = match &located.command {
                Command::SetComponentIndex(IndexArgument::One(at)) => {
                    assert_eq!(stored, None, "{}: stored and not checked", section.name());
                    index = *at;
                    continue;
                }
                Command::OverrideParameters(list) => {
                    set.extend(list.iter().map(|parameter| (index, parameter.label())));
                    continue;
                }
                Command::Action(Action::Fetch, _) => 21,
                Command::Action(Action::Write, _) => 18,
                Command::Condition(Condition::ImageMatch, _) => {
                    stored = None;
                    3
                }
                Command::Condition(Condition::DependencyIntegrity, _) => {
                    stored = None;
                    intact.push(index);
                    3
                }
                Command::Action(Action::ProcessDependency, _) => {
                    assert!(intact.contains(&index), "{}", section.name());
                    continue;
                }
                Command::Condition(Condition::VendorIdentifier, _) => 1,
                Command::Condition(Condition::ClassIdentifier, _) => 2,
                Command::Action(Action::Invoke | Action::Unlink, _) => continue,
                other => panic!("{}: {}", section.name(), other.name()),
            };
            assert!(set.contains(&(index, needs)), "{}: {needs}", section.name());
            if matches!(
                located.command,
                Command::Action(Action::Fetch | Action::Write, _)
            ) {
                stored = Some(index);
            }
        }
        assert_eq!(stored, None, "{}", section.name());
        assert!(matches!(
            sequence.commands()[0].command,
            Command::SetComponentIndex(_)
        ));
    }
}

// req: SUIT-PAR-010
#[test]
fn content_of_a_manifest_is_written_and_payloads_are_not_in_it() {
    let draft = built();
    let manifest = draft.manifest();
    let contents: Vec<_> = commands(manifest)
        .into_iter()
        .filter_map(|command| match command {
            Command::OverrideParameters(list) => list.content().map(<[u8]>::len),
            _ => None,
        })
        .collect();
    assert_eq!(contents, [1]);
    let large = ManifestBuilder::new(SequenceNumber(1))
        .component(ComponentBuilder::new(id("a")).integrated(&crypto(), "#a", vec![7; 100_000]))
        .build()
        .unwrap();
    assert!(large.manifest().encode().len() < 300);
}

// req: SUIT-DEP-001, SUIT-DEP-005
#[test]
fn dependencies_are_a_sorted_map_by_index() {
    let draft = built();
    let manifest = draft.manifest();
    let inner = ta(&author(2), 1, b"payload");
    let digest = Envelope::decode(&inner).unwrap().claimed_digest();
    assert_eq!(manifest.image_digests(3), [digest]);
    // Two of them, within the component list, with nothing to say: empty maps in order.
    let decode = |dependencies: &[u8]| {
        let common = [
            &[0xa2, 1][..],
            dependencies,
            &[2, 0x82, 0x81, 0x41, b'a', 0x81, 0x41, b'b'],
        ]
        .concat();
        let manifest = Writer::build(|w| {
            w.map(3).int(1).uint(1).int(2).uint(1).int(3).bytes(&common);
        });
        Manifest::decode(&manifest, &Limits::default())
            .map(|decoded| {
                (
                    decoded.encode() == manifest,
                    decoded.common.dependencies.len(),
                )
            })
            .map_err(|error| error.problem)
    };
    assert_eq!(decode(&[0xa2, 0, 0xa0, 1, 0xa0]), Ok((true, 2)));
    assert_eq!(
        decode(&[0xa2, 1, 0xa0, 0, 0xa0]),
        Ok((false, 2)),
        "sorted when written"
    );
    for bad in [
        &[0xa0][..],
        &[0x81, 0],
        &[0xa1, 0, 0xf6],
        &[0xa1, 0x20, 0xa0],
        &[0xa1, 0, 0xa1, 1, 0x41, b'x'],
    ] {
        assert!(
            matches!(
                decode(bad),
                Err(Problem::Expected(_) | Problem::OutOfBounds(_))
            ),
            "{bad:02x?}"
        );
    }
}

// req: SUIT-UPD-005, SUIT-UPD-018
#[test]
fn versions_are_wrapped_lists_of_numbers() {
    let draft = built();
    let encoded = draft.manifest().encode();
    assert!(
        encoded
            .windows(5)
            .any(|window| window == [6, 0x43, 0x82, 1, 0])
    );
    for bad in [
        &[6, 0x82, 1, 0][..],
        &[6, 0x41, 0x80],
        &[6, 0x43, 0x82, 3, 0x81],
    ] {
        let mut manifest = raw_manifest(&[]);
        manifest[0] += 1;
        manifest.extend(bad);
        assert!(Manifest::decode(&manifest, &Limits::default()).is_err());
    }
    let pre_release = Version(vec![1, 2, 0, -1, 4]);
    assert_eq!(pre_release.to_string(), "1.2.0-rc.4");
}

// req: SUIT-SEV-015
#[test]
fn integrated_payloads_come_before_the_network() {
    let author = author(2);
    let install = |location: &'static str| {
        sequence([
            set([uri(location), digest_of(b"payload")]),
            action(Action::Fetch),
            condition(Condition::ImageMatch),
        ])
        .encode()
    };
    let envelope = |location, key: &str| {
        let payload = Writer::build(|w| {
            w.text(key).bytes(b"payload");
        });
        sign_with_members(
            &author,
            &raw_manifest(&[(20, &install(location))]),
            &[payload],
        )
    };
    let asked = |envelope: &[u8]| {
        let mut server = Server::with("coap://x", b"payload");
        server.files.insert("#x".into(), b"payload".to_vec());
        let outcome = update_from(&mut device(), &author, envelope, &mut server);
        (outcome.result.is_ok(), server.requests.len())
    };
    assert_eq!(asked(&envelope("coap://x", "coap://x")), (true, 0));
    assert_eq!(
        asked(&envelope("coap://x", "coap://X")),
        (true, 1),
        "character for character"
    );
    assert_eq!(asked(&envelope("#x", "#x")), (true, 0));
    assert_eq!(
        asked(&envelope("#x", "#y")),
        (false, 0),
        "a fragment is never asked for"
    );
}
