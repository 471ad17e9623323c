//! A TEE in memory: fast, without isolation, and with faults on demand. The agent in it is the real one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tamarack_agent::state::Record;
use tamarack_agent::{
    platform::{
        Evidence, Identity, Namespace, Platform, PlatformError, Runtime, Storage, StorageError,
        Transaction, View,
    },
    state::Anchor,
};
use tamarack_cose::{CryptoProvider, PublicKey, SecretKey, Signer};
use tamarack_rats::{Claims, Confirmation, EAT_CWT};
use tamarack_suit::ComponentId;
use tamarack_tam::Clock;

use crate::{Defect, SimClock};

/// Values by namespace and name.
type Values = BTreeMap<(Namespace, Vec<u8>), Vec<u8>>;

/// Everything that a TEE stores, at one moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored(Arc<Values>);

/// A TEE whose storage is a map. It outlives the agent, as a disk outlives a power failure.
pub struct MemoryTee {
    crypto: CryptoProvider,
    clock: SimClock,
    identity: Identity,
    attester: Box<dyn Signer>,
    teep_key: Box<dyn Signer>,
    storage: MemoryStorage,
}

/// When the power goes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerLoss {
    /// Right before the commit that follows so many successful ones: the change is lost.
    Before(u32),
    /// Right after it: the change is there, and nobody was told.
    After(u32),
}

impl MemoryTee {
    /// A TEE with these keys, which trusts `anchors` and has nothing else in its storage.
    #[must_use]
    pub fn new(
        crypto: CryptoProvider,
        clock: SimClock,
        identity: Identity,
        (attester, teep_key): (&SecretKey, &SecretKey),
        anchors: &[Anchor],
        defect: Option<Defect>,
    ) -> Self {
        let signer = |key| crypto.signatures.signer(key).unwrap();
        let tee = Self {
            crypto,
            clock,
            identity,
            attester: signer(attester),
            teep_key: signer(teep_key),
            storage: MemoryStorage {
                committed: Mutex::default(),
                commits: AtomicU64::new(0),
                power: Mutex::default(),
                defect,
            },
        };
        let mut transaction = tee.storage.begin().unwrap();
        for anchor in anchors {
            anchor.save(&mut *transaction).unwrap();
        }
        transaction.commit().unwrap();
        tee
    }

    /// How many transactions were committed: the state of the TEE has not changed while this has not.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.storage.commits.load(Ordering::SeqCst)
    }

    /// Lets the power go off at a commit to come; every later one fails too until the power is back.
    pub fn lose_power(&self, when: PowerLoss) {
        *lock(&self.storage.power) = Some(when);
    }

    /// The power is back, or does not go off after all; whether it was off.
    pub fn restore_power(&self) -> bool {
        matches!(lock(&self.storage.power).take(), Some(PowerLoss::Before(0)))
    }

    /// Everything that is stored.
    #[must_use]
    pub fn dump(&self) -> Stored {
        Stored(Arc::clone(&lock(&self.storage.committed)))
    }

    /// What the maker of the device says about it: the key of its attester.
    #[must_use]
    pub fn attester(&self) -> PublicKey {
        *self.attester.public_key()
    }
}

impl Platform for MemoryTee {
    fn crypto(&self) -> &CryptoProvider {
        &self.crypto
    }

    fn now(&self) -> u64 {
        self.clock.now().seconds()
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn teep_keys(&self) -> &[Box<dyn Signer>] {
        std::slice::from_ref(&self.teep_key)
    }

    fn attest(
        &self,
        nonce: Option<&[u8]>,
        teep_key: &PublicKey,
    ) -> Result<Evidence, PlatformError> {
        let claims = Claims {
            confirmation: Some(Confirmation::Key(*teep_key)),
            nonce: nonce.map(<[u8]>::to_vec),
            ueid: Some(self.identity.ueid.clone()),
            ..Claims::default()
        };
        let bytes = claims.sign(&self.crypto, &*self.attester);
        Ok(Evidence {
            media_type: EAT_CWT.into(),
            bytes: bytes.map_err(|error| PlatformError(error.to_string()))?,
        })
    }

    fn storage(&self) -> &dyn Storage {
        &self.storage
    }

    fn runtime(&self) -> &dyn Runtime {
        &NoApplications
    }
}

/// Nothing runs here, so any code will do and no session ends.
struct NoApplications;

impl Runtime for NoApplications {
    fn check(&self, _: &[u8], _: u64) -> Result<(), String> {
        Ok(())
    }

    fn retire(&self, _: &ComponentId) {}
}

struct MemoryStorage {
    committed: Mutex<Arc<Values>>,
    commits: AtomicU64,
    power: Mutex<Option<PowerLoss>>,
    defect: Option<Defect>,
}

/// Locks, also after a panic elsewhere: a run that panicked has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStorage {
    fn working_copy(&self) -> WorkingCopy<'_> {
        WorkingCopy {
            values: Arc::clone(&lock(&self.committed)),
            storage: self,
        }
    }
}

impl Storage for MemoryStorage {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StorageError> {
        Ok(Box::new(self.working_copy()))
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StorageError> {
        Ok(Box::new(self.working_copy()))
    }
}

struct WorkingCopy<'a> {
    values: Arc<Values>,
    storage: &'a MemoryStorage,
}

impl WorkingCopy<'_> {
    fn find(&self, space: &Namespace, name: &[u8]) -> Option<&Vec<u8>> {
        self.values.get(&(space.clone(), name.to_vec()))
    }

    /// Whether the TEE is so broken that it does not see this record.
    fn is_hidden(&self, space: &Namespace, name: &[u8]) -> bool {
        let hidden = match self.storage.defect {
            Some(Defect::ForgetsUpdates) => b'u',
            Some(Defect::HidesComponents) => b'c',
            _ => return false,
        };
        *space == Namespace::agent() && name.first() == Some(&hidden)
    }
}

impl View for WorkingCopy<'_> {
    fn get(&self, space: &Namespace, name: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        if self.storage.defect == Some(Defect::Panics) && self.values.len() > 12 {
            panic!("a defect that is there on purpose");
        }
        Ok(self
            .find(space, name)
            .filter(|_| !self.is_hidden(space, name))
            .cloned())
    }

    fn length(&self, space: &Namespace, name: &[u8]) -> Result<Option<u64>, StorageError> {
        Ok(self.find(space, name).map(|value| value.len() as u64))
    }

    fn read_at(
        &self,
        space: &Namespace,
        name: &[u8],
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, StorageError> {
        let Some(value) = self.find(space, name) else {
            return Ok(None);
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = value.get(start..).unwrap_or_default();
        Ok(Some(
            rest.iter()
                .zip(buffer)
                .map(|(from, to)| *to = *from)
                .count(),
        ))
    }

    fn names(&self, space: &Namespace, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StorageError> {
        let names = self.values.keys().filter(|(found, name)| {
            found == space && name.starts_with(prefix) && !self.is_hidden(space, name)
        });
        Ok(names.map(|(_, name)| name.clone()).collect())
    }

    fn usage(&self, space: &Namespace) -> Result<u64, StorageError> {
        let values = self.values.iter().filter(|((found, _), _)| found == space);
        Ok(values.map(|(_, value)| value.len() as u64).sum())
    }
}

impl Transaction for WorkingCopy<'_> {
    fn put(&mut self, space: &Namespace, name: &[u8], value: &[u8]) -> Result<(), StorageError> {
        let name = (space.clone(), name.to_vec());
        Arc::make_mut(&mut self.values).insert(name, value.to_vec());
        Ok(())
    }

    fn append(&mut self, space: &Namespace, name: &[u8], chunk: &[u8]) -> Result<(), StorageError> {
        let name = (space.clone(), name.to_vec());
        let value = Arc::make_mut(&mut self.values).entry(name).or_default();
        value.extend_from_slice(chunk);
        Ok(())
    }

    fn remove(&mut self, space: &Namespace, name: &[u8]) -> Result<bool, StorageError> {
        let name = (space.clone(), name.to_vec());
        Ok(Arc::make_mut(&mut self.values).remove(&name).is_some())
    }

    fn destroy(&mut self, space: &Namespace) -> Result<(), StorageError> {
        Arc::make_mut(&mut self.values).retain(|(found, _), _| found != space);
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), StorageError> {
        let off = || Err(StorageError::Failed("the power went off".into()));
        let mut power = lock(&self.storage.power);
        let answer = match *power {
            None => Ok(()),
            Some(PowerLoss::Before(0)) => return off(),
            Some(PowerLoss::After(0)) => {
                *power = Some(PowerLoss::Before(0));
                off()
            }
            Some(PowerLoss::Before(commits)) => {
                *power = Some(PowerLoss::Before(commits - 1));
                Ok(())
            }
            Some(PowerLoss::After(commits)) => {
                *power = Some(PowerLoss::After(commits - 1));
                Ok(())
            }
        };
        let commits = self.storage.commits.fetch_add(1, Ordering::SeqCst);
        if self.storage.defect == Some(Defect::Hoards) {
            let name = (
                Namespace::agent(),
                [b"~", &commits.to_be_bytes()[..]].concat(),
            );
            Arc::make_mut(&mut self.values).insert(name, vec![0; 64]);
        }
        if self.storage.defect == Some(Defect::ForgetsUnlinked) {
            // The record of an unlinked manifest ends in null where its envelope was.
            let kept = |(space, name): &(Namespace, Vec<u8>), value: &mut Vec<u8>| {
                *space != Namespace::agent()
                    || name.first() != Some(&b'm')
                    || value.last() != Some(&0xf6)
            };
            Arc::make_mut(&mut self.values).retain(kept);
        }
        *lock(&self.storage.committed) = Arc::clone(&self.values);
        answer
    }
}
