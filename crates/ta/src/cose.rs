//! Signed messages that others can read: a `COSE_Sign1` (RFC 9052 section 4) around what a TA says.
//!
//! ```
//! use tamarack_ta::{cose, keys::{SignatureAlgorithm, SigningKey}};
//!
//! let key = SigningKey::generate("k", SignatureAlgorithm::Esp256)?;
//! let signed = cose::sign1(&key, b"42 kWh")?;
//! assert_eq!(cose::verify1(&key.public_key()?, &signed)?, b"42 kWh");
//! # Ok::<(), tamarack_ta::ResultCode>(())
//! ```

use alloc::vec::Vec;

use minicbor::{
    Decoder, Encoder,
    data::{Tag, Type},
    decode::Error,
};

use crate::{
    ResultCode,
    interface::{ALGORITHM_ED25519, ALGORITHM_ESP256},
    keys::{self, SigningKey},
};

/// The CBOR tag of a `COSE_Sign1`.
const SIGN1: u64 = 18;

/// The CBOR tag of a CBOR Web Token, in front of it.
const CWT: u64 = 61;

/// Signs `payload` and puts it, with the algorithm, into a tagged `COSE_Sign1`.
///
/// # Errors
///
/// [`ResultCode::ITEM_NOT_FOUND`] if the key was deleted.
pub fn sign1(key: &SigningKey, payload: &[u8]) -> Result<Vec<u8>, ResultCode> {
    let protected = protected(&key.public_key()?);
    let signature = key.sign(&to_be_signed(&protected, payload))?;
    Ok(message(&protected, payload, &signature))
}

/// Verifies a `COSE_Sign1`, tagged or not, as a CBOR Web Token or not, with a public `COSE_Key`, and tells its payload.
///
/// # Errors
///
/// [`ResultCode::BAD_FORMAT`] if it is none; [`ResultCode::NOT_SUPPORTED`] if it has parts that must be understood and are
/// not; otherwise as [`keys::verify`].
pub fn verify1<'a>(public_key: &[u8], signed: &'a [u8]) -> Result<&'a [u8], ResultCode> {
    let bad = |_| ResultCode::BAD_FORMAT;
    let (protected, payload, signature) = parts(signed).map_err(bad)?;
    let header = Header::read(protected).map_err(bad)?;
    if header.is_critical {
        return Err(ResultCode::NOT_SUPPORTED);
    }
    // The key says which algorithm; a message that says another one is not this key's.
    if header.algorithm != Some(algorithm_of(public_key)) {
        return Err(ResultCode::SIGNATURE_INVALID);
    }
    keys::verify(public_key, &to_be_signed(protected, payload), signature)?;
    Ok(payload)
}

type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn parts(signed: &[u8]) -> Result<Parts<'_>, Error> {
    let wrong = || Error::message("not a COSE_Sign1");
    let mut items = Decoder::new(signed);
    let mut tags = [CWT, SIGN1].into_iter();
    while items.datatype()? == Type::Tag {
        let tag = items.tag()?.as_u64();
        if !tags.any(|known| known == tag) {
            return Err(wrong());
        }
    }
    if items.array()? != Some(4) {
        return Err(wrong());
    }
    let protected = items.bytes()?;
    items.skip()?;
    let parts = (protected, items.bytes()?, items.bytes()?);
    match items.position() == signed.len() {
        true => Ok(parts),
        false => Err(wrong()),
    }
}

/// The protected header (RFC 9052 section 3), as far as it matters here.
#[derive(Default)]
struct Header {
    algorithm: Option<i32>,
    /// Whether some of its members must be understood.
    is_critical: bool,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut header = Self::default();
        if bytes.is_empty() {
            return Ok(header);
        }
        let mut items = Decoder::new(bytes);
        for _ in 0..items.map()?.unwrap_or_default() {
            match items.datatype()? {
                Type::U8 => match items.u8()? {
                    1 => header.algorithm = Some(items.i32()?),
                    2 => {
                        header.is_critical = true;
                        items.skip()?;
                    }
                    _ => items.skip()?,
                },
                _ => {
                    items.skip()?;
                    items.skip()?;
                }
            }
        }
        Ok(header)
    }
}

/// What a public key is for. Its encoding starts with its type: `{ 1 (kty): 1 (OKP), …` or `{ 1 (kty): 2 (EC2), …`.
fn algorithm_of(public_key: &[u8]) -> i32 {
    match public_key {
        [_, 1, 1, ..] => ALGORITHM_ED25519,
        _ => ALGORITHM_ESP256,
    }
}

/// The protected header for a key: `{ 1 (alg): … }`.
fn protected(public_key: &[u8]) -> Vec<u8> {
    write(|items| {
        let algorithm = algorithm_of(public_key);
        let _ = items.map(1).and_then(|items| items.u8(1)?.i32(algorithm));
    })
}

/// The `Sig_structure`: what is signed.
pub(crate) fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    write(|items| {
        let _ = items.array(4).and_then(|items| {
            items.str("Signature1")?.bytes(protected)?;
            items.bytes(&[])?.bytes(payload)
        });
    })
}

/// The whole message.
pub(crate) fn message(protected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    write(|items| {
        let _ = items.tag(Tag::new(SIGN1)).and_then(|items| {
            items.array(4)?.bytes(protected)?.map(0)?;
            items.bytes(payload)?.bytes(signature)
        });
    })
}

/// Writes into memory, where nothing fails.
fn write(build: impl FnOnce(&mut Encoder<Vec<u8>>)) -> Vec<u8> {
    let mut items = Encoder::new(Vec::new());
    build(&mut items);
    items.into_writer()
}
