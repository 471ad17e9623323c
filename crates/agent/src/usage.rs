//! What a security domain has stored.

use crate::{
    link::ComponentKind,
    platform::{Namespace, StorageError, View},
    state::{ComponentRecord, Record},
};

/// Bytes that the security domain `name` has stored: its components, and what its Trusted Applications keep.
///
/// # Errors
///
/// If the storage fails.
pub fn storage_used(view: &dyn View, name: &str) -> Result<u64, StorageError> {
    let mut used = view.usage(&Namespace::domain(name))?;
    used += view.usage(&Namespace::shared(name))?;
    for record in ComponentRecord::all(view)? {
        if record.domain == name && record.kind == ComponentKind::Application {
            used += view.usage(&Namespace::application(name, &record.component))?;
        }
    }
    Ok(used)
}
