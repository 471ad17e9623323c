use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::{
    CryptoProvider, Error, KeyError, KeyId, SignatureAlgorithm,
    cbor::{self, Limits, Problem, Reader, Type, Writer},
    hss::HssPublicKey,
};

/// Labels of COSE_Key (RFC 9052 section 7, RFC 9053 section 7).
pub(crate) mod label {
    pub(crate) const KTY: i64 = 1;
    pub(crate) const KID: i64 = 2;
    pub(crate) const CRV: i64 = -1;
    /// Of a symmetric key.
    pub(crate) const K: i64 = -1;
    /// Of an HSS/LMS key (RFC 8778).
    pub(crate) const PUB: i64 = -1;
    pub(crate) const X: i64 = -2;
    pub(crate) const Y: i64 = -3;
    pub(crate) const D: i64 = -4;
}

/// The COSE key type of HSS/LMS (RFC 8778).
const KTY_HSS_LMS: i64 = 5;

/// A public key that verifies signatures. The variant is the algorithm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PublicKey {
    /// A point on P-256, affine coordinates, big-endian.
    P256 {
        /// The x coordinate.
        x: [u8; 32],
        /// The y coordinate.
        y: [u8; 32],
    },
    /// An Ed25519 public key.
    Ed25519 {
        /// The encoded point.
        x: [u8; 32],
    },
    /// An HSS/LMS public key.
    HssLms(HssPublicKey),
}

impl PublicKey {
    /// The algorithm this key verifies.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        match self {
            Self::P256 { .. } => SignatureAlgorithm::Esp256,
            Self::Ed25519 { .. } => SignatureAlgorithm::Ed25519,
            Self::HssLms(_) => SignatureAlgorithm::HssLms,
        }
    }

    /// The RFC 9679 thumbprint.
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        KeyId::of(self, crypto)
    }

    /// Encodes the COSE_Key with the required members only, in deterministic order.
    // req: EAT-007
    #[must_use]
    pub fn to_cose_key(&self) -> Vec<u8> {
        // As long as a COSE_Key of an elliptic curve is.
        let mut w = Writer::with_capacity(80);
        self.write_members(&mut w, 0);
        w.into_bytes()
    }

    /// Writes a COSE_Key but for `further` members that follow.
    pub(crate) fn write_members(&self, w: &mut Writer, further: usize) {
        match self {
            Self::P256 { x, y } => {
                w.map(4 + further).int(label::KTY).uint(2);
                w.int(label::CRV).uint(1).int(label::X).bytes(x);
                w.int(label::Y).bytes(y);
            }
            Self::Ed25519 { x } => {
                w.map(3 + further).int(label::KTY).uint(1);
                w.int(label::CRV).uint(6).int(label::X).bytes(x);
            }
            Self::HssLms(key) => {
                w.map(2 + further).int(label::KTY).int(KTY_HSS_LMS);
                w.int(label::PUB).bytes(&key.to_bytes());
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
        CoseKey::decode(bytes)?.public_key()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, x) = match self {
            Self::P256 { x, .. } => ("P256", &x[..]),
            Self::Ed25519 { x } => ("Ed25519", &x[..]),
            Self::HssLms(key) => ("HssLms", key.root()),
        };
        let x = x.get(..4).unwrap_or_default();
        write!(f, "{name}({:x}…)", base16ct::HexDisplay(x))
    }
}

/// A private signature key held in memory. Zeroed when dropped, and without its secret in `Debug`.
#[derive(Clone)]
pub struct SecretKey {
    public: PublicKey,
    secret: Zeroizing<[u8; 32]>,
}

impl SecretKey {
    /// A fresh key.
    ///
    /// # Errors
    ///
    /// If the source of randomness fails, or the algorithm is none of [`SignatureAlgorithm::STATELESS`].
    pub fn generate(crypto: &CryptoProvider, algorithm: SignatureAlgorithm) -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0; 32]);
        // A random P-256 scalar is out of range once in 2^32 times; a second draw settles it.
        for _ in 0..8 {
            crypto.random.fill(&mut *secret)?;
            if let Ok(key) = Self::from_bytes(crypto, algorithm, &secret) {
                return Ok(key);
            }
        }
        Err(Error::Crypto("no valid private key was drawn"))
    }

    /// A key from its 32 secret bytes: the P-256 scalar (big-endian) or the Ed25519 seed.
    ///
    /// # Errors
    ///
    /// [`KeyError::Invalid`] if the bytes are no private key.
    pub fn from_bytes(
        crypto: &CryptoProvider,
        algorithm: SignatureAlgorithm,
        secret: &[u8; 32],
    ) -> Result<Self, Error> {
        let public = crypto.signatures.public_key(algorithm, secret)?;
        Ok(Self {
            public,
            secret: Zeroizing::new(*secret),
        })
    }

    /// Decodes a COSE_Key that holds a private key.
    ///
    /// # Errors
    ///
    /// If it holds none, is malformed, or its public members are not those of the private one.
    pub fn from_cose_key(crypto: &CryptoProvider, bytes: &[u8]) -> Result<Self, Error> {
        let key = CoseKey::decode(bytes)?;
        let secret = key.d.ok_or(KeyError::NotPrivate)?;
        let secret = Zeroizing::new(field("d", secret)?);
        let algorithm = key.algorithm()?;
        let this = Self::from_bytes(crypto, algorithm, &secret)?;
        if key.x.is_some() && key.public_key()? != this.public {
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
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The 32 secret bytes: hand them to a [`crate::Signatures`] implementation and nowhere else.
    #[must_use]
    pub fn secret_bytes(&self) -> &Zeroizing<[u8; 32]> {
        &self.secret
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({:?})", self.public)
    }
}

/// The members of a COSE_Key that matter here.
pub(crate) struct CoseKey<'a> {
    pub(crate) kty: i64,
    pub(crate) kid: Option<&'a [u8]>,
    pub(crate) crv: Option<i64>,
    pub(crate) k: Option<&'a [u8]>,
    pub(crate) x: Option<&'a [u8]>,
    y: Option<&'a [u8]>,
    pub(crate) d: Option<&'a [u8]>,
}

impl<'a> CoseKey<'a> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, KeyError> {
        cbor::check(
            bytes,
            &Limits {
                bytes: 4096,
                depth: 4,
            },
        )?;
        let mut reader = Reader::new(bytes);
        let mut kty = None;
        let mut key = Self {
            kty: 0,
            kid: None,
            crv: None,
            k: None,
            x: None,
            y: None,
            d: None,
        };
        for _ in 0..reader.map("COSE_Key")? {
            match reader.label("COSE_Key / label")? {
                label::KTY => kty = Some(reader.int("COSE_Key / kty")?),
                label::K if reader.peek() == Type::Bytes => {
                    key.k = Some(reader.bytes("COSE_Key / k")?);
                }
                label::CRV => key.crv = Some(reader.int("COSE_Key / crv")?),
                label::X => key.x = Some(reader.bytes("COSE_Key / x")?),
                label::Y if reader.peek() == Type::Bool => {
                    return Err(KeyError::Unsupported("compressed EC2 points".into()));
                }
                label::Y => key.y = Some(reader.bytes("COSE_Key / y")?),
                label::D => key.d = Some(reader.bytes("COSE_Key / d")?),
                label::KID if reader.peek() == Type::Bytes => {
                    key.kid = Some(reader.bytes("COSE_Key / kid")?);
                }
                // Of what is known, the algorithm: it follows from the curve.
                _ => reader.skip("COSE_Key / value")?,
            }
        }
        key.kty = kty.ok_or_else(|| reader.error("COSE_Key", Problem::Missing("kty (1)")))?;
        Ok(key)
    }

    fn algorithm(&self) -> Result<SignatureAlgorithm, KeyError> {
        match (self.kty, self.crv) {
            (2, Some(1)) => Ok(SignatureAlgorithm::Esp256),
            (1, Some(6)) => Ok(SignatureAlgorithm::Ed25519),
            (KTY_HSS_LMS, None) => Ok(SignatureAlgorithm::HssLms),
            _ => Err(self.unsupported()),
        }
    }

    /// That keys of this type and curve are not supported.
    pub(crate) fn unsupported(&self) -> KeyError {
        let kty = self.kty;
        match self.crv {
            Some(crv) => KeyError::Curve { kty, crv },
            None => KeyError::KeyType(kty),
        }
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey, KeyError> {
        Ok(match self.algorithm()? {
            SignatureAlgorithm::Esp256 => PublicKey::P256 {
                x: member("x", self.x)?,
                y: member("y", self.y)?,
            },
            SignatureAlgorithm::Ed25519 => PublicKey::Ed25519 {
                x: member("x", self.x)?,
            },
            SignatureAlgorithm::HssLms => {
                PublicKey::HssLms(HssPublicKey::from_bytes(present("pub", self.k)?)?)
            }
        })
    }
}

/// A key member that must be there.
pub(crate) fn present<'a>(name: &str, value: Option<&'a [u8]>) -> Result<&'a [u8], KeyError> {
    value.ok_or_else(|| malformed(&[name, " is missing"]))
}

/// A key member that must be there, of exactly 32 bytes.
pub(crate) fn member(name: &str, value: Option<&[u8]>) -> Result<[u8; 32], KeyError> {
    field(name, present(name, value)?)
}

/// A key member of exactly 32 bytes.
pub(crate) fn field(name: &str, bytes: &[u8]) -> Result<[u8; 32], KeyError> {
    let wrong = |_| malformed(&[name, " is not 32 bytes long"]);
    bytes.try_into().map_err(wrong)
}

fn malformed(problem: &[&str]) -> KeyError {
    KeyError::Format {
        format: "COSE",
        problem: problem.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn providers() -> [CryptoProvider; 2] {
        [crate::rustcrypto::provider(), crate::aws_lc::provider()]
    }

    #[test]
    fn every_format_round_trips_under_every_provider() {
        for crypto in providers() {
            for algorithm in SignatureAlgorithm::STATELESS {
                let key = SecretKey::generate(&crypto, algorithm).unwrap();
                let public = *key.public_key();
                assert_eq!(PublicKey::from_cose_key(&public.to_cose_key()), Ok(public));
                assert_eq!(PublicKey::from_jwk(&public.to_jwk()), Ok(public));
                assert_eq!(PublicKey::from_pem(&public.to_pem().unwrap()), Ok(public));
                for other in providers() {
                    for again in [
                        SecretKey::from_cose_key(&other, &key.to_cose_key()),
                        SecretKey::from_jwk(&other, &key.to_jwk()),
                        SecretKey::from_pem(&other, &key.to_pem().unwrap()),
                    ] {
                        let again = again.unwrap();
                        assert_eq!(again.public_key(), &public);
                        assert_eq!(again.secret_bytes(), key.secret_bytes());
                    }
                }
            }
        }
    }

    #[test]
    fn providers_verify_each_other() {
        for maker in providers() {
            for algorithm in SignatureAlgorithm::STATELESS {
                let key = SecretKey::generate(&maker, algorithm).unwrap();
                let signature = maker
                    .signatures
                    .signer(&key)
                    .unwrap()
                    .sign(b"message")
                    .unwrap();
                for checker in providers() {
                    let verify = |message: &[u8]| {
                        checker
                            .signatures
                            .verify(key.public_key(), message, &signature)
                    };
                    assert_eq!(verify(b"message"), Ok(()));
                    assert_eq!(verify(b"massage"), Err(Error::BadSignature));
                }
            }
        }
    }

    #[test]
    fn a_point_off_the_curve_verifies_nothing() {
        for crypto in providers() {
            let key = PublicKey::P256 {
                x: [1; 32],
                y: [1; 32],
            };
            let outcome = crypto.signatures.verify(&key, b"message", &[1; 64]);
            assert_eq!(outcome, Err(Error::BadSignature));
        }
    }

    // req: EAT-007
    #[test]
    fn the_thumbprint_is_that_of_rfc_9679() {
        // RFC 9679 section 6.
        let hex = |text: &str| -> [u8; 32] {
            core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        };
        let key = PublicKey::P256 {
            x: hex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"),
            y: hex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"),
        };
        for crypto in providers() {
            assert_eq!(
                key.key_id(&crypto).to_hex(),
                "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
            );
        }
    }

    #[test]
    fn a_private_key_shows_no_secret() {
        let crypto = crate::rustcrypto::provider();
        let key = SecretKey::from_bytes(&crypto, SignatureAlgorithm::Ed25519, &[0xab; 32]).unwrap();
        assert!(!alloc::format!("{key:?}").contains("abab"));
    }

    #[test]
    fn a_public_key_is_not_taken_for_a_private_one() {
        let crypto = crate::rustcrypto::provider();
        let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
        let public = key.public_key();
        let not_private = Some(KeyError::NotPrivate.into());
        assert_eq!(
            SecretKey::from_jwk(&crypto, &public.to_jwk()).err(),
            not_private
        );
        assert_eq!(
            SecretKey::from_pem(&crypto, &public.to_pem().unwrap()).err(),
            not_private
        );
        assert_eq!(
            SecretKey::from_cose_key(&crypto, &public.to_cose_key()).err(),
            not_private
        );
    }

    #[test]
    fn aead_and_kdf_agree_between_providers() {
        let [one, two] = providers();
        let key = one.kdf.derive(b"root", b"salt", b"use");
        assert_eq!(key, two.kdf.derive(b"root", b"salt", b"use"));
        assert_eq!(
            one.kdf.derive(b"root", b"", b"use"),
            two.kdf.derive(b"root", b"", b"use")
        );
        let mut data = b"sealed".to_vec();
        one.aead.seal(&key, &[7; 12], b"name", &mut data).unwrap();
        let mut again = data.clone();
        two.aead.open(&key, &[7; 12], b"name", &mut again).unwrap();
        assert_eq!(again, b"sealed");
        assert_eq!(
            two.aead.open(&key, &[7; 12], b"mane", &mut data),
            Err(Error::BadSignature)
        );
    }
}
