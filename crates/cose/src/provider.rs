use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use subtle::ConstantTimeEq;

use crate::{
    DigestAlgorithm, Error, MacAlgorithm, PublicKey, SecretKey, SignatureAlgorithm,
    encrypt::{Ciphers, KeyAgreements},
};

/// Every cryptographic primitive, as one value that the caller passes in.
///
/// There is no global: a server passes [`aws_lc::provider`](crate::aws_lc::provider), a TEE
/// [`rustcrypto::provider`](crate::rustcrypto::provider), a device with a crypto engine a value of its
/// own, perhaps one of these with a part replaced by struct update syntax.
#[derive(Clone, Copy)]
pub struct CryptoProvider {
    /// A short name for logs and benchmarks.
    pub name: &'static str,
    /// Randomness for keys, nonces and tokens.
    pub random: &'static dyn SecureRandom,
    /// Hash functions.
    pub digests: &'static dyn Digests,
    /// Signatures.
    pub signatures: &'static dyn Signatures,
    /// Message authentication codes.
    pub macs: &'static dyn Macs,
    /// Authenticated encryption, for sealing what is stored or handed out.
    pub aead: &'static dyn Aead,
    /// Key derivation.
    pub kdf: &'static dyn KeyDerivation,
    /// Ciphers over streams, and key wrapping.
    pub ciphers: &'static dyn Ciphers,
    /// Diffie-Hellman.
    pub agreements: &'static dyn KeyAgreements,
}

impl fmt::Debug for CryptoProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CryptoProvider").field(&self.name).finish()
    }
}

impl CryptoProvider {
    /// `N` random bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if the source of randomness fails.
    pub fn random_array<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// SHA-256 of `data`.
    #[must_use]
    pub fn sha256(&self, data: &[u8]) -> [u8; 32] {
        let mut context = self.digests.start(DigestAlgorithm::Sha256);
        context.update(data);
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        out
    }
}

/// A source of cryptographically secure random bytes.
pub trait SecureRandom: Send + Sync {
    /// Fills `out`. A predictable answer breaks every key and token made with it.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if the source fails; `out` must then not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), Error>;
}

/// Hash functions.
pub trait Digests: Send + Sync {
    /// Starts hashing; every [`DigestAlgorithm`] is supported.
    fn start(&self, algorithm: DigestAlgorithm) -> Box<dyn DigestContext>;
}

/// A hash being computed over a stream.
pub trait DigestContext: Send {
    /// Appends `data`.
    fn update(&mut self, data: &[u8]);
    /// The digest of all that was appended.
    fn finish(self: Box<Self>) -> DigestValue;
}

/// A digest, of the algorithm's length, or a MAC: it is compared in constant time.
#[derive(Debug, Clone, Copy)]
pub struct DigestValue {
    bytes: [u8; 64],
    len: usize,
}

impl DigestValue {
    /// Wraps a digest of at most 64 bytes; a longer one is cut, which no algorithm here produces.
    #[must_use]
    pub fn new(digest: &[u8]) -> Self {
        let mut bytes = [0; 64];
        let len = digest.len().min(bytes.len());
        if let (Some(to), Some(from)) = (bytes.get_mut(..len), digest.get(..len)) {
            to.copy_from_slice(from);
        }
        Self { bytes, len }
    }
}

impl PartialEq for DigestValue {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref().ct_eq(other.as_ref()).into()
    }
}

impl Eq for DigestValue {}

impl AsRef<[u8]> for DigestValue {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Signature primitives.
pub trait Signatures: Send + Sync {
    /// Verifies `signature` over `message`.
    ///
    /// # Errors
    ///
    /// [`Error::BadSignature`], for a key that is no curve point too; [`Error::Crypto`] if the engine that verifies fails.
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), Error>;

    /// The public key that belongs to 32 secret bytes (P-256 scalar, big-endian; Ed25519 seed).
    ///
    /// # Errors
    ///
    /// [`crate::KeyError::Invalid`] if the bytes are no private key of the algorithm,
    /// [`crate::KeyError::Unsupported`] if it is none of [`SignatureAlgorithm::STATELESS`].
    fn public_key(
        &self,
        algorithm: SignatureAlgorithm,
        secret: &[u8; 32],
    ) -> Result<PublicKey, Error>;

    /// A handle that signs with `key`.
    ///
    /// # Errors
    ///
    /// [`crate::KeyError::Invalid`] if the key is not valid.
    fn signer(&self, key: &SecretKey) -> Result<Box<dyn Signer>, Error>;
}

/// A private key that signs, wherever it lives: in memory, in a TPM, in a secure element.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` (hashing is part of the algorithm). 64 bytes, or some thousand under HSS/LMS.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if the key's home can't sign now.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error>;

    /// The certificates that vouch for the key, its own first, in DER: they go into the header of what it
    /// signs (x5chain). None, as with most keys, if receivers know the key itself.
    #[cfg(feature = "x509")]
    fn certificates(&self) -> &[Vec<u8>] {
        &[]
    }
}

/// HMAC (RFC 2104).
pub trait Macs: Send + Sync {
    /// The MAC of `message` at its full length. Whoever compares it does so in constant time.
    fn hmac(&self, algorithm: MacAlgorithm, key: &[u8], message: &[u8]) -> DigestValue;
}

/// AES-256-GCM with a 12-byte nonce and a 16-byte tag.
pub trait Aead: Send + Sync {
    /// Encrypts `data` in place and appends the tag. A nonce must never repeat under one key.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if `data` is longer than the algorithm allows (64 GiB).
    fn seal(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        associated: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), Error>;

    /// Checks the tag at the end of `data`, removes it and decrypts in place.
    ///
    /// # Errors
    ///
    /// [`Error::BadSignature`] if the tag does not match; `data` is then unspecified, not plaintext.
    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        associated: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), Error>;
}

/// HKDF with SHA-256 (RFC 5869).
pub trait KeyDerivation: Send + Sync {
    /// Derives 32 bytes from `secret` for the use that `info` names. An empty salt is allowed.
    fn derive(&self, secret: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32];

    /// HKDF-Extract alone, with which HPKE also hashes. An empty salt is allowed.
    fn extract(&self, secret: &[u8], salt: &[u8]) -> [u8; 32];
}
