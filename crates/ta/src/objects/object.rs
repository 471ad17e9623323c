use alloc::{string::String, vec::Vec};

use super::Storage;
use crate::{ResultCode, tee};

/// An object that is read and written in parts, with a position in it.
///
/// It holds a name, not the data: several for one object see each other's changes. If the object is deleted, all methods
/// answer [`ResultCode::ITEM_NOT_FOUND`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    storage: Storage,
    name: String,
    position: u64,
}

/// Where an [`Object`]'s position moves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// So many bytes behind the start.
    Start(u64),
    /// So many bytes behind the position, or before it.
    Current(i64),
    /// So many bytes behind the end, or before it.
    End(i64),
}

impl Object {
    /// Opens an object that exists, at its start.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::BAD_PARAMETERS`] for a bad name,
    /// [`ResultCode::ACCESS_DENIED`] for a name that is not shared.
    pub fn open(storage: Storage, name: &str) -> Result<Self, ResultCode> {
        storage.size(name)?;
        Ok(Self::at_start(storage, name))
    }

    /// Makes an empty object; one that exists is emptied.
    ///
    /// # Errors
    ///
    /// As [`Storage::write`].
    pub fn create(storage: Storage, name: &str) -> Result<Self, ResultCode> {
        storage.write(name, &[])?;
        Ok(Self::at_start(storage, name))
    }

    /// Makes an empty object that does not exist yet.
    ///
    /// # Errors
    ///
    /// As [`Storage::create_new`].
    pub fn create_new(storage: Storage, name: &str) -> Result<Self, ResultCode> {
        storage.create_new(name, &[])?;
        Ok(Self::at_start(storage, name))
    }

    fn at_start(storage: Storage, name: &str) -> Self {
        Self {
            storage,
            name: name.into(),
            position: 0,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The position, in bytes from the start. It may lie behind the end.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The size, in bytes.
    ///
    /// # Errors
    ///
    /// As [`Storage::size`].
    pub fn size(&self) -> Result<u64, ResultCode> {
        self.storage.size(&self.name)
    }

    /// Reads up to `len` bytes and moves the position behind them. None are left once it reads fewer.
    ///
    /// # Errors
    ///
    /// As [`Storage::read`].
    pub fn read(&mut self, len: usize) -> Result<Vec<u8>, ResultCode> {
        let data = tee::object_read_at(self.storage.number(), &self.name, self.position, len)?;
        self.position = self.behind(data.len())?;
        Ok(data)
    }

    /// Writes at the position, over what is there and beyond the end, and moves the position behind it. What lies
    /// between the old end and the position becomes zeros.
    ///
    /// # Errors
    ///
    /// As [`Storage::write`]; [`ResultCode::OVERFLOW`] if the position would be too large for its type.
    pub fn write(&mut self, data: &[u8]) -> Result<(), ResultCode> {
        let behind = self.behind(data.len())?;
        tee::object_write_at(self.storage.number(), &self.name, self.position, data)?;
        self.position = behind;
        Ok(())
    }

    /// Moves the position, and tells the new one.
    ///
    /// # Errors
    ///
    /// [`ResultCode::OVERFLOW`] if that is before the start, or too large for its type; those of [`Storage::size`] for
    /// [`Seek::End`].
    pub fn seek(&mut self, to: Seek) -> Result<u64, ResultCode> {
        let position = match to {
            Seek::Start(position) => Some(position),
            Seek::Current(by) => self.position.checked_add_signed(by),
            Seek::End(by) => self.size()?.checked_add_signed(by),
        };
        self.position = position.ok_or(ResultCode::OVERFLOW)?;
        Ok(self.position)
    }

    /// Cuts the object to `size` bytes, or fills it with zeros up to there. The position stays.
    ///
    /// # Errors
    ///
    /// As [`Storage::write`].
    pub fn truncate(&mut self, size: u64) -> Result<(), ResultCode> {
        tee::object_truncate(self.storage.number(), &self.name, size)
    }

    /// Gives it another name.
    ///
    /// # Errors
    ///
    /// As [`Storage::rename`].
    pub fn rename(&mut self, new: &str) -> Result<(), ResultCode> {
        self.storage.rename(&self.name, new)?;
        self.name = new.into();
        Ok(())
    }

    /// Deletes it.
    ///
    /// # Errors
    ///
    /// As [`Storage::delete`].
    pub fn delete(self) -> Result<(), ResultCode> {
        self.storage.delete(&self.name)
    }

    fn behind(&self, len: usize) -> Result<u64, ResultCode> {
        u64::try_from(len)
            .ok()
            .and_then(|len| self.position.checked_add(len))
            .ok_or(ResultCode::OVERFLOW)
    }
}
