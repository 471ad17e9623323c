//! How the records of manifests are kept.

use alloc::vec::Vec;

use super::{DirectoryError, name::RECORDS, sealed};
use crate::{ManifestRecord, codec::several};

pub(super) fn encode(records: &[ManifestRecord]) -> Vec<u8> {
    sealed::seal(|w| {
        w.array(records.len());
        for record in records {
            record.write(w);
        }
    })
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<ManifestRecord>, DirectoryError> {
    sealed::open(RECORDS, bytes, |reader| {
        let count = reader.array("records of manifests")?;
        several(count, || ManifestRecord::read(reader))
    })
}
