//! Exchanges in which everybody behaves.

use std::time::Duration;

use tamarack_cose::Signed;
use tamarack_rats::{Confirmation, Endorsement};
use tamarack_suit::{
    SequenceNumber, SuitDigest, Uuid,
    author::{ComponentBuilder, ManifestBuilder},
};
use tamarack_teep::{
    CipherSuite, DataItems, ErrorCode, Numbering, QueryResponse, RequestedComponent,
    SuitCoseProfile,
};

use crate::{
    AuditAction, Clock, Mode, Store,
    testing::{Agent, World, id, untagged},
};

// req: TEEP-TAM-001
// req: TEEP-MSG-020
// req: TEEP-MSG-021
// req: TEEP-MSG-022
// req: TEEP-MSG-023
// req: TEEP-COSE-006
// req: TEEP-BROKER-011
// req: TEEP-COSE-009
// req: TEEP-ENC-009
#[test]
fn a_query_request_offers_everything_and_asks_for_evidence() {
    let world = World::new();
    let before = world.dump();
    let bytes = world.tam.process_connect().unwrap();
    let Ok(Signed::Sign(sign)) = Signed::decode(&bytes) else {
        panic!("not a COSE_Sign")
    };
    let algorithms: Vec<_> = sign.signatures().map(|h| h.algorithm().unwrap()).collect();
    assert_eq!(algorithms, CipherSuite::ALGORITHMS);

    let request = world.open_query_request(&bytes);
    assert_eq!(request.token, None);
    assert!(request.challenge.unwrap().as_bytes().len() <= 64);
    assert!(request.versions.is_empty() && request.supported_freshness_mechanisms.is_empty());
    assert_eq!(
        request.data_items,
        DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS
    );
    let suites: Vec<_> = CipherSuite::ALGORITHMS.map(CipherSuite::sign1).into();
    assert_eq!(request.supported_teep_cipher_suites, suites);
    assert_eq!(request.supported_suit_cose_profiles, SuitCoseProfile::ALL);
    assert_eq!(
        world.dump(),
        before,
        "a session that begins leaves no trace"
    );
}

// req: TEEP-TAM-011
// req: TEEP-TAM-018
// req: TEEP-MSG-066
// req: TEEP-COSE-012
// req: TEEP-COSE-013
#[test]
fn a_device_gets_what_it_shall_have_in_each_suite_and_numbering() {
    for algorithm in CipherSuite::ALGORITHMS {
        for numbering in [Numbering::Sparse, Numbering::Compact] {
            let mut agent = Agent::with("one", algorithm, numbering);
            let (world, _) = World::with(&agent);

            let update = world.session(&agent).expect("an Update");
            let published = world.tam.store().catalog().unwrap();
            let published = published.newest().next().unwrap().id;
            let published = world.tam.store().envelope(published).unwrap().unwrap();
            assert_eq!(
                update.manifest_list,
                [untagged(&published)],
                "byte for byte"
            );
            assert!(update.token.is_some() && update.error.is_none());
            let device = world.device(&agent);
            assert_eq!(device.numbering, Some(numbering));
            assert_eq!(device.agent_key, Some(agent.public_key()));
            assert!(device.pending.is_some());

            assert_eq!(world.process(&agent.sign(agent.success(&update))), None);
            assert_eq!(world.device(&agent).pending, None);
            let ueid = crate::Ueid::new(agent.ueid.clone()).unwrap();
            let outcomes = world.tam.store().outcomes(&ueid).unwrap();
            assert!(outcomes.len() == 1 && outcomes[0].installed);

            agent.install(&update);
            assert_eq!(world.session(&agent), None, "nothing is left to do");
            assert_eq!(world.device(&agent).installed.len(), 1);
        }
    }
}

#[test]
fn a_newer_release_replaces_the_older_and_a_removed_deployment_unlinks_it() {
    let mut agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    let update = world.session(&agent).unwrap();
    agent.install(&update);
    world.process(&agent.sign(agent.success(&update)));

    let second = acme.envelope("lock", 2, b"second");
    world.publish(&second).unwrap();
    let update = world.session(&agent).unwrap();
    assert_eq!(update.manifest_list, [untagged(&second)]);
    agent.install(&update);
    world.process(&agent.sign(agent.success(&update)));
    assert_eq!(world.session(&agent), None);

    let deployment = world.tam.store().catalog().unwrap().deployments()[0].id;
    world.undeploy(deployment);
    let update = world.session(&agent).unwrap();
    assert_eq!(update.unneeded_manifest_list, [id("acme/lock/suit")]);
    assert!(update.manifest_list.is_empty());
    agent.installed = Some(Vec::new());
    assert_eq!(world.process(&agent.sign(agent.success(&update))), None);
    assert_eq!(world.session(&agent), None);
}

// A digest by SHA-256/64, which COSE has and this TAM does not, by one that nobody has, and none at all.
#[test]
fn where_digests_do_not_compare_what_the_device_said_it_installed_counts() {
    for algorithm in [Some(-15), Some(-999), Some(i64::MIN), None] {
        let mut agent = Agent::new("one");
        let (world, acme) = World::with(&agent);
        let digest = algorithm.map(|algorithm| SuitDigest::of_any(algorithm, &[0; 8]).unwrap());
        agent.installed = Some(vec![(id("acme/lock/ta"), digest)]);
        let update = world.session(&agent).expect("what is there is not known");
        assert_eq!(update.manifest_list.len(), 1);
        assert_eq!(world.device(&agent).installed[0].digest, digest);
        world.process(&agent.sign(agent.success(&update)));
        assert_eq!(world.session(&agent), None);

        world.publish(&acme.envelope("lock", 2, b"second")).unwrap();
        let update = world.session(&agent).expect("the next release");
        world.process(&agent.sign(agent.success(&update)));
        assert_eq!(world.session(&agent), None);

        agent.installed = Some(Vec::new());
        assert!(world.session(&agent).is_some(), "it is gone");
    }
}

#[test]
fn a_device_gets_on_request_what_it_asks_for() {
    let mut agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let deployment = world.tam.store().catalog().unwrap().deployments()[0].id;
    world.undeploy(deployment);
    world.enroll(&agent, &[("site", "lab")]);
    world.deploy("site=lab", "acme/lock/ta", Mode::OnRequest);
    assert_eq!(world.session(&agent), None);

    agent.requested = vec![RequestedComponent::any_version(id("acme/lock/ta"))];
    let update = world.session(&agent).expect("what was asked for");
    assert_eq!(update.manifest_list.len(), 1);
    agent.install(&update);
    agent.requested.clear();
    assert_eq!(world.session(&agent), None);

    agent.unneeded = vec![id("acme/lock/suit")];
    let update = world.session(&agent).expect("an unlinking");
    assert_eq!(update.unneeded_manifest_list, agent.unneeded);
}

// req: TEEP-TAM-005
// req: TEEP-MSG-027
#[test]
fn evidence_without_a_format_is_accepted_and_a_result_is_not() {
    let mut agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    agent.format = None;
    assert!(world.session(&agent).is_some());
    agent.profile = Some(tamarack_teep::TEEP_EAT_PROFILE.into());
    let before = world.dump();
    let reply = world.process(&agent.answer(&world.connect())).unwrap();
    assert_eq!(
        agent.open_fault(&world, &reply),
        ErrorCode::ATTESTATION_REQUIRED
    );
    assert_eq!(world.dump(), before);
}

// req: TEEP-TAM-008
// req: EAT-008
#[test]
fn a_key_bound_by_its_id_alone_must_be_known() {
    let mut agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let by_id = Confirmation::KeyId(agent.public_key().key_id(&agent.crypto));
    let by_value = std::mem::replace(&mut agent.confirmation, by_id);
    let reply = world.process(&agent.answer(&world.connect())).unwrap();
    assert_eq!(
        agent.open_fault(&world, &reply),
        ErrorCode::ATTESTATION_REQUIRED
    );

    agent.confirmation = by_value;
    assert!(world.session(&agent).is_some());
    agent.confirmation = by_id;
    assert!(world.session(&agent).is_some(), "it is known by now");

    // Or its maker has endorsed it.
    let mut agent = Agent::new("two");
    let (world, _) = World::with(&Agent::new("one"));
    agent.confirmation = Confirmation::KeyId(agent.public_key().key_id(&agent.crypto));
    let mut endorsement = agent.endorsement();
    endorsement.agent_keys = vec![agent.public_key()];
    let endorsement = Endorsement::from_json(&endorsement.to_json()).unwrap();
    assert_eq!(endorsement.agent_keys, [agent.public_key()]);
    let entry = world.entry(AuditAction::Enroll);
    world.tam.store().enroll(&endorsement, &entry).unwrap();
    assert!(world.session(&agent).is_some());
}

// req: TEEP-TAM-002
#[test]
fn a_known_agent_is_told_that_its_attestation_is_missing() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let bare = || {
        let response = QueryResponse {
            attestation: None,
            ..agent.query_response(&world.connect())
        };
        agent.sign(response)
    };
    // Nobody knows who that is.
    assert_eq!(world.process(&bare()), None);
    world.session(&agent).unwrap();
    let before = world.dump();
    let reply = world.process(&bare()).unwrap();
    assert_eq!(
        agent.open_fault(&world, &reply),
        ErrorCode::ATTESTATION_REQUIRED
    );
    assert_eq!(world.dump(), before);
}

// req: TEEP-TAM-002
// req: TEEP-TAM-004
#[test]
fn a_missing_tc_list_and_an_unknown_version_are_permanent_errors() {
    let mut agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    agent.installed = None;
    let response = agent.answer(&world.connect());
    let reply = world.process(&response).unwrap();
    assert_eq!(agent.open_fault(&world, &reply), ErrorCode::PERMANENT_ERROR);
    assert_eq!(world.process(&response), None, "its challenge is used up");
    assert_eq!(world.device(&agent).pending, None);

    // req: TEEP-MSG-041
    agent.installed = Some(Vec::new());
    world.clock.advance(Duration::from_secs(1));
    let mut response = agent.query_response(&world.connect());
    response.selected_version = Some(1);
    let reply = world.process(&agent.sign(response)).unwrap();
    assert_eq!(agent.open_fault(&world, &reply), ErrorCode::PERMANENT_ERROR);
    assert_eq!(world.device(&agent).installed, []);
}

#[test]
fn an_empty_tc_list_is_a_list() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    assert!(world.session(&agent).is_some());
    assert_eq!(world.device(&agent).attested_at, Some(world.clock.now()));
}

// req: TEEP-TOK-008
// req: TEEP-TOK-010
#[test]
fn a_new_update_supersedes_the_one_before() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let first = world.session(&agent).unwrap();
    let second = world.session(&agent).unwrap();
    // req: TEEP-TOK-001
    assert_ne!(first.token, second.token);
    let before = world.dump();
    assert_eq!(world.process(&agent.sign(agent.success(&first))), None);
    assert_eq!(world.dump(), before, "it is answered too late");
    assert_eq!(world.process(&agent.sign(agent.success(&second))), None);
    assert_eq!(world.device(&agent).pending, None);
}

// req: TEEP-TAM-011
#[test]
fn what_does_not_fit_into_one_update_comes_with_the_next() {
    let mut agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    for name in ["a", "b", "c"] {
        world
            .publish(&acme.envelope(name, 1, &[7; 300 << 10]))
            .unwrap();
        world.deploy("all", &format!("acme/{name}/ta"), Mode::Required);
    }
    let mut updates = Vec::new();
    while let Some(update) = world.session(&agent) {
        agent.install(&update);
        updates.push(update.manifest_list.len());
    }
    assert_eq!(updates, [2, 2]);
}

// req: TEEP-TAM-011
#[test]
fn a_manifest_for_another_class_is_not_sent() {
    let agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    let update = world.session(&agent).unwrap();
    world.process(&agent.sign(agent.success(&update)));
    let content = ComponentBuilder::new(id("acme/other/ta")).class(Uuid([1; 16]));
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("acme/other/suit"))
        .component(content.integrated(&world.crypto, "#ta", b"x"))
        .build()
        .unwrap();
    let signer = world.crypto.signatures.signer(&acme.key).unwrap();
    world
        .publish(&draft.sign(&world.crypto, &[&*signer]).unwrap())
        .unwrap();
    world.deploy("all", "acme/other/ta", Mode::Required);
    let mut installed = agent.clone();
    installed.install(&update);
    for (class, sent) in [(Some(2), false), (Some(1), true), (None, true)] {
        let mut endorsement = agent.endorsement();
        endorsement.class_ids = class.map(|class| [class; 16]).into_iter().collect();
        let entry = world.entry(AuditAction::Enroll);
        world.tam.store().enroll(&endorsement, &entry).unwrap();
        assert_eq!(world.session(&installed).is_some(), sent, "{class:?}");
    }
}

#[test]
fn what_fits_into_no_update_by_now_does_not_hold_up_the_rest() {
    let agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    world
        .publish(&acme.envelope("big", 1, &[7; 300 << 10]))
        .unwrap();
    world.deploy("all", "acme/big/ta", Mode::Required);
    let world = world.with_update_bytes(200 << 10);
    let update = world.session(&agent).unwrap();
    assert_eq!(update.manifest_list.len(), 1, "big comes before lock");
    let mut agent = agent;
    agent.install(&update);
    assert_eq!(world.session(&agent), None);
}
