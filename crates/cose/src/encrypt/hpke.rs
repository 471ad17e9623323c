//! HPKE in base mode, single-shot (RFC 9180), and how COSE uses it to encrypt content keys
//! (draft-ietf-cose-hpke-24).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{ContentAlgorithm, Curve, DecryptionKey, EncryptionKey, HpkeSuite, KeyAgreement};
use crate::{CryptoProvider, Error, KeyError, SymmetricKey, cbor::Writer};

/// The Recipient_structure, which HPKE takes as `info`: it binds the content key to the algorithm that it is
/// for. The field for further information is empty, which is its default.
pub(super) fn recipient_structure(content: ContentAlgorithm, protected: &[u8]) -> Vec<u8> {
    Writer::build(|w| {
        w.array(4).text("HPKE Recipient").int(content.cose_id());
        w.bytes(protected).bytes(&[]);
    })
}

/// Decrypts a content key.
pub(super) fn open(
    crypto: &CryptoProvider,
    suite: HpkeSuite,
    own: &dyn KeyAgreement,
    encapsulated: &[u8],
    info: &[u8],
    ciphertext: &[u8],
) -> Result<SymmetricKey, Error> {
    if own.public_key().curve() != suite.curve() {
        return Err(KeyError::Invalid.into());
    }
    let peer = EncryptionKey::from_point(suite.curve(), encapsulated)?;
    let secret = own.agree(&peer)?;
    let schedule = Schedule::new(crypto, suite, &secret, encapsulated, own.public_key(), info);
    let (key, nonce) = (&schedule.key, &schedule.nonce[..]);
    let mut decryptor = crypto.ciphers.decryptor(suite.aead(), key, nonce, &[])?;
    let mut plaintext = Zeroizing::new(Vec::new());
    decryptor.update(ciphertext, &mut plaintext)?;
    decryptor.finish(&mut plaintext)?;
    Ok(SymmetricKey::new(&plaintext[..]))
}

/// Encrypts a content key to `recipient`; returns the encapsulated key and the ciphertext.
pub(super) fn seal(
    crypto: &CryptoProvider,
    suite: HpkeSuite,
    ephemeral: &DecryptionKey,
    recipient: &EncryptionKey,
    info: &[u8],
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    if recipient.curve() != suite.curve() || ephemeral.public_key().curve() != suite.curve() {
        return Err(KeyError::Invalid.into());
    }
    let secret = crypto.agreements.agree(ephemeral, recipient)?;
    let encapsulated = ephemeral.public_key().to_point();
    let schedule = Schedule::new(crypto, suite, &secret, &encapsulated, recipient, info);
    let (key, nonce) = (&schedule.key, &schedule.nonce[..]);
    let mut encryptor = crypto.ciphers.encryptor(suite.aead(), key, nonce, &[])?;
    let mut ciphertext = Vec::new();
    encryptor.update(plaintext, &mut ciphertext)?;
    encryptor.finish(&mut ciphertext)?;
    Ok((encapsulated, ciphertext))
}

/// Key and nonce for the one message that is sent (RFC 9180 section 5.1).
struct Schedule {
    key: SymmetricKey,
    nonce: Zeroizing<[u8; 12]>,
}

impl Schedule {
    fn new(
        crypto: &CryptoProvider,
        suite: HpkeSuite,
        secret: &SymmetricKey,
        encapsulated: &[u8],
        recipient: &EncryptionKey,
        info: &[u8],
    ) -> Self {
        let kem_id: u16 = match suite.curve() {
            Curve::P256 => 0x0010,
            Curve::X25519 => 0x0020,
        };
        let kdf_id: u16 = 1;
        let aead_id: u16 = match suite.aead() {
            ContentAlgorithm::A256Gcm => 2,
            ContentAlgorithm::ChaCha20Poly1305 => 3,
            _ => 1,
        };
        let kem = Labels {
            crypto,
            suite_id: [&b"KEM"[..], &kem_id.to_be_bytes()].concat(),
        };
        let kem_context = [encapsulated, &recipient.to_point()].concat();
        let shared = kem.derive(
            ("eae_prk", secret.secret_bytes(), &[]),
            ("shared_secret", &kem_context, 32),
        );
        let hpke = Labels {
            crypto,
            suite_id: [
                &b"HPKE"[..],
                &kem_id.to_be_bytes(),
                &kdf_id.to_be_bytes(),
                &aead_id.to_be_bytes(),
            ]
            .concat(),
        };
        let base_mode = [0];
        let context = [
            &base_mode[..],
            &hpke.extract("psk_id_hash", &[]),
            &hpke.extract("info_hash", info),
        ]
        .concat();
        let secret = ("secret", &[][..], &shared[..]);
        let key_len = suite.aead().key_len();
        let key = hpke.derive(secret, ("key", &context, key_len));
        let base_nonce = hpke.derive(secret, ("base_nonce", &context, 12));
        let mut nonce = Zeroizing::new([0; 12]);
        for (to, from) in nonce.iter_mut().zip(&*base_nonce) {
            *to = *from;
        }
        Self {
            key: SymmetricKey::new(key.get(..key_len).unwrap_or_default()),
            nonce,
        }
    }
}

/// Labeled extraction and expansion (RFC 9180 section 4).
struct Labels<'c> {
    crypto: &'c CryptoProvider,
    suite_id: Vec<u8>,
}

impl Labels<'_> {
    fn labeled(&self, label: &str, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([b"HPKE-v1", &self.suite_id[..], label.as_bytes(), bytes].concat())
    }

    fn extract(&self, label: &str, bytes: &[u8]) -> [u8; 32] {
        self.crypto.kdf.extract(&self.labeled(label, bytes), &[])
    }

    /// Extracts (label, secret, salt), then expands (label, info, length). What is longer than the length
    /// asked for, which is at most 32, is of no use to anybody.
    fn derive(
        &self,
        (from, secret, salt): (&str, &[u8], &[u8]),
        (to, info, length): (&str, &[u8], usize),
    ) -> Zeroizing<[u8; 32]> {
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        let info = [&length[..], &self.labeled(to, info)].concat();
        let secret = self.labeled(from, secret);
        Zeroizing::new(self.crypto.kdf.derive(&secret, salt, &info))
    }
}
