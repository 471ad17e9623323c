//! What a TEE offers the agent: one small trait for each thing it needs from outside.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

use tamarack_cose::{CryptoProvider, PublicKey, Signer, encrypt::RecipientKey};

/// Everything the agent needs from the TEE that it lives in.
///
/// The broker and the network are not here: what comes from them is passed to each call and is hostile.
pub trait Platform: Send + Sync {
    /// The crypto primitives of this TEE.
    fn crypto(&self) -> &CryptoProvider;

    /// Seconds since 1970-01-01 UTC. May be untrusted; the agent uses it for expiry checks only.
    fn now(&self) -> u64;

    /// Who this device is and which manifests apply to it.
    fn identity(&self) -> &Identity;

    /// The keys that sign TEEP messages, of different algorithms, in order of preference; one at least. Their
    /// home is the TEE; none is the attestation key.
    fn teep_keys(&self) -> &[Box<dyn Signer>];

    /// The keys to which others encrypt what is for this TEE only, such as Personalization Data. None by
    /// default: encrypted manifests and payloads are refused then.
    // req: ARCH-004
    fn recipient_keys(&self) -> &[RecipientKey] {
        &[]
    }

    /// Makes Evidence that binds `teep_key` to this TEE. It holds `nonce` if there is one, and the time in any
    /// case.
    ///
    /// # Errors
    ///
    /// If the attestation hardware can't answer now.
    fn attest(&self, nonce: Option<&[u8]>, teep_key: &PublicKey)
    -> Result<Evidence, PlatformError>;

    /// The sealed storage.
    fn storage(&self) -> &dyn Storage;

    /// The place where Trusted Applications run.
    fn runtime(&self) -> &dyn Runtime;
}

impl<P: Platform> Platform for Arc<P> {
    fn crypto(&self) -> &CryptoProvider {
        P::crypto(self)
    }

    fn now(&self) -> u64 {
        P::now(self)
    }

    fn identity(&self) -> &Identity {
        P::identity(self)
    }

    fn teep_keys(&self) -> &[Box<dyn Signer>] {
        P::teep_keys(self)
    }

    fn recipient_keys(&self) -> &[RecipientKey] {
        P::recipient_keys(self)
    }

    fn attest(
        &self,
        nonce: Option<&[u8]>,
        teep_key: &PublicKey,
    ) -> Result<Evidence, PlatformError> {
        P::attest(self, nonce, teep_key)
    }

    fn storage(&self) -> &dyn Storage {
        P::storage(self)
    }

    fn runtime(&self) -> &dyn Runtime {
        P::runtime(self)
    }
}

/// Identifiers of the device. None of them is secret, and none proves anything: Evidence does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Universal entity id (RFC 9711 section 4.2.1), 7 to 33 bytes.
    pub ueid: Vec<u8>,
    /// SUIT vendor, class and device identifiers that the TEE answers to.
    pub suit: tamarack_suit::Identity,
}

/// Evidence for a Verifier, opaque to the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Media type, which becomes the attestation-payload-format.
    pub media_type: String,
    /// The Evidence itself.
    pub bytes: Vec<u8>,
}

/// The TEE could not do what it was asked; not the fault of the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the TEE platform failed: {0}")]
pub struct PlatformError(pub String);

/// Where Trusted Applications are checked before they are installed.
pub trait Runtime: Send + Sync {
    /// Says whether `code` can run here: format, imports, and what it wants within `memory_limit` bytes.
    ///
    /// Called while an update is being processed, before it is committed.
    ///
    /// # Errors
    ///
    /// What is wrong with the code, in words for the provider.
    fn check(&self, code: &[u8], memory_limit: u64) -> Result<(), String>;

    /// A component was replaced or removed: sessions of the Trusted Application end.
    fn retire(&self, component: &tamarack_suit::ComponentId);
}

/// Transactional storage in which every value is sealed to the TEE.
pub trait Storage: Send + Sync {
    /// Starts a transaction that sees a consistent state; writers wait for each other.
    ///
    /// Dropping it without [`Transaction::commit`] leaves everything as it was.
    ///
    /// # Errors
    ///
    /// If the store can't be opened, is corrupt, or was rolled back.
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StorageError>;

    /// Starts a read-only look at the last committed state; never waits.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    fn view(&self) -> Result<Box<dyn View + '_>, StorageError>;
}

/// Reads from one consistent state of a [`Storage`].
pub trait View {
    /// The value under `name`, whole. For values that are small by construction.
    ///
    /// # Errors
    ///
    /// [`StorageError::Corrupt`] if what is stored does not authenticate.
    fn get(&self, space: &Namespace, name: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Length in bytes of the value under `name`, `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn length(&self, space: &Namespace, name: &[u8]) -> Result<Option<u64>, StorageError>;

    /// Reads from `offset` of the value under `name` into `buffer`; returns how many bytes were read, fewer
    /// than asked for only at the end. `None` if there is no value. Reads mostly follow one another.
    ///
    /// # Errors
    ///
    /// [`StorageError::Corrupt`] if what is stored does not authenticate; nothing of it is handed out.
    fn read_at(
        &self,
        space: &Namespace,
        name: &[u8],
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, StorageError>;

    /// Names in `space` that start with `prefix`, in bytewise order.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn names(&self, space: &Namespace, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StorageError>;

    /// How many values there are in `space`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn count(&self, space: &Namespace) -> Result<u64, StorageError> {
        Ok(self.names(space, &[])?.len() as u64)
    }

    /// Bytes of all values in `space`, as the provider counts them (before sealing).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    fn usage(&self, space: &Namespace) -> Result<u64, StorageError>;
}

/// One atomic change of a [`Storage`]. Reads see what it has written so far.
pub trait Transaction: View {
    /// Sets the value under `name`.
    ///
    /// # Errors
    ///
    /// [`StorageError::Full`] if there is no room; the transaction can only be dropped then.
    fn put(&mut self, space: &Namespace, name: &[u8], value: &[u8]) -> Result<(), StorageError>;

    /// Appends to the value under `name`, which starts empty. Payloads are streamed in with this.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    fn append(&mut self, space: &Namespace, name: &[u8], chunk: &[u8]) -> Result<(), StorageError>;

    /// Removes the value under `name`; `false` if there was none.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    fn remove(&mut self, space: &Namespace, name: &[u8]) -> Result<bool, StorageError>;

    /// Removes every value of `space` and the key that sealed them, so that leftovers stay unreadable.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    fn destroy(&mut self, space: &Namespace) -> Result<(), StorageError>;

    /// Makes the change durable, all of it at once.
    ///
    /// # Errors
    ///
    /// On an error nothing of the transaction took effect.
    fn commit(self: Box<Self>) -> Result<(), StorageError>;
}

/// A part of the storage with a sealing key of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Vec<u8>);

impl Namespace {
    /// The agent's own records: trust anchors, manifests, components, domains, requests.
    #[must_use]
    pub fn agent() -> Self {
        Self(alloc::vec![0])
    }

    /// Payloads and Personalization Data of a security domain's components.
    #[must_use]
    pub fn domain(name: &str) -> Self {
        Self([&[1], name.as_bytes()].concat())
    }

    /// Objects and keys that belong to one Trusted Application of a security domain.
    #[must_use]
    pub fn application(domain: &str, component: &tamarack_suit::ComponentId) -> Self {
        let mut bytes = alloc::vec![2];
        // The domain's length keeps two pairs from running together.
        bytes.extend_from_slice(&(domain.len() as u64).to_be_bytes());
        bytes.extend_from_slice(domain.as_bytes());
        bytes.extend_from_slice(&component.to_cbor());
        Self(bytes)
    }

    /// Objects that all Trusted Applications of a security domain share.
    #[must_use]
    pub fn shared(domain: &str) -> Self {
        Self([&[4], domain.as_bytes()].concat())
    }

    /// Where pieces of payloads wait until their manifest is committed.
    pub(crate) fn staging() -> Self {
        Self(alloc::vec![3])
    }

    /// A unique encoding, for deriving keys and building table keys.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why the storage could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// No room: the disk is full.
    #[error("the storage is full")]
    Full,
    /// Something stored does not authenticate.
    #[error("the storage is corrupt: {0}")]
    Corrupt(String),
    /// The store is older than the platform's monotonic counter says.
    #[error("the storage was rolled back to an older state")]
    RolledBack,
    /// The medium failed.
    #[error("the storage failed: {0}")]
    Failed(String),
}
