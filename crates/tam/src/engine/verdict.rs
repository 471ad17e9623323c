//! What becomes of a message, and how that is logged.

use tamarack_rats::{EvidenceError, ResultError};
use tamarack_teep::{ErrorCode, ProtectionError};

use crate::Ueid;

/// Why a message gets no answer and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dropped {
    /// The bytes are no protected TEEP message.
    #[error("not a protected TEEP message: {0}")]
    Malformed(ProtectionError),
    /// A message that only a TAM sends.
    #[error("a {0} is for agents, not for a TAM")]
    Direction(&'static str),
    /// A QueryResponse without attestation-payload, which nothing authenticates.
    #[error("the QueryResponse has no attestation-payload")]
    NotAttested,
    /// An attestation-payload from which no nonce can be had.
    #[error("the attestation-payload can't be read: {0}")]
    Unreadable(EvidenceError),
    /// An attestation-payload that is encrypted, and not to this TAM.
    #[error("the attestation-payload can't be decrypted: {0}")]
    Undecryptable(tamarack_cose::Error),
    /// An Attestation Result that can't be read.
    #[error("the attestation-payload can't be read: {0}")]
    UnreadableResult(ResultError),
    /// A challenge or token that this TAM did not issue, or none.
    #[error("it answers nothing that was issued")]
    NotIssued,
    /// A challenge or token that is no longer valid.
    #[error("it answers what has expired")]
    Expired,
    /// A challenge or token that was answered before, or was superseded.
    #[error("it answers what was answered before")]
    Used,
    /// A signature by nobody who is known.
    #[error("it is signed by a stranger")]
    Stranger,
    /// A suite that was not offered.
    #[error("it is protected under a suite that was not offered")]
    Suite,
    /// A SUIT report that is unreadable, or not about the Update that it answers.
    #[error("a SUIT report {0}")]
    Report(String),
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It gets this Update.
    Update {
        message: Vec<u8>,
        install: usize,
        unlink: usize,
    },
    /// It gets an Update that says what was wrong, and why in words for the operator.
    Fault {
        message: Vec<u8>,
        code: ErrorCode,
        reason: String,
    },
    /// It is answered with a question, for this reason.
    Ask {
        message: Vec<u8>,
        reason: &'static str,
    },
    /// All is well, or has been taken note of; the exchange ends.
    Done(&'static str),
    /// It is ignored.
    Dropped(Dropped),
}

/// A message that has been handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handled {
    /// The device, as far as its id is known; authenticated unless the message was dropped or faulted.
    pub(super) device: Option<Ueid>,
    pub(super) verdict: Verdict,
}

impl From<Dropped> for Handled {
    fn from(reason: Dropped) -> Self {
        Self {
            device: None,
            verdict: Verdict::Dropped(reason),
        }
    }
}

impl Handled {
    pub(super) fn about(device: &Ueid, verdict: Verdict) -> Self {
        Self {
            device: Some(device.clone()),
            verdict,
        }
    }

    /// One line. Never a token, a challenge, Evidence or a body.
    pub(super) fn log(&self) {
        let device = self
            .device
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        match &self.verdict {
            Verdict::Update {
                install, unlink, ..
            } => {
                tracing::info!(outcome = "update", device, install, unlink);
            }
            Verdict::Fault { code, reason, .. } => {
                tracing::warn!(outcome = "fault", device, code = code.0, reason);
            }
            Verdict::Ask { reason, .. } => tracing::info!(outcome = "ask", device, reason),
            Verdict::Done(what) => tracing::info!(outcome = "done", device, reason = what),
            Verdict::Dropped(reason) => {
                tracing::warn!(outcome = "dropped", device, reason = %reason);
            }
        }
    }

    pub(super) fn into_reply(self) -> Option<Vec<u8>> {
        match self.verdict {
            Verdict::Update { message, .. }
            | Verdict::Fault { message, .. }
            | Verdict::Ask { message, .. } => Some(message),
            Verdict::Done(_) | Verdict::Dropped(_) => None,
        }
    }
}
