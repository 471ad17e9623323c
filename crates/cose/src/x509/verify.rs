use alloc::vec::Vec;

use super::{Certificate, ChainError, Purpose, Trust, chain::check_constraints};
use crate::{CryptoProvider, Error, Headers, PublicKey, Signed, sign1::one_payload, signed::names};

/// Who signed, and who vouches for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signatory {
    /// The key.
    pub key: PublicKey,
    /// The place among the anchors of the one that vouches for the key.
    pub anchor: usize,
    /// The signer's certificate; `None` if the anchor is a raw key that signed itself.
    pub certificate: Option<Certificate>,
}

impl Signed<'_> {
    /// Verifies with an anchor of `purpose`, or with the key of a certificate that leads to one; returns who
    /// signed, and the payload.
    ///
    /// Anchors sign themselves, as far as a certificate of theirs lets them; and they vouch for whoever sends
    /// a chain in the header of the signature. In a COSE_Sign each signature has its own chain, and the first
    /// that verifies counts. A signature by whom nobody vouches for is passed over, but one that names a
    /// trusted key, or a certificate in order, and does not verify is refused.
    ///
    /// # Errors
    ///
    /// [`Error::Certificate`] if there is a chain and what is wrong is wrong with that; otherwise as
    /// [`verify`](Self::verify).
    pub fn verify_trusted<'p>(
        &'p self,
        crypto: &CryptoProvider,
        trust: &Trust<'_>,
        purpose: Purpose,
        detached: Option<&'p [u8]>,
    ) -> Result<(Signatory, &'p [u8]), Error> {
        let payload = one_payload(self.unverified_payload(), detached)?;
        let (mut found, mut trouble) = (None, None);
        for index in 0..self.signatures().len() {
            match self.signatory(crypto, index, trust, purpose, detached) {
                Ok(signatory) => {
                    found.get_or_insert(signatory);
                }
                Err(error @ (Error::BadSignature | Error::CriticalHeader(_))) => return Err(error),
                Err(error) => {
                    trouble.get_or_insert(error);
                }
            }
        }
        match (found, trouble) {
            (Some(signatory), _) => Ok((signatory, payload)),
            (None, trouble) => Err(trouble.unwrap_or(Error::UnknownKey)),
        }
    }

    /// Who made the signature at `index` of [`signatures`](Self::signatures), for `purpose`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if nobody vouches for it, there is no chain and no such signature;
    /// [`Error::BadSignature`] if it names a trusted key, or a certificate in order, and does not verify; and
    /// as [`verify_trusted`](Self::verify_trusted).
    pub fn signatory(
        &self,
        crypto: &CryptoProvider,
        index: usize,
        trust: &Trust<'_>,
        purpose: Purpose,
        detached: Option<&[u8]>,
    ) -> Result<Signatory, Error> {
        let headers = self.signatures().into_iter().nth(index);
        let attempt = Attempt {
            signed: self,
            index,
            headers: headers.ok_or(Error::UnknownKey)?,
            crypto,
            trust,
            purpose,
            detached,
        };
        attempt.signatory()
    }
}

/// One signature, and all that can be known about it.
struct Attempt<'s> {
    signed: &'s Signed<'s>,
    index: usize,
    headers: &'s Headers<'s>,
    crypto: &'s CryptoProvider,
    trust: &'s Trust<'s>,
    purpose: Purpose,
    detached: Option<&'s [u8]>,
}

impl Attempt<'_> {
    fn fits(&self, key: &PublicKey) -> Result<(), Error> {
        self.signed
            .verify_at(self.crypto, self.index, key, self.detached)
    }

    fn signatory(&self) -> Result<Signatory, Error> {
        let algorithm = self.headers.algorithm()?;
        if self.trust.algorithm.is_some_and(|only| only != algorithm) {
            return Err(Error::UnknownKey);
        }
        let first = match self.by_anchor() {
            Err(error @ (Error::UnknownKey | Error::Certificate(_))) => error,
            outcome => return outcome,
        };
        if self.headers.certificate_chain().is_empty() {
            return Err(first);
        }
        // A certificate that was renewed may lead to another anchor than the one that has the key.
        self.by_chain().map_err(|second| match first {
            Error::UnknownKey => second,
            first => first,
        })
    }

    /// The anchor that signed itself.
    fn by_anchor(&self) -> Result<Signatory, Error> {
        let algorithm = self.headers.algorithm()?;
        let key_id = self.headers.key_id();
        let anchors = self.trust.anchors.iter().enumerate().filter(|(_, anchor)| {
            anchor.purpose == self.purpose && anchor.public_key().algorithm() == algorithm
        });
        // The key id selects; one that is nobody's says nothing, as everywhere (RFC 9052 section 3.1).
        let named: Vec<_> = match key_id {
            Some(_) => anchors
                .clone()
                .filter(|(_, anchor)| names(self.crypto, key_id, anchor.public_key()))
                .collect(),
            None => Vec::new(),
        };
        let is_named = !named.is_empty();
        let candidates = if is_named { named } else { anchors.collect() };
        let mut outcome = Error::UnknownKey;
        for (index, anchor) in candidates {
            let key = anchor.public_key();
            match self.fits(key) {
                Ok(()) => {}
                Err(error) if is_named => return Err(error),
                Err(_) => continue,
            }
            match self.check_anchor(index) {
                Ok(()) => {
                    return Ok(Signatory {
                        key: *key,
                        anchor: index,
                        certificate: anchor.as_certificate().cloned(),
                    });
                }
                // Another anchor may have the same key.
                Err(error) => outcome = error.into(),
            }
        }
        Err(outcome)
    }

    /// Whether an anchor whose signature is good may sign.
    fn check_anchor(&self, index: usize) -> Result<(), ChainError> {
        let Some(anchor) = self.trust.anchors.get(index) else {
            return Ok(());
        };
        let untimely = self.trust.check_anchor(self.crypto, anchor, true)?;
        // A raw key that must have a subject may come with a certificate that has it.
        check_constraints(anchor, anchor.public_key(), anchor.as_certificate())?;
        untimely.map_or(Ok(()), Err)
    }

    /// The holder of the certificate at the beginning of the chain in the header.
    fn by_chain(&self) -> Result<Signatory, Error> {
        self.headers.check_thumbprint(self.crypto)?;
        let chain = self.headers.certificate_chain();
        let followed = self
            .trust
            .follow_at_any_time(self.crypto, chain, self.purpose)?;
        // A key of another algorithm than the signature's did not make it either.
        self.fits(followed.vouched.certificate.key())
            .map_err(|error| match error {
                Error::UnknownKey => Error::BadSignature,
                error => error,
            })?;
        let vouched = followed.now()?;
        Ok(Signatory {
            key: *vouched.certificate.key(),
            anchor: vouched.anchor,
            certificate: Some(vouched.certificate),
        })
    }
}
