//! HSS/LMS keys in files, and the state that keeps each of their signatures from being made twice.
//!
//! The private key is in `KEY`; which of its one-time keys are used is in `KEY.state` beside it. A one-time
//! key that signs twice gives the private key away, so the state is written and synced before a signature
//! leaves this process, under a lock on the key. What no program can prevent: that both files are copied,
//! or restored from a backup. The state file says so itself.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tamarack_cose::{
    CryptoProvider, Error, PublicKey, Signer,
    hss::{HssSecretKey, HssSigner, HssState},
};

use crate::{
    failure::Failure,
    files::{self, Target},
};

/// A private key and the place of its state.
pub(crate) struct HssFile {
    path: PathBuf,
    key: HssSecretKey,
}

/// What the state file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    warning: String,
    /// The key that the state belongs to.
    key_id: String,
    /// The number of the next signature.
    next: u64,
    /// How many signatures the key can make.
    capacity: u64,
}

const WARNING: &str = "Never restore this file or its key from a backup, and never use a copy of them: \
    two signatures with one number give the private key away.";

/// Whether a file holds a private HSS/LMS key: an array in CBOR, where other keys are maps or text.
pub(crate) fn is_secret(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x83)
}

/// Where the state of a key is.
pub(crate) fn state_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".state");
    name.into()
}

impl HssFile {
    /// The private key that a file holds. Its state is looked at when it signs.
    pub(crate) fn of(path: &Path, bytes: &[u8]) -> Result<Self, Failure> {
        let key = HssSecretKey::from_bytes(bytes).map_err(|error| Failure::file(path, error))?;
        let path = path.to_owned();
        Ok(Self { path, key })
    }

    /// Writes a fresh key and its state, neither of which may be there, to be published. Returns the public key.
    pub(crate) fn create(
        path: &Path,
        key: HssSecretKey,
        crypto: &CryptoProvider,
    ) -> Result<(PublicKey, [Target; 2]), Failure> {
        if files::is_standard(path) {
            return Err(Failure::new("an HSS/LMS key can't go to standard output")
                .hint("its state has to be kept beside it; choose a file"));
        }
        // Making the key takes long: what is in the way is better known before.
        // A key without a state is of no use; a state without a key does no harm.
        let mut targets = [Target::secret(&state_path(path))?, Target::secret(path)?];
        let capacity = key.capacity();
        let bytes = key.to_bytes();
        let this = Self {
            path: path.to_owned(),
            key,
        };
        let public = this.public_key(crypto)?;
        let first = State {
            warning: WARNING.into(),
            key_id: public.key_id(crypto).to_hex(),
            next: 0,
            capacity,
        };
        let [for_state, for_key] = &mut targets;
        for_state.put(&first.encode())?;
        for_key.put(&bytes)?;
        Ok((public, targets))
    }

    /// The public key, which takes making the top tree.
    pub(crate) fn public_key(&self, crypto: &CryptoProvider) -> Result<PublicKey, Failure> {
        let signer = HssSigner::new(crypto, self.key.clone(), Box::new(Silent))?;
        Ok(*signer.public_key())
    }

    /// How many signatures the key has made, and how many it can make.
    pub(crate) fn used(&self) -> Result<(u64, u64), Failure> {
        let state = State::read(&state_path(&self.path))?;
        Ok((state.next, state.capacity))
    }

    /// Signs with the key, after taking a number that nobody gets again.
    pub(crate) fn signer(self, crypto: &CryptoProvider) -> Result<HssSigner, Failure> {
        let path = state_path(&self.path);
        let lock = File::open(&self.path).map_err(|error| Failure::file(&self.path, error))?;
        // Whoever else signs with the key waits.
        lock.lock()
            .map_err(|error| Failure::file(&self.path, format!("can't be locked: {error}")))?;
        let state = State::read(&path)?;
        let capacity = self.key.capacity();
        let numbers = Numbers {
            path: path.clone(),
            state: state.clone(),
            _lock: lock,
        };
        // Making it takes no number yet; the top tree, which takes long, also tells the key's id.
        let signer = HssSigner::new(crypto, self.key, Box::new(numbers))?;
        if state.key_id != signer.public_key().key_id(crypto).to_hex() {
            return Err(Failure::file(&path, "is the state of another key")
                .hint("a key whose state is lost must not sign any more; make another one"));
        }
        if state.next >= capacity {
            let made = state.next;
            return Err(
                Failure::file(&self.path, format!("has made all its {made} signatures"))
                    .hint("make another key with `tamarack key generate --algorithm hss-lms`"),
            );
        }
        Ok(signer)
    }
}

impl State {
    fn read(path: &Path) -> Result<Self, Failure> {
        let lost = "a key whose state is lost must not sign any more; make another one";
        let bytes = files::read(path).map_err(|failure| failure.hint(lost))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::file(path, format!("no state of a key: {error}")).hint(lost))
    }

    fn encode(&self) -> Vec<u8> {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text.into_bytes()
    }
}

/// The numbers of a key that is locked.
struct Numbers {
    path: PathBuf,
    state: State,
    _lock: File,
}

impl HssState for Numbers {
    fn claim(&mut self) -> Result<u64, Error> {
        let number = self.state.next;
        let next = State {
            next: number + 1,
            ..self.state.clone()
        };
        replace(&self.path, &next.encode()).map_err(|_| {
            Error::Crypto("the state of the key can't be written; nothing was signed")
        })?;
        self.state = next;
        Ok(number)
    }
}

/// Puts new content in place of a file, so that after a power loss it is there.
fn replace(path: &Path, content: &[u8]) -> Result<(), Failure> {
    files::write(path, content)?;
    // Where the file is, if there is a link in its place.
    let path = files::followed(path);
    let folder = files::folder_of(&path);
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Failure::file(folder, error))
}

/// For a key that is only looked at.
struct Silent;

impl HssState for Silent {
    fn claim(&mut self) -> Result<u64, Error> {
        Err(Error::Crypto("this key is not for signing now"))
    }
}
