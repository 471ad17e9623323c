//! A device as the TAM knows it.

use std::{fmt, str::FromStr};

use base16ct::{HexDisplay, mixed};
use tamarack_cose::PublicKey;
use tamarack_rats::Endorsement;
use tamarack_suit::{ComponentId, SuitDigest, report::Claims};
use tamarack_teep::Numbering;

use crate::{Timestamp, catalog::ManifestId};

/// A universal entity id (RFC 9711 section 4.2.1): 7 to 33 bytes, opaque; hexadecimal as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ueid(Vec<u8>);

/// Text or bytes that are no [`Ueid`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ueid is 7 to 33 bytes, written as 14 to 66 hexadecimal digits")]
pub struct UeidError;

impl Ueid {
    /// Wraps the bytes.
    ///
    /// # Errors
    ///
    /// If there are fewer than 7 or more than 33.
    pub fn new(bytes: Vec<u8>) -> Result<Self, UeidError> {
        (7..=33)
            .contains(&bytes.len())
            .then_some(Self(bytes))
            .ok_or(UeidError)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Ueid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", HexDisplay(&self.0))
    }
}

impl fmt::Debug for Ueid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ueid({self})")
    }
}

impl FromStr for Ueid {
    type Err = UeidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(mixed::decode_vec(text).map_err(|_| UeidError)?)
    }
}

/// Where in the order of issue a challenge stands; the newest that a device has used is its mark.
///
/// Comparing with the mark makes a challenge usable once without remembering each one: whatever was
/// issued before the newest used one is refused as well, which costs a device nothing but a session
/// that it had left unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TicketMark {
    /// When the challenge was issued.
    pub issued_at: Timestamp,
    /// Tells apart challenges of the same microsecond.
    pub salt: [u8; 16],
}

/// A Trusted Component that a device says it holds (an entry of tc-list).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledComponent {
    /// Which component.
    pub component: ComponentId,
    /// Digest of its image, if the device says.
    pub digest: Option<SuitDigest>,
}

impl From<&Claims> for InstalledComponent {
    fn from(claims: &Claims) -> Self {
        Self {
            component: claims.component.clone(),
            digest: claims.properties.image_digest().copied(),
        }
    }
}

/// An Update that was sent and not answered yet. A device has one at most.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingUpdate {
    /// SHA-256 of its token; the token itself is not kept.
    pub token_hash: [u8; 32],
    /// When it was sent.
    pub issued_at: Timestamp,
    /// From when on an answer is ignored.
    pub expires_at: Timestamp,
    /// What it installs, in order.
    pub install: Vec<ManifestId>,
    /// What it unlinks, by manifest component id.
    pub unlink: Vec<ComponentId>,
    /// Whether more was to be installed than fits into one Update: the rest follows once this is answered.
    pub is_part: bool,
}

impl fmt::Debug for PendingUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingUpdate")
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("install", &self.install)
            .field("unlink", &self.unlink)
            .finish_non_exhaustive()
    }
}

/// A device as the TAM knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What its maker says about it, against which its Evidence is appraised.
    pub endorsement: Endorsement,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// The key that signed its last attested message.
    pub agent_key: Option<PublicKey>,
    /// The numbering of that message.
    pub numbering: Option<Numbering>,
    /// When that was.
    pub attested_at: Option<Timestamp>,
    /// The newest challenge it has used.
    pub mark: TicketMark,
    /// What it said it held, in that message.
    pub installed: Vec<InstalledComponent>,
    /// The Update that it has not answered.
    pub pending: Option<PendingUpdate>,
}
