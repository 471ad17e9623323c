//! Random bytes, from the TEE's cryptographically secure source.

use crate::tee;

/// Fills `out`. If the TEE has no randomness to give, the session dies: no TA runs on with a key that
/// somebody can guess.
pub fn fill(out: &mut [u8]) {
    tee::random(out);
}

/// `N` random bytes; see [`fill`].
#[must_use]
pub fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
