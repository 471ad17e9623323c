//! Who may sign what: security domains and the device administrator.

use alloc::{string::String, vec::Vec};

use tamarack_cose::{
    CryptoProvider, PublicKey,
    x509::{AnchorKey, Revocations, TrustAnchor},
};
use tamarack_suit::{Access, AccessControl, Authority, ComponentId, TrustAnchors};

use crate::{
    domain::{DOMAIN_SEGMENT, Quota},
    platform::{StorageError, View},
    state::{Anchor, AnchorRole, DomainRecord, Record, TrustStore},
    trust_anchors::TRUST_ANCHORS_SEGMENT,
};

/// The trusted signers of a device, and what each may touch.
///
/// A component belongs to the security domain with the longest prefix of its identifier, and only that
/// domain's owners may sign for it, not even the device administrator. What no domain owns, and the
/// domains themselves and the sets of trust anchors, are the device administrator's. A signer whose anchor
/// has prefixes may sign for what no domain owns and is below them.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    signers: Vec<Signatory>,
    domains: Vec<DomainRecord>,
    revocations: Revocations,
}

/// A trust anchor of signers.
#[derive(Debug, Clone)]
struct Signatory {
    anchor: TrustAnchor,
    /// Whom it stands for, in the words of the SUIT processor.
    authority: Authority,
    /// `None` makes a device administrator.
    prefixes: Option<Vec<ComponentId>>,
}

impl From<Anchor> for Signatory {
    fn from(anchor: Anchor) -> Self {
        Self {
            authority: match &anchor.entry.anchor.key {
                AnchorKey::Key(key) => Authority::Key(*key),
                AnchorKey::Certificate(_) => Authority::Certified(anchor.id),
            },
            anchor: anchor.entry.anchor,
            prefixes: anchor.entry.prefixes,
        }
    }
}

impl Signatory {
    fn may_sign_for(&self, component: &ComponentId) -> bool {
        self.prefixes.as_deref().is_none_or(|prefixes| {
            // req: ARCH-025
            !is_reserved(component) && prefixes.iter().any(|prefix| component.starts_with(prefix))
        })
    }
}

impl Rights {
    /// Reads the rights in force.
    pub(crate) fn load(view: &dyn View) -> Result<Self, StorageError> {
        let TrustStore {
            anchors,
            revocations,
        } = TrustStore::load(view)?;
        let signers = anchors.into_iter();
        Ok(Self {
            signers: signers
                .filter(|anchor| anchor.role() == AnchorRole::Signer)
                .map(Signatory::from)
                .collect(),
            domains: DomainRecord::all(view)?,
            revocations,
        })
    }

    /// Everybody who may sign a manifest at all, at `now`.
    pub(crate) fn signers(&self, crypto: &CryptoProvider, now: u64) -> TrustAnchors {
        let owners = self.domains.iter().flat_map(|record| &record.domain.owners);
        let mut owners: Vec<PublicKey> = owners
            .filter(|owner| !self.revocations.revoke_key(crypto, owner))
            .copied()
            .collect();
        owners.sort_unstable();
        owners.dedup();
        let anchors = self.signers.iter().map(|signer| signer.anchor.clone());
        let signers = anchors.map(tamarack_suit::TrustAnchor::new);
        let owners = owners.into_iter().map(tamarack_suit::TrustAnchor::new);
        TrustAnchors::new(crypto, signers.chain(owners))
            .with_certificates(now, self.revocations.clone())
    }

    /// The security domain that owns `component`; `None` is the device administrator.
    pub(crate) fn domain_of(&self, component: &ComponentId) -> Option<&DomainRecord> {
        if is_reserved(component) {
            return None;
        }
        self.domains
            .iter()
            .filter(|record| component.starts_with(&record.domain.prefix))
            .max_by_key(|record| record.domain.prefix.segments().count())
    }

    /// The name of the domain that owns `component`; empty for the device administrator.
    pub(crate) fn domain_name(&self, component: &ComponentId) -> String {
        self.domain_of(component)
            .map(|record| record.name.clone())
            .unwrap_or_default()
    }

    /// The quota of the domain `name`. The device administrator's is the default one.
    pub(crate) fn quota(&self, name: &str) -> Quota {
        let found = self.domains.iter().find(|record| record.name == name);
        found.map(|record| record.domain.quota).unwrap_or_default()
    }

    /// The domain other than `name` that has exactly this prefix.
    pub(crate) fn rival(&self, name: &str, prefix: &ComponentId) -> Option<&DomainRecord> {
        self.domains
            .iter()
            .find(|record| record.name != name && record.domain.prefix == *prefix)
    }
}

impl AccessControl for Rights {
    fn permits(&self, signers: &[Authority], access: Access, component: &ComponentId) -> bool {
        // What a dependency does is decided by its own signers. To name one is to be able to read it and
        // to keep it from being removed, so it must be the signer's own, or the signer's own domain.
        let owned_by = |owners: &[PublicKey]| {
            signers
                .iter()
                .filter_map(Authority::public_key)
                .any(|signer| owners.contains(signer))
        };
        if access == Access::Dependency && component.segments().next() == Some(DOMAIN_SEGMENT) {
            let name = component.segments().nth(1).unwrap_or_default();
            return self
                .domains
                .iter()
                .any(|record| record.name.as_bytes() == name && owned_by(&record.domain.owners));
        }
        match self.domain_of(component) {
            Some(record) => owned_by(&record.domain.owners),
            None => self.signers.iter().any(|signer| {
                signers.contains(&signer.authority) && signer.may_sign_for(component)
            }),
        }
    }
}

/// Whether the identifier is under a segment that no domain can own: of security domains, and of trust anchors.
pub(crate) fn is_reserved(component: &ComponentId) -> bool {
    matches!(
        component.segments().next(),
        Some(DOMAIN_SEGMENT | TRUST_ANCHORS_SEGMENT)
    )
}
