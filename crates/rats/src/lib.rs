//! Remote attestation: Entity Attestation Tokens, Evidence, endorsements, appraisal.
//!
//! An attester (the TEE) states facts about itself in [`Claims`] and signs them: that is [`Evidence`]. A
//! Verifier knows the device from an [`Endorsement`] and turns Evidence into an [`Appraisal`] with
//! [`appraise`], or says why not. The `cnf` claim ties it all to TEEP: it names the key that signs the
//! device's TEEP messages, so Evidence of one device can't vouch for another's messages.
//!
//! What this crate does not do: it keeps no list of devices and no nonces; who asked for the Evidence,
//! and whether the nonce is theirs, fresh and unused, is for the caller to say.
//!
//! Standards: RFC 9711 (EAT), RFC 8392 (CWT), RFC 8747 (cnf), draft-ietf-rats-eat-measured-component
//! (measurements), draft-ietf-rats-msg-wrap (reports of hardware), TPM 2.0 Library Part 2 (quotes), and the EAT profile
//! in section 5 of draft-ietf-teep-protocol.
//!
//! # Example
//!
//! ```
//! use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
//! use tamarack_rats::{Claims, Confirmation, Endorsement, Evidence, Freshness, appraise};
//!
//! let crypto = rustcrypto::provider();
//! let attester = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//! let teep_key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//!
//! // In the TEE:
//! let claims = Claims {
//!     nonce: Some(b"a fresh nonce".to_vec()),
//!     ueid: Some(b"\x01device 4711".to_vec()),
//!     confirmation: Some(Confirmation::Key(*teep_key.public_key())),
//!     ..Claims::default()
//! };
//! let evidence = claims.sign(&crypto, &*crypto.signatures.signer(&attester)?)?;
//!
//! // At the Verifier:
//! let endorsement = Endorsement::new(b"\x01device 4711".to_vec(), *attester.public_key());
//! let evidence = Evidence::decode(&evidence)?;
//! let nonce = Freshness::Nonce(b"a fresh nonce");
//! let found = appraise(&crypto, &evidence, &endorsement, nonce, 1_800_000_000)?;
//! assert_eq!(found.confirmation, Confirmation::Key(*teep_key.public_key()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `endorsement` (default): the Verifier's side. A TEE does without it.
//! - `jwt` (default): EAT Attestation Results in JSON.
//! - `std` (default). Without it: `no_std` with `alloc`.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "endorsement")]
mod appraisal;
mod ar4si;
mod claims;
mod confirmation;
mod cwt;
mod ear;
mod encryption;
#[cfg(feature = "endorsement")]
mod endorsement;
mod evidence;
#[cfg(feature = "endorsement")]
mod finding;
mod freshness;
mod hardware;
mod manifest;
mod measurement;
mod payload;
mod preferred;
mod report;
mod result;
mod tpm;
mod tsm;

#[cfg(feature = "endorsement")]
pub use appraisal::{Appraisal, AppraisalError, appraise};
pub use ar4si::{TrustClaim, TrustTier, TrustVector};
pub use claims::Claims;
pub use confirmation::Confirmation;
#[cfg(feature = "jwt")]
pub use ear::EarJsonError;
pub use ear::{
    EAR_PROFILE, Ear, EarAppraisal, EarPolicy, EarTeepClaims, UnverifiedEar, VerifierId,
};
pub use encryption::{decrypt_eat, encrypt_eat, is_encrypted_eat};
#[cfg(feature = "endorsement")]
pub use endorsement::{Endorsement, EndorsementError, ReferenceMeasurement};
pub use evidence::{Evidence, EvidenceError};
#[cfg(feature = "endorsement")]
pub use finding::{ComponentFault, Finding, OutOfDate};
pub use freshness::Freshness;
pub use hardware::{HardwareVersion, OemId};
pub use manifest::ManifestReference;
pub use measurement::Measurement;
pub use payload::{PayloadKind, PresentedResult, Subject};
pub use report::{HardwareReport, RollbackDetection};
pub use result::{AttestationResult, Expectation, ResultError, UnverifiedResult, VerifiedResult};
pub use tamarack_teep::TEEP_EAT_PROFILE;
pub use tpm::{AttestError, Quoted, TPM_QUOTE, TpmQuote};
#[cfg(feature = "endorsement")]
pub use tpm::{QuoteFault, TpmEndorsement};
pub use tsm::{TSM_REPORT, TsmReport};

/// Media type of an EAT in CWT form (RFC 9782).
pub const EAT_CWT: &str = "application/eat+cwt";

/// Media type of an EAT in JWT form (RFC 9782).
pub const EAT_JWT: &str = "application/eat+jwt";

/// Media type of a quote of an SGX enclave, as the DCAP libraries make it, in a [`HardwareReport`]. It is about the 32
/// bytes of the binding and 32 zeros.
pub const SGX_QUOTE: &str = "application/vnd.tamarack.sgx-quote";
