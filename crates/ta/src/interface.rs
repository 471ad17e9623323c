//! The contract between a TA and the TEE: ABI version 1.
//!
//! A TA written in Rust needs nothing of this module; TEEs and SDKs for other languages do.
//!
//! # What a TA exports
//!
//! | Export | Type | Meaning |
//! |---|---|---|
//! | `memory` | memory | the TA's only memory |
//! | `tee_abi_v1` | `() -> ()` | never called; its name states the ABI version |
//! | `tee_create` | `() -> i32` | create the instance |
//! | `tee_open_session` | `(input_len: i32) -> i32` | open the session |
//! | `tee_invoke_command` | `(command: i32, input_len: i32) -> i32` | handle a command |
//! | `tee_close_session` | `() -> ()` | close the session |
//! | `tee_destroy` | `() -> ()` | end the instance |
//!
//! The `i32` results are [result codes](crate::ResultCode). Other exports are allowed and ignored.
//!
//! # What a TA may import, all from module `tee`
//!
//! | Import | Type |
//! |---|---|
//! | `take` | `(to: i32, len: i32) -> i32` |
//! | `output` | `(from: i32, len: i32) -> i32` |
//! | `object_read` | `(name: i32, name_len: i32) -> i64` |
//! | `object_write` | `(name: i32, name_len: i32, data: i32, data_len: i32) -> i32` |
//! | `object_delete` | `(name: i32, name_len: i32) -> i32` |
//! | `object_list` | `() -> i64` |
//! | `personalization_read` | `(name: i32, name_len: i32) -> i64` |
//! | `key_generate` | `(name: i32, name_len: i32, algorithm: i32) -> i32` |
//! | `key_public` | `(name: i32, name_len: i32) -> i64` |
//! | `key_sign` | `(name: i32, name_len: i32, data: i32, data_len: i32) -> i64` |
//! | `key_delete` | `(name: i32, name_len: i32) -> i32` |
//! | `random` | `(to: i32, len: i32) -> ()` |
//! | `time` | `() -> i64` |
//! | `log` | `(text: i32, len: i32) -> ()` |
//!
//! Addresses and lengths are unsigned. A range that is not inside the TA's memory is a programming error
//! and traps: the session dies.
//!
//! # Bytes into the TA
//!
//! The TEE never writes into a TA's memory unasked. It lays the bytes on a tray and tells their length: as
//! `input_len`, or in an `i64` answer. The TA makes room and calls `take` with that length, which empties
//! the tray; [`BAD_PARAMETERS`](crate::ResultCode::BAD_PARAMETERS) if the lengths differ. Every call that answers `i64`
//! replaces what lies on the tray.
//!
//! An `i64` answer holds a [result code](crate::ResultCode) in its upper and the length in its lower half:
//! see [`Answer`].
//!
//! # Bytes out of the TA
//!
//! `output` sets the output of the running command; a second call replaces the first. It is
//! delivered only if the command returns success.

/// The version of the ABI that this crate speaks.
pub const ABI_VERSION: u32 = 1;

/// The only module a TA may import from.
pub const IMPORT_MODULE: &str = "tee";

/// What precedes the version in the name of the export that states it.
pub const ABI_EXPORT_PREFIX: &str = "tee_abi_v";

/// The most bytes in the name of an object, a key or personalization data; the least is 1.
pub const MAX_NAME_LEN: usize = 64;

/// The most bytes of a log line that the TEE keeps; the rest is cut.
pub const MAX_LOG_LEN: usize = 256;

/// COSE's number for ECDSA with SHA-256 on P-256 (ESP256), the `algorithm` of `key_generate`.
pub const ALGORITHM_ESP256: i32 = -9;

/// What a service that returns data answers: how it went, and how many bytes lie on the tray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub code: crate::ResultCode,
    /// Bytes on the tray; 0 unless `code` is success.
    pub len: u32,
}

impl Answer {
    /// The `i64` that crosses the boundary.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.code.0) << 32 | u64::from(self.len)
    }

    /// Reads the `i64` that crossed the boundary.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = bits.to_be_bytes();
        Self {
            code: crate::ResultCode(u32::from_be_bytes([a, b, c, d])),
            len: u32::from_be_bytes([e, f, g, h]),
        }
    }
}

/// Whether `name` may name an object, a key or personalization data.
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len())
}

/// Writes names the way `object_list` answers them: each is one length byte and then its bytes.
///
/// Names that are not [valid](is_valid_name) are left out.
#[must_use]
pub fn encode_names<'a>(names: impl IntoIterator<Item = &'a str>) -> alloc::vec::Vec<u8> {
    let mut bytes = alloc::vec::Vec::new();
    for name in names.into_iter().filter(|name| is_valid_name(name)) {
        if let Ok(len) = u8::try_from(name.len()) {
            bytes.push(len);
            bytes.extend_from_slice(name.as_bytes());
        }
    }
    bytes
}

/// Reads what [`encode_names`] wrote; `None` if it is not that.
#[must_use]
pub fn decode_names(mut bytes: &[u8]) -> Option<alloc::vec::Vec<alloc::string::String>> {
    let mut names = alloc::vec::Vec::new();
    while let Some((&len, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(len))?;
        names.push(core::str::from_utf8(name).ok()?.into());
        bytes = rest;
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResultCode;

    #[test]
    fn answers_survive_the_boundary() {
        for code in [
            ResultCode::SUCCESS,
            ResultCode::ITEM_NOT_FOUND,
            ResultCode(1),
        ] {
            for len in [0, 1, u32::MAX] {
                let answer = Answer { code, len };
                assert_eq!(Answer::from_bits(answer.to_bits()), answer);
            }
        }
    }

    #[test]
    fn names_survive_the_boundary() {
        let names = ["a", "counter", "ü"];
        assert_eq!(decode_names(&encode_names(names)).unwrap(), names);
        assert_eq!(decode_names(&[]).unwrap().len(), 0);
        assert_eq!(decode_names(&[3, b'a']), None);
        assert_eq!(decode_names(&[1, 0xFF]), None);
    }
}
