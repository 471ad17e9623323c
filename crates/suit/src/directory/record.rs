//! How the records of manifests are kept.

use alloc::vec::Vec;

use super::{DirectoryError, name::RECORDS, sealed};
use crate::ManifestRecord;

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
        (0..reader.array("records of manifests")?)
            .map(|_| ManifestRecord::read(reader))
            .collect()
    })
}
