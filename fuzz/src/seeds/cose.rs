use tamarack_cose::{
    KeyId, SecretKey,
    SignatureAlgorithm::{Ed25519, Esp256},
    rustcrypto, sign, sign1, sign1_detached,
};

use crate::insecure;

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let crypto = insecure::provider();
    let [esp256, ed25519] = [Esp256, Ed25519].map(insecure::signer);
    let key_id = KeyId::of(esp256.public_key(), &crypto);
    // Real keys, because the target reads private ones with real curves.
    let [p256, ed] = [Esp256, Ed25519].map(|algorithm| {
        SecretKey::from_bytes(&rustcrypto::provider(), algorithm, &[7; 32]).expect("a valid key")
    });
    vec![
        (
            "sign1-esp256",
            sign1(&*esp256, b"payload", Some(&key_id)).expect("signs"),
        ),
        (
            "sign1-ed25519",
            sign1(&*ed25519, b"payload", None).expect("signs"),
        ),
        (
            "sign1-detached",
            sign1_detached(&*esp256, b"payload", None).expect("signs"),
        ),
        (
            "sign",
            sign(&crypto, &[&*esp256, &*ed25519], b"payload").expect("signs"),
        ),
        ("key-p256", p256.public_key().to_cose_key()),
        ("key-p256-private", p256.to_cose_key().to_vec()),
        ("key-p256.jwk", p256.public_key().to_jwk().into_bytes()),
        (
            "key-p256.pem",
            p256.public_key().to_pem().expect("a point").into_bytes(),
        ),
        ("key-ed25519", ed.public_key().to_cose_key()),
        ("key-ed25519-private", ed.to_cose_key().to_vec()),
        ("key-ed25519.jwk", ed.public_key().to_jwk().into_bytes()),
        (
            "key-ed25519.pem",
            ed.public_key().to_pem().expect("a point").into_bytes(),
        ),
    ]
}
