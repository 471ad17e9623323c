//! Primitives of the RustCrypto project: pure Rust, for TEEs and microcontrollers.

use alloc::{boxed::Box, vec::Vec};

use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};
use ed25519_dalek::Signer as _;
use p256::{ecdsa::signature::Verifier as _, elliptic_curve::sec1::ToSec1Point as _};
use sha2::{
    Digest as _,
    digest::{FixedOutputReset, Update},
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    Aead, CryptoProvider, DigestAlgorithm, DigestContext, DigestValue, Digests, Error,
    KeyDerivation, KeyError, MacAlgorithm, Macs, PublicKey, SecretKey, SecureRandom,
    SignatureAlgorithm, Signatures, Signer, SymmetricKey,
    ciphers::SharedCiphers,
    encrypt::{Curve, DecryptionKey, EncryptionKey, KeyAgreements},
    hss, shake,
};

/// The provider with the system's randomness.
#[cfg(feature = "std")]
#[must_use]
pub fn provider() -> CryptoProvider {
    provider_with(&SystemRandom)
}

/// The provider with the device's own source of randomness.
#[must_use]
pub fn provider_with(random: &'static dyn SecureRandom) -> CryptoProvider {
    CryptoProvider {
        name: "rustcrypto",
        random,
        digests: &RustCrypto,
        signatures: &RustCrypto,
        macs: &RustCrypto,
        aead: &RustCrypto,
        kdf: &RustCrypto,
        ciphers: &SharedCiphers,
        agreements: &RustCrypto,
    }
}

#[cfg(feature = "std")]
struct SystemRandom;

#[cfg(feature = "std")]
impl SecureRandom for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(out).map_err(|_| Error::Crypto("the system's randomness failed"))
    }
}

struct RustCrypto;

struct Context<D>(D);

impl<D: Update + FixedOutputReset + Send> DigestContext for Context<D> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    // In place, for what is moved out of a box stays behind there: the last block, which may be secret.
    fn finish(mut self: Box<Self>) -> DigestValue {
        DigestValue::new(&self.0.finalize_fixed_reset())
    }
}

impl Digests for RustCrypto {
    fn start(&self, algorithm: DigestAlgorithm) -> Box<dyn DigestContext> {
        match algorithm {
            DigestAlgorithm::Sha256 => Box::new(Context(sha2::Sha256::new())),
            DigestAlgorithm::Sha384 => Box::new(Context(sha2::Sha384::new())),
            DigestAlgorithm::Sha512 => Box::new(Context(sha2::Sha512::new())),
            DigestAlgorithm::Sha512_256 => Box::new(Context(sha2::Sha512_256::new())),
            DigestAlgorithm::Shake128 => shake::shake128(),
            DigestAlgorithm::Shake256 => shake::shake256(),
        }
    }
}

impl Signatures for RustCrypto {
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let bad = |_| Error::BadSignature;
        match key {
            PublicKey::P256 { x, y } => {
                let mut point = [4; 65];
                point[1..33].copy_from_slice(x);
                point[33..].copy_from_slice(y);
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(bad)?;
                let signature = p256::ecdsa::Signature::from_slice(signature).map_err(bad)?;
                key.verify(message, &signature).map_err(bad)
            }
            PublicKey::Ed25519 { x } => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(x).map_err(bad)?;
                let signature = ed25519_dalek::Signature::from_slice(signature).map_err(bad)?;
                // Strict: no small-order keys, so that no signature fits two messages.
                key.verify_strict(message, &signature).map_err(bad)
            }
            PublicKey::HssLms(key) => hss::verify(self, key, message, signature),
        }
    }

    fn public_key(
        &self,
        algorithm: SignatureAlgorithm,
        secret: &[u8; 32],
    ) -> Result<PublicKey, Error> {
        Ok(match algorithm {
            SignatureAlgorithm::Esp256 => {
                let key =
                    p256::ecdsa::SigningKey::from_slice(secret).map_err(|_| KeyError::Invalid)?;
                let point = key.verifying_key().to_sec1_point(false);
                let (Some(x), Some(y)) = (point.x(), point.y()) else {
                    return Err(KeyError::Invalid.into());
                };
                PublicKey::P256 {
                    x: (*x).into(),
                    y: (*y).into(),
                }
            }
            SignatureAlgorithm::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(secret);
                PublicKey::Ed25519 {
                    x: key.verifying_key().to_bytes(),
                }
            }
            SignatureAlgorithm::HssLms => return Err(KeyError::has_state().into()),
        })
    }

    fn signer(&self, key: &SecretKey) -> Result<Box<dyn Signer>, Error> {
        let public = *key.public_key();
        Ok(match public.algorithm() {
            SignatureAlgorithm::Esp256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&**key.secret_bytes())
                    .map_err(|_| KeyError::Invalid)?;
                Box::new(P256Signer { key, public })
            }
            SignatureAlgorithm::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(key.secret_bytes());
                Box::new(Ed25519Signer { key, public })
            }
            SignatureAlgorithm::HssLms => return Err(KeyError::has_state().into()),
        })
    }
}

struct P256Signer {
    key: p256::ecdsa::SigningKey,
    public: PublicKey,
}

impl Signer for P256Signer {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature: p256::ecdsa::Signature = self.key.sign(message);
        Ok(signature.to_bytes().to_vec())
    }
}

struct Ed25519Signer {
    key: ed25519_dalek::SigningKey,
    public: PublicKey,
}

impl Signer for Ed25519Signer {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.key.sign(message).to_vec())
    }
}

impl Macs for RustCrypto {
    fn hmac(&self, algorithm: MacAlgorithm, key: &[u8], message: &[u8]) -> DigestValue {
        match algorithm {
            MacAlgorithm::Hmac256 => hmac::<hmac::Hmac<sha2::Sha256>>(key, message),
            MacAlgorithm::Hmac384 => hmac::<hmac::Hmac<sha2::Sha384>>(key, message),
            MacAlgorithm::Hmac512 => hmac::<hmac::Hmac<sha2::Sha512>>(key, message),
        }
    }
}

fn hmac<M: hmac::Mac + KeyInit>(key: &[u8], message: &[u8]) -> DigestValue {
    // HMAC takes a key of any length, so no key is refused.
    let Ok(mac) = <M as KeyInit>::new_from_slice(key) else {
        return DigestValue::new(&[]);
    };
    DigestValue::new(&mac.chain_update(message).finalize().into_bytes())
}

impl Aead for RustCrypto {
    fn seal(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        associated: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), Error> {
        Aes256Gcm::new(key.into())
            .encrypt_in_place(nonce.into(), associated, data)
            .map_err(|_| Error::Misuse("longer than the algorithm allows"))
    }

    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        associated: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), Error> {
        Aes256Gcm::new(key.into())
            .decrypt_in_place(nonce.into(), associated, data)
            .map_err(|_| Error::BadSignature)
    }
}

impl KeyDerivation for RustCrypto {
    fn derive(&self, secret: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        let derived = hkdf::Hkdf::<sha2::Sha256>::new(Some(salt), secret).expand(info, &mut out);
        // HKDF-SHA256 gives up to 8160 bytes, so 32 can't fail.
        debug_assert!(derived.is_ok(), "32 bytes are within HKDF's bounds");
        out
    }
    fn extract(&self, secret: &[u8], salt: &[u8]) -> [u8; 32] {
        hkdf::Hkdf::<sha2::Sha256>::extract(Some(salt), secret)
            .0
            .into()
    }
}

impl KeyAgreements for RustCrypto {
    fn public_key(&self, curve: Curve, secret: &[u8; 32]) -> Result<EncryptionKey, Error> {
        Ok(match curve {
            Curve::P256 => {
                let key = p256::SecretKey::from_slice(secret).map_err(|_| KeyError::Invalid)?;
                let point = key.public_key().to_sec1_point(false);
                EncryptionKey::from_point(curve, point.as_bytes())?
            }
            Curve::X25519 => EncryptionKey::X25519 {
                x: x25519_dalek::x25519(*secret, x25519_dalek::X25519_BASEPOINT_BYTES),
            },
        })
    }

    fn agree(&self, key: &DecryptionKey, peer: &EncryptionKey) -> Result<SymmetricKey, Error> {
        match (key.public_key().curve(), peer) {
            (Curve::P256, EncryptionKey::P256 { .. }) => {
                let key = p256::SecretKey::from_slice(&**key.secret_bytes())
                    .map_err(|_| KeyError::Invalid)?;
                let peer = p256::PublicKey::from_sec1_bytes(&peer.to_point())
                    .map_err(|_| KeyError::Invalid)?;
                let scalar = Zeroizing::new(key.to_nonzero_scalar());
                let shared = p256::ecdh::diffie_hellman(&*scalar, peer.as_affine());
                Ok(SymmetricKey::new(&shared.raw_secret_bytes()[..]))
            }
            (Curve::X25519, EncryptionKey::X25519 { x }) => {
                let shared = Zeroizing::new(x25519_dalek::x25519(**key.secret_bytes(), *x));
                // RFC 7748 section 6.1: a point of small order makes the secret zero for everybody.
                if shared.ct_eq(&[0; 32]).into() {
                    return Err(KeyError::Invalid.into());
                }
                Ok(SymmetricKey::new(&shared[..]))
            }
            _ => Err(KeyError::Invalid.into()),
        }
    }
}
