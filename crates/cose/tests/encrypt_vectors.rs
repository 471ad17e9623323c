//! Encryption against the examples of draft-ietf-suit-firmware-encryption and draft-ietf-cose-hpke.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

use std::{fs, path::PathBuf};

use tamarack_cose::{
    CryptoProvider, SymmetricKey, aws_lc,
    encrypt::{
        ContentAlgorithm, Curve, DecryptionKey, Encrypted, EncryptionKey, KeyWrap,
        RecipientAlgorithm, RecipientInfo, RecipientKey, kdf_context,
    },
    rustcrypto,
};

const PURPOSE: &[u8] = b"SUIT Payload Encryption";
const PLAINTEXT: &[u8] = b"This is a real firmware image.";

fn providers() -> [CryptoProvider; 2] {
    [rustcrypto::provider(), aws_lc::provider()]
}

fn hex(text: &str) -> Vec<u8> {
    base16ct::mixed::decode_vec(text).unwrap()
}

/// A published vector; `None`, said loudly, if the vectors are not there.
fn vector(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("TAMARACK_VECTORS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/vectors"
            ))
        },
        PathBuf::from,
    );
    match fs::read(folder.join("suit-encryption").join(name)) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            eprintln!("SKIPPED: {name} is not in {}: {error}", folder.display());
            None
        }
    }
}

/// The key-encryption key `kid-1` and the private key `kid-2` of the examples.
fn keys(crypto: &CryptoProvider) -> [RecipientKey; 2] {
    let secret = hex("60FE6DD6D85D5740A5349B6F91267EEAC5BA81B8CB53EE249E4B4EB102C476B3");
    let key = DecryptionKey::from_bytes(crypto, Curve::P256, &secret.try_into().unwrap()).unwrap();
    let public = EncryptionKey::P256 {
        x: hex("5886CD61DD875862E5AAA820E7A15274C968A9BC96048DDCACE32F50C3651BA3")
            .try_into()
            .unwrap(),
        y: hex("9EED8125E932CD60C0EAD3650D0A485CF726D378D1B016ED4298B2961E258F1B")
            .try_into()
            .unwrap(),
    };
    assert_eq!(*key.public_key(), public);
    [
        RecipientKey::wrapping(crypto, SymmetricKey::new(*b"aaaaaaaaaaaaaaaa"))
            .with_key_id("kid-1"),
        RecipientKey::agreement(crypto, key).with_key_id("kid-2"),
    ]
}

// req: SUIT-ENC-001, SUIT-ENC-012, SUIT-ENC-013, SUIT-ENC-018, SUIT-ENC-019, SUIT-ENC-020, SUIT-AMB-022, SUIT-AMB-023, SUIT-AMB-024
#[test]
fn the_examples_of_the_draft_decrypt() {
    for crypto in providers() {
        for (distribution, cipher) in [
            ("aes-kw", "aes-ctr"),
            ("aes-kw", "aes-gcm"),
            ("es-ecdh", "aes-ctr"),
            ("es-ecdh", "aes-gcm"),
        ] {
            let name = format!("{distribution}-{cipher}.cbor");
            let Some(info) = vector(&format!("suit-encryption-info-{name}")) else {
                return;
            };
            let ciphertext = vector(&format!("encrypted-payload-{name}")).unwrap();
            let encrypted = Encrypted::decode_encrypt(&info).unwrap();
            assert_eq!(encrypted.ciphertext(), None);
            let expected = match distribution {
                "aes-kw" => RecipientAlgorithm::KeyWrap(KeyWrap::A128Kw),
                _ => RecipientAlgorithm::EcdhEs(KeyWrap::A128Kw),
            };
            let algorithms: Vec<_> = (encrypted.recipients().unwrap().iter())
                .map(RecipientInfo::algorithm)
                .collect();
            assert_eq!(algorithms, [Some(expected)]);
            let key = encrypted
                .content_key(&crypto, &keys(&crypto), PURPOSE)
                .unwrap();
            let mut decryptor = encrypted.decryptor(&crypto, &key, b"").unwrap();
            let mut plaintext = Vec::new();
            for byte in &ciphertext {
                decryptor.update(&[*byte], &mut plaintext).unwrap();
            }
            decryptor.finish(&mut plaintext).unwrap();
            assert_eq!(plaintext, PLAINTEXT, "{name}");
        }
    }
}

// req: SUIT-ENC-015, SUIT-ENC-016
#[test]
fn the_kdf_context_is_that_of_the_draft() {
    // suit-encryption/a128kw_kdf_context.diag
    let mut expected = hex("842283f6f6f683f6f6f683188044a101381c57");
    expected.extend_from_slice(PURPOSE);
    assert_eq!(
        kdf_context(KeyWrap::A128Kw, &hex("a101381c"), PURPOSE),
        expected
    );
}

// req: SUIT-ENC-016
#[test]
fn a_key_sent_for_another_purpose_is_none() {
    let crypto = rustcrypto::provider();
    let Some(info) = vector("suit-encryption-info-es-ecdh-aes-gcm.cbor") else {
        return;
    };
    let encrypted = Encrypted::decode(&info).unwrap();
    for purpose in [&b""[..], b"SUIT Report Encryption"] {
        assert!(
            encrypted
                .content_key(&crypto, &keys(&crypto), purpose)
                .is_err()
        );
    }
}

#[test]
fn the_examples_of_cose_hpke_decrypt() {
    // draft-ietf-cose-hpke-24, test vectors: HPKE-4-KE with the default info and HPKE additional data.
    let key = hex(
        "a60101024d626f622d68706b655f345f6b650318322004215820a5922a701eebdf665a7877e32b0651db5d3ad8eb\
         4be792f2dfd9d9ac5d04956123582000f28ee18a4ddcdd4f318dd88ba71efe0bb68002015e9c4879e99edf4e9c4b60",
    );
    for crypto in providers() {
        let keys = [RecipientKey::from_cose_key(&crypto, &key).unwrap()];
        assert_eq!(keys[0].key_id(), Some(&b"bob-hpke_4_ke"[..]));
        for (message, external_aad) in [
            (
                "d8608444a1011818a1054c06361aad32854c99401d9613582107f6ed7364a443fab2dc1710de081e8e535d621ab9\
                 8d45e92cd15ecfac213dff6d818353a2011832044d626f622d68706b655f345f6b65a1235820ba1cbbf9ccacde06\
                 6147b54ea4c28806c41add5495c37295d520d5332d247102583022d9d848d1e3603de56c4a3a0ece5ca75e6a51b9\
                 29d28142a53067f6169001da5320bbe23facb5c4f6f428f35c4af1cb",
                &b""[..],
            ),
            (
                "d8608444a1011818a1054c3d211831f229feb2b70db089582105a0acb03ea75dd18d53bf05e648260c91c8903559\
                 85a11d527eb8c4189590b08d818353a2011832044d626f622d68706b655f345f6b65a1235820c18fb4814d1f116b\
                 82836aeb213bd3528ae6a2417da08cc5abb6b15575217b345830ec408b0789d9097e9be5101e9e84a30760895557\
                 0547964d2d840aecef45909361477ce85b012d4ad0d3bd9b2fad9101",
                b"external-aad",
            ),
        ] {
            let message = hex(message);
            let encrypted = Encrypted::decode(&message).unwrap();
            assert_eq!(encrypted.algorithm(), ContentAlgorithm::ChaCha20Poly1305);
            let key = encrypted.content_key(&crypto, &keys, PURPOSE).unwrap();
            let plaintext = encrypted.decrypt(&crypto, &key, external_aad, None);
            assert_eq!(plaintext.as_deref(), Ok(&b"hpke test payload"[..]));
        }
    }
}
