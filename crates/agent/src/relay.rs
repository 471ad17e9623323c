//! What the broker does for the agent while a message is processed.

use alloc::{borrow::ToOwned, string::String};

use tamarack_suit::{Fetch, NoFetch};

use crate::platform::Evidence;

/// The broker, as the agent sees it while it processes a message. Everything that comes from there is hostile.
pub trait Relay: Fetch {
    /// Has a Verifier appraise Evidence, and brings the Attestation Result with its media
    /// type (Passport model).
    ///
    /// The agent passes the result on; who relies on it verifies it.
    ///
    /// # Errors
    ///
    /// Why there is none, in words; by default that no Verifier is known.
    fn appraise(&mut self, _evidence: &Evidence) -> Result<Evidence, String> {
        Err("no Verifier is known".to_owned())
    }
}

impl Relay for NoFetch {}
