//! The TEE as a whole: what the agent lives in.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tamarack_agent::{
    TrustAnchorSet,
    link::TeeDescription,
    platform::{
        Evidence, Identity, Platform, PlatformError, Runtime, Storage, StorageError, Transaction,
        View,
    },
    state::{Anchor, AnchorRole, Record, RevocationRecord, TamEncryptionKeys, TamEndpoint},
};
use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey, Signer,
    encrypt::{EncryptionKey, RecipientKey},
    x509::Revocation,
};
use tamarack_rats::{Claims, Confirmation, EAT_CWT, Endorsement, ReferenceMeasurement};
use tamarack_suit::{ComponentId, VendorId};

use crate::{
    applications::Applications,
    clock, evidence,
    platform::{HardwareAttester, PlatformFault, TeePlatform},
    runtime::ModuleError,
    store::{Compaction, Medium, Store, StoreOptions},
};

/// A TEE: a platform, its sealed storage, and the Trusted Applications that run in it.
pub struct Tee {
    platform: Arc<dyn TeePlatform>,
    crypto: CryptoProvider,
    store: Arc<Store>,
    applications: Applications,
}

/// Why a TEE can't be opened or prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TeeError {
    /// The platform can't be used.
    #[error(transparent)]
    Platform(#[from] PlatformFault),
    /// The storage can't be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The interpreter can't be set up.
    #[error(transparent)]
    Runtime(#[from] ModuleError),
    /// A TAM is to be reached at something that is no URI of one.
    #[error("{0}")]
    TamUri(String),
    /// There is no room for another TAM.
    #[error("{} URIs of TAMs are known already", TamEndpoint::MAX)]
    TooManyTams,
    /// The socket can't be opened.
    #[error("cannot listen on {path}: {source}")]
    Listen {
        /// The socket.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Tee {
    /// Opens the TEE whose storage is in the folder `dir`, on `platform`.
    ///
    /// # Errors
    ///
    /// If the storage is corrupt, was rolled back, or is open in another process.
    pub fn open(
        dir: &Path,
        platform: Arc<dyn TeePlatform>,
        crypto: CryptoProvider,
    ) -> Result<Self, TeeError> {
        let store = Store::open(
            &store_in(dir),
            Arc::clone(&platform),
            &crypto,
            StoreOptions::default(),
        )?;
        Self::around(store, platform, crypto)
    }

    /// Opens the TEE whose storage is on a medium of the platform's, not in a folder.
    ///
    /// # Errors
    ///
    /// If the storage is corrupt, was rolled back, or fails.
    pub fn open_on(
        medium: Arc<dyn Medium>,
        platform: Arc<dyn TeePlatform>,
        crypto: CryptoProvider,
    ) -> Result<Self, TeeError> {
        let options = StoreOptions::default();
        let store = Store::open_on(medium, Arc::clone(&platform), &crypto, options)?;
        Self::around(store, platform, crypto)
    }

    /// Makes the storage in the folder `dir` as small as what it holds.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and if there is no storage.
    pub fn compact(
        dir: &Path,
        platform: Arc<dyn TeePlatform>,
        crypto: &CryptoProvider,
    ) -> Result<Compaction, TeeError> {
        let path = store_in(dir);
        let failed = |error| StorageError::Failed(format!("{}: {error}", path.display()));
        // Where there is none, one would be made.
        std::fs::metadata(&path).map_err(failed)?;
        let store = Store::open_as_it_is(&path, platform, crypto, StoreOptions::default())?;
        Ok(store.compact()?)
    }

    fn around(
        store: Store,
        platform: Arc<dyn TeePlatform>,
        crypto: CryptoProvider,
    ) -> Result<Self, TeeError> {
        let store = Arc::new(store);
        let applications = Applications::new(Arc::clone(&store), Arc::clone(&platform), crypto)?;
        Ok(Self {
            platform,
            crypto,
            store,
            applications,
        })
    }

    /// The machine below.
    #[must_use]
    pub fn platform(&self) -> &dyn TeePlatform {
        &*self.platform
    }

    /// The Trusted Applications.
    #[must_use]
    pub fn applications(&self) -> &Applications {
        &self.applications
    }

    /// Trusts these keys from now on, beside those that are trusted already. For the device's maker: nobody
    /// who talks to the TEE can reach this.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn trust(&self, anchors: &[Anchor]) -> Result<(), TeeError> {
        let mut transaction: Box<dyn Transaction + '_> = self.store.begin()?;
        for anchor in anchors {
            anchor.save(&mut *transaction)?;
        }
        Ok(transaction.commit()?)
    }

    /// Trusts these keys and certificates no longer, whoever vouches for them. For the device's maker, as
    /// [`trust`](Self::trust).
    ///
    /// # Errors
    ///
    /// If the storage fails, or more than [`TrustAnchorSet::MAX_REVOCATIONS`] would be revoked.
    pub fn revoke(&self, revocations: Vec<Revocation>) -> Result<(), TeeError> {
        let mut transaction: Box<dyn Transaction + '_> = self.store.begin()?;
        let mut record = RevocationRecord::load(&*transaction, &[])?.unwrap_or(RevocationRecord {
            origin: None,
            revocations: Vec::new(),
        });
        for revocation in revocations {
            if !record.revocations.contains(&revocation) {
                record.revocations.push(revocation);
            }
        }
        // What is longer could not be read back.
        if record.revocations.len() > TrustAnchorSet::MAX_REVOCATIONS {
            return Err(StorageError::Full.into());
        }
        record.save(&mut *transaction)?;
        Ok(transaction.commit()?)
    }

    /// Encrypts Evidence and reports to these keys from now on, one for each curve at most, when they go to the TAM
    /// that has an anchor with the key `tam`. For the device's maker, as [`trust`](Self::trust).
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn encrypt_to(&self, tam: &KeyId, keys: &[EncryptionKey]) -> Result<(), TeeError> {
        let mut transaction: Box<dyn Transaction + '_> = self.store.begin()?;
        let keys = keys.to_vec();
        TamEncryptionKeys { tam: *tam, keys }.save(&mut *transaction)?;
        Ok(transaction.commit()?)
    }

    /// No longer trusts the key with this thumbprint, in any role; `false` if it was not trusted.
    ///
    /// What it signed before stays.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn distrust(&self, key_id: &KeyId) -> Result<bool, TeeError> {
        let mut transaction: Box<dyn Transaction + '_> = self.store.begin()?;
        let mut found = false;
        for anchor in Anchor::all(&*transaction)? {
            if anchor.key_id == *key_id {
                found |= Anchor::delete(&mut *transaction, &anchor.key())?;
            }
        }
        for endpoint in TamEndpoint::all(&*transaction)? {
            if endpoint.keys().contains(key_id) {
                TamEndpoint::delete(&mut *transaction, &endpoint.key())?;
                if let Some(rest) = endpoint.without_key(key_id) {
                    rest.save(&mut *transaction)?;
                }
            }
        }
        transaction.commit()?;
        Ok(found)
    }

    /// The keys that are trusted.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn anchors(&self) -> Result<Vec<Anchor>, TeeError> {
        let view: Box<dyn View + '_> = self.store.view()?;
        Ok(Anchor::all(&*view)?)
    }

    /// Adds the TAM that has these keys, and is reached at `uri`, to those that are asked, behind those that are
    /// known. At a URI that is known the keys are added to those that are there: they are keys of one TAM.
    ///
    /// # Errors
    ///
    /// If the URI is none, too many are known, or the storage fails.
    pub fn reach(&self, uri: &str, keys: &[KeyId]) -> Result<(), TeeError> {
        let mut transaction: Box<dyn Transaction + '_> = self.store.begin()?;
        let known = TamEndpoint::trusted(&*transaction)?;
        let mut keys = keys.to_vec();
        let mut position = known.len() as u64;
        match known.iter().position(|found| found.uri() == uri) {
            Some(at) => {
                position = at as u64;
                let before = known.iter().filter(|found| found.uri() == uri);
                keys.extend(before.flat_map(TamEndpoint::keys).copied());
                keys.sort_unstable();
                keys.dedup();
            }
            None if known.len() >= TamEndpoint::MAX => return Err(TeeError::TooManyTams),
            None => {}
        }
        // Positions without gaps, whatever was taken away before.
        for (at, endpoint) in known.iter().enumerate() {
            let moved = TamEndpoint::new(endpoint.uri(), endpoint.keys().to_vec(), at as u64);
            moved.map_err(TeeError::TamUri)?.save(&mut *transaction)?;
        }
        let endpoint = TamEndpoint::new(uri, keys, position).map_err(TeeError::TamUri)?;
        endpoint.save(&mut *transaction)?;
        Ok(transaction.commit()?)
    }

    /// Where the TAMs that are trusted are reached, in the order in which they are asked.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn tam_endpoints(&self) -> Result<Vec<TamEndpoint>, TeeError> {
        let view: Box<dyn View + '_> = self.store.view()?;
        Ok(TamEndpoint::trusted(&*view)?)
    }

    /// What the TEE says about itself, under the name that whoever runs it gives it.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn description(&self, name: &str) -> Result<TeeDescription, StorageError> {
        let identity = &self.platform.identity().suit;
        let endpoints = TamEndpoint::trusted(&*self.store.view()?)?;
        Ok(TeeDescription {
            name: name.to_owned(),
            platform: self.platform.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            vendors: identity.vendors.iter().filter_map(vendor_uuid).collect(),
            classes: identity.classes.iter().map(|class| class.0).collect(),
            capabilities: vec!["webassembly".to_owned()],
            tam_uris: endpoints
                .iter()
                .map(|found| found.uri().to_owned())
                .collect(),
        })
    }

    /// Whether anybody may change anything here.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn has_tam_anchor(&self) -> Result<bool, TeeError> {
        Ok(self
            .anchors()?
            .iter()
            .any(|anchor| anchor.role() == AnchorRole::Tam))
    }
}

/// The file of the storage in the folder of a TEE.
fn store_in(dir: &Path) -> PathBuf {
    dir.join("store.redb")
}

/// The UUID of a vendor; a Private Enterprise Number has none.
fn vendor_uuid(vendor: &VendorId<'_>) -> Option<[u8; 16]> {
    match vendor {
        VendorId::Uuid(uuid) => Some(uuid.0),
        _ => None,
    }
}

/// What a Verifier needs to know about the device on `platform`, to appraise its Evidence.
#[must_use]
pub fn endorsement(platform: &dyn TeePlatform) -> Endorsement {
    let attester = platform.attester();
    let identity = platform.identity();
    Endorsement {
        vendor_ids: identity
            .suit
            .vendors
            .iter()
            .filter_map(vendor_uuid)
            .collect(),
        class_ids: identity.suit.classes.iter().map(|class| class.0).collect(),
        reference_measurements: vec![ReferenceMeasurement {
            sha256: vec![platform.measurement()],
            ..ReferenceMeasurement::named(evidence::MEASURED)
        }],
        tpm: attester.hardware().and_then(HardwareAttester::tpm),
        ..Endorsement::new(identity.ueid.clone(), *attester.key().public_key())
    }
}

impl Platform for Tee {
    fn crypto(&self) -> &CryptoProvider {
        &self.crypto
    }

    fn now(&self) -> u64 {
        clock::now()
    }

    fn identity(&self) -> &Identity {
        self.platform.identity()
    }

    fn teep_keys(&self) -> &[Box<dyn Signer>] {
        self.platform.teep_keys()
    }

    fn recipient_keys(&self) -> &[RecipientKey] {
        self.platform.recipient_keys()
    }

    // req: EAT-008
    // req: EAT-016
    fn attest(
        &self,
        nonce: Option<&[u8]>,
        teep_key: &PublicKey,
    ) -> Result<Evidence, PlatformError> {
        let claims = Claims {
            issued_at: Some(self.now()),
            confirmation: Some(Confirmation::Key(*teep_key)),
            nonce: nonce.map(<[u8]>::to_vec),
            ..evidence::about(&*self.platform)
        };
        let bytes = evidence::sign(claims, &*self.platform, &self.crypto)?;
        Ok(Evidence {
            media_type: EAT_CWT.into(),
            bytes,
        })
    }

    fn storage(&self) -> &dyn Storage {
        &*self.store
    }

    fn runtime(&self) -> &dyn Runtime {
        &self.applications
    }
}

impl Runtime for Applications {
    fn check(&self, code: &[u8], memory_limit: u64) -> Result<(), String> {
        Self::check(self, code, memory_limit)
    }

    fn retire(&self, component: &ComponentId) {
        Self::retire(self, component);
    }
}

impl fmt::Debug for Tee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tee")
            .field("platform", &self.platform.name())
            .finish_non_exhaustive()
    }
}
