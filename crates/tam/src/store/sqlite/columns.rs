//! Between columns and values.

use base16ct::{lower::encode_string, mixed};
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use tamarack_cose::PublicKey;
use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_teep::Numbering;

use crate::{InstalledComponent, Timestamp, Ueid, store::StoreError};

pub(super) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(what.to_string())
}

/// Numbers that the database keeps are below 2^63: what is larger was refused on the way in.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(row: &Row<'_>, column: &str) -> Result<u64, StoreError> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| corrupt(format_args!("{column} is negative")))
}

pub(super) fn time(timestamp: Timestamp) -> i64 {
    integer(timestamp.0)
}

pub(super) fn timestamp(row: &Row<'_>, column: &str) -> Result<Timestamp, StoreError> {
    unsigned(row, column).map(Timestamp)
}

pub(super) fn ueid(bytes: Vec<u8>) -> Result<Ueid, StoreError> {
    Ueid::new(bytes).map_err(corrupt)
}

pub(super) fn component(text: &str) -> Result<ComponentId, StoreError> {
    text.parse().map_err(corrupt)
}

pub(super) fn key(bytes: &[u8]) -> Result<PublicKey, StoreError> {
    PublicKey::from_cose_key(bytes).map_err(corrupt)
}

pub(super) fn digest(algorithm: i64, bytes: &[u8]) -> Result<SuitDigest, StoreError> {
    // A device says what it has in digests of its own choice.
    SuitDigest::of_any(algorithm, bytes).ok_or_else(|| corrupt("a digest"))
}

pub(super) fn array<const N: usize>(row: &Row<'_>, column: &str) -> Result<[u8; N], StoreError> {
    let bytes: Vec<u8> = row.get(column)?;
    bytes
        .try_into()
        .map_err(|_| corrupt(format_args!("{column} has another length")))
}

/// Identifiers of 16 bytes, one after the other.
pub(super) fn uuids(row: &Row<'_>, column: &str) -> Result<Vec<[u8; 16]>, StoreError> {
    let bytes: Vec<u8> = row.get(column)?;
    match bytes.as_chunks() {
        (uuids, []) => Ok(uuids.to_vec()),
        _ => Err(corrupt(format_args!("{column} has another length"))),
    }
}

pub(super) fn numbering_name(numbering: Numbering) -> &'static str {
    match numbering {
        Numbering::Sparse => "sparse",
        Numbering::Compact => "compact",
    }
}

pub(super) fn numbering(name: &str) -> Result<Numbering, StoreError> {
    [Numbering::Sparse, Numbering::Compact]
        .into_iter()
        .find(|numbering| numbering_name(*numbering) == name)
        .ok_or_else(|| corrupt(format_args!("numbering {name:?}")))
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(corrupt)
}

pub(super) fn from_json<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(corrupt)
}

/// An entry of tc-list in the column `installed`.
#[derive(Serialize, Deserialize)]
struct Installed {
    component: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<(i64, String)>,
}

pub(super) fn installed_to_json(installed: &[InstalledComponent]) -> Result<String, StoreError> {
    let entries = installed.iter().map(|entry| Installed {
        component: entry.component.to_string(),
        digest: entry
            .digest
            .map(|d| (d.algorithm_id(), encode_string(d.bytes()))),
    });
    to_json(&entries.collect::<Vec<_>>())
}

pub(super) fn installed_from_json(text: &str) -> Result<Vec<InstalledComponent>, StoreError> {
    let entries: Vec<Installed> = from_json(text)?;
    let entries = entries.into_iter().map(|entry| {
        let digest = entry.digest.map(|(algorithm, bytes)| {
            digest(algorithm, &mixed::decode_vec(&bytes).unwrap_or_default())
        });
        Ok(InstalledComponent {
            component: component(&entry.component)?,
            digest: digest.transpose()?,
        })
    });
    entries.collect()
}
