use alloc::{boxed::Box, vec::Vec};

use aes::cipher::{InnerIvInit as _, StreamCipher as _, StreamCipherCoreWrapper};
use ctr::{CtrCore, flavors};

use super::{Aes, BLOCK, append};
use crate::{
    Error,
    encrypt::{Decryptor, Encryptor},
};

/// AES-CTR: the counter is the whole block, starts at the IV and grows by one a block.
pub(super) struct Counter(StreamCipherCoreWrapper<CtrCore<Aes, flavors::Ctr128BE>>);

impl Counter {
    pub(super) fn new(aes: Aes, iv: &[u8; BLOCK]) -> Self {
        let core = CtrCore::inner_iv_init(aes, iv.into());
        Self(StreamCipherCoreWrapper::from_core(core))
    }

    fn apply(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Error> {
        self.0
            .try_apply_keystream(append(input, output))
            .map_err(|_| Error::Crypto("the key stream is used up"))
    }
}

impl Decryptor for Counter {
    fn update(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        self.apply(ciphertext, plaintext)
    }

    fn finish(self: Box<Self>, _: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
}

impl Encryptor for Counter {
    fn update(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), Error> {
        self.apply(plaintext, ciphertext)
    }

    fn finish(self: Box<Self>, _: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
}
