use alloc::vec::Vec;

use super::{
    Reader, Writer,
    error::{DecodeError, Problem},
    writer::sorted,
};

/// Bounds on one CBOR item that comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest accepted input, in bytes.
    pub bytes: usize,
    /// Deepest accepted nesting of arrays, maps and tags; the outermost item is at depth 1.
    pub depth: usize,
}

impl Default for Limits {
    /// 1 MiB and 16 levels: an Update with integrated payloads fits, a bomb does not.
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: 16,
        }
    }
}

/// One item's head: major type, argument, and where its content starts.
pub(super) struct Head {
    pub(super) major: u8,
    /// `None` for an indefinite length or a break.
    pub(super) argument: Option<u64>,
    pub(super) content: usize,
}

/// The argument of the head at `at`, and where its content starts. `None` if it has none or is not well-formed;
/// [`head`] says which, and what is wrong.
#[inline]
pub(super) fn argument(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *bytes.get(at)?;
    let width = match first & 0x1f {
        // Most are of one byte.
        short @ ..24 => return Some((u64::from(short), at + 1)),
        info @ 24..28 => 1 << (info - 24),
        _ => return None,
    };
    let content = at + 1 + width;
    let raw = bytes.get(at + 1..content)?;
    let argument = raw
        .iter()
        .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    // Simple values of two bytes that have one byte, or are reserved.
    (first != 0xf8 || argument >= 32).then_some((argument, content))
}

/// Reads the head at `at`: one without an argument too.
pub(super) fn head(bytes: &[u8], at: usize) -> Result<Head, DecodeError> {
    let error = |problem| DecodeError::new(at, "cbor", problem);
    let Some(first) = bytes.get(at) else {
        return Err(error(Problem::Truncated));
    };
    let (major, info) = (first >> 5, first & 0x1f);
    let is_indefinite = info == 31 && matches!(major, 2..=5 | 7);
    match argument(bytes, at) {
        Some((argument, content)) => Ok(Head {
            major,
            argument: Some(argument),
            content,
        }),
        None if is_indefinite => Ok(Head {
            major,
            argument: None,
            content: at + 1,
        }),
        // With all its bytes, only a simple value can be wrong.
        None if info < 28 && (*first != 0xf8 || bytes.get(at + 1).is_none()) => {
            Err(error(Problem::Truncated))
        }
        None => Err(error(Problem::NotWellFormed)),
    }
}

/// Checks that `bytes` are exactly one acceptable CBOR item.
///
/// Acceptable means: well-formed (RFC 8949 section 5.3), definite lengths throughout, no duplicate map
/// key at any level, valid UTF-8 in text, no trailing bytes, and within `limits`. Byte strings are not
/// looked into. Takes memory only for maps whose keys are not in order, proportional to the keys that are
/// really there, and O(n log n) time for each level; a declared length alone costs nothing.
///
/// # Errors
///
/// The first violation, with its byte offset.
pub fn check(bytes: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    if bytes.len() > limits.bytes {
        let problem = Problem::TooLong {
            limit: limits.bytes,
        };
        return Err(DecodeError::new(limits.bytes, "cbor", problem));
    }
    let end = item_end(bytes, 0, limits.depth)?;
    if end == bytes.len() {
        Ok(())
    } else {
        Err(DecodeError::new(end, "cbor", Problem::TrailingBytes))
    }
}

/// Checks the item at `at`, within `depth` levels, and returns the offset of its end.
///
/// Recursive, but no deeper than `depth`.
#[inline]
fn item_end(bytes: &[u8], at: usize, depth: usize) -> Result<usize, DecodeError> {
    match short_end(bytes, at) {
        Some(end) => Ok(end),
        None => long_item_end(bytes, at, depth),
    }
}

/// The end of what most items are: an integer of one byte, or a byte string with a head of one byte.
#[inline]
fn short_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = match *bytes.get(at)? {
        0..=0x17 | 0x20..=0x37 => at + 1,
        first @ 0x40..=0x57 => at + 1 + usize::from(first - 0x40),
        _ => return None,
    };
    (end <= bytes.len()).then_some(end)
}

/// Checks the item at `at`, whatever it is.
#[inline(never)]
fn long_item_end(bytes: &[u8], at: usize, depth: usize) -> Result<usize, DecodeError> {
    let error = |problem| DecodeError::new(at, "cbor", problem);
    let (Some(first), Some((argument, content))) = (bytes.get(at), argument(bytes, at)) else {
        return Err(match head(bytes, at) {
            Ok(Head { major: 7, .. }) => error(Problem::NotWellFormed),
            Ok(_) => error(Problem::IndefiniteLength),
            Err(error) => error,
        });
    };
    let major = first >> 5;
    if let 0 | 1 | 7 = major {
        return Ok(content);
    }
    // Every byte of a string takes one, and every other item at least one: what is beyond is a lie.
    let left = bytes.len() - content;
    let argument = usize::try_from(argument).unwrap_or(usize::MAX);
    let most = match major {
        5 => left / 2,
        6 => usize::MAX,
        _ => left,
    };
    if argument > most {
        return Err(error(Problem::Truncated));
    }
    if let 2 | 3 = major {
        let end = content + argument;
        let text = bytes.get(content..end).unwrap_or_default();
        return match major == 3 && core::str::from_utf8(text).is_err() {
            true => Err(error(Problem::InvalidUtf8)),
            false => Ok(end),
        };
    }
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| error(Problem::TooDeep))?;
    match major {
        4 => items_end(bytes, content, argument, depth),
        5 => map_end(bytes, content, argument, depth),
        _ => item_end(bytes, content, depth),
    }
}

fn items_end(bytes: &[u8], start: usize, items: usize, depth: usize) -> Result<usize, DecodeError> {
    let mut at = start;
    for _ in 0..items {
        at = item_end(bytes, at, depth)?;
    }
    Ok(at)
}

/// Checks the `entries` of a map that start at `start`, and returns the offset of their end.
///
/// Deterministic encodings have their keys in order, which shows on the way that none occurs twice.
fn map_end(bytes: &[u8], start: usize, entries: usize, depth: usize) -> Result<usize, DecodeError> {
    let mut at = start;
    let mut last = None;
    let mut in_order = true;
    for _ in 0..entries {
        let end = item_end(bytes, at, depth)?;
        let key = meaning(bytes, at, end);
        in_order &= last.is_none_or(|last| last < key);
        last = Some(key);
        at = item_end(bytes, end, depth)?;
    }
    if !in_order {
        refuse_duplicates(bytes, start, entries)?;
    }
    Ok(at)
}

/// What a key means, whatever the width of its head: major type, argument, and what follows the head.
type Meaning<'a> = (u8, u64, &'a [u8]);

/// What the item from `at` to `end` means as a key. It has passed, so that it has an argument.
#[inline]
fn meaning(bytes: &[u8], at: usize, end: usize) -> Meaning<'_> {
    let first = bytes.get(at).copied().unwrap_or_default();
    let (argument, content) = argument(bytes, at).unwrap_or_default();
    let content = bytes.get(content..end).unwrap_or_default();
    (first >> 5, argument, content)
}

/// Most entries of a map whose keys are not in the order of their encodings: to compare them takes a copy of each.
const MOST_OUT_OF_ORDER: usize = 1 << 14;

/// Refuses a map in which two keys mean the same.
fn refuse_duplicates(bytes: &[u8], start: usize, entries: usize) -> Result<(), DecodeError> {
    if entries > MOST_OUT_OF_ORDER {
        let problem = Problem::OutOfBounds("16384 keys, unless they are in order");
        return Err(DecodeError::new(start, "cbor", problem));
    }
    let mut meanings = Vec::new();
    // The items are known to be good; what is nested in them is not looked at again.
    let mut reader = Reader::new(bytes.get(start..).unwrap_or_default());
    for _ in 0..entries {
        let at = start + reader.position();
        reader.skip("cbor")?;
        let (major, argument, content) = meaning(bytes, at, start + reader.position());
        let mut key = Writer::with_capacity(9 + content.len() + size_of_val(&at));
        key.head(major, argument).raw(content);
        // Of two that are the same, the second is the one too many.
        key.raw(&at.to_be_bytes());
        meanings.push(key.into_bytes());
        reader.skip("cbor")?;
    }
    let meanings = sorted(meanings);
    let mut last = None;
    for meaning in &meanings {
        let Some((meaning, at)) = meaning.split_last_chunk() else {
            continue;
        };
        if last == Some(meaning) {
            let at = usize::from_be_bytes(*at);
            return Err(DecodeError::new(at, "cbor", Problem::DuplicateKey));
        }
        last = Some(meaning);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn problem(bytes: &[u8]) -> Problem {
        check(bytes, &Limits::default()).unwrap_err().problem
    }

    #[test]
    fn accepts_the_common_shapes() {
        for bytes in [
            &[0x00][..],
            &[0x80],
            &[0xa0],
            &[0x82, 0x01, 0xa1, 0x14, 0x48, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0xd2, 0x84, 0x40, 0xa0, 0xf6, 0x40],
            &[0xf9, 0x3c, 0x00],
        ] {
            assert_eq!(check(bytes, &Limits::default()), Ok(()), "{bytes:02x?}");
        }
    }

    // req: TEEP-MSG-009
    // req: SUIT-FMT-003
    #[test]
    fn keys_out_of_order_are_compared_at_every_level() {
        let nested = |innermost: &[u8]| {
            let mut item = innermost.to_vec();
            for _ in 0..15 {
                // {2: item, 1: 0}
                item = [&[0xa2, 0x02][..], &item, &[0x01, 0x00]].concat();
            }
            check(&item, &Limits::default())
        };
        assert_eq!(nested(&[0xa3, 0x03, 0x00, 0x01, 0x00, 0x02, 0x00]), Ok(()));
        let twins = nested(&[0xa3, 0x03, 0x00, 0x01, 0x00, 0x03, 0x00]);
        assert_eq!(twins.unwrap_err().problem, Problem::DuplicateKey);
    }

    #[test]
    fn many_keys_are_in_order_or_refused() {
        let map = |keys: &mut dyn Iterator<Item = u64>, count| {
            Writer::build(|w| {
                w.map(count);
                for key in keys {
                    w.uint(key).null();
                }
            })
        };
        let most = MOST_OUT_OF_ORDER;
        let all = || 0..most as u64;
        assert_eq!(
            check(&map(&mut all().rev(), most), &Limits::default()),
            Ok(())
        );
        let more = || 0..=most as u64;
        assert_eq!(
            check(&map(&mut more(), most + 1), &Limits::default()),
            Ok(())
        );
        let refused = problem(&map(&mut more().rev(), most + 1));
        assert!(matches!(refused, Problem::OutOfBounds(_)), "{refused:?}");
    }

    #[test]
    fn refuses_duplicate_keys_at_any_level_and_head_width() {
        assert_eq!(
            problem(&[0xa2, 0x01, 0x00, 0x01, 0x00]),
            Problem::DuplicateKey
        );
        assert_eq!(
            problem(&[0xa2, 0x01, 0x00, 0x18, 0x01, 0x00]),
            Problem::DuplicateKey
        );
        assert_eq!(
            problem(&[0x81, 0xa2, 0x61, b'a', 0x00, 0x61, b'a', 0x00]),
            Problem::DuplicateKey
        );
        assert_eq!(
            check(&[0xa2, 0x01, 0x00, 0x20, 0x00], &Limits::default()),
            Ok(())
        );
    }

    // req: TEEP-MSG-009
    #[test]
    fn refuses_trailing_bytes() {
        let error = check(&[0x80, 0x00], &Limits::default()).unwrap_err();
        assert_eq!((error.offset, error.problem), (1, Problem::TrailingBytes));
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        assert_eq!(problem(&[]), Problem::Truncated);
        assert_eq!(problem(&[0x1c]), Problem::NotWellFormed);
        assert_eq!(problem(&[0xff]), Problem::NotWellFormed);
        assert_eq!(problem(&[0xf8, 0x10]), Problem::NotWellFormed);
        assert_eq!(problem(&[0x9f, 0xff]), Problem::IndefiniteLength);
        assert_eq!(problem(&[0x61, 0xff]), Problem::InvalidUtf8);
    }

    #[test]
    fn a_declared_length_of_two_to_the_63_is_refused_without_allocating() {
        for first in [0x5b, 0x7b, 0x9b, 0xbb] {
            assert_eq!(
                problem(&[first, 0x80, 0, 0, 0, 0, 0, 0, 0, 1]),
                Problem::Truncated
            );
        }
    }

    #[test]
    fn ten_thousand_levels_are_refused() {
        assert_eq!(problem(&vec![0x81; 10_000]), Problem::TooDeep);
    }

    #[test]
    fn every_truncation_is_refused() {
        let whole = [0x82, 0x01, 0xa1, 0x14, 0x48, 1, 2, 3, 4, 5, 6, 7, 8];
        for end in 0..whole.len() {
            assert_eq!(problem(&whole[..end]), Problem::Truncated, "cut at {end}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..256)) {
            let _ = check(&bytes, &Limits::default());
        }
    }
}
