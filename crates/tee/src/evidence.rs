//! What the TEE says about itself, and its signature on it.

use tamarack_agent::platform::PlatformError;
use tamarack_cose::CryptoProvider;
use tamarack_rats::{Claims, Measurement};

use crate::platform::TeePlatform;

/// The name of the measurement of the code in the TEE.
pub(crate) const MEASURED: &str = "tamarack-tee";

/// Which device this is, and what runs in its TEE.
pub(crate) fn about(platform: &dyn TeePlatform) -> Claims {
    let version = env!("CARGO_PKG_VERSION");
    Claims {
        ueid: Some(platform.identity().ueid.clone()),
        hwmodel: Some(platform.name().as_bytes().to_vec()),
        hwversion: Some(version.into()),
        measurements: vec![Measurement {
            name: MEASURED.into(),
            version: Some(version.into()),
            sha256: platform.measurement(),
        }],
        rollback_detection: Some(platform.counter().rollback_detection()),
        ..Claims::default()
    }
}

/// Signs claims with the attestation key, with a report of the hardware about them if there is any.
///
/// # Errors
///
/// If key or hardware can't answer now.
pub(crate) fn sign(
    mut claims: Claims,
    platform: &dyn TeePlatform,
    crypto: &CryptoProvider,
) -> Result<Vec<u8>, PlatformError> {
    let attester = platform.attester();
    if let Some(hardware) = attester.hardware() {
        let binding = claims.report_binding(crypto, attester.key().public_key());
        let report = hardware.report(&binding);
        claims.hardware_report = Some(report.map_err(|error| PlatformError(error.to_string()))?);
    }
    let signed = claims.sign(crypto, attester.key());
    signed.map_err(|error| PlatformError(error.to_string()))
}
