//! The ciphers of both providers, from the crates of the RustCrypto project.
//!
//! Each cipher is one state that works over the whole family of AES key lengths, so that three key lengths
//! do not cost three copies of the code.

mod aead;
mod aes;
mod cbc;
mod ctr;

use alloc::{boxed::Box, vec, vec::Vec};

use aes_kw::{AesKw, InnerInit as _};
use zeroize::Zeroizing;

use self::{
    aead::{Aead, Opening, Sealing},
    aes::Aes,
    cbc::{CbcDecryption, CbcEncryption},
    ctr::Counter,
};
use crate::{
    Error, SymmetricKey,
    encrypt::{Ciphers, ContentAlgorithm, Decryptor, Encryptor, KeyWrap},
};

/// What AES and ChaCha20 take in at once: an AES block, and the tag of both authenticated ciphers.
const BLOCK: usize = 16;

pub(crate) struct SharedCiphers;

impl Ciphers for SharedCiphers {
    fn decryptor(
        &self,
        algorithm: ContentAlgorithm,
        key: &SymmetricKey,
        iv: &[u8],
        associated: &[u8],
    ) -> Result<Box<dyn Decryptor>, Error> {
        check(algorithm, key, iv, associated)?;
        let key = key.secret_bytes();
        Ok(match algorithm {
            ContentAlgorithm::A128Ctr | ContentAlgorithm::A192Ctr | ContentAlgorithm::A256Ctr => {
                Box::new(Counter::new(Aes::new(key)?, &block(iv)?))
            }
            ContentAlgorithm::A128Cbc | ContentAlgorithm::A192Cbc | ContentAlgorithm::A256Cbc => {
                Box::new(CbcDecryption::new(Aes::new(key)?, &block(iv)?))
            }
            ContentAlgorithm::A128Gcm | ContentAlgorithm::A192Gcm | ContentAlgorithm::A256Gcm => {
                Box::new(Opening::new(Aead::gcm(key, iv, associated)?))
            }
            ContentAlgorithm::ChaCha20Poly1305 => {
                Box::new(Opening::new(Aead::chacha(key, iv, associated)?))
            }
        })
    }

    fn encryptor(
        &self,
        algorithm: ContentAlgorithm,
        key: &SymmetricKey,
        iv: &[u8],
        associated: &[u8],
    ) -> Result<Box<dyn Encryptor>, Error> {
        check(algorithm, key, iv, associated)?;
        let key = key.secret_bytes();
        Ok(match algorithm {
            ContentAlgorithm::A128Ctr | ContentAlgorithm::A192Ctr | ContentAlgorithm::A256Ctr => {
                Box::new(Counter::new(Aes::new(key)?, &block(iv)?))
            }
            ContentAlgorithm::A128Cbc | ContentAlgorithm::A192Cbc | ContentAlgorithm::A256Cbc => {
                Box::new(CbcEncryption::new(Aes::new(key)?, &block(iv)?))
            }
            ContentAlgorithm::A128Gcm | ContentAlgorithm::A192Gcm | ContentAlgorithm::A256Gcm => {
                Box::new(Sealing::new(Aead::gcm(key, iv, associated)?))
            }
            ContentAlgorithm::ChaCha20Poly1305 => {
                Box::new(Sealing::new(Aead::chacha(key, iv, associated)?))
            }
        })
    }

    fn wrap(
        &self,
        algorithm: KeyWrap,
        kek: &SymmetricKey,
        key: &SymmetricKey,
    ) -> Result<Vec<u8>, Error> {
        let kek = key_wrap(algorithm, kek)?;
        let key = key.secret_bytes();
        if !WRAPPED_KEY_LENGTHS.contains(&key.len()) {
            return Err(Error::Crypto("AES-KW wraps keys of 16 to 64 bytes"));
        }
        let mut wrapped = vec![0; key.len() + 8];
        kek.wrap_key(key, &mut wrapped)
            .map_err(|_| Error::Crypto("AES-KW wraps multiples of 8 bytes"))?;
        Ok(wrapped)
    }

    fn unwrap(
        &self,
        algorithm: KeyWrap,
        kek: &SymmetricKey,
        wrapped: &[u8],
    ) -> Result<SymmetricKey, Error> {
        let kek = key_wrap(algorithm, kek)?;
        let length = wrapped.len().checked_sub(8).ok_or(Error::BadCiphertext)?;
        if !WRAPPED_KEY_LENGTHS.contains(&length) {
            return Err(Error::BadCiphertext);
        }
        let mut key = Zeroizing::new(vec![0; length]);
        kek.unwrap_key(wrapped, &mut key)
            .map_err(|_| Error::BadCiphertext)?;
        Ok(SymmetricKey::new(&key[..]))
    }
}

/// Keys of algorithms, in bytes; what is longer is no key.
const WRAPPED_KEY_LENGTHS: core::ops::RangeInclusive<usize> = 16..=64;

fn key_wrap(algorithm: KeyWrap, kek: &SymmetricKey) -> Result<AesKw<Aes>, Error> {
    let kek = kek.secret_bytes();
    if kek.len() != algorithm.key_len() {
        return Err(Error::Crypto("the key-encryption key has another length"));
    }
    Ok(AesKw::inner_init(Aes::new(kek)?))
}

/// Refuses what would make the algorithm another one.
fn check(
    algorithm: ContentAlgorithm,
    key: &SymmetricKey,
    iv: &[u8],
    associated: &[u8],
) -> Result<(), Error> {
    if key.secret_bytes().len() != algorithm.key_len() {
        return Err(Error::Crypto("the content key has another length"));
    }
    if iv.len() != algorithm.iv_len() {
        return Err(Error::Crypto("the IV has another length"));
    }
    if !associated.is_empty() && !algorithm.is_authenticated() {
        return Err(Error::Crypto("the cipher takes no additional data"));
    }
    Ok(())
}

fn block(iv: &[u8]) -> Result<[u8; BLOCK], Error> {
    iv.try_into()
        .map_err(|_| Error::Crypto("the IV has another length"))
}

/// Appends `input` to `output` and hands out the copy, to be transformed in place.
fn append<'o>(input: &[u8], output: &'o mut Vec<u8>) -> &'o mut [u8] {
    let start = output.len();
    output.extend_from_slice(input);
    output.get_mut(start..).unwrap_or_default()
}
