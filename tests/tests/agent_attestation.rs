//! Attestation in both directions: what the agent shows of itself, and what it wants to see of a TAM.

use tamarack_agent::platform::Evidence as Attestation;
use tamarack_cose::{
    PublicKey, SignatureAlgorithm,
    encrypt::{Curve, DecryptionKey, Encrypted, RecipientKey},
};
use tamarack_rats::{
    AttestationResult, Confirmation, Evidence, Freshness, OemId, TEEP_EAT_PROFILE, appraise,
};
use tamarack_suit::{
    SuitDigest,
    report::{OpenedReport, Reference},
};
use tamarack_teep::{
    AttestationPayload, Challenge, CipherSuite, DataItems, Error, ErrorCode, Explanation,
    FreshnessMechanism, Message, Protected, QueryRequest, QueryResponse, SuitCoseProfile, Update,
    protect_for_unknown_agent,
};
use tamarack_tests::{Device, Person, Tam, crypto, error_of, id, now, release, success_of, wasm};

const ESP256: SignatureAlgorithm = SignatureAlgorithm::Esp256;
const ED25519: SignatureAlgorithm = SignatureAlgorithm::Ed25519;

fn device() -> (Device, Tam) {
    let tam = Tam::new();
    (Device::new(&[&tam], &[]), tam)
}

/// What a Verifier says of the TAM that signs with `key`.
fn result_about(key: &PublicKey, challenge: &Challenge) -> AttestationResult {
    let crypto = crypto();
    let digest = SuitDigest::sha256(&crypto, b"the manifest of the TAM");
    let reference = Reference {
        uri: "https://tam.example/manifest".into(),
        digest,
    };
    AttestationResult {
        ueid: b"\x01the TAM".to_vec(),
        oemid: OemId::Enterprise(64242),
        hwmodel: b"server".to_vec(),
        hwversion: "1.0".into(),
        manifests: vec![reference.into()],
        confirmation: Confirmation::KeyId(key.key_id(&crypto)),
        profile: Some(TEEP_EAT_PROFILE.into()),
        swname: None,
        issued_at: Some(now()),
        expires_at: Some(now() + 60),
        not_before: None,
        nonce: Some(challenge.as_bytes().to_vec()),
    }
}

fn attested(result: &AttestationResult, verifier: &Person) -> QueryRequest {
    let bytes = result.issue(&crypto(), verifier.signer()).unwrap();
    QueryRequest {
        attestation: Some(AttestationPayload {
            format: None,
            bytes,
        }),
        ..Tam::query()
    }
}

/// The challenge with which the agent demands that the TAM attests itself. Nothing else is told.
#[track_caller]
fn demanded(error: &Error) -> Challenge {
    assert_eq!(error.code, ErrorCode::ATTESTATION_REQUIRED);
    let nonce = [FreshnessMechanism::NONCE];
    assert_eq!(error.supported_freshness_mechanisms, nonce);
    assert!(error.suit_reports.is_empty() && error.supported_suit_cose_profiles.is_empty());
    error.challenge.clone().expect("a challenge")
}

// req: TEEP-AGENT-009
// req: TEEP-AGENT-010
// req: TEEP-AGENT-011
// req: TEEP-AGENT-012
// req: TEEP-ERR-009
// req: TEEP-PRIV-001
#[test]
fn a_tam_is_served_once_a_trusted_verifier_vouches_for_it() {
    let (mut device, tam) = device();
    let verifier = Person::new();
    device.trust_verifier(&verifier);
    let challenge = demanded(&error_of(device.answer(&tam.sign(Tam::query()))));
    let again = demanded(&error_of(device.answer(&tam.sign(Tam::query()))));
    assert_ne!(challenge, again);

    let result = result_about(&tam.key.public(), &again);
    let response = device.query(&tam, attested(&result, &verifier));
    assert!(response.attestation.is_some());
    // It counts for the exchange, and the next one needs another.
    let answer = device.answer(&tam.sign(Tam::install(&[])));
    success_of(answer);
    demanded(&error_of(device.answer(&tam.sign(Tam::query()))));
}

// req: TEEP-AGENT-011
// req: TEEP-AGENT-012
// req: TEEP-FRESH-008
#[test]
fn an_attestation_that_does_not_convince_is_refused() {
    let (mut device, tam) = device();
    let (verifier, stranger) = (Person::new(), Person::new());
    device.trust_verifier(&verifier);
    let mut challenge = || demanded(&error_of(device.answer(&tam.sign(Tam::query()))));
    let fresh = challenge();
    let good = result_about(&tam.key.public(), &fresh);
    let with = |change: &dyn Fn(&mut AttestationResult)| {
        let mut result = good.clone();
        change(&mut result);
        attested(&result, &verifier)
    };
    let other = Challenge::new(vec![9; 32]).unwrap();
    let unlike: [QueryRequest; 7] = [
        attested(&good, &stranger),
        with(&|result| result.confirmation = Confirmation::Key(stranger.public())),
        with(&|result| result.nonce = Some(other.as_bytes().to_vec())),
        with(&|result| result.nonce = None),
        with(&|result| result.expires_at = Some(now() - 1)),
        with(&|result| result.not_before = Some(now() + 3600)),
        with(&|result| result.profile = Some("urn:example:other".into())),
    ];
    for (number, request) in unlike.into_iter().enumerate() {
        // Each attempt needs a challenge that is open, or it fails for that.
        device.answer(&tam.sign(Tam::query()));
        let error = error_of(device.answer(&tam.sign(request)));
        assert_eq!(error.code, ErrorCode::PERMANENT_ERROR, "{number}");
        let text = error.explanation.unwrap().text;
        assert!(text.contains("attest") || text.contains("Attest"), "{text}");
    }
    // The right one to a challenge that a later one has replaced, and to one that was answered.
    let late = error_of(device.answer(&tam.sign(with(&|_| ()))));
    let fresh = demanded(&late);
    let good = attested(&result_about(&tam.key.public(), &fresh), &verifier);
    let message = tam.sign(good);
    assert!(matches!(device.answer(&message), Message::QueryResponse(_)));
    let replayed = error_of(device.answer(&message));
    demanded(&replayed);
}

// req: TEEP-AGENT-010
#[test]
fn evidence_of_a_tam_is_no_attestation_result() {
    let (mut device, tam) = device();
    device.trust_verifier(&Person::new());
    let request = QueryRequest {
        attestation: Some(AttestationPayload {
            format: Some("application/eat+cwt".into()),
            bytes: b"opaque".to_vec(),
        }),
        ..Tam::query()
    };
    let error = error_of(device.answer(&tam.sign(request)));
    demanded(&error);
    assert!(
        error
            .explanation
            .unwrap()
            .text
            .contains("Attestation Result")
    );
}

// req: TEEP-COSE-007
// req: TEEP-COSE-011
// req: TEEP-COSE-012
#[test]
fn an_agent_with_two_algorithms_prefers_its_first_and_stays_with_it() {
    let (esp256, ed25519) = (Tam::new(), Tam::with(ED25519));
    for preferred in [[ESP256, ED25519], [ED25519, ESP256]] {
        let mut device = Device::with_algorithms(&preferred, &[&esp256, &ed25519]);
        let signers = [esp256.key.signer(), ed25519.key.signer()];
        let query = Tam::query().into();
        let message = protect_for_unknown_agent(&crypto(), &signers, &query).unwrap();
        let answer = device.process(&message).unwrap();
        let protected = Protected::decode(&answer, &Default::default()).unwrap();
        assert_eq!(protected.algorithms().collect::<Vec<_>>(), preferred[..1]);
        let Message::QueryResponse(response) = device.open(&answer) else {
            panic!("not a QueryResponse")
        };
        let evidence = response.attestation.unwrap().bytes;
        let claims = Evidence::decode(&evidence)
            .unwrap()
            .unverified_claims()
            .clone();
        let key = claims.confirmation.unwrap().public_key().copied();
        assert_eq!(key, Some(device.key()), "the key that signs is confirmed");

        // The exchange is in that suite; an Update in the other one has none.
        let (used, other) = match preferred[0] == ESP256 {
            true => (&esp256, &ed25519),
            false => (&ed25519, &esp256),
        };
        let update = || Tam::install(&[]);
        let refused = device.process(&other.sign(update())).unwrap();
        let refused = Protected::decode(&refused, &Default::default()).unwrap();
        let (Message::Error(error), _) = refused.read_unverified().unwrap() else {
            panic!("not an Error")
        };
        assert_eq!(error.code, ErrorCode::PERMANENT_ERROR);
        success_of(device.answer(&used.sign(update())));
    }
    // A TAM that offers one of both gets that.
    let mut device = Device::with_algorithms(&[ESP256, ED25519], &[&ed25519]);
    let answer = device.process(&ed25519.sign(Tam::query())).unwrap();
    let protected = Protected::decode(&answer, &Default::default()).unwrap();
    assert_eq!(protected.algorithms().collect::<Vec<_>>(), [ED25519]);
}

// req: TEEP-COSE-014
// req: TEEP-ERR-006
// req: ARCH-007
#[test]
fn an_agent_with_two_algorithms_names_both() {
    let tam = Tam::new();
    let mut device = Device::with_algorithms(&[ED25519, ESP256], &[&tam]);
    let request = QueryRequest {
        supported_teep_cipher_suites: vec![CipherSuite(vec![])],
        ..Tam::query()
    };
    let answer = device.process(&tam.sign(request)).unwrap();
    let protected = Protected::decode(&answer, &Default::default()).unwrap();
    let (Message::Error(error), _) = protected.read_unverified().unwrap() else {
        panic!("not an Error")
    };
    let both = [ED25519, ESP256].map(CipherSuite::sign1);
    assert_eq!(error.supported_teep_cipher_suites, both);
}

// req: TEEP-FRESH-001
// req: TEEP-FRESH-005
#[test]
fn evidence_holds_the_time_where_that_is_the_mechanism() {
    let (mut device, tam) = device();
    let request = QueryRequest {
        challenge: None,
        supported_freshness_mechanisms: vec![FreshnessMechanism::TIMESTAMP],
        ..Tam::query()
    };
    let response = device.query(&tam, request);
    let evidence = response.attestation.unwrap().bytes;
    let evidence = Evidence::decode(&evidence).unwrap();
    let claims = evidence.unverified_claims();
    assert_eq!(claims.nonce, None);
    assert!(claims.issued_at.unwrap().abs_diff(now()) < 60);
}

// req: TEEP-AGENT-003
// req: TEEP-AGENT-004
// req: TEEP-AGENT-005
// req: TEEP-AGENT-006
// req: AMB-21
#[test]
fn a_response_nobody_asked_for_goes_to_a_tam_that_takes_the_time_for_fresh() {
    const URI: &str = "https://tam.example/tam";
    let (mut device, tam) = device();
    let key_id = tam.key.public().key_id(&crypto());
    device.tee.reach(URI, &[key_id]).unwrap();
    let mut wish = {
        let mut number = 0;
        move |device: &mut Device| {
            number += 1;
            let component = id(&format!("acme/wish-{number}"));
            let outbound = device.agent.request_ta(&component, None).unwrap().unwrap();
            assert_eq!(outbound.tam_uri, URI);
            outbound.message
        }
    };
    let by_time = || QueryRequest {
        challenge: None,
        supported_freshness_mechanisms: vec![FreshnessMechanism::TIMESTAMP],
        ..Tam::query()
    };
    assert_eq!(wish(&mut device), None, "the TAM has not asked yet");
    device.query(&tam, by_time());
    let message = wish(&mut device).expect("a QueryResponse");
    let Message::QueryResponse(response) = device.open(&message) else {
        panic!("not a QueryResponse")
    };
    assert_eq!(response.requested_tc_list.len(), 2);
    assert!(response.token.is_none() && response.attestation.is_some());
    // What follows is an exchange like any other.
    success_of(device.answer(&tam.sign(Tam::install(&[]))));

    // A failure, a challenge, a token, and a key that is trusted no longer: the TAM speaks first.
    device.agent.process_error(URI, "gone");
    assert_eq!(wish(&mut device), None);
    device.query(&tam, by_time());
    assert!(wish(&mut device).is_some());
    device.query(&tam, Tam::query());
    assert_eq!(wish(&mut device), None);
    device.query(&tam, by_time());
    device.query(&tam, Tam::plain_query_with(Tam::token()));
    assert_eq!(wish(&mut device), None);
    let mut device = device.restarted();
    assert_eq!(wish(&mut device), None);
}

/// The keys of a TAM to which agents encrypt.
fn recipient() -> (
    Vec<RecipientKey>,
    Vec<tamarack_cose::encrypt::EncryptionKey>,
) {
    let crypto = crypto();
    let keys = [Curve::P256, Curve::X25519].map(|curve| DecryptionKey::generate(&crypto, curve));
    let keys = keys.map(Result::unwrap);
    let public = keys.iter().map(|key| *key.public_key()).collect();
    let keys = keys.map(|key| {
        let key_id = key.public_key().key_id(&crypto);
        RecipientKey::agreement(&crypto, key).with_key_id(key_id.as_bytes())
    });
    (keys.into(), public)
}

// req: TEEP-ENC-001
// req: TEEP-ENC-002
// req: TEEP-ENC-003
// req: TEEP-ENC-004
// req: TEEP-ENC-005
// req: TEEP-ENC-008
// req: TEEP-ENC-010
// req: TEEP-COSE-015
// req: TEEP-ENC-012
// req: EAT-017
#[test]
fn evidence_and_reports_are_encrypted_to_a_tam_whose_key_is_known() {
    let crypto = crypto();
    let (keys, public) = recipient();
    let administrator = Person::new();
    for profile in SuitCoseProfile::ALL {
        let tam = Tam::new();
        let mut device = Device::new(&[&tam], &[&administrator]);
        device.encrypt_to(&tam, &public);
        let request = QueryRequest {
            supported_suit_cose_profiles: vec![profile],
            ..Tam::query()
        };
        let nonce = request.challenge.clone().unwrap();
        let response = device.query(&tam, request);
        let payload = response.attestation.unwrap();
        assert_eq!(payload.format.as_deref(), Some("application/eat+cwt"));
        Evidence::decode(&payload.bytes).unwrap_err();
        let encrypted = Encrypted::decode(&payload.bytes).unwrap();
        assert_eq!(encrypted.algorithm().cose_id(), profile.0[3]);
        for purpose in [
            &b"SUIT Report Encryption"[..],
            b"SUIT Payload Encryption",
            b"",
        ] {
            encrypted.content_key(&crypto, &keys, purpose).unwrap_err();
        }
        let key = encrypted
            .content_key(&crypto, &keys, b"EAT Encryption")
            .unwrap();
        let evidence = encrypted.decrypt(&crypto, &key, &[], None).unwrap();
        let evidence = Evidence::decode(&evidence).unwrap();
        let endorsement = device.endorsement();
        let freshness = Freshness::Nonce(nonce.as_bytes());
        appraise(&crypto, &evidence, &endorsement, freshness, now()).unwrap();

        let envelope = release::app("data/settings", 1, b"on", &administrator);
        let update = Tam::install(&[&envelope]);
        let token = update.token.clone().unwrap();
        let success = success_of(device.answer(&tam.sign(update)));
        let [report] = success.suit_reports.as_slice() else {
            panic!("one report")
        };
        let nobody: [PublicKey; 0] = [];
        let opened = OpenedReport::carried(report, &crypto, &nobody, &keys).unwrap();
        assert!(opened.confidential && opened.report.result.is_success());
        assert_eq!(opened.report.nonce.as_deref(), Some(token.as_bytes()));
        OpenedReport::carried(report, &crypto, &nobody, &[]).unwrap_err();
    }
}

// req: TEEP-ENC-010
#[test]
fn nothing_is_encrypted_under_a_profile_that_was_not_offered() {
    let (_, public) = recipient();
    let (mut device, tam) = device();
    let only_p256 = &public[..1];
    device.encrypt_to(&tam, only_p256);
    let request = QueryRequest {
        supported_suit_cose_profiles: vec![
            SuitCoseProfile([1, 2, 3, 4]),
            SuitCoseProfile::ED25519_CHACHA_POLY,
        ],
        ..Tam::query()
    };
    let response = device.query(&tam, request);
    Evidence::decode(&response.attestation.unwrap().bytes).unwrap();
}

// req: TEEP-MSG-043
// req: TEEP-MSG-083
#[test]
fn reports_of_the_boot_say_whether_what_is_installed_would_start() {
    let tam = Tam::new();
    let administrator = Person::new();
    let mut device = Device::new(&[&tam], &[&administrator]);
    let query = || QueryRequest {
        data_items: DataItems::SUIT_REPORTS,
        ..Tam::plain_query_with(Tam::token())
    };
    assert_eq!(device.query(&tam, query()).suit_reports.len(), 0);
    let envelope = release::app("data/settings", 1, b"on", &administrator);
    device.install(&tam, &[&envelope]);
    let before = device.stored(&["data"]);
    let request = query();
    let token = request.token.clone().unwrap();
    let response: QueryResponse = device.query(&tam, request);
    let reports = tamarack_tests::reports(&response.suit_reports);
    assert_eq!(reports.len(), 1);
    assert!(reports[0].result.is_success(), "{:?}", reports[0]);
    assert_eq!(reports[0].nonce.as_deref(), Some(token.as_bytes()));
    assert_eq!(device.stored(&["data"]), before, "nothing has changed");
    assert!(response.attestation.is_none() && response.tc_list.is_none());
}

// req: TEEP-AGENT-023
// req: TEEP-MSG-062
// req: TEEP-MSG-064
#[test]
fn a_verdict_of_the_tam_closes_the_exchange_and_is_told() {
    let (mut device, tam) = device();
    let verdict = Update {
        error: Some(ErrorCode::PERMANENT_ERROR),
        // Acted on whatever the language is.
        explanation: Some(Explanation {
            text: "tc-list (8) fehlt".into(),
            language: Some("de-AT".into()),
        }),
        ..Update::default()
    };
    let answer = device.exchange(&tam, verdict);
    success_of(answer);
    let told = device.agent.take_verdict().unwrap();
    assert_eq!(told.code, ErrorCode::PERMANENT_ERROR);
    assert_eq!(told.text, "tc-list (8) fehlt");
    assert_eq!(device.agent.take_verdict(), None);
    let late = error_of(device.answer(&tam.sign(Tam::install(&[]))));
    assert_eq!(late.code, ErrorCode::PERMANENT_ERROR, "it is closed");
}

// req: TEEP-FRESH-002
// req: AMB-02
#[test]
fn a_token_in_the_place_of_a_challenge_is_answered_with_a_result_or_evidence() {
    let (mut device, tam) = device();
    let request = || QueryRequest {
        data_items: DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS,
        ..Tam::plain_query_with(Tam::token())
    };
    // No Verifier: Evidence that holds the token.
    let asked = request();
    let response = device.query(&tam, asked.clone());
    let payload = response.attestation.unwrap();
    let evidence = Evidence::decode(&payload.bytes).unwrap();
    let token = asked.token.unwrap();
    assert_eq!(
        evidence.unverified_claims().nonce.as_deref(),
        Some(token.as_bytes())
    );
    assert_eq!(response.token, Some(token));

    let result = Attestation {
        media_type: "application/eat+cwt; eat_profile=\"urn:ietf:rfc:rfcXXXX\"".into(),
        bytes: b"a result".to_vec(),
    };
    device.payloads.verifier = Some(result.clone());
    let payload = device.query(&tam, request()).attestation.unwrap();
    assert_eq!(payload.format, Some(result.media_type));
    assert_eq!(payload.bytes, result.bytes);
    let asked = device.payloads.appraised.len();
    // A challenge is for Evidence, whoever is there to appraise it.
    let payload = device.query(&tam, Tam::query()).attestation.unwrap();
    Evidence::decode(&payload.bytes).unwrap();
    assert_eq!(device.payloads.appraised.len(), asked);
}

// req: TEEP-TAM-012
// req: TEEP-MSG-061
#[test]
fn a_result_that_a_tam_hands_back_serves_where_the_time_makes_it_fresh() {
    let (mut device, tam) = device();
    let verifier = Person::new();
    let about = |change: &dyn Fn(&mut AttestationResult)| {
        let challenge = Challenge::new(vec![1; 32]).unwrap();
        let mut result = result_about(&device.key(), &challenge);
        result.ueid = device.tee.platform().identity().ueid.clone();
        change(&mut result);
        AttestationPayload {
            format: Some("application/eat+cwt; eat_profile=\"urn:ietf:rfc:rfcXXXX\"".into()),
            bytes: result.issue(&crypto(), verifier.signer()).unwrap(),
        }
    };
    let good = about(&|_| ());
    let of_no_use = [
        about(&|result| result.ueid = b"\x01another device".to_vec()),
        about(&|result| result.confirmation = Confirmation::Key(verifier.public())),
        about(&|result| result.expires_at = Some(now() - 1)),
        about(&|result| result.issued_at = Some(now() - 3 * 3600)),
        about(&|result| result.issued_at = None),
        AttestationPayload {
            format: Some("application/x-result".into()),
            bytes: b"whatever".to_vec(),
        },
        AttestationPayload {
            format: None,
            bytes: b"whatever".to_vec(),
        },
    ];
    let update = |handed: &AttestationPayload| Update {
        attestation: Some(handed.clone()),
        ..Update::default()
    };
    let timestamp = QueryRequest {
        challenge: None,
        supported_freshness_mechanisms: vec![FreshnessMechanism::TIMESTAMP],
        ..Tam::query()
    };
    success_of(device.exchange(&tam, update(&good)));
    let shown = |device: &mut Device| device.query(&tam, timestamp.clone()).attestation.unwrap();
    assert_eq!(shown(&mut device), good);
    let payload = device.query(&tam, Tam::query()).attestation.unwrap();
    Evidence::decode(&payload.bytes).unwrap();
    // No TAM has the device show something to the others that could not convince them.
    for handed in of_no_use {
        success_of(device.exchange(&tam, update(&handed)));
        assert_eq!(shown(&mut device), good);
    }
    // Whom it does not convince gets Evidence the next time.
    let refused = Update {
        error: Some(ErrorCode::ATTESTATION_REQUIRED),
        ..Update::default()
    };
    device.exchange(&tam, refused);
    let payload = shown(&mut device);
    Evidence::decode(&payload.bytes).unwrap();
}

// req: ARCH-004
// req: ARCH-005
// req: ARCH-052
#[test]
fn personalization_data_is_readable_in_its_tee_only() {
    use tamarack_cose::encrypt::Recipient;
    use tamarack_suit::{
        SequenceNumber, Uuid,
        author::{ComponentBuilder, ManifestBuilder, PayloadEncryption},
    };
    let crypto = crypto();
    let (tam, administrator) = (Tam::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&administrator]);
    let other = Device::new(&[&tam], &[&administrator]);
    let hello = release::app("acme/hello", 1, wasm::HELLO_2, &administrator);
    device.install(&tam, &[&hello]);

    let personal = |number, to: &Device| {
        let recipients = to.tee.platform().encryption_keys();
        let recipients: Vec<_> = recipients.iter().map(Recipient::agreement).collect();
        let secret = b"Servus";
        let (image, ciphertext) = PayloadEncryption::default()
            .encrypt(
                &crypto,
                Some(&id("acme/hello/greeting")),
                &recipients,
                secret,
            )
            .unwrap();
        assert!(!ciphertext.windows(6).any(|window| window == secret));
        let vendor = Uuid::vendor("tamarack.example");
        let staged = id("acme/hello/greeting-encrypted");
        let component = ComponentBuilder::new(id("acme/hello/greeting"))
            .vendor(vendor)
            .class(vendor.class("software-tee"))
            .encrypted_integrated("#greeting", ciphertext, staged, image);
        let draft = ManifestBuilder::new(SequenceNumber(number))
            .manifest_id(id("acme/hello/greeting/suit"))
            .component(component)
            .build()
            .unwrap();
        draft.sign(&crypto, &[administrator.signer()]).unwrap()
    };
    let foreign = device.exchange(&tam, Tam::install(&[&personal(1, &other)]));
    assert_eq!(
        error_of(foreign).code,
        ErrorCode::MANIFEST_PROCESSING_FAILED
    );
    assert_eq!(device.version("acme/hello/greeting"), None);
    device.install(&tam, &[&personal(2, &device)]);
    assert!(device.greeting("acme/hello").starts_with("Servus, Ada!"));

    // It would start again: the key is there still.
    let request = QueryRequest {
        data_items: DataItems::SUIT_REPORTS,
        ..Tam::plain_query_with(Tam::token())
    };
    let response = device.query(&tam, request);
    let reports = tamarack_tests::reports(&response.suit_reports);
    assert_eq!(reports.len(), 2);
    for report in reports {
        assert!(report.result.is_success(), "{report:?}");
    }
}
