//! Evidence, its claims, endorsements, and Attestation Results.

use tamarack_rats::{
    AttestationResult, Claims, Ear, EarPolicy, Endorsement, Evidence, Expectation, Freshness,
    PayloadKind, PresentedResult, Quoted, TEEP_EAT_PROFILE, TpmEndorsement, TpmQuote, TsmReport,
    appraise,
};

use crate::insecure;

/// Runs the target.
pub fn run(data: &[u8]) {
    let crypto = insecure::provider();
    if let Ok(claims) = Claims::decode(data) {
        assert_eq!(Claims::decode(&claims.encode()), Ok(claims));
    }
    if let Ok(evidence) = Evidence::decode(data) {
        for attester in insecure::keys() {
            let claims = evidence.unverified_claims();
            if let Ok(verified) = evidence.verify(&crypto, &attester) {
                assert_eq!(verified, claims);
            }
            let ueid = claims.ueid.clone().unwrap_or_default();
            let nonce = claims.nonce.clone().unwrap_or_default();
            let mut endorsement = Endorsement::new(ueid, attester);
            let quote = quote_of(claims);
            endorsement.tpm = quote.as_ref().map(|quote| TpmEndorsement {
                attestation_key: quote.attestation_key,
                pcrs: (quote.pcrs.iter())
                    .map(|(pcr, value)| (*pcr, vec![*value]))
                    .collect(),
            });
            if let Ok(result) = appraise(
                &crypto,
                &evidence,
                &endorsement,
                Freshness::Nonce(&nonce),
                0,
            ) {
                assert_eq!(Some(&result.ueid), claims.ueid.as_ref());
                assert_eq!(Some(&result.confirmation), claims.confirmation.as_ref());
                assert!(claims.nonce.is_some(), "fresh without a nonce");
                if let Some(quote) = quote {
                    let quoted = Quoted::decode(&quote.attest).expect("it was found to be a quote");
                    let binding = claims.report_binding(&crypto, &attester);
                    assert_eq!(quoted.extra_data, binding, "made for other Evidence");
                    assert!(quoted.selection.iter().eq(quote.pcrs.keys()));
                }
            }
        }
    }
    results(data);
    let _ = Quoted::decode(data);
    if let Ok(quote) = TpmQuote::decode(data) {
        assert_eq!(TpmQuote::decode(&quote.encode()), Ok(quote));
    }
    if let Ok(report) = TsmReport::decode(data) {
        assert_eq!(TsmReport::decode(&report.encode()), Ok(report));
    }
    if let Ok(text) = str::from_utf8(data)
        && let Ok(endorsement) = Endorsement::from_json(text)
    {
        assert_eq!(
            Endorsement::from_json(&endorsement.to_json()),
            Ok(endorsement)
        );
    }
}

/// The quote of a TPM in these claims.
fn quote_of(claims: &Claims) -> Option<TpmQuote> {
    TpmQuote::decode(&claims.hardware_report.as_ref()?.bytes).ok()
}

/// Attestation Results: what is read is written so that it is read again, and only what is verified counts.
fn results(data: &[u8]) {
    if let Ok(result) = AttestationResult::decode(data) {
        assert_eq!(AttestationResult::decode(&result.encode()), Ok(result));
    }
    if let Ok(ear) = Ear::decode(data) {
        assert_eq!(Ear::decode(&ear.encode()), Ok(ear));
    }
    if let Ok(ear) = Ear::from_json(data) {
        let mut again = Ear::from_json(ear.to_json().to_string().as_bytes()).expect("is read");
        // A key that an attester vouches for is read and not written.
        for (appraisal, before) in again.appraisals.values_mut().zip(ear.appraisals.values()) {
            appraisal.attested_key = before.attested_key;
        }
        assert_eq!(again, ear);
    }
    let crypto = insecure::provider();
    for kind in [
        PayloadKind::TeepResult,
        PayloadKind::EarCwt,
        PayloadKind::EarJwt,
    ] {
        let Some(Ok(result)) = PresentedResult::decode(kind, data) else {
            continue;
        };
        let Some(key) = result
            .unverified_confirmation()
            .and_then(|confirmation| confirmation.public_key().copied())
        else {
            continue;
        };
        let nonce = result.unverified_nonce().map(<[u8]>::to_vec);
        let ueid = result.unverified_ueid().map(<[u8]>::to_vec);
        let nonce = nonce.unwrap_or_default();
        let expectation = Expectation {
            verifiers: &insecure::keys(),
            profile: TEEP_EAT_PROFILE,
            message_key: &key,
            freshness: Freshness::Nonce(&nonce),
            now: result.unverified_issued_at().unwrap_or_default(),
        };
        if let Ok(subject) = result.verify(&crypto, &expectation, EarPolicy::default()) {
            assert_eq!(Some(subject.ueid), ueid);
            assert!(!nonce.is_empty(), "fresh without a nonce");
        }
    }
}
