//! How a platform keeps its private keys in files.

use std::path::Path;

use tamarack_cose::{CryptoProvider, SecretKey, SignatureAlgorithm, Signer};
use zeroize::Zeroizing;

use super::{PlatformFault, RootKey, files};

/// Where private keys are, and how they get there.
///
/// Files are private to the user in any case; a platform that has a root key nobody can read seals them besides, and
/// one whose hardware signs keeps signing keys there.
pub(super) trait Secrets {
    /// The primitives that make keys.
    fn crypto(&self) -> &CryptoProvider;

    /// Writes a file that does not exist yet.
    fn write(&self, path: &Path, secret: &[u8]) -> Result<(), PlatformFault>;

    /// Reads it again.
    fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, PlatformFault>;

    /// Makes a key that signs, in a file that does not exist yet.
    fn make_signer(&self, path: &Path, algorithm: SignatureAlgorithm) -> Result<(), PlatformFault> {
        let key = SecretKey::generate(self.crypto(), algorithm)?;
        self.write(path, &key.to_cose_key())
    }

    /// The key that was made so.
    fn signer(
        &self,
        path: &Path,
        algorithm: SignatureAlgorithm,
    ) -> Result<Box<dyn Signer>, PlatformFault> {
        let damaged = |problem| PlatformFault::Damaged {
            path: path.into(),
            problem,
        };
        let key = SecretKey::from_cose_key(self.crypto(), &self.read(path)?)
            .map_err(|error| damaged(error.to_string()))?;
        match key.public_key().algorithm() == algorithm {
            true => Ok(self.crypto().signatures.signer(&key)?),
            false => Err(damaged(format!("it is no {} key", algorithm.name()))),
        }
    }
}

/// In files, readable to whoever may read them.
pub(super) struct Plain<'a>(pub(super) &'a CryptoProvider);

impl Secrets for Plain<'_> {
    fn crypto(&self) -> &CryptoProvider {
        self.0
    }

    fn write(&self, path: &Path, secret: &[u8]) -> Result<(), PlatformFault> {
        files::create(path, secret)
    }

    fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, PlatformFault> {
        files::read(path)
    }
}

/// In files that are sealed under the root key, each for its name: a nonce of 12 bytes, then AES-256-GCM.
pub(super) struct Sealed<'a> {
    crypto: &'a CryptoProvider,
    key: Zeroizing<[u8; 32]>,
}

/// Bytes of the nonce.
const NONCE: usize = 12;

impl<'a> Sealed<'a> {
    pub(super) fn new(crypto: &'a CryptoProvider, root: &RootKey) -> Self {
        let key = crypto
            .kdf
            .derive(root.bytes(), &[], b"tamarack platform files");
        Self {
            crypto,
            key: Zeroizing::new(key),
        }
    }

    /// What a file is bound to: its name, so that none stands in for another.
    fn name(path: &Path) -> &[u8] {
        path.file_name().unwrap_or_default().as_encoded_bytes()
    }
}

impl Secrets for Sealed<'_> {
    fn crypto(&self) -> &CryptoProvider {
        self.crypto
    }

    fn write(&self, path: &Path, secret: &[u8]) -> Result<(), PlatformFault> {
        let nonce = self.crypto.random_array::<NONCE>()?;
        // Room for the tag, so that no copy of the secret is left behind.
        let mut sealed = Vec::with_capacity(secret.len() + 16);
        sealed.extend(secret);
        let aead = self.crypto.aead;
        aead.seal(&self.key, &nonce, Self::name(path), &mut sealed)?;
        files::create(path, &[&nonce[..], &sealed].concat())
    }

    fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, PlatformFault> {
        let bytes = files::read(path)?;
        let foreign = || PlatformFault::Foreign { path: path.into() };
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or_else(foreign)?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        (self.crypto.aead)
            .open(&self.key, nonce, Self::name(path), &mut secret)
            .map_err(|_| foreign())?;
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tamarack_cose::rustcrypto;

    use super::*;

    #[test]
    fn a_sealed_file_opens_under_its_key_and_its_name_only() {
        let crypto = rustcrypto::provider();
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.key"), folder.path().join("b.key"));
        let sealed = Sealed::new(&crypto, &RootKey::new([1; 32]));
        sealed.write(&path, b"a secret").unwrap();
        assert_eq!(&**sealed.read(&path).unwrap(), b"a secret");
        let on_disk = fs::read(&path).unwrap();
        assert!(!on_disk.windows(8).any(|window| window == b"a secret"));

        let foreign = |result: Result<Zeroizing<Vec<u8>>, PlatformFault>| {
            matches!(result, Err(PlatformFault::Foreign { .. }))
        };
        files::create(&other, &on_disk).unwrap();
        assert!(foreign(sealed.read(&other)), "under another name");
        let stranger = Sealed::new(&crypto, &RootKey::new([2; 32]));
        assert!(foreign(stranger.read(&path)), "under another root key");
        for at in 0..on_disk.len() {
            let mut changed = on_disk.clone();
            changed[at] ^= 1;
            files::replace(&path, &changed).unwrap();
            assert!(foreign(sealed.read(&path)), "changed at {at}");
            files::replace(&path, &on_disk[..at]).unwrap();
            assert!(foreign(sealed.read(&path)), "cut off at {at}");
        }
    }
}
