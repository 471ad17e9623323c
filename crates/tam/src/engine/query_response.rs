//! What an attested agent gets (TEEP section 7.1.1).

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tamarack_cose::{KeyId, SignatureAlgorithm};
use tamarack_suit::{ComponentId, Envelope, Report, report::ReportResult};
use tamarack_teep::{
    DataItems, ErrorCode, Message, Numbering, Protected, QueryResponse, Token, Update, VERSION,
};

use super::{
    AttestationModel, EngineError, Tam,
    attestation::{Attested, NotAttested, offered_suite},
    known::{Recognized, ueid},
    verdict::{Dropped, Handled, Verdict},
};
use crate::{
    AcceptedResponse, AuditAction, AuditEntry, Clock, Device, FinishedUpdate, InstalledComponent,
    ManifestOutcome, NO_ANSWER, PendingUpdate, RecordedOutcome, Store, Timestamp, Ueid,
    catalog::{Catalog, ManifestId},
    policy::{LeftOut, Observed, Plan, Target, plan},
};

/// An Update that is sent anew after this time was not answered. Before, the device has asked twice.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What the agent is answered, decided and not yet recorded.
enum Decision {
    /// Its message is wrong in itself.
    Fault(String),
    /// It shall do this; nothing if the plan is empty.
    Plan {
        plan: Plan,
        installed: Vec<InstalledComponent>,
        /// How the device's last Update ended, if it counts as not answered.
        closed: Option<Closed>,
    },
}

/// How an Update ended to which no answer came.
pub(super) struct Closed {
    outcomes: Vec<ManifestOutcome>,
    action: AuditAction,
    detail: &'static str,
}

impl<S: Store, C: Clock> Tam<S, C> {
    /// A QueryResponse, of which nothing is believed yet.
    pub(super) fn query_response(
        &self,
        protected: &Protected<'_>,
        unverified: &QueryResponse,
        numbering: Numbering,
    ) -> Result<Handled, EngineError> {
        let now = self.clock.now();
        let Some(algorithm) = offered_suite(protected) else {
            return Ok(Dropped::Suite.into());
        };
        if let Some(token) = &unverified.token {
            match self.recognize(protected, token, now)? {
                Recognized::Answer(known) => return self.attested(&known, now),
                Recognized::Dropped(reason) => return Ok(reason.into()),
                // A token that is not for a device is one for an Attestation Result.
                Recognized::No
                    if self.settings.attestation_model == AttestationModel::BackgroundCheck =>
                {
                    return Ok(Dropped::NotIssued.into());
                }
                Recognized::No => {}
            }
        }
        match self.attest(protected, unverified, now)? {
            Ok(attested) => self.attested(&attested, now),
            Err(NotAttested::Drop(reason)) => Ok(reason.into()),
            Err(NotAttested::Unavailable(reason)) => Err(EngineError::Verifier(reason)),
            // req: TEEP-TAM-009
            // req: TEEP-TAM-010
            Err(NotAttested::Fault { device, fault }) => {
                let (told, reason) = (fault.text(), fault.to_string());
                self.not_attested(device, fault.code(), &told, reason, (algorithm, numbering))
            }
            Err(NotAttested::OutOfDate { attested, found }) => {
                if let Some(remedy) = self.remedy(&attested, &found.components, now)? {
                    return Ok(remedy);
                }
                let reason = found.to_string();
                let device = Some(attested.ueid);
                let code = ErrorCode::ATTESTATION_REQUIRED;
                self.not_attested(
                    device,
                    code,
                    &reason,
                    reason.clone(),
                    (algorithm, numbering),
                )
            }
        }
    }

    /// The answer to a QueryResponse whose attestation failed.
    // req: TEEP-TAM-010
    fn not_attested(
        &self,
        device: Option<Ueid>,
        code: ErrorCode,
        told: &str,
        reason: String,
        (algorithm, numbering): (SignatureAlgorithm, Numbering),
    ) -> Result<Handled, EngineError> {
        let message = self.protect(&Self::fault(code, told).into(), algorithm, numbering)?;
        let verdict = Verdict::Fault {
            message,
            code,
            reason,
        };
        Ok(Handled { device, verdict })
    }

    /// A QueryResponse by an enrolled device's agent.
    fn attested(&self, attested: &Attested, now: Timestamp) -> Result<Handled, EngineError> {
        let Message::QueryResponse(response) = attested.verified.message() else {
            return Ok(Dropped::Direction(attested.verified.message().name()).into());
        };
        // A shortcut for what `accept` decides.
        if attested.mark <= attested.device.mark {
            return Ok(Self::used(attested));
        }
        let catalog = self.store.catalog()?;
        let accept = |installed, pending, closed| {
            self.accept(attested, installed, pending, closed, &catalog, now)
        };
        let reply = match self.decide(attested, response, &catalog, now)? {
            Decision::Fault(reason) => {
                if !accept(None, None, None)? {
                    return Ok(Self::used(attested));
                }
                let code = ErrorCode::PERMANENT_ERROR;
                let message = self.reply_to(attested, Self::fault(code, &reason))?;
                Verdict::Fault {
                    message,
                    code,
                    reason,
                }
            }
            Decision::Plan {
                plan,
                installed,
                closed,
            } => {
                let (mut update, pending) = match plan.is_empty() {
                    true => (Update::default(), None),
                    false => {
                        let (update, pending) = self.update(attested, plan, now)?;
                        (update, Some(pending))
                    }
                };
                if !accept(Some(&installed), pending.as_ref(), closed)? {
                    return Ok(Self::used(attested));
                }
                // req: TEEP-TAM-012
                update.attestation.clone_from(&attested.result_for_agent);
                match &pending {
                    // req: TEEP-TAM-018
                    None if update.attestation.is_none() => Verdict::Done("nothing to change"),
                    _ => Verdict::Update {
                        message: self.reply_to(attested, update)?,
                        install: pending.as_ref().map_or(0, |pending| pending.install.len()),
                        unlink: pending.as_ref().map_or(0, |pending| pending.unlink.len()),
                    },
                }
            }
        };
        Ok(Handled::about(&attested.ueid, reply))
    }

    /// Checks what the agent says and decides what it gets.
    fn decide(
        &self,
        attested: &Attested,
        response: &QueryResponse,
        catalog: &Catalog,
        now: Timestamp,
    ) -> Result<Decision, EngineError> {
        // req: TEEP-MSG-041
        if let Some(version) = response
            .selected_version
            .filter(|version| *version != VERSION)
        {
            return Ok(Decision::Fault(format!(
                "selected-version {version} was not offered"
            )));
        }
        // req: TEEP-TAM-002
        let asked = |item| attested.asked.contains(item);
        if asked(DataItems::EXTENSIONS) && response.ext_list.is_none() {
            return Ok(Decision::Fault("ext-list (9) is missing".into()));
        }
        let Some(list) = &response.tc_list else {
            return Ok(Decision::Fault("tc-list (8) is missing".into()));
        };
        // req: TEEP-TAM-003
        let token = response.token.as_ref();
        let signer = attested.verified.signer();
        let reports = match self.open_reports(&response.suit_reports, &signer, token) {
            Ok(reports) => reports,
            Err(problem) => return Ok(Decision::Fault(format!("a SUIT report {problem}"))),
        };
        log_boot(&attested.ueid, &reports);
        if list.len() > self.settings.installed_components {
            let most = self.settings.installed_components;
            return Ok(Decision::Fault(format!(
                "tc-list has more than {most} entries"
            )));
        }
        let installed: Vec<_> = list.iter().map(InstalledComponent::from).collect();
        let revision = catalog.deployments_revision();
        let mut exhausted =
            self.store
                .exhausted(&attested.ueid, revision, self.settings.failures)?;
        let outcomes = self.store.outcomes(&attested.ueid)?;
        if !asked(DataItems::ATTESTATION) {
            // The exchange goes on with what is left: what has just failed is for another one.
            exhausted.extend(self.lately_failed(&outcomes, now));
        }
        let confirmed = confirmed(&outcomes, catalog);
        let target = self.target(&attested.device, &exhausted, &confirmed);
        let observed = Observed {
            installed: &installed,
            requested: &response.requested_tc_list,
            unneeded: &response.unneeded_manifest_list,
        };
        let mut decided = plan(&target, &observed, catalog);
        let unanswered = unanswered(attested, &decided, now);
        if !unanswered.is_empty() {
            // With this one, it may be enough.
            let before = self.settings.failures.saturating_sub(1);
            let almost = self.store.exhausted(&attested.ueid, revision, before)?;
            let lost = unanswered.iter().map(|outcome| outcome.manifest);
            let lost = lost.filter(|id| before == 0 || almost.contains(id));
            let target = Target {
                exhausted: &exhausted.iter().copied().chain(lost).collect(),
                ..target
            };
            decided = plan(&target, &observed, catalog);
        }
        log_left_out(&attested.ueid, &decided, catalog);
        let closed = if !unanswered.is_empty() {
            Some(Closed {
                outcomes: unanswered,
                action: AuditAction::UpdateFailed,
                detail: NO_ANSWER,
            })
        } else if decided.is_empty() {
            settled(attested, &installed, catalog)
        } else {
            None
        };
        Ok(Decision::Plan {
            plan: decided,
            installed,
            closed,
        })
    }

    /// The device as a plan is made for it.
    pub(super) fn target<'a>(
        &self,
        device: &'a Device,
        exhausted: &'a HashSet<ManifestId>,
        confirmed: &'a HashSet<ManifestId>,
    ) -> Target<'a> {
        let endorsement = &device.endorsement;
        Target {
            ueid: &endorsement.ueid,
            labels: &endorsement.labels,
            vendor_ids: &endorsement.vendor_ids,
            class_ids: &endorsement.class_ids,
            envelope_bytes: u64::try_from(self.settings.update_bytes).unwrap_or(u64::MAX),
            exhausted,
            confirmed,
        }
    }

    /// What the operator's wishes in `catalog` call for on a device and what it is not sent, by what it last said that it
    /// held, and by what became of manifests on it; and why.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn left_out(
        &self,
        device: &Device,
        outcomes: &[RecordedOutcome],
        catalog: &Catalog,
    ) -> Result<Vec<(ManifestId, LeftOut)>, EngineError> {
        let ueid = ueid(device)?;
        let failures = self.settings.failures;
        let revision = catalog.deployments_revision();
        let exhausted = self.store.exhausted(&ueid, revision, failures)?;
        let observed = Observed {
            installed: &device.installed,
            requested: &[],
            unneeded: &[],
        };
        let confirmed = confirmed(outcomes, catalog);
        let target = self.target(device, &exhausted, &confirmed);
        Ok(plan(&target, &observed, catalog).left_out)
    }

    /// Manifests that failed on the device a short while ago.
    fn lately_failed(
        &self,
        outcomes: &[RecordedOutcome],
        now: Timestamp,
    ) -> impl Iterator<Item = ManifestId> {
        let lately = outcomes.iter().filter(move |outcome| {
            !outcome.installed && now < outcome.at.plus(self.settings.attestation_lifetime)
        });
        lately.map(|outcome| outcome.manifest)
    }

    /// The Update that carries out a plan, and what is remembered of it.
    pub(super) fn update(
        &self,
        attested: &Attested,
        plan: Plan,
        now: Timestamp,
    ) -> Result<(Update, PendingUpdate), EngineError> {
        // A new value for each Update, of which only the hash is kept. It says what the Update follows.
        // req: TEEP-TOK-001
        let agent = attested.verified.signer().key_id(&self.crypto);
        let token = Token::following(&self.crypto, &attested.nonce, &agent)?;
        let (install, manifest_list) = self.envelopes(&attested.ueid, &plan.install)?;
        let pending = PendingUpdate {
            token_hash: self.crypto.sha256(token.as_bytes()),
            issued_at: now,
            expires_at: now.plus(self.settings.update_lifetime),
            is_part: install.len() < plan.install.len(),
            install,
            unlink: plan.unlink.clone(),
        };
        let update = Update {
            token: Some(token),
            unneeded_manifest_list: plan.unlink,
            manifest_list,
            ..Update::default()
        };
        Ok((update, pending))
    }

    /// The envelopes of as many manifests as go into one Update, byte for byte as they were published. One
    /// that goes into none is not in a plan ([`LeftOut::TooLarge`]).
    // req: TEEP-MSG-066
    fn envelopes(
        &self,
        ueid: &Ueid,
        install: &[ManifestId],
    ) -> Result<(Vec<ManifestId>, Vec<Vec<u8>>), EngineError> {
        let mut ids = Vec::new();
        let mut envelopes: Vec<Vec<u8>> = Vec::new();
        let mut total = 0;
        for id in install {
            // What comes later may need what comes earlier, never the other way round.
            let Some(envelope) = self.store.envelope(*id)? else {
                tracing::warn!(device = %ueid, manifest = id.0, "it was removed meanwhile");
                break;
            };
            // manifest-list has SUIT_Envelope, not SUIT_Envelope_Tagged, whichever was published.
            let envelope = Envelope::untagged(&envelope);
            total += envelope.len();
            if total > self.settings.update_bytes {
                let (sent, planned) = (ids.len(), install.len());
                tracing::debug!(device = %ueid, sent, planned, "the rest waits for the next session");
                break;
            }
            ids.push(*id);
            envelopes.push(envelope.to_vec());
        }
        Ok((ids, envelopes))
    }

    /// Uses up the challenge and records what goes with it, in one transaction.
    ///
    /// Everything before this only reads. `false` if another message has used the challenge meanwhile.
    // req: TEEP-TOK-003
    // req: TEEP-TOK-008
    // req: TEEP-VAL-004
    pub(super) fn accept(
        &self,
        attested: &Attested,
        installed: Option<&[InstalledComponent]>,
        pending: Option<&PendingUpdate>,
        closed: Option<Closed>,
        catalog: &Catalog,
        now: Timestamp,
    ) -> Result<bool, EngineError> {
        let agent_key = attested.verified.signer();
        let agent_key_id = agent_key.key_id(&self.crypto);
        let entry = |action, detail| AuditEntry {
            at: now,
            action,
            device: Some(attested.ueid.clone()),
            subject: String::new(),
            detail,
        };
        let mut audit = Vec::new();
        if attested.device.agent_key != Some(agent_key) {
            audit.push(entry(AuditAction::NewAgentKey, key_text(&agent_key_id)));
        }
        let last = attested.device.pending.as_ref().zip(closed.as_ref());
        let unanswered = last.map(|(last, closed)| FinishedUpdate {
            ueid: &attested.ueid,
            token_hash: last.token_hash,
            outcomes: &closed.outcomes,
            deployments_revision: catalog.deployments_revision(),
            audit: entry(closed.action, closed.detail.into()),
        });
        if let Some(pending) = pending {
            audit.push(entry(
                AuditAction::SendUpdate,
                update_text(pending, catalog),
            ));
        }
        Ok(self.store.accept_response(&AcceptedResponse {
            ueid: &attested.ueid,
            mark: attested.mark,
            agent_key: &agent_key,
            agent_key_id,
            numbering: attested.verified.encoding().numbering,
            at: now,
            attested: attested.asked.contains(DataItems::ATTESTATION),
            installed,
            pending,
            unanswered: unanswered.as_ref(),
            audit: &audit,
        })?)
    }

    pub(super) fn reply_to(
        &self,
        attested: &Attested,
        update: Update,
    ) -> Result<Vec<u8>, EngineError> {
        let algorithm = attested.verified.signer().algorithm();
        self.protect(
            &update.into(),
            algorithm,
            attested.verified.encoding().numbering,
        )
    }

    pub(super) fn used(attested: &Attested) -> Handled {
        Handled::about(&attested.ueid, Verdict::Dropped(Dropped::Used))
    }
}

/// What a device said it installed: of each manifest the release of which it said so last.
fn confirmed(outcomes: &[RecordedOutcome], catalog: &Catalog) -> HashSet<ManifestId> {
    let installed = outcomes.iter().filter(|outcome| outcome.installed);
    let mut last: HashMap<&ComponentId, &RecordedOutcome> = HashMap::new();
    for outcome in installed {
        if let Some(manifest) = catalog.manifest(outcome.manifest) {
            let last = last.entry(&manifest.manifest_component).or_insert(outcome);
            if (last.at, last.manifest) < (outcome.at, outcome.manifest) {
                *last = outcome;
            }
        }
    }
    last.into_values().map(|outcome| outcome.manifest).collect()
}

/// What became of the device's last Update, if that was sent long enough ago to have been answered:
/// nothing, for what is in the plan again. What is not may well be installed.
fn unanswered(attested: &Attested, plan: &Plan, now: Timestamp) -> Vec<ManifestOutcome> {
    let overdue = |pending: &&PendingUpdate| {
        pending.expires_at <= now || pending.issued_at.plus(ANSWER_WITHIN) <= now
    };
    let pending = attested.device.pending.iter().find(overdue);
    let sent = pending.into_iter().flat_map(|pending| &pending.install);
    sent.filter(|id| plan.install.contains(id))
        .map(|id| ManifestOutcome {
            manifest: *id,
            failure: Some(NO_ANSWER.into()),
        })
        .collect()
}

/// What became of the device's last Update, if there is nothing more to do: no answer to it is needed, as
/// the list of components says the same, and says it later.
fn settled(
    attested: &Attested,
    installed: &[InstalledComponent],
    catalog: &Catalog,
) -> Option<Closed> {
    let pending = attested.device.pending.as_ref()?;
    let is_there = |id: &&ManifestId| {
        catalog.manifest(**id).is_some_and(|manifest| {
            manifest.components.iter().all(|image| {
                let mut found = installed.iter();
                found.any(|found| {
                    found.component == image.component && image.is(found.digest.as_ref())
                })
            })
        })
    };
    let outcomes: Vec<_> = pending
        .install
        .iter()
        .filter(is_there)
        .map(|id| ManifestOutcome {
            manifest: *id,
            failure: None,
        })
        .collect();
    let (action, detail) = match outcomes.len() == pending.install.len() {
        true => (
            AuditAction::UpdateSucceeded,
            "no answer, and nothing is left to do",
        ),
        false => (AuditAction::UpdateFailed, NO_ANSWER),
    };
    Some(Closed {
        outcomes,
        action,
        detail,
    })
}

/// One line for each manifest that did not come up when the device started.
fn log_boot(device: &Ueid, reports: &[Report]) {
    for report in reports {
        if let ReportResult::Failure { reason, .. } = &report.result {
            let digest = base16ct::lower::encode_string(report.reference.digest.bytes());
            tracing::warn!(outcome = "boot failure", %device, digest, reason = %reason);
        }
    }
}

/// One line for each manifest that is wanted and that the device can't be given.
fn log_left_out(device: &Ueid, plan: &Plan, catalog: &Catalog) {
    let left_out = plan.left_out.iter();
    for (manifest, why) in left_out.filter_map(|(id, why)| Some((catalog.manifest(*id)?, why))) {
        let (name, number) = (&manifest.manifest_component, manifest.sequence_number);
        match why {
            LeftOut::DoesNotApply | LeftOut::FailedTooOften => {
                tracing::debug!(outcome = "left out", %device, manifest = %name, number, reason = %why);
            }
            LeftOut::TooLarge => {
                tracing::warn!(outcome = "left out", %device, manifest = %name, number, reason = %why);
            }
        }
    }
}

fn key_text(key: &KeyId) -> String {
    format!("the agent signs with the key {key}")
}

/// What an Update does, for the audit.
fn update_text(pending: &PendingUpdate, catalog: &Catalog) -> String {
    let installs = pending
        .install
        .iter()
        .filter_map(|id| catalog.manifest(*id))
        .map(|manifest| {
            format!(
                "install {} {}",
                manifest.manifest_component, manifest.sequence_number
            )
        });
    let unlinks = pending
        .unlink
        .iter()
        .map(|id: &ComponentId| format!("unlink {id}"));
    unlinks.chain(installs).collect::<Vec<_>>().join(", ")
}
