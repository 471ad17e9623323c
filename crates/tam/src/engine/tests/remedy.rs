//! Devices that are genuine and out of date.

use std::time::Duration;

use tamarack_rats::{Claims, Confirmation, Measurement, ReferenceMeasurement};
use tamarack_teep::{AttestationPayload, ErrorCode};

use crate::{
    AuditAction, Mode, Store,
    testing::{Agent, World},
};

/// The answer to a device of which this component has this SHA-256.
fn answer(world: &World, agent: &Agent, component: &str, sha256: [u8; 32]) -> Vec<u8> {
    world.clock.advance(Duration::from_millis(1));
    let challenge = world.connect();
    let claims = Claims {
        nonce: Some(challenge.as_bytes().to_vec()),
        ueid: Some(agent.ueid.clone()),
        confirmation: Some(Confirmation::Key(agent.public_key())),
        measurements: vec![Measurement {
            name: component.into(),
            version: None,
            sha256,
        }],
        ..Claims::default()
    };
    let signer = agent.crypto.signatures.signer(&agent.attester).unwrap();
    let mut response = agent.query_response(&challenge);
    response.attestation = Some(AttestationPayload {
        format: Some("application/eat+cwt".into()),
        bytes: claims.sign(&agent.crypto, &*signer).unwrap(),
    });
    world.clock.advance(Duration::from_millis(1));
    world.process(&agent.sign(response)).expect("an answer")
}

fn endorse(world: &World, agent: &Agent, component: &str) {
    let mut endorsement = agent.endorsement();
    endorsement.reference_measurements = vec![ReferenceMeasurement {
        sha256: vec![[1; 32]],
        ..ReferenceMeasurement::named(component)
    }];
    let entry = world.entry(AuditAction::Enroll);
    world.tam.store().enroll(&endorsement, &entry).unwrap();
}

// req: TEEP-TAM-009
// req: TEEP-TAM-010
// req: ARCH-044
#[test]
fn a_failing_component_is_mended_if_the_tam_may_and_nothing_else_happens() {
    let agent = Agent::new("one");
    let (world, acme) = World::with(&agent);
    world.publish(&acme.envelope("other", 1, b"ta")).unwrap();
    world.deploy("all", "acme/other/ta", Mode::Required);
    endorse(&world, &agent, "acme/lock/ta");

    let reply = answer(&world, &agent, "acme/lock/ta", [2; 32]);
    let update = agent.open_update(&world, &reply);
    assert_eq!(
        update.manifest_list.len(),
        1,
        "what mends it, and not the other"
    );
    assert!(update.unneeded_manifest_list.is_empty() && update.error.is_none());
    let success = agent.sign(agent.success(&update));
    assert_eq!(world.process(&success), None);
    assert_eq!(
        world.device(&agent).installed,
        [],
        "its list does not count"
    );

    // Mended, it is a device like any other.
    let reply = answer(&world, &agent, "acme/lock/ta", [1; 32]);
    assert_eq!(agent.open_update(&world, &reply).manifest_list.len(), 2);
}

// req: TEEP-TAM-010
#[test]
fn what_the_tam_may_not_mend_is_named() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    for component in ["firmware", "not/here", "acme/lock"] {
        endorse(&world, &agent, component);
        let reply = answer(&world, &agent, component, [2; 32]);
        let update = agent.open_update(&world, &reply);
        assert_eq!(update.error, Some(ErrorCode::ATTESTATION_REQUIRED));
        assert!(update.explanation.unwrap().text.contains(component));
        assert!(update.manifest_list.is_empty());
    }
    // Its deployment is gone, so it is not the TAM's to mend.
    let deployment = world.tam.store().catalog().unwrap().deployments()[0].id;
    world.undeploy(deployment);
    endorse(&world, &agent, "acme/lock/ta");
    let reply = answer(&world, &agent, "acme/lock/ta", [2; 32]);
    let code = agent.open_fault(&world, &reply);
    assert_eq!(code, ErrorCode::ATTESTATION_REQUIRED);
}
