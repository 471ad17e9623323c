use std::{collections::BTreeMap, sync::Arc};

use tamarack_agent::{
    link::ComponentKind,
    platform::{Namespace, Storage, StorageError, Transaction, View},
    state::{ComponentRecord, Record},
};
use tamarack_cose::{CryptoProvider, SecretKey, SignatureAlgorithm};
use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_ta::ResultCode;
use zeroize::Zeroizing;

use crate::{clock, runtime::Services, store::Store};

/// First byte of a name in an application's namespace: objects and keys do not meet.
const OBJECT: u8 = b'o';
const KEY: u8 = b'k';

/// Most objects and keys of one application: what is empty takes room too.
const MAX_NAMES: usize = 1024;

/// What one session of a Trusted Application reaches: its own namespace of the sealed storage, and the
/// Personalization Data under its component identifier.
///
/// Changes are held back until the command that makes them returns, and then written in one transaction.
pub(super) struct SealedServices {
    store: Arc<Store>,
    crypto: CryptoProvider,
    domain: String,
    component: ComponentId,
    /// What the application's code is; once it is another's, this session writes nothing any more.
    digest: SuitDigest,
    space: Namespace,
    /// Bytes that the whole security domain may use.
    quota: u64,
    /// Values by their name in the namespace; `None` is deleted.
    changes: BTreeMap<Vec<u8>, Option<Zeroizing<Vec<u8>>>>,
}

fn code(error: StorageError) -> ResultCode {
    match error {
        StorageError::Full => ResultCode::STORAGE_NO_SPACE,
        StorageError::Corrupt(_) | StorageError::RolledBack => ResultCode::CORRUPT_OBJECT,
        _ => ResultCode::STORAGE_NOT_AVAILABLE,
    }
}

fn name_of(kind: u8, name: &str) -> Vec<u8> {
    [&[kind], name.as_bytes()].concat()
}

impl SealedServices {
    pub(super) fn new(
        store: Arc<Store>,
        crypto: CryptoProvider,
        record: ComponentRecord,
        quota: u64,
    ) -> Self {
        let ComponentRecord {
            component,
            domain,
            digest,
            ..
        } = record;
        let space = Namespace::application(&domain, &component);
        Self {
            store,
            crypto,
            domain,
            component,
            digest,
            space,
            quota,
            changes: BTreeMap::new(),
        }
    }

    fn view(&self) -> Result<Box<dyn View + '_>, ResultCode> {
        self.store.view().map_err(code)
    }

    fn read(&self, name: &[u8]) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let value = match self.changes.get(name) {
            Some(change) => change.clone(),
            None => self
                .view()?
                .get(&self.space, name)
                .map_err(code)?
                .map(Zeroizing::new),
        };
        value.ok_or(ResultCode::ITEM_NOT_FOUND)
    }

    fn exists(&self, name: &[u8]) -> Result<bool, ResultCode> {
        match self.changes.get(name) {
            Some(change) => Ok(change.is_some()),
            None => Ok(self
                .view()?
                .length(&self.space, name)
                .map_err(code)?
                .is_some()),
        }
    }

    fn delete(&mut self, name: Vec<u8>) -> Result<(), ResultCode> {
        if !self.exists(&name)? {
            return Err(ResultCode::ITEM_NOT_FOUND);
        }
        self.changes.insert(name, None);
        Ok(())
    }

    fn key(&self, name: &str) -> Result<SecretKey, ResultCode> {
        let bytes = self.read(&name_of(KEY, name))?;
        SecretKey::from_cose_key(&self.crypto, &bytes).map_err(|_| ResultCode::CORRUPT_OBJECT)
    }

    /// Bytes that the security domain uses, in components and in objects of its applications.
    fn usage(&self, view: &dyn View) -> Result<u64, StorageError> {
        let mut used = view.usage(&Namespace::domain(&self.domain))?;
        for record in ComponentRecord::all(view)? {
            if record.domain == self.domain && record.kind == ComponentKind::Application {
                used += view.usage(&Namespace::application(&record.domain, &record.component))?;
            }
        }
        Ok(used)
    }

    fn write_changes(&mut self) -> Result<(), StorageError> {
        let mut transaction: Box<dyn Transaction + '_> = self.store.begin()?;
        let now = ComponentRecord::load(&*transaction, &self.component.to_cbor())?;
        if now.is_none_or(|now| now.digest != self.digest || now.domain != self.domain) {
            // Removed or replaced while the command ran: its namespace is gone, or somebody else's.
            return Err(StorageError::Failed("the application changed".into()));
        }
        let mut grows = false;
        for (name, change) in &self.changes {
            match change {
                Some(value) => {
                    grows = true;
                    transaction.put(&self.space, name, value)?;
                }
                None => drop(transaction.remove(&self.space, name)?),
            }
        }
        let full = self.usage(&*transaction)? > self.quota
            || transaction.names(&self.space, &[])?.len() > MAX_NAMES;
        if grows && full {
            return Err(StorageError::Full);
        }
        transaction.commit()
    }
}

impl Services for SealedServices {
    fn object_read(&mut self, name: &str) -> Result<Vec<u8>, ResultCode> {
        self.read(&name_of(OBJECT, name))
            .map(|value| value.to_vec())
    }

    fn object_write(&mut self, name: &str, data: &[u8]) -> Result<(), ResultCode> {
        let pending: usize = self
            .changes
            .values()
            .flatten()
            .map(|value| value.len())
            .sum();
        if self.changes.len() >= MAX_NAMES {
            return Err(ResultCode::STORAGE_NO_SPACE);
        }
        // What a command may hold back is bounded by what could ever be written.
        if (pending + data.len()) as u64 > self.quota {
            return Err(ResultCode::STORAGE_NO_SPACE);
        }
        self.changes
            .insert(name_of(OBJECT, name), Some(Zeroizing::new(data.to_vec())));
        Ok(())
    }

    fn object_delete(&mut self, name: &str) -> Result<(), ResultCode> {
        self.delete(name_of(OBJECT, name))
    }

    fn object_names(&mut self) -> Result<Vec<String>, ResultCode> {
        let mut names = self.view()?.names(&self.space, &[OBJECT]).map_err(code)?;
        names.retain(|name| !self.changes.contains_key(name));
        let written = self
            .changes
            .iter()
            .filter(|(name, change)| name.first() == Some(&OBJECT) && change.is_some());
        names.extend(written.map(|(name, _)| name.clone()));
        names.sort();
        let text = |name: Vec<u8>| String::from_utf8(name.get(1..).unwrap_or_default().to_vec());
        names
            .into_iter()
            .map(|name| text(name).map_err(|_| ResultCode::CORRUPT_OBJECT))
            .collect()
    }

    fn personalization_read(&mut self, name: &str) -> Result<Vec<u8>, ResultCode> {
        let id = self.component.clone().joined(name.as_bytes());
        let id = id.map_err(|_| ResultCode::BAD_PARAMETERS)?;
        let view = self.view()?;
        let record = ComponentRecord::load(&*view, &id.to_cbor()).map_err(code)?;
        // A domain with a longer prefix could own what looks like ours.
        match record {
            Some(record) if record.domain == self.domain && record.kind == ComponentKind::Data => {}
            _ => return Err(ResultCode::ITEM_NOT_FOUND),
        }
        let data = view
            .get(&Namespace::domain(&self.domain), &id.to_cbor())
            .map_err(code)?;
        data.ok_or(ResultCode::ITEM_NOT_FOUND)
    }

    fn key_generate(&mut self, name: &str) -> Result<(), ResultCode> {
        let name = name_of(KEY, name);
        if self.exists(&name)? {
            return Err(ResultCode::ACCESS_CONFLICT);
        }
        let key = SecretKey::generate(&self.crypto, SignatureAlgorithm::Esp256);
        let key = key.map_err(|_| ResultCode::GENERIC)?;
        self.changes.insert(name, Some(key.to_cose_key()));
        Ok(())
    }

    fn key_public(&mut self, name: &str) -> Result<Vec<u8>, ResultCode> {
        Ok(self.key(name)?.public_key().to_cose_key())
    }

    fn key_sign(&mut self, name: &str, message: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let signer = self.crypto.signatures.signer(&self.key(name)?);
        signer
            .and_then(|signer| signer.sign(message))
            .map_err(|_| ResultCode::GENERIC)
    }

    fn key_delete(&mut self, name: &str) -> Result<(), ResultCode> {
        self.delete(name_of(KEY, name))
    }

    fn random(&mut self, out: &mut [u8]) -> Result<(), ResultCode> {
        self.crypto
            .random
            .fill(out)
            .map_err(|_| ResultCode::GENERIC)
    }

    fn now(&mut self) -> u64 {
        clock::now()
    }

    fn log(&mut self, line: &str) {
        tracing::info!(component = %self.component, "{line}");
    }

    fn commit(&mut self) -> Result<(), ResultCode> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let written = self.write_changes().map_err(code);
        self.changes.clear();
        written
    }

    fn abort(&mut self) {
        self.changes.clear();
    }
}
