use alloc::{boxed::Box, vec, vec::Vec};

use super::{
    ContentAlgorithm, DecryptionKey, EncryptionKey, Encryptor, HpkeSuite, KeyWrap,
    RecipientAlgorithm,
    encrypted::{Context, additional_data},
    hpke,
    kdf::{kdf_context, key_encryption_key},
};
use crate::{
    CryptoProvider, Error, SymmetricKey,
    cbor::Writer,
    header::{self, label},
    tag,
};

/// Somebody whom content is encrypted to, as its author knows them.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'k> {
    algorithm: RecipientAlgorithm,
    key: Key<'k>,
    key_id: Option<&'k [u8]>,
    salt: Option<&'k [u8]>,
}

#[derive(Debug, Clone, Copy)]
enum Key<'k> {
    Symmetric(&'k SymmetricKey),
    Public(&'k EncryptionKey),
}

impl<'k> Recipient<'k> {
    fn new(algorithm: RecipientAlgorithm, key: Key<'k>) -> Self {
        Self {
            algorithm,
            key,
            key_id: None,
            salt: None,
        }
    }

    /// Who holds this key-encryption key, by AES-KW. One key for each device: what many share, each of them
    /// can give away (requirement SUIT-ENC-010).
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if the key is not 16, 24 or 32 bytes long.
    pub fn wrapping(kek: &'k SymmetricKey) -> Result<Self, Error> {
        let wrap = KeyWrap::from_key_len(kek.secret_bytes().len())
            .ok_or(Error::Misuse("AES-KW takes keys of 16, 24 or 32 bytes"))?;
        let algorithm = RecipientAlgorithm::KeyWrap(wrap);
        Ok(Self::new(algorithm, Key::Symmetric(kek)))
    }

    /// Who holds the private half of this key, by ECDH-ES with A128KW.
    #[must_use]
    pub fn agreement(key: &'k EncryptionKey) -> Self {
        Self::agreement_with(key, KeyWrap::A128Kw)
    }

    /// Who holds the private half of this key, by ECDH-ES with a key wrap.
    #[must_use]
    pub fn agreement_with(key: &'k EncryptionKey, wrap: KeyWrap) -> Self {
        Self::new(RecipientAlgorithm::EcdhEs(wrap), Key::Public(key))
    }

    /// Who holds the private half of this key, by HPKE with the suite that is preferred for its curve.
    #[must_use]
    pub fn hpke(key: &'k EncryptionKey) -> Self {
        Self::hpke_with(key, HpkeSuite::preferred(key.curve()))
    }

    /// Who holds the private half of this key, by HPKE with a suite, which must be of the key's curve.
    #[must_use]
    pub fn hpke_with(key: &'k EncryptionKey, suite: HpkeSuite) -> Self {
        Self::new(RecipientAlgorithm::Hpke(suite), Key::Public(key))
    }

    /// Who holds this content key. It must be the only recipient, and the key must not encrypt more than
    /// 2^32 contents, since their IVs are drawn at random.
    #[must_use]
    pub fn direct(key: &'k SymmetricKey) -> Self {
        Self::new(RecipientAlgorithm::Direct, Key::Symmetric(key))
    }

    /// The same recipient, with the id by which they know their key.
    #[must_use]
    pub fn with_key_id(self, key_id: &'k [u8]) -> Self {
        Self {
            key_id: Some(key_id),
            ..self
        }
    }

    /// The same recipient, with a salt for the key derivation of ECDH-ES, which is sent along; other
    /// algorithms take none.
    #[must_use]
    pub fn with_salt(self, salt: &'k [u8]) -> Self {
        Self {
            salt: Some(salt),
            ..self
        }
    }

    /// How this recipient comes by the content key.
    #[must_use]
    pub fn algorithm(&self) -> RecipientAlgorithm {
        self.algorithm
    }

    /// The COSE_recipient for `content_key`.
    // req: SUIT-ENC-012, SUIT-ENC-013, SUIT-ENC-015, SUIT-ENC-017
    fn encode(
        &self,
        crypto: &CryptoProvider,
        encryption: &Encryption<'_>,
        content_key: &SymmetricKey,
    ) -> Result<Vec<u8>, Error> {
        let id = self.algorithm.cose_id();
        match (self.algorithm, self.key) {
            (RecipientAlgorithm::KeyWrap(wrap), Key::Symmetric(kek)) => {
                let wrapped = crypto.ciphers.wrap(wrap, kek, content_key)?;
                Ok(Writer::build(|w| {
                    write_recipient(w, self.algorithm, self.key_id, &wrapped);
                }))
            }
            (RecipientAlgorithm::Direct, Key::Symmetric(_)) => Ok(Writer::build(|w| {
                write_recipient(w, self.algorithm, self.key_id, &[]);
            })),
            (RecipientAlgorithm::EcdhEs(wrap), Key::Public(key)) => {
                let protected = encryption.protected(id, None);
                let ephemeral = DecryptionKey::generate(crypto, key.curve())?;
                let secret = crypto.agreements.agree(&ephemeral, key)?;
                let salt = self.salt.unwrap_or_default();
                let context = kdf_context(wrap, &protected, encryption.purpose);
                let kek = key_encryption_key(crypto, wrap, &secret, salt, &context);
                let wrapped = crypto.ciphers.wrap(wrap, &kek, content_key)?;
                Ok(Writer::build(|w| {
                    w.array(3).bytes(&protected);
                    w.map(
                        1 + usize::from(self.key_id.is_some()) + usize::from(self.salt.is_some()),
                    );
                    write_key_id(w, self.key_id);
                    w.int(label::EPHEMERAL_KEY);
                    w.raw(&ephemeral.public_key().to_cose_key());
                    if let Some(salt) = self.salt {
                        w.int(label::SALT).bytes(salt);
                    }
                    w.bytes(&wrapped);
                }))
            }
            (RecipientAlgorithm::Hpke(suite), Key::Public(key)) => {
                // The key id is protected too, since HPKE can.
                let protected = encryption.protected(id, self.key_id);
                let ephemeral = DecryptionKey::generate(crypto, suite.curve())?;
                let info = hpke::recipient_structure(encryption.algorithm, &protected);
                let content_key = content_key.secret_bytes();
                let (encapsulated, sealed) =
                    hpke::seal(crypto, suite, &ephemeral, key, &info, content_key)?;
                Ok(Writer::build(|w| {
                    w.array(3).bytes(&protected).map(1);
                    w.int(label::EK).bytes(&encapsulated).bytes(&sealed);
                }))
            }
            _ => Err(Error::Misuse("a key of another kind than the algorithm's")),
        }
    }
}

/// Writes a COSE_recipient that protects nothing: one of AES-KW, or a direct one.
pub(crate) fn write_recipient(
    w: &mut Writer,
    algorithm: RecipientAlgorithm,
    key_id: Option<&[u8]>,
    encrypted_key: &[u8],
) {
    w.array(3).bytes(&[]);
    w.map(1 + usize::from(key_id.is_some()));
    w.int(label::ALG).int(algorithm.cose_id());
    write_key_id(w, key_id);
    w.bytes(encrypted_key);
}

/// Writes the parameter, if there is one.
fn write_key_id(w: &mut Writer, key_id: Option<&[u8]>) {
    if let Some(key_id) = key_id {
        w.int(label::KID).bytes(key_id);
    }
}

/// What an author settles before encrypting: the algorithm, and what the encryption is bound to.
///
/// Every call draws a fresh content key and a fresh IV from the provider's randomness, which is to follow
/// RFC 8937 where the source alone is not trusted.
// req: SUIT-ENC-009
#[derive(Debug, Clone, Copy)]
pub struct Encryption<'p> {
    algorithm: ContentAlgorithm,
    purpose: &'p [u8],
    target: Option<&'p [u8]>,
    external_aad: &'p [u8],
}

impl<'p> Encryption<'p> {
    /// Encryption for a purpose, as in [`Encrypted::content_key`](super::Encrypted::content_key); in SUIT
    /// it is `SUIT Payload Encryption`.
    #[must_use]
    pub fn new(algorithm: ContentAlgorithm, purpose: &'p [u8]) -> Self {
        Self {
            algorithm,
            purpose,
            target: None,
            external_aad: &[],
        }
    }

    /// The same, for this target only, as in [`Encrypted::content_key_for`](super::Encrypted::content_key_for).
    ///
    /// The target stands in the protected header of each recipient, where the key derivation of ECDH-ES and
    /// HPKE cover it: nobody else can put another in its place. AES-KW and direct keys protect no header, so their
    /// recipients are bound to nothing.
    #[must_use]
    pub fn for_target(self, target: &'p [u8]) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    /// The same, bound to data that are not sent along. SUIT has none.
    #[must_use]
    pub fn with_external_aad(self, external_aad: &'p [u8]) -> Self {
        Self {
            external_aad,
            ..self
        }
    }

    /// Encrypts to `recipients`; the ciphertext is what the encryptor puts out. Returns the tagged
    /// COSE_Encrypt, in SUIT the SUIT_Encryption_Info, and the encryptor.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if there is no recipient, a direct one among others, or one whose key does not suit
    /// its algorithm, or if there is external data that the cipher can't authenticate;
    /// [`Error::Key`] if a public key is not valid; [`Error::Crypto`] if there is no randomness.
    // req: SUIT-ENC-001, SUIT-ENC-010
    pub fn detached(
        &self,
        crypto: &CryptoProvider,
        recipients: &[Recipient<'_>],
    ) -> Result<(Vec<u8>, Box<dyn Encryptor>), Error> {
        let mut begun = self.begin(crypto, recipients)?;
        begun.message.null().raw(&begun.recipients);
        Ok((begun.message.into_bytes(), begun.encryptor))
    }

    /// Encrypts `plaintext` to `recipients`. Returns the tagged COSE_Encrypt with the ciphertext in it.
    ///
    /// # Errors
    ///
    /// As [`detached`](Self::detached).
    pub fn attached(
        &self,
        crypto: &CryptoProvider,
        recipients: &[Recipient<'_>],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut begun = self.begin(crypto, recipients)?;
        let ciphertext = whole(begun.encryptor, plaintext)?;
        begun.message.bytes(&ciphertext).raw(&begun.recipients);
        Ok(begun.message.into_bytes())
    }

    /// The protected header of a recipient whose algorithm protects one.
    fn protected(&self, algorithm: i64, key_id: Option<&[u8]>) -> Vec<u8> {
        Writer::build(|w| {
            w.map(1 + usize::from(key_id.is_some()) + usize::from(self.target.is_some()));
            w.int(label::ALG).int(algorithm);
            write_key_id(w, key_id);
            if let Some(target) = self.target {
                w.int(label::TARGET).bytes(target);
            }
        })
    }

    fn begin(&self, crypto: &CryptoProvider, recipients: &[Recipient<'_>]) -> Result<Begun, Error> {
        if !(1..=super::MAX_RECIPIENTS).contains(&recipients.len()) {
            return Err(Error::Misuse("there must be 1 to 32 recipients"));
        }
        let direct = recipients.iter().find_map(|recipient| match recipient {
            Recipient {
                algorithm: RecipientAlgorithm::Direct,
                key: Key::Symmetric(key),
                ..
            } => Some((*key).clone()),
            _ => None,
        });
        let content_key = match direct {
            Some(key) if recipients.len() == 1 => key,
            Some(_) => return Err(Error::Misuse("a direct recipient must be the only one")),
            None => SymmetricKey::generate(crypto, self.algorithm.key_len())?,
        };
        let mut encoded = Writer::new();
        encoded.array(recipients.len());
        for recipient in recipients {
            encoded.raw(&recipient.encode(crypto, self, &content_key)?);
        }
        let mut message = Writer::new();
        message.tag(tag::ENCRYPT).array(4);
        let context = Context::Encrypt;
        let encryptor = self.body(crypto, context, &content_key, None, &mut message)?;
        Ok(Begun {
            message,
            recipients: encoded.into_bytes(),
            encryptor,
        })
    }

    /// Writes the headers of the content, with a fresh IV, and starts encrypting it.
    // req: SUIT-ENC-018, SUIT-ENC-019, SUIT-ENC-020, SUIT-AMB-022, SUIT-AMB-024
    fn body(
        &self,
        crypto: &CryptoProvider,
        context: Context,
        content_key: &SymmetricKey,
        key_id: Option<&[u8]>,
        w: &mut Writer,
    ) -> Result<Box<dyn Encryptor>, Error> {
        let mut iv = vec![0; self.algorithm.iv_len()];
        crypto.random.fill(&mut iv)?;
        let algorithm = self.algorithm.cose_id();
        let protects = self.algorithm.is_authenticated();
        let protected = match protects {
            true => header::protected(algorithm),
            false => Vec::new(),
        };
        w.bytes(&protected);
        w.map(1 + usize::from(!protects) + usize::from(key_id.is_some()));
        if !protects {
            w.int(label::ALG).int(algorithm);
        }
        write_key_id(w, key_id);
        w.int(label::IV).bytes(&iv);
        let associated = additional_data(self.algorithm, context, &protected, self.external_aad)?;
        (crypto.ciphers).encryptor(self.algorithm, content_key, &iv, &associated)
    }
}

/// A COSE_Encrypt that lacks its ciphertext.
struct Begun {
    /// What goes before the ciphertext.
    message: Writer,
    /// What goes behind it.
    recipients: Vec<u8>,
    encryptor: Box<dyn Encryptor>,
}

/// Makes a tagged COSE_Encrypt0 of `plaintext`, under a content key that both sides hold, with the
/// ciphertext in it. No more than 2^32 under one key, since their IVs are drawn at random.
///
/// # Errors
///
/// [`Error::Misuse`] if the key is of another length than the algorithm's, or if there is external data that
/// the cipher can't authenticate.
pub fn encrypt0(
    crypto: &CryptoProvider,
    algorithm: ContentAlgorithm,
    key: &SymmetricKey,
    key_id: Option<&[u8]>,
    external_aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let encryption = Encryption::new(algorithm, &[]).with_external_aad(external_aad);
    let mut message = Writer::new();
    message.tag(tag::ENCRYPT0).array(3);
    let encryptor = encryption.body(crypto, Context::Encrypt0, key, key_id, &mut message)?;
    message.bytes(&whole(encryptor, plaintext)?);
    Ok(message.into_bytes())
}

/// Encrypts what is in memory as a whole.
pub(super) fn whole(mut encryptor: Box<dyn Encryptor>, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let mut ciphertext = Vec::with_capacity(plaintext.len() + 16);
    encryptor.update(plaintext, &mut ciphertext)?;
    encryptor.finish(&mut ciphertext)?;
    Ok(ciphertext)
}
