//! A crypto provider that protects nothing, so that fuzzing gets past signatures and digests.
//!
//! Every signature verifies, every digest is zeros and matches its like, sealing appends zeros, encrypting changes
//! nothing, and all key agreements agree. It exists in this crate only, and nothing that ships depends on this crate.

use tamarack_cose::{
    Aead, CryptoProvider, DigestAlgorithm, DigestContext, DigestValue, Digests, Error,
    KeyDerivation, MacAlgorithm, Macs, PublicKey, SecretKey, SecureRandom, SignatureAlgorithm,
    Signatures, Signer, SymmetricKey,
    encrypt::{
        Ciphers, ContentAlgorithm, Curve, DecryptionKey, Decryptor, EncryptionKey, Encryptor,
        KeyAgreements, KeyWrap,
    },
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
        ciphers: &Insecure,
        agreements: &Insecure,
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
    SignatureAlgorithm::STATELESS.map(key)
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

impl Ciphers for Insecure {
    fn decryptor(
        &self,
        algorithm: ContentAlgorithm,
        _: &SymmetricKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<Box<dyn Decryptor>, Error> {
        Ok(Box::new(Copy {
            tag: tag_len(algorithm),
            held: Vec::new(),
        }))
    }

    fn encryptor(
        &self,
        algorithm: ContentAlgorithm,
        _: &SymmetricKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<Box<dyn Encryptor>, Error> {
        Ok(Box::new(Copy {
            tag: tag_len(algorithm),
            held: Vec::new(),
        }))
    }

    fn wrap(&self, _: KeyWrap, _: &SymmetricKey, key: &SymmetricKey) -> Result<Vec<u8>, Error> {
        Ok([key.secret_bytes(), &[0; 8]].concat())
    }

    fn unwrap(&self, _: KeyWrap, _: &SymmetricKey, wrapped: &[u8]) -> Result<SymmetricKey, Error> {
        let (key, _) = wrapped
            .split_last_chunk::<8>()
            .ok_or(Error::BadCiphertext)?;
        Ok(SymmetricKey::new(key))
    }
}

fn tag_len(algorithm: ContentAlgorithm) -> usize {
    match algorithm.is_authenticated() {
        true => 16,
        false => 0,
    }
}

/// A cipher whose ciphertext is the plaintext, with a tag behind it that always matches.
struct Copy {
    tag: usize,
    held: Vec<u8>,
}

impl Decryptor for Copy {
    fn update(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        self.held.extend_from_slice(ciphertext);
        let ready = self.held.len().saturating_sub(self.tag);
        plaintext.extend(self.held.drain(..ready));
        Ok(())
    }

    fn finish(self: Box<Self>, _: &mut Vec<u8>) -> Result<(), Error> {
        match self.held.len() == self.tag {
            true => Ok(()),
            false => Err(Error::BadCiphertext),
        }
    }
}

impl Encryptor for Copy {
    fn update(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), Error> {
        ciphertext.extend_from_slice(plaintext);
        Ok(())
    }

    fn finish(self: Box<Self>, ciphertext: &mut Vec<u8>) -> Result<(), Error> {
        ciphertext.extend(vec![0; self.tag]);
        Ok(())
    }
}

impl KeyAgreements for Insecure {
    fn public_key(&self, curve: Curve, _: &[u8; 32]) -> Result<EncryptionKey, Error> {
        let point = match curve {
            Curve::P256 => [4; 65].to_vec(),
            _ => [4; 32].to_vec(),
        };
        Ok(EncryptionKey::from_point(curve, &point)?)
    }

    fn agree(&self, _: &DecryptionKey, _: &EncryptionKey) -> Result<SymmetricKey, Error> {
        Ok(SymmetricKey::new([7; 32]))
    }
}
