use alloc::boxed::Box;
use core::cell::OnceCell;

/// Things that stay where they are for as long as a procedure runs, so that what is borrowed from them can
/// stay too: the bytes of envelopes of dependencies, and these envelopes.
pub(super) struct Shelf<T> {
    thing: OnceCell<T>,
    next: OnceCell<Box<Self>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            thing: OnceCell::new(),
            next: OnceCell::new(),
        }
    }
}

impl<T> Shelf<T> {
    /// Keeps a thing. There are few: each is put behind all others.
    pub(super) fn keep(&self, thing: T) -> &T {
        let mut place = self;
        while place.thing.get().is_some() {
            place = place.next.get_or_init(Box::default);
        }
        place.thing.get_or_init(|| thing)
    }
}
