use alloc::vec::Vec;
use core::{cmp::Ordering, fmt, str::FromStr};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

use super::several;

/// A version: one to three release numbers, then perhaps a pre-release class (-1 release candidate,
/// -2 beta, -3 alpha) and further numbers. At least one element, 16 at most.
// req: SUIT-UPD-005, SUIT-UPD-018
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub Vec<i64>);

impl Version {
    /// Reads the array of integers; `rule` names the production in errors.
    ///
    /// # Errors
    ///
    /// If the next item is no array of 1 to 16 integers.
    pub fn read(reader: &mut Reader<'_>, rule: &'static str) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let count = reader.array(rule)?;
        if !(1..=16).contains(&count) {
            return Err(start.error(rule, Problem::OutOfBounds("1 to 16 integers")));
        }
        several(count, || reader.int(rule)).map(Self)
    }

    /// Writes the array of integers.
    pub fn write(&self, w: &mut Writer) {
        w.array(self.0.len());
        for part in &self.0 {
            w.int(*part);
        }
    }

    /// Compares element by element, as far as `other` goes; what this version lacks there counts as 0.
    // req: SUIT-UPD-017, SUIT-AMB-025
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let mine = self.0.iter().copied().chain(core::iter::repeat(0));
        let pairs = mine.zip(&other.0);
        pairs.fold(Ordering::Equal, |order, (mine, theirs)| {
            order.then_with(|| mine.cmp(theirs))
        })
    }
}

/// Text that is not a version which a manifest can carry without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a version is 1 to 3 numbers, then perhaps -alpha, -beta or -rc and numbers, such as 1.2.3-rc.1; \
     put any other into the text of the manifest"
)]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    /// Reads a Semantic Version of 1 to 3 numbers, perhaps with a pre-release of the classes that can be
    /// encoded. Build metadata and other pre-releases are refused: leaving them out would lose what they
    /// say (SUIT-UPD-004, SUIT-UPD-019).
    // req: SUIT-UPD-004, SUIT-UPD-018, SUIT-UPD-019
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| -> Result<i64, VersionError> {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let plain = part.len() == 1 || !part.starts_with('0');
            match part.parse() {
                Ok(number) if digits && plain => Ok(number),
                _ => Err(VersionError),
            }
        };
        let (release, pre_release) = match text.split_once('-') {
            Some((release, pre_release)) => (release, Some(pre_release)),
            None => (text, None),
        };
        let mut parts = release
            .split('.')
            .map(number)
            .collect::<Result<Vec<_>, _>>()?;
        if parts.len() > 3 {
            return Err(VersionError);
        }
        if let Some(pre_release) = pre_release {
            let mut rest = pre_release.split('.');
            parts.push(match rest.next() {
                Some("rc") => -1,
                Some("beta") => -2,
                Some("alpha") => -3,
                _ => return Err(VersionError),
            });
            for part in rest {
                parts.push(number(part)?);
            }
        }
        match parts.len() <= 16 {
            true => Ok(Self(parts)),
            false => Err(VersionError),
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

    /// Whether a version that compares like this with the other satisfies the comparison.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
            Self::Equal => order.is_eq(),
            Self::LesserEqual => order.is_le(),
            Self::Lesser => order.is_lt(),
        }
    }

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

    /// Whether `version` satisfies the comparison.
    // req: SUIT-UPD-017
    #[must_use]
    pub fn accepts(&self, version: &Version) -> bool {
        self.comparison.holds(version.compare(&self.version))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array_of(2, "an array of comparison and version", Self::RULE)?;
        let start = reader.clone();
        let comparison = usize::try_from(reader.uint(Self::RULE)?)
            .ok()
            .and_then(|number| Comparison::ALL.get(number.checked_sub(1)?))
            .ok_or(start.error(Self::RULE, Problem::OutOfBounds("comparison 1 to 5")))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    fn accepts(comparison: Comparison, bound: &[i64], version: &[i64]) -> bool {
        let version_match = VersionMatch {
            comparison,
            version: Version(bound.to_vec()),
        };
        version_match.accepts(&Version(version.to_vec()))
    }

    // req: SUIT-UPD-017, SUIT-AMB-025
    #[test]
    fn comparison_stops_where_the_manifests_array_ends() {
        assert!(accepts(Comparison::Equal, &[1], &[1, 9, 3]));
        assert!(!accepts(Comparison::Equal, &[1], &[2]));
        assert!(accepts(Comparison::GreaterEqual, &[1, 0], &[1, 0, 5]));
        assert!(accepts(Comparison::Lesser, &[1, 10], &[1, 9, 99]));
        assert!(!accepts(Comparison::Lesser, &[1, 10], &[1, 10, 0]));
        assert!(accepts(Comparison::Lesser, &[2, 0, 0], &[2, 0, -1, 1]));
        assert!(accepts(Comparison::Greater, &[1, 99], &[2, 0, -1, 1]));
        assert!(accepts(Comparison::Equal, &[1, 0, 0], &[1]));
        assert!(accepts(Comparison::LesserEqual, &[1, 0, 0], &[1]));
    }

    // req: SUIT-UPD-004, SUIT-UPD-018, SUIT-UPD-019
    #[test]
    fn text_is_encoded_without_loss_or_refused() {
        for (text, parts) in [
            ("1.2.3", vec![1, 2, 3]),
            ("1.2-rc.3", vec![1, 2, -1, 3]),
            ("1.2-beta", vec![1, 2, -2]),
            ("1.2.3-alpha.4", vec![1, 2, 3, -3, 4]),
            ("7", vec![7]),
        ] {
            let version: Version = text.parse().unwrap();
            assert_eq!(version.0, parts);
            assert_eq!(version.to_string(), text);
        }
        for text in [
            "",
            "-rc",
            "1.2.3.4",
            "1.2+build",
            "1.2-nightly",
            "1..2",
            "01.2",
            "1.-2",
            "v1",
        ] {
            assert_eq!(text.parse::<Version>(), Err(VersionError), "{text}");
        }
    }
}
