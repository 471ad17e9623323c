use super::{
    DecodeError, Limits, Problem,
    door::{argument, check, head},
};

/// Takes apart an item that has passed [`check`](super::check), with errors that say where and why.
///
/// Every method names the CDDL rule being read, which ends up in the error. A reader over bytes that
/// did not pass the door never panics either; it reports [`Problem::Truncated`] and the like.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    /// What is still to be read.
    rest: &'a [u8],
    /// Where that starts, in what offsets count in.
    position: usize,
}

/// The kinds of item that a decoder may branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Major type 0.
    Uint,
    /// Major type 1.
    NegativeInt,
    /// Major type 2.
    Bytes,
    /// Major type 3.
    Text,
    /// Major type 4.
    Array,
    /// Major type 5.
    Map,
    /// Major type 6.
    Tag,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// Any other simple value or a float.
    Other,
    /// There is no next item.
    End,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            position: 0,
        }
    }

    /// Byte offset of the next item, in the outermost item that a reader [entered](Self::enter).
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The bytes that are still to be read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes a byte string and opens what it wraps, which must be exactly one acceptable item. Offsets go
    /// on counting in the outer item.
    ///
    /// # Errors
    ///
    /// If the next item is no byte string, or its content does not pass [`check`].
    pub fn enter(&mut self, limits: &Limits, rule: &'static str) -> Result<Self, DecodeError> {
        let rest = self.bytes(rule)?;
        let position = self.position - rest.len();
        match check(rest, limits) {
            Ok(()) => Ok(Self { rest, position }),
            Err(error) => Err(error.under(rule).shifted(position)),
        }
    }

    /// Whether all bytes were read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error at the next item.
    // Inlined, so that words that nobody keeps leave no trace at the caller either.
    #[inline(always)]
    #[must_use]
    pub fn error(&self, rule: &'static str, problem: Problem) -> DecodeError {
        DecodeError::new(self.position, rule, problem)
    }

    /// The kind of the next item.
    #[must_use]
    pub fn peek(&self) -> Type {
        let Some(first) = self.rest.first() else {
            return Type::End;
        };
        match (first >> 5, first) {
            (0, _) => Type::Uint,
            (1, _) => Type::NegativeInt,
            (2, _) => Type::Bytes,
            (3, _) => Type::Text,
            (4, _) => Type::Array,
            (5, _) => Type::Map,
            (6, _) => Type::Tag,
            (_, 0xf4 | 0xf5) => Type::Bool,
            (_, 0xf6) => Type::Null,
            _ => Type::Other,
        }
    }

    /// The argument of the next head if it has the major type, else an error; moves past the head.
    fn expect(
        &mut self,
        major: u8,
        rule: &'static str,
        what: &'static str,
    ) -> Result<u64, DecodeError> {
        self.take_head(major).ok_or_else(|| self.other(rule, what))
    }

    /// Takes a head if it has this major type; returns its argument.
    fn take_head(&mut self, major: u8) -> Option<u64> {
        if self.rest.first()? >> 5 != major {
            return None;
        }
        let (argument, content) = argument(self.rest, 0)?;
        self.skip_bytes(content);
        Some(argument)
    }

    /// What is wrong with a head that is not what was expected.
    #[cold]
    #[inline(never)]
    fn other(&self, rule: &'static str, what: &'static str) -> DecodeError {
        match head(self.rest, 0) {
            Ok(_) => self.error(rule, Problem::Expected(what)),
            Err(error) => error.under(rule).shifted(self.position),
        }
    }

    /// An unsigned integer.
    ///
    /// # Errors
    ///
    /// If the next item is anything else. The same holds for the other methods.
    pub fn uint(&mut self, rule: &'static str) -> Result<u64, DecodeError> {
        self.expect(0, rule, "an unsigned integer")
    }

    /// A signed integer that fits 64 bits.
    pub fn int(&mut self, rule: &'static str) -> Result<i64, DecodeError> {
        let start = self.position;
        let is_negative = self.peek() == Type::NegativeInt;
        let argument = self.expect(u8::from(is_negative), rule, "an integer")?;
        match i64::try_from(argument) {
            Ok(value) if is_negative => Ok(!value),
            Ok(value) => Ok(value),
            Err(_) => Err(DecodeError::new(
                start,
                rule,
                Problem::OutOfBounds("64 bits"),
            )),
        }
    }

    /// The content of a string of this major type.
    fn string(
        &mut self,
        major: u8,
        rule: &'static str,
        what: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let length = self.count(major, 1, rule, what)?;
        Ok(self.take(length))
    }

    /// Bytes that are there.
    fn take(&mut self, count: usize) -> &'a [u8] {
        let taken = self.rest.get(..count).unwrap_or_default();
        self.skip_bytes(count);
        taken
    }

    /// Moves on by bytes that are there.
    fn skip_bytes(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
        self.position += count;
    }

    /// A byte string.
    pub fn bytes(&mut self, rule: &'static str) -> Result<&'a [u8], DecodeError> {
        self.string(2, rule, "a byte string")
    }

    /// A text string.
    pub fn text(&mut self, rule: &'static str) -> Result<&'a str, DecodeError> {
        let content = self.string(3, rule, "a text string")?;
        core::str::from_utf8(content).map_err(|_| self.error(rule, Problem::InvalidUtf8))
    }

    /// A byte string of `min..=max` bytes; `bounds` says so in words.
    pub fn sized_bytes(
        &mut self,
        sizes: core::ops::RangeInclusive<usize>,
        bounds: &'static str,
        rule: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let start = self.position;
        let content = self.bytes(rule)?;
        if sizes.contains(&content.len()) {
            Ok(content)
        } else {
            Err(DecodeError::new(start, rule, Problem::OutOfBounds(bounds)))
        }
    }

    /// The label of an entry in a map that keeps no labels but those it knows, which are numbers: text, which no
    /// such map knows, reads as [`i64::MIN`].
    pub fn label(&mut self, rule: &'static str) -> Result<i64, DecodeError> {
        match self.peek() {
            Type::Text => self.skip(rule).map(|()| i64::MIN),
            _ => self.int(rule),
        }
    }

    /// The argument of a head that counts what follows, of which there are `size` bytes each at least.
    fn count(
        &mut self,
        major: u8,
        size: usize,
        rule: &'static str,
        what: &'static str,
    ) -> Result<usize, DecodeError> {
        let count = self.expect(major, rule, what)?;
        usize::try_from(count)
            .ok()
            .filter(|count| count.saturating_mul(size) <= self.rest.len())
            .ok_or_else(|| self.error(rule, Problem::Truncated))
    }

    /// The head of an array: how many items follow, no more than there are bytes.
    pub fn array(&mut self, rule: &'static str) -> Result<usize, DecodeError> {
        self.count(4, 1, rule, "an array")
    }

    /// The head of an array that must have exactly `items` items.
    pub fn array_of(
        &mut self,
        items: usize,
        what: &'static str,
        rule: &'static str,
    ) -> Result<(), DecodeError> {
        let start = self.position;
        if self.array(rule)? == items {
            Ok(())
        } else {
            Err(DecodeError::new(start, rule, Problem::Expected(what)))
        }
    }

    /// The head of an array or a map, whose items need not all be there: how many it says that there are, or
    /// [`usize::MAX`] for more than that.
    pub fn declared(&mut self, rule: &'static str) -> Result<usize, DecodeError> {
        let count = match self.peek() {
            Type::Map => self.expect(5, rule, "a map")?,
            _ => self.expect(4, rule, "an array")?,
        };
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The head of a map: how many pairs follow, no more than there is room for.
    pub fn map(&mut self, rule: &'static str) -> Result<usize, DecodeError> {
        self.count(5, 2, rule, "a map")
    }

    /// A tag number; the tagged item is next.
    pub fn tag(&mut self, rule: &'static str) -> Result<u64, DecodeError> {
        self.expect(6, rule, "a tag")
    }

    /// `true` or `false`.
    pub fn bool(&mut self, rule: &'static str) -> Result<bool, DecodeError> {
        match self.rest.first() {
            Some(byte @ (0xf4 | 0xf5)) => {
                self.skip_bytes(1);
                Ok(*byte == 0xf5)
            }
            _ => Err(self.error(rule, Problem::Expected("true or false"))),
        }
    }

    /// Takes a `null` if that is next.
    pub fn take_null(&mut self) -> bool {
        let is_null = self.rest.first() == Some(&0xf6);
        self.skip_bytes(usize::from(is_null));
        is_null
    }

    /// A byte string, or `null` in its place.
    pub fn bytes_or_null(&mut self, rule: &'static str) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.take_null() {
            true => Ok(None),
            false => self.bytes(rule).map(Some),
        }
    }

    /// The encoded bytes of the next item, whatever it is.
    ///
    /// The item is walked without recursion, in time linear in its size.
    pub fn raw(&mut self, rule: &'static str) -> Result<&'a [u8], DecodeError> {
        let fail = |error: DecodeError| error.under(rule).shifted(self.position);
        let mut at = 0;
        let mut items = 1_usize;
        while items > 0 {
            items -= 1;
            let head = head(self.rest, at).map_err(fail)?;
            let Some(argument) = head.argument else {
                return Err(fail(DecodeError::new(at, rule, Problem::IndefiniteLength)));
            };
            let argument = usize::try_from(argument).unwrap_or(usize::MAX);
            at = head.content;
            match head.major {
                2 | 3 if argument > self.rest.len() - at => {
                    return Err(fail(DecodeError::new(at, rule, Problem::Truncated)));
                }
                2 | 3 => at += argument,
                4 => items = items.saturating_add(argument),
                5 => items = items.saturating_add(argument.saturating_mul(2)),
                6 => items += 1,
                _ => {}
            }
        }
        Ok(self.take(at))
    }

    /// Passes over the next item.
    pub fn skip(&mut self, rule: &'static str) -> Result<(), DecodeError> {
        self.raw(rule).map(drop)
    }

    /// Confirms that all bytes were read.
    pub fn end(&self, rule: &'static str) -> Result<(), DecodeError> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.error(rule, Problem::TrailingBytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Writer;
    use alloc::string::ToString;

    #[test]
    fn integers_round_trip_to_the_edges() {
        for value in [
            0,
            23,
            24,
            255,
            256,
            65_535,
            65_536,
            i64::MAX,
            -1,
            -24,
            -25,
            i64::MIN,
        ] {
            let bytes = Writer::build(|w| {
                w.int(value);
            });
            assert_eq!(Reader::new(&bytes).int("test"), Ok(value));
        }
        let mut too_large = Reader::new(&[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            too_large.int("test").unwrap_err().problem,
            Problem::OutOfBounds("64 bits")
        );
    }

    #[test]
    fn errors_say_where_and_what() {
        let mut reader = Reader::new(&[0x82, 0x05, 0x61, b'x']);
        reader.array("message").unwrap();
        reader.uint("message / type").unwrap();
        let error = reader.bytes("message / token").unwrap_err();
        assert_eq!(
            error.to_string(),
            "message / token: expected a byte string at byte 2"
        );
    }

    #[test]
    fn raw_returns_the_whole_item() {
        let bytes = [0x82, 0xa1, 0x01, 0x81, 0x02, 0xc1, 0x03, 0x04];
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.raw("test").unwrap(), &bytes[..7]);
        assert_eq!(reader.position(), 7);
    }
}
