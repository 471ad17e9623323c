use alloc::{vec, vec::Vec};

use crate::{
    CryptoProvider, Error, Headers, PublicKey, Sign, Sign1, SignatureAlgorithm,
    cbor::{self, Limits, Problem, Reader, Type},
};

/// CBOR tags of the COSE structures (RFC 9052 section 2).
pub mod tag {
    /// COSE_Encrypt0.
    pub const ENCRYPT0: u64 = 16;
    /// COSE_Encrypt.
    pub const ENCRYPT: u64 = 96;
    /// COSE_Mac0.
    pub const MAC0: u64 = 17;
    /// COSE_Mac.
    pub const MAC: u64 = 97;
    /// COSE_Sign1.
    pub const SIGN1: u64 = 18;
    /// COSE_Sign.
    pub const SIGN: u64 = 98;
}

/// A received COSE_Sign1 or COSE_Sign, not verified yet.
///
/// ```
/// use tamarack_cose::{SecretKey, SignatureAlgorithm, Signed, rustcrypto, sign};
///
/// let crypto = rustcrypto::provider();
/// let first = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
/// let second = SecretKey::generate(&crypto, SignatureAlgorithm::Ed25519)?;
/// let signers = [crypto.signatures.signer(&first)?, crypto.signatures.signer(&second)?];
/// let message = sign(&crypto, &[&*signers[0], &*signers[1]], b"who are you?")?;
///
/// // A receiver that knows only one of the keys is content with that one.
/// let (key, payload) =
///     Signed::decode(&message)?.verify(&crypto, &[*second.public_key()], None)?;
/// assert_eq!((key, payload), (*second.public_key(), &b"who are you?"[..]));
/// # Ok::<(), tamarack_cose::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed<'a> {
    /// One signature.
    Sign1(Sign1<'a>),
    /// One signature or more.
    Sign(Sign<'a>),
}

impl<'a> Signed<'a> {
    /// Decodes either structure, tagged or not, with the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As [`decode_within`](Self::decode_within).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::decode_within(bytes, &Limits::default())
    }

    /// Decodes either structure. Untagged ones are told apart by their fourth element, which is a byte
    /// string in COSE_Sign1 and an array in COSE_Sign.
    ///
    /// # Errors
    ///
    /// If the bytes do not pass the strict door or are another structure.
    pub fn decode_within(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        cbor::check(bytes, limits)?;
        let mut reader = Reader::new(bytes);
        let expected = match reader.peek() {
            Type::Tag => match reader.tag("COSE message")? {
                tag::SIGN1 => Some(Type::Bytes),
                tag::SIGN => Some(Type::Array),
                _ => {
                    let problem = Problem::Expected("tag 18 or 98");
                    return Err(cbor::DecodeError::new(0, "COSE message", problem).into());
                }
            },
            _ => None,
        };
        reader.array_of(4, "an array of 4", "COSE message")?;
        let headers = Headers::read(&mut reader)?;
        let payload = reader.bytes_or_null("COSE / payload")?;
        let found = reader.peek();
        if expected.is_some_and(|expected| expected != found) {
            let problem = Problem::Expected("the structure that the tag announces");
            return Err(reader.error("COSE / signature", problem).into());
        }
        Ok(match found {
            Type::Array => Self::Sign(Sign::read(headers, payload, &mut reader)?),
            _ => Self::Sign1(Sign1::read(headers, payload, &mut reader)?),
        })
    }

    /// The headers of each signature.
    #[must_use]
    pub fn signatures(&self) -> Vec<&Headers<'a>> {
        match self {
            Self::Sign1(sign1) => vec![sign1.headers()],
            Self::Sign(sign) => sign.signatures().collect(),
        }
    }

    /// The attached payload, which nothing vouches for before [`verify`](Self::verify).
    #[must_use]
    pub fn unverified_payload(&self) -> Option<&'a [u8]> {
        match self {
            Self::Sign1(sign1) => sign1.unverified_payload(),
            Self::Sign(sign) => sign.unverified_payload(),
        }
    }

    /// Verifies with one of `trusted`; returns the key that signed, and the payload.
    ///
    /// A key id that is the thumbprint of a trusted key selects it. Any other is a hint that says nothing
    /// here (RFC 9052 section 3.1), and as without one, every trusted key of the right algorithm is tried.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if no trusted key answers, [`Error::BadSignature`] if one does and the
    /// signature fails, or what [`Headers::algorithm`] says.
    pub fn verify<'p>(
        &self,
        crypto: &CryptoProvider,
        trusted: &[PublicKey],
        detached: Option<&'p [u8]>,
    ) -> Result<(PublicKey, &'p [u8]), Error>
    where
        'a: 'p,
    {
        let sign1 = match self {
            Self::Sign(sign) => return sign.verify(crypto, trusted, detached),
            Self::Sign1(sign1) => sign1,
        };
        let algorithm = sign1.headers().algorithm()?;
        let mut outcome = Err(Error::UnknownKey);
        for key in candidates(crypto, trusted, algorithm, sign1.headers().key_id()) {
            match sign1.verify(crypto, key, detached) {
                Ok(payload) => return Ok((*key, payload)),
                // A key that the key id does not name proves nothing by not fitting.
                Err(error) if names(crypto, sign1.headers().key_id(), key) => outcome = Err(error),
                Err(_) => {}
            }
        }
        outcome
    }

    /// Verifies the signature at `index` of [`signatures`](Self::signatures) with `key`, whatever its key
    /// id says.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if there is no such signature or its algorithm is not the key's;
    /// [`Error::BadSignature`]; [`Error::Payload`]; or what [`Headers::algorithm`] says.
    pub fn verify_at(
        &self,
        crypto: &CryptoProvider,
        index: usize,
        key: &PublicKey,
        detached: Option<&[u8]>,
    ) -> Result<(), Error> {
        match self {
            Self::Sign1(sign1) if index == 0 => sign1.verify(crypto, key, detached).map(drop),
            Self::Sign1(_) => Err(Error::UnknownKey),
            Self::Sign(sign) => sign.verify_at(crypto, index, key, detached),
        }
    }
}

/// Whether a key id is the thumbprint of `key`, or there is none and any key may be meant.
pub(crate) fn names(crypto: &CryptoProvider, key_id: Option<&[u8]>, key: &PublicKey) -> bool {
    key_id.is_none_or(|key_id| key_id == key.key_id(crypto).as_bytes())
}

/// The keys that may have signed: the one that the key id names, or else all of the algorithm.
pub(crate) fn candidates<'k>(
    crypto: &CryptoProvider,
    trusted: &'k [PublicKey],
    algorithm: SignatureAlgorithm,
    key_id: Option<&[u8]>,
) -> Vec<&'k PublicKey> {
    let mut fitting = Vec::new();
    for key in trusted {
        if key.algorithm() == algorithm {
            fitting.push(key);
        }
    }
    let mut named = fitting.clone();
    named.retain(|key| names(crypto, key_id, key));
    match named.is_empty() {
        true => fitting,
        false => named,
    }
}
