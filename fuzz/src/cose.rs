//! COSE structures and keys.

use tamarack_cose::{PublicKey, SecretKey, Signed};

use crate::insecure;

/// Runs the target.
pub fn run(data: &[u8]) {
    if let Ok(signed) = Signed::decode(data) {
        verify(&signed);
    }
    if let Ok(key) = PublicKey::from_cose_key(data) {
        assert_eq!(PublicKey::from_cose_key(&key.to_cose_key()), Ok(key));
        assert_eq!(PublicKey::from_jwk(&key.to_jwk()), Ok(key));
    }
    // With real curves: that the public members belong to the private one is part of what is read.
    let crypto = tamarack_cose::rustcrypto::provider();
    if let Ok(key) = SecretKey::from_cose_key(&crypto, data) {
        let again = SecretKey::from_cose_key(&crypto, &key.to_cose_key());
        assert_eq!(
            again.expect("what is written is read").public_key(),
            key.public_key()
        );
    }
    if let Ok(text) = str::from_utf8(data) {
        if let Ok(key) = PublicKey::from_jwk(text) {
            assert_eq!(PublicKey::from_jwk(&key.to_jwk()), Ok(key));
        }
        if let Ok(key) = PublicKey::from_pem(text) {
            assert_eq!(PublicKey::from_cose_key(&key.to_cose_key()), Ok(key));
        }
    }
}

fn verify(signed: &Signed<'_>) {
    let crypto = insecure::provider();
    let trusted = insecure::keys();
    for headers in signed.signatures() {
        let _ = (
            headers.algorithm(),
            headers.key_id(),
            headers.algorithm_id(),
        );
    }
    let nobody = signed.verify(&crypto, &[], Some(b"payload"));
    assert!(nobody.is_err(), "verified without a trusted key");
    if let Ok((key, payload)) = signed.verify(&crypto, &trusted, None) {
        assert!(trusted.contains(&key));
        assert_eq!(Some(payload), signed.unverified_payload());
    }
    if let Ok((key, payload)) = signed.verify(&crypto, &trusted, Some(b"payload")) {
        assert!(trusted.contains(&key));
        assert_eq!(
            (payload, signed.unverified_payload()),
            (&b"payload"[..], None)
        );
    }
}
