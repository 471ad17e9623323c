//! Giving back the room that lies free between what is stored.

use redb::{CompactionError, ReadableDatabase};
use tamarack_agent::platform::StorageError;

use super::{Store, rows::Guarded};

/// What a compaction did to the size of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// Bytes of the medium before.
    pub before: u64,
    /// Bytes of the medium after.
    pub after: u64,
}

/// A store that is smaller is not worth the work.
const WORTHWHILE: u64 = 4 << 20;

impl Store {
    /// Moves what is stored together and shortens the medium. Nothing that is stored changes, nor the generation; after a
    /// loss of power, it is all there.
    ///
    /// Writers wait. A store that grows again after that grows to twice its size, as it always does.
    ///
    /// # Errors
    ///
    /// [`StorageError::Failed`] if somebody reads from the store at the moment; [`StorageError::Full`] if there is not the room
    /// to move things about, and the other errors of the medium, which leave everything as it was.
    pub fn compact(&self) -> Result<Compaction, StorageError> {
        let _writer = self.lock_writer();
        let compaction = self.with_database(|database, _| {
            let before = self.medium.length()?;
            match database.compact() {
                Err(CompactionError::TransactionInProgress) => return Ok(None),
                other => other?,
            };
            let after = self.medium.length()?;
            Ok(Some(Compaction { before, after }))
        })?;
        let being_read = || StorageError::Failed("the storage is being read; try again".into());
        compaction.ok_or_else(being_read)
    }

    /// Compacts a store of which less than a third is in use. For the start, when nobody reads or writes.
    pub(super) fn compact_what_is_mostly_free(&self) {
        // What is in use shows in all pages, which are many only if it is worth it.
        let length = match self.medium.length() {
            Ok(length) if length > WORTHWHILE => length,
            _ => return,
        };
        let rows = self.with_database(|database, _| Ok(Guarded::new(database.begin_read()?)));
        match rows.and_then(|rows| rows.used_bytes()) {
            Ok(used) if length / 3 > used => {}
            _ => return,
        }
        match self.compact() {
            Ok(Compaction { before, after }) => {
                tracing::info!(before, after, "the storage was compacted");
            }
            // It is as it was, and large.
            Err(error) => tracing::warn!(%error, "the storage could not be compacted"),
        }
    }
}
