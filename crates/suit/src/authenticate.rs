use alloc::{borrow::Cow, vec::Vec};

use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey, Signed,
    cbor::{Reader, Type},
    tag,
};

use crate::{
    Error, Limits, SuitDigest,
    codec::{Envelope, Manifest, Section, Severable, within},
};

/// An envelope whose manifest is authentic: signed by trusted keys, unchanged, and decoded whole.
///
/// Made by [`Envelope::authenticate`] only. Severed elements that are in the envelope have been compared
/// with their digests and filled in. Integrated payloads are *not* covered by any signature; they are
/// verified by the conditions of the manifest when they are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedEnvelope<'a> {
    pub(crate) digest: SuitDigest,
    pub(crate) signers: Vec<PublicKey>,
    pub(crate) manifest: Manifest<'a>,
    pub(crate) integrated: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    /// The envelope as a Recipient keeps it.
    pub(crate) kept: Vec<u8>,
}

/// The tags of COSE_Mac0 and COSE_Mac.
const MAC_TAGS: [u64; 2] = [17, 97];

impl<'a> Envelope<'a> {
    /// Verifies that a trusted key signed the manifest, and decodes it.
    ///
    /// In this order: the manifest's digest is recomputed over the received bytes; each authentication
    /// block is verified with those of `trusted` that it can be by; the manifest is decoded whole;
    /// severed elements in the envelope are compared with their digests and only then decoded.
    ///
    /// Blocks by unknown keys, with unsupported algorithms, and MACs are passed over, but one block must
    /// verify, and one that names a trusted key by its key id and does not verify is refused.
    ///
    /// # Errors
    ///
    /// [`Error::Unsigned`], [`Error::ManifestDigest`], [`Error::Unauthorized`],
    /// [`Error::CoseUnsupported`], [`Error::AlgorithmUnsupported`], [`Error::SeveredDigest`], or
    /// [`Error::Decode`].
    // req: SUIT-ENV-004, SUIT-ENV-005, SUIT-ENV-006, SUIT-ENV-007, SUIT-ENV-008, SUIT-ENV-011, SUIT-ENV-017
    pub fn authenticate(
        &self,
        crypto: &CryptoProvider,
        trusted: &[PublicKey],
    ) -> Result<AuthenticatedEnvelope<'a>, Error> {
        self.verify_manifest_digest(crypto)?;
        let signers = self.verify_signatures(crypto, trusted)?;
        self.open_verified(crypto, signers)
    }

    /// Opens an envelope that was authenticated when it was installed: `recorded` is the digest, and
    /// `signers` are the keys, that the device's own protected storage holds for it.
    ///
    /// # Errors
    ///
    /// [`Error::ManifestDigest`] if this is another manifest, and as
    /// [`authenticate`](Self::authenticate).
    pub fn authenticate_recorded(
        &self,
        crypto: &CryptoProvider,
        recorded: &SuitDigest,
        signers: &[PublicKey],
    ) -> Result<AuthenticatedEnvelope<'a>, Error> {
        if self.claimed_digest() != *recorded {
            return Err(Error::ManifestDigest);
        }
        self.verify_manifest_digest(crypto)?;
        self.open_verified(crypto, signers.to_vec())
    }

    fn verify_manifest_digest(&self, crypto: &CryptoProvider) -> Result<(), Error> {
        match self
            .claimed_digest()
            .matches(crypto, self.manifest_item())?
        {
            true => Ok(()),
            false => Err(Error::ManifestDigest),
        }
    }

    /// The trusted keys that signed.
    fn verify_signatures(
        &self,
        crypto: &CryptoProvider,
        trusted: &[PublicKey],
    ) -> Result<Vec<PublicKey>, Error> {
        if self.authentication_blocks().is_empty() {
            return Err(Error::Unsigned);
        }
        let mut signers = Vec::new();
        // What to say if no block verifies: the first block's trouble.
        let mut trouble = None;
        for block in self.authentication_blocks() {
            match self.verify_block(crypto, trusted, block) {
                Ok(keys) => {
                    for key in keys {
                        if !signers.contains(&key) {
                            signers.push(key);
                        }
                    }
                }
                Err(Passed::Over(error)) => {
                    trouble.get_or_insert(error);
                }
                Err(Passed::Not(error)) => return Err(error),
            }
        }
        match signers.is_empty() {
            false => Ok(signers),
            true => Err(trouble.unwrap_or(Error::Unsigned)),
        }
    }

    fn verify_block(
        &self,
        crypto: &CryptoProvider,
        trusted: &[PublicKey],
        block: &[u8],
    ) -> Result<Vec<PublicKey>, Passed> {
        let mut reader = Reader::new(block);
        if reader
            .peek("SUIT_Authentication_Block")
            .map_err(Passed::not)?
            != Type::Tag
        {
            return Err(Passed::Not(Error::CoseUnsupported(
                "the structure is not tagged",
            )));
        }
        let number = reader
            .tag("SUIT_Authentication_Block")
            .map_err(Passed::not)?;
        if MAC_TAGS.contains(&number) {
            return Err(Passed::Over(Error::CoseUnsupported("a MAC")));
        }
        if ![tag::SIGN1, tag::SIGN].contains(&number) {
            return Err(Passed::Not(Error::CoseUnsupported(
                "neither a signature nor a MAC",
            )));
        }
        let signed = Signed::decode(block).map_err(Passed::not)?;
        if signed.unverified_payload().is_some() {
            return Err(Passed::Not(Error::CoseUnsupported(
                "the payload is not detached",
            )));
        }
        let mut signers = Vec::new();
        let mut trouble = Error::Unauthorized(tamarack_cose::Error::UnknownKey);
        let headers = signed.signatures();
        let key_ids: Vec<_> = trusted.iter().map(|key| key.key_id(crypto)).collect();
        let names = |key_id: &KeyId| {
            headers
                .iter()
                .any(|headers| headers.key_id() == Some(key_id.as_bytes()))
        };
        // Where every signature names a trusted key, the others need not be tried.
        let all_named = headers.iter().all(|headers| {
            key_ids
                .iter()
                .any(|key_id| headers.key_id() == Some(key_id.as_bytes()))
        });
        for (key, key_id) in trusted.iter().zip(&key_ids) {
            let named = names(key_id);
            if all_named && !named {
                continue;
            }
            let payload = Some(self.digest_bytes());
            match signed.verify(crypto, core::slice::from_ref(key), payload) {
                Ok(_) => signers.push(*key),
                Err(tamarack_cose::Error::UnknownKey) => {}
                // A signature that names a trusted key and is not by it is a forgery.
                Err(error @ tamarack_cose::Error::BadSignature) if named => {
                    return Err(Passed::not(error));
                }
                Err(error) => trouble = error.into(),
            }
        }
        match signers.is_empty() {
            false => Ok(signers),
            true => Err(Passed::Over(trouble)),
        }
    }

    /// Decodes what has been verified.
    fn open_verified(
        &self,
        crypto: &CryptoProvider,
        signers: Vec<PublicKey>,
    ) -> Result<AuthenticatedEnvelope<'a>, Error> {
        let mut manifest = self.unverified_manifest()?;
        fill_in_severed(self, &mut manifest, crypto, &self.limits)?;
        let integrated = self.integrated();
        Ok(AuthenticatedEnvelope {
            digest: self.claimed_digest(),
            signers,
            manifest,
            integrated: integrated
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
            kept: self.encode_kept(),
        })
    }
}

/// What becomes of the envelope when one block does not verify.
enum Passed {
    /// Another block may still do.
    Over(Error),
    /// The envelope is refused.
    Not(Error),
}

impl Passed {
    fn not(error: impl Into<Error>) -> Self {
        Self::Not(error.into())
    }
}

/// Puts the envelope's severed elements where the manifest has their digests.
///
/// Elements whose counterpart in the manifest is absent or inline are never looked at.
// req: SUIT-SEV-006, SUIT-SEV-007
fn fill_in_severed<'a>(
    envelope: &Envelope<'a>,
    manifest: &mut Manifest<'a>,
    crypto: &CryptoProvider,
    limits: &Limits,
) -> Result<(), Error> {
    for severed in envelope.severed() {
        let check = |digest: &SuitDigest| match digest.matches(crypto, severed.item())? {
            true => Ok(()),
            false => Err(Error::SeveredDigest(severed.label)),
        };
        if let Some(section) = Section::from_label(severed.label) {
            let Some(digest) = manifest.section(section).and_then(Severable::digest) else {
                continue;
            };
            check(&digest)?;
            let head = severed.item().len() - severed.content().len();
            let sequence = manifest
                .decode_severed(severed.content(), limits)
                .map_err(|error| within(head, error))?;
            let content = Some(sequence);
            manifest.set_section(section, Severable::Severed { digest, content });
            continue;
        }
        let element = match severed.label {
            crate::codec::TEXT => &mut manifest.text,
            _ => &mut manifest.coswid,
        };
        if let Some(Severable::Severed { digest, content }) = element {
            check(digest)?;
            *content = Some(severed.content().into());
        }
    }
    Ok(())
}

impl<'a> AuthenticatedEnvelope<'a> {
    /// The digest of the manifest: what reports and dependents refer to it by.
    #[must_use]
    pub fn digest(&self) -> SuitDigest {
        self.digest
    }

    /// The trusted keys that signed; at least one.
    #[must_use]
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest<'a> {
        &self.manifest
    }

    /// The integrated payload or dependency with a key. Its content is not verified.
    // req: SUIT-SEV-013, SUIT-SEV-016
    #[must_use]
    pub fn integrated(&self, key: &str) -> Option<&[u8]> {
        self.integrated
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, payload)| &**payload)
    }

    /// The envelope as a Recipient keeps it: without integrated payloads and without tag.
    #[must_use]
    pub fn kept_envelope(&self) -> &[u8] {
        &self.kept
    }

    /// The same envelope, holding its bytes itself.
    #[must_use]
    pub fn into_owned(self) -> AuthenticatedEnvelope<'static> {
        AuthenticatedEnvelope {
            digest: self.digest,
            signers: self.signers,
            manifest: self.manifest.into_owned(),
            integrated: self
                .integrated
                .into_iter()
                .map(|(key, value)| (Cow::Owned(key.into_owned()), Cow::Owned(value.into_owned())))
                .collect(),
            kept: self.kept,
        }
    }
}
