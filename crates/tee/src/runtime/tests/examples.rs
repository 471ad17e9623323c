//! The prebuilt examples, in the real runtime.

use std::sync::{Arc, Mutex};

use tamarack_cose::{PublicKey, rustcrypto};
use tamarack_ta::ResultCode;

use super::{
    memory::{Memory, Stored},
    *,
};

const HELLO_1: &[u8] = include_bytes!("../../../../../examples/prebuilt/hello-1.wasm");
const HELLO_2: &[u8] = include_bytes!("../../../../../examples/prebuilt/hello-2.wasm");
const VAULT_1: &[u8] = include_bytes!("../../../../../examples/prebuilt/vault-1.wasm");

fn open(wasm: &[u8], memory: Memory) -> Session {
    let module = TaRuntime::new()
        .unwrap()
        .load(wasm, &Quota::default())
        .unwrap();
    module.open_session(Box::new(memory), b"").unwrap()
}

#[test]
fn hello_1_greets() {
    let mut session = open(HELLO_1, Memory::default());
    assert_eq!(
        session.invoke(1, b"Ada").unwrap(),
        b"Hello from inside the TEE, Ada!"
    );
    assert_eq!(session.invoke(2, b"").unwrap(), b"1");
    assert_eq!(session.invoke(1, &[0xFF]), Err(ResultCode::BAD_FORMAT));
    assert_eq!(session.invoke(9, b""), Err(ResultCode::NOT_SUPPORTED));
    session.close();
}

#[test]
fn hello_2_reads_its_personalization_data() {
    let mut session = open(HELLO_2, Memory::default());
    let text = b"Welcome, Ada! This is hello 2, still inside the TEE.";
    assert_eq!(session.invoke(1, b"Ada").unwrap(), text);

    let mut memory = Memory::default();
    memory
        .personalization
        .insert("greeting".into(), b"Salut".into());
    let mut session = open(HELLO_2, memory);
    let text = b"Salut, Ada! This is hello 2, still inside the TEE.";
    assert_eq!(session.invoke(1, b"Ada").unwrap(), text);
}

#[test]
fn vault_signs_and_counts_across_sessions() {
    let committed = Arc::new(Mutex::new(Stored::default()));
    let open = || {
        let memory = Memory {
            committed: committed.clone(),
            ..Memory::default()
        };
        open(VAULT_1, memory)
    };
    let mut session = open();
    let public_key = session.invoke(2, b"").unwrap();
    let signature = session.invoke(1, b"a message").unwrap();
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
    session.close();

    let mut session = open();
    assert_eq!(session.invoke(2, b"").unwrap(), public_key);
    session.invoke(1, b"another").unwrap();
    assert_eq!(session.invoke(3, b"").unwrap(), 2u64.to_be_bytes());

    committed.lock().unwrap().keys.clear();
    assert_eq!(
        session.invoke(1, b"a third"),
        Err(ResultCode::ITEM_NOT_FOUND)
    );
    assert_eq!(
        session.invoke(3, b"").unwrap(),
        2u64.to_be_bytes(),
        "a failure is not counted"
    );
}

#[test]
fn a_panic_ends_the_session_and_says_where() {
    // The TA makes room for what the TEE announces. 40 MiB are more than it may have.
    let mut memory = Memory::default();
    memory
        .personalization
        .insert("greeting".into(), vec![b'a'; 40 << 20]);
    let log = memory.log.clone();
    let mut session = open(HELLO_2, memory);
    assert_eq!(session.invoke(1, b"Ada"), Err(ResultCode::TARGET_DEAD));
    let log = log.lock().unwrap();
    assert_eq!(log[0], "panic");
    assert!(log[1].ends_with(".rs"), "{log:?}");
}
