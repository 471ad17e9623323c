use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::{self, Write};

use base16ct::HexDisplay;
use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type};

use super::shape::{self, Member, Shape};
use crate::{Uuid, component::is_plain};

/// An envelope in diagnostic notation (RFC 8949 section 8), with what is in byte strings shown as
/// `<< … >>`, and with names on labels as in the drafts' examples.
///
/// Nothing has to be right about the bytes: what can't be read is shown in hexadecimal, after a comment
/// that says what is wrong at which byte, and what stands around it is shown as ever. Text from the input
/// is escaped, so that it can't disturb a terminal.
///
/// ```
/// use tamarack_suit::explain::Diagnostic;
///
/// let text = Diagnostic::of(&[0xd8, 0x6b, 0xa1, 0x63, b'#', b't', b'c', 0x42, 1, 2]).to_string();
/// assert_eq!(text, "107({\n    \"#tc\": h'0102'\n})");
/// ```
#[derive(Debug, Clone)]
pub struct Diagnostic<'a> {
    bytes: &'a [u8],
    longest: usize,
    mark: Option<DecodeError>,
}

impl<'a> Diagnostic<'a> {
    /// The notation of an envelope, tagged or not, complete. What is a manifest without one, or a COSE structure, is shown as
    /// that, and anything else without names.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            longest: usize::MAX,
            mark: None,
        }
    }

    /// Says at the item that a decoder refused why it did, with an offset that counts from the first byte.
    #[must_use]
    pub fn marked(mut self, error: DecodeError) -> Self {
        self.mark = Some(error);
        self
    }

    /// Shows of longer byte strings their first bytes only, with `...` for the others.
    #[must_use]
    pub fn abridged(mut self, longest: usize) -> Self {
        self.longest = longest;
        self
    }

    /// What is wrong first, in the order of the bytes; `None` if all was shown as what it is.
    #[must_use]
    pub fn fault(&self) -> Option<DecodeError> {
        self.walk(usize::MAX).fault
    }

    fn walk(&self, target: usize) -> Walk {
        let mut walk = Walk {
            out: String::new(),
            longest: self.longest,
            mark: self.mark.clone(),
            target,
            path: Vec::new(),
            found: None,
            depth: 0,
            indent: 0,
            broken: false,
            fault: None,
        };
        let mut at = At::new(self.bytes, 0);
        let shape = match Content::of(self.bytes) {
            Content::Envelope => shape::envelope(),
            Content::Manifest => shape::manifest(),
            Content::Cose(_) => Shape::Cose,
            Content::Other => Shape::Plain,
        };
        walk.item(&mut at, shape);
        walk.nothing_follows(&mut at);
        walk
    }
}

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.walk(usize::MAX).out)
    }
}

/// What bytes are taken for, by how they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// An envelope: it has tag 107 or another that envelopes once had, or is a map that begins with a byte string under
    /// label 1 or 2, or with a payload.
    Envelope,
    /// A manifest without an envelope around it: a map that begins with its version and its sequence number.
    Manifest,
    /// A tagged COSE structure, with its tag.
    Cose(u64),
    /// Anything else.
    Other,
}

impl Content {
    /// What the bytes are taken for.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        const RULE: &str = "SUIT_Envelope";
        const OLDER_TAG: u64 = 48;
        let mut reader = Reader::new(bytes);
        if let Ok(tag) = reader.clone().tag(RULE) {
            return match tag {
                crate::Envelope::TAG | OLDER_TAG => Self::Envelope,
                tag if shape::cose_name(tag).is_some() => Self::Cose(tag),
                _ => Self::Other,
            };
        }
        if reader.map(RULE).is_err() {
            return Self::Other;
        }
        if reader.peek() == Type::Text {
            return Self::Envelope;
        }
        let first = reader.int(RULE).unwrap_or_default();
        match (first, reader.peek()) {
            (1 | 2, Type::Bytes) => Self::Envelope,
            (1, Type::Uint) => match (reader.uint(RULE), reader.int(RULE), reader.peek()) {
                (Ok(_), Ok(2), Type::Uint) => Self::Manifest,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// The path of names to what stands at a byte of an envelope, such as
/// `manifest / common / shared-sequence`; empty for the envelope itself and beyond the end.
#[must_use]
pub fn locate(bytes: &[u8], offset: usize) -> String {
    let walk = Diagnostic::of(bytes).walk(offset);
    walk.found.unwrap_or_default()
}

/// Items and byte strings within each other that are looked into.
const DEPTH: usize = 48;
const INDENT: usize = 4;

/// A reader of a part of the input.
struct At<'a> {
    reader: Reader<'a>,
    bytes: &'a [u8],
    /// Where the part starts in the input.
    base: usize,
}

impl<'a> At<'a> {
    fn new(bytes: &'a [u8], base: usize) -> Self {
        Self {
            reader: Reader::new(bytes),
            bytes,
            base,
        }
    }

    fn offset(&self) -> usize {
        self.base + self.reader.position()
    }

    /// What has not been read, of which the reader is at the end then.
    fn take_rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.reader.position()..).unwrap_or_default();
        *self = Self::new(&[], self.base + self.bytes.len());
        rest
    }
}

struct Walk {
    out: String,
    longest: usize,
    /// What is still to be said at an item.
    mark: Option<DecodeError>,
    /// The byte whose path is looked for.
    target: usize,
    path: Vec<String>,
    found: Option<String>,
    depth: usize,
    indent: usize,
    /// Whether the rest of the part that is being read could not be read.
    broken: bool,
    fault: Option<DecodeError>,
}

type Read = Result<(), DecodeError>;

impl Walk {
    /// Shows the next item.
    fn item(&mut self, at: &mut At<'_>, shape: Shape) {
        let start = at.offset();
        if let Some(error) = self.mark.take_if(|error| error.offset == start) {
            let _ = write!(self.out, "/ byte {start}: {} / ", error.problem);
        }
        self.depth += 1;
        let shown = match self.depth > DEPTH {
            true => Err(at.reader.error("cbor", Problem::TooDeep)),
            false => self.known(at, shape),
        };
        self.depth -= 1;
        if let Err(error) = shown {
            self.break_off(at, error);
        }
        if self.found.is_none() && (start..at.offset()).contains(&self.target) {
            self.found = Some(self.path.join(" / "));
        }
    }

    /// Shows what can't be read, and why, and goes to the end of the part.
    fn break_off(&mut self, at: &mut At<'_>, error: DecodeError) {
        let error = error.shifted(at.base);
        if self.found.is_none() && self.target == error.offset {
            self.found = Some(self.path.join(" / "));
        }
        let _ = write!(self.out, "/ byte {}: {} / ", error.offset, error.problem);
        self.bytes(at.take_rest());
        self.broken = true;
        self.fault.get_or_insert(error);
    }

    fn nothing_follows(&mut self, at: &mut At<'_>) {
        if !self.broken && at.reader.position() < at.bytes.len() {
            let error = at.reader.error("cbor", Problem::TrailingBytes);
            self.out.push(' ');
            self.break_off(at, error);
        }
    }

    fn known(&mut self, at: &mut At<'_>, shape: Shape) -> Read {
        const RULE: &str = "cbor";
        match at.reader.peek() {
            Type::Uint => {
                let number = at.reader.uint(RULE)?;
                let _ = write!(self.out, "{number}");
                self.comment_number(i64::try_from(number).unwrap_or(0), shape);
            }
            Type::NegativeInt => {
                let number = at.reader.int(RULE)?;
                let _ = write!(self.out, "{number}");
                self.comment_number(number, shape);
            }
            Type::Bytes => self.byte_string(at, shape)?,
            Type::Text => {
                let text = at.reader.text(RULE)?;
                self.text(text);
            }
            Type::Array => {
                let count = at.reader.declared(RULE)?;
                self.array(at, count, shape);
            }
            Type::Map => {
                let count = at.reader.declared(RULE)?;
                self.map(at, count, shape);
            }
            Type::Tag => {
                let tag = at.reader.tag(RULE)?;
                let _ = write!(self.out, "{tag}(");
                let shape = match shape {
                    Shape::Cose => shape::cose(tag),
                    shape => shape,
                };
                self.item(at, shape);
                self.out.push(')');
            }
            Type::Bool => {
                let value = at.reader.bool(RULE)?;
                let _ = write!(self.out, "{value}");
            }
            Type::Null => {
                at.reader.take_null();
                self.out.push_str("null");
            }
            Type::Other | Type::End => {
                let raw = at.reader.raw(RULE)?;
                self.simple(raw);
            }
        }
        Ok(())
    }

    fn comment_number(&mut self, number: i64, shape: Shape) {
        if let (Shape::Algorithm, Some(name)) = (shape, shape::algorithm(number)) {
            let _ = write!(self.out, " / {name} /");
        }
    }

    /// Simple values and floating-point numbers, which no envelope has.
    fn simple(&mut self, raw: &[u8]) {
        let _ = match raw {
            [0xf7] => write!(self.out, "undefined"),
            [0xfa, rest @ ..] => match rest.try_into() {
                Ok(bytes) => write!(self.out, "{:?}", f32::from_be_bytes(bytes)),
                Err(_) => Ok(()),
            },
            [0xfb, rest @ ..] => match rest.try_into() {
                Ok(bytes) => write!(self.out, "{:?}", f64::from_be_bytes(bytes)),
                Err(_) => Ok(()),
            },
            [0xf9, rest @ ..] => write!(self.out, "float'{:x}'", HexDisplay(rest)),
            [0xf8, number] => write!(self.out, "simple({number})"),
            [first, ..] => write!(self.out, "simple({})", first & 0x1f),
            [] => Ok(()),
        };
    }

    fn byte_string(&mut self, at: &mut At<'_>, shape: Shape) -> Read {
        let content = match at.reader.bytes("cbor") {
            Ok(content) => content,
            Err(error) if error.problem == Problem::Truncated => {
                return self.truncated(at, shape, error);
            }
            Err(error) => return Err(error),
        };
        let base = at.offset() - content.len();
        match inner(shape, content) {
            Some(inner) => {
                self.wrapped(content, base, inner);
                // The byte string has a length: what is wrong within it does not spread.
                self.broken = false;
            }
            None if matches!(shape, Shape::Name) && is_name(content) => {
                let text = core::str::from_utf8(content).unwrap_or_default();
                let _ = write!(self.out, "'{text}'");
            }
            None => {
                self.bytes(content);
                if let (Shape::Uuid, Ok(bytes)) = (shape, content.try_into()) {
                    let _ = write!(self.out, " / {} /", Uuid(bytes));
                }
            }
        }
        Ok(())
    }

    /// A byte string that is longer than what there is: the start of what it wraps may be readable.
    fn truncated(&mut self, at: &mut At<'_>, shape: Shape, error: DecodeError) -> Read {
        let base = at.offset();
        let rest = at.bytes.get(at.reader.position()..).unwrap_or_default();
        let Some(inner) = inner(shape, rest) else {
            return Err(error);
        };
        self.fault.get_or_insert(error.shifted(at.base));
        let _ = write!(self.out, "/ byte {base}: longer than what is left / ");
        at.take_rest();
        self.wrapped(rest, base, inner);
        self.broken = true;
        Ok(())
    }

    fn wrapped(&mut self, content: &[u8], base: usize, inner: Shape) {
        self.out.push_str("<< ");
        let mut part = At::new(content, base);
        self.item(&mut part, inner);
        self.nothing_follows(&mut part);
        self.out.push_str(" >>");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let _ = match bytes.get(..self.longest) {
            Some(shown) if shown.len() < bytes.len() => {
                let (shown, len) = (HexDisplay(shown), bytes.len());
                write!(self.out, "h'{shown:x} ...' / {len} bytes /")
            }
            _ => write!(self.out, "h'{:x}'", HexDisplay(bytes)),
        };
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                '\n' => self.out.push_str("\\n"),
                c if is_plain(c) => self.out.push(c),
                c => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
            }
        }
        self.out.push('"');
    }

    fn line(&mut self) {
        self.out.push('\n');
        let _ = write!(self.out, "{:1$}", "", self.indent);
    }

    fn name(&mut self, name: &str) {
        if !name.is_empty() {
            let _ = write!(self.out, "/ {name} / ");
        }
    }

    /// Shows what `show` shows under a name in the path.
    fn under(&mut self, name: String, show: impl FnOnce(&mut Self)) {
        self.path.push(name);
        show(self);
        self.path.pop();
    }

    /// Shows items on lines of their own, each by `show`, which gets its position.
    fn lines(
        &mut self,
        at: &mut At<'_>,
        count: usize,
        brackets: [char; 2],
        mut show: impl FnMut(&mut Self, &mut At<'_>, usize),
    ) {
        let [open, close] = brackets;
        self.out.push(open);
        self.indent += INDENT;
        for position in 0..count {
            if self.broken {
                break;
            }
            if position > 0 {
                self.out.push(',');
            }
            self.line();
            show(self, at, position);
        }
        self.indent -= INDENT;
        if count > 0 {
            self.line();
        }
        self.out.push(close);
    }

    fn array(&mut self, at: &mut At<'_>, count: usize, shape: Shape) {
        match shape {
            // A digest where a wrapped element is expected: the element was severed.
            Shape::Wrapped(_) => self.array(at, count, shape::digest()),
            Shape::Commands => self.commands(at, count),
            Shape::Items(members) => self.lines(at, count, ['[', ']'], |walk, at, position| {
                let member = members.get(position).or(members.last());
                let Member { name, shape } = member.copied().unwrap_or(Member {
                    name: "",
                    shape: Shape::Plain,
                });
                walk.name(name);
                walk.under(name.to_string(), |walk| walk.item(at, shape));
            }),
            Shape::Each(each) if matches!(each(), Shape::Name) => {
                self.out.push('[');
                for position in 0..count {
                    if self.broken {
                        break;
                    }
                    if position > 0 {
                        self.out.push_str(", ");
                    }
                    self.item(at, Shape::Name);
                }
                self.out.push(']');
            }
            shape => {
                let each = match shape {
                    Shape::Each(each) => each(),
                    Shape::Map(_) => shape,
                    _ => Shape::Plain,
                };
                self.lines(at, count, ['[', ']'], |walk, at, position| {
                    walk.under(position.to_string(), |walk| walk.item(at, each));
                });
            }
        }
    }

    fn commands(&mut self, at: &mut At<'_>, count: usize) {
        self.lines(at, count.div_ceil(2), ['[', ']'], |walk, at, position| {
            let Ok(label) = at.reader.clone().int("cbor") else {
                return walk.item(at, Shape::Plain);
            };
            let (kind, member) = shape::command(label);
            let name = format!("{kind}{}", member.name);
            walk.name(&name);
            let place = match name.is_empty() {
                true => format!("command {label}"),
                false => name,
            };
            walk.under(place, |walk| {
                walk.item(at, Shape::Plain);
                if !walk.broken && position * 2 + 1 < count {
                    walk.out.push_str(", ");
                    walk.item(at, member.shape);
                }
            });
        });
    }

    fn map(&mut self, at: &mut At<'_>, count: usize, shape: Shape) {
        self.lines(at, count, ['{', '}'], |walk, at, _| {
            let label = at.reader.clone().int("cbor").ok();
            let member = match (shape, label) {
                (Shape::Map(member), Some(label)) => Some(member(label)),
                (Shape::Map(_), None) => Some(Member {
                    name: "",
                    shape: Shape::Payload,
                }),
                _ => None,
            };
            let inner = match (shape, member) {
                (_, Some(member)) => {
                    walk.name(member.name);
                    member.shape
                }
                (Shape::Each(each), _) => each(),
                (Shape::Text, _) => return walk.language(at),
                _ => Shape::Plain,
            };
            let from = walk.out.len();
            walk.key(at, Shape::Plain);
            let shown = walk.out.get(from..).unwrap_or_default();
            let name = member
                .map(|member| member.name)
                .filter(|name| !name.is_empty());
            let place = name.map_or_else(|| shown.trim_end_matches(": ").to_string(), Into::into);
            walk.under(place, |walk| walk.value(at, inner));
        });
    }

    fn key(&mut self, at: &mut At<'_>, shape: Shape) {
        self.item(at, shape);
        self.out.push_str(": ");
    }

    fn value(&mut self, at: &mut At<'_>, shape: Shape) {
        if !self.broken {
            self.item(at, shape);
        }
    }

    /// A language tag and the text in the language.
    fn language(&mut self, at: &mut At<'_>) {
        self.key(at, Shape::Plain);
        if self.broken {
            return;
        }
        let start = at.reader.clone();
        let Ok(count) = at.reader.map("SUIT_Text_LMap") else {
            at.reader = start;
            return self.item(at, Shape::Plain);
        };
        self.lines(at, count, ['{', '}'], |walk, at, _| {
            if at.reader.peek() == Type::Array {
                walk.key(at, shape::component_id());
                return walk.component_texts(at);
            }
            walk.text_entry(at, shape::manifest_text);
        });
    }

    fn component_texts(&mut self, at: &mut At<'_>) {
        if self.broken {
            return;
        }
        let start = at.reader.clone();
        let Ok(count) = at.reader.map("SUIT_Text_Component_Keys") else {
            at.reader = start;
            return self.item(at, Shape::Plain);
        };
        self.lines(at, count, ['{', '}'], |walk, at, _| {
            walk.text_entry(at, shape::component_text);
        });
    }

    /// A label, with its name, and its text.
    fn text_entry(&mut self, at: &mut At<'_>, name: fn(i64) -> &'static str) {
        let label = at.reader.clone().int("cbor").unwrap_or(0);
        self.name(name(label));
        self.key(at, Shape::Plain);
        self.value(at, Shape::Plain);
    }
}

/// What the content of a byte string is known to be, if it is CBOR.
fn inner(shape: Shape, content: &[u8]) -> Option<Shape> {
    match shape {
        Shape::Wrapped(inner) if !content.is_empty() => Some(inner()),
        Shape::Payload if Content::of(content) == Content::Envelope => Some(shape::envelope()),
        _ => None,
    }
}

/// Whether bytes are shown as text: ASCII that prints and needs no escape.
fn is_name(content: &[u8]) -> bool {
    let plain = |byte: &u8| (byte.is_ascii_graphic() || *byte == b' ') && !b"'\\".contains(byte);
    !content.is_empty() && content.iter().all(plain)
}
