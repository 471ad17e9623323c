//! What is measured beside the TEE: the same work without it.

use std::{fs, hint::black_box, path::Path};

use redb::{Database, ReadableDatabase, TableDefinition};
use tamarack_cose::CryptoProvider;

use super::super::messages::failure;
use crate::failure::Failure;

const TABLE: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("objects");

/// The store under the TEE's, bare.
pub(super) struct BareStore(Database);

impl BareStore {
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        Database::create(folder.join("bare.redb"))
            .map(Self)
            .map_err(failure)
    }

    /// Writes durably.
    pub(super) fn write(&self, data: &[u8]) -> Result<(), Failure> {
        let transaction = self.0.begin_write().map_err(failure)?;
        {
            let mut table = transaction.open_table(TABLE).map_err(failure)?;
            table.insert(0, data).map_err(failure)?;
        }
        transaction.commit().map_err(failure)
    }

    pub(super) fn read(&self) -> Result<(), Failure> {
        let transaction = self.0.begin_read().map_err(failure)?;
        let table = transaction.open_table(TABLE).map_err(failure)?;
        let value = table.get(0).map_err(failure)?;
        black_box(value.map(|value| value.value().to_vec()));
        Ok(())
    }
}

/// What the Trusted Application computes: Adler-32, one byte after the other.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}

/// Hashes a payload twice and encrypts it once.
pub(super) fn hash_and_seal(crypto: &CryptoProvider, payload: &[u8]) -> Result<(), Failure> {
    black_box(crypto.sha256(black_box(payload)));
    black_box(crypto.sha256(black_box(payload)));
    for chunk in payload.chunks(64 << 10) {
        let mut data = chunk.to_vec();
        crypto.aead.seal(&[1; 32], &[2; 12], b"place", &mut data)?;
        black_box(data);
    }
    Ok(())
}

/// Bytes of this process in memory.
pub(super) fn resident() -> Result<u64, Failure> {
    of_status("VmRSS:")
}

/// Most bytes of this process in memory since [`forget_peak`].
pub(super) fn peak() -> Result<u64, Failure> {
    of_status("VmHWM:")
}

/// Starts to measure the peak anew.
pub(super) fn forget_peak() -> Result<(), Failure> {
    fs::write("/proc/self/clear_refs", "5").map_err(failure)
}

fn of_status(field: &str) -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status").map_err(failure)?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let kibibytes = kibibytes.ok_or_else(|| Failure::new("/proc/self/status does not tell"))?;
    Ok(kibibytes << 10)
}
