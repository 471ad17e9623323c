use tamarack_cose::{
    PublicKey, SecretKey, SignatureAlgorithm, Signer,
    x509::{Certificate, CertifiedSigner, Issue, Usage},
};

use crate::crypto;

/// Somebody with a key pair.
pub struct Person {
    secret: SecretKey,
    signer: Box<dyn Signer>,
}

impl Person {
    /// Somebody new, who signs with ESP256.
    #[must_use]
    pub fn new() -> Self {
        Self::with(SignatureAlgorithm::Esp256)
    }

    /// Somebody new, who signs with this algorithm.
    #[must_use]
    pub fn with(algorithm: SignatureAlgorithm) -> Self {
        let crypto = crypto();
        let secret = SecretKey::generate(&crypto, algorithm).unwrap();
        Self {
            signer: crypto.signatures.signer(&secret).unwrap(),
            secret,
        }
    }

    /// The same person, whose signatures carry these certificates, the person's own first.
    #[must_use]
    pub fn certified(&self, chain: &[&Certificate]) -> Self {
        let chain = chain.iter().map(|c| c.to_der().to_vec()).collect();
        let signer = CertifiedSigner::new(self.again().signer, chain).unwrap();
        Self {
            signer: Box::new(signer),
            secret: self.secret.clone(),
        }
    }

    /// Issues a certificate for `key`, under the certificate of this person.
    #[must_use]
    pub fn issue(&self, own: &Certificate, issue: &Issue) -> Certificate {
        issue.signed_by(&crypto(), own, self.signer()).unwrap()
    }

    /// A certificate of an authority, signed by this person.
    #[must_use]
    pub fn authority(&self, subject: &str) -> Certificate {
        let usage = Usage::Authority { path_length: None };
        let issue = Issue::new(self.public(), subject, usage);
        issue.self_signed(&crypto(), self.signer()).unwrap()
    }

    /// The same person once more.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            signer: crypto().signatures.signer(&self.secret).unwrap(),
            secret: self.secret.clone(),
        }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        *self.secret.public_key()
    }

    /// The private key.
    #[must_use]
    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// What signs.
    #[must_use]
    pub fn signer(&self) -> &dyn Signer {
        &*self.signer
    }
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}
