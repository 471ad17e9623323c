use alloc::{collections::BTreeSet, string::ToString, vec::Vec};
use core::fmt;

use base16ct::HexDisplay;
use pkcs8::der::{Decode, Encode};
use x509_cert::{crl::TbsCertList, name::Name};

use super::{
    Certificate, CertificateError, ChainError, ChainProblem,
    certificate::{Envelope, harmless, pem_blocks},
};
use crate::{
    CryptoProvider, Error, KeyId, PublicKey,
    cbor::{DecodeError, Problem, Reader, Type, Writer},
};

/// What is trusted no longer, whoever vouches for it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revocation {
    /// The key with this thumbprint, raw and in every certificate.
    Key(KeyId),
    /// One certificate.
    Certificate {
        /// Its issuer in DER.
        issuer: Vec<u8>,
        /// Its serial number, big-endian without leading zeros.
        serial: Vec<u8>,
    },
}

const RULE: &str = "revocation";

impl Revocation {
    /// The revocation of this certificate, and not of its key.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        Self::Certificate {
            issuer: certificate.issuer().to_vec(),
            serial: certificate.serial().to_vec(),
        }
    }

    /// Writes the revocation:
    ///
    /// ```text
    /// revocation = key-id / [ issuer: bstr, serial: bstr ]
    /// key-id = bstr .size 32
    /// ```
    pub fn write(&self, w: &mut Writer) {
        match self {
            Self::Key(id) => w.bytes(id.as_bytes()),
            Self::Certificate { issuer, serial } => w.array(2).bytes(issuer).bytes(serial),
        };
    }

    /// Reads a revocation that passed the strict door.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        if reader.peek() == Type::Bytes {
            let id = KeyId::from_bytes(reader.bytes(RULE)?);
            let wrong = || start.error(RULE, Problem::Expected("a key id of 32 bytes"));
            return id.map(Self::Key).ok_or_else(wrong);
        }
        reader.array_of(2, "issuer and serial number", RULE)?;
        Ok(Self::Certificate {
            issuer: reader.bytes(RULE)?.to_vec(),
            serial: reader.bytes(RULE)?.to_vec(),
        })
    }
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {id}"),
            Self::Certificate { issuer, serial } => {
                let name = Name::from_der(issuer).map_or_else(
                    |_| alloc::format!("{:x}", HexDisplay(issuer)),
                    |name| name.to_string(),
                );
                write!(
                    f,
                    "certificate {:x} of {}",
                    HexDisplay(serial),
                    harmless(&name)
                )
            }
        }
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revocation({self})")
    }
}

/// Everything that is revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations(BTreeSet<Revocation>);

impl Revocations {
    /// Whether the key is revoked.
    #[must_use]
    pub fn is_key_revoked(&self, crypto: &CryptoProvider, key: &PublicKey) -> bool {
        // Hashing is for those that have something to compare with.
        !self.0.is_empty() && self.0.contains(&Revocation::Key(key.key_id(crypto)))
    }

    /// Whether the certificate is revoked, or its key.
    #[must_use]
    pub fn is_revoked(&self, crypto: &CryptoProvider, certificate: &Certificate) -> bool {
        !self.0.is_empty()
            && (self.0.contains(&Revocation::of(certificate))
                || self.is_key_revoked(crypto, certificate.key()))
    }

    /// Each, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Revocation> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Revocation> for Revocations {
    fn from_iter<I: IntoIterator<Item = Revocation>>(revocations: I) -> Self {
        Self(revocations.into_iter().collect())
    }
}

impl Extend<Revocation> for Revocations {
    fn extend<I: IntoIterator<Item = Revocation>>(&mut self, revocations: I) {
        self.0.extend(revocations);
    }
}

/// A certificate revocation list (RFC 5280 section 5), complete and direct: one that its issuer signed itself,
/// about certificates of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    issuer: Vec<u8>,
    revoked: Vec<Revocation>,
    this_update: u64,
    next_update: Option<u64>,
}

impl RevocationList {
    /// The label of its PEM block (RFC 7468).
    const LABEL: &'static str = "X509 CRL";

    /// Reads a list in DER and verifies it with the certificate of its issuer.
    ///
    /// # Errors
    ///
    /// [`ChainProblem::IssuerName`], [`ChainProblem::KeyUsage`] or [`ChainProblem::Signature`] if it is
    /// another's; [`ChainProblem::CriticalExtension`] for a delta, an indirect or a partial list;
    /// [`ChainProblem::Certificate`] if it is none at all.
    pub fn from_der(
        crypto: &CryptoProvider,
        bytes: &[u8],
        issuer: &Certificate,
    ) -> Result<Self, ChainError> {
        let fault = |problem| ChainError {
            certificate: Some(issuer.name()),
            problem,
        };
        let unreadable = |error: CertificateError| ChainError {
            certificate: None,
            problem: error.into(),
        };
        let envelope = Envelope::read(bytes).map_err(unreadable)?;
        let signed = bytes.get(envelope.signed.clone()).unwrap_or_default();
        let list = TbsCertList::<x509_cert::certificate::Rfc5280>::from_der(signed)
            .map_err(|error| unreadable(error.into()))?;
        let name = list
            .issuer
            .to_der()
            .map_err(|error| unreadable(error.into()))?;
        if name != issuer.subject() {
            return Err(fault(ChainProblem::IssuerName));
        }
        if !issuer.may_revoke() {
            return Err(fault(ChainProblem::KeyUsage("revoking")));
        }
        let verified = (envelope.algorithm == issuer.key().algorithm()).then(|| {
            crypto
                .signatures
                .verify(issuer.key(), signed, &envelope.signature)
        });
        if !matches!(verified, Some(Ok(()))) {
            return Err(fault(ChainProblem::Signature));
        }
        let entries = list.revoked_certificates.as_deref().unwrap_or_default();
        let extensions = list.crl_extensions.iter().flatten();
        let of_entries = entries
            .iter()
            .flat_map(|entry| entry.crl_entry_extensions.iter().flatten());
        if let Some(unknown) = extensions.chain(of_entries).find(|e| e.critical) {
            let oid = unknown.extn_id.to_string();
            return Err(fault(ChainProblem::CriticalExtension(oid)));
        }
        let revoked = entries.iter().map(|entry| Revocation::Certificate {
            issuer: name.clone(),
            serial: entry.serial_number.as_bytes().to_vec(),
        });
        Ok(Self {
            revoked: revoked.collect(),
            issuer: name,
            this_update: list.this_update.to_unix_duration().as_secs(),
            next_update: list
                .next_update
                .map(|time| time.to_unix_duration().as_secs()),
        })
    }

    /// The DER of the lists in a text: PEM blocks `X509 CRL`.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn pem_to_der(text: &str) -> Result<Vec<Vec<u8>>, Error> {
        Ok(pem_blocks(text, Self::LABEL)?)
    }

    /// What it revokes.
    #[must_use]
    pub fn revoked(&self) -> &[Revocation] {
        &self.revoked
    }

    /// Its issuer in DER.
    #[must_use]
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// When it was made, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn this_update(&self) -> u64 {
        self.this_update
    }

    /// When the next one is due.
    #[must_use]
    pub fn next_update(&self) -> Option<u64> {
        self.next_update
    }
}
