//! Memory for content, which may be secret.

use alloc::vec::Vec;

use zeroize::optimization_barrier;

/// Bytes of content. They are zeroed before they are let go of: at once, where what `zeroize` has for lists of bytes
/// writes them one by one, which takes longer than decrypting them.
#[derive(Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    /// The bytes. A list that grows leaves what it holds behind: there must be room for it before.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Removes the bytes, and zeroes all memory that they may have been in. It stays.
    pub(super) fn clear(&mut self) {
        self.0.clear();
        self.0.resize(self.0.capacity(), 0);
        optimization_barrier(self.0.as_slice());
        self.0.clear();
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.clear();
    }
}
