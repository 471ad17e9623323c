//! QueryRequests of a trusted TAM: what is answered, and what the agent says that it can't do.

use tamarack_cose::SignatureAlgorithm;
use tamarack_rats::{Evidence, Freshness, appraise};
use tamarack_teep::{
    Challenge, CipherSuite, DataItems, Encoding, Error, ErrorCode, FreshnessMechanism, Message,
    Numbering, Operation, Protected, QueryRequest, SuitCoseProfile, Token, VERSION,
};
use tamarack_tests::{Device, Person, Tam, crypto, error_of, release, wasm};

fn device() -> (Device, Tam) {
    let tam = Tam::new();
    (Device::new(&[&tam], &[]), tam)
}

/// Asks with a request that must be refused, with the code and the token echoed.
#[track_caller]
fn refused(device: &mut Device, tam: &Tam, request: QueryRequest, code: ErrorCode) -> Error {
    let token = request.token.clone();
    let error = error_of(device.answer(&tam.sign(request)));
    assert_eq!(error.code, code);
    assert_eq!(error.token, token);
    assert!(error.explanation.is_some());
    error
}

// req: TEEP-ERR-006
// req: TEEP-MSG-025
#[test]
fn only_version_0_is_spoken() {
    let (mut device, tam) = device();
    let with = |versions: &[u32]| QueryRequest {
        versions: versions.into(),
        ..Tam::query()
    };
    let request = with(&[1, 7]);
    let error = refused(
        &mut device,
        &tam,
        request,
        ErrorCode::UNSUPPORTED_MSG_VERSION,
    );
    assert_eq!(error.versions, [VERSION]);
    for versions in [&[][..], &[0], &[3, 0]] {
        let response = device.query(&tam, with(versions));
        assert_eq!(response.selected_version.unwrap_or(0), 0);
    }
}

// req: TEEP-ERR-006
// req: TEEP-COSE-014
#[test]
fn a_suite_of_the_agents_must_be_offered() {
    let (mut device, tam) = device();
    let unknown = CipherSuite(vec![Operation {
        cose_type: 98,
        algorithm: -9,
    }]);
    let offers = |suites: Vec<CipherSuite>| QueryRequest {
        supported_teep_cipher_suites: suites,
        ..Tam::plain_query_with(Tam::token())
    };
    let esp256 = CipherSuite::sign1(SignatureAlgorithm::Esp256);
    let ed25519 = CipherSuite::sign1(SignatureAlgorithm::Ed25519);
    for suites in [vec![unknown.clone()], vec![ed25519.clone()]] {
        let code = ErrorCode::UNSUPPORTED_CIPHER_SUITES;
        let error = refused(&mut device, &tam, offers(suites), code);
        assert_eq!(
            error.supported_teep_cipher_suites,
            std::slice::from_ref(&esp256)
        );
    }
    device.query(&tam, offers(vec![unknown, ed25519, esp256]));
}

// req: TEEP-ERR-006
// req: TEEP-COSE-014
#[test]
fn a_tam_that_signs_with_a_foreign_suite_is_told_so() {
    let tam = Tam::with(SignatureAlgorithm::Ed25519);
    let mut device = Device::new(&[&tam], &[]);
    let error = error_of(device.answer(&tam.sign(Tam::query())));
    assert_eq!(error.code, ErrorCode::UNSUPPORTED_CIPHER_SUITES);
    let ours = CipherSuite::sign1(SignatureAlgorithm::Esp256);
    assert_eq!(error.supported_teep_cipher_suites, [ours]);
}

// req: TEEP-COSE-007
// req: TEEP-COSE-012
#[test]
fn an_agent_with_an_ed25519_key_signs_with_it() {
    let tam = Tam::with(SignatureAlgorithm::Ed25519);
    let mut device = Device::with(SignatureAlgorithm::Ed25519, &[&tam], &[]);
    let answer = device.process(&tam.sign(Tam::query())).unwrap();
    let protected = Protected::decode(&answer, &Default::default()).unwrap();
    let algorithms: Vec<_> = protected.algorithms().collect();
    assert_eq!(algorithms, [SignatureAlgorithm::Ed25519]);
    assert!(matches!(device.open(&answer), Message::QueryResponse(_)));
}

// req: TEEP-ERR-006
// req: TEEP-FRESH-001
// req: TEEP-MSG-024
#[test]
fn freshness_is_by_a_mechanism_that_both_have() {
    let (mut device, tam) = device();
    let with = |mechanisms: &[FreshnessMechanism]| QueryRequest {
        supported_freshness_mechanisms: mechanisms.into(),
        ..Tam::query()
    };
    let code = ErrorCode::UNSUPPORTED_FRESHNESS_MECHANISMS;
    let request = with(&[FreshnessMechanism(9)]);
    let error = refused(&mut device, &tam, request, code);
    let supported = [FreshnessMechanism::NONCE, FreshnessMechanism::TIMESTAMP];
    assert_eq!(error.supported_freshness_mechanisms, supported);
    for mechanisms in [
        &[][..],
        &[FreshnessMechanism::NONCE],
        &[FreshnessMechanism(9), FreshnessMechanism::NONCE],
    ] {
        let response = device.query(&tam, with(mechanisms));
        assert!(response.attestation.is_some());
    }
}

// req: TEEP-MSG-021
// req: TEEP-AGENT-015
// req: TEEP-ERR-003
#[test]
fn an_unknown_data_item_is_refused_by_name() {
    let (mut device, tam) = device();
    for bit in [4, 31, 63] {
        let request = QueryRequest {
            data_items: DataItems(1 << bit) | DataItems::EXTENSIONS,
            ..Tam::plain_query_with(Tam::token())
        };
        let error = refused(&mut device, &tam, request, ErrorCode::UNSUPPORTED_EXTENSION);
        let text = error.explanation.unwrap().text;
        assert!(text.contains(&format!("{:#x}", 1_u64 << bit)), "{text}");
    }
}

// req: TEEP-FRESH-009
// req: TEEP-FRESH-010
#[test]
fn a_challenge_must_be_there_and_fit_an_eat_nonce() {
    let (mut device, tam) = device();
    let with = |challenge: Option<usize>| QueryRequest {
        challenge: challenge.map(|size| Challenge::new(vec![5; size]).unwrap()),
        ..Tam::query()
    };
    refused(&mut device, &tam, with(None), ErrorCode::PERMANENT_ERROR);
    refused(
        &mut device,
        &tam,
        with(Some(65)),
        ErrorCode::PERMANENT_ERROR,
    );
    refused(
        &mut device,
        &tam,
        with(Some(512)),
        ErrorCode::PERMANENT_ERROR,
    );
    for size in [8, 64] {
        let response = device.query(&tam, with(Some(size)));
        let payload = response.attestation.unwrap();
        let evidence = Evidence::decode(&payload.bytes).unwrap();
        assert_eq!(evidence.unverified_claims().nonce, Some(vec![5; size]));
    }
}

// req: TEEP-MSG-040
// req: TEEP-TOK-012
// req: TEEP-MSG-021
#[test]
fn the_token_comes_back_byte_for_byte() {
    let (mut device, tam) = device();
    for size in [8, 16, 64] {
        let token = Token::new((0..size).map(|byte| byte ^ 0xa5).collect()).unwrap();
        // Once more, for an agent that would remember tokens.
        for _ in 0..2 {
            let response = device.query(&tam, Tam::plain_query_with(token.clone()));
            assert_eq!(response.token.as_ref(), Some(&token));
        }
    }
    assert_eq!(device.query(&tam, Tam::query()).token, None);
    assert_eq!(device.query(&tam, Tam::plain_query()).token, None);
}

// req: TEEP-FRESH-002
#[test]
fn a_token_is_the_nonce_where_there_is_no_challenge() {
    let (mut device, tam) = device();
    let token = Tam::token();
    let request = QueryRequest {
        data_items: DataItems::ATTESTATION,
        ..Tam::plain_query_with(token.clone())
    };
    let response = device.query(&tam, request);
    let payload = response.attestation.unwrap();
    let evidence = Evidence::decode(&payload.bytes).unwrap();
    assert_eq!(
        evidence.unverified_claims().nonce.as_deref(),
        Some(token.as_bytes())
    );
}

// req: TEEP-MSG-042
// req: TEEP-PRIV-004
#[test]
fn what_is_asked_for_is_there_and_nothing_else() {
    let (mut device, tam) = device();
    for bits in 0..16 {
        let request = QueryRequest {
            data_items: DataItems(bits),
            ..Tam::query()
        };
        let asked = request.data_items;
        let response = device.query(&tam, request);
        assert_eq!(
            response.attestation.is_some(),
            asked.contains(DataItems::ATTESTATION)
        );
        let wants_components = asked.contains(DataItems::TRUSTED_COMPONENTS);
        // Nothing is installed, and no extension is known: an empty list says so.
        assert_eq!(response.tc_list, wants_components.then(Vec::new));
        assert_eq!(
            response.ext_list,
            asked.contains(DataItems::EXTENSIONS).then(Vec::new)
        );
        assert!(response.requested_tc_list.is_empty());
        assert!(response.unneeded_manifest_list.is_empty());
    }
}

// req: TEEP-MSG-044
// req: ARCH-003
#[test]
fn the_component_list_tells_digest_and_size() {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let hello = release::app("hello", 3, wasm::HELLO_1, &admin);
    let data = release::app("hello/greeting", 1, b"Salut", &admin);
    device.install(&tam, &[&hello, &data]);
    let list = device.query(&tam, Tam::query()).tc_list.unwrap();
    assert_eq!(list.len(), 2);
    let claims = list
        .iter()
        .find(|c| c.component == tamarack_tests::id("hello"))
        .unwrap();
    let digest = claims.properties.image_digest().unwrap();
    assert_eq!(digest.matches(&crypto(), wasm::HELLO_1), Ok(true));
    assert_eq!(
        claims.properties.image_size(),
        Some(wasm::HELLO_1.len() as u64)
    );
}

// req: EAT-006
// req: EAT-008
// req: TEEP-FRESH-003
// req: TEEP-MSG-026
#[test]
fn evidence_convinces_and_binds_the_key_of_the_message() {
    let (mut device, tam) = device();
    let request = Tam::query();
    let nonce = request.challenge.clone().unwrap();
    let answer = device.process(&tam.sign(request)).unwrap();
    let protected = Protected::decode(&answer, &Default::default()).unwrap();
    let (message, _) = protected.read_unverified().unwrap();
    let Message::QueryResponse(response) = message else {
        panic!("{message:?}")
    };
    let payload = response.attestation.unwrap();
    assert_eq!(payload.format.as_deref(), Some(tamarack_rats::EAT_CWT));
    let evidence = Evidence::decode(&payload.bytes).unwrap();
    let endorsement = device.endorsement();
    let appraise = |endorsement, nonce| {
        let freshness = Freshness::Nonce(nonce);
        appraise(
            &crypto(),
            &evidence,
            endorsement,
            freshness,
            tamarack_tests::now(),
        )
    };
    let result = appraise(&endorsement, nonce.as_bytes()).unwrap();
    assert_eq!(result.ueid, endorsement.ueid);
    let tamarack_rats::Confirmation::Key(key) = result.confirmation else {
        panic!("{:?}", result.confirmation)
    };
    // The key in the Evidence is the one under the message, and not the attester's.
    assert!(protected.verify(&crypto(), &[key]).is_ok());
    assert_ne!(key, endorsement.attester);

    assert!(appraise(&endorsement, b"another nonce").is_err());
    let other = Device::new(&[], &[]).endorsement();
    assert!(appraise(&other, nonce.as_bytes()).is_err());
}

// req: TEEP-AGENT-014
#[test]
fn reports_that_the_agent_can_not_verify_are_answered_with_its_profiles() {
    let (mut device, tam) = device();
    // A report that is encrypted, to nobody here: COSE_Encrypt0, under its tag.
    let encrypted = vec![0xd0, 0x83, 0x40, 0xa0, 0x40];
    let request = QueryRequest {
        suit_reports: vec![encrypted],
        ..Tam::query()
    };
    let error = refused(
        &mut device,
        &tam,
        request,
        ErrorCode::UNSUPPORTED_SUIT_REPORT,
    );
    assert_eq!(error.supported_suit_cose_profiles, SuitCoseProfile::ALL);
}

#[test]
fn either_numbering_is_answered_in_kind() {
    let (tam, admin) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    for (numbering, number) in [(Numbering::Sparse, 1), (Numbering::Compact, 2)] {
        let encoding = Encoding {
            numbering,
            ..Encoding::default()
        };
        let token = Tam::token();
        // A token and a list tell the numberings apart: their labels differ.
        let request = Tam::plain_query_with(token.clone());
        let answer = device.process(&tam.sign_as(request, encoding)).unwrap();
        assert_eq!(numbering_of(&answer), numbering);
        let hello = release::app("hello", number, wasm::HELLO_1, &admin);
        let update = Tam::install(&[&hello]);
        let expected = update.token.clone();
        let answer = device.process(&tam.sign_as(update, encoding)).unwrap();
        assert_eq!(numbering_of(&answer), numbering);
        let Message::Success(success) = device.open(&answer) else {
            panic!("no Success")
        };
        assert_eq!(success.token, expected);
        // An Error too: code 17 or, without gaps, 11.
        let old = release::app("hello", 0, wasm::HELLO_1, &admin);
        let answer = device
            .process(&tam.sign_as(Tam::install(&[&old]), encoding))
            .unwrap();
        assert_eq!(numbering_of(&answer), numbering);
        let error = error_of(device.open(&answer));
        assert_eq!(error.code, ErrorCode::MANIFEST_PROCESSING_FAILED);
    }
}

fn numbering_of(message: &[u8]) -> Numbering {
    let protected = Protected::decode(message, &Default::default()).unwrap();
    protected.read_unverified().unwrap().1.numbering
}

#[test]
fn the_algorithm_numbers_of_older_peers_are_accepted() {
    let tam = Tam::new();
    let mut device = Device::new(&[&tam], &[]);
    // ES256, -7, in place of ESP256.
    let tagged = tam.sign_under(&[0xa1, 0x01, 0x26], Tam::query());
    let untagged = &tagged[1..];
    for message in [&tagged[..], untagged] {
        assert!(matches!(device.answer(message), Message::QueryResponse(_)));
    }
}
