//! Primitives of AWS-LC: fast, maintained, for servers.

use alloc::{boxed::Box, vec::Vec};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement, digest, hkdf, hmac, rand,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
    },
};

use crate::{
    Aead, CryptoProvider, DigestAlgorithm, DigestContext, DigestValue, Digests, Error,
    KeyDerivation, KeyError, MacAlgorithm, Macs, PublicKey, SecretKey, SecureRandom,
    SignatureAlgorithm, Signatures, Signer, SymmetricKey,
    ciphers::SharedCiphers,
    encrypt::{Curve, DecryptionKey, EncryptionKey, KeyAgreements},
    hss, shake,
};

/// The provider.
#[must_use]
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        name: "aws-lc-rs",
        random: &AwsLc,
        digests: &AwsLc,
        signatures: &AwsLc,
        macs: &AwsLc,
        aead: &AwsLc,
        kdf: &AwsLc,
        // AWS-LC offers no authenticated cipher over a stream, and no AES-192 key wrap.
        ciphers: &SharedCiphers,
        agreements: &AwsLc,
    }
}

struct AwsLc;

impl SecureRandom for AwsLc {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        rand::fill(out).map_err(|_| Error::Crypto("the system's randomness failed"))
    }
}

impl Digests for AwsLc {
    fn start(&self, algorithm: DigestAlgorithm) -> Box<dyn DigestContext> {
        Box::new(digest::Context::new(match algorithm {
            DigestAlgorithm::Sha256 => &digest::SHA256,
            DigestAlgorithm::Sha384 => &digest::SHA384,
            DigestAlgorithm::Sha512 => &digest::SHA512,
            DigestAlgorithm::Sha512_256 => &digest::SHA512_256,
            // AWS-LC has them, and its Rust interface does not.
            DigestAlgorithm::Shake128 => return shake::shake128(),
            DigestAlgorithm::Shake256 => return shake::shake256(),
        }))
    }
}

impl DigestContext for digest::Context {
    fn update(&mut self, data: &[u8]) {
        Self::update(self, data);
    }

    fn finish(self: Box<Self>) -> DigestValue {
        DigestValue::new(Self::finish(*self).as_ref())
    }
}

/// The uncompressed SEC1 point.
fn point(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    let mut point = [4; 65];
    point[1..33].copy_from_slice(x);
    point[33..].copy_from_slice(y);
    point
}

impl Signatures for AwsLc {
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let verified = match key {
            PublicKey::P256 { x, y } => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(x, y))
                    .verify(message, signature)
            }
            PublicKey::Ed25519 { x } => {
                UnparsedPublicKey::new(&ED25519, x).verify(message, signature)
            }
            PublicKey::HssLms(key) => return hss::verify(self, key, message, signature),
        };
        verified.map_err(|_| Error::BadSignature)
    }

    fn public_key(
        &self,
        algorithm: SignatureAlgorithm,
        secret: &[u8; 32],
    ) -> Result<PublicKey, Error> {
        match algorithm {
            SignatureAlgorithm::Esp256 => {
                let key = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, secret)
                    .map_err(|_| KeyError::Invalid)?
                    .compute_public_key()
                    .map_err(|_| KeyError::Invalid)?;
                let [4, point @ ..] = key.as_ref() else {
                    return Err(KeyError::Invalid.into());
                };
                let (x, y) = point.split_at_checked(32).ok_or(KeyError::Invalid)?;
                let x = x.try_into().map_err(|_| KeyError::Invalid)?;
                let y = y.try_into().map_err(|_| KeyError::Invalid)?;
                Ok(PublicKey::P256 { x, y })
            }
            SignatureAlgorithm::Ed25519 => {
                let pair =
                    Ed25519KeyPair::from_seed_unchecked(secret).map_err(|_| KeyError::Invalid)?;
                let x = pair
                    .public_key()
                    .as_ref()
                    .try_into()
                    .map_err(|_| KeyError::Invalid)?;
                Ok(PublicKey::Ed25519 { x })
            }
            SignatureAlgorithm::HssLms => Err(KeyError::has_state().into()),
        }
    }

    fn signer(&self, key: &SecretKey) -> Result<Box<dyn Signer>, Error> {
        let public = *key.public_key();
        let secret = key.secret_bytes();
        Ok(match &public {
            PublicKey::P256 { x, y } => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    &**secret,
                    &point(x, y),
                )
                .map_err(|_| KeyError::Invalid)?;
                Box::new(P256Signer { pair, public })
            }
            PublicKey::Ed25519 { x } => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(&**secret, x)
                    .map_err(|_| KeyError::Invalid)?;
                Box::new(Ed25519Signer { pair, public })
            }
            PublicKey::HssLms(_) => return Err(KeyError::has_state().into()),
        })
    }
}

struct P256Signer {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl Signer for P256Signer {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let random = rand::SystemRandom::new();
        let signature = self.pair.sign(&random, message);
        Ok(signature
            .map_err(|_| Error::Crypto("signing failed"))?
            .as_ref()
            .to_vec())
    }
}

struct Ed25519Signer {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl Signer for Ed25519Signer {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }
}

impl Macs for AwsLc {
    fn hmac(&self, algorithm: MacAlgorithm, key: &[u8], message: &[u8]) -> DigestValue {
        let algorithm = match algorithm {
            MacAlgorithm::Hmac256 => hmac::HMAC_SHA256,
            MacAlgorithm::Hmac384 => hmac::HMAC_SHA384,
            MacAlgorithm::Hmac512 => hmac::HMAC_SHA512,
        };
        DigestValue::new(hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref())
    }
}

fn aead_key(key: &[u8; 32]) -> Result<LessSafeKey, Error> {
    let key = UnboundKey::new(&AES_256_GCM, key);
    Ok(LessSafeKey::new(key.map_err(|_| {
        Error::Crypto("an AES-256 key was refused")
    })?))
}

impl Aead for AwsLc {
    fn seal(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        associated: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        aead_key(key)?
            .seal_in_place_append_tag(nonce, Aad::from(associated), data)
            .map_err(|_| Error::Misuse("longer than the algorithm allows"))
    }

    fn open(
        &self,
        key: &[u8; 32],
        nonce: &[u8; 12],
        associated: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = aead_key(key)?
            .open_in_place(nonce, Aad::from(associated), data)
            .map_err(|_| Error::BadSignature)?
            .len();
        data.truncate(length);
        Ok(())
    }
}

impl KeyDerivation for AwsLc {
    fn derive(&self, secret: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        let filled = hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(secret)
            .expand(&[info], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut out));
        // The output is one hash long, which HKDF always gives.
        debug_assert!(filled.is_ok(), "32 bytes are within HKDF's bounds");
        out
    }
    fn extract(&self, secret: &[u8], salt: &[u8]) -> [u8; 32] {
        // RFC 5869 section 2.2: extraction is HMAC under the salt.
        let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), secret);
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(extracted.as_ref()) {
            *to = *from;
        }
        out
    }
}

fn agreement_algorithm(curve: Curve) -> &'static agreement::Algorithm {
    match curve {
        Curve::P256 => &agreement::ECDH_P256,
        Curve::X25519 => &agreement::X25519,
    }
}

impl KeyAgreements for AwsLc {
    fn public_key(&self, curve: Curve, secret: &[u8; 32]) -> Result<EncryptionKey, Error> {
        let key = agreement::PrivateKey::from_private_key(agreement_algorithm(curve), secret)
            .map_err(|_| KeyError::Invalid)?
            .compute_public_key()
            .map_err(|_| KeyError::Invalid)?;
        Ok(EncryptionKey::from_point(curve, key.as_ref())?)
    }

    fn agree(&self, key: &DecryptionKey, peer: &EncryptionKey) -> Result<SymmetricKey, Error> {
        let algorithm = agreement_algorithm(key.public_key().curve());
        let own = agreement::PrivateKey::from_private_key(algorithm, &**key.secret_bytes())
            .map_err(|_| KeyError::Invalid)?;
        let peer =
            agreement::UnparsedPublicKey::new(agreement_algorithm(peer.curve()), peer.to_point());
        agreement::agree(&own, peer, Error::from(KeyError::Invalid), |shared| {
            Ok(SymmetricKey::new(shared))
        })
    }
}
