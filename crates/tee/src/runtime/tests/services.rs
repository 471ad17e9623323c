//! What the services do, called as the host functions call them.

use tamarack_cose::{
    PublicKey, SecretKey, SignatureAlgorithm,
    encrypt::{Curve, DecryptionKey},
    rustcrypto,
};
use tamarack_rats::{Claims, Confirmation, Evidence};
use tamarack_ta::{ResultCode, interface::*};

use super::*;
use crate::services::{Area, KeyAlgorithm, Migration};

fn algorithm(number: i32) -> KeyAlgorithm {
    KeyAlgorithm::of(number).unwrap()
}

#[test]
fn objects_have_a_position_a_size_and_a_name() {
    let home = Home::new();
    let mut tee = home.services();
    let at = Area::Private;
    tee.object_create(at, "a", b"hello").unwrap();
    assert_eq!(
        tee.object_create(at, "a", b""),
        Err(ResultCode::ACCESS_CONFLICT)
    );
    tee.object_write_at(at, "a", 4, b"ween").unwrap();
    assert_eq!(**tee.object_read(at, "a").unwrap(), *b"hellween");
    tee.commit().unwrap();
    // The same again, over what is stored.
    assert_eq!(**tee.object_read_at(at, "a", 4, 100).unwrap(), *b"ween");
    assert!(tee.object_read_at(at, "a", 100, 4).unwrap().is_empty());
    tee.object_write_at(at, "a", 10, b"!").unwrap();
    assert_eq!(**tee.object_read_at(at, "a", 6, 100).unwrap(), *b"en\0\0!");
    tee.object_truncate(at, "a", 2).unwrap();
    assert_eq!(tee.object_size(at, "a").unwrap(), 2);
    tee.object_truncate(at, "a", 3).unwrap();
    assert_eq!(**tee.object_read(at, "a").unwrap(), *b"he\0");
    tee.object_create(at, "b", b"").unwrap();
    assert_eq!(
        tee.object_rename(at, "a", "b"),
        Err(ResultCode::ACCESS_CONFLICT)
    );
    tee.object_rename(at, "a", "c").unwrap();
    assert_eq!(tee.object_names(at).unwrap(), ["b", "c"]);
    tee.commit().unwrap();
    assert_eq!(tee.object_names(at).unwrap(), ["b", "c"]);
    assert_eq!(home.object("c").unwrap(), b"he\0");
    assert_eq!(home.object("a"), None);
    for missing in [
        tee.object_write_at(at, "a", 0, b""),
        tee.object_truncate(at, "a", 0),
        tee.object_rename(at, "a", "d"),
        tee.object_delete(at, "a"),
        tee.object_size(at, "a").map(drop),
        tee.object_read_at(at, "a", 0, 1).map(drop),
    ] {
        assert_eq!(missing, Err(ResultCode::ITEM_NOT_FOUND));
    }
}

#[test]
fn sizes_are_bounded_by_the_quota_before_memory_is_taken() {
    let home = Home::new();
    let mut tee = home.services();
    let at = Area::Private;
    tee.object_create(at, "a", b"").unwrap();
    for size in [home.application.quota.bytes + 1, u64::MAX] {
        let full = Err(ResultCode::STORAGE_NO_SPACE);
        assert_eq!(tee.object_truncate(at, "a", size), full);
        let far = tee.object_write_at(at, "a", size - 1, b"x");
        assert_eq!(far, full);
    }
    let beyond = tee.object_write_at(at, "a", u64::MAX, b"x");
    assert_eq!(beyond, Err(ResultCode::OVERFLOW));
}

#[test]
fn the_quotas_of_bytes_and_objects_hold_and_room_can_be_made() {
    let mut home = Home::new();
    home.application.quota.objects = 3;
    home.application.quota.bytes = 1000;
    let at = Area::Private;
    let mut tee = home.services();
    for name in ["a", "b"] {
        tee.object_create(at, name, &[0; 100]).unwrap();
    }
    tee.key_generate("k", algorithm(ALGORITHM_ESP256)).unwrap();
    tee.commit().unwrap();
    tee.object_create(at, "c", b"").unwrap();
    assert_eq!(tee.commit(), Err(ResultCode::STORAGE_NO_SPACE), "objects");
    tee.object_write(at, "a", &[0; 900]).unwrap();
    assert_eq!(tee.commit(), Err(ResultCode::STORAGE_NO_SPACE), "bytes");
    assert_eq!(home.object("a").unwrap().len(), 100, "nothing changed");
    // A quota that was made smaller than what is there.
    home.application.quota.bytes = 10;
    let mut tee = home.services();
    tee.object_truncate(at, "a", 5).unwrap();
    tee.object_delete(at, "b").unwrap();
    tee.commit().unwrap();
    assert_eq!(home.object("a").unwrap().len(), 5);
}

#[test]
fn shared_objects_are_those_that_the_domain_names() {
    let home = Home::new();
    let mut tee = home.services();
    tee.object_write(Area::Shared, "shared", b"ours").unwrap();
    tee.commit().unwrap();
    assert_eq!(tee.object_names(Area::Shared).unwrap(), ["shared"]);
    assert!(tee.object_names(Area::Private).unwrap().is_empty());
    assert_eq!(
        tee.object_write(Area::Shared, "other", b""),
        Err(ResultCode::ACCESS_DENIED)
    );
    assert_eq!(
        tee.object_rename(Area::Shared, "shared", "other"),
        Err(ResultCode::ACCESS_DENIED)
    );
    assert_eq!(Area::of(2), Err(ResultCode::BAD_PARAMETERS));
}

#[test]
fn signing_keys_sign_and_others_do_not() {
    let home = Home::new();
    let mut tee = home.services();
    for number in [ALGORITHM_ESP256, ALGORITHM_ED25519] {
        let name = format!("sign{number}");
        tee.key_generate(&name, algorithm(number)).unwrap();
        let signature = tee.key_sign(&name, b"text").unwrap();
        tee.key_verify(&name, b"text", &signature).unwrap();
        let wrong = Err(ResultCode::SIGNATURE_INVALID);
        assert_eq!(tee.key_verify(&name, b"other", &signature), wrong);
        let public = tee.key_public(&name).unwrap();
        tee.verify(&public, b"text", &signature).unwrap();
        assert_eq!(tee.verify(&public, b"text", b""), wrong);
        let misuse = Err(ResultCode::BAD_STATE);
        assert_eq!(tee.key_mac(&name, b"").map(drop), misuse);
        assert_eq!(tee.key_seal(&name, b"", b"").map(drop), misuse);
        let agreed = tee.key_agree("n", algorithm(ALGORITHM_A128GCM), &name, &public, b"");
        assert_eq!(agreed, misuse);
    }
    assert_eq!(tee.verify(b"key", b"", b""), Err(ResultCode::BAD_FORMAT));
    assert_eq!(KeyAlgorithm::of(-7), Err(ResultCode::NOT_SUPPORTED));
}

#[test]
fn macs_and_seals_hold() {
    let home = Home::new();
    let mut tee = home.services();
    tee.key_generate("mac", algorithm(ALGORITHM_HMAC_256))
        .unwrap();
    let mac = tee.key_mac("mac", b"text").unwrap();
    assert_eq!(mac.len(), 32);
    tee.key_mac_verify("mac", b"text", &mac).unwrap();
    for (text, mac) in [
        (&b"other"[..], &mac[..]),
        (b"text", &mac[..31]),
        (b"text", b""),
    ] {
        let verified = tee.key_mac_verify("mac", text, mac);
        assert_eq!(verified, Err(ResultCode::MAC_INVALID));
    }
    for number in [
        ALGORITHM_A128GCM,
        ALGORITHM_A256GCM,
        ALGORITHM_CHACHA20_POLY1305,
    ] {
        let name = format!("seal{number}");
        tee.key_generate(&name, algorithm(number)).unwrap();
        let sealed = tee.key_seal(&name, b"with", b"text").unwrap();
        assert_eq!(sealed.len(), 12 + 4 + 16);
        let opened = tee.key_open(&name, b"with", &sealed).unwrap();
        assert_eq!(**opened, *b"text");
        let again = tee.key_seal(&name, b"with", b"text").unwrap();
        assert_ne!(sealed, again, "the nonce is another");
        let mut bent = sealed.clone();
        bent[13] ^= 1;
        let invalid = Some(ResultCode::CIPHERTEXT_INVALID);
        for (associated, sealed) in [
            (&b"with"[..], &bent[..]),
            (b"", &sealed),
            (b"with", &sealed[..11]),
            (b"with", b""),
        ] {
            assert_eq!(tee.key_open(&name, associated, sealed).err(), invalid);
        }
        assert_eq!(tee.key_public(&name), Err(ResultCode::BAD_STATE));
    }
}

#[test]
fn derived_keys_are_the_same_again_and_differ_by_purpose() {
    let home = Home::new();
    let mut tee = home.services();
    let mac = algorithm(ALGORITHM_HMAC_256);
    tee.key_derive("one", mac, b"purpose").unwrap();
    tee.key_derive("other", mac, b"another").unwrap();
    assert_eq!(
        tee.key_derive("one", mac, b"purpose"),
        Err(ResultCode::ACCESS_CONFLICT)
    );
    let first = tee.key_mac("one", b"text").unwrap();
    assert_ne!(tee.key_mac("other", b"text").unwrap(), first);
    tee.key_delete("one").unwrap();
    tee.commit().unwrap();
    let mut later = home.services();
    later.key_derive("again", mac, b"purpose").unwrap();
    assert_eq!(later.key_mac("again", b"text").unwrap(), first);
    let elsewhere = Home::new();
    let mut tee = elsewhere.services();
    tee.key_derive("one", mac, b"purpose").unwrap();
    assert_ne!(tee.key_mac("one", b"text").unwrap(), first);
    let signing = tee.key_derive("s", algorithm(ALGORITHM_ESP256), b"");
    assert_eq!(signing, Err(ResultCode::NOT_SUPPORTED));
}

#[test]
fn two_that_agree_have_one_key() {
    let (one, other) = (Home::new(), Home::new());
    for number in [ALGORITHM_ECDH_P256, ALGORITHM_ECDH_X25519] {
        let (mut one, mut other) = (one.services(), other.services());
        for tee in [&mut one, &mut other] {
            tee.key_generate("own", algorithm(number)).unwrap();
        }
        let (of_one, of_other) = (
            one.key_public("own").unwrap(),
            other.key_public("own").unwrap(),
        );
        let seal = algorithm(ALGORITHM_CHACHA20_POLY1305);
        one.key_agree("both", seal, "own", &of_other, b"i").unwrap();
        other.key_agree("both", seal, "own", &of_one, b"i").unwrap();
        other.key_agree("not", seal, "own", &of_one, b"j").unwrap();
        let sealed = one.key_seal("both", b"", b"text").unwrap();
        assert_eq!(**other.key_open("both", b"", &sealed).unwrap(), *b"text");
        assert!(other.key_open("not", b"", &sealed).is_err());
        let bad = one.key_agree("bad", seal, "own", b"", b"");
        assert_eq!(bad, Err(ResultCode::BAD_FORMAT));
    }
}

/// A COSE_Key with an `alg` put in.
fn with_algorithm(key: &[u8], algorithm: &[u8]) -> Vec<u8> {
    let (map, rest) = key.split_first().unwrap();
    // kty comes first: a byte of label and one of value.
    let (kty, rest) = rest.split_at(2);
    [&[map + 1], kty, &[3], algorithm, rest].concat()
}

#[test]
fn keys_come_as_personalization_data() {
    let home = Home::new();
    let crypto = rustcrypto::provider();
    let signing = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
    let agreement = DecryptionKey::generate(&crypto, Curve::X25519).unwrap();
    let symmetric = [&[0xA2, 1, 4, 0x20, 0x58, 32][..], &[7; 32]].concat();
    home.personalize("signing", &with_algorithm(&signing.to_cose_key(), &[0x28]));
    home.personalize(
        "agreement",
        &with_algorithm(&agreement.to_cose_key(), &[0x38, 24]),
    );
    home.personalize("mac", &with_algorithm(&symmetric, &[5]));
    home.personalize("seal", &with_algorithm(&symmetric, &[3]));
    // An AES-128 key of 32 bytes, a key without purpose, a key of an unknown one, and none.
    home.personalize("long", &with_algorithm(&symmetric, &[1]));
    home.personalize("none", &symmetric);
    home.personalize("unknown", &with_algorithm(&symmetric, &[0x18, 99]));
    home.personalize("text", b"text");
    let mut tee = home.services();
    for name in ["signing", "agreement", "mac", "seal"] {
        tee.key_import(name, name).unwrap();
    }
    assert_eq!(
        tee.key_names().unwrap(),
        ["agreement", "mac", "seal", "signing"]
    );
    let signature = tee.key_sign("signing", b"text").unwrap();
    let verified = crypto
        .signatures
        .verify(signing.public_key(), b"text", &signature);
    verified.unwrap();
    tee.key_mac("mac", b"").unwrap();
    tee.key_seal("seal", b"", b"").unwrap();
    for (name, code) in [
        ("long", ResultCode::BAD_FORMAT),
        ("none", ResultCode::BAD_FORMAT),
        ("text", ResultCode::BAD_FORMAT),
        ("unknown", ResultCode::NOT_SUPPORTED),
        ("missing", ResultCode::ITEM_NOT_FOUND),
    ] {
        assert_eq!(tee.key_import(name, name), Err(code), "{name}");
    }
    assert_eq!(
        tee.personalization_names().unwrap(),
        [
            "agreement",
            "long",
            "mac",
            "none",
            "seal",
            "signing",
            "text",
            "unknown"
        ]
    );
}

#[test]
fn a_ta_is_attested_as_a_part_of_the_tee() {
    let home = Home::new();
    let crypto = rustcrypto::provider();
    let mut tee = home.services();
    tee.key_generate("k", algorithm(ALGORITHM_ED25519)).unwrap();
    let token = tee.attest(b"a nonce of a verifier", Some("k")).unwrap();
    let attester = home.around.platform.attester();
    let evidence = Evidence::decode(&token).unwrap();
    let claims: &Claims = evidence
        .verify(&crypto, attester.key().public_key())
        .unwrap();
    assert_eq!(claims.nonce.as_deref(), Some(&b"a nonce of a verifier"[..]));
    assert_eq!(
        claims.confirmation, None,
        "no Evidence that TEEP would take"
    );
    let application = &claims.submodules["acme/ta"];
    let public = PublicKey::from_cose_key(&tee.key_public("k").unwrap()).unwrap();
    assert_eq!(application.confirmation, Some(Confirmation::Key(public)));
    assert_eq!(application.security_domain.as_deref(), Some("acme"));
    let [measured] = &application.measurements[..] else {
        panic!("{application:?}");
    };
    assert_eq!(measured.name, "acme/ta");
    assert_eq!(measured.version.as_deref(), Some("7"));
    assert_eq!(measured.sha256, crypto.sha256(b"code"));
    for nonce in [&[0; 7][..], &[0; 65]] {
        let refused = tee.attest(nonce, None);
        assert_eq!(refused, Err(ResultCode::BAD_PARAMETERS));
    }
    tee.key_generate("m", algorithm(ALGORITHM_HMAC_256))
        .unwrap();
    assert_eq!(tee.attest(&[0; 8], Some("m")), Err(ResultCode::BAD_STATE));
}

#[test]
fn persistent_time_is_what_was_set_and_what_went_by() {
    let home = Home::new();
    let mut tee = home.services();
    assert_eq!(tee.persistent_time(), Err(ResultCode::TIME_NOT_SET));
    tee.set_persistent_time(1000).unwrap();
    tee.commit().unwrap();
    let now = home.services().persistent_time().unwrap();
    assert!((1000..1100).contains(&now));
    assert!(tee.system_time() < 600_000);
}

#[test]
fn migration_is_noted_with_what_it_changes() {
    let home = Home::new();
    let mut tee = home.services();
    assert_eq!(tee.migration(), Ok(Migration::FromNothing));
    tee.mark_migrated().unwrap();
    tee.abort();
    assert_eq!(tee.migration(), Ok(Migration::FromNothing));
    tee.mark_migrated().unwrap();
    tee.commit().unwrap();
    assert_eq!(home.services().migration(), Ok(Migration::None));
}

#[test]
fn what_is_committed_early_outlasts_the_command() {
    let home = Home::new();
    let mut tee = home.services();
    tee.object_write(Area::Private, "kept", b"1").unwrap();
    tee.commit_early().unwrap();
    tee.object_write(Area::Private, "undone", b"2").unwrap();
    tee.abort();
    assert_eq!(home.object("kept").unwrap(), b"1");
    assert_eq!(home.object("undone"), None);
    tee.mark_migrated().unwrap();
    let refused = tee.commit_early();
    assert_eq!(
        refused,
        Err(ResultCode::BAD_STATE),
        "a migration is one step"
    );
}

#[test]
fn code_that_was_removed_sees_nothing_any_more() {
    let home = Home::new();
    home.personalize("data", b"x");
    let mut tee = home.services();
    tee.object_write(Area::Private, "a", b"1").unwrap();
    tee.key_generate("k", algorithm(ALGORITHM_ESP256)).unwrap();
    tee.commit().unwrap();
    home.uninstall();
    let busy = Some(ResultCode::BUSY);
    assert_eq!(tee.object_read(Area::Private, "a").err(), busy);
    assert_eq!(tee.personalization_read("data").err(), busy);
    assert_eq!(tee.key_sign("k", b"").err(), busy);
    assert_eq!(tee.attest(&[0; 8], Some("k")).err(), busy);
    assert_eq!(tee.attest(&[0; 8], None).err(), busy);
}
