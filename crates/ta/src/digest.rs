//! Digests, computed by the TEE: a TA need not carry the code.

use alloc::vec::Vec;

use crate::{
    ResultCode,
    interface::{ALGORITHM_SHA_256, ALGORITHM_SHA_384, ALGORITHM_SHA_512},
    tee,
};

/// The SHA-256 of `data`.
///
/// # Errors
///
/// [`ResultCode::NOT_SUPPORTED`] in a TEE that lacks the algorithm.
pub fn sha256(data: &[u8]) -> Result<[u8; 32], ResultCode> {
    sized(tee::digest(ALGORITHM_SHA_256, data)?)
}

/// The SHA-384 of `data`.
///
/// # Errors
///
/// [`ResultCode::NOT_SUPPORTED`] in a TEE that lacks the algorithm.
pub fn sha384(data: &[u8]) -> Result<[u8; 48], ResultCode> {
    sized(tee::digest(ALGORITHM_SHA_384, data)?)
}

/// The SHA-512 of `data`.
///
/// # Errors
///
/// [`ResultCode::NOT_SUPPORTED`] in a TEE that lacks the algorithm.
pub fn sha512(data: &[u8]) -> Result<[u8; 64], ResultCode> {
    sized(tee::digest(ALGORITHM_SHA_512, data)?)
}

fn sized<const N: usize>(digest: Vec<u8>) -> Result<[u8; N], ResultCode> {
    digest.try_into().map_err(|_| ResultCode::BAD_FORMAT)
}
