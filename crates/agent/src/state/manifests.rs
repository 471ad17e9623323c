use alloc::vec::Vec;

use tamarack_cose::cbor::{DecodeError, Reader, Writer};
use tamarack_suit::{ComponentId, ManifestRecord};

use super::Record;
use crate::platform::{StorageError, View};

/// A manifest that was applied, under its own component identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownManifest {
    /// What the SUIT processor remembers about it. Of an unlinked manifest only the sequence number and
    /// the digest mean anything: they keep older ones from coming back.
    pub record: ManifestRecord,
    /// The envelope without its payloads, for validation and removal; `None` once it was unlinked.
    pub envelope: Option<Vec<u8>>,
}

impl KnownManifest {
    /// Whether the manifest is in force.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn is_installed(view: &dyn View, id: &ComponentId) -> Result<bool, StorageError> {
        let known = Self::load(view, &id.to_cbor())?;
        Ok(known.is_some_and(|known| known.envelope.is_some()))
    }
}

impl Record for KnownManifest {
    const PREFIX: u8 = b'm';

    fn key(&self) -> Vec<u8> {
        self.record.id.to_cbor()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(2);
            self.record.write(w);
            match &self.envelope {
                Some(envelope) => w.bytes(envelope),
                None => w.null(),
            };
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "manifest";
        reader.array_of(2, "an array of 2", rule)?;
        let record = ManifestRecord::read(reader)?;
        let envelope = if reader.take_null() {
            None
        } else {
            Some(reader.bytes(rule)?.to_vec())
        };
        Ok(Self { record, envelope })
    }
}
