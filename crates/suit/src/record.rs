use alloc::vec::Vec;

use tamarack_cose::{
    KeyId, PublicKey,
    cbor::{DecodeError, Problem, Reader, Type, Writer},
};

use crate::{Authority, ComponentId, SequenceNumber, SuitDigest, Version, codec::several};

/// What the device remembers about an installed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestRecord {
    /// Where it is kept: see [`Manifest::placement`](crate::Manifest::placement).
    pub id: ComponentId,
    /// Its sequence number.
    pub sequence_number: SequenceNumber,
    /// Its digest.
    pub digest: SuitDigest,
    /// Who authenticated it.
    pub signers: Vec<Authority>,
    /// The components that it installed.
    pub components: Vec<ComponentId>,
    /// The manifests that it depends on.
    pub dependencies: Vec<ComponentId>,
    /// Whether it was installed for its own sake, and not only as a dependency.
    pub root: bool,
    /// The version that it set for what it installed.
    pub version: Option<Version>,
}

const RULE: &str = "record of a manifest";

impl ManifestRecord {
    /// Writes the record for a device's own storage, as one CBOR item. The format is this library's, and
    /// may change with its version.
    pub fn write(&self, w: &mut Writer) {
        w.array(8);
        self.id.write(w);
        w.uint(self.sequence_number.0);
        self.digest.write(w);
        w.array(self.signers.len());
        for signer in &self.signers {
            match signer {
                Authority::Key(key) => w.raw(&key.to_cose_key()),
                Authority::Mac(id) => w.bytes(id.as_bytes()),
                Authority::Certified(id) => w.array(1).bytes(id.as_bytes()),
            };
        }
        for ids in [&self.components, &self.dependencies] {
            w.array(ids.len());
            for id in ids {
                id.write(w);
            }
        }
        w.bool(self.root);
        match &self.version {
            Some(version) => version.write(w),
            None => {
                w.null();
            }
        }
    }

    /// Reads a record as [`write`](Self::write) made it.
    ///
    /// # Errors
    ///
    /// If the next item is none.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(8, "an array of 8", RULE)?;
        Ok(Self {
            id: ComponentId::read(reader, RULE)?,
            sequence_number: SequenceNumber(reader.uint(RULE)?),
            digest: SuitDigest::read(reader)?,
            signers: {
                let count = reader.array(RULE)?;
                several(count, || read_signer(reader))?
            },
            components: read_ids(reader)?,
            dependencies: read_ids(reader)?,
            root: reader.bool(RULE)?,
            version: match reader.take_null() {
                true => None,
                false => Some(Version::read(reader, RULE)?),
            },
        })
    }
}

fn read_signer(reader: &mut Reader<'_>) -> Result<Authority, DecodeError> {
    let start = reader.clone();
    let signer = match reader.peek() {
        Type::Bytes => KeyId::from_bytes(reader.bytes(RULE)?).map(Authority::Mac),
        Type::Array => {
            reader.array_of(1, "an array of 1", RULE)?;
            KeyId::from_bytes(reader.bytes(RULE)?).map(Authority::Certified)
        }
        _ => PublicKey::from_cose_key(reader.raw(RULE)?)
            .ok()
            .map(Authority::Key),
    };
    signer.ok_or_else(|| start.error(RULE, Problem::Expected("a key, or the id of a secret one")))
}

fn read_ids(reader: &mut Reader<'_>) -> Result<Vec<ComponentId>, DecodeError> {
    let count = reader.array(RULE)?;
    several(count, || ComponentId::read(reader, RULE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};

    #[test]
    fn records_round_trip() {
        let crypto = rustcrypto::provider();
        let key = |algorithm| {
            let secret = SecretKey::generate(&crypto, algorithm).unwrap();
            Authority::Key(*secret.public_key())
        };
        let id = |text: &str| text.parse::<ComponentId>().unwrap();
        let record = ManifestRecord {
            id: id("a/suit"),
            sequence_number: SequenceNumber(u64::MAX),
            digest: SuitDigest::sha256(&crypto, b"x"),
            signers: vec![
                key(SignatureAlgorithm::Esp256),
                key(SignatureAlgorithm::Ed25519),
                Authority::Mac(KeyId::from_bytes(&[7; 32]).unwrap()),
                Authority::Certified(KeyId::from_bytes(&[8; 32]).unwrap()),
            ],
            components: vec![id("a/b"), id("a/0x00")],
            dependencies: vec![id("c/suit")],
            root: true,
            version: Some(Version(vec![1, 2, -1])),
        };
        let other = ManifestRecord {
            id: ComponentId::default(),
            signers: vec![],
            components: vec![],
            dependencies: vec![],
            root: false,
            version: None,
            ..record.clone()
        };
        for record in [record, other] {
            let bytes = Writer::build(|w| record.write(w));
            assert_eq!(ManifestRecord::read(&mut Reader::new(&bytes)), Ok(record));
            let truncated = &bytes[..bytes.len() - 1];
            assert!(ManifestRecord::read(&mut Reader::new(truncated)).is_err());
        }
    }
}
