//! Personalization Data: what the TA's provider sent to this device, for this TA, encrypted.
//!
//! It is installed and replaced through TEEP like the TA itself. A TA can read it, nothing else.

use alloc::{string::String, vec::Vec};

use crate::{ResultCode, interface, tee};

/// Reads the Personalization Data of that name.
///
/// # Errors
///
/// [`ResultCode::ITEM_NOT_FOUND`], [`ResultCode::BAD_PARAMETERS`] for a bad name.
pub fn read(name: &str) -> Result<Vec<u8>, ResultCode> {
    tee::personalization_read(name)
}

/// The names of all Personalization Data of this TA, sorted.
///
/// # Errors
///
/// [`ResultCode::STORAGE_NOT_AVAILABLE`] if the TEE can't read them.
pub fn list() -> Result<Vec<String>, ResultCode> {
    interface::decode_names(&tee::personalization_list()?).ok_or(ResultCode::BAD_FORMAT)
}
