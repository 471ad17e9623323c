//! A TEE in memory, so that a TA's tests run with plain `cargo test`.
//!
//! Each thread has one, empty at first; as the test harness runs every test on a thread of its own, tests
//! do not see each other. All services are there and do what they do in a real TEE: the cryptography is real, calls are
//! transactions, other applications are others. What it does not imitate are quotas, sealing and persistence: it is for the
//! logic of a TA.
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
//!
//! # Who is who
//!
//! A test stands outside all sessions, and calls the services of this crate there as the application [`APPLICATION`], of
//! which its sessions are too. [`within`] makes it another one. The first segment of an application's name is its security
//! domain.
//!
//! # Updates
//!
//! What is stored belongs to the application's name, not to the type: a session of another type finds what the one before
//! left, as after an update. [`migrate`] does what the TEE does in between.

mod clock;
mod cose;
mod keys;
mod services;
mod session;
mod state;
mod stream;
pub(crate) mod tee;

use alloc::{string::String, vec::Vec};
use core::time::Duration;

pub use session::{Session, migrate};
pub use stream::{Streamed, StreamedInput};

use crate::{TrustedApplication, interface::Client};

/// The application that a test is, unless it is [`within`] another: its domain is `test`.
pub const APPLICATION: &str = "test/application";

/// Empties this thread's TEE: nothing stored, no Personalization Data, services or log lines; the time is the system's.
pub fn reset() {
    state::with(|tee| *tee = state::Tee::default());
}

/// Is another application meanwhile, one of the security domain that the first segment of `application` names.
pub fn within<R>(application: &str, run: impl FnOnce() -> R) -> R {
    let before = state::with(|tee| core::mem::replace(&mut tee.outside, application.into()));
    let result = run();
    state::with(|tee| tee.outside = before);
    result
}

/// Installs Personalization Data for the application, as the TEEP Agent does.
pub fn personalize(name: &str, data: &[u8]) {
    state::with(|tee| {
        let application = tee.application().into();
        tee.personalization
            .insert((application, name.into()), data.into())
    });
}

/// Lets the TAs of the application's security domain share the object of that name, as a domain's manifest does.
pub fn share(name: &str) {
    state::with(|tee| {
        let domain = tee.domain().into();
        tee.shared.insert((domain, name.into()))
    });
}

/// Exposes a TA as the service `DOMAIN/NAME` to the TAs of `domains`, as a domain's manifest does.
///
/// What it stores belongs to the application of the service's name.
pub fn expose<T: TrustedApplication>(service: &str, domains: &[&str]) {
    services::expose::<T>(service, domains);
}

/// Says who opens sessions from now on. Without it, it is [`Client::Unknown`].
pub fn set_client(client: Client) {
    state::with(|tee| tee.client = client);
}

/// Cancels the next command once it has asked `polls` times whether it is cancelled.
pub fn cancel_after(polls: u32) {
    state::with(|tee| tee.cancel_after = Some(polls));
}

/// Ends the next command as soon as it [commits](crate::session::commit), as somebody may who cancels it: it answers
/// [`ResultCode::CANCEL`](crate::ResultCode::CANCEL), and its session is dead.
pub fn end_at_commit() {
    state::with(|tee| tee.after_commit = state::AfterCommit::Ends);
}

/// Stops the clocks, the one of day at `seconds` since 1970.
pub fn set_time(seconds: u64) {
    state::with(|tee| tee.clock.set(seconds));
}

/// Stops the clocks, if they still run, and moves them on.
pub fn advance_time(by: Duration) {
    state::with(|tee| tee.clock.advance(by));
}

/// The public key of this thread's TEE, an encoded `COSE_Key`: it verifies what [`attest`](crate::attestation::attest)
/// answers.
#[must_use]
pub fn attestation_key() -> Vec<u8> {
    state::with(|tee| tee.attester.public_key()).unwrap_or_default()
}

/// The lines that TAs logged on this thread.
#[must_use]
pub fn log_lines() -> Vec<String> {
    state::with(|tee| tee.log.clone())
}
