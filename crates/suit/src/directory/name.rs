//! How components are named in the folder.
//!
//! A segment becomes a name: lower-case letters, digits, `-`, `_` and `.` stand as they are, an
//! upper-case letter is `!` and the lower-case one, every other byte `%` and two hexadecimal digits. So
//! is a dot at either end; the empty segment is `%`. Every segment but the last is a folder and ends in
//! `+`. Names are thereby plain ASCII, differ by more than case, are neither hidden nor `.` nor `..`, and
//! `acme` (a file) and `acme/hello` (a file in the folder `acme+`) exist side by side.

use alloc::string::String;

use super::DirectoryError;
use crate::ComponentId;

/// The folder of the device's own bookkeeping. No component is named like this: it begins with a dot.
pub(super) const PRIVATE: &str = ".suit";
/// New content, until it is committed.
pub(super) const STAGING: &str = ".suit/staging";
/// What is committed and may not be in its place yet.
pub(super) const JOURNAL: &str = ".suit/journal";
/// The journal before it counts.
pub(super) const NEW_JOURNAL: &str = ".suit/staging/journal";
/// The records of manifests.
pub(super) const RECORDS: &str = ".suit/records";

/// File names have at most 255 bytes on most file systems; the mark of folders and some reserve go off.
const MAX_NAME: usize = 240;

/// Whether every segment of an identifier can be a file name.
pub(super) fn fits(id: &ComponentId) -> bool {
    id.segments().all(|segment| name_len(segment) <= MAX_NAME)
}

/// Where the content of a component is kept.
pub(super) fn component(id: &ComponentId) -> Result<String, DirectoryError> {
    path_below(String::new(), id)
}

/// Where the envelope of a manifest is kept, which is the content of the manifest's component.
pub(super) fn envelope(id: &ComponentId) -> Result<String, DirectoryError> {
    path_below(".suit/envelopes/".into(), id)
}

/// A file in the staging folder.
pub(super) fn staged(number: u64) -> String {
    let mut path = String::from(".suit/staging/");
    push_decimal(&mut path, number);
    path
}

/// The folder that a path is in; `""` is the device's own.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The folders that a path leads through, from the outermost; without the device's own.
pub(super) fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .filter_map(|(end, _)| path.get(..end))
}

fn path_below(mut path: String, id: &ComponentId) -> Result<String, DirectoryError> {
    if !fits(id) {
        return Err(DirectoryError::NameTooLong(id.clone()));
    }
    let mut segments = id.segments().peekable();
    // The identifier without segments: a folder's mark with no name before it.
    if segments.peek().is_none() {
        path.push('+');
    }
    while let Some(segment) = segments.next() {
        push_name(&mut path, segment);
        if segments.peek().is_some() {
            path.push_str("+/");
        }
    }
    Ok(path)
}

/// How a byte of a segment is written.
enum Form {
    Plain,
    Shifted,
    Escaped,
}

fn form(segment: &[u8], at: usize, byte: u8) -> Form {
    match byte {
        b'.' if at == 0 || at + 1 == segment.len() => Form::Escaped,
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => Form::Plain,
        b'A'..=b'Z' => Form::Shifted,
        _ => Form::Escaped,
    }
}

fn name_len(segment: &[u8]) -> usize {
    let lengths = segment
        .iter()
        .enumerate()
        .map(|(at, byte)| match form(segment, at, *byte) {
            Form::Plain => 1,
            Form::Shifted => 2,
            Form::Escaped => 3,
        });
    lengths.sum()
}

fn push_name(path: &mut String, segment: &[u8]) {
    if segment.is_empty() {
        path.push('%');
    }
    for (at, byte) in segment.iter().enumerate() {
        match form(segment, at, *byte) {
            Form::Plain => path.push(char::from(*byte)),
            Form::Shifted => {
                path.push('!');
                path.push(char::from(byte.to_ascii_lowercase()));
            }
            Form::Escaped => {
                path.push('%');
                for digit in [byte >> 4, byte & 15] {
                    path.extend(char::from_digit(digit.into(), 16));
                }
            }
        }
    }
}

fn push_decimal(path: &mut String, number: u64) {
    if number >= 10 {
        push_decimal(path, number / 10);
    }
    path.extend(char::from_digit(
        u32::try_from(number % 10).unwrap_or_default(),
        10,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeMap, vec, vec::Vec};

    fn path(segments: &[&[u8]]) -> String {
        component(&ComponentId::new(segments).unwrap()).unwrap()
    }

    // req: SUIT-UPD-029
    #[test]
    fn identifiers_are_named_recognisably_and_harmlessly() {
        let cases: [(&[&[u8]], &str); 14] = [
            (&[b"acme", b"hello"], "acme+/hello"),
            (&[b"acme"], "acme"),
            (&[b"TEEP-Device", b"app.wasm"], "!t!e!e!p-!device+/app.wasm"),
            (&[], "+"),
            (&[b""], "%"),
            (&[b"", b""], "%+/%"),
            (&[b"."], "%2e"),
            (&[b"..", b"..", b"etc"], "%2e%2e+/%2e%2e+/etc"),
            (&[b".suit", b"records"], "%2esuit+/records"),
            (&[b"/etc/passwd"], "%2fetc%2fpasswd"),
            (&[b"a\0b"], "a%00b"),
            (&[b"a\\b%"], "a%5cb%25"),
            (&[b"a+", b"b!"], "a%2b+/b%21"),
            (&["é".as_bytes()], "%c3%a9"),
        ];
        for (segments, expected) in cases {
            assert_eq!(path(segments), expected);
        }
        assert_eq!(staged(0), ".suit/staging/0");
        assert_eq!(staged(1203), ".suit/staging/1203");
        assert_eq!(folders("a+/b+/c").collect::<Vec<_>>(), ["a+", "a+/b+"]);
        assert_eq!((parent("a+/b+/c"), parent("c")), ("a+/b+", ""));
    }

    // req: SUIT-UPD-029
    #[test]
    fn what_is_too_long_for_a_name_is_refused() {
        let id = |segment: &[u8]| ComponentId::new([segment]).unwrap();
        assert!(fits(&id(&[b'a'; 240])));
        for long in [&[b'a'; 241][..], &[b'A'; 121], &[0; 81]] {
            assert!(!fits(&id(long)));
            assert_eq!(
                component(&id(long)),
                Err(DirectoryError::NameTooLong(id(long)))
            );
        }
    }

    /// Every path to every segment of an identifier differs from all others, in any case.
    #[test]
    fn no_two_identifiers_share_a_path() {
        let bytes = [
            b'a', b'A', b'.', b'%', b'!', b'+', b'/', b'2', b'e', 0, 0x80,
        ];
        let mut segments = vec![vec![]];
        for one in bytes {
            segments.push(vec![one]);
            for two in bytes {
                segments.push(vec![one, two]);
                segments.push(vec![one, two, b'e']);
            }
        }
        let mut ids = vec![ComponentId::default()];
        for one in &segments {
            ids.push(ComponentId::new([one]).unwrap());
            ids.extend(
                segments
                    .iter()
                    .map(|two| ComponentId::new([one, two]).unwrap()),
            );
        }
        let mut files = BTreeMap::new();
        for id in ids {
            let path = component(&id).unwrap();
            for folder in folders(&path) {
                assert!(folder.ends_with('+') && folder.len() > 1, "{path}");
            }
            assert!(
                path.split('/')
                    .all(|name| !name.starts_with('.') && !name.is_empty())
            );
            assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
            assert_eq!(path, path.to_ascii_lowercase());
            assert_eq!(files.insert(path, id.clone()), None, "{id}");
        }
        // No file is a folder of another.
        for path in files.keys() {
            assert!(
                folders(path).all(|folder| !files.contains_key(folder)),
                "{path}"
            );
        }
    }
}
