//! The algorithm profiles of draft-ietf-suit-mti, and the digests.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use std::sync::{Mutex, MutexGuard};

use common::*;
use tamarack_cose::{
    CryptoProvider, DigestAlgorithm, Error as CoseError, MacKey, SecretKey, SignatureAlgorithm,
    Signer, aws_lc,
    cbor::{Reader, Writer},
    hss::{HssHash, HssLevel, HssSecretKey, HssSigner, HssState},
    rustcrypto,
};
use tamarack_suit::{
    Action, AnchorKey, Condition, Envelope, Error, NoFetch, Parameter, Processor, Profile, Report,
    Section, SuitDigest, TrustAnchor, TrustAnchors,
    report::{Reason, ReportResult},
};

fn providers() -> [CryptoProvider; 2] {
    [rustcrypto::provider(), aws_lc::provider()]
}

struct Counter(u64);

impl HssState for Counter {
    fn claim(&mut self) -> Result<u64, CoseError> {
        self.0 += 1;
        Ok(self.0 - 1)
    }
}

/// An HSS/LMS signer; the trees of two levels take some time to make, so all tests share it.
fn hss() -> MutexGuard<'static, HssSigner> {
    static SIGNER: std::sync::OnceLock<Mutex<HssSigner>> = std::sync::OnceLock::new();
    let make = || {
        let level = HssLevel {
            hash: HssHash::Sha256,
            height: 5,
            width: 4,
        };
        let crypto = rustcrypto::provider();
        let key = HssSecretKey::generate(&crypto, &[level, level]).unwrap();
        Mutex::new(HssSigner::new(&crypto, key, Box::new(Counter(0))).unwrap())
    };
    SIGNER.get_or_init(make).lock().unwrap()
}

/// An envelope that is authenticated as the profile says, and who vouches for it.
fn authenticated_as(profile: &Profile, crypto: &CryptoProvider) -> (Vec<u8>, AnchorKey) {
    let draft = ta_draft(1, b"payload");
    if let Some(algorithm) = profile.mac_algorithm() {
        let key = MacKey::generate(crypto, algorithm).unwrap();
        return (draft.mac(crypto, &key, Some(b"kid-1")), key.into());
    }
    let sign = |signer: &dyn Signer| {
        let envelope = draft.sign(crypto, &[signer]).unwrap();
        (envelope, AnchorKey::from(*signer.public_key()))
    };
    match profile.signature_algorithm().unwrap() {
        SignatureAlgorithm::HssLms => sign(&*hss()),
        algorithm => {
            let key = SecretKey::generate(crypto, algorithm).unwrap();
            sign(&*crypto.signatures.signer(&key).unwrap())
        }
    }
}

// req: SUIT-MTI-001, SUIT-MTI-003, SUIT-MTI-004, SUIT-MTI-005, SUIT-MTI-006, SUIT-MTI-008
#[test]
fn each_profile_authenticates_a_manifest_that_is_installed() {
    for crypto in providers() {
        for (name, profile) in Profile::REGISTERED {
            assert_eq!(profile.digest_algorithm(), Some(DigestAlgorithm::Sha256));
            let (envelope, key) = authenticated_as(&profile, &crypto);
            let decoded = Envelope::decode(&envelope).unwrap();
            for (_, other) in Profile::REGISTERED {
                let same = other.authentication == profile.authentication;
                assert_eq!(other.covers_authentication(&decoded), same, "{name}");
            }
            for receiver in providers() {
                let trusted = TrustAnchors::new(&receiver, [TrustAnchor::new(key.clone())]);
                let processor = Processor::new(&receiver, &trusted, &trusted);
                let mut device = device();
                let outcome = processor.update_bytes(&mut device, &mut NoFetch, &envelope);
                assert_eq!(outcome.result, Ok(()), "{name}");
                // With the last bit of what vouches for it changed.
                let block = decoded.authentication_blocks()[0];
                let at = envelope
                    .windows(block.len())
                    .position(|window| window == block)
                    .unwrap();
                let mut bad = envelope.clone();
                bad[at + block.len() - 1] ^= 1;
                let mut device = common::device();
                let outcome = processor.update_bytes(&mut device, &mut NoFetch, &bad);
                assert!(matches!(outcome.result, Err(Error::Unauthorized(_))));
                assert_eq!(device.components().count(), 0);
                // For a Recipient that trusts somebody else under another profile.
                let (_, stranger) = authenticated_as(&Profile::ESP256_ECDH_A128GCM, &crypto);
                let strangers = TrustAnchors::new(&receiver, [TrustAnchor::new(stranger)]);
                assert!(decoded.authenticate(&receiver, &strangers).is_err());
            }
        }
    }
}

// req: SUIT-MTI-004
#[test]
fn profiles_have_names_and_descriptors() {
    let descriptors = [
        [-16, 5, -3, -65534],
        [-16, -9, -29, -65534],
        [-16, -19, -29, -65534],
        [-16, -9, -29, 1],
        [-16, -19, -29, 24],
        [-16, -46, -5, -65532],
    ];
    for ((name, profile), descriptor) in Profile::REGISTERED.iter().zip(descriptors) {
        assert_eq!(profile.descriptor(), descriptor);
        assert_eq!(Profile::of(descriptor), *profile);
        assert_eq!(Profile::named(name), Some(*profile));
        assert_eq!(profile.to_string(), *name);
        let encoded = Writer::build(|w| profile.write(w));
        assert_eq!(Profile::read(&mut Reader::new(&encoded)), Ok(*profile));
        // Exactly one kind of authentication.
        assert_ne!(
            profile.mac_algorithm().is_some(),
            profile.signature_algorithm().is_some()
        );
    }
    let unnamed = Profile::of([-44, -9, -29, 3]);
    assert_eq!((unnamed.name(), Profile::named("suit")), (None, None));
    assert_eq!(unnamed.to_string(), "[-44, -9, -29, 3]");
    assert!(Profile::read(&mut Reader::new(&[0x83, 0, 0, 0])).is_err());
}

// req: SUIT-MTI-002, SUIT-MTI-007
#[test]
fn an_author_chooses_what_the_recipients_have() {
    let liked = Profile::REGISTERED.map(|(_, profile)| profile);
    let own = Profile::of([-44, -9, -29, 3]);
    let supported = [
        own,
        Profile::ED25519_ECDH_CHACHA_POLY,
        Profile::HSSLMS_A256KW_A256CTR,
    ];
    let chosen = Profile::choose(&liked, &supported);
    assert_eq!(chosen, Some(Profile::ED25519_ECDH_CHACHA_POLY));
    assert_eq!(Profile::choose(&[own], &supported), Some(own));
    assert_eq!(Profile::choose(&liked, &[own]), None);
}

// req: SUIT-MTI-006, SUIT-MTI-010
#[test]
fn an_algorithm_that_is_not_supported_is_reported() {
    let author = author(2);
    let envelope = ta(&author, 1, b"payload");
    // {1: -9} becomes {1: -24}, which nobody has.
    let at = envelope
        .windows(4)
        .position(|w| w == [0x43, 0xa1, 0x01, 0x28]);
    let mut strange = envelope.clone();
    strange[at.unwrap() + 3] = 0x37;
    let outcome = update(&mut device(), &author, &strange);
    assert_eq!(outcome.result, Err(Error::AlgorithmUnsupported(-24)));
    let report = Report::decode(&outcome.report.encode()).unwrap();
    assert!(matches!(
        report.result,
        ReportResult::Failure {
            reason: Reason::AlgorithmUnsupported,
            ..
        }
    ));
}

// req: SUIT-MTI-008
#[test]
fn what_deployed_signers_send_is_taken_and_not_made() {
    let crypto = crypto();
    let author = author(2);
    let envelope = ta(&author, 1, b"payload");
    // {1: -9}, signed as such: what an author writes.
    let at = envelope
        .windows(4)
        .position(|w| w == [0x43, 0xa1, 0x01, 0x28]);
    assert!(at.is_some());
    let profile = Profile::ESP256_ECDH_A128CTR;
    let decoded = Envelope::decode(&envelope).unwrap();
    assert!(profile.covers_authentication(&decoded));
    assert!(!profile.covers_authentication(
        &Envelope::decode(&ta_draft(1, b"payload").encode_unsigned(&crypto)).unwrap()
    ));
    // The number is part of what is signed.
    let mut other = envelope.clone();
    other[at.unwrap() + 3] = 0x26;
    let other = Envelope::decode(&other).unwrap();
    assert!(!profile.covers_authentication(&other));
    assert!(other.authenticate(&crypto, &[author.key]).is_err());
}

// req: SUIT-FMT-011, SUIT-FMT-012
#[test]
fn every_digest_algorithm_vouches_for_content() {
    let author = author(2);
    for algorithm in DigestAlgorithm::ALL {
        for crypto in providers() {
            let digest = SuitDigest::of(&crypto, algorithm, b"payload");
            let install = |content: &'static [u8]| {
                let commands = vec![
                    set([
                        Parameter::ImageDigest(digest),
                        Parameter::Content(content.into()),
                    ]),
                    action(Action::Write),
                    condition(Condition::ImageMatch),
                ];
                sign_sections(&author, &["a/b"], vec![(Section::Install, commands)])
            };
            let trusted = [author.key];
            let all = tamarack_suit::SingleAuthority;
            let processor = Processor::new(&crypto, &trusted, &all);
            let run = |envelope: &[u8]| {
                let mut device = device();
                in_transaction(&mut device, |device| {
                    processor.update_bytes(device, &mut NoFetch, envelope)
                })
                .result
            };
            assert_eq!(run(&install(b"payload")), Ok(()), "{algorithm:?}");
            assert!(matches!(
                run(&install(b"paylord")),
                Err(Error::ConditionFailed { .. })
            ));
            // A digest that was cut is refused, whatever is left of it fits.
            let bytes = digest.bytes();
            assert_eq!(SuitDigest::new(algorithm, &bytes[..bytes.len() - 1]), None);
        }
    }
    let [one, other] = providers();
    for algorithm in DigestAlgorithm::ALL {
        let digest = SuitDigest::of(&one, algorithm, b"payload");
        assert_eq!(digest.matches(&other, b"payload"), Ok(true));
        for another in DigestAlgorithm::ALL {
            if another != algorithm && another.digest_len() == algorithm.digest_len() {
                let confused = SuitDigest::new(another, digest.bytes()).unwrap();
                assert_eq!(confused.matches(&other, b"payload"), Ok(false));
            }
        }
    }
}
