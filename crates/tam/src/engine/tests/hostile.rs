//! Exchanges in which somebody does not behave. Whatever happens, the database stays as it was.

use std::time::Duration;

use tamarack_cose::{SecretKey, SignatureAlgorithm, Signer, cbor::Writer, sign, sign1};
use tamarack_rats::Confirmation;
use tamarack_teep::{ErrorCode, Message, QueryRequest, Success, Update};

use crate::{
    AuditAction, Store, Ueid,
    testing::{Agent, World, token},
};

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// Says that `message` gets no answer and leaves no trace.
#[track_caller]
fn ignored(world: &World, message: &[u8]) {
    let before = world.dump();
    assert_eq!(world.process(message), None);
    assert_eq!(world.dump(), before, "nothing is stored");
}

/// Says that `message` gets an Update with `code`, and leaves no trace.
#[track_caller]
fn refused(world: &World, agent: &Agent, message: &[u8], code: ErrorCode) {
    let before = world.dump();
    let reply = world.process(message).expect("an Update");
    assert_eq!(agent.open_fault(world, &reply), code);
    assert_eq!(world.dump(), before, "nothing is stored");
}

// req: TEEP-FRESH-008
// req: TEEP-TOK-003
#[test]
fn a_replayed_query_response_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let response = agent.answer(&world.connect());
    assert!(world.process(&response).is_some());
    ignored(&world, &response);
    world.clock.advance(hours(1));
    ignored(&world, &response);
}

#[test]
fn a_challenge_older_than_the_newest_used_one_is_used_up_too() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let older = world.connect();
    world.clock.advance(Duration::from_secs(1));
    let newer = world.connect();
    assert!(world.process(&agent.answer(&newer)).is_some());
    ignored(&world, &agent.answer(&older));
}

#[test]
fn a_device_that_was_removed_and_enrolled_again_starts_anew() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let response = agent.answer(&world.connect());
    assert!(world.process(&response).is_some());
    world.clock.advance(Duration::from_secs(1));
    let ueid = Ueid::new(agent.ueid.clone()).unwrap();
    assert!(
        world
            .tam
            .store()
            .remove_device(&ueid, &world.entry(AuditAction::RemoveDevice))
            .unwrap()
    );
    world.enroll(&agent, &[]);
    ignored(&world, &response);
    assert!(world.session(&agent).is_some());
}

#[test]
fn of_copies_that_arrive_together_one_is_answered() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let response = agent.answer(&world.connect());
    let answered = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| world.process(&response).is_some()))
            .collect();
        threads
            .into_iter()
            .filter(|_| true)
            .map(|t| t.join().unwrap())
            .filter(|a| *a)
            .count()
    });
    assert_eq!(answered, 1);
}

// req: TEEP-TOK-003
#[test]
fn a_replayed_success_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let update = world.session(&agent).unwrap();
    let success = agent.sign(agent.success(&update));
    assert_eq!(world.process(&success), None);
    assert_eq!(world.device(&agent).pending, None);
    ignored(&world, &success);
}

// req: TEEP-TOK-003
#[test]
fn a_challenge_or_token_that_was_never_issued_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let forged = tamarack_teep::Challenge::new(vec![7; 40]).unwrap();
    ignored(&world, &agent.answer(&forged));
    let elsewhere = World::new();
    ignored(&world, &agent.answer(&elsewhere.connect()));
    // A token where none was sent.
    let mut response = agent.query_response(&world.connect());
    response.token = Some(token(1));
    ignored(&world, &agent.sign(response));

    let update = world.session(&agent).unwrap();
    let forged = Update {
        token: Some(token(1)),
        ..update.clone()
    };
    ignored(&world, &agent.sign(agent.success(&forged)));
    ignored(&world, &agent.sign(agent.failure(&forged)));
    ignored(&world, &agent.sign(Success::default()));
    assert_eq!(world.process(&agent.sign(agent.success(&update))), None);
    assert_eq!(
        world.device(&agent).pending,
        None,
        "the true one still counts"
    );
}

// req: TEEP-TOK-005
// req: TEEP-FRESH-007
// req: TEEP-TOK-006
#[test]
fn what_has_expired_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let challenge = world.connect();
    world.clock.advance(hours(4));
    ignored(&world, &agent.answer(&challenge));

    let challenge = world.connect();
    world.clock.advance(hours(4) - Duration::from_secs(1));
    let reply = world
        .process(&agent.answer(&challenge))
        .expect("just in time");
    let update = agent.open_update(&world, &reply);
    world.clock.advance(hours(24));
    ignored(&world, &agent.sign(agent.success(&update)));
}

// req: TEEP-VAL-004
// req: TEEP-TOK-004
#[test]
fn a_success_or_error_by_a_stranger_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let update = world.session(&agent).unwrap();
    let mut stranger = agent.clone();
    stranger.key = SecretKey::generate(&agent.crypto, SignatureAlgorithm::Esp256).unwrap();
    ignored(&world, &stranger.sign(agent.success(&update)));
    ignored(&world, &stranger.sign(agent.failure(&update)));
    ignored(
        &world,
        &stranger.sign_without_key_id(agent.success(&update)),
    );
    // With the right key id and the wrong key.
    let payload = Message::from(agent.success(&update)).encode(agent.encoding());
    let signer = agent.crypto.signatures.signer(&stranger.key).unwrap();
    let key_id = agent.public_key().key_id(&agent.crypto);
    ignored(&world, &sign1(&*signer, &payload, Some(&key_id)).unwrap());
    // By another device's agent, which is known.
    let other = Agent::new("two");
    world.enroll(&other, &[]);
    let _ = world.session(&other).unwrap();
    ignored(&world, &other.sign(agent.success(&update)));

    assert_eq!(world.process(&agent.sign(agent.success(&update))), None);
    assert_eq!(
        world.device(&agent).pending,
        None,
        "the token was still there"
    );
}

// req: TEEP-TAM-009
// req: TEEP-TAM-010
// req: ARCH-023
#[test]
fn evidence_by_a_stranger_does_not_convince() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let mut stranger = agent.clone();
    stranger.attester = SecretKey::generate(&agent.crypto, SignatureAlgorithm::Esp256).unwrap();
    let code = ErrorCode::ATTESTATION_REQUIRED;
    refused(&world, &agent, &stranger.answer(&world.connect()), code);
    let unknown = Agent::new("nobody");
    refused(&world, &unknown, &unknown.answer(&world.connect()), code);

    // Whether a device is enrolled does not show, not even by what it has done meanwhile.
    let older = world.connect();
    world.clock.advance(Duration::from_secs(1));
    assert!(world.session(&agent).is_some());
    refused(&world, &agent, &stranger.answer(&older), code);
    let text = |agent: &Agent| {
        let reply = world.process(&agent.answer(&world.connect())).unwrap();
        agent.open_update(&world, &reply).explanation
    };
    assert_eq!(text(&stranger), text(&unknown));
}

// req: TEEP-TAM-008
// req: EAT-008
#[test]
fn a_message_not_signed_with_the_bound_key_does_not_convince() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let code = ErrorCode::ATTESTATION_REQUIRED;
    let mut other_key = agent.clone();
    other_key.key = SecretKey::generate(&agent.crypto, SignatureAlgorithm::Esp256).unwrap();
    refused(&world, &agent, &other_key.answer(&world.connect()), code);
    // Evidence that binds no key, by its claims or by an id that nobody knows.
    let mut unbound = agent.clone();
    unbound.confirmation = Confirmation::KeyId(other_key.public_key().key_id(&agent.crypto));
    refused(&world, &agent, &unbound.answer(&world.connect()), code);
}

// req: TEEP-TAM-008
#[test]
fn evidence_of_one_device_does_not_vouch_for_another() {
    let (one, two) = (Agent::new("one"), Agent::new("two"));
    let (world, _) = World::with(&one);
    world.enroll(&two, &[]);
    let challenge = world.connect();
    // The second device's agent sends the first device's Evidence.
    let mut spliced = two.query_response(&challenge);
    spliced.attestation = one.query_response(&challenge).attestation;
    refused(
        &world,
        &two,
        &two.sign(spliced),
        ErrorCode::ATTESTATION_REQUIRED,
    );
    // Its own attester claims to be the first device.
    let mut posing = two.clone();
    posing.ueid.clone_from(&one.ueid);
    refused(
        &world,
        &two,
        &posing.answer(&challenge),
        ErrorCode::ATTESTATION_REQUIRED,
    );
    // Neither has used up the challenge.
    assert!(world.process(&one.answer(&challenge)).is_some());
}

// req: TEEP-MSG-003
// req: TEEP-MSG-004
#[test]
fn a_message_for_agents_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    ignored(
        &world,
        &agent.sign(QueryRequest {
            supported_teep_cipher_suites: vec![tamarack_teep::CipherSuite::sign1(
                SignatureAlgorithm::Esp256,
            )],
            supported_suit_cose_profiles: tamarack_teep::SuitCoseProfile::ALL.to_vec(),
            ..QueryRequest::default()
        }),
    );
    ignored(&world, &agent.sign(Update::default()));
    // Types that are reserved.
    let signer = agent.crypto.signatures.signer(&agent.key).unwrap();
    for kind in [0, 7, 23, 24] {
        let payload = Writer::build(|w| {
            w.array(2).uint(kind).map(0);
        });
        ignored(&world, &sign1(&*signer, &payload, None).unwrap());
    }
    // The TAM's own words, sent back to it.
    ignored(&world, &world.tam.process_connect().unwrap());
}

// req: TEEP-COSE-013
// req: TEEP-COSE-004
#[test]
fn a_suite_that_was_not_offered_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let signer = agent.crypto.signatures.signer(&agent.key).unwrap();
    let signers: [&dyn Signer; 1] = [&*signer];
    let response = Message::from(agent.query_response(&world.connect()));
    let payload = response.encode(agent.encoding());
    ignored(&world, &sign(&agent.crypto, &signers, &payload).unwrap());

    let update = world.session(&agent).unwrap();
    let payload = Message::from(agent.success(&update)).encode(agent.encoding());
    ignored(&world, &sign(&agent.crypto, &signers, &payload).unwrap());
}

#[test]
fn a_response_without_evidence_or_with_garbage_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let mut response = agent.query_response(&world.connect());
    let evidence = response.attestation.take().unwrap();
    ignored(&world, &agent.sign(response.clone()));
    for length in 0..evidence.bytes.len() {
        let mut cut = evidence.clone();
        cut.bytes.truncate(length);
        response.attestation = Some(cut);
        ignored(&world, &agent.sign(response.clone()));
    }
}

// req: TEEP-VAL-001
// req: TEEP-VAL-006
// req: TEEP-MSG-009
#[test]
fn a_message_cut_at_any_byte_is_ignored() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let response = agent.answer(&world.connect());
    let before = world.dump();
    for length in 0..response.len() {
        assert_eq!(world.process(&response[..length]), None, "{length}");
    }
    let trailing = [response.as_slice(), &[0]].concat();
    assert_eq!(world.process(&trailing), None);
    assert_eq!(world.dump(), before);
    assert!(world.process(&response).is_some(), "whole, it is answered");
}

// req: TEEP-VAL-006
#[test]
fn a_message_with_any_bit_flipped_gets_no_manifest() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let response = agent.answer(&world.connect());
    let before = world.dump();
    // The key id in the unprotected header is a hint that no signature covers, and not looked at here.
    let protected = tamarack_teep::Protected::decode(&response, &Default::default()).unwrap();
    let key_id = protected.key_ids().next().unwrap();
    let at = response
        .windows(32)
        .position(|bytes| bytes == key_id.as_bytes())
        .unwrap();
    for position in (0..response.len()).filter(|position| !(at - 3..at + 32).contains(position)) {
        let mut flipped = response.clone();
        flipped[position] ^= 1 << (position % 8);
        if let Some(reply) = world.process(&flipped) {
            let protected = tamarack_teep::Protected::decode(&reply, &Default::default()).unwrap();
            let Message::Update(update) = protected.read_unverified().unwrap().0 else {
                panic!("not an Update")
            };
            assert_eq!(
                update.error,
                Some(ErrorCode::ATTESTATION_REQUIRED),
                "{position}"
            );
        }
    }
    assert_eq!(world.dump(), before);
}

// req: TEEP-OPS-005
#[test]
fn bombs_are_ignored() {
    let world = World::new();
    ignored(&world, &vec![0x81; 10_000]);
    ignored(
        &world,
        &[vec![0xd2, 0x84, 0x40, 0xa0], vec![0x9f; 10_000]].concat(),
    );
    ignored(&world, &vec![0x5f; 10_000]);
    // Declared lengths of 2^63.
    for head in [0x5b_u8, 0x7b, 0x9b, 0xbb] {
        let declared = [[head].as_slice(), &(1_u64 << 63).to_be_bytes()].concat();
        ignored(&world, &declared);
        let payload = Writer::build(|w| {
            w.tag(18)
                .array(4)
                .bytes(&[0xa1, 1, 0x28])
                .map(0)
                .bytes(&declared)
                .bytes(&[0; 64]);
        });
        ignored(&world, &payload);
    }
    ignored(&world, b"");
    ignored(&world, b"GET / HTTP/1.1");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_tam_fail(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        thread_local!(static WORLD: World = World::new());
        WORLD.with(|world| {
            world.process(&bytes);
            let framed = Writer::build(|w| {
                w.tag(18).array(4).bytes(&[0xa1, 1, 0x28]).map(0).bytes(&bytes).bytes(&[0; 64]);
            });
            proptest::prop_assert_eq!(world.process(&framed), None);
            Ok(())
        })?;
    }
}
