//! The time, as far as the TEE knows it.

use crate::tee;

/// Seconds since 1970-01-01 00:00 UTC, not counting leap seconds.
///
/// How far it can be trusted depends on the platform: many TEEs take the time from the untrusted side and
/// only make sure that it never goes backwards.
#[must_use]
pub fn now() -> u64 {
    tee::time()
}
