//! What is wrong with a message is said, and where; whatever the bytes are.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![cfg(feature = "explain")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use tamarack_cose::{
    CryptoProvider, PublicKey, SecretKey, SignatureAlgorithm,
    cbor::{Limits, Writer},
    encrypt::{ContentAlgorithm, Curve, DecryptionKey, Encryption, Recipient, RecipientKey},
    rustcrypto, sign1,
};
use tamarack_teep::{
    AttestationPayload, Challenge, DataItems, Encoding, Error, ErrorCode, Message, Numbering,
    Protected, QueryRequest, QueryResponse, SuitCoseProfile, Token,
    explain::{Content, Explained, Finding, Knowledge, Severity, explain},
    protect,
};

fn crypto() -> CryptoProvider {
    rustcrypto::provider()
}

fn look(bytes: &[u8]) -> Explained {
    let crypto = crypto();
    let knowledge = Knowledge {
        crypto: &crypto,
        keys: &[],
        recipient_keys: &[],
    };
    explain(bytes, knowledge)
}

/// The one problem of a message.
#[track_caller]
fn problem(bytes: &[u8]) -> Finding {
    let explained = look(bytes);
    let problems: Vec<&Finding> = explained.problems().collect();
    let [one] = problems.as_slice() else {
        panic!("not one problem: {:#?}", explained.findings)
    };
    (*one).clone()
}

fn text(content: &Content, path: &[&str]) -> String {
    let mut content = content;
    for name in path {
        content = match content {
            Content::List(items) => &items[name.parse::<usize>().unwrap()],
            content => content
                .get(name)
                .unwrap_or_else(|| panic!("no {name} in {content:#?}")),
        };
    }
    content.named().to_string().trim_end().to_owned()
}

fn vectors() -> Vec<(String, Vec<u8>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("TAMARACK_VECTORS").map_or(beside, PathBuf::from);
    let mut found = Vec::new();
    for part in ["teep-draft", "interop-2026"] {
        let Ok(entries) = fs::read_dir(folder.join(part)) else {
            eprintln!(
                "SKIPPED: no test vectors in {}",
                folder.join(part).display()
            );
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = format!("{part}/{}", path.file_name().unwrap().to_str().unwrap());
            if [".cbor", ".cose", ".jwt"]
                .iter()
                .any(|end| name.ends_with(end))
            {
                found.push((name, fs::read(path).unwrap()));
            }
        }
    }
    found
}

fn request() -> QueryRequest {
    QueryRequest {
        token: Token::new(vec![7; 8]),
        supported_teep_cipher_suites: vec![tamarack_teep::CipherSuite::sign1(
            SignatureAlgorithm::Esp256,
        )],
        supported_suit_cose_profiles: vec![SuitCoseProfile::ESP256_A128CTR],
        data_items: DataItems::TRUSTED_COMPONENTS,
        ..QueryRequest::default()
    }
}

fn bare(message: impl Into<Message>) -> Vec<u8> {
    message.into().encode(Encoding::default())
}

#[test]
fn a_query_request_is_shown_by_name() {
    let explained = look(&bare(QueryRequest {
        data_items: DataItems(0x12),
        ..request()
    }));
    assert_eq!(explained.name, Some("QueryRequest"));
    let content = &explained.content;
    assert_eq!(text(content, &["options", "token"]), "0707070707070707");
    let suites = ["supported-teep-cipher-suites", "0"];
    assert_eq!(text(content, &suites), "COSE_Sign1 (18) with ESP256 (-9)");
    let profiles = ["supported-suit-cose-profiles", "0"];
    assert_eq!(
        text(content, &profiles),
        "suit-sha256-esp256-ecdh-a128ctr [-16, -9, -29, -65534]"
    );
    assert_eq!(
        text(content, &["data-item-requested", "0"]),
        "trusted-components (2)"
    );
    assert_eq!(
        text(content, &["data-item-requested", "1"]),
        "unknown bits 0x10"
    );
    // Bits that nobody knows are no fault of the message's form.
    assert_eq!(explained.findings.len(), 1);
    assert_eq!(explained.findings[0].severity, Severity::Note);
}

// req: TEEP-MSG-022
// req: TEEP-MSG-023
#[test]
fn tokens_and_challenges_that_do_not_go_together_are_found() {
    let challenge = Challenge::new(vec![9; 8]);
    let none = bare(QueryRequest {
        token: None,
        ..request()
    });
    assert!(problem(&none).what.contains("a token must be there"));
    assert_eq!(problem(&none).path, "QueryRequest / data-item-requested");

    let beside = bare(QueryRequest {
        challenge: challenge.clone(),
        data_items: DataItems::ATTESTATION,
        ..request()
    });
    let found = problem(&beside);
    assert!(found.what.contains("a token beside a challenge"), "{found}");
    assert_eq!(beside[found.offset], 0x14, "the label of the token");

    let unasked = bare(QueryRequest {
        challenge: challenge.clone(),
        ..request()
    });
    assert!(
        problem(&unasked)
            .what
            .contains("challenge goes with the attestation bit")
    );

    let nothing = bare(QueryRequest {
        token: None,
        data_items: DataItems::ATTESTATION,
        ..request()
    });
    assert!(
        problem(&nothing)
            .what
            .contains("neither challenge nor token")
    );

    // The Passport model, and the Background-Check model.
    for (token, challenge) in [(request().token, None), (None, challenge)] {
        let good = bare(QueryRequest {
            token,
            challenge,
            data_items: DataItems::ATTESTATION,
            ..request()
        });
        assert_eq!(look(&good).findings, []);
    }
}

/// An option: its label, and what writes its value.
type Entry<'a> = (u64, &'a dyn Fn(&mut Writer));

/// A QueryResponse with these options.
fn response(options: &[Entry<'_>]) -> Vec<u8> {
    Writer::build(|w| {
        w.array(2).uint(2).map(options.len());
        for (label, write) in options {
            w.uint(*label);
            write(w);
        }
    })
}

// req: TEEP-MSG-047
#[test]
fn a_binary_without_a_number_is_found() {
    let bytes = response(&[(14, &|w| {
        w.array(1)
            .map(2)
            .uint(16)
            .array(1)
            .bytes(b"app")
            .uint(18)
            .bool(true);
    })]);
    let found = problem(&bytes);
    let path = "QueryResponse / options / requested-tc-list (14) / [0] / have-binary";
    assert_eq!(found.path, path);
    assert_eq!(bytes[found.offset], 0xf5);
    assert!(found.source.contains("4.3"));
}

// req: TEEP-MSG-006
#[test]
fn what_is_deep_inside_is_found_where_it_is() {
    let bytes = response(&[(8, &|w| {
        w.array(2);
        w.map(2).uint(0).array(1).bytes(b"app").uint(14).uint(5);
        w.map(2).uint(0).array(1).uint(7).uint(14).uint(5);
    })]);
    let found = problem(&bytes);
    let path = "QueryResponse / options / tc-list (8) / [1] / system-component-id (0) / [0]";
    assert_eq!((found.path.as_str(), bytes[found.offset]), (path, 7));
    assert_eq!(
        found.what,
        "a byte string is expected, not an unsigned integer"
    );
}

#[test]
fn several_problems_are_found() {
    let bytes = response(&[
        (20, &|w| {
            w.bytes(b"short");
        }),
        (6, &|w| {
            w.text("zero");
        }),
        (20, &|w| {
            w.bytes(b"long enough");
        }),
        (5, &|w| {
            w.uint(1);
        }),
        (10, &|w| {
            w.uint(1);
        }),
    ]);
    let explained = look(&bytes);
    let found: Vec<(Severity, &str)> = explained
        .findings
        .iter()
        .map(|f| (f.severity, f.what.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Severity::Problem, "5 bytes long; 8 to 64 bytes are allowed"),
            (
                Severity::Problem,
                "an unsigned integer is expected, not a text string"
            ),
            (Severity::Problem, "the key occurs twice in its map"),
            (Severity::Note, "label 5 is reserved"),
            (
                Severity::Note,
                "manifest-list has no place in QueryResponse messages; receivers pass over it"
            ),
        ]
    );
}

// req: TEEP-ERR-006
// req: TEEP-ERR-009
#[test]
fn an_error_without_its_companion_is_found() {
    for (code, companion) in [
        (
            ErrorCode::UNSUPPORTED_FRESHNESS_MECHANISMS,
            "supported-freshness-mechanisms",
        ),
        (ErrorCode::UNSUPPORTED_MSG_VERSION, "versions"),
        (
            ErrorCode::UNSUPPORTED_CIPHER_SUITES,
            "supported-teep-cipher-suites",
        ),
        (
            ErrorCode::ATTESTATION_REQUIRED,
            "supported-freshness-mechanisms",
        ),
        (
            ErrorCode::UNSUPPORTED_SUIT_REPORT,
            "supported-suit-cose-profiles",
        ),
    ] {
        let bytes = bare(Error::new(code));
        let found = problem(&bytes);
        assert_eq!(found.what, format!("{code} must come with {companion}"));
        let content = look(&bytes).content;
        let said = text(&content, &["to accompany the error"]);
        assert!(
            said.starts_with(&format!("{companion} (must): missing")),
            "{said}"
        );
    }
    let mut complete = Error::new(ErrorCode::UNSUPPORTED_MSG_VERSION);
    complete.versions = vec![0];
    let explained = look(&bare(complete));
    assert_eq!(explained.findings, []);
    assert_eq!(
        text(&explained.content, &["to accompany the error"]),
        "versions (must): there"
    );
}

// req: TEEP-MSG-083
#[test]
fn a_report_for_another_request_is_found() {
    let report = |nonce: &[u8]| {
        Writer::build(|w| {
            w.map(4)
                .int(2)
                .bytes(nonce)
                .int(3)
                .array(0)
                .int(4)
                .bool(true);
            w.int(99)
                .array(2)
                .text("")
                .array(2)
                .int(-16)
                .bytes(&[0; 32]);
        })
    };
    let message = |nonce: &[u8]| QueryResponse {
        token: Token::new(b"12345678".to_vec()),
        suit_reports: vec![report(b"12345678"), report(nonce)],
        ..QueryResponse::default()
    };
    let good = look(&bare(message(b"12345678")));
    let good_report = text(&good.content, &["options", "suit-reports", "1"]);
    assert!(
        good.findings.is_empty(),
        "{:?} {good_report}",
        good.findings
    );
    let bytes = bare(message(b"87654321"));
    let found = problem(&bytes);
    assert_eq!(
        found.path,
        "QueryResponse / options / suit-reports (19) / [1]"
    );
    assert!(found.what.contains("not the token"));
    assert_eq!(bytes[found.offset], 0xa4, "the report itself");
}

#[test]
fn whose_signature_it_is_is_said() {
    let crypto = crypto();
    let key = |algorithm| SecretKey::generate(&crypto, algorithm).unwrap();
    let (one, other) = (
        key(SignatureAlgorithm::Ed25519),
        key(SignatureAlgorithm::Esp256),
    );
    let signer = crypto.signatures.signer(&one).unwrap();
    let bytes = protect(&crypto, &*signer, &request().into(), Encoding::default()).unwrap();
    let with = |keys: &[(String, PublicKey)]| {
        let knowledge = Knowledge {
            crypto: &crypto,
            keys,
            recipient_keys: &[],
        };
        explain(&bytes, knowledge)
    };
    let (one, other) = (
        ("one".to_owned(), *one.public_key()),
        ("other".to_owned(), *other.public_key()),
    );
    let verified = with(&[other.clone(), one.clone()]);
    let id = one.1.key_id(&crypto);
    assert_eq!(verified.verified_by, Some(("one".to_owned(), id.to_hex())));
    assert_eq!(verified.key_id.as_deref(), Some(&id.as_bytes()[..]));
    assert_eq!(verified.findings, []);
    let protection = verified.protection.unwrap();
    assert_eq!(text(&protection, &["structure"]), "COSE_Sign1 (tag 18)");
    assert_eq!(text(&protection, &["protected", "alg"]), "Ed25519 (-19)");
    assert_eq!(text(&protection, &["signature"]), "64 bytes");

    let refused = with(&[other]);
    let found: Vec<&Finding> = refused.problems().collect();
    assert_eq!(found[0].path, "COSE_Sign1 / signature");
    assert_eq!(bytes[found[0].offset], 0x58, "the signature's head");
}

#[test]
fn evidence_is_shown_claim_by_claim_and_opened_with_its_key() {
    let crypto = crypto();
    let attester = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
    let signer = crypto.signatures.signer(&attester).unwrap();
    let claims = Writer::build(|w| {
        w.map(5)
            .int(6)
            .uint(1_759_149_970)
            .int(10)
            .bytes(b"nonce of eight");
        w.int(256).bytes(&[1; 17]).int(1000).int(2).int(1001).map(2);
        w.int(0).int(2).int(2).int(96);
    });
    let token = sign1(&*signer, &claims, None).unwrap();
    let shown = |bytes: &[u8], keys: &[RecipientKey]| {
        let message = bare(QueryResponse {
            attestation: Some(AttestationPayload {
                format: Some("application/eat+cwt".to_owned()),
                bytes: bytes.to_vec(),
            }),
            ..QueryResponse::default()
        });
        let knowledge = Knowledge {
            crypto: &crypto,
            keys: &[],
            recipient_keys: keys,
        };
        let explained = explain(&message, knowledge);
        assert_eq!(explained.findings, []);
        explained
            .content
            .get("options")
            .unwrap()
            .get("attestation-payload")
            .unwrap()
            .clone()
    };
    let check = |claims: &Content| {
        assert_eq!(
            text(claims, &["iat"]),
            "1759149970 (2025-09-29 12:46:10 UTC)"
        );
        assert_eq!(text(claims, &["ueid"]), "01".repeat(17));
        assert_eq!(text(claims, &["ear.status"]), "affirming (2)");
        let vector = "ear.trustworthiness-vector";
        assert_eq!(
            text(claims, &[vector, "executables"]),
            "contraindicated (96)"
        );
    };
    check(shown(&token, &[]).get("claims").unwrap());

    let tam = DecryptionKey::generate(&crypto, Curve::P256).unwrap();
    let recipients = [Recipient::agreement(tam.public_key())];
    let encrypted = Encryption::new(ContentAlgorithm::A128Gcm, b"EAT Encryption")
        .attached(&crypto, &recipients, &token)
        .unwrap();
    let closed = shown(&encrypted, &[]);
    assert_eq!(text(&closed, &["structure"]), "COSE_Encrypt (tag 96)");
    assert_eq!(
        text(&closed, &["recipients", "0", "protected", "alg"]),
        "ECDH-ES + A128KW (-29)"
    );
    assert!(closed.get("decrypted").is_none());
    let opened = shown(&encrypted, &[RecipientKey::agreement(&crypto, tam)]);
    check(opened.get("decrypted").unwrap().get("claims").unwrap());
}

#[test]
fn both_numberings_are_read() {
    let message = Message::from(Error::new(ErrorCode::MANIFEST_PROCESSING_FAILED));
    let compact = Encoding {
        numbering: Numbering::Compact,
        ..Encoding::default()
    };
    let explained = look(&message.encode(compact));
    // Type 5 is a Success in the sparse numbering; only its elements tell.
    assert_eq!(
        (explained.name, explained.numbering),
        (Some("Error"), Numbering::Compact)
    );
    assert_eq!(
        text(&explained.content, &["err-code"]),
        "ERR_MANIFEST_PROCESSING_FAILED (11)"
    );
}

#[test]
fn a_message_that_is_cut_off_keeps_its_numbering() {
    let whole = bare(QueryResponse {
        attestation: Some(AttestationPayload {
            format: None,
            bytes: vec![0xa1, 0x0a, 0x48, 1, 2, 3, 4, 5, 6, 7, 8],
        }),
        ..QueryResponse::default()
    });
    let explained = look(&whole[..whole.len() - 3]);
    assert_eq!(explained.numbering, Numbering::Sparse);
    let options = explained.content.get("options").unwrap();
    assert!(options.get("attestation-payload").is_some(), "{options:?}");
}

#[test]
fn the_published_messages_have_no_problem_but_their_own() {
    let mut seen = 0;
    for (name, bytes) in vectors() {
        let explained = look(&bytes);
        let found: Vec<String> = explained.problems().map(ToString::to_string).collect();
        println!("{name}: {:?} {found:#?}", explained.name);
        let decodes = Protected::decode(&bytes, &Limits::default())
            .is_ok_and(|message| message.read_unverified().is_ok())
            || Message::decode(&bytes, &Limits::default()).is_ok();
        if decodes {
            seen += 1;
            assert!(explained.name.is_some(), "{name}");
        }
    }
    assert!(seen > 0 || vectors().is_empty());
}

/// What must hold of any bytes: a problem has a place, and what the decoders refuse has a problem.
fn check(bytes: &[u8], context: &dyn Fn() -> String) {
    let explained = look(bytes);
    for finding in &explained.findings {
        assert!(finding.offset <= bytes.len(), "{}: {finding}", context());
        assert!(
            !finding.path.is_empty() && !finding.source.is_empty(),
            "{}",
            context()
        );
    }
    let limits = Limits::default();
    let decodes = match Protected::decode(bytes, &limits) {
        Ok(protected) => protected.read_unverified().is_ok(),
        Err(_) => Message::decode(bytes, &limits).is_ok(),
    };
    if !decodes && explained.name != Some("EAT") {
        assert!(
            explained.problems().next().is_some(),
            "{}: nothing found",
            context()
        );
    }
}

/// The places at which a message is damaged: all of it or, of one with a payload inside, of its ends, with
/// samples between them.
fn places(length: usize) -> impl Iterator<Item = usize> {
    (0..length).filter(move |at| *at < 900 || at + 200 > length || at % 4_001 == 0)
}

#[test]
fn every_truncation_is_located() {
    for (name, bytes) in vectors() {
        for length in places(bytes.len()) {
            check(&bytes[..length], &|| format!("{name} cut at {length}"));
        }
    }
}

#[test]
fn every_bit_flip_is_a_message_or_located() {
    for (name, bytes) in vectors() {
        let mut flipped = bytes.clone();
        // A payload is hashed each time.
        let step = if bytes.len() > 4_096 { 3 } else { 1 };
        for at in places(bytes.len()) {
            for bit in (0..8).step_by(step) {
                flipped[at] ^= 1 << bit;
                check(&flipped, &|| format!("{name}, bit {bit} of byte {at}"));
                flipped[at] ^= 1 << bit;
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_looked_at(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        check(&bytes, &|| format!("{bytes:02x?}"));
    }
}
