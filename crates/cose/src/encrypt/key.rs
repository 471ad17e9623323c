use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::{
    CryptoProvider, Error, KeyError, KeyId, PublicKey,
    cbor::Writer,
    key::{CoseKey, field, label, member},
};

/// The curve of a Diffie-Hellman key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// Curve25519 (RFC 7748).
    X25519,
}

impl Curve {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::P256, Self::X25519];
}

/// COSE numbers of OKP and X25519 (RFC 9053 section 7.1).
const OKP: i64 = 1;
const CRV_X25519: i64 = 4;

/// A public key that content keys are encrypted to. No signature is verified with it: its type is another
/// than [`PublicKey`], so that no key serves both purposes by accident (requirement SUIT-ENC-011).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EncryptionKey {
    /// A point on P-256, affine coordinates, big-endian.
    P256 {
        /// The x coordinate.
        x: [u8; 32],
        /// The y coordinate.
        y: [u8; 32],
    },
    /// An X25519 public key.
    X25519 {
        /// The encoded u coordinate.
        x: [u8; 32],
    },
}

impl EncryptionKey {
    /// The curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        match self {
            Self::P256 { .. } => Curve::P256,
            Self::X25519 { .. } => Curve::X25519,
        }
    }

    /// The RFC 9679 thumbprint.
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        KeyId::of_cose_key(&self.to_cose_key(), crypto)
    }

    /// Encodes the COSE_Key with the required members only, in deterministic order.
    #[must_use]
    pub fn to_cose_key(&self) -> Vec<u8> {
        Writer::build(|w| self.write_members(w, 0))
    }

    /// Writes a COSE_Key but for `further` members that follow.
    fn write_members(&self, w: &mut Writer, further: usize) {
        match *self {
            Self::P256 { x, y } => PublicKey::P256 { x, y }.write_members(w, further),
            Self::X25519 { x } => {
                w.map(3 + further).int(label::KTY).int(OKP);
                w.int(label::CRV).int(CRV_X25519).int(label::X).bytes(&x);
            }
        }
    }

    /// Decodes a COSE_Key and takes its public part. Unknown members are ignored.
    ///
    /// Whether the coordinates are on the curve shows when the key is first used.
    ///
    /// # Errors
    ///
    /// If the bytes are no COSE_Key, or one of another type or curve.
    pub fn from_cose_key(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::of_members(&CoseKey::decode(bytes)?)
    }

    pub(super) fn of_members(key: &CoseKey<'_>) -> Result<Self, KeyError> {
        match (key.kty, key.crv) {
            (OKP, Some(CRV_X25519)) => Ok(Self::X25519 {
                x: member("x", key.x)?,
            }),
            _ => Self::of_p256(key.public_key()?),
        }
    }

    /// P-256 points are read by what reads signature keys, which have the same formats.
    pub(super) fn of_p256(key: PublicKey) -> Result<Self, KeyError> {
        match key {
            PublicKey::P256 { x, y } => Ok(Self::P256 { x, y }),
            PublicKey::Ed25519 { .. } | PublicKey::HssLms(_) => Err(KeyError::Unsupported(
                "Ed25519, which encrypts nothing; X25519 or P-256 is needed".into(),
            )),
        }
    }

    /// The point as primitives and HPKE write it: uncompressed SEC1 (65 bytes), or the u coordinate (32).
    #[must_use]
    pub fn to_point(&self) -> Vec<u8> {
        match self {
            Self::P256 { x, y } => [&[4], &x[..], &y[..]].concat(),
            Self::X25519 { x } => x.to_vec(),
        }
    }

    /// Reads what [`to_point`](Self::to_point) writes.
    ///
    /// # Errors
    ///
    /// [`KeyError::Invalid`] if the length or the form is another.
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        let invalid = |_| KeyError::Invalid;
        match (curve, point) {
            (Curve::P256, [4, coordinates @ ..]) => {
                let (x, y) = coordinates.split_at_checked(32).ok_or(KeyError::Invalid)?;
                Ok(Self::P256 {
                    x: x.try_into().map_err(invalid)?,
                    y: y.try_into().map_err(invalid)?,
                })
            }
            (Curve::P256, _) => Err(KeyError::Invalid),
            (Curve::X25519, x) => Ok(Self::X25519 {
                x: x.try_into().map_err(invalid)?,
            }),
        }
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::P256 { x, .. } | Self::X25519 { x }) = self;
        let [a, b, c, d, ..] = x;
        let curve = self.curve();
        write!(f, "{curve:?}({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// A private Diffie-Hellman key held in memory. Zeroed when dropped, and without its secret in `Debug`.
#[derive(Clone)]
pub struct DecryptionKey {
    public: EncryptionKey,
    secret: Zeroizing<[u8; 32]>,
}

impl DecryptionKey {
    /// A fresh key.
    ///
    /// # Errors
    ///
    /// If the source of randomness fails.
    pub fn generate(crypto: &CryptoProvider, curve: Curve) -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0; 32]);
        // A random P-256 scalar is out of range once in 2^32 times; a second draw settles it.
        for _ in 0..8 {
            crypto.random.fill(&mut *secret)?;
            if let Ok(key) = Self::from_bytes(crypto, curve, &secret) {
                return Ok(key);
            }
        }
        Err(Error::Crypto("no valid private key was drawn"))
    }

    /// A key from its 32 secret bytes: the P-256 scalar (big-endian) or the X25519 scalar.
    ///
    /// # Errors
    ///
    /// [`KeyError::Invalid`] if the bytes are no private key.
    pub fn from_bytes(
        crypto: &CryptoProvider,
        curve: Curve,
        secret: &[u8; 32],
    ) -> Result<Self, Error> {
        Ok(Self {
            public: crypto.agreements.public_key(curve, secret)?,
            secret: Zeroizing::new(*secret),
        })
    }

    /// Decodes a COSE_Key that holds a private key.
    ///
    /// # Errors
    ///
    /// If it holds none, is malformed, or its public members are not those of the private one.
    pub fn from_cose_key(crypto: &CryptoProvider, bytes: &[u8]) -> Result<Self, Error> {
        Self::of_members(crypto, &CoseKey::decode(bytes)?)
    }

    pub(super) fn of_members(crypto: &CryptoProvider, key: &CoseKey<'_>) -> Result<Self, Error> {
        let curve = match (key.kty, key.crv) {
            (OKP, Some(CRV_X25519)) => Curve::X25519,
            (2, Some(1)) => Curve::P256,
            _ => return Err(key.unsupported().into()),
        };
        let secret = Zeroizing::new(field("d", key.d.ok_or(KeyError::NotPrivate)?)?);
        let this = Self::from_bytes(crypto, curve, &secret)?;
        if key.x.is_some() && EncryptionKey::of_members(key)? != this.public {
            return Err(KeyError::Invalid.into());
        }
        Ok(this)
    }

    /// Encodes the COSE_Key with the private member.
    #[must_use]
    pub fn to_cose_key(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::build(|w| {
            self.public.write_members(w, 1);
            w.int(label::D).bytes(&*self.secret);
        }))
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &EncryptionKey {
        &self.public
    }

    /// The 32 secret bytes: hand them to a [`KeyAgreements`](super::KeyAgreements) implementation and
    /// nowhere else.
    #[must_use]
    pub fn secret_bytes(&self) -> &Zeroizing<[u8; 32]> {
        &self.secret
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecryptionKey({:?})", self.public)
    }
}
