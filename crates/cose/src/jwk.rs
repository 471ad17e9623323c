//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use base64ct::{Base64, Base64Url, Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    CryptoProvider, Error, KeyError, PublicKey, SecretKey, SignatureAlgorithm, hss::HssPublicKey,
};

/// The members of a JWK that matter here; all others are ignored.
#[derive(Serialize, Deserialize)]
pub(crate) struct Jwk {
    pub(crate) kty: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) crv: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alg: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) d: Option<String>,
    /// Of an algorithm key pair (AKP), whose `alg` says what it is.
    #[serde(rename = "pub", skip_serializing_if = "Option::is_none")]
    pub(crate) public: Option<String>,
}

impl Drop for Jwk {
    fn drop(&mut self) {
        self.d.zeroize();
    }
}

pub(crate) fn format_error(problem: impl ToString) -> KeyError {
    KeyError::Format {
        format: "JWK",
        problem: problem.to_string(),
    }
}

impl Jwk {
    pub(crate) fn parse(json: &str) -> Result<Self, KeyError> {
        serde_json::from_str(json).map_err(format_error)
    }

    pub(crate) fn of(key: &PublicKey) -> Self {
        let base64 = |bytes: &[u8; 32]| Base64UrlUnpadded::encode_string(bytes);
        let alg = Some(key.algorithm().name().into());
        match key {
            PublicKey::P256 { x, y } => Self {
                kty: "EC".into(),
                crv: "P-256".into(),
                alg,
                x: base64(x),
                y: Some(base64(y)),
                d: None,
                public: None,
            },
            PublicKey::Ed25519 { x } => Self {
                kty: "OKP".into(),
                crv: "Ed25519".into(),
                alg,
                x: base64(x),
                y: None,
                d: None,
                public: None,
            },
            // JOSE has not registered HSS/LMS; this is how it writes keys of algorithms like it.
            PublicKey::HssLms(key) => Self {
                kty: "AKP".into(),
                crv: String::new(),
                alg,
                x: String::new(),
                y: None,
                d: None,
                public: Some(Base64UrlUnpadded::encode_string(&key.to_bytes())),
            },
        }
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey, KeyError> {
        match (self.kty.as_str(), self.crv.as_str()) {
            ("EC", "P-256") => {
                let y = self
                    .y
                    .as_ref()
                    .ok_or_else(|| format_error("y is missing"))?;
                Ok(PublicKey::P256 {
                    x: member("x", &self.x)?,
                    y: member("y", y)?,
                })
            }
            ("OKP", "Ed25519") => Ok(PublicKey::Ed25519 {
                x: member("x", &self.x)?,
            }),
            ("AKP", "") if self.alg.as_deref() == Some(SignatureAlgorithm::HssLms.name()) => {
                let text = self.public.as_deref().unwrap_or_default();
                let bytes = Base64UrlUnpadded::decode_vec(text)
                    .map_err(|_| format_error("pub is not base64url"))?;
                Ok(PublicKey::HssLms(HssPublicKey::from_bytes(&bytes)?))
            }
            (kty, crv) => Err(KeyError::Unsupported(format!(
                "JWK type {kty}, curve {crv}"
            ))),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        // Strings only: serialising them to memory can't fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// Decodes base64url, whose text may be a secret. Deployed tools also write padding and the standard
/// alphabet.
pub(crate) fn bytes(name: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut decoded = Zeroizing::new(vec![0; text.len()]);
    let length = Base64UrlUnpadded::decode(text, &mut decoded)
        .map(<[u8]>::len)
        .or_else(|_| Base64Url::decode(text, &mut decoded).map(<[u8]>::len))
        .or_else(|_| Base64::decode(text, &mut decoded).map(<[u8]>::len))
        .map_err(|_| format_error(format!("{name} is not base64url")))?;
    decoded.truncate(length);
    Ok(decoded)
}

/// Decodes 32 bytes of base64url.
pub(crate) fn member(name: &str, text: &str) -> Result<[u8; 32], KeyError> {
    let decoded = bytes(name, text)?;
    decoded
        .as_slice()
        .try_into()
        .map_err(|_| format_error(format!("{name} is {} bytes long, not 32", decoded.len())))
}

impl PublicKey {
    /// The key as a JWK, indented.
    #[must_use]
    pub fn to_jwk(&self) -> String {
        Jwk::of(self).to_json()
    }

    /// Reads a JWK and takes its public part.
    ///
    /// # Errors
    ///
    /// If the text is no JWK or one of another type or curve.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        Jwk::parse(json)?.public_key()
    }
}

impl SecretKey {
    /// The private key as a JWK, indented.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let mut jwk = Jwk::of(self.public_key());
        jwk.d = Some(Base64UrlUnpadded::encode_string(&**self.secret_bytes()));
        Zeroizing::new(jwk.to_json())
    }

    /// Reads a JWK that holds a private key.
    ///
    /// # Errors
    ///
    /// If it holds none, is no JWK, or its public members are not those of the private one.
    pub fn from_jwk(crypto: &CryptoProvider, json: &str) -> Result<Self, Error> {
        let jwk = Jwk::parse(json)?;
        let public = jwk.public_key()?;
        let secret = Zeroizing::new(member("d", jwk.d.as_ref().ok_or(KeyError::NotPrivate)?)?);
        let key = Self::from_bytes(crypto, public.algorithm(), &secret)?;
        if *key.public_key() == public {
            Ok(key)
        } else {
            Err(KeyError::Invalid.into())
        }
    }
}
