use tamarack_cose::SignatureAlgorithm::{Ed25519, Esp256};
use tamarack_suit::{ComponentId, Parameter, Parameters, SuitDigest, report::Claims};
use tamarack_teep::{
    AttestationPayload, Challenge, CipherSuite, DataItems, Encoding, Error, ErrorCode, Explanation,
    FreshnessMechanism, Message, Numbering, Order, QueryRequest, QueryResponse, RequestedComponent,
    Success, SuitCoseProfile, Token, Update, protect, protect_for_unknown_agent,
};

use crate::insecure;

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let crypto = insecure::provider();
    let [esp256, ed25519] = [Esp256, Ed25519].map(insecure::signer);
    let sparse = Encoding::default();
    let compact = Encoding {
        numbering: Numbering::Compact,
        order: Order::AsDefined,
    };
    let request = query_request();
    let response: Message = query_response().into();
    vec![
        ("query-request", request.encode(sparse)),
        ("query-request-compact", request.encode(compact)),
        ("query-response", response.encode(sparse)),
        ("query-response-compact", response.encode(compact)),
        ("update", update().encode(sparse)),
        ("update-compact", update().encode(compact)),
        ("success", success().encode(sparse)),
        ("success-compact", success().encode(compact)),
        ("error", error().encode(sparse)),
        ("error-compact", error().encode(compact)),
        (
            "protected",
            protect(&crypto, &*esp256, &response, sparse).expect("signs"),
        ),
        (
            "protected-for-unknown-agent",
            protect_for_unknown_agent(&crypto, &[&*esp256, &*ed25519], &request).expect("signs"),
        ),
        (
            "media-type",
            b"application/eat+cwt; eat_profile=\"urn:ietf:rfc:rfcXXXX\"".to_vec(),
        ),
    ]
}

fn token() -> Option<Token> {
    Token::new(vec![7; 16])
}

fn component(name: &str) -> ComponentId {
    name.parse().expect("a component identifier")
}

fn evidence() -> Option<AttestationPayload> {
    Some(AttestationPayload {
        format: Some("application/eat+cwt".into()),
        bytes: b"evidence".to_vec(),
    })
}

fn query_request() -> Message {
    QueryRequest {
        token: token(),
        supported_freshness_mechanisms: vec![FreshnessMechanism::NONCE],
        challenge: Challenge::new(vec![8; 32]),
        versions: vec![0],
        attestation: None,
        suit_reports: vec![vec![0xa0]],
        supported_teep_cipher_suites: vec![CipherSuite::sign1(Esp256), CipherSuite::sign1(Ed25519)],
        supported_suit_cose_profiles: SuitCoseProfile::ALL.to_vec(),
        data_items: DataItems(3),
    }
    .into()
}

fn query_response() -> QueryResponse {
    QueryResponse {
        token: token(),
        selected_version: Some(0),
        attestation: evidence(),
        suit_reports: vec![vec![0xa0]],
        tc_list: Some(vec![Claims {
            component: component("hello/ta"),
            properties: Parameters::from_list([
                Parameter::ImageDigest(SuitDigest::sha256(&insecure::provider(), b"hello")),
                Parameter::ImageSize(5),
            ]),
        }]),
        requested_tc_list: vec![
            RequestedComponent::any_version(component("hello/ta")),
            RequestedComponent {
                component: component("vault/ta"),
                sequence_number: Some(3),
                have_binary: Some(true),
            },
        ],
        unneeded_manifest_list: vec![component("hello/manifest")],
        ext_list: Some(Vec::new()),
    }
}

fn update() -> Message {
    Update {
        token: token(),
        unneeded_manifest_list: vec![component("hello/manifest")],
        manifest_list: vec![b"an envelope".to_vec()],
        attestation: evidence(),
        error: Some(ErrorCode::TEMPORARY_ERROR),
        explanation: Some(Explanation::english("later")),
    }
    .into()
}

fn success() -> Message {
    Success {
        token: token(),
        msg: Some("done".into()),
        suit_reports: vec![vec![0xa0]],
    }
    .into()
}

fn error() -> Message {
    Error {
        token: token(),
        explanation: Some(Explanation::english("a signature does not verify")),
        supported_teep_cipher_suites: vec![CipherSuite::sign1(Esp256)],
        supported_freshness_mechanisms: vec![FreshnessMechanism::NONCE],
        supported_suit_cose_profiles: SuitCoseProfile::ALL.to_vec(),
        challenge: Challenge::new(vec![8; 8]),
        versions: vec![0],
        suit_reports: vec![vec![0xa0]],
        ..Error::new(ErrorCode::MANIFEST_PROCESSING_FAILED)
    }
    .into()
}
