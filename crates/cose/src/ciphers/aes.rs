use aes::{
    Aes128, Aes192, Aes256,
    cipher::{
        BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncClosure, BlockCipherEncrypt,
        BlockSizeUser, KeyInit as _, consts::U16,
    },
};

use crate::Error;

/// AES under a key of any of its lengths.
pub(super) enum Aes {
    A128(Aes128),
    A192(Aes192),
    A256(Aes256),
}

impl Aes {
    pub(super) fn new(key: &[u8]) -> Result<Self, Error> {
        let another = |_| Error::Misuse("no length of an AES key");
        Ok(match key.len() {
            16 => Self::A128(Aes128::new_from_slice(key).map_err(another)?),
            24 => Self::A192(Aes192::new_from_slice(key).map_err(another)?),
            _ => Self::A256(Aes256::new_from_slice(key).map_err(another)?),
        })
    }
}

impl BlockSizeUser for Aes {
    type BlockSize = U16;
}

impl BlockCipherEncrypt for Aes {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        match self {
            Self::A128(aes) => aes.encrypt_with_backend(f),
            Self::A192(aes) => aes.encrypt_with_backend(f),
            Self::A256(aes) => aes.encrypt_with_backend(f),
        }
    }
}

impl BlockCipherDecrypt for Aes {
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        match self {
            Self::A128(aes) => aes.decrypt_with_backend(f),
            Self::A192(aes) => aes.decrypt_with_backend(f),
            Self::A256(aes) => aes.decrypt_with_backend(f),
        }
    }
}
