use alloc::{collections::VecDeque, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

use super::Record;

/// Digests of the last Updates that install or remove, so that a recorded one is known when it comes again.
///
/// A TAM gives every message a fresh token, so two Updates that are equal to the last byte are one Update
/// and its replay. The sequence numbers stop older manifests; this stops a removed component from being
/// brought back by playing the Update that once installed it, and one that came back from being removed, with
/// all its data, by playing the Update that once removed it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenUpdates {
    digests: VecDeque<[u8; 32]>,
}

impl SeenUpdates {
    /// How many are remembered: 32 bytes each.
    pub const MAX: usize = 1024;

    /// Whether an Update with this SHA-256 was processed before.
    #[must_use]
    pub fn contains(&self, digest: &[u8; 32]) -> bool {
        self.digests.contains(digest)
    }

    /// Remembers an Update, and forgets the oldest if there are too many.
    pub fn remember(&mut self, digest: [u8; 32]) {
        if !self.contains(&digest) {
            self.digests.push_back(digest);
        }
        while self.digests.len() > Self::MAX {
            self.digests.pop_front();
        }
    }
}

impl Record for SeenUpdates {
    const PREFIX: u8 = b'u';

    fn key(&self) -> Vec<u8> {
        Vec::new()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(self.digests.len());
            self.digests.iter().for_each(|digest| {
                w.bytes(digest);
            });
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut seen = Self::default();
        for _ in 0..reader.array("seen-updates")? {
            let wrong = reader.error("seen-updates", Problem::OutOfBounds("32 bytes"));
            let digest = reader.bytes("seen-updates")?;
            seen.digests
                .push_back(digest.try_into().map_err(|_| wrong)?);
        }
        Ok(seen)
    }
}
