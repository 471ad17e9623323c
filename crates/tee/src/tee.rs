//! The TEE as a whole: what the agent lives in.

use std::{fmt, path::Path, sync::Arc};

use tamarack_agent::{
    platform::{
        Evidence, Identity, Platform, PlatformError, Runtime, Storage, StorageError, Transaction,
        View,
    },
    state::{Anchor, AnchorRole, Record},
};
use tamarack_cose::{CryptoProvider, KeyId, PublicKey, Signer};
use tamarack_rats::{
    Claims, Confirmation, EAT_CWT, Endorsement, Measurement, ReferenceMeasurement,
};
use tamarack_suit::{ComponentId, VendorId};

use crate::{
    applications::Applications,
    clock,
    platform::{Attester, PlatformFault, TeePlatform},
    runtime::ModuleError,
    store::{Store, StoreOptions},
};

/// The name of the measurement of the code in the TEE.
const MEASURED: &str = "tamarack-tee";

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
        let path = dir.join("store.redb");
        let store = Store::open(
            &path,
            Arc::clone(&platform),
            &crypto,
            StoreOptions::default(),
        )?;
        let store = Arc::new(store);
        let applications = Applications::new(Arc::clone(&store), crypto)?;
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

    /// Whether anybody may change anything here.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn has_tam_anchor(&self) -> Result<bool, TeeError> {
        Ok(self
            .anchors()?
            .iter()
            .any(|anchor| anchor.role == AnchorRole::Tam))
    }
}

/// What a Verifier needs to know about the device on `platform`, to appraise its Evidence.
#[must_use]
pub fn endorsement(platform: &dyn TeePlatform) -> Endorsement {
    let Attester::Key(attester) = platform.attester();
    let identity = platform.identity();
    let vendor = |vendor: &VendorId<'_>| match vendor {
        VendorId::Uuid(uuid) => Some(uuid.0),
        // A number that an endorsement has no place for.
        _ => None,
    };
    Endorsement {
        vendor_ids: identity.suit.vendors.iter().filter_map(vendor).collect(),
        class_ids: identity.suit.classes.iter().map(|class| class.0).collect(),
        reference_measurements: vec![ReferenceMeasurement {
            sha256: vec![platform.measurement()],
            ..ReferenceMeasurement::named(MEASURED)
        }],
        ..Endorsement::new(identity.ueid.clone(), *attester.public_key())
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

    fn teep_key(&self) -> &dyn Signer {
        self.platform.teep_key()
    }

    // req: EAT-008
    // req: EAT-016
    fn attest(&self, nonce: &[u8], teep_key: &PublicKey) -> Result<Evidence, PlatformError> {
        let claims = Claims {
            confirmation: Some(Confirmation::Key(*teep_key)),
            nonce: Some(nonce.to_vec()),
            ueid: Some(self.identity().ueid.clone()),
            hwmodel: Some(self.platform.name().as_bytes().to_vec()),
            hwversion: Some(env!("CARGO_PKG_VERSION").into()),
            measurements: vec![Measurement {
                name: MEASURED.into(),
                version: Some(env!("CARGO_PKG_VERSION").into()),
                sha256: self.platform.measurement(),
            }],
            ..Claims::default()
        };
        let Attester::Key(attester) = self.platform.attester();
        let bytes = claims
            .sign(&self.crypto, attester)
            .map_err(|error| PlatformError(error.to_string()))?;
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
