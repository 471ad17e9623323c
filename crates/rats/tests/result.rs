//! Attestation Results in the EAT profile of TEEP: what is issued, what is taken, what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use tamarack_cose::{
    CryptoProvider, Error, KeyId, PublicKey, SecretKey, SignatureAlgorithm, Signed,
    cbor::{Problem, Reader, Type, Writer},
    rustcrypto, sign1,
};
use tamarack_rats::{
    AttestationResult, Confirmation, Expectation, Freshness, HardwareVersion, OemId, ResultError,
    TEEP_EAT_PROFILE, UnverifiedResult, VerifiedResult,
};
use tamarack_suit::{SuitDigest, report::Reference};

const NOW: u64 = 1_800_000_000;
const NONCE: &[u8] = b"0123456789abcdef";

struct World {
    crypto: CryptoProvider,
    verifier: SecretKey,
    agent: PublicKey,
    result: AttestationResult,
}

impl World {
    fn new() -> Self {
        let crypto = rustcrypto::provider();
        let key = |algorithm| SecretKey::generate(&crypto, algorithm).unwrap();
        let agent = *key(SignatureAlgorithm::Esp256).public_key();
        let reference = Reference {
            uri: "https://example.com/manifest.cbor".into(),
            digest: SuitDigest::sha256(&crypto, b"manifest"),
        };
        let result = AttestationResult {
            ueid: b"\x01device 4711".to_vec(),
            oemid: OemId::Ieee([0x89, 0x48, 0x23]),
            hwmodel: b"lock".to_vec(),
            hwversion: HardwareVersion {
                version: "1.3.4".into(),
                scheme: Some(1),
            },
            manifests: vec![reference.into()],
            confirmation: Confirmation::KeyId(agent.key_id(&crypto)),
            profile: Some(TEEP_EAT_PROFILE.into()),
            swname: None,
            issued_at: Some(NOW - 10),
            expires_at: Some(NOW + 10),
            not_before: None,
            nonce: Some(NONCE.to_vec()),
        };
        Self {
            verifier: key(SignatureAlgorithm::Ed25519),
            agent,
            result,
            crypto,
        }
    }

    fn token(&self) -> Vec<u8> {
        let signer = self.crypto.signatures.signer(&self.verifier).unwrap();
        self.result.issue(&self.crypto, &*signer).unwrap()
    }

    /// Any claims set, signed by the Verifier.
    fn signed(&self, claims: &[u8]) -> Vec<u8> {
        let signer = self.crypto.signatures.signer(&self.verifier).unwrap();
        sign1(&*signer, claims, None).unwrap()
    }

    fn expectation<'a>(&'a self, verifiers: &'a [PublicKey]) -> Expectation<'a> {
        Expectation {
            verifiers,
            profile: TEEP_EAT_PROFILE,
            message_key: &self.agent,
            freshness: Freshness::Nonce(NONCE),
            now: NOW,
        }
    }

    fn verify(&self, token: &[u8]) -> Result<VerifiedResult, ResultError> {
        let verifiers = [*self.verifier.public_key()];
        UnverifiedResult::decode(token)?.verify(&self.crypto, &self.expectation(&verifiers))
    }
}

// req: EAT-001
// req: EAT-002
// req: EAT-004
// req: EAT-005
// req: EAT-006
// req: EAT-008
// req: EAT-009
// req: TEEP-TAM-007
// req: TEEP-TAM-008
#[test]
fn what_a_verifier_issues_is_taken() {
    let world = World::new();
    let token = world.token();
    assert_eq!(Reader::new(&token).peek(), Type::Array, "no tag");
    let signed = Signed::decode(&token).unwrap();
    let key_id = KeyId::of(world.verifier.public_key(), &world.crypto);
    assert_eq!(
        signed.signatures()[0].key_id(),
        Some(&key_id.as_bytes()[..])
    );
    let verified = world.verify(&token).unwrap();
    assert_eq!(verified.claims(), &world.result);
    assert_eq!(verified.verifier(), world.verifier.public_key());
}

#[test]
fn the_encoding_is_deterministic() {
    let world = World::new();
    let claims = world.result.encode();
    assert_eq!(AttestationResult::decode(&claims), Ok(world.result.clone()));
    let mut reader = Reader::new(&claims);
    let keys: Vec<_> = (0..reader.map("claims").unwrap())
        .map(|_| {
            let key = reader.int("key").unwrap();
            reader.skip("value").unwrap();
            key
        })
        .collect();
    assert_eq!(keys, [4, 6, 8, 10, 256, 258, 259, 260, 265, 272]);
}

// req: EAT-015
#[test]
fn claims_that_nobody_knows_do_no_harm() {
    let world = World::new();
    let mut claims = world.result.encode();
    assert_eq!(claims[0], 0xaa, "a map of ten");
    claims[0] += 1;
    let mut extra = Writer::new();
    extra.uint(65_000).map(1).text("measured").bytes(b"\x01");
    claims.extend(extra.into_bytes());
    let verified = world.verify(&world.signed(&claims)).unwrap();
    assert_eq!(verified.claims(), &world.result);
}

// req: AMB-19
// req: AMB-25
#[test]
fn tags_and_a_key_beside_its_id_are_accepted() {
    let mut world = World::new();
    world.result.confirmation = Confirmation::named(&world.agent, &world.crypto);
    let token = world.token();
    let cose = [&[0xd2], &token[..]].concat();
    let cwt = [&[0xd8, 61], &cose[..]].concat();
    for token in [token, cose, cwt] {
        let verified = world.verify(&token).unwrap();
        assert_eq!(
            verified.claims().confirmation.public_key(),
            Some(&world.agent)
        );
    }
}

// req: TEEP-TAM-007
#[test]
fn a_result_by_a_stranger_is_refused_whatever_its_key_id_says() {
    let world = World::new();
    let stranger = SecretKey::generate(&world.crypto, SignatureAlgorithm::Ed25519).unwrap();
    let signer = world.crypto.signatures.signer(&stranger).unwrap();
    let trusted = KeyId::of(world.verifier.public_key(), &world.crypto);
    let own = KeyId::of(stranger.public_key(), &world.crypto);
    for key_id in [None, Some(&trusted), Some(&own)] {
        let forged = sign1(&*signer, &world.result.encode(), key_id).unwrap();
        let refused = world.verify(&forged);
        assert!(
            matches!(
                refused,
                Err(ResultError::Cose(Error::UnknownKey | Error::BadSignature))
            ),
            "{refused:?}"
        );
    }
    let unsigned = UnverifiedResult::decode(&forged_by(&world, &stranger))
        .map(|result| result.verify(&world.crypto, &world.expectation(&[])));
    assert_eq!(
        unsigned.unwrap(),
        Err(ResultError::Cose(Error::UnknownKey)),
        "nobody is trusted"
    );
}

fn forged_by(world: &World, key: &SecretKey) -> Vec<u8> {
    let signer = world.crypto.signatures.signer(key).unwrap();
    world.result.issue(&world.crypto, &*signer).unwrap()
}

// req: TEEP-TAM-008
// req: EAT-008
// req: EAT-018
// req: TEEP-FRESH-008
#[test]
fn each_fault_has_its_reason() {
    let refused = |spoil: &dyn Fn(&mut World)| {
        let mut world = World::new();
        spoil(&mut world);
        world.verify(&world.token()).unwrap_err()
    };
    let other = World::new().agent;
    assert_eq!(refused(&|w| w.agent = other), ResultError::NotBound);
    // A key that is not the one which the id names.
    assert_eq!(
        refused(&|w| {
            let id = w.agent.key_id(&w.crypto);
            w.result.confirmation = Confirmation::Named { id, key: other };
        }),
        ResultError::NotBound
    );
    assert_eq!(
        refused(&|w| {
            let id = other.key_id(&w.crypto);
            w.result.confirmation = Confirmation::Named { id, key: w.agent };
        }),
        ResultError::NotBound
    );
    assert_eq!(
        refused(&|w| w.result.expires_at = Some(NOW)),
        ResultError::Expired
    );
    assert_eq!(
        refused(&|w| w.result.not_before = Some(NOW + 1)),
        ResultError::NotYet
    );
    assert_eq!(refused(&|w| w.result.nonce = None), ResultError::NotFresh);
    assert_eq!(
        refused(&|w| w.result.nonce = Some(b"another nonce".to_vec())),
        ResultError::NotFresh
    );
    assert_eq!(
        refused(&|w| w.result.issued_at = Some(NOW + 61)),
        ResultError::NotFresh,
        "from the future"
    );
    assert_eq!(
        refused(&|w| w.result.profile = Some("urn:ietf:rfc:rfc9999".into())),
        ResultError::OtherProfile
    );
}

// req: AMB-17
#[test]
fn the_profile_may_be_left_out_and_can_be_set() {
    let mut world = World::new();
    world.result.profile = None;
    assert!(world.verify(&world.token()).is_ok());
    world.result.profile = Some("urn:ietf:rfc:rfc9999".into());
    let verifiers = [*world.verifier.public_key()];
    let expectation = Expectation {
        profile: "urn:ietf:rfc:rfc9999",
        ..world.expectation(&verifiers)
    };
    let token = world.token();
    let result = UnverifiedResult::decode(&token).unwrap();
    assert!(result.verify(&world.crypto, &expectation).is_ok());
}

// req: TEEP-FRESH-008
#[test]
fn by_its_timestamp_a_result_is_fresh_for_a_time() {
    let mut world = World::new();
    world.result.nonce = None;
    let verifiers = [*world.verifier.public_key()];
    let verify = |issued_at: Option<u64>| {
        let result = AttestationResult {
            issued_at,
            ..world.result.clone()
        };
        let signer = world.crypto.signatures.signer(&world.verifier).unwrap();
        let token = result.issue(&world.crypto, &*signer).unwrap();
        let expectation = Expectation {
            freshness: Freshness::Timestamp { maximum_age: 300 },
            ..world.expectation(&verifiers)
        };
        let unverified = UnverifiedResult::decode(&token).unwrap();
        unverified.verify(&world.crypto, &expectation).map(drop)
    };
    assert_eq!(verify(Some(NOW - 300)), Ok(()));
    assert_eq!(verify(Some(NOW + 60)), Ok(()));
    for at in [Some(NOW - 301), Some(NOW + 61), None] {
        assert_eq!(verify(at), Err(ResultError::NotFresh), "{at:?}");
    }
}

/// The claims set without one claim, and with another value for one.
fn with(claims: &[u8], key: i64, value: Option<&[u8]>) -> Vec<u8> {
    let mut reader = Reader::new(claims);
    let mut entries = Vec::new();
    for _ in 0..reader.map("claims").unwrap() {
        let found = reader.int("key").unwrap();
        let kept = reader.raw("value").unwrap();
        if found != key {
            entries.push(Writer::build(|w| {
                w.int(found).raw(kept);
            }));
        }
    }
    if let Some(value) = value {
        entries.push(Writer::build(|w| {
            w.int(key).raw(value);
        }));
    }
    Writer::build(|w| {
        w.sorted_map(entries);
    })
}

// req: EAT-005
// req: EAT-003
// req: EAT-009
// req: EAT-013
// req: EAT-014
// req: EAT-016
#[test]
fn what_the_profile_demands_is_demanded() {
    let world = World::new();
    let claims = world.result.encode();
    let refused = |claims: &[u8]| match world.verify(&world.signed(claims)) {
        Err(ResultError::Claims(error)) => error,
        other => panic!("{other:?}"),
    };
    for key in [256, 258, 259, 260, 272, 8] {
        let error = refused(&with(&claims, key, None));
        assert!(
            matches!(error.problem, Problem::Missing(_)),
            "{key}: {error}"
        );
    }
    let nonces = Writer::build(|w| {
        w.array(2).bytes(NONCE).bytes(NONCE);
    });
    let wrong: [(i64, &[u8]); 10] = [
        // A float.
        (6, &[0xfb, 0x41, 0xda, 0xd2, 0x74, 0x80, 0, 0, 0]),
        (4, &[0xf9, 0x7c, 0x00]),
        (10, &nonces),
        (10, &[0x47, 1, 2, 3, 4, 5, 6, 7]),
        (256, &[0x46, 1, 2, 3, 4, 5, 6]),
        (258, &[0x44, 1, 2, 3, 4]),
        (259, &[0x40]),
        (260, &[0x80]),
        (272, &[0x80]),
        (8, &[0xa1, 0x03, 0x41, 0x00]),
    ];
    for (key, value) in wrong {
        refused(&with(&claims, key, Some(value)));
    }
    // An indefinite length, and a head that is not the shortest.
    refused(&[&[0xbf], &claims[1..], &[0xff]].concat());
    refused(&[&[0xb8, claims[0] & 0x1f], &claims[1..]].concat());
    // What is not understood does not matter.
    let more = with(&claims, -70_000, Some(&[0x82, 0x01, 0xf6]));
    assert!(world.verify(&world.signed(&more)).is_ok());
    for oemid in [
        &[&[0x50], &[7; 16][..]].concat()[..],
        &[0x19, 0xfa, 0xf2],
        &[0x43, 1, 2, 3],
    ] {
        let claims = with(&claims, 258, Some(oemid));
        assert!(world.verify(&world.signed(&claims)).is_ok());
    }
}

#[test]
fn nothing_is_issued_that_would_be_refused() {
    let mut world = World::new();
    world.result.ueid = vec![1; 34];
    let signer = world.crypto.signatures.signer(&world.verifier).unwrap();
    assert!(world.result.issue(&world.crypto, &*signer).is_err());
    world.result.ueid = vec![1; 33];
    world.result.manifests.clear();
    assert!(world.result.issue(&world.crypto, &*signer).is_err());
}

// req: EAT-012
// req: AMB-18
// req: EAT-011
#[test]
fn a_suit_reference_is_read_in_the_shapes_in_use() {
    let world = World::new();
    let claims = world.result.encode();
    let reference = &world.result.manifests[0].reference;
    let array = Writer::build(|w| reference.write(w));
    let map = Writer::build(|w| {
        w.map(2).uint(1).text(&reference.uri).uint(0);
        reference.digest.write(w);
    });
    let wrapped = |body: &[u8]| {
        Writer::build(|w| {
            w.bytes(body);
        })
    };
    let entry = |body: &[u8]| {
        Writer::build(|w| {
            w.array(1).array(2).uint(60).raw(body);
        })
    };
    for body in [wrapped(&array), wrapped(&map), array.clone(), map.clone()] {
        for key in [272, 273] {
            let claims = with(&with(&claims, 272, None), key, Some(&entry(&body)));
            let verified = world.verify(&world.signed(&claims)).unwrap();
            assert_eq!(verified.claims().manifests, world.result.manifests);
        }
    }
    // A body of another kind beside it is passed over; alone it is not enough.
    let other = Writer::build(|w| {
        w.array(2).array(2).uint(258).bytes(&[0x80]);
        w.array(2).uint(60).bytes(&array);
    });
    let claims_with_other = with(&claims, 272, Some(&other));
    let verified = world.verify(&world.signed(&claims_with_other)).unwrap();
    assert_eq!(verified.claims().manifests.len(), 1);
    let alone = with(&claims, 272, Some(&entry(&wrapped(&[0x80]))));
    assert!(world.verify(&world.signed(&alone)).is_err());
}

// req: EAT-005
// req: AMB-18
#[test]
fn the_example_of_the_draft_is_read() {
    // Appendix D.2 of draft-ietf-teep-protocol, which is neither signed nor has the keys in the claim's place.
    let hex = |text: &str| base16ct::lower::decode_vec(text).unwrap();
    let digest = hex("a7fd6593eac32eb4be578278e6540c5c09cfd7d4d234973054833b2b93030609");
    let kid = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let claims = Writer::build(|w| {
        w.map(7).uint(8).map(1).uint(3).bytes(&kid);
        w.uint(10).bytes(&hex("948f8860d13a463e8e"));
        w.uint(256).bytes(&hex("0198f50a4ff6c05861c8860d13a638ea"));
        w.uint(258).bytes(&hex("894823"));
        w.uint(259).bytes(&hex("549dcecc8b987c737b44e40f7c635ce8"));
        w.uint(260).array(2).text("1.3.4").uint(1);
        w.uint(273).array(1).array(2).uint(60).map(2);
        w.uint(1).text("https://example.com/manifest.cbor");
        w.uint(0).array(2).int(-16).bytes(&digest);
    });
    let result = AttestationResult::decode(&claims).unwrap();
    assert_eq!(result.oemid, OemId::Ieee([0x89, 0x48, 0x23]));
    assert_eq!(
        result.manifests[0].reference.uri,
        "https://example.com/manifest.cbor"
    );
    // What is sent is the claim that RFC 9711 has for it.
    let sent = AttestationResult::decode(&result.encode()).unwrap();
    assert_eq!(sent, result);
}

// req: EAT-010
#[test]
fn a_detached_bundle_holds_what_its_token_has_the_digest_of() {
    let world = World::new();
    let set: &[u8] = &[0xa1, 0x06, 0x01];
    let submods = |digest: &[u8]| {
        Writer::build(|w| {
            w.map(1).text("rich").array(2).int(-16).bytes(digest);
        })
    };
    let bundle = |token: &[u8], name: &str, set: &[u8]| {
        Writer::build(|w| {
            w.array(2).bytes(token).map(1).text(name).bytes(set);
        })
    };
    let right = submods(&world.crypto.sha256(set));
    let token = world.signed(&with(&world.result.encode(), 266, Some(&right)));
    let good = bundle(&token, "rich", set);
    let tagged = [&[0xd9, 0x02, 0x5a], &good[..]].concat();
    for bytes in [&good, &tagged] {
        assert!(world.verify(bytes).is_ok());
    }
    for bad in [
        bundle(&token, "rich", &[0xa1, 0x06, 0x02]),
        bundle(&token, "poor", set),
        bundle(&world.token(), "rich", set),
        Writer::build(|w| {
            w.array(2).bytes(&token).map(0);
        }),
    ] {
        assert!(world.verify(&bad).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_change_of_a_byte_is_taken(position: proptest::sample::Index, flip in 1_u8..) {
        let world = World::new();
        let mut token = world.token();
        let claims = world.result.clone();
        let at = position.index(token.len());
        token[at] ^= flip;
        // A byte of the unprotected header, which holds the key id, may change without consequence.
        if let Ok(verified) = world.verify(&token) {
            proptest::prop_assert_eq!(verified.claims(), &claims);
        }
    }

    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = UnverifiedResult::decode(&bytes);
        let _ = AttestationResult::decode(&bytes);
    }
}
