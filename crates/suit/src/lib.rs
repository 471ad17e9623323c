//! SUIT manifests: what is to be installed, signed by whoever may say so.
//!
//! A manifest (IETF SUIT) describes an update: which components it concerns, what they must contain,
//! where that comes from, and what has to hold before and after. It travels in an envelope with its
//! signatures and perhaps its payloads. This crate takes envelopes apart, authenticates them, carries out
//! what they say on a device, reports what became of it, and makes new ones.
//!
//! What this crate does not do: it opens no socket, has no clock, and opens no file outside
//! [`directory`]. It works on a [`Device`], which stores components in a transaction, and a [`Fetch`], which retrieves payloads in
//! chunks; both are the caller's. It chooses no algorithm: primitives come from a
//! [`CryptoProvider`](tamarack_cose::CryptoProvider).
//!
//! # The way of an envelope
//!
//! ```text
//! bytes ── Envelope::decode ──> Envelope               nobody vouches for it
//!                                  │ authenticate      digest, signatures, then the whole manifest is
//!                                  ▼                   decoded, severed elements compared and decoded
//!                           AuthenticatedEnvelope      authentic; payloads are still to be verified
//!                                  │ Processor::update commands and parameters supported? components
//!                                  ▼                   there, and the signer's? not older? then commands
//!                               Outcome                what was written was verified; a Report, always
//! ```
//!
//! Nothing is done on behalf of an envelope before its signer is known, and nothing before the whole
//! manifest has been decoded and checked. Digests and signatures are computed over the bytes that were
//! received. The processor is a machine with an explicit stack and a budget of commands; [`Limits`]
//! bounds all that input could make large.
//!
//! # Example
//!
//! ```
//! use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
//! use tamarack_suit::{
//!     Access, Authority, ComponentId, Identity, MemoryDevice, NoFetch, Processor, SequenceNumber, Uuid,
//!     author::{ComponentBuilder, ManifestBuilder},
//! };
//!
//! let crypto = rustcrypto::provider();
//! let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//! let vendor = Uuid::vendor("example.com");
//!
//! // The author: a Trusted Application, with its code in the envelope.
//! let envelope = ManifestBuilder::new(SequenceNumber(1))
//!     .manifest_id("example/lock/suit".parse()?)
//!     .component(
//!         ComponentBuilder::new("example/lock/ta".parse()?)
//!             .vendor(vendor)
//!             .class(vendor.class("door"))
//!             .integrated(&crypto, "#ta", b"\0asm..."),
//!     )
//!     .build()?
//!     .sign(&crypto, &[&*crypto.signatures.signer(&key)?])?;
//!
//! // The Recipient: it trusts the key, for components below `example`.
//! let prefix: ComponentId = "example".parse()?;
//! let access = |_: &[Authority], _: Access, component: &ComponentId| component.starts_with(&prefix);
//! let trusted = [*key.public_key()];
//! let processor = Processor::new(&crypto, &trusted, &access);
//! let mut device = MemoryDevice::new(Identity {
//!     vendors: vec![vendor.into()],
//!     classes: vec![vendor.class("door")],
//!     devices: vec![],
//! });
//! // Nothing of it stays if it fails.
//! let outcome =
//!     device.attempt(|device| processor.update_bytes(device, &mut NoFetch, &envelope));
//! assert_eq!(outcome.result, Ok(()));
//! assert_eq!(device.content(&"example/lock/ta".parse()?), Some(&b"\0asm..."[..]));
//! assert!(outcome.report.result.is_success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Trust anchors and encryption
//!
//! A device usually trusts several parties, each for something else, and has a key of its own to which
//! payloads are encrypted.
//!
//! ```
//! use tamarack_cose::{
//!     SecretKey, SignatureAlgorithm,
//!     encrypt::{Curve, DecryptionKey, Recipient, RecipientKey},
//!     rustcrypto,
//! };
//! use tamarack_suit::{
//!     ComponentId, MemoryDevice, NoFetch, Processor, SequenceNumber, TrustAnchor, TrustAnchors,
//!     author::{ComponentBuilder, ManifestBuilder, PayloadEncryption},
//! };
//!
//! let crypto = rustcrypto::provider();
//! let vendor = SecretKey::generate(&crypto, SignatureAlgorithm::Ed25519)?;
//! let device_key = DecryptionKey::generate(&crypto, Curve::X25519)?;
//!
//! // The author: a secret, as a component that only this device can read.
//! let to = [Recipient::agreement(device_key.public_key())];
//! let id: ComponentId = "vendor/licence".parse()?;
//! let (image, ciphertext) =
//!     PayloadEncryption::default().encrypt(&crypto, Some(&id), &to, b"licence")?;
//! let envelope = ManifestBuilder::new(SequenceNumber(1))
//!     .component(ComponentBuilder::new(id).encrypted_integrated(
//!         "#licence",
//!         ciphertext,
//!         "vendor/staged".parse()?,
//!         image,
//!     ))
//!     .build()?
//!     .sign(&crypto, &[&*crypto.signatures.signer(&vendor)?])?;
//!
//! // The device: the vendor's key counts below `vendor`, and nowhere else.
//! let anchor = TrustAnchor::new(*vendor.public_key()).with_prefixes(["vendor".parse()?]);
//! let anchors = TrustAnchors::new(&crypto, [anchor]);
//! let keys = [RecipientKey::agreement(&crypto, device_key)];
//! let processor = Processor::trusting(&crypto, &anchors).with_recipient_keys(&keys);
//! let mut device = MemoryDevice::default();
//! let outcome =
//!     device.attempt(|device| processor.update_bytes(device, &mut NoFetch, &envelope));
//! assert_eq!(outcome.result, Ok(()));
//! assert_eq!(device.content(&"vendor/licence".parse()?), Some(&b"licence"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Standards
//!
//! draft-ietf-suit-manifest-37, trust-domains-11, update-management-14, firmware-encryption-24, report-18,
//! mti (all six profiles) and mud-09. Every element is decoded and encoded; `docs/suit.md` in the repository has
//! a row for each, with the test that proves it.
//!
//! Carried out where the [`Device`] offers it ([`Extensions`]), and refused before anything runs where it does
//! not: minimum battery, update authorized, wait, component metadata. Encryption needs
//! [recipient keys](Processor::with_recipient_keys).
//!
//! Refused before anything runs: delegation (envelope label 1), custom commands and parameters. Strict Order
//! may be set to false, and commands run in order all the same. There is no second manifest processor behind
//! a dependency prefix: the prefix goes before the identifiers of the dependency's components.
//!
//! # Features
//!
//! - `author` (default): [`author`] and name-based identifiers.
//! - `json` (default): descriptions as JSON and, with `author`, manifests from JSON (`author::json`).
//! - `directory` (default): [`directory`], a [`Device`] on the files of the operating system.
//! - `x509` (default): signers that are known by a certificate, in [`TrustAnchors`].
//! - `std` (default): nothing of its own; passed on to dependencies.
//!
//! Without default features the crate is `no_std` with `alloc`.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod access;
mod authenticate;
#[cfg(feature = "author")]
pub mod author;
#[cfg(feature = "x509")]
mod certified;
mod codec;
mod component;
mod device;
mod digest;
pub mod directory;
mod error;
pub mod explain;
mod identifier;
mod integrated;
mod limits;
mod memory;
mod processor;
mod profile;
mod record;
pub mod report;
mod trust;

pub use access::{Access, AccessControl, SingleAuthority};
pub use authenticate::AuthenticatedEnvelope;
pub use codec::{
    Action, ActorId, Command, Common, Comparison, ComponentMetadata, ConciseSwidTag, Condition,
    Dependency, Entity, Envelope, FileType, IndexArgument, LanguageText, Located, Manifest, Mud,
    Parameter, Parameters, Permissions, ReportingPolicy, Section, Sequence, Severable, Severed,
    TagId, Text, TextEntries, Version, VersionError, VersionMatch, WaitEvent, WaitInfo,
    fault_in_uri,
};
pub use component::{ComponentId, ComponentIdError};
pub use device::{Device, DeviceError, Extensions, Fetch, NoFetch};
pub use digest::SuitDigest;
pub use error::{Error, Why};
pub use identifier::{Identity, SequenceNumber, Uuid, UuidError, VendorId};
pub use limits::Limits;
pub use memory::MemoryDevice;
pub use processor::{
    CapabilityPolicy, DecryptedContent, DependencyIntegrity, DependencySections, IdentityChecks,
    Measurement, Outcome, Processor, Settings, WrittenContent,
};
pub use profile::Profile;
pub use record::ManifestRecord;
pub use report::Report;
pub use trust::{AnchorKey, Authority, TrustAnchor, TrustAnchors, Trusted};

use tamarack_cose::DigestAlgorithm;
