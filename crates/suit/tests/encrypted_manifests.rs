//! Manifests whose payloads, or whose dependencies, only their recipients can read: as authors make them, and
//! as devices take them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::{
    DigestAlgorithm, SymmetricKey,
    encrypt::{
        ContentAlgorithm, Curve, DecryptionKey, Encrypted, KeyWrap, Recipient, RecipientKey,
    },
};
use tamarack_suit::{
    Action, Command, ComponentId, Envelope, Error, Fetch, MemoryDevice, Outcome, Parameter,
    Processor, Profile, Section, Sequence, SequenceNumber, SingleAuthority, SuitDigest, Why,
    author::{
        BuildError, ComponentBuilder, DependencyBuilder, Draft, EncryptedImage, ManifestBuilder,
        PayloadEncryption,
    },
};

const PLAINTEXT: &[u8] = b"What only its recipients may read, for example a licence key.";
const URI: &str = "https://example.com/app.enc";

fn kek() -> SymmetricKey {
    SymmetricKey::new([7; 16])
}

fn keys() -> Vec<RecipientKey> {
    vec![RecipientKey::wrapping(&crypto(), kek())]
}

/// A payload for the holder of [`kek`].
fn encrypted(algorithm: ContentAlgorithm) -> (EncryptedImage, Vec<u8>) {
    let kek = kek();
    let to = [Recipient::wrapping(&kek).unwrap()];
    PayloadEncryption::new(algorithm)
        .encrypt(&crypto(), None, &to, PLAINTEXT)
        .unwrap()
}

fn component(image: EncryptedImage) -> ComponentBuilder {
    ComponentBuilder::new(id("p/app"))
        .vendor(vendor())
        .class(class())
        .encrypted_uri(URI, id("p/staged"), image)
}

fn manifest(component: ComponentBuilder) -> ManifestBuilder {
    ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("p/suit"))
        .component(component)
}

fn update_with(
    keys: &[RecipientKey],
    device: &mut MemoryDevice,
    fetch: &mut dyn Fetch,
    envelope: &[u8],
) -> Outcome {
    let crypto = crypto();
    let trusted = [author(2).key];
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_recipient_keys(keys);
    in_transaction(device, |device| {
        processor.update_bytes(device, fetch, envelope)
    })
}

fn contents(device: &MemoryDevice) -> Vec<(ComponentId, Vec<u8>)> {
    let ids = device.components();
    ids.map(|id| (id.clone(), device.content(id).unwrap().to_vec()))
        .collect()
}

// req: SUIT-ENC-002, SUIT-ENC-007, SUIT-ENC-008, SUIT-ENC-009, SUIT-DEP-040
#[test]
fn what_the_builder_encrypts_is_installed() {
    for algorithm in ContentAlgorithm::ALL {
        let (image, ciphertext) = encrypted(algorithm);
        assert_eq!(
            ciphertext.len() as u64,
            algorithm.ciphertext_len(PLAINTEXT.len() as u64)
        );
        let fetched = component(image.clone());
        let integrated = ComponentBuilder::new(id("p/app")).encrypted_integrated(
            "#app",
            ciphertext.clone(),
            id("p/staged"),
            image.clone(),
        );
        let written =
            ComponentBuilder::new(id("p/app")).encrypted_content(ciphertext.clone(), image);
        for component in [fetched, integrated, written] {
            let envelope = signed(&manifest(component).build().unwrap());
            let mut device = device();
            let mut server = Server::with(URI, &ciphertext);
            let outcome = update_with(&keys(), &mut device, &mut server, &envelope);
            assert_eq!(outcome.result, Ok(()), "{}", algorithm.name());
            assert_eq!(device.content(&id("p/app")), Some(PLAINTEXT));
            // The ciphertext takes no room once it is decrypted.
            assert_eq!(device.content(&id("p/staged")), None);
            // The same once more, and gone.
            let outcome = update_with(&keys(), &mut device, &mut server, &envelope);
            assert_eq!(outcome.result, Ok(()), "{}", algorithm.name());
            let recipient = common::Recipient::trusting([author(2).key]);
            let outcome = in_transaction(&mut device, |device| {
                let crypto = crypto();
                let keys = keys();
                let processor = Processor::new(&crypto, &recipient.trusted, &SingleAuthority)
                    .with_recipient_keys(&keys);
                processor.uninstall(device, &mut server, &id("p/suit"))
            });
            assert_eq!(outcome.result, Ok(()));
            assert_eq!(contents(&device), []);
        }
    }
}

// req: SUIT-ENC-022, SUIT-ENC-023, SUIT-ENC-006
#[test]
fn a_changed_ciphertext_is_refused_before_it_is_decrypted() {
    for algorithm in ContentAlgorithm::ALL {
        let (image, ciphertext) = encrypted(algorithm);
        let envelope = signed(&manifest(component(image)).build().unwrap());
        for at in 0..ciphertext.len() {
            let mut changed = ciphertext.clone();
            changed[at] ^= 1;
            let mut device = device();
            let mut server = Server::with(URI, &changed);
            // No key fits, which only a decryption would notice.
            let stranger = [RecipientKey::wrapping(
                &crypto(),
                SymmetricKey::new([8; 16]),
            )];
            let outcome = update_with(&stranger, &mut device, &mut server, &envelope);
            assert!(
                matches!(outcome.result, Err(Error::ConditionFailed { .. })),
                "{:?}",
                outcome.result
            );
            assert_eq!(contents(&device), []);
        }
    }
}

/// Every command of a manifest with the index of the component that it is for.
fn commands_by_component(draft: &Draft) -> Vec<(u64, Command<'static>)> {
    let mut found = Vec::new();
    for sequence in draft.manifest().sequences() {
        let mut current = 0;
        for located in sequence.walk() {
            match &located.command {
                Command::SetComponentIndex(tamarack_suit::IndexArgument::One(index)) => {
                    current = *index;
                }
                command => found.push((current, command.clone())),
            }
        }
    }
    found
}

// req: SUIT-ENC-002, SUIT-ENC-005
#[test]
fn encryption_information_stays_with_the_component_that_is_decrypted() {
    let (image, _) = encrypted(ContentAlgorithm::A128Gcm);
    let plain = ComponentBuilder::new(id("p/plain"))
        .uri(
            "https://example.com/plain",
            SuitDigest::sha256(&crypto(), b"x"),
            1,
        )
        .staged(id("p/plain-staged"));
    let draft = manifest(component(image)).component(plain).build().unwrap();
    let mut decrypted = Vec::new();
    for (index, command) in commands_by_component(&draft) {
        match command {
            Command::OverrideParameters(list) if list.encryption_info().is_some() => {
                decrypted.push(index);
            }
            Command::SetParameters(list) => assert!(list.encryption_info().is_none()),
            _ => {}
        }
    }
    assert_eq!(decrypted, [0]);
    // Each component is copied to once: with encryption information or without, never both.
    let copies: Vec<_> = commands_by_component(&draft)
        .into_iter()
        .filter(|(_, command)| matches!(command, Command::Action(Action::Copy, _)))
        .map(|(index, _)| index)
        .collect();
    assert_eq!(copies, [0, 1]);
}

// req: SUIT-ENC-009
#[test]
fn no_two_payloads_have_a_key_or_an_iv_in_common() {
    let (first, one) = encrypted(ContentAlgorithm::A128Ctr);
    let (second, other) = encrypted(ContentAlgorithm::A128Ctr);
    assert_ne!(one, other);
    assert_ne!(first.info(), second.info());
    let open = |image: &EncryptedImage, ciphertext: &[u8]| {
        let crypto = crypto();
        let encrypted = Encrypted::decode_encrypt(image.info()).unwrap();
        let key = encrypted
            .content_key(&crypto, &keys(), b"SUIT Payload Encryption")
            .unwrap();
        let mut decryptor = encrypted.decryptor(&crypto, &key, b"").unwrap();
        let mut plaintext = Vec::new();
        decryptor.update(ciphertext, &mut plaintext).unwrap();
        decryptor.finish(&mut plaintext).unwrap();
        plaintext
    };
    assert_eq!(open(&first, &one), PLAINTEXT);
    assert_ne!(open(&first, &other), PLAINTEXT);
}

// req: SUIT-ENC-021, SUIT-ENC-007
#[test]
fn a_cipher_that_notices_nothing_needs_the_digest_of_its_ciphertext() {
    for algorithm in ContentAlgorithm::ALL {
        let (image, _) = encrypted(algorithm);
        let without = EncryptedImage::new(image.info(), image.plaintext(), None);
        match algorithm.is_authenticated() {
            true => assert!(without.is_ok()),
            false => assert_eq!(
                without,
                Err(BuildError::UnprotectedCiphertext(algorithm.name()))
            ),
        }
        let with = EncryptedImage::new(image.info(), image.plaintext(), image.ciphertext());
        assert_eq!(with, Ok(image));
    }
    let nothing = EncryptedImage::new([0x80], (SuitDigest::sha256(&crypto(), b""), 0), None);
    assert!(matches!(nothing, Err(BuildError::Encryption(_))));
}

// req: SUIT-ENC-022
#[test]
fn an_authenticated_cipher_may_do_without_the_digest_of_its_ciphertext() {
    let (image, ciphertext) = encrypted(ContentAlgorithm::A128Gcm);
    let image = EncryptedImage::new(image.info(), image.plaintext(), None).unwrap();
    let envelope = signed(&manifest(component(image)).build().unwrap());
    let mut device = device();
    let mut server = Server::with(URI, &ciphertext);
    let outcome = update_with(&keys(), &mut device, &mut server, &envelope);
    assert_eq!(outcome.result, Ok(()));
    assert_eq!(device.content(&id("p/app")), Some(PLAINTEXT));
    // Changed, it is noticed by the tag.
    let mut changed = ciphertext;
    changed[0] ^= 1;
    let mut device = common::device();
    let mut server = Server::with(URI, &changed);
    let outcome = update_with(&keys(), &mut device, &mut server, &envelope);
    let why = Why::BadCiphertext;
    let action = Action::Copy;
    assert_eq!(outcome.result, Err(Error::ActionFailed { action, why }));
    assert_eq!(contents(&device), []);
}

// req: SUIT-ENC-024
#[test]
fn authenticated_encryption_is_the_default() {
    let kek = kek();
    let to = [Recipient::wrapping(&kek).unwrap()];
    let (image, _) = PayloadEncryption::default()
        .encrypt(&crypto(), None, &to, PLAINTEXT)
        .unwrap();
    let encrypted = Encrypted::decode_encrypt(image.info()).unwrap();
    assert_eq!(encrypted.algorithm(), ContentAlgorithm::A128Gcm);
    assert!(encrypted.algorithm().is_authenticated());
}

// req: SUIT-MTI-001, SUIT-MTI-004, SUIT-ENC-026
#[test]
fn a_profile_chooses_all_algorithms_together() {
    let crypto = crypto();
    let (kek128, kek256) = (SymmetricKey::new([7; 16]), SymmetricKey::new([7; 32]));
    let agreement = DecryptionKey::from_bytes(&crypto, Curve::P256, &[7; 32]).unwrap();
    let everybody = [
        Recipient::wrapping(&kek128).unwrap(),
        Recipient::wrapping(&kek256).unwrap(),
        Recipient::agreement(agreement.public_key()),
        Recipient::agreement_with(agreement.public_key(), KeyWrap::A256Kw),
        Recipient::hpke(agreement.public_key()),
    ];
    for (name, profile) in Profile::REGISTERED {
        let encryption = PayloadEncryption::of(&profile).unwrap();
        let mut taken = 0;
        for recipient in everybody {
            let Ok((image, ciphertext)) =
                encryption.encrypt(&crypto, None, &[recipient], PLAINTEXT)
            else {
                continue;
            };
            taken += 1;
            assert_eq!(
                recipient.algorithm().cose_id(),
                profile.key_exchange,
                "{name}"
            );
            let draft = manifest(component(image)).build().unwrap();
            assert!(profile.covers_manifest(draft.manifest()), "{name}");
            for (other_name, other) in Profile::REGISTERED {
                let same = (other.key_exchange, other.encryption)
                    == (profile.key_exchange, profile.encryption);
                assert_eq!(
                    other.covers_manifest(draft.manifest()),
                    same,
                    "{other_name}"
                );
            }
            // It is what a device with the key takes.
            let envelope = signed(&draft);
            let keys = [
                RecipientKey::wrapping(&crypto, kek128.clone()),
                RecipientKey::wrapping(&crypto, kek256.clone()),
                RecipientKey::agreement(&crypto, agreement.clone()),
            ];
            let mut device = device();
            let mut server = Server::with(URI, &ciphertext);
            let outcome = update_with(&keys, &mut device, &mut server, &envelope);
            assert_eq!(outcome.result, Ok(()), "{name}");
        }
        // Nobody else is taken: what the profile's devices have is known.
        assert_eq!(taken, 1, "{name}");
        assert!(
            encryption
                .encrypt(&crypto, None, &everybody, PLAINTEXT)
                .is_err()
        );
    }
    let unknown = Profile::of([-16, -9, -29, 77]);
    assert_eq!(
        PayloadEncryption::of(&unknown),
        Err(tamarack_cose::Error::AlgorithmUnsupported(77))
    );
    let digest = manifest(
        ComponentBuilder::new(id("p/app"))
            .image(SuitDigest::of(&crypto, DigestAlgorithm::Sha512, b"x"), 1),
    );
    assert!(!Profile::ESP256_ECDH_A128GCM.covers_manifest(digest.build().unwrap().manifest()));
}

// req: SUIT-DEP-040
#[test]
fn nothing_is_installed_before_everything_was_fetched_and_checked() {
    let payload = |name: &'static str, content: &[u8]| {
        ComponentBuilder::new(id(&format!("p/{name}")))
            .uri(
                format!("https://example.com/{name}"),
                SuitDigest::sha256(&crypto(), content),
                content.len() as u64,
            )
            .staged(id(&format!("p/{name}-staged")))
    };
    let draft = manifest(payload("one", b"first"))
        .component(payload("two", b"second"))
        .build()
        .unwrap();
    // Fetched and checked in payload fetch, and nowhere else.
    for section in Section::ALL {
        let commands = draft.manifest().section(section).and_then(|s| s.content());
        let fetches = commands.into_iter().flat_map(Sequence::walk);
        let fetches = fetches
            .filter(|located| matches!(located.command, Command::Action(Action::Fetch, _)))
            .count();
        let expected = if section == Section::PayloadFetch {
            2
        } else {
            0
        };
        assert_eq!(fetches, expected, "{section:?}");
    }
    let envelope = signed(&draft);
    let mut server = Server::with("https://example.com/one", b"first");
    server
        .files
        .insert("https://example.com/two".into(), b"other!".to_vec());
    let recipient = common::Recipient::trusting([author(2).key]);
    let mut device = Recorder::new(device());
    let (outcome, effects) = device.observe(&mut server, |device, fetch| {
        recipient.update(device, fetch, &envelope)
    });
    assert!(outcome.result.is_err());
    let touched = |name: &str| {
        effects
            .iter()
            .any(|effect| effect.components().contains(&&id(name)))
    };
    assert!(
        touched("p/one-staged") && touched("p/two-staged"),
        "{effects:?}"
    );
    assert!(!touched("p/one") && !touched("p/two"), "{effects:?}");

    server
        .files
        .insert("https://example.com/two".into(), b"second".to_vec());
    let mut device = common::device();
    let outcome = update_from(&mut device, &author(2), &envelope, &mut server);
    assert_eq!(outcome.result, Ok(()));
    let installed: Vec<_> = contents(&device)
        .into_iter()
        .filter(|(component, _)| *component != id("p/suit"))
        .collect();
    assert_eq!(
        installed,
        [
            (id("p/one"), b"first".to_vec()),
            (id("p/two"), b"second".to_vec())
        ]
    );
}

// req: SUIT-DEP-044
#[test]
fn a_manifest_is_hidden_in_a_manifest_that_everybody_can_read() {
    let crypto = crypto();
    let secret = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("p/secret/suit"))
        .component(
            ComponentBuilder::new(id("p/secret/ta"))
                .vendor(vendor())
                .class(class())
                .integrated(&crypto, "#ta", PLAINTEXT),
        )
        .build()
        .unwrap();
    let secret = signed(&secret);
    for algorithm in [ContentAlgorithm::A128Gcm, ContentAlgorithm::A128Ctr] {
        let kek = kek();
        let to = [Recipient::wrapping(&kek).unwrap()];
        let (image, ciphertext) = PayloadEncryption::new(algorithm)
            .encrypt(&crypto, None, &to, &secret)
            .unwrap();
        let dependency = || DependencyBuilder::of(&Envelope::decode(&secret).unwrap()).unwrap();
        let carried = dependency()
            .integrated("#secret", ciphertext.clone())
            .encrypted(id("p/sealed"), image.clone());
        let fetched = dependency()
            .uri(URI)
            .encrypted(id("p/sealed"), image.clone());
        for dependency in [carried, fetched] {
            let cover = ManifestBuilder::new(SequenceNumber(1))
                .manifest_id(id("p/cover"))
                .dependency(dependency)
                .build()
                .unwrap();
            // The digest, the URI and the encryption information are all that it says.
            let parameters: Vec<i64> = cover
                .manifest()
                .sequences()
                .flat_map(Sequence::walk)
                .flat_map(|located| match &located.command {
                    Command::OverrideParameters(list) => {
                        list.iter().map(Parameter::label).collect()
                    }
                    _ => Vec::new(),
                })
                .collect();
            for label in [3, 19, 21] {
                assert!(parameters.contains(&label), "{parameters:?}");
            }
            let envelope = signed(&cover);
            assert!(
                !envelope
                    .windows(PLAINTEXT.len())
                    .any(|window| window == PLAINTEXT)
            );

            let mut device = device();
            let mut server = Server::with(URI, &ciphertext);
            let outcome = update_with(&keys(), &mut device, &mut server, &envelope);
            assert_eq!(outcome.result, Ok(()), "{}", algorithm.name());
            assert_eq!(device.content(&id("p/secret/ta")), Some(PLAINTEXT));
            assert_eq!(device.content(&id("p/sealed")), None);

            let stranger = [RecipientKey::wrapping(&crypto, SymmetricKey::new([8; 16]))];
            let mut device = common::device();
            let outcome = update_with(&stranger, &mut device, &mut server, &envelope);
            assert!(outcome.result.is_err());
            assert_eq!(contents(&device), []);
        }
    }
}

// req: SUIT-ENC-027
#[test]
fn nothing_is_swapped_in_before_its_plaintext_was_verified() {
    let author = author(2);
    for (expected, installed) in [(PLAINTEXT, true), (&b"something else"[..], false)] {
        let (image, ciphertext) = encrypted(ContentAlgorithm::A128Ctr);
        let commands = vec![
            index(2),
            set([
                uri(URI),
                digest_of(&ciphertext),
                Parameter::ImageSize(ciphertext.len() as u64),
            ]),
            action(Action::Fetch),
            condition(tamarack_suit::Condition::ImageMatch),
            index(1),
            set([
                Parameter::EncryptionInfo(image.info().to_vec().into()),
                Parameter::SourceComponent(2),
                digest_of(expected),
            ]),
            action(Action::Copy),
            condition(tamarack_suit::Condition::ImageMatch),
            index(0),
            set([Parameter::SourceComponent(1), digest_of(expected)]),
            action(Action::Swap),
            condition(tamarack_suit::Condition::ImageMatch),
            index(1),
            action(Action::Unlink),
        ];
        let envelope = sign_sections(
            &author,
            &["p/app", "p/spare", "p/staged"],
            vec![(Section::Install, commands)],
        );
        let mut inner = device();
        inner.put(&id("p/app"), b"old");
        let mut device = Recorder::new(inner);
        let (crypto, keys, trusted) = (crypto(), keys(), [author.key]);
        let processor =
            Processor::new(&crypto, &trusted, &SingleAuthority).with_recipient_keys(&keys);
        let mut server = Server::with(URI, &ciphertext);
        let (outcome, effects) = device.observe(&mut server, |device, fetch| {
            processor.update_bytes(device, fetch, &envelope)
        });
        assert_eq!(outcome.result.is_ok(), installed, "{:?}", outcome.result);
        // Neither the running image nor its place is touched before the plaintext was verified.
        let touched = effects
            .iter()
            .any(|effect| effect.components().contains(&&id("p/app")));
        assert_eq!(touched, installed, "{effects:?}");
    }
}

#[test]
fn what_can_not_be_staged_is_refused() {
    let (image, _) = encrypted(ContentAlgorithm::A128Gcm);
    let other = ComponentBuilder::new(id("p/app")).slot(1).uri(
        "https://example.com/other",
        SuitDigest::sha256(&crypto(), b"x"),
        1,
    );
    let alternatives = component(image.clone()).slot(0).or(other);
    assert_eq!(
        manifest(alternatives).build().unwrap_err(),
        BuildError::StagedAlternatives(id("p/app"))
    );
    let taken = ComponentBuilder::new(id("p/staged")).content(&crypto(), b"x");
    assert_eq!(
        manifest(component(image))
            .component(taken)
            .build()
            .unwrap_err(),
        BuildError::DuplicateIdentifier(id("p/staged"))
    );
}
