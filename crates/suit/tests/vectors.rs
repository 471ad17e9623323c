//! The published vectors decode, re-encode, verify and run.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::{MacAlgorithm, MacKey};
use tamarack_suit::{
    Authority, Command, DependencyIntegrity, Envelope, Error, Limits, Manifest, NoFetch, Parameter,
    Processor, Section, Settings, SingleAuthority, SuitDigest, Text, TrustAnchor, TrustAnchors,
    WrittenContent,
};

/// Decodes, compares with its own re-encoding, and returns the manifest.
fn round_trip(bytes: &[u8]) -> Envelope<'_> {
    let envelope = Envelope::decode(bytes).unwrap();
    assert_eq!(envelope.encode(), bytes);
    let manifest = envelope.unverified_manifest().unwrap();
    let item = envelope.manifest_item();
    let content = manifest.encode();
    assert_eq!(
        &item[item.len() - content.len()..],
        content,
        "manifest re-encodes"
    );
    assert!(envelope.claimed_digest().matches(&crypto(), item).unwrap());
    let owned = manifest.clone().into_owned();
    assert_eq!(owned, manifest);
    assert_eq!(
        Manifest::decode(&content, &Limits::default()).unwrap(),
        manifest
    );
    envelope
}

// req: SUIT-FMT-001, SUIT-FMT-002, SUIT-FMT-009, SUIT-FMT-010, SUIT-ENV-002, SUIT-ENV-003, SUIT-ENV-004, SUIT-ENV-005
// req: SUIT-ENV-007, SUIT-SEV-003, SUIT-SEV-005, SUIT-SEV-006, SUIT-AMB-001, SUIT-AMB-021
#[test]
fn examples_of_the_manifest_draft() {
    let Some(files) = suit_draft() else { return };
    let key = pem(&vectors().unwrap(), "trust-anchor-p256.pem");
    for (name, bytes) in files {
        let envelope = round_trip(&bytes);
        let authenticated = envelope.authenticate(&crypto(), &[key]);
        if name.ends_with(".0.cbor") {
            assert_eq!(authenticated, Err(Error::Unsigned), "{name}");
            continue;
        }
        let authenticated = authenticated.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(authenticated.signers(), [key]);
        let stranger = author(3).key;
        assert!(matches!(
            envelope.authenticate(&crypto(), &[stranger]),
            Err(Error::Unauthorized(_))
        ));
        if name == "example2.2.cbor" {
            let manifest = authenticated.manifest();
            let install = manifest.section(Section::Install).unwrap();
            assert!(install.digest().is_some());
            assert_eq!(install.content().unwrap().commands().len(), 3);
            let text = manifest.text.as_ref().unwrap().content().unwrap();
            let text = Text::decode(text, &Limits::default()).unwrap();
            assert_eq!(text.languages[0].0, "en-US");
            assert_eq!(
                &text.encode(),
                authenticated
                    .manifest()
                    .text
                    .as_ref()
                    .unwrap()
                    .content()
                    .unwrap()
                    .as_ref()
            );
        }
    }
}

// req: SUIT-CMD-009, SUIT-CMD-010, SUIT-CMD-011, SUIT-CMD-017, SUIT-CMD-020, SUIT-SEQ-002
#[test]
fn examples_of_the_manifest_draft_run() {
    let Some(files) = suit_draft() else { return };
    let key = pem(&vectors().unwrap(), "trust-anchor-p256.pem");
    let crypto = crypto();
    let trusted = [key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".1.cbor")) {
        // The examples' digests belong to no published payload: fetching works, matching can't.
        let mut server = Server::default();
        for uri in ["file.bin", "file1.bin", "file2.bin"] {
            server.files.insert(
                format!("http://example.com/{uri}"),
                b"not the image".to_vec(),
            );
        }
        let mut device = draft_device();
        device.set_slot(&id("0x00"), 1);
        let outcome = processor.update_bytes(&mut device, &mut server, bytes);
        match name.as_str() {
            // Nothing to install: validate fails on an empty component. Example 2's install was severed
            // and is gone.
            "example0.1.cbor" => {
                assert!(matches!(outcome.result, Err(Error::ConditionFailed { .. })));
            }
            "example2.1.cbor" => assert_eq!(outcome.result, Err(Error::SeveredMissing("install"))),
            _ => {
                assert!(
                    matches!(outcome.result, Err(Error::ConditionFailed { .. })),
                    "{name}: {:?}",
                    outcome.result
                );
                let expected = match name.as_str() {
                    "example3.1.cbor" => "http://example.com/file2.bin",
                    "example5.1.cbor" => "http://example.com/file1.bin",
                    _ => "http://example.com/file.bin",
                };
                assert_eq!(server.requests, [expected], "{name}");
            }
        }
    }
}

// req: SUIT-DEP-003, SUIT-DEP-004, SUIT-DEP-020, SUIT-DEP-022, SUIT-AMB-002, SUIT-AMB-005
#[test]
fn examples_of_trust_domains() {
    let Some(folder) = vectors() else { return };
    let folder_of = folder.join("suit-trust-domains");
    let read = |name: &str| std::fs::read(folder_of.join(name)).unwrap();
    let key = pem(&folder, "trust-anchor-p256.pem");
    let crypto = crypto();
    let trusted = [key];
    let strict = Processor::new(&crypto, &trusted, &SingleAuthority);
    let settings = Settings {
        written_content: WrittenContent::CoveredBySignature,
        ..Settings::default()
    };
    let lenient = strict.with_settings(settings);
    let implied = strict.with_settings(Settings {
        dependency_integrity: DependencyIntegrity::Implied,
        ..settings
    });

    let dependent = read("example0_dependent.cbor");
    round_trip(&dependent)
        .authenticate(&crypto, &trusted)
        .unwrap();
    let outcome = strict.update_bytes(&mut device(), &mut NoFetch, &dependent);
    assert_eq!(outcome.result, Err(Error::Unverified(id("00"))));
    let mut device = device();
    let outcome = lenient.update_bytes(&mut device, &mut NoFetch, &dependent);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("00")), Some(&b"hello world"[..]));
    let outcome = lenient.invoke(&mut device, &mut NoFetch, &id("dependent.suit"));
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.invoked(), [(id("00"), b"cat 00".to_vec())]);

    let process = read("example1_process.cbor");
    round_trip(&process)
        .authenticate(&crypto, &trusted)
        .unwrap();
    let mut server = Server::with("http://example.com/dependent.suit", &dependent);
    let mut device = common::device();
    let outcome = lenient.update_bytes(&mut device, &mut server, &process);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("00")), Some(&b"hello world"[..]));
    assert_eq!(
        device.content(&id("10")),
        Some(&b" in multiple trust domains"[..])
    );
    // Its invoke section does not process the dependency's, which is there: refused by the text.
    let outcome = lenient.invoke(&mut device, &mut NoFetch, &id("depending.suit"));
    assert!(matches!(outcome.result, Err(Error::Dependency { .. })));

    let integrated = read("example2_integrated.cbor");
    round_trip(&integrated)
        .authenticate(&crypto, &trusted)
        .unwrap();
    let outcome = lenient.update_bytes(&mut common::device(), &mut NoFetch, &integrated);
    assert!(matches!(outcome.result, Err(Error::Dependency { .. })));
    let mut device = common::device();
    let outcome = implied.update_bytes(&mut device, &mut NoFetch, &integrated);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("00")), Some(&b"hello world"[..]));
}

#[test]
fn examples_of_the_teep_draft() {
    let Some(folder) = vectors() else { return };
    let teep = folder.join("teep-draft");
    let read = |name: &str| std::fs::read(teep.join(name)).unwrap();
    let key = pem(&folder, "trust-anchor-p256.pem");
    let crypto = crypto();
    let trusted = [key];
    let settings = Settings {
        dependency_integrity: DependencyIntegrity::Implied,
        ..Settings::default()
    };
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_settings(settings);
    let ta = id("TEEP-Device/SecureFS/0x8d82573a926d4754935332dc29997f74/ta");

    for name in ["suit_integrated.cbor", "suit_uri.cbor"] {
        let bytes = read(name);
        let envelope = round_trip(&bytes);
        assert!(!envelope.is_tagged());
        envelope.authenticate(&crypto, &trusted).unwrap();
        let uri = "https://example.org/8d82573a-926d-4754-9353-32dc29997f74.ta";
        let mut server = Server::with(uri, b"Hello, Secure World!");
        let mut device = draft_device();
        let outcome = processor.update_bytes(&mut device, &mut server, &bytes);
        assert_eq!(outcome.result, Ok(()), "{name}");
        assert_eq!(device.content(&ta), Some(&b"Hello, Secure World!"[..]));
        let suit = id("TEEP-Device/SecureFS/0x8d82573a926d4754935332dc29997f74/suit");
        assert_eq!(device.sequence_number(&suit).unwrap().0, 3);
        let of_content = outcome
            .report
            .claims()
            .filter(|claims| claims.properties.image_digest().is_some());
        let claims: Vec<_> = of_content.collect();
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].component, ta);
        assert_eq!(claims[0].properties.image_size(), Some(20));
        assert_eq!(
            claims[0].properties.image_digest(),
            Some(&SuitDigest::sha256(&crypto, b"Hello, Secure World!"))
        );
        let outcome = processor.uninstall(&mut device, &mut NoFetch, &suit);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(device.components().count(), 0);
    }

    // Encrypted personalization data: decoded and typed, and refused for its encryption.
    let bytes = read("suit_personalization.cbor");
    let envelope = round_trip(&bytes);
    let authenticated = envelope.authenticate(&crypto, &trusted).unwrap();
    let install = authenticated.manifest().section(Section::Install).unwrap();
    assert!(install.content().unwrap().walk().any(|located| matches!(
        &located.command,
        Command::OverrideParameters(parameters)
            if parameters.iter().any(|p| matches!(p, Parameter::EncryptionInfo(_)))
    )));
    let outcome = processor.update_bytes(&mut draft_device(), &mut NoFetch, &bytes);
    assert_eq!(outcome.result, Err(Error::ParameterUnsupported(19)));
}

// req: SUIT-SEV-013, SUIT-SEV-014, SUIT-COM-011, SUIT-COM-013, SUIT-SEQ-006
#[cfg(feature = "author")]
#[test]
fn the_author_writes_the_teep_drafts_manifest() {
    use tamarack_suit::{
        SequenceNumber, Uuid,
        author::{ComponentBuilder, ManifestBuilder},
    };
    let Some(folder) = vectors() else { return };
    let bytes = std::fs::read(folder.join("teep-draft/suit_integrated.cbor")).unwrap();
    let uuid = |text: &str| text.parse::<Uuid>().unwrap();
    let draft = ManifestBuilder::new(SequenceNumber(3))
        .manifest_id(id(
            "TEEP-Device/SecureFS/0x8d82573a926d4754935332dc29997f74/suit",
        ))
        .component(
            ComponentBuilder::new(id(
                "TEEP-Device/SecureFS/0x8d82573a926d4754935332dc29997f74/ta",
            ))
            .vendor(uuid("c0ddd5f1-5243-5660-87db-4f5b0aa26c2f"))
            .class(uuid("db42f709-3d8c-55ba-a8c5-265fc5820f4e"))
            .integrated(&crypto(), "#tc", b"Hello, Secure World!"),
        )
        .without_section(Section::Validate)
        .build()
        .unwrap();
    let expected = Envelope::decode(&bytes).unwrap();
    assert_eq!(draft.manifest(), &expected.unverified_manifest().unwrap());
    assert_eq!(draft.digest(&crypto()), expected.claimed_digest());
}

#[test]
fn the_envelope_of_the_interop_event() {
    let Some(folder) = vectors() else { return };
    let folder = folder.join("interop-2026");
    let message = std::fs::read(folder.join("update0.tam.esp256.cose")).unwrap();
    let signed = tamarack_cose::Signed::decode(&message).unwrap();
    let payload = signed.unverified_payload().unwrap();
    let mut reader = tamarack_cose::cbor::Reader::new(payload);
    reader.array("update").unwrap();
    reader.uint("type").unwrap();
    reader.map("options").unwrap();
    assert_eq!(reader.uint("label").unwrap(), 9);
    reader.array("manifest-list").unwrap();
    let bytes = reader.bytes("envelope").unwrap();

    let envelope = round_trip(bytes);
    let jwk = std::fs::read_to_string(folder.join("tc-signer-esp256-pub.jwk")).unwrap();
    let key = tamarack_cose::PublicKey::from_jwk(&jwk).unwrap();
    let crypto = crypto();
    let authenticated = envelope.authenticate(&crypto, &[key]).unwrap();
    assert_eq!(authenticated.signers(), [key]);
    let trusted = [key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    let mut device = device();
    let outcome = processor.update_bytes(&mut device, &mut NoFetch, bytes);
    assert_eq!(outcome.result, Ok(()));
    assert!(
        device
            .content(&id("app.wasm"))
            .unwrap()
            .starts_with(b"\0asm")
    );
    assert!(outcome.report.result.is_success());
}

#[test]
fn examples_of_firmware_encryption_decode() {
    let Some(folder) = vectors() else { return };
    let key = pem(&folder, "trust-anchor-p256.pem");
    let delegated = pem(&folder, "delegated-authority-p256.pem");
    let crypto = crypto();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.join("suit-encryption")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".signed.cbor") {
            continue;
        }
        seen += 1;
        let bytes = std::fs::read(&path).unwrap();
        let envelope = round_trip(&bytes);
        let trusted = [key, delegated];
        let authenticated = envelope.authenticate(&crypto, &trusted);
        if name.contains("aes-kw") {
            // Those are MACs.
            let unknown = Error::Unauthorized(tamarack_cose::Error::UnknownKey);
            assert_eq!(authenticated, Err(unknown), "{name}");
            let key = tamarack_cose::SymmetricKey::new([b'a'; 32]);
            let key = MacKey::new(MacAlgorithm::Hmac256, key).unwrap();
            let anchors = TrustAnchors::new(&crypto, [TrustAnchor::new(key.clone())]);
            let authenticated = envelope.authenticate(&crypto, &anchors).unwrap();
            assert_eq!(
                authenticated.signers(),
                [Authority::Mac(key.key_id(&crypto))]
            );
            continue;
        }
        assert_eq!(authenticated.unwrap().signers().len(), 1, "{name}");
    }
    assert_eq!(seen, 5);
}
