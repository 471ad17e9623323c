use core::fmt;

/// An err-code (section 4.6). Any value but 0 may arrive; unknown ones count as an unknown error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u64);

impl ErrorCode {
    /// Fields are wrong or contradict each other.
    pub const PERMANENT_ERROR: Self = Self(1);
    /// An extension in the message is not supported.
    pub const UNSUPPORTED_EXTENSION: Self = Self(2);
    /// None of the freshness mechanisms is supported.
    pub const UNSUPPORTED_FRESHNESS_MECHANISMS: Self = Self(3);
    /// None of the protocol versions is supported.
    pub const UNSUPPORTED_MSG_VERSION: Self = Self(4);
    /// None of the TEEP cipher suites is supported.
    pub const UNSUPPORTED_CIPHER_SUITES: Self = Self(5);
    /// A certificate could not be processed.
    pub const BAD_CERTIFICATE: Self = Self(6);
    /// The sender wants the receiver attested.
    pub const ATTESTATION_REQUIRED: Self = Self(7);
    /// A SUIT report uses an unsupported profile.
    pub const UNSUPPORTED_SUIT_REPORT: Self = Self(8);
    /// A certificate has expired or is not valid yet.
    pub const CERTIFICATE_EXPIRED: Self = Self(9);
    /// A passing fault.
    pub const TEMPORARY_ERROR: Self = Self(10);
    /// One or more manifests failed.
    pub const MANIFEST_PROCESSING_FAILED: Self = Self(17);

    /// The name in the registry (section 14.4), if the code has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::PERMANENT_ERROR => "ERR_PERMANENT_ERROR",
            Self::UNSUPPORTED_EXTENSION => "ERR_UNSUPPORTED_EXTENSION",
            Self::UNSUPPORTED_FRESHNESS_MECHANISMS => "ERR_UNSUPPORTED_FRESHNESS_MECHANISMS",
            Self::UNSUPPORTED_MSG_VERSION => "ERR_UNSUPPORTED_MSG_VERSION",
            Self::UNSUPPORTED_CIPHER_SUITES => "ERR_UNSUPPORTED_CIPHER_SUITES",
            Self::BAD_CERTIFICATE => "ERR_BAD_CERTIFICATE",
            Self::ATTESTATION_REQUIRED => "ERR_ATTESTATION_REQUIRED",
            Self::UNSUPPORTED_SUIT_REPORT => "ERR_UNSUPPORTED_SUIT_REPORT",
            Self::CERTIFICATE_EXPIRED => "ERR_CERTIFICATE_EXPIRED",
            Self::TEMPORARY_ERROR => "ERR_TEMPORARY_ERROR",
            Self::MANIFEST_PROCESSING_FAILED => "ERR_MANIFEST_PROCESSING_FAILED",
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "unknown error {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    // req: TEEP-ERR-001
    #[test]
    fn what_has_a_name_is_one_byte() {
        let named: Vec<u64> = (0..1_000)
            .filter(|&code| ErrorCode(code).name().is_some())
            .collect();
        assert_eq!(named, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17]);
    }
}
