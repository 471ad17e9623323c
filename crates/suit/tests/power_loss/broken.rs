//! File operations with a fault each, to see whether the harness finds it.

use tamarack_suit::directory::{FileError, Files};

use crate::storage::Storage;

/// Passes all operations on to the storage inside, save those that are given.
macro_rules! files {
    ($fault:ty { $($own:item)* } $($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Files for $fault {
            $($own)*
            $(fn $method(&mut self, $($argument: $type),*) -> Result<$result, FileError> {
                self.0.$method($($argument),*)
            })*
        }
    };
}

/// Content is never synced.
pub struct ForgetfulFiles(pub Storage);

files! {
    ForgetfulFiles {
        fn sync(&mut self, _: &str) -> Result<(), FileError> {
            Ok(())
        }
    }
    length(file: &str) -> Option<u64>;
    read_at(file: &str, offset: u64, buffer: &mut [u8]) -> usize;
    create(file: &str) -> ();
    append(file: &str, bytes: &[u8]) -> ();
    rename(from: &str, to: &str) -> ();
    remove(file: &str) -> ();
    list(folder: &str) -> Vec<String>;
    create_folder(folder: &str) -> ();
    remove_folder(folder: &str) -> bool;
    sync_folder(folder: &str) -> ();
}

/// Names are never synced.
pub struct ForgetfulFolders(pub Storage);

files! {
    ForgetfulFolders {
        fn sync_folder(&mut self, folder: &str) -> Result<(), FileError> {
            self.0.list(folder).map(drop)
        }
    }
    length(file: &str) -> Option<u64>;
    read_at(file: &str, offset: u64, buffer: &mut [u8]) -> usize;
    create(file: &str) -> ();
    append(file: &str, bytes: &[u8]) -> ();
    sync(file: &str) -> ();
    rename(from: &str, to: &str) -> ();
    remove(file: &str) -> ();
    list(folder: &str) -> Vec<String>;
    create_folder(folder: &str) -> ();
    remove_folder(folder: &str) -> bool;
}

/// Renaming is copying, step by step.
pub struct SlowRename(pub Storage);

files! {
    SlowRename {
        fn rename(&mut self, from: &str, to: &str) -> Result<(), FileError> {
            let length = self.0.length(from)?.ok_or(FileError::Missing)?;
            let mut content = vec![0; usize::try_from(length).unwrap()];
            self.0.read_at(from, 0, &mut content)?;
            self.0.remove(to)?;
            self.0.create(to)?;
            self.0.append(to, &content)?;
            self.0.sync(to)?;
            self.0.remove(from)
        }
    }
    length(file: &str) -> Option<u64>;
    read_at(file: &str, offset: u64, buffer: &mut [u8]) -> usize;
    create(file: &str) -> ();
    append(file: &str, bytes: &[u8]) -> ();
    sync(file: &str) -> ();
    remove(file: &str) -> ();
    list(folder: &str) -> Vec<String>;
    create_folder(folder: &str) -> ();
    remove_folder(folder: &str) -> bool;
    sync_folder(folder: &str) -> ();
}

/// The journal is carried out without having been kept: there is no instant of commitment.
pub struct JournalInMemory {
    storage: Storage,
    journal: Option<Vec<u8>>,
}

const JOURNAL: &str = ".suit/journal";

impl JournalInMemory {
    pub fn on(storage: Storage) -> Self {
        let journal = None;
        Self { storage, journal }
    }
}

impl Files for JournalInMemory {
    fn length(&mut self, file: &str) -> Result<Option<u64>, FileError> {
        match &self.journal {
            Some(journal) if file == JOURNAL => Ok(Some(journal.len() as u64)),
            _ => self.storage.length(file),
        }
    }

    fn read_at(&mut self, file: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, FileError> {
        match &self.journal {
            Some(journal) if file == JOURNAL => {
                buffer.copy_from_slice(&journal[usize::try_from(offset).unwrap()..]);
                Ok(buffer.len())
            }
            _ => self.storage.read_at(file, offset, buffer),
        }
    }

    fn create(&mut self, file: &str) -> Result<(), FileError> {
        self.storage.create(file)
    }

    fn append(&mut self, file: &str, bytes: &[u8]) -> Result<(), FileError> {
        self.storage.append(file, bytes)
    }

    fn sync(&mut self, file: &str) -> Result<(), FileError> {
        self.storage.sync(file)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), FileError> {
        if to != JOURNAL {
            return self.storage.rename(from, to);
        }
        let length = self.storage.length(from)?.ok_or(FileError::Missing)?;
        let mut journal = vec![0; usize::try_from(length).unwrap()];
        self.storage.read_at(from, 0, &mut journal)?;
        self.journal = Some(journal);
        self.storage.remove(from)
    }

    fn remove(&mut self, file: &str) -> Result<(), FileError> {
        if file == JOURNAL {
            self.journal = None;
        }
        self.storage.remove(file)
    }

    fn list(&mut self, folder: &str) -> Result<Vec<String>, FileError> {
        self.storage.list(folder)
    }

    fn create_folder(&mut self, folder: &str) -> Result<(), FileError> {
        self.storage.create_folder(folder)
    }

    fn remove_folder(&mut self, folder: &str) -> Result<bool, FileError> {
        self.storage.remove_folder(folder)
    }

    fn sync_folder(&mut self, folder: &str) -> Result<(), FileError> {
        self.storage.sync_folder(folder)
    }
}
