//! EAT Attestation Results: as CWT, as JWT, and one by a deployed Verifier.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeMap, path::PathBuf};

use tamarack_cose::{CryptoProvider, Error, PublicKey, SecretKey, SignatureAlgorithm, rustcrypto};
use tamarack_rats::{
    Confirmation, EAR_PROFILE, Ear, EarAppraisal, EarPolicy, EarTeepClaims, Expectation, Freshness,
    OemId, PayloadKind, PresentedResult, ResultError, Subject, TEEP_EAT_PROFILE, TrustClaim,
    TrustTier, TrustVector, UnverifiedEar, VerifierId,
};
use tamarack_suit::{SuitDigest, report::Reference};

const NOW: u64 = 1_800_000_000;
const NONCE: &[u8] = b"0123456789abcdef";

struct World {
    crypto: CryptoProvider,
    verifier: SecretKey,
    agent: PublicKey,
    ear: Ear,
}

impl World {
    fn new(algorithm: SignatureAlgorithm) -> Self {
        let crypto = rustcrypto::provider();
        let key = |algorithm| SecretKey::generate(&crypto, algorithm).unwrap();
        let agent = *key(SignatureAlgorithm::Esp256).public_key();
        let reference = Reference {
            uri: "https://example.com/agent".into(),
            digest: SuitDigest::sha256(&crypto, b"agent"),
        };
        let appraisal = EarAppraisal {
            policies: vec!["built in".into()],
            teep: Some(EarTeepClaims {
                ueid: Some(b"\x01device 4711".to_vec()),
                oemid: Some(OemId::Random([7; 16])),
                hwmodel: Some(b"lock".to_vec()),
                hwversion: Some("1.0".into()),
                manifests: vec![reference.into()],
                ..EarTeepClaims::default()
            }),
            nonce: Some(NONCE.to_vec()),
            ..TrustVector {
                instance_identity: TrustClaim::TRUSTWORTHY_INSTANCE,
                executables: TrustClaim::APPROVED_BOOT,
                sourced_data: TrustClaim(-1),
                ..TrustVector::default()
            }
            .into()
        };
        let ear = Ear {
            profile: EAR_PROFILE.into(),
            issued_at: NOW - 1,
            expires_at: Some(NOW + 60),
            not_before: None,
            verifier: VerifierId {
                developer: "https://example.com".into(),
                build: "1.0".into(),
            },
            status: None,
            nonce: Some(NONCE.to_vec()),
            confirmation: Some(Confirmation::named(&agent, &crypto)),
            appraisals: BTreeMap::from([("TEE".to_owned(), appraisal)]),
        };
        Self {
            verifier: key(algorithm),
            agent,
            ear,
            crypto,
        }
    }

    fn tokens(&self) -> [(PayloadKind, Vec<u8>); 2] {
        let signer = self.crypto.signatures.signer(&self.verifier).unwrap();
        let jwt = self.ear.issue_jwt(&self.crypto, &*signer).unwrap();
        let cwt = self.ear.issue_cwt(&self.crypto, &*signer).unwrap();
        [
            (PayloadKind::EarJwt, jwt.into_bytes()),
            (PayloadKind::EarCwt, cwt),
        ]
    }

    fn verify(&self, kind: PayloadKind, token: &[u8]) -> Result<Subject, ResultError> {
        let expectation = Expectation {
            verifiers: &[*self.verifier.public_key()],
            profile: TEEP_EAT_PROFILE,
            message_key: &self.agent,
            freshness: Freshness::Nonce(NONCE),
            now: NOW,
        };
        let result = PresentedResult::decode(kind, token).unwrap()?;
        result.verify(&self.crypto, &expectation, EarPolicy::default())
    }
}

#[test]
fn an_ear_survives_both_forms_under_both_algorithms() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let world = World::new(algorithm);
        assert_eq!(Ear::decode(&world.ear.encode()), Ok(world.ear.clone()));
        let json = world.ear.to_json().to_string();
        assert_eq!(Ear::from_json(json.as_bytes()), Ok(world.ear.clone()));
        for (kind, token) in world.tokens() {
            let subject = world.verify(kind, &token).unwrap();
            assert_eq!(subject.ueid, b"\x01device 4711");
            assert_eq!(subject.verifier, *world.verifier.public_key());
        }
    }
}

// req: TEEP-TAM-007
// req: TEEP-TAM-008
// req: EAT-018
#[test]
fn each_fault_has_its_reason_in_both_forms() {
    let refused = |spoil: &dyn Fn(&mut World)| {
        let mut world = World::new(SignatureAlgorithm::Esp256);
        spoil(&mut world);
        let [one, two] = world
            .tokens()
            .map(|(kind, token)| world.verify(kind, &token).unwrap_err());
        assert_eq!(one, two);
        one
    };
    let other = World::new(SignatureAlgorithm::Esp256).agent;
    let mut vector = TrustVector {
        executables: TrustClaim::UNSAFE_RUNTIME,
        ..TrustVector::default()
    };
    assert_eq!(
        refused(&|w| w
            .ear
            .appraisals
            .values_mut()
            .for_each(|a| *a = EarAppraisal {
                teep: a.teep.clone(),
                nonce: a.nonce.clone(),
                ..vector.into()
            })),
        ResultError::Tier(TrustTier::Warning)
    );
    vector.executables = TrustClaim::CONTRAINDICATED_RUNTIME;
    // A status that is better than its findings does not help.
    assert_eq!(
        refused(&|w| w.ear.appraisals.values_mut().for_each(|a| {
            a.status = TrustTier::Affirming;
            a.vector = Some(vector);
        })),
        ResultError::Tier(TrustTier::Contraindicated)
    );
    assert_eq!(
        refused(&|w| w.ear.status = Some(TrustTier::None)),
        ResultError::Tier(TrustTier::None)
    );
    // One bad attester spoils the device.
    assert_eq!(
        refused(&|w| {
            w.ear.appraisals.insert("other".into(), vector.into());
            w.ear.nonce = Some(NONCE.to_vec());
        }),
        ResultError::Tier(TrustTier::Contraindicated)
    );
    assert_eq!(refused(&|w| w.agent = other), ResultError::NotBound);
    assert_eq!(
        refused(&|w| w.ear.confirmation = None),
        ResultError::NotBound
    );
    assert_eq!(
        refused(&|w| w.ear.appraisals.values_mut().for_each(|a| a.teep = None)),
        ResultError::NotBound
    );
    assert_eq!(
        refused(&|w| w.ear.expires_at = Some(NOW)),
        ResultError::Expired
    );
    assert_eq!(
        refused(&|w| w.ear.not_before = Some(NOW + 1)),
        ResultError::NotYet
    );
    assert_eq!(
        refused(&|w| w.ear.nonce = Some(b"another nonce".to_vec())),
        ResultError::NotFresh
    );
    assert_eq!(
        refused(&|w| w.ear.issued_at = NOW + 61),
        ResultError::NotFresh
    );
}

// req: TEEP-TAM-007
#[test]
fn a_result_by_a_stranger_is_refused() {
    let world = World::new(SignatureAlgorithm::Esp256);
    for algorithm in SignatureAlgorithm::STATELESS {
        let mut stranger = World::new(algorithm);
        stranger.ear = world.ear.clone();
        for (kind, token) in stranger.tokens() {
            assert!(matches!(
                world.verify(kind, &token),
                Err(ResultError::Cose(Error::UnknownKey | Error::BadSignature))
            ));
        }
    }
}

#[test]
fn no_algorithm_and_no_critical_header_slips_by() {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let world = World::new(SignatureAlgorithm::Esp256);
    let payload = Base64UrlUnpadded::encode_string(world.ear.to_json().to_string().as_bytes());
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"ES256","crit":["exp"]}"#,
        r#"{}"#,
        "none",
    ] {
        let header = Base64UrlUnpadded::encode_string(header.as_bytes());
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{payload}.{signature}");
            assert!(UnverifiedEar::decode_jwt(token.as_bytes()).is_err());
        }
    }
}

#[test]
fn the_examples_of_the_draft_are_read() {
    // Figures of draft-ietf-rats-ear.
    let json = br#"{
        "eat_profile": "tag:ietf.org,2026:rats/ear#03",
        "iat": 1666529184,
        "ear_verifier_id": { "developer": "https://veraison-project.org", "build": "vts 0.0.1" },
        "ear_raw_evidence": "NzQ3MjY5NzM2NTYzNzQK",
        "submods": { "PSA": {
            "ear_status": "contraindicated",
            "ear_trustworthiness_vector": { "instance-identity": 2, "executables": 96, "hardware": 2 },
            "ear_appraisal_policy_ids": [ "https://veraison.example/policy/1/60a0068d" ]
        } }
    }"#;
    let ear = Ear::from_json(json).unwrap();
    assert_eq!(ear.tier(), TrustTier::Contraindicated);
    assert_eq!(Ear::decode(&ear.encode()), Ok(ear));

    let key = World::new(SignatureAlgorithm::Esp256).agent;
    let pem = key.to_pem().unwrap();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = der.replace('+', "-").replace('/', "_");
    let attested = format!(
        r#"{{
        "eat_profile": "tag:ietf.org,2026:rats/ear#03", "iat": 1666529184,
        "ear_verifier_id": {{ "developer": "a", "build": "b" }},
        "submods": {{ "PARSEC_TPM": {{
            "ear_status": "affirming",
            "ear_veraison_key_attestation": {{ "akpub": "{der}" }}
        }} }}
    }}"#
    );
    let ear = Ear::from_json(attested.as_bytes()).unwrap();
    assert_eq!(ear.confirmation(), Some(Confirmation::Key(key)));
}

/// A file of the published vectors; `None`, said loudly, if they are not there.
fn vector(name: &str) -> Option<Vec<u8>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("TAMARACK_VECTORS").map_or(beside, PathBuf::from);
    let read = std::fs::read(folder.join("interop-2026").join(name));
    read.inspect_err(|error| eprintln!("SKIPPED: {name}: {error}"))
        .ok()
}

/// The key of this Verifier was not published, so that the signature is for nobody to verify.
#[test]
fn a_deployed_verifiers_result_is_read() {
    let Some(jwt) = vector("eat_attestation_result.jwt") else {
        return;
    };
    let result = UnverifiedEar::decode_jwt(&jwt).unwrap();
    let ear = result.unverified_claims();
    assert_eq!(ear.verifier.developer, "Veraison Project");
    assert_eq!(ear.issued_at, 1_759_149_970);
    assert_eq!(ear.nonce().unwrap().len(), 32);
    let appraisal = &ear.appraisals["PSA_IOT"];
    assert_eq!(appraisal.policies, ["policy:PSA_IOT"]);
    let vector = appraisal.vector.unwrap();
    assert_eq!(vector.executables, TrustClaim(2));
    assert_eq!(vector.file_system, TrustClaim::NONE);
    assert_eq!(ear.tier(), TrustTier::Affirming);
    assert_eq!(ear.confirmation(), None, "it binds no key");
    let world = World::new(SignatureAlgorithm::Esp256);
    let refused = world.verify(PayloadKind::EarJwt, &jwt);
    assert!(matches!(refused, Err(ResultError::Cose(Error::UnknownKey))));
}

proptest::proptest! {
    #[test]
    fn no_change_of_a_byte_is_taken(position: proptest::sample::Index, flip in 1_u8..) {
        let world = World::new(SignatureAlgorithm::Ed25519);
        for (kind, mut token) in world.tokens() {
            let at = position.index(token.len());
            token[at] ^= flip;
            if let Ok(subject) = world.verify(kind, &token) {
                proptest::prop_assert_eq!(subject.ueid, b"\x01device 4711");
            }
        }
    }

    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = Ear::decode(&bytes);
        let _ = Ear::from_json(&bytes);
        let _ = UnverifiedEar::decode_cwt(&bytes);
        let _ = UnverifiedEar::decode_jwt(&bytes);
    }
}
