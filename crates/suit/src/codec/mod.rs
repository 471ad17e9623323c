//! The elements of an envelope, one per module, each decoded from and encoded to its CDDL.

mod command;
mod common;
mod coswid;
mod envelope;
mod label;
mod manifest;
mod metadata;
mod mud;
mod parameter;
mod section;
mod sequence;
mod text;
mod version;
mod wait;

pub use command::{Action, Command, Condition, IndexArgument, Located, ReportingPolicy};
pub use common::{Common, Dependency};
pub use coswid::{ConciseSwidTag, Entity, TagId};
pub(crate) use envelope::element_name;
pub use envelope::{Envelope, Severed};
pub(crate) use manifest::SHARED;
pub use manifest::{Manifest, Severable};
pub use metadata::{ActorId, ComponentMetadata, FileType, Permissions};
pub use mud::Mud;
pub(crate) use parameter::InForce;
pub use parameter::{Parameter, Parameters, fault_in_uri};
pub use section::Section;
pub use sequence::Sequence;
#[cfg(feature = "author")]
pub(crate) use text::VERSION_REQUIRED;
pub use text::{LanguageText, Text, TextEntries};
pub use version::{Comparison, Version, VersionError, VersionMatch};
pub use wait::{WaitEvent, WaitInfo};

pub(crate) use label::{
    command as command_label, common as common_label, envelope as envelope_label,
    manifest as manifest_label, metadata as metadata_label, parameter as parameter_label,
    wait_event as wait_event_label,
};

use alloc::vec::Vec;

use tamarack_cose::cbor::{self, DecodeError, Problem, Reader};

use crate::Limits;

/// Opens the content of a byte string on its own: it must be exactly one acceptable item.
// req: SUIT-FMT-003, SUIT-FMT-006
pub(crate) fn open<'a>(
    content: &'a [u8],
    limits: &Limits,
    rule: &'static str,
) -> Result<Reader<'a>, DecodeError> {
    cbor::check(content, &limits.cbor()).map_err(|error| error.under(rule))?;
    Ok(Reader::new(content))
}

/// Takes a byte string and opens what it wraps, with offsets that count in the outer item.
// req: SUIT-FMT-003, SUIT-FMT-006
pub(crate) fn enter<'a>(
    reader: &mut Reader<'a>,
    limits: &Limits,
    rule: &'static str,
) -> Result<Reader<'a>, DecodeError> {
    reader.enter(&limits.cbor(), rule)
}

/// Reads `count` things, of which there are no more than bytes that passed the door.
pub(crate) fn several<T>(
    count: usize,
    mut read: impl FnMut() -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(read()?);
    }
    Ok(list)
}

/// Lets through how many entries a list or map has, if that is within the limit.
pub(crate) fn bounded(
    count: usize,
    limits: &Limits,
    reader: &Reader<'_>,
    rule: &'static str,
) -> Result<usize, DecodeError> {
    match count <= limits.entries {
        true => Ok(count),
        false => Err(reader.error(rule, Problem::OutOfBounds("the limit on entries"))),
    }
}

/// An error for a map label that must not stand where it does.
pub(crate) fn unknown_label(reader: &Reader<'_>, rule: &'static str) -> DecodeError {
    reader.error(rule, Problem::Expected("a label that this map defines"))
}

/// The label of the software identification tag.
#[cfg(feature = "author")]
pub(crate) const COSWID: i64 = label::manifest::COSWID;
/// The label of the text element.
#[cfg(feature = "author")]
pub(crate) const TEXT: i64 = label::manifest::TEXT;
