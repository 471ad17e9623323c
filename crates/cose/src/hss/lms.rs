//! Verification of trees and of their hierarchy (RFC 8554 sections 5.4 and 6.3).

use super::{
    HssPublicKey,
    key::{Bytes, Node, TreeKey},
    ots::{Hasher, INNER, LEAF},
};
use crate::{Digests, Error};

/// Verifies a signature with nothing but hashes: for a provider's
/// [`Signatures::verify`](crate::Signatures::verify).
///
/// Costs at most 8 levels of 265 chains, or of 34 that are 255 steps long: some 70 000 short hashes.
///
/// # Errors
///
/// [`Error::BadSignature`], whatever is wrong with it.
pub fn verify(
    digests: &dyn Digests,
    key: &HssPublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    match signed(digests, key, message, signature) {
        Some(()) => Ok(()),
        None => Err(Error::BadSignature),
    }
}

/// `None` unless the signature is right, whatever is wrong with it.
fn signed(
    digests: &dyn Digests,
    key: &HssPublicKey,
    message: &[u8],
    signature: &[u8],
) -> Option<()> {
    let mut bytes = Bytes(signature);
    let below = key.levels.checked_sub(1)?;
    if bytes.u32()? != u32::from(below) {
        return None;
    }
    let mut tree = key.top;
    for _ in 0..below {
        let signature = TreeSignature::read(&mut bytes, &tree)?;
        let start = bytes.0;
        let next = TreeKey::read(&mut bytes)?;
        let signed = start.get(..start.len().checked_sub(bytes.0.len())?)?;
        signature.verify(digests, &tree, signed)?;
        tree = next;
    }
    let last = TreeSignature::read(&mut bytes, &tree)?;
    match bytes.0 {
        [] => last.verify(digests, &tree, message),
        _ => None,
    }
}

/// A signature by a leaf, with the way from the leaf to the root.
struct TreeSignature<'a> {
    leaf: u32,
    randomizer: &'a [u8],
    chains: &'a [u8],
    path: &'a [u8],
}

impl<'a> TreeSignature<'a> {
    fn read(bytes: &mut Bytes<'a>, tree: &TreeKey) -> Option<Self> {
        let length = tree.lms.hash().len();
        let leaf = bytes.u32()?;
        if leaf >= 1 << tree.lms.height() || bytes.u32()? != tree.ots.number() {
            return None;
        }
        let randomizer = bytes.take(length)?;
        let chains = bytes.take(length * tree.ots.digits())?;
        if bytes.u32()? != tree.lms.number() {
            return None;
        }
        let path = bytes.take(length * usize::from(tree.lms.height()))?;
        Some(Self {
            leaf,
            randomizer,
            chains,
            path,
        })
    }

    fn verify(&self, digests: &dyn Digests, tree: &TreeKey, message: &[u8]) -> Option<()> {
        let hasher = Hasher { digests, tree };
        let key = hasher.one_time_key(self.leaf, self.randomizer, self.chains, message);
        let mut number = (1 << tree.lms.height()) + self.leaf;
        let mut node = hasher.leaf(number, &key);
        for other in self.path.chunks(tree.lms.hash().len()) {
            let ours = tree.used(&node);
            let (left, right) = match number % 2 {
                0 => (ours, other),
                _ => (other, ours),
            };
            number /= 2;
            node = hasher.inner(number, left, right);
        }
        (node == tree.root).then_some(())
    }
}

impl Hasher<'_> {
    /// The leaf, at this node, of a one-time key.
    pub(super) fn leaf(self, number: u32, one_time_key: &Node) -> Node {
        let mut context = self.start(number, LEAF);
        context.update(self.tree.used(one_time_key));
        self.finish(context)
    }

    /// The node over two others.
    pub(super) fn inner(self, number: u32, left: &[u8], right: &[u8]) -> Node {
        let mut context = self.start(number, INNER);
        context.update(left);
        context.update(right);
        self.finish(context)
    }
}
