//! A TEE in memory, so that a TA's tests run with plain `cargo test`.
//!
//! Each thread has one, empty at first; as the test harness runs every test on a thread of its own, tests
//! do not see each other. Keys and signatures are real, commands are transactions as in a real TEE. What it
//! does not imitate are quotas, sealing and persistence: it is for the logic of a TA.
//!
//! ```
//! use tamarack_ta::{ResultCode, TrustedApplication, Vec, objects, testing};
//!
//! struct Counter;
//! impl TrustedApplication for Counter {
//!     fn create() -> Result<Self, ResultCode> {
//!         Ok(Self)
//!     }
//!     fn invoke_command(&mut self, command: u32, _: &[u8]) -> Result<Vec<u8>, ResultCode> {
//!         let count = objects::read("count").map_or(0, |bytes| bytes[0]) + 1;
//!         objects::write("count", &[count])?;
//!         if command == 13 { Err(ResultCode::ACCESS_DENIED) } else { Ok(Vec::from([count])) }
//!     }
//! }
//!
//! let mut session = testing::Session::<Counter>::open(b"")?;
//! assert_eq!(session.invoke(1, b"")?, [1]);
//! assert_eq!(session.invoke(13, b""), Err(ResultCode::ACCESS_DENIED));
//! assert_eq!(session.invoke(1, b"")?, [2], "the refused command counted nothing");
//! session.close();
//! # Ok::<(), ResultCode>(())
//! ```

mod session;
pub(crate) mod tee;

use alloc::{string::String, vec::Vec};

pub use session::Session;

/// Empties this thread's TEE: no objects, keys, Personalization Data or log lines; the time is the system's.
pub fn reset() {
    tee::with(|tee| *tee = tee::Tee::default());
}

/// Installs Personalization Data, as the TEEP Agent does.
pub fn personalize(name: &str, data: &[u8]) {
    tee::with(|tee| tee.personalization.insert(name.into(), data.into()));
}

/// Stops the clock at `seconds` since 1970.
pub fn set_time(seconds: u64) {
    tee::with(|tee| tee.time = Some(seconds));
}

/// The lines that the TA logged on this thread.
#[must_use]
pub fn log_lines() -> Vec<String> {
    tee::with(|tee| tee.log.clone())
}
