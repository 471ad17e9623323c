use alloc::vec::Vec;

use tamarack_cose::{
    KeyId,
    cbor::{DecodeError, Problem, Reader, Writer},
};
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
    /// The key of the TAM that brought it and manages it since; `None` once it was unlinked, and where an
    /// earlier version of the agent did not write it down.
    pub tam: Option<KeyId>,
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
            w.array(3);
            self.record.write(w);
            match &self.envelope {
                Some(envelope) => w.bytes(envelope),
                None => w.null(),
            };
            match &self.tam {
                Some(tam) => w.bytes(tam.as_bytes()),
                None => w.null(),
            };
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "manifest";
        let wrong = reader.error(rule, Problem::Expected("an array of 2 or 3, and a key id"));
        // Without the TAM it was written before there was more than one.
        let has_tam = match reader.array(rule)? {
            2 => false,
            3 => true,
            _ => return Err(wrong),
        };
        let record = ManifestRecord::read(reader)?;
        let envelope = if reader.take_null() {
            None
        } else {
            Some(reader.bytes(rule)?.to_vec())
        };
        let tam = if !has_tam || reader.take_null() {
            None
        } else {
            Some(KeyId::from_bytes(reader.bytes(rule)?).ok_or(wrong)?)
        };
        Ok(Self {
            record,
            envelope,
            tam,
        })
    }
}
