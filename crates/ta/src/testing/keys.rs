//! Keys and what is done with them.

use alloc::{boxed::Box, vec::Vec};

use aes_gcm::{
    Aes128Gcm, Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use chacha20poly1305::ChaCha20Poly1305;
use ed25519_dalek::Signer as _;
use hmac::{Hmac, Mac as _};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use sha2::Sha256;

use super::cose::{self, CoseKey};
use crate::{
    ResultCode,
    interface::{
        ALGORITHM_A128GCM, ALGORITHM_A256GCM, ALGORITHM_CHACHA20_POLY1305, ALGORITHM_ECDH_P256,
        ALGORITHM_ECDH_X25519, ALGORITHM_ED25519, ALGORITHM_ESP256, ALGORITHM_HMAC_256,
    },
};

/// A key and the one algorithm that it is for.
#[derive(Clone)]
pub(super) enum Key {
    Esp256(Box<p256::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Hmac([u8; 32]),
    Aes128Gcm([u8; 16]),
    Aes256Gcm([u8; 32]),
    ChaCha20Poly1305([u8; 32]),
    P256(Box<p256::SecretKey>),
    X25519([u8; 32]),
}

/// Bytes of the nonce before a ciphertext.
const NONCE_LEN: usize = 12;

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[expect(
    clippy::panic,
    reason = "as the real one: a TA does not survive a failure of randomness"
)]
pub(super) fn fill(out: &mut [u8]) {
    if let Err(error) = getrandom::fill(out) {
        panic!("the system has no randomness to give: {error}");
    }
}

/// Key material out of a secret, for one purpose.
pub(super) fn derive(secret: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    // HKDF with SHA-256 gives up to 8160 bytes, so 32 can't fail.
    let _ = hkdf::Hkdf::<Sha256>::new(None, secret).expand(&info.concat(), &mut out);
    out
}

impl Key {
    /// A new key; not every 32 bytes are a private key on P-256, but all except about one in 2^32 are.
    pub(super) fn generate(algorithm: i32) -> Result<Self, ResultCode> {
        loop {
            match Self::from_secret(algorithm, &random::<32>()) {
                Err(ResultCode::BAD_FORMAT) => {}
                other => return other,
            }
        }
    }

    /// The key that signs what the TEE attests.
    pub(super) fn attester() -> Self {
        loop {
            if let Ok(key) = Self::generate(ALGORITHM_ESP256) {
                return key;
            }
        }
    }

    /// A symmetric key out of 32 bytes that were derived or agreed on.
    pub(super) fn symmetric(algorithm: i32, secret: &[u8; 32]) -> Result<Self, ResultCode> {
        match Self::from_secret(algorithm, secret)? {
            Self::Esp256(_) | Self::Ed25519(_) | Self::P256(_) | Self::X25519(_) => {
                Err(ResultCode::NOT_SUPPORTED)
            }
            key => Ok(key),
        }
    }

    fn from_secret(algorithm: i32, secret: &[u8; 32]) -> Result<Self, ResultCode> {
        Ok(match algorithm {
            ALGORITHM_ESP256 => {
                let key = p256::ecdsa::SigningKey::from_slice(secret);
                Self::Esp256(Box::new(key.map_err(|_| ResultCode::BAD_FORMAT)?))
            }
            ALGORITHM_ED25519 => {
                Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(secret)))
            }
            ALGORITHM_HMAC_256 => Self::Hmac(*secret),
            ALGORITHM_A128GCM => {
                let half = secret.first_chunk().ok_or(ResultCode::BAD_FORMAT)?;
                Self::Aes128Gcm(*half)
            }
            ALGORITHM_A256GCM => Self::Aes256Gcm(*secret),
            ALGORITHM_CHACHA20_POLY1305 => Self::ChaCha20Poly1305(*secret),
            ALGORITHM_ECDH_P256 => {
                let key = p256::SecretKey::from_slice(secret);
                Self::P256(Box::new(key.map_err(|_| ResultCode::BAD_FORMAT)?))
            }
            ALGORITHM_ECDH_X25519 => Self::X25519(*secret),
            _ => return Err(ResultCode::NOT_SUPPORTED),
        })
    }

    /// A private or symmetric `COSE_Key`, whose `alg` says what it is for.
    pub(super) fn from_cose_key(bytes: &[u8]) -> Result<Self, ResultCode> {
        let key = CoseKey::decode(bytes).ok_or(ResultCode::BAD_FORMAT)?;
        let algorithm = key.alg.ok_or(ResultCode::BAD_FORMAT)?;
        let algorithm = i32::try_from(algorithm).map_err(|_| ResultCode::NOT_SUPPORTED)?;
        let (algorithm, secret) = match (algorithm, key.kty, key.crv) {
            // What deployed keys say.
            (-7, Some(CoseKey::EC2), Some(CoseKey::P256)) => (ALGORITHM_ESP256, key.d),
            (-8, Some(CoseKey::OKP), Some(CoseKey::ED25519)) => (ALGORITHM_ED25519, key.d),
            (-25, Some(CoseKey::OKP), Some(CoseKey::X25519)) => (ALGORITHM_ECDH_X25519, key.d),
            (ALGORITHM_ECDH_P256 | ALGORITHM_ESP256, Some(CoseKey::EC2), Some(CoseKey::P256))
            | (ALGORITHM_ED25519, Some(CoseKey::OKP), Some(CoseKey::ED25519)) => (algorithm, key.d),
            (
                ALGORITHM_HMAC_256
                | ALGORITHM_A128GCM
                | ALGORITHM_A256GCM
                | ALGORITHM_CHACHA20_POLY1305,
                Some(CoseKey::SYMMETRIC),
                None,
            ) => (algorithm, key.k),
            // An algorithm that there is, with a key of another type; or none.
            _ => {
                Self::from_secret(algorithm, &[1; 32])?;
                return Err(ResultCode::BAD_FORMAT);
            }
        };
        let secret = secret.ok_or(ResultCode::BAD_FORMAT)?;
        if algorithm == ALGORITHM_A128GCM {
            let secret = secret.try_into().map_err(|_| ResultCode::BAD_FORMAT)?;
            return Ok(Self::Aes128Gcm(secret));
        }
        let secret = secret.try_into().map_err(|_| ResultCode::BAD_FORMAT)?;
        Self::from_secret(algorithm, secret)
    }

    /// The public key as an encoded `COSE_Key`.
    pub(super) fn public_key(&self) -> Result<Vec<u8>, ResultCode> {
        match self {
            Self::Esp256(key) => Ok(on_p256(&key.verifying_key().to_sec1_point(false))),
            Self::P256(key) => Ok(on_p256(&key.public_key().to_sec1_point(false))),
            Self::Ed25519(key) => Ok(cose::okp(CoseKey::ED25519, key.verifying_key().as_bytes())),
            Self::X25519(key) => {
                let x = x25519_dalek::x25519(*key, x25519_dalek::X25519_BASEPOINT_BYTES);
                Ok(cose::okp(CoseKey::X25519, &x))
            }
            _ => Err(ResultCode::BAD_STATE),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ResultCode> {
        match self {
            Self::Esp256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                Ok(signature.to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(message).to_vec()),
            _ => Err(ResultCode::BAD_STATE),
        }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ResultCode> {
        match self {
            Self::Esp256(_) | Self::Ed25519(_) => verify(&self.public_key()?, message, signature),
            _ => Err(ResultCode::BAD_STATE),
        }
    }

    fn hmac(&self, message: &[u8]) -> Result<Hmac<Sha256>, ResultCode> {
        let Self::Hmac(key) = self else {
            return Err(ResultCode::BAD_STATE);
        };
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key);
        Ok(mac.map_err(|_| ResultCode::GENERIC)?.chain_update(message))
    }

    pub(super) fn mac(&self, message: &[u8]) -> Result<Vec<u8>, ResultCode> {
        Ok(self.hmac(message)?.finalize().into_bytes().to_vec())
    }

    pub(super) fn mac_verify(&self, message: &[u8], mac: &[u8]) -> Result<(), ResultCode> {
        let computed = self.hmac(message)?;
        computed
            .verify_slice(mac)
            .map_err(|_| ResultCode::MAC_INVALID)
    }

    pub(super) fn seal(&self, associated: &[u8], data: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let nonce = random::<NONCE_LEN>();
        let payload = Payload {
            msg: data,
            aad: associated,
        };
        let sealed = match self {
            Self::Aes128Gcm(key) => Aes128Gcm::new(key.into()).encrypt(&nonce.into(), payload),
            Self::Aes256Gcm(key) => Aes256Gcm::new(key.into()).encrypt(&nonce.into(), payload),
            Self::ChaCha20Poly1305(key) => {
                ChaCha20Poly1305::new(key.into()).encrypt(&nonce.into(), payload)
            }
            _ => return Err(ResultCode::BAD_STATE),
        };
        let sealed = sealed.map_err(|_| ResultCode::EXCESS_DATA)?;
        Ok([&nonce[..], &sealed].concat())
    }

    pub(super) fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let (nonce, data) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .unwrap_or((&[0; NONCE_LEN], &[]));
        let payload = Payload {
            msg: data,
            aad: associated,
        };
        match self {
            Self::Aes128Gcm(key) => Aes128Gcm::new(key.into()).decrypt(nonce.into(), payload),
            Self::Aes256Gcm(key) => Aes256Gcm::new(key.into()).decrypt(nonce.into(), payload),
            Self::ChaCha20Poly1305(key) => {
                ChaCha20Poly1305::new(key.into()).decrypt(nonce.into(), payload)
            }
            _ => return Err(ResultCode::BAD_STATE),
        }
        .map_err(|_| ResultCode::CIPHERTEXT_INVALID)
    }

    /// A symmetric key in common with the private half of `peer`.
    pub(super) fn agree(
        &self,
        algorithm: i32,
        peer: &[u8],
        info: &[u8],
    ) -> Result<Self, ResultCode> {
        let bad = || ResultCode::BAD_PARAMETERS;
        if !matches!(self, Self::P256(_) | Self::X25519(_)) {
            return Err(ResultCode::BAD_STATE);
        }
        let peer = CoseKey::decode(peer).ok_or(ResultCode::BAD_FORMAT)?;
        let secret = match self {
            Self::P256(own) => {
                let peer = p256::PublicKey::from_sec1_bytes(&point(&peer).ok_or_else(bad)?);
                let peer = peer.map_err(|_| bad())?;
                p256::ecdh::diffie_hellman(own.to_nonzero_scalar(), peer.as_affine())
                    .raw_secret_bytes()
                    .to_vec()
            }
            Self::X25519(own) => {
                let x = match (peer.kty, peer.crv, peer.x) {
                    (Some(CoseKey::OKP), Some(CoseKey::X25519), Some(x)) => x.try_into(),
                    _ => return Err(bad()),
                };
                let secret = x25519_dalek::x25519(*own, x.map_err(|_| bad())?);
                // RFC 7748 section 6.1: a point of small order makes the secret zero for everybody.
                if secret == [0; 32] {
                    return Err(bad());
                }
                secret.to_vec()
            }
            _ => return Err(ResultCode::BAD_STATE),
        };
        Self::symmetric(algorithm, &derive(&secret, &[info]))
    }
}

/// Verifies a signature with a public `COSE_Key`.
pub(super) fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), ResultCode> {
    let invalid = |_| ResultCode::SIGNATURE_INVALID;
    let bad = || ResultCode::BAD_FORMAT;
    let key = CoseKey::decode(key).ok_or_else(bad)?;
    match (key.kty, key.crv) {
        (Some(CoseKey::EC2), Some(CoseKey::P256)) => {
            use p256::ecdsa::signature::Verifier as _;
            let point = point(&key).ok_or_else(bad)?;
            // Whether a point is on the curve shows when the key is used.
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(invalid)?;
            let signature = p256::ecdsa::Signature::from_slice(signature).map_err(invalid)?;
            key.verify(message, &signature).map_err(invalid)
        }
        (Some(CoseKey::OKP), Some(CoseKey::ED25519)) => {
            let x = key.x.and_then(|x| x.try_into().ok()).ok_or_else(bad)?;
            let key = ed25519_dalek::VerifyingKey::from_bytes(x).map_err(invalid)?;
            let signature = ed25519_dalek::Signature::from_slice(signature).map_err(invalid)?;
            // Strict: no small-order keys, so that no signature fits two messages.
            key.verify_strict(message, &signature).map_err(invalid)
        }
        _ => Err(bad()),
    }
}

fn on_p256(point: &p256::Sec1Point) -> Vec<u8> {
    let coordinate =
        |bytes: Option<&p256::FieldBytes>| bytes.map(|b| b.to_vec()).unwrap_or_default();
    cose::ec2(&coordinate(point.x()), &coordinate(point.y()))
}

/// The uncompressed point of a key on P-256 (SEC 1 section 2.3.3).
fn point(key: &CoseKey<'_>) -> Option<Vec<u8>> {
    match (key.kty, key.crv, key.x, key.y) {
        (Some(CoseKey::EC2), Some(CoseKey::P256), Some(x), Some(y)) if x.len() == 32 => {
            Some([&[4], x, y].concat())
        }
        _ => None,
    }
}
