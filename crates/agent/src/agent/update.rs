//! What an Update does: unlink first, then install, each manifest a transaction of its own.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Reverse;

use tamarack_cose::KeyId;
use tamarack_suit::{
    ComponentId, Device, Envelope, Fetch, Processor, Report, TrustAnchors,
    report::{self, Reason, ReportResult},
};
use tamarack_teep::{Message, Success, Update};

use super::{
    Agent, AgentError, Refusal, Verdict,
    dependencies::{FetchOrAsk, Lack},
    device::TeeDevice,
};
use crate::{
    domain::described,
    platform::{Platform, StorageError, Transaction, View},
    rights::Rights,
    staging::{self, Staged},
    state::{
        ComponentRecord, KnownManifest, Passport, Record, Request, RequestKind, SeenUpdates,
        TamEndpoint,
    },
};

/// Most manifests taken in one Update.
// req: TEEP-OPS-006
const MAX_MANIFESTS: usize = 256;

/// What became of one manifest.
struct Applied {
    report: Report,
    /// Why it failed, if it did.
    failure: Option<String>,
    /// The dependency for want of which it failed.
    lack: Option<Lack>,
}

impl<P: Platform> Agent<P> {
    /// Does what an Update of a trusted TAM says, and makes the answer.
    pub(super) fn apply_update(
        &mut self,
        update: &Update,
        tam: &KeyId,
        digest: [u8; 32],
        fetch: &mut dyn Fetch,
    ) -> Result<Message, AgentError> {
        let confidentiality = self.exchanges.confidentiality(tam);
        let refused = |refusal: Refusal| {
            Ok(refusal
                .with_token(update.token.clone())
                .into_message()
                .into())
        };
        if !self.exchanges.take_update(tam, self.platform.now()) {
            return refused(Refusal::permanent(
                "no exchange is open in which this Update belongs",
            ));
        }
        if update.manifest_list.len() > MAX_MANIFESTS
            || update.unneeded_manifest_list.len() > MAX_MANIFESTS
        {
            let text = format!("more than {MAX_MANIFESTS} manifests in one Update");
            return refused(Refusal::permanent(&text));
        }
        self.heed(update, tam)?;
        let removes = !update.unneeded_manifest_list.is_empty();
        if removes || !update.manifest_list.is_empty() {
            let crypto = self.platform.crypto();
            let token = update.token.as_ref();
            if !self.exchanges.is_followed_by(crypto, tam, token) {
                return refused(Refusal::permanent(
                    "this Update follows another QueryResponse",
                ));
            }
            if self.is_replay(update, &digest)? {
                return refused(Refusal::permanent("this Update was processed before"));
            }
            // Before anything is done: what is not remembered could be played again.
            match self.remember(digest) {
                // What only removes makes room, and is what a full device needs.
                Err(StorageError::Full) if update.manifest_list.is_empty() => {}
                Err(StorageError::Full) => return refused(Refusal::temporary("no room is left")),
                remembered => remembered?,
            }
        }
        if let Err(reason) = self.unlink_all(&update.unneeded_manifest_list, tam, fetch)? {
            return refused(Refusal::manifests_failed(&reason, Vec::new()));
        }
        let mut reports = Vec::new();
        let (mut failure, mut waits) = (None, None);
        for applied in self.install_all(update, tam, fetch)? {
            reports.push(self.encode_report(&applied.report, confidentiality)?);
            let is_waiting = match applied.lack {
                Some(lack) => self.wait_for_dependency(tam, lack)?,
                None => false,
            };
            match is_waiting {
                true => waits = waits.or(applied.failure),
                false => failure = failure.or(applied.failure),
            }
        }
        match self.forget_wishes() {
            // They are not told to a TAM either way; a later Update forgets them.
            Err(StorageError::Full) => {}
            forgotten => forgotten?,
        }
        // req: TEEP-AGENT-018
        match (failure, waits) {
            (Some(reason), _) => refused(Refusal::manifests_failed(&reason, reports)),
            // It may come again once the dependency is there.
            (None, Some(reason)) => refused(Refusal::temporary(&reason).with_reports(reports)),
            (None, None) => Ok(Success {
                token: update.token.clone(),
                msg: None,
                suit_reports: reports,
            }
            .into()),
        }
    }

    /// Takes note of what the TAM says besides what to do: its verdict on the QueryResponse, and the Attestation
    /// Result that it hands back.
    // req: TEEP-AGENT-023
    fn heed(&mut self, update: &Update, tam: &KeyId) -> Result<(), AgentError> {
        self.verdict = update.error.map(|code| Verdict {
            tam: *tam,
            code,
            text: (update.explanation.as_ref())
                .map(|explanation| explanation.text.clone())
                .unwrap_or_default(),
        });
        let does_nothing =
            update.manifest_list.is_empty() && update.unneeded_manifest_list.is_empty();
        if self.verdict.is_some() && does_nothing {
            self.exchanges.close(tam);
        }
        self.keep_passport(update)
    }

    /// Keeps the Attestation Result that the TAM hands back, if it may convince others, and drops the one that is kept if it
    /// did not convince the TAM.
    fn keep_passport(&self, update: &Update) -> Result<(), AgentError> {
        let handed = update.attestation.as_ref().map(|result| Passport {
            format: result.format.clone(),
            bytes: result.bytes.clone(),
        });
        let mut keys = self.platform.teep_keys().iter();
        let handed = handed.filter(|passport| {
            passport.bytes.len() <= Passport::MAX
                && keys.any(|key| self.may_show(passport, key.public_key()))
        });
        if handed.is_none() && self.verdict.is_none() {
            return Ok(());
        }
        let mut transaction = self.platform.storage().begin()?;
        let changed = match &handed {
            Some(passport) => {
                passport.save(&mut *transaction)?;
                true
            }
            None => Passport::delete(&mut *transaction, &[])?,
        };
        match changed.then(|| transaction.commit()) {
            // Evidence does instead.
            None | Some(Ok(()) | Err(StorageError::Full)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// What processes the manifests of this device, with all that is in it.
    pub(super) fn processor<'p>(
        &'p self,
        signers: &'p TrustAnchors,
        rights: &'p Rights,
    ) -> Processor<'p> {
        Processor::new(self.platform.crypto(), signers, rights)
            .with_recipient_keys(self.platform.recipient_keys())
    }

    /// Whether this very Update was processed before and would change something now.
    ///
    /// One that changes nothing is harmless; a TAM that sends a fixed message may do so again.
    fn is_replay(&self, update: &Update, digest: &[u8; 32]) -> Result<bool, StorageError> {
        let view = self.platform.storage().view()?;
        let seen = SeenUpdates::load(&*view, &[])?.unwrap_or_default();
        Ok(seen.contains(digest) && !is_in_force(&*view, update)?)
    }

    /// Unlinks manifests, those that depend on others of the list first.
    // req: TEEP-AGENT-016
    fn unlink_all(
        &mut self,
        manifests: &[ComponentId],
        tam: &KeyId,
        fetch: &mut dyn Fetch,
    ) -> Result<Result<(), String>, AgentError> {
        let mut left: Vec<&ComponentId> = manifests.iter().collect();
        // A domain goes after what is in it, whatever the order in which the TAM names them.
        left.sort_by_key(|id| {
            let domain = described(id);
            domain.map(|name| Reverse(name.split('/').count()))
        });
        while !left.is_empty() {
            let view = self.platform.storage().view()?;
            let installed = KnownManifest::all(&*view)?;
            drop(view);
            // A manifest that is not there needs no unlinking.
            left.retain(|id| {
                installed
                    .iter()
                    .any(|known| known.record.id == **id && known.envelope.is_some())
            });
            let dependent = |id: &ComponentId| {
                installed.iter().find(|known| {
                    known.envelope.is_some() && known.record.dependencies.contains(id)
                })
            };
            let Some(at) = left.iter().position(|id| dependent(id).is_none()) else {
                let Some(blocked) = left.first() else {
                    return Ok(Ok(()));
                };
                let by = dependent(blocked).map(|known| known.record.id.to_string());
                let by = by.unwrap_or_default();
                return Ok(Err(format!("{blocked} is needed by {by}")));
            };
            let id = left.remove(at);
            if let Err(reason) = self.unlink(id, tam, fetch)? {
                return Ok(Err(format!("{id}: {reason}")));
            }
        }
        Ok(Ok(()))
    }

    fn unlink(
        &self,
        id: &ComponentId,
        tam: &KeyId,
        fetch: &mut dyn Fetch,
    ) -> Result<Result<(), String>, AgentError> {
        let mut transaction = Staged::begin(self.platform.storage())?;
        let rights = Rights::load(&transaction)?;
        let signers = rights.signers(self.platform.crypto(), self.platform.now());
        let mut device =
            TeeDevice::new(&self.platform, &rights, &mut transaction).on_behalf_of(tam);
        let outcome = self
            .processor(&signers, &rights)
            .uninstall(&mut device, fetch, id);
        // A manifest has a say in how it goes, not in whether it goes.
        let removed = match outcome.result {
            Ok(()) => Ok(()),
            Err(_) => {
                transaction = Staged::begin(self.platform.storage())?;
                device =
                    TeeDevice::new(&self.platform, &rights, &mut transaction).on_behalf_of(tam);
                device.forget_manifest(id)
            }
        };
        if let Err(error) = removed {
            return Ok(Err(error.to_string()));
        }
        let retired = device.into_retired();
        match Box::new(transaction).commit() {
            Err(StorageError::Full) => return Ok(Err("no room is left".into())),
            committed => committed?,
        }
        self.retire(&retired);
        Ok(Ok(()))
    }

    /// Ends the sessions of Trusted Applications that changed.
    fn retire(&self, components: &[ComponentId]) {
        components
            .iter()
            .for_each(|component| self.platform.runtime().retire(component));
    }

    /// Applies the manifests of an Update. Nobody has to send a dependency before what needs it: what fails for want of
    /// one is tried again once that is there.
    fn install_all(
        &self,
        update: &Update,
        tam: &KeyId,
        fetch: &mut dyn Fetch,
    ) -> Result<Vec<Applied>, AgentError> {
        let mut all = Vec::new();
        for manifest in &update.manifest_list {
            all.push(self.install(manifest, update, tam, fetch)?);
        }
        // Every round but the last installs something.
        let mut has_installed = true;
        while has_installed {
            has_installed = false;
            for (manifest, applied) in update.manifest_list.iter().zip(&mut all) {
                let Some(lack) = &applied.lack else {
                    continue;
                };
                let view = self.platform.storage().view()?;
                if !KnownManifest::is_installed(&*view, &lack.dependency)? {
                    continue;
                }
                drop(view);
                *applied = self.install(manifest, update, tam, fetch)?;
                has_installed |= applied.failure.is_none();
            }
        }
        Ok(all)
    }

    /// Applies one manifest: all of it, or nothing.
    // req: TEEP-AGENT-017
    // req: TEEP-AGENT-019
    // req: TEEP-MSG-065
    fn install(
        &self,
        envelope: &[u8],
        update: &Update,
        tam: &KeyId,
        fetch: &mut dyn Fetch,
    ) -> Result<Applied, AgentError> {
        let mut transaction = Staged::begin(self.platform.storage())?;
        let endpoints = TamEndpoint::trusted(&transaction)?;
        let rights = Rights::load(&transaction)?;
        let signers = rights.signers(self.platform.crypto(), self.platform.now());
        let mut device =
            TeeDevice::new(&self.platform, &rights, &mut transaction).on_behalf_of(tam);
        let mut processor = self.processor(&signers, &rights);
        // req: TEEP-MSG-083
        if let Some(token) = &update.token {
            processor = processor.with_nonce(token.as_bytes());
        }
        let mut fetch = FetchOrAsk::new(fetch, &endpoints);
        let outcome = processor.update_bytes(&mut device, &mut fetch, envelope);
        let named = fetch.named;
        let mut report = outcome.report;
        if let Err(error) = outcome.result {
            let lack = Lack::of(&error, &device, named);
            return Ok(Applied {
                report,
                failure: Some(failure(envelope, &error.to_string())),
                lack,
            });
        }
        let retired = device.into_retired();
        match Box::new(transaction).commit() {
            Ok(()) => {}
            Err(StorageError::Full) => {
                // What the report says so far did not come to pass.
                report.records.clear();
                report.result = ReportResult::Failure {
                    code: 0,
                    record: report::Record::default(),
                    reason: Reason::OperationFailed,
                };
                return Ok(Applied {
                    report,
                    failure: Some(failure(envelope, "no room is left")),
                    lack: None,
                });
            }
            Err(error) => return Err(error.into()),
        }
        self.retire(&retired);
        Ok(Applied {
            report,
            failure: None,
            lack: None,
        })
    }

    /// Remembers the Update with this digest.
    fn remember(&self, digest: [u8; 32]) -> Result<(), StorageError> {
        // What a crash left behind may have the room that is needed.
        staging::clear(self.platform.storage())?;
        let mut transaction = self.platform.storage().begin()?;
        let mut seen = SeenUpdates::load(&*transaction, &[])?.unwrap_or_default();
        if seen.contains(&digest) {
            return Ok(());
        }
        seen.remember(digest);
        seen.save(&mut *transaction)?;
        transaction.commit()
    }

    /// Forgets wishes that came true.
    fn forget_wishes(&self) -> Result<(), StorageError> {
        let mut transaction = self.platform.storage().begin()?;
        let mut changed = false;
        for request in Request::all(&*transaction)? {
            let key = request.component.to_cbor();
            let came_true = match request.kind {
                RequestKind::Wanted => ComponentRecord::load(&*transaction, &key)?.is_some(),
                RequestKind::Unneeded => {
                    !KnownManifest::is_installed(&*transaction, &request.component)?
                }
            };
            if came_true {
                changed |= Request::delete(&mut *transaction, &key)?;
            }
        }
        if changed {
            transaction.commit()
        } else {
            Ok(())
        }
    }
}

/// Whether everything that the Update asks for is so already.
fn is_in_force(view: &dyn View, update: &Update) -> Result<bool, StorageError> {
    for id in &update.unneeded_manifest_list {
        if KnownManifest::is_installed(view, id)? {
            return Ok(false);
        }
    }
    for envelope in &update.manifest_list {
        let Ok(envelope) = Envelope::decode(envelope) else {
            return Ok(false);
        };
        let Ok(manifest) = envelope.unverified_manifest() else {
            return Ok(false);
        };
        let known = KnownManifest::load(view, &manifest.placement().to_cbor())?;
        let in_force = known.is_some_and(|known| {
            known.envelope.is_some() && known.record.digest == envelope.claimed_digest()
        });
        if !in_force {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A failure with the name of the manifest, as far as it has one.
fn failure(envelope: &[u8], reason: &str) -> String {
    let name = Envelope::decode(envelope)
        .and_then(|envelope| Ok(envelope.unverified_manifest()?.placement().to_string()));
    match name {
        Ok(name) => format!("{name}: {reason}"),
        Err(_) => reason.to_string(),
    }
}
