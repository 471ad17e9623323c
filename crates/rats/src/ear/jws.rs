//! JSON Web Signatures in compact form (RFC 7515): ES256 and EdDSA.

use alloc::{format, string::String, vec::Vec};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};
use tamarack_cose::{CryptoProvider, KeyId, PublicKey, SignatureAlgorithm, Signer};

/// Longest token, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// A JSON Web Signature as received, not verified yet.
#[derive(Debug, Clone)]
pub(super) struct Jws<'a> {
    algorithm: SignatureAlgorithm,
    signing_input: &'a str,
    signature: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

fn malformed(what: &'static str) -> tamarack_cose::Error {
    tamarack_cose::Error::Payload(what)
}

impl<'a> Jws<'a> {
    /// Takes a token apart. Quotes around it, as it has as a JSON text, are passed over.
    ///
    /// # Errors
    ///
    /// If it is none, or under an algorithm that is not supported.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, tamarack_cose::Error> {
        if bytes.len() > MAX_BYTES {
            return Err(malformed("longer than a JWS may be"));
        }
        let text = core::str::from_utf8(bytes).map_err(|_| malformed("no JWS"))?;
        let text = text.trim().trim_matches('"');
        let (signing_input, signature) = text.rsplit_once('.').ok_or(malformed("no JWS"))?;
        let (header, payload) = signing_input.split_once('.').ok_or(malformed("no JWS"))?;
        let decode =
            |part: &str| Base64UrlUnpadded::decode_vec(part).map_err(|_| malformed("no base64url"));
        let header: Value = serde_json::from_slice(&decode(header)?)
            .map_err(|_| malformed("under a header that is no JSON"))?;
        // Nothing that may be critical is understood (RFC 7515 section 4.1.11).
        if header.get("crit").is_some() {
            return Err(malformed("under a critical header that is not understood"));
        }
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("ES256" | "ESP256") => SignatureAlgorithm::Esp256,
            Some("EdDSA" | "Ed25519") => SignatureAlgorithm::Ed25519,
            _ => return Err(malformed("signed under an algorithm that is not supported")),
        };
        Ok(Self {
            algorithm,
            signing_input,
            signature: decode(signature)?,
            payload: decode(payload)?,
        })
    }

    /// The key of `trusted` that signed.
    ///
    /// The header's key id is not even looked at: there are few keys, and each of the algorithm is tried.
    // req: TEEP-TAM-007
    pub(super) fn verify(
        &self,
        crypto: &CryptoProvider,
        trusted: &[PublicKey],
    ) -> Result<PublicKey, tamarack_cose::Error> {
        let mut fitting = trusted
            .iter()
            .filter(|key| key.algorithm() == self.algorithm);
        let signed = fitting.find(|key| {
            let input = self.signing_input.as_bytes();
            (crypto.signatures)
                .verify(key, input, &self.signature)
                .is_ok()
        });
        signed.copied().ok_or(tamarack_cose::Error::UnknownKey)
    }
}

/// Signs a payload.
pub(super) fn sign(
    crypto: &CryptoProvider,
    signer: &dyn Signer,
    payload: &Value,
) -> Result<String, tamarack_cose::Error> {
    let key = signer.public_key();
    let algorithm = match key.algorithm() {
        SignatureAlgorithm::Esp256 => "ES256",
        SignatureAlgorithm::Ed25519 => "EdDSA",
        _ => {
            return Err(malformed(
                "to be signed under an algorithm that JOSE has not",
            ));
        }
    };
    let key_id = Base64UrlUnpadded::encode_string(KeyId::of(key, crypto).as_bytes());
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": key_id });
    let base64 = |value: &Value| Base64UrlUnpadded::encode_string(format!("{value}").as_bytes());
    let signing_input = format!("{}.{}", base64(&header), base64(payload));
    let signature = signer.sign(signing_input.as_bytes())?;
    let signature = Base64UrlUnpadded::encode_string(&signature);
    Ok(format!("{signing_input}.{signature}"))
}
