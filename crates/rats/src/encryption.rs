//! EATs on their way to a TAM: signed first, then encrypted (section 8.2 of the TEEP protocol).

use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, Error,
    cbor::{Reader, Type},
    encrypt::{ContentAlgorithm, Encrypted, Encryption, EncryptionKey, Recipient, RecipientKey},
    tag,
};

/// What the key derivation of an encrypted EAT is for.
// req: TEEP-ENC-005
const PURPOSE: &[u8] = b"EAT Encryption";

/// Encrypts a signed EAT to who holds the private half of `key`: ECDH-ES with A128KW, a fresh content key,
/// the ciphertext in it.
///
/// # Errors
///
/// If randomness fails or the key is not valid.
// req: TEEP-ENC-002
// req: TEEP-ENC-003
// req: TEEP-ENC-004
// req: TEEP-ENC-005
// req: TEEP-ENC-008
pub fn encrypt_eat(
    crypto: &CryptoProvider,
    algorithm: ContentAlgorithm,
    key: &EncryptionKey,
    token: &[u8],
) -> Result<Vec<u8>, Error> {
    let recipients = [Recipient::agreement(key)];
    Encryption::new(algorithm, PURPOSE).attached(crypto, &recipients, token)
}

/// Decrypts an EAT that is encrypted for one of `keys`. Whether it is genuine is not known by that: its
/// signature is inside.
///
/// # Errors
///
/// If it is encrypted for none of them, has no ciphertext in it, or was changed.
// req: TEEP-ENC-004
// req: TEEP-ENC-005
pub fn decrypt_eat(
    crypto: &CryptoProvider,
    keys: &[RecipientKey],
    bytes: &[u8],
) -> Result<Vec<u8>, Error> {
    let encrypted = Encrypted::decode(bytes)?;
    if encrypted.recipients().is_none() {
        return Err(Error::NoRecipient);
    }
    let key = encrypted.content_key(crypto, keys, PURPOSE)?;
    encrypted.decrypt(crypto, &key, &[], None)
}

/// Whether an EAT is encrypted: a COSE_Encrypt, tagged or not, which ends with an array of recipients where a
/// signed one has a byte string (AMB-19).
#[must_use]
pub fn is_encrypted_eat(bytes: &[u8]) -> bool {
    let rule = "EAT";
    let mut reader = Reader::new(bytes);
    match reader.peek() {
        Type::Tag => reader.tag(rule) == Ok(tag::ENCRYPT),
        Type::Array => {
            reader.array(rule) == Ok(4)
                && (0..3).all(|_| reader.skip(rule).is_ok())
                && reader.clone().array(rule).is_ok()
                // A COSE_Sign ends with an array too, of signatures: its headers tell them apart.
                && Encrypted::decode(bytes).is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamarack_cose::{
        SecretKey, SignatureAlgorithm,
        encrypt::{Curve, DecryptionKey},
        rustcrypto, sign1,
    };

    // req: TEEP-ENC-002
    // req: TEEP-ENC-003
    // req: TEEP-ENC-005
    // req: TEEP-ENC-006
    // req: TEEP-ENC-007
    // req: AMB-19
    // req: AMB-20
    #[test]
    fn a_signed_eat_is_encrypted_to_one_reader_under_each_profile() {
        let crypto = rustcrypto::provider();
        let signer = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
        let signer = crypto.signatures.signer(&signer).unwrap();
        let token = sign1(&*signer, b"claims", None).unwrap();
        assert!(!is_encrypted_eat(&token));
        for curve in [Curve::P256, Curve::X25519] {
            for algorithm in [
                ContentAlgorithm::A128Ctr,
                ContentAlgorithm::A128Gcm,
                ContentAlgorithm::ChaCha20Poly1305,
            ] {
                let key = DecryptionKey::generate(&crypto, curve).unwrap();
                let other = DecryptionKey::generate(&crypto, curve).unwrap();
                let public = &key.public_key().clone();
                let sealed = encrypt_eat(&crypto, algorithm, public, &token).unwrap();
                let again = encrypt_eat(&crypto, algorithm, public, &token).unwrap();
                assert_ne!(sealed, again, "fresh keys and IVs");
                let untagged = sealed.strip_prefix(&[0xd8, 96]).unwrap();
                // Under the purpose of reports, it is another key.
                let reports = Encryption::new(algorithm, b"SUIT Report Encryption");
                let recipients = [Recipient::agreement(public)];
                let report = reports.attached(&crypto, &recipients, &token).unwrap();
                let other = [RecipientKey::agreement(&crypto, other)];
                assert!(decrypt_eat(&crypto, &other, &sealed).is_err());
                let keys = [RecipientKey::agreement(&crypto, key)];
                for bytes in [&sealed[..], untagged] {
                    assert!(is_encrypted_eat(bytes));
                    assert_eq!(
                        decrypt_eat(&crypto, &keys, bytes).as_deref(),
                        Ok(&token[..])
                    );
                }
                assert!(decrypt_eat(&crypto, &keys, &report).is_err());
                let (detached, _) = Encryption::new(algorithm, PURPOSE)
                    .detached(&crypto, &recipients)
                    .unwrap();
                assert!(decrypt_eat(&crypto, &keys, &detached).is_err());
            }
        }
    }
}
