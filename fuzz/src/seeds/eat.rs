use tamarack_cose::{KeyId, SignatureAlgorithm::Esp256};
use tamarack_rats::{Claims, Confirmation, Endorsement, Measurement, OemId, ReferenceMeasurement};

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
    vec![
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
