//! How a TAM and agents that differ from one another come to terms.

use std::time::Duration;

use tamarack_cose::{PublicKey, SignatureAlgorithm, Signed};
use tamarack_teep::{
    AttestationPayload, Challenge, CipherSuite, DataItems, Error, ErrorCode, FreshnessMechanism,
    Message, Numbering, QueryRequest, QueryResponse, Token, VERSION,
};

use crate::{
    AttestationModel, Mode, TamAttester, Ueid,
    testing::{Agent, World, token},
};

const ESP256: SignatureAlgorithm = SignatureAlgorithm::Esp256;
const ED25519: SignatureAlgorithm = SignatureAlgorithm::Ed25519;

/// The question with which the TAM answers, and its suite, if it is signed once.
fn asked(world: &World, reply: Option<Vec<u8>>) -> Option<(QueryRequest, SignatureAlgorithm)> {
    let reply = reply?;
    let Ok(Signed::Sign1(sign1)) = Signed::decode(&reply) else {
        panic!("a known suite is used alone")
    };
    let algorithm = sign1.headers().algorithm().unwrap();
    Some((world.open_query_request(&reply), algorithm))
}

fn error(code: ErrorCode) -> Error {
    Error::new(code)
}

/// What the agent says to a question without attestation.
fn listing(agent: &Agent, token: Option<Token>) -> QueryResponse {
    let challenge = Challenge::new(vec![0; 16]).unwrap();
    QueryResponse {
        token,
        attestation: None,
        ..agent.query_response(&challenge)
    }
}

// req: TEEP-COSE-010
// req: TEEP-COSE-014
// req: TEEP-ERR-007
#[test]
fn an_agent_with_another_suite_is_asked_in_that() {
    for (errs_in, speaks) in [(ESP256, ED25519), (ED25519, ED25519), (ED25519, ESP256)] {
        let agent = Agent::with("one", speaks, Numbering::Sparse);
        let (world, _) = World::with(&agent);
        let before = world.dump();
        let mut complaint = error(ErrorCode::UNSUPPORTED_CIPHER_SUITES);
        complaint.supported_teep_cipher_suites = vec![CipherSuite::sign1(speaks)];
        let stranger = Agent::with("its other key", errs_in, Numbering::Sparse);
        let reply = world.process(&stranger.sign(complaint));
        let (request, algorithm) = asked(&world, reply).expect("another question");
        assert_eq!(algorithm, speaks);
        let offered = [CipherSuite::sign1(speaks)];
        assert_eq!(request.supported_teep_cipher_suites, offered);
        assert_eq!(
            world.dump(),
            before,
            "an error of a stranger leaves no trace"
        );
        let response = agent.answer(&request.challenge.unwrap());
        assert!(world.process(&response).is_some(), "an Update");
    }
}

// req: TEEP-ERR-007
// req: TEEP-ERR-005
#[test]
fn each_error_about_a_question_has_its_answer_or_ends_the_exchange() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let world = world.with_settings(|settings| {
        settings.timestamp_window = Some(Duration::from_secs(60));
        settings.also_asked = DataItems::EXTENSIONS | DataItems::SUIT_REPORTS;
        settings.questions_per_minute = 100;
    });
    let ask = |error: Error| asked(&world, world.process(&agent.sign(error)));

    let mut freshness = error(ErrorCode::UNSUPPORTED_FRESHNESS_MECHANISMS);
    freshness.supported_freshness_mechanisms = vec![FreshnessMechanism::TIMESTAMP];
    let (request, _) = ask(freshness.clone()).unwrap();
    let timestamp = [FreshnessMechanism::TIMESTAMP];
    assert_eq!(request.supported_freshness_mechanisms, timestamp);
    assert_eq!((request.challenge, request.token), (None, None));
    freshness.supported_freshness_mechanisms = vec![FreshnessMechanism::NONCE];
    let (request, _) = ask(freshness).unwrap();
    assert!(request.challenge.is_some() && request.supported_freshness_mechanisms.is_empty());

    let (request, algorithm) = ask(error(ErrorCode::UNSUPPORTED_EXTENSION)).unwrap();
    let plain = DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS;
    assert_eq!((request.data_items, algorithm), (plain, ESP256));

    let mut version = error(ErrorCode::UNSUPPORTED_MSG_VERSION);
    version.versions = vec![VERSION];
    for end in [
        version,
        error(ErrorCode::UNSUPPORTED_MSG_VERSION),
        error(ErrorCode::UNSUPPORTED_CIPHER_SUITES),
        error(ErrorCode::UNSUPPORTED_SUIT_REPORT),
        error(ErrorCode::BAD_CERTIFICATE),
        error(ErrorCode::CERTIFICATE_EXPIRED),
        error(ErrorCode::PERMANENT_ERROR),
        error(ErrorCode::TEMPORARY_ERROR),
        error(ErrorCode::MANIFEST_PROCESSING_FAILED),
        error(ErrorCode(999)),
    ] {
        let code = end.code;
        assert_eq!(world.process(&agent.sign(end)), None, "{code}");
    }
}

// req: TEEP-TAM-018
#[test]
fn two_sides_that_cannot_agree_come_to_an_end() {
    let agent = Agent::new("one");
    let world = World::new();
    let mut complaint = error(ErrorCode::UNSUPPORTED_CIPHER_SUITES);
    complaint.supported_teep_cipher_suites = vec![CipherSuite::sign1(ED25519)];
    let asks = |agent: &Agent| {
        let asked = (0..100).filter(|_| world.process(&agent.sign(complaint.clone())).is_some());
        asked.count()
    };
    let most = world.tam.settings().questions_per_minute as usize;
    assert_eq!(asks(&agent), most);
    assert_eq!(asks(&Agent::new("two")), most);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(asks(&agent), most);
}

// req: TEEP-TAM-004
// req: TEEP-TAM-002
#[test]
fn what_was_asked_for_must_be_there() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let world = world.with_settings(|settings| settings.also_asked = DataItems::EXTENSIONS);
    let reply = world.process(&agent.answer(&world.connect())).unwrap();
    let fault = agent.open_update(&world, &reply);
    assert_eq!(fault.error, Some(ErrorCode::PERMANENT_ERROR));
    assert!(fault.explanation.unwrap().text.contains("ext-list"));

    // A challenge of the same moment is newer or older by chance.
    world.clock.advance(Duration::from_millis(1));
    let response = QueryResponse {
        ext_list: Some(vec![]),
        ..agent.query_response(&world.connect())
    };
    let reply = world.process(&agent.sign(response)).unwrap();
    assert_eq!(agent.open_update(&world, &reply).manifest_list.len(), 1);
}

// req: TEEP-COSE-010
// req: TEEP-COSE-012
// req: TEEP-MSG-022
// req: TEEP-TOK-003
// req: TEEP-TOK-005
#[test]
fn a_known_device_is_asked_by_token_in_its_suite_and_numbering() {
    for algorithm in CipherSuite::ALGORITHMS {
        let agent = Agent::with("one", algorithm, Numbering::Compact);
        let (world, _) = World::with(&agent);
        let ueid = Ueid::new(agent.ueid.clone()).unwrap();
        assert_eq!(
            world.tam.query_device(&ueid).unwrap(),
            None,
            "not yet known"
        );
        world.session(&agent).unwrap();
        world.clock.advance(Duration::from_secs(1));

        let question = world.tam.query_device(&ueid).unwrap();
        let verified = agent.verify(&world, question.as_ref().unwrap());
        assert_eq!(verified.encoding().numbering, Numbering::Compact);
        let (request, suite) = asked(&world, question).unwrap();
        assert_eq!(suite, algorithm);
        assert_eq!(request.data_items, DataItems::TRUSTED_COMPONENTS);
        assert!(request.token.is_some() && request.challenge.is_none());

        let response = agent.sign(listing(&agent, request.token.clone()));
        let attested_at = world.device(&agent).attested_at;
        world.clock.advance(Duration::from_secs(1));
        let reply = world.process(&response).expect("an Update");
        assert_eq!(agent.open_update(&world, &reply).manifest_list.len(), 1);
        assert_eq!(world.device(&agent).attested_at, attested_at);
        assert_eq!(world.process(&response), None, "its token is used up");

        let question = world.tam.query_device(&ueid).unwrap();
        let (request, _) = asked(&world, question).unwrap();
        world.clock.advance(world.tam.settings().challenge_lifetime);
        let late = agent.sign(listing(&agent, request.token));
        assert_eq!(world.process(&late), None, "expired");
        let question = world.tam.query_device(&ueid).unwrap();
        let (request, _) = asked(&world, question).unwrap();
        let due = request.data_items.contains(DataItems::ATTESTATION);
        assert!(due && request.token.is_none(), "another attestation is due");
    }
}

// req: TEEP-TOK-002
// req: TEEP-TOK-004
#[test]
fn a_token_serves_one_device_and_its_attested_key() {
    let (agent, other) = (Agent::new("one"), Agent::new("two"));
    let (world, _) = World::with(&agent);
    world.enroll(&other, &[]);
    world.session(&agent).unwrap();
    world.session(&other).unwrap();
    let ueid = Ueid::new(agent.ueid.clone()).unwrap();
    let question = world.tam.query_device(&ueid).unwrap();
    let (request, _) = asked(&world, question).unwrap();
    world.clock.advance(Duration::from_millis(1));
    let before = world.dump();
    // Another device, a key that was not attested, no key id, a forged token.
    let rotated = Agent {
        key: other.key.clone(),
        ..agent.clone()
    };
    for message in [
        other.sign(listing(&other, request.token.clone())),
        rotated.sign(listing(&agent, request.token.clone())),
        agent.sign_without_key_id(listing(&agent, request.token.clone())),
        agent.sign(listing(&agent, Some(token(9)))),
    ] {
        assert_eq!(world.process(&message), None);
        assert_eq!(world.dump(), before);
    }
    // Without a token it is an answer to a question that wanted an attestation.
    let bare = agent.sign(listing(&agent, None));
    let told = agent.open_fault(&world, &world.process(&bare).unwrap());
    assert_eq!(told, ErrorCode::ATTESTATION_REQUIRED);
    assert_eq!(world.dump(), before);
    let right = agent.sign(listing(&agent, request.token));
    assert!(world.process(&right).is_some(), "nobody has used it up");
}

// req: TEEP-TAM-003
// req: TEEP-TAM-004
// req: TEEP-MSG-083
#[test]
fn reports_in_a_query_response_hold_its_token() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let update = world.session(&agent).unwrap();
    let ueid = Ueid::new(agent.ueid.clone()).unwrap();
    for good in [false, true] {
        let question = world.tam.query_device(&ueid).unwrap();
        let (request, _) = asked(&world, question).unwrap();
        world.clock.advance(Duration::from_millis(1));
        let about = tamarack_teep::Update {
            token: request.token.clone().filter(|_| good).or(Some(token(3))),
            ..update.clone()
        };
        let response = QueryResponse {
            suit_reports: agent.success(&about).suit_reports,
            ..listing(&agent, request.token)
        };
        let reply = world.process(&agent.sign(response)).unwrap();
        let reply = agent.open_update(&world, &reply);
        assert_eq!(reply.error.is_none(), good);
        assert_eq!(reply.manifest_list.is_empty(), !good);
    }
}

// req: TEEP-TAM-011
// req: TEEP-ERR-010
#[test]
fn what_did_not_fit_follows_in_the_same_exchange() {
    let mut agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    for name in ["a", "b", "c"] {
        let payload = vec![name.as_bytes()[0]; 400 << 10];
        world.publish(&acme.envelope(name, 1, &payload)).unwrap();
        world.deploy("all", &format!("acme/{name}/ta"), Mode::Required);
    }
    let mut update = world.session(&agent).unwrap();
    let mut updates = 1;
    loop {
        agent.install(&update);
        world.clock.advance(Duration::from_millis(1));
        let success = agent.sign(agent.success(&update));
        let Some((request, _)) = asked(&world, world.process(&success)) else {
            break;
        };
        world.clock.advance(Duration::from_millis(1));
        let response = agent.sign(listing(&agent, request.token));
        let Some(reply) = world.process(&response) else {
            break;
        };
        update = agent.open_update(&world, &reply);
        updates += 1;
    }
    assert_eq!(agent.installed.as_ref().unwrap().len(), 4);
    assert!((2..=4).contains(&updates), "{updates} Updates");
    assert_eq!(world.session(&agent), None);
}

// req: TEEP-ERR-010
#[test]
fn what_failed_does_not_keep_the_rest_back_and_is_not_sent_at_once() {
    let mut agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    for name in ["a", "b"] {
        world.publish(&acme.envelope(name, 1, b"ta")).unwrap();
        world.deploy("all", &format!("acme/{name}/ta"), Mode::Required);
    }
    let update = world.session(&agent).unwrap();
    assert_eq!(update.manifest_list.len(), 3);
    // An agent that stops at the first failure.
    let mut failure = agent.failure(&update);
    failure.suit_reports.truncate(1);
    let failed = update.manifest_list[0].clone();
    let reply = world.process(&agent.sign(failure));
    let (request, _) = asked(&world, reply).expect("the rest");
    world.clock.advance(Duration::from_millis(1));
    let reply = world.process(&agent.sign(listing(&agent, request.token)));
    let update = agent.open_update(&world, &reply.unwrap());
    assert_eq!(update.manifest_list.len(), 2);
    assert!(!update.manifest_list.contains(&failed));
    agent.install(&update);
    assert_eq!(world.process(&agent.sign(agent.success(&update))), None);
    let update = world
        .session(&agent)
        .expect("another try, in another exchange");
    assert_eq!(update.manifest_list, [failed]);
}

/// A TAM's attester that says what it was asked.
struct Echo;

impl TamAttester for Echo {
    fn attest(
        &self,
        challenge: Option<&Challenge>,
        key: &PublicKey,
    ) -> Result<AttestationPayload, String> {
        let challenge = challenge.ok_or("no challenge")?;
        Ok(AttestationPayload {
            format: Some("application/x-echo".into()),
            bytes: [challenge.as_bytes(), &key.to_cose_key()].concat(),
        })
    }
}

// req: TEEP-TAM-014
// req: TEEP-FRESH-003
#[test]
fn an_agent_that_wants_the_tam_attested_gets_that_or_nothing() {
    let agent = Agent::with("one", ED25519, Numbering::Sparse);
    let mut wants = error(ErrorCode::ATTESTATION_REQUIRED);
    wants.supported_freshness_mechanisms = vec![FreshnessMechanism::NONCE];
    wants.challenge = Challenge::new(b"prove yourself!".to_vec());
    let world = World::new();
    assert_eq!(world.process(&agent.sign(wants.clone())), None);

    let world = world.with_attester(Box::new(Echo));
    let reply = world.process(&agent.sign(wants.clone()));
    let (request, suite) = asked(&world, reply).unwrap();
    assert_eq!(
        suite, ED25519,
        "one suite, so that one key is confirmed (AMB-25)"
    );
    let payload = request.attestation.unwrap().bytes;
    let key = world.tam.keys().signer(ED25519).unwrap().public_key();
    let expected = [b"prove yourself!".as_slice(), &key.to_cose_key()].concat();
    assert_eq!(payload, expected);
    assert!(
        request.challenge.is_some(),
        "the agent is to attest as well"
    );

    wants.challenge = None;
    assert_eq!(
        world.process(&agent.sign(wants)),
        None,
        "it could not be made"
    );
}

// req: TEEP-MSG-023
// req: TEEP-FRESH-002
#[test]
fn under_the_passport_model_a_token_goes_in_the_place_of_a_challenge() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let world =
        world.with_settings(|settings| settings.attestation_model = AttestationModel::Passport);
    let request = world.open_query_request(&world.tam.process_connect().unwrap());
    assert!(request.data_items.contains(DataItems::ATTESTATION));
    assert!(request.token.is_some() && request.challenge.is_none());
}

// req: TEEP-MSG-081
#[test]
fn a_success_answers_no_question() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    world.session(&agent).unwrap();
    let ueid = Ueid::new(agent.ueid.clone()).unwrap();
    let question = world.tam.query_device(&ueid).unwrap();
    let (request, _) = asked(&world, question).unwrap();
    world.clock.advance(Duration::from_millis(1));
    let before = world.dump();
    let success = tamarack_teep::Success {
        token: request.token.clone(),
        ..Default::default()
    };
    assert_eq!(world.process(&agent.sign(success)), None);
    assert_eq!(world.dump(), before);

    // An Error does, and uses up the token.
    let complaint = Error {
        token: request.token,
        ..error(ErrorCode::UNSUPPORTED_EXTENSION)
    };
    let complaint = agent.sign(Message::from(complaint));
    assert_eq!(world.process(&complaint), None, "no extension was used");
    assert_eq!(world.process(&complaint), None, "used up");
    assert_ne!(world.dump(), before);
}
