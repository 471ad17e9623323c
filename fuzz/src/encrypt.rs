//! Encrypted COSE structures, and the keys that open them.

use tamarack_cose::{
    CryptoProvider, Error, SymmetricKey,
    encrypt::{ContentKey, Curve, DecryptionKey, Encrypted, EncryptionKey, RecipientKey},
    rustcrypto,
};

use crate::insecure;

/// What the seeds are encrypted for.
pub const PURPOSE: &[u8] = b"SUIT Payload Encryption";

/// The ciphertext of what carries none.
const DETACHED: &[u8] = &[0x5a; 100];

/// Runs the target.
pub fn run(data: &[u8]) {
    if let Ok(encrypted) = Encrypted::decode(data) {
        decrypt(&insecure::provider(), &encrypted);
        decrypt(&real(), &encrypted);
    }
    if let Ok(key) = EncryptionKey::from_cose_key(data) {
        assert_eq!(EncryptionKey::from_cose_key(&key.to_cose_key()), Ok(key));
        assert_eq!(EncryptionKey::from_jwk(&key.to_jwk()), Ok(key));
        assert_eq!(
            EncryptionKey::from_point(key.curve(), &key.to_point()),
            Ok(key)
        );
    }
    if let Ok(key) = DecryptionKey::from_cose_key(&real(), data) {
        let again = DecryptionKey::from_cose_key(&real(), &key.to_cose_key());
        assert_eq!(
            again.expect("what is written is read").public_key(),
            key.public_key()
        );
    }
    if let Ok(key) = SymmetricKey::from_cose_key(data) {
        let again = SymmetricKey::from_cose_key(&key.to_cose_key());
        assert_eq!(
            again.expect("what is written is read").secret_bytes(),
            key.secret_bytes()
        );
    }
    if let Ok(text) = str::from_utf8(data) {
        let _ = RecipientKey::from_jwk(&real(), text);
        if let Ok(key) = EncryptionKey::from_pem(text) {
            assert_eq!(EncryptionKey::from_cose_key(&key.to_cose_key()), Ok(key));
        }
    }
}

/// Real primitives, with randomness that is the same each time.
pub fn real() -> CryptoProvider {
    CryptoProvider {
        random: insecure::provider().random,
        ..rustcrypto::provider()
    }
}

/// The key that wraps in the seeds, and encrypts directly.
pub fn symmetric() -> SymmetricKey {
    SymmetricKey::new([1; 16])
}

/// The private key that the seeds are encrypted to.
pub fn private(crypto: &CryptoProvider, curve: Curve) -> DecryptionKey {
    DecryptionKey::from_bytes(crypto, curve, &[7; 32]).expect("a valid key")
}

fn decrypt(crypto: &CryptoProvider, encrypted: &Encrypted<'_>) {
    let mut keys = vec![
        RecipientKey::wrapping(crypto, symmetric()),
        RecipientKey::direct(symmetric()),
    ];
    keys.extend(Curve::ALL.map(|curve| RecipientKey::agreement(crypto, private(crypto, curve))));
    let nobody = encrypted.content_key(crypto, &[], PURPOSE);
    assert!(nobody.is_err(), "a content key without a key");
    let Ok(key) = encrypted.content_key(crypto, &keys, PURPOSE) else {
        return;
    };
    assert_eq!(key.algorithm(), encrypted.algorithm());
    let detached = match encrypted.ciphertext() {
        Some(_) => None,
        None => Some(DETACHED),
    };
    let whole = encrypted.decrypt(crypto, &key, b"", detached);
    for size in [1, 15, 16, 17] {
        assert_eq!(in_pieces(crypto, encrypted, &key, size), whole);
    }
}

fn in_pieces(
    crypto: &CryptoProvider,
    encrypted: &Encrypted<'_>,
    key: &ContentKey,
    size: usize,
) -> Result<Vec<u8>, Error> {
    let mut decryptor = encrypted.decryptor(crypto, key, b"")?;
    let mut plaintext = Vec::new();
    for piece in encrypted.ciphertext().unwrap_or(DETACHED).chunks(size) {
        let before = plaintext.len();
        decryptor.update(piece, &mut plaintext)?;
        assert!(plaintext.len() - before <= piece.len() + 16);
    }
    decryptor.finish(&mut plaintext)?;
    Ok(plaintext)
}
