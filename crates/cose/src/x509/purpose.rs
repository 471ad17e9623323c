use alloc::{format, string::String, vec::Vec};
use core::fmt::Write as _;

/// What a trust anchor authorises. An anchor of one purpose authorises nothing of another.
// req: ARCH-020
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A TAM, whose messages an agent acts on.
    Tam,
    /// A Trusted Component Signer or device administrator, whose manifests a TEE installs.
    Signer,
    /// A TEE or its attester, whose Evidence and messages a TAM takes.
    Tee,
    /// A Verifier, whose Attestation Results a TAM or an agent relies on.
    Verifier,
}

/// The arc below which the purposes are: 2.25.87562361143831874159932374836327274583, from a UUID of its own
/// (X.667), since no standard has registered any.
const ARC: [u8; 20] = [
    0x69, 0x81, 0x83, 0xdf, 0xf2, 0xed, 0xf3, 0xa7, 0xc2, 0x9d, 0xaf, 0xb9, 0xf0, 0x9e, 0x86, 0xbc,
    0x89, 0xa3, 0xb0, 0x57,
];

/// anyExtendedKeyUsage (RFC 5280 section 4.2.1.12).
const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

/// id-kp-codeSigning, which is what a Trusted Component Signer does.
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tam, Self::Signer, Self::Tee, Self::Verifier];

    /// Its name in commands and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tam => "tam",
            Self::Signer => "signer",
            Self::Tee => "tee",
            Self::Verifier => "verifier",
        }
    }

    /// The purpose with a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// Its number in encodings.
    #[must_use]
    pub fn id(self) -> u64 {
        match self {
            Self::Tam => 0,
            Self::Signer => 1,
            Self::Tee => 2,
            Self::Verifier => 3,
        }
    }

    /// The purpose with a number.
    #[must_use]
    pub fn from_id(id: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.id() == id)
    }

    /// The object identifier for extended key usages: the content octets of its DER encoding.
    #[must_use]
    pub fn usage(self) -> Vec<u8> {
        let last = match self {
            Self::Tam => 1,
            Self::Signer => 2,
            Self::Tee => 3,
            Self::Verifier => 4,
        };
        [&ARC[..], &[last]].concat()
    }

    /// Whether extended key usages include this one.
    pub(crate) fn is_among(self, usages: &[Vec<u8>]) -> bool {
        let ours = self.usage();
        usages.iter().any(|usage| {
            *usage == ours || usage == ANY || (self == Self::Signer && usage == CODE_SIGNING)
        })
    }

    /// An extended key usage for people: its name, or its number.
    pub(crate) fn describe(usage: &[u8]) -> String {
        if let Some(purpose) = Self::ALL
            .into_iter()
            .find(|purpose| purpose.usage() == usage)
        {
            return purpose.name().into();
        }
        match usage {
            ANY => "any".into(),
            CODE_SIGNING => "codeSigning".into(),
            other => dotted(other),
        }
    }
}

/// The dotted decimal form of an object identifier; hexadecimal where an arc is beyond 128 bits.
fn dotted(oid: &[u8]) -> String {
    let mut text = String::new();
    let mut arc: u128 = 0;
    for byte in oid {
        let Some(shifted) = arc.checked_mul(128) else {
            return format!("{:x}", base16ct::HexDisplay(oid));
        };
        arc = shifted | u128::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        // Writing into a string does not fail.
        let _ = match text.is_empty() {
            true => {
                let first = (arc / 40).min(2);
                write!(text, "{first}.{}", arc - 40 * first)
            }
            false => write!(text, ".{arc}"),
        };
        arc = 0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers_read_as_people_write_them() {
        assert_eq!(dotted(CODE_SIGNING), "1.3.6.1.5.5.7.3.3");
        assert_eq!(dotted(ANY), "2.5.29.37.0");
        let tam = dotted(&Purpose::Tam.usage());
        assert!(tam.starts_with("2.25.") && tam.ends_with(".1"), "{tam}");
        assert_eq!(dotted(&[0xff; 30]).len(), 60);
    }

    #[test]
    fn names_and_numbers_lead_back() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::from_name(purpose.name()), Some(purpose));
            assert_eq!(Purpose::from_id(purpose.id()), Some(purpose));
            assert!(purpose.is_among(&[purpose.usage()]));
            for other in Purpose::ALL {
                assert_eq!(other.is_among(&[purpose.usage()]), other == purpose);
            }
        }
    }
}
