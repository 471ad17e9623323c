//! The store in an SQLite database: embedded, one file, write-ahead log, every commit synced.

mod audit;
mod catalog;
mod certificates;
mod columns;
mod devices;
mod protocol;
mod schema;
mod tokens;
mod writer;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use tamarack_cose::{KeyId, x509::Revocation};
use tamarack_rats::Endorsement;
use tamarack_suit::ComponentId;

use super::{
    AcceptedResponse, Changed, Enrolled, FinishedUpdate, NewManifest, RecordedOutcome, Store,
    StoreError,
};
use crate::{
    AuditEntry, AuditRecord, Device, Maker, Mode, Revoked, Selector, Timestamp, Token, Ueid,
    catalog::{Catalog, Domain, ManifestId},
};
use writer::Writer;

/// How long a statement waits for a lock that another process holds.
const BUSY: Duration = Duration::from_secs(10);

/// A [`Store`] in one SQLite file.
///
/// Readers have connections of their own and never wait for a writer. Writers that arrive together
/// share a commit, and so its sync to disk.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
    catalog: Mutex<Option<Arc<Catalog>>>,
}

impl SqliteStore {
    /// Opens the database at `path`, made and brought up to date as needed.
    ///
    /// # Errors
    ///
    /// If the file can't be opened, is no database, or was made by a later release.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        create_private(&path).map_err(|error| StoreError::File(error.to_string()))?;
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_CREATE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A reply is sent after the commit: what it says must survive a power failure.
        connection.pragma_update(None, "synchronous", "FULL")?;
        schema::migrate(&mut connection)?;
        Ok(Self {
            path,
            writer: Writer::new(connection),
            readers: Mutex::default(),
            catalog: Mutex::default(),
        })
    }

    /// Runs `read` on a connection for reading.
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = lock(&self.readers).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, OpenFlags::empty())?,
        };
        let result = read(&connection);
        lock(&self.readers).push(connection);
        result
    }
}

/// Makes an empty file that its owner alone may read, unless it is there; SQLite gives the files that it
/// puts beside it the same permissions.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn connect(path: &Path, extra: OpenFlags) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Locks, also after a panic elsewhere: what is guarded here is consistent between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for SqliteStore {
    fn enroll(
        &self,
        endorsement: &Endorsement,
        audit: &AuditEntry,
    ) -> Result<Enrolled, StoreError> {
        self.writer
            .write(|c| devices::enroll(c, endorsement, audit))
    }

    fn device(&self, ueid: &Ueid) -> Result<Option<Device>, StoreError> {
        self.read(|c| devices::by_ueid(c, ueid))
    }

    fn devices(&self, after: Option<&Ueid>, limit: u32) -> Result<Vec<Device>, StoreError> {
        self.read(|c| devices::page(c, after, limit))
    }

    fn remove_device(&self, ueid: &Ueid, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.writer.write(|c| devices::remove(c, ueid, audit))
    }

    fn outcomes(&self, ueid: &Ueid) -> Result<Vec<RecordedOutcome>, StoreError> {
        self.read(|c| protocol::outcomes(c, ueid))
    }

    fn devices_by_agent_key(&self, key: &KeyId) -> Result<Vec<Device>, StoreError> {
        self.read(|c| devices::by_agent_key(c, key))
    }

    fn devices_with_newest_updates(&self, limit: u32) -> Result<Vec<Device>, StoreError> {
        self.read(|c| devices::with_newest_updates(c, limit))
    }

    fn exhausted(
        &self,
        ueid: &Ueid,
        deployments_revision: u64,
        threshold: u32,
    ) -> Result<HashSet<ManifestId>, StoreError> {
        self.read(|c| protocol::exhausted(c, ueid, deployments_revision, threshold))
    }

    fn accept_response(&self, response: &AcceptedResponse<'_>) -> Result<bool, StoreError> {
        self.writer
            .write(|c| protocol::accept_response(c, response))
    }

    fn finish_update(&self, finished: &FinishedUpdate<'_>) -> Result<bool, StoreError> {
        self.writer.write(|c| protocol::finish_update(c, finished))
    }

    fn discard_expired(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.writer.write(|c| protocol::discard_expired(c, now))
    }

    fn envelope(&self, manifest: ManifestId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|c| catalog::envelope(c, manifest))
    }

    fn catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        let known = lock(&self.catalog).clone();
        let newer = self.read(|c| catalog::load_if_changed(c, known.as_deref()))?;
        match (newer, known) {
            (Some(newer), _) => {
                let newer = Arc::new(newer);
                *lock(&self.catalog) = Some(Arc::clone(&newer));
                Ok(newer)
            }
            (None, Some(known)) => Ok(known),
            (None, None) => Ok(Arc::default()),
        }
    }

    fn put_domain(
        &self,
        revision: u64,
        domain: &Domain,
        manifest: Option<&NewManifest>,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.writer
            .write(|c| catalog::put_domain(c, revision, domain, manifest, audit))
    }

    fn remove_domain(
        &self,
        revision: u64,
        name: &str,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.writer
            .write(|c| catalog::remove_domain(c, revision, name, audit))
    }

    fn publish(
        &self,
        revision: u64,
        manifest: &NewManifest,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.writer
            .write(|c| catalog::publish(c, revision, manifest, audit))
    }

    fn withdraw(
        &self,
        revision: u64,
        manifest_component: &ComponentId,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.writer
            .write(|c| catalog::withdraw(c, revision, manifest_component, audit))
    }

    fn republish(
        &self,
        revision: u64,
        manifest: ManifestId,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.writer
            .write(|c| catalog::republish(c, revision, manifest, audit))
    }

    fn retire_domain(
        &self,
        revision: u64,
        name: &str,
        audit: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        self.writer
            .write(|c| catalog::retire_domain(c, revision, name, audit))
    }

    fn deploy(
        &self,
        selector: &Selector,
        component: &ComponentId,
        mode: Mode,
        audit: &AuditEntry,
    ) -> Result<i64, StoreError> {
        self.writer
            .write(|c| catalog::deploy(c, selector, component, mode, audit))
    }

    fn undeploy(&self, id: i64, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.writer.write(|c| catalog::undeploy(c, id, audit))
    }

    fn revocations(&self) -> Result<Vec<Revoked>, StoreError> {
        self.read(certificates::revocations)
    }

    fn are_revoked(&self, any: &[Revocation]) -> Result<bool, StoreError> {
        self.read(|c| certificates::are_revoked(c, any))
    }

    fn revoke(
        &self,
        revocations: &[Revocation],
        reason: &str,
        audit: &AuditEntry,
    ) -> Result<usize, StoreError> {
        self.writer
            .write(|c| certificates::revoke(c, revocations, reason, audit))
    }

    fn reinstate(&self, revocation: &Revocation, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.writer
            .write(|c| certificates::reinstate(c, revocation, audit))
    }

    fn makers(&self) -> Result<Vec<Maker>, StoreError> {
        self.read(certificates::makers)
    }

    fn put_maker(&self, maker: &Maker, audit: &AuditEntry) -> Result<(), StoreError> {
        self.writer
            .write(|c| certificates::put_maker(c, maker, audit))
    }

    fn remove_maker(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.writer
            .write(|c| certificates::remove_maker(c, name, audit))
    }

    fn add_token(
        &self,
        token: &Token,
        hash: &[u8; 32],
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        self.writer.write(|c| tokens::add(c, token, hash, audit))
    }

    fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.read(tokens::all)
    }

    fn token(&self, hash: &[u8; 32]) -> Result<Option<Token>, StoreError> {
        self.read(|c| tokens::by_hash(c, hash))
    }

    fn remove_token(&self, name: &str, audit: &AuditEntry) -> Result<bool, StoreError> {
        self.writer.write(|c| tokens::remove(c, name, audit))
    }

    fn audit(&self, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        self.read(|c| audit::page(c, after, limit))
    }

    fn check(&self) -> Result<(), StoreError> {
        self.read(|c| Ok(c.query_row("SELECT 1 FROM revisions", [], |_| Ok(()))?))
    }
}
