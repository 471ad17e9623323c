use alloc::{boxed::Box, string::String};

use crate::cbor::DecodeError;

/// Why a COSE object was refused or could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not the COSE structure.
    #[error("not a COSE object: {0}")]
    Decode(#[from] DecodeError),
    /// No algorithm in the protected header.
    #[error("the protected header names no algorithm")]
    AlgorithmMissing,
    /// An algorithm that is not implemented.
    #[error("algorithm {0} is not supported")]
    AlgorithmUnsupported(i64),
    /// A header parameter listed as critical that is not understood (RFC 9052 section 3.1).
    #[error("critical header parameter {0} is not understood")]
    CriticalHeader(i64),
    /// No trusted key answers to the key id, or no key is trusted at all.
    #[error("signed by a key that is not trusted")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
    /// No recipient of an encrypted object could be opened with the keys at hand.
    #[error("encrypted to none of the keys at hand, or to one of them wrongly")]
    NoRecipient,
    /// The content is for another target than the one it would be decrypted for.
    #[error("encrypted for another target")]
    OtherTarget,
    /// A ciphertext or a wrapped key does not belong to the key, or was changed or cut off.
    #[error("the ciphertext was changed or is encrypted under another key")]
    BadCiphertext,
    /// A key authenticates twice what it authenticates already: one authority would look like two.
    #[error("the same key signs twice")]
    DuplicateSigner,
    /// A payload is attached where it must be detached, or the other way round.
    #[error("the payload is {0}")]
    Payload(&'static str),
    /// A key could not be used.
    #[error("{0}")]
    Key(Box<KeyError>),
    /// A certificate, or the chain of them, does not make the key trusted.
    #[cfg(feature = "x509")]
    #[error("{0}")]
    Certificate(Box<crate::x509::ChainError>),
    /// The caller asked for what the algorithm does not do, such as a key of another length or an object for nobody;
    /// nothing about the input is implied.
    #[error("{0}")]
    Misuse(&'static str),
    /// The crypto provider failed, or a key that keeps a state; nothing about the input is implied.
    #[error("the crypto provider failed: {0}")]
    Crypto(&'static str),
}

/// Why a key could not be read or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes are not the COSE_Key structure.
    #[error("not a COSE_Key: {0}")]
    Decode(#[from] DecodeError),
    /// The text is not the format it claims to be.
    #[error("not a valid {format} key: {problem}")]
    Format {
        /// `PEM`, `JWK`, …
        format: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A key type or curve that is not implemented.
    #[error("key type or curve is not supported: {0}")]
    Unsupported(String),
    /// A COSE_Key of a type that is not implemented (label 1).
    #[error("COSE_Key type {0} is not supported")]
    KeyType(i64),
    /// A COSE_Key on a curve that is not implemented (labels 1 and -1).
    #[error("COSE_Key type {kty}, curve {crv} is not supported")]
    Curve {
        /// The key type.
        kty: i64,
        /// The curve.
        crv: i64,
    },
    /// The coordinates are no point of the curve, or the private and public parts do not match.
    #[error("the key is not valid on its curve")]
    Invalid,
    /// A private key was needed and only the public part is there.
    #[error("this is a public key; a private key is needed")]
    NotPrivate,
}

impl From<KeyError> for Error {
    #[cold]
    #[inline(never)]
    fn from(error: KeyError) -> Self {
        Self::Key(Box::new(error))
    }
}

impl KeyError {
    /// Why there is no [`SecretKey`](crate::SecretKey) of HSS/LMS: what a provider says that is asked for one.
    #[must_use]
    pub fn has_state() -> Self {
        Self::Unsupported("an HSS/LMS private key without its state".into())
    }
}
