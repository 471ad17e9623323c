use super::Curve;

/// An algorithm that encrypts content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ContentAlgorithm {
    /// AES-CTR, 128-bit key; COSE algorithm -65534 (RFC 9459). No integrity of its own.
    A128Ctr,
    /// AES-CTR, 192-bit key; COSE algorithm -65533. No integrity of its own.
    A192Ctr,
    /// AES-CTR, 256-bit key; COSE algorithm -65532. No integrity of its own.
    A256Ctr,
    /// AES-CBC with PKCS #7 padding, 128-bit key; COSE algorithm -65531. No integrity of its own.
    A128Cbc,
    /// AES-CBC with PKCS #7 padding, 192-bit key; COSE algorithm -65530. No integrity of its own.
    A192Cbc,
    /// AES-CBC with PKCS #7 padding, 256-bit key; COSE algorithm -65529. No integrity of its own.
    A256Cbc,
    /// AES-GCM, 128-bit key, 128-bit tag; COSE algorithm 1.
    A128Gcm,
    /// AES-GCM, 192-bit key, 128-bit tag; COSE algorithm 2.
    A192Gcm,
    /// AES-GCM, 256-bit key, 128-bit tag; COSE algorithm 3.
    A256Gcm,
    /// ChaCha20 with Poly1305, 256-bit key, 128-bit tag; COSE algorithm 24.
    ChaCha20Poly1305,
}

impl ContentAlgorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::A128Gcm,
        Self::A192Gcm,
        Self::A256Gcm,
        Self::ChaCha20Poly1305,
        Self::A128Ctr,
        Self::A192Ctr,
        Self::A256Ctr,
        Self::A128Cbc,
        Self::A192Cbc,
        Self::A256Cbc,
    ];

    /// The COSE algorithm identifier (RFC 9053 section 4, RFC 9459).
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::A128Ctr => -65534,
            Self::A192Ctr => -65533,
            Self::A256Ctr => -65532,
            Self::A128Cbc => -65531,
            Self::A192Cbc => -65530,
            Self::A256Cbc => -65529,
            Self::A128Gcm => 1,
            Self::A192Gcm => 2,
            Self::A256Gcm => 3,
            Self::ChaCha20Poly1305 => 24,
        }
    }

    /// The algorithm with a COSE identifier.
    #[must_use]
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.cose_id() == id)
    }

    /// The name in the COSE registry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A128Ctr => "A128CTR",
            Self::A192Ctr => "A192CTR",
            Self::A256Ctr => "A256CTR",
            Self::A128Cbc => "A128CBC",
            Self::A192Cbc => "A192CBC",
            Self::A256Cbc => "A256CBC",
            Self::A128Gcm => "A128GCM",
            Self::A192Gcm => "A192GCM",
            Self::A256Gcm => "A256GCM",
            Self::ChaCha20Poly1305 => "ChaCha20/Poly1305",
        }
    }

    /// Length of the key in bytes.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::A128Ctr | Self::A128Cbc | Self::A128Gcm => 16,
            Self::A192Ctr | Self::A192Cbc | Self::A192Gcm => 24,
            Self::A256Ctr | Self::A256Cbc | Self::A256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Length of the initialization vector in bytes: a nonce of 12 for the authenticated ciphers, one
    /// AES block of 16 for the others (requirement SUIT-AMB-024).
    #[must_use]
    pub fn iv_len(self) -> usize {
        match self.is_authenticated() {
            true => 12,
            false => 16,
        }
    }

    /// Whether a changed ciphertext is noticed. What AES-CTR and AES-CBC encrypt needs a digest or a
    /// signature from elsewhere.
    #[must_use]
    pub fn is_authenticated(self) -> bool {
        matches!(
            self,
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm | Self::ChaCha20Poly1305
        )
    }

    /// Length of the ciphertext of `plaintext` bytes: with the tag of 16 bytes, or the padding of AES-CBC.
    #[must_use]
    pub fn ciphertext_len(self, plaintext: u64) -> u64 {
        match self {
            Self::A128Ctr | Self::A192Ctr | Self::A256Ctr => plaintext,
            Self::A128Cbc | Self::A192Cbc | Self::A256Cbc => {
                (plaintext - plaintext % 16).saturating_add(16)
            }
            Self::A128Gcm | Self::A192Gcm | Self::A256Gcm | Self::ChaCha20Poly1305 => {
                plaintext.saturating_add(16)
            }
        }
    }
}

/// AES Key Wrap (RFC 3394).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyWrap {
    /// With a 128-bit key; COSE algorithm -3.
    A128Kw,
    /// With a 192-bit key; COSE algorithm -4.
    A192Kw,
    /// With a 256-bit key; COSE algorithm -5.
    A256Kw,
}

impl KeyWrap {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::A128Kw, Self::A192Kw, Self::A256Kw];

    /// The COSE algorithm identifier (RFC 9053 section 6.2).
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::A128Kw => -3,
            Self::A192Kw => -4,
            Self::A256Kw => -5,
        }
    }

    /// The COSE algorithm identifier of ECDH-ES with this key wrap (RFC 9053 section 6.4).
    #[must_use]
    pub fn ecdh_es_cose_id(self) -> i64 {
        match self {
            Self::A128Kw => -29,
            Self::A192Kw => -30,
            Self::A256Kw => -31,
        }
    }

    /// Length of the key-encryption key in bytes.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::A128Kw => 16,
            Self::A192Kw => 24,
            Self::A256Kw => 32,
        }
    }

    /// The algorithm whose key-encryption keys are this many bytes long.
    #[must_use]
    pub fn from_key_len(bytes: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.key_len() == bytes)
    }
}

/// A ciphersuite of HPKE that encrypts content keys, under DHKEM with HKDF-SHA256.
///
/// The numbers are those that draft-ietf-cose-hpke-24 assumes; IANA has not assigned them yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HpkeSuite {
    /// DHKEM(P-256), AES-128-GCM: HPKE-0-KE, COSE algorithm 46.
    P256Aes128Gcm,
    /// DHKEM(X25519), AES-128-GCM: HPKE-3-KE, COSE algorithm 49.
    X25519Aes128Gcm,
    /// DHKEM(X25519), ChaCha20/Poly1305: HPKE-4-KE, COSE algorithm 50.
    X25519ChaCha20Poly1305,
    /// DHKEM(P-256), AES-256-GCM: HPKE-7-KE, COSE algorithm 53.
    P256Aes256Gcm,
}

impl HpkeSuite {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::P256Aes128Gcm,
        Self::X25519Aes128Gcm,
        Self::X25519ChaCha20Poly1305,
        Self::P256Aes256Gcm,
    ];

    /// The COSE algorithm identifier.
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::P256Aes128Gcm => 46,
            Self::X25519Aes128Gcm => 49,
            Self::X25519ChaCha20Poly1305 => 50,
            Self::P256Aes256Gcm => 53,
        }
    }

    /// The curve of the key encapsulation.
    #[must_use]
    pub fn curve(self) -> Curve {
        match self {
            Self::P256Aes128Gcm | Self::P256Aes256Gcm => Curve::P256,
            Self::X25519Aes128Gcm | Self::X25519ChaCha20Poly1305 => Curve::X25519,
        }
    }

    /// What seals the content key.
    #[must_use]
    pub fn aead(self) -> ContentAlgorithm {
        match self {
            Self::P256Aes128Gcm | Self::X25519Aes128Gcm => ContentAlgorithm::A128Gcm,
            Self::P256Aes256Gcm => ContentAlgorithm::A256Gcm,
            Self::X25519ChaCha20Poly1305 => ContentAlgorithm::ChaCha20Poly1305,
        }
    }

    /// The suite to choose for a key of a curve.
    #[must_use]
    pub fn preferred(curve: Curve) -> Self {
        match curve {
            Curve::P256 => Self::P256Aes128Gcm,
            Curve::X25519 => Self::X25519ChaCha20Poly1305,
        }
    }
}

/// How a recipient comes by the content key (RFC 9052 section 8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecipientAlgorithm {
    /// It holds the content key already; COSE algorithm -6.
    Direct,
    /// It holds the key that wraps the content key.
    KeyWrap(KeyWrap),
    /// It holds a private key; ephemeral-static Diffie-Hellman yields the key that wraps the content key.
    EcdhEs(KeyWrap),
    /// It holds a private key; the content key is encrypted to its public half.
    Hpke(HpkeSuite),
}

impl RecipientAlgorithm {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::KeyWrap(KeyWrap::A128Kw),
        Self::KeyWrap(KeyWrap::A192Kw),
        Self::KeyWrap(KeyWrap::A256Kw),
        Self::EcdhEs(KeyWrap::A128Kw),
        Self::EcdhEs(KeyWrap::A192Kw),
        Self::EcdhEs(KeyWrap::A256Kw),
        Self::Hpke(HpkeSuite::P256Aes128Gcm),
        Self::Hpke(HpkeSuite::X25519Aes128Gcm),
        Self::Hpke(HpkeSuite::X25519ChaCha20Poly1305),
        Self::Hpke(HpkeSuite::P256Aes256Gcm),
        Self::Direct,
    ];

    /// The COSE algorithm identifier.
    #[must_use]
    pub fn cose_id(self) -> i64 {
        match self {
            Self::Direct => -6,
            Self::KeyWrap(wrap) => wrap.cose_id(),
            Self::EcdhEs(wrap) => wrap.ecdh_es_cose_id(),
            Self::Hpke(suite) => suite.cose_id(),
        }
    }

    /// The algorithm with a COSE identifier. ECDH-ES that derives the content key itself (-25, -26) is none
    /// of them (requirement SUIT-ENC-014).
    #[must_use]
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.cose_id() == id)
    }
}
