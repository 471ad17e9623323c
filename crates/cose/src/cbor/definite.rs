use alloc::borrow::Cow;

use super::{
    DecodeError, Limits, Problem, Writer,
    door::{Head, check, head},
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
            let mut rewritten = Writer::with_capacity(bytes.len());
            let end = rewrite(bytes, 0, limits.depth, &mut rewritten)?;
            if end != bytes.len() {
                return Err(DecodeError::new(end, "cbor", Problem::TrailingBytes));
            }
            let rewritten = rewritten.into_bytes();
            check(&rewritten, limits)?;
            Ok(Cow::Owned(rewritten))
        }
        Err(error) => Err(error),
    }
}

/// The one byte that ends an item of indefinite length.
const BREAK: u8 = 0xff;

/// Writes the item at `at` in its definite form and returns the offset of its end.
///
/// Recursive, but no deeper than `depth`. What an indefinite item holds is written apart first, so that its
/// head can say how much that is: a copy per level, of which there are few.
fn rewrite(
    bytes: &[u8],
    start: usize,
    depth: usize,
    out: &mut Writer,
) -> Result<usize, DecodeError> {
    let error = |problem| DecodeError::new(start, "cbor", problem);
    let first = head(bytes, start)?;
    let mut at = first.content;
    let string = |head: &Head| {
        let length = usize::try_from(head.argument?).ok()?;
        bytes.get(head.content..head.content.checked_add(length)?)
    };
    let inside = || depth.checked_sub(1).ok_or_else(|| error(Problem::TooDeep));
    match (first.major, first.argument) {
        (2 | 3, Some(_)) => {
            at += string(&first)
                .ok_or_else(|| error(Problem::Truncated))?
                .len();
            out.raw(bytes.get(start..at).unwrap_or_default());
        }
        (major, Some(argument)) => {
            out.raw(bytes.get(start..at).unwrap_or_default());
            let items = match major {
                4 => argument,
                5 => argument.saturating_mul(2),
                6 => 1,
                _ => return Ok(at),
            };
            let inside = inside()?;
            // Each takes a byte at least, or there is an error.
            for _ in 0..items {
                at = rewrite(bytes, at, inside, out)?;
            }
        }
        (7, None) => return Err(error(Problem::NotWellFormed)),
        (major, None) => {
            let inside = inside()?;
            let mut parts = Writer::new();
            let mut length = 0;
            while bytes.get(at) != Some(&BREAK) {
                if let 2 | 3 = major {
                    let chunk = head(bytes, at)?;
                    let content = string(&chunk).filter(|_| chunk.major == major);
                    let content = content.ok_or_else(|| error(Problem::NotWellFormed))?;
                    parts.raw(content);
                    at = chunk.content + content.len();
                    length += content.len();
                } else {
                    at = rewrite(bytes, at, inside, &mut parts)?;
                    length += 1;
                }
            }
            at += 1;
            if major == 5 {
                if !length.is_multiple_of(2) {
                    return Err(error(Problem::NotWellFormed));
                }
                length /= 2;
            }
            out.head(major, length as u64).raw(&parts.into_bytes());
        }
    }
    Ok(at)
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
