//! HSS/LMS: the vectors of the RFCs, and signatures of our own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tamarack_cose::{
    CryptoProvider, Error, KeyError, PublicKey, SecretKey, Sign1, SignatureAlgorithm, Signer,
    aws_lc,
    hss::{HssHash, HssLevel, HssPublicKey, HssSecretKey, HssSigner, HssState},
    rustcrypto, sign1_detached,
};

fn providers() -> [CryptoProvider; 2] {
    [rustcrypto::provider(), aws_lc::provider()]
}

struct Vector {
    name: &'static str,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for line in include_str!("vectors/hss.txt").lines() {
        if let Some(name) = line.strip_prefix('[') {
            vectors.push(Vector {
                name,
                key: vec![],
                message: vec![],
                signature: vec![],
            });
        }
        let Some((member, hex)) = line.split_once(' ') else {
            continue;
        };
        let last = vectors.last_mut();
        let bytes = || base16ct::lower::decode_vec(hex).unwrap();
        match member {
            "key" => last.unwrap().key = bytes(),
            "message" => last.unwrap().message = bytes(),
            "signature" => last.unwrap().signature = bytes(),
            _ => {}
        }
    }
    assert_eq!(vectors.len(), 6);
    vectors
}

fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), Error> {
    let [one, other] = providers().map(|crypto| crypto.signatures.verify(key, message, signature));
    assert_eq!(one, other);
    one
}

const BAD: Result<(), Error> = Err(Error::BadSignature);

// req: SUIT-MTI-001, SUIT-MTI-003
#[test]
fn the_vectors_of_the_rfcs_verify() {
    for vector in vectors() {
        let key = PublicKey::HssLms(HssPublicKey::from_bytes(&vector.key).unwrap());
        let (message, signature) = (&vector.message, &vector.signature);
        assert_eq!(verify(&key, message, signature), Ok(()), "{}", vector.name);
        // Not of another message, not cut, not with something behind it, and not with a bit changed anywhere.
        let mut other = message.clone();
        other[0] ^= 1;
        assert_eq!(verify(&key, &other, signature), BAD);
        assert_eq!(verify(&key, b"", signature), BAD);
        let mut longer = signature.clone();
        longer.push(0);
        assert_eq!(verify(&key, message, &longer), BAD);
        let crypto = rustcrypto::provider();
        for length in (0..signature.len()).step_by(131) {
            let outcome = crypto
                .signatures
                .verify(&key, message, &signature[..length]);
            assert_eq!(outcome, BAD);
        }
        let ends = [0, 3, 4, 7, 11, 12, signature.len() - 1];
        for at in ends.into_iter().chain((64..signature.len()).step_by(307)) {
            let mut changed = signature.clone();
            changed[at] ^= 1 << (at % 8);
            let outcome = crypto.signatures.verify(&key, message, &changed);
            assert_eq!(outcome, BAD, "{} with byte {at} changed", vector.name);
        }
        // Under no other key, and no other number of levels.
        for at in (3..vector.key.len()).step_by(4) {
            let mut changed = vector.key.clone();
            changed[at] ^= 1;
            if let Ok(key) = HssPublicKey::from_bytes(&changed) {
                let key = PublicKey::HssLms(key);
                assert_eq!(crypto.signatures.verify(&key, message, signature), BAD);
            }
        }
    }
}

#[test]
fn public_keys_in_every_form() {
    for vector in vectors() {
        let key = HssPublicKey::from_bytes(&vector.key).unwrap();
        assert_eq!(key.to_bytes(), vector.key);
        assert_eq!(u32::from(key.levels()).to_be_bytes(), vector.key[..4]);
        assert!(vector.key.ends_with(key.root()));
        let public = PublicKey::HssLms(key);
        assert_eq!(public.algorithm(), SignatureAlgorithm::HssLms);
        let cose = public.to_cose_key();
        // {1: 5, -1: pub}, RFC 8778 section 3.
        assert_eq!(cose[..4], [0xa2, 0x01, 0x05, 0x20]);
        assert_eq!(PublicKey::from_cose_key(&cose), Ok(public));
        assert_eq!(PublicKey::from_jwk(&public.to_jwk()), Ok(public));
        assert_eq!(PublicKey::from_pem(&public.to_pem().unwrap()), Ok(public));
        let not_private = Some(KeyError::NotPrivate.into());
        let crypto = rustcrypto::provider();
        assert_eq!(SecretKey::from_cose_key(&crypto, &cose).err(), not_private);
        for length in 0..vector.key.len() {
            assert!(HssPublicKey::from_bytes(&vector.key[..length]).is_err());
        }
        for (at, wrong) in [(3, 0), (3, 9), (0, 1), (7, 4), (7, 25), (11, 0), (11, 17)] {
            let mut changed = vector.key.clone();
            changed[at] = wrong;
            assert!(HssPublicKey::from_bytes(&changed).is_err());
        }
        // Two hashes in one tree.
        let mut mixed = vector.key.clone();
        mixed[11] = if mixed[11] > 8 { 4 } else { 16 };
        assert!(HssPublicKey::from_bytes(&mixed).is_err());
    }
    for crypto in providers() {
        assert!(SecretKey::generate(&crypto, SignatureAlgorithm::HssLms).is_err());
    }
}

/// A number that can be looked at from outside, and a disk that can fail.
#[derive(Clone, Default)]
struct Numbers {
    next: Arc<AtomicU64>,
    broken: Arc<std::sync::atomic::AtomicBool>,
}

impl HssState for Numbers {
    fn claim(&mut self) -> Result<u64, Error> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::Crypto("the disk is full"));
        }
        Ok(self.next.fetch_add(1, Ordering::SeqCst))
    }
}

fn level(height: u8, width: u8) -> HssLevel {
    HssLevel {
        hash: HssHash::Sha256,
        height,
        width,
    }
}

// req: SUIT-MTI-001
#[test]
fn every_hash_and_width_signs() {
    let crypto = aws_lc::provider();
    for hash in [
        HssHash::Sha256,
        HssHash::Sha256_192,
        HssHash::Shake256,
        HssHash::Shake256_192,
    ] {
        // The widest digits, whose chains are long, with one hash only: it is slow without optimisation.
        let widths = if hash == HssHash::Sha256 { 4 } else { 3 };
        for width in [1, 2, 4, 8].into_iter().take(widths) {
            let level = HssLevel {
                hash,
                height: 5,
                width,
            };
            let key = HssSecretKey::generate(&crypto, &[level]).unwrap();
            let signer = HssSigner::new(&crypto, key, Box::new(Numbers::default())).unwrap();
            let signatures = [b"one", b"two"].map(|message| signer.sign(message).unwrap());
            assert_eq!(verify(signer.public_key(), b"one", &signatures[0]), Ok(()));
            assert_eq!(verify(signer.public_key(), b"two", &signatures[1]), Ok(()));
            assert_eq!(verify(signer.public_key(), b"one", &signatures[1]), BAD);
        }
    }
}

// req: SUIT-MTI-001, SUIT-MTI-009
#[test]
fn a_hierarchy_goes_from_tree_to_tree_and_ends() {
    let crypto = aws_lc::provider();
    let levels = [level(5, 4), level(5, 2)];
    let key = HssSecretKey::generate(&crypto, &levels).unwrap();
    assert_eq!(key.capacity(), 1024);
    let again = HssSecretKey::from_bytes(&key.to_bytes()).unwrap();
    let numbers = Numbers::default();
    let signer = HssSigner::new(&crypto, key, Box::new(numbers.clone())).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for place in [0, 1, 31, 32, 33, 1023] {
        numbers.next.store(place, Ordering::SeqCst);
        let signature = signer.sign(b"message").unwrap();
        assert_eq!(verify(signer.public_key(), b"message", &signature), Ok(()));
        assert!(seen.insert(signature));
    }
    // That was the last.
    let exhausted = Err(Error::Crypto("the key has made all its signatures"));
    assert_eq!(signer.sign(b"message"), exhausted);
    // Started again, the key has the same trees: a leaf that signed a tree signs no other.
    numbers.next.store(33, Ordering::SeqCst);
    let restarted = HssSigner::new(&crypto, again, Box::new(numbers.clone())).unwrap();
    assert_eq!(restarted.public_key(), signer.public_key());
    assert!(!seen.insert(restarted.sign(b"message").unwrap()));
}

#[test]
fn no_signature_without_a_number_that_is_kept() {
    let crypto = aws_lc::provider();
    let key = HssSecretKey::generate(&crypto, &[level(5, 8)]).unwrap();
    assert!(!format!("{key:?}").contains("["));
    let numbers = Numbers::default();
    let signer = HssSigner::new(&crypto, key, Box::new(numbers.clone())).unwrap();
    let first = signer.sign(b"message").unwrap();
    numbers.broken.store(true, Ordering::SeqCst);
    assert_eq!(
        signer.sign(b"message"),
        Err(Error::Crypto("the disk is full"))
    );
    numbers.broken.store(false, Ordering::SeqCst);
    assert_eq!(numbers.next.load(Ordering::SeqCst), 1);
    assert_ne!(signer.sign(b"message").unwrap()[..8], first[..8]);
}

#[test]
fn keys_that_can_not_be() {
    let crypto = aws_lc::provider();
    for levels in [
        &[][..],
        &[level(5, 4); 9],
        &[level(25, 4)],
        &[level(6, 4)],
        &[level(5, 3)],
        &[level(20, 4); 4],
    ] {
        assert!(HssSecretKey::generate(&crypto, levels).is_err());
    }
    let key = HssSecretKey::generate(&crypto, &[level(5, 4)]).unwrap();
    let bytes = key.to_bytes();
    for length in 0..bytes.len() {
        assert!(HssSecretKey::from_bytes(&bytes[..length]).is_err());
    }
}

// req: SUIT-MTI-005
#[test]
fn a_signed_message() {
    let crypto = rustcrypto::provider();
    let key = HssSecretKey::generate(&crypto, &[level(5, 8)]).unwrap();
    let signer = HssSigner::new(&crypto, key, Box::new(Numbers::default())).unwrap();
    let key_id = signer.public_key().key_id(&crypto);
    let message = sign1_detached(&signer, b"payload", Some(&key_id)).unwrap();
    let received = Sign1::decode(&message).unwrap();
    assert_eq!(received.headers().algorithm_id(), Some(-46));
    let verify = |payload| received.verify(&crypto, signer.public_key(), Some(payload));
    assert_eq!(verify(&b"payload"[..]), Ok(&b"payload"[..]));
    assert_eq!(verify(b"paylord"), Err(Error::BadSignature));
    let other = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
    let outcome = received.verify(&crypto, other.public_key(), Some(b"payload"));
    assert_eq!(outcome, Err(Error::UnknownKey));
}
