//! Keys that never leave the TEE.
//!
//! Not even the TA sees a private or secret key: it holds a name, the TEE holds the key. There is a type for each thing
//! that a key can do, and a key does that thing only.
//!
//! | Type | What for | Algorithms |
//! |---|---|---|
//! | [`SigningKey`] | signatures that others verify | ESP256, Ed25519 |
//! | [`MacKey`] | message authentication codes | HMAC with SHA-256 |
//! | [`SealingKey`] | authenticated encryption | AES-GCM, ChaCha20/Poly1305 |
//! | [`AgreementKey`] | a secret in common with somebody else | Diffie-Hellman on P-256, X25519 |
//!
//! They share one space of names. A key is generated at random, derived from a secret of this TA on this device, agreed upon
//! with a peer, or imported from Personalization Data.
//!
//! ```
//! use tamarack_ta::keys::{self, SignatureAlgorithm, SigningKey};
//!
//! let key = SigningKey::open_or_generate("device", SignatureAlgorithm::Ed25519)?;
//! let signature = key.sign(b"a message")?;
//! keys::verify(&key.public_key()?, b"a message", &signature)?;
//! assert_eq!(keys::list()?, ["device"]);
//! # Ok::<(), tamarack_ta::ResultCode>(())
//! ```

mod agreement;
mod mac;
mod sealing;
mod signing;

use alloc::{string::String, vec::Vec};

pub use agreement::{AgreementCurve, AgreementKey};
pub use mac::MacKey;
pub use sealing::{SealingAlgorithm, SealingKey};
pub use signing::{SignatureAlgorithm, SigningKey};

use crate::{ResultCode, interface, tee};

/// The names of all keys, sorted.
///
/// # Errors
///
/// [`ResultCode::STORAGE_NOT_AVAILABLE`] if the TEE can't read them.
pub fn list() -> Result<Vec<String>, ResultCode> {
    interface::decode_names(&tee::key_list()?).ok_or(ResultCode::BAD_FORMAT)
}

/// Verifies a signature with somebody else's public key, an encoded `COSE_Key`: ESP256 for P-256, Ed25519 for that curve.
///
/// # Errors
///
/// [`ResultCode::SIGNATURE_INVALID`]; [`ResultCode::BAD_FORMAT`] if that is no key for signatures that the TEE knows.
pub fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), ResultCode> {
    tee::verify(public_key, message, signature)
}

/// Whether a key exists and is of the right kind, by something that can't succeed with it: `refused` is how that fails.
fn probe(outcome: Result<(), ResultCode>, refused: ResultCode) -> Result<(), ResultCode> {
    match outcome {
        Err(code) if code == refused => Ok(()),
        other => other,
    }
}

/// Opens what was just imported; a key of another kind does not stay.
fn imported<K>(
    name: &str,
    personalization: &str,
    open: impl FnOnce(&str) -> Result<K, ResultCode>,
) -> Result<K, ResultCode> {
    tee::key_import(name, personalization)?;
    open(name).or_else(|code| {
        tee::key_delete(name)?;
        Err(code)
    })
}

/// Opens a key, making it if there is none.
fn opened<K>(
    open: Result<K, ResultCode>,
    make: impl FnOnce() -> Result<K, ResultCode>,
) -> Result<K, ResultCode> {
    match open {
        Err(ResultCode::ITEM_NOT_FOUND) => make(),
        other => other,
    }
}
