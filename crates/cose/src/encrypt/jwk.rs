//! Keys for encryption as JSON Web Keys (RFC 7517, RFC 7518 section 6.4, RFC 8037).

use alloc::string::String;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{DecryptionKey, EncryptionKey, RecipientKey};
use crate::{
    CryptoProvider, Error, KeyError, PublicKey, SymmetricKey,
    jwk::{Jwk, bytes, format_error, member},
};

/// What tells one kind of JWK from another.
#[derive(Deserialize)]
struct Kind {
    kty: String,
    kid: Option<String>,
}

/// A symmetric JWK.
#[derive(Serialize, Deserialize)]
struct Oct {
    kty: String,
    k: String,
}

impl Drop for Oct {
    fn drop(&mut self) {
        self.k.zeroize();
    }
}

/// The key type of symmetric keys.
const OCT: &str = "oct";

fn is_x25519(jwk: &Jwk) -> bool {
    (jwk.kty.as_str(), jwk.crv.as_str()) == ("OKP", "X25519")
}

fn jwk_of(key: &EncryptionKey) -> Jwk {
    match *key {
        EncryptionKey::P256 { x, y } => {
            let mut jwk = Jwk::of(&PublicKey::P256 { x, y });
            // That of a signature; how this key is used, the sender chooses.
            jwk.alg = None;
            jwk
        }
        EncryptionKey::X25519 { x } => Jwk {
            kty: "OKP".into(),
            crv: "X25519".into(),
            alg: None,
            x: Base64UrlUnpadded::encode_string(&x),
            y: None,
            d: None,
            public: None,
        },
    }
}

fn public_of(jwk: &Jwk) -> Result<EncryptionKey, KeyError> {
    if is_x25519(jwk) {
        let x = member("x", &jwk.x)?;
        return Ok(EncryptionKey::X25519 { x });
    }
    EncryptionKey::of_p256(jwk.public_key()?)
}

impl EncryptionKey {
    /// The key as a JWK, indented.
    #[must_use]
    pub fn to_jwk(&self) -> String {
        jwk_of(self).to_json()
    }

    /// Reads a JWK and takes its public part.
    ///
    /// # Errors
    ///
    /// If the text is no JWK or one of another type or curve.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        public_of(&Jwk::parse(json)?)
    }
}

impl DecryptionKey {
    /// The private key as a JWK, indented.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let mut jwk = jwk_of(self.public_key());
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
        let public = public_of(&jwk)?;
        let secret = Zeroizing::new(member("d", jwk.d.as_ref().ok_or(KeyError::NotPrivate)?)?);
        let key = Self::from_bytes(crypto, public.curve(), &secret)?;
        match *key.public_key() == public {
            true => Ok(key),
            false => Err(KeyError::Invalid.into()),
        }
    }
}

impl SymmetricKey {
    /// The key as a JWK of type `oct`, indented.
    #[must_use]
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let oct = Oct {
            kty: OCT.into(),
            k: Base64UrlUnpadded::encode_string(self.secret_bytes()),
        };
        // Strings only: serialising them to memory can't fail.
        Zeroizing::new(serde_json::to_string_pretty(&oct).unwrap_or_default())
    }

    /// Reads a JWK of type `oct`.
    ///
    /// # Errors
    ///
    /// If the text is no JWK, one of another type, or the key is empty or longer than 128 bytes.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        let oct: Oct = serde_json::from_str(json).map_err(format_error)?;
        if oct.kty != OCT {
            return Err(KeyError::Unsupported(alloc::format!(
                "JWK type {} where a symmetric key is needed",
                oct.kty
            )));
        }
        Self::checked(&bytes("k", &oct.k)?, "JWK")
    }
}

impl RecipientKey {
    /// A key from a JWK: a private key, or a symmetric one for AES-KW. Its kid, if there is one, becomes the
    /// key id.
    ///
    /// # Errors
    ///
    /// If it is of another type or curve, malformed, or public.
    pub fn from_jwk(crypto: &CryptoProvider, json: &str) -> Result<Self, Error> {
        let kind: Kind = serde_json::from_str(json).map_err(format_error)?;
        let this = match kind.kty == OCT {
            true => Self::wrapping(crypto, SymmetricKey::from_jwk(json)?),
            false => Self::agreement(crypto, DecryptionKey::from_jwk(crypto, json)?),
        };
        Ok(match kind.kid {
            Some(key_id) => this.with_key_id(key_id),
            None => this,
        })
    }
}
