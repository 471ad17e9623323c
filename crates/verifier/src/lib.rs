//! A Verifier over HTTP: the server, and the client that asks one.
//!
//! [`Verifier`] appraises Evidence against endorsements and signs what it found: as an Attestation Result in
//! the EAT profile of TEEP for a TAM, as an EAT Attestation Result (EAR) for anybody. [`serve_until`] offers
//! it over HTTP, in two ways:
//!
//! - `POST /appraise` with the Evidence, in one request; the header Accept chooses the format of the result,
//!   and `application/json` gets all of them at once. With `?nonce=` (base64url), the Evidence must answer
//!   that nonce. Without, the result says which nonce the Evidence answers, and its reader has to know it.
//! - the challenge-response API of Veraison under `/challenge-response/v1`: `POST newSession`, then `POST`
//!   the Evidence to the session, whose state then holds the result as an EAR in JWT form.
//!
//! Its public key is at `/.well-known/verifier/key.jwk` and `key.cose`, and in the description at
//! `/.well-known/veraison/verification`. Take it over a channel that you trust.
//!
//! [`VerifierClient`] asks such a server, and believes nothing of what comes back: whoever asked verifies the
//! result with a key that is trusted beforehand.
//!
//! What this crate does not do: terminate TLS (put a proxy in front), keep a record of what it appraised, or
//! decide for a relying party which findings are good enough.

mod client;
mod files;
mod format;
mod server;
mod session;
mod verifier;

pub use client::{ClientConfig, ClientError, VerifierClient};
pub use files::{FilesError, VerifierFiles};
pub use format::ResultFormat;
pub use server::{ServerSettings, serve_until};
pub use verifier::{Findings, Refused, Verifier};
