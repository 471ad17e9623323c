//! How the records of manifests are written.

use alloc::vec::Vec;

use tamarack_cose::{
    PublicKey,
    cbor::{DecodeError, Problem, Reader, Writer},
};

use super::{DirectoryError, name::RECORDS, sealed};
use crate::{ComponentId, ManifestRecord, SequenceNumber, SuitDigest};

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
    w.array(7);
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
}

fn read(reader: &mut Reader<'_>) -> Result<ManifestRecord, DecodeError> {
    let id = |reader: &mut Reader<'_>| ComponentId::read(reader, RULE);
    reader.array_of(7, "an array of seven", RULE)?;
    Ok(ManifestRecord {
        id: id(reader)?,
        sequence_number: SequenceNumber(reader.uint(RULE)?),
        digest: SuitDigest::read(reader)?,
        signers: list(reader, read_signer)?,
        components: list(reader, id)?,
        dependencies: list(reader, id)?,
        root: reader.bool(RULE)?,
    })
}

fn write_signer(signer: &PublicKey, w: &mut Writer) {
    w.bytes(&signer.to_cose_key());
}

fn read_signer(reader: &mut Reader<'_>) -> Result<PublicKey, DecodeError> {
    let start = reader.clone();
    PublicKey::from_cose_key(reader.bytes(RULE)?)
        .map_err(|_| start.error(RULE, Problem::OutOfBounds("a public key")))
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
            *SecretKey::generate(&crypto, algorithm)
                .unwrap()
                .public_key()
        };
        let id = |text: &str| text.parse::<ComponentId>().unwrap();
        let record = ManifestRecord {
            id: id("a/suit"),
            sequence_number: SequenceNumber(u64::MAX),
            digest: SuitDigest::sha256(&crypto, b"x"),
            signers: vec![
                key(SignatureAlgorithm::Esp256),
                key(SignatureAlgorithm::Ed25519),
            ],
            components: vec![id("a/b"), id("a/0x00")],
            dependencies: vec![id("c/suit")],
            root: true,
        };
        let other = ManifestRecord {
            id: ComponentId::default(),
            signers: vec![],
            components: vec![],
            dependencies: vec![],
            root: false,
            ..record.clone()
        };
        let records = vec![record, other];
        assert_eq!(decode(&encode(&records)), Ok(records));
        assert_eq!(decode(&encode(&[])), Ok(vec![]));
    }
}
