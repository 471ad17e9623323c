//! When the power goes and what that leaves, for the folder of this crate and for the TEE's storage in `tests/`.

/// When the power goes: at the operation with this number, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The operation is not carried out.
    Before(usize),
    /// A part of the operation is carried out, if it is one that has parts.
    Within(usize),
    /// The operation is carried out, and nobody gets to know.
    After(usize),
}

/// What is left of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    Nothing,
    Everything,
    /// A part, chosen by this seed.
    Part(u64),
}

/// A small generator of numbers (splitmix64), the same for the same seed.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap()
    }

    /// A cut at one of the first `bound` operations.
    pub fn cut(&mut self, bound: usize) -> (Cut, Survival) {
        let at = self.below(bound);
        let cut = [Cut::Before(at), Cut::Within(at), Cut::After(at)][self.below(3)];
        let part = Survival::Part(self.below(usize::MAX) as u64);
        let survival = [Survival::Nothing, Survival::Everything, part, part][self.below(4)];
        (cut, survival)
    }
}
