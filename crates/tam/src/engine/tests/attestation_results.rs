//! Attestation Results: presented by the agent (Passport), and got from a Verifier for its Evidence.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tamarack_cose::{
    CryptoProvider, PublicKey, SecretKey, SignatureAlgorithm, aws_lc, encrypt::ContentAlgorithm,
    x509::Revocation,
};
use tamarack_rats::{
    AttestationResult, Confirmation, Evidence, Freshness, Measurement, OemId, ReferenceMeasurement,
    TEEP_EAT_PROFILE, encrypt_eat,
};
use tamarack_suit::{SuitDigest, report::Reference};
use tamarack_teep::{
    AttestationPayload, Challenge, ErrorCode, FreshnessMechanism, MediaType, QueryResponse,
};

use crate::{
    Appraised, Appraiser, AuditAction, Clock, Dropped, EngineError, NotAppraised,
    PresentedEvidence, Store,
    engine::verdict::Verdict,
    testing::{Agent, World},
};

/// A Verifier that knows every device of the tests.
#[derive(Debug, Clone)]
struct Verifier {
    crypto: CryptoProvider,
    key: SecretKey,
}

impl Verifier {
    fn new() -> Self {
        let crypto = aws_lc::provider();
        let key = SecretKey::generate(&crypto, SignatureAlgorithm::Ed25519).unwrap();
        Self { crypto, key }
    }

    fn public_key(&self) -> PublicKey {
        *self.key.public_key()
    }

    /// The result about an agent, which names its key and holds it.
    fn result(&self, agent: &Agent, nonce: Option<&[u8]>, now: u64) -> AttestationResult {
        let reference = Reference {
            uri: "https://example.com/agent.suit".into(),
            digest: SuitDigest::sha256(&self.crypto, b"agent"),
        };
        AttestationResult {
            ueid: agent.ueid.clone(),
            oemid: OemId::Enterprise(64242),
            hwmodel: b"lock".to_vec(),
            hwversion: "1.0".into(),
            manifests: vec![reference.into()],
            confirmation: Confirmation::named(&agent.public_key(), &self.crypto),
            profile: Some(TEEP_EAT_PROFILE.into()),
            swname: None,
            issued_at: Some(now),
            expires_at: Some(now + 3600),
            not_before: None,
            nonce: nonce.map(<[u8]>::to_vec),
        }
    }

    fn issue(&self, result: &AttestationResult) -> AttestationPayload {
        let signer = self.crypto.signatures.signer(&self.key).unwrap();
        AttestationPayload {
            format: Some(MediaType::teep_eat().to_string()),
            bytes: result.issue(&self.crypto, &*signer).unwrap(),
        }
    }
}

fn now(world: &World) -> u64 {
    world.tam.clock().now().0 / 1_000_000
}

/// What an agent answers that has been to the Verifier itself.
fn passport(agent: &Agent, payload: AttestationPayload) -> QueryResponse {
    QueryResponse {
        attestation: Some(payload),
        ..agent.query_response(&Challenge::new(vec![0; 16]).unwrap())
    }
}

/// A TAM that trusts the Verifier, and an agent of an enrolled device.
fn world() -> (World, Agent, Verifier) {
    let verifier = Verifier::new();
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let keys = vec![verifier.public_key()];
    (world.set(|tam| tam.with_verifiers(keys)), agent, verifier)
}

/// The answer to a QueryResponse with the result that `spoil` has changed.
fn present(
    spoil: impl FnOnce(&mut AttestationResult, &mut Agent, &World),
) -> (World, Agent, Option<Vec<u8>>) {
    let (world, mut agent, verifier) = world();
    let challenge = world.connect();
    let mut result = verifier.result(&agent, Some(challenge.as_bytes()), now(&world));
    spoil(&mut result, &mut agent, &world);
    let message = agent.sign(passport(&agent, verifier.issue(&result)));
    let reply = world.process(&message);
    (world, agent, reply)
}

fn refused(spoil: impl FnOnce(&mut AttestationResult, &mut Agent, &World)) {
    let (world, agent, reply) = present(spoil);
    let before = world.dump();
    let code = agent.open_fault(&world, &reply.expect("an answer"));
    assert_eq!(code, ErrorCode::ATTESTATION_REQUIRED);
    assert_eq!(world.dump(), before);
    assert_eq!(world.device(&agent).attested_at, None);
}

fn dropped(world: &World, message: &[u8], reason: Dropped) {
    let before = world.dump();
    let handled = world.tam.handle(message).unwrap();
    assert_eq!(handled.verdict, Verdict::Dropped(reason));
    assert_eq!(world.dump(), before, "what is dropped leaves no trace");
}

// req: TEEP-TAM-005
// req: TEEP-TAM-007
// req: TEEP-TAM-008
// req: AMB-02
#[test]
fn a_result_by_a_trusted_verifier_will_do_in_place_of_evidence() {
    let (world, agent, verifier) = world();
    let challenge = world.connect();
    let mut result = verifier.result(&agent, Some(challenge.as_bytes()), now(&world));
    let message = agent.sign(passport(&agent, verifier.issue(&result)));
    let update = agent.open_update(&world, &world.process(&message).expect("an Update"));
    assert_eq!(update.manifest_list.len(), 1);
    assert_eq!(world.device(&agent).agent_key, Some(agent.public_key()));
    // Once, as with Evidence.
    dropped(&world, &message, Dropped::Used);

    // The key is known by now: its id will do. And the profile's format may be left out.
    world.clock.advance(Duration::from_millis(1));
    let challenge = world.connect();
    result.nonce = Some(challenge.as_bytes().to_vec());
    result.confirmation = Confirmation::KeyId(agent.public_key().key_id(&agent.crypto));
    let unlabelled = AttestationPayload {
        format: None,
        ..verifier.issue(&result)
    };
    let message = agent.sign(passport(&agent, unlabelled));
    agent.open_update(&world, &world.process(&message).expect("an Update"));
}

// req: TEEP-TAM-007
#[test]
fn a_tam_that_trusts_no_verifier_takes_no_result() {
    let (_, agent, verifier) = world();
    let (world, _) = World::with(&agent);
    let challenge = world.connect();
    let result = verifier.result(&agent, Some(challenge.as_bytes()), now(&world));
    let reply = world.process(&agent.sign(passport(&agent, verifier.issue(&result))));
    let code = agent.open_fault(&world, &reply.expect("an answer"));
    assert_eq!(code, ErrorCode::ATTESTATION_REQUIRED);
}

// req: TEEP-TAM-007
#[test]
fn a_result_by_another_verifier_is_refused() {
    let (world, agent, _) = world();
    let challenge = world.connect();
    let stranger = Verifier::new();
    let result = stranger.result(&agent, Some(challenge.as_bytes()), now(&world));
    let reply = world.process(&agent.sign(passport(&agent, stranger.issue(&result))));
    let code = agent.open_fault(&world, &reply.expect("an answer"));
    assert_eq!(code, ErrorCode::ATTESTATION_REQUIRED);
    // The agent can't be its own Verifier either.
    let own = Verifier {
        crypto: agent.crypto,
        key: agent.key.clone(),
    };
    let result = own.result(&agent, Some(challenge.as_bytes()), now(&world));
    let reply = world.process(&agent.sign(passport(&agent, own.issue(&result))));
    agent.open_fault(&world, &reply.expect("an answer"));
}

// req: TEEP-TAM-008
// req: EAT-008
// req: EAT-018
#[test]
fn a_result_that_is_not_in_order_is_refused() {
    let stranger = Agent::new("two");
    let another = stranger.key.clone();
    refused(|_, agent, _| agent.key = another);
    refused(|result, agent, _| {
        let id = stranger.public_key().key_id(&agent.crypto);
        result.confirmation = Confirmation::KeyId(id);
    });
    // A key that is not known, by its id.
    refused(|result, agent, _| {
        let id = agent.public_key().key_id(&agent.crypto);
        result.confirmation = Confirmation::KeyId(id);
    });
    refused(|result, _, world| result.expires_at = Some(now(world)));
    refused(|result, _, world| result.issued_at = Some(now(world) + 61));
    refused(|result, _, _| result.profile = Some("urn:ietf:rfc:rfc9999".into()));
    refused(|result, _, _| result.ueid = b"\x01nobody".to_vec());
}

// req: TEEP-TOK-005
// req: TEEP-FRESH-008
#[test]
fn the_nonce_of_a_result_is_an_open_challenge_of_this_tam() {
    let (world, agent, verifier) = world();
    let message = |nonce: Option<&[u8]>| {
        let result = verifier.result(&agent, nonce, now(&world));
        agent.sign(passport(&agent, verifier.issue(&result)))
    };
    // A nonce that is always the same, as a TAM may be tempted to use.
    dropped(&world, &message(Some(&[0; 32])), Dropped::NotIssued);
    let others = World::new().connect();
    dropped(
        &world,
        &message(Some(others.as_bytes())),
        Dropped::NotIssued,
    );
    dropped(&world, &message(None), Dropped::NotIssued);
    let challenge = world.connect();
    world.clock.advance(world.tam.settings().challenge_lifetime);
    dropped(
        &world,
        &message(Some(challenge.as_bytes())),
        Dropped::Expired,
    );
}

// req: TEEP-TAM-008
#[test]
fn a_result_about_one_device_does_not_vouch_for_another() {
    let (world, one, verifier) = world();
    let two = Agent::new("two");
    world.enroll(&two, &[]);
    let challenge = world.connect();
    let result = verifier.result(&one, Some(challenge.as_bytes()), now(&world));
    let reply = world.process(&two.sign(passport(&two, verifier.issue(&result))));
    two.open_fault(&world, &reply.expect("an answer"));
    assert_eq!(world.device(&one).attested_at, None);
    assert_eq!(world.device(&two).attested_at, None);
}

// req: TEEP-MSG-024
// req: TEEP-FRESH-008
#[test]
fn where_it_is_offered_a_timestamp_will_do_for_a_nonce_once() {
    let (world, agent, verifier) = world();
    let age = Duration::from_secs(300);
    let keys = vec![verifier.public_key()];
    let world = world
        .with_settings(|settings| settings.timestamp_window = Some(age))
        .set(|tam| tam.with_verifiers(keys));
    // What was issued before the device was enrolled does not count.
    world.clock.advance(Duration::from_secs(600));
    let request = world.open_query_request(&world.tam.process_connect().unwrap());
    assert_eq!(
        request.supported_freshness_mechanisms,
        [FreshnessMechanism::NONCE, FreshnessMechanism::TIMESTAMP]
    );
    let message = |issued_at| {
        let result = AttestationResult {
            issued_at,
            ..verifier.result(&agent, None, now(&world))
        };
        agent.sign(passport(&agent, verifier.issue(&result)))
    };
    for stale in [None, Some(now(&world) - 301), Some(now(&world) + 61)] {
        let reply = world.process(&message(stale)).expect("an answer");
        agent.open_fault(&world, &reply);
    }
    let good = message(Some(now(&world) - 299));
    agent.open_update(&world, &world.process(&good).expect("an Update"));
    dropped(&world, &good, Dropped::Used);
    dropped(&world, &message(Some(now(&world) - 300)), Dropped::Used);
    // From somewhat ahead of here: it does not block what is issued now.
    let ahead = message(Some(now(&world) + 60));
    agent.open_update(&world, &world.process(&ahead).expect("an Update"));
    world.clock.advance(Duration::from_millis(1));
    assert!(world.process(&agent.answer(&world.connect())).is_some());
}

/// A TAM to which these keys are revoked.
fn revoke(world: World, keys: &[PublicKey], verifier: &Verifier) -> World {
    let ids: Vec<_> = keys
        .iter()
        .map(|key| Revocation::Key(key.key_id(&world.crypto)))
        .collect();
    let entry = world.entry(AuditAction::Revoke);
    world.tam.store().revoke(&ids, "test", &entry).unwrap();
    let verifiers = vec![verifier.public_key()];
    world.set(|tam| tam.with_verifiers(verifiers))
}

// req: ARCH-023
#[test]
fn a_revoked_key_does_not_attest_itself_back_in() {
    for which in ["agent", "attester"] {
        let (world, agent, verifier) = world();
        assert!(world.session(&agent).is_some(), "it is known and in order");
        let key = match which {
            "agent" => agent.public_key(),
            _ => *agent.attester.public_key(),
        };
        let world = revoke(world, &[key], &verifier);
        let challenge = world.connect();
        let evidence = agent.answer(&challenge);
        let result = verifier.result(&agent, Some(challenge.as_bytes()), now(&world));
        let result = agent.sign(passport(&agent, verifier.issue(&result)));
        for message in [evidence, result] {
            let before = world.dump();
            let reply = world.process(&message).expect("an answer");
            let code = agent.open_fault(&world, &reply);
            assert_eq!(code, ErrorCode::BAD_CERTIFICATE);
            assert_eq!(world.dump(), before);
        }
    }
}

/// A Verifier that is asked, somewhere else; `spoil` changes what it answers.
struct Remote {
    verifier: Verifier,
    agent: Agent,
    spoil: Box<dyn Fn(&mut AttestationResult) + Send + Sync>,
    /// The nonces that it was asked with.
    asked: Arc<Mutex<Vec<Option<Vec<u8>>>>>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

/// Evidence that is no EAT: the nonce behind a word that only this Verifier knows.
const OPAQUE: (&str, &[u8]) = ("application/vnd.example.quote", b"quote:");

impl Appraiser for Remote {
    fn takes(&self, _: Option<&MediaType>) -> bool {
        true
    }

    fn takes_unreadable(&self) -> bool {
        true
    }

    fn appraise(&self, presented: &PresentedEvidence<'_>) -> Result<Appraised, NotAppraised> {
        let nonce = presented.nonce.map(<[u8]>::to_vec);
        self.asked.lock().unwrap().push(nonce.clone());
        let crypto = &self.verifier.crypto;
        let nonce = match (nonce, presented.bytes.strip_prefix(OPAQUE.1)) {
            (Some(nonce), _) => {
                let evidence = Evidence::decode(presented.bytes).unwrap();
                let endorsement = self.agent.endorsement();
                let freshness = Freshness::Nonce(&nonce);
                tamarack_rats::appraise(crypto, &evidence, &endorsement, freshness, presented.now)?;
                nonce
            }
            (None, Some(nonce)) => nonce.to_vec(),
            (None, None) => return Err(NotAppraised::Rejected("unreadable".into())),
        };
        let mut result = self
            .verifier
            .result(&self.agent, Some(&nonce), presented.now);
        (self.spoil)(&mut result);
        Ok(Appraised::Results {
            for_tam: self.verifier.issue(&result),
            for_agent: presented.for_agent_too.then(|| AttestationPayload {
                format: Some("application/eat+jwt".into()),
                bytes: b"for the agent".to_vec(),
            }),
        })
    }
}

type Asked = Arc<Mutex<Vec<Option<Vec<u8>>>>>;

/// The TAM with a remote Verifier, of which it trusts `trusted`.
fn remote(
    world: World,
    agent: &Agent,
    verifier: &Verifier,
    trusted: &Verifier,
    spoil: impl Fn(&mut AttestationResult) + Send + Sync + 'static,
) -> (World, Asked) {
    let asked = Asked::default();
    let appraiser = Remote {
        verifier: verifier.clone(),
        agent: agent.clone(),
        spoil: Box::new(spoil),
        asked: Arc::clone(&asked),
    };
    let keys = vec![trusted.public_key()];
    let world = world.set(|tam| tam.with_appraiser(Box::new(appraiser)).with_verifiers(keys));
    (world, asked)
}

// req: TEEP-TAM-006
// req: TEEP-TAM-007
#[test]
fn a_remote_verifier_is_asked_with_the_challenge_of_the_session() {
    let (world, agent, verifier) = world();
    let (world, asked) = remote(world, &agent, &verifier, &verifier, |_| {});
    for _ in 0..2 {
        let challenge = world.connect();
        let reply = world.process(&agent.answer(&challenge));
        agent.open_update(&world, &reply.expect("an Update"));
        world.clock.advance(Duration::from_millis(1));
        let asked = asked.lock().unwrap();
        assert_eq!(
            asked.last().unwrap().as_deref(),
            Some(challenge.as_bytes()),
            "the TAM's own"
        );
    }
    let asked = asked.lock().unwrap();
    assert_ne!(asked[0], asked[1], "and a fresh one");
    drop(asked);
    // Nobody is asked about what answers no challenge.
    let nobody = agent.answer(&Challenge::new(vec![7; 40]).unwrap());
    dropped(&world, &nobody, Dropped::NotIssued);
}

// req: TEEP-TAM-007
#[test]
fn what_a_remote_verifier_answers_is_verified() {
    let faulty = |trusted: Option<&Verifier>, spoil: fn(&mut AttestationResult)| {
        let (world, agent, verifier) = world();
        let trusted = trusted.unwrap_or(&verifier);
        let (world, _) = remote(world, &agent, &verifier, trusted, spoil);
        let before = world.dump();
        let reply = world.process(&agent.answer(&world.connect()));
        agent.open_fault(&world, &reply.expect("an answer"));
        assert_eq!(world.dump(), before);
    };
    // Its signature.
    faulty(Some(&Verifier::new()), |_| {});
    // The nonce.
    faulty(None, |result| result.nonce = Some(vec![0; 32]));
    faulty(None, |result| result.nonce = None);
    // Whom it is about.
    faulty(None, |result| result.ueid = b"\x01nobody".to_vec());
    faulty(None, |result| {
        let other = Agent::new("two");
        result.confirmation = Confirmation::named(&other.public_key(), &other.crypto);
    });
    faulty(None, |result| result.expires_at = Some(1));
}

// req: TEEP-TAM-006
#[test]
fn evidence_that_only_the_verifier_can_read_goes_there_as_it_is() {
    let (world, agent, verifier) = world();
    let (world, asked) = remote(world, &agent, &verifier, &verifier, |_| {});
    let message = |nonce: &[u8]| {
        let payload = AttestationPayload {
            format: Some(OPAQUE.0.into()),
            bytes: [OPAQUE.1, nonce].concat(),
        };
        agent.sign(passport(&agent, payload))
    };
    let challenge = world.connect();
    let good = message(challenge.as_bytes());
    agent.open_update(&world, &world.process(&good).expect("an Update"));
    assert_eq!(*asked.lock().unwrap(), [None]);
    // The nonce that the Verifier found in it is held against this TAM's challenges.
    dropped(&world, &good, Dropped::Used);
    dropped(&world, &message(&[0; 32]), Dropped::NotIssued);
}

// req: TEEP-TAM-006
// req: TEEP-FRESH-004
#[test]
fn evidence_in_a_format_that_nobody_knows_is_refused() {
    let (world, mut agent, _) = world();
    agent.format = Some("application/vnd.example.quote".into());
    let reply = world.process(&agent.answer(&world.connect()));
    let code = agent.open_fault(&world, &reply.expect("an answer"));
    assert_eq!(code, ErrorCode::ATTESTATION_REQUIRED);
}

/// A Verifier that does not answer.
#[derive(Debug)]
struct Unreachable;

impl Appraiser for Unreachable {
    fn takes(&self, _: Option<&MediaType>) -> bool {
        true
    }

    fn appraise(&self, _: &PresentedEvidence<'_>) -> Result<Appraised, NotAppraised> {
        Err(NotAppraised::Unavailable("connection refused".into()))
    }
}

#[test]
fn a_verifier_that_can_not_be_asked_costs_no_challenge() {
    let (world, agent, verifier) = world();
    let message = agent.answer(&world.connect());
    let world = world.set(|tam| tam.with_appraiser(Box::new(Unreachable)));
    let before = world.dump();
    let failed = world.tam.process_teep_message(&message);
    assert!(matches!(failed, Err(EngineError::Verifier(_))));
    assert_eq!(world.dump(), before);
    let (world, _) = remote(world, &agent, &verifier, &verifier, |_| {});
    assert!(world.process(&message).is_some());
}

// req: TEEP-TAM-012
// req: TEEP-TAM-017
#[test]
fn the_agents_own_result_comes_in_the_update_with_or_without_manifests() {
    let (world, mut agent, verifier) = world();
    let world = world.with_settings(|settings| settings.results_for_agents = true);
    let (world, _) = remote(world, &agent, &verifier, &verifier, |_| {});
    let update = world.session(&agent).expect("an Update");
    assert_eq!(update.manifest_list.len(), 1);
    assert_eq!(update.attestation.unwrap().bytes, b"for the agent");
    agent.install(&world.session(&agent).unwrap());
    let update = world.session(&agent).expect("an Update");
    assert!(update.manifest_list.is_empty() && update.token.is_none());
    assert_eq!(update.attestation.unwrap().bytes, b"for the agent");
}

// req: TEEP-ENC-001
// req: TEEP-ENC-002
// req: TEEP-ENC-009
#[test]
fn a_payload_that_is_encrypted_to_the_tam_is_opened_first() {
    let (world, agent, verifier) = world();
    for key in world.tam.keys().encryption_keys() {
        for algorithm in [
            ContentAlgorithm::A128Ctr,
            ContentAlgorithm::A128Gcm,
            ContentAlgorithm::ChaCha20Poly1305,
        ] {
            let challenge = world.connect();
            let result = verifier.result(&agent, Some(challenge.as_bytes()), now(&world));
            let evidence = agent.query_response(&challenge).attestation.unwrap();
            for payload in [evidence, verifier.issue(&result)] {
                let sealed = encrypt_eat(&agent.crypto, algorithm, key, &payload.bytes).unwrap();
                let bytes = sealed.clone();
                let message = agent.sign(passport(&agent, AttestationPayload { bytes, ..payload }));
                let handled = world.tam.handle(&message).unwrap();
                // The second one answers the challenge that the first has used.
                let known = matches!(
                    handled.verdict,
                    Verdict::Update { .. } | Verdict::Dropped(Dropped::Used)
                );
                assert!(known, "{:?}", handled.verdict);
                let mut changed = sealed;
                *changed.last_mut().unwrap() ^= 1;
                let payload = AttestationPayload {
                    format: None,
                    bytes: changed,
                };
                let handled = world.tam.handle(&agent.sign(passport(&agent, payload)));
                assert!(matches!(
                    handled.unwrap().verdict,
                    Verdict::Dropped(Dropped::Undecryptable(_))
                ));
            }
            world.clock.advance(Duration::from_millis(1));
        }
    }
}

// req: TEEP-TAM-009
// req: TEEP-TAM-010
#[test]
fn a_genuine_device_whose_components_do_not_pass_is_told_which() {
    let (world, agent, _) = world();
    let mut endorsement = agent.endorsement();
    endorsement.reference_measurements = vec![ReferenceMeasurement {
        minimum_version: Some("2.0".into()),
        ..ReferenceMeasurement::named("firmware")
    }];
    let entry = world.entry(AuditAction::Enroll);
    world.tam.store().enroll(&endorsement, &entry).unwrap();
    let answer = |version: &str| {
        let challenge = world.connect();
        let mut response = agent.query_response(&challenge);
        let signer = agent.crypto.signatures.signer(&agent.attester).unwrap();
        let claims = tamarack_rats::Claims {
            nonce: Some(challenge.as_bytes().to_vec()),
            ueid: Some(agent.ueid.clone()),
            confirmation: Some(agent.confirmation),
            measurements: vec![Measurement {
                name: "firmware".into(),
                version: Some(version.into()),
                sha256: [1; 32],
            }],
            ..Default::default()
        };
        let bytes = claims.sign(&agent.crypto, &*signer).unwrap();
        response.attestation.as_mut().unwrap().bytes = bytes;
        let reply = world.process(&agent.sign(response)).expect("an answer");
        agent.open_update(&world, &reply)
    };
    let update = answer("1.9");
    assert_eq!(update.error, Some(ErrorCode::ATTESTATION_REQUIRED));
    let text = update.explanation.unwrap().text;
    assert!(text.contains("firmware is older than 2.0"), "{text}");
    assert_eq!(answer("2.0").error, None);
}
