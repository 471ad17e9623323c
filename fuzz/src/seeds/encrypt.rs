use tamarack_cose::encrypt::{
    ContentAlgorithm::{self, A128Cbc, A128Ctr, A128Gcm, ChaCha20Poly1305},
    Curve, Encryption, Recipient, encrypt0,
};

use crate::encrypt::{PURPOSE, private, real, symmetric};

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let crypto = real();
    let kek = symmetric();
    let [p256, x25519] = Curve::ALL.map(|curve| private(&crypto, curve));
    let wrapped = Recipient::wrapping(&kek).expect("a length of AES");
    let by_p256 = Recipient::agreement(p256.public_key());
    let by_x25519 = Recipient::agreement(x25519.public_key());
    let attached = |algorithm: ContentAlgorithm, recipients: &[Recipient<'_>]| {
        Encryption::new(algorithm, PURPOSE)
            .attached(&crypto, recipients, b"a firmware image")
            .expect("encrypts")
    };
    let (info, _) = Encryption::new(A128Gcm, PURPOSE)
        .detached(&crypto, &[wrapped.with_key_id(b"kid-1")])
        .expect("encrypts");
    let encrypt0 = |algorithm, key_id| {
        encrypt0(&crypto, algorithm, &kek, key_id, b"", b"a report").expect("encrypts")
    };
    let hpke_p256 = Recipient::hpke(p256.public_key()).with_key_id(b"kid-2");
    let hpke_x25519 = Recipient::hpke(x25519.public_key());
    vec![
        ("detached", info),
        ("kw-ctr", attached(A128Ctr, &[wrapped])),
        ("kw-cbc", attached(A128Cbc, &[wrapped])),
        (
            "ecdh-p256-gcm",
            attached(A128Gcm, &[by_p256.with_salt(b"salt")]),
        ),
        (
            "ecdh-x25519-chacha",
            attached(ChaCha20Poly1305, &[by_x25519]),
        ),
        ("hpke-p256", attached(A128Gcm, &[hpke_p256])),
        ("hpke-x25519", attached(ChaCha20Poly1305, &[hpke_x25519])),
        ("direct", attached(A128Gcm, &[Recipient::direct(&kek)])),
        ("several", attached(A128Gcm, &[by_x25519, by_p256, wrapped])),
        ("encrypt0", encrypt0(A128Gcm, None)),
        ("encrypt0-ctr", encrypt0(A128Ctr, Some(b"tam"))),
        ("key-p256", p256.to_cose_key().to_vec()),
        ("key-x25519", x25519.to_cose_key().to_vec()),
        ("key-x25519.jwk", x25519.to_jwk().as_bytes().to_vec()),
        (
            "key-x25519.pem",
            x25519.public_key().to_pem().expect("a point").into_bytes(),
        ),
        ("key-symmetric", kek.to_cose_key().to_vec()),
        ("key-symmetric.jwk", kek.to_jwk().as_bytes().to_vec()),
    ]
}
