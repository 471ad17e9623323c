use alloc::vec::Vec;

use tamarack_cose::{
    KeyId, PublicKey,
    cbor::{DecodeError, Problem, Reader, Type, Writer},
};
use tamarack_suit::{Authority, ComponentId, ManifestRecord, SequenceNumber, SuitDigest, Version};

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
        let record = &self.record;
        Writer::build(|w| {
            w.array(9);
            record.id.write(w);
            w.uint(record.sequence_number.0);
            record.digest.write(w);
            w.array(record.signers.len());
            for signer in &record.signers {
                match signer {
                    Authority::Key(key) => w.raw(&key.to_cose_key()),
                    Authority::Mac(id) => w.bytes(id.as_bytes()),
                };
            }
            for list in [&record.components, &record.dependencies] {
                w.array(list.len());
                list.iter().for_each(|id| id.write(w));
            }
            w.bool(record.root);
            match &record.version {
                Some(version) => version.write(w),
                None => {
                    w.null();
                }
            }
            match &self.envelope {
                Some(envelope) => w.bytes(envelope),
                None => w.null(),
            };
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "manifest";
        reader.array_of(9, "an array of 9", rule)?;
        let id = ComponentId::read(reader, rule)?;
        let sequence_number = SequenceNumber(reader.uint(rule)?);
        let digest = SuitDigest::read(reader)?;
        let mut signers = Vec::new();
        for _ in 0..reader.array(rule)? {
            let wrong = reader.error(rule, Problem::Expected("a key, or the id of a secret one"));
            signers.push(match reader.peek(rule)? {
                Type::Bytes => Authority::Mac(KeyId::from_bytes(reader.bytes(rule)?).ok_or(wrong)?),
                _ => {
                    let key = PublicKey::from_cose_key(reader.raw(rule)?);
                    Authority::Key(key.map_err(|_| wrong)?)
                }
            });
        }
        let components = read_ids(reader, rule)?;
        let dependencies = read_ids(reader, rule)?;
        let root = reader.bool(rule)?;
        let version = match reader.take_null() {
            true => None,
            false => Some(Version::read(reader, rule)?),
        };
        let envelope = if reader.take_null() {
            None
        } else {
            Some(reader.bytes(rule)?.to_vec())
        };
        let record = ManifestRecord {
            id,
            sequence_number,
            digest,
            signers,
            components,
            dependencies,
            root,
            version,
        };
        Ok(Self { record, envelope })
    }
}

fn read_ids(reader: &mut Reader<'_>, rule: &'static str) -> Result<Vec<ComponentId>, DecodeError> {
    let mut ids = Vec::new();
    for _ in 0..reader.array(rule)? {
        ids.push(ComponentId::read(reader, rule)?);
    }
    Ok(ids)
}
