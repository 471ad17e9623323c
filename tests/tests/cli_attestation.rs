//! Attestation among processes: of the TAM to a device, by passport, and for the TAM's eyes only.

use std::fs;

use tamarack_cose::{PublicKey, cbor::Limits, encrypt::Encrypted};
use tamarack_rats::{
    Confirmation, Evidence, Expectation, Freshness, TEEP_EAT_PROFILE, UnverifiedResult,
};
use tamarack_teep::{
    Encoding, Error, ErrorCode, FreshnessMechanism, Message, Protected, QueryResponse, protect,
};
use tamarack_tests::{
    Person, crypto, now,
    system::{Process, World, post, run, start_verifier},
    wasm::{HELLO_1, HELLO_2},
};

/// The TAM of `world`, started again with options.
fn restart_tam(world: &mut World, options: &[&str]) {
    let idle = Process::start("idle", &world.folder, &["--version"]);
    let tam = std::mem::replace(&mut world.tam, idle);
    assert_eq!(tam.stop().code(), Some(0));
    world.restart_tam_with(options);
}

fn deployed() -> World {
    let world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world
}

/// The last QueryResponse that went over the wire.
fn last_response(world: &World) -> QueryResponse {
    match world.wire.last("QueryResponse").1 {
        Message::QueryResponse(response) => response,
        other => panic!("{other:?}"),
    }
}

// req: TEEP-AGENT-009
// req: TEEP-AGENT-011
// req: TEEP-TAM-014
#[test]
fn a_device_that_demands_it_serves_a_tam_that_its_verifier_vouches_for() {
    let mut world = deployed();
    let (_verifier, address) = start_verifier(&world);
    let key = world.path("verifier.pub.pem");
    world.trust(&["--verifier-key", &key]);
    world.policy_check();
    assert_eq!(world.version("acme/hello"), None);
    match world.wire.last("Error").1 {
        Message::Error(error) => {
            assert_eq!(error.code, ErrorCode::ATTESTATION_REQUIRED);
            assert!(error.challenge.is_some());
        }
        other => panic!("{other:?}"),
    }

    restart_tam(
        &mut world,
        &["--own-verifier", &format!("http://{address}")],
    );
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(1));
}

// req: TEEP-TAM-014
#[test]
fn an_agent_that_sends_no_challenge_sees_when_the_tam_was_attested() {
    let mut world = World::new();
    let (_verifier, address) = start_verifier(&world);
    let own_verifier = format!("http://{address}");
    restart_tam(&mut world, &["--own-verifier", &own_verifier]);
    let pem = fs::read_to_string(world.path("verifier.pub.pem")).unwrap();
    let verifier = PublicKey::from_pem(&pem).unwrap();
    for mechanism in [FreshnessMechanism::TIMESTAMP, FreshnessMechanism::NONCE] {
        let mut error = Error::new(ErrorCode::ATTESTATION_REQUIRED);
        error.supported_freshness_mechanisms = vec![mechanism];
        let (agent, encoding) = (Person::new(), Encoding::default());
        let error = protect(&crypto(), agent.signer(), &error.into(), encoding).unwrap();
        let question = post(&world.address, &error).body;
        let question = Protected::decode(&question, &Limits::default()).unwrap();
        let Ok((Message::QueryRequest(asked), _)) = question.read_unverified() else {
            panic!("{question:?}");
        };
        let attestation = asked.attestation.unwrap();
        let result = UnverifiedResult::decode(&attestation.bytes).unwrap();
        let Confirmation::Named { key, .. } = result.unverified_claims().confirmation else {
            panic!("{result:?}");
        };
        question.verify(&crypto(), &[key]).unwrap();
        let expectation = Expectation {
            verifiers: &[verifier],
            profile: TEEP_EAT_PROFILE,
            message_key: &key,
            freshness: Freshness::Timestamp { maximum_age: 60 },
            now: now(),
        };
        result.verify(&crypto(), &expectation).unwrap();
    }
}

// req: TEEP-TAM-007
// req: TEEP-TAM-008
// req: TEEP-FRESH-002
#[test]
fn a_device_shows_the_tam_its_passport() {
    let mut world = deployed();
    let (_verifier, address) = start_verifier(&world);
    let key = world.path("verifier.pub.pem");
    restart_tam(&mut world, &["--passport", "--verifier-key", &key]);
    // Without a Verifier, the device has Evidence only, which holds the token: the TAM appraises that.
    world.policy_check();
    let payload = last_response(&world).attestation.unwrap();
    Evidence::decode(&payload.bytes).unwrap();
    assert_eq!(world.version("acme/hello"), Some(1));

    world.publish("acme/hello", 2, HELLO_2, "acme");
    let verifier = format!("http://{address}/appraise");
    let tam = world.wire.url();
    world.restart_broker(&["--tam", &tam, "--verifier", &verifier]);
    world.policy_check();
    let response = last_response(&world);
    let payload = response.attestation.unwrap();
    let result = UnverifiedResult::decode(&payload.bytes).unwrap();
    let nonce = result.unverified_claims().nonce.clone();
    let token = response.token.unwrap();
    assert_eq!(nonce.as_deref(), Some(token.as_bytes()));
    let logs = (world.tam.log(), world.broker.log(), world.tee.log());
    assert_eq!(world.version("acme/hello"), Some(2), "{logs:?}");
}

// req: TEEP-ENC-001
// req: TEEP-ENC-009
// req: TEEP-PRIV-004
#[test]
fn what_a_device_says_of_itself_is_for_the_tam_only() {
    let mut world = deployed();
    let encryption = world.path("tam.enc.pem");
    let data = world.path("tam");
    let print = [
        "tam",
        "keys",
        "--data",
        &data,
        "--encryption",
        "--format",
        "pem",
    ];
    run(&[&print[..], &["--out", &encryption]].concat()).ok();
    let published = world.get("/keys");
    assert_eq!(published["keys"].as_array().unwrap().len(), 4);
    let tam = world.path("tam.pub.pem");
    world.trust(&["--tam-key", &tam, "--tam-encryption-key", &encryption]);
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(1));
    let payload = last_response(&world).attestation.unwrap();
    Evidence::decode(&payload.bytes).unwrap_err();
    Encrypted::decode(&payload.bytes).unwrap();
    let Message::Success(success) = world.wire.last("Success").1 else {
        panic!("not a Success")
    };
    assert!(!success.suit_reports.is_empty());
    for report in &success.suit_reports {
        tamarack_suit::Report::decode(report).unwrap_err();
        Encrypted::decode(report).unwrap();
    }
    let device = world.admin(&["device", &world.ueid]).json();
    assert!(device["pending"].is_null(), "{device}");
}
