//! Who is believed: a trusted TAM's signature, and nothing else.

use std::ops::Range;

use tamarack_cose::{KeyId, SignatureAlgorithm, cbor::Writer, sign, sign1};
use tamarack_teep::{
    CipherSuite, Encoding, ErrorCode, Message, Protected, QueryRequest, Update, protect,
    protect_for_unknown_agent,
};
use tamarack_tests::{Device, Person, Tam, crypto, error_of, release, wasm};

fn encoded(message: impl Into<Message>) -> Vec<u8> {
    message.into().encode(Encoding::default())
}

/// The answer is Error 1 and tells a stranger nothing about the device; nothing is stored.
#[track_caller]
fn refused(device: &mut Device, message: &[u8]) {
    let before = device.stored(&[]);
    let answer = device.process(message).expect("an Error");
    let error = error_of(device.open(&answer));
    assert_eq!(error.code, ErrorCode::PERMANENT_ERROR);
    assert_eq!(error.suit_reports, Vec::<Vec<u8>>::new());
    let ueid = device.endorsement().ueid;
    assert!(!answer.windows(ueid.len()).any(|window| window == ueid));
    assert!(device.stored(&[]) == before, "something was stored");
}

// req: TEEP-VAL-004
// req: TEEP-VAL-008
// req: TEEP-PRIV-001
// req: ARCH-021
#[test]
fn a_stranger_learns_nothing_and_changes_nothing() {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let hello = release::app("hello", 1, wasm::HELLO_1, &admin);
    device.install(&tam, &[&hello]);
    let stranger = Tam::new();
    refused(&mut device, &stranger.sign(Tam::query()));
    refused(
        &mut device,
        &stranger.sign(Tam::plain_query_with(Tam::token())),
    );
    refused(&mut device, &stranger.sign(Tam::unlink(&["hello/suit"])));
    assert_eq!(device.version("hello"), Some(1));
}

// req: TEEP-VAL-004
// req: ARCH-040
#[test]
fn a_stranger_can_not_use_the_exchange_of_a_tam() {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let hello = release::app("hello", 1, wasm::HELLO_1, &admin);
    let update = Tam::install(&[&hello]);
    device.query(&tam, Tam::query());
    for _ in 0..40 {
        refused(&mut device, &Tam::new().sign(update.clone()));
    }
    assert_eq!(device.version("hello"), None);
    let answer = device.answer(&tam.sign(update));
    assert!(matches!(answer, Message::Success(_)), "{answer:?}");
}

// req: ARCH-020
#[test]
fn an_anchor_of_one_kind_is_none_of_another() {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let message = protect(
        &crypto(),
        admin.signer(),
        &Tam::query().into(),
        Encoding::default(),
    );
    refused(&mut device, &message.unwrap());
    // The TAM signs a manifest.
    let hello = release::app("hello", 1, wasm::HELLO_1, &tam.key);
    device.refused(&tam, Tam::install(&[&hello]));
    assert_eq!(device.version("hello"), None);
}

/// Where the key id stands in a message: a hint that is not under the signature.
fn key_id_in(message: &[u8], key: &Person) -> Range<usize> {
    let key_id = KeyId::of(&key.public(), &crypto());
    let mut windows = message.windows(32);
    let start = windows.position(|window| window == key_id.as_bytes());
    let start = start.expect("a key id");
    // The label and the head of the byte string are part of it.
    start - 3..start + 32
}

// req: TEEP-VAL-001
#[test]
fn a_flipped_bit_anywhere_changes_nothing() {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let hello = release::app("hello", 1, wasm::HELLO_1, &admin);
    let update = tam.sign(Tam::install(&[&hello]));
    device.query(&tam, Tam::query());
    let step = (update.len() / 90).max(1);
    let hint = key_id_in(&update, &tam.key);
    for position in (0..60).chain((60..update.len()).step_by(step)) {
        if hint.contains(&position) {
            continue;
        }
        let mut flipped = update.clone();
        flipped[position] ^= 1 << (position % 8);
        let Some(answer) = device.process(&flipped) else {
            continue;
        };
        let answer = device.open(&answer);
        assert!(matches!(answer, Message::Error(_)), "byte {position}");
        assert_eq!(device.installed(), [], "byte {position}");
    }
    assert!(matches!(device.answer(&update), Message::Success(_)));
}

// req: TEEP-COSE-011
#[test]
fn of_several_signatures_one_by_a_known_key_is_enough() {
    let (tam, other) = (Tam::new(), Tam::with(SignatureAlgorithm::Ed25519));
    let mut device = Device::new(&[&tam], &[]);
    let request = Message::from(Tam::query());
    let both = [other.key.signer(), tam.key.signer()];
    let message = protect_for_unknown_agent(&crypto(), &both, &request).unwrap();
    assert!(matches!(device.answer(&message), Message::QueryResponse(_)));

    let stranger = Tam::new();
    let both = [other.key.signer(), stranger.key.signer()];
    refused(
        &mut device,
        &sign(&crypto(), &both, &encoded(Tam::query())).unwrap(),
    );
}

// req: TEEP-COSE-011
#[test]
fn a_signature_that_claims_a_known_key_and_fails_spoils_the_message() {
    let (tam, other) = (Tam::new(), Tam::with(SignatureAlgorithm::Ed25519));
    let mut device = Device::new(&[&tam, &other], &[]);
    // The agent's own algorithm is the TAM's first; its signature is the last one here.
    let both = [other.key.signer(), tam.key.signer()];
    let good = sign(&crypto(), &both, &encoded(Tam::query())).unwrap();
    assert!(matches!(device.answer(&good), Message::QueryResponse(_)));
    let mut bad = good;
    *bad.last_mut().unwrap() ^= 1;
    refused(&mut device, &bad);
}

// req: TEEP-COSE-011
#[test]
fn signatures_under_unknown_algorithms_are_passed_over() {
    let tam = Tam::new();
    let mut device = Device::new(&[&tam], &[]);
    let known = [tam.key.signer()];
    let message = sign(&crypto(), &known, &encoded(Tam::query())).unwrap();
    // One signature more, under a number that nobody has registered.
    let protected = Writer::build(|w| {
        w.map(1).int(1).int(-4711);
    });
    let more = Writer::build(|w| {
        w.array(3).bytes(&protected).map(0).bytes(&[0; 64]);
    });
    let head = message
        .windows(2)
        .position(|pair| pair == [0x81, 0x83])
        .unwrap();
    let mut several = message;
    several[head] = 0x82;
    several.extend_from_slice(&more);
    assert!(matches!(device.answer(&several), Message::QueryResponse(_)));
}

// req: TEEP-VAL-003
#[test]
fn a_critical_header_that_is_not_understood_is_fatal() {
    let tam = Tam::new();
    let mut device = Device::new(&[&tam], &[]);
    let unknown = |critical: bool| {
        Writer::build(|w| {
            w.map(if critical { 3 } else { 2 }).int(1).int(-9);
            if critical {
                w.int(2).array(1).int(4711);
            }
            w.int(4711).uint(1);
        })
    };
    let harmless = device.answer(&tam.sign_under(&unknown(false), Tam::query()));
    assert!(
        matches!(harmless, Message::QueryResponse(_)),
        "{harmless:?}"
    );
    let before = device.stored(&[]);
    let answer = device.answer(&tam.sign_under(&unknown(true), Tam::query()));
    assert!(matches!(answer, Message::Error(_)), "{answer:?}");
    assert!(device.stored(&[]) == before);
}

#[test]
fn a_message_without_key_id_is_tried_with_every_trusted_key() {
    let (one, two) = (Tam::new(), Tam::new());
    let mut device = Device::new(&[&one, &two], &[]);
    let message = sign1(two.key.signer(), &encoded(Tam::query()), None).unwrap();
    assert!(matches!(device.answer(&message), Message::QueryResponse(_)));
    // A key id that is nobody's is no better than none; one of somebody else's is wrong.
    let nobody = KeyId::of(&Person::new().public(), &crypto());
    let message = sign1(two.key.signer(), &encoded(Tam::query()), Some(&nobody));
    let answer = device.answer(&message.unwrap());
    assert!(matches!(answer, Message::QueryResponse(_)));
    let wrong = KeyId::of(&one.key.public(), &crypto());
    let message = sign1(two.key.signer(), &encoded(Tam::query()), Some(&wrong));
    refused(&mut device, &message.unwrap());
}

// req: TEEP-AGENT-022
#[test]
fn a_device_that_trusts_nobody_serves_nobody() {
    let mut device = Device::new(&[], &[]);
    refused(&mut device, &Tam::new().sign(Tam::query()));
}

// req: AMB-15
#[test]
fn what_is_refused_for_its_signature_is_answered_with_its_token() {
    let (tam, stranger) = (Tam::new(), Tam::new());
    let other_suite = Tam::with(SignatureAlgorithm::Ed25519);
    let mut device = Device::new(&[&tam], &[]);
    let token = Tam::token();
    let query = || Tam::plain_query_with(token.clone());
    let update = Update {
        token: Some(token.clone()),
        ..Update::default()
    };
    for (message, code) in [
        (stranger.sign(query()), ErrorCode::PERMANENT_ERROR),
        (stranger.sign(update), ErrorCode::PERMANENT_ERROR),
        (
            other_suite.sign(query()),
            ErrorCode::UNSUPPORTED_CIPHER_SUITES,
        ),
    ] {
        let error = error_of(device.answer(&message));
        assert_eq!((error.code, error.token), (code, Some(token.clone())));
    }
}

#[test]
fn a_header_that_nobody_can_go_by_is_no_matter_of_the_suite() {
    let tam = Tam::new();
    let mut device = Device::new(&[&tam], &[]);
    // ESP256, with a critical parameter that nobody knows; and no algorithm at all.
    let critical = Writer::build(|w| {
        w.map(3).int(1).int(-9).int(2).array(1).int(99);
        w.int(99).int(0);
    });
    for protected in [&critical[..], &[0xa0]] {
        refused(&mut device, &tam.sign_under(protected, Tam::query()));
    }
}

// req: TEEP-COSE-012
#[test]
fn of_several_signatures_the_one_counts_in_whose_suite_the_tam_goes_on() {
    let (first, second) = (Tam::new(), Tam::with(SignatureAlgorithm::Ed25519));
    let algorithms = [SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519];
    let mut device = Device::with_algorithms(&algorithms, &[&first, &second]);
    for algorithm in algorithms {
        let request = QueryRequest {
            supported_teep_cipher_suites: vec![CipherSuite::sign1(algorithm)],
            ..Tam::query()
        };
        let both = [first.key.signer(), second.key.signer()];
        let message = sign(&crypto(), &both, &encoded(request)).unwrap();
        let answer = device.process(&message).unwrap();
        let protected = Protected::decode(&answer, &Default::default()).unwrap();
        assert_eq!(protected.algorithms().collect::<Vec<_>>(), [algorithm]);
        let (message, _) = protected.read_unverified().unwrap();
        assert!(matches!(message, Message::QueryResponse(_)), "{message:?}");
    }
}
