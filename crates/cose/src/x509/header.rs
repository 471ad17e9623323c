use alloc::{boxed::Box, vec::Vec};

use super::{Certificate, ChainError, ChainProblem};
use crate::{
    CryptoProvider, DigestAlgorithm, Error, Headers, PublicKey, Signer,
    cbor::{DecodeError, Problem, Reader, Type},
    header::label,
};

/// What a header says about certificates (RFC 9360), as received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters<'a> {
    bag: CertificateChain<'a>,
    chain: CertificateChain<'a>,
    /// A hash algorithm and a hash.
    thumbprint: Option<(i64, &'a [u8])>,
}

impl<'a> Parameters<'a> {
    pub(crate) fn read(&mut self, label: i64, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        // What is protected comes first, and counts.
        match label {
            label::X5CHAIN if self.chain.is_empty() => self.chain = CertificateChain::read(reader)?,
            label::X5BAG if self.bag.is_empty() => self.bag = CertificateChain::read(reader)?,
            label::X5T if self.thumbprint.is_none() => {
                reader.array_of(2, "an array of 2", "COSE / x5t")?;
                let algorithm = match reader.peek() {
                    // Text names algorithms of nobody's registry.
                    Type::Text => {
                        reader.skip("COSE / x5t")?;
                        0
                    }
                    _ => reader.int("COSE / x5t")?,
                };
                self.thumbprint = Some((algorithm, reader.bytes("COSE / x5t")?));
            }
            _ => reader.skip("COSE / certificates")?,
        }
        Ok(())
    }
}

/// Certificates in a header: of a chain in order, the signer's first. Not verified, and not even read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateChain<'a> {
    certificates: Vec<&'a [u8]>,
}

impl<'a> CertificateChain<'a> {
    /// More than any chain has; more still is refused before anything is allocated for it.
    const MAX: usize = 1024;

    /// A chain of these certificates in DER.
    #[must_use]
    pub fn new(certificates: Vec<&'a [u8]>) -> Self {
        Self { certificates }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const RULE: &str = "COSE_X509";
        let mut certificates = Vec::new();
        if reader.peek() == Type::Bytes {
            certificates.push(reader.bytes(RULE)?);
            return Ok(Self { certificates });
        }
        let start = reader.clone();
        let count = reader.array(RULE)?;
        if !(1..=Self::MAX).contains(&count) {
            return Err(start.error(RULE, Problem::OutOfBounds("1 to 1024 certificates")));
        }
        for _ in 0..count {
            certificates.push(reader.bytes(RULE)?);
        }
        Ok(Self { certificates })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Each in DER.
    #[must_use]
    pub fn certificates(&self) -> &[&'a [u8]] {
        &self.certificates
    }
}

impl<'a> Headers<'a> {
    /// The signer's certificate and those above it (x5chain); empty if the header has none.
    #[must_use]
    pub fn certificate_chain(&self) -> &CertificateChain<'a> {
        &self.certificates.chain
    }

    /// Certificates in no order (x5bag). They are not searched for a chain.
    #[must_use]
    pub fn certificate_bag(&self) -> &CertificateChain<'a> {
        &self.certificates.bag
    }

    /// The thumbprint of the signer's certificate (x5t): the COSE identifier of a hash algorithm, and a hash.
    #[must_use]
    pub fn certificate_thumbprint(&self) -> Option<(i64, &'a [u8])> {
        self.certificates.thumbprint
    }

    /// Refuses a chain whose first certificate is not the one that x5t names.
    pub(super) fn check_thumbprint(&self, crypto: &CryptoProvider) -> Result<(), ChainError> {
        let (Some((algorithm, hash)), Some(leaf)) = (
            self.certificate_thumbprint(),
            self.certificate_chain().certificates().first(),
        ) else {
            return Ok(());
        };
        let fits = DigestAlgorithm::from_cose_id(algorithm).is_some_and(|algorithm| {
            let mut context = crypto.digests.start(algorithm);
            context.update(leaf);
            context.finish().as_ref() == hash
        });
        match fits {
            true => Ok(()),
            false => Err(ChainError {
                certificate: Certificate::from_der(leaf).ok().map(|leaf| leaf.name()),
                problem: ChainProblem::Thumbprint,
            }),
        }
    }
}

/// A key that signs, with the certificates that vouch for it: they go into the header of what it signs.
pub struct CertifiedSigner {
    signer: Box<dyn Signer>,
    certificates: Vec<Vec<u8>>,
}

impl CertifiedSigner {
    /// `certificates` in DER, the key's own first.
    ///
    /// # Errors
    ///
    /// If the first is no certificate for the key of `signer`, or one is none at all.
    pub fn new(signer: Box<dyn Signer>, certificates: Vec<Vec<u8>>) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for certificate in &certificates {
            keys.push(*Certificate::from_der(certificate)?.key());
        }
        match keys.first() {
            Some(key) if key == signer.public_key() => Ok(Self {
                signer,
                certificates,
            }),
            Some(_) => Err(Error::UnknownKey),
            None => Err(ChainError {
                certificate: None,
                problem: ChainProblem::NotAChain,
            }
            .into()),
        }
    }
}

impl Signer for CertifiedSigner {
    fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.signer.sign(message)
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }
}

impl core::fmt::Debug for CertifiedSigner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CertifiedSigner")
            .field("key", self.public_key())
            .field("certificates", &self.certificates.len())
            .finish()
    }
}
