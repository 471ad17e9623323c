use alloc::{
    boxed::Box,
    string::{String, ToString},
};

use tamarack_cose::cbor::DecodeError;

use super::FileError;
use crate::{ComponentId, DeviceError};

/// Why a folder could not serve as a device, or a transaction on it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// A file operation failed.
    #[error("{path}: {error}")]
    File {
        /// What was operated on, relative to the device's folder.
        path: String,
        /// What went wrong.
        error: FileError,
    },
    /// Another process works on the folder.
    #[error("another process works on this folder; wait until it has finished")]
    Busy,
    /// A file of the device's own bookkeeping is not what was written. Nothing was changed.
    #[error(
        "{path} is damaged ({error}); restore it from a copy, or remove the folder and install anew"
    )]
    Damaged {
        /// The file, relative to the device's folder.
        path: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// An identifier with a segment that is too long for a file name.
    #[error("component {0} has a segment that is too long for a file name")]
    NameTooLong(ComponentId),
    /// Content of a component was begun and not finished; the transaction can only be rolled back.
    #[error("the content of component {0} was not finished")]
    Unfinished(ComponentId),
    /// The transaction is committed, but not everything could be put in its place. The next
    /// transaction, or the next time the folder is opened, goes on with it before anything else.
    #[error("the update is committed and not yet in place: {0}")]
    Incomplete(Box<Self>),
}

impl DirectoryError {
    /// Says which file an error of a file operation is about.
    pub(super) fn at(path: &str) -> impl FnOnce(FileError) -> Self + '_ {
        move |error| Self::File {
            path: path.into(),
            error,
        }
    }
}

impl From<DirectoryError> for DeviceError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::File {
                error: FileError::NoSpace,
                ..
            } => Self::NoSpace,
            other => Self::Failed(other.to_string()),
        }
    }
}
