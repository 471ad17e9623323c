use core::fmt;

use base16ct::HexDisplay;
use subtle::ConstantTimeEq;
use tamarack_cose::{
    CryptoProvider, DigestAlgorithm, DigestValue,
    cbor::{DecodeError, Problem, Reader, Writer},
};

use crate::Error;

/// An algorithm and a digest (`SUIT_Digest`).
///
/// Any COSE algorithm number is carried; one that is known has its length checked when it is decoded.
/// Shown as `sha256:…` in hexadecimal.
// req: SUIT-FMT-010
#[derive(Clone, Copy)]
pub struct SuitDigest {
    algorithm: i64,
    bytes: [u8; 64],
    len: usize,
}

impl SuitDigest {
    /// A digest of `algorithm`.
    ///
    /// `None` if `bytes` does not have the algorithm's length.
    #[must_use]
    pub fn new(algorithm: DigestAlgorithm, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == algorithm.digest_len()).then(|| Self::copied(algorithm.cose_id(), bytes))
    }

    /// The digest that [`read`](Self::read) would read: by an algorithm that is perhaps not implemented, so that all
    /// there is to do is to compare it.
    ///
    /// `None` if `bytes` is empty, longer than 64 bytes, or not as long as the digests of a known algorithm.
    #[must_use]
    pub fn of_any(algorithm: i64, bytes: &[u8]) -> Option<Self> {
        let fits = match DigestAlgorithm::from_cose_id(algorithm) {
            Some(known) => known.digest_len() == bytes.len(),
            None => (1..=64).contains(&bytes.len()),
        };
        fits.then(|| Self::copied(algorithm, bytes))
    }

    fn copied(algorithm: i64, from: &[u8]) -> Self {
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = *from;
        }
        Self {
            algorithm,
            bytes,
            len: from.len().min(64),
        }
    }

    /// The SHA-256 digest of `data`.
    #[must_use]
    pub fn sha256(crypto: &CryptoProvider, data: &[u8]) -> Self {
        Self::copied(DigestAlgorithm::Sha256.cose_id(), &crypto.sha256(data))
    }

    /// The digest of `data` by an algorithm.
    #[must_use]
    pub fn of(crypto: &CryptoProvider, algorithm: DigestAlgorithm, data: &[u8]) -> Self {
        let mut context = crypto.digests.start(algorithm);
        context.update(data);
        Self::finished(algorithm, context.finish())
    }

    pub(crate) fn finished(algorithm: DigestAlgorithm, value: DigestValue) -> Self {
        Self::copied(algorithm.cose_id(), value.as_ref())
    }

    /// The COSE algorithm number, -16 for SHA-256.
    #[must_use]
    pub fn algorithm_id(&self) -> i64 {
        self.algorithm
    }

    /// The algorithm.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmUnsupported`] if it is not implemented.
    // req: SUIT-FMT-011, SUIT-FMT-012
    pub fn algorithm(&self) -> Result<DigestAlgorithm, Error> {
        DigestAlgorithm::from_cose_id(self.algorithm)
            .ok_or(Error::AlgorithmUnsupported(self.algorithm))
    }

    /// The digest itself, 64 bytes at most.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Whether this is the digest of `data`.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmUnsupported`].
    pub fn matches(&self, crypto: &CryptoProvider, data: &[u8]) -> Result<bool, Error> {
        Ok(*self == Self::of(crypto, self.algorithm()?, data))
    }

    /// Reads a `SUIT_Digest` array, not wrapped in a byte string.
    ///
    /// # Errors
    ///
    /// If the next item is none, or its length is not the algorithm's.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Digest";
        let start = reader.clone();
        reader.array_of(2, "an array of algorithm and digest", RULE)?;
        let algorithm = reader.int("SUIT_Digest / algorithm")?;
        let bytes = reader.sized_bytes(1..=64, "1 to 64 bytes", "SUIT_Digest / bytes")?;
        let wrong = || start.error(RULE, Problem::OutOfBounds("the algorithm's digest length"));
        Self::of_any(algorithm, bytes).ok_or_else(wrong)
    }

    /// Writes the `SUIT_Digest` array.
    pub fn write(&self, w: &mut Writer) {
        w.array(2).int(self.algorithm).bytes(self.bytes());
    }

    pub(crate) fn encode(&self) -> alloc::vec::Vec<u8> {
        Writer::build(|w| self.write(w))
    }
}

impl PartialEq for SuitDigest {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        // Of all bytes: behind the digest there are zeros.
        let pairs = self.bytes.iter().zip(&other.bytes);
        let difference = pairs.fold(0, |difference, (one, other)| difference | (one ^ other));
        (self.algorithm, self.len) == (other.algorithm, other.len) && difference.ct_eq(&0).into()
    }
}

impl Eq for SuitDigest {}

impl fmt::Display for SuitDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.algorithm {
            -16 => f.write_str("sha256:")?,
            -17 => f.write_str("sha512/256:")?,
            -18 => f.write_str("shake128:")?,
            -43 => f.write_str("sha384:")?,
            -44 => f.write_str("sha512:")?,
            -45 => f.write_str("shake256:")?,
            other => write!(f, "alg{other}:")?,
        }
        write!(f, "{:x}", HexDisplay(self.bytes()))
    }
}

impl fmt::Debug for SuitDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SuitDigest({self})")
    }
}
