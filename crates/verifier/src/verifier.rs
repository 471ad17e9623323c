use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use tamarack_cose::{CryptoProvider, PublicKey, SecretKey, Signer};
use tamarack_rats::{
    Appraisal, AppraisalError, AttestationResult, Claims, Confirmation, EAR_PROFILE, EAT_CWT, Ear,
    EarAppraisal, EarTeepClaims, Endorsement, Evidence, Freshness, TEEP_EAT_PROFILE, TrustTier,
    TrustVector, VerifierId, appraise,
};
use tamarack_teep::MediaType;

use crate::ResultFormat;

/// The name of the one attester of a device, in an EAR.
const SUBMODULE: &str = "TEE";

/// Appraises Evidence against endorsements, and signs what it found.
pub struct Verifier {
    crypto: CryptoProvider,
    signer: Box<dyn Signer>,
    endorsements: HashMap<Vec<u8>, Endorsement>,
    /// How long a result counts, in seconds.
    lifetime: u64,
}

/// Why there is no result of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Evidence of a format that is not known here.
    #[error("Evidence of the format {0} is not known here, but application/eat+cwt is")]
    Format(String),
    /// It can't be read.
    #[error("the Evidence can't be read: {0}")]
    Unreadable(String),
    /// It does not convince, which a result in the EAT profile of TEEP has no way to say.
    #[error("{0}")]
    NotConvincing(AppraisalError),
    /// Neither the Evidence nor the endorsement says what a result in the EAT profile of TEEP must.
    #[error("neither the Evidence nor the endorsement of the device says its {0}")]
    Unknown(&'static str),
    /// No result could be signed.
    #[error("no result could be signed: {0}")]
    Crypto(tamarack_cose::Error),
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("key", self.signer.public_key())
            .field("endorsements", &self.endorsements.len())
            .finish_non_exhaustive()
    }
}

/// What was found about a piece of Evidence, good or bad.
#[derive(Debug, Clone)]
pub struct Findings {
    outcome: Result<Appraisal, AppraisalError>,
    /// What the Evidence states. It counts only where the attester is known to have signed it.
    claims: Claims,
    endorsement: Option<Endorsement>,
    /// The nonce that its reader sent.
    asked: Option<Vec<u8>>,
    now: u64,
}

impl Verifier {
    /// A Verifier that signs with `key` and knows these devices. Its results count for `lifetime` seconds.
    ///
    /// # Errors
    ///
    /// If the key is not valid.
    pub fn new(
        crypto: CryptoProvider,
        key: &SecretKey,
        endorsements: impl IntoIterator<Item = Endorsement>,
        lifetime: u64,
    ) -> Result<Self, tamarack_cose::Error> {
        let by_ueid = endorsements
            .into_iter()
            .map(|endorsement| (endorsement.ueid.clone(), endorsement));
        Ok(Self {
            signer: crypto.signatures.signer(key)?,
            endorsements: by_ueid.collect(),
            lifetime,
            crypto,
        })
    }

    /// The key that its results are verified with.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    /// The crypto provider.
    #[must_use]
    pub fn crypto(&self) -> &CryptoProvider {
        &self.crypto
    }

    /// Appraises Evidence at `now`, in seconds since 1970-01-01 UTC. Without a nonce, whatever nonce it
    /// answers will do, and the results say which; but it must answer one.
    ///
    /// # Errors
    ///
    /// If the Evidence is of no format that is known here, or can't be read. That it does not convince is a
    /// finding, not an error.
    pub fn appraise(
        &self,
        media_type: &MediaType,
        evidence: &[u8],
        nonce: Option<&[u8]>,
        now: u64,
    ) -> Result<Findings, Refused> {
        if media_type.essence() != EAT_CWT {
            return Err(Refused::Format(media_type.essence().into()));
        }
        let evidence =
            Evidence::decode(evidence).map_err(|error| Refused::Unreadable(error.to_string()))?;
        let claims = evidence.unverified_claims().clone();
        let endorsement = (claims.ueid.as_ref()).and_then(|ueid| self.endorsements.get(ueid));
        let freshness = nonce.or(claims.nonce.as_deref()).map(Freshness::Nonce);
        let outcome = match (endorsement, freshness) {
            (Some(endorsement), Some(freshness)) => {
                appraise(&self.crypto, &evidence, endorsement, freshness, now)
            }
            (Some(_), None) => Err(AppraisalError::NotFresh),
            (None, _) => Err(AppraisalError::OtherDevice),
        };
        Ok(Findings {
            outcome,
            claims,
            endorsement: endorsement.cloned(),
            asked: nonce.map(<[u8]>::to_vec),
            now,
        })
    }

    /// Signs what was found.
    ///
    /// # Errors
    ///
    /// If there is no such result about it.
    // req: EAT-001
    // req: EAT-018
    pub fn issue(&self, findings: &Findings, format: ResultFormat) -> Result<Vec<u8>, Refused> {
        let signer = &*self.signer;
        let issued = match format {
            ResultFormat::Teep => findings
                .teep_result(&self.crypto, self.lifetime)?
                .issue(&self.crypto, signer),
            ResultFormat::EarCwt => findings
                .ear(&self.crypto, self.lifetime)
                .issue_cwt(&self.crypto, signer),
            ResultFormat::EarJwt => findings
                .ear(&self.crypto, self.lifetime)
                .issue_jwt(&self.crypto, signer)
                .map(String::into_bytes),
        };
        issued.map_err(Refused::Crypto)
    }
}

impl Findings {
    /// How good they are.
    #[must_use]
    pub fn tier(&self) -> TrustTier {
        self.vector().tier()
    }

    fn vector(&self) -> TrustVector {
        match &self.outcome {
            Ok(appraisal) => appraisal.vector,
            Err(error) => error.vector(),
        }
    }

    /// The key that is bound, if the attester is known to have bound it.
    fn confirmation(&self, crypto: &CryptoProvider) -> Option<Confirmation> {
        let bound = match &self.outcome {
            Ok(appraisal) => appraisal.confirmation,
            Err(AppraisalError::OutOfDate(found)) => found.confirmation,
            Err(_) => return None,
        };
        // With the key, where it is known: who relies on the result may meet it for the first time.
        Some(match bound.public_key() {
            Some(key) if bound.confirms(key, crypto) => Confirmation::named(key, crypto),
            _ => bound,
        })
    }

    /// What is known of the device, by its Evidence or else by its endorsement.
    fn device(&self) -> EarTeepClaims {
        let Some(endorsement) = &self.endorsement else {
            return EarTeepClaims::default();
        };
        let claims = &self.claims;
        let manifests = match claims.manifests.is_empty() {
            true => (endorsement.manifests.iter().cloned())
                .map(Into::into)
                .collect(),
            false => claims.manifests.clone(),
        };
        EarTeepClaims {
            nonce: None,
            ueid: Some(endorsement.ueid.clone()),
            oemid: claims.oemid.or(endorsement.oemid),
            hwmodel: (claims.hwmodel.clone()).or_else(|| endorsement.hwmodel.clone()),
            hwversion: (claims.hwversion.clone()).or_else(|| endorsement.hwversion.clone()),
            manifests,
        }
    }

    /// The result for a TAM.
    // req: EAT-005
    // req: EAT-008
    // req: EAT-012
    fn teep_result(
        &self,
        crypto: &CryptoProvider,
        lifetime: u64,
    ) -> Result<AttestationResult, Refused> {
        if let Err(error) = &self.outcome {
            return Err(Refused::NotConvincing(error.clone()));
        }
        let device = self.device();
        let manifests = device.manifests;
        if manifests.is_empty() {
            return Err(Refused::Unknown("manifests"));
        }
        Ok(AttestationResult {
            ueid: device.ueid.ok_or(Refused::Unknown("ueid"))?,
            oemid: device.oemid.ok_or(Refused::Unknown("oemid"))?,
            hwmodel: device.hwmodel.ok_or(Refused::Unknown("hwmodel"))?,
            hwversion: device.hwversion.ok_or(Refused::Unknown("hwversion"))?,
            manifests,
            confirmation: self.confirmation(crypto).ok_or(Refused::Unknown("cnf"))?,
            profile: Some(TEEP_EAT_PROFILE.into()),
            swname: None,
            issued_at: Some(self.now),
            expires_at: Some(self.now.saturating_add(lifetime)),
            not_before: None,
            nonce: self.claims.nonce.clone(),
        })
    }

    /// The result for anybody. What is bad has no key and no device in it that nobody vouches for.
    fn ear(&self, crypto: &CryptoProvider, lifetime: u64) -> Ear {
        let confirmation = self.confirmation(crypto);
        let appraisal = EarAppraisal {
            policies: vec!["endorsement".into()],
            nonce: (self.claims.nonce.clone()).filter(|_| confirmation.is_some()),
            teep: confirmation.map(|_| self.device()),
            ..EarAppraisal::from(self.vector())
        };
        Ear {
            profile: EAR_PROFILE.into(),
            issued_at: self.now,
            expires_at: Some(self.now.saturating_add(lifetime)),
            not_before: None,
            verifier: VerifierId {
                developer: "Tamarack".into(),
                build: concat!("tamarack ", env!("CARGO_PKG_VERSION")).into(),
            },
            status: Some(self.tier()),
            nonce: self.asked.clone(),
            confirmation,
            appraisals: BTreeMap::from([(SUBMODULE.to_owned(), appraisal)]),
        }
    }
}
