use alloc::{boxed::Box, vec::Vec};

use aes::cipher::{Block, BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _, ConstantTimeGreater as _};
use zeroize::Zeroizing;

use super::{Aes, BLOCK, append};
use crate::{
    Error,
    encrypt::{Decryptor, Encryptor},
};

/// AES-CBC with PKCS #7 padding, in the direction of the sender.
pub(super) struct CbcEncryption {
    mode: cbc::Encryptor<Aes>,
    /// Less than a block of plaintext.
    held: Zeroizing<Vec<u8>>,
}

impl CbcEncryption {
    pub(super) fn new(aes: Aes, iv: &[u8; BLOCK]) -> Self {
        Self {
            mode: cbc::Encryptor::inner_iv_init(aes, iv.into()),
            held: Zeroizing::new(Vec::with_capacity(BLOCK)),
        }
    }

    fn encrypt_blocks(&mut self, bytes: &mut [u8]) {
        let (blocks, _) = Block::<Aes>::slice_as_chunks_mut(bytes);
        self.mode.encrypt_blocks(blocks);
    }
}

impl Encryptor for CbcEncryption {
    fn update(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), Error> {
        let (now, later) = split(
            self.held.len(),
            plaintext,
            (self.held.len() + plaintext.len()) % BLOCK,
        );
        let start = ciphertext.len();
        if !now.is_empty() {
            ciphertext.extend_from_slice(&self.held);
            self.held.clear();
            append(now, ciphertext);
        }
        self.held.extend_from_slice(later);
        self.encrypt_blocks(ciphertext.get_mut(start..).unwrap_or_default());
        Ok(())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "padding is at most a block long"
    )]
    fn finish(mut self: Box<Self>, ciphertext: &mut Vec<u8>) -> Result<(), Error> {
        let padding = BLOCK - self.held.len() % BLOCK;
        let start = ciphertext.len();
        ciphertext.extend_from_slice(&self.held);
        ciphertext.extend(core::iter::repeat_n(padding as u8, padding));
        self.encrypt_blocks(ciphertext.get_mut(start..).unwrap_or_default());
        Ok(())
    }
}

/// AES-CBC with PKCS #7 padding, in the direction of the receiver.
pub(super) struct CbcDecryption {
    mode: cbc::Decryptor<Aes>,
    /// Up to a block of ciphertext: the last full block is held back, since it may hold the padding.
    held: Vec<u8>,
}

impl CbcDecryption {
    pub(super) fn new(aes: Aes, iv: &[u8; BLOCK]) -> Self {
        Self {
            mode: cbc::Decryptor::inner_iv_init(aes, iv.into()),
            held: Vec::with_capacity(BLOCK),
        }
    }

    fn decrypt_blocks(&mut self, bytes: &mut [u8]) {
        let (blocks, _) = Block::<Aes>::slice_as_chunks_mut(bytes);
        self.mode.decrypt_blocks(blocks);
    }
}

impl Decryptor for CbcDecryption {
    fn update(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        let all = self.held.len() + ciphertext.len();
        let keep = match all % BLOCK {
            0 => all.min(BLOCK),
            rest => rest,
        };
        let (now, later) = split(self.held.len(), ciphertext, keep);
        let start = plaintext.len();
        if all > keep {
            plaintext.extend_from_slice(&self.held);
            self.held.clear();
            append(now, plaintext);
        }
        self.held.extend_from_slice(later);
        self.decrypt_blocks(plaintext.get_mut(start..).unwrap_or_default());
        Ok(())
    }

    fn finish(mut self: Box<Self>, plaintext: &mut Vec<u8>) -> Result<(), Error> {
        let mut last = Zeroizing::new(core::mem::take(&mut self.held));
        if last.len() != BLOCK {
            return Err(Error::BadCiphertext);
        }
        self.decrypt_blocks(&mut last);
        let content = unpadded(&last).ok_or(Error::BadCiphertext)?;
        plaintext.extend_from_slice(content);
        Ok(())
    }
}

/// Splits `input` so that the second part and what is held before it leave `keep` bytes.
///
/// Either nothing of `input` is ready, or all that is held becomes ready with it.
fn split(held: usize, input: &[u8], keep: usize) -> (&[u8], &[u8]) {
    if held + input.len() == keep {
        return (&[], input);
    }
    input
        .split_at_checked(input.len().saturating_sub(keep))
        .unwrap_or((&[], input))
}

/// The content of a padded block. Looks at every byte, whatever it finds.
fn unpadded(block: &[u8]) -> Option<&[u8]> {
    let padding = *block.last()?;
    let mut good = padding.ct_gt(&0) & !padding.ct_gt(&16);
    for (behind, byte) in (1_u8..).zip(block.iter().rev()) {
        let counts = !behind.ct_gt(&padding);
        let expected = u8::conditional_select(byte, &padding, counts);
        good &= byte.ct_eq(&expected);
    }
    bool::from(good)
        .then(|| block.len().checked_sub(padding.into()))
        .flatten()
        .and_then(|content| block.get(..content))
}
