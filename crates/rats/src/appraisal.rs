use alloc::{boxed::Box, string::String, vec::Vec};

use tamarack_cose::CryptoProvider;

use crate::{
    Claims, ComponentFault, Confirmation, Endorsement, Evidence, EvidenceError, Freshness,
    OutOfDate, QuoteFault, TrustClaim, TrustVector, finding, tpm,
};

/// What was found: this Evidence is from the endorsed device, fresh, and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appraisal {
    /// Which device.
    pub ueid: Vec<u8>,
    /// The key that must have signed the message in which the Evidence came.
    pub confirmation: Confirmation,
    /// The findings, aspect by aspect.
    pub vector: TrustVector,
    /// The media type of a hardware report that the Evidence holds and that could not be checked here: nothing is
    /// known about the hardware then, by this appraisal.
    pub unchecked: Option<String>,
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
    /// It does not answer the nonce, or is too old.
    #[error("the Evidence does not answer the nonce, or is too old")]
    NotFresh,
    /// It binds no key.
    #[error("the Evidence holds no cnf claim")]
    NotBound,
    /// It states other hardware than the endorsement.
    #[error("the Evidence states another {0} than the endorsement")]
    OtherHardware(&'static str),
    /// The quote of its TPM does not hold, or is missing.
    #[error(transparent)]
    Quote(#[from] QuoteFault),
    /// The device is genuine, and something on it is not as it should be. An update may mend that.
    #[error("the device is genuine, and {0}")]
    OutOfDate(Box<OutOfDate>),
}

impl AppraisalError {
    /// The findings, for whom the Verifier answers although it is not convinced.
    #[must_use]
    pub fn vector(&self) -> TrustVector {
        let mut vector = TrustVector::default();
        match self {
            Self::Evidence(_) | Self::NotFresh | Self::NotBound => {
                vector.instance_identity = TrustClaim::CRYPTO_FAILED;
            }
            Self::OtherDevice => vector.instance_identity = TrustClaim::UNRECOGNIZED_INSTANCE,
            Self::OtherHardware(_) => {
                vector.instance_identity = TrustClaim::TRUSTWORTHY_INSTANCE;
                vector.hardware = TrustClaim::UNRECOGNIZED_HARDWARE;
            }
            Self::Quote(fault) => vector.hardware = fault.claim(),
            Self::OutOfDate(out_of_date) => {
                vector = genuine(out_of_date.hardware);
                let claims = out_of_date.components.iter().map(|c| c.finding.claim());
                vector.executables = claims.max_by_key(|claim| claim.0).unwrap_or_default();
            }
        }
        vector
    }
}

/// The findings about a device that is the endorsed one, with this finding about its hardware.
fn genuine(hardware: TrustClaim) -> TrustVector {
    TrustVector {
        instance_identity: TrustClaim::TRUSTWORTHY_INSTANCE,
        hardware,
        ..TrustVector::default()
    }
}

/// Appraises Evidence against the endorsement of the device that it claims to be from, at `now`, in seconds
/// since 1970-01-01 UTC.
///
/// The signature comes first; nothing that the claims say matters before it holds. The quote of a TPM is checked if
/// the endorsement names one; other reports of hardware are not, and nothing is said about the hardware then. The
/// measurements and the PCRs come last: if they alone don't pass, the device is a genuine one
/// ([`AppraisalError::OutOfDate`]).
///
/// # Errors
///
/// The first reason not to be convinced, or all measurements that don't pass.
// req: EAT-008
pub fn appraise(
    crypto: &CryptoProvider,
    evidence: &Evidence<'_>,
    endorsement: &Endorsement,
    freshness: Freshness<'_>,
    now: u64,
) -> Result<Appraisal, AppraisalError> {
    let claims = evidence.verify(crypto, &endorsement.attester)?;
    if claims.ueid.as_ref() != Some(&endorsement.ueid) {
        return Err(AppraisalError::OtherDevice);
    }
    let fresh =
        |freshness: Freshness<'_>| freshness.holds(claims.nonce.as_deref(), claims.issued_at, now);
    let age = (endorsement.maximum_age).map(|maximum_age| Freshness::Timestamp { maximum_age });
    let counts =
        claims.not_before.is_none_or(|at| at <= now) && claims.expires_at.is_none_or(|at| now < at);
    if !counts || !fresh(freshness) || !age.is_none_or(fresh) {
        return Err(AppraisalError::NotFresh);
    }
    let confirmation = claims.confirmation.ok_or(AppraisalError::NotBound)?;
    if let Some(claim) = contradiction(claims, endorsement) {
        return Err(AppraisalError::OtherHardware(claim));
    }
    let mut components = Vec::new();
    let mut hardware = endorsed_hardware(claims, endorsement);
    if let Some(endorsed) = &endorsement.tpm {
        let binding = claims.report_binding(crypto, &endorsement.attester);
        components = tpm::check(crypto, claims, &binding, endorsed)?;
        hardware = TrustClaim::GENUINE_HARDWARE;
    }
    let measured = (endorsement.reference_measurements)
        .iter()
        .filter_map(|reference| {
            let found = claims
                .measurements
                .iter()
                .find(|measurement| measurement.name == reference.name);
            let finding = finding::compare(found, reference)?;
            let name = reference.name.clone();
            Some(ComponentFault { name, finding })
        });
    components.extend(measured);
    let ueid = endorsement.ueid.clone();
    if !components.is_empty() {
        return Err(AppraisalError::OutOfDate(Box::new(OutOfDate {
            ueid,
            confirmation,
            hardware,
            components,
        })));
    }
    let mut vector = genuine(hardware);
    let referenced = |tpm: &crate::TpmEndorsement| !tpm.pcrs.is_empty();
    if !endorsement.reference_measurements.is_empty()
        || endorsement.tpm.as_ref().is_some_and(referenced)
    {
        vector.executables = TrustClaim::APPROVED_BOOT;
    }
    Ok(Appraisal {
        ueid,
        confirmation,
        vector,
        unchecked: (claims.hardware_report.as_ref())
            .filter(|_| endorsement.tpm.is_none())
            .map(|report| report.media_type.clone()),
    })
}

/// The finding about hardware whose report, if there is one, is not checked: it is the endorsed one if both name it,
/// and the Evidence leaves it at that.
fn endorsed_hardware(claims: &Claims, endorsement: &Endorsement) -> TrustClaim {
    let named = (claims.oemid.is_some() && endorsement.oemid.is_some())
        || (claims.hwmodel.is_some() && endorsement.hwmodel.is_some());
    match named && claims.hardware_report.is_none() {
        true => TrustClaim::GENUINE_HARDWARE,
        false => TrustClaim::NONE,
    }
}

/// What the Evidence states of the hardware and the endorsement contradicts. Neither has to state it.
fn contradiction(claims: &Claims, endorsement: &Endorsement) -> Option<&'static str> {
    fn differ<T: PartialEq>(stated: Option<&T>, endorsed: Option<&T>) -> bool {
        matches!((stated, endorsed), (Some(stated), Some(endorsed)) if stated != endorsed)
    }
    let version = |version: &crate::HardwareVersion| version.version.clone();
    let stated = claims.hwversion.as_ref().map(version);
    let endorsed = endorsement.hwversion.as_ref().map(version);
    if differ(claims.oemid.as_ref(), endorsement.oemid.as_ref()) {
        Some("oemid")
    } else if differ(claims.hwmodel.as_ref(), endorsement.hwmodel.as_ref()) {
        Some("hwmodel")
    } else if differ(stated.as_ref(), endorsed.as_ref()) {
        Some("hwversion")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Claims, Finding, HardwareVersion, Measurement, OemId, ReferenceMeasurement, TrustTier,
    };
    use alloc::string::ToString;
    use tamarack_cose::{PublicKey, SecretKey, SignatureAlgorithm, rustcrypto};

    const NONCE: &[u8] = b"0123456789abcdef";
    const NOW: u64 = 1_800_000_000;

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
            sha256: alloc::vec![[1; 32], [3; 32]],
            ..ReferenceMeasurement::named("tee")
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
            let nonce = Freshness::Nonce(NONCE);
            appraise(&self.crypto, &evidence, &self.endorsement, nonce, NOW)
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
        for untimely in [
            &(|d: &mut Device| d.claims.expires_at = Some(NOW)) as &dyn Fn(&mut Device),
            &|d| d.claims.not_before = Some(NOW + 1),
        ] {
            assert_eq!(refused(untimely), AppraisalError::NotFresh);
        }
        assert_eq!(
            refused(&|d| d.claims.confirmation = None),
            AppraisalError::NotBound
        );
        for spoil in [
            &(|d: &mut Device| {
                d.claims.oemid = Some(OemId::Enterprise(1));
                d.endorsement.oemid = Some(OemId::Enterprise(2));
            }) as &dyn Fn(&mut Device),
            &|d| {
                d.claims.hwmodel = Some(b"lock".to_vec());
                d.endorsement.hwmodel = Some(b"door".to_vec());
            },
            &|d| {
                d.claims.hwversion = Some("1.0".into());
                d.endorsement.hwversion = Some("1.1".into());
            },
        ] {
            let error = refused(spoil);
            assert!(matches!(error, AppraisalError::OtherHardware(_)));
            assert_eq!(error.vector().tier(), TrustTier::Contraindicated);
        }
        assert_eq!(
            refused(&|d| d.endorsement.maximum_age = Some(60)),
            AppraisalError::NotFresh,
            "it does not say when it was issued"
        );
        assert_eq!(
            refused(&|d| {
                d.endorsement.maximum_age = Some(60);
                d.claims.issued_at = Some(NOW - 61);
            }),
            AppraisalError::NotFresh
        );
    }

    // req: TEEP-TAM-009
    // req: EAT-018
    #[test]
    fn a_genuine_device_is_told_apart_from_what_runs_on_it() {
        let faults = |spoil: &dyn Fn(&mut Device)| {
            let mut device = device();
            spoil(&mut device);
            match device.appraise() {
                Err(AppraisalError::OutOfDate(found)) => {
                    assert_eq!(found.ueid, device.endorsement.ueid);
                    let vector = AppraisalError::OutOfDate(found.clone()).vector();
                    assert_eq!(vector.instance_identity, TrustClaim::TRUSTWORTHY_INSTANCE);
                    (found.components[0].finding.clone(), vector.tier())
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            faults(&|d| d.claims.measurements.clear()),
            (Finding::Absent, TrustTier::Warning)
        );
        assert_eq!(
            faults(&|d| d.claims.measurements[0].sha256 = [2; 32]),
            (Finding::Unknown, TrustTier::Warning)
        );
        assert_eq!(
            faults(&|d| d.endorsement.reference_measurements[0].revoked = alloc::vec![[1; 32]]),
            (Finding::Revoked, TrustTier::Contraindicated)
        );
        let too_old = |version: Option<&str>, minimum: &str| {
            faults(&|d| {
                d.claims.measurements[0].version = version.map(Into::into);
                d.endorsement.reference_measurements[0].minimum_version = Some(minimum.into());
            })
        };
        for (version, minimum) in [
            (Some("1.0"), "1.0.1"),
            (Some("1.9"), "1.10"),
            (Some("beta"), "0"),
            (None, "0.1"),
        ] {
            let (finding, tier) = too_old(version, minimum);
            assert!(
                matches!(finding, Finding::TooOld { .. }),
                "{version:?} {minimum}"
            );
            assert_eq!(tier, TrustTier::Warning);
        }
    }

    #[test]
    fn several_values_may_be_accepted_and_versions_are_numbers() {
        let mut device = device();
        device.claims.measurements[0].sha256 = [3; 32];
        device.claims.measurements[0].version = Some("1.10".into());
        let reference = &mut device.endorsement.reference_measurements[0];
        reference.minimum_version = Some("1.9.0".into());
        let vector = device.appraise().unwrap().vector;
        assert_eq!(vector.tier(), TrustTier::Affirming);
        assert_eq!(vector.executables, TrustClaim::APPROVED_BOOT);
        device.claims.measurements[0].sha256 = [9; 32];
        device.endorsement.reference_measurements[0].sha256.clear();
        assert!(device.appraise().is_ok(), "the version alone may do");
        device.endorsement.maximum_age = Some(60);
        device.claims.issued_at = Some(NOW - 60);
        assert!(device.appraise().is_ok());
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
        endorsement.oemid = Some(OemId::Enterprise(64242));
        endorsement.hwmodel = Some(b"lock".to_vec());
        endorsement.hwversion = Some(HardwareVersion::from("1.3"));
        endorsement.tpm = Some(crate::TpmEndorsement {
            attestation_key: PublicKey::Ed25519 { x: [9; 32] },
            pcrs: [
                (0, alloc::vec![[1; 32]]),
                (14, alloc::vec![[2; 32], [3; 32]]),
            ]
            .into(),
        });
        endorsement.maximum_age = Some(300);
        endorsement.manifests = alloc::vec![tamarack_suit::report::Reference {
            uri: "https://example.com/agent".into(),
            digest: tamarack_suit::SuitDigest::sha256(&rustcrypto::provider(), b"agent"),
        }];
        let reference = &mut endorsement.reference_measurements[0];
        reference.revoked = alloc::vec![[4; 32]];
        reference.minimum_version = Some("2.1".into());
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
