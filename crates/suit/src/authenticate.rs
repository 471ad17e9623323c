use alloc::{borrow::Cow, vec::Vec};

use tamarack_cose::{
    CryptoProvider, Mac, Mac0, Signed,
    cbor::{Reader, Type},
    tag,
};

use crate::{
    Authority, Error, Limits, SuitDigest, Trusted,
    codec::{Envelope, Manifest},
    trust::{Candidate, TrustedKey, attribute},
};

/// An envelope whose manifest is authentic: vouched for by whom is trusted, unchanged, and decoded whole.
///
/// Made by [`Envelope::authenticate`], and by the processor of what it authenticated when it was installed. Severed elements that are in the envelope have been compared
/// with their digests and filled in. Integrated payloads are *not* covered by any signature; they are
/// verified by the conditions of the manifest when they are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedEnvelope<'a> {
    pub(crate) digest: SuitDigest,
    pub(crate) signers: Vec<Authority>,
    pub(crate) manifest: Manifest<'a>,
    pub(crate) integrated: Vec<(Cow<'a, str>, Cow<'a, [u8]>)>,
    /// The envelope as a Recipient keeps it.
    pub(crate) kept: Vec<u8>,
}

impl<'a> Envelope<'a> {
    /// Verifies that who is trusted has authenticated the manifest, and decodes it.
    ///
    /// In this order: the manifest's digest is recomputed over the received bytes; each signature and MAC
    /// is verified with those of `trusted` that it can be by; the manifest is decoded whole; severed
    /// elements in the envelope are compared with their digests and only then decoded.
    ///
    /// Signatures and MACs by unknown keys and with unsupported algorithms are passed over, but one must
    /// verify, or as many by different authorities as [`TrustAnchors`](crate::TrustAnchors) ask for; and
    /// one that names a trusted key by its key id and does not verify is refused.
    ///
    /// # Errors
    ///
    /// [`Error::Unsigned`], [`Error::ManifestDigest`], [`Error::Unauthorized`], [`Error::TooFewSigners`],
    /// [`Error::CoseUnsupported`], [`Error::AlgorithmUnsupported`], [`Error::SeveredDigest`], or
    /// [`Error::Decode`].
    // req: SUIT-ENV-004, SUIT-ENV-005, SUIT-ENV-006, SUIT-ENV-007, SUIT-ENV-008, SUIT-ENV-011, SUIT-ENV-017
    pub fn authenticate<'t>(
        &self,
        crypto: &CryptoProvider,
        trusted: impl Into<Trusted<'t>>,
    ) -> Result<AuthenticatedEnvelope<'a>, Error> {
        self.authenticate_by(crypto, trusted.into())
    }

    pub(crate) fn authenticate_by(
        &self,
        crypto: &CryptoProvider,
        trusted: Trusted<'_>,
    ) -> Result<AuthenticatedEnvelope<'a>, Error> {
        self.verify_manifest_digest(crypto)?;
        let signers = self.verify_blocks(crypto, trusted)?;
        self.open_verified(crypto, signers)
    }

    /// Opens an envelope that was authenticated when it was installed: `recorded` is the digest, and
    /// `signers` are who authenticated it, as the device's own protected storage has it.
    ///
    /// # Errors
    ///
    /// [`Error::ManifestDigest`] if this is another manifest, and as
    /// [`authenticate`](Self::authenticate).
    pub(crate) fn authenticate_recorded(
        &self,
        crypto: &CryptoProvider,
        recorded: &SuitDigest,
        signers: &[Authority],
    ) -> Result<AuthenticatedEnvelope<'a>, Error> {
        if self.claimed_digest() != *recorded {
            return Err(Error::ManifestDigest);
        }
        self.verify_manifest_digest(crypto)?;
        self.open_verified(crypto, signers.to_vec())
    }

    pub(crate) fn verify_manifest_digest(&self, crypto: &CryptoProvider) -> Result<(), Error> {
        match self
            .claimed_digest()
            .matches(crypto, self.manifest_item())?
        {
            true => Ok(()),
            false => Err(Error::ManifestDigest),
        }
    }

    /// Who of the trusted has authenticated.
    fn verify_blocks(
        &self,
        crypto: &CryptoProvider,
        trusted: Trusted<'_>,
    ) -> Result<Vec<Authority>, Error> {
        let mut found = Found::default();
        for block in self.authentication_blocks() {
            self.verify_block(crypto, trusted, block, &mut found)?;
        }
        let (needed, count) = (trusted.threshold(), found.authorities.len());
        match count {
            // What to say if nothing verifies: the trouble that came first.
            0 => Err(found.trouble.unwrap_or(Error::Unsigned)),
            _ if count < needed => Err(Error::TooFewSigners {
                needed,
                found: count,
            }),
            _ => Ok(found.authorities),
        }
    }

    /// Adds who has authenticated by one block.
    fn verify_block(
        &self,
        crypto: &CryptoProvider,
        trusted: Trusted<'_>,
        block: &[u8],
        found: &mut Found,
    ) -> Result<(), Error> {
        const RULE: &str = "SUIT_Authentication_Block";
        let mut reader = Reader::new(block);
        // A block with nothing in it is no CBOR, which reading its tag says.
        if !matches!(reader.peek(), Type::Tag | Type::End) {
            return Err(Error::CoseUnsupported("the structure is not tagged"));
        }
        let payload = Some(self.digest_bytes());
        let detached = |attached: Option<&[u8]>| match attached {
            None => Ok(()),
            Some(_) => Err(Error::CoseUnsupported("the payload is not detached")),
        };
        match reader.tag(RULE)? {
            tag::SIGN1 | tag::SIGN => {
                let signed = Signed::decode(block)?;
                detached(signed.unverified_payload())?;
                for (index, headers) in signed.signatures().into_iter().enumerate() {
                    if let Err(error) = headers.algorithm() {
                        found.pass_over(error);
                        continue;
                    }
                    let candidates = trusted.candidates(crypto, headers.key_id());
                    let known = found.attribute(&candidates, &|key| match key {
                        TrustedKey::Public(key) => signed.verify_at(crypto, index, key, payload),
                        _ => Err(tamarack_cose::Error::UnknownKey),
                    })?;
                    #[cfg(feature = "x509")]
                    if let (false, Some(issuers)) = (known, trusted.issuers()) {
                        found.certified(issuers.attribute(crypto, &signed, index, payload))?;
                    }
                    #[cfg(not(feature = "x509"))]
                    let _ = known;
                }
            }
            tag::MAC0 => {
                let mac = Mac0::decode(block)?;
                detached(mac.unverified_payload())?;
                if let Err(error) = mac.headers().mac_algorithm() {
                    found.pass_over(error);
                    return Ok(());
                }
                let candidates = trusted.candidates(crypto, mac.headers().key_id());
                found.attribute(&candidates, &|key| match key {
                    TrustedKey::Mac(key) => mac.verify(crypto, key, payload).map(drop),
                    _ => Err(tamarack_cose::Error::UnknownKey),
                })?;
            }
            tag::MAC => {
                let mac = Mac::decode(block)?;
                detached(mac.unverified_payload())?;
                if let Err(error) = mac.headers().mac_algorithm() {
                    found.pass_over(error);
                    return Ok(());
                }
                for (index, recipient) in mac.recipients().iter().enumerate() {
                    let candidates = trusted.candidates(crypto, recipient.key_id());
                    let known = found.attribute(&candidates, &|key| match key {
                        TrustedKey::Mac(key) => mac.verify_direct(crypto, index, key, payload),
                        TrustedKey::Wrapping(key) => {
                            mac.verify_wrapped(crypto, index, key, payload)
                        }
                        TrustedKey::Public(_) => Err(tamarack_cose::Error::UnknownKey),
                    })?;
                    // All recipients learn the key of the MAC, so that it speaks for one authority only.
                    if known {
                        break;
                    }
                }
            }
            _ => return Err(Error::CoseUnsupported("neither a signature nor a MAC")),
        }
        Ok(())
    }

    /// Decodes what has been verified.
    fn open_verified(
        &self,
        crypto: &CryptoProvider,
        signers: Vec<Authority>,
    ) -> Result<AuthenticatedEnvelope<'a>, Error> {
        let mut manifest = self.unverified_manifest()?;
        fill_in_severed(self, &mut manifest, crypto, &self.limits)?;
        let mut integrated = Vec::new();
        for (key, payload) in self.integrated() {
            integrated.push(((*key).into(), (*payload).into()));
        }
        let kept = self.encode_kept(&manifest);
        Ok(AuthenticatedEnvelope {
            digest: self.claimed_digest(),
            signers,
            manifest,
            integrated,
            kept,
        })
    }
}

/// What the authentication blocks have come to so far.
#[derive(Default)]
struct Found {
    /// Who has authenticated, each once.
    authorities: Vec<Authority>,
    /// Why the first signature or MAC that was passed over was.
    trouble: Option<Error>,
}

impl Found {
    /// Finds out who made a signature or MAC, which `verify` checks with one key: `false` if it is by nobody who is
    /// trusted, which is passed over, while what names a trusted key and is not by it is a forgery.
    fn attribute(
        &mut self,
        candidates: &[Candidate<'_>],
        verify: &dyn Fn(TrustedKey<'_>) -> Result<(), tamarack_cose::Error>,
    ) -> Result<bool, Error> {
        match attribute(candidates, verify) {
            Ok(authority) => {
                self.add(authority);
                Ok(true)
            }
            Err(forged @ tamarack_cose::Error::BadSignature) => Err(forged.into()),
            Err(trouble) => {
                self.pass_over(trouble);
                Ok(false)
            }
        }
    }

    fn add(&mut self, authority: Authority) {
        if !self.authorities.contains(&authority) {
            self.authorities.push(authority);
        }
    }

    /// Takes note of whose a signature is that no known key made.
    #[cfg(feature = "x509")]
    fn certified(
        &mut self,
        signatory: Result<Authority, tamarack_cose::Error>,
    ) -> Result<(), Error> {
        use tamarack_cose::Error as Cose;
        match signatory {
            Ok(authority) => self.add(authority),
            Err(Cose::UnknownKey) => {}
            Err(error @ Cose::BadSignature) => return Err(error.into()),
            // Says more than that no known key made it.
            Err(error) => self.trouble = Some(error.into()),
        }
        Ok(())
    }

    // req: SUIT-ENV-011
    fn pass_over(&mut self, trouble: tamarack_cose::Error) {
        self.trouble.get_or_insert(trouble.into());
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
        let Some(digest) = manifest.severed_digest(severed.label) else {
            continue;
        };
        if !digest.matches(crypto, severed.item())? {
            return Err(Error::SeveredDigest(severed.label));
        }
        manifest.fill_in(severed, digest, limits)?;
    }
    Ok(())
}

impl<'a> AuthenticatedEnvelope<'a> {
    /// The digest of the manifest: what reports and dependents refer to it by.
    #[must_use]
    pub fn digest(&self) -> SuitDigest {
        self.digest
    }

    /// Who of the trusted has authenticated the manifest, each once; at least one.
    #[must_use]
    pub fn signers(&self) -> &[Authority] {
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
