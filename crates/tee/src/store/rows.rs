//! The tables of the database, as rows of bytes.

use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};
use tamarack_agent::platform::StorageError;

use super::{
    file::failed,
    record::{ChunkKey, RecordKey},
};

const HEADER: TableDefinition<'static, u8, &[u8]> = TableDefinition::new("header");
const RECORDS: TableDefinition<'static, &RecordKey, &[u8]> = TableDefinition::new("records");
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
}

/// A table that was never written to does not exist for readers.
fn existing<T>(table: Result<T, TableError>) -> Result<Option<T>, StorageError> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
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
}
