//! The keys of encryption: agreement, formats, homes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use tamarack_cose::{
    CryptoProvider, Error, KeyError, SymmetricKey, aws_lc,
    encrypt::{
        ContentAlgorithm, ContentKey, Curve, DecryptionKey, Encrypted, Encryption, EncryptionKey,
        KeyAgreement, KeyUnwrapper, KeyWrap, Recipient, RecipientKey,
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

/// Decrypts an object with its ciphertext attached.
fn open(crypto: &CryptoProvider, message: &[u8], key: &RecipientKey) -> Result<Vec<u8>, Error> {
    let encrypted = Encrypted::decode(message)?;
    let key = encrypted.content_key(crypto, std::slice::from_ref(key), PURPOSE)?;
    encrypted.decrypt(crypto, &key, b"", None)
}

#[test]
fn rfc_7748_section_6_1() {
    let alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    let bob = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    for crypto in providers() {
        let [alice, bob] = [alice, bob].map(|secret| {
            let secret = hex(secret).try_into().unwrap();
            DecryptionKey::from_bytes(&crypto, Curve::X25519, &secret).unwrap()
        });
        for (own, peer) in [(&alice, &bob), (&bob, &alice)] {
            let secret = crypto.agreements.agree(own, peer.public_key()).unwrap();
            assert_eq!(secret.secret_bytes(), shared);
        }
    }
}

#[test]
fn points_that_fix_the_secret_or_lie_off_the_curve_are_refused() {
    let order_8 = hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
    for crypto in providers() {
        let x25519 = DecryptionKey::generate(&crypto, Curve::X25519).unwrap();
        for x in [
            [0; 32],
            {
                let mut one = [0; 32];
                one[0] = 1;
                one
            },
            order_8.clone().try_into().unwrap(),
        ] {
            let outcome = crypto
                .agreements
                .agree(&x25519, &EncryptionKey::X25519 { x });
            assert!(outcome.is_err());
        }
        let p256 = DecryptionKey::generate(&crypto, Curve::P256).unwrap();
        for (x, y) in [
            ([1; 32], [1; 32]),
            ([0; 32], [0; 32]),
            ([0xff; 32], [0xff; 32]),
        ] {
            let outcome = crypto
                .agreements
                .agree(&p256, &EncryptionKey::P256 { x, y });
            assert!(outcome.is_err());
        }
        assert!(crypto.agreements.agree(&p256, x25519.public_key()).is_err());
        assert!(crypto.agreements.agree(&x25519, p256.public_key()).is_err());
        for secret in [[0; 32], [0xff; 32]] {
            assert!(DecryptionKey::from_bytes(&crypto, Curve::P256, &secret).is_err());
        }
    }
}

// req: SUIT-ENC-011
#[test]
fn a_key_can_stay_in_a_secure_element() {
    struct Element(CryptoProvider, DecryptionKey, SymmetricKey);
    impl KeyAgreement for Element {
        fn public_key(&self) -> &EncryptionKey {
            self.1.public_key()
        }
        fn agree(&self, peer: &EncryptionKey) -> Result<SymmetricKey, Error> {
            self.0.agreements.agree(&self.1, peer)
        }
    }
    impl KeyUnwrapper for Element {
        fn algorithm(&self) -> Option<KeyWrap> {
            KeyWrap::from_key_len(self.2.secret_bytes().len())
        }
        fn unwrap(&self, algorithm: KeyWrap, wrapped: &[u8]) -> Result<SymmetricKey, Error> {
            self.0.ciphers.unwrap(algorithm, &self.2, wrapped)
        }
    }
    let crypto = rustcrypto::provider();
    let key = DecryptionKey::generate(&crypto, Curve::X25519).unwrap();
    let kek = SymmetricKey::generate(&crypto, 16).unwrap();
    let element = || Box::new(Element(crypto, key.clone(), kek.clone()));
    let encryption = Encryption::new(ContentAlgorithm::ChaCha20Poly1305, PURPOSE);
    for (recipient, own) in [
        (
            Recipient::agreement(key.public_key()),
            RecipientKey::agreement_in(element()),
        ),
        (
            Recipient::hpke(key.public_key()),
            RecipientKey::agreement_in(element()),
        ),
        (
            Recipient::wrapping(&kek).unwrap(),
            RecipientKey::wrapping_in(element()),
        ),
    ] {
        let message = encryption
            .attached(&crypto, &[recipient], b"content")
            .unwrap();
        assert_eq!(
            open(&crypto, &message, &own).as_deref(),
            Ok(&b"content"[..])
        );
    }
}

#[test]
fn keys_round_trip_in_every_format() {
    for crypto in providers() {
        for curve in Curve::ALL {
            let key = DecryptionKey::generate(&crypto, curve).unwrap();
            let public = *key.public_key();
            assert_eq!(
                EncryptionKey::from_cose_key(&public.to_cose_key()),
                Ok(public)
            );
            assert_eq!(EncryptionKey::from_jwk(&public.to_jwk()), Ok(public));
            assert_eq!(
                EncryptionKey::from_pem(&public.to_pem().unwrap()),
                Ok(public)
            );
            assert_eq!(
                EncryptionKey::from_point(curve, &public.to_point()),
                Ok(public)
            );
            for again in [
                DecryptionKey::from_cose_key(&crypto, &key.to_cose_key()),
                DecryptionKey::from_jwk(&crypto, &key.to_jwk()),
                DecryptionKey::from_pem(&crypto, &key.to_pem(&crypto).unwrap()),
            ] {
                let again = again.unwrap();
                assert_eq!(again.public_key(), &public);
                assert_eq!(again.secret_bytes(), key.secret_bytes());
            }
            assert!(DecryptionKey::from_cose_key(&crypto, &public.to_cose_key()).is_err());
            assert!(DecryptionKey::from_jwk(&crypto, &public.to_jwk()).is_err());
            assert!(DecryptionKey::from_pem(&crypto, &public.to_pem().unwrap()).is_err());
        }
        let key = SymmetricKey::generate(&crypto, 24).unwrap();
        let cose = SymmetricKey::from_cose_key(&key.to_cose_key()).unwrap();
        let jwk = SymmetricKey::from_jwk(&key.to_jwk()).unwrap();
        assert_eq!(cose.secret_bytes(), key.secret_bytes());
        assert_eq!(jwk.secret_bytes(), key.secret_bytes());
        let without_curve = DecryptionKey::from_cose_key(&crypto, &key.to_cose_key());
        assert_eq!(without_curve.err(), Some(KeyError::KeyType(4).into()));
        assert!(SymmetricKey::from_cose_key(&hex("a201042040")).is_err());
        assert!(SymmetricKey::from_jwk(r#"{"kty":"oct","k":""}"#).is_err());
    }
}

#[test]
fn the_label_of_a_pem_block_counts() {
    let crypto = rustcrypto::provider();
    for curve in Curve::ALL {
        let key = DecryptionKey::generate(&crypto, curve).unwrap();
        let private = key.to_pem(&crypto).unwrap();
        let public = key.public_key().to_pem().unwrap();
        for label in ["CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY"] {
            let relabelled = public.replace("PUBLIC KEY", label);
            let expected = format!("not a valid PEM key: the block is a {label}, not a PUBLIC KEY");
            assert_eq!(
                EncryptionKey::from_pem(&relabelled).map_err(|error| error.to_string()),
                Err(expected)
            );
        }
        let relabelled = |label: &str| {
            let pem = private.replace("PRIVATE KEY", label);
            DecryptionKey::from_pem(&crypto, &pem).unwrap_err()
        };
        assert_eq!(relabelled("PUBLIC KEY"), KeyError::NotPrivate.into());
        assert_eq!(
            relabelled("CERTIFICATE").to_string(),
            "not a valid PEM key: the block is a CERTIFICATE, not a PRIVATE KEY"
        );
        assert!(matches!(relabelled("EC PRIVATE KEY"), Error::Key(_)));
    }
}

#[test]
fn keys_of_other_tools_are_read() {
    let crypto = rustcrypto::provider();
    // Alice of RFC 7748 section 6.1, as OpenSSL writes her.
    let private = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n\
        -----END PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n\
        -----END PUBLIC KEY-----\n";
    let key = DecryptionKey::from_pem(&crypto, private).unwrap();
    assert_eq!(EncryptionKey::from_pem(public), Ok(*key.public_key()));
    assert_eq!(**key.to_pem(&crypto).unwrap(), *private);
    assert_eq!(key.public_key().to_pem().as_deref(), Ok(public));
    // RFC 8037 appendix A.6.
    let jwk = r#"{"kty":"OKP","crv":"X25519","kid":"Bob","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}"#;
    let bob = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_eq!(EncryptionKey::from_jwk(jwk).unwrap().to_point(), bob);
    let jwk = r#"{"kty":"oct","kid":"kid-1","k":"YWFhYWFhYWFhYWFhYWFhYQ"}"#;
    let key = RecipientKey::from_jwk(&crypto, jwk).unwrap();
    assert_eq!(key.key_id(), Some(&b"kid-1"[..]));
    let kek = SymmetricKey::new(*b"aaaaaaaaaaaaaaaa");
    let recipient = Recipient::wrapping(&kek).unwrap().with_key_id(b"kid-1");
    let encryption = Encryption::new(ContentAlgorithm::A128Ctr, PURPOSE);
    let message = encryption.attached(&crypto, &[recipient], b"content");
    assert_eq!(
        open(&crypto, &message.unwrap(), &key).as_deref(),
        Ok(&b"content"[..])
    );
    // A signature key encrypts nothing.
    let ed25519 =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert!(EncryptionKey::from_jwk(ed25519).is_err());
}

#[test]
fn nothing_secret_is_shown() {
    let crypto = rustcrypto::provider();
    let symmetric = SymmetricKey::new([0xab; 16]);
    let private = DecryptionKey::from_bytes(&crypto, Curve::X25519, &[0xab; 32]).unwrap();
    let content = ContentKey::new(ContentAlgorithm::A128Gcm, symmetric.clone()).unwrap();
    for shown in [
        format!("{private:?}"),
        format!("{content:?}"),
        format!("{:?}", Recipient::wrapping(&symmetric)),
        format!("{:?}", RecipientKey::wrapping(&crypto, symmetric.clone())),
        format!("{:?}", RecipientKey::direct(symmetric.clone())),
        format!("{:?}", RecipientKey::agreement(&crypto, private.clone())),
    ] {
        assert!(
            !shown.contains("abab") && !shown.contains("171, 171"),
            "{shown}"
        );
    }
}
