use std::collections::{BTreeSet, HashSet};

use tamarack_cose::PublicKey;
use tamarack_suit::{ComponentId, ComponentIdError, Limits};

use super::{ATTEMPTS, PublishError, check_newer, decode, facts, known_as};
use crate::{
    Actor, AuditAction, AuditEntry, Changed, Clock, Device, NewManifest, Store, StoreError, Tam,
    Ueid,
    catalog::{self, Catalog, DOMAIN_SEGMENT, Domain, ManifestKind, owner_among},
};

/// A security domain to be registered or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name: 1 to 64 bytes, printable; for a domain in another one, after that one's name and a `/`.
    pub name: String,
    /// What it owns. Empty is whatever no other domain owns.
    pub prefix: ComponentId,
    /// Keys that may sign its manifests: 1 to 16.
    pub signers: Vec<PublicKey>,
    /// The key that signs the manifest of the domain itself; `None` keeps the known one. Of a domain in another
    /// one, it may be any signer's of that.
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
    #[error(
        "a security domain's name has 1 to 64 bytes, printable, and is not suit; up to 4 with / between them make a path; not {0:?}"
    )]
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
    #[error("the prefix is that of security domain {0:?}, or within it")]
    PrefixTaken(String),
    /// A published component would change hands.
    #[error("{component}, which is published, would pass from security domain {from:?} to another")]
    WouldMove {
        /// The component.
        component: ComponentId,
        /// Its domain.
        from: String,
    },
    /// A sub-domain with a prefix that is not below that of the domain that it is in.
    #[error("the prefix {prefix} is not below {owns}, the one of security domain {parent:?}")]
    Outside {
        /// The prefix.
        prefix: ComponentId,
        /// The domain around it.
        parent: String,
        /// The prefix of that.
        owns: ComponentId,
    },
    /// The token is not for it.
    #[error("this token may not register, change or remove the security domain {0:?}")]
    NotYours(String),
    /// A signer's sub-domain whose manifest is none of that signer's domain.
    #[error("the anchor of a sub-domain is a signer of the security domain that it is in")]
    ForeignAnchor,
    /// Sub-domains are in it.
    #[error("security domain {name:?} has the sub-domain {child:?}: remove that first")]
    HasSubDomain {
        /// The domain.
        name: String,
        /// The other one.
        child: String,
    },
    /// A manifest, and no key to verify it with.
    #[error("the manifest of the security domain needs an anchor: the key that signs it")]
    NoAnchor,
    /// An anchor that did not sign the known manifest.
    #[error("a new anchor comes with a manifest that it has signed")]
    AnchorWithoutManifest,
    /// A manifest that installs something else.
    #[error(
        "the manifest installs {found}; that of a security domain installs {expected} and nothing else, and is kept at {expected}/suit"
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
/// One that was retired is a domain like others again.
///
/// # Errors
///
/// What is wrong with it, in words for the operator.
pub fn register_domain<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    limits: &Limits,
    registration: &Registration,
) -> Result<bool, DomainError> {
    register_domain_as(tam, limits, registration, &Actor::administrator())
}

/// [Registers](register_domain) a security domain on behalf of somebody: a signer makes and changes sub-domains of
/// its own domains, and has their manifests signed by keys of these.
///
/// # Errors
///
/// What is wrong with it, in words for the operator.
pub fn register_domain_as<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    limits: &Limits,
    registration: &Registration,
    actor: &Actor,
) -> Result<bool, DomainError> {
    let (store, crypto, now) = (tam.store(), tam.crypto(), tam.clock().now());
    check_name(&registration.name)?;
    check_signers(&registration.signers)?;
    check_actor(&registration.name, actor)?;
    if catalog::is_domain(&registration.prefix) {
        return Err(DomainError::Reserved(registration.prefix.clone()));
    }
    for _ in 0..ATTEMPTS {
        let catalog = store.catalog()?;
        let known = catalog.domain(&registration.name);
        let parent = parent(&catalog, registration)?;
        let mut domain = Domain {
            name: registration.name.clone(),
            prefix: registration.prefix.clone(),
            signers: registration.signers.clone(),
            anchor: registration.anchor.or(known.and_then(|known| known.anchor)),
            retired: false,
        };
        check_prefix(&catalog, &domain)?;
        if let (Some(parent), Some(envelope), None) =
            (parent, &registration.manifest, registration.anchor)
        {
            // A key of the domain around it, whichever it was.
            let decoded = decode(envelope, limits, tam.settings())?;
            let mut keys = domain.anchor.iter().chain(&parent.signers).copied();
            domain.anchor = keys.find(|key| decoded.authenticate(crypto, &[*key]).is_ok());
        }
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
        let of_parent = |key| parent.is_some_and(|parent| parent.signers.contains(&key));
        if actor.domains().is_some() && domain.anchor.is_some_and(|anchor| !of_parent(anchor)) {
            return Err(DomainError::ForeignAnchor);
        }
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
                "prefix {:?}, signers {}{}",
                domain.prefix.to_string(),
                keys.join(" "),
                actor.signature()
            ),
        };
        if store.put_domain(catalog.revision(), &domain, manifest.as_ref(), &entry)? == Changed::Yes
        {
            return Ok(known.is_none());
        }
    }
    Err(DomainError::Busy)
}

/// How far the removal of a security domain has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The TAM knows nothing of it any more.
    Done,
    /// Devices hold something of it, which they are told to remove at their next contact. To remove the domain
    /// again once they have done so ends it.
    UnderWay {
        /// How many.
        devices: usize,
    },
}

/// Removes a security domain in which no manifest is published, other than its own, from the devices that have it,
/// and then from the TAM.
///
/// # Errors
///
/// If there is none, manifests are published in it, or it has a sub-domain that is not being removed too.
pub fn remove_domain<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    name: &str,
    actor: &Actor,
) -> Result<Removal, DomainError> {
    let (store, now) = (tam.store(), tam.clock().now());
    for _ in 0..ATTEMPTS {
        let catalog = store.catalog()?;
        let domain = catalog.domain(name);
        let domain = domain.ok_or_else(|| DomainError::Unknown(name.to_owned()))?;
        check_actor(name, actor)?;
        check_empty(&catalog, name)?;
        let entry = |action| AuditEntry {
            at: now,
            action,
            device: None,
            subject: name.to_owned(),
            detail: actor.by().unwrap_or_default(),
        };
        if !domain.retired {
            // From now on no device gets anything of it; so none that is counted below comes later.
            let entry = entry(AuditAction::RetireDomain);
            // If somebody was faster, the next attempt sees what is so now.
            let _ = store.retire_domain(catalog.revision(), name, &entry)?;
            continue;
        }
        let devices = holders(store, &catalog, name)?;
        if devices > 0 || catalog.sub_domains(name).next().is_some() {
            return Ok(Removal::UnderWay { devices });
        }
        let entry = entry(AuditAction::RemoveDomain);
        if store.remove_domain(catalog.revision(), name, &entry)? == Changed::Yes {
            return Ok(Removal::Done);
        }
    }
    Err(DomainError::Busy)
}

/// Whether nothing is published in the domain, and nobody lives in a part of it.
fn check_empty(catalog: &Catalog, name: &str) -> Result<(), DomainError> {
    let published = catalog
        .newest()
        .filter(|m| m.kind == ManifestKind::Component && !m.withdrawn);
    let manifests = published.filter(|m| m.domain == name).count();
    if manifests > 0 {
        return Err(DomainError::InUse {
            name: name.to_owned(),
            manifests,
        });
    }
    match catalog.sub_domains(name).find(|domain| !domain.retired) {
        Some(child) => Err(DomainError::HasSubDomain {
            name: name.to_owned(),
            child: child.name.clone(),
        }),
        None => Ok(()),
    }
}

/// How many devices said that they hold something of the domain, or are about to install it.
fn holders(store: &impl Store, catalog: &Catalog, name: &str) -> Result<usize, StoreError> {
    const PAGE: u32 = 500;
    let manifests: Vec<_> = catalog
        .manifests()
        .iter()
        .filter(|manifest| manifest.domain == name)
        .collect();
    let ids: BTreeSet<_> = manifests.iter().map(|manifest| manifest.id).collect();
    let images = manifests.iter().flat_map(|manifest| &manifest.components);
    let images: HashSet<_> = images.map(|image| &image.component).collect();
    let holds = |device: &Device| {
        let pending = device.pending.iter().flat_map(|pending| &pending.install);
        let mut installed = device.installed.iter();
        installed.any(|held| images.contains(&held.component))
            || pending.into_iter().any(|id| ids.contains(id))
    };
    let (mut holders, mut after) = (0, None);
    loop {
        let page = store.devices(after.as_ref(), PAGE)?;
        holders += page.iter().filter(|device| holds(device)).count();
        let Some(last) = page.last() else {
            return Ok(holders);
        };
        after = Ueid::new(last.endorsement.ueid.clone()).ok();
        if page.len() < PAGE as usize || after.is_none() {
            return Ok(holders);
        }
    }
}

fn check_name(name: &str) -> Result<(), DomainError> {
    const MAX_DEPTH: usize = 4;
    let printable = |c: char| !c.is_control() && !c.is_whitespace();
    let names = || name.split('/');
    let proper = |name: &str| {
        // Where the manifest of the domain around it is kept.
        (1..=64).contains(&name.len()) && name.chars().all(printable) && name != "suit"
    };
    if names().count() <= MAX_DEPTH && names().all(proper) {
        return Ok(());
    }
    Err(DomainError::Name(name.to_owned()))
}

/// Whether the actor has a say about the domain: a signer has in its own domains, about the parts of these.
fn check_actor(name: &str, actor: &Actor) -> Result<(), DomainError> {
    let within = Domain::parent_of(name).is_some_and(|parent| actor.may_publish_in(parent));
    if actor.domains().is_none() || within {
        return Ok(());
    }
    Err(DomainError::NotYours(name.to_owned()))
}

/// The domain that the registered one is in, which must have room for it.
fn parent<'c>(
    catalog: &'c Catalog,
    registration: &Registration,
) -> Result<Option<&'c Domain>, DomainError> {
    let Some(name) = Domain::parent_of(&registration.name) else {
        return Ok(None);
    };
    let parent = catalog.domain(name).filter(|parent| !parent.retired);
    let parent = parent.ok_or_else(|| DomainError::Unknown(name.to_owned()))?;
    let prefix = &registration.prefix;
    if prefix == &parent.prefix || !prefix.starts_with(&parent.prefix) {
        return Err(DomainError::Outside {
            prefix: prefix.clone(),
            parent: parent.name.clone(),
            owns: parent.prefix.clone(),
        });
    }
    let others = catalog
        .domains()
        .iter()
        .filter(|domain| domain.name != registration.name);
    match owner_among(others, prefix) {
        Some(around) if around.name != parent.name => {
            Err(DomainError::PrefixTaken(around.name.clone()))
        }
        _ => Ok(Some(parent)),
    }
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
    let components = catalog
        .manifests()
        .iter()
        .filter(|m| m.kind == ManifestKind::Component);
    for manifest in components {
        let ids = manifest.components.iter().map(|image| &image.component);
        for component in ids.chain([&manifest.manifest_component]) {
            let owner = owner_among(others().chain([domain]), component);
            if owner.map(|owner| &owner.name) != Some(&manifest.domain) {
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
    let names = domain.name.split('/').map(str::as_bytes);
    let expected = ComponentId::new([DOMAIN_SEGMENT].into_iter().chain(names))?;
    let manifest = facts::new_manifest(&authentic, ManifestKind::Domain, &domain.name, envelope)?;
    let installs: Vec<_> = manifest
        .components
        .iter()
        .map(|image| &image.component)
        .collect();
    // Elsewhere it could stand in the way of the manifest of a sub-domain.
    let place = expected.clone().joined(b"suit")?;
    if installs != [&expected] || manifest.manifest_component != place {
        let installs: Vec<_> = installs.iter().map(ToString::to_string).collect();
        return Err(DomainError::OtherComponent {
            found: installs.join(", "),
            expected,
        });
    }
    if known_as(tam.store(), catalog, &manifest)?.is_some() {
        return Ok(None);
    }
    check_newer(catalog, &manifest)?;
    Ok(Some(manifest))
}
