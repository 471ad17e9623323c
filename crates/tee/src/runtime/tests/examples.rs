//! The prebuilt examples, in the real runtime.

use tamarack_cose::{PublicKey, rustcrypto};
use tamarack_ta::ResultCode;

use super::*;

const HELLO_1: &[u8] = include_bytes!("../../../../../examples/prebuilt/hello-1.wasm");
const HELLO_2: &[u8] = include_bytes!("../../../../../examples/prebuilt/hello-2.wasm");
const VAULT_1: &[u8] = include_bytes!("../../../../../examples/prebuilt/vault-1.wasm");

fn open(wasm: &[u8], home: &Home) -> Session {
    let module = TaRuntime::new().unwrap().load(wasm, &Quota::default());
    home.open(&module.unwrap()).unwrap()
}

fn invoke(session: &mut Session, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
    let output = session.invoke(command, Input::Whole(input), &mut plenty());
    output.map(|output| output.to_vec())
}

#[test]
fn hello_1_greets() {
    let mut session = open(HELLO_1, &Home::new());
    assert_eq!(
        invoke(&mut session, 1, b"Ada").unwrap(),
        b"Hello from inside the TEE, Ada!"
    );
    assert_eq!(invoke(&mut session, 2, b"").unwrap(), b"1");
    assert_eq!(
        invoke(&mut session, 1, &[0xFF]),
        Err(ResultCode::BAD_FORMAT)
    );
    assert_eq!(invoke(&mut session, 9, b""), Err(ResultCode::NOT_SUPPORTED));
    session.close(&mut plenty());
}

#[test]
fn hello_2_reads_its_personalization_data() {
    let mut session = open(HELLO_2, &Home::new());
    let text = b"Welcome, Ada! This is hello 2, still inside the TEE.";
    assert_eq!(invoke(&mut session, 1, b"Ada").unwrap(), text);

    let home = Home::new();
    home.personalize("greeting", b"Salut");
    let mut session = open(HELLO_2, &home);
    let text = b"Salut, Ada! This is hello 2, still inside the TEE.";
    assert_eq!(invoke(&mut session, 1, b"Ada").unwrap(), text);
}

#[test]
fn vault_signs_and_counts_across_sessions() {
    let home = Home::new();
    let mut session = open(VAULT_1, &home);
    let public_key = invoke(&mut session, 2, b"").unwrap();
    let signature = invoke(&mut session, 1, b"a message").unwrap();
    let key = PublicKey::from_cose_key(&public_key).unwrap();
    let crypto = rustcrypto::provider();
    crypto
        .signatures
        .verify(&key, b"a message", &signature)
        .unwrap();
    assert!(
        crypto
            .signatures
            .verify(&key, b"another", &signature)
            .is_err()
    );
    session.close(&mut plenty());

    let mut session = open(VAULT_1, &home);
    assert_eq!(invoke(&mut session, 2, b"").unwrap(), public_key);
    invoke(&mut session, 1, b"another").unwrap();
    assert_eq!(invoke(&mut session, 3, b"").unwrap(), 2u64.to_be_bytes());

    let mut services = home.services();
    services.key_delete("vault").unwrap();
    services.commit().unwrap();
    let refused = invoke(&mut session, 1, b"a third");
    assert_eq!(refused, Err(ResultCode::ITEM_NOT_FOUND));
    let count = invoke(&mut session, 3, b"").unwrap();
    assert_eq!(count, 2u64.to_be_bytes(), "a failure is not counted");
}

#[test]
fn a_panic_ends_the_session_and_says_where() {
    // The TA makes room for what the TEE announces. 40 MiB are more than it may have.
    let home = Home::new();
    home.personalize("greeting", &vec![b'a'; 40 << 20]);
    let mut session = open(HELLO_2, &home);
    let log = logged(|| {
        let dead = invoke(&mut session, 1, b"Ada");
        assert_eq!(dead, Err(ResultCode::TARGET_DEAD));
    });
    let [line] = log.lines().collect::<Vec<_>>()[..] else {
        panic!("one line, not {log}");
    };
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains("acme/ta panicked at "), "{line}");
    assert!(line.contains(".rs:"), "{line}");
    assert!(line.contains("out of memory"), "{line}");
}
