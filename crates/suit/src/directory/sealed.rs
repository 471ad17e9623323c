//! The form of the device's own files: a format number, the content, and a checksum.

use alloc::vec::Vec;

use tamarack_cose::cbor::{self, DecodeError, Problem, Reader, Writer};

use super::DirectoryError;

const FORMAT: u64 = 1;
const RULE: &str = "file of the device";

/// No file of the device's own is longer, in bytes.
pub(super) const MAX_LEN: usize = 4 << 20;

/// A file with this content, one CBOR item.
pub(super) fn seal(content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let content = Writer::build(content);
    Writer::build(|w| {
        w.array(3)
            .uint(FORMAT)
            .raw(&content)
            .uint(checksum(&content));
    })
}

/// Reads the content of the file at `path` with `read`.
///
/// A file that was damaged by accident is refused; who may write it can of course write it anew.
pub(super) fn open<T>(
    path: &'static str,
    bytes: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<T, DirectoryError> {
    let opened = || {
        let limits = cbor::Limits {
            bytes: MAX_LEN,
            depth: 8,
        };
        cbor::check(bytes, &limits)?;
        let mut reader = Reader::new(bytes);
        reader.array_of(3, "an array of format, content and checksum", RULE)?;
        if reader.uint(RULE)? != FORMAT {
            return Err(reader.error(RULE, Problem::OutOfBounds("format 1")));
        }
        let content = reader.raw(RULE)?;
        if reader.uint(RULE)? != checksum(content) {
            return Err(reader.error(RULE, Problem::OutOfBounds("the content's checksum")));
        }
        reader.end(RULE)?;
        let mut reader = Reader::new(content);
        let value = read(&mut reader)?;
        reader.end(RULE)?;
        Ok(value)
    };
    opened().map_err(|error| DirectoryError::Damaged { path, error })
}

/// FNV-1a of 64 bits. Each step is a bijection, so a change of a single byte never goes unnoticed.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damage_of_one_byte_and_every_shortening_is_noticed() {
        let read = |bytes: &[u8]| open("x", bytes, |reader| reader.text("x").map(Vec::from));
        let sealed = seal(|w| {
            w.text("what has to be kept");
        });
        assert_eq!(read(&sealed).as_deref(), Ok(&b"what has to be kept"[..]));
        for at in 0..sealed.len() {
            assert!(read(&sealed[..at]).is_err());
            for flip in 1..=255 {
                let mut damaged = sealed.clone();
                damaged[at] ^= flip;
                assert!(read(&damaged).is_err(), "byte {at} with {flip:02x}");
            }
        }
        assert!(read(&[sealed, alloc::vec![0]].concat()).is_err());
        assert_eq!(checksum(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
