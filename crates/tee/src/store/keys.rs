use tamarack_agent::platform::{Namespace, StorageError};
use tamarack_cose::CryptoProvider;
use zeroize::Zeroizing;

use super::{index::Element, record::RecordKey};
use crate::platform::RootKey;

/// Names a namespace or a value in it without telling its name.
pub(super) type Tag = [u8; 32];

/// The nonce and the authenticator of something sealed, which no two seals share.
pub(super) type Mark = [u8; NONCE_LEN + AUTHENTICATOR_LEN];

type Key = Zeroizing<[u8; 32]>;

const NONCE_LEN: usize = 12;
const AUTHENTICATOR_LEN: usize = 16;

/// The keys of a store, and what is done with them.
///
/// Nonces are random, which AES-GCM allows for some 2^32 seals under one key.
pub(super) struct Keys {
    crypto: CryptoProvider,
    root: RootKey,
    header: Key,
    spaces: Key,
    tags: Key,
    index: Key,
}

/// The keys of one namespace.
#[derive(Clone)]
pub(super) struct SpaceKeys {
    seal: Key,
    tags: Key,
}

impl Keys {
    pub(super) fn new(crypto: &CryptoProvider, root: &RootKey) -> Self {
        let derive = |info: &[u8]| Zeroizing::new(crypto.kdf.derive(root.bytes(), &[], info));
        Self {
            crypto: *crypto,
            root: root.clone(),
            header: derive(b"tamarack store 1: header"),
            spaces: derive(b"tamarack store 1: namespaces"),
            tags: derive(b"tamarack store 1: namespace tags"),
            index: derive(b"tamarack store 2: index"),
        }
    }

    pub(super) fn random<const N: usize>(&self) -> Result<[u8; N], StorageError> {
        self.crypto.random_array().map_err(crypto_failed)
    }

    /// The element of a sealed record in the index.
    pub(super) fn element(&self, key: &RecordKey, sealed: &[u8]) -> Element {
        let place_and_content = [&key[..], &self.crypto.sha256(sealed)].concat();
        self.crypto
            .kdf
            .derive(&*self.index, &[], &place_and_content)
    }

    /// The tag of a namespace.
    pub(super) fn space_tag(&self, space: &Namespace) -> Tag {
        self.crypto.kdf.derive(&*self.tags, &[], space.as_bytes())
    }

    /// The keys of a namespace, which need its salt.
    pub(super) fn space(&self, space: &Namespace, salt: &[u8; 32]) -> SpaceKeys {
        let derive = |info: &[u8]| {
            let info = [info, space.as_bytes()].concat();
            Zeroizing::new(self.crypto.kdf.derive(self.root.bytes(), salt, &info))
        };
        SpaceKeys {
            seal: derive(b"tamarack store 1: values of "),
            tags: derive(b"tamarack store 1: name tags of "),
        }
    }

    /// The tag of a name. Never zero, which stands for the namespace itself.
    pub(super) fn name_tag(&self, keys: &SpaceKeys, name: &[u8]) -> Tag {
        self.crypto.kdf.derive(&*keys.tags, &[], name)
    }

    pub(super) fn seal_header(&self, plain: Vec<u8>) -> Result<Vec<u8>, StorageError> {
        self.seal(&self.header, &[], plain)
    }

    pub(super) fn open_header(&self, sealed: &[u8]) -> Result<Vec<u8>, StorageError> {
        self.open(&self.header, &[], sealed, "header")
    }

    pub(super) fn seal_space(&self, tag: &Tag, plain: Vec<u8>) -> Result<Vec<u8>, StorageError> {
        self.seal(&self.spaces, tag, plain)
    }

    pub(super) fn open_space(&self, tag: &Tag, sealed: &[u8]) -> Result<Vec<u8>, StorageError> {
        self.open(&self.spaces, tag, sealed, "namespace")
    }

    /// Seals what belongs to a value, bound to `place`.
    pub(super) fn seal_value(
        &self,
        keys: &SpaceKeys,
        place: &[u8],
        plain: Vec<u8>,
    ) -> Result<Vec<u8>, StorageError> {
        self.seal(&keys.seal, place, plain)
    }

    pub(super) fn open_value(
        &self,
        keys: &SpaceKeys,
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, StorageError> {
        self.open(&keys.seal, place, sealed, "value")
    }

    fn seal(&self, key: &Key, place: &[u8], plain: Vec<u8>) -> Result<Vec<u8>, StorageError> {
        let nonce = self.random::<NONCE_LEN>()?;
        let mut data = plain;
        self.crypto
            .aead
            .seal(key, &nonce, place, &mut data)
            .map_err(crypto_failed)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut data);
        Ok(sealed)
    }

    fn open(
        &self,
        key: &Key,
        place: &[u8],
        sealed: &[u8],
        what: &str,
    ) -> Result<Vec<u8>, StorageError> {
        let corrupt = || StorageError::Corrupt(format!("a sealed {what} does not authenticate"));
        let (nonce, data) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or_else(corrupt)?;
        let mut data = data.to_vec();
        self.crypto
            .aead
            .open(key, nonce, place, &mut data)
            .map_err(|_| corrupt())?;
        Ok(data)
    }
}

/// The mark of something sealed.
pub(super) fn mark(sealed: &[u8]) -> Mark {
    let mut mark = [0; NONCE_LEN + AUTHENTICATOR_LEN];
    let ends = sealed
        .iter()
        .take(NONCE_LEN)
        .chain(sealed.iter().rev().take(AUTHENTICATOR_LEN));
    for (to, from) in mark.iter_mut().zip(ends) {
        *to = *from;
    }
    mark
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn crypto_failed(error: tamarack_cose::Error) -> StorageError {
    StorageError::Failed(error.to_string())
}
