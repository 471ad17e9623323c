use tamarack_suit::ComponentId;

use super::ATTEMPTS;
use crate::{
    Actor, AuditAction, AuditEntry, Changed, Clock, Store, StoreError, Tam,
    catalog::{Catalog, Manifest, ManifestKind},
};

/// Why a manifest was not withdrawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WithdrawError {
    /// There is no such manifest, or it was withdrawn before.
    #[error("no manifest {0} is published")]
    Unknown(ComponentId),
    /// The manifest is that of a security domain.
    #[error("{0} is the manifest of a security domain: remove the domain instead")]
    OfDomain(ComponentId),
    /// The token is not for its domain.
    #[error("this token is not for the security domain {0:?}")]
    NotYours(String),
    /// Another published manifest depends on it.
    #[error("{needed} is needed by {by}, which is published: withdraw that first")]
    Needed {
        /// What was to be withdrawn.
        needed: ComponentId,
        /// What depends on it.
        by: ComponentId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others kept changing the catalog.
    #[error("the catalog keeps changing; try again")]
    Busy,
}

/// Withdraws every release of a manifest: no device gets it any more, and those that have it are told to unlink
/// it. It is published again with a newer release, or with its newest one, byte for byte.
///
/// # Errors
///
/// Why it can't be.
pub fn withdraw<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    manifest_component: &ComponentId,
    actor: &Actor,
) -> Result<(), WithdrawError> {
    let (store, now) = (tam.store(), tam.clock().now());
    for _ in 0..ATTEMPTS {
        let catalog = store.catalog()?;
        let newest = catalog.newest_of(manifest_component);
        let newest = newest.filter(|newest| !newest.withdrawn);
        let newest = newest.ok_or_else(|| WithdrawError::Unknown(manifest_component.clone()))?;
        if !actor.may_publish_in(&newest.domain) {
            return Err(WithdrawError::NotYours(newest.domain.clone()));
        }
        if newest.kind == ManifestKind::Domain {
            return Err(WithdrawError::OfDomain(manifest_component.clone()));
        }
        if let Some(by) = needed_by(&catalog, manifest_component) {
            return Err(WithdrawError::Needed {
                needed: manifest_component.clone(),
                by: by.manifest_component.clone(),
            });
        }
        let entry = AuditEntry {
            at: now,
            action: AuditAction::Withdraw,
            device: None,
            subject: manifest_component.to_string(),
            detail: format!("domain {}{}", newest.domain, actor.signature()),
        };
        if store.withdraw(catalog.revision(), manifest_component, &entry)? == Changed::Yes {
            return Ok(());
        }
    }
    Err(WithdrawError::Busy)
}

/// A published manifest that depends on a release of this one.
fn needed_by<'c>(catalog: &'c Catalog, manifest_component: &ComponentId) -> Option<&'c Manifest> {
    let releases: Vec<_> = catalog
        .releases(manifest_component)
        .map(|release| release.digest)
        .collect();
    let mut others = catalog.newest().filter(|other| !other.withdrawn);
    others.find(|other| {
        let mut needs = other.dependencies.iter();
        needs.any(|digest| releases.contains(digest))
    })
}
