//! Reports that leave the device: every container, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use tamarack_cose::{
    KeyId, SymmetricKey,
    cbor::Reader,
    encrypt::{ContentAlgorithm, Curve, DecryptionKey, Recipient, RecipientKey},
    sign1,
};
use tamarack_suit::{
    Authority, Error, Report, TrustAnchor, TrustAnchors,
    report::{OpenedReport, ReportPayload},
};

use common::*;

fn report() -> Report {
    let author = author(2);
    update(&mut device(), &author, &ta(&author, 1, b"payload")).report
}

/// The TAM's keys.
struct Tam {
    agreement: DecryptionKey,
    shared: SymmetricKey,
}

impl Tam {
    fn new() -> Self {
        Self {
            agreement: DecryptionKey::from_bytes(&crypto(), Curve::P256, &[7; 32]).unwrap(),
            shared: SymmetricKey::new([8; 16]),
        }
    }

    fn keys(&self) -> Vec<RecipientKey> {
        vec![
            RecipientKey::agreement(&crypto(), self.agreement.clone()),
            RecipientKey::direct(self.shared.clone()).with_key_id(*b"shared"),
        ]
    }
}

fn payloads(tam: &Tam, algorithm: ContentAlgorithm) -> [ReportPayload; 3] {
    let (crypto, report) = (crypto(), report());
    let recipients = [Recipient::agreement(tam.agreement.public_key())];
    [
        ReportPayload::plain(&report),
        ReportPayload::encrypted(&report, &crypto, algorithm, &recipients).unwrap(),
        ReportPayload::encrypted_under(&report, &crypto, algorithm, &tam.shared, Some(b"shared"))
            .unwrap(),
    ]
}

fn untagged(message: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(message);
    reader.tag("tag").unwrap();
    message[reader.position()..].to_vec()
}

// req: SUIT-REP-018, SUIT-REP-019, SUIT-REP-021, SUIT-REP-022, SUIT-AMB-026
#[test]
fn every_container_opens_tagged_or_not() {
    let crypto = crypto();
    let (tam, device) = (Tam::new(), author(3));
    let keys = tam.keys();
    let mac = mac_key(1);
    let anchors = TrustAnchors::new(
        &crypto,
        [
            TrustAnchor::new(device.key),
            TrustAnchor::new(mac.clone()).with_key_id(*b"kid-1"),
        ],
    );
    for algorithm in [ContentAlgorithm::A128Gcm, ContentAlgorithm::A128Ctr] {
        for (at, payload) in payloads(&tam, algorithm).iter().enumerate() {
            let signed = payload.sign(&crypto, &*device.signer).unwrap();
            let maced = payload.mac(&crypto, &mac, Some(b"kid-1"));
            for (message, authority) in [
                (signed, Authority::Key(device.key)),
                (maced, Authority::Mac(mac.key_id(&crypto))),
            ] {
                for message in [message.clone(), untagged(&message)] {
                    let opened = OpenedReport::open(&message, &crypto, &anchors, &keys).unwrap();
                    assert_eq!(opened.report, report());
                    assert_eq!(opened.authority, Some(authority));
                    assert_eq!(opened.confidential, at > 0);
                }
            }
        }
    }
}

// req: SUIT-REP-020
#[test]
fn a_report_that_names_a_trusted_key_and_is_by_another_is_refused() {
    let crypto = crypto();
    let (one, other) = (author(2), author(4));
    let anchors = TrustAnchors::new(
        &crypto,
        [TrustAnchor::new(one.key), TrustAnchor::new(other.key)],
    );
    let report = report().encode();
    for (named, accepted) in [(&one, false), (&other, true)] {
        let key_id = KeyId::of(&named.key, &crypto);
        let signed = sign1(&*other.signer, &report, Some(&key_id)).unwrap();
        let opened = OpenedReport::open(&signed, &crypto, &anchors, &[]);
        match accepted {
            true => assert_eq!(opened.unwrap().authority, Some(other.key.into())),
            false => assert_eq!(
                opened.unwrap_err(),
                Error::Unauthorized(tamarack_cose::Error::BadSignature)
            ),
        }
    }
}

// req: SUIT-REP-018, SUIT-REP-020
#[test]
fn what_nothing_authenticates_goes_nowhere_bare() {
    let crypto = crypto();
    let (tam, nobody) = (Tam::new(), TrustAnchors::new(&crypto, []));
    let keys = tam.keys();
    // A bare report is for something that authenticates it.
    let [plain, ..] = payloads(&tam, ContentAlgorithm::A128Gcm);
    let opened = OpenedReport::open(plain.bare().unwrap(), &crypto, &nobody, &keys).unwrap();
    assert_eq!((opened.authority, opened.confidential), (None, false));
    // So is one under an authenticated cipher.
    for payload in &payloads(&tam, ContentAlgorithm::A128Gcm)[1..] {
        let bare = payload.bare().unwrap();
        for message in [bare.to_vec(), untagged(bare)] {
            let opened = OpenedReport::open(&message, &crypto, &nobody, &keys).unwrap();
            assert_eq!((opened.authority, opened.confidential), (None, true));
        }
    }
    // A cipher that notices no change is neither made nor taken without something around it.
    let device = author(3);
    for payload in &payloads(&tam, ContentAlgorithm::A128Ctr)[1..] {
        assert_eq!(payload.bare(), Err(Error::Unauthenticated));
        let signed = payload.sign(&crypto, &*device.signer).unwrap();
        let inner = tamarack_cose::Sign1::decode(&signed).unwrap();
        let bare = inner.unverified_payload().unwrap();
        let opened = OpenedReport::open(bare, &crypto, &nobody, &keys);
        assert_eq!(opened, Err(Error::Unauthenticated));
    }
}

// req: SUIT-REP-019
#[test]
fn a_changed_report_is_refused_at_every_bit() {
    let crypto = crypto();
    let (tam, device) = (Tam::new(), author(3));
    let keys = tam.keys();
    let trusted = [device.key];
    for payload in payloads(&tam, ContentAlgorithm::A128Gcm) {
        let message = payload.sign(&crypto, &*device.signer).unwrap();
        for bit in 0..message.len() * 8 {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(opened) = OpenedReport::open(&flipped, &crypto, &trusted, &keys) {
                // Only what the signature does not cover, the hint by which key it is, may change.
                assert_eq!(opened.report, report(), "bit {bit}");
                assert_eq!(opened.authority, Some(Authority::Key(device.key)));
            }
        }
        for end in 0..message.len() {
            assert!(OpenedReport::open(&message[..end], &crypto, &trusted, &keys).is_err());
        }
    }
}

// req: SUIT-REP-019, SUIT-REP-021
#[test]
fn only_its_reader_opens_it_and_only_its_maker_is_believed() {
    let crypto = crypto();
    let (tam, device, stranger) = (Tam::new(), author(3), author(5));
    let [_, encrypted, _] = payloads(&tam, ContentAlgorithm::A128Gcm);
    let message = encrypted.sign(&crypto, &*device.signer).unwrap();
    let open = |trusted: &[tamarack_cose::PublicKey], keys: &[RecipientKey]| {
        OpenedReport::open(&message, &crypto, trusted, keys).map(drop)
    };
    assert_eq!(open(&[device.key], &tam.keys()), Ok(()));
    assert!(matches!(
        open(&[stranger.key], &tam.keys()),
        Err(Error::Unauthorized(_))
    ));
    assert!(matches!(
        open(&[], &tam.keys()),
        Err(Error::Unauthorized(_))
    ));
    assert!(matches!(
        open(&[device.key], &[]),
        Err(Error::Unauthorized(_))
    ));
    // The wrong purpose derives another key: a payload is no report.
    let recipients = [Recipient::agreement(tam.agreement.public_key())];
    let payload = tamarack_cose::encrypt::Encryption::new(
        ContentAlgorithm::A128Gcm,
        b"SUIT Payload Encryption",
    )
    .attached(&crypto, &recipients, &report().encode())
    .unwrap();
    let opened = OpenedReport::open(&payload, &crypto, &[device.key], &tam.keys());
    assert!(matches!(opened, Err(Error::Unauthorized(_))));
    // A MAC by another key.
    let maced = encrypted.mac(&crypto, &mac_key(2), None);
    let anchors = TrustAnchors::new(&crypto, [TrustAnchor::new(mac_key(1))]);
    assert!(OpenedReport::open(&maced, &crypto, &anchors, &tam.keys()).is_err());
}

#[test]
fn what_is_no_report_is_refused() {
    let crypto = crypto();
    for junk in [
        &[][..],
        &[0x80],
        &[0xa0],
        &[0xd8, 0x6b, 0xa0],
        &[0x84, 0, 0, 0, 0],
        b"junk",
    ] {
        let opened = OpenedReport::open(junk, &crypto, &[author(3).key], &Tam::new().keys());
        assert!(opened.is_err(), "{junk:02x?}");
    }
}
