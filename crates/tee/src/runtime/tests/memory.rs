use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
use tamarack_ta::ResultCode;

use crate::runtime::Services;

/// What [`Memory`] keeps; tests look at it from outside.
#[derive(Debug, Default, Clone)]
pub(super) struct Stored {
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    pub(super) keys: BTreeMap<String, SecretKey>,
}

/// Services that keep everything in memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) committed: Arc<Mutex<Stored>>,
    pub(super) personalization: BTreeMap<String, Vec<u8>>,
    pub(super) log: Arc<Mutex<Vec<String>>>,
    /// The answer to every commit, if it is an error.
    pub(super) refuse_commit: Option<ResultCode>,
    /// What the running call changed.
    pub(super) pending: Option<Stored>,
}

impl Memory {
    fn stored(&mut self) -> &mut Stored {
        self.pending
            .get_or_insert_with(|| self.committed.lock().unwrap().clone())
    }

    fn key(&mut self, name: &str) -> Result<SecretKey, ResultCode> {
        self.stored()
            .keys
            .get(name)
            .cloned()
            .ok_or(ResultCode::ITEM_NOT_FOUND)
    }
}

impl Services for Memory {
    fn object_read(&mut self, name: &str) -> Result<Vec<u8>, ResultCode> {
        self.stored()
            .objects
            .get(name)
            .cloned()
            .ok_or(ResultCode::ITEM_NOT_FOUND)
    }

    fn object_write(&mut self, name: &str, data: &[u8]) -> Result<(), ResultCode> {
        self.stored().objects.insert(name.into(), data.into());
        Ok(())
    }

    fn object_delete(&mut self, name: &str) -> Result<(), ResultCode> {
        self.stored()
            .objects
            .remove(name)
            .map(|_| ())
            .ok_or(ResultCode::ITEM_NOT_FOUND)
    }

    fn object_names(&mut self) -> Result<Vec<String>, ResultCode> {
        Ok(self.stored().objects.keys().cloned().collect())
    }

    fn personalization_read(&mut self, name: &str) -> Result<Vec<u8>, ResultCode> {
        self.personalization
            .get(name)
            .cloned()
            .ok_or(ResultCode::ITEM_NOT_FOUND)
    }

    fn key_generate(&mut self, name: &str) -> Result<(), ResultCode> {
        let key = SecretKey::generate(&rustcrypto::provider(), SignatureAlgorithm::Esp256).unwrap();
        match self.stored().keys.insert(name.into(), key) {
            None => Ok(()),
            Some(_) => Err(ResultCode::ACCESS_CONFLICT),
        }
    }

    fn key_public(&mut self, name: &str) -> Result<Vec<u8>, ResultCode> {
        Ok(self.key(name)?.public_key().to_cose_key())
    }

    fn key_sign(&mut self, name: &str, message: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let signer = rustcrypto::provider()
            .signatures
            .signer(&self.key(name)?)
            .unwrap();
        Ok(signer.sign(message).unwrap())
    }

    fn key_delete(&mut self, name: &str) -> Result<(), ResultCode> {
        self.stored()
            .keys
            .remove(name)
            .map(|_| ())
            .ok_or(ResultCode::ITEM_NOT_FOUND)
    }

    fn random(&mut self, out: &mut [u8]) -> Result<(), ResultCode> {
        rustcrypto::provider()
            .random
            .fill(out)
            .map_err(|_| ResultCode::GENERIC)
    }

    fn now(&mut self) -> u64 {
        1_750_000_000
    }

    fn log(&mut self, line: &str) {
        self.log.lock().unwrap().push(line.into());
    }

    fn commit(&mut self) -> Result<(), ResultCode> {
        let pending = self.pending.take();
        match (self.refuse_commit, pending) {
            (Some(code), _) => Err(code),
            (None, Some(pending)) => {
                *self.committed.lock().unwrap() = pending;
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    fn abort(&mut self) {
        self.pending = None;
    }
}
