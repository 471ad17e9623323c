//! A TEE whose storage fails when it is told to.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tamarack_agent::platform::{
    Evidence, Identity, Namespace, Platform, PlatformError, Runtime, Storage, StorageError,
    Transaction, View,
};
use tamarack_cose::{CryptoProvider, PublicKey, Signer};
use tamarack_tee::Tee;

/// A TEE with a storage that can fail.
pub struct Frail {
    tee: Arc<Tee>,
    storage: FrailStorage,
}

/// The storage of a [`Frail`] TEE, and the switches for its faults.
pub struct FrailStorage {
    tee: Arc<Tee>,
    room: AtomicU64,
    /// How many commits succeed before one fails, and how.
    commit: Mutex<Option<(u32, StorageError)>>,
}

impl Frail {
    /// The same TEE, with a storage that works until told otherwise.
    #[must_use]
    pub fn new(tee: &Arc<Tee>) -> Self {
        let storage = FrailStorage {
            tee: Arc::clone(tee),
            room: AtomicU64::new(u64::MAX),
            commit: Mutex::new(None),
        };
        Self {
            tee: Arc::clone(tee),
            storage,
        }
    }

    /// Has room for so many bytes from now on; once they are used up, nothing can be written.
    pub fn leave_room(&self, bytes: u64) {
        self.storage.room.store(bytes, Ordering::SeqCst);
    }

    /// Lets so many commits succeed and the next one fail.
    pub fn fail_commit_after(&self, successes: u32, error: StorageError) {
        let mut commit = self.storage.commit.lock();
        *commit.as_deref_mut().unwrap() = Some((successes, error));
    }
}

impl Platform for Frail {
    fn crypto(&self) -> &CryptoProvider {
        self.tee.crypto()
    }

    fn now(&self) -> u64 {
        self.tee.now()
    }

    fn identity(&self) -> &Identity {
        self.tee.identity()
    }

    fn teep_keys(&self) -> &[Box<dyn Signer>] {
        self.tee.teep_keys()
    }

    fn attest(
        &self,
        nonce: Option<&[u8]>,
        teep_key: &PublicKey,
    ) -> Result<Evidence, PlatformError> {
        self.tee.attest(nonce, teep_key)
    }

    fn storage(&self) -> &dyn Storage {
        &self.storage
    }

    fn runtime(&self) -> &dyn Runtime {
        self.tee.runtime()
    }
}

impl FrailStorage {
    fn take_room(&self, bytes: usize) -> Result<(), StorageError> {
        let room = self.room.load(Ordering::SeqCst);
        if room == u64::MAX {
            return Ok(());
        }
        let left = room.checked_sub(bytes as u64);
        self.room.store(left.unwrap_or(0), Ordering::SeqCst);
        left.map(drop).ok_or(StorageError::Full)
    }
}

impl Storage for FrailStorage {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StorageError> {
        let inner = self.tee.storage().begin()?;
        Ok(Box::new(FrailTransaction {
            inner,
            storage: self,
        }))
    }

    fn view(&self) -> Result<Box<dyn View + '_>, StorageError> {
        self.tee.storage().view()
    }
}

struct FrailTransaction<'a> {
    inner: Box<dyn Transaction + 'a>,
    storage: &'a FrailStorage,
}

impl View for FrailTransaction<'_> {
    fn get(&self, space: &Namespace, name: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.get(space, name)
    }

    fn length(&self, space: &Namespace, name: &[u8]) -> Result<Option<u64>, StorageError> {
        self.inner.length(space, name)
    }

    fn read_at(
        &self,
        space: &Namespace,
        name: &[u8],
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, StorageError> {
        self.inner.read_at(space, name, offset, buffer)
    }

    fn names(&self, space: &Namespace, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StorageError> {
        self.inner.names(space, prefix)
    }

    fn count(&self, space: &Namespace) -> Result<u64, StorageError> {
        self.inner.count(space)
    }

    fn usage(&self, space: &Namespace) -> Result<u64, StorageError> {
        self.inner.usage(space)
    }
}

impl Transaction for FrailTransaction<'_> {
    fn put(&mut self, space: &Namespace, name: &[u8], value: &[u8]) -> Result<(), StorageError> {
        self.storage.take_room(value.len())?;
        self.inner.put(space, name, value)
    }

    fn append(&mut self, space: &Namespace, name: &[u8], chunk: &[u8]) -> Result<(), StorageError> {
        self.storage.take_room(chunk.len())?;
        self.inner.append(space, name, chunk)
    }

    fn remove(&mut self, space: &Namespace, name: &[u8]) -> Result<bool, StorageError> {
        self.inner.remove(space, name)
    }

    fn destroy(&mut self, space: &Namespace) -> Result<(), StorageError> {
        self.inner.destroy(space)
    }

    fn commit(self: Box<Self>) -> Result<(), StorageError> {
        let mut fault = self
            .storage
            .commit
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match fault.take() {
            Some((0, error)) => return Err(error),
            Some((successes, error)) => *fault = Some((successes - 1, error)),
            None => {}
        }
        self.inner.commit()
    }
}
