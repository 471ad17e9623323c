//! What a key file says besides the key: its id, and what the key is for.

use std::ops::RangeInclusive;

use tamarack_cose::{
    CryptoProvider, KeyError, KeyId, MacAlgorithm, MacKey, MacWrappingKey, SymmetricKey,
    cbor::{self, DecodeError, Limits, Reader, Writer},
    encrypt::KeyWrap,
};
use zeroize::Zeroizing;

use crate::key_file::KeyFormat;

/// What a symmetric key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// MACs.
    Mac(MacAlgorithm),
    /// Wrapping keys: content keys, or keys of MACs.
    Wrap(KeyWrap),
}

/// A symmetric key, ready for what it is for.
pub(crate) enum Shared {
    /// Makes and checks MACs.
    Mac(MacKey),
    /// Wraps the keys of MACs.
    Wrapping(MacWrappingKey),
}

impl Shared {
    /// The id by which a manifest names the key.
    pub(crate) fn id(&self, crypto: &CryptoProvider) -> KeyId {
        match self {
            Self::Mac(key) => key.key_id(crypto),
            Self::Wrapping(key) => key.key_id(crypto),
        }
    }
}

/// What a key file says besides the key.
#[derive(Debug, Default)]
pub(crate) struct About {
    pub(crate) is_symmetric: bool,
    /// The name by which others call the key.
    pub(crate) key_id: Option<Vec<u8>>,
    algorithm: Option<Named>,
    /// Keys are agreed with it, and nothing is signed.
    pub(crate) is_for_agreement: bool,
}

/// The algorithm that a file names for a symmetric key.
#[derive(Debug, Clone)]
enum Named {
    Known(Use),
    Other(String),
}

/// The members of a JWK that matter here; the key itself is read elsewhere.
#[derive(serde::Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    #[serde(default)]
    key_ops: Vec<String>,
}

const KTY: i64 = 1;
const KID: i64 = 2;
const ALG: i64 = 3;
const KEY_OPS: i64 = 4;
const K: i64 = -1;
const KTY_SYMMETRIC: i64 = 4;
/// The algorithms of COSE that agree on keys: ECDH-ES and ECDH-SS.
const ECDH: RangeInclusive<i64> = -34..=-25;
/// The uses of a COSE_Key for signatures: sign and verify.
const SIGNATURES: [i64; 2] = [1, 2];

impl Use {
    const ALL: [Self; 6] = [
        Self::Mac(MacAlgorithm::Hmac256),
        Self::Mac(MacAlgorithm::Hmac384),
        Self::Mac(MacAlgorithm::Hmac512),
        Self::Wrap(KeyWrap::A128Kw),
        Self::Wrap(KeyWrap::A192Kw),
        Self::Wrap(KeyWrap::A256Kw),
    ];

    pub(crate) fn cose_id(self) -> i64 {
        match self {
            Self::Mac(algorithm) => algorithm.cose_id(),
            Self::Wrap(wrap) => wrap.cose_id(),
        }
    }

    /// The name in the JOSE registry.
    fn jose_name(self) -> &'static str {
        match self {
            Self::Mac(MacAlgorithm::Hmac384) => "HS384",
            Self::Mac(MacAlgorithm::Hmac512) => "HS512",
            Self::Mac(_) => "HS256",
            Self::Wrap(KeyWrap::A128Kw) => "A128KW",
            Self::Wrap(KeyWrap::A192Kw) => "A192KW",
            Self::Wrap(KeyWrap::A256Kw) => "A256KW",
        }
    }

    /// The name in the COSE registry.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mac(algorithm) => algorithm.name(),
            Self::Wrap(_) => self.jose_name(),
        }
    }

    pub(crate) fn key_len(self) -> usize {
        match self {
            Self::Mac(algorithm) => algorithm.tag_len(),
            Self::Wrap(wrap) => wrap.key_len(),
        }
    }

    /// The key for this use.
    pub(crate) fn key(self, key: SymmetricKey) -> Result<Shared, KeyError> {
        match self {
            Self::Mac(algorithm) => MacKey::new(algorithm, key).map(Shared::Mac),
            Self::Wrap(_) => MacWrappingKey::new(key).map(Shared::Wrapping),
        }
    }

    /// What a key of this length is for where its file does not say.
    fn of_len(bytes: usize) -> Self {
        match bytes {
            16 => Self::Wrap(KeyWrap::A128Kw),
            24 => Self::Wrap(KeyWrap::A192Kw),
            48 => Self::Mac(MacAlgorithm::Hmac384),
            64 => Self::Mac(MacAlgorithm::Hmac512),
            _ => Self::Mac(MacAlgorithm::Hmac256),
        }
    }

    /// A key file that says what the key is for.
    pub(crate) fn encode(self, key: &SymmetricKey, format: KeyFormat) -> Zeroizing<Vec<u8>> {
        match format {
            KeyFormat::Jwk | KeyFormat::Pem => {
                let jwk = key.to_jwk();
                // The library writes the two members that make the key; the third goes before them.
                let members = jwk.trim_start().trim_start_matches('{');
                let alg = self.jose_name();
                Zeroizing::new(format!("{{\n  \"alg\": \"{alg}\",{members}\n").into_bytes())
            }
            KeyFormat::Cose => Zeroizing::new(Writer::build(|w| {
                w.map(3).int(KTY).int(KTY_SYMMETRIC);
                w.int(ALG).int(self.cose_id());
                w.int(K).bytes(key.secret_bytes());
            })),
        }
    }
}

impl About {
    /// Looks at a key file. Of what is no key file, nothing is said: whoever reads the key says what is
    /// wrong.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match KeyFormat::of(bytes) {
            KeyFormat::Pem => Self::default(),
            KeyFormat::Jwk => serde_json::from_slice::<Jwk>(bytes)
                .map(Self::of_jwk)
                .unwrap_or_default(),
            KeyFormat::Cose => Self::of_cose_key(bytes).unwrap_or_default(),
        }
    }

    fn of_jwk(jwk: Jwk) -> Self {
        let signs = |one: &String| matches!(one.as_str(), "sign" | "verify");
        let is_for_agreement = jwk.used_for.as_deref() == Some("enc")
            || (jwk.alg.as_ref())
                .is_some_and(|alg| alg.starts_with("ECDH-") || alg.starts_with("HPKE"))
            || !(jwk.key_ops.is_empty() || jwk.key_ops.iter().any(signs));
        let named = |alg: String| {
            let known = Use::ALL.into_iter().find(|one| one.jose_name() == alg);
            known.map_or(Named::Other(alg), Named::Known)
        };
        Self {
            is_symmetric: jwk.kty == "oct",
            key_id: jwk.kid.map(String::into_bytes),
            algorithm: jwk.alg.map(named),
            is_for_agreement,
        }
    }

    fn of_cose_key(bytes: &[u8]) -> Result<Self, DecodeError> {
        const RULE: &str = "COSE_Key";
        let limits = Limits {
            bytes: 4096,
            depth: 4,
        };
        cbor::check(bytes, &limits)?;
        let mut reader = Reader::new(bytes);
        let mut about = Self::default();
        for _ in 0..reader.map(RULE)? {
            match reader.label(RULE)? {
                KTY => about.is_symmetric = reader.int(RULE)? == KTY_SYMMETRIC,
                KID => about.key_id = Some(reader.bytes(RULE)?.to_vec()),
                ALG => {
                    let id = reader.int(RULE)?;
                    let known = Use::ALL.into_iter().find(|one| one.cose_id() == id);
                    let other = || Named::Other(format!("COSE algorithm {id}"));
                    about.algorithm = Some(known.map_or_else(other, Named::Known));
                    about.is_for_agreement |= ECDH.contains(&id);
                }
                KEY_OPS => {
                    let mut ops = Reader::new(reader.raw(RULE)?);
                    let count = ops.array(RULE)?;
                    let ops: Vec<i64> = (0..count).map_while(|_| ops.int(RULE).ok()).collect();
                    about.is_for_agreement |=
                        !(ops.is_empty() || ops.iter().any(|op| SIGNATURES.contains(op)));
                }
                _ => reader.skip(RULE)?,
            }
        }
        Ok(about)
    }

    /// What the symmetric key of the file is for: what the file says, or else what its length suggests.
    ///
    /// # Errors
    ///
    /// The algorithm that the file names, if it is another one than MACs and key wrap have.
    pub(crate) fn used_for(&self, key: &SymmetricKey) -> Result<Use, &str> {
        match &self.algorithm {
            Some(Named::Known(one)) => Ok(*one),
            Some(Named::Other(other)) => Err(other),
            None => Ok(Use::of_len(key.secret_bytes().len())),
        }
    }

    /// The algorithm that the file names, if that is not key wrap.
    pub(crate) fn other_than_wrap(&self) -> Option<&str> {
        match self.algorithm.as_ref()? {
            Named::Known(Use::Wrap(_)) => None,
            Named::Known(mac) => Some(mac.name()),
            Named::Other(other) => Some(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_says_what_the_key_is_for() {
        for one in Use::ALL {
            let key = SymmetricKey::new(vec![7; one.key_len()]);
            for format in [KeyFormat::Jwk, KeyFormat::Cose] {
                let file = one.encode(&key, format);
                let about = About::of(&file);
                assert!(about.is_symmetric);
                assert_eq!(about.used_for(&key), Ok(one));
                let read = match format {
                    KeyFormat::Cose => SymmetricKey::from_cose_key(&file).unwrap(),
                    _ => SymmetricKey::from_jwk(std::str::from_utf8(&file).unwrap()).unwrap(),
                };
                assert_eq!(read.secret_bytes(), key.secret_bytes());
            }
        }
    }

    #[test]
    fn a_key_for_another_purpose_is_told() {
        for (jwk, other) in [
            (
                r#"{"kty": "oct", "k": "", "alg": "HS256"}"#,
                Some("HMAC 256/256"),
            ),
            (
                r#"{"kty": "oct", "k": "", "alg": "A128GCM"}"#,
                Some("A128GCM"),
            ),
            (r#"{"kty": "oct", "k": "", "alg": "A128KW"}"#, None),
            (r#"{"kty": "oct", "k": ""}"#, None),
        ] {
            assert_eq!(About::of(jwk.as_bytes()).other_than_wrap(), other, "{jwk}");
        }
        for (jwk, is_for_agreement) in [
            (r#"{"kty": "EC", "alg": "ECDH-ES+A128KW"}"#, true),
            (r#"{"kty": "EC", "use": "enc"}"#, true),
            (r#"{"kty": "EC", "key_ops": ["deriveKey"]}"#, true),
            (r#"{"kty": "EC", "key_ops": ["sign"]}"#, false),
            (r#"{"kty": "EC", "alg": "ES256", "use": "sig"}"#, false),
            (r#"{"kty": "EC"}"#, false),
        ] {
            assert_eq!(
                About::of(jwk.as_bytes()).is_for_agreement,
                is_for_agreement,
                "{jwk}"
            );
        }
        let cose = Writer::build(|w| {
            w.map(2).int(KTY).int(2).int(KEY_OPS).array(1).int(7);
        });
        assert!(About::of(&cose).is_for_agreement);
    }

    #[test]
    fn what_is_no_key_file_says_nothing() {
        for bytes in [
            &b""[..],
            b"{",
            b"-----BEGIN",
            b"\xa1",
            b"\xa1\x01\x61x",
            b"{\"kty\": 4}",
        ] {
            let about = About::of(bytes);
            assert!(!about.is_symmetric && about.key_id.is_none());
        }
        let named = About::of(b"{\"kty\": \"oct\", \"kid\": \"kid-1\", \"k\": \"\"}");
        assert_eq!(named.key_id.as_deref(), Some(&b"kid-1"[..]));
    }
}
