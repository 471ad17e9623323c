use alloc::vec::Vec;
use core::fmt;

use tamarack_cose::{
    DigestAlgorithm, Headers, Mac, Mac0, MacAlgorithm, SignatureAlgorithm, Signed,
    cbor::{DecodeError, Reader, Writer},
    encrypt::{Encrypted, RecipientInfo},
};

use crate::codec::{Envelope, Manifest, Parameter, Sequence};

/// An algorithm profile (draft-ietf-suit-mti): the algorithms that one manifest uses for digests,
/// authentication, key exchange and encryption.
///
/// An author chooses one that the Recipients have; a Recipient takes a manifest by the algorithms in it, or
/// refuses it. Nothing is negotiated.
// req: SUIT-MTI-004, SUIT-MTI-006
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Profile {
    /// Of digests; -16 is SHA-256.
    pub digest: i64,
    /// Of signatures or MACs.
    pub authentication: i64,
    /// How content keys reach the Recipient.
    pub key_exchange: i64,
    /// Of payloads.
    pub encryption: i64,
}

impl Profile {
    /// `suit-sha256-hmac-a128kw-a128ctr`: secret keys only.
    pub const HMAC_A128KW_A128CTR: Self = Self::of([-16, 5, -3, -65534]);
    /// `suit-sha256-esp256-ecdh-a128ctr`.
    pub const ESP256_ECDH_A128CTR: Self = Self::of([-16, -9, -29, -65534]);
    /// `suit-sha256-ed25519-ecdh-a128ctr`.
    pub const ED25519_ECDH_A128CTR: Self = Self::of([-16, -19, -29, -65534]);
    /// `suit-sha256-esp256-ecdh-a128gcm`.
    pub const ESP256_ECDH_A128GCM: Self = Self::of([-16, -9, -29, 1]);
    /// `suit-sha256-ed25519-ecdh-chacha-poly`.
    pub const ED25519_ECDH_CHACHA_POLY: Self = Self::of([-16, -19, -29, 24]);
    /// `suit-sha256-hsslms-a256kw-a256ctr`: against quantum computers.
    pub const HSSLMS_A256KW_A256CTR: Self = Self::of([-16, -46, -5, -65532]);

    /// The registered profiles, all of which an author must have, with their names.
    // req: SUIT-MTI-001
    pub const REGISTERED: [(&'static str, Self); 6] = [
        ("suit-sha256-hmac-a128kw-a128ctr", Self::HMAC_A128KW_A128CTR),
        ("suit-sha256-esp256-ecdh-a128ctr", Self::ESP256_ECDH_A128CTR),
        (
            "suit-sha256-ed25519-ecdh-a128ctr",
            Self::ED25519_ECDH_A128CTR,
        ),
        ("suit-sha256-esp256-ecdh-a128gcm", Self::ESP256_ECDH_A128GCM),
        (
            "suit-sha256-ed25519-ecdh-chacha-poly",
            Self::ED25519_ECDH_CHACHA_POLY,
        ),
        (
            "suit-sha256-hsslms-a256kw-a256ctr",
            Self::HSSLMS_A256KW_A256CTR,
        ),
    ];

    /// The profile with a descriptor: digest, authentication, key exchange, encryption.
    #[must_use]
    pub const fn of(descriptor: [i64; 4]) -> Self {
        let [digest, authentication, key_exchange, encryption] = descriptor;
        Self {
            digest,
            authentication,
            key_exchange,
            encryption,
        }
    }

    /// The array of four COSE algorithm numbers that names the profile in registries and reports.
    #[must_use]
    pub const fn descriptor(&self) -> [i64; 4] {
        [
            self.digest,
            self.authentication,
            self.key_exchange,
            self.encryption,
        ]
    }

    /// The registered profile with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::REGISTERED.iter().find(|(known, _)| *known == name);
        found.map(|(_, profile)| *profile)
    }

    /// The registered name; `None` if the profile has none.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        let found = Self::REGISTERED.iter().find(|(_, known)| known == self);
        found.map(|(name, _)| *name)
    }

    /// The first profile that an author likes and the Recipients have, as their capabilities are known from
    /// configuration, device management or a capability report.
    // req: SUIT-MTI-007
    #[must_use]
    pub fn choose(liked: &[Self], supported: &[Self]) -> Option<Self> {
        let found = liked.iter().find(|profile| supported.contains(profile));
        found.copied()
    }

    /// The digest algorithm, if it is one that this crate computes.
    #[must_use]
    pub fn digest_algorithm(&self) -> Option<DigestAlgorithm> {
        DigestAlgorithm::from_cose_id(self.digest)
    }

    /// The signature algorithm; `None` if the profile authenticates by MACs.
    #[must_use]
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        SignatureAlgorithm::from_cose_id(self.authentication)
    }

    /// The MAC algorithm; `None` if the profile authenticates by signatures.
    #[must_use]
    pub fn mac_algorithm(&self) -> Option<MacAlgorithm> {
        MacAlgorithm::from_cose_id(self.authentication)
    }

    /// Whether an envelope's digest and every authentication block of it are of this profile: for authors,
    /// before they send it.
    ///
    /// The numbers must be the profile's own: an ES256 signature (-7) is none of ESP256 (-9), though a
    /// Recipient takes both.
    // req: SUIT-MTI-004, SUIT-MTI-008
    #[must_use]
    pub fn covers_authentication(&self, envelope: &Envelope<'_>) -> bool {
        let blocks = envelope.authentication_blocks();
        envelope.claimed_digest().algorithm_id() == self.digest
            && !blocks.is_empty()
            && blocks.iter().all(|block| self.covers_block(block))
    }

    fn covers_block(&self, block: &[u8]) -> bool {
        let algorithms = algorithm_ids(block);
        let ours = |id: &Option<i64>| *id == Some(self.authentication);
        !algorithms.is_empty() && algorithms.iter().all(ours)
    }

    /// Whether every digest and every encryption that a manifest asks for is of this profile: for authors,
    /// before they send it. What is severed is not looked at.
    // req: SUIT-MTI-004
    #[must_use]
    pub fn covers_manifest(&self, manifest: &Manifest<'_>) -> bool {
        let commands = manifest.sequences().flat_map(Sequence::walk);
        let mut parameters = commands.flat_map(|located| located.command.parameters());
        let severed = manifest.severed_digests();
        severed
            .iter()
            .all(|digest| digest.algorithm_id() == self.digest)
            && parameters.all(|parameter| match parameter {
                Parameter::ImageDigest(digest) => digest.algorithm_id() == self.digest,
                Parameter::EncryptionInfo(info) => self.covers_encryption(info),
                _ => true,
            })
    }

    fn covers_encryption(&self, info: &[u8]) -> bool {
        let Ok(encrypted) = Encrypted::decode_encrypt(info) else {
            return false;
        };
        let ours = |recipient: &RecipientInfo<'_>| {
            let algorithm = recipient.algorithm();
            algorithm.is_some_and(|algorithm| algorithm.cose_id() == self.key_exchange)
        };
        encrypted.algorithm().cose_id() == self.encryption
            && encrypted.recipients().unwrap_or_default().iter().all(ours)
    }

    /// Reads the descriptor.
    ///
    /// # Errors
    ///
    /// If the next item is not an array of four integers.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT profile descriptor";
        reader.array_of(4, "an array of 4", RULE)?;
        Ok(Self {
            digest: reader.int(RULE)?,
            authentication: reader.int(RULE)?,
            key_exchange: reader.int(RULE)?,
            encryption: reader.int(RULE)?,
        })
    }

    /// Writes the descriptor.
    pub fn write(&self, w: &mut Writer) {
        w.array(4);
        for number in self.descriptor() {
            w.int(number);
        }
    }
}

/// The algorithms by which a block authenticates: several for a COSE_Sign, none if it is no such block.
pub(crate) fn algorithm_ids(block: &[u8]) -> Vec<Option<i64>> {
    match (
        Signed::decode(block),
        Mac0::decode(block),
        Mac::decode(block),
    ) {
        (Ok(signed), ..) => {
            let headers = signed.signatures().into_iter();
            headers.map(Headers::algorithm_id).collect()
        }
        (_, Ok(mac), _) => Vec::from([mac.headers().algorithm_id()]),
        (.., Ok(mac)) => Vec::from([mac.headers().algorithm_id()]),
        _ => Vec::new(),
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:?}", self.descriptor()),
        }
    }
}
