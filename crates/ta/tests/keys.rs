//! Keys do what they are for, and nothing else.

use tamarack_ta::{
    ResultCode,
    keys::{
        self, AgreementCurve, AgreementKey, MacKey, SealingAlgorithm, SealingKey,
        SignatureAlgorithm, SigningKey,
    },
    testing,
};

const SIGNATURES: [SignatureAlgorithm; 2] =
    [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519];
const SEALS: [SealingAlgorithm; 3] = [
    SealingAlgorithm::Aes128Gcm,
    SealingAlgorithm::Aes256Gcm,
    SealingAlgorithm::ChaCha20Poly1305,
];
const CURVES: [AgreementCurve; 2] = [AgreementCurve::P256, AgreementCurve::X25519];

#[test]
fn signatures_are_verified() {
    for algorithm in SIGNATURES {
        testing::reset();
        let key = SigningKey::open_or_generate("k", algorithm).unwrap();
        let signature = key.sign(b"message").unwrap();
        assert_eq!(signature.len(), 64);
        let public = key.public_key().unwrap();
        key.verify(b"message", &signature).unwrap();
        keys::verify(&public, b"message", &signature).unwrap();
        let invalid = Err(ResultCode::SIGNATURE_INVALID);
        assert_eq!(key.verify(b"massage", &signature), invalid);
        assert_eq!(keys::verify(&public, b"massage", &signature), invalid);
        assert_eq!(keys::verify(&public, b"message", &signature[1..]), invalid);
        assert_eq!(SigningKey::open("k"), Ok(key.clone()));
        assert_eq!(
            SigningKey::generate("k", algorithm),
            Err(ResultCode::ACCESS_CONFLICT)
        );
        key.clone().delete().unwrap();
        assert_eq!(key.sign(b""), Err(ResultCode::ITEM_NOT_FOUND));
        assert_eq!(keys::list().unwrap().len(), 0);
    }
    assert_eq!(keys::verify(b"", b"", b""), Err(ResultCode::BAD_FORMAT));
}

#[test]
fn macs_are_verified() {
    let key = MacKey::open_or_generate("k").unwrap();
    let mac = key.mac(b"message").unwrap();
    assert_eq!(mac.len(), 32);
    key.verify(b"message", &mac).unwrap();
    let invalid = Err(ResultCode::MAC_INVALID);
    assert_eq!(key.verify(b"massage", &mac), invalid);
    assert_eq!(key.verify(b"message", &mac[1..]), invalid);
}

#[test]
fn what_is_sealed_opens_unchanged_only() {
    for algorithm in SEALS {
        testing::reset();
        let key = SealingKey::open_or_generate("k", algorithm).unwrap();
        let sealed = key.seal(b"about", b"secret").unwrap();
        assert_eq!(sealed.len(), 12 + 6 + 16);
        assert_eq!(key.unseal(b"about", &sealed).unwrap(), b"secret");
        let invalid = Err(ResultCode::CIPHERTEXT_INVALID);
        assert_eq!(key.unseal(b"elsewhere", &sealed), invalid);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.unseal(b"about", &changed), invalid);
        }
        assert_eq!(key.unseal(b"about", &sealed[..11]), invalid);
        assert_ne!(
            key.seal(b"about", b"secret").unwrap(),
            sealed,
            "a fresh nonce"
        );
    }
}

#[test]
fn derived_keys_are_the_same_again_and_nobody_elses() {
    let mac = |info: &[u8]| {
        let key = MacKey::derive("k", info).unwrap();
        let mac = key.mac(b"x").unwrap();
        key.delete().unwrap();
        mac
    };
    let first = mac(b"one");
    assert_eq!(mac(b"one"), first);
    assert_ne!(mac(b"two"), first);
    assert_ne!(testing::within("test/another", || mac(b"one")), first);
    let sealed = SealingKey::derive("a", SealingAlgorithm::Aes256Gcm, b"one")
        .unwrap()
        .seal(b"", b"x")
        .unwrap();
    let other = SealingKey::derive("b", SealingAlgorithm::Aes128Gcm, b"one").unwrap();
    assert_eq!(
        other.unseal(b"", &sealed),
        Err(ResultCode::CIPHERTEXT_INVALID)
    );
}

#[test]
fn both_sides_agree_on_one_key() {
    for curve in CURVES {
        for algorithm in SEALS {
            testing::reset();
            let ours = AgreementKey::open_or_generate("ours", curve).unwrap();
            let our_public = ours.public_key().unwrap();
            let (theirs, sealed) = testing::within("far/away", || {
                let theirs = AgreementKey::generate("theirs", curve).unwrap();
                let key = SealingKey::agree("k", algorithm, &theirs, &our_public, b"x").unwrap();
                (
                    theirs.public_key().unwrap(),
                    key.seal(b"", b"hello").unwrap(),
                )
            });
            let key = SealingKey::agree("k", algorithm, &ours, &theirs, b"x").unwrap();
            assert_eq!(key.unseal(b"", &sealed).unwrap(), b"hello");
            let other = SealingKey::agree("l", algorithm, &ours, &theirs, b"y").unwrap();
            assert_eq!(
                other.unseal(b"", &sealed),
                Err(ResultCode::CIPHERTEXT_INVALID)
            );
            let bad = MacKey::agree("m", &ours, b"no key", b"");
            assert_eq!(bad, Err(ResultCode::BAD_FORMAT));
        }
    }
    // A point of small order.
    let ours = AgreementKey::generate("x", AgreementCurve::X25519).unwrap();
    let zero = [&[0xA3, 1, 1, 0x20, 4, 0x21, 0x58, 32][..], &[0; 32]].concat();
    assert_eq!(
        MacKey::agree("m", &ours, &zero, b""),
        Err(ResultCode::BAD_PARAMETERS)
    );
}

#[test]
fn a_key_is_for_one_thing() {
    SigningKey::generate("sign", SignatureAlgorithm::Esp256).unwrap();
    MacKey::generate("mac").unwrap();
    SealingKey::generate("seal", SealingAlgorithm::Aes256Gcm).unwrap();
    let agree = AgreementKey::generate("agree", AgreementCurve::P256).unwrap();
    assert_eq!(keys::list().unwrap(), ["agree", "mac", "seal", "sign"]);
    let wrong = ResultCode::BAD_STATE;
    for name in ["mac", "seal", "agree"] {
        assert_eq!(SigningKey::open(name), Err(wrong));
    }
    for name in ["sign", "seal", "agree"] {
        assert_eq!(MacKey::open(name), Err(wrong));
    }
    for name in ["sign", "mac", "agree"] {
        assert_eq!(SealingKey::open(name), Err(wrong));
    }
    for name in ["mac", "seal"] {
        assert_eq!(AgreementKey::open(name), Err(wrong));
    }
    let signing = AgreementKey::open("sign").unwrap();
    let peer = agree.public_key().unwrap();
    assert_eq!(MacKey::agree("new", &signing, &peer, b""), Err(wrong));
    for open in [SigningKey::open("none").err(), MacKey::open("none").err()] {
        assert_eq!(open, Some(ResultCode::ITEM_NOT_FOUND));
    }
    assert_eq!(MacKey::generate("").err(), Some(ResultCode::BAD_PARAMETERS));
}

#[test]
fn keys_come_as_personalization_data() {
    // { 1: 4, 3: 5, -1: 32 bytes }
    let hmac = [&[0xA3, 1, 4, 3, 5, 0x20, 0x58, 32][..], &[7; 32]].concat();
    testing::personalize("key", &hmac);
    let key = MacKey::import("k", "key").unwrap();
    // HMAC-SHA-256 of "x" with 32 bytes of 7, by another implementation.
    let mac = b"\x5b\x29\xe7\xeb\xde\xe0\x46\x5c\x31\xc1\x6b\x2f\xca\x78\x7e\x15\
                \x88\xec\x74\xbd\x4c\x3e\x9f\x47\x91\x03\xb2\x39\x2c\x67\x7d\x06";
    assert_eq!(key.mac(b"x").unwrap(), mac);
    assert_eq!(MacKey::import("k", "key"), Err(ResultCode::ACCESS_CONFLICT));
    assert_eq!(MacKey::import("l", "none"), Err(ResultCode::ITEM_NOT_FOUND));
    assert_eq!(SigningKey::import("m", "key"), Err(ResultCode::BAD_STATE));
    assert_eq!(
        keys::list().unwrap(),
        ["k"],
        "a key of another kind does not stay"
    );

    // { 1: 1, 3: -19, -1: 6, -4: 32 bytes }: RFC 8032 section 7.1, test 1.
    let secret = b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
                   \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
    let ed25519 = [&[0xA4, 1, 1, 3, 0x32, 0x20, 6, 0x23, 0x58, 32][..], secret].concat();
    testing::personalize("signer", &ed25519);
    let signature = SigningKey::import("s", "signer")
        .unwrap()
        .sign(b"")
        .unwrap();
    assert_eq!(signature[..4], [0xe5, 0x56, 0x43, 0x00]);

    testing::personalize("bad", &[0xA0]);
    assert_eq!(MacKey::import("b", "bad"), Err(ResultCode::BAD_FORMAT));
    testing::personalize("short", &[0xA3, 1, 4, 3, 5, 0x20, 0x41, 7]);
    assert_eq!(MacKey::import("b", "short"), Err(ResultCode::BAD_FORMAT));
}
