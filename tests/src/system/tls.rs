use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A certification authority of its own.
pub struct Authority {
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// An authority with a new key.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are alike")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        Self {
            root,
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes its own certificate, as PEM.
    pub fn write_root(&self, path: impl AsRef<Path>) {
        fs::write(path, &self.root).unwrap();
    }

    /// Writes a certificate for the host `name`, and its key, as PEM.
    pub fn issue(&self, name: &str, certificate: impl AsRef<Path>, key: impl AsRef<Path>) {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let secret = KeyPair::generate().unwrap();
        let issued = params.signed_by(&secret, &self.issuer).unwrap();
        fs::write(certificate, issued.pem()).unwrap();
        fs::write(key, secret.serialize_pem()).unwrap();
    }
}
