//! A crypto provider that protects nothing, so that fuzzing gets past signatures and digests.
//!
//! Every signature verifies, every digest is zeros and matches its like, sealing appends zeros. It exists in this crate
//! only, and nothing that ships depends on this crate.

use tamarack_cose::{
    Aead, CryptoProvider, DigestAlgorithm, DigestContext, DigestValue, Digests, Error,
    KeyDerivation, MacAlgorithm, Macs, PublicKey, SecretKey, SecureRandom, SignatureAlgorithm, Signatures, Signer,
};

/// The provider.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        name: "insecure",
        random: &Insecure,
        digests: &Insecure,
        signatures: &Insecure,
        macs: &Insecure,
        aead: &Insecure,
        kdf: &Insecure,
        ..tamarack_cose::rustcrypto::provider()
    }
}

/// The key of `algorithm` that seeds are signed with and targets trust.
pub fn key(algorithm: SignatureAlgorithm) -> PublicKey {
    match algorithm {
        SignatureAlgorithm::Ed25519 => PublicKey::Ed25519 { x: [1; 32] },
        _ => PublicKey::P256 {
            x: [1; 32],
            y: [2; 32],
        },
    }
}

/// Both of them.
pub fn keys() -> [PublicKey; 2] {
    SignatureAlgorithm::ALL.map(key)
}

/// A signer for [`key`].
pub fn signer(algorithm: SignatureAlgorithm) -> Box<dyn Signer> {
    Box::new(Zeros(key(algorithm)))
}

struct Insecure;

impl SecureRandom for Insecure {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        out.fill(4);
        Ok(())
    }
}

impl Digests for Insecure {
    fn start(&self, algorithm: DigestAlgorithm) -> Box<dyn DigestContext> {
        Box::new(Nothing(algorithm))
    }
}

struct Nothing(DigestAlgorithm);

impl DigestContext for Nothing {
    fn update(&mut self, _: &[u8]) {}

    fn finish(self: Box<Self>) -> DigestValue {
        DigestValue::new(&[0; 64][..self.0.digest_len()])
    }
}

impl Signatures for Insecure {
    fn verify(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn public_key(&self, algorithm: SignatureAlgorithm, _: &[u8; 32]) -> Result<PublicKey, Error> {
        Ok(key(algorithm))
    }

    fn signer(&self, key: &SecretKey) -> Result<Box<dyn Signer>, Error> {
        Ok(Box::new(Zeros(*key.public_key())))
    }
}

struct Zeros(PublicKey);

impl Signer for Zeros {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(vec![0; 64])
    }
}

impl Macs for Insecure {
    fn hmac(&self, algorithm: MacAlgorithm, _: &[u8], _: &[u8]) -> DigestValue {
        DigestValue::new(&[0; 64][..algorithm.tag_len()])
    }
}

impl Aead for Insecure {
    fn seal(&self, _: &[u8; 32], _: &[u8; 12], _: &[u8], data: &mut Vec<u8>) -> Result<(), Error> {
        data.extend([0; 16]);
        Ok(())
    }

    fn open(&self, _: &[u8; 32], _: &[u8; 12], _: &[u8], data: &mut Vec<u8>) -> Result<(), Error> {
        let plain = data.len().checked_sub(16).ok_or(Error::BadSignature)?;
        data.truncate(plain);
        Ok(())
    }
}

impl KeyDerivation for Insecure {
    fn derive(&self, _: &[u8], _: &[u8], _: &[u8]) -> [u8; 32] {
        [5; 32]
    }

    fn extract(&self, _: &[u8], _: &[u8]) -> [u8; 32] {
        [6; 32]
    }
}
