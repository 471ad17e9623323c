//! Payloads that only their recipients can read.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};

use tamarack_cose::{
    CryptoProvider, DigestAlgorithm, DigestContext, Error,
    encrypt::{ContentAlgorithm, Encrypted, Encryption, Encryptor, Recipient, RecipientAlgorithm},
};

use super::BuildError;
use crate::{ComponentId, Profile, SuitDigest, codec::Parameter, processor::PURPOSE};

/// How an author encrypts payloads: the algorithm of the content, and that of its digests.
///
/// By default AES-GCM with a key of 128 bits, and SHA-256. Every payload gets a content key and an IV of its
/// own, drawn from the provider's randomness.
///
/// A payload is encrypted for the component that it goes to, if that is said: then a Recipient decrypts it into no
/// other. Otherwise, another signer who gets hold of the envelope can have his own manifest decrypt the payload into a
/// component that he may read. Recipients by AES-KW or with a direct key can't be told, and Recipients of other makes
/// don't look at it.
///
/// ```
/// use tamarack_cose::{encrypt::{Curve, DecryptionKey, Recipient}, rustcrypto};
/// use tamarack_suit::{SequenceNumber, author::{ComponentBuilder, ManifestBuilder, PayloadEncryption}};
///
/// let crypto = rustcrypto::provider();
/// let device = DecryptionKey::generate(&crypto, Curve::P256)?;
/// let to = [Recipient::agreement(device.public_key())];
///
/// let id: tamarack_suit::ComponentId = "example/lock/ta".parse()?;
/// let (image, ciphertext) =
///     PayloadEncryption::default().encrypt(&crypto, Some(&id), &to, b"new firmware")?;
/// let component = ComponentBuilder::new(id)
///     .encrypted_integrated("#ta", ciphertext, "example/lock/staged".parse()?, image);
/// let draft = ManifestBuilder::new(SequenceNumber(1)).component(component).build()?;
/// # assert_eq!(draft.manifest().common.components.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// req: SUIT-ENC-009, SUIT-ENC-024
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadEncryption {
    content: ContentAlgorithm,
    digest: DigestAlgorithm,
    /// The only way in which content keys may travel, if there is one.
    key_exchange: Option<RecipientAlgorithm>,
}

impl Default for PayloadEncryption {
    fn default() -> Self {
        Self::new(ContentAlgorithm::A128Gcm)
    }
}

impl PayloadEncryption {
    /// With this algorithm for the content. Digests are by SHA-256, and every recipient is taken.
    #[must_use]
    pub fn new(content: ContentAlgorithm) -> Self {
        Self {
            content,
            digest: DigestAlgorithm::Sha256,
            key_exchange: None,
        }
    }

    /// With the algorithms of a profile, for recipients of its key exchange only.
    ///
    /// # Errors
    ///
    /// [`Error::AlgorithmUnsupported`] with the number that is not implemented.
    // req: SUIT-MTI-004
    pub fn of(profile: &Profile) -> Result<Self, Error> {
        let known = |id| Error::AlgorithmUnsupported(id);
        Ok(Self {
            content: ContentAlgorithm::from_cose_id(profile.encryption)
                .ok_or(known(profile.encryption))?,
            digest: profile.digest_algorithm().ok_or(known(profile.digest))?,
            key_exchange: Some(
                RecipientAlgorithm::from_cose_id(profile.key_exchange)
                    .ok_or(known(profile.key_exchange))?,
            ),
        })
    }

    /// With this algorithm for the digests of plaintext and ciphertext.
    #[must_use]
    pub fn with_digest_algorithm(self, digest: DigestAlgorithm) -> Self {
        Self { digest, ..self }
    }

    /// Encrypts a payload to `recipients`, for `component` or for any: what the manifest says about it, and the
    /// ciphertext.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn encrypt(
        &self,
        crypto: &CryptoProvider,
        component: Option<&ComponentId>,
        recipients: &[Recipient<'_>],
        plaintext: &[u8],
    ) -> Result<(EncryptedImage, Vec<u8>), Error> {
        let mut encryptor = self.start(crypto, component, recipients)?;
        let mut ciphertext = Vec::with_capacity(plaintext.len() + 16);
        encryptor.update(plaintext, &mut ciphertext)?;
        let image = encryptor.finish(&mut ciphertext)?;
        Ok((image, ciphertext))
    }

    /// Starts to encrypt a payload, piece by piece, to `recipients`, for `component` or for any.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if there is no recipient, one whose key exchange is not the profile's, one whose key
    /// does not suit its algorithm; [`Error::Key`] if a public key is not valid; [`Error::Crypto`] if there is no
    /// randomness.
    // req: SUIT-ENC-001, SUIT-ENC-010, SUIT-ENC-026
    pub fn start(
        &self,
        crypto: &CryptoProvider,
        component: Option<&ComponentId>,
        recipients: &[Recipient<'_>],
    ) -> Result<PayloadEncryptor, Error> {
        let ours = |recipient: &Recipient<'_>| {
            (self.key_exchange).is_none_or(|exchange| exchange == recipient.algorithm())
        };
        if !recipients.iter().all(ours) {
            return Err(Error::Misuse(
                "a recipient has another key exchange than the profile",
            ));
        }
        let target = component.map(ComponentId::to_cbor);
        let mut encryption = Encryption::new(self.content, PURPOSE);
        if let Some(target) = &target {
            encryption = encryption.for_target(target);
        }
        let (info, encryptor) = encryption.detached(crypto, recipients)?;
        let measure = || Measured {
            algorithm: self.digest,
            context: crypto.digests.start(self.digest),
            length: 0,
        };
        Ok(PayloadEncryptor {
            info,
            encryptor,
            plaintext: measure(),
            ciphertext: measure(),
        })
    }
}

/// A payload that is being encrypted, in memory that does not grow with it.
pub struct PayloadEncryptor {
    info: Vec<u8>,
    encryptor: Box<dyn Encryptor>,
    plaintext: Measured,
    ciphertext: Measured,
}

impl PayloadEncryptor {
    /// Encrypts more and appends what is ready to `ciphertext`.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if the whole is longer than the algorithm allows (64 GiB under AES-GCM).
    pub fn update(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) -> Result<(), Error> {
        let before = ciphertext.len();
        self.encryptor.update(plaintext, ciphertext)?;
        self.plaintext.update(plaintext);
        self.ciphertext.update(appended(ciphertext, before));
        Ok(())
    }

    /// Appends the rest to `ciphertext`; what the manifest says about the payload.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if the cipher fails.
    pub fn finish(mut self, ciphertext: &mut Vec<u8>) -> Result<EncryptedImage, Error> {
        let before = ciphertext.len();
        self.encryptor.finish(ciphertext)?;
        self.ciphertext.update(appended(ciphertext, before));
        Ok(EncryptedImage {
            info: self.info,
            plaintext: self.plaintext.finish(),
            ciphertext: Some(self.ciphertext.finish()),
        })
    }
}

fn appended(bytes: &[u8], before: usize) -> &[u8] {
    bytes.get(before..).unwrap_or_default()
}

/// Bytes on their way: their digest and their number.
struct Measured {
    algorithm: DigestAlgorithm,
    context: Box<dyn DigestContext>,
    length: u64,
}

impl Measured {
    fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.length += bytes.len() as u64;
    }

    fn finish(self) -> (SuitDigest, u64) {
        let digest = SuitDigest::finished(self.algorithm, self.context.finish());
        (digest, self.length)
    }
}

/// What a manifest says about an encrypted payload: how it is decrypted, and the digests and lengths in bytes
/// of plaintext and ciphertext.
// req: SUIT-ENC-007, SUIT-ENC-008, SUIT-ENC-021
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedImage {
    info: Vec<u8>,
    pub(super) plaintext: (SuitDigest, u64),
    pub(super) ciphertext: Option<(SuitDigest, u64)>,
}

impl EncryptedImage {
    /// What was encrypted elsewhere, with `info`, the tagged COSE_Encrypt of it.
    ///
    /// The digest of the ciphertext lets a Recipient refuse a changed one before it decrypts it. An
    /// authenticated cipher notices the change at the end, too; of others the digest is demanded.
    ///
    /// # Errors
    ///
    /// [`BuildError::Encryption`] if `info` is no encryption information, and
    /// [`BuildError::UnprotectedCiphertext`] if its cipher would not notice a change, and no digest would.
    // req: SUIT-ENC-021, SUIT-ENC-022, SUIT-ENC-023
    pub fn new(
        info: impl Into<Vec<u8>>,
        plaintext: (SuitDigest, u64),
        ciphertext: Option<(SuitDigest, u64)>,
    ) -> Result<Self, BuildError> {
        let info = info.into();
        let algorithm = Encrypted::decode_encrypt(&info)
            .map_err(BuildError::Encryption)?
            .algorithm();
        if ciphertext.is_none() && !algorithm.is_authenticated() {
            return Err(BuildError::UnprotectedCiphertext(algorithm.name()));
        }
        Ok(Self {
            info,
            plaintext,
            ciphertext,
        })
    }

    /// The encryption information (parameter 19): a tagged COSE_Encrypt.
    #[must_use]
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// Whether it is encrypted for this component, or for any.
    pub(super) fn is_for(&self, component: &ComponentId) -> bool {
        let Ok(encrypted) = Encrypted::decode_encrypt(&self.info) else {
            return false;
        };
        let own = component.to_cbor();
        let mut recipients = encrypted.recipients().unwrap_or_default().iter();
        recipients.all(|recipient| recipient.target().is_none_or(|target| target == own))
    }

    pub(super) fn parameter(&self) -> Parameter<'static> {
        Parameter::EncryptionInfo(Cow::Owned(self.info.clone()))
    }

    /// Digest and length of what the Recipient will have in the end.
    #[must_use]
    pub fn plaintext(&self) -> (SuitDigest, u64) {
        self.plaintext
    }

    /// Digest and length of what travels.
    #[must_use]
    pub fn ciphertext(&self) -> Option<(SuitDigest, u64)> {
        self.ciphertext
    }
}
