use alloc::{string::String, vec::Vec};

use crate::{
    ResultCode,
    interface::{self, STORAGE_PRIVATE, STORAGE_SHARED},
    tee,
};

/// Whose objects.
///
/// A bad name is [`ResultCode::BAD_PARAMETERS`] to all its methods, and a name that the domain does not share
/// [`ResultCode::ACCESS_DENIED`] to those of [`Shared`](Self::Shared).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Storage {
    /// This TA's own.
    Private,
    /// Those that the TAs of the security domain share.
    Shared,
}

impl Storage {
    /// Reads a whole object.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::CORRUPT_OBJECT`] if the stored bytes fail their integrity check.
    pub fn read(self, name: &str) -> Result<Vec<u8>, ResultCode> {
        tee::object_read(self.number(), name)
    }

    /// Writes an object, replacing one of the same name as a whole.
    ///
    /// # Errors
    ///
    /// [`ResultCode::STORAGE_NO_SPACE`] if the quota or the disk is full.
    pub fn write(self, name: &str, data: &[u8]) -> Result<(), ResultCode> {
        tee::object_write(self.number(), name, data)
    }

    /// Writes an object that does not exist yet.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ACCESS_CONFLICT`] if it exists, [`ResultCode::STORAGE_NO_SPACE`] if the quota or the disk is full.
    pub fn create_new(self, name: &str, data: &[u8]) -> Result<(), ResultCode> {
        tee::object_create(self.number(), name, data)
    }

    /// The size of an object, in bytes.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`].
    pub fn size(self, name: &str) -> Result<u64, ResultCode> {
        tee::object_size(self.number(), name)
    }

    /// Gives an object another name.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::ACCESS_CONFLICT`] if `new` exists.
    pub fn rename(self, name: &str, new: &str) -> Result<(), ResultCode> {
        tee::object_rename(self.number(), name, new)
    }

    /// Deletes an object.
    ///
    /// # Errors
    ///
    /// [`ResultCode::ITEM_NOT_FOUND`].
    pub fn delete(self, name: &str) -> Result<(), ResultCode> {
        tee::object_delete(self.number(), name)
    }

    /// The names of all objects, sorted.
    ///
    /// # Errors
    ///
    /// [`ResultCode::STORAGE_NOT_AVAILABLE`] if the TEE can't read them.
    pub fn list(self) -> Result<Vec<String>, ResultCode> {
        interface::decode_names(&tee::object_list(self.number())?).ok_or(ResultCode::BAD_FORMAT)
    }

    pub(super) fn number(self) -> u32 {
        match self {
            Self::Private => STORAGE_PRIVATE,
            Self::Shared => STORAGE_SHARED,
        }
    }
}
