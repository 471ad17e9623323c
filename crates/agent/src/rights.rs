//! Who may sign what: security domains and the device administrator.

use alloc::{string::String, vec::Vec};

use tamarack_cose::PublicKey;
use tamarack_suit::{Access, AccessControl, Authority, ComponentId};

use crate::{
    domain::{DOMAIN_SEGMENT, Quota},
    platform::{StorageError, View},
    state::{Anchor, AnchorRole, DomainRecord, Record},
};

/// The trusted signers of a device, and what each may touch.
///
/// A component belongs to the security domain with the longest prefix of its identifier, and only that
/// domain's owners may sign for it, not even the device administrator. What no domain owns, and the
/// domains themselves, are the device administrator's.
#[derive(Debug, Clone)]
pub(crate) struct Rights {
    administrators: Vec<PublicKey>,
    domains: Vec<DomainRecord>,
}

impl Rights {
    /// Reads the rights in force.
    pub(crate) fn load(view: &dyn View) -> Result<Self, StorageError> {
        Ok(Self {
            administrators: Anchor::keys(view, AnchorRole::Signer)?,
            domains: DomainRecord::all(view)?,
        })
    }

    /// Every key that may sign a manifest at all.
    pub(crate) fn signers(&self) -> Vec<PublicKey> {
        let owners = self.domains.iter().flat_map(|record| &record.domain.owners);
        let mut keys: Vec<PublicKey> = self.administrators.iter().chain(owners).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        keys
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
        if access == Access::Dependency && is_reserved(component) {
            let name = component.segments().nth(1).unwrap_or_default();
            return self
                .domains
                .iter()
                .any(|record| record.name.as_bytes() == name && owned_by(&record.domain.owners));
        }
        owned_by(match self.domain_of(component) {
            Some(record) => &record.domain.owners,
            None => &self.administrators,
        })
    }
}

/// Whether the identifier is under the segment of security domains.
pub(crate) fn is_reserved(component: &ComponentId) -> bool {
    component.segments().next() == Some(DOMAIN_SEGMENT)
}
