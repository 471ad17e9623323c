//! Persistent objects: bytes under a name, sealed by the TEE.
//!
//! Those in [`Storage::Private`] are visible to this TA only; they survive sessions, restarts and updates of the TA, and
//! are deleted with it. Those in [`Storage::Shared`] belong to the security domain, whose TAs all see them; the domain's
//! manifest says which names there are. The functions of this module work on private objects.
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
//!
//! A large one is read and written in parts, by an [`Object`]:
//!
//! ```
//! use tamarack_ta::objects::{Object, Seek, Storage};
//!
//! let mut journal = Object::create_new(Storage::Private, "journal")?;
//! journal.write(b"first, ")?;
//! journal.write(b"second")?;
//! journal.seek(Seek::Start(7))?;
//! assert_eq!(journal.read(100)?, b"second");
//! # Ok::<(), tamarack_ta::ResultCode>(())
//! ```

mod object;
mod storage;

use alloc::{string::String, vec::Vec};

pub use object::{Object, Seek};
pub use storage::Storage;

use crate::ResultCode;

/// Reads a whole object.
///
/// # Errors
///
/// As [`Storage::read`].
pub fn read(name: &str) -> Result<Vec<u8>, ResultCode> {
    Storage::Private.read(name)
}

/// Writes an object, replacing one of the same name as a whole.
///
/// # Errors
///
/// As [`Storage::write`].
pub fn write(name: &str, data: &[u8]) -> Result<(), ResultCode> {
    Storage::Private.write(name, data)
}

/// Writes an object that does not exist yet.
///
/// # Errors
///
/// As [`Storage::create_new`].
pub fn create_new(name: &str, data: &[u8]) -> Result<(), ResultCode> {
    Storage::Private.create_new(name, data)
}

/// Gives an object another name.
///
/// # Errors
///
/// As [`Storage::rename`].
pub fn rename(name: &str, new: &str) -> Result<(), ResultCode> {
    Storage::Private.rename(name, new)
}

/// Deletes an object.
///
/// # Errors
///
/// As [`Storage::delete`].
pub fn delete(name: &str) -> Result<(), ResultCode> {
    Storage::Private.delete(name)
}

/// The names of all objects, sorted.
///
/// # Errors
///
/// As [`Storage::list`].
pub fn list() -> Result<Vec<String>, ResultCode> {
    Storage::Private.list()
}
