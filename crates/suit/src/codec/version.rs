use alloc::vec::Vec;
use core::fmt;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

use super::several;

/// A version: one to three release numbers, then perhaps a pre-release class (-1 release candidate,
/// -2 beta, -3 alpha) and further numbers. At least one element, 16 at most.
// req: SUIT-UPD-005, SUIT-UPD-018
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub Vec<i64>);

impl Version {
    pub(crate) fn read(reader: &mut Reader<'_>, rule: &'static str) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let count = reader.array(rule)?;
        if !(1..=16).contains(&count) {
            return Err(start.error(rule, Problem::OutOfBounds("1 to 16 integers")));
        }
        several(count, || reader.int(rule)).map(Self)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(self.0.len());
        for part in &self.0 {
            w.int(*part);
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            match part {
                -1 => f.write_str("-rc")?,
                -2 => f.write_str("-beta")?,
                -3 => f.write_str("-alpha")?,
                part => write!(f, "{dot}{part}")?,
            }
        }
        Ok(())
    }
}

/// How versions compare in a [`VersionMatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// 1: the component's version is greater.
    Greater,
    /// 2: greater or equal.
    GreaterEqual,
    /// 3: equal.
    Equal,
    /// 4: lesser or equal.
    LesserEqual,
    /// 5: lesser.
    Lesser,
}

impl Comparison {
    const ALL: [Self; 5] = [
        Self::Greater,
        Self::GreaterEqual,
        Self::Equal,
        Self::LesserEqual,
        Self::Lesser,
    ];

    /// The operator as a person writes it.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "=",
            Self::LesserEqual => "<=",
            Self::Lesser => "<",
        }
    }
}

/// What a component's version is compared with (parameter 28).
// req: SUIT-UPD-016
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionMatch {
    /// The comparison.
    pub comparison: Comparison,
    /// The version on its right side.
    pub version: Version,
}

impl VersionMatch {
    const RULE: &'static str = "SUIT_Parameter_Version_Match";

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(2, "an array of comparison and version", Self::RULE)?;
        let start = reader.clone();
        let comparison = usize::try_from(reader.uint(Self::RULE)?)
            .ok()
            .and_then(|number| Comparison::ALL.get(number.checked_sub(1)?))
            .ok_or_else(|| start.error(Self::RULE, Problem::OutOfBounds("comparison 1 to 5")))?;
        Ok(Self {
            comparison: *comparison,
            version: Version::read(reader, Self::RULE)?,
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let position = Comparison::ALL.iter().position(|c| *c == self.comparison);
        w.array(2).uint(position.map_or(0, |at| at as u64 + 1));
        self.version.write(w);
    }
}

impl fmt::Display for VersionMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.comparison.symbol(), self.version)
    }
}
