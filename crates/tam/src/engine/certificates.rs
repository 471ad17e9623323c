//! Devices that are known by their makers' certificates, and keys that are revoked.

use tamarack_cose::x509::{Purpose, Revocation, Revocations, Signatory, Trust, TrustAnchor};
use tamarack_cose::{PublicKey, Signed};
use tamarack_rats::Evidence;

use super::{EngineError, Tam, attestation::Fault};
use crate::{
    AuditAction, AuditEntry, Clock, Device, Maker, Store, StoreError, Timestamp, Ueid,
    certificates::names,
};

impl<S: Store, C: Clock> Tam<S, C> {
    /// A device that is enrolled, or that the certificate of its attester makes known now.
    ///
    /// The Evidence answers an open challenge; whether it holds in everything else is for the appraisal.
    // req: ARCH-023
    // req: ARCH-046
    pub(super) fn known_device(
        &self,
        ueid: &Ueid,
        evidence: &Evidence<'_>,
        now: Timestamp,
    ) -> Result<Result<Device, Fault>, EngineError> {
        if let Some(device) = self.store.device(ueid)? {
            return Ok(Ok(device));
        }
        let signed = evidence.signed();
        if certificates(signed).next().is_none() {
            return Ok(Err(Fault::NotEnrolled));
        }
        let makers = self.store.makers()?;
        let signatory = match self.attester(signed, &makers, now)? {
            Ok(signatory) => signatory,
            Err(fault) => return Ok(Err(fault)),
        };
        let (Some(maker), Some(certificate)) =
            (makers.get(signatory.anchor), &signatory.certificate)
        else {
            return Ok(Err(Fault::NotEnrolled));
        };
        if !names(certificate, ueid) {
            let text = format!("certificate {}: not for this device", certificate.name());
            return Ok(Err(Fault::Certificate(text)));
        }
        let endorsement = match maker.endorse(ueid, &signatory.key) {
            Ok(endorsement) => endorsement,
            Err(error) => return Err(StoreError::Corrupt(error).into()),
        };
        let audit = AuditEntry {
            at: now,
            action: AuditAction::Enroll,
            device: Some(ueid.clone()),
            subject: String::new(),
            detail: format!(
                "by the maker {}, attester {}",
                maker.name,
                signatory.key.key_id(&self.crypto)
            ),
        };
        // Whoever enrolled it meanwhile was first.
        let _ = self.store.enroll(&endorsement, &audit)?;
        Ok(self.store.device(ueid)?.ok_or(Fault::NotEnrolled))
    }

    /// Who signed the Evidence, by a chain to one of the makers.
    fn attester(
        &self,
        signed: &Signed<'_>,
        makers: &[Maker],
        now: Timestamp,
    ) -> Result<Result<Signatory, Fault>, EngineError> {
        let anchors: Vec<TrustAnchor> = makers.iter().map(|maker| maker.anchor.clone()).collect();
        let revoked = self.store.revocations()?.into_iter();
        let revocations: Revocations = revoked.map(|revoked| revoked.revocation).collect();
        let trust = Trust::new(&anchors, &revocations, now.seconds());
        let found = signed.verify_trusted(&self.crypto, &trust, Purpose::Tee, None);
        Ok(match found {
            Ok((signatory, _)) => Ok(signatory),
            Err(tamarack_cose::Error::Certificate(error)) => {
                Err(match error.problem.is_validity() {
                    true => Fault::CertificateExpired(error.to_string()),
                    false => Fault::Certificate(error.to_string()),
                })
            }
            Err(_) => Err(Fault::NotEnrolled),
        })
    }

    /// Whether a key of an attested device is revoked, or a certificate in its Evidence.
    ///
    /// To be asked once the Evidence and the message have verified, whichever way: nobody else learns it.
    // req: TEEP-OPS-002
    pub(super) fn is_revoked(
        &self,
        attester: &PublicKey,
        agent: &PublicKey,
        evidence: Option<&Evidence<'_>>,
    ) -> Result<bool, StoreError> {
        let keys = [attester, agent].map(|key| Revocation::Key(key.key_id(&self.crypto)));
        let certificates = evidence.into_iter().flat_map(|evidence| {
            certificates(evidence.signed()).filter_map(|der| {
                let certificate = tamarack_cose::x509::Certificate::from_der(der).ok()?;
                Some(Revocation::of(&certificate))
            })
        });
        let all: Vec<Revocation> = keys.into_iter().chain(certificates).collect();
        self.store.are_revoked(&all)
    }
}

/// The certificates that come with a token, as many as a chain may have.
fn certificates<'s>(signed: &'s Signed<'s>) -> impl Iterator<Item = &'s [u8]> {
    let most = tamarack_cose::x509::ChainLimits::default().certificates;
    let headers = signed.signatures().into_iter();
    headers
        .flat_map(|headers| headers.certificate_chain().certificates())
        .copied()
        .take(most)
}
