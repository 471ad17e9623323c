//! Installing and updating: what a manifest must hold true, and what stays when it does not.

use tamarack_cose::KeyId;
use tamarack_suit::report::Reason;
use tamarack_teep::{ErrorCode, Update};
use tamarack_tests::{
    Device, Person, Tam, crypto, error_of, invoke_in, open_session, release,
    release::Release,
    reports, success_of,
    wasm::{self, HELLO_1, HELLO_2, VAULT},
};

const URI: &str = "https://payloads.example/hello.wasm";

/// A device on which hello 1 runs, its TAM and its administrator.
fn world() -> (Device, Tam, Person) {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    device.install(&tam, &[&release::app("hello", 1, HELLO_1, &admin)]);
    (device, tam, admin)
}

/// Sends an Update of which the manifest must fail, and hello 1 be left as it was.
#[track_caller]
fn fails(device: &mut Device, tam: &Tam, update: Update) -> (Reason, String) {
    let before = device.stored(&[]);
    let token = update.token.clone().unwrap();
    let error = device.refused(tam, update);
    assert_eq!(error.token, Some(token.clone()));
    let [report] = &reports(&error.suit_reports)[..] else {
        panic!("one report")
    };
    assert_eq!(report.nonce.as_deref(), Some(token.as_bytes()));
    let tamarack_suit::report::ReportResult::Failure { reason, .. } = &report.result else {
        panic!("{:?}", report.result)
    };
    assert_eq!(device.greeting("hello"), "Hello from inside the TEE, Ada!");
    assert_eq!(device.version("hello"), Some(1));
    // All that is stored in addition is that this Update was seen.
    let changed: Vec<_> = before
        .iter()
        .filter(|entry| !device.stored(&[]).contains(entry))
        .map(|(name, _)| name[0])
        .collect();
    assert!(changed.iter().all(|kind| *kind == b'u'), "{changed:?}");
    (*reason, error.explanation.unwrap().text)
}

// req: TEEP-MSG-067
// req: TEEP-AGENT-017
// req: TEEP-AGENT-018
#[test]
fn a_payload_comes_in_the_envelope_or_from_a_uri() {
    let (mut device, tam, admin) = world();
    device.install(&tam, &[&release::app("hello", 2, HELLO_2, &admin)]);
    assert_eq!(device.payloads.asked, Vec::<String>::new());
    assert!(device.greeting("hello").starts_with("Welcome, Ada!"));

    device.payloads.offer(URI, HELLO_1);
    let three = Release::new("hello", 3).fetching(URI, HELLO_1).by(&admin);
    let update = Tam::install(&[&three]);
    let success = success_of(device.exchange(&tam, update));
    assert_eq!(device.payloads.asked, [URI]);
    assert_eq!(device.version("hello"), Some(3));
    assert_eq!(device.greeting("hello"), "Hello from inside the TEE, Ada!");
    assert!(reports(&success.suit_reports)[0].result.is_success());
}

// req: TEEP-MSG-083
// req: TEEP-ERR-010
#[test]
fn another_payload_than_the_manifest_promises_is_refused() {
    let (mut device, tam, admin) = world();
    let two = Release::new("hello", 2).fetching(URI, HELLO_2).by(&admin);
    let mut tampered = HELLO_2.to_vec();
    tampered[4000] ^= 1;
    for payload in [&tampered[..], &HELLO_2[..4000], b"", HELLO_1] {
        device.payloads.offer(URI, payload);
        let (reason, _) = fails(&mut device, &tam, Tam::install(&[&two]));
        let expected = [Reason::ConditionFailed, Reason::OperationFailed];
        assert!(expected.contains(&reason), "{reason:?}");
    }
    device.payloads.offer(URI, HELLO_2);
    device.install(&tam, &[&two]);
}

#[test]
fn a_payload_longer_than_its_size_is_cut_off_whoever_sends_on() {
    let (mut device, tam, admin) = world();
    let two = Release::new("hello", 2).fetching(URI, HELLO_2).by(&admin);
    device
        .payloads
        .offer(URI, [HELLO_2, &vec![0; 1 << 20]].concat());
    for stubborn in [false, true] {
        device.payloads.stubborn = stubborn;
        let (reason, _) = fails(&mut device, &tam, Tam::install(&[&two]));
        assert_eq!(reason, Reason::OperationFailed);
    }
    // The size is signed too, and can be wrong.
    let short = Release::new("hello", 2)
        .fetching_sized(URI, HELLO_2, HELLO_2.len() as u64 - 1)
        .by(&admin);
    device.payloads.offer(URI, HELLO_2);
    fails(&mut device, &tam, Tam::install(&[&short]));
}

#[test]
fn a_payload_that_can_not_be_had_leaves_everything_as_it_was() {
    let (mut device, tam, admin) = world();
    let two = Release::new("hello", 2).fetching(URI, HELLO_2).by(&admin);
    let (reason, text) = fails(&mut device, &tam, Tam::install(&[&two]));
    assert_eq!(reason, Reason::OperationFailed);
    assert!(text.contains("nobody has it"), "{text}");
    device.payloads.offer(URI, HELLO_2);
    device.payloads.breaks_after = Some(5000);
    fails(&mut device, &tam, Tam::install(&[&two]));
    device.payloads.breaks_after = None;
    device.install(&tam, &[&two]);
}

#[test]
fn a_fragment_that_is_not_in_the_envelope_is_not_sought_outside() {
    let (mut device, tam, admin) = world();
    device.payloads.offer("#elsewhere", HELLO_2);
    let two = Release::new("hello", 2)
        .fetching("#elsewhere", HELLO_2)
        .by(&admin);
    fails(&mut device, &tam, Tam::install(&[&two]));
    assert_eq!(device.payloads.asked, Vec::<String>::new());
}

// req: TEEP-AGENT-020
// req: SUIT-MAN-003
#[test]
fn a_downgrade_is_refused_and_so_is_another_manifest_of_the_same_number() {
    let (mut device, tam, admin) = world();
    let (zero, two) = (
        release::app("hello", 0, HELLO_1, &admin),
        release::app("hello", 1, HELLO_2, &admin),
    );
    for envelope in [zero, two] {
        let (_, text) = fails(&mut device, &tam, Tam::install(&[&envelope]));
        assert!(text.contains("not newer than 1"), "{text}");
    }
}

// req: TEEP-MSG-065
// req: TEEP-AGENT-019
// req: ARCH-022
#[test]
fn the_tams_signature_does_not_stand_in_for_the_signers() {
    let (mut device, tam, _) = world();
    let by_stranger = release::app("hello", 2, HELLO_2, &Person::new());
    let (reason, _) = fails(&mut device, &tam, Tam::install(&[&by_stranger]));
    assert_eq!(reason, Reason::Unauthorized);
    let by_tam = release::app("hello", 2, HELLO_2, &tam.key);
    fails(&mut device, &tam, Tam::install(&[&by_tam]));
}

#[test]
fn a_manifest_altered_after_it_was_signed_is_refused() {
    let (mut device, tam, admin) = world();
    let two = release::app("hello", 2, HELLO_2, &admin);
    let step = two.len() / 60;
    let key_id = KeyId::of(&admin.public(), &crypto());
    let mut windows = two.windows(32);
    let hint = windows.position(|window| window == key_id.as_bytes());
    let hint = hint.expect("a key id") - 3..hint.unwrap() + 32;
    // The key id is a hint that no signature covers.
    let key_id = admin.public().key_id(&crypto());
    let at = two
        .windows(32)
        .position(|bytes| bytes == key_id.as_bytes())
        .unwrap();
    let positions = (0..200).step_by(5).chain((200..two.len()).step_by(step));
    for position in positions.filter(|position| !(at - 3..at + 32).contains(position)) {
        // The key id is a hint that is not under the signature.
        if hint.contains(&position) {
            continue;
        }
        let mut altered = two.clone();
        altered[position] ^= 0x10;
        let error = error_of(device.exchange(&tam, Tam::install(&[&altered])));
        assert_eq!(
            error.code,
            ErrorCode::MANIFEST_PROCESSING_FAILED,
            "byte {position}"
        );
        assert_eq!(device.version("hello"), Some(1), "byte {position}");
    }
    device.install(&tam, &[&two]);
}

// req: ARCH-041
#[test]
fn a_manifest_for_other_devices_is_refused() {
    let (mut device, tam, admin) = world();
    let foreign = Release::new("hello", 2)
        .for_vendor("elsewhere.example")
        .carrying(HELLO_2)
        .by(&admin);
    let (reason, _) = fails(&mut device, &tam, Tam::install(&[&foreign]));
    assert_eq!(reason, Reason::ConditionFailed);
}

#[test]
fn code_that_can_not_run_here_is_refused_when_it_is_installed() {
    let (mut device, tam, admin) = world();
    let module = |text: &str| wat::parse_str(text).unwrap();
    let entries = r#"
        (memory (export "memory") 1)
        (func (export "tee_abi_v1"))
        (func (export "tee_create") (result i32) i32.const 0)
        (func (export "tee_open_session") (param i32) (result i32) i32.const 0)
        (func (export "tee_invoke_command") (param i32 i32) (result i32) i32.const 0)
        (func (export "tee_close_session"))
        (func (export "tee_destroy"))"#;
    let with = |more: &str| module(&format!("(module {more} {entries})"));
    let forbidden = [
        (
            with(r#"(import "wasi_snapshot_preview1" "fd_write" (func))"#),
            "fd_write",
        ),
        (
            with(r#"(import "tee" "open_every_door" (func))"#),
            "tee.open_every_door",
        ),
        (
            with(r#"(import "tee" "random" (func (param i64)))"#),
            "tee.random",
        ),
        (module(r#"(module (memory (export "memory") 1))"#), "ABI"),
        (
            module(&format!("(module {})", entries.replace(") 1)", ") 4096)"))),
            "memory",
        ),
        (
            b"\0asm\x01\0\0\0garbage".to_vec(),
            "not a valid WebAssembly module",
        ),
        (
            HELLO_2[..HELLO_2.len() - 100].to_vec(),
            "not a valid WebAssembly module",
        ),
    ];
    for (code, word) in &forbidden {
        let two = release::app("hello", 2, code, &admin);
        let (reason, text) = fails(&mut device, &tam, Tam::install(&[&two]));
        assert_eq!(reason, Reason::OperationFailed);
        assert!(text.contains(word), "{text}");
    }
    device.install(&tam, &[&release::app("hello", 2, &with(""), &admin)]);
}

#[test]
fn a_session_ends_when_its_application_is_replaced() {
    let (mut device, tam, admin) = world();
    device.install(&tam, &[&release::app("vault", 1, VAULT, &admin)]);
    let hello = open_session(&device.tee, "hello").unwrap();
    let vault = open_session(&device.tee, "vault").unwrap();
    // A failed update is none.
    let bad = release::app("hello", 2, b"\0asm", &admin);
    fails(&mut device, &tam, Tam::install(&[&bad]));
    let tee = std::sync::Arc::clone(&device.tee);
    let greeted = invoke_in(&tee, hello, wasm::GREET, b"Ada");
    assert!(matches!(greeted, Ok(Ok(_))), "{greeted:?}");
    device.install(&tam, &[&release::app("hello", 2, HELLO_2, &admin)]);
    let ended = invoke_in(&tee, hello, wasm::GREET, b"Ada");
    assert_eq!(ended, Err(tamarack_tee::InvocationError::NoSession));
    assert!(invoke_in(&tee, vault, wasm::COUNT, b"").unwrap().is_ok());
    device.unlink(&tam, &["vault/suit"]);
    let ended = invoke_in(&tee, vault, wasm::COUNT, b"");
    assert_eq!(ended, Err(tamarack_tee::InvocationError::NoSession));
}
