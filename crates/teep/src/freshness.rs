/// A freshness mechanism (section 9 and 14.7). Unknown ones survive decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FreshnessMechanism(pub u64);

impl FreshnessMechanism {
    /// The attestation payload repeats a nonce.
    pub const NONCE: Self = Self(0);
    /// The attestation payload carries a timestamp.
    pub const TIMESTAMP: Self = Self(1);
}
