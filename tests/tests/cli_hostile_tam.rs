//! A TAM under attack: the right status, one line of log without secrets, no growing state, and it serves on.

use std::sync::Arc;

use tamarack_cose::{SecretKey, cbor::Writer};
use tamarack_rats::{Claims, Evidence};
use tamarack_teep::{
    AttestationPayload, Encoding, ErrorCode, Message, Protected, QueryResponse, Success, protect,
};
use tamarack_tests::{
    Person, Tam, crypto,
    system::{Response, World, post, request, send_slowly},
    wasm::HELLO_1,
};

const TEEP: &str = "application/teep+cbor";

/// A world in which one Update went through, and the TAM is quiet.
fn world() -> World {
    let world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(1));
    world
}

/// Log lines of messages that were dropped.
fn dropped(world: &World) -> usize {
    world.tam.log().matches("outcome=\"dropped\"").count()
}

/// What there is to know about the TAM's state, as an operator sees it.
fn state(world: &World) -> String {
    let device = world.admin(&["device", &world.ueid]).json();
    let audit = world.admin(&["audit", "--limit", "1000"]).json();
    format!("{device}{audit}")
}

/// Says that a message is dropped: an empty answer, a line of log, nothing changed.
#[track_caller]
fn ignored(world: &World, message: &[u8]) {
    let before = dropped(world);
    let answer = post(&world.address, message);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(dropped(world), before + 1, "one line");
}

// req: TEEP-VAL-006
// req: HTTP-043
#[test]
fn bytes_that_are_no_message_are_dropped() {
    let world = world();
    let before = state(&world);
    let lines = world.tam.log().lines().count();
    let declared = |head: u8| [&[head][..], &(1_u64 << 63).to_be_bytes()].concat();
    let framed = |payload: &[u8]| {
        Writer::build(|w| {
            let protected = [0xa1, 0x01, 0x28];
            w.tag(18)
                .array(4)
                .bytes(&protected)
                .map(0)
                .bytes(payload)
                .bytes(&[0; 64]);
        })
    };
    let mut bodies = vec![
        b"hello".to_vec(),
        vec![0xff],
        vec![0x81; 10_000],
        vec![0x9f; 10_000],
    ];
    bodies.extend([0x5b, 0x7b, 0x9b, 0xbb].map(declared));
    bodies.push(framed(&vec![0x81; 10_000]));
    bodies.push(framed(&declared(0x9b)));
    bodies.push(vec![0; (1 << 20) - 1]);
    for body in &bodies {
        ignored(&world, body);
    }
    assert_eq!(
        world.tam.log().lines().count(),
        lines + bodies.len(),
        "{}",
        world.tam.log()
    );
    assert_eq!(state(&world), before);
    assert_eq!(world.policy_check(), 1);
}

// req: TEEP-VAL-006
// req: TEEP-TOK-003
// req: TEEP-OPS-004
#[test]
fn a_recorded_message_is_dropped_whole_and_truncated() {
    let world = world();
    let before = state(&world);
    let (response, _) = world.wire.last("QueryResponse");
    let (success, _) = world.wire.last("Success");
    for recorded in [&response, &success] {
        ignored(&world, recorded);
        let step = recorded.len() / 60;
        for length in (1..recorded.len())
            .step_by(step)
            .chain([recorded.len() - 1])
        {
            ignored(&world, &recorded[..length]);
        }
        let trailing = [&recorded[..], &[0]].concat();
        ignored(&world, &trailing);
    }
    assert_eq!(state(&world), before);

    let (_, Message::QueryRequest(request)) = world.wire.last("QueryRequest") else {
        panic!()
    };
    let (_, Message::Update(update)) = world.wire.last("Update") else {
        panic!()
    };
    let log = world.tam.log();
    let secrets = [
        request.challenge.unwrap().as_bytes().to_vec(),
        update.token.unwrap().as_bytes().to_vec(),
    ];
    for secret in secrets {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{:?}", &secret[..8]);
        assert!(!log.to_lowercase().contains(&hex[..16]), "{log}");
        assert!(!log.contains(list.trim_matches(['[', ']'])), "{log}");
    }
    let log = log.to_lowercase();
    assert!(
        !log.contains("error=") && !log.contains("panicked"),
        "{log}"
    );
}

// req: TEEP-TOK-004
// req: TEEP-VAL-004
#[test]
fn strangers_and_answers_to_nothing_are_dropped() {
    let world = world();
    let before = state(&world);
    let stranger = Person::new();
    let signed = |message: Message| {
        protect(&crypto(), stranger.signer(), &message, Encoding::default()).unwrap()
    };
    let (_, response) = world.wire.last("QueryResponse");
    let (_, success) = world.wire.last("Success");
    let (_, query) = world.wire.last("QueryRequest");
    for message in [success, query.clone(), QueryResponse::default().into()] {
        ignored(&world, &signed(message));
    }
    // Somebody's Evidence under a stranger's signature: an Update that only says so.
    let faults = || world.tam.log().matches("outcome=\"fault\"").count();
    let faults_before = faults();
    let answer = post(&world.address, &signed(response));
    assert_eq!((answer.status, faults()), (200, faults_before + 1));
    let protected = Protected::decode(&answer.body, &Default::default()).unwrap();
    let (Message::Update(update), _) = protected.read_unverified().unwrap() else {
        panic!()
    };
    assert_eq!(update.error, Some(ErrorCode::ATTESTATION_REQUIRED));
    assert!(update.manifest_list.is_empty() && update.unneeded_manifest_list.is_empty());
    assert_eq!(update.token, None);
    // What the TAM says itself, sent back to it.
    let mut relayed = world.wire.last("QueryRequest").0;
    ignored(&world, &relayed);
    relayed = world.wire.last("Update").0;
    ignored(&world, &relayed);
    assert_eq!(state(&world), before);
    assert_eq!(world.policy_check(), 1);
}

// req: TEEP-TOK-003
// req: TEEP-FRESH-008
#[test]
fn tokens_and_challenges_that_were_never_issued_are_dropped_even_from_the_device() {
    let world = world();
    let before = state(&world);
    // The device's own keys, as a thief would have them.
    let key = |name: &str| {
        let bytes = std::fs::read(world.path(&format!("tee/platform/{name}.key"))).unwrap();
        let secret = SecretKey::from_cose_key(&crypto(), &bytes).unwrap();
        crypto().signatures.signer(&secret).unwrap()
    };
    let (teep, attester) = (key("teep-esp256"), key("attester"));
    let signed =
        |message: Message| protect(&crypto(), &*teep, &message, Encoding::default()).unwrap();
    let (_, success) = world.wire.last("Success");
    let (_, response) = world.wire.last("QueryResponse");
    let (Message::Success(success), Message::QueryResponse(response)) = (success, response) else {
        panic!("other messages")
    };
    ignored(&world, &signed(success.clone().into()));
    for token in [Some(Tam::token()), None] {
        let mut error = tamarack_teep::Error::new(ErrorCode::MANIFEST_PROCESSING_FAILED);
        error.token.clone_from(&token);
        let forged = Success {
            token: token.clone(),
            ..success.clone()
        };
        ignored(&world, &signed(forged.into()));
        if token.is_some() {
            ignored(&world, &signed(error.into()));
        }
    }
    // Evidence that answers what the TAM never asked.
    let payload = response.attestation.clone().unwrap();
    let claims = Evidence::decode(&payload.bytes).unwrap();
    let claims = Claims {
        nonce: Some(vec![7; 40]),
        ..claims.unverified_claims().clone()
    };
    let forged = QueryResponse {
        attestation: Some(AttestationPayload {
            bytes: claims.sign(&crypto(), &*attester).unwrap(),
            ..payload
        }),
        ..response.clone()
    };
    ignored(&world, &signed(forged.into()));
    let with_token = QueryResponse {
        token: Some(Tam::token()),
        ..response
    };
    ignored(&world, &signed(with_token.into()));
    assert_eq!(state(&world), before);
    assert_eq!(world.policy_check(), 1);
}

// req: HTTP-001
// req: HTTP-040
// req: HTTP-041
#[test]
fn requests_that_are_no_teep_over_http_get_their_status() {
    let world = world();
    let (response, _) = world.wire.last("QueryResponse");
    let ask = |method: &str, headers: &[(&str, &str)], body: &[u8]| {
        request(&world.address, method, "/tam", headers, body)
    };
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH"] {
        let answer = send_slowly(
            &world.address,
            method,
            "/tam",
            &[("accept", TEEP)],
            [].into_iter(),
        );
        assert_eq!(answer.status, 405, "{method}");
    }
    for content_type in ["application/cbor", "text/plain", "application/json", ""] {
        let headers = [("accept", TEEP), ("content-type", content_type)];
        assert_eq!(
            ask("POST", &headers, &response).status,
            415,
            "{content_type}"
        );
    }
    assert_eq!(ask("POST", &[("accept", TEEP)], &response).status, 415);
    for accept in ["text/html", "application/json", "application/teep+cbor;q=0"] {
        assert_eq!(
            ask("POST", &[("accept", accept)], b"").status,
            406,
            "{accept}"
        );
        let headers = [("accept", accept), ("content-type", TEEP)];
        assert_eq!(ask("POST", &headers, &response).status, 406, "{accept}");
    }
    assert_eq!(
        request(&world.address, "POST", "/", &[("accept", TEEP)], b"").status,
        404
    );
}

// req: HTTP-003
// req: HTTP-004
// req: HTTP-005
// req: HTTP-042
// req: HTTP-044
#[test]
fn a_query_request_has_the_headers_of_the_binding() {
    let world = world();
    for headers in [
        &[("accept", TEEP)][..],
        &[("accept", TEEP), ("content-type", TEEP)],
        &[],
    ] {
        let answer = request(&world.address, "POST", "/tam", headers, b"");
        assert_eq!(answer.status, 200);
        for (name, value) in [
            ("content-type", TEEP),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(answer.header("cache-control"), None);
        assert_eq!(answer.header("set-cookie"), None);
        assert!(!answer.body.is_empty());
    }
}

// req: TEEP-OPS-005
#[test]
fn a_body_of_64_mib_is_refused_and_not_held() {
    let world = world();
    let piece = vec![0xa5; 1 << 20];
    let pieces = || std::iter::repeat_n(&piece[..], 64);
    let teep = [("accept", TEEP), ("content-type", TEEP)];
    let before = world.tam.resident_kib();
    let declared = [&teep[..], &[("content-length", "67108864")]].concat();
    let answer = send_slowly(&world.address, "POST", "/tam", &declared, pieces());
    assert_eq!(answer.status, 413);
    // A length that is not said in advance is found out.
    let chunked: Vec<Vec<u8>> = pieces()
        .map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())
        .chain([b"0\r\n\r\n".to_vec()])
        .collect();
    let unsaid = [&teep[..], &[("transfer-encoding", "chunked")]].concat();
    let chunks = chunked.iter().map(Vec::as_slice);
    let answer = send_slowly(&world.address, "POST", "/tam", &unsaid, chunks);
    assert_eq!(answer.status, 413);
    let grown = world.tam.resident_kib().saturating_sub(before);
    assert!(grown < 24 << 10, "{grown} KiB more");
    assert_eq!(world.policy_check(), 1);
}

// req: TEEP-OPS-005
// req: TEEP-TOK-008
#[test]
fn thousands_of_bad_posts_leave_no_state_and_no_memory() {
    let world = Arc::new(world());
    let before = state(&world);
    let (response, _) = world.wire.last("QueryResponse");
    let (success, _) = world.wire.last("Success");
    let bodies = Arc::new([
        b"garbage".to_vec(),
        response,
        success,
        vec![0x81; 10_000],
        Vec::new(),
    ]);
    let burst = |posts: usize| {
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                let (world, bodies) = (Arc::clone(&world), Arc::clone(&bodies));
                std::thread::spawn(move || {
                    for number in 0..posts / 2 {
                        let body = &bodies[(number + worker) % bodies.len()];
                        let Response {
                            status,
                            body: answer,
                            ..
                        } = post(&world.address, body);
                        let expected = if body.is_empty() { 200 } else { 204 };
                        assert_eq!((status, answer.is_empty()), (expected, !body.is_empty()));
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    };
    // Caches and pools fill up first.
    burst(500);
    let resident = world.tam.resident_kib();
    burst(2_000);
    let grown = world.tam.resident_kib().saturating_sub(resident);
    assert!(grown < 8 << 10, "{grown} KiB more");
    assert_eq!(dropped(&world), 2_000, "one line each");
    assert_eq!(state(&world), before);
    assert_eq!(world.policy_check(), 1);
}
