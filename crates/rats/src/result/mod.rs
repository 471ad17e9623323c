//! Attestation Results in the EAT profile of TEEP (section 5 of the protocol).

mod bundle;
mod claims;
mod token;

pub use claims::AttestationResult;
pub(crate) use token::check_time;
pub use token::{Expectation, ResultError, UnverifiedResult, VerifiedResult};
