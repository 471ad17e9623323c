//! The trustworthiness vector of AR4SI (draft-ietf-rats-ar4si).

use core::fmt;

/// How far a finding goes. The order is from good to bad, with nothing said behind good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrustTier {
    /// The Verifier affirms.
    Affirming,
    /// The Verifier says nothing.
    None,
    /// The Verifier warns.
    Warning,
    /// The Verifier advises against trust.
    Contraindicated,
}

impl TrustTier {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Affirming,
        Self::None,
        Self::Warning,
        Self::Contraindicated,
    ];

    /// The number in CBOR.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Affirming => 2,
            Self::Warning => 32,
            Self::Contraindicated => 96,
        }
    }

    /// The tier with this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.number() == number)
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Affirming => "affirming",
            Self::Warning => "warning",
            Self::Contraindicated => "contraindicated",
        }
    }

    /// The tier with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

impl fmt::Display for TrustTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a Verifier finds about one aspect of an attester: a number that AR4SI gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrustClaim(pub i8);

impl TrustClaim {
    /// Nothing is said.
    pub const NONE: Self = Self(0);
    /// Instance identity: recognised, and not known to be compromised.
    pub const TRUSTWORTHY_INSTANCE: Self = Self(2);
    /// Instance identity: not recognised.
    pub const UNRECOGNIZED_INSTANCE: Self = Self(97);
    /// Executables: what was started is recognised and approved.
    pub const APPROVED_BOOT: Self = Self(3);
    /// Executables: recognised, with known weaknesses, such as a version that is too old.
    pub const UNSAFE_RUNTIME: Self = Self(32);
    /// Executables: not recognised.
    pub const UNRECOGNIZED_RUNTIME: Self = Self(33);
    /// Executables: known to be bad.
    pub const CONTRAINDICATED_RUNTIME: Self = Self(96);
    /// Hardware: genuine.
    pub const GENUINE_HARDWARE: Self = Self(2);
    /// Hardware: not recognised.
    pub const UNRECOGNIZED_HARDWARE: Self = Self(97);
    /// Any aspect: a signature or a nonce does not hold.
    pub const CRYPTO_FAILED: Self = Self(99);

    /// The tier that the number is in.
    #[must_use]
    pub fn tier(self) -> TrustTier {
        match self.0 {
            -1..=1 => TrustTier::None,
            2..=31 | -32..=-2 => TrustTier::Affirming,
            32..=95 | -96..=-33 => TrustTier::Warning,
            96..=127 | -128..=-97 => TrustTier::Contraindicated,
        }
    }
}

/// What a Verifier finds about an attester, aspect by aspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrustVector {
    /// Whether this very attester is known.
    pub instance_identity: TrustClaim,
    /// How it is configured.
    pub configuration: TrustClaim,
    /// What it runs.
    pub executables: TrustClaim,
    /// What is in its file systems.
    pub file_system: TrustClaim,
    /// What it is made of.
    pub hardware: TrustClaim,
    /// How well its memory is protected.
    pub runtime_opaque: TrustClaim,
    /// How well its storage is protected.
    pub storage_opaque: TrustClaim,
    /// What data it relies on.
    pub sourced_data: TrustClaim,
}

impl TrustVector {
    /// The names of the aspects in JSON, in the order of their numbers in CBOR.
    pub const NAMES: [&'static str; 8] = [
        "instance-identity",
        "configuration",
        "executables",
        "file-system",
        "hardware",
        "runtime-opaque",
        "storage-opaque",
        "sourced-data",
    ];

    /// The findings, in the order of [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn claims(&self) -> [TrustClaim; 8] {
        [
            self.instance_identity,
            self.configuration,
            self.executables,
            self.file_system,
            self.hardware,
            self.runtime_opaque,
            self.storage_opaque,
            self.sourced_data,
        ]
    }

    /// The vector with these findings, in the order of [`NAMES`](Self::NAMES).
    #[must_use]
    pub fn from_claims(claims: [TrustClaim; 8]) -> Self {
        let [
            instance_identity,
            configuration,
            executables,
            file_system,
            hardware,
            runtime_opaque,
            storage_opaque,
            sourced_data,
        ] = claims;
        Self {
            instance_identity,
            configuration,
            executables,
            file_system,
            hardware,
            runtime_opaque,
            storage_opaque,
            sourced_data,
        }
    }

    /// The tier of the worst finding. Aspects about which nothing is said don't count, unless nothing is
    /// said about any.
    #[must_use]
    pub fn tier(&self) -> TrustTier {
        let tiers = self.claims().map(TrustClaim::tier);
        let said = tiers.into_iter().filter(|tier| *tier != TrustTier::None);
        said.max().unwrap_or(TrustTier::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_tiers_without_a_gap() {
        for number in i8::MIN..=i8::MAX {
            let tier = TrustClaim(number).tier();
            let expected = match i16::from(number) {
                -1..=1 => TrustTier::None,
                n if (2..32).contains(&n) || (-32..-1).contains(&n) => TrustTier::Affirming,
                n if (32..96).contains(&n) || (-96..-32).contains(&n) => TrustTier::Warning,
                _ => TrustTier::Contraindicated,
            };
            assert_eq!(tier, expected, "{number}");
        }
    }

    #[test]
    fn the_worst_finding_counts() {
        let mut vector = TrustVector::default();
        assert_eq!(vector.tier(), TrustTier::None);
        vector.hardware = TrustClaim::GENUINE_HARDWARE;
        assert_eq!(vector.tier(), TrustTier::Affirming);
        vector.executables = TrustClaim::UNSAFE_RUNTIME;
        assert_eq!(vector.tier(), TrustTier::Warning);
        vector.instance_identity = TrustClaim::UNRECOGNIZED_INSTANCE;
        assert_eq!(vector.tier(), TrustTier::Contraindicated);
        assert_eq!(TrustVector::from_claims(vector.claims()), vector);
    }

    #[test]
    fn tiers_have_names_and_numbers() {
        for tier in TrustTier::ALL {
            assert_eq!(TrustTier::from_number(tier.number()), Some(tier));
            assert_eq!(TrustTier::from_name(tier.name()), Some(tier));
        }
        assert_eq!(TrustTier::from_number(1), None);
    }
}
