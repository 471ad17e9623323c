/// A signature algorithm that this workspace makes and verifies.
///
/// Both are fully specified (RFC 9864): the curve and the hash are part of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// ECDSA on P-256 with SHA-256; COSE algorithm -9.
    Esp256,
    /// Ed25519; COSE algorithm -19.
    Ed25519,
}

impl SignatureAlgorithm {
    /// All of them, in order of preference.
    pub const ALL: [Self; 2] = [Self::Esp256, Self::Ed25519];

    /// The COSE algorithm identifier that is sent.
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::Esp256 => -9,
            Self::Ed25519 => -19,
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
            _ => None,
        }
    }

    /// The name in the COSE and JOSE registries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Esp256 => "ESP256",
            Self::Ed25519 => "Ed25519",
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
    /// SHA-384; COSE algorithm -43; 48 bytes.
    Sha384,
    /// SHA-512; COSE algorithm -44; 64 bytes.
    Sha512,
}

impl DigestAlgorithm {
    /// The COSE algorithm identifier (RFC 9054).
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::Sha256 => -16,
            Self::Sha384 => -43,
            Self::Sha512 => -44,
        }
    }

    /// The algorithm with a COSE identifier.
    #[must_use]
    pub fn from_cose_id(id: i64) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|a| a.cose_id() == id)
    }

    /// Length of the digest in bytes.
    #[must_use]
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}
