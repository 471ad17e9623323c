//! The headers of COSE_Encrypt: each algorithm has its own, and takes no other.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use tamarack_cose::{
    Error, SymmetricKey,
    cbor::Writer,
    encrypt::{ContentKey, Encrypted, MAX_RECIPIENTS, RecipientKey},
    rustcrypto,
};

const PURPOSE: &[u8] = b"SUIT Payload Encryption";

fn hex(text: &str) -> Vec<u8> {
    base16ct::mixed::decode_vec(text).unwrap()
}

/// A COSE_Encrypt of parts: protected, unprotected, recipients, all encoded.
fn message(protected: &str, unprotected: &str, recipients: &[String]) -> Vec<u8> {
    Writer::build(|w| {
        w.tag(96)
            .array(4)
            .bytes(&hex(protected))
            .raw(&hex(unprotected))
            .null();
        w.array(recipients.len());
        for recipient in recipients {
            w.raw(&hex(recipient));
        }
    })
}

const GCM: &str = "a10101";
const GCM_IV: &str = "a1054c000102030405060708090a0b";
const CTR_IV: &str = "a20139fffd0550000102030405060708090a0b0c0d0e0f";

/// An AES-KW recipient under kek 16 × `a`, from the draft's example.
fn kw_recipient(protected: &str, unprotected: &str) -> String {
    let wrapped = "581875603ffc9518d794713c8ca8a115a7fb32565a6d59534d62";
    format!("83{protected}{unprotected}{wrapped}")
}

fn good_recipient() -> String {
    kw_recipient("40", "a10122")
}

fn find(message: &[u8]) -> Result<ContentKey, Error> {
    let crypto = rustcrypto::provider();
    let keys = [
        RecipientKey::wrapping(&crypto, SymmetricKey::new(*b"aaaaaaaaaaaaaaaa")),
        RecipientKey::direct(SymmetricKey::new(*b"aaaaaaaaaaaaaaaa")),
    ];
    Encrypted::decode(message)?.content_key(&crypto, &keys, PURPOSE)
}

// req: SUIT-ENC-018, SUIT-ENC-019, SUIT-AMB-022, SUIT-AMB-024
#[test]
fn the_body_header_is_as_its_algorithm_wants_it() {
    let recipients = [good_recipient()];
    assert!(find(&message(GCM, GCM_IV, &recipients)).is_ok());
    assert!(find(&message("", CTR_IV, &recipients)).is_ok());
    let iv_16 = "a10550000102030405060708090a0b0c0d0e0f";
    for (protected, unprotected, what) in [
        ("", GCM_IV, "no algorithm"),
        ("a0", GCM_IV, "no algorithm"),
        (
            "",
            "a20101054c000102030405060708090a0b",
            "GCM in the unprotected header",
        ),
        ("a0", CTR_IV, "CTR with an encoded empty map"),
        ("a103181e", CTR_IV, "CTR with something protected"),
        ("a10139fffd", iv_16, "CTR in the protected header"),
        (GCM, CTR_IV, "two algorithms"),
        (GCM, "a0", "no IV"),
        (GCM, iv_16, "an IV of 16 bytes for GCM"),
        (
            "",
            "a20139fffd054c000102030405060708090a0b",
            "an IV of 12 bytes for CTR",
        ),
        ("a1011901f4", GCM_IV, "an unknown algorithm"),
        ("a1010a", GCM_IV, "AES-CCM"),
        ("a1016141", GCM_IV, "an algorithm by name"),
        ("a201010281187b", GCM_IV, "an unknown critical parameter"),
        ("a2010102816161", GCM_IV, "a named critical parameter"),
        ("a20101054c000102030405060708090a0b", GCM_IV, "two IVs"),
        ("a1010100", GCM_IV, "bytes behind the protected map"),
        ("a201010101", GCM_IV, "the algorithm twice"),
    ] {
        let outcome = find(&message(protected, unprotected, &recipients));
        assert!(outcome.is_err(), "{what}");
    }
    let critical = find(&message("a201010281187b", GCM_IV, &recipients));
    assert_eq!(critical.err(), Some(Error::CriticalHeader(123)));
    let understood = message("a3010102810104416b", GCM_IV, &recipients);
    assert!(find(&understood).is_ok());
}

// req: SUIT-ENC-012, SUIT-ENC-014, SUIT-AMB-023
#[test]
fn a_recipient_is_as_its_algorithm_wants_it() {
    for good in [
        good_recipient(),
        kw_recipient("41a0", "a10122"),
        kw_recipient("40", "a2012204456b69642d31"),
    ] {
        assert!(find(&message(GCM, GCM_IV, &[good])).is_ok());
    }
    for (recipient, what) in [
        (kw_recipient("40", "a0"), "no algorithm"),
        (
            kw_recipient("43a10122", "a0"),
            "AES-KW in the protected header",
        ),
        (kw_recipient("43a10122", "a10122"), "AES-KW in both"),
        (kw_recipient("43a10401", "a10122"), "something protected"),
        (
            kw_recipient("40", "a10123"),
            "A192KW with a key of 16 bytes",
        ),
        (kw_recipient("44a1013818", "a0"), "direct ECDH-ES"),
        (
            kw_recipient("44a1013819", "a0"),
            "direct ECDH-ES with SHA-512",
        ),
        (
            kw_recipient("44a101381c", "a0"),
            "ECDH-ES without an ephemeral key",
        ),
        (
            kw_recipient("44a101182e", "a0"),
            "HPKE without an encapsulated key",
        ),
        (
            kw_recipient("40", "a101381c"),
            "ECDH-ES in the unprotected header",
        ),
        (
            kw_recipient("40", "a10125"),
            "a direct key with an encrypted one",
        ),
        (
            kw_recipient("46a10281187b", "a10122"),
            "an unknown critical parameter",
        ),
    ] {
        let outcome = find(&message(GCM, GCM_IV, std::slice::from_ref(&recipient)));
        assert!(outcome.is_err(), "{what}");
        // What can't be used is passed over for what can.
        let recipients = [recipient, good_recipient()];
        if let Ok(encrypted) = Encrypted::decode(&message(GCM, GCM_IV, &recipients)) {
            assert_eq!(encrypted.recipients().unwrap().len(), 2);
            assert!(find(&message(GCM, GCM_IV, &recipients)).is_ok(), "{what}");
        }
    }
    for malformed in [
        "00",
        "80",
        "8240a0",
        "8440a1012240f6",
        "8340a1012200",
        "83a0a1012240",
    ] {
        let message = message(GCM, GCM_IV, &[malformed.to_owned()]);
        assert!(matches!(Encrypted::decode(&message), Err(Error::Decode(_))));
    }
    let direct = "8340a1012540".to_owned();
    assert!(find(&message(GCM, GCM_IV, std::slice::from_ref(&direct))).is_ok());
    assert!(find(&message(GCM, GCM_IV, &[direct.clone(), direct])).is_err());
}

#[test]
fn recipients_are_bounded() {
    let most = MAX_RECIPIENTS;
    assert!(Encrypted::decode(&message(GCM, GCM_IV, &vec![good_recipient(); most])).is_ok());
    for count in [0, most + 1, 5000] {
        let message = message(GCM, GCM_IV, &vec![good_recipient(); count]);
        assert!(matches!(Encrypted::decode(&message), Err(Error::Decode(_))));
    }
}

// req: SUIT-ENC-001
#[test]
fn only_its_own_tag_is_accepted() {
    let tagged = message(GCM, GCM_IV, &[good_recipient()]);
    assert!(Encrypted::decode_encrypt(&tagged).is_ok());
    assert!(Encrypted::decode(&tagged[2..]).is_ok());
    assert!(Encrypted::decode_encrypt(&tagged[2..]).is_err());
    for tag in [16_u8, 17, 18, 97, 98] {
        let mut other = tagged.clone();
        other[1] = tag;
        if tag < 24 {
            other[0] = 0xc0 | tag;
            other.remove(1);
        }
        assert!(Encrypted::decode(&other).is_err(), "{tag}");
        assert!(Encrypted::decode_encrypt(&other).is_err(), "{tag}");
    }
}
