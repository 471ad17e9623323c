//! Keys for encryption as PEM: SubjectPublicKeyInfo and PKCS #8 (RFC 8410 for X25519).

use alloc::string::String;

use pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef,
    der::{Decode, Document, SecretDocument, asn1::OctetStringRef},
};
use zeroize::Zeroizing;

use super::{Curve, DecryptionKey, EncryptionKey};
use crate::{
    CryptoProvider, Error, KeyError, PublicKey, SecretKey, SignatureAlgorithm,
    key::field,
    pem::{PRIVATE_KEY, PUBLIC_KEY, curve_private_key, format_error, private_block, public_block},
};

const X25519: AlgorithmIdentifierRef<'static> = AlgorithmIdentifierRef {
    oid: ObjectIdentifier::new_unwrap("1.3.101.110"),
    parameters: None,
};

impl EncryptionKey {
    /// The key as a PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// Never for a key that exists; DER encoding reports errors by its signature.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        match *self {
            Self::P256 { x, y } => PublicKey::P256 { x, y }.to_pem(),
            Self::X25519 { x } => public_block(X25519, &x),
        }
    }

    /// Reads a PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    ///
    /// If the text is not such a block, or the key's type or curve is another.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, document) = Document::from_pem(pem).map_err(format_error)?;
        match SubjectPublicKeyInfoRef::from_der(document.as_bytes()) {
            Ok(info) if label == PUBLIC_KEY && info.algorithm.oid == X25519.oid => {
                let bits = info.subject_public_key.as_bytes();
                let x = field("x", bits.ok_or(KeyError::Invalid)?)?;
                Ok(Self::X25519 { x })
            }
            // What reads signature keys says what is wrong with a label.
            _ => Self::of_p256(PublicKey::from_pem(pem)?),
        }
    }
}

impl DecryptionKey {
    /// The private key as a PEM block `PRIVATE KEY` (PKCS #8).
    ///
    /// # Errors
    ///
    /// If the key is none under `crypto`.
    pub fn to_pem(&self, crypto: &CryptoProvider) -> Result<Zeroizing<String>, Error> {
        if self.public_key().curve() == Curve::P256 {
            let algorithm = SignatureAlgorithm::Esp256;
            let key = SecretKey::from_bytes(crypto, algorithm, self.secret_bytes())?;
            return Ok(key.to_pem()?);
        }
        let inner = curve_private_key(self.secret_bytes());
        Ok(private_block(X25519, inner)?)
    }

    /// Reads a PEM block `PRIVATE KEY` (PKCS #8) or `EC PRIVATE KEY` (SEC1).
    ///
    /// # Errors
    ///
    /// If the text is neither, or the key's type or curve is another.
    pub fn from_pem(crypto: &CryptoProvider, pem: &str) -> Result<Self, Error> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(format_error)?;
        match PrivateKeyInfoRef::try_from(document.as_bytes()) {
            Ok(info) if label == PRIVATE_KEY && info.algorithm.oid == X25519.oid => {
                let inner = info.private_key.as_bytes();
                let octets = <&OctetStringRef>::from_der(inner).map_err(format_error)?;
                let secret = Zeroizing::new(field("the private key", octets.as_bytes())?);
                Self::from_bytes(crypto, Curve::X25519, &secret)
            }
            // P-256 keys are read by what reads signature keys, which have the same formats; it also says
            // what is wrong with a label.
            _ => {
                let key = SecretKey::from_pem(crypto, pem)?;
                let curve = EncryptionKey::of_p256(*key.public_key())?.curve();
                Self::from_bytes(crypto, curve, key.secret_bytes())
            }
        }
    }
}
