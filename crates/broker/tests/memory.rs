//! What a broker holds of a stream that is longer than its memory. By itself: the heap that is measured is the
//! whole process's.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use common::{COUNT, ECHO, FakeTee, World};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const LENGTH: u64 = 40 << 20;

/// What may be on the way, and what broker, client and TEE may hold together, in bytes: some pieces, and the buffers
/// of sockets.
const MAX_UNDER_WAY: u64 = 3 << 20;
const MAX_HELD: usize = 4 << 20;

/// Bytes that differ, and how far ahead of the TEE they are read.
struct Source {
    produced: u64,
    tee: Arc<FakeTee>,
    furthest: Arc<AtomicU64>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(LENGTH - self.produced).unwrap();
        let length = left.min(buffer.len());
        for byte in &mut buffer[..length] {
            *byte = byte_at(self.produced);
            self.produced += 1;
        }
        let consumed = self.tee.consumed.load(Ordering::Relaxed);
        self.furthest
            .fetch_max(self.produced - consumed, Ordering::Relaxed);
        Ok(length)
    }
}

fn byte_at(position: u64) -> u8 {
    // A prime, so that no two pieces are the same.
    u8::try_from(position % 251).unwrap()
}

/// Checks what it is given.
#[derive(Default)]
struct Sink(u64);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            assert_eq!(*byte, byte_at(self.0), "at {}", self.0);
            self.0 += 1;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn forty_megabytes_go_through_in_a_few() {
    let world = World::new();
    let session = world.open();
    let source = || {
        let furthest = Arc::new(AtomicU64::new(0));
        world.tee.consumed.store(0, Ordering::Relaxed);
        let source = Source {
            produced: 0,
            tee: Arc::clone(&world.tee),
            furthest: Arc::clone(&furthest),
        };
        (source, furthest)
    };
    // So that what is set up once does not count.
    session.run(ECHO, &b"Ada"[..], io::sink()).unwrap();
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();

    // In both directions at once: the output is there before the input has ended.
    let (input, furthest) = source();
    let mut sink = Sink::default();
    assert_eq!(session.run(ECHO, input, &mut sink).unwrap(), LENGTH);
    assert_eq!(sink.0, LENGTH);
    let ahead = furthest.load(Ordering::Relaxed);
    assert!(ahead < MAX_UNDER_WAY, "{ahead} bytes ahead of the TEE");

    let (input, furthest) = source();
    let mut output = Vec::new();
    session.run(COUNT, input, &mut output).unwrap();
    assert_eq!(output, LENGTH.to_be_bytes());
    let ahead = furthest.load(Ordering::Relaxed);
    assert!(ahead < MAX_UNDER_WAY, "{ahead} bytes ahead of the TEE");

    let held = HEAP.peak_usage() - before;
    assert!(held < MAX_HELD, "{held} bytes of heap");
}
