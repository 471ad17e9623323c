use alloc::{boxed::Box, string::String, vec::Vec};

use super::{Certificate, Purpose};
use crate::{
    CryptoProvider, KeyId, PublicKey, SignatureAlgorithm,
    cbor::{DecodeError, Problem, Reader, Type, Writer},
};

/// The key of a trust anchor, and what comes with it.
// req: ARCH-027
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnchorKey {
    /// A raw public key. It signs itself, and may issue certificates.
    Key(PublicKey),
    /// A certificate, self-signed or not. What its key may do is what the certificate says.
    Certificate(Box<Certificate>),
}

/// What a trust anchor vouches for, within its purpose. The default leaves everything open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    /// The signer's certificate has this subject, as RFC 4514 writes it, or this alternative name. A raw key
    /// without certificate has neither.
    pub subject: Option<String>,
    /// The signer's key is for one of these.
    pub algorithms: Option<Vec<SignatureAlgorithm>>,
    /// The last second, since 1970-01-01 UTC, at which the anchor counts.
    pub not_after: Option<u64>,
    /// The signer's certificate has this extended key usage, which is the content octets of an object
    /// identifier.
    pub extended_key_usage: Option<Vec<u8>>,
}

/// A key or a certificate that is trusted, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    /// What it authorises.
    pub purpose: Purpose,
    /// The key.
    pub key: AnchorKey,
    /// What it vouches for.
    pub constraints: Constraints,
}

const RULE: &str = "trust anchor";

impl TrustAnchor {
    /// A raw public key.
    #[must_use]
    pub fn key(purpose: Purpose, key: PublicKey) -> Self {
        Self {
            purpose,
            key: AnchorKey::Key(key),
            constraints: Constraints::default(),
        }
    }

    /// A certificate.
    #[must_use]
    pub fn certificate(purpose: Purpose, certificate: Certificate) -> Self {
        Self {
            purpose,
            key: AnchorKey::Certificate(Box::new(certificate)),
            constraints: Constraints::default(),
        }
    }

    /// The same, for no more than `constraints` allow.
    #[must_use]
    pub fn with_constraints(self, constraints: Constraints) -> Self {
        Self {
            constraints,
            ..self
        }
    }

    /// Its public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        match &self.key {
            AnchorKey::Key(key) => key,
            AnchorKey::Certificate(certificate) => certificate.key(),
        }
    }

    /// Its certificate; `None` of a raw key.
    #[must_use]
    pub fn as_certificate(&self) -> Option<&Certificate> {
        match &self.key {
            AnchorKey::Key(_) => None,
            AnchorKey::Certificate(certificate) => Some(certificate),
        }
    }

    /// What tells it from other anchors: SHA-256 of its encoding. Another constraint makes another anchor.
    #[must_use]
    pub fn id(&self, crypto: &CryptoProvider) -> KeyId {
        crypto.sha256(&Writer::build(|w| self.write(w))).into()
    }

    /// Writes the anchor:
    ///
    /// ```text
    /// trust-anchor = {
    ///   1 => uint,               ; purpose: 0 TAM, 1 signer, 2 TEE, 3 Verifier
    ///   2 => COSE_Key / bstr,    ; a raw public key, or a certificate in DER
    ///   ? 3 => tstr,             ; subject
    ///   ? 4 => [ * int ],        ; algorithms, as COSE numbers them
    ///   ? 5 => uint,             ; not after, in seconds since 1970-01-01 UTC
    ///   ? 6 => bstr,             ; extended key usage
    /// }
    /// ```
    pub fn write(&self, w: &mut Writer) {
        let Constraints {
            subject,
            algorithms,
            not_after,
            extended_key_usage,
        } = &self.constraints;
        let optional = [
            subject.is_some(),
            algorithms.is_some(),
            not_after.is_some(),
            extended_key_usage.is_some(),
        ];
        w.map(2 + optional.into_iter().filter(|there| *there).count());
        w.uint(1).uint(self.purpose.id()).uint(2);
        match &self.key {
            AnchorKey::Key(key) => w.raw(&key.to_cose_key()),
            AnchorKey::Certificate(certificate) => w.bytes(certificate.to_der()),
        };
        if let Some(subject) = subject {
            w.uint(3).text(subject);
        }
        if let Some(algorithms) = algorithms {
            w.uint(4).array(algorithms.len());
            for algorithm in algorithms {
                w.int(algorithm.cose_id());
            }
        }
        if let Some(not_after) = not_after {
            w.uint(5).uint(*not_after);
        }
        if let Some(usage) = extended_key_usage {
            w.uint(6).bytes(usage);
        }
    }

    /// Reads an anchor that passed the strict door.
    ///
    /// # Errors
    ///
    /// If it is none, or has a constraint that is not known: one that would not be kept.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let (mut purpose, mut key, mut constraints) = (None, None, Constraints::default());
        for _ in 0..reader.map(RULE)? {
            let at = reader.clone();
            match reader.uint(RULE)? {
                1 => {
                    let at = reader.clone();
                    let found = Purpose::from_id(reader.uint(RULE)?);
                    let wrong = || at.error(RULE, Problem::Expected("a purpose, 0 to 3"));
                    purpose = Some(found.ok_or_else(wrong)?);
                }
                2 => key = Some(read_key(reader)?),
                3 => constraints.subject = Some(reader.text(RULE)?.into()),
                4 => constraints.algorithms = Some(read_algorithms(reader)?),
                5 => constraints.not_after = Some(reader.uint(RULE)?),
                6 => constraints.extended_key_usage = Some(reader.bytes(RULE)?.to_vec()),
                _ => return Err(at.error(RULE, Problem::Expected("label 1 to 6"))),
            }
        }
        match (purpose, key) {
            (Some(purpose), Some(key)) => Ok(Self {
                purpose,
                key,
                constraints,
            }),
            _ => Err(start.error(RULE, Problem::Missing("purpose (1) or key (2)"))),
        }
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<AnchorKey, DecodeError> {
    let start = reader.clone();
    if reader.peek() == Type::Bytes {
        return Certificate::from_der(reader.bytes(RULE)?)
            .map(|certificate| AnchorKey::Certificate(Box::new(certificate)))
            .map_err(|_| start.error(RULE, Problem::Expected("an X.509 certificate")));
    }
    PublicKey::from_cose_key(reader.raw(RULE)?)
        .map(AnchorKey::Key)
        .map_err(|_| start.error(RULE, Problem::Expected("a COSE_Key for signatures")))
}

fn read_algorithms(reader: &mut Reader<'_>) -> Result<Vec<SignatureAlgorithm>, DecodeError> {
    let start = reader.clone();
    let count = reader.array(RULE)?;
    if count > 8 {
        return Err(start.error(RULE, Problem::OutOfBounds("at most 8 algorithms")));
    }
    let mut algorithms = Vec::new();
    for _ in 0..count {
        // One that is not supported is allowed to nobody here either way. If there is no other, none is left, and
        // the anchor is kept without vouching for anything.
        algorithms.extend(SignatureAlgorithm::from_cose_id(reader.int(RULE)?));
    }
    Ok(algorithms)
}
