use alloc::string::{String, ToString};
use core::{fmt, time::Duration};

use pkcs8::der;

use crate::KeyError;

/// Why bytes are no certificate that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// They are not the DER of one.
    #[error("not the DER of a certificate: {0}")]
    Der(String),
    /// The text is no PEM block of the kind that is needed.
    #[error("not a PEM block {expected}: {problem}")]
    Pem {
        /// The label that is needed.
        expected: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Longer than [`Certificate::MAX_LEN`](super::Certificate::MAX_LEN).
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// Not of version 3, which alone has extensions.
    #[error("not an X.509 certificate of version 3")]
    Version,
    /// Signed with an algorithm that is not supported, or two different ones are named.
    #[error("signature algorithm {0} is not supported")]
    Algorithm(String),
    /// The subject's key can't be used.
    #[error("the subject's key: {0}")]
    Key(KeyError),
    /// An extension is there twice, or is not what it says.
    #[error("extension {0} is malformed or there twice")]
    Extension(String),
    /// What was to be issued is no certificate.
    #[error("can't be issued: {0}")]
    Issue(String),
}

impl From<der::Error> for CertificateError {
    fn from(error: der::Error) -> Self {
        Self::Der(error.to_string())
    }
}

impl From<CertificateError> for crate::Error {
    fn from(error: CertificateError) -> Self {
        ChainError {
            certificate: None,
            problem: ChainProblem::Certificate(error),
        }
        .into()
    }
}

/// Which certificate: its subject and serial number, fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateName {
    /// The subject as RFC 4514 writes it, of which no more than 128 harmless characters.
    pub subject: String,
    /// The serial number in hexadecimal.
    pub serial: String,
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (serial {})", self.subject, self.serial)
    }
}

/// Why a chain does not lead to a trust anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainError {
    /// The certificate at fault, if it could be read.
    pub certificate: Option<CertificateName>,
    /// What is wrong with it.
    pub problem: ChainProblem,
}

impl fmt::Display for ChainError {
    // req: TEEP-ERR-003
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.certificate {
            Some(certificate) => write!(f, "certificate {certificate}: {}", self.problem),
            None => write!(f, "the certificates: {}", self.problem),
        }
    }
}

impl core::error::Error for ChainError {}

impl From<ChainError> for crate::Error {
    #[cold]
    fn from(error: ChainError) -> Self {
        Self::Certificate(alloc::boxed::Box::new(error))
    }
}

/// What can be wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainProblem {
    /// A certificate can't be read.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// There is none, or what is there is not a list of byte strings.
    #[error("not a chain of certificates")]
    NotAChain,
    /// More certificates than [`ChainLimits`](super::ChainLimits) allow.
    #[error("more than {0} certificates")]
    TooMany(usize),
    /// More bytes than [`ChainLimits`](super::ChainLimits) allow.
    #[error("more than {0} bytes of certificates")]
    TooLong(usize),
    /// The thumbprint in the header (x5t) is of another certificate.
    #[error("not the one whose thumbprint is in the header")]
    Thumbprint,
    /// Valid once, and no longer.
    #[error("expired at {}", date(*not_after))]
    Expired {
        /// The last second of its validity, since 1970-01-01 UTC.
        not_after: u64,
    },
    /// Valid later.
    #[error("not valid before {}", date(*not_before))]
    NotYetValid {
        /// The first second of its validity, since 1970-01-01 UTC.
        not_before: u64,
    },
    /// Issued by another than the next certificate's subject.
    #[error("its issuer is not the subject of the next certificate")]
    IssuerName,
    /// Its signature is not its issuer's.
    #[error("its signature does not verify")]
    Signature,
    /// It issued a certificate and is none of an authority.
    #[error("it is no certificate of an authority")]
    NotAnAuthority,
    /// More authorities below one than it may have.
    #[error("more authorities below it than its path length allows")]
    PathLength,
    /// Its key may not do what it did (keyUsage).
    #[error("its key usage does not allow {0}")]
    KeyUsage(&'static str),
    /// It is for something else (extKeyUsage).
    #[error("its extended key usage is not {0}")]
    ExtendedKeyUsage(&'static str),
    /// An extension that is critical, or limits names, and is not understood.
    #[error("extension {0} is not understood")]
    CriticalExtension(String),
    /// The last certificate is neither an anchor nor issued by one, for this purpose.
    #[error("neither it nor its issuer is a trust anchor of a {0}")]
    Untrusted(&'static str),
    /// The anchor asks for something that the leaf is not.
    #[error("the trust anchor does not vouch for {0}")]
    Constraint(&'static str),
    /// Revoked, or its key is.
    #[error("revoked")]
    Revoked,
}

impl ChainProblem {
    /// Whether nothing is wrong but the time: the chain was, or will be, in order.
    #[must_use]
    pub fn is_validity(&self) -> bool {
        matches!(self, Self::Expired { .. } | Self::NotYetValid { .. })
    }
}

/// A time as people write it.
fn date(seconds: u64) -> String {
    match der::DateTime::from_unix_duration(Duration::from_secs(seconds)) {
        Ok(date) => date.to_string(),
        Err(_) => alloc::format!("second {seconds}"),
    }
}
