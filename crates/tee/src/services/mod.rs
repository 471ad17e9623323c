//! What the service calls of a Trusted Application reach: its objects and keys in the sealed storage, its
//! Personalization Data, time, randomness, attestation, and other applications.
//!
//! [`TaServices`] is one session's view of all that. Names of one TA never reach what belongs to another: each has a
//! namespace of its own, under a key of its own. Changes are held back until the command that makes them returns, and
//! then written in one transaction, or forgotten.

mod attestation;
mod keys;
mod objects;
mod personalization;
mod ta_key;
mod time;

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Instant,
};

use tamarack_agent::{
    Quota,
    platform::{Namespace, Storage, StorageError, Transaction, View},
    state::{ComponentRecord, DomainUsage, Record},
};
use tamarack_cose::CryptoProvider;
use tamarack_suit::ComponentId;
use tamarack_ta::{ResultCode, interface::Client};
use zeroize::Zeroizing;

use crate::{platform::TeePlatform, runtime::Allowance, store::Store};

pub(crate) use objects::Area;
pub(crate) use ta_key::KeyAlgorithm;

/// What all sessions of a TEE have in common.
pub(crate) struct Surroundings {
    pub(crate) store: Arc<Store>,
    pub(crate) platform: Arc<dyn TeePlatform>,
    pub(crate) crypto: CryptoProvider,
    /// When the TEE started.
    pub(crate) started: Instant,
}

#[cfg(test)]
impl Surroundings {
    /// Those of a new TEE in a temporary folder, on the platform `software`.
    pub(crate) fn in_a_folder() -> (tempfile::TempDir, Self) {
        use crate::{
            platform::{DeviceOptions, Software},
            store::StoreOptions,
        };
        let folder = tempfile::tempdir().unwrap();
        let crypto = tamarack_cose::rustcrypto::provider();
        let platform = Software::open(folder.path(), &crypto, &DeviceOptions::default()).unwrap();
        let platform = Arc::new(platform);
        let path = folder.path().join("store");
        let store = Store::open(&path, platform.clone(), &crypto, StoreOptions::default()).unwrap();
        let this = Self {
            store: Arc::new(store),
            platform,
            crypto,
            started: Instant::now(),
        };
        (folder, this)
    }
}

/// Where the services that security domains expose are found.
pub(crate) trait Directory: Send + Sync {
    /// Invokes a command of the service `name`, on behalf of the last of `callers`, which waits for it no longer than it
    /// has time left, and gives it the log lines that it has left.
    ///
    /// # Errors
    ///
    /// What the service answers; [`ResultCode::ITEM_NOT_FOUND`] if there is none for that caller.
    fn call(
        &self,
        callers: &[Caller],
        name: &str,
        command: u32,
        input: &[u8],
        caller_has: &mut Allowance,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode>;
}

/// A directory without any service.
#[cfg(test)]
pub(crate) struct Nowhere;

#[cfg(test)]
impl Directory for Nowhere {
    fn call(
        &self,
        _: &[Caller],
        _: &str,
        _: u32,
        _: &[u8],
        _: &mut Allowance,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        Err(ResultCode::ITEM_NOT_FOUND)
    }
}

/// A TA that waits for the answer of a service, or the one whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) component: ComponentId,
    pub(crate) domain: String,
}

/// Kinds of what a TA's namespace holds: first bytes of names, so that they do not meet.
mod kind {
    pub(super) const OBJECT: u8 = b'o';
    pub(super) const KEY: u8 = b'k';
    /// The secret that keys are derived from.
    pub(super) const ROOT: u8 = b'r';
    pub(super) const TIME: u8 = b't';
    /// Which code migrated what is stored.
    pub(super) const MIGRATED: u8 = b'm';
}

/// What the TEE itself keeps in a TA's namespace; it does not count in the quota of objects.
const OWN_RECORDS: [u8; 3] = [kind::ROOT, kind::TIME, kind::MIGRATED];

/// Where a value is: whose, and its name there.
type Place = (Area, Vec<u8>);

/// What one session of a Trusted Application reaches.
pub(crate) struct TaServices {
    around: Arc<Surroundings>,
    directory: Weak<dyn Directory>,
    application: Application,
    client: Client,
    /// Applications that wait for this one, and this one.
    callers: Vec<Caller>,
    private: Namespace,
    shared: Namespace,
    /// `None` is deleted.
    changes: BTreeMap<Place, Option<Zeroizing<Vec<u8>>>>,
}

/// A Trusted Application as it is installed, and what its security domain allows it.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    /// What is installed; once that is something else, its sessions see and write nothing any more.
    pub(crate) record: ComponentRecord,
    /// Sequence number of its manifest.
    pub(crate) sequence_number: u64,
    /// What the domain may use itself.
    pub(crate) quota: Quota,
    /// Names of objects that all applications of the domain share.
    pub(crate) shared_objects: Vec<String>,
}

impl Application {
    /// Whether it is still what is installed.
    pub(crate) fn is_installed(&self, view: &dyn View) -> Result<bool, StorageError> {
        let id = self.record.component.to_cbor();
        let now = ComponentRecord::load(view, &id)?;
        Ok(now.is_some_and(|now| now == self.record))
    }
}

/// How far what an application stored is behind its code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Migration {
    /// It is that code's already.
    None,
    /// Nothing ran here before.
    FromNothing,
    /// It is that of the code of the manifest with this sequence number.
    From(u64),
}

/// What a TA is told about an error of the storage.
pub(crate) fn code(error: StorageError) -> ResultCode {
    match error {
        StorageError::Full => ResultCode::STORAGE_NO_SPACE,
        StorageError::Corrupt(_) | StorageError::RolledBack => ResultCode::CORRUPT_OBJECT,
        _ => ResultCode::STORAGE_NOT_AVAILABLE,
    }
}

impl TaServices {
    /// The services of an application, for a session that `client` opens while `waiting` wait for it.
    pub(crate) fn new(
        around: Arc<Surroundings>,
        directory: Weak<dyn Directory>,
        application: Application,
        client: Client,
        waiting: &[Caller],
    ) -> Self {
        let record = &application.record;
        let this = Caller {
            component: record.component.clone(),
            domain: record.domain.clone(),
        };
        Self {
            private: Namespace::application(&record.domain, &record.component),
            shared: Namespace::shared(&record.domain),
            callers: waiting.iter().cloned().chain([this]).collect(),
            around,
            directory,
            application,
            client,
            changes: BTreeMap::new(),
        }
    }

    /// Who opened the session.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    fn crypto(&self) -> &CryptoProvider {
        &self.around.crypto
    }

    fn space(&self, area: Area) -> &Namespace {
        match area {
            Area::Private => &self.private,
            Area::Shared => &self.shared,
        }
    }

    /// What is stored, for as long as the code of this session is what is installed.
    fn view(&self) -> Result<Box<dyn View + '_>, ResultCode> {
        let view = self.around.store.view().map_err(code)?;
        self.check_installed(&*view)?;
        Ok(view)
    }

    /// Refuses what was removed or replaced: its namespaces are gone, or another code's.
    fn check_installed(&self, view: &dyn View) -> Result<(), ResultCode> {
        match self.application.is_installed(view).map_err(code)? {
            true => Ok(()),
            false => Err(ResultCode::BUSY),
        }
    }

    /// The value at a place, as the running command left it.
    fn read(&self, place: &Place) -> Result<Option<Zeroizing<Vec<u8>>>, ResultCode> {
        if let Some(change) = self.changes.get(place) {
            return Ok(change.clone());
        }
        let value = self.view()?.get(self.space(place.0), &place.1);
        Ok(value.map_err(code)?.map(Zeroizing::new))
    }

    fn length(&self, place: &Place) -> Result<Option<u64>, ResultCode> {
        match self.changes.get(place) {
            Some(change) => Ok(change.as_ref().map(|value| value.len() as u64)),
            None => self
                .view()?
                .length(self.space(place.0), &place.1)
                .map_err(code),
        }
    }

    /// Changes a value, once the command succeeds.
    fn write(&mut self, place: Place, value: Zeroizing<Vec<u8>>) -> Result<(), ResultCode> {
        let replaced = self.changes.get(&place).and_then(Option::as_ref);
        let held: usize = self
            .changes
            .values()
            .flatten()
            .map(|value| value.len())
            .sum();
        let held = held.saturating_sub(replaced.map_or(0, |value| value.len()));
        // What a command may hold back is bounded by what could ever be written.
        if held.saturating_add(value.len()) as u64 > self.application.quota.bytes
            || self.changes.len() as u64 > self.application.quota.objects.saturating_add(16)
        {
            return Err(ResultCode::STORAGE_NO_SPACE);
        }
        self.changes.insert(place, Some(value));
        Ok(())
    }

    fn remove(&mut self, place: Place) -> Result<(), ResultCode> {
        if self.length(&place)?.is_none() {
            return Err(ResultCode::ITEM_NOT_FOUND);
        }
        self.changes.insert(place, None);
        Ok(())
    }

    /// Names of one kind, sorted, without their kind.
    fn names(&self, area: Area, kind: u8) -> Result<Vec<String>, ResultCode> {
        let stored = self
            .view()?
            .names(self.space(area), &[kind])
            .map_err(code)?;
        let unchanged = stored
            .into_iter()
            .filter(|name| !self.changes.contains_key(&(area, name.clone())));
        let written = self
            .changes
            .iter()
            .filter(|((of, name), change)| {
                *of == area && name.first() == Some(&kind) && change.is_some()
            })
            .map(|((_, name), _)| name.clone());
        let mut names: Vec<Vec<u8>> = unchanged.chain(written).collect();
        names.sort();
        let text = |name: Vec<u8>| String::from_utf8(name.get(1..).unwrap_or_default().to_vec());
        names
            .into_iter()
            .map(|name| text(name).map_err(|_| ResultCode::CORRUPT_OBJECT))
            .collect()
    }

    /// How far what is stored is behind the code of this session.
    pub(crate) fn migration(&self) -> Result<Migration, ResultCode> {
        let Some(mark) = self.read(&(Area::Private, vec![kind::MIGRATED]))? else {
            return Ok(Migration::FromNothing);
        };
        let (number, digest) = mark.split_first_chunk().ok_or(ResultCode::CORRUPT_OBJECT)?;
        match digest == self.application.record.digest.bytes() {
            true => Ok(Migration::None),
            false => Ok(Migration::From(u64::from_be_bytes(*number))),
        }
    }

    /// Notes, with the changes of the migration, that what is stored is that of this session's code from now on.
    pub(crate) fn mark_migrated(&mut self) -> Result<(), ResultCode> {
        let number = self.application.sequence_number.to_be_bytes();
        let mark = [&number[..], self.application.record.digest.bytes()].concat();
        self.write((Area::Private, vec![kind::MIGRATED]), Zeroizing::new(mark))
    }

    /// Fills `out` with random bytes.
    pub(crate) fn random(&mut self, out: &mut [u8]) -> Result<(), ResultCode> {
        let filled = self.crypto().random.fill(out);
        filled.map_err(|_| ResultCode::GENERIC)
    }

    /// A line for the operator's log, without control characters.
    pub(crate) fn log(&mut self, line: &str) {
        tracing::info!(component = %self.application.record.component, "{line}");
    }

    /// Logs that the application died, and why.
    pub(crate) fn log_death(&self, why: &str) {
        tracing::warn!("{} {why}", self.application.record.component);
    }

    /// Invokes a command of a service that some security domain exposes.
    pub(crate) fn call(
        &mut self,
        service: &str,
        command: u32,
        input: &[u8],
        allowance: &mut Allowance,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let directory = self.directory.upgrade().ok_or(ResultCode::BAD_STATE)?;
        directory.call(&self.callers, service, command, input, allowance)
    }

    /// Makes what the command changed so far durable, whatever becomes of it.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit); [`ResultCode::BAD_STATE`] in a migration, which is one step.
    pub(crate) fn commit_early(&mut self) -> Result<(), ResultCode> {
        let mark = (Area::Private, vec![kind::MIGRATED]);
        match self.changes.contains_key(&mark) {
            true => Err(ResultCode::BAD_STATE),
            false => self.commit(),
        }
    }

    /// Makes what the command changed durable.
    ///
    /// # Errors
    ///
    /// If that failed: nothing of it took effect then. [`ResultCode::BUSY`] if the application was replaced or removed
    /// meanwhile.
    pub(crate) fn commit(&mut self) -> Result<(), ResultCode> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let changes = core::mem::take(&mut self.changes);
        self.write_changes(changes)
    }

    /// Forgets what the command changed.
    pub(crate) fn abort(&mut self) {
        self.changes.clear();
    }

    fn write_changes(
        &self,
        changes: BTreeMap<Place, Option<Zeroizing<Vec<u8>>>>,
    ) -> Result<(), ResultCode> {
        let begun: Result<Box<dyn Transaction + '_>, _> = self.around.store.begin();
        let mut transaction = begun.map_err(code)?;
        self.check_installed(&*transaction)?;
        let (mut grows, mut adds) = (false, false);
        for ((area, name), change) in &changes {
            let space = self.space(*area);
            match change {
                Some(value) => {
                    let before = transaction.length(space, name).map_err(code)?;
                    grows |= before.unwrap_or(0) < value.len() as u64;
                    adds |= before.is_none();
                    transaction.put(space, name, value).map_err(code)?;
                }
                None => drop(transaction.remove(space, name).map_err(code)?),
            }
        }
        self.check_quota(&*transaction, grows, adds)?;
        transaction.commit().map_err(code)
    }

    /// Refuses what makes the domain larger than it may be. Who frees room is not refused, however much is used.
    fn check_quota(&self, view: &dyn View, grows: bool, adds: bool) -> Result<(), ResultCode> {
        if !grows && !adds {
            return Ok(());
        }
        let (name, quota) = (&self.application.record.domain, &self.application.quota);
        let used = DomainUsage::of(view, name).map_err(code)?;
        if grows && used.bytes > quota.bytes {
            let limit = quota.bytes;
            tracing::warn!(domain = name, limit, "the quota of bytes is reached");
            return Err(ResultCode::STORAGE_NO_SPACE);
        }
        if !adds {
            return Ok(());
        }
        let own = own_records(view, name).map_err(code)?;
        if used.objects.saturating_sub(own) > quota.objects {
            let limit = quota.objects;
            tracing::warn!(domain = name, limit, "the quota of objects is reached");
            return Err(ResultCode::STORAGE_NO_SPACE);
        }
        Ok(())
    }
}

/// How much the TEE itself keeps for the applications of a security domain.
fn own_records(view: &dyn View, domain: &str) -> Result<u64, StorageError> {
    let mut records = 0;
    for record in ComponentRecord::all(view)? {
        if record.domain == domain {
            let space = Namespace::application(domain, &record.component);
            for own in OWN_RECORDS {
                records += u64::from(view.length(&space, &[own])?.is_some());
            }
        }
    }
    Ok(records)
}
