use alloc::{string::String, vec::Vec};

/// The file operations that a [`DirectoryDevice`](super::DirectoryDevice) needs.
///
/// Paths are relative to the device's folder: names joined by `/`, of ASCII letters, digits and a few
/// marks, none longer than 241 bytes, none `.` or `..`. No operation may follow a symbolic link,
/// whether it is the last name or a folder on the way; what is neither a regular file nor a folder is
/// [`FileError::Foreign`].
///
/// What an operation changed may be lost with the power, all or a part of it, until it was synced:
/// content by [`sync`](Self::sync), the creation, removal and renaming of files and folders by
/// [`sync_folder`](Self::sync_folder) of the folder that the name is in. A [`rename`](Self::rename) is
/// one change, also from one folder to another: after a power loss it has happened or it has not.
pub trait Files {
    /// The length of a file in bytes, `None` if nothing is there or a folder on the way is missing.
    ///
    /// # Errors
    ///
    /// [`FileError::Foreign`] if it is no regular file; if storage fails.
    fn length(&mut self, file: &str) -> Result<Option<u64>, FileError>;

    /// Reads from `offset` into `buffer` and returns how many bytes were read, 0 at the end only.
    ///
    /// # Errors
    ///
    /// If there is no such file or storage fails.
    fn read_at(&mut self, file: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, FileError>;

    /// Makes an empty file.
    ///
    /// # Errors
    ///
    /// If the name is taken, there is no room, or storage fails.
    fn create(&mut self, file: &str) -> Result<(), FileError>;

    /// Appends to a file.
    ///
    /// # Errors
    ///
    /// If there is no such file, no room, or storage fails; a part may have been appended then.
    fn append(&mut self, file: &str, bytes: &[u8]) -> Result<(), FileError>;

    /// Returns when the content of a file survives the loss of power.
    ///
    /// # Errors
    ///
    /// If storage fails; the content is to be given up then.
    fn sync(&mut self, file: &str) -> Result<(), FileError>;

    /// Gives a file another path, in place of the file that may be there: at no time is there none.
    ///
    /// # Errors
    ///
    /// If there is no such file or folder, or storage fails.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), FileError>;

    /// Removes a file, or a link without following it. Succeeds if nothing is there.
    ///
    /// # Errors
    ///
    /// [`FileError::Foreign`] if it is a folder; if storage fails.
    fn remove(&mut self, file: &str) -> Result<(), FileError>;

    /// The names in a folder, in any order.
    ///
    /// # Errors
    ///
    /// If there is no such folder or storage fails.
    fn list(&mut self, folder: &str) -> Result<Vec<String>, FileError>;

    /// Makes a folder within one that exists. Succeeds if it exists.
    ///
    /// # Errors
    ///
    /// [`FileError::Foreign`] if the name is that of something else; if storage fails.
    fn create_folder(&mut self, folder: &str) -> Result<(), FileError>;

    /// Removes a folder if it is empty, and returns whether it is gone.
    ///
    /// # Errors
    ///
    /// If storage fails.
    fn remove_folder(&mut self, folder: &str) -> Result<bool, FileError>;

    /// Returns when the names in a folder survive the loss of power. The device's own folder is `""`.
    ///
    /// # Errors
    ///
    /// [`FileError::Missing`] if there is no such folder; if storage fails.
    fn sync_folder(&mut self, folder: &str) -> Result<(), FileError>;
}

/// Why a file operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The storage is full, or a quota is exhausted.
    #[error("no room is left")]
    NoSpace,
    /// This user may not do that there, or the storage is read-only.
    #[error("permission denied")]
    Denied,
    /// A link, a folder or a special file is where a file belongs, or something else where a folder
    /// belongs. It is left alone.
    #[error("something is there that is not the device's; move it away")]
    Foreign,
    /// Nothing is there.
    #[error("it does not exist")]
    Missing,
    /// Anything else; says what.
    #[error("{0}")]
    Other(String),
}
