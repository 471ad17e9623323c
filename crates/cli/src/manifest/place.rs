//! Where in a file something stands.

use std::path::Path;

use tamarack_cose::cbor::{DecodeError, Reader};
use tamarack_suit::{Envelope, explain};

use crate::failure::Failure;

/// The content of a byte string.
pub(super) fn content(item: &[u8]) -> &[u8] {
    Reader::new(item).bytes("byte string").unwrap_or_default()
}

/// A failure to decode an envelope: what is wrong, at which byte, and in which part.
pub(super) fn failure(path: &Path, bytes: &[u8], error: &DecodeError) -> Failure {
    let place = explain::locate(bytes, error.offset);
    let failure = match place.is_empty() {
        true => Failure::file(path, error),
        false => Failure::file(path, format!("{error}, in {place}")),
    };
    failure.hint("a SUIT envelope, in CBOR with or without tag 107, is expected")
}

/// The manifest's error, with its offset counted from the start of the file.
pub(super) fn in_file(bytes: &[u8], envelope: &Envelope<'_>, error: DecodeError) -> DecodeError {
    let content = content(envelope.manifest_item());
    // The envelope borrows from the file's bytes.
    let start = content
        .as_ptr()
        .addr()
        .saturating_sub(bytes.as_ptr().addr());
    error.shifted(start)
}
