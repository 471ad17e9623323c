use alloc::{collections::BinaryHeap, vec::Vec};

use super::error::{DecodeError, Problem};

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

/// Reads the head at `at`.
pub(super) fn head(bytes: &[u8], at: usize) -> Result<Head, DecodeError> {
    let error = |problem| DecodeError::new(at, "cbor", problem);
    let &first = bytes.get(at).ok_or(error(Problem::Truncated))?;
    let (major, info) = (first >> 5, first & 0x1f);
    let width = match info {
        0..=23 => {
            return Ok(Head {
                major,
                argument: Some(u64::from(info)),
                content: at + 1,
            });
        }
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        31 if (2..=5).contains(&major) || major == 7 => {
            return Ok(Head {
                major,
                argument: None,
                content: at + 1,
            });
        }
        _ => return Err(error(Problem::NotWellFormed)),
    };
    let content = at + 1 + width;
    let raw = bytes
        .get(at + 1..content)
        .ok_or(error(Problem::Truncated))?;
    let argument = raw
        .iter()
        .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    if major == 7 && width == 1 && argument < 32 {
        return Err(error(Problem::NotWellFormed));
    }
    Ok(Head {
        major,
        argument: Some(argument),
        content,
    })
}

/// A container whose items are still being read.
struct Open {
    /// Items still to come: for a map, keys and values.
    remaining: u64,
    /// For a map: the keys seen so far, as ranges of their encodings.
    keys: Option<Vec<(usize, usize)>>,
    /// For a map: where the key being read starts.
    key_start: usize,
}

impl Open {
    fn new(remaining: u64, keys: Option<Vec<(usize, usize)>>) -> Self {
        Self {
            remaining,
            keys,
            key_start: 0,
        }
    }

    /// An item of this container starts at `at`.
    fn item_starts(&mut self, at: usize) {
        if self.remaining.is_multiple_of(2) {
            self.key_start = at;
        }
    }

    /// The item that was being read ends before `end`.
    fn item_ends(&mut self, end: usize) {
        self.remaining = self.remaining.saturating_sub(1);
        let was_key = !self.remaining.is_multiple_of(2);
        if let (true, Some(keys)) = (was_key, &mut self.keys) {
            keys.push((self.key_start, end));
        }
    }
}

/// Checks that `bytes` are exactly one acceptable CBOR item.
///
/// Acceptable means: well-formed (RFC 8949 section 5.3), definite lengths throughout, no duplicate map
/// key at any level, valid UTF-8 in text, no trailing bytes, and within `limits`. Byte strings are not
/// looked into. Runs in O(n log n) time and in memory proportional to the map keys that the input
/// really holds; a declared length alone costs nothing.
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
    let end = item_end(bytes, limits.depth)?;
    if end == bytes.len() {
        Ok(())
    } else {
        Err(DecodeError::new(end, "cbor", Problem::TrailingBytes))
    }
}

/// Checks the item at the start of `bytes` and returns the offset of its end.
fn item_end(bytes: &[u8], depth: usize) -> Result<usize, DecodeError> {
    let mut stack: Vec<Open> = Vec::new();
    let mut at = 0;
    loop {
        if let Some(container) = stack.last_mut() {
            container.item_starts(at);
        }
        let start = at;
        let error = |problem| DecodeError::new(start, "cbor", problem);
        let head = head(bytes, at)?;
        let Some(argument) = head.argument else {
            let is_break = head.major == 7;
            return Err(error(if is_break {
                Problem::NotWellFormed
            } else {
                Problem::IndefiniteLength
            }));
        };
        at = head.content;
        let left = bytes.len() - at;
        let opened = match head.major {
            2 | 3 => {
                let length = usize::try_from(argument).unwrap_or(usize::MAX);
                let content = at.checked_add(length).and_then(|end| bytes.get(at..end));
                let content = content.ok_or(error(Problem::Truncated))?;
                if head.major == 3 && core::str::from_utf8(content).is_err() {
                    return Err(error(Problem::InvalidUtf8));
                }
                at += length;
                None
            }
            // Every item takes at least a byte, so a count beyond what is left is a lie.
            4 if argument > left as u64 => return Err(error(Problem::Truncated)),
            5 if argument > left as u64 / 2 => return Err(error(Problem::Truncated)),
            4 => Some(Open::new(argument, None)),
            5 => Some(Open::new(argument * 2, Some(Vec::new()))),
            6 => Some(Open::new(1, None)),
            _ => None,
        };
        if let Some(container) = opened {
            if stack.len() >= depth {
                return Err(error(Problem::TooDeep));
            }
            if container.remaining > 0 {
                stack.push(container);
                continue;
            }
        }
        // The item ended, and with it perhaps the containers whose last item it was.
        loop {
            let Some(container) = stack.last_mut() else {
                return Ok(at);
            };
            container.item_ends(at);
            if container.remaining > 0 {
                break;
            }
            if let Some(keys) = container.keys.take() {
                refuse_duplicates(bytes, keys)?;
            }
            stack.pop();
        }
    }
}

/// Refuses a map in which two keys mean the same, whatever the width of their heads.
fn refuse_duplicates(bytes: &[u8], keys: Vec<(usize, usize)>) -> Result<(), DecodeError> {
    let mut meanings = keys
        .into_iter()
        .map(|(start, end)| {
            let head = head(bytes, start)?;
            let content = bytes.get(head.content..end).unwrap_or_default();
            Ok((head.major, head.argument, content, start))
        })
        .collect::<Result<Vec<_>, DecodeError>>()?;
    // Deterministic encodings have their keys in order. A heap takes a fraction of the code of a sort.
    if !meanings.is_sorted() {
        meanings = BinaryHeap::from(meanings).into_sorted_vec();
    }
    let twin = meanings
        .iter()
        .zip(meanings.iter().skip(1))
        .find(|(a, b)| (a.0, a.1, a.2) == (b.0, b.1, b.2));
    match twin {
        Some((_, second)) => Err(DecodeError::new(second.3, "cbor", Problem::DuplicateKey)),
        None => Ok(()),
    }
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
    fn ten_thousand_levels_are_refused_without_recursion() {
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
