use subtle::ConstantTimeEq;
use tamarack_cose::{
    DigestAlgorithm, PublicKey, SymmetricKey,
    encrypt::{ContentAlgorithm, EncryptionKey},
};
use tamarack_ta::{ResultCode, interface};
use zeroize::Zeroizing;

use super::{
    Area, Place, TaServices, kind,
    ta_key::{KeyAlgorithm, TaKey},
};

/// Bytes of a nonce in front of what was sealed, for every algorithm that there is.
const NONCE_LEN: usize = 12;

fn place(name: &str) -> Place {
    (Area::Private, [&[kind::KEY], name.as_bytes()].concat())
}

impl TaServices {
    pub(super) fn key(&self, name: &str) -> Result<TaKey, ResultCode> {
        let bytes = self.read(&place(name))?;
        TaKey::decode(self.crypto(), &bytes.ok_or(ResultCode::ITEM_NOT_FOUND)?)
    }

    /// Keeps a new key.
    fn keep(&mut self, name: &str, key: &TaKey) -> Result<(), ResultCode> {
        self.write(place(name), key.encode())
    }

    fn check_is_new(&self, name: &str) -> Result<(), ResultCode> {
        match self.length(&place(name))? {
            Some(_) => Err(ResultCode::ACCESS_CONFLICT),
            None => Ok(()),
        }
    }

    /// Makes a key.
    pub(crate) fn key_generate(
        &mut self,
        name: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<(), ResultCode> {
        self.check_is_new(name)?;
        let key = TaKey::generate(self.crypto(), algorithm)?;
        self.keep(name, &key)
    }

    /// Makes a symmetric key out of the TA's own secret: always the same for the same `info` and algorithm.
    pub(crate) fn key_derive(
        &mut self,
        name: &str,
        algorithm: KeyAlgorithm,
        info: &[u8],
    ) -> Result<(), ResultCode> {
        self.check_is_new(name)?;
        let len = algorithm.symmetric_len()?;
        let root = (Area::Private, vec![kind::ROOT]);
        let secret = match self.read(&root)? {
            Some(secret) => secret,
            None => {
                let mut secret = Zeroizing::new(vec![0; 32]);
                self.random(&mut secret)?;
                self.write(root, secret.clone())?;
                secret
            }
        };
        let number = algorithm.number().to_be_bytes();
        let purpose = b"tamarack key of a trusted application: ";
        let info = [&purpose[..], &number, info].concat();
        let key = self.derived(&secret, &info, len);
        self.keep(name, &TaKey::symmetric(algorithm, key)?)
    }

    /// Makes a symmetric key by Diffie-Hellman and HKDF.
    pub(crate) fn key_agree(
        &mut self,
        name: &str,
        algorithm: KeyAlgorithm,
        own: &str,
        peer: &[u8],
        info: &[u8],
    ) -> Result<(), ResultCode> {
        self.check_is_new(name)?;
        let len = algorithm.symmetric_len()?;
        let TaKey::Agree(own) = self.key(own)? else {
            return Err(ResultCode::BAD_STATE);
        };
        let peer = EncryptionKey::from_cose_key(peer).map_err(|_| ResultCode::BAD_FORMAT)?;
        let shared = self.crypto().agreements.agree(&own, &peer);
        let shared = shared.map_err(|_| ResultCode::BAD_PARAMETERS)?;
        let key = self.derived(shared.secret_bytes(), info, len);
        self.keep(name, &TaKey::symmetric(algorithm, key)?)
    }

    /// HKDF with SHA-256 and no salt; the first `len` bytes, of 32.
    fn derived(&self, secret: &[u8], info: &[u8], len: usize) -> SymmetricKey {
        let derived = Zeroizing::new(self.crypto().kdf.derive(secret, &[], info));
        SymmetricKey::new(derived.get(..len).unwrap_or(&derived[..]))
    }

    /// Takes over a key that came as Personalization Data.
    pub(crate) fn key_import(
        &mut self,
        name: &str,
        personalization: &str,
    ) -> Result<(), ResultCode> {
        self.check_is_new(name)?;
        let data = self.personalization_read(personalization)?;
        let key = TaKey::import(self.crypto(), &data)?;
        self.keep(name, &key)
    }

    /// The public half of a key, as an encoded `COSE_Key`.
    pub(crate) fn key_public(&mut self, name: &str) -> Result<Vec<u8>, ResultCode> {
        self.key(name)?.public()
    }

    /// Signs; 64 bytes.
    pub(crate) fn key_sign(&mut self, name: &str, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let TaKey::Sign(key) = self.key(name)? else {
            return Err(ResultCode::BAD_STATE);
        };
        let signer = self.crypto().signatures.signer(&key);
        let signed = signer.and_then(|signer| signer.sign(data));
        signed.map_err(|_| ResultCode::GENERIC)
    }

    /// Checks a signature of a key of the TA.
    pub(crate) fn key_verify(
        &mut self,
        name: &str,
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), ResultCode> {
        let key = self.key(name)?.signing_public()?;
        self.check_signature(&key, data, signature)
    }

    /// Checks a signature with a public key that the TA brings.
    pub(crate) fn verify(
        &mut self,
        key: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), ResultCode> {
        let key = PublicKey::from_cose_key(key).map_err(|_| ResultCode::BAD_FORMAT)?;
        self.check_signature(&key, data, signature)
    }

    fn check_signature(
        &self,
        key: &PublicKey,
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), ResultCode> {
        let verified = self.crypto().signatures.verify(key, data, signature);
        verified.map_err(|_| ResultCode::SIGNATURE_INVALID)
    }

    /// The MAC of `data`, at its full length.
    pub(crate) fn key_mac(&mut self, name: &str, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let TaKey::Mac(algorithm, key) = self.key(name)? else {
            return Err(ResultCode::BAD_STATE);
        };
        let macs = self.crypto().macs;
        Ok(macs
            .hmac(algorithm, key.secret_bytes(), data)
            .as_ref()
            .to_vec())
    }

    /// Checks a MAC, in constant time.
    pub(crate) fn key_mac_verify(
        &mut self,
        name: &str,
        data: &[u8],
        mac: &[u8],
    ) -> Result<(), ResultCode> {
        match self.key_mac(name, data)?.ct_eq(mac).into() {
            true => Ok(()),
            false => Err(ResultCode::MAC_INVALID),
        }
    }

    fn sealing_key(&self, name: &str) -> Result<(ContentAlgorithm, SymmetricKey), ResultCode> {
        match self.key(name)? {
            TaKey::Seal(algorithm, key) => Ok((algorithm, key)),
            _ => Err(ResultCode::BAD_STATE),
        }
    }

    /// Encrypts: a random nonce, the ciphertext, the tag.
    pub(crate) fn key_seal(
        &mut self,
        name: &str,
        associated: &[u8],
        data: &[u8],
    ) -> Result<Vec<u8>, ResultCode> {
        let (algorithm, key) = self.sealing_key(name)?;
        let nonce = self.crypto().random_array::<NONCE_LEN>();
        let mut sealed = nonce.map_err(|_| ResultCode::GENERIC)?.to_vec();
        let nonce = sealed.clone();
        let ciphers = self.crypto().ciphers;
        let encrypted = ciphers
            .encryptor(algorithm, &key, &nonce, associated)
            .and_then(|mut cipher| {
                cipher.update(data, &mut sealed)?;
                cipher.finish(&mut sealed)
            });
        encrypted.map(|()| sealed).map_err(|_| ResultCode::GENERIC)
    }

    /// Decrypts what [`key_seal`](Self::key_seal) made.
    pub(crate) fn key_open(
        &mut self,
        name: &str,
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let (algorithm, key) = self.sealing_key(name)?;
        let invalid = ResultCode::CIPHERTEXT_INVALID;
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN).ok_or(invalid)?;
        let mut data = Zeroizing::new(Vec::with_capacity(ciphertext.len()));
        let ciphers = self.crypto().ciphers;
        let decrypted = ciphers
            .decryptor(algorithm, &key, nonce, associated)
            .and_then(|mut cipher| {
                cipher.update(ciphertext, &mut data)?;
                cipher.finish(&mut data)
            });
        decrypted.map(|()| data).map_err(|_| invalid)
    }

    /// Destroys a key.
    pub(crate) fn key_delete(&mut self, name: &str) -> Result<(), ResultCode> {
        self.remove(place(name))
    }

    /// Names of the keys, sorted.
    pub(crate) fn key_names(&mut self) -> Result<Vec<String>, ResultCode> {
        self.names(Area::Private, kind::KEY)
    }

    /// A digest of `data`.
    pub(crate) fn digest(&mut self, algorithm: i32, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let algorithm = match algorithm {
            interface::ALGORITHM_SHA_256 => DigestAlgorithm::Sha256,
            interface::ALGORITHM_SHA_384 => DigestAlgorithm::Sha384,
            interface::ALGORITHM_SHA_512 => DigestAlgorithm::Sha512,
            _ => return Err(ResultCode::NOT_SUPPORTED),
        };
        let mut context = self.crypto().digests.start(algorithm);
        context.update(data);
        Ok(context.finish().as_ref().to_vec())
    }
}
