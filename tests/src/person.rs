use tamarack_cose::{PublicKey, SecretKey, SignatureAlgorithm, Signer};

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
