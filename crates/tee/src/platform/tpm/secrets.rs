//! Private keys of a device with a TPM: in the TPM if it can do what they are for, in sealed files if not.

use std::{path::Path, sync::Arc};

use tamarack_cose::{CryptoProvider, SignatureAlgorithm, Signer};
use tss_esapi::structures::Auth;
use zeroize::Zeroizing;

use super::{
    super::{
        PlatformFault, RootKey,
        secrets::{Sealed, Secrets},
    },
    connection::Connection,
    key::{Purpose, TpmKey},
};

/// Keys and files of one device.
pub(super) struct TpmSecrets<'a> {
    pub(super) connection: &'a Arc<Connection>,
    pub(super) crypto: &'a CryptoProvider,
    sealed: Sealed<'a>,
    authorization: Authorization,
}

/// What the TPM wants to be told before it uses a key of the device, or its counter. It follows from the root key: who
/// can't unseal that can't use these either.
#[derive(Clone)]
pub(super) struct Authorization(Zeroizing<[u8; 32]>);

impl Authorization {
    pub(super) fn value(&self) -> tss_esapi::Result<Auth> {
        Auth::try_from(&self.0[..])
    }
}

impl<'a> TpmSecrets<'a> {
    pub(super) fn new(
        connection: &'a Arc<Connection>,
        crypto: &'a CryptoProvider,
        root: &RootKey,
    ) -> Self {
        let authorization = crypto
            .kdf
            .derive(root.bytes(), &[], b"tamarack tpm authorization");
        Self {
            connection,
            crypto,
            sealed: Sealed::new(crypto, root),
            authorization: Authorization(Zeroizing::new(authorization)),
        }
    }

    pub(super) fn authorization(&self) -> Authorization {
        self.authorization.clone()
    }
}

impl Secrets for TpmSecrets<'_> {
    fn crypto(&self) -> &CryptoProvider {
        self.crypto
    }

    fn write(&self, path: &Path, secret: &[u8]) -> Result<(), PlatformFault> {
        self.sealed.write(path, secret)
    }

    fn read(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, PlatformFault> {
        self.sealed.read(path)
    }

    fn make_signer(&self, path: &Path, algorithm: SignatureAlgorithm) -> Result<(), PlatformFault> {
        match algorithm {
            SignatureAlgorithm::Esp256 => TpmKey::make(path, self, Purpose::Signing),
            _ => self.sealed.make_signer(path, algorithm),
        }
    }

    fn signer(
        &self,
        path: &Path,
        algorithm: SignatureAlgorithm,
    ) -> Result<Box<dyn Signer>, PlatformFault> {
        match algorithm {
            SignatureAlgorithm::Esp256 => Ok(Box::new(TpmKey::open(path, self)?)),
            _ => self.sealed.signer(path, algorithm),
        }
    }
}
