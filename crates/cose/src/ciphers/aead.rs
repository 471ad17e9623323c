use alloc::{boxed::Box, vec::Vec};

use aes::cipher::{
    Array, BlockCipherEncrypt as _, InnerIvInit as _, KeyInit as _, KeyIvInit as _,
    StreamCipher as _, StreamCipherCoreWrapper, consts::U16,
};
use chacha20::ChaCha20;
use ctr::{CtrCore, flavors};
use ghash::{GHash, universal_hash::UniversalHash as _};
use poly1305::Poly1305;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Aes, BLOCK, append};
use crate::{
    Error,
    encrypt::{Decryptor, Encryptor},
};

/// What AES-GCM (NIST SP 800-38D) and ChaCha20/Poly1305 (RFC 8439) have in common: a key stream for the
/// plaintext, and a hash over additional data, ciphertext and both lengths.
pub(super) struct Aead {
    stream: KeyStream,
    hash: Hash,
    /// What is added to the hash: for AES-GCM the first block of the key stream.
    mask: Zeroizing<[u8; BLOCK]>,
    associated: u64,
    content: u64,
}

/// Longest content in bytes: what AES-GCM allows; ChaCha20/Poly1305 allows four times as much.
const MAX_CONTENT: u64 = (1 << 36) - 32;

impl Aead {
    pub(super) fn gcm(key: &[u8], iv: &[u8], associated: &[u8]) -> Result<Self, Error> {
        let aes = Aes::new(key)?;
        let mut subkey = ghash::Key::default();
        aes.encrypt_block(&mut subkey);
        let hash = Hash::new(Universal::Ghash(GHash::new(&subkey)));
        subkey.as_mut_slice().zeroize();
        let mut counter = [0; BLOCK];
        for (to, from) in counter.iter_mut().zip(iv.iter().chain(&[0, 0, 0, 1])) {
            *to = *from;
        }
        let core = CtrCore::inner_iv_init(aes, &counter.into());
        let mut stream = KeyStream::Counter(Box::new(StreamCipherCoreWrapper::from_core(core)));
        let mut mask = Zeroizing::new([0; BLOCK]);
        stream.apply(&mut *mask)?;
        Ok(Self::start(stream, hash, mask, associated))
    }

    pub(super) fn chacha(key: &[u8], iv: &[u8], associated: &[u8]) -> Result<Self, Error> {
        let cipher = ChaCha20::new_from_slices(key, iv)
            .map_err(|_| Error::Misuse("the IV has another length"))?;
        let mut stream = KeyStream::ChaCha(Box::new(cipher));
        // The first block of 64 bytes is the key of the hash; half of it is not used.
        let mut first = Zeroizing::new([0; 64]);
        stream.apply(&mut *first)?;
        let (key, _) = first.split_at(32);
        let hash = Poly1305::new_from_slice(key).map_err(|_| Error::Crypto("Poly1305 failed"))?;
        let hash = Hash::new(Universal::Poly(Box::new(hash)));
        Ok(Self::start(stream, hash, Zeroizing::default(), associated))
    }

    fn start(
        stream: KeyStream,
        mut hash: Hash,
        mask: Zeroizing<[u8; BLOCK]>,
        associated: &[u8],
    ) -> Self {
        hash.update(associated);
        hash.pad();
        Self {
            stream,
            hash,
            mask,
            associated: associated.len() as u64,
            content: 0,
        }
    }

    /// Counts content in.
    fn count(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.content = self.content.saturating_add(bytes.len() as u64);
        match self.content > MAX_CONTENT {
            true => Err(Error::Misuse("longer than the algorithm allows")),
            false => Ok(()),
        }
    }

    fn tag(mut self) -> Zeroizing<[u8; BLOCK]> {
        self.hash.pad();
        let lengths = match self.hash.state {
            Universal::Ghash(_) => [
                (self.associated * 8).to_be_bytes(),
                (self.content * 8).to_be_bytes(),
            ],
            Universal::Poly(_) => [self.associated.to_le_bytes(), self.content.to_le_bytes()],
        };
        self.hash.update(lengths.as_flattened());
        let mut tag = self.hash.finish();
        for (byte, mask) in tag.iter_mut().zip(&*self.mask) {
            *byte ^= *mask;
        }
        tag
    }
}

pub(super) struct Sealing(Aead);

impl Sealing {
    pub(super) fn new(aead: Aead) -> Self {
        Self(aead)
    }
}

impl Encryptor for Sealing {
    fn update(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), Error> {
        self.0.count(plaintext)?;
        let fresh = append(plaintext, ciphertext);
        self.0.stream.apply(fresh)?;
        self.0.hash.update(fresh);
        Ok(())
    }

    fn finish(self: Box<Self>, ciphertext: &mut Vec<u8>) -> Result<(), Error> {
        ciphertext.extend_from_slice(&*self.0.tag());
        Ok(())
    }
}

pub(super) struct Opening {
    aead: Aead,
    /// The last bytes that came in, which may be the tag.
    held: Vec<u8>,
}

impl Opening {
    pub(super) fn new(aead: Aead) -> Self {
        Self {
            aead,
            held: Vec::with_capacity(BLOCK),
        }
    }

    fn open(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        self.aead
            .count(ciphertext)
            .map_err(|_| Error::BadCiphertext)?;
        self.aead.hash.update(ciphertext);
        self.aead.stream.apply(append(ciphertext, plaintext))
    }
}

impl Decryptor for Opening {
    fn update(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        let ready = (self.held.len() + ciphertext.len()).saturating_sub(BLOCK);
        let of_held = ready.min(self.held.len());
        let (now, later) = ciphertext
            .split_at_checked(ready - of_held)
            .unwrap_or((&[], ciphertext));
        // Room for all of it now: a buffer that grows in between leaves plaintext behind.
        plaintext.reserve(ready);
        let mut held = core::mem::take(&mut self.held);
        self.open(held.get(..of_held).unwrap_or_default(), plaintext)?;
        self.open(now, plaintext)?;
        held.drain(..of_held);
        held.extend_from_slice(later);
        self.held = held;
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut Vec<u8>) -> Result<(), Error> {
        let Self { aead, held } = *self;
        // Slices of different lengths are not equal, and a shorter one was cut off.
        match aead.tag().as_slice().ct_eq(&held).into() {
            true => Ok(()),
            false => Err(Error::BadCiphertext),
        }
    }
}

enum KeyStream {
    Counter(Box<StreamCipherCoreWrapper<CtrCore<Aes, flavors::Ctr32BE>>>),
    ChaCha(Box<ChaCha20>),
}

impl KeyStream {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Counter(stream) => stream.try_apply_keystream(bytes),
            Self::ChaCha(stream) => stream.try_apply_keystream(bytes),
        }
        .map_err(|_| Error::Crypto("the key stream is used up"))
    }
}

enum Universal {
    Ghash(GHash),
    Poly(Box<Poly1305>),
}

/// A universal hash over a stream: what does not fill a block waits.
struct Hash {
    state: Universal,
    partial: [u8; BLOCK],
    filled: usize,
}

impl Hash {
    fn new(state: Universal) -> Self {
        Self {
            state,
            partial: [0; BLOCK],
            filled: 0,
        }
    }

    fn blocks(&mut self, blocks: &[Array<u8, U16>]) {
        match &mut self.state {
            Universal::Ghash(state) => state.update(blocks),
            Universal::Poly(state) => state.update(blocks),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        let missing = (BLOCK - self.filled) % BLOCK;
        let (first, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        self.fill(first);
        let (blocks, rest) = Array::slice_as_chunks(rest);
        if !blocks.is_empty() {
            self.blocks(blocks);
        }
        self.fill(rest);
    }

    /// Takes in at most what completes the block.
    fn fill(&mut self, bytes: &[u8]) {
        for (to, from) in self.partial.iter_mut().skip(self.filled).zip(bytes) {
            *to = *from;
        }
        self.filled += bytes.len();
        if self.filled == BLOCK {
            self.pad();
        }
    }

    /// Ends the block that waits with zeros.
    fn pad(&mut self) {
        if self.filled > 0 {
            let block = core::mem::take(&mut self.partial);
            self.filled = 0;
            self.blocks(&[block.into()]);
        }
    }

    fn finish(self) -> Zeroizing<[u8; BLOCK]> {
        Zeroizing::new(match self.state {
            Universal::Ghash(state) => state.finalize().into(),
            Universal::Poly(state) => state.finalize().into(),
        })
    }
}
