//! How the records of manifests are written.

use alloc::vec::Vec;

use tamarack_cose::{
    KeyId, PublicKey,
    cbor::{DecodeError, Problem, Reader, Type, Writer},
};

use super::{DirectoryError, name::RECORDS, sealed};
use crate::{Authority, ComponentId, ManifestRecord, SequenceNumber, SuitDigest, Version};

const RULE: &str = "record of a manifest";

pub(super) fn encode(records: &[ManifestRecord]) -> Vec<u8> {
    sealed::seal(|w| {
        w.array(records.len());
        for record in records {
            write(record, w);
        }
    })
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<ManifestRecord>, DirectoryError> {
    sealed::open(RECORDS, bytes, |reader| list(reader, read))
}

fn write(record: &ManifestRecord, w: &mut Writer) {
    w.array(8);
    record.id.write(w);
    w.uint(record.sequence_number.0);
    record.digest.write(w);
    w.array(record.signers.len());
    for signer in &record.signers {
        write_signer(signer, w);
    }
    for ids in [&record.components, &record.dependencies] {
        w.array(ids.len());
        for id in ids {
            id.write(w);
        }
    }
    w.bool(record.root);
    match &record.version {
        Some(version) => version.write(w),
        None => {
            w.null();
        }
    }
}

fn read(reader: &mut Reader<'_>) -> Result<ManifestRecord, DecodeError> {
    let id = |reader: &mut Reader<'_>| ComponentId::read(reader, RULE);
    reader.array_of(8, "an array of eight", RULE)?;
    Ok(ManifestRecord {
        id: id(reader)?,
        sequence_number: SequenceNumber(reader.uint(RULE)?),
        digest: SuitDigest::read(reader)?,
        signers: list(reader, read_signer)?,
        components: list(reader, id)?,
        dependencies: list(reader, id)?,
        root: reader.bool(RULE)?,
        version: match reader.take_null() {
            true => None,
            false => Some(Version::read(reader, RULE)?),
        },
    })
}

/// A public key as a COSE_Key, the id of a secret one as a byte string.
fn write_signer(signer: &Authority, w: &mut Writer) {
    match signer {
        Authority::Key(key) => w.raw(&key.to_cose_key()),
        Authority::Mac(id) => w.bytes(id.as_bytes()),
    };
}

fn read_signer(reader: &mut Reader<'_>) -> Result<Authority, DecodeError> {
    let start = reader.clone();
    let signer = match reader.peek(RULE)? {
        Type::Bytes => KeyId::from_bytes(reader.bytes(RULE)?).map(Authority::Mac),
        _ => PublicKey::from_cose_key(reader.raw(RULE)?)
            .ok()
            .map(Authority::Key),
    };
    signer.ok_or_else(|| start.error(RULE, Problem::OutOfBounds("a public key or a key id")))
}

fn list<T>(
    reader: &mut Reader<'_>,
    item: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut items = Vec::new();
    for _ in 0..reader.array(RULE)? {
        items.push(item(reader)?);
    }
    Ok(items)
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
            let key = SecretKey::generate(&crypto, algorithm).unwrap();
            Authority::Key(*key.public_key())
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
            ],
            components: vec![id("a/b"), id("a/0x00")],
            dependencies: vec![id("c/suit")],
            root: true,
            version: Some(Version(vec![1, 2, -1, 4])),
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
        let records = vec![record, other];
        assert_eq!(decode(&encode(&records)), Ok(records));
        assert_eq!(decode(&encode(&[])), Ok(vec![]));
    }
}
