use alloc::{boxed::Box, vec::Vec};

use super::{ContentAlgorithm, Curve, DecryptionKey, EncryptionKey, KeyWrap};
use crate::{Error, SymmetricKey};

/// Ciphers over streams, and key wrapping.
pub trait Ciphers: Send + Sync {
    /// Starts decrypting. `associated` are the additional data of an authenticated cipher; for another
    /// cipher they are empty.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if key or IV are not of the algorithm's lengths, or there are additional data
    /// that the cipher can't take.
    fn decryptor(
        &self,
        algorithm: ContentAlgorithm,
        key: &SymmetricKey,
        iv: &[u8],
        associated: &[u8],
    ) -> Result<Box<dyn Decryptor>, Error>;

    /// Starts encrypting. Key and IV together must never have been used before.
    ///
    /// # Errors
    ///
    /// As [`decryptor`](Self::decryptor).
    fn encryptor(
        &self,
        algorithm: ContentAlgorithm,
        key: &SymmetricKey,
        iv: &[u8],
        associated: &[u8],
    ) -> Result<Box<dyn Encryptor>, Error>;

    /// Wraps `key` under `kek`; the result is 8 bytes longer than the key.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if `kek` is not of the algorithm's length, or `key` no multiple of 8 bytes from 16
    /// to 64.
    fn wrap(
        &self,
        algorithm: KeyWrap,
        kek: &SymmetricKey,
        key: &SymmetricKey,
    ) -> Result<Vec<u8>, Error>;

    /// Unwraps what [`wrap`](Self::wrap) made.
    ///
    /// # Errors
    ///
    /// [`Error::BadCiphertext`] if it was not wrapped under `kek`, or was changed; [`Error::Misuse`] if
    /// `kek` is not of the algorithm's length.
    fn unwrap(
        &self,
        algorithm: KeyWrap,
        kek: &SymmetricKey,
        wrapped: &[u8],
    ) -> Result<SymmetricKey, Error>;
}

/// A decryption under way. Holds back at most 16 bytes, whatever the length of the whole.
///
/// What [`update`](Self::update) gives out is unauthenticated: only when [`finish`](Self::finish)
/// succeeds, and then only under an algorithm that
/// [is authenticated](ContentAlgorithm::is_authenticated), is it what the sender encrypted. Keep it out of
/// sight until then.
pub trait Decryptor: Send {
    /// Decrypts more and appends what is ready to `plaintext`, at most 16 bytes more than came in.
    ///
    /// # Errors
    ///
    /// [`Error::BadCiphertext`] if the whole is longer than the algorithm allows (64 GiB under AES-GCM).
    fn update(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error>;

    /// Checks tag or padding and appends the rest, at most 16 bytes.
    ///
    /// # Errors
    ///
    /// [`Error::BadCiphertext`] if the tag does not match, the padding is none, or the ciphertext is cut
    /// off; all that was given out must then be discarded.
    fn finish(self: Box<Self>, plaintext: &mut Vec<u8>) -> Result<(), Error>;
}

/// An encryption under way. Holds back at most 16 bytes, whatever the length of the whole.
pub trait Encryptor: Send {
    /// Encrypts more and appends what is ready to `ciphertext`.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if the whole is longer than the algorithm allows (64 GiB under AES-GCM).
    fn update(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), Error>;

    /// Appends the rest: the tag, or the last padded block.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if the cipher fails.
    fn finish(self: Box<Self>, ciphertext: &mut Vec<u8>) -> Result<(), Error>;
}

/// Diffie-Hellman on the curves of [`Curve`].
pub trait KeyAgreements: Send + Sync {
    /// The public key that belongs to 32 secret bytes (P-256 scalar, big-endian; X25519 scalar).
    ///
    /// # Errors
    ///
    /// [`crate::KeyError::Invalid`] if the bytes are no private key of the curve.
    fn public_key(&self, curve: Curve, secret: &[u8; 32]) -> Result<EncryptionKey, Error>;

    /// The secret that `key` and `peer` share: the x coordinate on P-256, the output of X25519. 32 bytes.
    ///
    /// # Errors
    ///
    /// [`crate::KeyError::Invalid`] if the keys are of different curves, or `peer` is no point of its curve
    /// or one that fixes the secret.
    fn agree(&self, key: &DecryptionKey, peer: &EncryptionKey) -> Result<SymmetricKey, Error>;
}
