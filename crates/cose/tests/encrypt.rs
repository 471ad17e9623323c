//! COSE_Encrypt and COSE_Encrypt0: what is encrypted is decrypted, and nothing else is.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use proptest::prelude::*;
use tamarack_cose::{
    CryptoProvider, Error, SymmetricKey, aws_lc,
    encrypt::{
        ContentAlgorithm, ContentKey, Curve, DecryptionKey, Encrypted, Encryption, EncryptionKey,
        HpkeSuite, KeyWrap, Recipient, RecipientAlgorithm, RecipientKey, encrypt0,
    },
    rustcrypto,
};

const PURPOSE: &[u8] = b"SUIT Payload Encryption";

fn providers() -> [CryptoProvider; 2] {
    [rustcrypto::provider(), aws_lc::provider()]
}

fn hex(text: &str) -> Vec<u8> {
    base16ct::mixed::decode_vec(text).unwrap()
}

/// Both halves of a way to distribute content keys.
struct Method {
    algorithm: RecipientAlgorithm,
    symmetric: SymmetricKey,
    public: EncryptionKey,
    own: RecipientKey,
}

impl Method {
    fn new(crypto: &CryptoProvider, algorithm: RecipientAlgorithm, curve: Curve) -> Self {
        let length = match algorithm {
            RecipientAlgorithm::KeyWrap(wrap) => wrap.key_len(),
            _ => 16,
        };
        let symmetric = SymmetricKey::generate(crypto, length).unwrap();
        let private = DecryptionKey::generate(crypto, curve).unwrap();
        let public = *private.public_key();
        let own = match algorithm {
            RecipientAlgorithm::KeyWrap(_) => RecipientKey::wrapping(crypto, symmetric.clone()),
            RecipientAlgorithm::Direct => RecipientKey::direct(symmetric.clone()),
            _ => RecipientKey::agreement(crypto, private),
        };
        Self {
            algorithm,
            symmetric,
            public,
            own,
        }
    }

    fn recipient(&self) -> Recipient<'_> {
        match self.algorithm {
            RecipientAlgorithm::KeyWrap(_) => Recipient::wrapping(&self.symmetric).unwrap(),
            RecipientAlgorithm::EcdhEs(wrap) => Recipient::agreement_with(&self.public, wrap),
            RecipientAlgorithm::Hpke(suite) => Recipient::hpke_with(&self.public, suite),
            _ => Recipient::direct(&self.symmetric),
        }
    }
}

/// All ways but the direct one, which fits 128-bit keys only here.
fn methods(crypto: &CryptoProvider) -> Vec<Method> {
    let mut methods = Vec::new();
    for wrap in KeyWrap::ALL {
        methods.push(Method::new(
            crypto,
            RecipientAlgorithm::KeyWrap(wrap),
            Curve::P256,
        ));
        for curve in Curve::ALL {
            methods.push(Method::new(crypto, RecipientAlgorithm::EcdhEs(wrap), curve));
        }
    }
    for suite in HpkeSuite::ALL {
        methods.push(Method::new(
            crypto,
            RecipientAlgorithm::Hpke(suite),
            suite.curve(),
        ));
    }
    methods
}

/// Decrypts an object with its ciphertext attached.
fn open(crypto: &CryptoProvider, message: &[u8], key: &RecipientKey) -> Result<Vec<u8>, Error> {
    let encrypted = Encrypted::decode(message)?;
    let key = encrypted.content_key(crypto, std::slice::from_ref(key), PURPOSE)?;
    encrypted.decrypt(crypto, &key, b"", None)
}

fn aeads() -> impl Iterator<Item = ContentAlgorithm> {
    ContentAlgorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithm.is_authenticated())
}

// req: SUIT-ENC-012, SUIT-ENC-013, SUIT-ENC-015, SUIT-ENC-016, SUIT-ENC-018, SUIT-ENC-019, SUIT-ENC-020
#[test]
fn every_method_distributes_keys_of_every_cipher_between_all_providers() {
    for sender in providers() {
        for receiver in providers() {
            for method in methods(&receiver) {
                for algorithm in ContentAlgorithm::ALL {
                    let encryption = Encryption::new(algorithm, PURPOSE);
                    let recipients = [method.recipient()];
                    let message = encryption
                        .attached(&sender, &recipients, b"firmware")
                        .unwrap();
                    let encrypted = Encrypted::decode_encrypt(&message).unwrap();
                    assert_eq!(encrypted.algorithm(), algorithm);
                    let recipient = &encrypted.recipients().unwrap()[0];
                    assert_eq!(recipient.algorithm(), Some(method.algorithm));
                    let plaintext = open(&receiver, &message, &method.own);
                    assert_eq!(plaintext.as_deref(), Ok(&b"firmware"[..]));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // req: SUIT-ENC-018, SUIT-ENC-019
    #[test]
    fn what_streams_in_streams_out(
        plaintext in proptest::collection::vec(any::<u8>(), 0..2000),
        which in 0..13_usize,
        cipher in 0..10_usize,
        sizes in proptest::collection::vec(1..100_usize, 1..8),
    ) {
        let crypto = rustcrypto::provider();
        let methods = methods(&crypto);
        let method = &methods[which];
        let algorithm = ContentAlgorithm::ALL[cipher];
        let encryption = Encryption::new(algorithm, PURPOSE);
        let (info, mut encryptor) = encryption.detached(&crypto, &[method.recipient()]).unwrap();
        let mut ciphertext = Vec::new();
        for piece in plaintext.chunks(sizes[0]) {
            encryptor.update(piece, &mut ciphertext).unwrap();
        }
        encryptor.finish(&mut ciphertext).unwrap();
        prop_assert_eq!(ciphertext.len() as u64, algorithm.ciphertext_len(plaintext.len() as u64));

        let encrypted = Encrypted::decode_encrypt(&info).unwrap();
        prop_assert_eq!(encrypted.ciphertext(), None);
        let keys = std::slice::from_ref(&method.own);
        let key = encrypted.content_key(&crypto, keys, PURPOSE).unwrap();
        let mut decryptor = encrypted.decryptor(&crypto, &key, b"").unwrap();
        let (mut rest, mut again) = (&ciphertext[..], Vec::new());
        for size in sizes.iter().cycle() {
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            decryptor.update(piece, &mut again).unwrap();
            // Never more than a block is held back.
            prop_assert!(again.len() + 16 >= ciphertext.len() - behind.len());
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        decryptor.finish(&mut again).unwrap();
        prop_assert_eq!(again, plaintext);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Encrypted::decode(&bytes);
        let _ = RecipientKey::from_cose_key(&rustcrypto::provider(), &bytes);
    }
}

// req: SUIT-ENC-006
#[test]
fn no_changed_bit_and_no_cut_goes_unnoticed_under_authenticated_encryption() {
    let crypto = rustcrypto::provider();
    for method in methods(&crypto) {
        for algorithm in aeads() {
            let encryption = Encryption::new(algorithm, PURPOSE);
            let recipients = [method.recipient()];
            let mut message = encryption.attached(&crypto, &recipients, b"fw").unwrap();
            for end in 0..message.len() {
                assert!(open(&crypto, &message[..end], &method.own).is_err());
            }
            // X25519 ignores the top bit of a public key (RFC 7748 section 5), whose last byte stands before
            // the head of the wrapped key, which is of two bytes.
            let ignored = match (method.algorithm, method.public) {
                (RecipientAlgorithm::EcdhEs(_), EncryptionKey::X25519 { .. }) => {
                    let wrapped = algorithm.key_len() + 8;
                    Some((message.len() - wrapped - 3, 0x80))
                }
                _ => None,
            };
            for at in 0..message.len() {
                for bit in (0..8).map(|bit| 1 << bit) {
                    if ignored == Some((at, bit)) {
                        continue;
                    }
                    message[at] ^= bit;
                    let outcome = open(&crypto, &message, &method.own);
                    assert!(
                        outcome.is_err(),
                        "{:?}, byte {at}, bit {bit:#x}",
                        method.algorithm
                    );
                    message[at] ^= bit;
                }
            }
            assert!(open(&crypto, &message, &method.own).is_ok());
        }
    }
}

// req: SUIT-ENC-006
#[test]
fn a_detached_ciphertext_that_was_changed_or_cut_is_refused() {
    let crypto = rustcrypto::provider();
    let kek = SymmetricKey::generate(&crypto, 32).unwrap();
    let keys = [RecipientKey::wrapping(&crypto, kek.clone())];
    for algorithm in aeads() {
        let encryption = Encryption::new(algorithm, PURPOSE);
        let recipients = [Recipient::wrapping(&kek).unwrap()];
        let (info, mut encryptor) = encryption.detached(&crypto, &recipients).unwrap();
        let mut ciphertext = Vec::new();
        encryptor
            .update(b"a firmware image", &mut ciphertext)
            .unwrap();
        encryptor.finish(&mut ciphertext).unwrap();
        let encrypted = Encrypted::decode_encrypt(&info).unwrap();
        let key = encrypted.content_key(&crypto, &keys, PURPOSE).unwrap();
        let decrypt = |ciphertext: &[u8]| encrypted.decrypt(&crypto, &key, b"", Some(ciphertext));
        assert_eq!(
            decrypt(&ciphertext).as_deref(),
            Ok(&b"a firmware image"[..])
        );
        for at in 0..ciphertext.len() {
            assert_eq!(decrypt(&ciphertext[..at]), Err(Error::BadCiphertext));
            for bit in 0..8 {
                ciphertext[at] ^= 1 << bit;
                assert_eq!(decrypt(&ciphertext), Err(Error::BadCiphertext));
                ciphertext[at] ^= 1 << bit;
            }
        }
        ciphertext.push(0);
        assert_eq!(decrypt(&ciphertext), Err(Error::BadCiphertext));
        let missing = encrypted.decrypt(&crypto, &key, b"", None);
        assert_eq!(missing, Err(Error::Payload("missing")));
    }
}

// req: SUIT-ENC-010
#[test]
fn each_of_several_recipients_opens_the_same_content_key() {
    let crypto = rustcrypto::provider();
    let methods = methods(&crypto);
    let recipients: Vec<_> = methods.iter().map(Method::recipient).collect();
    let encryption = Encryption::new(ContentAlgorithm::A256Gcm, PURPOSE);
    let message = encryption
        .attached(&crypto, &recipients, b"for all")
        .unwrap();
    for method in &methods {
        assert_eq!(
            open(&crypto, &message, &method.own).as_deref(),
            Ok(&b"for all"[..])
        );
    }
    for stranger in self::methods(&crypto) {
        assert_eq!(
            open(&crypto, &message, &stranger.own),
            Err(Error::NoRecipient)
        );
    }
    let many = vec![recipients[0]; 33];
    assert!(encryption.attached(&crypto, &many, b"").is_err());
    assert!(encryption.attached(&crypto, &many[1..], b"").is_ok());
    assert!(encryption.attached(&crypto, &[], b"").is_err());
}

// req: SUIT-ENC-009
#[test]
fn keys_and_ivs_are_fresh_for_every_content() {
    let crypto = rustcrypto::provider();
    let method = Method::new(
        &crypto,
        RecipientAlgorithm::EcdhEs(KeyWrap::A128Kw),
        Curve::P256,
    );
    for algorithm in ContentAlgorithm::ALL {
        let encryption = Encryption::new(algorithm, PURPOSE);
        let recipients = [method.recipient()];
        let [one, two] = [(); 2].map(|()| {
            let message = encryption.attached(&crypto, &recipients, b"the same content");
            message.unwrap()
        });
        let [one, two] = [&one, &two].map(|message| Encrypted::decode(message).unwrap());
        assert_ne!(one.ciphertext(), two.ciphertext());
        // A key of the one is none for the other.
        let keys = std::slice::from_ref(&method.own);
        let key = one.content_key(&crypto, keys, PURPOSE).unwrap();
        assert_ne!(
            two.decrypt(&crypto, &key, b"", None).as_deref(),
            Ok(&b"the same content"[..])
        );
        assert_ne!(one.recipients(), two.recipients());
    }
}

// req: SUIT-ENC-013
#[test]
fn a_key_id_chooses_among_keys() {
    let crypto = rustcrypto::provider();
    let kek = SymmetricKey::generate(&crypto, 16).unwrap();
    let other = SymmetricKey::generate(&crypto, 16).unwrap();
    let own = |key: &SymmetricKey| RecipientKey::wrapping(&crypto, key.clone());
    let encryption = Encryption::new(ContentAlgorithm::A128Gcm, PURPOSE);
    let recipients = [Recipient::wrapping(&kek).unwrap().with_key_id(b"one")];
    let message = encryption
        .attached(&crypto, &recipients, b"content")
        .unwrap();
    let encrypted = Encrypted::decode(&message).unwrap();
    assert_eq!(
        encrypted.recipients().unwrap()[0].key_id(),
        Some(&b"one"[..])
    );
    let find = |keys: &[RecipientKey]| encrypted.content_key(&crypto, keys, PURPOSE).err();
    assert_eq!(find(&[own(&kek).with_key_id("one")]), None);
    // A key without an id may be meant, and so may several of one id.
    assert_eq!(find(&[own(&other), own(&kek)]), None);
    assert_eq!(
        find(&[own(&other).with_key_id("one"), own(&kek).with_key_id("one")]),
        None
    );
    assert_eq!(
        find(&[own(&kek).with_key_id("two")]),
        Some(Error::NoRecipient)
    );
    assert_eq!(
        find(&[own(&other).with_key_id("one")]),
        Some(Error::BadCiphertext)
    );
    assert_eq!(find(&[]), Some(Error::NoRecipient));
}

// req: SUIT-ENC-017
#[test]
fn a_salt_is_sent_along_and_counts() {
    for crypto in providers() {
        let method = Method::new(
            &crypto,
            RecipientAlgorithm::EcdhEs(KeyWrap::A256Kw),
            Curve::X25519,
        );
        let encryption = Encryption::new(ContentAlgorithm::A256Gcm, PURPOSE);
        let salt = b"a public salt of some bytes";
        let recipients = [method.recipient().with_salt(salt)];
        let mut message = encryption
            .attached(&crypto, &recipients, b"salted")
            .unwrap();
        assert_eq!(
            open(&crypto, &message, &method.own).as_deref(),
            Ok(&b"salted"[..])
        );
        let at = message
            .windows(salt.len())
            .position(|window| window == salt)
            .unwrap();
        message[at] ^= 1;
        assert_eq!(
            open(&crypto, &message, &method.own),
            Err(Error::NoRecipient)
        );
    }
}

// req: SUIT-ENC-016
#[test]
fn a_key_for_one_purpose_is_none_for_another() {
    let crypto = rustcrypto::provider();
    for curve in Curve::ALL {
        let method = Method::new(&crypto, RecipientAlgorithm::EcdhEs(KeyWrap::A128Kw), curve);
        for purpose in [&b""[..], b"SUIT Report Encryption"] {
            let encryption = Encryption::new(ContentAlgorithm::A128Gcm, purpose);
            let message = encryption
                .attached(&crypto, &[method.recipient()], b"report")
                .unwrap();
            assert_eq!(
                open(&crypto, &message, &method.own),
                Err(Error::NoRecipient)
            );
            let encrypted = Encrypted::decode(&message).unwrap();
            let keys = std::slice::from_ref(&method.own);
            assert!(encrypted.content_key(&crypto, keys, purpose).is_ok());
        }
    }
}

// req: SUIT-REP-019
#[test]
fn a_report_is_encrypted_under_a_shared_key() {
    for crypto in providers() {
        for algorithm in ContentAlgorithm::ALL {
            let key = SymmetricKey::generate(&crypto, algorithm.key_len()).unwrap();
            let message = encrypt0(&crypto, algorithm, &key, Some(b"tam"), b"", b"report").unwrap();
            let own = RecipientKey::direct(key.clone()).with_key_id("tam");
            assert_eq!(open(&crypto, &message, &own).as_deref(), Ok(&b"report"[..]));
            let encrypted = Encrypted::decode(&message).unwrap();
            assert_eq!(encrypted.key_id(), Some(&b"tam"[..]));
            assert_eq!(encrypted.recipients(), None);
            assert!(Encrypted::decode_encrypt(&message).is_err());
            // Without its tag it is the same.
            assert_eq!(Encrypted::decode(&message[1..]), Ok(encrypted));
            let stranger = RecipientKey::direct(key.clone()).with_key_id("mat");
            assert_eq!(open(&crypto, &message, &stranger), Err(Error::NoRecipient));
            let wrapping = RecipientKey::wrapping(&crypto, key);
            assert_eq!(open(&crypto, &message, &wrapping), Err(Error::NoRecipient));
        }
    }
}

#[test]
fn external_data_count_and_only_where_they_can() {
    let crypto = rustcrypto::provider();
    for algorithm in ContentAlgorithm::ALL {
        let key = SymmetricKey::generate(&crypto, algorithm.key_len()).unwrap();
        let message = encrypt0(&crypto, algorithm, &key, None, b"context", b"content");
        assert_eq!(message.is_ok(), algorithm.is_authenticated());
        let Ok(message) = message else { continue };
        let encrypted = Encrypted::decode(&message).unwrap();
        let key = ContentKey::new(algorithm, key).unwrap();
        let decrypt = |aad: &[u8]| encrypted.decrypt(&crypto, &key, aad, None);
        assert_eq!(decrypt(b"context").as_deref(), Ok(&b"content"[..]));
        assert_eq!(decrypt(b""), Err(Error::BadCiphertext));
    }
}

#[test]
fn a_direct_key_is_alone_and_bound_to_its_structure() {
    let crypto = rustcrypto::provider();
    let method = Method::new(&crypto, RecipientAlgorithm::Direct, Curve::P256);
    let wrapped = Method::new(
        &crypto,
        RecipientAlgorithm::KeyWrap(KeyWrap::A128Kw),
        Curve::P256,
    );
    let encryption = Encryption::new(ContentAlgorithm::A128Gcm, PURPOSE);
    let message = encryption
        .attached(&crypto, &[method.recipient()], b"direct")
        .unwrap();
    assert_eq!(
        open(&crypto, &message, &method.own).as_deref(),
        Ok(&b"direct"[..])
    );
    let both = [method.recipient(), wrapped.recipient()];
    assert!(encryption.attached(&crypto, &both, b"direct").is_err());
    // The same body as COSE_Encrypt0, under the same key.
    let encrypted = Encrypted::decode(&message).unwrap();
    let body = message[3..].strip_suffix(&hex("818340a1012540")[..]);
    let zero = [&[0xd0, 0x83][..], body.unwrap()].concat();
    assert_eq!(
        Encrypted::decode(&zero).unwrap().ciphertext(),
        encrypted.ciphertext()
    );
    assert_eq!(open(&crypto, &zero, &method.own), Err(Error::BadCiphertext));
}
