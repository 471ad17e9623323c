//! Messages of peers that are in use.

use std::path::PathBuf;

use tamarack_cose::PublicKey;
use tamarack_rats::{Endorsement, Evidence};
use tamarack_suit::{ComponentId, Limits};
use tamarack_teep::{Message, Protected};

use crate::{
    Appraised, AuditAction, Clock, Dropped, PresentedEvidence, Registration, Store, Ueid,
    engine::{attestation::NotAttested, verdict::Verdict},
    register_domain,
    testing::World,
};

/// A file of the published vectors; `None`, said loudly, if they are not there.
fn vector(name: &str) -> Option<Vec<u8>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("TAMARACK_VECTORS").map_or(beside, PathBuf::from);
    let read = std::fs::read(folder.join("interop-2026").join(name));
    read.inspect_err(|error| eprintln!("SKIPPED: {name}: {error}"))
        .ok()
}

fn key(name: &str) -> Option<PublicKey> {
    let jwk = String::from_utf8(vector(name)?).unwrap();
    Some(PublicKey::from_jwk(&jwk).unwrap())
}

// req: TEEP-TAM-015
#[test]
fn a_deployed_agents_messages_are_read_to_the_point_where_they_are_stale() {
    let world = World::new();
    let stale = [
        ("query_response.agent.esp256.cose", Dropped::NotIssued),
        ("query_response_eat.agent.esp256.cose", Dropped::NotIssued),
        ("teep_success.agent.esp256.cose", Dropped::Stranger),
    ];
    for (name, reason) in stale {
        let Some(message) = vector(name) else { return };
        let handled = world.tam.handle(&message).unwrap();
        assert_eq!(handled.verdict, Verdict::Dropped(reason), "{name}");
    }
}

// req: TEEP-TAM-006
// req: TEEP-TAM-008
#[test]
fn a_deployed_agents_evidence_convinces_but_for_its_age() {
    let message = vector("query_response_eat.agent.esp256.cose");
    let (Some(message), Some(attester)) = (message, key("attester-es256-pub.jwk")) else {
        return;
    };
    let protected = Protected::decode(&message, &Default::default()).unwrap();
    let Message::QueryResponse(response) = protected.read_unverified().unwrap().0 else {
        panic!("not a QueryResponse")
    };
    let payload = response.attestation.clone().unwrap();
    let evidence = Evidence::decode(&payload.bytes).unwrap();
    let claims = evidence.unverified_claims();

    let world = World::new();
    let endorsement = Endorsement::new(claims.ueid.clone().unwrap(), attester);
    world
        .tam
        .store()
        .enroll(&endorsement, &world.entry(AuditAction::Enroll))
        .unwrap();
    let attested = world
        .tam
        .attest(&protected, &response, world.clock.now())
        .unwrap();
    assert!(
        matches!(attested, Err(NotAttested::Drop(_))),
        "the challenge is another TAM's"
    );
    let device = world
        .tam
        .store()
        .device(&Ueid::new(endorsement.ueid).unwrap())
        .unwrap()
        .unwrap();
    let nonce = claims.nonce.clone().unwrap();
    let presented = PresentedEvidence {
        format: payload.format.as_deref(),
        bytes: &payload.bytes,
        nonce: Some(&nonce),
        maximum_age: None,
        endorsement: Some(&device.endorsement),
        for_agent_too: false,
        now: 0,
    };
    let Ok(Appraised::Here(found)) = world.tam.appraiser.appraise(&presented) else {
        panic!("the Evidence does not convince")
    };
    let confirmation = Some(found.confirmation);
    let verified = world
        .tam
        .verify_message(&protected, confirmation, None, &device)
        .unwrap();
    assert_eq!(Some(verified.signer()), key("agent-esp256-pub.jwk"));
}

// req: TEEP-MSG-065
#[test]
fn a_deployed_signers_envelope_is_published() {
    let update = vector("update0.tam.esp256.cose");
    let (Some(update), Some(signer)) = (update, key("tc-signer-esp256-pub.jwk")) else {
        return;
    };
    let protected = Protected::decode(&update, &Default::default()).unwrap();
    let Message::Update(update) = protected.read_unverified().unwrap().0 else {
        panic!("not an Update")
    };
    let world = World::new();
    let registration = Registration {
        name: "everything".into(),
        prefix: ComponentId::default(),
        signers: vec![signer],
        anchor: None,
        manifest: None,
    };
    let store = world.tam.store();
    register_domain(&world.tam, &Limits::default(), &registration).unwrap();
    for envelope in &update.manifest_list {
        assert!(world.publish(envelope).unwrap().new);
    }
    let catalog = store.catalog().unwrap();
    let images: Vec<_> = catalog
        .newest()
        .flat_map(|manifest| &manifest.components)
        .collect();
    assert!(
        !images.is_empty() && images.iter().all(|image| !image.digests.is_empty()),
        "{images:?}"
    );
}
