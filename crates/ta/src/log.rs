//! Lines for the operator's log.

use crate::tee;

/// Writes a line. Its first [`MAX_LOG_LEN`](crate::interface::MAX_LOG_LEN) bytes appear in the TEE's log
/// beside the TA's name, with control characters replaced.
///
/// The log leaves the TEE: nothing secret belongs into it.
pub fn line(text: &str) {
    tee::log(text);
}

/// Writes a formatted line, as [`log::line`](line()) does.
#[macro_export]
macro_rules! log {
    ($($argument:tt)*) => {
        $crate::log::line(&$crate::format!($($argument)*))
    };
}
