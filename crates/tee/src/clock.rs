//! The time that this process believes in: the machine's.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; 0 if the clock stands before that.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs())
}
