use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tamarack_agent::platform::Identity;
use tamarack_cose::{
    SecretKey, SignatureAlgorithm, Signer,
    encrypt::{EncryptionKey, RecipientKey},
    rustcrypto,
};

use crate::platform::{Attester, MonotonicCounter, PlatformFault, RootKey, TeePlatform};

/// A platform in memory, whose counter fails on demand.
pub(super) struct Machine {
    root: RootKey,
    key: Box<dyn Signer>,
    identity: Identity,
    pub(super) counter: Counter,
}

#[derive(Default)]
pub(super) struct Counter {
    pub(super) value: AtomicU64,
    pub(super) broken: AtomicBool,
}

impl Machine {
    pub(super) fn new() -> Self {
        let crypto = rustcrypto::provider();
        let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
        Self {
            root: RootKey::new(crypto.random_array().unwrap()),
            key: crypto.signatures.signer(&key).unwrap(),
            identity: Identity {
                ueid: vec![1; 17],
                suit: tamarack_suit::Identity::default(),
            },
            counter: Counter::default(),
        }
    }
}

impl TeePlatform for Machine {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn warning(&self) -> Option<&'static str> {
        Some("gone when the process is")
    }

    fn root_key(&self) -> &RootKey {
        &self.root
    }

    fn counter(&self) -> &dyn MonotonicCounter {
        &self.counter
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn teep_keys(&self) -> &[Box<dyn Signer>] {
        core::slice::from_ref(&self.key)
    }

    fn recipient_keys(&self) -> &[RecipientKey] {
        &[]
    }

    fn encryption_keys(&self) -> &[EncryptionKey] {
        &[]
    }

    fn measurement(&self) -> [u8; 32] {
        [0; 32]
    }

    fn attester(&self) -> Attester<'_> {
        Attester::Key(&*self.key)
    }
}

impl MonotonicCounter for Counter {
    fn value(&self) -> Result<u64, PlatformFault> {
        Ok(self.value.load(Ordering::SeqCst))
    }

    fn increment(&self) -> Result<u64, PlatformFault> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(tamarack_cose::Error::Crypto("the counter is broken").into());
        }
        Ok(self.value.fetch_add(1, Ordering::SeqCst) + 1)
    }
}
