//! CBOR as it is, right or wrong: every item that can be made out, with its place in the file.
//!
//! The strict door stops at the first violation; this reader goes on, since a person wants to see what is
//! there. Nothing that it hands out is to be acted on.

use alloc::{
    borrow::{Cow, ToOwned},
    boxed::Box,
    collections::BTreeSet,
    string::String,
    vec::Vec,
};

use tamarack_cose::cbor::Problem;

/// Deepest nesting that is looked into.
const DEPTH: usize = 48;

/// Most items that are kept of one input; what comes after them is not shown.
const ITEMS: usize = 1 << 18;

/// Where the bytes of a part stand in the file.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// Runs of bytes: where each starts in the part, and where in the file. Strings of indefinite length
    /// have several.
    Runs(Vec<(usize, usize)>),
    /// The bytes are not in the file (they were encrypted); all count as this place.
    Behind(usize),
}

impl Origin {
    pub(super) fn start() -> Self {
        Self::Runs(Vec::from([(0, 0)]))
    }

    /// The byte of the file in which a byte of the part stands.
    pub(super) fn locate(&self, offset: usize) -> usize {
        match self {
            Self::Behind(place) => *place,
            Self::Runs(runs) => {
                let run = runs.iter().rev().find(|(local, _)| *local <= offset);
                let (local, file) = run.copied().unwrap_or_default();
                file.saturating_add(offset.saturating_sub(local))
            }
        }
    }
}

/// A string of bytes and where they come from.
#[derive(Debug, Clone)]
pub(super) struct Octets<'a> {
    pub(super) content: Cow<'a, [u8]>,
    pub(super) origin: Origin,
}

impl<'a> Octets<'a> {
    pub(super) fn file(bytes: &'a [u8]) -> Self {
        Self {
            content: Cow::Borrowed(bytes),
            origin: Origin::start(),
        }
    }

    /// Reads the one item that these bytes should be.
    pub(super) fn item(&self) -> Whole<'_> {
        let mut reader = Reader {
            bytes: &self.content,
            origin: &self.origin,
            at: 0,
            left: ITEMS,
            broken: false,
        };
        let item = reader.item(0);
        let rest = (!reader.broken && reader.at < self.content.len())
            .then(|| self.origin.locate(reader.at));
        Whole { item, rest }
    }
}

/// What bytes turned out to be.
pub(super) struct Whole<'a> {
    pub(super) item: Item<'a>,
    /// Where bytes follow that belong to nothing.
    pub(super) rest: Option<usize>,
}

/// What is wrong at a byte of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) problem: Problem,
}

/// An item, as far as it could be read.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Its first byte in the file.
    pub(super) offset: usize,
    /// Its bytes, which are those of the file.
    pub(super) raw: &'a [u8],
    pub(super) value: Value<'a>,
    pub(super) fault: Option<Fault>,
}

#[derive(Debug)]
pub(super) enum Value<'a> {
    Uint(u64),
    /// -1 minus this.
    Negative(u64),
    Bytes(Octets<'a>),
    Text(Cow<'a, str>),
    Array(Vec<Item<'a>>),
    Map(Vec<(Item<'a>, Item<'a>)>),
    Tag(u64, Box<Item<'a>>),
    Bool(bool),
    Null,
    Float(f64),
    Simple(u64),
    /// Nothing could be made of it; the fault says why.
    Broken,
}

impl<'a> Item<'a> {
    pub(super) fn uint(&self) -> Option<u64> {
        match self.value {
            Value::Uint(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self.value {
            Value::Uint(number) => i64::try_from(number).ok(),
            Value::Negative(number) => i64::try_from(number).ok().map(|number| !number),
            _ => None,
        }
    }

    pub(super) fn bytes(&self) -> Option<&Octets<'a>> {
        match &self.value {
            Value::Bytes(octets) => Some(octets),
            _ => None,
        }
    }

    pub(super) fn array(&self) -> Option<&[Item<'a>]> {
        match &self.value {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn map(&self) -> Option<&[(Item<'a>, Item<'a>)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The item under a tag, if it has one.
    pub(super) fn untagged(&self) -> (Option<u64>, &Self) {
        match &self.value {
            Value::Tag(tag, inner) => (Some(*tag), inner),
            _ => (None, self),
        }
    }

    /// What kind of thing it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Uint(_) => "an unsigned integer",
            Value::Negative(_) => "a negative integer",
            Value::Bytes(_) => "a byte string",
            Value::Text(_) => "a text string",
            Value::Array(_) => "an array",
            Value::Map(_) => "a map",
            Value::Tag(..) => "a tagged item",
            Value::Bool(_) => "true or false",
            Value::Null => "null",
            Value::Float(_) => "a floating-point number",
            Value::Simple(_) => "a simple value",
            Value::Broken => "nothing that can be read",
        }
    }
}

struct Reader<'a, 'o> {
    bytes: &'a [u8],
    origin: &'o Origin,
    at: usize,
    /// Items that may still be kept.
    left: usize,
    /// Whether reading has come to an end that it should not have.
    broken: bool,
}

struct Head {
    major: u8,
    /// `None` for an indefinite length or a break.
    argument: Option<u64>,
}

impl<'a> Reader<'a, '_> {
    fn fault(&self, at: usize, problem: Problem) -> Fault {
        Fault {
            offset: self.origin.locate(at),
            problem,
        }
    }

    fn head(&mut self) -> Result<Head, Problem> {
        let first = *self.bytes.get(self.at).ok_or(Problem::Truncated)?;
        let (major, info) = (first >> 5, first & 0x1f);
        let width = match info {
            0..=23 => 0,
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 if (2..=5).contains(&major) || major == 7 => {
                self.at += 1;
                let argument = None;
                return Ok(Head { major, argument });
            }
            _ => return Err(Problem::NotWellFormed),
        };
        let start = self.at + 1;
        let raw = self.bytes.get(start..start + width);
        let raw = raw.ok_or(Problem::Truncated)?;
        let argument = match width {
            0 => u64::from(info),
            _ => raw
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        };
        if major == 7 && width == 1 && argument < 32 {
            return Err(Problem::NotWellFormed);
        }
        self.at = start + width;
        let argument = Some(argument);
        Ok(Head { major, argument })
    }

    fn finish(&self, start: usize, value: Value<'a>, fault: Option<Fault>) -> Item<'a> {
        Item {
            offset: self.origin.locate(start),
            raw: self.bytes.get(start..self.at).unwrap_or_default(),
            value,
            fault,
        }
    }

    fn break_off(&mut self, start: usize, problem: Problem) -> Item<'a> {
        let fault = self.fault(start, problem);
        self.broken = true;
        self.at = self.bytes.len();
        self.finish(start, Value::Broken, Some(fault))
    }

    fn item(&mut self, depth: usize) -> Item<'a> {
        let start = self.at;
        if depth > DEPTH {
            return self.break_off(start, Problem::TooDeep);
        }
        let Some(left) = self.left.checked_sub(1) else {
            return self.break_off(start, Problem::TooLong { limit: ITEMS });
        };
        self.left = left;
        let Head { major, argument } = match self.head() {
            Ok(head) => head,
            Err(problem) => return self.break_off(start, problem),
        };
        let mut fault = None;
        let value = match (major, argument) {
            (0, Some(number)) => Value::Uint(number),
            (1, Some(number)) => Value::Negative(number),
            (2 | 3, Some(length)) => {
                let octets = self.content(length, &mut fault);
                self.string(major, octets, start, &mut fault)
            }
            (2 | 3, None) => {
                let octets = self.chunks(major, &mut fault);
                self.string(major, octets, start, &mut fault)
            }
            (4, count) => Value::Array(self.items(count, depth)),
            (5, count) => Value::Map(self.entries(count, depth)),
            (6, Some(tag)) => Value::Tag(tag, Box::new(self.item(depth + 1))),
            (7, Some(number)) => self.simple(start, number),
            _ => return self.break_off(start, Problem::NotWellFormed),
        };
        self.finish(start, value, fault)
    }

    /// The content of a string, or what there is of it.
    fn content(&mut self, length: u64, fault: &mut Option<Fault>) -> Octets<'a> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let content = match rest.get(..length) {
            Some(content) => content,
            None => {
                *fault = Some(self.fault(start, Problem::Truncated));
                self.broken = true;
                rest
            }
        };
        self.at += content.len();
        let origin = match self.origin {
            Origin::Behind(place) => Origin::Behind(*place),
            // A run of the part may end within the content.
            Origin::Runs(runs) => {
                let first = (0, self.origin.locate(start));
                let later = runs
                    .iter()
                    .filter(|(local, _)| (start + 1..self.at).contains(local));
                let later = later.map(|(local, file)| (local - start, *file));
                Origin::Runs(core::iter::once(first).chain(later).collect())
            }
        };
        let content = Cow::Borrowed(content);
        Octets { content, origin }
    }

    /// A string of indefinite length, put together.
    fn chunks(&mut self, major: u8, fault: &mut Option<Fault>) -> Octets<'a> {
        let mut content = Vec::new();
        let mut runs = Vec::new();
        loop {
            let start = self.at;
            let problem = match self.head() {
                Ok(Head {
                    major: 7,
                    argument: None,
                }) => break,
                Ok(Head {
                    major: found,
                    argument: Some(length),
                }) if found == major => {
                    let chunk = self.content(length, fault);
                    if let Origin::Runs(more) = chunk.origin {
                        runs.extend(
                            more.iter()
                                .map(|(local, file)| (content.len() + local, *file)),
                        );
                    }
                    content.extend_from_slice(&chunk.content);
                    if self.broken {
                        break;
                    }
                    continue;
                }
                Ok(_) => Problem::NotWellFormed,
                Err(problem) => problem,
            };
            *fault = Some(self.fault(start, problem));
            self.broken = true;
            self.at = self.bytes.len();
            break;
        }
        let origin = match self.origin {
            Origin::Behind(place) => Origin::Behind(*place),
            Origin::Runs(_) => Origin::Runs(runs),
        };
        let content = Cow::Owned(content);
        Octets { content, origin }
    }

    fn string(
        &self,
        major: u8,
        octets: Octets<'a>,
        start: usize,
        fault: &mut Option<Fault>,
    ) -> Value<'a> {
        if major == 2 {
            return Value::Bytes(octets);
        }
        let text = match octets.content {
            Cow::Borrowed(bytes) => core::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
            Cow::Owned(ref bytes) => String::from_utf8(bytes.clone()).map(Cow::Owned).ok(),
        };
        Value::Text(text.unwrap_or_else(|| {
            fault.get_or_insert(self.fault(start, Problem::InvalidUtf8));
            Cow::Owned(String::from_utf8_lossy(&octets.content).into_owned())
        }))
    }

    /// Whether another item of a container is to be read: `count` have been announced, `read` were.
    fn more(&mut self, count: Option<u64>, read: usize) -> bool {
        if self.broken {
            return false;
        }
        match count {
            Some(count) => (read as u64) < count,
            None => {
                let ends = self.bytes.get(self.at) == Some(&0xff);
                self.at += usize::from(ends);
                !ends
            }
        }
    }

    fn items(&mut self, count: Option<u64>, depth: usize) -> Vec<Item<'a>> {
        let mut items = Vec::new();
        while self.more(count, items.len()) {
            items.push(self.item(depth + 1));
        }
        items
    }

    fn entries(&mut self, count: Option<u64>, depth: usize) -> Vec<(Item<'a>, Item<'a>)> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        while self.more(count, entries.len()) {
            let mut key = self.item(depth + 1);
            if self.broken {
                let missing = self.finish(self.at, Value::Null, None);
                entries.push((key, missing));
                break;
            }
            if !seen.insert(meaning(&key)) {
                let offset = key.offset;
                let problem = Problem::DuplicateKey;
                key.fault.get_or_insert(Fault { offset, problem });
            }
            let value = self.item(depth + 1);
            entries.push((key, value));
        }
        entries
    }

    fn simple(&self, start: usize, number: u64) -> Value<'a> {
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        match raw {
            [0xf4] => Value::Bool(false),
            [0xf5] => Value::Bool(true),
            [0xf6] => Value::Null,
            [0xf9, high, low] => Value::Float(half(u16::from_be_bytes([*high, *low]))),
            [0xfa, rest @ ..] => match rest.try_into() {
                Ok(bytes) => Value::Float(f64::from(f32::from_be_bytes(bytes))),
                Err(_) => Value::Simple(number),
            },
            [0xfb, ..] => Value::Float(f64::from_bits(number)),
            _ => Value::Simple(number),
        }
    }
}

/// What makes a key the same as another one, whatever the width of its head.
fn meaning(key: &Item<'_>) -> (u8, u64, Vec<u8>) {
    match &key.value {
        Value::Uint(number) => (0, *number, Vec::new()),
        Value::Negative(number) => (1, *number, Vec::new()),
        Value::Bytes(octets) => (2, 0, octets.content.clone().into_owned()),
        Value::Text(text) => (3, 0, text.as_bytes().to_owned()),
        _ => (4, 0, key.raw.to_owned()),
    }
}

/// A floating-point number of 16 bits (RFC 8949 appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (bits >> 10 & 0x1f, f64::from(bits & 0x3ff));
    let scale = |exponent: u16| {
        // 2 to the power of exponent - 25.
        f64::from_bits((u64::from(exponent) + 1023 - 25) << 52)
    };
    let size = match exponent {
        0 => fraction * scale(1),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * scale(exponent),
    };
    match bits >> 15 {
        0 => size,
        _ => -size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_chunks_is_found_where_it_stands() {
        // (_ h'8201', h'02'): the array [1, 2] in two pieces.
        let bytes = [0x5f, 0x42, 0x82, 0x01, 0x41, 0x02, 0xff];
        let whole = Octets::file(&bytes);
        let whole = whole.item();
        let content = whole.item.bytes().unwrap();
        let inner = content.item();
        let offsets: Vec<usize> = inner
            .item
            .array()
            .unwrap()
            .iter()
            .map(|i| i.offset)
            .collect();
        assert_eq!(offsets, [3, 5]);
        assert!(whole.rest.is_none() && inner.rest.is_none());
    }

    #[test]
    fn what_is_cut_off_shows_what_is_there() {
        // [1, h'aabb…
        let whole = Octets::file(&[0x83, 0x01, 0x44, 0xaa, 0xbb]);
        let whole = whole.item();
        let items = whole.item.array().unwrap();
        assert_eq!(items.len(), 2);
        let fault = items[1].fault.unwrap();
        assert_eq!((fault.offset, fault.problem), (3, Problem::Truncated));
        assert_eq!(&*items[1].bytes().unwrap().content, [0xaa, 0xbb]);
    }

    #[test]
    fn a_second_key_of_the_same_meaning_is_a_fault() {
        let whole = Octets::file(&[0xa2, 0x01, 0x02, 0x18, 0x01, 0x03]);
        let whole = whole.item();
        let (key, _) = &whole.item.map().unwrap()[1];
        assert_eq!(key.fault.unwrap().offset, 3);
    }

    #[test]
    fn halves_are_numbers() {
        for (bits, number) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 5.960_464_477_539_063e-8),
        ] {
            assert_eq!(half(bits), number);
        }
        assert!(half(0x7e00).is_nan() && half(0x7c00).is_infinite());
    }

    #[test]
    fn bombs_are_bounded() {
        for bytes in [
            [0x81; 10_000],
            [0x9f; 10_000],
            [0xd8; 10_000],
            [0x5f; 10_000],
        ] {
            drop(Octets::file(&bytes).item());
        }
        let mut long = alloc::vec![0x00; 1 << 20];
        long.splice(..5, [0x9a, 0x00, 0x0f, 0xff, 0xfb]);
        drop(Octets::file(&long).item());
    }
}
