//! Who appraises Evidence for the TAM.

use std::fmt;

use tamarack_cose::CryptoProvider;
use tamarack_rats::{
    Appraisal, AppraisalError, EAT_CWT, Endorsement, Evidence, EvidenceError, Freshness,
};
use tamarack_teep::{AttestationPayload, MediaType};

/// Appraises Evidence: in this process against endorsements, or somewhere else.
///
/// The engine has found before that the Evidence answers an open challenge of this TAM, wherever it can
/// read that; and finds afterwards that exactly the key which the outcome names signed the message, that
/// the device is enrolled, and that a result was signed by a Verifier that is trusted. None of this is the
/// business of an appraiser.
pub trait Appraiser: Send + Sync + fmt::Debug {
    /// Whether it can do anything with Evidence of this format. Without a format, it is an EAT.
    fn takes(&self, format: Option<&MediaType>) -> bool;

    /// Whether it can do anything with Evidence that is no EAT, which the TAM can't read.
    fn takes_unreadable(&self) -> bool {
        false
    }

    /// Appraises.
    ///
    /// # Errors
    ///
    /// Why the Evidence does not convince, or that this could not be found out.
    // req: TEEP-TAM-006
    fn appraise(&self, evidence: &PresentedEvidence<'_>) -> Result<Appraised, NotAppraised>;
}

/// Evidence that an agent presents.
#[derive(Clone, Copy)]
pub struct PresentedEvidence<'a> {
    /// Its format; without one, it is an EAT.
    pub format: Option<&'a str>,
    /// The Evidence, as it came.
    pub bytes: &'a [u8],
    /// The challenge that it says it answers, which is an open one of this TAM; `None` if the TAM can't
    /// read the Evidence. The outcome then has to say which nonce it answers.
    pub nonce: Option<&'a [u8]>,
    /// How old the Evidence may be, in seconds, if it has no nonce; `None` if it must have one.
    pub maximum_age: Option<u64>,
    /// What the maker of the device says about it, if the device is known and enrolled.
    pub endorsement: Option<&'a Endorsement>,
    /// Whether a second result is wanted, for the agent to show to others.
    pub for_agent_too: bool,
    /// Seconds since 1970-01-01 UTC.
    pub now: u64,
}

/// What came of Evidence that convinces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appraised {
    /// It was appraised in this process.
    Here(Appraisal),
    /// A Verifier has answered with Attestation Results, which nobody has verified yet.
    Results {
        /// The one for the TAM.
        for_tam: AttestationPayload,
        /// The one for the agent, if it was asked for and there is one.
        for_agent: Option<AttestationPayload>,
    },
}

/// Why Evidence was not found to convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAppraised {
    /// It does not convince.
    #[error(transparent)]
    Refused(#[from] AppraisalError),
    /// The Verifier says that it does not convince, or can't read it.
    #[error("the Verifier refuses the Evidence: {0}")]
    Rejected(String),
    /// Nobody could find out. Nothing about the Evidence is implied.
    #[error("the Verifier can't be asked: {0}")]
    Unavailable(String),
}

/// Appraisal in this process, against the endorsements of enrolled devices. It knows EATs in CWT form.
#[derive(Debug, Clone, Copy)]
pub struct BuiltInAppraiser {
    /// The crypto provider.
    pub crypto: CryptoProvider,
}

impl Appraiser for BuiltInAppraiser {
    fn takes(&self, format: Option<&MediaType>) -> bool {
        format.is_none_or(|format| format.essence() == EAT_CWT)
    }

    fn appraise(&self, presented: &PresentedEvidence<'_>) -> Result<Appraised, NotAppraised> {
        let evidence = Evidence::decode(presented.bytes);
        let evidence = evidence.map_err(AppraisalError::from)?;
        let by_age = || {
            let maximum_age = presented.maximum_age?;
            Some(Freshness::Timestamp { maximum_age })
        };
        let freshness = presented.nonce.map(Freshness::Nonce).or_else(by_age);
        let (Some(endorsement), Some(freshness)) = (presented.endorsement, freshness) else {
            let stranger = EvidenceError::from(tamarack_cose::Error::UnknownKey);
            return Err(AppraisalError::from(stranger).into());
        };
        let found = tamarack_rats::appraise(
            &self.crypto,
            &evidence,
            endorsement,
            freshness,
            presented.now,
        )?;
        if let Some(format) = &found.unchecked {
            tracing::warn!(
                format,
                "a hardware report was not checked: that takes a Verifier which knows the format"
            );
        }
        Ok(Appraised::Here(found))
    }
}
