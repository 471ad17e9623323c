use std::{io, sync::Mutex};

use super::*;

/// A medium in memory, for changing what is on it.
#[derive(Debug, Default)]
pub(super) struct Memory(pub(super) Mutex<Vec<u8>>);

impl Medium for Memory {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let found = bytes.get(offset..offset.saturating_add(buffer.len()));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        bytes[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.0.lock().unwrap().resize(length, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A store in memory.
#[derive(Clone)]
pub(super) struct MemoryBench {
    pub(super) medium: Arc<Memory>,
    machine: Arc<Machine>,
}

impl MemoryBench {
    pub(super) fn new() -> Self {
        Self {
            medium: Arc::default(),
            machine: Arc::new(Machine::new()),
        }
    }

    /// The same machine, with these bytes on its medium.
    pub(super) fn holding(&self, bytes: Vec<u8>) -> Self {
        Self {
            medium: Arc::new(Memory(Mutex::new(bytes))),
            machine: Arc::clone(&self.machine),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.medium.0.lock().unwrap().clone()
    }

    pub(super) fn flip(&self, position: usize, bits: u8) {
        self.medium.0.lock().unwrap()[position] ^= bits;
    }

    pub(super) fn open_with(&self, options: StoreOptions) -> Result<Store, StorageError> {
        Store::open_on(
            self.medium.clone(),
            self.machine.clone(),
            &rustcrypto::provider(),
            options,
        )
    }

    pub(super) fn open(&self) -> Store {
        self.open_with(StoreOptions::default()).unwrap()
    }
}
