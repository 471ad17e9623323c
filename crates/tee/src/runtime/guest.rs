//! Access to the TA's memory: the one place where its addresses are turned into slices.

use wasmi::{Error, TrapCode};

/// An address and a length that a TA passed.
#[derive(Clone, Copy)]
pub(super) struct Range {
    start: u32,
    pub(super) len: u32,
}

impl Range {
    pub(super) fn new(start: u32, len: u32) -> Self {
        Self { start, len }
    }

    fn bounds(self) -> Option<(usize, usize)> {
        let start = usize::try_from(self.start).ok()?;
        let len = usize::try_from(self.len).ok()?;
        Some((start, start.checked_add(len)?))
    }

    /// The bytes in the TA's memory; a trap if they are not all inside.
    pub(super) fn of(self, memory: &[u8]) -> Result<&[u8], Error> {
        self.bounds()
            .and_then(|(start, end)| memory.get(start..end))
            .ok_or_else(|| TrapCode::MemoryOutOfBounds.into())
    }

    /// As [`of`](Self::of), to write.
    pub(super) fn of_mut(self, memory: &mut [u8]) -> Result<&mut [u8], Error> {
        self.bounds()
            .and_then(|(start, end)| memory.get_mut(start..end))
            .ok_or_else(|| TrapCode::MemoryOutOfBounds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn only_what_is_inside() {
        let memory = [1, 2, 3, 4];
        let of = |start, len| Range::new(start, len).of(&memory).ok();
        assert_eq!(of(1, 2), Some(&[2, 3][..]));
        assert_eq!(of(4, 0), Some(&[][..]));
        assert_eq!(of(5, 0), None);
        assert_eq!(of(3, 2), None);
        assert_eq!(of(u32::MAX, u32::MAX), None);
        assert_eq!(of(1, u32::MAX), None);
    }
}
