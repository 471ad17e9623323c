//! The tables of the database, as rows of bytes.

use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableError, TableStats,
    WriteTransaction,
};
use tamarack_agent::platform::StorageError;

use super::{
    database::{failed, guarded},
    record::{ChunkKey, RecordKey},
};

const HEADER: TableDefinition<'static, u8, &[u8]> = TableDefinition::new("header");
const RECORDS: TableDefinition<'static, &RecordKey, &[u8]> = TableDefinition::new("records");
/// Empty in every committed state: see [`RowsMut::leave_room`].
const ROOM: TableDefinition<'static, u8, &[u8]> = TableDefinition::new("room");
const CHUNKS: TableDefinition<'static, &ChunkKey, &[u8]> = TableDefinition::new("chunks");

/// Reads rows, in one consistent state of the database.
pub(super) trait Rows {
    fn header(&self) -> Result<Option<Vec<u8>>, StorageError>;
    fn record(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, StorageError>;
    fn chunk(&self, key: &ChunkKey) -> Result<Option<Vec<u8>>, StorageError>;
    fn each_record(&self, see: &mut dyn FnMut(&RecordKey, &[u8])) -> Result<(), StorageError>;
}

/// Writes rows.
pub(super) trait RowsMut {
    fn put_header(&self, sealed: &[u8]) -> Result<(), StorageError>;
    fn put_record(&self, key: &RecordKey, sealed: &[u8]) -> Result<(), StorageError>;
    fn remove_record(&self, key: &RecordKey) -> Result<(), StorageError>;
    fn put_chunk(&self, key: &ChunkKey, sealed: &[u8]) -> Result<(), StorageError>;
    fn remove_chunk(&self, key: &ChunkKey) -> Result<(), StorageError>;

    /// Makes sure that this transaction leaves room for those that remove something, which write before they free
    /// anything.
    fn leave_room(&self) -> Result<(), StorageError>;
}

/// The room that is left: so many pages of 4 KiB, wherever they are free.
const ROOM_PIECES: u8 = 96;
/// What fills such a page.
const ROOM_PIECE_LEN: usize = 3_900;

/// A table that was never written to does not exist for readers.
fn existing<T>(table: Result<T, TableError>) -> Result<Option<T>, StorageError> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn bytes_of(stats: &TableStats) -> u64 {
    let parts = [
        stats.stored_bytes(),
        stats.metadata_bytes(),
        stats.fragmented_bytes(),
    ];
    parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
}

macro_rules! impl_rows {
    ($transaction:ty) => {
        impl Rows for $transaction {
            fn header(&self) -> Result<Option<Vec<u8>>, StorageError> {
                let Some(table) = existing(self.open_table(HEADER))? else {
                    return Ok(None);
                };
                let row = table.get(0).map_err(failed)?;
                Ok(row.map(|row| row.value().to_vec()))
            }

            fn record(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, StorageError> {
                let Some(table) = existing(self.open_table(RECORDS))? else {
                    return Ok(None);
                };
                let row = table.get(key).map_err(failed)?;
                Ok(row.map(|row| row.value().to_vec()))
            }

            fn chunk(&self, key: &ChunkKey) -> Result<Option<Vec<u8>>, StorageError> {
                let Some(table) = existing(self.open_table(CHUNKS))? else {
                    return Ok(None);
                };
                let row = table.get(key).map_err(failed)?;
                Ok(row.map(|row| row.value().to_vec()))
            }

            fn each_record(
                &self,
                see: &mut dyn FnMut(&RecordKey, &[u8]),
            ) -> Result<(), StorageError> {
                let Some(table) = existing(self.open_table(RECORDS))? else {
                    return Ok(());
                };
                for row in table.iter().map_err(failed)? {
                    let (key, sealed) = row.map_err(failed)?;
                    see(key.value(), sealed.value());
                }
                Ok(())
            }
        }
    };
}

impl_rows!(ReadTransaction);
impl_rows!(WriteTransaction);

impl RowsMut for WriteTransaction {
    fn put_header(&self, sealed: &[u8]) -> Result<(), StorageError> {
        self.open_table(HEADER)
            .map_err(failed)?
            .insert(0, sealed)
            .map_err(failed)?;
        Ok(())
    }

    fn put_record(&self, key: &RecordKey, sealed: &[u8]) -> Result<(), StorageError> {
        self.open_table(RECORDS)
            .map_err(failed)?
            .insert(key, sealed)
            .map_err(failed)?;
        Ok(())
    }

    fn remove_record(&self, key: &RecordKey) -> Result<(), StorageError> {
        self.open_table(RECORDS)
            .map_err(failed)?
            .remove(key)
            .map_err(failed)?;
        Ok(())
    }

    fn put_chunk(&self, key: &ChunkKey, sealed: &[u8]) -> Result<(), StorageError> {
        self.open_table(CHUNKS)
            .map_err(failed)?
            .insert(key, sealed)
            .map_err(failed)?;
        Ok(())
    }

    fn remove_chunk(&self, key: &ChunkKey) -> Result<(), StorageError> {
        self.open_table(CHUNKS)
            .map_err(failed)?
            .remove(key)
            .map_err(failed)?;
        Ok(())
    }

    fn leave_room(&self) -> Result<(), StorageError> {
        let mut room = self.open_table(ROOM).map_err(failed)?;
        for piece in 0..ROOM_PIECES {
            let taken = room.insert_reserve(piece, ROOM_PIECE_LEN);
            drop(taken.map_err(failed)?);
        }
        // What a transaction took and gave back is free once it is committed.
        for piece in 0..ROOM_PIECES {
            drop(room.remove(piece).map_err(failed)?);
        }
        Ok(())
    }
}

/// A transaction that survives that pages changed after they were checked, in whatever it does and when it ends.
pub(super) struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    pub(super) fn new(transaction: T) -> Self {
        Self(Some(transaction))
    }

    fn with<R>(&self, call: impl FnOnce(&T) -> Result<R, StorageError>) -> Result<R, StorageError> {
        guarded(|| call(self.0.as_ref().ok_or_else(ended)?))
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let transaction = self.0.take();
        let _ = guarded(|| {
            drop(transaction);
            Ok(())
        });
    }
}

impl Guarded<ReadTransaction> {
    /// Bytes of the pages that the tables have, about. Looks at each of them.
    pub(super) fn used_bytes(&self) -> Result<u64, StorageError> {
        self.with(|rows| {
            let mut used = 0;
            if let Some(table) = existing(rows.open_table(RECORDS))? {
                used += bytes_of(&table.stats().map_err(failed)?);
            }
            if let Some(table) = existing(rows.open_table(CHUNKS))? {
                used += bytes_of(&table.stats().map_err(failed)?);
            }
            Ok(used)
        })
    }
}

impl Guarded<WriteTransaction> {
    pub(super) fn commit(mut self) -> Result<(), StorageError> {
        let transaction = self.0.take();
        guarded(|| transaction.ok_or_else(ended)?.commit().map_err(failed))
    }
}

fn ended() -> StorageError {
    StorageError::Failed("the transaction ended".into())
}

impl<T: Rows> Rows for Guarded<T> {
    fn header(&self) -> Result<Option<Vec<u8>>, StorageError> {
        self.with(T::header)
    }

    fn record(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, StorageError> {
        self.with(|rows| rows.record(key))
    }

    fn chunk(&self, key: &ChunkKey) -> Result<Option<Vec<u8>>, StorageError> {
        self.with(|rows| rows.chunk(key))
    }

    fn each_record(&self, see: &mut dyn FnMut(&RecordKey, &[u8])) -> Result<(), StorageError> {
        self.with(|rows| rows.each_record(see))
    }
}

impl<T: RowsMut> RowsMut for Guarded<T> {
    fn put_header(&self, sealed: &[u8]) -> Result<(), StorageError> {
        self.with(|rows| rows.put_header(sealed))
    }

    fn put_record(&self, key: &RecordKey, sealed: &[u8]) -> Result<(), StorageError> {
        self.with(|rows| rows.put_record(key, sealed))
    }

    fn remove_record(&self, key: &RecordKey) -> Result<(), StorageError> {
        self.with(|rows| rows.remove_record(key))
    }

    fn put_chunk(&self, key: &ChunkKey, sealed: &[u8]) -> Result<(), StorageError> {
        self.with(|rows| rows.put_chunk(key, sealed))
    }

    fn remove_chunk(&self, key: &ChunkKey) -> Result<(), StorageError> {
        self.with(|rows| rows.remove_chunk(key))
    }

    fn leave_room(&self) -> Result<(), StorageError> {
        self.with(T::leave_room)
    }
}
