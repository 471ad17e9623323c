use tamarack_rats::{Claims, Confirmation, Measurement};
use tamarack_ta::ResultCode;

use super::TaServices;
use crate::{clock, evidence};

impl TaServices {
    /// An Entity Attestation Token about this TA, signed by the TEE, that answers `nonce` and confirms the signing
    /// key `key`.
    pub(crate) fn attest(
        &mut self,
        nonce: &[u8],
        key: Option<&str>,
    ) -> Result<Vec<u8>, ResultCode> {
        // What a claim may hold (RFC 9711 section 4.1).
        if !(8..=64).contains(&nonce.len()) {
            return Err(ResultCode::BAD_PARAMETERS);
        }
        // What was replaced meanwhile is not what it would be attested as.
        drop(self.view()?);
        let confirmation = match key {
            Some(name) => Some(Confirmation::Key(self.key(name)?.signing_public()?)),
            None => None,
        };
        let name = self.application.record.component.to_string();
        let sha256 = self.application.record.digest.bytes().try_into();
        let application = Claims {
            confirmation,
            security_domain: Some(self.application.record.domain.clone()),
            measurements: vec![Measurement {
                name: name.clone(),
                version: Some(self.application.sequence_number.to_string()),
                sha256: sha256.map_err(|_| ResultCode::NOT_SUPPORTED)?,
            }],
            ..Claims::default()
        };
        let platform = &*self.around.platform;
        // The token is the TEE's, and what it says about the TA is in a submodule of it. The key of a TA never
        // stands where TEEP looks for the key that signs a device's messages.
        let claims = Claims {
            issued_at: Some(clock::now()),
            nonce: Some(nonce.to_vec()),
            submodules: [(name, application)].into(),
            ..evidence::about(platform)
        };
        evidence::sign(claims, platform, self.crypto()).map_err(|error| {
            tracing::warn!(%error, "a Trusted Application could not be attested");
            ResultCode::NOT_SUPPORTED
        })
    }
}
