use alloc::{string::String, vec::Vec};

use super::{
    AnchorKey, Certificate, CertificateChain, ChainError, ChainProblem, Purpose, Revocations,
    TrustAnchor,
};
use crate::{CryptoProvider, PublicKey, SignatureAlgorithm};

/// How much of a chain is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainLimits {
    /// Most certificates, the anchor's own included if it is sent.
    pub certificates: usize,
    /// Most bytes of all certificates together.
    pub bytes: usize,
}

impl Default for ChainLimits {
    /// 8 certificates, 32 KiB.
    fn default() -> Self {
        Self {
            certificates: 8,
            bytes: 32 * 1024,
        }
    }
}

/// Who is trusted, what is revoked, and what time it is.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'t> {
    pub(super) anchors: &'t [TrustAnchor],
    pub(super) revocations: &'t Revocations,
    pub(super) now: u64,
    pub(super) limits: ChainLimits,
    pub(super) algorithm: Option<SignatureAlgorithm>,
}

/// The key at the beginning of a chain, and which anchor vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The leaf.
    pub certificate: Certificate,
    /// The place of the anchor among the anchors.
    pub anchor: usize,
}

/// A chain that is in order but for the time.
pub(super) struct Followed {
    pub(super) vouched: Vouched,
    /// Which certificate is not valid now, the one nearest to the anchor.
    pub(super) untimely: Option<ChainError>,
}

impl Followed {
    pub(super) fn now(self) -> Result<Vouched, ChainError> {
        self.untimely.map_or(Ok(self.vouched), Err)
    }
}

impl<'t> Trust<'t> {
    /// These anchors, but for what is revoked, at `now`, which is in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn new(anchors: &'t [TrustAnchor], revocations: &'t Revocations, now: u64) -> Self {
        Self {
            anchors,
            revocations,
            now,
            limits: ChainLimits::default(),
            algorithm: None,
        }
    }

    /// The same for chains within `limits`.
    #[must_use]
    pub fn with_limits(self, limits: ChainLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same for signatures of one algorithm: others are passed over. Certificates may be signed with any.
    #[must_use]
    pub fn with_algorithm(self, algorithm: SignatureAlgorithm) -> Self {
        Self {
            algorithm: Some(algorithm),
            ..self
        }
    }

    /// Whether the anchor at `index` counts now: it is not revoked, and a certificate is valid, and may sign or
    /// issue others.
    #[must_use]
    pub fn counts(&self, crypto: &CryptoProvider, index: usize) -> bool {
        let counts_as = |signer| {
            self.anchors
                .get(index)
                .is_some_and(|anchor| matches!(self.check_anchor(crypto, anchor, signer), Ok(None)))
        };
        counts_as(true) || counts_as(false)
    }

    /// The anchors.
    #[must_use]
    pub fn anchors(&self) -> &'t [TrustAnchor] {
        self.anchors
    }

    /// Follows a chain from its leaf to an anchor of `purpose` (RFC 5280 section 6).
    ///
    /// The work is bounded by the limits and the number of anchors: each certificate is verified once against
    /// the next, and against those anchors that have its issuer's name; the last one against raw keys too.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which certificate. A fault of validity is named only if nothing else is wrong.
    // req: ARCH-021
    // req: ARCH-045
    pub fn follow(
        &self,
        crypto: &CryptoProvider,
        chain: &CertificateChain<'_>,
        purpose: Purpose,
    ) -> Result<Vouched, ChainError> {
        self.follow_at_any_time(crypto, chain, purpose)?.now()
    }

    pub(super) fn follow_at_any_time(
        &self,
        crypto: &CryptoProvider,
        chain: &CertificateChain<'_>,
        purpose: Purpose,
    ) -> Result<Followed, ChainError> {
        let chain = self.read(chain)?;
        let mut trouble = None;
        for (at, certificate) in chain.iter().enumerate() {
            let below = chain.get(..at).unwrap_or_default();
            if let Some(issued) = below.last() {
                check_link(crypto, issued, certificate)?;
            }
            let is_last = at + 1 == chain.len();
            for (index, anchor) in self.anchors.iter().enumerate() {
                if anchor.purpose != purpose {
                    continue;
                }
                let path = match reach(crypto, anchor, certificate, is_last) {
                    Reach::IsAnchor => below,
                    Reach::IssuedByAnchor => chain.get(..=at).unwrap_or_default(),
                    Reach::Forged => {
                        trouble.get_or_insert(fault(certificate, ChainProblem::Signature));
                        continue;
                    }
                    Reach::None => continue,
                };
                let leaf = chain.first().unwrap_or(certificate);
                match self.check_path(crypto, anchor, path, leaf) {
                    Ok(untimely) => {
                        return Ok(Followed {
                            vouched: Vouched {
                                certificate: leaf.clone(),
                                anchor: index,
                            },
                            untimely,
                        });
                    }
                    Err(error) => {
                        trouble.get_or_insert(error);
                    }
                }
            }
        }
        let untrusted = || ChainError {
            certificate: chain.last().map(Certificate::name),
            problem: ChainProblem::Untrusted(purpose.name()),
        };
        Err(trouble.unwrap_or_else(untrusted))
    }

    /// Reads all certificates, unless there are too many.
    fn read(&self, chain: &CertificateChain<'_>) -> Result<Vec<Certificate>, ChainError> {
        let nameless = |problem| ChainError {
            certificate: None,
            problem,
        };
        let refuse = |problem| Err(nameless(problem));
        if chain.is_empty() {
            return refuse(ChainProblem::NotAChain);
        }
        if chain.len() > self.limits.certificates {
            return refuse(ChainProblem::TooMany(self.limits.certificates));
        }
        let bytes: usize = chain.certificates().iter().map(|der| der.len()).sum();
        if bytes > self.limits.bytes {
            return refuse(ChainProblem::TooLong(self.limits.bytes));
        }
        let read = |der: &&[u8]| Certificate::from_der(der).map_err(|error| nameless(error.into()));
        chain.certificates().iter().map(read).collect()
    }

    /// Checks what an anchor and the certificates below it say: `path` is in the order of the chain, and empty
    /// if the leaf is the anchor itself. Signatures are verified before.
    fn check_path(
        &self,
        crypto: &CryptoProvider,
        anchor: &TrustAnchor,
        path: &[Certificate],
        leaf: &Certificate,
    ) -> Result<Option<ChainError>, ChainError> {
        let purpose = anchor.purpose;
        let mut untimely = self.check_anchor(crypto, anchor, path.is_empty())?;
        // RFC 5280 section 6.1: max_path_length.
        let mut room = anchor.as_certificate().and_then(Certificate::path_length);
        for (depth, certificate) in path.iter().enumerate().rev() {
            self.check_alone(crypto, certificate)?;
            untimely = untimely.or_else(|| self.untimely(certificate));
            if !certificate.is_for(purpose) {
                return Err(fault(
                    certificate,
                    ChainProblem::ExtendedKeyUsage(purpose.name()),
                ));
            }
            if depth == 0 {
                if !certificate.may_sign() {
                    return Err(fault(certificate, ChainProblem::KeyUsage("signing")));
                }
                continue;
            }
            if !certificate.is_authority() {
                return Err(fault(certificate, ChainProblem::NotAnAuthority));
            }
            if !certificate.is_self_issued() {
                room = match room {
                    Some(0) => return Err(fault(certificate, ChainProblem::PathLength)),
                    Some(length) => Some(length - 1),
                    None => None,
                };
            }
            room = match (room, certificate.path_length()) {
                (Some(room), Some(length)) => Some(room.min(length)),
                (room, length) => room.or(length),
            };
        }
        // Of a raw key that is the signer's own, nobody has verified what the certificate beside it says.
        let is_verified = !path.is_empty() || anchor.as_certificate().is_some();
        check_constraints(anchor, leaf.key(), is_verified.then_some(leaf))?;
        Ok(untimely)
    }

    /// Checks an anchor: as the signer of a message, or as an issuer.
    pub(super) fn check_anchor(
        &self,
        crypto: &CryptoProvider,
        anchor: &TrustAnchor,
        signs: bool,
    ) -> Result<Option<ChainError>, ChainError> {
        let certificate = match &anchor.key {
            AnchorKey::Key(key) if self.revocations.is_key_revoked(crypto, key) => {
                return Err(ChainError {
                    certificate: None,
                    problem: ChainProblem::Revoked,
                });
            }
            AnchorKey::Key(_) => None,
            AnchorKey::Certificate(certificate) => {
                if signs && !certificate.is_for(anchor.purpose) {
                    let problem = ChainProblem::ExtendedKeyUsage(anchor.purpose.name());
                    return Err(fault(certificate, problem));
                }
                self.check_alone(crypto, certificate)?;
                if signs && !certificate.may_sign() {
                    return Err(fault(certificate, ChainProblem::KeyUsage("signing")));
                }
                if !signs && !certificate.is_authority() {
                    return Err(fault(certificate, ChainProblem::NotAnAuthority));
                }
                Some(certificate)
            }
        };
        let untimely = certificate.and_then(|certificate| self.untimely(certificate));
        let ended = anchor.constraints.not_after.filter(|end| *end < self.now);
        Ok(untimely.or(ended.map(|not_after| ChainError {
            certificate: certificate.map(|certificate| certificate.name()),
            problem: ChainProblem::Expired { not_after },
        })))
    }

    /// What is wrong with a certificate wherever it stands.
    fn check_alone(
        &self,
        crypto: &CryptoProvider,
        certificate: &Certificate,
    ) -> Result<(), ChainError> {
        if self.revocations.is_revoked(crypto, certificate) {
            return Err(fault(certificate, ChainProblem::Revoked));
        }
        match certificate.unknown_extension() {
            Some(oid) => Err(fault(
                certificate,
                ChainProblem::CriticalExtension(oid.into()),
            )),
            None => Ok(()),
        }
    }

    fn untimely(&self, certificate: &Certificate) -> Option<ChainError> {
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        if self.now > not_after {
            return Some(fault(certificate, ChainProblem::Expired { not_after }));
        }
        let early = self.now < not_before;
        early.then(|| fault(certificate, ChainProblem::NotYetValid { not_before }))
    }
}

/// How a certificate stands to an anchor.
enum Reach {
    /// It is the anchor's own, or has the anchor's key.
    IsAnchor,
    IssuedByAnchor,
    /// It names the anchor as its issuer, and the signature says otherwise.
    Forged,
    None,
}

fn reach(
    crypto: &CryptoProvider,
    anchor: &TrustAnchor,
    certificate: &Certificate,
    is_last: bool,
) -> Reach {
    let issued_by = |key: &PublicKey| certificate.verify_signature(crypto, key).is_ok();
    match &anchor.key {
        AnchorKey::Certificate(own) if own.to_der() == certificate.to_der() => Reach::IsAnchor,
        AnchorKey::Certificate(own) if own.subject() == certificate.issuer() => {
            match issued_by(own.key()) {
                true => Reach::IssuedByAnchor,
                false => Reach::Forged,
            }
        }
        AnchorKey::Certificate(_) => Reach::None,
        AnchorKey::Key(key) if key == certificate.key() => Reach::IsAnchor,
        // A key has no name by which it could be found in the middle.
        AnchorKey::Key(key) if is_last && issued_by(key) => Reach::IssuedByAnchor,
        AnchorKey::Key(_) => Reach::None,
    }
}

fn check_link(
    crypto: &CryptoProvider,
    issued: &Certificate,
    issuer: &Certificate,
) -> Result<(), ChainError> {
    if issued.issuer() != issuer.subject() {
        return Err(fault(issued, ChainProblem::IssuerName));
    }
    issued
        .verify_signature(crypto, issuer.key())
        .map_err(|_| fault(issued, ChainProblem::Signature))
}

/// Whether the anchor vouches for a signer: its key, and its certificate if it has one.
pub(super) fn check_constraints(
    anchor: &TrustAnchor,
    key: &PublicKey,
    certificate: Option<&Certificate>,
) -> Result<(), ChainError> {
    let constraints = &anchor.constraints;
    let refuse = |what| {
        Err(ChainError {
            certificate: certificate.map(Certificate::name),
            problem: ChainProblem::Constraint(what),
        })
    };
    let has_name = |required: &String| {
        certificate.is_some_and(|certificate| {
            certificate.subject_text() == required
                || certificate.alternative_names().contains(required)
        })
    };
    if constraints
        .subject
        .as_ref()
        .is_some_and(|name| !has_name(name))
    {
        return refuse("this subject");
    }
    let algorithms = constraints.algorithms.as_deref();
    if algorithms.is_some_and(|algorithms| !algorithms.contains(&key.algorithm())) {
        return refuse("keys of this algorithm");
    }
    let has_usage = |required: &Vec<u8>| {
        certificate
            .and_then(Certificate::extended_key_usage)
            .is_some_and(|usages| usages.contains(required))
    };
    let usage = constraints.extended_key_usage.as_ref();
    if usage.is_some_and(|usage| !has_usage(usage)) {
        return refuse("this extended key usage");
    }
    Ok(())
}

pub(super) fn fault(certificate: &Certificate, problem: ChainProblem) -> ChainError {
    ChainError {
        certificate: Some(certificate.name()),
        problem,
    }
}
