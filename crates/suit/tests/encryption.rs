//! Encrypted payloads: the published examples to their plaintext, every profile, and attacks.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use tamarack_cose::{
    MacAlgorithm, MacKey, SymmetricKey,
    encrypt::{
        ContentAlgorithm, Curve, DecryptionKey, Encryption, KeyWrap, Recipient, RecipientKey,
    },
};
use tamarack_suit::{
    Action, Command, Condition, Error, MemoryDevice, NoFetch, Outcome, Parameter, Processor,
    Section, SequenceNumber, Settings, SingleAuthority, SuitDigest, TrustAnchor, TrustAnchors, Why,
    author::{
        BuildError, ComponentBuilder, DependencyBuilder, EncryptedImage, ManifestBuilder,
        PayloadEncryption,
    },
    report::Reason,
};

use common::*;

const PURPOSE: &[u8] = b"SUIT Payload Encryption";
const PLAINTEXT: &[u8] = b"This is a real firmware image.";

fn hex_bytes(text: &str) -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
}

/// The recipient keys of the firmware encryption draft.
fn draft_keys() -> Vec<RecipientKey> {
    let crypto = crypto();
    let d = hex_bytes("60FE6DD6D85D5740A5349B6F91267EEAC5BA81B8CB53EE249E4B4EB102C476B3");
    let agreement = DecryptionKey::from_bytes(&crypto, Curve::P256, &d).unwrap();
    vec![
        RecipientKey::wrapping(&crypto, SymmetricKey::new([b'a'; 16])).with_key_id(*b"kid-1"),
        RecipientKey::agreement(&crypto, agreement).with_key_id(*b"kid-2"),
    ]
}

// req: SUIT-ENC-001, SUIT-ENC-003, SUIT-ENC-004, SUIT-DEP-019, SUIT-ENC-025
#[test]
fn examples_of_the_encryption_draft() {
    let Some(folder) = vectors() else { return };
    let crypto = crypto();
    let read = |name: &str| std::fs::read(folder.join("suit-encryption").join(name)).unwrap();
    let mac = MacKey::new(MacAlgorithm::Hmac256, SymmetricKey::new([b'a'; 32])).unwrap();
    let anchors = TrustAnchors::new(
        &crypto,
        [
            TrustAnchor::new(mac),
            TrustAnchor::new(pem(&folder, "trust-anchor-p256.pem")),
            TrustAnchor::new(pem(&folder, "delegated-authority-p256.pem")),
        ],
    );
    let keys = draft_keys();
    let strict = Processor::new(&crypto, &anchors, &SingleAuthority).with_recipient_keys(&keys);
    // The examples leave out the condition after the content was written.
    let compatible = strict.with_settings(Settings::compatible());
    let uri = "coaps://example.com/encrypted-firmware";
    let mut seen = 0;
    for (name, target) in [
        ("suit-manifest-aes-kw.signed.cbor", "plaintext-firmware"),
        (
            "suit-manifest-aes-kw-content.signed.cbor",
            "plaintext-firmware",
        ),
        ("suit-manifest-aes-kw-slot.signed.cbor", "0x00"),
        (
            "suit-manifest-es-ecdh-content.signed.cbor",
            "decrypted-firmware",
        ),
        (
            "suit-manifest-es-ecdh-dependency.signed.cbor",
            "decrypted-firmware",
        ),
    ] {
        let bytes = read(name);
        let ciphertext = read("encrypted-payload-aes-kw-aes-gcm.cbor");
        let process = |processor: &Processor<'_>, ciphertext: &[u8]| {
            let mut device = MemoryDevice::default();
            if name.contains("slot") {
                device.put(&id("0x01"), ciphertext);
            }
            let mut server = Server::with(uri, ciphertext);
            let outcome = in_transaction(&mut device, |device| {
                processor.update_bytes(device, &mut server, &bytes)
            });
            (device, outcome)
        };
        let (device, outcome) = process(&compatible, &ciphertext);
        assert_eq!(outcome.result, Ok(()), "{name}");
        assert_eq!(device.content(&id(target)), Some(PLAINTEXT), "{name}");
        // Without a key there is no encryption.
        let keyless = compatible.with_recipient_keys(&[]);
        let (_, outcome) = process(&keyless, &ciphertext);
        assert_eq!(
            outcome.result,
            Err(Error::ParameterUnsupported(19)),
            "{name}"
        );
        // A flipped bit of what is fetched is noticed, and nothing of it stays.
        if !name.contains("content") && !name.contains("dependency") {
            let mut flipped = ciphertext.clone();
            flipped[3] ^= 1;
            let (device, outcome) = process(&compatible, &flipped);
            assert_eq!(
                outcome.result,
                failed(Action::Copy, Why::BadCiphertext),
                "{name}"
            );
            assert_eq!(device.content(&id(target)), None);
        }
        // A condition has to vouch for content, unless a Recipient decides otherwise.
        let (_, outcome) = process(&strict, &ciphertext);
        assert!(outcome.result.is_err(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}

fn failed(action: Action, why: Why) -> Result<(), Error> {
    Err(Error::ActionFailed { action, why })
}

/// Everything that encrypts for, and decrypts on, one device.
struct Device {
    kek: SymmetricKey,
    p256: DecryptionKey,
    x25519: DecryptionKey,
}

impl Device {
    fn new(seed: u8) -> Self {
        let crypto = crypto();
        let agreement = |curve| DecryptionKey::from_bytes(&crypto, curve, &[seed; 32]).unwrap();
        Self {
            kek: SymmetricKey::new([seed; 16]),
            p256: agreement(Curve::P256),
            x25519: agreement(Curve::X25519),
        }
    }

    fn keys(&self) -> Vec<RecipientKey> {
        let crypto = crypto();
        vec![
            RecipientKey::wrapping(&crypto, self.kek.clone()),
            RecipientKey::agreement(&crypto, self.p256.clone()),
            RecipientKey::agreement(&crypto, self.x25519.clone()),
        ]
    }
}

/// Encrypts; the encryption information and the ciphertext.
fn encrypt(
    algorithm: ContentAlgorithm,
    recipients: &[Recipient<'_>],
    plaintext: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let encryption = Encryption::new(algorithm, PURPOSE);
    let (info, mut encryptor) = encryption.detached(&crypto(), recipients).unwrap();
    let mut ciphertext = Vec::new();
    encryptor.update(plaintext, &mut ciphertext).unwrap();
    encryptor.finish(&mut ciphertext).unwrap();
    (info, ciphertext)
}

fn info(info: &[u8]) -> Parameter<'static> {
    Parameter::EncryptionInfo(info.to_vec().into())
}

fn digest(bytes: &[u8]) -> Parameter<'static> {
    Parameter::ImageDigest(SuitDigest::sha256(&crypto(), bytes))
}

/// Fetches a ciphertext into `p/staged`, decrypts it into `p/app`, and checks the plaintext.
fn fetch_and_decrypt(
    encryption_info: &[u8],
    ciphertext: &[u8],
    plaintext: &[u8],
) -> Vec<Command<'static>> {
    vec![
        index(1),
        set([
            uri("https://example.com/app.enc"),
            digest(ciphertext),
            Parameter::ImageSize(ciphertext.len() as u64),
        ]),
        action(Action::Fetch),
        condition(Condition::ImageMatch),
        index(0),
        set([
            info(encryption_info),
            Parameter::SourceComponent(1),
            digest(plaintext),
            Parameter::ImageSize(plaintext.len() as u64),
        ]),
        action(Action::Copy),
        condition(Condition::ImageMatch),
    ]
}

fn install(
    device: &mut MemoryDevice,
    keys: &[RecipientKey],
    commands: Vec<Command<'static>>,
    served: &[u8],
) -> Outcome {
    let crypto = crypto();
    let author = author(2);
    let trusted = [author.key];
    let envelope = sign_sections(
        &author,
        &["p/app", "p/staged"],
        vec![(Section::Install, commands)],
    );
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_recipient_keys(keys);
    let mut server = Server::with("https://example.com/app.enc", served);
    in_transaction(device, |device| {
        processor.update_bytes(device, &mut server, &envelope)
    })
}

// req: SUIT-ENC-003, SUIT-ENC-004, SUIT-ENC-008, SUIT-ENC-019, SUIT-ENC-020, SUIT-MTI-001, SUIT-MTI-004
#[test]
fn every_content_algorithm_for_every_recipient() {
    let owner = Device::new(7);
    let keys = owner.keys();
    let plaintext: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
    for algorithm in ContentAlgorithm::ALL {
        for (at, recipient) in [
            Recipient::wrapping(&owner.kek).unwrap(),
            Recipient::agreement(owner.p256.public_key()),
            Recipient::agreement_with(owner.x25519.public_key(), KeyWrap::A256Kw),
            Recipient::hpke(owner.p256.public_key()),
            Recipient::hpke(owner.x25519.public_key()),
        ]
        .into_iter()
        .enumerate()
        {
            let (info, ciphertext) = encrypt(algorithm, &[recipient], &plaintext);
            let commands = fetch_and_decrypt(&info, &ciphertext, &plaintext);
            let mut device = device();
            let outcome = install(&mut device, &keys, commands, &ciphertext);
            assert_eq!(outcome.result, Ok(()), "{} for {at}", algorithm.name());
            assert_eq!(device.content(&id("p/app")), Some(&plaintext[..]));
            // What was fetched stays what it is.
            assert_eq!(device.content(&id("p/staged")), Some(&ciphertext[..]));
        }
    }
}

// req: SUIT-ENC-010, SUIT-ENC-006
#[test]
fn one_content_for_several_recipients() {
    let (ours, theirs, nobody) = (Device::new(7), Device::new(8), Device::new(9));
    let recipients = [
        Recipient::agreement(theirs.p256.public_key()),
        Recipient::agreement(ours.p256.public_key()),
    ];
    let (info, ciphertext) = encrypt(ContentAlgorithm::A128Gcm, &recipients, PLAINTEXT);
    let run = |owner: &Device| {
        let mut device = device();
        let commands = fetch_and_decrypt(&info, &ciphertext, PLAINTEXT);
        let outcome = install(&mut device, &owner.keys(), commands, &ciphertext);
        let content = device.content(&id("p/app")).map(<[u8]>::to_vec);
        (outcome, content)
    };
    for owner in [&ours, &theirs] {
        let (outcome, content) = run(owner);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(content.as_deref(), Some(PLAINTEXT));
    }
    let (outcome, content) = run(&nobody);
    assert!(matches!(
        outcome.result,
        Err(Error::ActionFailed {
            action: Action::Copy,
            why: Why::NoRecipient | Why::BadCiphertext,
        })
    ));
    assert_eq!(
        outcome.result.unwrap_err().reason(),
        Reason::OperationFailed
    );
    assert_eq!(content, None);
}

// req: SUIT-ENC-006, SUIT-ENC-007, SUIT-ENC-021
#[test]
fn no_changed_ciphertext_becomes_visible() {
    let owner = Device::new(7);
    let keys = owner.keys();
    for algorithm in ContentAlgorithm::ALL {
        let recipient = Recipient::wrapping(&owner.kek).unwrap();
        let (info, ciphertext) = encrypt(algorithm, &[recipient], PLAINTEXT);
        // The ciphertext has no digest of its own here: what catches the change is the tag, or the digest
        // of the plaintext.
        let commands = || {
            vec![
                index(1),
                set([uri("https://example.com/app.enc")]),
                action(Action::Fetch),
                index(0),
                set([
                    self::info(&info),
                    Parameter::SourceComponent(1),
                    digest(PLAINTEXT),
                ]),
                action(Action::Copy),
                condition(Condition::ImageMatch),
                index(1),
                set([digest(&ciphertext)]),
                condition(Condition::ImageMatch),
            ]
        };
        let mut device = device();
        assert_eq!(
            install(&mut device, &keys, commands(), &ciphertext).result,
            Ok(())
        );
        for at in 0..ciphertext.len() {
            let mut flipped = ciphertext.clone();
            flipped[at] ^= 0x80;
            let mut device = common::device();
            let outcome = install(&mut device, &keys, commands(), &flipped);
            assert!(outcome.result.is_err(), "{} at {at}", algorithm.name());
            assert_eq!(device.components().count(), 0);
        }
        for end in 0..ciphertext.len() {
            let mut device = common::device();
            let outcome = install(&mut device, &keys, commands(), &ciphertext[..end]);
            assert!(outcome.result.is_err(), "{} cut at {end}", algorithm.name());
        }
    }
}

// req: SUIT-ENC-006
#[test]
fn encryption_information_fits_no_other_content() {
    let owner = Device::new(7);
    let keys = owner.keys();
    let recipient = || [Recipient::agreement(owner.x25519.public_key())];
    for algorithm in ContentAlgorithm::ALL {
        let (first, _) = encrypt(algorithm, &recipient(), PLAINTEXT);
        let (_, other) = encrypt(
            algorithm,
            &recipient(),
            b"What was meant for something else.",
        );
        let commands = fetch_and_decrypt(&first, &other, PLAINTEXT);
        let mut device = device();
        let outcome = install(&mut device, &keys, commands, &other);
        assert!(outcome.result.is_err(), "{}", algorithm.name());
        assert_eq!(device.components().count(), 0);
    }
}

// req: SUIT-ENC-003
#[test]
fn write_decrypts_what_stands_in_the_manifest() {
    let owner = Device::new(7);
    let recipient = Recipient::hpke(owner.x25519.public_key());
    let (info, ciphertext) = encrypt(ContentAlgorithm::ChaCha20Poly1305, &[recipient], PLAINTEXT);
    let commands = vec![
        index(0),
        set([
            self::info(&info),
            Parameter::Content(ciphertext.into()),
            digest(PLAINTEXT),
        ]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let mut device = device();
    let outcome = install(&mut device, &owner.keys(), commands, b"");
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("p/app")), Some(PLAINTEXT));
}

// req: SUIT-ENC-004, SUIT-AMB-008
#[test]
fn fetch_and_swap_do_not_decrypt() {
    let owner = Device::new(7);
    let recipient = Recipient::wrapping(&owner.kek).unwrap();
    let (info, ciphertext) = encrypt(ContentAlgorithm::A128Gcm, &[recipient], PLAINTEXT);
    let commands = vec![
        index(0),
        set([
            self::info(&info),
            uri("https://example.com/app.enc"),
            digest(&ciphertext),
        ]),
        action(Action::Fetch),
        condition(Condition::ImageMatch),
    ];
    let mut device = device();
    let outcome = install(&mut device, &owner.keys(), commands, &ciphertext);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("p/app")), Some(&ciphertext[..]));
}

// req: SUIT-ENC-001, SUIT-ENC-014, SUIT-MTI-006
#[test]
fn what_is_no_encryption_information_is_refused_before_anything_runs() {
    let owner = Device::new(7);
    let recipient = Recipient::wrapping(&owner.kek).unwrap();
    let (good, ciphertext) = encrypt(ContentAlgorithm::A128Gcm, &[recipient], PLAINTEXT);
    let untagged = good[2..].to_vec();
    let mut unknown = good.clone();
    // The algorithm in the protected header: 1 becomes 23.
    let at = good
        .windows(3)
        .position(|w| w == [0xa1, 0x01, 0x01])
        .unwrap();
    unknown[at + 2] = 0x17;
    for (bad, reason) in [
        (untagged, Reason::CborParse),
        (vec![0x80], Reason::CborParse),
        (unknown, Reason::AlgorithmUnsupported),
    ] {
        let commands = fetch_and_decrypt(&bad, &ciphertext, PLAINTEXT);
        let mut device = device();
        let outcome = install(&mut device, &owner.keys(), commands, &ciphertext);
        assert_eq!(outcome.result.unwrap_err().reason(), reason);
        assert_eq!(device.components().count(), 0);
    }
}

// req: SUIT-DEP-033
#[test]
fn what_was_encrypted_can_be_removed_without_the_key() {
    let owner = Device::new(7);
    let recipient = Recipient::wrapping(&owner.kek).unwrap();
    let (info, ciphertext) = encrypt(ContentAlgorithm::A128Gcm, &[recipient], PLAINTEXT);
    let commands = fetch_and_decrypt(&info, &ciphertext, PLAINTEXT);
    let mut device = device();
    let outcome = install(&mut device, &owner.keys(), commands, &ciphertext);
    assert_eq!(outcome.result, Ok(()));
    let (crypto, trusted) = (crypto(), [author(2).key]);
    let keyless = Processor::new(&crypto, &trusted, &SingleAuthority);
    let outcome = keyless.uninstall(&mut device, &mut NoFetch, &id("p/app/suit"));
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.components().count(), 0);
}

/// A payload for the component `target`, as its author encrypts it.
fn encrypted_for(target: &str, owner: &Device) -> (Vec<u8>, Vec<u8>) {
    let to = [Recipient::agreement(owner.p256.public_key())];
    let (image, ciphertext) = PayloadEncryption::default()
        .encrypt(&crypto(), Some(&id(target)), &to, PLAINTEXT)
        .unwrap();
    (image.info().to_vec(), ciphertext)
}

#[test]
fn what_is_for_a_component_is_decrypted_into_no_other() {
    let owner = Device::new(7);
    let keys = owner.keys();
    let install = |encryption_info: &[u8], ciphertext: &[u8]| {
        let copied = fetch_and_decrypt(encryption_info, ciphertext, PLAINTEXT);
        let written = vec![
            index(0),
            set([
                info(encryption_info),
                Parameter::Content(ciphertext.to_vec().into()),
                digest(PLAINTEXT),
            ]),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ];
        [(Action::Copy, copied), (Action::Write, written)].map(|(action, commands)| {
            let mut device = device();
            let outcome = install(&mut device, &keys, commands, ciphertext);
            (action, outcome.result, device)
        })
    };
    let (info, ciphertext) = encrypted_for("p/app", &owner);
    for (_, result, device) in install(&info, &ciphertext) {
        assert_eq!(result, Ok(()));
        assert_eq!(device.content(&id("p/app")), Some(PLAINTEXT));
    }
    // Another's, in which nothing but the name of the component is of use, and one that is below ours.
    for theirs in ["q/app", "p/app/x", "p"] {
        let (info, ciphertext) = encrypted_for(theirs, &owner);
        for (action, result, device) in install(&info, &ciphertext) {
            assert_eq!(result, failed(action, Why::OtherTarget), "{theirs}");
            assert_eq!(device.content(&id("p/app")), None);
        }
    }
}

#[test]
fn an_author_is_told_that_a_payload_is_for_another_component() {
    let owner = Device::new(7);
    let (info, ciphertext) = encrypted_for("p/app", &owner);
    let plaintext = (
        SuitDigest::sha256(&crypto(), PLAINTEXT),
        PLAINTEXT.len() as u64,
    );
    let image = EncryptedImage::new(info, plaintext, None).unwrap();
    let build = |component: &str| {
        let component = ComponentBuilder::new(id(component)).encrypted_integrated(
            "#app",
            ciphertext.clone(),
            id("p/staged"),
            image.clone(),
        );
        let manifest = ManifestBuilder::new(SequenceNumber(1)).component(component);
        manifest.build().map(|_| ())
    };
    assert_eq!(build("p/app"), Ok(()));
    assert_eq!(build("p/b"), Err(BuildError::OtherTarget(id("p/b"))));
    // A dependency is one too.
    let digest = SuitDigest::sha256(&crypto(), b"of a manifest");
    let dependency = DependencyBuilder::new(id("p/suit"), digest)
        .uri("https://example.com/app.enc")
        .encrypted(id("p/sealed"), image.clone());
    let manifest = ManifestBuilder::new(SequenceNumber(1)).dependency(dependency);
    let error = manifest.build().map(|_| ());
    assert_eq!(error, Err(BuildError::OtherTarget(id("p/suit"))));
}
