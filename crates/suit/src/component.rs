use alloc::{format, string::String, vec::Vec};
use core::{cmp::Ordering, fmt, str::FromStr};

use base16ct::HexDisplay;
use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

/// Names a component: a path of byte-string segments (`SUIT_Component_Identifier`).
///
/// At most [`MAX_SEGMENTS`](Self::MAX_SEGMENTS) segments and [`MAX_BYTES`](Self::MAX_BYTES) bytes in
/// all. The text form joins the segments with `/`; see [`Display`](#impl-Display-for-ComponentId).
///
/// ```
/// use tamarack_suit::ComponentId;
///
/// let id: ComponentId = "TEEP-Device/SecureFS/0x8d82573a926d4754935332dc29997f74/ta".parse()?;
/// assert_eq!(id.segments().count(), 4);
/// assert!(id.starts_with(&"TEEP-Device/SecureFS".parse()?));
/// assert_eq!(ComponentId::new(["a", "b"])?.to_string(), "a/b");
/// # Ok::<(), tamarack_suit::ComponentIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ComponentId {
    count: usize,
    /// The segments as shortest-form CBOR byte strings, one after the other. Because such encodings
    /// are prefix-free, equality and prefix tests on these bytes are tests on segments.
    encoded: Vec<u8>,
}

/// Why a component identifier could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentIdError {
    /// More than [`ComponentId::MAX_SEGMENTS`] segments.
    #[error(
        "a component identifier has at most {} segments",
        ComponentId::MAX_SEGMENTS
    )]
    TooManySegments,
    /// More than [`ComponentId::MAX_BYTES`] bytes.
    #[error("a component identifier has at most {} bytes", ComponentId::MAX_BYTES)]
    TooLong,
    /// A segment that starts with `0x` and does not go on with pairs of hexadecimal digits.
    #[error("a segment that starts with 0x goes on with pairs of hexadecimal digits")]
    Hex,
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("% is followed by two hexadecimal digits (%25 is a percent sign)")]
    Escape,
}

impl ComponentId {
    /// Most segments.
    pub const MAX_SEGMENTS: usize = 32;
    /// Most bytes over all segments, counting their CBOR heads.
    pub const MAX_BYTES: usize = 1024;

    /// An identifier of these segments.
    ///
    /// # Errors
    ///
    /// If there are too many, or they are too long.
    pub fn new<S: AsRef<[u8]>>(
        segments: impl IntoIterator<Item = S>,
    ) -> Result<Self, ComponentIdError> {
        segments
            .into_iter()
            .try_fold(Self::default(), |id, segment| id.joined(segment.as_ref()))
    }

    /// This identifier with one more segment at its end.
    ///
    /// # Errors
    ///
    /// If it gets too long.
    pub fn joined(mut self, segment: &[u8]) -> Result<Self, ComponentIdError> {
        if self.count >= Self::MAX_SEGMENTS {
            return Err(ComponentIdError::TooManySegments);
        }
        if self.encoded.len() + segment.len() + 3 > Self::MAX_BYTES {
            return Err(ComponentIdError::TooLong);
        }
        self.count += 1;
        let mut w = Writer::after(self.encoded);
        w.bytes(segment);
        self.encoded = w.into_bytes();
        Ok(self)
    }

    /// This identifier followed by all segments of `rest`.
    ///
    /// # Errors
    ///
    /// If it gets too long.
    pub fn followed_by(self, rest: &Self) -> Result<Self, ComponentIdError> {
        rest.segments().try_fold(self, Self::joined)
    }

    /// The segments, from the outermost.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let mut reader = Reader::new(&self.encoded);
        core::iter::from_fn(move || reader.bytes("component-identifier").ok())
    }

    /// Whether there is no segment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the first segments are those of `prefix`; every identifier starts with itself.
    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.encoded.starts_with(&prefix.encoded)
    }

    /// Reads a SUIT_Component_Identifier; `rule` names the production in errors.
    ///
    /// # Errors
    ///
    /// If the next item is no array of byte strings, or is beyond the bounds.
    pub fn read(reader: &mut Reader<'_>, rule: &'static str) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let mut id = Self::default();
        for _ in 0..reader.array(rule)? {
            id = id
                .joined(reader.bytes(rule)?)
                .map_err(|_| start.error(rule, Problem::OutOfBounds("32 segments, 1024 bytes")))?;
        }
        Ok(id)
    }

    /// The deterministic encoding by itself: a unique key for tables.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        Writer::build(|w| self.write(w))
    }

    /// Writes the SUIT_Component_Identifier.
    pub fn write(&self, w: &mut Writer) {
        self.write_with(0, w);
    }

    /// Writes an array of the segments and `further` items, which the caller writes.
    pub(crate) fn write_with(&self, further: usize, w: &mut Writer) {
        w.array(self.count + further).raw(&self.encoded);
    }
}

/// Whether a character is shown as it is: ASCII that prints, or a letter or digit of any script.
///
/// Everything else (control characters, direction marks, look-alike spaces) is escaped wherever input is
/// shown, so that it can't disturb a terminal or a log.
pub(crate) fn is_plain(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric())
}

/// A segment that is shown as text; others are shown in hexadecimal.
fn as_text(segment: &[u8]) -> Option<&str> {
    core::str::from_utf8(segment)
        .ok()
        .filter(|text| !text.is_empty() && text.chars().all(is_plain))
}

impl fmt::Display for ComponentId {
    /// Segments joined by `/`. Printable UTF-8 stands as it is, with `/` and `%` (and the first
    /// character of what would look like hexadecimal) escaped as `%xx`; other segments, and empty
    /// ones, are `0x` and hexadecimal digits. Parsing the text gives the same identifier.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.segments().enumerate() {
            if position > 0 {
                f.write_str("/")?;
            }
            let Some(text) = as_text(segment) else {
                f.write_str("0x")?;
                write!(f, "{:x}", HexDisplay(segment))?;
                continue;
            };
            let like_hex = text.starts_with("0x");
            for (at, c) in text.chars().enumerate() {
                match c {
                    '/' | '%' => write!(f, "%{:02x}", u32::from(c))?,
                    '0' if at == 0 && like_hex => f.write_str("%30")?,
                    _ => write!(f, "{c}")?,
                }
            }
        }
        Ok(())
    }
}

impl Ord for ComponentId {
    /// Segment by segment, so that what an identifier is a prefix of follows it.
    fn cmp(&self, other: &Self) -> Ordering {
        self.segments().cmp(other.segments())
    }
}

impl PartialOrd for ComponentId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ComponentId({self})")
    }
}

fn hex_pair(pair: Option<&str>) -> Option<u8> {
    pair.filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|pair| u8::from_str_radix(pair, 16).ok())
}

fn segment_from_text(text: &str) -> Result<Vec<u8>, ComponentIdError> {
    if let Some(digits) = text.strip_prefix("0x") {
        return base16ct::mixed::decode_vec(digits).map_err(|_| ComponentIdError::Hex);
    }
    let mut parts = text.split('%');
    let mut segment = Vec::from(parts.next().unwrap_or_default());
    for part in parts {
        segment.push(hex_pair(part.get(..2)).ok_or(ComponentIdError::Escape)?);
        segment.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    Ok(segment)
}

impl FromStr for ComponentId {
    type Err = ComponentIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split('/').try_fold(Self::default(), |id, part| {
            id.joined(&segment_from_text(part)?)
        })
    }
}

impl From<&ComponentId> for String {
    fn from(id: &ComponentId) -> Self {
        format!("{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_forms() {
        let cases: [(&[&[u8]], &str); 7] = [
            (&[b"a", b"b c"], "a/b c"),
            (&[b"a/b", b"100%"], "a%2fb/100%25"),
            (&[b"0x41"], "%30x41"),
            (&[b"\x8d\x82"], "0x8d82"),
            (&[b""], "0x"),
            (&[], ""),
            (&["\u{202e}gpj".as_bytes()], "0xe280ae67706a"),
        ];
        for (segments, text) in cases {
            let id = ComponentId::new(segments).unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse(), Ok(id));
        }
    }

    #[test]
    fn bad_text_is_refused() {
        assert_eq!("0x4".parse::<ComponentId>(), Err(ComponentIdError::Hex));
        assert_eq!("0xé0".parse::<ComponentId>(), Err(ComponentIdError::Hex));
        assert_eq!("%2".parse::<ComponentId>(), Err(ComponentIdError::Escape));
        assert_eq!("%+1".parse::<ComponentId>(), Err(ComponentIdError::Escape));
        let long = "x".repeat(2000);
        assert_eq!(long.parse::<ComponentId>(), Err(ComponentIdError::TooLong));
        let many = "/".repeat(40);
        assert_eq!(
            many.parse::<ComponentId>(),
            Err(ComponentIdError::TooManySegments)
        );
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        let id: ComponentId = "vendor/app".parse().unwrap();
        assert!(id.starts_with(&"vendor".parse().unwrap()));
        assert!(id.starts_with(&ComponentId::default()));
        assert!(!id.starts_with(&"vend".parse().unwrap()));
        assert!(!id.starts_with(&"vendor/ap".parse().unwrap()));
        assert!(!id.starts_with(&"vendor/app/x".parse().unwrap()));
    }

    proptest::proptest! {
        #[test]
        fn text_round_trips(segments in proptest::collection::vec(
            proptest::collection::vec(proptest::num::u8::ANY, 0..12), 0..6)) {
            let id = ComponentId::new(&segments).unwrap();
            proptest::prop_assert_eq!(id.segments().count(), segments.len());
            proptest::prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC*") {
            let _ = text.parse::<ComponentId>();
        }
    }
}
