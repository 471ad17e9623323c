use alloc::{boxed::Box, vec::Vec};
use core::cell::OnceCell;

/// Bytes that stay where they are for as long as a procedure runs, so that what is decoded from them can
/// stay too, without a copy of its own.
#[derive(Default)]
pub(super) struct Shelf {
    bytes: OnceCell<Vec<u8>>,
    next: OnceCell<Box<Self>>,
}

impl Shelf {
    /// Keeps bytes. Envelopes of dependencies, which are few: each is put behind all others.
    pub(super) fn keep(&self, bytes: Vec<u8>) -> &[u8] {
        let mut place = self;
        while place.bytes.get().is_some() {
            place = place.next.get_or_init(Box::default);
        }
        place.bytes.get_or_init(|| bytes)
    }
}
