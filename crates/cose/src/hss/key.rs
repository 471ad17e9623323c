use alloc::vec::Vec;

use super::parameters::{Lms, Ots};
use crate::KeyError;

/// A hash, of which the parameter set may use the first 24 bytes only; the rest is zero.
pub(super) type Node = [u8; 32];

/// The public key of a hierarchy of trees.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HssPublicKey {
    pub(super) levels: u8,
    pub(super) top: TreeKey,
}

/// The public key of one tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TreeKey {
    pub(super) lms: Lms,
    pub(super) ots: Ots,
    /// `I`, which tells trees apart.
    pub(super) id: [u8; 16],
    pub(super) root: Node,
}

impl HssPublicKey {
    /// Most levels (RFC 8554 section 6).
    pub(super) const MAX_LEVELS: u8 = 8;

    /// Reads the form of RFC 8554 section 6.1: 60 bytes, or 52 with a hash of 24.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unsupported`] if the parameter sets are not known or differ in their hash,
    /// [`KeyError::Invalid`] if the length or the number of levels is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut bytes = Bytes(bytes);
        let levels = bytes.u32().ok_or(KeyError::Invalid)?;
        let levels = u8::try_from(levels).map_err(|_| KeyError::Invalid)?;
        if !(1..=Self::MAX_LEVELS).contains(&levels) {
            return Err(KeyError::Invalid);
        }
        let (Some(lms), Some(ots)) = (bytes.u32(), bytes.u32()) else {
            return Err(KeyError::Invalid);
        };
        let unsupported = || KeyError::Unsupported("an LMS parameter set".into());
        let lms = Lms::from_number(lms).ok_or_else(unsupported)?;
        let ots = Ots::from_number(ots).ok_or_else(unsupported)?;
        if lms.hash() != ots.hash() {
            return Err(unsupported());
        }
        let top = TreeKey::read_after_types(&mut bytes, lms, ots).ok_or(KeyError::Invalid)?;
        match bytes.0 {
            [] => Ok(Self { levels, top }),
            _ => Err(KeyError::Invalid),
        }
    }

    /// Writes the form of RFC 8554 section 6.1.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = u32::from(self.levels).to_be_bytes().to_vec();
        self.top.write(&mut bytes);
        bytes
    }

    /// How many levels of trees there are, 1 to 8.
    #[must_use]
    pub fn levels(&self) -> u8 {
        self.levels
    }

    /// The root of the top tree: 32 bytes, or 24.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        self.top.used(&self.top.root)
    }
}

impl TreeKey {
    pub(super) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let lms = Lms::from_number(bytes.u32()?)?;
        let ots = Ots::from_number(bytes.u32()?)?;
        if lms.hash() != ots.hash() {
            return None;
        }
        Self::read_after_types(bytes, lms, ots)
    }

    fn read_after_types(bytes: &mut Bytes<'_>, lms: Lms, ots: Ots) -> Option<Self> {
        let id = bytes.take(16)?.try_into().ok()?;
        let root = node(bytes.take(lms.hash().len())?);
        Some(Self { lms, ots, id, root })
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.lms.number().to_be_bytes());
        bytes.extend(self.ots.number().to_be_bytes());
        bytes.extend(self.id);
        bytes.extend(self.used(&self.root));
    }

    /// The bytes of a hash that the parameter set uses.
    pub(super) fn used<'n>(&self, node: &'n Node) -> &'n [u8] {
        node.get(..self.lms.hash().len()).unwrap_or(node)
    }
}

/// A hash from its bytes, 32 at most; more are none.
pub(super) fn node(bytes: &[u8]) -> Node {
    let mut node = [0; 32];
    if let Some(to) = node.get_mut(..bytes.len()) {
        to.copy_from_slice(bytes);
    }
    node
}

/// What is left to be read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*taken))
    }
}
