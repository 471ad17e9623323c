//! What the TEE says about itself, and its signature on it.

use tamarack_cose::{CryptoProvider, Error};
use tamarack_rats::{Claims, Measurement};

use crate::platform::{Attester, TeePlatform};

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
        ..Claims::default()
    }
}

/// Signs claims with the attestation key.
pub(crate) fn sign(
    claims: &Claims,
    platform: &dyn TeePlatform,
    crypto: &CryptoProvider,
) -> Result<Vec<u8>, Error> {
    let Attester::Key(attester) = platform.attester();
    claims.sign(crypto, attester)
}
