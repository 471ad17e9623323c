//! Proof, for somebody far away, that it is this TA on this device that speaks.

use alloc::vec::Vec;

use crate::{ResultCode, keys::SigningKey, tee};

/// An Entity Attestation Token (RFC 9711), signed by the TEE: which device, which TA in which version, of which security
/// domain, with the digest of its code.
///
/// `nonce` (8 to 64 bytes) is what the Verifier chose, so that the token can't be an older one. With `key`, the token also
/// holds its public half as the claim `cnf`: what that key signs is then known to come from this TA.
///
/// # Errors
///
/// [`ResultCode::BAD_PARAMETERS`] for a nonce of another length, [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
pub fn attest(nonce: &[u8], key: Option<&SigningKey>) -> Result<Vec<u8>, ResultCode> {
    tee::attest(nonce, key.map(SigningKey::name).unwrap_or_default())
}
