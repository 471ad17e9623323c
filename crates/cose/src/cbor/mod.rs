//! The strict CBOR door, and the reader and writer behind it.
//!
//! [`check`] validates bytes from outside before anything decodes them; a [`Reader`] then takes the
//! items apart with errors that say where and by which rule; a [`Writer`] produces deterministic
//! encodings. Digests and signatures are always computed over the bytes as received, which
//! [`Reader::raw`] hands out.

mod definite;
mod door;
mod error;
mod reader;
mod writer;

pub use definite::to_definite;
pub use door::{Limits, check};
pub use error::{DecodeError, Problem, Violation, in_words};
pub use reader::{Reader, Type};
pub use writer::Writer;

/// Renders one well-formed CBOR item in diagnostic notation (RFC 8949 section 8).
///
/// Meant for people: the text is not bounded in size beyond the input's.
#[cfg(feature = "diagnostic")]
#[must_use]
pub fn diagnostic(bytes: &[u8]) -> alloc::string::String {
    alloc::format!("{}", minicbor::display(bytes))
}
