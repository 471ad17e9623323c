//! A key of a TA: which algorithms there are, and how a key is stored.

use tamarack_cose::{
    CryptoProvider, MacAlgorithm, PublicKey, SecretKey, SignatureAlgorithm, SymmetricKey,
    cbor::{self, Limits, Reader, Type},
    encrypt::{ContentAlgorithm, Curve, DecryptionKey},
};
use tamarack_ta::{ResultCode, interface};
use zeroize::Zeroizing;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAlgorithm {
    /// Signatures.
    Sign(SignatureAlgorithm),
    /// Diffie-Hellman.
    Agree(Curve),
    /// Message authentication codes.
    Mac(MacAlgorithm),
    /// Authenticated encryption.
    Seal(ContentAlgorithm),
}

/// Each algorithm and its number in the interface.
const ALGORITHMS: [(i32, KeyAlgorithm); 8] = [
    (
        interface::ALGORITHM_ESP256,
        KeyAlgorithm::Sign(SignatureAlgorithm::Esp256),
    ),
    (
        interface::ALGORITHM_ED25519,
        KeyAlgorithm::Sign(SignatureAlgorithm::Ed25519),
    ),
    (
        interface::ALGORITHM_ECDH_P256,
        KeyAlgorithm::Agree(Curve::P256),
    ),
    (
        interface::ALGORITHM_ECDH_X25519,
        KeyAlgorithm::Agree(Curve::X25519),
    ),
    (
        interface::ALGORITHM_HMAC_256,
        KeyAlgorithm::Mac(MacAlgorithm::Hmac256),
    ),
    (
        interface::ALGORITHM_A128GCM,
        KeyAlgorithm::Seal(ContentAlgorithm::A128Gcm),
    ),
    (
        interface::ALGORITHM_A256GCM,
        KeyAlgorithm::Seal(ContentAlgorithm::A256Gcm),
    ),
    (
        interface::ALGORITHM_CHACHA20_POLY1305,
        KeyAlgorithm::Seal(ContentAlgorithm::ChaCha20Poly1305),
    ),
];

impl KeyAlgorithm {
    /// The algorithm with the interface's number.
    pub(crate) fn of(number: i32) -> Result<Self, ResultCode> {
        let found = ALGORITHMS.iter().find(|(known, _)| *known == number);
        found
            .map(|(_, this)| *this)
            .ok_or(ResultCode::NOT_SUPPORTED)
    }

    pub(super) fn number(self) -> i32 {
        let found = ALGORITHMS.iter().find(|(_, this)| *this == self);
        found.map_or(0, |(number, _)| *number)
    }

    /// Bytes of a symmetric key, if that is what the algorithm has.
    pub(super) fn symmetric_len(self) -> Result<usize, ResultCode> {
        match self {
            Self::Mac(algorithm) => Ok(algorithm.tag_len()),
            Self::Seal(algorithm) => Ok(algorithm.key_len()),
            Self::Sign(_) | Self::Agree(_) => Err(ResultCode::NOT_SUPPORTED),
        }
    }
}

/// A key of a TA.
pub(super) enum TaKey {
    Sign(SecretKey),
    Agree(DecryptionKey),
    Mac(MacAlgorithm, SymmetricKey),
    Seal(ContentAlgorithm, SymmetricKey),
}

impl TaKey {
    pub(super) fn generate(
        crypto: &CryptoProvider,
        algorithm: KeyAlgorithm,
    ) -> Result<Self, ResultCode> {
        let made = match algorithm {
            KeyAlgorithm::Sign(algorithm) => SecretKey::generate(crypto, algorithm).map(Self::Sign),
            KeyAlgorithm::Agree(curve) => DecryptionKey::generate(crypto, curve).map(Self::Agree),
            KeyAlgorithm::Mac(_) | KeyAlgorithm::Seal(_) => {
                let key = SymmetricKey::generate(crypto, algorithm.symmetric_len()?);
                return Self::symmetric(algorithm, key.map_err(|_| ResultCode::GENERIC)?);
            }
        };
        made.map_err(|_| ResultCode::GENERIC)
    }

    /// A symmetric key of its algorithm's length.
    pub(super) fn symmetric(
        algorithm: KeyAlgorithm,
        key: SymmetricKey,
    ) -> Result<Self, ResultCode> {
        if key.secret_bytes().len() != algorithm.symmetric_len()? {
            return Err(ResultCode::BAD_FORMAT);
        }
        match algorithm {
            KeyAlgorithm::Mac(algorithm) => Ok(Self::Mac(algorithm, key)),
            KeyAlgorithm::Seal(algorithm) => Ok(Self::Seal(algorithm, key)),
            KeyAlgorithm::Sign(_) | KeyAlgorithm::Agree(_) => Err(ResultCode::NOT_SUPPORTED),
        }
    }

    /// Takes over a private or symmetric `COSE_Key`, for what its `alg` says.
    pub(super) fn import(crypto: &CryptoProvider, key: &[u8]) -> Result<Self, ResultCode> {
        let wrong = |_| ResultCode::BAD_FORMAT;
        let algorithm = match algorithm_of(key)? {
            // What deployed keys say.
            -7 => interface::ALGORITHM_ESP256,
            -8 => interface::ALGORITHM_ED25519,
            number => number,
        };
        match KeyAlgorithm::of(algorithm)? {
            KeyAlgorithm::Sign(algorithm) => {
                let key = SecretKey::from_cose_key(crypto, key).map_err(wrong)?;
                match key.public_key().algorithm() == algorithm {
                    true => Ok(Self::Sign(key)),
                    false => Err(ResultCode::BAD_FORMAT),
                }
            }
            // The number is that of all curves.
            KeyAlgorithm::Agree(_) => DecryptionKey::from_cose_key(crypto, key)
                .map(Self::Agree)
                .map_err(wrong),
            symmetric => {
                let key = SymmetricKey::from_cose_key(key);
                Self::symmetric(symmetric, key.map_err(|_| ResultCode::BAD_FORMAT)?)
            }
        }
    }

    fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Sign(key) => KeyAlgorithm::Sign(key.public_key().algorithm()),
            Self::Agree(key) => KeyAlgorithm::Agree(key.public_key().curve()),
            Self::Mac(algorithm, _) => KeyAlgorithm::Mac(*algorithm),
            Self::Seal(algorithm, _) => KeyAlgorithm::Seal(*algorithm),
        }
    }

    /// The public half as a `COSE_Key`, of keys that have one.
    pub(super) fn public(&self) -> Result<Vec<u8>, ResultCode> {
        match self {
            Self::Sign(key) => Ok(key.public_key().to_cose_key()),
            Self::Agree(key) => Ok(key.public_key().to_cose_key()),
            Self::Mac(..) | Self::Seal(..) => Err(ResultCode::BAD_STATE),
        }
    }

    /// The public half of a signing key.
    pub(super) fn signing_public(&self) -> Result<PublicKey, ResultCode> {
        match self {
            Self::Sign(key) => Ok(*key.public_key()),
            _ => Err(ResultCode::BAD_STATE),
        }
    }

    /// As it is stored: the algorithm's number in 4 bytes, big-endian, and the secret.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let number = self.algorithm().number().to_be_bytes();
        let secret: &[u8] = match self {
            Self::Sign(key) => &key.secret_bytes()[..],
            Self::Agree(key) => &key.secret_bytes()[..],
            Self::Mac(_, key) | Self::Seal(_, key) => key.secret_bytes(),
        };
        Zeroizing::new([&number[..], secret].concat())
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(super) fn decode(crypto: &CryptoProvider, bytes: &[u8]) -> Result<Self, ResultCode> {
        let corrupt = ResultCode::CORRUPT_OBJECT;
        let (number, secret) = bytes.split_first_chunk().ok_or(corrupt)?;
        let asymmetric = || <&[u8; 32]>::try_from(secret).map_err(|_| corrupt);
        let read = match KeyAlgorithm::of(i32::from_be_bytes(*number)).map_err(|_| corrupt)? {
            KeyAlgorithm::Sign(algorithm) => {
                SecretKey::from_bytes(crypto, algorithm, asymmetric()?).map(Self::Sign)
            }
            KeyAlgorithm::Agree(curve) => {
                DecryptionKey::from_bytes(crypto, curve, asymmetric()?).map(Self::Agree)
            }
            symmetric => {
                let key = Self::symmetric(symmetric, SymmetricKey::new(secret));
                return key.map_err(|_| corrupt);
            }
        };
        read.map_err(|_| corrupt)
    }
}

/// The `alg` (3) of a `COSE_Key`.
fn algorithm_of(key: &[u8]) -> Result<i32, ResultCode> {
    let limits = Limits {
        bytes: 4096,
        depth: 4,
    };
    let rule = "COSE_Key / alg";
    let read = || {
        cbor::check(key, &limits)?;
        let mut reader = Reader::new(key);
        let mut found = None;
        for _ in 0..reader.map(rule)? {
            let is_label = matches!(reader.peek(), Type::Uint | Type::NegativeInt);
            let label = match is_label {
                true => Some(reader.int(rule)?),
                false => reader.skip(rule).map(|()| None)?,
            };
            let is_number = matches!(reader.peek(), Type::Uint | Type::NegativeInt);
            match label == Some(3) && is_number {
                true => found = Some(reader.int(rule)?),
                false => reader.skip(rule)?,
            }
        }
        Ok::<_, tamarack_cose::cbor::DecodeError>(found)
    };
    let found = read().map_err(|_| ResultCode::BAD_FORMAT)?;
    let number = found.and_then(|number| i32::try_from(number).ok());
    number.ok_or(ResultCode::BAD_FORMAT)
}
