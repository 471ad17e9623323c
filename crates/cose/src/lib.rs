//! The ground floor of Tamarack: bytes, signatures and keys.
//!
//! Everything that arrives from outside enters through the strict CBOR door in [`cbor`]; everything
//! that is signed passes through [`Sign1`], [`Sign`] or [`Signed`], everything that is MACed through
//! [`Mac0`] or [`Mac`], and everything that is encrypted through [`mod@encrypt`]; and every cryptographic primitive is reached through one [`CryptoProvider`]
//! value that the caller passes in. No algorithm is chosen anywhere else in the workspace.
//!
//! What this crate does not do: it opens no file and no socket, holds no global state, reads no clock,
//! and defines no message of TEEP, SUIT or EAT.
//!
//! # Standards
//!
//! RFC 8949 (CBOR), RFC 9052 and RFC 9053 (COSE), RFC 9864 (ESP256, Ed25519), RFC 9679 (COSE key
//! thumbprints), RFC 8554, RFC 8778 and RFC 9858 (HSS/LMS), RFC 9459 (AES-CTR and AES-CBC), RFC 3394 (AES-KW),
//! RFC 9180 and draft-ietf-cose-hpke-24 (HPKE), RFC 7517 (JWK), RFC 5958 and RFC 5280 (PKCS #8 and SPKI in
//! PEM), RFC 5280 and RFC 9360 (X.509 certificates, and their header parameters).
//!
//! | | |
//! |---|---|
//! | signatures | ESP256, Ed25519, HSS/LMS; ES256 and EdDSA are verified as these |
//! | MACs | HMAC 256/256, 384/384, 512/512; keys direct or by AES-KW |
//! | digests | SHA-256, SHA-512/256, SHA-384, SHA-512, SHAKE128, SHAKE256 |
//! | encryption | see [`mod@encrypt`] |
//!
//! Not supported: counter signatures, truncated MACs, and curves other than P-256,
//! Ed25519 and X25519.
//!
//! # Example
//!
//! ```
//! use tamarack_cose::{CryptoProvider, SecretKey, Sign1, SignatureAlgorithm, sign1};
//!
//! let crypto: CryptoProvider = tamarack_cose::rustcrypto::provider();
//! let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//! let signer = crypto.signatures.signer(&key)?;
//!
//! let message = sign1(&*signer, b"install the door lock", None)?;
//!
//! let received = Sign1::decode(&message)?;
//! let payload = received.verify(&crypto, key.public_key(), None)?;
//! assert_eq!(payload, b"install the door lock");
//! # Ok::<(), tamarack_cose::Error>(())
//! ```
//!
//! # Features
//!
//! - `rustcrypto` (default): [`rustcrypto::provider`], pure Rust, for TEEs and microcontrollers.
//! - `aws-lc-rs` (default): [`aws_lc::provider`], for servers.
//! - `hss-signing` (default): HSS/LMS signatures made in software.
//! - `jwk`, `pem` (default): keys as JSON Web Keys and as PEM.
//! - `x509` (default): certificates, chains of them and trust anchors, in `x509`.
//! - `std` (default): system randomness for the RustCrypto provider.
//!
//! Without default features the crate is `no_std` with `alloc`.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod algorithm;
pub mod cbor;
#[cfg(feature = "ciphers")]
mod ciphers;
pub mod encrypt;
mod error;
mod header;
pub mod hss;
mod key;
mod mac;
mod mac0;
mod mac_key;
mod provider;
#[cfg(feature = "shake")]
mod shake;
mod sign;
mod sign1;
mod signed;
mod symmetric;
mod thumbprint;

#[cfg(feature = "aws-lc-rs")]
pub mod aws_lc;
#[cfg(feature = "jwk")]
mod jwk;
#[cfg(feature = "pem")]
mod pem;
#[cfg(feature = "rustcrypto")]
pub mod rustcrypto;
#[cfg(feature = "x509")]
pub mod x509;

pub use algorithm::{DigestAlgorithm, MacAlgorithm, SignatureAlgorithm};
pub use error::{Error, KeyError};
pub use header::Headers;
pub use key::{PublicKey, SecretKey};
pub use mac::{Mac, mac_detached};
pub use mac_key::{MacKey, MacWrappingKey};
pub use mac0::{Mac0, mac0, mac0_detached};
pub use provider::{
    Aead, CryptoProvider, DigestContext, DigestValue, Digests, KeyDerivation, Macs, SecureRandom,
    Signatures, Signer,
};
pub use sign::{Sign, sign, sign_detached};
pub use sign1::{Sign1, sign1, sign1_detached};
pub use signed::{Signed, tag};
pub use symmetric::SymmetricKey;
pub use thumbprint::KeyId;
