//! Bytes that are no message, and messages that no TAM should send: the answer is a TEEP Error or silence,
//! nothing is stored, and the agent goes on.

use tamarack_agent::link::MAX_MESSAGE;
use tamarack_cose::{KeyId, cbor::Writer, sign1};
use tamarack_teep::{Encoding, ErrorCode, Message, QueryResponse, Success, Token};
use tamarack_tests::{Device, Person, Tam, crypto, error_of, release, wasm};

/// A device with something installed, its TAM, and its administrator.
fn device() -> (Device, Tam, Person) {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let hello = release::app("hello", 1, wasm::HELLO_1, &admin);
    device.install(&tam, &[&hello]);
    (device, tam, admin)
}

/// Hands bytes to the agent, which must not do more than answer with Error 1.
#[track_caller]
fn refused(device: &mut Device, message: &[u8]) -> String {
    refused_with(device, message, None)
}

/// As [`refused`], and the answer has this token.
#[track_caller]
fn refused_with(device: &mut Device, message: &[u8], token: Option<&[u8]>) -> String {
    let before = device.stored(&[]);
    let error = error_of(device.answer(message));
    assert_eq!(error.code, ErrorCode::PERMANENT_ERROR);
    assert!(error.suit_reports.is_empty());
    assert_eq!(
        error.token.as_ref().map(tamarack_teep::Token::as_bytes),
        token
    );
    assert!(device.stored(&[]) == before, "something was stored");
    error.explanation.expect("a reason").text
}

/// As [`refused`], in the budget that an agent has for answering strangers.
#[track_caller]
fn refused_again(device: &mut Device, message: &[u8]) {
    device.agent = tamarack_agent::Agent::new(std::sync::Arc::clone(&device.tee));
    refused(device, message);
}

// req: TEEP-VAL-001
// req: TEEP-VAL-002
// req: TEEP-VAL-007
// req: TEEP-COSE-001
#[test]
fn what_is_no_cose_message_is_refused() {
    let (mut device, tam, _) = device();
    for garbage in [
        &b""[..],
        b"\xff",
        b"GET /tam HTTP/1.1\r\n\r\n",
        b"\xf6",
        b"\xa0",
        b"\x80",
        b"\xd0\x83\x40\xa0\x40",                 // a COSE_Encrypt0
        b"\xd2\x84\x43\xa1\x01\x28\xa0\xf6\x40", // a COSE_Sign1 without payload
    ] {
        refused(&mut device, garbage);
    }
    let unsigned = Message::from(Tam::query()).encode(Encoding::default());
    refused(&mut device, &unsigned);
    device.query(&tam, Tam::query());
    assert_eq!(device.greeting("hello"), "Hello from inside the TEE, Ada!");
}

#[test]
fn a_message_truncated_at_any_byte_is_refused() {
    let (mut device, tam, _) = device();
    let whole = tam.sign(Tam::query());
    for length in 0..whole.len() {
        if length % 100 == 0 {
            device.agent = tamarack_agent::Agent::new(std::sync::Arc::clone(&device.tee));
        }
        refused(&mut device, &whole[..length]);
    }
    assert!(matches!(device.answer(&whole), Message::QueryResponse(_)));
}

#[test]
fn an_update_truncated_anywhere_is_refused_and_whole_it_still_counts() {
    let (mut device, tam, admin) = device();
    let hello = release::app("hello", 2, wasm::HELLO_2, &admin);
    let whole = tam.sign(Tam::install(&[&hello]));
    device.query(&tam, Tam::query());
    let edges = (0..60).chain((60..whole.len() - 80).step_by(whole.len() / 20));
    for length in edges.chain([whole.len() - 80, whole.len() - 1]) {
        refused(&mut device, &whole[..length]);
    }
    assert!(matches!(device.answer(&whole), Message::Success(_)));
    assert_eq!(device.version("hello"), Some(2));
}

// req: TEEP-MSG-009
#[test]
fn bytes_after_the_message_and_duplicate_keys_are_refused() {
    let (mut device, tam, _) = device();
    let message = tam.sign(Tam::query());
    refused(&mut device, &[&message[..], &[0]].concat());
    refused(&mut device, &[&message[..], &message[..]].concat());
    let twice = Writer::build(|w| {
        w.array(2).uint(3).map(2);
        w.uint(20).bytes(&[1; 16]).uint(20).bytes(&[2; 16]);
    });
    refused(&mut device, &signed(&tam, &twice));
}

/// Bytes under the TAM's signature, whatever they are.
fn signed(tam: &Tam, payload: &[u8]) -> Vec<u8> {
    let key_id = KeyId::of(&tam.key.public(), &crypto());
    sign1(tam.key.signer(), payload, Some(&key_id)).unwrap()
}

// req: TEEP-OPS-006
#[test]
fn bombs_are_refused_outside_and_inside_the_signature() {
    let (mut device, tam, _) = device();
    let mut bombs = vec![vec![0x81; 10_000], vec![0x9f; 10_000], vec![0xc1; 10_000]];
    bombs.push([vec![0xbf; 1], vec![0xa1; 10_000]].concat());
    for head in [0x5b_u8, 0x7b, 0x9b, 0xbb] {
        bombs.push([&[head][..], &(1_u64 << 63).to_be_bytes(), &[0; 100]].concat());
        // The same for an element of what could be a message.
        let start = [0x82, 0x03, 0xa1, 0x0a, head];
        bombs.push([&start[..], &(1_u64 << 63).to_be_bytes()].concat());
    }
    for bomb in &bombs {
        refused(&mut device, bomb);
        refused(&mut device, &signed(&tam, bomb));
    }
    device.query(&tam, Tam::query());
}

// req: TEEP-OPS-006
#[test]
fn a_message_beyond_the_limit_is_refused() {
    let (mut device, tam, _) = device();
    // Authentic either way: an Update with an option that nobody knows.
    let with_padding = |size: usize| {
        let update = Writer::build(|w| {
            w.array(2).uint(3).map(1).uint(300).bytes(&vec![0; size]);
        });
        signed(&tam, &update)
    };
    let around = with_padding(0).len() + 16;
    device.query(&tam, Tam::query());
    refused(&mut device, &with_padding(MAX_MESSAGE));
    let most = with_padding(MAX_MESSAGE - around);
    assert!((MAX_MESSAGE - 16..=MAX_MESSAGE).contains(&most.len()));
    assert!(matches!(device.answer(&most), Message::Success(_)));
}

// req: TEEP-MSG-003
// req: TEEP-MSG-004
#[test]
fn messages_of_agents_are_refused_whoever_signs() {
    let (mut device, tam, _) = device();
    let response = QueryResponse::default();
    let error = tamarack_teep::Error::new(ErrorCode::TEMPORARY_ERROR);
    refused(&mut device, &tam.sign(response));
    refused(&mut device, &tam.sign(Success::default()));
    refused(&mut device, &tam.sign(error));
    for number in [0, 4, 7, 23, 24] {
        let message = Writer::build(|w| {
            w.array(2).uint(number).map(0);
        });
        refused_again(&mut device, &signed(&tam, &message));
    }
}

// req: TEEP-MSG-006
// req: TEEP-VAL-005
#[test]
fn fields_out_of_bounds_are_refused_after_the_signature_was_checked() {
    let (mut device, tam, _) = device();
    // A good token settles which of the two numberings is meant.
    let update = |label: u64, value: &[u8]| {
        Writer::build(|w| {
            w.array(2).uint(3);
            match label {
                20 => w.map(1),
                _ => w.map(2).uint(20).bytes(&[7; 16]),
            };
            w.uint(label).raw(value);
        })
    };
    let bytes = |size: usize| {
        Writer::build(|w| {
            w.bytes(&vec![1; size]);
        })
    };
    let text = |size: usize| {
        Writer::build(|w| {
            w.text(&"a".repeat(size));
        })
    };
    for (label, value) in [
        (20, bytes(7)),
        (20, bytes(65)),
        (20, text(16)),
        (10, vec![0x80]),
        (10, vec![0x81, 0x01]),
        (15, vec![0x80]),
        (15, vec![0x81, 0x41, 0x01]),
        (12, text(0)),
        (12, text(129)),
        (22, text(36)),
        (23, vec![0x00]),
    ] {
        device.query(&tam, Tam::query());
        let message = signed(&tam, &update(label, &value));
        // req: TEEP-MSG-080
        let token = (label != 20).then_some(&[7; 16][..]);
        let reason = refused_with(&mut device, &message, token);
        assert!(reason.contains("at byte"), "{reason}");
    }
}

// req: TEEP-MSG-010
// req: TEEP-EXT-001
// req: TEEP-EXT-002
#[test]
fn loose_encoding_and_unknown_options_are_accepted() {
    let (mut device, tam, _) = device();
    device.query(&tam, Tam::query());
    // An Update in an indefinite array, with a token of two chunks, a long head and an unknown option.
    let mut update = vec![0x9f, 0x18, 0x03, 0xbf, 0x19, 0x00, 0x14, 0x5f];
    update.extend([&[0x44][..], b"toke", &[0x44], b"n 01", &[0xff]].concat());
    update.extend([
        0x19, 0x01, 0x2c, 0x82, 0xf6, 0xa1, 0x61, b'x', 0x20, 0xff, 0xff,
    ]);
    let answer = device.answer(&signed(&tam, &update));
    let Message::Success(success) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(success.token, Token::new(b"token 01".to_vec()));
}

// req: TEEP-VAL-008
// req: TEEP-OPS-005
#[test]
fn strangers_are_answered_for_a_while_and_tams_always() {
    let (mut device, tam, _) = device();
    let answered = (0..400)
        .filter(|_| device.process(b"hello?").is_some())
        .count();
    // A minute may end meanwhile.
    assert!((1..=240).contains(&answered), "{answered}");
    device.query(&tam, Tam::query());
}
