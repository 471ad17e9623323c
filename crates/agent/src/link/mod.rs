//! The link: what crosses the boundary of the TEE.
//!
//! The broker calls, the TEE answers; both are CBOR arrays that start with a number. The same frames
//! cross a Unix socket to a TEE process, and can cross a session to a trusted kernel, an enclave call or a
//! serial line. How frames are delimited is the carrier's business.
//!
//! One call is under way at a time on a link. While the TEE works on
//! [`Call::ProcessTeepMessage`] it may ask for a payload with [`Reply::Fetch`]; the broker then sends
//! [`Call::FetchChunk`]s and ends with [`Call::FetchEnd`] or [`Call::FetchFailed`], after which the TEE
//! goes on.
//!
//! During [`Call::InvokeStreaming`] the TEE asks for each piece of the input with [`Reply::NextInput`]; the broker
//! answers with one [`Call::InputChunk`], or with [`Call::InputEnd`] or [`Call::InputFailed`], after which the TEE
//! asks no more. Pieces of the output, [`Reply::OutputChunk`], come at any time between, and the call ends with
//! [`Reply::Output`] or [`Reply::Failed`] as [`Call::Invoke`] does. So a Trusted Application that reads slowly holds
//! back the application that feeds it, and neither side keeps more than one piece. A broker that breaks off the
//! connection of a command gives the command up.

// Model A of RFC 9397 section 6.2: TEEP is spoken in the TEE, HTTP outside of it.
// req: TEEP-BROKER-002
mod call;
mod component;
mod reply;
mod tee;

use alloc::vec::Vec;

use tamarack_cose::cbor::{self, DecodeError, Limits, Problem, Reader};

pub use call::Call;
pub use component::{ComponentKind, InstalledComponent};
pub use reply::Reply;
pub use tee::TeeDescription;

/// Longest TEEP message that crosses the link, in bytes: an Update with payloads of some megabytes fits.
pub const MAX_MESSAGE: usize = 8 << 20;

/// Longest frame in bytes: the longest message with room to spare.
pub const MAX_FRAME: usize = MAX_MESSAGE + 64 * 1024;

/// Most bytes of a payload in one [`Call::FetchChunk`].
pub const FETCH_CHUNK: usize = 64 * 1024;

/// Most bytes of a command's input or output in one [`Call::InputChunk`] or [`Reply::OutputChunk`].
pub const STREAM_CHUNK: usize = FETCH_CHUNK;

const LIMITS: Limits = Limits {
    bytes: MAX_FRAME,
    depth: 8,
};

/// Opens a frame: checks it, reads its number, and compares the count of items after it.
fn open<'a>(
    bytes: &'a [u8],
    items: impl Fn(u64) -> Option<usize>,
) -> Result<(u64, Reader<'a>), DecodeError> {
    cbor::check(bytes, &LIMITS)?;
    let mut reader = Reader::new(bytes);
    let count = reader.array("link frame")?;
    let number = reader.uint("link frame / number")?;
    match items(number) {
        Some(items) if items + 1 == count => Ok((number, reader)),
        _ => Err(DecodeError::new(
            0,
            "link frame",
            Problem::Expected("a known frame"),
        )),
    }
}

fn uint32(reader: &mut Reader<'_>, rule: &'static str) -> Result<u32, DecodeError> {
    let error = reader.error(rule, Problem::OutOfBounds("32 bits"));
    u32::try_from(reader.uint(rule)?).map_err(|_| error)
}

/// A piece of a stream or of a payload. One without content would only keep the other side busy.
fn chunk(reader: &mut Reader<'_>, rule: &'static str) -> Result<Vec<u8>, DecodeError> {
    let error = reader.error(rule, Problem::OutOfBounds("1 to 65536 bytes"));
    let bytes = reader.bytes(rule)?;
    if (1..=STREAM_CHUNK).contains(&bytes.len()) {
        Ok(bytes.to_vec())
    } else {
        Err(error)
    }
}
