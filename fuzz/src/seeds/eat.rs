use tamarack_cose::{KeyId, SignatureAlgorithm::Esp256};
use tamarack_rats::{
    AttestationResult, Claims, Confirmation, EAR_PROFILE, Ear, EarAppraisal, EarTeepClaims,
    Endorsement, HardwareReport, Measurement, OemId, ReferenceMeasurement, RollbackDetection,
    TEEP_EAT_PROFILE, TPM_QUOTE, TSM_REPORT, TpmEndorsement, TpmQuote, TrustClaim, TrustVector,
    TsmReport, VerifierId,
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
    let quote = quote(&minimal);
    let quoted = Claims {
        hardware_report: Some(HardwareReport {
            media_type: TPM_QUOTE.into(),
            bytes: quote.encode(),
        }),
        rollback_detection: Some(RollbackDetection::Hardware),
        ..minimal.clone()
    };
    let report = TsmReport {
        provider: "sev_guest".into(),
        outblob: vec![1; 64],
        auxblob: vec![2; 8],
    };
    let reported = Claims {
        hardware_report: Some(HardwareReport {
            media_type: TSM_REPORT.into(),
            bytes: report.encode(),
        }),
        rollback_detection: Some(RollbackDetection::Nothing),
        ..minimal.clone()
    };
    let mut endorsement = Endorsement::new(b"\x01a device".to_vec(), insecure::key(Esp256));
    endorsement.vendor_ids = vec![[1; 16]];
    endorsement.class_ids = vec![[2; 16]];
    endorsement.reference_measurements = vec![ReferenceMeasurement {
        sha256: vec![[3; 32]],
        ..ReferenceMeasurement::named("tee")
    }];
    endorsement.labels.insert("ring".into(), "canary".into());
    let mut with_tpm = endorsement.clone();
    with_tpm.tpm = Some(TpmEndorsement {
        attestation_key: quote.attestation_key,
        pcrs: [(0, vec![[5; 32]]), (7, vec![[6; 32], [7; 32]])].into(),
    });
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
        not_before: None,
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
        not_before: None,
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
        ("endorsement-tpm.json", with_tpm.to_json().into_bytes()),
        ("tpms-attest", quote.attest.clone()),
        ("tpm-quote", quote.encode()),
        ("tsm-report", report.encode()),
        (
            "evidence-quoted",
            quoted.sign(&crypto, &*attester).expect("signs"),
        ),
        (
            "evidence-reported",
            reported.sign(&crypto, &*attester).expect("signs"),
        ),
    ]
}

/// A quote of PCRs 0 and 7 for Evidence with these claims.
fn quote(claims: &Claims) -> TpmQuote {
    let crypto = insecure::provider();
    let key = insecure::key(Esp256);
    let pcrs = [(0, [5; 32]), (7, [6; 32])].into();
    let binding = claims.report_binding(&crypto, &key);
    let attest = [
        &[0xff, 0x54, 0x43, 0x47, 0x80, 0x18][..], // TPM_GENERATED_VALUE, TPM_ST_ATTEST_QUOTE
        &[0, 34],
        &[0xab; 34], // qualifiedSigner
        &[0, 32],
        &binding,      // extraData
        &[0; 16],      // clock, resetCount, restartCount
        &[1],          // safe
        &[0; 8],       // firmwareVersion
        &[0, 0, 0, 1], // one bank
        &[0, 0x0b, 3], // of SHA-256, with 24 PCRs
        &[0x81, 0, 0], // of which 0 and 7
        &[0, 32],
        &TpmQuote::pcr_digest(&crypto, &pcrs),
    ]
    .concat();
    let signature = insecure::signer(Esp256).sign(&attest).expect("signs");
    TpmQuote {
        signature: signature.try_into().expect("of 64 bytes"),
        attest,
        attestation_key: key,
        pcrs,
    }
}
