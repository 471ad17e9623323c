use alloc::{string::String, vec::Vec};

use subtle::ConstantTimeEq;
use tamarack_cose::CryptoProvider;

use crate::{Confirmation, Endorsement, Evidence, EvidenceError};

/// What a Verifier found: this Evidence is from the endorsed device, fresh, and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appraisal {
    /// Which device.
    pub ueid: Vec<u8>,
    /// The key that must have signed the message in which the Evidence came.
    pub confirmation: Confirmation,
}

/// Why Evidence does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppraisalError {
    /// The endorsed attester did not sign it.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// It is about another device than the endorsement.
    #[error("the Evidence is about another device")]
    OtherDevice,
    /// It does not answer the nonce.
    #[error("the Evidence does not answer the nonce")]
    NotFresh,
    /// It binds no key.
    #[error("the Evidence holds no cnf claim")]
    NotBound,
    /// A reference measurement is absent or differs.
    #[error("measurement of {name} {problem}")]
    Measurement {
        /// What was measured.
        name: String,
        /// `is absent` or `differs from the reference`.
        problem: &'static str,
    },
}

/// Appraises Evidence against the endorsement of the device that it claims to be from.
///
/// The signature comes first; nothing that the claims say matters before it holds.
///
/// # Errors
///
/// The first reason not to be convinced.
// req: EAT-008
pub fn appraise(
    crypto: &CryptoProvider,
    evidence: &Evidence<'_>,
    endorsement: &Endorsement,
    nonce: &[u8],
) -> Result<Appraisal, AppraisalError> {
    let claims = evidence.verify(crypto, &endorsement.attester)?;
    if claims.ueid.as_ref() != Some(&endorsement.ueid) {
        return Err(AppraisalError::OtherDevice);
    }
    let answered = claims
        .nonce
        .as_ref()
        .is_some_and(|found| found.ct_eq(nonce).into());
    if !answered {
        return Err(AppraisalError::NotFresh);
    }
    for reference in &endorsement.reference_measurements {
        let fault = |problem| {
            Err(AppraisalError::Measurement {
                name: reference.name.clone(),
                problem,
            })
        };
        match claims
            .measurements
            .iter()
            .find(|m| m.name == reference.name)
        {
            None => return fault("is absent"),
            Some(found) if found.sha256 != reference.sha256 => {
                return fault("differs from the reference");
            }
            Some(_) => {}
        }
    }
    let confirmation = claims.confirmation.ok_or(AppraisalError::NotBound)?;
    Ok(Appraisal {
        ueid: endorsement.ueid.clone(),
        confirmation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Claims, Measurement, ReferenceMeasurement};
    use alloc::string::ToString;
    use tamarack_cose::{PublicKey, SecretKey, SignatureAlgorithm, rustcrypto};

    const NONCE: &[u8] = b"0123456789abcdef";

    struct Device {
        crypto: CryptoProvider,
        attester: SecretKey,
        claims: Claims,
        endorsement: Endorsement,
    }

    fn device() -> Device {
        let crypto = rustcrypto::provider();
        let attester = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
        let claims = Claims {
            nonce: Some(NONCE.to_vec()),
            ueid: Some(b"\x01device".to_vec()),
            confirmation: Some(Confirmation::Key(PublicKey::Ed25519 { x: [9; 32] })),
            measurements: alloc::vec![Measurement {
                name: "tee".into(),
                version: Some("1.0".into()),
                sha256: [1; 32],
            }],
            ..Claims::default()
        };
        let mut endorsement = Endorsement::new(b"\x01device".to_vec(), *attester.public_key());
        endorsement.reference_measurements = alloc::vec![ReferenceMeasurement {
            name: "tee".into(),
            sha256: [1; 32]
        }];
        Device {
            crypto,
            attester,
            claims,
            endorsement,
        }
    }

    impl Device {
        fn appraise(&self) -> Result<Appraisal, AppraisalError> {
            let signer = self.crypto.signatures.signer(&self.attester).unwrap();
            let token = self.claims.sign(&self.crypto, &*signer).unwrap();
            let evidence = Evidence::decode(&token).unwrap();
            appraise(&self.crypto, &evidence, &self.endorsement, NONCE)
        }
    }

    #[test]
    fn evidence_in_order_convinces() {
        let device = device();
        assert_eq!(device.appraise().unwrap().ueid, device.endorsement.ueid);
    }

    // req: TEEP-FRESH-008
    #[test]
    fn each_fault_has_its_reason() {
        let refused = |spoil: &dyn Fn(&mut Device)| {
            let mut device = device();
            spoil(&mut device);
            device.appraise().unwrap_err()
        };
        let stranger = SecretKey::generate(&rustcrypto::provider(), SignatureAlgorithm::Esp256);
        let stranger = stranger.unwrap();
        assert!(matches!(
            refused(&|d| d.attester = stranger.clone()),
            AppraisalError::Evidence(EvidenceError::Cose(tamarack_cose::Error::BadSignature))
        ));
        assert_eq!(
            refused(&|d| d.claims.ueid = Some(b"\x01another".to_vec())),
            AppraisalError::OtherDevice
        );
        assert_eq!(
            refused(&|d| d.claims.nonce = None),
            AppraisalError::NotFresh
        );
        assert_eq!(
            refused(&|d| d.claims.nonce = Some(b"fedcba9876543210".to_vec())),
            AppraisalError::NotFresh
        );
        assert_eq!(
            refused(&|d| d.claims.confirmation = None),
            AppraisalError::NotBound
        );
        for spoil in [
            &(|d: &mut Device| d.claims.measurements.clear()) as &dyn Fn(&mut Device),
            &|d| d.claims.measurements[0].sha256 = [2; 32],
        ] {
            assert!(matches!(refused(spoil), AppraisalError::Measurement { .. }));
        }
    }

    #[test]
    fn claims_survive_a_round_trip() {
        let claims = device().claims;
        assert_eq!(Claims::decode(&claims.encode()), Ok(claims));
    }

    #[test]
    fn an_endorsement_survives_a_round_trip_through_json() {
        let mut endorsement = device().endorsement;
        endorsement.vendor_ids = alloc::vec![[0xab; 16]];
        endorsement.labels.insert("site".into(), "lab".into());
        assert_eq!(
            Endorsement::from_json(&endorsement.to_json()),
            Ok(endorsement)
        );
    }

    #[test]
    fn an_endorsement_with_an_unknown_member_is_refused() {
        let error = Endorsement::from_json(r#"{"ueid": "01", "attester": {}, "lables": {}}"#);
        assert!(error.unwrap_err().to_string().contains("lables"));
    }

    proptest::proptest! {
        #[test]
        fn decoding_evidence_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Evidence::decode(&bytes);
            let _ = Claims::decode(&bytes);
        }
    }
}
