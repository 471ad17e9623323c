//! What becomes of Updates.

use std::time::Duration;

use tamarack_cose::{
    KeyId, MacAlgorithm, MacKey,
    encrypt::{ContentAlgorithm, EncryptionKey, Recipient},
    mac0, sign1,
};
use tamarack_suit::{
    Report,
    report::{ReportPayload, ReportResult},
};
use tamarack_teep::{Error, ErrorCode, Success};

use crate::{
    Clock, Mode, RecordedOutcome, Store, Ueid,
    testing::{Agent, World},
};

fn outcomes(world: &World, agent: &Agent) -> Vec<RecordedOutcome> {
    world
        .tam
        .store()
        .outcomes(&Ueid::new(agent.ueid.clone()).unwrap())
        .unwrap()
}

// req: TEEP-ERR-010
// req: TEEP-TAM-018
#[test]
fn a_manifest_that_keeps_failing_is_sent_three_times() {
    let agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    for failures in 1..=3 {
        let update = world.session(&agent).expect("another try");
        assert_eq!(world.process(&agent.sign(agent.failure(&update))), None);
        let outcome = outcomes(&world, &agent).remove(0);
        assert_eq!((outcome.installed, outcome.failures), (false, failures));
        assert_eq!(outcome.reason, "condition-failed");
    }
    assert_eq!(world.session(&agent), None, "enough");

    world
        .publish(&acme.envelope("lock", 2, b"repaired"))
        .unwrap();
    let update = world.session(&agent).expect("something newer");
    for _ in 0..3 {
        world.process(&agent.sign(agent.failure(&update)));
        let _ = world.session(&agent);
    }
    world.deploy("all", "acme/other", Mode::OnRequest);
    assert!(
        world.session(&agent).is_some(),
        "the deployments have changed"
    );
}

#[test]
fn an_update_that_is_never_answered_is_sent_three_times() {
    let agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    let minute = Duration::from_secs(60);
    assert!(world.session(&agent).is_some());
    for failures in 1..=2 {
        world.clock.advance(minute);
        assert!(world.session(&agent).is_some(), "another try");
        assert!(world.session(&agent).is_some(), "asked twice");
        let outcome = outcomes(&world, &agent).remove(0);
        assert_eq!((outcome.installed, outcome.failures), (false, failures));
        assert_eq!(outcome.reason, "no answer");
    }
    world.clock.advance(minute);
    for _ in 0..2 {
        assert_eq!(world.session(&agent), None, "enough");
        assert_eq!(outcomes(&world, &agent)[0].failures, 3);
        world.clock.advance(minute);
    }
    world
        .publish(&acme.envelope("lock", 2, b"repaired"))
        .unwrap();
    assert!(world.session(&agent).is_some(), "something newer");
}

#[test]
fn what_is_there_although_nobody_said_so_has_not_failed() {
    let mut agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    agent.install(&world.session(&agent).unwrap());
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.session(&agent), None);
    let outcome = outcomes(&world, &agent).remove(0);
    assert_eq!((outcome.installed, outcome.failures), (true, 0));
}

#[test]
fn an_update_whose_answer_was_lost_ends_with_the_list_of_components() {
    let mut agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let update = world.session(&agent).unwrap();
    agent.install(&update);
    assert_eq!(world.session(&agent), None);
    assert_eq!(world.device(&agent).pending, None);
    // Nothing is left that could expire and count as a failure, and the answer comes too late to count.
    world.clock.advance(world.tam.settings().update_lifetime);
    let discarded = world.tam.store().discard_expired(world.clock.now());
    assert_eq!(discarded.unwrap(), 0);
    assert_eq!(world.process(&agent.sign(agent.success(&update))), None);
    let outcome = outcomes(&world, &agent).remove(0);
    assert_eq!((outcome.installed, outcome.failures), (true, 0));
}

#[test]
fn an_update_that_expires_unanswered_counts() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    assert!(world.session(&agent).is_some());
    world.clock.advance(world.tam.settings().update_lifetime);
    let discarded = world.tam.store().discard_expired(world.clock.now());
    assert_eq!(discarded.unwrap(), 1);
    assert_eq!(world.device(&agent).pending, None);
    let outcome = outcomes(&world, &agent).remove(0);
    assert_eq!(
        (outcome.failures, outcome.reason.as_str()),
        (1, "no answer")
    );
}

// req: TEEP-ERR-002
#[test]
fn errors_of_each_kind_are_counted_or_not() {
    let cases = [
        (ErrorCode::PERMANENT_ERROR, Some(1)),
        (ErrorCode(999), Some(1)),
        (ErrorCode::MANIFEST_PROCESSING_FAILED, Some(1)),
        (ErrorCode::TEMPORARY_ERROR, None),
    ];
    for (code, failures) in cases {
        let agent = Agent::new("one");
        let (world, _) = World::with(&agent);
        let update = world.session(&agent).unwrap();
        let error = Error {
            token: update.token,
            ..Error::new(code)
        };
        assert_eq!(world.process(&agent.sign(error)), None);
        let counted = outcomes(&world, &agent)
            .first()
            .map(|outcome| outcome.failures);
        assert_eq!(counted, failures, "{code}");
        assert_eq!(world.device(&agent).pending, None);
    }
}

#[test]
fn of_several_manifests_each_has_its_outcome() {
    let agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    for name in ["a", "b"] {
        world
            .publish(&acme.envelope(name, 1, name.as_bytes()))
            .unwrap();
        world.deploy("all", &format!("acme/{name}/ta"), Mode::Required);
    }
    let update = world.session(&agent).unwrap();
    assert_eq!(update.manifest_list.len(), 3);
    // The first went well, the second failed, the third was not tried.
    let mut error = agent.failure(&update);
    error.suit_reports.truncate(2);
    error.suit_reports[0] = agent.reports(&update, &ReportResult::Success).remove(0);
    // What was not tried is gone on with in the same exchange.
    assert!(world.process(&agent.sign(error)).is_some());
    let found: Vec<_> = outcomes(&world, &agent)
        .iter()
        .map(|outcome| outcome.installed)
        .collect();
    assert_eq!(found.len(), 2);
    assert!(found.contains(&true) && found.contains(&false));
}

#[test]
fn a_report_that_contradicts_a_success_is_believed() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let update = world.session(&agent).unwrap();
    let failure = agent.failure(&update).suit_reports;
    let success = Success {
        suit_reports: failure,
        ..agent.success(&update)
    };
    assert_eq!(world.process(&agent.sign(success)), None);
    assert_eq!(outcomes(&world, &agent)[0].failures, 1);
    assert_eq!(world.audit().last().unwrap(), "update-failed");
}

// req: TEEP-TAM-013
// req: TEEP-TOK-003
#[test]
fn a_report_about_another_update_is_not_believed() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let other = world.session(&agent).unwrap();
    let update = world.session(&agent).unwrap();
    for reports in [
        agent.success(&other).suit_reports,
        vec![b"no report".to_vec()],
    ] {
        let update = world.session(&agent).unwrap();
        let success = Success {
            suit_reports: reports,
            ..agent.success(&update)
        };
        assert_eq!(world.process(&agent.sign(success)), None);
        assert_eq!(outcomes(&world, &agent), []);
        assert_eq!(world.device(&agent).pending, None, "its token is used up");
        assert_eq!(world.audit().last().unwrap(), "answer-refused");
    }
    assert_eq!(world.process(&agent.sign(agent.success(&update))), None);
}

// req: TEEP-ENC-005
// req: TEEP-ENC-009
// req: TEEP-ENC-011
// req: TEEP-MSG-082
#[test]
fn reports_are_read_in_each_container() {
    let agent = Agent::new("one");
    let crypto = &agent.crypto;
    let stranger = Agent::new("report signer");
    let signer = crypto.signatures.signer(&stranger.key).unwrap();
    let mac_key = MacKey::generate(crypto, MacAlgorithm::Hmac256).unwrap();
    let (world, _) = World::with(&agent);
    let encrypted = |report: &[u8], cipher, key: &EncryptionKey| {
        let report = Report::decode(report).unwrap();
        let recipients = [Recipient::agreement(key)];
        ReportPayload::encrypted(&report, crypto, cipher, &recipients).unwrap()
    };
    let [p256, x25519] = world.tam.keys().encryption_keys() else {
        panic!("two keys")
    };
    type Container<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let containers: [Container<'_>; 9] = [
        &|report| report.to_vec(),
        &|report| sign1(&*signer, report, None).unwrap(),
        &|report| sign1(&*signer, report, None).unwrap()[1..].to_vec(),
        &|report| mac0(crypto, &mac_key, report, None),
        &|report| mac0(crypto, &mac_key, report, None)[1..].to_vec(),
        // One for each profile, with the curve that goes with its signatures.
        &|report| {
            encrypted(report, ContentAlgorithm::A128Ctr, p256)
                .carried()
                .to_vec()
        },
        &|report| {
            encrypted(report, ContentAlgorithm::A128Ctr, x25519)
                .carried()
                .to_vec()
        },
        &|report| {
            encrypted(report, ContentAlgorithm::A128Gcm, p256)
                .carried()
                .to_vec()
        },
        &|report| {
            let inside = encrypted(report, ContentAlgorithm::ChaCha20Poly1305, x25519);
            inside.sign(crypto, &*signer).unwrap()
        },
    ];
    for (number, container) in containers.into_iter().enumerate() {
        world.enroll(&agent, &[("round", &number.to_string())]);
        let update = world.session(&agent).unwrap();
        let mut success = agent.success(&update);
        success.suit_reports = success.suit_reports.iter().map(|r| container(r)).collect();
        world.process(&agent.sign(success));
        let last = world.audit().pop().unwrap();
        assert_eq!(last, "update-succeeded", "{number}");
    }

    let update = world.session(&agent).unwrap();
    let own = crypto.signatures.signer(&agent.key).unwrap();
    let key_id = KeyId::of(own.public_key(), crypto);
    let mut success = agent.success(&update);
    success.suit_reports = success
        .suit_reports
        .iter()
        .map(|report| sign1(&*own, report, Some(&key_id)).unwrap())
        .collect();
    assert_eq!(world.process(&agent.sign(success)), None);
    assert_eq!(world.audit().pop().unwrap(), "answer-refused");
}

#[test]
fn an_answer_without_key_id_finds_its_device() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    for name in ["two", "three"] {
        let other = Agent::new(name);
        world.enroll(&other, &[]);
        world.session(&other).unwrap();
    }
    let update = world.session(&agent).unwrap();
    assert_eq!(
        world.process(&agent.sign_without_key_id(agent.success(&update))),
        None
    );
    assert_eq!(world.device(&agent).pending, None);
}

// req: TEEP-TAM-014
#[test]
fn an_error_about_the_query_request_ends_the_exchange() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let codes = [3, 4, 5, 7, 10].map(ErrorCode);
    let _ = world.session(&agent);
    let before = world.dump();
    for code in codes {
        assert_eq!(world.process(&agent.sign(Error::new(code))), None);
    }
    assert_eq!(
        world.dump(),
        before,
        "it can be replayed, so it is not counted"
    );
}

#[test]
fn every_decision_is_in_the_audit() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let update = world.session(&agent).unwrap();
    world.process(&agent.sign(agent.success(&update)));
    let expected = [
        "enroll",
        "register-domain",
        "publish",
        "deploy",
        "new-agent-key",
        "send-update",
        "update-succeeded",
    ];
    assert_eq!(world.audit(), expected);
    let records = world.tam.store().audit(5, 1).unwrap();
    assert_eq!(records[0].detail, "install acme/lock/suit 1");
}
