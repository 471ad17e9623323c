//! Who made the hardware, and in which version.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use base16ct::HexDisplay;
use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

/// Who made the hardware (`oemid`, RFC 9711 section 4.2.3). Shown in hexadecimal, or as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OemId {
    /// 16 random bytes that the maker chose.
    Random([u8; 16]),
    /// What the IEEE assigned.
    Ieee([u8; 3]),
    /// A Private Enterprise Number of IANA.
    Enterprise(u32),
}

impl OemId {
    // req: EAT-014
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let wrong = || {
            start.error(
                "oemid",
                Problem::OutOfBounds("16 bytes, 3 bytes or a number"),
            )
        };
        match reader.peek() {
            Type::Bytes => Self::from_bytes(reader.bytes("oemid")?).ok_or_else(wrong),
            _ => {
                let number = u32::try_from(reader.uint("oemid")?);
                number.map(Self::Enterprise).map_err(|_| wrong())
            }
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Self::Random(id) => w.bytes(id),
            Self::Ieee(id) => w.bytes(id),
            Self::Enterprise(number) => w.uint(u64::from(*number)),
        };
    }

    /// The id that these bytes are, by their number; `None` if that is neither 16 nor 3.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let random = || bytes.try_into().ok().map(Self::Random);
        bytes.try_into().ok().map(Self::Ieee).or_else(random)
    }
}

impl fmt::Display for OemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(id) => write!(f, "{:x}", HexDisplay(id)),
            Self::Ieee(id) => write!(f, "{:x}", HexDisplay(id)),
            Self::Enterprise(number) => write!(f, "{number}"),
        }
    }
}

/// The version of the hardware (`hwversion`, RFC 9711 section 4.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareVersion {
    /// The version.
    pub version: String,
    /// How versions are written and ordered (RFC 9393), if that is said by a number.
    pub scheme: Option<i64>,
}

impl From<&str> for HardwareVersion {
    fn from(version: &str) -> Self {
        let version = version.to_owned();
        Self {
            version,
            scheme: None,
        }
    }
}

impl HardwareVersion {
    /// Reads `[version, ?scheme]`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let items = reader.array("hwversion")?;
        if !(1..=2).contains(&items) {
            return Err(start.error("hwversion", Problem::Expected("[version, ?scheme]")));
        }
        let version = reader.text("hwversion / version")?.to_owned();
        let scheme = match items {
            2 if reader.peek() == Type::Text => {
                reader.skip("hwversion / scheme")?;
                None
            }
            2 => Some(reader.int("hwversion / scheme")?),
            _ => None,
        };
        Ok(Self { version, scheme })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(1 + usize::from(self.scheme.is_some()))
            .text(&self.version);
        if let Some(scheme) = self.scheme {
            w.int(scheme);
        }
    }
}

impl fmt::Display for HardwareVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}
