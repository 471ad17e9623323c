//! Who may sign what: security domains and the device administrator.

use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, PublicKey,
    x509::{AnchorKey, Revocations, TrustAnchor},
};
use tamarack_suit::{Access, AccessControl, Authority, ComponentId, TrustAnchors};

use crate::{
    domain::{DOMAIN_SEGMENT, Quota, SecurityDomain, described},
    platform::{StorageError, View},
    state::{
        Anchor, AnchorRole, DomainRecord, Record, TrustStore, own_quota, owner_name, owner_of,
    },
    trust_anchors::TRUST_ANCHORS_SEGMENT,
};

/// The trusted signers of a device, and what each may touch.
///
/// A component belongs to the security domain with the longest prefix of its identifier, and only that
/// domain's owners may sign for it, not even the device administrator. What no domain owns, and the
/// domains themselves and the sets of trust anchors, are the device administrator's. A domain that is in
/// another one is that one's owners' to make, change and remove, as well as the administrator's. A signer whose
/// anchor has prefixes may sign for what no domain owns and is below them.
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
            .filter(|owner| !self.revocations.is_key_revoked(crypto, owner))
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
        owner_of(&self.domains, component)
    }

    /// The name of the domain that owns `component`; empty for the device administrator.
    pub(crate) fn domain_name(&self, component: &ComponentId) -> &str {
        owner_name(&self.domains, component)
    }

    /// All security domains.
    pub(crate) fn domains(&self) -> &[DomainRecord] {
        &self.domains
    }

    /// What the domain `name` may use itself. The device administrator's is the default quota.
    pub(crate) fn quota(&self, name: &str) -> Quota {
        own_quota(&self.domains, name)
    }

    /// Whether the device administrator, or a signer with prefixes that cover it, may sign for `component`.
    fn is_the_administrators(&self, signers: &[Authority], component: &ComponentId) -> bool {
        self.signers
            .iter()
            .any(|signer| signers.contains(&signer.authority) && signer.may_sign_for(component))
    }
}

impl AccessControl for Rights {
    fn permits(&self, signers: &[Authority], access: Access, component: &ComponentId) -> bool {
        let own = |record: &DomainRecord| {
            signers
                .iter()
                .filter_map(Authority::public_key)
                .any(|signer| record.domain.owners.contains(signer))
        };
        // What a dependency does is decided by its own signers. To name one is to be able to read it and
        // to keep it from being removed, so it must be the signer's own, or the signer's own domain, or one in that.
        if access == Access::Dependency && component.segments().next() == Some(DOMAIN_SEGMENT) {
            let Some(domain) = described(component) else {
                return false;
            };
            let around = SecurityDomain::parent_of(&domain);
            let mut domains = self.domains.iter().filter(|record| {
                let name = record.name.as_str();
                name == domain || Some(name) == around
            });
            return domains.any(own);
        }
        match self.domain_of(component) {
            // Domains of any depth are the administrator's too: somebody has to be there for a provider who
            // lost the key, and who makes the outermost domain could make all others anew anyway.
            Some(record) => {
                own(record)
                    || is_reserved(component) && self.is_the_administrators(signers, component)
            }
            None => self.is_the_administrators(signers, component),
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
