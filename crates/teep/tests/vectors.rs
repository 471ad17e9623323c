//! Messages of the draft and of the interoperability event, as other implementers made them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use tamarack_cose::{PublicKey, SecretKey, rustcrypto};
use tamarack_suit::{Envelope, Report};
use tamarack_teep::{
    DataItems, Encoding, ErrorCode, Message, Numbering, Order, Protected, ProtectionError, protect,
};

/// The vectors folder, or `None` with a loud word where it is not there.
fn vectors() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("TAMARACK_VECTORS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no test vectors in {}", folder.display());
    None
}

fn read(folder: &str, name: &str) -> Option<Vec<u8>> {
    let path = vectors()?.join(folder).join(name);
    Some(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn key(name: &str) -> Option<PublicKey> {
    let json = String::from_utf8(read("interop-2026", name)?).unwrap();
    Some(PublicKey::from_jwk(&json).unwrap())
}

#[test]
fn messages_of_the_draft_are_re_encoded_to_the_byte() {
    for name in [
        "query_request",
        "query_response",
        "update",
        "teep_success",
        "teep_error",
    ] {
        let Some(bytes) = read("teep-draft", &format!("{name}.cbor")) else {
            return;
        };
        let (message, encoding) = Message::decode(&bytes, &Default::default()).unwrap();
        assert_eq!(encoding.numbering, Numbering::Sparse, "{name}");
        assert_eq!(message.encode(encoding), bytes, "{name}");
    }
}

// req: TEEP-COSE-005
#[test]
fn the_drafts_query_request_says_what_its_text_says() {
    let Some(bytes) = read("teep-draft", "query_request.cbor") else {
        return;
    };
    let (message, encoding) = Message::decode(&bytes, &Default::default()).unwrap();
    let Message::QueryRequest(request) = message else {
        panic!("not a QueryRequest")
    };
    assert_eq!(encoding.order, Order::AsDefined);
    assert_eq!(request.versions, [0]);
    assert_eq!(request.supported_teep_cipher_suites.len(), 2);
    assert_eq!(
        request.supported_suit_cose_profiles,
        tamarack_teep::SuitCoseProfile::ALL
    );
    assert_eq!(
        request.data_items,
        DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS
    );
}

#[test]
fn the_drafts_error_says_what_its_text_says() {
    let Some(bytes) = read("teep-draft", "teep_error.cbor") else {
        return;
    };
    let (message, _) = Message::decode(&bytes, &Default::default()).unwrap();
    let Message::Error(error) = message else {
        panic!("not an Error")
    };
    assert_eq!(error.code, ErrorCode::MANIFEST_PROCESSING_FAILED);
    assert_eq!(error.explanation.unwrap().text, "disk-full");
}

/// Verifies a message of the event, re-encodes its payload, and returns it.
fn interop(name: &str, key_name: &str, numbering: Option<Numbering>) -> Option<Message> {
    let bytes = read("interop-2026", name)?;
    let crypto = rustcrypto::provider();
    let protected = Protected::decode(&bytes, &Default::default()).unwrap();
    let verified = protected.verify(&crypto, &[key(key_name)?]).unwrap();
    let payload = protected.signed().unverified_payload().unwrap();
    let encoding = verified.encoding();
    assert_eq!(verified.message().encode(encoding), payload, "{name}");
    if let Some(numbering) = numbering {
        assert_eq!(encoding.numbering, numbering, "{name}");
    }
    Some(verified.into_message())
}

// req: TEEP-COSE-002
// req: TEEP-COSE-003
#[test]
fn messages_of_the_event_verify_and_are_re_encoded_to_the_byte() {
    let Some(request) = interop("query_request.tam.esp256.cose", "tam-esp256-pub.jwk", None) else {
        return;
    };
    let Message::QueryRequest(request) = request else {
        panic!("not a QueryRequest")
    };
    assert_eq!(request.data_items, DataItems::ATTESTATION);
    assert_eq!(request.challenge.unwrap().as_bytes().len(), 32);

    let compact = Some(Numbering::Compact);
    let name = "query_response_eat.agent.esp256.cose";
    let response = interop(name, "agent-esp256-pub.jwk", compact).unwrap();
    let Message::QueryResponse(response) = response else {
        panic!("not a QueryResponse")
    };
    assert_eq!(
        response.requested_tc_list[0].component.to_string(),
        "app.wasm"
    );
    assert!(response.attestation.is_some());

    let success = interop(
        "teep_success.agent.esp256.cose",
        "agent-esp256-pub.jwk",
        compact,
    );
    let Some(Message::Success(success)) = success else {
        panic!("not a Success")
    };
    assert_eq!(
        success.token.unwrap().as_bytes(),
        b"\x00\x11\x22\x33\x44\x55\x66\x77"
    );
    assert!(
        Report::decode(&success.suit_reports[0])
            .unwrap()
            .result
            .is_success()
    );

    let update = interop("update0.tam.esp256.cose", "tam-esp256-pub.jwk", compact);
    let Some(Message::Update(update)) = update else {
        panic!("not an Update")
    };
    let envelope = Envelope::decode(&update.manifest_list[0]).unwrap();
    let signer = [key("tc-signer-esp256-pub.jwk").unwrap()];
    let envelope = envelope
        .authenticate(&rustcrypto::provider(), &signer)
        .unwrap();
    assert_eq!(
        envelope.manifest().placement().to_string(),
        "manifest.app.wasm.0.suit"
    );
}

#[test]
fn a_message_by_an_unpublished_key_decodes_and_verifies_with_no_key() {
    let Some(bytes) = read("interop-2026", "query_response.agent.esp256.cose") else {
        return;
    };
    let protected = Protected::decode(&bytes, &Default::default()).unwrap();
    let (message, encoding) = protected.read_unverified().unwrap();
    assert_eq!(encoding.numbering, Numbering::Sparse);
    assert_eq!(
        message.encode(encoding),
        protected.signed().unverified_payload().unwrap()
    );
    let names = [
        "agent-esp256-pub",
        "tam-esp256-pub",
        "tc-signer-esp256-pub",
        "attester-es256-pub",
    ];
    let keys: Vec<_> = names
        .iter()
        .map(|name| key(&format!("{name}.jwk")).unwrap())
        .collect();
    let error = protected
        .verify(&rustcrypto::provider(), &keys)
        .unwrap_err();
    assert_eq!(
        error,
        ProtectionError::Cose(tamarack_cose::Error::BadSignature)
    );
}

// req: EAT-006
#[test]
fn the_key_id_of_the_event_is_the_thumbprint() {
    let Some(json) = read("interop-2026", "agent-esp256-priv.jwk") else {
        return;
    };
    let crypto = rustcrypto::provider();
    let key = SecretKey::from_jwk(&crypto, &String::from_utf8(json).unwrap()).unwrap();
    let hex = "d08d1602caa2d0ae0ade02666292b14cefd0d0282a153f7773acf6fdd0c0d378";
    assert_eq!(key.public_key().key_id(&crypto).to_hex(), hex);
    let signer = crypto.signatures.signer(&key).unwrap();
    let message = tamarack_teep::Success::default().into();
    let ours = protect(&crypto, &*signer, &message, Encoding::default()).unwrap();
    let received = Protected::decode(&ours, &Default::default()).unwrap();
    let key_ids: Vec<_> = received.key_ids().map(|id| id.to_hex()).collect();
    assert_eq!(key_ids, [hex]);
}
