//! The five messages of TEEP and their COSE protection.
//!
//! [`Message`] is what draft-ietf-teep-protocol (level -26) defines: [`QueryRequest`],
//! [`QueryResponse`], [`Update`], [`Success`] and [`Error`](struct@Error), each a struct whose fields
//! read like the CDDL. [`Protected`] is a message as it arrives, signed and unverified; only
//! [`Protected::verify`] makes a [`Verified`] one, and only that may be acted on.
//!
//! What this crate does not do: it keeps no state, so tokens, challenges and who may talk to whom are
//! the business of its callers; it does not look into manifests, reports or attestation payloads.
//!
//! Departures from the text of the draft are the readings `AMB-…` of the project's requirement list.
//! One of them shows in the API: the registries exist in two numberings, see [`Numbering`].
//!
//! # Example
//!
//! ```
//! use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
//! use tamarack_teep::{Encoding, Message, Protected, Success, Token, protect};
//!
//! let crypto = rustcrypto::provider();
//! let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//! let signer = crypto.signatures.signer(&key)?;
//!
//! let token = Token::new(vec![7; 16]).unwrap();
//! let success = Success { token: Some(token.clone()), ..Success::default() };
//! let bytes = protect(&crypto, &*signer, &success.into(), Encoding::default())?;
//!
//! let received = Protected::decode(&bytes, &Default::default())?;
//! let verified = received.verify(&crypto, &[*key.public_key()])?;
//! let Message::Success(success) = verified.message() else { panic!("not a Success") };
//! assert_eq!(success.token, Some(token));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `explain` (default): [`explain`](mod@explain), for people who look at messages.
//! - `http`: [`http`](mod@http), what TEEP over HTTP says about headers.
//! - `std` (default): error types implement the standard traits. Without it: `no_std` with `alloc`.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod data_items;
mod error_code;
#[cfg(feature = "explain")]
pub mod explain;
mod following;
mod freshness;
#[cfg(feature = "http")]
pub mod http;
mod media_type;
mod message;
mod numbering;
mod opaque;
mod protect;
mod suites;

pub use data_items::DataItems;
pub use error_code::ErrorCode;
pub use following::{ANNOUNCEMENT, announce, announced};
pub use freshness::FreshnessMechanism;
pub use media_type::{MediaType, TEEP_EAT_PROFILE};
pub use message::{
    AttestationPayload, Error, Explanation, Message, QueryRequest, QueryResponse,
    RequestedComponent, Success, Update,
};
pub use numbering::{Encoding, Numbering, Order};
pub use opaque::{Challenge, Token};
pub use protect::{
    Protected, ProtectionError, Verified, protect, protect_by_each, protect_for_unknown_agent,
};
pub use suites::{CipherSuite, Operation, SuitCoseProfile};

/// The protocol version of this specification; the only one there is.
pub const VERSION: u32 = 0;

/// The media type of a TEEP message (section 14.1), without parameters.
pub const MEDIA_TYPE: &str = "application/teep+cbor";
