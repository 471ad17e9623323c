//! Quotes of a TPM 2.0: what they look like in Evidence, and how they are checked.

mod attest;
#[cfg(feature = "endorsement")]
mod check;
#[cfg(feature = "endorsement")]
mod endorsement;
mod quote;

pub use attest::{AttestError, Quoted};
#[cfg(feature = "endorsement")]
pub use check::QuoteFault;
#[cfg(feature = "endorsement")]
pub(crate) use check::check;
#[cfg(feature = "endorsement")]
pub(crate) use endorsement::JsonTpm;
#[cfg(feature = "endorsement")]
pub use endorsement::TpmEndorsement;
pub use quote::{TPM_QUOTE, TpmQuote};
