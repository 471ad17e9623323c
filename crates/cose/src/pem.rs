//! PEM: SubjectPublicKeyInfo (RFC 5280) and PKCS #8 (RFC 5958).

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef,
    der::{
        self, AnyRef, Decode, Document, Encode, SecretDocument,
        asn1::{BitStringRef, OctetStringRef},
        pem::LineEnding,
    },
};
use zeroize::Zeroizing;

use crate::{
    CryptoProvider, Error, KeyError, PublicKey, SecretKey, SignatureAlgorithm, hss::HssPublicKey,
    key::field,
};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 9708; the key stands in the bit string as it is (RFC 9802).
pub(crate) const HSS_LMS: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.3.17");

/// The label of a SubjectPublicKeyInfo.
pub(crate) const PUBLIC_KEY: &str = "PUBLIC KEY";
/// The label of a PKCS #8 structure.
pub(crate) const PRIVATE_KEY: &str = "PRIVATE KEY";

/// The SEC1 ECPrivateKey of a P-256 key, with its public part.
fn ec_private_key(key: &SecretKey) -> der::Result<Vec<u8>> {
    let public = point(key.public_key());
    sec1::EcPrivateKey {
        private_key: &**key.secret_bytes(),
        parameters: None,
        public_key: Some(&public),
    }
    .to_der()
}

/// The CurvePrivateKey of an Ed25519 or X25519 key (RFC 8410).
pub(crate) fn curve_private_key(secret: &[u8; 32]) -> der::Result<Vec<u8>> {
    OctetStringRef::new(secret).and_then(|octets| octets.to_der())
}

/// The scalar of a SEC1 ECPrivateKey.
fn ec_secret(der: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let key = sec1::EcPrivateKey::from_der(der).map_err(format_error)?;
    if key
        .parameters
        .is_some_and(|parameters| parameters.named_curve() != Some(P256))
    {
        return Err(KeyError::Unsupported("EC curves other than P-256".into()));
    }
    Ok(Zeroizing::new(field("the private key", key.private_key)?))
}

pub(crate) fn format_error(problem: impl ToString) -> KeyError {
    KeyError::Format {
        format: "PEM",
        problem: problem.to_string(),
    }
}

fn algorithm_of(identifier: &AlgorithmIdentifierRef<'_>) -> Result<SignatureAlgorithm, KeyError> {
    match (identifier.oid, identifier.parameters_oid()) {
        (EC_PUBLIC_KEY, Ok(P256)) => Ok(SignatureAlgorithm::Esp256),
        (ED25519, _) => Ok(SignatureAlgorithm::Ed25519),
        (HSS_LMS, _) => Ok(SignatureAlgorithm::HssLms),
        (oid, _) => Err(KeyError::Unsupported(oid.to_string())),
    }
}

pub(crate) fn identifier(algorithm: SignatureAlgorithm) -> AlgorithmIdentifierRef<'static> {
    match algorithm {
        SignatureAlgorithm::Esp256 => AlgorithmIdentifierRef {
            oid: EC_PUBLIC_KEY,
            parameters: Some(AnyRef::from(&P256)),
        },
        SignatureAlgorithm::Ed25519 => AlgorithmIdentifierRef {
            oid: ED25519,
            parameters: None,
        },
        SignatureAlgorithm::HssLms => AlgorithmIdentifierRef {
            oid: HSS_LMS,
            parameters: None,
        },
    }
}

/// The key's content of a SubjectPublicKeyInfo bit string.
pub(crate) fn point(key: &PublicKey) -> Vec<u8> {
    match key {
        PublicKey::P256 { x, y } => [&[4], &x[..], &y[..]].concat(),
        PublicKey::Ed25519 { x } => x.to_vec(),
        PublicKey::HssLms(key) => key.to_bytes(),
    }
}

/// A SubjectPublicKeyInfo as a PEM block.
pub(crate) fn public_block(
    algorithm: AlgorithmIdentifierRef<'_>,
    bits: &[u8],
) -> Result<String, KeyError> {
    let info = SubjectPublicKeyInfoRef {
        algorithm,
        subject_public_key: BitStringRef::from_bytes(bits).map_err(format_error)?,
    };
    Document::encode_msg(&info)
        .and_then(|document| document.to_pem(PUBLIC_KEY, LineEnding::LF))
        .map_err(format_error)
}

/// A PKCS #8 structure around the encoding of a private key, as a PEM block.
pub(crate) fn private_block(
    algorithm: AlgorithmIdentifierRef<'_>,
    inner: der::Result<Vec<u8>>,
) -> Result<Zeroizing<String>, KeyError> {
    let inner = Zeroizing::new(inner.map_err(format_error)?);
    let octets = OctetStringRef::new(&inner).map_err(format_error)?;
    SecretDocument::encode_msg(&PrivateKeyInfoRef::new(algorithm, octets))
        .and_then(|document| document.to_pem(PRIVATE_KEY, LineEnding::LF))
        .map_err(format_error)
}

impl PublicKey {
    /// The key as a PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// Never for a key that exists; DER encoding reports errors by its signature.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        public_block(identifier(self.algorithm()), &point(self))
    }

    /// Reads a PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// If the text is not such a block, or the key's type or curve is another.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, document) = Document::from_pem(pem).map_err(format_error)?;
        if label != PUBLIC_KEY {
            return Err(format_error(alloc::format!(
                "the block is a {label}, not a PUBLIC KEY"
            )));
        }
        let info = SubjectPublicKeyInfoRef::from_der(document.as_bytes()).map_err(format_error)?;
        Self::from_spki(&info)
    }

    /// The key in a SubjectPublicKeyInfo.
    pub(crate) fn from_spki(info: &SubjectPublicKeyInfoRef<'_>) -> Result<Self, KeyError> {
        let bits = info
            .subject_public_key
            .as_bytes()
            .ok_or(KeyError::Invalid)?;
        match algorithm_of(&info.algorithm)? {
            SignatureAlgorithm::Esp256 => {
                let [4, point @ ..] = bits else {
                    return Err(KeyError::Unsupported("compressed EC points".into()));
                };
                let (x, y) = point.split_at_checked(32).ok_or(KeyError::Invalid)?;
                Ok(Self::P256 {
                    x: field("x", x)?,
                    y: field("y", y)?,
                })
            }
            SignatureAlgorithm::Ed25519 => Ok(Self::Ed25519 {
                x: field("x", bits)?,
            }),
            SignatureAlgorithm::HssLms => Ok(Self::HssLms(HssPublicKey::from_bytes(bits)?)),
        }
    }
}

impl SecretKey {
    /// The private key as a PEM block `PRIVATE KEY` (PKCS #8).
    ///
    /// # Errors
    ///
    /// Never for a key that exists; DER encoding reports errors by its signature.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let algorithm = self.public_key().algorithm();
        let inner = match algorithm {
            SignatureAlgorithm::HssLms => return Err(KeyError::has_state()),
            SignatureAlgorithm::Esp256 => ec_private_key(self),
            SignatureAlgorithm::Ed25519 => curve_private_key(self.secret_bytes()),
        };
        private_block(identifier(algorithm), inner)
    }

    /// Reads a PEM block `PRIVATE KEY` (PKCS #8) or `EC PRIVATE KEY` (SEC1).
    ///
    /// # Errors
    ///
    /// If the text is neither, or the key's type or curve is another.
    pub fn from_pem(crypto: &CryptoProvider, pem: &str) -> Result<Self, Error> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(format_error)?;
        let der = document.as_bytes();
        let (algorithm, secret) = match label {
            PRIVATE_KEY => {
                let info = PrivateKeyInfoRef::try_from(der).map_err(format_error)?;
                let inner = info.private_key.as_bytes();
                let algorithm = algorithm_of(&info.algorithm)?;
                (
                    algorithm,
                    match algorithm {
                        SignatureAlgorithm::HssLms => return Err(KeyError::has_state().into()),
                        SignatureAlgorithm::Esp256 => ec_secret(inner)?,
                        SignatureAlgorithm::Ed25519 => {
                            let octets =
                                <&OctetStringRef>::from_der(inner).map_err(format_error)?;
                            Zeroizing::new(field("the private key", octets.as_bytes())?)
                        }
                    },
                )
            }
            "EC PRIVATE KEY" => (SignatureAlgorithm::Esp256, ec_secret(der)?),
            PUBLIC_KEY => return Err(KeyError::NotPrivate.into()),
            other => {
                let problem = alloc::format!("the block is a {other}, not a PRIVATE KEY");
                return Err(format_error(problem).into());
            }
        };
        Self::from_bytes(crypto, algorithm, &secret)
    }
}
