mod behaviour;
mod compaction;
mod corruption;
mod cost;
mod failure;
mod full;
mod machine;
mod memory;
mod tampering;

use std::path::PathBuf;

use tamarack_cose::rustcrypto;
use tempfile::TempDir;

use super::*;
use machine::Machine;

/// A store in a folder of its own, on a machine in memory.
struct Bench {
    folder: TempDir,
    machine: Arc<Machine>,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            machine: Arc::new(Machine::new()),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn open_with(&self, options: StoreOptions) -> Result<Store, StorageError> {
        Store::open(
            &self.path(),
            self.machine.clone(),
            &rustcrypto::provider(),
            options,
        )
    }

    fn open(&self) -> Store {
        self.open_with(StoreOptions::default()).unwrap()
    }

    fn open_error(&self) -> StorageError {
        self.open_with(StoreOptions::default()).unwrap_err()
    }
}

fn put(store: &Store, space: &Namespace, name: &[u8], value: &[u8]) -> Result<(), StorageError> {
    let mut transaction = store.begin()?;
    transaction.put(space, name, value)?;
    transaction.commit()
}

fn get(store: &Store, space: &Namespace, name: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
    store.view()?.get(space, name)
}

use tamarack_agent::platform::Namespace;

fn agent() -> Namespace {
    Namespace::agent()
}

fn domain() -> Namespace {
    Namespace::domain("example.com")
}

fn application() -> Namespace {
    Namespace::application("example.com", &"vault".parse().unwrap())
}
