use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use subtle::ConstantTimeEq;
use tamarack_cose::{CryptoProvider, cbor::DecodeError};

use super::{AttestError, Quoted, TPM_QUOTE, TpmEndorsement, TpmQuote};
use crate::{Claims, ComponentFault, Finding, HardwareReport, TrustClaim};

/// Why the quote in Evidence, or the lack of one, does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteFault {
    /// The endorsement says that the device has a TPM, and the Evidence has no report.
    #[error("the Evidence holds no quote of the TPM that the endorsement names")]
    Missing,
    /// The report is of another kind.
    #[error("the Evidence holds {0} where the quote of a TPM belongs")]
    Format(String),
    /// It can't be read.
    #[error("the quote in the Evidence can't be read: {0}")]
    Encoding(#[from] DecodeError),
    /// What was signed is no quote.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// It is by another attestation key than the endorsed one.
    #[error("the quote is by another TPM, or by another key of it, than the endorsement names")]
    OtherKey,
    /// The signature does not hold.
    #[error("the signature of the quote does not hold")]
    Signature,
    /// It was made for other Evidence: another nonce, another time, another key.
    #[error("the quote was not made for this Evidence")]
    NotBound,
    /// The values of the PCRs that come along are not those that were quoted.
    #[error("the PCR values in the Evidence are not those that the TPM quoted")]
    Pcrs,
}

impl QuoteFault {
    /// What it means for the hardware.
    pub(crate) fn claim(&self) -> TrustClaim {
        match self {
            Self::Missing | Self::Format(_) | Self::OtherKey => TrustClaim::UNRECOGNIZED_HARDWARE,
            Self::Encoding(_) | Self::Attest(_) | Self::Signature | Self::NotBound | Self::Pcrs => {
                TrustClaim::CRYPTO_FAILED
            }
        }
    }
}

/// Checks the quote in `claims`, whose signature by the attester `claims` were found to have; says which PCRs have
/// values that are not known to be good.
///
/// # Errors
///
/// The first reason not to rely on what the quote says.
pub(crate) fn check(
    crypto: &CryptoProvider,
    claims: &Claims,
    binding: &[u8; 32],
    endorsed: &TpmEndorsement,
) -> Result<Vec<ComponentFault>, QuoteFault> {
    let HardwareReport { media_type, bytes } =
        claims.hardware_report.as_ref().ok_or(QuoteFault::Missing)?;
    if media_type != TPM_QUOTE {
        return Err(QuoteFault::Format(media_type.to_owned()));
    }
    let quote = TpmQuote::decode(bytes)?;
    if quote.attestation_key != endorsed.attestation_key {
        return Err(QuoteFault::OtherKey);
    }
    (crypto.signatures)
        .verify(&endorsed.attestation_key, &quote.attest, &quote.signature)
        .map_err(|_| QuoteFault::Signature)?;
    let quoted = Quoted::decode(&quote.attest)?;
    if !bool::from(quoted.extra_data.ct_eq(binding)) {
        return Err(QuoteFault::NotBound);
    }
    let same_pcrs = quote.pcrs.keys().eq(&quoted.selection);
    if !same_pcrs || TpmQuote::pcr_digest(crypto, &quote.pcrs) != quoted.pcr_digest {
        return Err(QuoteFault::Pcrs);
    }
    let faults = endorsed.pcrs.iter().filter_map(|(index, good)| {
        let finding = match quote.pcrs.get(index) {
            None => Finding::Absent,
            Some(value) if good.contains(value) => return None,
            Some(_) => Finding::Unknown,
        };
        let name = format!("PCR {index}");
        Some(ComponentFault { name, finding })
    });
    Ok(faults.collect())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::{
        Appraisal, AppraisalError, Confirmation, Endorsement, Evidence, Freshness, TrustTier,
        appraise, tpm::quote::testing::attest,
    };
    use tamarack_cose::{PublicKey, SecretKey, SignatureAlgorithm, rustcrypto};

    const NONCE: &[u8] = b"0123456789abcdef";

    /// A device with a TPM, of which each part can be spoilt.
    struct Device {
        crypto: CryptoProvider,
        attester: SecretKey,
        attestation_key: SecretKey,
        claims: Claims,
        quote: TpmQuote,
        endorsement: Endorsement,
    }

    fn key() -> SecretKey {
        SecretKey::generate(&rustcrypto::provider(), SignatureAlgorithm::Esp256).unwrap()
    }

    fn device() -> Device {
        let crypto = rustcrypto::provider();
        let (attester, attestation_key) = (key(), key());
        let claims = Claims {
            nonce: Some(NONCE.to_vec()),
            issued_at: Some(1000),
            ueid: Some(b"\x01device".to_vec()),
            confirmation: Some(Confirmation::Key(PublicKey::Ed25519 { x: [9; 32] })),
            ..Claims::default()
        };
        let pcrs = [(0, [1; 32]), (7, [2; 32])].into();
        let mut endorsement = Endorsement::new(b"\x01device".to_vec(), *attester.public_key());
        endorsement.tpm = Some(TpmEndorsement {
            attestation_key: *attestation_key.public_key(),
            pcrs: [(0, vec![[1; 32]]), (7, vec![[3; 32], [2; 32]])].into(),
        });
        let mut device = Device {
            quote: TpmQuote {
                attest: Vec::new(),
                signature: [0; 64],
                attestation_key: *attestation_key.public_key(),
                pcrs,
            },
            crypto,
            attester,
            attestation_key,
            claims,
            endorsement,
        };
        device.quote();
        device
    }

    impl Device {
        /// Has the TPM quote for the claims as they are.
        fn quote(&mut self) {
            let binding = (self.claims).report_binding(&self.crypto, self.attester.public_key());
            let selection: Vec<u8> = self.quote.pcrs.keys().copied().collect();
            let digest = TpmQuote::pcr_digest(&self.crypto, &self.quote.pcrs);
            self.sign(attest(&binding, &selection, digest));
        }

        fn sign(&mut self, attest: Vec<u8>) {
            let signer = self.crypto.signatures.signer(&self.attestation_key);
            let signature = signer.unwrap().sign(&attest).unwrap();
            self.quote.signature = signature.try_into().unwrap();
            self.quote.attest = attest;
            self.carry();
        }

        fn carry(&mut self) {
            self.claims.hardware_report = Some(HardwareReport {
                media_type: TPM_QUOTE.into(),
                bytes: self.quote.encode(),
            });
        }

        fn appraise(&self) -> Result<Appraisal, AppraisalError> {
            let signer = self.crypto.signatures.signer(&self.attester).unwrap();
            let token = self.claims.sign(&self.crypto, &*signer).unwrap();
            let evidence = Evidence::decode(&token).unwrap();
            let nonce = Freshness::Nonce(self.claims.nonce.as_deref().unwrap());
            appraise(&self.crypto, &evidence, &self.endorsement, nonce, 1000)
        }
    }

    #[test]
    fn a_quote_in_order_makes_the_hardware_genuine() {
        let found = device().appraise().unwrap();
        assert_eq!(found.vector.hardware, TrustClaim::GENUINE_HARDWARE);
        assert_eq!(found.vector.executables, TrustClaim::APPROVED_BOOT);
        assert_eq!(found.unchecked, None);
    }

    #[test]
    fn each_fault_of_a_quote_has_its_reason_and_counts_against_the_hardware() {
        let refused = |spoil: &dyn Fn(&mut Device)| {
            let mut device = device();
            spoil(&mut device);
            match device.appraise() {
                Err(error @ AppraisalError::Quote(_)) => {
                    assert_eq!(error.vector().tier(), TrustTier::Contraindicated);
                    let AppraisalError::Quote(fault) = error else {
                        unreachable!()
                    };
                    fault
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            refused(&|d| d.claims.hardware_report = None),
            QuoteFault::Missing
        );
        let other_kind = |d: &mut Device| {
            d.claims.hardware_report.as_mut().unwrap().media_type = "application/x".into();
        };
        assert!(matches!(refused(&other_kind), QuoteFault::Format(_)));
        let garbled = |d: &mut Device| {
            d.claims.hardware_report.as_mut().unwrap().bytes.pop();
        };
        assert!(matches!(refused(&garbled), QuoteFault::Encoding(_)));
        assert_eq!(
            refused(&|d| {
                d.quote.signature[9] ^= 1;
                d.carry();
            }),
            QuoteFault::Signature
        );
        assert_eq!(
            refused(&|d| {
                // By a key that is not the endorsed one, and says so.
                d.attestation_key = key();
                d.quote.attestation_key = *d.attestation_key.public_key();
                d.quote();
            }),
            QuoteFault::OtherKey
        );
        assert_eq!(
            refused(&|d| {
                d.attestation_key = key();
                d.quote();
            }),
            QuoteFault::Signature
        );
        assert!(matches!(
            refused(&|d| d.sign(b"whatever a key that is not restricted signs".to_vec())),
            QuoteFault::Attest(AttestError { what: "magic", .. })
        ));
    }

    #[test]
    fn a_quote_for_other_evidence_does_not_count() {
        for change in [
            (|d: &mut Device| d.claims.nonce = Some(b"fedcba9876543210".to_vec()))
                as fn(&mut Device),
            |d| d.claims.issued_at = Some(999),
            |d| d.claims.confirmation = Some(Confirmation::Key(PublicKey::Ed25519 { x: [8; 32] })),
            |d| {
                d.attester = key();
                d.endorsement.attester = *d.attester.public_key();
            },
        ] {
            let mut device = device();
            change(&mut device);
            assert_eq!(
                device.appraise(),
                Err(AppraisalError::Quote(QuoteFault::NotBound))
            );
            device.quote();
            assert!(device.appraise().is_ok(), "a new quote does");
        }
    }

    #[test]
    fn values_that_were_not_quoted_do_not_count() {
        for change in [
            (|d: &mut Device| {
                d.quote.pcrs.insert(7, [3; 32]);
            }) as fn(&mut Device),
            |d| {
                d.quote.pcrs.remove(&0);
            },
            |d| {
                d.quote.pcrs.insert(9, [0; 32]);
            },
        ] {
            let mut device = device();
            change(&mut device);
            device.carry();
            assert_eq!(
                device.appraise(),
                Err(AppraisalError::Quote(QuoteFault::Pcrs))
            );
        }
    }

    #[test]
    fn a_device_that_booted_something_else_is_genuine_and_out_of_date() {
        let mut changed = device();
        changed.quote.pcrs.insert(7, [9; 32]);
        changed.quote.pcrs.remove(&0);
        changed.quote();
        let error = changed.appraise().unwrap_err();
        let vector = error.vector();
        let AppraisalError::OutOfDate(found) = error else {
            panic!("{error:?}")
        };
        let fault = |name: &str, finding| ComponentFault {
            name: name.into(),
            finding,
        };
        assert_eq!(
            found.components,
            [
                fault("PCR 0", Finding::Absent),
                fault("PCR 7", Finding::Unknown)
            ]
        );
        assert_eq!(vector.hardware, TrustClaim::GENUINE_HARDWARE);
        assert_eq!(vector.executables, TrustClaim::UNRECOGNIZED_RUNTIME);
        // The first of the values that are good does as well.
        let mut good = device();
        good.quote.pcrs.insert(7, [3; 32]);
        good.quote();
        assert!(good.appraise().is_ok());
    }

    #[test]
    fn what_is_not_checked_is_not_affirmed() {
        let mut device = device();
        device.endorsement.tpm = None;
        let found = device.appraise().unwrap();
        assert_eq!(found.vector.hardware, TrustClaim::NONE);
        assert_eq!(found.unchecked.as_deref(), Some(TPM_QUOTE));
        device.claims.hardware_report = Some(HardwareReport {
            media_type: "application/vnd.example.report".into(),
            bytes: b"opaque".to_vec(),
        });
        let found = device.appraise().unwrap();
        assert_eq!(found.vector.hardware, TrustClaim::NONE);
        assert_eq!(
            found.unchecked.as_deref(),
            Some("application/vnd.example.report")
        );
    }
}
