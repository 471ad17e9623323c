//! Making manifests: from what is to be installed to a signed envelope.
//!
//! ```
//! use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
//! use tamarack_suit::{
//!     Envelope, SequenceNumber, Uuid,
//!     author::{ComponentBuilder, DependencyBuilder, ManifestBuilder},
//! };
//!
//! let crypto = rustcrypto::provider();
//! let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//! let signer = crypto.signatures.signer(&key)?;
//! let vendor = Uuid::vendor("example.com");
//!
//! // A Trusted Application, with its code in the envelope.
//! let ta = ManifestBuilder::new(SequenceNumber(1))
//!     .manifest_id("example/lock/suit".parse()?)
//!     .component(
//!         ComponentBuilder::new("example/lock/ta".parse()?)
//!             .vendor(vendor)
//!             .class(vendor.class("door"))
//!             .integrated(&crypto, "#ta", b"\0asm..."),
//!     )
//!     .build()?
//!     .sign(&crypto, &[&*signer])?;
//!
//! // Its configuration, which needs it.
//! let configuration = ManifestBuilder::new(SequenceNumber(1))
//!     .manifest_id("example/lock/configuration".parse()?)
//!     .component(ComponentBuilder::new("example/lock/json".parse()?).content(&crypto, b"{}"))
//!     .dependency(DependencyBuilder::of(&Envelope::decode(&ta)?)?.uri("https://example.com/lock"))
//!     .build()?
//!     .sign(&crypto, &[&*signer])?;
//! # Envelope::decode(&configuration)?.authenticate(&crypto, &[*key.public_key()])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod component;
mod dependency;
mod draft;
mod encrypted;
#[cfg(feature = "json")]
pub mod json;
mod staging;

pub use builder::ManifestBuilder;
pub use component::ComponentBuilder;
pub use dependency::DependencyBuilder;
pub use draft::Draft;
pub use encrypted::{EncryptedImage, PayloadEncryption, PayloadEncryptor};

use alloc::string::String;

use tamarack_cose::cbor::DecodeError;

/// Why a manifest could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is neither a component nor a dependency.
    #[error("a manifest needs a component or a dependency")]
    Empty,
    /// Two integrated payloads have one key.
    #[error("two integrated payloads have the key {0}")]
    DuplicateKey(String),
    /// Two components, or a component and a dependency, have one identifier.
    #[error("the identifier {0} occurs twice")]
    DuplicateIdentifier(crate::ComponentId),
    /// The text describes a component that is not listed.
    #[error("the text is about {0}, which is no component of the manifest")]
    TextComponent(crate::ComponentId),
    /// The version that a text requires is compared by something else than `>`, `>=`, `=`, `<=` and `<`.
    #[error("the required version is compared by {0:?}, which is none of >, >=, =, <= and <")]
    Comparison(String),
    /// A component has images for several slots, one of which is staged or encrypted.
    #[error("{0} has images for several slots, which can't be staged or encrypted")]
    StagedAlternatives(crate::ComponentId),
    /// The payload of a component, or an encrypted dependency, is encrypted for another component.
    #[error("what {0} is to hold is encrypted for another component")]
    OtherTarget(crate::ComponentId),
    /// What describes an encryption is none.
    #[error("the encryption information is of no use: {0}")]
    Encryption(tamarack_cose::Error),
    /// The digest of a ciphertext is missing, and its cipher does not notice changes.
    #[error("{0} notices no change: the digest and length of the ciphertext are needed")]
    UnprotectedCiphertext(&'static str),
    /// What was built does not decode: it exceeds a limit or breaks a rule.
    #[error("the manifest would not be accepted: {0}")]
    Invalid(#[from] DecodeError),
}
