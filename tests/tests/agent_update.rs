//! Updates as messages: in which exchange they count, how often, and how they are answered.

use tamarack_cose::{Sign1, cbor::Writer};
use tamarack_teep::{ErrorCode, Explanation, Message, Update};
use tamarack_tests::{Device, Person, Tam, error_of, id, release, reports, success_of, wasm};

fn world() -> (Device, Tam, Person) {
    let (tam, admin) = (Tam::new(), Person::new());
    (Device::new(&[&tam], &[&admin]), tam, admin)
}

/// Plays a message whose Update must be refused as a whole, with nothing changed.
#[track_caller]
fn refused(device: &mut Device, message: &[u8]) -> String {
    let before = device.stored(&[]);
    let error = error_of(device.answer(message));
    assert_eq!(error.code, ErrorCode::PERMANENT_ERROR);
    assert!(device.stored(&[]) == before, "something was stored");
    error.explanation.unwrap().text
}

// req: TEEP-AGENT-020
#[test]
fn an_update_counts_in_an_exchange_only() {
    let (mut device, tam, admin) = world();
    let hello = release::app("hello", 1, wasm::HELLO_1, &admin);
    let update = tam.sign(Tam::install(&[&hello]));
    let reason = refused(&mut device, &update);
    assert!(reason.contains("no exchange"), "{reason}");
    // A QueryRequest that was refused opens none.
    let mut request = Tam::query();
    request.versions = vec![9];
    error_of(device.answer(&tam.sign(request)));
    refused(&mut device, &update);
    // Nor does a QueryRequest to the agent before the power was off.
    device.query(&tam, Tam::query());
    let mut device = device.restarted();
    refused(&mut device, &update);
    device.query(&tam, Tam::query());
    success_of(device.answer(&update));
    assert_eq!(device.version("hello"), Some(1));
}

#[test]
fn an_exchange_belongs_to_one_tam() {
    let (one, two, admin) = (Tam::new(), Tam::new(), Person::new());
    let mut device = Device::new(&[&one, &two], &[&admin]);
    let hello = release::app("hello", 1, wasm::HELLO_1, &admin);
    device.query(&one, Tam::query());
    refused(&mut device, &two.sign(Tam::install(&[&hello])));
    success_of(device.answer(&one.sign(Tam::install(&[&hello]))));
}

#[test]
fn an_exchange_does_not_go_on_for_ever() {
    let (mut device, tam, _) = world();
    device.query(&tam, Tam::query());
    let taken = (0..100).take_while(|_| {
        let answer = device.answer(&tam.sign(Tam::install(&[])));
        matches!(answer, Message::Success(_))
    });
    assert!((1..100).contains(&taken.count()));
    device.query(&tam, Tam::query());
    success_of(device.answer(&tam.sign(Tam::install(&[]))));
}

// req: TEEP-AGENT-020
// req: ARCH-042
#[test]
fn a_replay_is_harmless_while_it_changes_nothing_and_refused_afterwards() {
    let (mut device, tam, admin) = world();
    let one = release::app("hello", 1, wasm::HELLO_1, &admin);
    let install = tam.sign(Tam::install(&[&one]));
    device.query(&tam, Tam::query());
    success_of(device.answer(&install));
    device.query(&tam, Tam::query());
    success_of(device.answer(&install));
    assert_eq!(device.version("hello"), Some(1));

    // Superseded by a newer one.
    device.install(&tam, &[&release::app("hello", 2, wasm::HELLO_2, &admin)]);
    device.query(&tam, Tam::query());
    refused(&mut device, &install);

    // Superseded by a removal, before and after the power was off.
    let three = release::app("hello", 3, wasm::HELLO_1, &admin);
    let install = tam.sign(Tam::install(&[&three]));
    device.query(&tam, Tam::query());
    success_of(device.answer(&install));
    device.unlink(&tam, &["hello/suit"]);
    device.query(&tam, Tam::query());
    refused(&mut device, &install);
    let mut device = device.restarted();
    device.query(&tam, Tam::query());
    refused(&mut device, &install);
    assert_eq!(device.version("hello"), None);
}

// req: TEEP-AGENT-020
#[test]
fn a_replayed_removal_does_not_remove_what_came_back() {
    let (mut device, tam, admin) = world();
    let one = release::app("hello", 1, wasm::HELLO_1, &admin);
    device.install(&tam, &[&one]);
    let removal = tam.sign(Tam::unlink(&["hello/suit"]));
    device.query(&tam, Tam::query());
    success_of(device.answer(&removal));
    device.install(&tam, &[&one]);
    device.query(&tam, Tam::query());
    refused(&mut device, &removal);
    assert_eq!(device.version("hello"), Some(1));
}

// req: TEEP-AGENT-020
#[test]
fn a_replay_is_known_whatever_is_changed_around_what_was_signed() {
    let (mut device, tam, admin) = world();
    let one = release::app("hello", 1, wasm::HELLO_1, &admin);
    let install = tam.sign(Tam::install(&[&one]));
    device.query(&tam, Tam::query());
    success_of(device.answer(&install));
    device.unlink(&tam, &["hello/suit"]);
    let signed = Sign1::decode(&install).unwrap();
    let payload = signed.unverified_payload().unwrap();
    let signature = &install[install.len() - 64..];
    // Without tag, without key id, with another header: the signature holds all the same.
    let headers = [
        (false, &b"\xa0"[..]),
        (true, b"\xa0"),
        (true, b"\xa1\x19\x12\x67\xf6"),
    ];
    for (tagged, unprotected) in headers {
        let variant = Writer::build(|w| {
            if tagged {
                w.tag(18);
            }
            let protected = [0xa1, 0x01, 0x28];
            w.array(4).bytes(&protected).raw(unprotected);
            w.bytes(payload).bytes(signature);
        });
        device.query(&tam, Tam::query());
        let reason = refused(&mut device, &variant);
        assert!(reason.contains("processed before"), "{reason}");
    }
}

// req: TEEP-MSG-060
// req: TEEP-MSG-080
// req: TEEP-AGENT-023
#[test]
fn an_update_without_manifests_is_taken_note_of() {
    let (mut device, tam, _) = world();
    let empty = Update::default();
    let verdict = Update {
        token: Some(Tam::token()),
        error: Some(ErrorCode::ATTESTATION_REQUIRED),
        explanation: Some(Explanation::english("the Evidence is old")),
        ..Update::default()
    };
    let unknown = Update {
        error: Some(ErrorCode(4711)),
        ..verdict.clone()
    };
    for update in [empty, verdict, unknown] {
        let token = update.token.clone();
        let success = success_of(device.exchange(&tam, update));
        assert_eq!(success.token, token);
        assert!(success.suit_reports.is_empty());
    }
}

// req: TEEP-MSG-080
// req: TEEP-MSG-083
#[test]
fn answers_repeat_the_token_and_so_do_their_reports() {
    let (mut device, tam, admin) = world();
    let good = release::app("hello", 2, wasm::HELLO_1, &admin);
    let old = release::app("hello", 1, wasm::HELLO_1, &admin);
    for with_token in [true, false] {
        for envelope in [&good, &old] {
            let mut update = Tam::install(&[envelope]);
            if !with_token {
                update.token = None;
            }
            let token = update.token.clone();
            let (echo, suit_reports) = match device.exchange(&tam, update) {
                Message::Success(success) => (success.token, success.suit_reports),
                Message::Error(error) => (error.token, error.suit_reports),
                other => panic!("{other:?}"),
            };
            assert_eq!(echo, token);
            let nonce = reports(&suit_reports)[0].nonce.clone();
            assert_eq!(
                nonce.as_deref(),
                token.as_ref().map(tamarack_teep::Token::as_bytes)
            );
        }
    }
}

// req: TEEP-OPS-006
#[test]
fn the_number_of_manifests_in_an_update_is_bounded() {
    let (mut device, tam, admin) = world();
    let envelopes: Vec<_> = (0..257)
        .map(|number| release::app(&format!("data-{number}"), 1, b"x", &admin))
        .collect();
    let envelopes: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
    device.query(&tam, Tam::query());
    refused(&mut device, &tam.sign(Tam::install(&envelopes)));
    assert!(device.installed().is_empty());
    let many = Update {
        token: Some(Tam::token()),
        unneeded_manifest_list: (0..257).map(|n| id(&format!("data-{n}/suit"))).collect(),
        ..Update::default()
    };
    refused(&mut device, &tam.sign(many));
    device.install(&tam, &envelopes[..32]);
    assert_eq!(device.installed().len(), 32);
}

// req: TEEP-AGENT-018
// req: TEEP-ERR-010
#[test]
fn each_manifest_of_an_update_succeeds_or_fails_by_itself_and_is_reported() {
    let (mut device, tam, admin) = world();
    let first = release::app("first", 1, wasm::HELLO_1, &admin);
    let stranger = release::app("second", 1, wasm::HELLO_1, &Person::new());
    let third = release::app("third", 1, wasm::HELLO_2, &admin);
    let update = Tam::install(&[&first, &stranger, b"no envelope", &third]);
    let error = error_of(device.exchange(&tam, update));
    assert_eq!(error.code, ErrorCode::MANIFEST_PROCESSING_FAILED);
    let results: Vec<bool> = reports(&error.suit_reports)
        .iter()
        .map(|report| report.result.is_success())
        .collect();
    assert_eq!(results, [true, false, false, true]);
    let reason = error.explanation.unwrap().text;
    assert!(reason.starts_with("second/suit: "), "{reason}");
    let installed: Vec<_> = device
        .installed()
        .into_iter()
        .map(|c| c.component)
        .collect();
    assert_eq!(installed, [id("first"), id("third")]);
}
