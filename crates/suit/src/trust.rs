//! Who is believed, and for what.

use alloc::vec::Vec;

use tamarack_cose::{CryptoProvider, KeyId, MacKey, MacWrappingKey, PublicKey};

use crate::{
    Access, AccessControl, Command, ComponentId,
    codec::{Action, Parameters},
};

/// A party that has authenticated a manifest, by a signature or a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authority {
    /// Whoever holds the private half of this key.
    Key(PublicKey),
    /// Whoever shares the secret key with this id ([`MacKey::key_id`], [`MacWrappingKey::key_id`]), the
    /// Recipient itself included.
    Mac(KeyId),
    /// Whoever has a certificate that the trust anchor with this id vouches for (`tamarack_cose::x509::TrustAnchor::id`).
    /// With feature `x509` only is there such a trust anchor; a record of one is read without it too.
    Certified(KeyId),
}

impl Authority {
    /// The id of the key: a thumbprint, or what stands for a secret key or for a trust anchor.
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        match self {
            Self::Key(key) => key.key_id(crypto),
            Self::Mac(id) | Self::Certified(id) => *id,
        }
    }

    /// The public key; `None` if the party shares a secret key, or is known by its certificate.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Key(key) => Some(key),
            Self::Mac(_) | Self::Certified(_) => None,
        }
    }
}

impl From<PublicKey> for Authority {
    fn from(key: PublicKey) -> Self {
        Self::Key(key)
    }
}

impl PartialEq<PublicKey> for Authority {
    fn eq(&self, key: &PublicKey) -> bool {
        self.public_key() == Some(key)
    }
}

/// The key of a trust anchor.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AnchorKey {
    /// A key that verifies signatures.
    Public(PublicKey),
    /// A key that is shared with whoever makes the MACs.
    Mac(MacKey),
    /// A key under which the keys of MACs are wrapped.
    Wrapping(MacWrappingKey),
    /// A key or a certificate that vouches for whoever has a certificate that leads to it, beside what it
    /// signs itself. Its purpose must be [`Purpose::Signer`](tamarack_cose::x509::Purpose::Signer).
    #[cfg(feature = "x509")]
    Issuer(alloc::boxed::Box<tamarack_cose::x509::TrustAnchor>),
}

#[cfg(feature = "x509")]
impl From<tamarack_cose::x509::TrustAnchor> for AnchorKey {
    fn from(anchor: tamarack_cose::x509::TrustAnchor) -> Self {
        Self::Issuer(alloc::boxed::Box::new(anchor))
    }
}

impl From<PublicKey> for AnchorKey {
    fn from(key: PublicKey) -> Self {
        Self::Public(key)
    }
}

impl From<MacKey> for AnchorKey {
    fn from(key: MacKey) -> Self {
        Self::Mac(key)
    }
}

impl From<MacWrappingKey> for AnchorKey {
    fn from(key: MacWrappingKey) -> Self {
        Self::Wrapping(key)
    }
}

/// A key that is trusted, and what for.
///
/// A new one may do everything; each `with_` restricts it.
#[derive(Debug, Clone)]
pub struct TrustAnchor {
    key: AnchorKey,
    key_id: Option<Vec<u8>>,
    prefixes: Option<Vec<ComponentId>>,
    dependencies: Vec<ComponentId>,
    commands: Option<Vec<i64>>,
    parameters: Option<Vec<i64>>,
}

impl TrustAnchor {
    /// A key with every right.
    #[must_use]
    pub fn new(key: impl Into<AnchorKey>) -> Self {
        Self {
            key: key.into(),
            key_id: None,
            prefixes: None,
            dependencies: Vec::new(),
            commands: None,
            parameters: None,
        }
    }

    /// The same with a key id by which signers name the key beside its own: the thumbprint of a public key,
    /// [`MacKey::key_id`] of a secret one.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<Vec<u8>>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The same, for components and manifests whose identifiers start with one of `prefixes` only.
    #[must_use]
    pub fn with_prefixes(mut self, prefixes: impl IntoIterator<Item = ComponentId>) -> Self {
        self.prefixes = Some(prefixes.into_iter().collect());
        self
    }

    /// The same, and its manifests may also depend on those whose identifiers start with one of
    /// `dependencies`. What the dependencies do is a matter of their own signers' rights.
    #[must_use]
    pub fn with_dependencies(
        mut self,
        dependencies: impl IntoIterator<Item = ComponentId>,
    ) -> Self {
        self.dependencies = dependencies.into_iter().collect();
        self
    }

    /// The same, with no other commands than these labels.
    ///
    /// Conditions change nothing and need no right, nor do the commands that steer others
    /// (set-component-index, try-each, run-sequence) and those that set parameters (which
    /// [`with_parameters`](Self::with_parameters) restricts).
    #[must_use]
    pub fn with_commands(mut self, commands: impl IntoIterator<Item = i64>) -> Self {
        self.commands = Some(commands.into_iter().collect());
        self
    }

    /// The same, with no other parameters than these labels.
    #[must_use]
    pub fn with_parameters(mut self, parameters: impl IntoIterator<Item = i64>) -> Self {
        self.parameters = Some(parameters.into_iter().collect());
        self
    }

    fn may_touch(&self, access: Access, component: &ComponentId) -> bool {
        let below =
            |prefixes: &[ComponentId]| prefixes.iter().any(|prefix| component.starts_with(prefix));
        self.prefixes.as_deref().is_none_or(below)
            || (access == Access::Dependency && below(&self.dependencies))
    }

    fn may_use(&self, command: &Command<'_>) -> bool {
        let listed = |list: &Option<Vec<i64>>, label: i64| {
            list.as_ref().is_none_or(|list| list.contains(&label))
        };
        let may_set = |parameters: &Parameters<'_>| {
            parameters
                .iter()
                .all(|parameter| listed(&self.parameters, parameter.label()))
        };
        match command {
            // It has the rights of its own signers.
            Command::Action(Action::ProcessDependency, _) => true,
            Command::Action(..) | Command::Other { .. } => listed(&self.commands, command.label()),
            Command::SetParameters(parameters) | Command::OverrideParameters(parameters) => {
                may_set(parameters)
            }
            Command::OverrideMultiple(list) => list.iter().all(|(_, set)| may_set(set)),
            Command::CopyParameters(list) => list
                .iter()
                .all(|(_, labels)| labels.iter().all(|label| listed(&self.parameters, *label))),
            Command::Condition(..)
            | Command::SetComponentIndex(_)
            | Command::TryEach { .. }
            | Command::RunSequence(_) => true,
        }
    }
}

/// The trust anchors of a Recipient, and how many of them must vouch for a manifest.
///
/// As [`AccessControl`] it answers from the rights of the anchors. A right is there if one authority
/// that authenticated the manifest has it whole: a command on a component takes an authority that may
/// touch the component and use the command. Where `n` authorities must authenticate, `n` different ones
/// must have the right, so that no right is any one's alone. See `docs/decisions/0014-rights-of-several-signers.md`.
///
/// Key ids are computed once, here.
///
/// ```
/// use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
/// use tamarack_suit::{Processor, TrustAnchor, TrustAnchors};
///
/// let crypto = rustcrypto::provider();
/// let vendor = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
/// let operator = SecretKey::generate(&crypto, SignatureAlgorithm::Ed25519)?;
/// let anchors = TrustAnchors::new(&crypto, [
///     TrustAnchor::new(*vendor.public_key()).with_prefixes(["firmware".parse()?]),
///     TrustAnchor::new(*operator.public_key()),
/// ])
/// .with_threshold(2);
/// let processor = Processor::trusting(&crypto, &anchors);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrustAnchors {
    known: Vec<Known>,
    threshold: usize,
    #[cfg(feature = "x509")]
    issuers: crate::certified::Issuers,
}

/// A trust anchor with what is computed once.
#[derive(Debug, Clone)]
struct Known {
    anchor: TrustAnchor,
    authority: Authority,
    key_id: KeyId,
}

impl TrustAnchors {
    /// These anchors, each of which may vouch alone.
    ///
    /// A key may be given more than once; it then has each of the rights, but not a command of the one on
    /// a component of the other.
    #[must_use]
    pub fn new(crypto: &CryptoProvider, anchors: impl IntoIterator<Item = TrustAnchor>) -> Self {
        let shared = |id| (Authority::Mac(id), id);
        let identified = |anchor: TrustAnchor| {
            let (authority, key_id) = match &anchor.key {
                AnchorKey::Public(key) => (Authority::Key(*key), key.key_id(crypto)),
                AnchorKey::Mac(key) => shared(key.key_id(crypto)),
                AnchorKey::Wrapping(key) => shared(key.key_id(crypto)),
                #[cfg(feature = "x509")]
                AnchorKey::Issuer(anchor) => crate::certified::authority(crypto, anchor),
            };
            Known {
                anchor,
                authority,
                key_id,
            }
        };
        let mut known: Vec<Known> = Vec::new();
        for anchor in anchors {
            known.push(identified(anchor));
        }
        Self {
            #[cfg(feature = "x509")]
            issuers: known
                .iter()
                .filter_map(|known| match &known.anchor.key {
                    AnchorKey::Issuer(anchor) => Some(((**anchor).clone(), known.authority)),
                    _ => None,
                })
                .collect(),
            known,
            threshold: 1,
        }
    }

    /// The same anchors, whose certificates are looked at as of `now`, in seconds since 1970-01-01 UTC, and
    /// count unless they are revoked. Without this, it is 1970. The time stands still from then on, whatever
    /// [`Device::now`](crate::Device::now) says: call this before each procedure.
    #[cfg(feature = "x509")]
    #[must_use]
    pub fn with_certificates(
        mut self,
        now: u64,
        revocations: tamarack_cose::x509::Revocations,
    ) -> Self {
        self.issuers.now = now;
        self.issuers.revocations = revocations;
        self
    }

    /// The same anchors, `threshold` different ones of which must authenticate every manifest,
    /// dependencies included. 0 is taken for 1.
    #[must_use]
    pub fn with_threshold(mut self, threshold: usize) -> Self {
        self.threshold = threshold.max(1);
        self
    }

    /// Whether as many of `signers` as it takes have a right.
    fn granted(&self, signers: &[Authority], right: &dyn Fn(&TrustAnchor) -> bool) -> bool {
        let has = |signer: &Authority| {
            self.known
                .iter()
                .any(|known| known.authority == *signer && right(&known.anchor))
        };
        let mut count = 0;
        for (at, signer) in signers.iter().enumerate() {
            let before = signers.get(..at).unwrap_or_default();
            if !before.contains(signer) && has(signer) {
                count += 1;
            }
        }
        count >= self.threshold
    }
}

// req: SUIT-ACL-001, SUIT-ACL-003, SUIT-ACL-004
impl AccessControl for TrustAnchors {
    fn permits(&self, signers: &[Authority], access: Access, component: &ComponentId) -> bool {
        self.granted(signers, &|anchor| anchor.may_touch(access, component))
    }

    fn permits_command(
        &self,
        signers: &[Authority],
        access: Access,
        component: &ComponentId,
        command: &Command<'_>,
    ) -> bool {
        self.granted(signers, &|anchor| {
            anchor.may_touch(access, component) && anchor.may_use(command)
        })
    }
}

/// Whom a verification may believe: some keys, or [`TrustAnchors`].
///
/// References to arrays, slices and vectors of keys, and to trust anchors, convert into it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Trusted<'t> {
    /// Any one of these keys.
    Keys(&'t [PublicKey]),
    /// As many of these anchors as they ask for.
    Anchors(&'t TrustAnchors),
}

impl<'t> From<&'t [PublicKey]> for Trusted<'t> {
    fn from(keys: &'t [PublicKey]) -> Self {
        Self::Keys(keys)
    }
}

impl<'t, const N: usize> From<&'t [PublicKey; N]> for Trusted<'t> {
    fn from(keys: &'t [PublicKey; N]) -> Self {
        Self::Keys(keys)
    }
}

impl<'t> From<&'t Vec<PublicKey>> for Trusted<'t> {
    fn from(keys: &'t Vec<PublicKey>) -> Self {
        Self::Keys(keys)
    }
}

impl<'t> From<&'t TrustAnchors> for Trusted<'t> {
    fn from(anchors: &'t TrustAnchors) -> Self {
        Self::Anchors(anchors)
    }
}

/// A trusted key, wherever it comes from.
#[derive(Clone, Copy)]
pub(crate) enum TrustedKey<'t> {
    Public(&'t PublicKey),
    Mac(&'t MacKey),
    Wrapping(&'t MacWrappingKey),
}

/// A trusted key, who it stands for, and whether a signature or MAC names it.
pub(crate) struct Candidate<'t> {
    pub(crate) key: TrustedKey<'t>,
    pub(crate) authority: Authority,
    pub(crate) named: bool,
}

/// Finds out who of the candidates made a signature or MAC, which `verify` checks with one key. That says
/// [`UnknownKey`](tamarack_cose::Error::UnknownKey) of a key that is of another kind.
///
/// # Errors
///
/// [`BadSignature`](tamarack_cose::Error::BadSignature) of what names a trusted key and is not by it: a forgery. A key that
/// is not named proves nothing by not fitting. Anything else says why it is by nobody who is trusted.
pub(crate) fn attribute(
    candidates: &[Candidate<'_>],
    verify: &dyn Fn(TrustedKey<'_>) -> Result<(), tamarack_cose::Error>,
) -> Result<Authority, tamarack_cose::Error> {
    use tamarack_cose::Error as Cose;
    let mut trouble = Cose::UnknownKey;
    for named in [true, false] {
        let mut forged = None;
        for candidate in candidates.iter().filter(|c| c.named == named) {
            match verify(candidate.key) {
                Ok(()) => return Ok(candidate.authority),
                Err(Cose::UnknownKey) => {}
                Err(error @ Cose::BadSignature) => forged = Some(error),
                Err(error) => trouble = error,
            }
        }
        if let Some(error) = forged.filter(|_| named) {
            return Err(error);
        }
    }
    Err(trouble)
}

impl<'t> Trusted<'t> {
    /// How many different authorities must have authenticated.
    pub(crate) fn threshold(self) -> usize {
        match self {
            Self::Keys(_) => 1,
            Self::Anchors(anchors) => anchors.threshold,
        }
    }

    /// All keys; `key_id` is what a signature or MAC says of the one that made it.
    #[cfg_attr(
        not(feature = "x509"),
        expect(clippy::unnecessary_filter_map, reason = "only issuers are left out")
    )]
    pub(crate) fn candidates(
        self,
        crypto: &CryptoProvider,
        key_id: Option<&[u8]>,
    ) -> Vec<Candidate<'t>> {
        let is = |id: &KeyId| key_id == Some(id.as_bytes());
        let mut candidates = Vec::new();
        match self {
            Self::Keys(keys) => {
                for key in keys {
                    candidates.push(Candidate {
                        key: TrustedKey::Public(key),
                        authority: Authority::Key(*key),
                        // Hashing is for those that are asked for.
                        named: key_id.is_some() && is(&key.key_id(crypto)),
                    });
                }
            }
            Self::Anchors(anchors) => {
                for known in &anchors.known {
                    let key = match &known.anchor.key {
                        AnchorKey::Public(key) => TrustedKey::Public(key),
                        AnchorKey::Mac(key) => TrustedKey::Mac(key),
                        AnchorKey::Wrapping(key) => TrustedKey::Wrapping(key),
                        // What they sign themselves depends on the time.
                        #[cfg(feature = "x509")]
                        AnchorKey::Issuer(_) => continue,
                    };
                    candidates.push(Candidate {
                        key,
                        authority: known.authority,
                        named: is(&known.key_id)
                            || (key_id.is_some() && known.anchor.key_id.as_deref() == key_id),
                    });
                }
            }
        }
        candidates
    }

    /// The anchors that vouch for holders of certificates.
    #[cfg(feature = "x509")]
    pub(crate) fn issuers(self) -> Option<&'t crate::certified::Issuers> {
        match self {
            Self::Keys(_) => None,
            Self::Anchors(anchors) => Some(&anchors.issuers),
        }
    }
}
