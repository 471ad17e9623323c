use alloc::{borrow::Cow, vec::Vec};

use super::{
    DecodeError, Limits, Problem,
    door::{check, head},
};

/// Rewrites indefinite-length items as definite ones and passes the result through [`check`].
///
/// TEEP demands no canonical form of its messages, so a receiver takes indefinite lengths too
/// (requirement TEEP-MSG-010), while every decoder behind the door meets definite lengths only. Input
/// that is definite already is borrowed, not copied. A rewritten form must never be hashed or verified.
///
/// # Errors
///
/// As [`check`]; offsets then count in the rewritten form.
pub fn to_definite<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, DecodeError> {
    match check(bytes, limits) {
        Ok(()) => Ok(Cow::Borrowed(bytes)),
        Err(error) if error.problem == Problem::IndefiniteLength => {
            let rewritten = rewrite(bytes, limits)?;
            check(&rewritten, limits)?;
            Ok(Cow::Owned(rewritten))
        }
        Err(error) => Err(error),
    }
}

/// What the item at hand is part of.
enum Frame {
    /// An array, map or tag of definite length with so many items to come.
    Definite(u64),
    /// An indefinite container: major type, where its head goes in the output, items so far.
    Indefinite { major: u8, start: usize, items: u64 },
    /// An indefinite string: major type, where its head goes in the output.
    Chunks { major: u8, start: usize },
}

fn rewrite(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut stack: Vec<Frame> = Vec::new();
    let mut at = 0;
    loop {
        let start = at;
        let error = |problem| DecodeError::new(start, "cbor", problem);
        let head = head(bytes, at)?;
        let chunk_of = match stack.last() {
            Some(Frame::Chunks { major, .. }) => Some(*major),
            _ => None,
        };
        let mut ended = true;
        at = head.content;
        match (head.major, head.argument) {
            (7, None) => match stack.pop() {
                Some(Frame::Indefinite {
                    major,
                    start,
                    items,
                }) => {
                    let pairs = major == 5;
                    if pairs && !items.is_multiple_of(2) {
                        return Err(error(Problem::NotWellFormed));
                    }
                    insert_head(
                        &mut out,
                        start,
                        major,
                        if pairs { items / 2 } else { items },
                    );
                }
                Some(Frame::Chunks { major, start }) => {
                    let length = out.len() - start;
                    insert_head(&mut out, start, major, length as u64);
                }
                _ => return Err(error(Problem::NotWellFormed)),
            },
            (major, None) => {
                if chunk_of.is_some() {
                    return Err(error(Problem::NotWellFormed));
                }
                let start = out.len();
                stack.push(match major {
                    2 | 3 => Frame::Chunks { major, start },
                    _ => Frame::Indefinite {
                        major,
                        start,
                        items: 0,
                    },
                });
                ended = false;
            }
            (major @ (2 | 3), Some(length)) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let end = at
                    .checked_add(length)
                    .ok_or_else(|| error(Problem::Truncated))?;
                let content = bytes
                    .get(at..end)
                    .ok_or_else(|| error(Problem::Truncated))?;
                match chunk_of {
                    None => out.extend_from_slice(bytes.get(start..at).unwrap_or_default()),
                    Some(outer) if outer == major => {}
                    Some(_) => return Err(error(Problem::NotWellFormed)),
                }
                out.extend_from_slice(content);
                at = end;
                ended = chunk_of.is_none();
            }
            _ if chunk_of.is_some() => return Err(error(Problem::NotWellFormed)),
            (major, Some(argument)) => {
                out.extend_from_slice(bytes.get(start..at).unwrap_or_default());
                let items = match major {
                    4 => argument,
                    5 => argument.saturating_mul(2),
                    6 => 1,
                    _ => 0,
                };
                if items > 0 {
                    stack.push(Frame::Definite(items));
                    ended = false;
                }
            }
        }
        if stack.len() > limits.depth {
            return Err(error(Problem::TooDeep));
        }
        if !ended {
            continue;
        }
        loop {
            match stack.last_mut() {
                None if at == bytes.len() => return Ok(out),
                None => return Err(DecodeError::new(at, "cbor", Problem::TrailingBytes)),
                Some(Frame::Definite(items)) => {
                    *items -= 1;
                    if *items > 0 {
                        break;
                    }
                    stack.pop();
                }
                Some(Frame::Indefinite { items, .. }) => {
                    *items += 1;
                    break;
                }
                Some(Frame::Chunks { .. }) => break,
            }
        }
    }
}

fn insert_head(out: &mut Vec<u8>, at: usize, major: u8, argument: u64) {
    let mut head = super::Writer::new();
    head.head(major, argument);
    out.splice(at..at, head.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: TEEP-MSG-010
    #[test]
    fn indefinite_items_become_definite() {
        // [_ 1, (_ h'01', h'02'), {_ "a": (_ "x", "y")}]
        let bytes = [
            0x9f, 0x01, 0x5f, 0x41, 0x01, 0x41, 0x02, 0xff, 0xbf, 0x61, b'a', 0x7f, 0x61, b'x',
            0x61, b'y', 0xff, 0xff, 0xff,
        ];
        let definite = to_definite(&bytes, &Limits::default()).unwrap();
        let expected = [
            0x83, 0x01, 0x42, 0x01, 0x02, 0xa1, 0x61, b'a', 0x62, b'x', b'y',
        ];
        assert_eq!(&*definite, expected);
    }

    #[test]
    fn what_is_definite_is_borrowed() {
        let bytes = [0x82, 0x01, 0xa0];
        assert!(matches!(
            to_definite(&bytes, &Limits::default()),
            Ok(Cow::Borrowed(_))
        ));
    }

    #[test]
    fn malformed_indefinite_items_are_refused() {
        for bytes in [
            &[0x9f, 0x01][..],
            &[0xbf, 0x01, 0xff],
            &[0x5f, 0x61, b'a', 0xff],
            &[0x5f, 0x5f, 0xff, 0xff],
            &[0x82, 0x9f, 0xff],
            &[0x9f, 0xff, 0x00],
        ] {
            assert!(
                to_definite(bytes, &Limits::default()).is_err(),
                "{bytes:02x?}"
            );
        }
        assert!(to_definite(&[0x9f; 10_000], &Limits::default()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..256)) {
            let _ = to_definite(&bytes, &Limits::default());
        }
    }
}
