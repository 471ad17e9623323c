use std::{collections::HashSet, path::Path, sync::Arc};

use tamarack_cose::{KeyId, x509::Revocation};
use tamarack_rats::Endorsement;
use tamarack_suit::ComponentId;
use tamarack_tam::{
    AcceptedResponse, AuditEntry, AuditRecord, Changed, Device, Enrolled, FinishedUpdate, Maker,
    Mode, NewManifest, RecordedOutcome, Revoked, Selector, SqliteStore, Store, StoreError,
    Timestamp, Token, Ueid,
    catalog::{Catalog, Domain, ManifestId},
};

use crate::Defect;

/// The store of a TAM: the real one, unless a [`Defect`] is there on purpose.
#[derive(Debug)]
pub struct SimStore {
    store: SqliteStore,
    defect: Option<Defect>,
}

impl SimStore {
    /// Opens the database at `path`.
    #[must_use]
    pub fn open(path: &Path, defect: Option<Defect>) -> Self {
        let store = SqliteStore::open(path).unwrap();
        Self { store, defect }
    }
}

impl Store for SimStore {
    fn enroll(
        &self,
        endorsement: &Endorsement,
        audit: &AuditEntry,
    ) -> Result<Enrolled, StoreError> {
        self.store.enroll(endorsement, audit)
    }

    fn device(&self, ueid: &Ueid) -> Result<Option<Device>, StoreError> {
        let mut device = self.store.device(ueid)?;
        if self.defect == Some(Defect::ReusesChallenges)
            && let Some(device) = &mut device
        {
            device.mark = tamarack_tam::TicketMark::default();
        }
        Ok(device)
    }

    fn devices(&self, after: Option<&Ueid>, limit: u32) -> Result<Vec<Device>, StoreError> {
        self.store.devices(after, limit)
    }

    fn remove_device(&self, ueid: &Ueid, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.store.remove_device(ueid, audit)
    }

    fn outcomes(&self, ueid: &Ueid) -> Result<Vec<RecordedOutcome>, StoreError> {
        self.store.outcomes(ueid)
    }

    fn devices_by_agent_key(&self, key: &KeyId) -> Result<Vec<Device>, StoreError> {
        self.store.devices_by_agent_key(key)
    }

    fn devices_with_newest_updates(&self, limit: u32) -> Result<Vec<Device>, StoreError> {
        self.store.devices_with_newest_updates(limit)
    }

    fn exhausted(
        &self,
        ueid: &Ueid,
        deployments_revision: u64,
        threshold: u32,
    ) -> Result<HashSet<ManifestId>, StoreError> {
        self.store.exhausted(ueid, deployments_revision, threshold)
    }

    fn accept_response(&self, response: &AcceptedResponse<'_>) -> Result<bool, StoreError> {
        let mut response = response.clone();
        if self.defect == Some(Defect::IgnoresLists) {
            response.installed = None;
        }
        let accepted = self.store.accept_response(&response)?;
        Ok(accepted || self.defect == Some(Defect::ReusesChallenges))
    }

    fn finish_update(&self, finished: &FinishedUpdate<'_>) -> Result<bool, StoreError> {
        self.store.finish_update(finished)
    }

    fn discard_expired(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.store.discard_expired(now)
    }

    fn envelope(&self, manifest: ManifestId) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.envelope(manifest)
    }

    fn catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        self.store.catalog()
    }

    fn put_domain(
        &self,
        revision: u64,
        domain: &Domain,
        manifest: Option<&NewManifest>,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.store.put_domain(revision, domain, manifest, audit)
    }

    fn withdraw(
        &self,
        revision: u64,
        manifest_component: &ComponentId,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.store.withdraw(revision, manifest_component, audit)
    }

    fn republish(
        &self,
        revision: u64,
        manifest: ManifestId,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.store.republish(revision, manifest, audit)
    }

    fn retire_domain(
        &self,
        revision: u64,
        name: &str,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.store.retire_domain(revision, name, audit)
    }

    fn add_token(
        &self,
        token: &Token,
        hash: &[u8; 32],
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.store.add_token(token, hash, audit)
    }

    fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.store.tokens()
    }

    fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>, StoreError> {
        self.store.token(hash)
    }

    fn remove_token(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.store.remove_token(name, audit)
    }

    fn remove_domain(
        &self,
        revision: u64,
        name: &str,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.store.remove_domain(revision, name, audit)
    }

    fn publish(
        &self,
        revision: u64,
        manifest: &NewManifest,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.store.publish(revision, manifest, audit)
    }

    fn deploy(
        &self,
        selector: &Selector,
        component: &ComponentId,
        mode: Mode,
        audit: &AuditEntry,
    ) -> Result<i64, StoreError> {
        self.store.deploy(selector, component, mode, audit)
    }

    fn undeploy(&self, id: i64, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.store.undeploy(id, audit)
    }

    fn revocations(&self) -> Result<Vec<Revoked>, StoreError> {
        self.store.revocations()
    }

    fn are_revoked(&self, any: &[Revocation]) -> Result<bool, StoreError> {
        self.store.are_revoked(any)
    }

    fn revoke(
        &self,
        revocations: &[Revocation],
        reason: &str,
        audit: &AuditEntry,
    ) -> Result<usize, StoreError> {
        self.store.revoke(revocations, reason, audit)
    }

    fn reinstate(&self, revocation: &Revocation, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.store.reinstate(revocation, audit)
    }

    fn makers(&self) -> Result<Vec<Maker>, StoreError> {
        self.store.makers()
    }

    fn put_maker(&self, maker: &Maker, audit: &AuditEntry) -> Result<(), StoreError> {
        self.store.put_maker(maker, audit)
    }

    fn remove_maker(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.store.remove_maker(name, audit)
    }

    fn audit(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        self.store.audit(after, limit)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.store.check()
    }
}
