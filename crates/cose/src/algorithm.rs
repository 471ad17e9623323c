/// A signature algorithm that this workspace makes and verifies.
///
/// All are fully specified (RFC 9864): the curve and the hash are part of the name, or of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// ECDSA on P-256 with SHA-256; COSE algorithm -9.
    Esp256,
    /// Ed25519; COSE algorithm -19.
    Ed25519,
    /// HSS/LMS, which is made of hashes; COSE algorithm -46 (RFC 8778).
    HssLms,
}

impl SignatureAlgorithm {
    /// All of them, in order of preference.
    pub const ALL: [Self; 3] = [Self::Esp256, Self::Ed25519, Self::HssLms];

    /// The COSE algorithm identifiers that are understood: those that are sent, and the two that
    /// [`from_cose_id`](Self::from_cose_id) takes for the same.
    pub const COSE_IDS: [i64; 5] = [-9, -19, -46, -7, -8];

    /// Those whose private keys are 32 bytes that never change, in order of preference: the algorithms of a
    /// [`SecretKey`](crate::SecretKey).
    pub const STATELESS: [Self; 2] = [Self::Esp256, Self::Ed25519];

    /// The COSE algorithm identifier that is sent.
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::Esp256 => -9,
            Self::Ed25519 => -19,
            Self::HssLms => -46,
        }
    }

    /// The algorithm that a received identifier stands for.
    ///
    /// -7 (ES256) and -8 (`EdDSA`) count as the same algorithms, because deployed peers send them; that
    /// the key is on the right curve is the key's type, so nothing is loosened.
    #[must_use]
    pub fn from_cose_id(id: i64) -> Option<Self> {
        match id {
            -9 | -7 => Some(Self::Esp256),
            -19 | -8 => Some(Self::Ed25519),
            -46 => Some(Self::HssLms),
            _ => None,
        }
    }

    /// The name in the COSE and JOSE registries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Esp256 => "ESP256",
            Self::Ed25519 => "Ed25519",
            Self::HssLms => "HSS-LMS",
        }
    }
}

/// A MAC algorithm (RFC 9053 section 3.1), always with its tag at full length.
///
/// HMAC 256/64, which cuts the tag to 8 bytes, is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MacAlgorithm {
    /// HMAC with SHA-256; COSE algorithm 5; 32 bytes.
    Hmac256,
    /// HMAC with SHA-384; COSE algorithm 6; 48 bytes.
    Hmac384,
    /// HMAC with SHA-512; COSE algorithm 7; 64 bytes.
    Hmac512,
}

impl MacAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hmac256, Self::Hmac384, Self::Hmac512];

    /// The COSE algorithm identifier.
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::Hmac256 => 5,
            Self::Hmac384 => 6,
            Self::Hmac512 => 7,
        }
    }

    /// The algorithm with a COSE identifier.
    #[must_use]
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.cose_id() == id)
    }

    /// The name in the COSE registry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hmac256 => "HMAC 256/256",
            Self::Hmac384 => "HMAC 384/384",
            Self::Hmac512 => "HMAC 512/512",
        }
    }

    /// Length of the tag, and the least length of a key, in bytes.
    #[must_use]
    pub fn tag_len(self) -> usize {
        match self {
            Self::Hmac256 => 32,
            Self::Hmac384 => 48,
            Self::Hmac512 => 64,
        }
    }
}

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// SHA-256; COSE algorithm -16; 32 bytes.
    Sha256,
    /// SHA-512/256; COSE algorithm -17; 32 bytes.
    Sha512_256,
    /// SHAKE128; COSE algorithm -18; 32 bytes.
    Shake128,
    /// SHA-384; COSE algorithm -43; 48 bytes.
    Sha384,
    /// SHA-512; COSE algorithm -44; 64 bytes.
    Sha512,
    /// SHAKE256; COSE algorithm -45; 64 bytes.
    Shake256,
}

impl DigestAlgorithm {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Sha256,
        Self::Sha512_256,
        Self::Shake128,
        Self::Sha384,
        Self::Sha512,
        Self::Shake256,
    ];

    /// The COSE algorithm identifier (RFC 9054).
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::Sha256 => -16,
            Self::Sha512_256 => -17,
            Self::Shake128 => -18,
            Self::Sha384 => -43,
            Self::Sha512 => -44,
            Self::Shake256 => -45,
        }
    }

    /// The algorithm with a COSE identifier.
    #[must_use]
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.cose_id() == id)
    }

    /// Length of the digest in bytes.
    #[must_use]
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 | Self::Sha512_256 | Self::Shake128 => 32,
            Self::Sha384 => 48,
            Self::Sha512 | Self::Shake256 => 64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifiers_that_are_understood_are_listed() {
        for id in -100..100 {
            let is_listed = SignatureAlgorithm::COSE_IDS.contains(&id);
            let is_known = SignatureAlgorithm::from_cose_id(id).is_some();
            assert_eq!(is_listed, is_known, "{id}");
        }
    }
}
