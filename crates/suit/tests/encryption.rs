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
    cbor::{Reader, Writer},
    encrypt::{
        ContentAlgorithm, Curve, DecryptionKey, Encryption, KeyWrap, Recipient, RecipientAlgorithm,
        RecipientKey,
    },
};
use tamarack_suit::{
    Action, Command, Common, Condition, Dependency, Envelope, Error, Manifest, MemoryDevice,
    NoFetch, Outcome, Parameter, Parameters, Processor, Section, SequenceNumber, Settings,
    Severable, SingleAuthority, SuitDigest, TrustAnchor, TrustAnchors, Why,
    author::{
        BuildError, ComponentBuilder, DependencyBuilder, Draft, EncryptedImage, ManifestBuilder,
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
    longer_keks: [SymmetricKey; 2],
    p256: DecryptionKey,
    x25519: DecryptionKey,
}

impl Device {
    fn new(seed: u8) -> Self {
        let crypto = crypto();
        let agreement = |curve| DecryptionKey::from_bytes(&crypto, curve, &[seed; 32]).unwrap();
        Self {
            kek: SymmetricKey::new([seed; 16]),
            longer_keks: [24, 32].map(|length| SymmetricKey::new(vec![seed; length])),
            p256: agreement(Curve::P256),
            x25519: agreement(Curve::X25519),
        }
    }

    fn keys(&self) -> Vec<RecipientKey> {
        let crypto = crypto();
        let [kek_24, kek_32] = self.longer_keks.clone();
        vec![
            RecipientKey::wrapping(&crypto, self.kek.clone()),
            RecipientKey::wrapping(&crypto, kek_24),
            RecipientKey::wrapping(&crypto, kek_32),
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
        for by in RecipientAlgorithm::ALL {
            let content_key = SymmetricKey::new(vec![7; algorithm.key_len()]);
            let recipient = match by {
                RecipientAlgorithm::KeyWrap(KeyWrap::A128Kw) => {
                    Recipient::wrapping(&owner.kek).unwrap()
                }
                RecipientAlgorithm::KeyWrap(KeyWrap::A192Kw) => {
                    Recipient::wrapping(&owner.longer_keks[0]).unwrap()
                }
                RecipientAlgorithm::KeyWrap(KeyWrap::A256Kw) => {
                    Recipient::wrapping(&owner.longer_keks[1]).unwrap()
                }
                RecipientAlgorithm::EcdhEs(wrap) => {
                    Recipient::agreement_with(owner.p256.public_key(), wrap)
                }
                RecipientAlgorithm::Hpke(suite) => {
                    let own = match suite.curve() {
                        Curve::P256 => &owner.p256,
                        _ => &owner.x25519,
                    };
                    Recipient::hpke_with(own.public_key(), suite)
                }
                _ => Recipient::direct(&content_key),
            };
            assert_eq!(recipient.algorithm(), by);
            let (info, ciphertext) = encrypt(algorithm, &[recipient], &plaintext);
            let commands = fetch_and_decrypt(&info, &ciphertext, &plaintext);
            let mut device = device();
            let direct = [RecipientKey::direct(content_key.clone())];
            let keys = match by {
                RecipientAlgorithm::Direct => &direct[..],
                _ => &keys,
            };
            let outcome = install(&mut device, keys, commands, &ciphertext);
            assert_eq!(outcome.result, Ok(()), "{} by {by:?}", algorithm.name());
            assert_eq!(device.content(&id("p/app")), Some(&plaintext[..]));
            // What was fetched stays what it is.
            assert_eq!(device.content(&id("p/staged")), Some(&ciphertext[..]));
        }
    }
}

// req: SUIT-UPD-001, SUIT-ENC-006
#[test]
fn what_no_key_can_open_is_not_fetched() {
    let owner = Device::new(7);
    let crypto = crypto();
    let (info, ciphertext) = encrypt(
        ContentAlgorithm::A128Gcm,
        &[
            Recipient::hpke(owner.x25519.public_key()),
            Recipient::agreement(owner.p256.public_key()),
        ],
        PLAINTEXT,
    );
    let author = author(2);
    let trusted = [author.key];
    let commands = fetch_and_decrypt(&info, &ciphertext, PLAINTEXT);
    let envelope = sign_sections(
        &author,
        &["p/app", "p/staged"],
        vec![(Section::Install, commands)],
    );
    let opens = |key: RecipientKey| {
        let keys = [key];
        let processor =
            Processor::new(&crypto, &trusted, &SingleAuthority).with_recipient_keys(&keys);
        let mut server = Server::with("https://example.com/app.enc", &ciphertext);
        let (outcome, effects) = Recorder::new(device()).observe(&mut server, |device, fetch| {
            processor.update_bytes(device, fetch, &envelope)
        });
        assert_eq!(outcome.result.is_err(), effects.is_empty());
        outcome.result
    };
    // The last recipient is of this algorithm.
    let unsupported = Err(Error::AlgorithmUnsupported(-29));
    let wrapping = RecipientKey::wrapping(&crypto, owner.kek.clone());
    assert_eq!(opens(wrapping), unsupported);
    let direct = RecipientKey::direct(owner.kek.clone());
    assert_eq!(opens(direct), unsupported);
    let agreement = RecipientKey::agreement(&crypto, owner.x25519.clone());
    assert_eq!(opens(agreement), Ok(()));
    let agreement = RecipientKey::agreement(&crypto, owner.p256.clone());
    assert_eq!(opens(agreement), Ok(()));
}

/// The same encryption information, of a content key that everybody has, with this key wrapped for one recipient.
fn rewrapped(info: &[u8], content_key: &SymmetricKey, kek: &SymmetricKey) -> Vec<u8> {
    let wrapped = crypto()
        .ciphers
        .wrap(KeyWrap::A128Kw, kek, content_key)
        .unwrap();
    let mut reader = Reader::new(info);
    let tag = reader.tag("COSE_Encrypt").unwrap();
    reader.array_of(4, "4", "COSE_Encrypt").unwrap();
    let headers = [(); 3].map(|()| reader.raw("COSE_Encrypt").unwrap());
    Writer::build(|w| {
        w.tag(tag).array(4);
        headers.iter().for_each(|header| {
            w.raw(header);
        });
        w.array(1).array(3).bytes(&[]);
        w.map(1).int(1).int(-3);
        w.bytes(&wrapped);
    })
}

// req: SUIT-ENC-025, SUIT-DEP-017
#[test]
fn a_distributor_brings_the_content_key() {
    let (distributor, owner) = (Device::new(9), Device::new(7));
    let (maker, forwarder) = (author(2), author(4));
    let crypto = crypto();
    let content_key = SymmetricKey::new([3; 16]);
    let (direct, ciphertext) = encrypt(
        ContentAlgorithm::A128Gcm,
        &[Recipient::direct(&content_key)],
        PLAINTEXT,
    );
    // The maker encrypts to the distributor, and lets a dependent replace that.
    let template = rewrapped(&direct, &content_key, &distributor.kek);
    let template = Parameters::from_list([info(&template)]);
    let mut made = Manifest::new(
        SequenceNumber(1),
        Common {
            components: vec![id("p/app")],
            ..Common::default()
        },
    );
    made.component_id = Some(id("p/suit"));
    let install = sequence([
        Command::SetParameters(template),
        set([Parameter::Content(ciphertext.into()), digest(PLAINTEXT)]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ]);
    made.set_section(Section::Install, Severable::Inline(install));
    let made = Draft::new(made).sign(&crypto, &[&*maker.signer]).unwrap();
    // The distributor has the key, and wraps it for the device.
    let forwarded = |override_with: Option<Parameter<'static>>| {
        let common = Common {
            components: vec![id("p/app")],
            dependencies: vec![Dependency {
                index: 1,
                prefix: Some(id("p/suit")),
            }],
            ..Common::default()
        };
        let mut manifest = Manifest::new(SequenceNumber(1), common);
        manifest.component_id = Some(id("d/suit"));
        let named = Envelope::decode(&made).unwrap().claimed_digest();
        let dependency = [Parameter::ImageDigest(named), uri("#made")];
        let replaced = override_with.map(|parameter| set([parameter]));
        let install = [index(0)].into_iter().chain(replaced).chain([
            index(1),
            set(dependency.clone()),
            action(Action::Fetch),
            condition(Condition::DependencyIntegrity),
            action(Action::ProcessDependency),
        ]);
        manifest.set_section(Section::Install, Severable::Inline(sequence(install)));
        Draft::new(manifest)
            .with_integrated("#made", made.clone())
            .sign(&crypto, &[&*forwarder.signer])
            .unwrap()
    };
    let keys = owner.keys();
    let trusted = [maker.key, forwarder.key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_recipient_keys(&keys);
    let received = |envelope: &[u8]| {
        let mut device = device();
        let outcome = in_transaction(&mut device, |device| {
            processor.update_bytes(device, &mut NoFetch, envelope)
        });
        let content = device.content(&id("p/app")).map(<[u8]>::to_vec);
        outcome.result.map(|()| content)
    };
    let for_device = rewrapped(&direct, &content_key, &owner.kek);
    assert_eq!(
        received(&forwarded(Some(info(&for_device)))),
        Ok(Some(PLAINTEXT.to_vec()))
    );
    assert_eq!(
        received(&forwarded(None)),
        Err(Error::ActionFailed {
            action: Action::Write,
            why: Why::NoRecipient
        })
    );
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
