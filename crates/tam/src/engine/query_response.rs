//! What an attested agent gets (TEEP section 7.1.1).

use tamarack_cose::KeyId;
use tamarack_suit::ComponentId;
use tamarack_teep::{
    ErrorCode, Message, Numbering, Protected, QueryResponse, Token, Update, VERSION,
};

use super::{
    EngineError, Tam,
    attestation::{Attested, NotAttested, offered_suite},
    verdict::{Dropped, Handled, Verdict},
};
use crate::{
    AcceptedResponse, AuditAction, AuditEntry, Clock, InstalledComponent, PendingUpdate, Store,
    Timestamp,
    catalog::{Catalog, ManifestId},
    policy::{Observed, Plan, Target, plan},
};

/// What the agent is answered, decided and not yet recorded.
enum Decision {
    /// Its message is wrong in itself.
    Fault(String),
    /// It shall do this; nothing if the plan is empty.
    Plan {
        plan: Plan,
        installed: Vec<InstalledComponent>,
    },
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
        // No QueryRequest of this TAM has a token, so a reply that has one answers another's.
        if unverified.token.is_some() {
            return Ok(Dropped::NotIssued.into());
        }
        match self.attest(protected, unverified, now)? {
            Ok(attested) => self.attested(&attested, now),
            Err(NotAttested::Drop(reason)) => Ok(reason.into()),
            // req: TEEP-TAM-009
            // req: TEEP-TAM-010
            Err(NotAttested::Fault { device, fault }) => {
                let code = ErrorCode::ATTESTATION_REQUIRED;
                let update = Self::fault(code, &fault.text());
                let message = self.reply(update, algorithm, numbering)?;
                let verdict = Verdict::Fault {
                    message,
                    code,
                    reason: fault.to_string(),
                };
                Ok(Handled { device, verdict })
            }
        }
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
        let reply = match self.decide(attested, response, &catalog)? {
            Decision::Fault(reason) => {
                if !self.accept(attested, None, None, now)? {
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
            Decision::Plan { plan, installed } if plan.is_empty() => {
                if !self.accept(attested, Some(&installed), None, now)? {
                    return Ok(Self::used(attested));
                }
                // req: TEEP-TAM-018
                Verdict::Done("nothing to change")
            }
            Decision::Plan { plan, installed } => {
                let (update, pending) = self.update(plan, now)?;
                let counts = (pending.install.len(), pending.unlink.len());
                if !self.accept(attested, Some(&installed), Some((&pending, &catalog)), now)? {
                    return Ok(Self::used(attested));
                }
                let message = self.reply_to(attested, update)?;
                Verdict::Update {
                    message,
                    install: counts.0,
                    unlink: counts.1,
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
        let Some(list) = &response.tc_list else {
            return Ok(Decision::Fault("tc-list (8) is missing".into()));
        };
        if list.len() > self.settings.installed_components {
            let most = self.settings.installed_components;
            return Ok(Decision::Fault(format!(
                "tc-list has more than {most} entries"
            )));
        }
        let installed: Vec<_> = list.iter().map(InstalledComponent::from).collect();
        let revision = catalog.deployments_revision();
        let exhausted = self
            .store
            .exhausted(&attested.ueid, revision, self.settings.failures)?;
        let target = Target {
            ueid: attested.ueid.as_bytes(),
            labels: &attested.device.endorsement.labels,
            exhausted: &exhausted,
        };
        let observed = Observed {
            installed: &installed,
            requested: &response.requested_tc_list,
            unneeded: &response.unneeded_manifest_list,
        };
        let plan = plan(&target, &observed, catalog);
        Ok(Decision::Plan { plan, installed })
    }

    /// The Update that carries out a plan, and what is remembered of it.
    fn update(&self, plan: Plan, now: Timestamp) -> Result<(Update, PendingUpdate), EngineError> {
        // A new value for each Update, of which only the hash is kept.
        // req: TEEP-TOK-001
        let token: [u8; 16] = self.crypto.random_array()?;
        let (install, manifest_list) = self.envelopes(&plan.install)?;
        let pending = PendingUpdate {
            token_hash: self.crypto.sha256(&token),
            issued_at: now,
            expires_at: now.plus(self.settings.update_lifetime),
            install,
            unlink: plan.unlink.clone(),
        };
        let update = Update {
            token: Token::new(token.to_vec()),
            unneeded_manifest_list: plan.unlink,
            manifest_list,
            ..Update::default()
        };
        Ok((update, pending))
    }

    /// The envelopes of as many manifests as go into one Update, byte for byte as they were published.
    // req: TEEP-MSG-066
    fn envelopes(
        &self,
        install: &[ManifestId],
    ) -> Result<(Vec<ManifestId>, Vec<Vec<u8>>), EngineError> {
        let mut ids = Vec::new();
        let mut envelopes: Vec<Vec<u8>> = Vec::new();
        let mut total = 0;
        for id in install {
            let Some(envelope) = self.store.envelope(*id)? else {
                break;
            };
            total += envelope.len();
            // What comes later may need what comes earlier, never the other way round.
            if total > self.settings.update_bytes && !envelopes.is_empty() {
                break;
            }
            ids.push(*id);
            envelopes.push(envelope);
        }
        Ok((ids, envelopes))
    }

    /// Uses up the challenge and records what goes with it, in one transaction.
    ///
    /// Everything before this only reads. `false` if another message has used the challenge meanwhile.
    // req: TEEP-TOK-003
    // req: TEEP-TOK-008
    // req: TEEP-VAL-004
    fn accept(
        &self,
        attested: &Attested,
        installed: Option<&[InstalledComponent]>,
        pending: Option<(&PendingUpdate, &Catalog)>,
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
        if let Some((pending, catalog)) = pending {
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
            installed,
            pending: pending.map(|(pending, _)| pending),
            audit: &audit,
        })?)
    }

    fn reply_to(&self, attested: &Attested, update: Update) -> Result<Vec<u8>, EngineError> {
        let algorithm = attested.verified.signer().algorithm();
        self.reply(update, algorithm, attested.verified.encoding().numbering)
    }

    fn used(attested: &Attested) -> Handled {
        Handled::about(&attested.ueid, Verdict::Dropped(Dropped::Used))
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
