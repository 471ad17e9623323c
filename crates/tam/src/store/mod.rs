//! What the TAM remembers.

mod sqlite;

use std::{collections::HashSet, sync::Arc};

use tamarack_cose::{KeyId, PublicKey, x509::Revocation};
use tamarack_rats::Endorsement;
use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_teep::Numbering;

use crate::{
    AuditEntry, AuditRecord, Device, InstalledComponent, Maker, Mode, PendingUpdate, Revoked,
    Selector, TicketMark, Timestamp, Token, Ueid,
    catalog::{Catalog, ComponentImage, Domain, ManifestId, ManifestKind},
};

pub use sqlite::SqliteStore;

/// The store failed; nothing about the request is implied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database could not do it.
    #[error("the store failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// The file of the database could not be made.
    #[error("the store can't be opened: {0}")]
    File(String),
    /// A change was made and could not be committed; it is undone.
    #[error("the store could not commit: {0}")]
    NotCommitted(String),
    /// What is stored can't be read back.
    #[error("the store is corrupt: {0}")]
    Corrupt(String),
    /// The database was made by a later release.
    #[error("the store has schema version {found}; this release knows versions up to {known}")]
    TooNew {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
}

/// An attested, authenticated QueryResponse with what is decided about it.
#[derive(Debug, Clone)]
pub struct AcceptedResponse<'a> {
    /// The device.
    pub ueid: &'a Ueid,
    /// The challenge that the Evidence answers.
    pub mark: TicketMark,
    /// The key that signed the message.
    pub agent_key: &'a PublicKey,
    /// Its thumbprint.
    pub agent_key_id: KeyId,
    /// The numbering of the message.
    pub numbering: Numbering,
    /// When.
    pub at: Timestamp,
    /// Whether it was attested; otherwise a token was good enough, and an earlier attestation counts.
    pub attested: bool,
    /// tc-list; `None` leaves what is known.
    pub installed: Option<&'a [InstalledComponent]>,
    /// The Update that answers it, if that expects an answer. It supersedes the device's last one.
    pub pending: Option<&'a PendingUpdate>,
    /// The device's last Update, if it counts as never answered; that closes it.
    pub unanswered: Option<&'a FinishedUpdate<'a>>,
    /// For the audit.
    pub audit: &'a [AuditEntry],
}

/// Why a manifest failed whose Update was not answered.
pub const NO_ANSWER: &str = "no answer";

/// What became of one manifest of an Update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestOutcome {
    /// Which manifest.
    pub manifest: ManifestId,
    /// Why it failed; `None` if it was installed.
    pub failure: Option<String>,
}

/// What became of the pending Update: what an authenticated answer says, or that there was none.
#[derive(Debug, Clone)]
pub struct FinishedUpdate<'a> {
    /// The device.
    pub ueid: &'a Ueid,
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// What became of the manifests, as far as the device says.
    pub outcomes: &'a [ManifestOutcome],
    /// [`Catalog::deployments_revision`], under which failures are counted.
    pub deployments_revision: u64,
    /// For the audit.
    pub audit: AuditEntry,
}

/// The last that is known about a manifest on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedOutcome {
    /// Which manifest.
    pub manifest: ManifestId,
    /// Whether it was installed.
    pub installed: bool,
    /// Failures in a row.
    pub failures: u32,
    /// Why it failed last; empty if it did not.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A manifest to be published, checked against a [`Catalog`].
#[derive(Debug, Clone)]
pub struct NewManifest {
    /// What it is for.
    pub kind: ManifestKind,
    /// The security domain that it belongs to.
    pub domain: String,
    /// Its own component identifier.
    pub manifest_component: ComponentId,
    /// Its place in the order of releases.
    pub sequence_number: u64,
    /// The digest in its authentication wrapper.
    pub digest: SuitDigest,
    /// What it installs.
    pub components: Vec<ComponentImage>,
    /// Digests of the manifests that it depends on.
    pub dependencies: Vec<SuitDigest>,
    /// SUIT vendor identifiers of which a device must answer to one; empty if any device will do.
    pub vendor_ids: Vec<[u8; 16]>,
    /// SUIT class identifiers of which a device must answer to one; empty if any device will do.
    pub class_ids: Vec<[u8; 16]>,
    /// The key that signed it.
    pub signer: PublicKey,
    /// The envelope, byte for byte.
    pub envelope: Vec<u8>,
}

/// How a change that depends on the catalog went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Changed {
    /// It is done.
    Yes,
    /// The catalog is another by now: check again, then try again.
    CatalogMoved,
}

/// How an enrolment went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// The device is new.
    New,
    /// Its endorsement was replaced; the attester is the same.
    Updated,
    /// It is enrolled with another attester, and nothing was changed.
    OtherAttester,
}

/// Where the TAM keeps its state. Every method that changes something is one transaction: after a crash
/// it has happened whole or not at all.
///
/// The engine calls the methods under "the protocol" only after the sender of a message has been
/// authenticated, with one exception: [`device`](Self::device),
/// [`devices_by_agent_key`](Self::devices_by_agent_key) and
/// [`devices_with_newest_updates`](Self::devices_with_newest_updates), which read, find the keys to
/// authenticate it with.
pub trait Store: Send + Sync {
    // ---- devices ----

    /// Enrols a device, or replaces the endorsement of one that has the same attester.
    ///
    /// # Errors
    ///
    /// If the store fails; so with every method.
    fn enroll(&self, endorsement: &Endorsement, audit: &AuditEntry)
    -> Result<Enrolled, StoreError>;

    /// A device.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn device(&self, ueid: &Ueid) -> Result<Option<Device>, StoreError>;

    /// Devices in the order of their ids, at most `limit`, from the one after `after`.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn devices(&self, after: Option<&Ueid>, limit: u32) -> Result<Vec<Device>, StoreError>;

    /// Removes a device with all that is known about it; `false` if there is none. The audit keeps it.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn remove_device(&self, ueid: &Ueid, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// What became of manifests on a device.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn outcomes(&self, ueid: &Ueid) -> Result<Vec<RecordedOutcome>, StoreError>;

    // ---- the protocol ----

    /// Devices whose agent signs with the key that has this thumbprint; 16 at most.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn devices_by_agent_key(&self, key: &KeyId) -> Result<Vec<Device>, StoreError>;

    /// The `limit` devices that were sent an Update last and have not answered it.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn devices_with_newest_updates(&self, limit: u32) -> Result<Vec<Device>, StoreError>;

    /// Manifests that failed on a device `threshold` times in a row or more, under the deployments of
    /// `deployments_revision`.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn exhausted(
        &self,
        ueid: &Ueid,
        deployments_revision: u64,
        threshold: u32,
    ) -> Result<HashSet<ManifestId>, StoreError>;

    /// Uses up a challenge and records what came with it; `false`, and nothing is changed, if the
    /// challenge is not newer than the device's mark, or the device is gone.
    ///
    /// A wrong `true` lets a recorded QueryResponse be replayed.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn accept_response(&self, response: &AcceptedResponse<'_>) -> Result<bool, StoreError>;

    /// Closes the pending Update and records what became of it; `false`, and nothing is changed, if the
    /// pending Update has another token.
    ///
    /// A wrong `true` lets a recorded answer be replayed.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn finish_update(&self, finished: &FinishedUpdate<'_>) -> Result<bool, StoreError>;

    /// Forgets pending Updates that expired before `now`, which counts as a failure of each manifest in
    /// them, for the reason [`NO_ANSWER`]; says how many.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn discard_expired(&self, now: Timestamp) -> Result<usize, StoreError>;

    /// The bytes of a published envelope.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn envelope(&self, manifest: ManifestId) -> Result<Option<Vec<u8>>, StoreError>;

    // ---- the catalog ----

    /// The current catalog.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn catalog(&self) -> Result<Arc<Catalog>, StoreError>;

    /// Adds or replaces a domain, and publishes its own manifest if one is given, provided that the
    /// catalog is still the one with `revision`.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn put_domain(
        &self,
        revision: u64,
        domain: &Domain,
        manifest: Option<&NewManifest>,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError>;

    /// Removes a domain with its manifests, provided that the catalog is still the one with `revision`.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn remove_domain(
        &self,
        revision: u64,
        name: &str,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError>;

    /// Publishes a manifest, provided that the catalog is still the one with `revision`.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn publish(
        &self,
        revision: u64,
        manifest: &NewManifest,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError>;

    /// Withdraws every release of a manifest, provided that the catalog is still the one with `revision`.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn withdraw(
        &self,
        revision: u64,
        manifest_component: &ComponentId,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError>;

    /// Publishes a withdrawn manifest again, provided that the catalog is still the one with `revision`.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn republish(
        &self,
        revision: u64,
        manifest: ManifestId,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError>;

    /// Marks a domain as one that is being removed from the devices, provided that the catalog is still the one
    /// with `revision`. To put it again takes that back.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn retire_domain(
        &self,
        revision: u64,
        name: &str,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError>;

    /// Adds a deployment, or changes the mode of the one with the same selector and component; its number.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn deploy(
        &self,
        selector: &Selector,
        component: &ComponentId,
        mode: Mode,
        audit: &AuditEntry,
    ) -> Result<i64, StoreError>;

    /// Removes a deployment; `false` if there is none.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn undeploy(&self, id: i64, audit: &AuditEntry) -> Result<bool, StoreError>;

    // ---- certificates ----

    /// Everything that is revoked.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn revocations(&self) -> Result<Vec<Revoked>, StoreError>;

    /// Whether any of these is revoked.
    ///
    /// A wrong `false` lets a revoked key attest itself back in.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn are_revoked(&self, any: &[Revocation]) -> Result<bool, StoreError>;

    /// Revokes these; says how many were not revoked before. A device whose agent signs with a revoked key must
    /// attest another one before it is heard again. `audit` is recorded for each, with it as the subject.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn revoke(
        &self,
        revocations: &[Revocation],
        reason: &str,
        audit: &AuditEntry,
    ) -> Result<usize, StoreError>;

    /// Takes a revocation back; `false` if there is none.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn reinstate(&self, revocation: &Revocation, audit: &AuditEntry) -> Result<bool, StoreError>;

    /// The makers whose certificates make devices known, ordered by name.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn makers(&self) -> Result<Vec<Maker>, StoreError>;

    /// Adds a maker, or replaces the one with its name.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn put_maker(&self, maker: &Maker, audit: &AuditEntry) -> Result<(), StoreError>;

    /// Removes a maker; its devices stay enrolled. `false` if there is none.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn remove_maker(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError>;

    // ---- tokens ----

    /// Adds a token of the admin API with the SHA-256 of what its holder presents; `false`, and nothing is
    /// changed, if there is one of that name.
    ///
    /// # Errors
    ///
    /// If the store fails, or there is no such domain.
    fn add_token(
        &self,
        token: &Token,
        hash: &[u8; 32],
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// The tokens, ordered by name.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn tokens(&self) -> Result<Vec<Token>, StoreError>;

    /// The token with this hash.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>, StoreError>;

    /// Removes a token; `false` if there is none.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn remove_token(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError>;

    // ---- audit and health ----

    /// Audit records in the order in which they were made, at most `limit`, from the one after `after`.
    ///
    /// # Errors
    ///
    /// If the store fails.
    fn audit(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError>;

    /// Whether the store answers.
    ///
    /// # Errors
    ///
    /// If it does not.
    fn check(&self) -> Result<(), StoreError>;
}
