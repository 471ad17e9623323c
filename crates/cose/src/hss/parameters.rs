use crate::DigestAlgorithm;

/// The hash of a parameter set, cut to a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HssHash {
    /// SHA-256: 32 bytes (RFC 8554).
    Sha256,
    /// SHA-256 cut to 24 bytes (RFC 9858).
    Sha256_192,
    /// SHAKE256 with 32 bytes (RFC 9858).
    Shake256,
    /// SHAKE256 with 24 bytes (RFC 9858).
    Shake256_192,
}

impl HssHash {
    /// In the order of the registries.
    const ALL: [Self; 4] = [
        Self::Sha256,
        Self::Sha256_192,
        Self::Shake256,
        Self::Shake256_192,
    ];

    pub(super) fn algorithm(self) -> DigestAlgorithm {
        match self {
            Self::Sha256 | Self::Sha256_192 => DigestAlgorithm::Sha256,
            Self::Shake256 | Self::Shake256_192 => DigestAlgorithm::Shake256,
        }
    }

    /// The length in bytes: `n` of LM-OTS and `m` of LMS.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Sha256 | Self::Shake256 => 32,
            Self::Sha256_192 | Self::Shake256_192 => 24,
        }
    }
}

/// A parameter set of LMS, by its number in the registry: a hash and a height.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lms(u8);

impl Lms {
    const FIRST: u8 = 5;

    pub(super) fn from_number(number: u32) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (Self::FIRST..=24).contains(&number).then_some(Self(number))
    }

    #[cfg(feature = "hss-signing")]
    pub(super) fn new(hash: HssHash, height: u8) -> Option<Self> {
        (Self::FIRST..=24)
            .map(Self)
            .find(|lms| (lms.hash(), lms.height()) == (hash, height))
    }

    pub(super) fn number(self) -> u32 {
        self.0.into()
    }

    fn place(self) -> u8 {
        self.0.saturating_sub(Self::FIRST)
    }

    pub(super) fn hash(self) -> HssHash {
        let family = HssHash::ALL.get(usize::from(self.place() / 5));
        family.copied().unwrap_or(HssHash::Sha256)
    }

    /// 5, 10, 15, 20 or 25.
    pub(super) fn height(self) -> u8 {
        5 * (self.place() % 5 + 1)
    }
}

/// A parameter set of LM-OTS, by its number in the registry: a hash and a width.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ots(u8);

impl Ots {
    pub(super) fn from_number(number: u32) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (1..=16).contains(&number).then_some(Self(number))
    }

    #[cfg(feature = "hss-signing")]
    pub(super) fn new(hash: HssHash, width: u8) -> Option<Self> {
        (1..=16)
            .map(Self)
            .find(|ots| (ots.hash(), ots.width()) == (hash, width))
    }

    pub(super) fn number(self) -> u32 {
        self.0.into()
    }

    pub(super) fn hash(self) -> HssHash {
        let family = HssHash::ALL.get(usize::from(self.0.saturating_sub(1) / 4));
        family.copied().unwrap_or(HssHash::Sha256)
    }

    /// How many bits a digit has: 1, 2, 4 or 8.
    pub(super) fn width(self) -> u8 {
        1 << (self.0.saturating_sub(1) % 4)
    }

    /// The greatest digit, which is how long a chain is.
    pub(super) fn greatest(self) -> u16 {
        (1 << self.width()) - 1
    }

    /// How many digits the hash has.
    pub(super) fn hash_digits(self) -> usize {
        self.hash().len() * 8 / usize::from(self.width())
    }

    /// How many digits the checksum has.
    pub(super) fn checksum_digits(self) -> usize {
        let largest = usize::from(self.greatest()) * self.hash_digits();
        let bits = usize::BITS - largest.leading_zeros();
        bits.div_ceil(self.width().into()) as usize
    }

    /// How many digits, and so chains, there are: `p`, at most 265.
    pub(super) fn digits(self) -> usize {
        self.hash_digits() + self.checksum_digits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The tables of RFC 8554 section 4.1 and RFC 9858 section 3: p, and the shift of the checksum.
    #[test]
    fn the_parameters_are_those_of_the_tables() {
        let tables = [
            [(265, 7), (133, 6), (67, 4), (34, 0)],
            [(200, 8), (101, 6), (51, 4), (26, 0)],
        ];
        for number in 1..=16 {
            let ots = Ots::from_number(number).unwrap();
            let table = tables[usize::from(ots.hash().len() == 24)];
            let (p, shift) = table[(number as usize - 1) % 4];
            assert_eq!(ots.digits(), p);
            let bits = ots.checksum_digits() * usize::from(ots.width());
            assert_eq!(16 - bits, shift);
        }
        let families: alloc::vec::Vec<_> = (5..=24)
            .map(|number| Lms::from_number(number).unwrap())
            .map(|lms| (lms.hash(), lms.height()))
            .collect();
        assert_eq!(families[0], (HssHash::Sha256, 5));
        assert_eq!(families[4], (HssHash::Sha256, 25));
        assert_eq!(families[5], (HssHash::Sha256_192, 5));
        assert_eq!(families[10], (HssHash::Shake256, 5));
        assert_eq!(families[19], (HssHash::Shake256_192, 25));
        for number in [0, 1, 4, 25, 256 + 5, u32::MAX] {
            assert!(Lms::from_number(number).is_none());
        }
        for number in [0, 17, 256 + 1, u32::MAX] {
            assert!(Ots::from_number(number).is_none());
        }
    }
}
