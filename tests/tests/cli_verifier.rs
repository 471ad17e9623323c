//! A Verifier, a TAM that asks it, and a device, as processes.

use serde_json::Value;
use tamarack_cose::{PublicKey, rustcrypto};
use tamarack_rats::{
    Confirmation, EarPolicy, Expectation, Freshness, PayloadKind, PresentedResult,
    TEEP_EAT_PROFILE, TrustTier, UnverifiedEar,
};
use tamarack_teep::{Message, QueryResponse};
use tamarack_tests::{
    system::{Process, Response, World, eventually, request, run, start_verifier},
    wasm::HELLO_1,
};

/// The TAM of `world`, started again with options.
fn restart_tam(world: &mut World, options: &[&str]) {
    let idle = Process::start("idle", &world.folder, &["--version"]);
    let tam = std::mem::replace(&mut world.tam, idle);
    assert_eq!(tam.stop().code(), Some(0));
    world.restart_tam_with(options);
}

/// The last Evidence that went from the device to the TAM.
fn evidence(world: &World) -> (Vec<u8>, QueryResponse) {
    let (_, message) = world.wire.last("QueryResponse");
    let Message::QueryResponse(response) = message else {
        panic!("not a QueryResponse")
    };
    let payload = response.attestation.clone().unwrap();
    (payload.bytes, response)
}

fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

// req: TEEP-TAM-006
// req: TEEP-TAM-007
// req: TEEP-TAM-017
// req: EAT-001
// req: ARCH-023
#[test]
fn a_tam_asks_a_verifier_and_takes_its_word_by_its_key_alone() {
    let mut world = World::new();
    let (verifier, address) = start_verifier(&world);
    let (url, key) = (format!("http://{address}"), world.path("verifier.pub.pem"));
    let print = ["verifier", "key", "--data", &world.path("verifier")];
    run(&[&print[..], &["--format", "pem", "--out", &key]].concat()).ok();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");

    // A TAM that trusts another Verifier's key believes nothing of what this one says.
    let stranger = world.path("acme.pub.pem");
    restart_tam(
        &mut world,
        &["--verifier", &url, "--verifier-key", &stranger],
    );
    world.policy_check();
    assert_eq!(world.version("acme/hello"), None);
    assert!(
        world.tam.log().contains("not trusted"),
        "{}",
        world.tam.log()
    );

    restart_tam(&mut world, &["--verifier", &url, "--verifier-key", &key]);
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(1));
    assert!(verifier.log().contains("affirming"), "{}", verifier.log());

    // A revoked key does not attest itself back in.
    let device = world.admin(&["device", &world.ueid]).json();
    let agent = device["agent_key"].as_str().unwrap();
    world.admin(&["revoke", "--key-id", agent]).ok();
    world.policy_check();
    assert!(
        world.tam.log().contains("is revoked"),
        "{}",
        world.tam.log()
    );

    // Without the Verifier nobody is attested, and nothing is lost.
    restart_tam(&mut world, &["--verifier", &url, "--verifier-key", &key]);
    verifier.kill();
    let socket = world.path("app.sock");
    let check = ["app", "--socket", &socket, "policy-check"];
    let _check = Process::start("check", &world.folder, &check);
    eventually("the TAM says so", || {
        let said = world.tam.log().contains("the Verifier can't be asked");
        said.then_some(())
    });
    assert_eq!(world.version("acme/hello"), Some(1));
}

// req: TEEP-TAM-017
// req: EAT-001
#[test]
fn a_verifier_answers_in_every_format_and_in_sessions() {
    let world = World::new();
    world.policy_check();
    let (_verifier, address) = start_verifier(&world);
    let (evidence, _) = evidence(&world);
    let crypto = rustcrypto::provider();
    let key = request(&address, "GET", "/.well-known/verifier/key.jwk", &[], b"");
    let key = PublicKey::from_jwk(std::str::from_utf8(&key.body).unwrap()).unwrap();
    let cose = request(&address, "GET", "/.well-known/verifier/key.cose", &[], b"");
    assert_eq!(PublicKey::from_cose_key(&cose.body), Ok(key));
    let described = request(
        &address,
        "GET",
        "/.well-known/veraison/verification",
        &[],
        b"",
    );
    assert_eq!(json_of(&described)["service-state"], "READY");

    let eat = ("content-type", "application/eat+cwt");
    let ask = |accept: &str, evidence: &[u8]| {
        request(
            &address,
            "POST",
            "/appraise",
            &[eat, ("accept", accept)],
            evidence,
        )
    };
    // Each format, verified as a TAM or an agent does.
    for (accept, kind) in [
        (
            "application/eat+cwt; eat_profile=\"urn:ietf:rfc:rfcXXXX\"",
            PayloadKind::TeepResult,
        ),
        (
            "application/eat+jwt; eat_profile=\"tag:ietf.org,2026:rats/ear#03\"",
            PayloadKind::EarJwt,
        ),
        (
            "application/eat+cwt; eat_profile=\"tag:ietf.org,2026:rats/ear#03\"",
            PayloadKind::EarCwt,
        ),
    ] {
        let response = ask(accept, &evidence);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("content-type"), Some(accept));
        let result = PresentedResult::decode(kind, &response.body)
            .unwrap()
            .unwrap();
        let nonce = result.unverified_nonce().unwrap().to_vec();
        let Some(Confirmation::Named { key: agent, .. }) = result.unverified_confirmation() else {
            panic!("the key is not in it")
        };
        let expectation = Expectation {
            verifiers: &[key],
            profile: TEEP_EAT_PROFILE,
            message_key: &agent,
            freshness: Freshness::Nonce(&nonce),
            now: result.unverified_issued_at().unwrap(),
        };
        let subject = result
            .verify(&crypto, &expectation, EarPolicy::default())
            .unwrap();
        assert_eq!(base16ct::lower::encode_string(&subject.ueid), world.ueid);
    }
    // All together.
    let all = json_of(&ask("application/json", &evidence));
    assert_eq!(all["results"].as_array().unwrap().len(), 3);
    assert_eq!(ask("text/html", &evidence).status, 406);

    // Evidence that was changed: a result for a TAM can't say so, an EAR can.
    let mut changed = evidence.clone();
    *changed.last_mut().unwrap() ^= 1;
    let refused = ask("application/eat+cwt", &changed);
    assert_eq!(refused.status, 403);
    let ear = ask("application/eat+jwt", &changed);
    let ear = UnverifiedEar::decode_jwt(&ear.body).unwrap();
    assert_eq!(ear.unverified_claims().tier(), TrustTier::Contraindicated);
    assert_eq!(ear.unverified_claims().confirmation(), None);

    // Hostile input.
    assert_eq!(ask("application/eat+cwt", b"junk").status, 400);
    assert_eq!(ask("application/eat+cwt", &vec![0; 300 << 10]).status, 413);
    let other = ("content-type", "application/vnd.example");
    let unknown = request(&address, "POST", "/appraise", &[other], &evidence);
    assert_eq!(unknown.status, 415);

    // A session: its nonce is fresh, so that Evidence from before does not pass.
    let api = "/challenge-response/v1";
    let open = |query: &str| {
        request(
            &address,
            "POST",
            &format!("{api}/newSession{query}"),
            &[],
            b"",
        )
    };
    let opened = open("?nonceSize=32");
    assert_eq!(opened.status, 201);
    assert_eq!(json_of(&opened)["status"], "waiting");
    let session = format!("{api}/{}", opened.header("location").unwrap());
    let complete = request(&address, "POST", &session, &[eat], &evidence);
    assert_eq!(complete.status, 200, "{complete:?}");
    let state = json_of(&complete);
    assert_eq!(state["status"], "complete");
    let jwt = state["result"].as_str().unwrap();
    let stale = UnverifiedEar::decode_jwt(jwt.as_bytes()).unwrap();
    assert_eq!(stale.unverified_claims().tier(), TrustTier::Contraindicated);
    assert_eq!(
        request(&address, "POST", &session, &[eat], &evidence).status,
        400,
        "once"
    );
    assert_eq!(request(&address, "GET", &session, &[], b"").status, 200);
    assert_eq!(request(&address, "DELETE", &session, &[], b"").status, 204);
    assert_eq!(request(&address, "GET", &session, &[], b"").status, 404);
    for bad in ["?nonceSize=7", "?nonceSize=65", "?nonce=AAAA", "?nonce=%21"] {
        assert_eq!(open(bad).status, 400, "{bad}");
    }
}
