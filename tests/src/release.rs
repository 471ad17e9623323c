//! Manifests, as providers and device administrators make them.

use tamarack_agent::{Quota, SecurityDomain};
use tamarack_suit::{
    Envelope, SequenceNumber, SuitDigest, Uuid,
    author::{ComponentBuilder, DependencyBuilder, ManifestBuilder},
};

use crate::{Person, crypto, id};

/// The release of a component that is being made.
#[derive(Clone)]
pub struct Release {
    component: String,
    number: u64,
    manifest: Option<String>,
    builder: ComponentBuilder,
    further: Vec<ComponentBuilder>,
    dependencies: Vec<DependencyBuilder>,
}

impl Release {
    /// Release `number` of `component`, whose manifest is kept at the component's identifier with `suit`
    /// after it.
    #[must_use]
    pub fn new(component: &str, number: u64) -> Self {
        let vendor = Uuid::vendor("tamarack.example");
        Self {
            component: component.to_owned(),
            number,
            manifest: None,
            builder: ComponentBuilder::new(id(component))
                .vendor(vendor)
                .class(vendor.class("software-tee")),
            further: Vec::new(),
            dependencies: Vec::new(),
        }
    }

    /// Carries the content in the envelope.
    #[must_use]
    pub fn carrying(mut self, payload: &[u8]) -> Self {
        self.builder = self.builder.integrated(&crypto(), "#payload", payload);
        self
    }

    /// Installs another component too, with its content in the envelope.
    #[must_use]
    pub fn and_carrying(mut self, component: &str, payload: &[u8]) -> Self {
        let uri = format!("#{component}");
        let builder = ComponentBuilder::new(id(component)).integrated(&crypto(), &uri, payload);
        self.further.push(builder);
        self
    }

    /// Has the content fetched; it must be `payload`.
    #[must_use]
    pub fn fetching(self, uri: &str, payload: &[u8]) -> Self {
        self.fetching_sized(uri, payload, payload.len() as u64)
    }

    /// Has the content fetched, with an image size that may not be true.
    #[must_use]
    pub fn fetching_sized(mut self, uri: &str, payload: &[u8], size: u64) -> Self {
        let digest = SuitDigest::sha256(&crypto(), payload);
        self.builder = self.builder.uri(uri, digest, size);
        self
    }

    /// Keeps the manifest at another identifier.
    #[must_use]
    pub fn kept_at(mut self, manifest: &str) -> Self {
        self.manifest = Some(manifest.to_owned());
        self
    }

    /// Is for devices of another vendor.
    #[must_use]
    pub fn for_vendor(mut self, vendor: &str) -> Self {
        self.builder = self.builder.vendor(Uuid::vendor(vendor));
        self
    }

    /// Needs another manifest to be installed.
    #[must_use]
    pub fn needing(mut self, envelope: &[u8]) -> Self {
        let envelope = Envelope::decode(envelope).unwrap();
        self.dependencies
            .push(DependencyBuilder::of(&envelope).unwrap());
        self
    }

    /// Needs another manifest, and says where that is to be had.
    #[must_use]
    pub fn needing_from(mut self, envelope: &[u8], uri: &str) -> Self {
        let envelope = Envelope::decode(envelope).unwrap();
        self.dependencies
            .push(DependencyBuilder::of(&envelope).unwrap().uri(uri));
        self
    }

    /// Needs another manifest, and brings it along.
    #[must_use]
    pub fn bringing(mut self, envelope: &[u8]) -> Self {
        let needed = DependencyBuilder::of(&Envelope::decode(envelope).unwrap()).unwrap();
        self.dependencies
            .push(needed.integrated("#dependency", envelope));
        self
    }

    /// Signs it; the envelope.
    #[must_use]
    pub fn by(self, signer: &Person) -> Vec<u8> {
        let manifest = match self.manifest {
            Some(manifest) => id(&manifest),
            None => id(&self.component).joined(b"suit").unwrap(),
        };
        let mut builder = ManifestBuilder::new(SequenceNumber(self.number))
            .manifest_id(manifest)
            .component(self.builder);
        for component in self.further {
            builder = builder.component(component);
        }
        for dependency in self.dependencies {
            builder = builder.dependency(dependency);
        }
        let draft = builder.build().unwrap();
        draft.sign(&crypto(), &[signer.signer()]).unwrap()
    }
}

/// A release that carries its content, signed.
#[must_use]
pub fn app(component: &str, number: u64, payload: &[u8], signer: &Person) -> Vec<u8> {
    Release::new(component, number).carrying(payload).by(signer)
}

/// A security domain with the default quota, whose prefix is its name.
#[must_use]
pub fn domain(name: &str, number: u64, owner: &Person, administrator: &Person) -> Vec<u8> {
    domain_with(
        name,
        number,
        name,
        &[owner],
        Quota::default(),
        administrator,
    )
}

/// A security domain.
#[must_use]
pub fn domain_with(
    name: &str,
    number: u64,
    prefix: &str,
    owners: &[&Person],
    quota: Quota,
    signer: &Person,
) -> Vec<u8> {
    let owners = owners.iter().map(|owner| owner.public()).collect();
    let domain = SecurityDomain::new(id(prefix), owners, quota);
    described(name, number, &domain, signer)
}

/// A security domain, as this descriptor says it.
#[must_use]
pub fn described(name: &str, number: u64, domain: &SecurityDomain, signer: &Person) -> Vec<u8> {
    Release::new(&format!("security-domain/{name}"), number)
        .carrying(&domain.encode())
        .by(signer)
}
