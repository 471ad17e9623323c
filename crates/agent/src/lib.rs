//! The TEEP Agent: decides, inside the TEE, what happens to the TEE.
//!
//! [`Agent`] offers the conceptual API of RFC 9397 section 6.2.1 by name:
//! [`request_ta`](Agent::request_ta), [`unrequest_ta`](Agent::unrequest_ta),
//! [`process_teep_message`](Agent::process_teep_message),
//! [`request_policy_check`](Agent::request_policy_check), [`process_error`](Agent::process_error). What it
//! needs from the TEE comes through the traits of [`platform`]; what crosses the boundary to the broker is
//! defined in [`link`].
//!
//! Its rules:
//!
//! - Nothing is stored or run on behalf of a message before a trusted TAM's signature on it has verified.
//! - An [`Update`](tamarack_teep::Update) counts in an exchange only, after a QueryResponse to that TAM,
//!   and one that was processed before does not count again.
//! - A manifest counts if the owner of the components signed it: see [`SecurityDomain`].
//! - Each manifest is one transaction of the storage. Whatever happens, the old state or the new one holds.
//!
//! What it does not do: it has no socket, file, clock or thread, and runs no Trusted Application itself.
//!
//! # Example
//!
//! A descriptor of a security domain, which a signed manifest installs:
//!
//! ```
//! use tamarack_agent::{Quota, SecurityDomain};
//! use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
//!
//! let crypto = rustcrypto::provider();
//! let provider = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//! let owners = vec![*provider.public_key()];
//! let domain = SecurityDomain::new("acme".parse()?, owners, Quota::default());
//! assert_eq!(SecurityDomain::decode(&domain.encode())?, domain);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `std` (default). Without it: `no_std` with `alloc`.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod agent;
mod domain;
mod exchange;
pub mod link;
pub mod platform;
mod relay;
mod rights;
mod staging;
pub mod state;
mod tams;
mod trust_anchors;

pub use agent::{Agent, AgentError, Outbound, Verdict, installed_components};
pub use domain::{DOMAIN_SEGMENT, Quota, SecurityDomain, Service};
pub use relay::Relay;
pub use trust_anchors::{AnchorEntry, TRUST_ANCHORS_SEGMENT, TrustAnchorSet};
