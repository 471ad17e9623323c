use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

/// A secret that both sides hold: for MACs, for wrapping content keys, or a content key itself.
///
/// Zeroed when dropped, compared nowhere, and without its bytes in `Debug`.
#[derive(Clone)]
pub struct SymmetricKey(Zeroizing<Vec<u8>>);

impl SymmetricKey {
    /// A key of these bytes. What length is right, the algorithm that uses the key says.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The secret bytes: hand them to a primitive of the [`CryptoProvider`](crate::CryptoProvider) and
    /// nowhere else.
    #[must_use]
    pub fn secret_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SymmetricKey({} bits)", self.0.len() * 8)
    }
}
