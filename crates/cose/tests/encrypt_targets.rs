//! What content is encrypted for: nobody but its author can have it decrypted for something else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use tamarack_cose::{
    Error, SymmetricKey, aws_lc,
    cbor::Writer,
    encrypt::{
        ContentAlgorithm, ContentKey, Curve, DecryptionKey, Encrypted, Encryption, HpkeSuite,
        KeyWrap, Recipient, RecipientAlgorithm, RecipientKey,
    },
    rustcrypto,
};

const PURPOSE: &[u8] = b"SUIT Payload Encryption";
const OURS: &[u8] = b"acme/lock";
const OTHERS: &[u8] = b"evil/lock";
/// The label of the header parameter: "tam", negative.
const TARGET: i64 = -0x74_61_6d;

fn find(info: &[u8], keys: &[RecipientKey], target: Option<&[u8]>) -> Result<ContentKey, Error> {
    let crypto = rustcrypto::provider();
    let encrypted = Encrypted::decode(info)?;
    match target {
        Some(target) => encrypted.content_key_for(&crypto, keys, PURPOSE, target),
        None => encrypted.content_key(&crypto, keys, PURPOSE),
    }
}

/// Everything that protects a header.
fn ways() -> Vec<(Curve, RecipientAlgorithm)> {
    let agreements = Curve::ALL.into_iter().flat_map(|curve| {
        let wraps = KeyWrap::ALL.into_iter();
        wraps.map(move |wrap| (curve, RecipientAlgorithm::EcdhEs(wrap)))
    });
    let suites = HpkeSuite::ALL.into_iter();
    let suites = suites.map(|suite| (suite.curve(), RecipientAlgorithm::Hpke(suite)));
    agreements.chain(suites).collect()
}

/// The information on a content, perhaps for a target, and what opens it; each way by each provider.
fn encrypted(target: Option<&[u8]>) -> Vec<(Vec<u8>, [RecipientKey; 1])> {
    let mut all = Vec::new();
    for crypto in [rustcrypto::provider(), aws_lc::provider()] {
        for (curve, algorithm) in ways() {
            let key = DecryptionKey::generate(&crypto, curve).unwrap();
            let recipient = match algorithm {
                RecipientAlgorithm::EcdhEs(wrap) => {
                    Recipient::agreement_with(key.public_key(), wrap)
                }
                RecipientAlgorithm::Hpke(suite) => Recipient::hpke_with(key.public_key(), suite),
                other => panic!("{other:?}"),
            };
            let mut encryption = Encryption::new(ContentAlgorithm::A128Gcm, PURPOSE);
            if let Some(target) = target {
                encryption = encryption.for_target(target);
            }
            let (info, _) = encryption.detached(&crypto, &[recipient]).unwrap();
            all.push((info, [RecipientKey::agreement(&crypto, key)]));
        }
    }
    all
}

#[test]
fn content_for_a_target_is_decrypted_for_no_other() {
    for (info, keys) in encrypted(Some(OURS)) {
        assert!(find(&info, &keys, Some(OURS)).is_ok());
        for other in [Some(OTHERS), Some(b""), None] {
            assert_eq!(find(&info, &keys, other).err(), Some(Error::OtherTarget));
        }
        let encrypted = Encrypted::decode(&info).unwrap();
        assert_eq!(encrypted.recipients().unwrap()[0].target(), Some(OURS));
    }
}

#[test]
fn content_for_any_target_is_decrypted_for_each() {
    for (info, keys) in encrypted(None) {
        for target in [Some(OURS), Some(OTHERS), None] {
            assert!(find(&info, &keys, target).is_ok());
        }
    }
}

#[test]
fn a_target_can_be_neither_exchanged_nor_removed_nor_moved() {
    for (info, keys) in encrypted(Some(OURS)) {
        let at = info.windows(OURS.len()).position(|w| w == OURS).unwrap();
        let mut exchanged = info.clone();
        exchanged[at..at + OTHERS.len()].copy_from_slice(OTHERS);
        assert_eq!(
            find(&exchanged, &keys, Some(OTHERS)).err(),
            Some(Error::NoRecipient)
        );
        // Another label for the parameter: nothing that anybody looks at.
        let mut renamed = info.clone();
        let label = Writer::build(|w| {
            w.int(TARGET);
        });
        let at = info.windows(label.len()).position(|w| w == label).unwrap();
        renamed[at + label.len() - 1] ^= 1;
        assert_eq!(
            find(&renamed, &keys, Some(OTHERS)).err(),
            Some(Error::NoRecipient)
        );
    }
}

/// The information in which the recipient stands alone, with something else in the headers of the content.
fn with_body(info: &[u8], protected: &[u8], unprotected: &[u8]) -> Vec<u8> {
    let recipients = info.len() - recipients_length(info);
    Writer::build(|w| {
        w.tag(96).array(4).bytes(protected).raw(unprotected).null();
        w.raw(&info[recipients..]);
    })
}

/// Bytes of the recipients, which are the last member: behind the null of the ciphertext.
fn recipients_length(info: &[u8]) -> usize {
    let null = info.windows(3).position(|w| w == [0xf6, 0x81, 0x83]);
    info.len() - null.unwrap() - 1
}

#[test]
fn a_weaker_cipher_for_the_content_does_not_help() {
    for (info, keys) in encrypted(Some(OURS)) {
        // AES-CTR with a key of the same length, which notices nothing.
        let counter = Writer::build(|w| {
            w.map(2).int(1).int(-65_534).int(5).bytes(&[0; 16]);
        });
        let weaker = with_body(&info, &[], &counter);
        assert_eq!(
            find(&weaker, &keys, Some(OTHERS)).err(),
            Some(Error::OtherTarget)
        );
    }
}

#[test]
fn headers_of_the_content_may_name_the_target_too() {
    let crypto = rustcrypto::provider();
    let keys = [RecipientKey::wrapping(
        &crypto,
        SymmetricKey::new([b'a'; 16]),
    )];
    let kek = SymmetricKey::new([b'a'; 16]);
    let to = [Recipient::wrapping(&kek).unwrap()];
    let encryption = Encryption::new(ContentAlgorithm::A128Gcm, PURPOSE).for_target(OURS);
    let (info, _) = encryption.detached(&crypto, &to).unwrap();
    // AES-KW protects no header: there is nothing that binds it.
    assert!(find(&info, &keys, Some(OTHERS)).is_ok());
    let iv = Writer::build(|w| {
        w.map(1).int(5).bytes(&[0; 12]);
    });
    let named = |critical: bool| {
        Writer::build(|w| {
            w.map(2 + usize::from(critical)).int(1).int(1);
            if critical {
                w.int(2).array(1).int(TARGET);
            }
            w.int(TARGET).bytes(OURS);
        })
    };
    for critical in [false, true] {
        let info = with_body(&info, &named(critical), &iv);
        assert!(find(&info, &keys, Some(OURS)).is_ok());
        for other in [Some(OTHERS), None] {
            assert_eq!(find(&info, &keys, other).err(), Some(Error::OtherTarget));
        }
    }
    // Where nothing protects it, it says nothing.
    let unprotected = Writer::build(|w| {
        w.map(2).int(5).bytes(&[0; 12]).int(TARGET).bytes(OURS);
    });
    let algorithm = Writer::build(|w| {
        w.map(1).int(1).int(1);
    });
    let info = with_body(&info, &algorithm, &unprotected);
    assert!(find(&info, &keys, Some(OTHERS)).is_ok());
}
