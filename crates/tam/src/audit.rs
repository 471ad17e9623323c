//! What was decided, when, and about whom.

use crate::{Timestamp, Ueid};

/// A decision that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditAction {
    /// A device was enrolled, or its endorsement replaced.
    Enroll,
    /// A device was removed.
    RemoveDevice,
    /// A security domain was registered or changed.
    RegisterDomain,
    /// A security domain was removed.
    RemoveDomain,
    /// A security domain is being removed from devices.
    RetireDomain,
    /// A manifest was published.
    Publish,
    /// A manifest was withdrawn.
    Withdraw,
    /// A token of the admin API was made.
    AddToken,
    /// A token of the admin API was removed.
    RemoveToken,
    /// A deployment was made.
    Deploy,
    /// A deployment was removed.
    Undeploy,
    /// A device's agent attested with a key that was not its last one.
    NewAgentKey,
    /// An Update was sent.
    SendUpdate,
    /// An Update was carried out.
    UpdateSucceeded,
    /// An Update failed.
    UpdateFailed,
    /// An answer to an Update was signed well and contradicted itself.
    AnswerRefused,
    /// A key or a certificate was revoked.
    Revoke,
    /// A revocation was taken back.
    Reinstate,
    /// A maker was added, whose certificates make devices known.
    AddMaker,
    /// A maker was removed.
    RemoveMaker,
}

impl AuditAction {
    /// The name under which it is stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::RemoveDevice => "remove-device",
            Self::RegisterDomain => "register-domain",
            Self::RemoveDomain => "remove-domain",
            Self::RetireDomain => "retire-domain",
            Self::Publish => "publish",
            Self::Withdraw => "withdraw",
            Self::AddToken => "add-token",
            Self::RemoveToken => "remove-token",
            Self::Deploy => "deploy",
            Self::Undeploy => "undeploy",
            Self::NewAgentKey => "new-agent-key",
            Self::SendUpdate => "send-update",
            Self::UpdateSucceeded => "update-succeeded",
            Self::UpdateFailed => "update-failed",
            Self::AnswerRefused => "answer-refused",
            Self::Revoke => "revoke",
            Self::Reinstate => "reinstate",
            Self::AddMaker => "add-maker",
            Self::RemoveMaker => "remove-maker",
        }
    }
}

/// A decision to be recorded, in the transaction that carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: AuditAction,
    /// The device that it was about.
    pub device: Option<Ueid>,
    /// The domain, component or deployment that it was about; empty if there is none.
    pub subject: String,
    /// More, in words. Never a token, Evidence or a body.
    pub detail: String,
}

/// A decision as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Ascending, never reused.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// [`AuditAction::name`].
    pub action: String,
    /// The device that it was about.
    pub device: Option<Ueid>,
    /// What it was about.
    pub subject: String,
    /// More, in words.
    pub detail: String,
}
