//! HPKE in base mode, single-shot (RFC 9180), and how COSE uses it to encrypt content keys
//! (draft-ietf-cose-hpke-24).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{
    ContentAlgorithm, Curve, DecryptionKey, EncryptionKey, HpkeSuite, KeyAgreement, author::whole,
};
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
// A function of its own: what of an image is a primitive shall be seen in its size.
#[inline(never)]
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
    let encryptor = crypto.ciphers.encryptor(suite.aead(), key, nonce, &[])?;
    Ok((encapsulated, whole(encryptor, plaintext)?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encrypt::RecipientKey;

    fn hex(text: &str) -> Vec<u8> {
        base16ct::mixed::decode_vec(text).unwrap()
    }

    fn key(crypto: &CryptoProvider, curve: Curve, secret: &str) -> DecryptionKey {
        DecryptionKey::from_bytes(crypto, curve, &hex(secret).try_into().unwrap()).unwrap()
    }

    fn providers() -> [CryptoProvider; 2] {
        [crate::rustcrypto::provider(), crate::aws_lc::provider()]
    }

    #[test]
    fn rfc_9180_appendices_a_2_1_and_a_3_1() {
        let info = hex("4f6465206f6e2061204772656369616e2055726e");
        for crypto in providers() {
            for (suite, ephemeral, recipient, encapsulated, schedule_key, nonce, ciphertext) in [
                (
                    HpkeSuite::X25519ChaCha20Poly1305,
                    "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600",
                    "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
                    "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
                    "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91",
                    "5c4d98150661b848853b547f",
                    concat!(
                        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db",
                        "21993c62ce81883d2dd1b51a28"
                    ),
                ),
                (
                    HpkeSuite::P256Aes128Gcm,
                    "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb",
                    "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
                    concat!(
                        "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9",
                        "8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4"
                    ),
                    "868c066ef58aae6dc589b6cfdd18f97e",
                    "4e0bc5018beba4bf004cca59",
                    concat!(
                        "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f",
                        "9076ac232e3ab2523f39513434"
                    ),
                ),
            ] {
                let ephemeral = key(&crypto, suite.curve(), ephemeral);
                let recipient = key(&crypto, suite.curve(), recipient);
                let public = recipient.public_key();
                assert_eq!(ephemeral.public_key().to_point(), hex(encapsulated));
                let secret = crypto.agreements.agree(&ephemeral, public).unwrap();
                let encapsulated = hex(encapsulated);
                let schedule = Schedule::new(&crypto, suite, &secret, &encapsulated, public, &info);
                assert_eq!(schedule.key.secret_bytes(), hex(schedule_key));
                assert_eq!(schedule.nonce[..], hex(nonce));
                let mut decryptor = crypto
                    .ciphers
                    .decryptor(suite.aead(), &schedule.key, &schedule.nonce[..], b"Count-0")
                    .unwrap();
                let mut plaintext = Vec::new();
                decryptor.update(&hex(ciphertext), &mut plaintext).unwrap();
                decryptor.finish(&mut plaintext).unwrap();
                assert_eq!(plaintext, b"Beauty is truth, truth beauty");
            }
        }
    }

    #[test]
    fn the_content_keys_of_cose_hpke_open() {
        // draft-ietf-cose-hpke-24, test vectors: HPKE-0-KE and HPKE-3-KE with the default info and HPKE
        // additional data. Their contents have IVs of 16 bytes, which are refused here.
        for crypto in providers() {
            for (suite, curve, secret, protected, encapsulated, sealed) in [
                (
                    HpkeSuite::P256Aes128Gcm,
                    Curve::P256,
                    "e8de39325f3c0be02442076c470a46bca742de9bc2be453ec1dc049dda1f6ca3",
                    "a201182e044d626f622d68706b655f305f6b65",
                    concat!(
                        "040189cdaf807a039007db9e2984717cff68554f1bbe372d73a7af89cad1b3b1ec",
                        "dcfca75e2c3786ac3a7f61bf303395e2768b114ded2f4be39d40fff7917bb987"
                    ),
                    "11a6de6b6c1e5240a1035c1239c7a8b3000e7dc383818a97099f19b6c2b73b1b",
                ),
                (
                    HpkeSuite::X25519Aes128Gcm,
                    Curve::X25519,
                    "60cb9ff63744acdac02a48527dfc2810fc49bc1223a240d870fa2d668c891155",
                    "a2011831044d626f622d68706b655f335f6b65",
                    "71075e8a1b304ef9edbc2936f6e5be4ac2e4e7ad59ad37d748fb580bb5fc5c58",
                    "5b3704e4c7fd8f05c51fde7f159e701aeba21c55b82dec0e42b9bf9a6a9634c4",
                ),
            ] {
                let own = RecipientKey::agreement(&crypto, key(&crypto, curve, secret));
                let crate::encrypt::recipient_key::Means::Agree(own) = &own.means else {
                    unreachable!("made of a private key");
                };
                let info = recipient_structure(ContentAlgorithm::A128Gcm, &hex(protected));
                let (encapsulated, sealed) = (hex(encapsulated), hex(sealed));
                let open = |info: &[u8]| open(&crypto, suite, &**own, &encapsulated, info, &sealed);
                assert_eq!(open(&info).unwrap().secret_bytes().len(), 16);
                let other = recipient_structure(ContentAlgorithm::A128Ctr, &hex(protected));
                assert_eq!(open(&other).err(), Some(Error::BadCiphertext));
            }
        }
    }
}
