//! Encryption: COSE_Encrypt and COSE_Encrypt0 (RFC 9052 section 5), their content keys, and streams.
//!
//! A receiver decodes an [`Encrypted`], finds the [`ContentKey`] with the [`RecipientKey`]s it has, and
//! feeds the ciphertext to a [`Decryptor`] piece by piece, in memory that does not grow with it. An author
//! names the [`Recipient`]s in an [`Encryption`], which draws a content key and encrypts it to each.
//!
//! Keys that encrypt are of other types than keys that sign. What wraps or agrees is reached through
//! [`KeyUnwrapper`] and [`KeyAgreement`], so a key can stay in a secure element.
//!
//! | content | AES-GCM, ChaCha20/Poly1305, AES-CTR, AES-CBC ([`ContentAlgorithm`]) |
//! |---|---|
//! | content keys | AES-KW, ECDH-ES with AES-KW, HPKE, direct ([`RecipientAlgorithm`]) |
//! | curves | P-256, X25519 ([`Curve`]) |
//!
//! AES-CTR and AES-CBC notice no change: check a digest of the ciphertext before decrypting, or at least
//! one of the plaintext before using it (requirements SUIT-ENC-021 and SUIT-ENC-023).
//!
//! Standards: RFC 9052 and RFC 9053 (COSE), RFC 9459 (AES-CTR and AES-CBC), RFC 3394 (AES-KW), RFC 9180
//! (HPKE), draft-ietf-cose-hpke-24, draft-ietf-suit-firmware-encryption-24.
//!
//! ```
//! use tamarack_cose::{
//!     encrypt::{ContentAlgorithm, Curve, DecryptionKey, Encrypted, Encryption, Recipient, RecipientKey},
//!     rustcrypto,
//! };
//!
//! let crypto = rustcrypto::provider();
//! let key = DecryptionKey::generate(&crypto, Curve::P256)?;
//! let purpose = b"SUIT Payload Encryption";
//!
//! // The author, who knows the public key:
//! let encryption = Encryption::new(ContentAlgorithm::A128Gcm, purpose);
//! let recipients = [Recipient::agreement(key.public_key())];
//! let (info, mut encryptor) = encryption.detached(&crypto, &recipients)?;
//! let mut ciphertext = Vec::new();
//! encryptor.update(b"new firmware", &mut ciphertext)?;
//! encryptor.finish(&mut ciphertext)?;
//!
//! // The device:
//! let encrypted = Encrypted::decode(&info)?;
//! let keys = [RecipientKey::agreement(&crypto, key)];
//! let content_key = encrypted.content_key(&crypto, &keys, purpose)?;
//! let mut decryptor = encrypted.decryptor(&crypto, &content_key, b"")?;
//! let mut plaintext = Vec::new();
//! for piece in ciphertext.chunks(7) {
//!     decryptor.update(piece, &mut plaintext)?;
//! }
//! decryptor.finish(&mut plaintext)?;
//! assert_eq!(plaintext, b"new firmware");
//! # Ok::<(), tamarack_cose::Error>(())
//! ```

mod algorithm;
mod author;
mod content_key;
mod encrypted;
mod header;
mod hpke;
#[cfg(feature = "jwk")]
mod jwk;
mod kdf;
mod key;
#[cfg(feature = "pem")]
mod pem;
mod provider;
mod recipient_key;
mod symmetric;

pub use algorithm::{ContentAlgorithm, HpkeSuite, KeyWrap, RecipientAlgorithm};
pub(crate) use author::write_recipient;
pub use author::{Encryption, Recipient, encrypt0};
pub use content_key::ContentKey;
pub(crate) use encrypted::read_recipients;
pub use encrypted::{Encrypted, MAX_RECIPIENTS, RecipientInfo};
pub use kdf::kdf_context;
pub use key::{Curve, DecryptionKey, EncryptionKey};
pub use provider::{Ciphers, Decryptor, Encryptor, KeyAgreements};
pub use recipient_key::{KeyAgreement, KeyUnwrapper, RecipientKey};
