use alloc::{borrow::Cow, vec::Vec};
use core::{fmt, str::FromStr};

use base16ct::HexDisplay;
use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

/// A 16-byte identifier as in RFC 9562: of a device class, of a device, or of a vendor.
///
/// Identifiers say what an update is made for, never who anybody is (SUIT-CMD-004).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// Text that is not a UUID: 32 hexadecimal digits, with or without hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a UUID is 32 hexadecimal digits, as in fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe")]
pub struct UuidError;

impl Uuid {
    /// The namespace of DNS names (RFC 9562).
    pub const DNS: Self =
        Self(*b"\x6b\xa7\xb8\x10\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8");
    /// The namespace of Private Enterprise Numbers in CBOR (SUIT manifest, `NAMESPACE_CBOR_PEN`).
    pub const CBOR_PEN: Self =
        Self(*b"\x47\xfb\xda\xbb\xf2\xe4\x55\xf0\xbb\x39\x36\x20\xc2\xf6\xdf\x4e");

    /// UUID version 5: derived from a namespace and a name.
    ///
    /// ```
    /// use tamarack_suit::Uuid;
    ///
    /// let vendor = Uuid::vendor("arm.com");
    /// assert_eq!(vendor.to_string(), "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe");
    /// let class = Uuid::v5(&vendor, b"Smart Light Bulb");
    /// assert_eq!(class, vendor.class("Smart Light Bulb"));
    /// ```
    #[cfg(feature = "author")]
    #[must_use]
    pub fn v5(namespace: &Self, name: &[u8]) -> Self {
        Self(*uuid::Uuid::new_v5(&uuid::Uuid::from_bytes(namespace.0), name).as_bytes())
    }

    /// The identifier of the vendor that owns a domain name.
    // req: SUIT-PAR-006, SUIT-PAR-007
    #[cfg(feature = "author")]
    #[must_use]
    pub fn vendor(domain: &str) -> Self {
        Self::v5(&Self::DNS, domain.as_bytes())
    }

    /// The namespace of a vendor that is known by its Private Enterprise Number, given as the relative
    /// OID under 1.3.6.1.4.1 that stands in tag 112.
    // req: SUIT-PAR-008
    #[cfg(feature = "author")]
    #[must_use]
    pub fn enterprise(pen: &[u8]) -> Self {
        let name = Writer::build(|w| VendorId::Pen(Cow::Borrowed(pen)).write(w));
        Self::v5(&Self::CBOR_PEN, &name)
    }

    /// The identifier of a device class of this vendor.
    // req: SUIT-PAR-008
    #[cfg(feature = "author")]
    #[must_use]
    pub fn class(&self, information: &str) -> Self {
        Self::v5(self, information.as_bytes())
    }

    pub(crate) fn read(reader: &mut Reader<'_>, rule: &'static str) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let bytes = reader.bytes(rule)?;
        let wrong = |_| start.error(rule, Problem::OutOfBounds("16 bytes"));
        bytes.try_into().map(Self).map_err(wrong)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

impl FromStr for Uuid {
    type Err = UuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        let mut digits = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
        for byte in &mut bytes {
            let pair = digits.next().flatten().zip(digits.next().flatten());
            let (high, low) = pair.ok_or(UuidError)?;
            *byte = u8::try_from(high << 4 | low).map_err(|_| UuidError)?;
        }
        digits
            .next()
            .is_none()
            .then_some(Self(bytes))
            .ok_or(UuidError)
    }
}

/// Who made a device or software (parameter 1).
// req: SUIT-PAR-005
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum VendorId<'a> {
    /// A UUID.
    Uuid(Uuid),
    /// A Private Enterprise Number: the relative OID under 1.3.6.1.4.1 (CBOR tag 112), 64 bytes at most.
    Pen(Cow<'a, [u8]>),
}

impl<'a> VendorId<'a> {
    const PEN_TAG: u64 = 112;

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const RULE: &str = "suit-parameter-vendor-identifier";
        if reader.peek() != Type::Tag {
            return Uuid::read(reader, RULE).map(Self::Uuid);
        }
        let start = reader.clone();
        if reader.tag(RULE)? != Self::PEN_TAG {
            return Err(start.error(RULE, Problem::Expected("16 bytes or tag 112")));
        }
        let pen = reader.sized_bytes(1..=64, "1 to 64 bytes", RULE)?;
        // Each arc is as short as it can be, and the last one ends.
        let padded = |pair: &[u8]| matches!(pair, [0..=0x7f, 0x80]);
        match pen {
            [0x80, ..] | [.., 0x80..=0xff] => {}
            _ if pen.windows(2).any(padded) => {}
            _ => return Ok(Self::Pen(Cow::Borrowed(pen))),
        }
        Err(start.error(RULE, Problem::Expected("a relative OID")))
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Self::Uuid(uuid) => w.bytes(&uuid.0),
            Self::Pen(pen) => w.tag(Self::PEN_TAG).bytes(pen),
        };
    }

    /// The same identifier, holding its bytes itself.
    #[must_use]
    pub fn into_owned(self) -> VendorId<'static> {
        match self {
            Self::Uuid(uuid) => VendorId::Uuid(uuid),
            Self::Pen(pen) => VendorId::Pen(Cow::Owned(pen.into_owned())),
        }
    }
}

impl From<Uuid> for VendorId<'_> {
    fn from(uuid: Uuid) -> Self {
        Self::Uuid(uuid)
    }
}

impl fmt::Display for VendorId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(uuid) => uuid.fmt(f),
            Self::Pen(pen) => {
                f.write_str("pen:")?;
                write!(f, "{:x}", HexDisplay(pen))
            }
        }
    }
}

impl fmt::Debug for VendorId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VendorId({self})")
    }
}

/// What the Recipient says it is; several identifiers of each kind may hold at once.
// req: SUIT-CMD-002, SUIT-CMD-003
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Vendors whose software fits.
    pub vendors: Vec<VendorId<'static>>,
    /// Device classes.
    pub classes: Vec<Uuid>,
    /// Identifiers of this very device.
    pub devices: Vec<Uuid>,
}

/// The order of releases of one manifest (label 2): a manifest with a lower number is never applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SequenceNumber(pub u64);

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    // req: SUIT-PAR-006, SUIT-PAR-007, SUIT-PAR-008
    #[cfg(feature = "author")]
    #[test]
    fn identifiers_are_those_of_the_drafts_examples() {
        let vendor = Uuid::vendor("arm.com");
        assert_eq!(vendor.to_string(), "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe");
        assert_eq!(vendor.0[6] >> 4, 5, "version 5");
        let class = vendor.class("Smart Light Bulb");
        assert_eq!(class.to_string(), "07d0674c-5025-5219-995f-7d131681f022");
        let oids = "6ba7b812-9dad-11d1-80b4-00c04fd430c8".parse().unwrap();
        let enterprises = Uuid::v5(&oids, b"\xd8\x6f\x45\x2b\x06\x01\x04\x01");
        assert_eq!(enterprises, Uuid::CBOR_PEN);
        // 32473, the number for examples (RFC 5612).
        let enterprise = Uuid::enterprise(b"\x81\xfd\x59");
        assert_eq!(
            enterprise.to_string(),
            "1363fc56-535e-5a14-808a-1f407ab884e0"
        );
    }

    // req: SUIT-PAR-005
    #[test]
    fn an_enterprise_number_is_a_relative_oid() {
        let read = |pen: &[u8]| {
            let item = Writer::build(|w| {
                w.tag(VendorId::PEN_TAG).bytes(pen);
            });
            VendorId::read(&mut Reader::new(&item)).is_ok()
        };
        for whole in [
            &b"\x00"[..],
            b"\x7f",
            b"\x81\x00",
            b"\x81\xfd\x59",
            b"\x01\x02",
        ] {
            assert!(read(whole), "{whole:x?}");
        }
        for broken in [
            &b""[..],
            b"\x80",
            b"\x81",
            b"\x01\x82",
            b"\x80\x01",
            b"\x01\x80\x01",
        ] {
            assert!(!read(broken), "{broken:x?}");
        }
        assert!(read(&[1; 64]) && !read(&[1; 65]));
    }

    #[test]
    fn uuid_text_round_trips() {
        let uuid: Uuid = "1492af14-2569-5e48-bf42-9b2d51f2ab45".parse().unwrap();
        assert_eq!(uuid.to_string(), "1492af14-2569-5e48-bf42-9b2d51f2ab45");
        assert_eq!("1492af14".parse::<Uuid>(), Err(UuidError));
        assert_eq!(
            "x492af14-2569-5e48-bf42-9b2d51f2ab45".parse::<Uuid>(),
            Err(UuidError)
        );
        assert_eq!(
            "1492af14-2569-5e48-bf42-9b2d51f2ab4500".parse::<Uuid>(),
            Err(UuidError)
        );
    }
}
