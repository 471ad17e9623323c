//! HSS/LMS: hash-based signatures that a quantum computer does not forge (RFC 8554, RFC 9858).
//!
//! A tree (LMS) has one-time keys (LM-OTS) as leaves and its root as public key; in a hierarchy (HSS) of up
//! to 8 levels the leaves of one tree sign the roots of the next. Verifying is hashing and nothing else, so
//! it runs on the [`Digests`](crate::Digests) of any provider; every parameter set of the two RFCs is
//! known, with SHA-256, SHA-256/192, SHAKE256/256 and SHAKE256/192.
//!
//! A leaf that signs twice gives the key away. So signing has a state, [`HssState`], which must never go
//! back: no backup of it is ever restored, and no copy of it runs beside it. How many signatures a key can
//! make is settled when it is made: 2 to the power of the sum of its heights. Take more than the device
//! will ever need (requirement SUIT-MTI-009): two levels of height 10 make a million signatures, and are
//! made in seconds.

mod key;
mod lms;
mod ots;
mod parameters;
#[cfg(feature = "hss-signing")]
mod signer;

pub use key::HssPublicKey;
pub use lms::verify;
pub use parameters::HssHash;
#[cfg(feature = "hss-signing")]
pub use signer::{HssLevel, HssSecretKey, HssSigner, HssState};
