use alloc::boxed::Box;
use core::{fmt, ops::Deref};

/// Why bytes were refused, where, and by which rule.
///
/// Its parts are those of [`Violation`]. It is as large as a pointer: decoders hand it on at every step,
/// and on a microcontroller most of their code would else be the copying of errors. To make one
/// allocates, so make it when something is wrong and not before (`ok_or_else`, not `ok_or`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Violation>);

/// The parts of a [`DecodeError`].
///
/// `rule` names the production of the standard's CDDL that was being read (for example
/// `query-response / token`), or `cbor` where the bytes are not acceptable CBOR at all. Without the feature
/// `rules` it is empty, and so are the words in `problem`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// Byte offset of the offending item, from the first byte of the item handed to the decoder.
    pub offset: usize,
    /// The CDDL production that was violated.
    pub rule: &'static str,
    /// What was wrong.
    pub problem: Problem,
}

/// What was wrong with the bytes at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The input ends inside an item, or an item declares more content than there is.
    Truncated,
    /// Bytes follow the one item that was expected.
    TrailingBytes,
    /// Arrays, maps and tags nest deeper than the limit.
    TooDeep,
    /// The input is longer than the limit, in bytes.
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A map holds the same key twice.
    DuplicateKey,
    /// An indefinite-length item where only definite lengths are accepted.
    IndefiniteLength,
    /// A head that RFC 8949 reserves, or a break outside an indefinite-length item.
    NotWellFormed,
    /// A text string that is not UTF-8.
    InvalidUtf8,
    /// Another type or value than the rule allows.
    Expected(&'static str),
    /// A mandatory element is absent.
    Missing(&'static str),
    /// A length, count or value outside the rule's bounds.
    OutOfBounds(&'static str),
}

/// Whether errors say in words which rule was broken, and how.
const IN_WORDS: bool = cfg!(feature = "rules");

/// What an error says to a person: `words`, or nothing without the feature `rules`.
#[inline(always)]
#[must_use]
pub fn in_words(words: &'static str) -> &'static str {
    match IN_WORDS {
        true => words,
        false => "",
    }
}

/// A [`Problem`] without its words; what has a number is none.
#[derive(Clone, Copy)]
enum Kind {
    Truncated,
    TrailingBytes,
    TooDeep,
    DuplicateKey,
    IndefiniteLength,
    NotWellFormed,
    InvalidUtf8,
    Expected,
    Missing,
    OutOfBounds,
}

impl Problem {
    #[inline(always)]
    fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Truncated => Kind::Truncated,
            Self::TrailingBytes => Kind::TrailingBytes,
            Self::TooDeep => Kind::TooDeep,
            Self::TooLong { .. } => return None,
            Self::DuplicateKey => Kind::DuplicateKey,
            Self::IndefiniteLength => Kind::IndefiniteLength,
            Self::NotWellFormed => Kind::NotWellFormed,
            Self::InvalidUtf8 => Kind::InvalidUtf8,
            Self::Expected(_) => Kind::Expected,
            Self::Missing(_) => Kind::Missing,
            Self::OutOfBounds(_) => Kind::OutOfBounds,
        })
    }
}

impl Kind {
    fn problem(self) -> Problem {
        match self {
            Self::Truncated => Problem::Truncated,
            Self::TrailingBytes => Problem::TrailingBytes,
            Self::TooDeep => Problem::TooDeep,
            Self::DuplicateKey => Problem::DuplicateKey,
            Self::IndefiniteLength => Problem::IndefiniteLength,
            Self::NotWellFormed => Problem::NotWellFormed,
            Self::InvalidUtf8 => Problem::InvalidUtf8,
            Self::Expected => Problem::Expected(""),
            Self::Missing => Problem::Missing(""),
            Self::OutOfBounds => Problem::OutOfBounds(""),
        }
    }
}

impl DecodeError {
    /// An error at `offset` under `rule`.
    // Inlined, so that words that nobody keeps leave no trace at the caller either.
    #[inline(always)]
    #[must_use]
    pub fn new(offset: usize, rule: &'static str, problem: Problem) -> Self {
        match problem.kind() {
            Some(kind) if !IN_WORDS => Self::wordless(offset, kind),
            _ => Self::boxed(offset, in_words(rule), problem),
        }
    }

    #[cold]
    #[inline(never)]
    fn wordless(offset: usize, kind: Kind) -> Self {
        Self::boxed(offset, "", kind.problem())
    }

    #[cold]
    #[inline(never)]
    fn boxed(offset: usize, rule: &'static str, problem: Problem) -> Self {
        Self(Box::new(Violation {
            offset,
            rule,
            problem,
        }))
    }

    /// The same error under another rule.
    #[must_use]
    pub fn under(mut self, rule: &'static str) -> Self {
        if IN_WORDS {
            self.0.rule = rule;
        }
        self
    }

    /// The same error in an item that starts `bytes` into the item around it.
    #[must_use]
    pub fn shifted(mut self, bytes: usize) -> Self {
        self.0.offset = self.0.offset.saturating_add(bytes);
        self
    }
}

impl Deref for DecodeError {
    type Target = Violation;

    fn deref(&self) -> &Violation {
        &self.0
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rule.is_empty() {
            write!(f, "{}: ", self.rule)?;
        }
        write!(f, "{} at byte {}", self.problem, self.offset)
    }
}

impl core::error::Error for DecodeError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the input ends too early"),
            Self::TrailingBytes => f.write_str("bytes follow the end"),
            Self::TooDeep => f.write_str("nested too deeply"),
            Self::TooLong { limit } => write!(f, "longer than {limit} bytes"),
            Self::DuplicateKey => f.write_str("a map key occurs twice"),
            Self::IndefiniteLength => f.write_str("indefinite length is not accepted"),
            Self::NotWellFormed => f.write_str("not well-formed CBOR"),
            Self::InvalidUtf8 => f.write_str("text is not UTF-8"),
            Self::Expected("") => f.write_str("not what the standard defines"),
            Self::Missing("") => f.write_str("a mandatory element is missing"),
            Self::OutOfBounds("") => f.write_str("out of bounds"),
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::OutOfBounds(what) => write!(f, "out of bounds, allowed is {what}"),
        }
    }
}
