use tamarack_cose::PublicKey;
use tamarack_suit::{ComponentId, ComponentIdError, Limits};

use super::{ATTEMPTS, PublishError, check_newer, decode, facts, is_published};
use crate::{
    AuditAction, AuditEntry, Changed, Clock, NewManifest, Store, StoreError, Tam,
    catalog::{self, Catalog, DOMAIN_SEGMENT, Domain, ManifestKind},
};

/// A security domain to be registered or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name: 1 to 64 bytes, printable, without `/`.
    pub name: String,
    /// What it owns. Empty is whatever no other domain owns.
    pub prefix: ComponentId,
    /// Keys that may sign its manifests: 1 to 16.
    pub signers: Vec<PublicKey>,
    /// The key that signs the manifest of the domain itself; `None` keeps the known one.
    pub anchor: Option<PublicKey>,
    /// That manifest, an envelope that installs the component `security-domain/NAME`; `None` keeps the
    /// known one. Its payload is a matter between its signer and the devices.
    pub manifest: Option<Vec<u8>>,
}

/// Why a security domain was not registered, changed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// A name that is none.
    #[error("a security domain's name has 1 to 64 bytes, printable and without /; not {0:?}")]
    Name(String),
    /// Too few signers, too many, or one twice.
    #[error("a security domain has 1 to 16 signers, each once")]
    Signers,
    /// A prefix within `security-domain`.
    #[error("the prefix {0} is reserved for security domains themselves")]
    Reserved(ComponentId),
    /// The name does not fit into a component identifier.
    #[error("the name can't be part of a component identifier: {0}")]
    Component(#[from] ComponentIdError),
    /// Another domain has the prefix.
    #[error("security domain {0:?} has the same prefix")]
    PrefixTaken(String),
    /// A published component would change hands.
    #[error("{component}, which is published, would pass from security domain {from:?} to another")]
    WouldMove {
        /// The component.
        component: ComponentId,
        /// Its domain.
        from: String,
    },
    /// A manifest, and no key to verify it with.
    #[error("the manifest of the security domain needs an anchor: the key that signs it")]
    NoAnchor,
    /// An anchor that did not sign the known manifest.
    #[error("a new anchor comes with a manifest that it has signed")]
    AnchorWithoutManifest,
    /// A manifest that installs something else.
    #[error(
        "the manifest installs {found}; that of a security domain installs {expected} and nothing else"
    )]
    OtherComponent {
        /// What it installs.
        found: String,
        /// What it shall install.
        expected: ComponentId,
    },
    /// The anchor did not sign the manifest.
    #[error("the anchor did not sign the manifest of the security domain: {0}")]
    Unauthorized(tamarack_suit::Error),
    /// Another fault of the manifest.
    #[error(transparent)]
    Manifest(#[from] PublishError),
    /// There is no such domain.
    #[error("there is no security domain {0:?}")]
    Unknown(String),
    /// Manifests are published in it.
    #[error("{manifests} manifests are published in security domain {name:?}")]
    InUse {
        /// The domain.
        name: String,
        /// How many.
        manifests: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others kept changing the catalog.
    #[error("the catalog keeps changing; try again")]
    Busy,
}

/// Registers a security domain, or changes its signers, anchor and manifest; `true` if it is new.
///
/// # Errors
///
/// What is wrong with it, in words for the operator.
pub fn register_domain<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    limits: &Limits,
    registration: &Registration,
) -> Result<bool, DomainError> {
    let (store, crypto, now) = (tam.store(), tam.crypto(), tam.clock().now());
    check_name(&registration.name)?;
    check_signers(&registration.signers)?;
    if catalog::is_domain(&registration.prefix) {
        return Err(DomainError::Reserved(registration.prefix.clone()));
    }
    for _ in 0..ATTEMPTS {
        let catalog = store.catalog()?;
        let known = catalog.domain(&registration.name);
        let domain = Domain {
            name: registration.name.clone(),
            prefix: registration.prefix.clone(),
            signers: registration.signers.clone(),
            anchor: registration.anchor.or(known.and_then(|known| known.anchor)),
        };
        check_prefix(&catalog, &domain)?;
        let manifest = match &registration.manifest {
            Some(envelope) => own_manifest(tam, limits, &catalog, &domain, envelope)?,
            None => {
                let current = catalog.domain_manifest(&domain.name);
                if current.is_some_and(|current| domain.anchor != Some(current.signer)) {
                    return Err(DomainError::AnchorWithoutManifest);
                }
                None
            }
        };
        let keys: Vec<_> = domain
            .signers
            .iter()
            .map(|key| key.key_id(crypto).to_hex())
            .collect();
        let entry = AuditEntry {
            at: now,
            action: AuditAction::RegisterDomain,
            device: None,
            subject: domain.name.clone(),
            detail: format!(
                "prefix {:?}, signers {}",
                domain.prefix.to_string(),
                keys.join(" ")
            ),
        };
        if store.put_domain(catalog.revision(), &domain, manifest.as_ref(), &entry)? == Changed::Yes
        {
            return Ok(known.is_none());
        }
    }
    Err(DomainError::Busy)
}

/// Removes a security domain in which no manifest is published, other than its own.
///
/// # Errors
///
/// If there is none, or manifests are published in it.
pub fn remove_domain<S: Store, C: Clock>(tam: &Tam<S, C>, name: &str) -> Result<(), DomainError> {
    let (store, now) = (tam.store(), tam.clock().now());
    for _ in 0..ATTEMPTS {
        let catalog = store.catalog()?;
        catalog
            .domain(name)
            .ok_or_else(|| DomainError::Unknown(name.to_owned()))?;
        let published = catalog
            .newest()
            .filter(|m| m.kind == ManifestKind::Component);
        let manifests = published.filter(|m| m.domain == name).count();
        if manifests > 0 {
            return Err(DomainError::InUse {
                name: name.to_owned(),
                manifests,
            });
        }
        let entry = AuditEntry {
            at: now,
            action: AuditAction::RemoveDomain,
            device: None,
            subject: name.to_owned(),
            detail: String::new(),
        };
        if store.remove_domain(catalog.revision(), name, &entry)? == Changed::Yes {
            return Ok(());
        }
    }
    Err(DomainError::Busy)
}

fn check_name(name: &str) -> Result<(), DomainError> {
    let printable = |c: char| !c.is_control() && c != '/' && !c.is_whitespace();
    if (1..=64).contains(&name.len()) && name.chars().all(printable) {
        return Ok(());
    }
    Err(DomainError::Name(name.to_owned()))
}

fn check_signers(signers: &[PublicKey]) -> Result<(), DomainError> {
    let mut distinct = signers.to_vec();
    distinct.sort();
    distinct.dedup();
    if (1..=16).contains(&signers.len()) && distinct.len() == signers.len() {
        return Ok(());
    }
    Err(DomainError::Signers)
}

/// No two domains share a prefix, and no published component changes hands.
fn check_prefix(catalog: &Catalog, domain: &Domain) -> Result<(), DomainError> {
    let others = || {
        catalog
            .domains()
            .iter()
            .filter(|other| other.name != domain.name)
    };
    if let Some(other) = others().find(|other| other.prefix == domain.prefix) {
        return Err(DomainError::PrefixTaken(other.name.clone()));
    }
    let domains = others().cloned().chain([domain.clone()]).collect();
    let after = Catalog::new(0, 0, domains, Vec::new(), Vec::new());
    let components = catalog
        .manifests()
        .iter()
        .filter(|m| m.kind == ManifestKind::Component);
    for manifest in components {
        let ids = manifest.components.iter().map(|image| &image.component);
        for component in ids.chain([&manifest.manifest_component]) {
            if after.owner_of(component).map(|owner| &owner.name) != Some(&manifest.domain) {
                let (component, from) = (component.clone(), manifest.domain.clone());
                return Err(DomainError::WouldMove { component, from });
            }
        }
    }
    Ok(())
}

/// Checks the manifest of the domain itself; `None` if these very bytes are published.
fn own_manifest<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    limits: &Limits,
    catalog: &Catalog,
    domain: &Domain,
    envelope: &[u8],
) -> Result<Option<NewManifest>, DomainError> {
    let anchor = domain.anchor.ok_or(DomainError::NoAnchor)?;
    let decoded = decode(envelope, limits, tam.settings())?;
    let authentic = decoded
        .authenticate(tam.crypto(), &[anchor])
        .map_err(DomainError::Unauthorized)?;
    let expected = ComponentId::new([DOMAIN_SEGMENT, domain.name.as_bytes()])?;
    let manifest = facts::new_manifest(&authentic, ManifestKind::Domain, &domain.name, envelope)?;
    let installs: Vec<_> = manifest
        .components
        .iter()
        .map(|image| &image.component)
        .collect();
    if installs != [&expected] || !manifest.manifest_component.starts_with(&expected) {
        let installs: Vec<_> = installs.iter().map(ToString::to_string).collect();
        return Err(DomainError::OtherComponent {
            found: installs.join(", "),
            expected,
        });
    }
    if is_published(tam.store(), catalog, &manifest)? {
        return Ok(None);
    }
    check_newer(catalog, &manifest)?;
    Ok(Some(manifest))
}
