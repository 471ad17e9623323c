//! What became of an Update (TEEP section 7.1.2).

use tamarack_cose::{PublicKey, SignatureAlgorithm};
use tamarack_suit::{
    Report,
    report::{Reason, ReportResult},
};
use tamarack_teep::{DataItems, Error, ErrorCode, Message, Numbering, Protected, Token, Verified};

use super::{
    EngineError, Tam,
    attestation::offered_suite,
    known::ueid,
    question::{Addressee, addressee},
    reaction::{Reaction, react, wants_nonce},
    verdict::{Dropped, Handled, Verdict},
};
use crate::{
    AcceptedResponse, AuditAction, AuditEntry, Clock, Device, FinishedUpdate, ManifestOutcome,
    PendingUpdate, Store, TicketMark, Ueid,
    catalog::{Catalog, ManifestId},
};

/// How many devices a message without key id may be from.
const CANDIDATES: u32 = 16;

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
    ///
    /// An Error that answers a QueryRequest has no token, and may be by an agent that is not known yet.
    pub(super) fn answer(
        &self,
        protected: &Protected<'_>,
        unverified: &Message,
        numbering: Numbering,
    ) -> Result<Handled, EngineError> {
        let Some(algorithm) = offered_suite(protected) else {
            return Ok(Dropped::Suite.into());
        };
        let sender = Sender {
            algorithm,
            numbering,
            device: None,
        };
        // req: TEEP-TOK-004
        let candidates = self.candidates(protected)?;
        let keys: Vec<PublicKey> = candidates
            .iter()
            .filter_map(|device| device.agent_key)
            .collect();
        let Ok(verified) = protected.verify(&self.crypto, &keys) else {
            return match unverified {
                Message::Error(error) if keys.is_empty() && error.token.is_none() => {
                    self.about_question(protected, error, sender)
                }
                _ => Ok(Dropped::Stranger.into()),
            };
        };
        let signer = verified.signer();
        let Some(answer) = Answer::new(verified.message()) else {
            return Ok(Dropped::Direction(verified.message().name()).into());
        };
        let mut devices = candidates
            .iter()
            .filter(|device| device.agent_key == Some(signer));
        let Some(token) = answer.token else {
            let device = devices.next().map(ueid).transpose()?;
            return match verified.message() {
                Message::Error(error) => {
                    self.about_question(protected, error, Sender { device, ..sender })
                }
                _ => Ok(Handled {
                    device,
                    verdict: Verdict::Dropped(Dropped::NotIssued),
                }),
            };
        };
        let token_hash = self.crypto.sha256(token.as_bytes());
        let found = devices.clone().find_map(|device| {
            let pending = device.pending.as_ref();
            let pending = pending.filter(|pending| same(&pending.token_hash, &token_hash))?;
            Some((device, pending))
        });
        match (found, verified.message()) {
            (Some((device, pending)), _) => {
                self.authentic(device, pending, token, &signer, &answer)
            }
            (None, Message::Error(error)) => {
                for device in devices {
                    let id = ueid(device)?;
                    if let Ok(ticket) = self.open_token(token, &id, self.clock.now()) {
                        let used = !self.use_up(&id, device, ticket.mark, &verified)?;
                        if used {
                            return Ok(Handled::about(&id, Verdict::Dropped(Dropped::Used)));
                        }
                        let device = Some(id);
                        return self.about_question(protected, error, Sender { device, ..sender });
                    }
                }
                Ok(Dropped::NotIssued.into())
            }
            (None, _) => Ok(Dropped::NotIssued.into()),
        }
    }

    /// An Error about a QueryRequest. From an agent that is not known it is a hint, and gets no more than
    /// anybody gets who connects.
    fn about_question(
        &self,
        protected: &Protected<'_>,
        error: &Error,
        sender: Sender,
    ) -> Result<Handled, EngineError> {
        let Sender {
            algorithm,
            numbering,
            device,
        } = sender;
        let handled = |verdict| {
            Ok(Handled {
                device: device.clone(),
                verdict,
            })
        };
        let now = self.clock.now();
        let (question, algorithm, reason) = match react(error, algorithm, self.first_question()) {
            Reaction::End(reason) => return handled(Verdict::Done(reason)),
            Reaction::Ask(question, algorithm) => {
                (question, algorithm, "the agent is asked in another way")
            }
            Reaction::Attest(mut question) => {
                let Some(attester) = &self.attester else {
                    // req: TEEP-TAM-018
                    let reason = "the agent wants the TAM attested, which it can't be";
                    return handled(Verdict::Done(reason));
                };
                let Some(signer) = self.keys.signer(algorithm) else {
                    return Ok(Dropped::Suite.into());
                };
                let challenge = error.challenge.as_ref().filter(|_| wants_nonce(error));
                match attester.attest(challenge, signer.public_key()) {
                    Ok(attestation) => question.attestation = Some(attestation),
                    Err(error) => {
                        tracing::error!(%error, "the TAM could not be attested");
                        return handled(Verdict::Done("the TAM could not be attested"));
                    }
                }
                question.suit_reports = attester.suit_reports();
                (question, algorithm, "the agent wants the TAM attested")
            }
        };
        let most = self.settings.questions_per_minute;
        if !self.patience.lasts(protected.key_ids().next(), most, now) {
            return handled(Verdict::Done("the agent was asked often enough"));
        }
        let message = self.ask(question, Addressee::Sender(algorithm, numbering))?;
        handled(Verdict::Ask { message, reason })
    }

    /// Uses up the token of a question; `false` if that was done before.
    fn use_up(
        &self,
        ueid: &Ueid,
        device: &Device,
        mark: TicketMark,
        verified: &Verified,
    ) -> Result<bool, EngineError> {
        if mark <= device.mark {
            return Ok(false);
        }
        Ok(self.store.accept_response(&AcceptedResponse {
            ueid,
            mark,
            agent_key: &verified.signer(),
            agent_key_id: verified.signer().key_id(&self.crypto),
            numbering: verified.encoding().numbering,
            at: self.clock.now(),
            attested: false,
            installed: None,
            pending: None,
            unanswered: None,
            audit: &[],
        })?)
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
        signer: &PublicKey,
        answer: &Answer<'_>,
    ) -> Result<Handled, EngineError> {
        let now = self.clock.now();
        let ueid = ueid(device)?;
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
        let opened = self.open_reports(answer.reports, signer, Some(token));
        let mut goes_on = false;
        let (outcomes, audit, verdict) = match opened {
            Ok(reports) => {
                let outcomes = outcomes(answer, pending, &reports, &catalog);
                goes_on = goes_on_after(answer, pending, &outcomes);
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
        if !finished {
            return Ok(Handled::about(&ueid, Verdict::Dropped(Dropped::Used)));
        }
        let verdict = match addressee(&ueid, device).filter(|_| goes_on) {
            None => verdict,
            Some(addressee) => {
                let mut question = self.first_question();
                question.items = DataItems::TRUSTED_COMPONENTS;
                let message = self.ask(question, addressee)?;
                let reason = "the rest follows in the same exchange";
                Verdict::Ask { message, reason }
            }
        };
        Ok(Handled::about(&ueid, verdict))
    }
}

/// Who sent an Error, as far as that is known.
struct Sender {
    algorithm: SignatureAlgorithm,
    numbering: Numbering,
    device: Option<Ueid>,
}

/// Whether there is more to do for the device right away: what did not fit into the Update, or what was not
/// tried because something else failed.
// req: TEEP-ERR-010
fn goes_on_after(
    answer: &Answer<'_>,
    pending: &PendingUpdate,
    outcomes: &[ManifestOutcome],
) -> bool {
    match answer.error {
        None => pending.is_part,
        Some((ErrorCode::MANIFEST_PROCESSING_FAILED, _)) => {
            !outcomes.is_empty() && (pending.is_part || outcomes.len() < pending.install.len())
        }
        Some(_) => false,
    }
}

fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    subtle::ConstantTimeEq::ct_eq(one.as_slice(), other.as_slice()).into()
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
