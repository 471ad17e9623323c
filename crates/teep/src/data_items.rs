use core::ops::BitOr;

/// The data-item-requested bitmap of a QueryRequest (sections 4.2 and 14.3).
///
/// Unknown bits survive, so that an agent can say that it does not know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataItems(pub u64);

impl DataItems {
    /// Bit 0: Evidence or an Attestation Result.
    pub const ATTESTATION: Self = Self(1);
    /// Bit 1: the list of installed Trusted Components.
    pub const TRUSTED_COMPONENTS: Self = Self(2);
    /// Bit 2: the list of supported extensions.
    pub const EXTENSIONS: Self = Self(4);
    /// Bit 3: SUIT reports of boot.
    pub const SUIT_REPORTS: Self = Self(8);

    /// Whether every bit of `items` is set.
    #[must_use]
    pub fn contains(self, items: Self) -> bool {
        self.0 & items.0 == items.0
    }

    /// The bitmap with the bits of `items` cleared.
    #[must_use]
    pub fn without(self, items: Self) -> Self {
        Self(self.0 & !items.0)
    }

    /// The bits that no registry entry explains.
    #[must_use]
    pub fn unknown(self) -> u64 {
        self.0 & !0xf
    }
}

impl BitOr for DataItems {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
