use tamarack_cose::{KeyId, SignatureAlgorithm::Esp256};
use tamarack_rats::{
    AttestationResult, Claims, Confirmation, EAR_PROFILE, Ear, EarAppraisal, EarTeepClaims,
    Endorsement, Measurement, OemId, ReferenceMeasurement, TEEP_EAT_PROFILE, TrustClaim,
    TrustVector, VerifierId,
};
use tamarack_suit::{SuitDigest, report::Reference};

use crate::insecure;

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let crypto = insecure::provider();
    let attester = insecure::signer(Esp256);
    let minimal = Claims {
        confirmation: Some(Confirmation::Key(insecure::key(Esp256))),
        nonce: Some(b"a fresh nonce".to_vec()),
        ueid: Some(b"\x01a device".to_vec()),
        ..Claims::default()
    };
    let full = Claims {
        issued_at: Some(1_700_000_000),
        confirmation: Some(Confirmation::KeyId(KeyId::of(
            &insecure::key(Esp256),
            &crypto,
        ))),
        oemid: Some(OemId::Random([1; 16])),
        hwmodel: Some(b"model".to_vec()),
        hwversion: Some("1.0".into()),
        profile: Some("urn:example:profile".into()),
        swname: Some("firmware".into()),
        measurements: vec![Measurement {
            name: "tee".into(),
            version: Some("2.1".into()),
            sha256: [3; 32],
        }],
        ..minimal.clone()
    };
    let evidence = minimal.sign(&crypto, &*attester).expect("signs");
    let mut endorsement = Endorsement::new(b"\x01a device".to_vec(), insecure::key(Esp256));
    endorsement.vendor_ids = vec![[1; 16]];
    endorsement.class_ids = vec![[2; 16]];
    endorsement.reference_measurements = vec![ReferenceMeasurement {
        sha256: vec![[3; 32]],
        ..ReferenceMeasurement::named("tee")
    }];
    endorsement.labels.insert("ring".into(), "canary".into());
    let result = AttestationResult {
        ueid: b"\x01a device".to_vec(),
        oemid: OemId::Enterprise(64242),
        hwmodel: b"model".to_vec(),
        hwversion: "1.0".into(),
        manifests: vec![
            Reference {
                uri: "https://example.com/manifest".into(),
                digest: SuitDigest::sha256(&crypto, b"manifest"),
            }
            .into(),
        ],
        confirmation: Confirmation::named(&insecure::key(Esp256), &crypto),
        profile: Some(TEEP_EAT_PROFILE.into()),
        swname: None,
        issued_at: Some(1_700_000_000),
        expires_at: Some(1_700_000_060),
        nonce: Some(b"a fresh nonce".to_vec()),
    };
    let appraisal = EarAppraisal {
        policies: vec!["policy".into()],
        nonce: result.nonce.clone(),
        teep: Some(EarTeepClaims {
            ueid: Some(result.ueid.clone()),
            oemid: Some(result.oemid),
            manifests: result.manifests.clone(),
            ..EarTeepClaims::default()
        }),
        ..EarAppraisal::from(TrustVector {
            executables: TrustClaim::APPROVED_BOOT,
            ..TrustVector::default()
        })
    };
    let ear = Ear {
        profile: EAR_PROFILE.into(),
        issued_at: 1_700_000_000,
        expires_at: None,
        verifier: VerifierId {
            developer: "developer".into(),
            build: "build".into(),
        },
        status: None,
        nonce: None,
        confirmation: Some(result.confirmation),
        appraisals: [("TEE".to_owned(), appraisal)].into(),
    };
    vec![
        ("result-claims", result.encode()),
        ("result", result.issue(&crypto, &*attester).expect("signs")),
        ("ear-claims", ear.encode()),
        (
            "ear-cwt",
            ear.issue_cwt(&crypto, &*attester).expect("signs"),
        ),
        (
            "ear-jwt",
            ear.issue_jwt(&crypto, &*attester)
                .expect("signs")
                .into_bytes(),
        ),
        ("ear.json", ear.to_json().to_string().into_bytes()),
        ("claims-minimal", minimal.encode()),
        ("claims-full", full.encode()),
        (
            "evidence-full",
            full.sign(&crypto, &*attester).expect("signs"),
        ),
        // CBOR tag 61 around the COSE tag.
        ("evidence-cwt", [&[0xd8, 61], &evidence[..]].concat()),
        ("evidence", evidence),
        ("endorsement.json", endorsement.to_json().into_bytes()),
    ]
}
