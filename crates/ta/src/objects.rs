//! Persistent objects: bytes under a name, sealed by the TEE, visible to this TA only.
//!
//! They survive sessions, restarts and updates of the TA, and are deleted with it.
//!
//! ```
//! use tamarack_ta::{ResultCode, objects};
//!
//! assert_eq!(objects::read("counter"), Err(ResultCode::ITEM_NOT_FOUND));
//! objects::write("counter", &7u32.to_be_bytes())?;
//! assert_eq!(objects::read("counter")?, [0, 0, 0, 7]);
//! assert_eq!(objects::list()?, ["counter"]);
//! # Ok::<(), ResultCode>(())
//! ```

use alloc::{string::String, vec::Vec};

use crate::{ResultCode, interface, tee};

/// Reads a whole object.
///
/// # Errors
///
/// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::BAD_PARAMETERS`] for a bad name,
/// [`ResultCode::CORRUPT_OBJECT`] if the stored bytes fail their integrity check.
pub fn read(name: &str) -> Result<Vec<u8>, ResultCode> {
    tee::object_read(name)
}

/// Writes an object, replacing one of the same name as a whole.
///
/// # Errors
///
/// [`ResultCode::BAD_PARAMETERS`] for a bad name, [`ResultCode::STORAGE_NO_SPACE`] if the quota or the
/// disk is full.
pub fn write(name: &str, data: &[u8]) -> Result<(), ResultCode> {
    tee::object_write(name, data)
}

/// Deletes an object.
///
/// # Errors
///
/// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::BAD_PARAMETERS`] for a bad name.
pub fn delete(name: &str) -> Result<(), ResultCode> {
    tee::object_delete(name)
}

/// The names of all objects, sorted.
///
/// # Errors
///
/// [`ResultCode::STORAGE_NOT_AVAILABLE`] if the TEE can't read them.
pub fn list() -> Result<Vec<String>, ResultCode> {
    interface::decode_names(&tee::object_list()?).ok_or(ResultCode::BAD_FORMAT)
}
