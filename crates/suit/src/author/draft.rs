use alloc::{borrow::Cow, string::String, vec::Vec};

use tamarack_cose::{
    CryptoProvider, DigestAlgorithm, Error, KeyId, Mac0, MacAlgorithm, MacKey, MacWrappingKey,
    PublicKey, Signed, Signer,
    cbor::{DecodeError, Writer},
    mac_detached, mac0_detached, sign_detached, sign1_detached,
};

use super::BuildError;
use crate::{
    Limits, SuitDigest,
    codec::{COSWID, Envelope, Manifest, Section, Severable, TEXT},
};

/// A manifest with all that goes into its envelope, to be signed.
#[derive(Debug, Clone)]
pub struct Draft {
    manifest: Manifest<'static>,
    integrated: Vec<(String, Vec<u8>)>,
    /// Severed elements: label and content.
    severed: Vec<(i64, Vec<u8>)>,
    /// How the digests of the manifest and of what is severed are made.
    digest_algorithm: DigestAlgorithm,
}

impl Draft {
    /// A draft of a manifest that was put together by hand, with nothing severed.
    #[must_use]
    pub fn new(manifest: Manifest<'static>) -> Self {
        Self {
            manifest,
            integrated: Vec::new(),
            severed: Vec::new(),
            digest_algorithm: DigestAlgorithm::Sha256,
        }
    }

    /// A draft of what a Recipient will read of a manifest; that also fixes the offsets of nested commands.
    pub(super) fn checked(manifest: &Manifest<'_>) -> Result<Self, BuildError> {
        let encoded = manifest.encode();
        let manifest = Manifest::decode(&encoded, &Limits::default())?;
        Ok(Self::new(manifest.into_owned()))
    }

    /// A draft of what is in an envelope, to change it. Signatures are left behind: they are about the
    /// manifest as it was.
    ///
    /// # Errors
    ///
    /// If the manifest does not decode.
    pub fn of(envelope: &Envelope<'_>) -> Result<Self, DecodeError> {
        let severed = envelope.severed().iter();
        let integrated = envelope.integrated().iter();
        let digest_algorithm = envelope.claimed_digest().algorithm();
        Ok(Self {
            manifest: envelope.unverified_manifest()?.into_owned(),
            integrated: integrated
                .map(|(key, payload)| (String::from(*key), payload.to_vec()))
                .collect(),
            severed: severed
                .map(|severed| (severed.label, severed.content().to_vec()))
                .collect(),
            digest_algorithm: digest_algorithm.unwrap_or(DigestAlgorithm::Sha256),
        })
    }

    /// Makes the digests of the manifest and of what is severed from here on with another algorithm than
    /// SHA-256, which every Recipient has.
    #[must_use]
    pub fn with_digest_algorithm(mut self, algorithm: DigestAlgorithm) -> Self {
        self.digest_algorithm = algorithm;
        self
    }

    /// Adds an integrated payload or dependency, in place of one with the same key.
    #[must_use]
    pub fn with_integrated(mut self, key: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        let key = key.into();
        self.integrated.retain(|(known, _)| *known != key);
        self.integrated.push((key, payload.into()));
        self
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest<'static> {
        &self.manifest
    }

    /// The digest that the authentication wrapper will hold.
    // req: SUIT-ENV-003
    #[must_use]
    pub fn digest(&self, crypto: &CryptoProvider) -> SuitDigest {
        SuitDigest::of(crypto, self.digest_algorithm, &self.manifest_item())
    }

    fn manifest_item(&self) -> Vec<u8> {
        wrapped(&self.manifest.encode())
    }

    /// Moves a section out of the manifest into the envelope. Sections that are not there or can't be
    /// severed stay as they are.
    // req: SUIT-SEV-002, SUIT-SEV-003, SUIT-SEV-004
    #[must_use]
    pub fn sever(mut self, crypto: &CryptoProvider, section: Section) -> Self {
        if let Some(Severable::Inline(sequence)) = self.manifest.section(section)
            && section.is_severable()
        {
            let content = sequence.encode();
            let severed = self.move_out(crypto, section.label(), content);
            self.manifest.set_section(section, severed);
        }
        self
    }

    /// Moves the text out of the manifest into the envelope.
    // req: SUIT-SEV-010
    #[must_use]
    pub fn sever_text(mut self, crypto: &CryptoProvider) -> Self {
        if let Some(Severable::Inline(text)) = &self.manifest.text {
            let content = text.to_vec();
            self.manifest.text = Some(self.move_out(crypto, TEXT, content));
        }
        self
    }

    /// Moves the software identification tag out of the manifest into the envelope, where it can be left out
    /// for whoever is not to know it.
    // req: SUIT-UPD-006
    #[must_use]
    pub fn sever_coswid(mut self, crypto: &CryptoProvider) -> Self {
        if let Some(Severable::Inline(tag)) = &self.manifest.coswid {
            let content = tag.to_vec();
            self.manifest.coswid = Some(self.move_out(crypto, COSWID, content));
        }
        self
    }

    /// Puts content into the envelope; what stays behind in the manifest.
    fn move_out<T>(
        &mut self,
        crypto: &CryptoProvider,
        label: i64,
        content: Vec<u8>,
    ) -> Severable<T> {
        let digest = SuitDigest::of(crypto, self.digest_algorithm, &wrapped(&content));
        self.severed.push((label, content));
        Severable::Severed {
            digest,
            content: None,
        }
    }

    /// Moves into the envelope what gets the manifest smaller: sections, text and software tags that are
    /// longer than the digest that stays behind.
    // req: SUIT-SEV-001, SUIT-SEV-009
    #[must_use]
    pub fn sever_large(self, crypto: &CryptoProvider) -> Self {
        let least = self.digest_algorithm.digest_len() + 4;
        let mut draft = self;
        for section in Section::ALL {
            let inline = match draft.manifest.section(section) {
                Some(Severable::Inline(sequence)) => sequence.encode().len(),
                _ => 0,
            };
            if inline >= least {
                draft = draft.sever(crypto, section);
            }
        }
        let large = |element: &Option<Severable<Cow<'_, [u8]>>>| matches!(element, Some(Severable::Inline(content)) if content.len() >= least);
        if large(&draft.manifest.coswid) {
            draft = draft.sever_coswid(crypto);
        }
        match large(&draft.manifest.text) {
            true => draft.sever_text(crypto),
            false => draft,
        }
    }

    /// Signs the manifest with each of `signers` and encodes the envelope, with tag 107.
    ///
    /// Each signature is a COSE_Sign1 block of its own that names its key. The signers must be different
    /// authorities.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateSigner`]; or if a signer fails.
    // req: SUIT-ENV-006, SUIT-ENV-007, SUIT-ENV-009, SUIT-ENV-010, SUIT-MTI-005, SUIT-MTI-008
    pub fn sign(&self, crypto: &CryptoProvider, signers: &[&dyn Signer]) -> Result<Vec<u8>, Error> {
        refuse_duplicates(signers)?;
        let digest = self.digest(crypto).encode();
        Ok(self.encode(&digest, &sign_each(crypto, signers, &digest)?))
    }

    /// Signs the manifest with each of `signers` as [`sign`](Self::sign) does, but in one block: a
    /// COSE_Sign.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateSigner`]; or if a signer fails.
    // req: SUIT-ENV-006, SUIT-ENV-007, SUIT-ENV-009
    pub fn sign_together(
        &self,
        crypto: &CryptoProvider,
        signers: &[&dyn Signer],
    ) -> Result<Vec<u8>, Error> {
        refuse_duplicates(signers)?;
        let digest = self.digest(crypto).encode();
        let block = sign_detached(crypto, signers, &digest)?;
        Ok(self.encode(&digest, &[block]))
    }

    /// Authenticates the manifest with a MAC, for Recipients that share `key`, and encodes the envelope,
    /// with tag 107.
    ///
    /// `key_id` is the name by which the Recipients know the key; without one they try their keys. Further
    /// authorities are added with [`Envelope::add_signatures`] and [`Envelope::add_mac`].
    // req: SUIT-ENV-006, SUIT-ENV-007, SUIT-ENV-009, SUIT-MTI-005
    #[must_use]
    pub fn mac(&self, crypto: &CryptoProvider, key: &MacKey, key_id: Option<&[u8]>) -> Vec<u8> {
        let digest = self.digest(crypto).encode();
        let block = mac0_detached(crypto, key, &digest, key_id);
        self.encode(&digest, &[block])
    }

    /// Authenticates the manifest with a MAC under a fresh key that is wrapped to each of `recipients`, in one
    /// block, a COSE_Mac; each with the name by which it knows its key. Recipients of one block can MAC other
    /// manifests for one another.
    ///
    /// # Errors
    ///
    /// If the source of randomness fails.
    // req: SUIT-ENV-006, SUIT-ENV-007, SUIT-ENV-009, SUIT-MTI-005
    pub fn mac_to(
        &self,
        crypto: &CryptoProvider,
        algorithm: MacAlgorithm,
        recipients: &[(&MacWrappingKey, Option<&[u8]>)],
    ) -> Result<Vec<u8>, Error> {
        let digest = self.digest(crypto).encode();
        let block = mac_detached(crypto, algorithm, recipients, &digest)?;
        Ok(self.encode(&digest, &[block]))
    }

    /// Encodes the envelope without a signature, to be signed elsewhere. No Recipient accepts it.
    #[must_use]
    pub fn encode_unsigned(&self, crypto: &CryptoProvider) -> Vec<u8> {
        self.encode(&self.digest(crypto).encode(), &[])
    }

    // req: SUIT-ENV-001, SUIT-ENV-002, SUIT-FMT-009, SUIT-AMB-007
    fn encode(&self, digest: &[u8], blocks: &[Vec<u8>]) -> Vec<u8> {
        let wrapper = Writer::build(|w| {
            w.array(1 + blocks.len()).bytes(digest);
            for block in blocks {
                w.bytes(block);
            }
        });
        let mut severed = self.severed.clone();
        severed.sort_by_key(|(label, _)| *label);
        let mut integrated: Vec<_> = self.integrated.iter().collect();
        integrated.sort_by_key(|(key, _)| (key.len(), key.clone()));
        Writer::build(|w| {
            w.tag(Envelope::TAG)
                .map(2 + severed.len() + integrated.len());
            w.int(2).bytes(&wrapper).int(3).raw(&self.manifest_item());
            for (label, content) in &severed {
                w.int(*label).bytes(content);
            }
            for (key, payload) in integrated {
                w.text(key).bytes(payload);
            }
        })
    }
}

/// Two signatures by one key would make one authority look like two.
// req: SUIT-ENV-010
fn refuse_duplicates(signers: &[&dyn Signer]) -> Result<(), Error> {
    let mut before = Vec::new();
    for signer in signers {
        let key = signer.public_key();
        if before.contains(&key) {
            return Err(Error::DuplicateSigner);
        }
        before.push(key);
    }
    Ok(())
}

/// A block by each of `signers`, which names its key.
fn sign_each(
    crypto: &CryptoProvider,
    signers: &[&dyn Signer],
    digest: &[u8],
) -> Result<Vec<Vec<u8>>, Error> {
    let sign = |signer: &&dyn Signer| {
        let key_id = KeyId::of(signer.public_key(), crypto);
        sign1_detached(*signer, digest, Some(&key_id))
    };
    signers.iter().map(sign).collect()
}

/// A byte string with this content, head included.
fn wrapped(content: &[u8]) -> Vec<u8> {
    Writer::build(|w| {
        w.bytes(content);
    })
}

impl Envelope<'_> {
    /// Adds signatures to an envelope, which stays otherwise as it is.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateSigner`] if one of them signs twice, or has signed already; or if a signer fails, or
    /// the manifest does not have the digest that would be signed.
    // req: SUIT-ENV-009, SUIT-ENV-010, SUIT-ENV-012
    pub fn add_signatures(
        &self,
        crypto: &CryptoProvider,
        signers: &[&dyn Signer],
    ) -> Result<Vec<u8>, crate::Error> {
        self.verify_manifest_digest(crypto)?;
        refuse_duplicates(signers)?;
        if signers
            .iter()
            .any(|signer| self.is_signed_by(crypto, signer.public_key()))
        {
            return Err(Error::DuplicateSigner.into());
        }
        Ok(self.with_blocks(&sign_each(crypto, signers, self.digest_bytes())?))
    }

    /// Adds a MAC to an envelope, which stays otherwise as it is; `key_id` as with [`Draft::mac`].
    ///
    /// A Recipient may do so for itself, to check a MAC in place of signatures from then on; the key must
    /// then be its own alone.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateSigner`] if there is a MAC with this key already, or if the manifest does not have the
    /// digest that the MAC would be of.
    // req: SUIT-ENV-009, SUIT-ENV-010, SUIT-ENV-012
    pub fn add_mac(
        &self,
        crypto: &CryptoProvider,
        key: &MacKey,
        key_id: Option<&[u8]>,
    ) -> Result<Vec<u8>, crate::Error> {
        self.verify_manifest_digest(crypto)?;
        let payload = Some(self.digest_bytes());
        let has_mac = |block: &&[u8]| {
            Mac0::decode(block).is_ok_and(|mac| mac.verify(crypto, key, payload).is_ok())
        };
        if self.authentication_blocks().iter().any(has_mac) {
            return Err(Error::DuplicateSigner.into());
        }
        let block = mac0_detached(crypto, key, self.digest_bytes(), key_id);
        Ok(self.with_blocks(&[block]))
    }

    fn is_signed_by(&self, crypto: &CryptoProvider, key: &PublicKey) -> bool {
        let payload = Some(self.digest_bytes());
        self.authentication_blocks().iter().any(|block| {
            Signed::decode(block).is_ok_and(|signed| {
                let mut signatures = 0..signed.signatures().len();
                signatures.any(|at| signed.verify_at(crypto, at, key, payload).is_ok())
            })
        })
    }

    /// Encodes the envelope with further authentication blocks.
    fn with_blocks(&self, added: &[Vec<u8>]) -> Vec<u8> {
        let blocks = self.authentication_blocks();
        let wrapper = Writer::build(|w| {
            w.array(1 + blocks.len() + added.len())
                .bytes(self.digest_bytes());
            for block in blocks {
                w.bytes(block);
            }
            for block in added {
                w.bytes(block);
            }
        });
        self.with_wrapper(&wrapper).encode()
    }
}
