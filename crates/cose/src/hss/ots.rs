//! One-time signatures (RFC 8554 section 4), and the hashing that they share with the trees.

use alloc::vec::Vec;

use super::key::{Node, TreeKey, node};
use crate::{DigestContext, Digests};

/// What is hashed, so that no hash is ever one of something else: D_PBLC, D_MESG, D_LEAF, D_INTR.
pub(super) const ONE_TIME_KEY: [u8; 2] = [0x80, 0x80];
const MESSAGE: [u8; 2] = [0x81, 0x81];
pub(super) const LEAF: [u8; 2] = [0x82, 0x82];
pub(super) const INNER: [u8; 2] = [0x83, 0x83];

/// The hashes of one tree.
#[derive(Clone, Copy)]
pub(super) struct Hasher<'t> {
    pub(super) digests: &'t dyn Digests,
    pub(super) tree: &'t TreeKey,
}

impl Hasher<'_> {
    /// Begins a hash with the tree and a number in it: of a leaf, or of a node.
    pub(super) fn start(self, number: u32, kind: [u8; 2]) -> alloc::boxed::Box<dyn DigestContext> {
        let mut context = self.digests.start(self.tree.lms.hash().algorithm());
        context.update(&self.tree.id);
        context.update(&number.to_be_bytes());
        context.update(&kind);
        context
    }

    pub(super) fn finish(self, context: alloc::boxed::Box<dyn DigestContext>) -> Node {
        let digest = context.finish();
        let length = self.tree.lms.hash().len();
        node(digest.as_ref().get(..length).unwrap_or_default())
    }

    /// Goes along a chain from one step to another.
    pub(super) fn chain(
        self,
        leaf: u32,
        chain: u16,
        steps: core::ops::Range<u16>,
        from: Node,
    ) -> Node {
        steps.fold(from, |value, step| {
            let mut context = self.start(leaf, chain.to_be_bytes());
            let [_, step] = step.to_be_bytes();
            context.update(&[step]);
            context.update(self.tree.used(&value));
            self.finish(context)
        })
    }

    /// The digits that a leaf signs for a message: those of its hash and then those of their checksum.
    pub(super) fn digits(self, leaf: u32, randomizer: &[u8], message: &[u8]) -> Vec<u8> {
        let ots = self.tree.ots;
        let mut context = self.start(leaf, MESSAGE);
        context.update(randomizer);
        context.update(message);
        let hash = self.finish(context);
        let mut digits = Vec::with_capacity(ots.digits());
        digits.extend(split(self.tree.used(&hash), ots.width()));
        let checksum: u16 = digits
            .iter()
            .map(|digit| ots.greatest() - u16::from(*digit))
            .sum();
        let count = ots.checksum_digits();
        // It stands at the left end of 16 bits.
        let unused = 16 - count * usize::from(ots.width());
        let checksum = (checksum << unused).to_be_bytes();
        digits.extend(split(&checksum, ots.width()).take(count));
        digits
    }

    /// The public key that a one-time signature is by, if it is one.
    pub(super) fn one_time_key(
        self,
        leaf: u32,
        randomizer: &[u8],
        chains: &[u8],
        message: &[u8],
    ) -> Node {
        let greatest = self.tree.ots.greatest();
        let digits = self.digits(leaf, randomizer, message);
        let mut context = self.start(leaf, ONE_TIME_KEY);
        let values = chains.chunks(self.tree.lms.hash().len());
        for ((digit, value), chain) in digits.iter().zip(values).zip(0..) {
            let end = self.chain(leaf, chain, u16::from(*digit)..greatest, node(value));
            context.update(self.tree.used(&end));
        }
        self.finish(context)
    }
}

/// Bytes as digits of `width` bits, from the left.
fn split(bytes: &[u8], width: u8) -> impl Iterator<Item = u8> {
    let mask = u8::MAX >> (8 - width);
    bytes.iter().flat_map(move |byte| {
        (0..8 / width)
            .rev()
            .map(move |at| (byte >> (at * width)) & mask)
    })
}
