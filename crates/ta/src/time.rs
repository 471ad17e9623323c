//! The time, as far as the TEE knows it.

use core::time::Duration;

use crate::{ResultCode, tee};

/// Seconds since 1970-01-01 00:00 UTC, not counting leap seconds.
///
/// How far it can be trusted depends on the platform: many TEEs take the time from the untrusted side and
/// only make sure that it never goes backwards.
#[must_use]
pub fn now() -> u64 {
    tee::time()
}

/// The time since some moment before this session opened (`TEE_GetSystemTime`): it never goes back, and tells how long
/// something took. Resolution: one millisecond.
#[must_use]
pub fn system() -> Duration {
    Duration::from_millis(tee::time_system())
}

/// The TA's own time in seconds, from what it [set](set_persistent) (`TEE_GetTAPersistentTime`). It survives restarts.
///
/// # Errors
///
/// [`ResultCode::TIME_NOT_SET`] if it was never set, [`ResultCode::TIME_NEEDS_RESET`] if the clock under it went back,
/// [`ResultCode::OVERFLOW`] if it ran over.
pub fn persistent() -> Result<u64, ResultCode> {
    let bytes = tee::time_persistent()?;
    let bytes = bytes.try_into().map_err(|_| ResultCode::BAD_FORMAT)?;
    Ok(u64::from_be_bytes(bytes))
}

/// Sets the TA's own time (`TEE_SetTAPersistentTime`), in seconds since whatever the TA chooses.
///
/// # Errors
///
/// [`ResultCode::STORAGE_NO_SPACE`], [`ResultCode::STORAGE_NOT_AVAILABLE`].
pub fn set_persistent(seconds: u64) -> Result<(), ResultCode> {
    tee::time_persistent_set(seconds)
}
