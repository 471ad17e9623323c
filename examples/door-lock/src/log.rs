//! The log of decisions: append-only, chained by hashes, exported with a signature.
//!
//! Entries lie in segments of [`SEGMENT_ENTRIES`], of which the last [`SEGMENTS`] are kept. The hash of an entry covers the
//! hash before it, so whoever kept a segment can tell whether the next one follows it: nothing was left out, changed or
//! put in between.

use minicbor::{Decode, Encode};
use tamarack_ta::{
    ResultCode, String, Vec, cose, digest, format,
    keys::SigningKey,
    objects::{self, Object, Seek, Storage},
};

use crate::{Decision, credential::MAX_ID_LEN};

/// Entries in a full segment.
pub const SEGMENT_ENTRIES: u32 = 64;

/// Segments that are kept.
pub const SEGMENTS: u32 = 16;

/// A decision, as a CBOR array.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Entry {
    /// Its number: 0, 1, 2, …
    #[n(0)]
    pub number: u64,
    /// Seconds since 1970.
    #[n(1)]
    pub time: u64,
    /// The credential's id, as it was presented, cut to [`MAX_ID_LEN`] bytes.
    #[n(2)]
    pub id: String,
    /// The [`Decision`], as a number.
    #[n(3)]
    pub decision: u8,
}

/// A segment as it is exported, a CBOR array.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Segment {
    /// Its number: 0, 1, 2, …
    #[n(0)]
    pub number: u32,
    /// The hash before its first entry; 32 zeros for the first of all.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub before: [u8; 32],
    /// The entries, one behind the other.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub entries: Vec<u8>,
    /// The hash of its last entry.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub after: [u8; 32],
}

/// Where the log ends, stored under the name `log`.
#[derive(Default, Encode, Decode)]
#[cbor(array)]
struct End {
    /// Entries ever written.
    #[n(0)]
    entries: u64,
    /// The hash of the last one.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    hash: [u8; 32],
}

/// The hash of an entry: SHA-256 of the hash before and the encoded entry.
///
/// # Errors
///
/// Those of the TEE.
pub fn hash(before: &[u8; 32], entry: &[u8]) -> Result<[u8; 32], ResultCode> {
    digest::sha256(&[before, entry].concat())
}

fn encode(value: impl Encode<()>) -> Result<Vec<u8>, ResultCode> {
    minicbor::to_vec(value).map_err(|_| ResultCode::GENERIC)
}

fn end() -> Result<End, ResultCode> {
    match objects::read("log") {
        Ok(bytes) => minicbor::decode(&bytes).map_err(|_| ResultCode::CORRUPT_OBJECT),
        Err(ResultCode::ITEM_NOT_FOUND) => Ok(End::default()),
        Err(other) => Err(other),
    }
}

fn segment_of(entry: u64) -> Result<u32, ResultCode> {
    u32::try_from(entry / u64::from(SEGMENT_ENTRIES)).map_err(|_| ResultCode::OVERFLOW)
}

fn name_of(segment: u32) -> String {
    format!("log/{segment}")
}

fn cut(id: &str) -> &str {
    let end = (0..=MAX_ID_LEN.min(id.len())).rfind(|end| id.is_char_boundary(*end));
    id.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// Appends a decision. A segment begins with the hash before it.
///
/// # Errors
///
/// Those of the storage.
pub fn append(time: u64, id: &str, decision: Decision) -> Result<(), ResultCode> {
    let end = end()?;
    let entry = encode(Entry {
        number: end.entries,
        time,
        id: cut(id).into(),
        decision: decision as u8,
    })?;
    let segment = segment_of(end.entries)?;
    if end.entries % u64::from(SEGMENT_ENTRIES) == 0 {
        objects::create_new(&name_of(segment), &end.hash)?;
        if let Some(oldest) = segment.checked_sub(SEGMENTS) {
            objects::delete(&name_of(oldest))?;
        }
    }
    let mut object = Object::open(Storage::Private, &name_of(segment))?;
    object.seek(Seek::End(0))?;
    object.write(&entry)?;
    let end = End {
        entries: end.entries + 1,
        hash: hash(&end.hash, &entry)?,
    };
    objects::write("log", &encode(end)?)
}

/// The first segment that is kept, and the last.
///
/// # Errors
///
/// [`ResultCode::ITEM_NOT_FOUND`] while there are no entries; those of the storage.
pub fn segments() -> Result<(u32, u32), ResultCode> {
    let last = end()?.entries.checked_sub(1);
    let last = segment_of(last.ok_or(ResultCode::ITEM_NOT_FOUND)?)?;
    Ok(((last + 1).saturating_sub(SEGMENTS), last))
}

/// A segment, signed.
///
/// # Errors
///
/// [`ResultCode::ITEM_NOT_FOUND`] if it is not kept any more, or not there yet; those of the storage.
pub fn export(key: &SigningKey, number: u32) -> Result<Vec<u8>, ResultCode> {
    let bytes = objects::read(&name_of(number))?;
    let (before, entries) = bytes
        .split_first_chunk::<32>()
        .ok_or(ResultCode::CORRUPT_OBJECT)?;
    let mut after = *before;
    let mut rest = entries;
    while !rest.is_empty() {
        let mut items = minicbor::Decoder::new(rest);
        items.skip().map_err(|_| ResultCode::CORRUPT_OBJECT)?;
        let (entry, behind) = rest
            .split_at_checked(items.position())
            .ok_or(ResultCode::CORRUPT_OBJECT)?;
        after = hash(&after, entry)?;
        rest = behind;
    }
    let segment = Segment {
        number,
        before: *before,
        entries: entries.into(),
        after,
    };
    cose::sign1(key, &encode(segment)?)
}
