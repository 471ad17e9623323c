//! What may enter the catalog: manifests by authorised signers, security domains.

mod domain;
mod facts;
#[cfg(test)]
mod removal_tests;
#[cfg(test)]
mod tests;
mod withdraw;

use tamarack_cose::{CryptoProvider, cbor::DecodeError};
use tamarack_suit::{AuthenticatedEnvelope, ComponentId, Envelope, Limits, Manifest};

use crate::{
    Actor, AuditAction, AuditEntry, Changed, Clock, NewManifest, Settings, Store, StoreError, Tam,
    catalog::{self, Catalog, Domain, ManifestKind},
};

pub use domain::{
    DomainError, Registration, Removal, register_domain, register_domain_as, remove_domain,
};
pub use withdraw::{WithdrawError, withdraw};

/// How often a change is checked anew because somebody else changed the catalog meanwhile.
const ATTEMPTS: usize = 16;

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The manifest's own component identifier.
    pub manifest_component: ComponentId,
    /// Its sequence number.
    pub sequence_number: u64,
    /// Whether it is new; `false` if these very bytes were published before.
    pub new: bool,
}

/// Why an envelope was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The bytes are no envelope with a manifest.
    #[error("not a SUIT envelope: {0}")]
    Malformed(#[from] DecodeError),
    /// It is too large.
    #[error("the envelope has {bytes} bytes; {limit} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It fits into no Update.
    #[error(
        "the envelope has {bytes} bytes and an Update at most {limit}, so that no device could get it: keep the payload out of the envelope and have devices fetch it (`tamarack manifest create --uri`)"
    )]
    Undeliverable {
        /// Its size.
        bytes: usize,
        /// [`Settings::update_bytes`](crate::Settings::update_bytes).
        limit: usize,
    },
    /// It installs nothing.
    #[error("the manifest has no components")]
    Empty,
    /// It names a component that only the manifest of a security domain may.
    #[error("{0} is a security domain: register it with its manifest instead")]
    Reserved(ComponentId),
    /// No domain owns a component.
    #[error("no security domain owns {0}: register one whose prefix covers it")]
    Unowned(ComponentId),
    /// The token is not for the domain.
    #[error("this token is not for the security domain {0:?}")]
    NotYours(String),
    /// The domain is being removed.
    #[error("the security domain {0:?} is being removed; to register it again takes that back")]
    Retired(String),
    /// Its components belong to several domains.
    #[error("{component} belongs to security domain {found:?}, other components to {expected:?}")]
    SeveralDomains {
        /// The component that stands out.
        component: ComponentId,
        /// Its domain.
        found: String,
        /// The domain of those before it.
        expected: String,
    },
    /// Nobody signed it who may.
    #[error("no key of security domain {domain:?} signed the manifest: {error}{}",
        foreign.as_ref().map(|name| format!("; a key of {name:?} did")).unwrap_or_default())]
    Unauthorized {
        /// The domain that owns its components.
        domain: String,
        /// What verifying it said.
        error: tamarack_suit::Error,
        /// Another domain one of whose keys did sign it.
        foreign: Option<String>,
    },
    /// Something as new or newer is published.
    #[error(
        "sequence number {offered} of {manifest_component} is not newer than {published}, which is published; \
         sign it again with a higher one (--sequence-number)"
    )]
    NotNewer {
        /// Which manifest.
        manifest_component: ComponentId,
        /// Its sequence number.
        offered: u64,
        /// The newest that is published.
        published: u64,
    },
    /// Another manifest installs one of its components.
    #[error("{component} is installed by manifest {manifest_component}, which is published")]
    ComponentTaken {
        /// The component.
        component: ComponentId,
        /// The other manifest.
        manifest_component: ComponentId,
    },
    /// A number beyond what is kept.
    #[error("sequence number {0} is larger than 2^63 - 1")]
    SequenceNumber(u64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An integrated payload that no device would install.
    #[error(
        "the payload for {0} in the envelope is not what the manifest promises; was it damaged?"
    )]
    SpoiledPayload(ComponentId),
    /// Others kept changing the catalog.
    #[error("the catalog keeps changing; try again")]
    Busy,
}

/// Publishes an envelope, which devices will get byte for byte.
///
/// It is accepted if a key of the security domain that owns all its components signed it, and it is newer
/// than what is published under its manifest component id. Which domain owns a component is a matter of
/// the longest prefix, so that the signers of one domain can't publish for another whose prefix lies
/// within theirs. Dependencies may belong to anybody: they are signed on their own. It has to fit into an
/// Update ([`Settings::update_bytes`](crate::Settings::update_bytes)).
///
/// # Errors
///
/// What is wrong with it, in words for its author.
// req: TEEP-TAM-016
// req: ARCH-048
pub fn publish<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    limits: &Limits,
    envelope: &[u8],
) -> Result<Publication, PublishError> {
    publish_as(tam, limits, envelope, &Actor::administrator())
}

/// [Publishes](publish) an envelope on behalf of somebody, who may publish in some domains only. That a key of the
/// domain signed it is demanded all the same.
///
/// # Errors
///
/// What is wrong with it, in words for its author.
pub fn publish_as<S: Store, C: Clock>(
    tam: &Tam<S, C>,
    limits: &Limits,
    envelope: &[u8],
    actor: &Actor,
) -> Result<Publication, PublishError> {
    let (store, crypto, now) = (tam.store(), tam.crypto(), tam.clock().now());
    let decoded = decode(envelope, limits, tam.settings())?;
    for _ in 0..ATTEMPTS {
        let catalog = store.catalog()?;
        let domain = owner(&catalog, &decoded.unverified_manifest()?)?;
        if !actor.may_publish_in(&domain.name) {
            return Err(PublishError::NotYours(domain.name.clone()));
        }
        if domain.retired {
            return Err(PublishError::Retired(domain.name.clone()));
        }
        let authentic = authenticate(&decoded, crypto, &catalog, domain)?;
        if let Some(component) = authentic.spoiled_payload(crypto) {
            return Err(PublishError::SpoiledPayload(component.clone()));
        }
        let manifest =
            facts::new_manifest(&authentic, ManifestKind::Component, &domain.name, envelope)?;
        let publication = |new| Publication {
            manifest_component: manifest.manifest_component.clone(),
            sequence_number: manifest.sequence_number,
            new,
        };
        let known = known_as(store, &catalog, &manifest)?;
        if known.is_some_and(|known| !known.withdrawn) {
            return Ok(publication(false));
        }
        if known.is_none() {
            check_newer(&catalog, &manifest)?;
        }
        check_not_taken(&catalog, &manifest)?;
        let entry = AuditEntry {
            at: now,
            action: AuditAction::Publish,
            device: None,
            subject: manifest.manifest_component.to_string(),
            detail: format!(
                "sequence number {}, {}, domain {}, signed by {}{}",
                manifest.sequence_number,
                manifest.digest,
                domain.name,
                manifest.signer.key_id(crypto),
                actor.signature()
            ),
        };
        let revision = catalog.revision();
        let changed = match known {
            Some(withdrawn) => store.republish(revision, withdrawn.id, &entry)?,
            None => store.publish(revision, &manifest, &entry)?,
        };
        if changed == Changed::Yes {
            return Ok(publication(true));
        }
    }
    Err(PublishError::Busy)
}

fn decode<'a>(
    envelope: &'a [u8],
    limits: &Limits,
    settings: &Settings,
) -> Result<Envelope<'a>, PublishError> {
    let bytes = envelope.len();
    if bytes > limits.envelope_bytes {
        let limit = limits.envelope_bytes;
        return Err(PublishError::TooLarge { bytes, limit });
    }
    if bytes > settings.update_bytes {
        let limit = settings.update_bytes;
        return Err(PublishError::Undeliverable { bytes, limit });
    }
    Ok(Envelope::decode_within(envelope, limits)?)
}

/// The one domain that owns everything that the manifest writes: its components, and itself.
fn owner<'c>(catalog: &'c Catalog, manifest: &Manifest<'_>) -> Result<&'c Domain, PublishError> {
    let own = facts::own_components(manifest);
    if own.is_empty() {
        return Err(PublishError::Empty);
    }
    let placement = manifest.placement();
    let mut owner: Option<&Domain> = None;
    for component in own
        .into_iter()
        .map(|(_, component)| component)
        .chain([&placement])
    {
        if catalog::is_domain(component) {
            return Err(PublishError::Reserved(component.clone()));
        }
        let found = catalog.owner_of(component);
        let found = found.ok_or_else(|| PublishError::Unowned(component.clone()))?;
        if let Some(owner) = owner.filter(|owner| owner.name != found.name) {
            return Err(PublishError::SeveralDomains {
                component: component.clone(),
                found: found.name.clone(),
                expected: owner.name.clone(),
            });
        }
        owner = Some(found);
    }
    owner.ok_or(PublishError::Empty)
}

fn authenticate<'a>(
    envelope: &Envelope<'a>,
    crypto: &CryptoProvider,
    catalog: &Catalog,
    domain: &Domain,
) -> Result<AuthenticatedEnvelope<'a>, PublishError> {
    envelope
        .authenticate(crypto, &domain.signers)
        .map_err(|error| {
            let signed = |other: &&Domain| {
                other.name != domain.name && envelope.authenticate(crypto, &other.signers).is_ok()
            };
            PublishError::Unauthorized {
                domain: domain.name.clone(),
                error,
                foreign: catalog
                    .domains()
                    .iter()
                    .find(signed)
                    .map(|other| other.name.clone()),
            }
        })
}

/// The newest of its kind, withdrawn or not, if it is exactly this envelope. An older one is not: who publishes
/// it again would believe that devices get it.
fn known_as<'c>(
    store: &impl Store,
    catalog: &'c Catalog,
    manifest: &NewManifest,
) -> Result<Option<&'c catalog::Manifest>, StoreError> {
    let Some(known) = catalog.newest_of(&manifest.manifest_component) else {
        return Ok(None);
    };
    let same = store.envelope(known.id)?.as_ref() == Some(&manifest.envelope);
    Ok(same.then_some(known))
}

fn check_newer(catalog: &Catalog, manifest: &NewManifest) -> Result<(), PublishError> {
    match catalog.newest_of(&manifest.manifest_component) {
        Some(newest) if newest.sequence_number >= manifest.sequence_number => {
            Err(PublishError::NotNewer {
                manifest_component: manifest.manifest_component.clone(),
                offered: manifest.sequence_number,
                published: newest.sequence_number,
            })
        }
        _ => Ok(()),
    }
}

/// Two manifests that install one component would take turns for ever.
fn check_not_taken(catalog: &Catalog, manifest: &NewManifest) -> Result<(), PublishError> {
    let others = catalog
        .newest()
        .filter(|m| m.manifest_component != manifest.manifest_component);
    for other in others {
        let taken = |component: &ComponentId| {
            other
                .components
                .iter()
                .any(|image| image.component == *component)
        };
        if let Some(image) = manifest
            .components
            .iter()
            .find(|image| taken(&image.component))
        {
            return Err(PublishError::ComponentTaken {
                component: image.component.clone(),
                manifest_component: other.manifest_component.clone(),
            });
        }
    }
    Ok(())
}
