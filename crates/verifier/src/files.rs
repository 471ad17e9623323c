//! What a Verifier keeps in files: its key and the endorsements.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use tamarack_cose::{CryptoProvider, SecretKey, SignatureAlgorithm};
use tamarack_rats::Endorsement;
use zeroize::Zeroizing;

use crate::Verifier;

/// Longest endorsement that is read, in bytes.
const MAX_ENDORSEMENT: u64 = 1 << 20;

/// Where a Verifier keeps what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierFiles {
    /// Its folder, in which `key.pem` is made at the first start.
    pub data: PathBuf,
    /// The folder with the endorsements, each a file `*.json`.
    pub endorsements: PathBuf,
}

/// A file that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct FilesError {
    /// Which.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

fn fault(path: &Path, reason: impl ToString) -> FilesError {
    FilesError {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

impl VerifierFiles {
    /// The Verifier with what is in the files. Its results count for `lifetime` seconds.
    ///
    /// # Errors
    ///
    /// Which file can't be read or made.
    pub fn open(&self, crypto: CryptoProvider, lifetime: u64) -> Result<Verifier, FilesError> {
        let key = self.key(&crypto)?;
        let endorsements = self.endorsements()?;
        let verifier = Verifier::new(crypto, &key, endorsements, lifetime);
        verifier.map_err(|error| fault(&self.data, error))
    }

    /// The key, made if there is none.
    ///
    /// # Errors
    ///
    /// If it can't be read or made.
    pub fn key(&self, crypto: &CryptoProvider) -> Result<SecretKey, FilesError> {
        let path = self.data.join("key.pem");
        if path.exists() {
            let pem = fs::read_to_string(&path).map_err(|error| fault(&path, error))?;
            let pem = Zeroizing::new(pem);
            return SecretKey::from_pem(crypto, &pem).map_err(|error| fault(&path, error));
        }
        fs::create_dir_all(&self.data).map_err(|error| fault(&self.data, error))?;
        let made = SecretKey::generate(crypto, SignatureAlgorithm::Esp256);
        let key = made.map_err(|error| fault(&path, error))?;
        let pem = key.to_pem().map_err(|error| fault(&path, error))?;
        // Nobody finds half a key: the file has its name once it is complete.
        let partial = self.data.join("key.pem.new");
        let mut options = fs::File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&partial).and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()?;
            fs::rename(&partial, &path)
        });
        written.map_err(|error| fault(&path, error))?;
        Ok(key)
    }

    fn endorsements(&self) -> Result<Vec<Endorsement>, FilesError> {
        let folder = &self.endorsements;
        let mut endorsements = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| fault(folder, error))? {
            let path = entry.map_err(|error| fault(folder, error))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let size = fs::metadata(&path)
                .map_err(|error| fault(&path, error))?
                .len();
            if size > MAX_ENDORSEMENT {
                return Err(fault(&path, "longer than 1 MiB"));
            }
            let json = fs::read_to_string(&path).map_err(|error| fault(&path, error))?;
            let read = Endorsement::from_json(&json);
            endorsements.push(read.map_err(|error| fault(&path, error))?);
        }
        Ok(endorsements)
    }
}
