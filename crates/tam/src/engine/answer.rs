//! What became of an Update (TEEP section 7.1.2).

use tamarack_cose::{PublicKey, Signed};
use tamarack_suit::{
    Report,
    report::{Reason, ReportResult},
};
use tamarack_teep::{ErrorCode, Message, Protected, Token};

use super::{
    EngineError, Tam,
    attestation::offered_suite,
    verdict::{Dropped, Handled, Verdict},
};
use crate::{
    AuditAction, AuditEntry, Clock, Device, FinishedUpdate, ManifestOutcome, PendingUpdate, Store,
    Ueid,
    catalog::{Catalog, ManifestId},
};

/// How many devices a message without key id may be from.
const CANDIDATES: u32 = 16;

/// The tag of COSE_Mac0, in one byte. Untagged it has the shape of a COSE_Sign1.
const MAC0_TAG: u8 = 0xd1;

/// The parts of a Success or Error that matter here.
struct Answer<'a> {
    token: Option<&'a Token>,
    reports: &'a [Vec<u8>],
    /// The code and the text of an Error.
    error: Option<(ErrorCode, &'a str)>,
}

impl<'a> Answer<'a> {
    fn new(message: &'a Message) -> Option<Self> {
        match message {
            Message::Success(success) => Some(Self {
                token: success.token.as_ref(),
                reports: &success.suit_reports,
                error: None,
            }),
            Message::Error(error) => Some(Self {
                token: error.token.as_ref(),
                reports: &error.suit_reports,
                error: Some((
                    error.code,
                    error
                        .explanation
                        .as_ref()
                        .map_or("", |explanation| &explanation.text),
                )),
            }),
            _ => None,
        }
    }
}

impl<S: Store, C: Clock> Tam<S, C> {
    /// A Success or Error, of which nothing is believed yet.
    ///
    /// In this order: it is protected under an offered suite; a key that a device's agent attested signed
    /// it; its token is that of the device's pending Update, and has not expired; each report is about that
    /// Update. The token is used up by the first message that gets as far as the reports.
    pub(super) fn answer(&self, protected: &Protected<'_>) -> Result<Handled, EngineError> {
        if offered_suite(protected).is_none() {
            return Ok(Dropped::Suite.into());
        }
        // req: TEEP-TOK-004
        let candidates = self.candidates(protected)?;
        let keys: Vec<PublicKey> = candidates
            .iter()
            .filter_map(|device| device.agent_key)
            .collect();
        let Ok(verified) = protected.verify(&self.crypto, &keys) else {
            return Ok(Dropped::Stranger.into());
        };
        let signer = Some(verified.signer());
        let Some(answer) = Answer::new(verified.message()) else {
            return Ok(Dropped::Direction(verified.message().name()).into());
        };
        let Some(token) = answer.token else {
            return Ok(tokenless(
                &answer,
                candidates.iter().find(|d| d.agent_key == signer),
            ));
        };
        let token_hash = self.crypto.sha256(token.as_bytes());
        let pending = candidates
            .iter()
            .filter(|device| device.agent_key == signer);
        let pending = pending.filter_map(|device| Some((device, device.pending.as_ref()?)));
        let found = pending
            .into_iter()
            .find(|(_, pending)| same(&pending.token_hash, &token_hash));
        let Some((device, pending)) = found else {
            return Ok(Dropped::NotIssued.into());
        };
        self.authentic(device, pending, token, &answer)
    }

    /// Devices whose agent the message may be from.
    fn candidates(&self, protected: &Protected<'_>) -> Result<Vec<Device>, EngineError> {
        Ok(match protected.key_ids().next() {
            Some(key_id) => self.store.devices_by_agent_key(&key_id)?,
            // A kid is optional (AMB-32). Who has none is sought among those from whom an answer is due.
            None => self.store.devices_with_newest_updates(CANDIDATES)?,
        })
    }

    /// An answer that the device's agent signed, with the token of its pending Update.
    fn authentic(
        &self,
        device: &Device,
        pending: &PendingUpdate,
        token: &Token,
        answer: &Answer<'_>,
    ) -> Result<Handled, EngineError> {
        let now = self.clock.now();
        let ueid = match Ueid::new(device.endorsement.ueid.clone()) {
            Ok(ueid) => ueid,
            Err(error) => return Err(crate::StoreError::Corrupt(error.to_string()).into()),
        };
        // req: TEEP-TOK-005
        if pending.expires_at <= now {
            return Ok(Handled::about(&ueid, Verdict::Dropped(Dropped::Expired)));
        }
        let catalog = self.store.catalog()?;
        let entry = |action, detail| AuditEntry {
            at: now,
            action,
            device: Some(ueid.clone()),
            subject: String::new(),
            detail,
        };
        let (outcomes, audit, verdict) = match reports(answer.reports, token) {
            Ok(reports) => {
                let outcomes = outcomes(answer, pending, &reports, &catalog);
                let failed = outcomes.iter().any(|outcome| outcome.failure.is_some());
                let (action, done) = match answer.error.is_some() || failed {
                    false => (AuditAction::UpdateSucceeded, "the Update succeeded"),
                    true => (AuditAction::UpdateFailed, "the Update failed"),
                };
                let detail = detail(answer, &outcomes, &catalog);
                (outcomes, entry(action, detail), Verdict::Done(done))
            }
            // The signature is good, so the token is used up (TEEP-TOK-003); what the message says is not
            // believed (TEEP-TAM-013).
            // req: TEEP-TAM-013
            Err(problem) => {
                let audit = entry(
                    AuditAction::AnswerRefused,
                    format!("a SUIT report {problem}"),
                );
                (
                    Vec::new(),
                    audit,
                    Verdict::Dropped(Dropped::Report(problem)),
                )
            }
        };
        let finished = self.store.finish_update(&FinishedUpdate {
            ueid: &ueid,
            token_hash: pending.token_hash,
            outcomes: &outcomes,
            deployments_revision: catalog.deployments_revision(),
            audit,
        })?;
        let verdict = if finished {
            verdict
        } else {
            Verdict::Dropped(Dropped::Used)
        };
        Ok(Handled::about(&ueid, verdict))
    }
}

/// An answer to a message that had no token: nothing tells a replay from the original, so it is taken
/// note of in the log and nowhere else, and the exchange ends (AMB-33).
// req: TEEP-ERR-002
fn tokenless(answer: &Answer<'_>, device: Option<&Device>) -> Handled {
    let verdict = match answer.error {
        None => Verdict::Dropped(Dropped::NotIssued),
        Some((ErrorCode::ATTESTATION_REQUIRED, _)) => {
            Verdict::Done("the agent wants the TAM attested, which it can't be")
        }
        Some(_) => Verdict::Done("the agent could not answer the QueryRequest"),
    };
    let ueid = device.and_then(|device| Ueid::new(device.endorsement.ueid.clone()).ok());
    Handled {
        device: ueid,
        verdict,
    }
}

fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    subtle::ConstantTimeEq::ct_eq(one.as_slice(), other.as_slice()).into()
}

/// Opens the reports and checks that each is about the Update with `token`.
fn reports(encoded: &[Vec<u8>], token: &Token) -> Result<Vec<Report>, String> {
    let open = |bytes: &Vec<u8>| {
        let report = open_report(bytes)?;
        let nonce = report.nonce.as_deref().unwrap_or_default();
        match bool::from(subtle::ConstantTimeEq::ct_eq(nonce, token.as_bytes())) {
            true => Ok(report),
            false => Err("does not hold the token of the Update".into()),
        }
    };
    encoded.iter().map(open).collect()
}

/// Reads a report, bare or within COSE_Sign1 or COSE_Mac0, tagged or not.
///
/// A signature of its own adds nothing to that of the message, which is verified, and is not looked at.
// req: TEEP-ENC-011
fn open_report(bytes: &[u8]) -> Result<Report, String> {
    let inner = match bytes.split_first() {
        Some((&MAC0_TAG, mac0)) => mac0,
        _ => bytes,
    };
    let payload = Signed::decode(inner)
        .ok()
        .and_then(|signed| signed.unverified_payload());
    Report::decode(payload.unwrap_or(bytes)).map_err(|error| format!("can't be read: {error}"))
}

/// What became of each manifest of the Update, as far as the answer says.
fn outcomes(
    answer: &Answer<'_>,
    pending: &PendingUpdate,
    reports: &[Report],
    catalog: &Catalog,
) -> Vec<ManifestOutcome> {
    let report = |id: &ManifestId| {
        let digest = catalog.manifest(*id)?.digest;
        reports
            .iter()
            .find(|report| report.reference.digest == digest)
    };
    let failure = |id: &ManifestId| match (answer.error, report(id).map(|report| &report.result)) {
        // What follows an installation is no part of it.
        (
            _,
            Some(
                ReportResult::Success
                | ReportResult::Failure {
                    reason: Reason::InvokePending,
                    ..
                },
            ),
        )
        | (None, None) => Some(None),
        // A passing fault says nothing about the manifests.
        (Some((ErrorCode::TEMPORARY_ERROR, _)), _) => None,
        // A report is closer to the matter than the message around it, a Success included.
        (_, Some(ReportResult::Failure { reason, .. })) => Some(Some(reason.to_string())),
        // Where others have reports, one without was not tried.
        (Some(_), None) if !reports.is_empty() => None,
        (Some((code, _)), None) => Some(Some(code.to_string())),
    };
    pending
        .install
        .iter()
        .filter_map(|id| {
            Some(ManifestOutcome {
                manifest: *id,
                failure: failure(id)?,
            })
        })
        .collect()
}

/// What became of the Update, for the audit.
fn detail(answer: &Answer<'_>, outcomes: &[ManifestOutcome], catalog: &Catalog) -> String {
    let mut parts: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| {
            let manifest = catalog.manifest(outcome.manifest)?;
            let (name, number) = (&manifest.manifest_component, manifest.sequence_number);
            Some(match &outcome.failure {
                None => format!("{name} {number} installed"),
                Some(reason) => format!("{name} {number} failed: {reason}"),
            })
        })
        .collect();
    if let Some((code, text)) = answer.error {
        // The agent's own words, without what could disturb a terminal.
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        parts.push(if text.is_empty() {
            code.to_string()
        } else {
            format!("{code}: {text}")
        });
    }
    parts.join(", ")
}
