//! Everybody's keys and everything that is signed once: the same in all runs, so that none pays for it twice.

use std::{cell::RefCell, path::PathBuf, sync::OnceLock};

use tamarack_agent::{Quota, SecurityDomain, platform::Identity};
use tamarack_cose::{CryptoProvider, Error, SecretKey, SecureRandom, SignatureAlgorithm, aws_lc};
use tamarack_rats::Endorsement;
use tamarack_suit::{
    ComponentId, Envelope, Limits, SequenceNumber, SuitDigest,
    author::{ComponentBuilder, DependencyBuilder, ManifestBuilder},
};
use tamarack_tam::{
    AuditAction, AuditEntry, Clock, Registration, Settings, Store, Tam, TamKeys, Ueid,
    register_domain,
};
use tempfile::TempDir;

use crate::{SimClock, SimStore, id};

/// How many devices there are.
pub const DEVICES: usize = 3;
/// How many TAMs there are.
pub const TAMS: usize = 2;
/// The security domain that each TAM manages.
pub const DOMAINS: [&str; TAMS] = ["acme", "globex"];
/// The components of each domain: one in the envelope, one that is fetched, one that needs another, and that.
pub const COMPONENTS: [&str; 4] = ["app", "data", "suite", "lib"];
/// Releases of each component, numbered from 1.
pub const RELEASES: usize = 4;

/// Position of the component that needs [`LIB`].
pub(crate) const SUITE: usize = 2;
/// Position of the component that is published and removed with what needs it.
pub(crate) const LIB: usize = 3;

/// The identifier of a component.
#[must_use]
pub fn release_component(tam: usize, component: usize) -> ComponentId {
    id(&format!("{}/{}", DOMAINS[tam], COMPONENTS[component]))
}

/// The identifier of a component's manifest.
pub(crate) fn release_manifest(tam: usize, component: usize) -> ComponentId {
    release_component(tam, component).joined(b"suit").unwrap()
}

/// A release as its signer made it.
pub(crate) struct Release {
    pub(crate) envelope: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) digest: SuitDigest,
}

/// Keys, releases, and what each TAM's database holds at first.
pub(crate) struct People {
    pub(crate) crypto: CryptoProvider,
    pub(crate) administrator: SecretKey,
    /// A TAM that no device trusts.
    pub(crate) rogue: SecretKey,
    pub(crate) devices: Vec<DeviceKeys>,
    /// By TAM, component and release.
    pub(crate) releases: Vec<Vec<Vec<Release>>>,
    /// Descriptors of the security domains, by TAM.
    pub(crate) descriptors: Vec<Vec<u8>>,
    /// A database with the TAM's domain and all devices, by TAM.
    pub(crate) databases: Vec<Vec<u8>>,
    folder: TempDir,
}

pub(crate) struct DeviceKeys {
    pub(crate) attester: SecretKey,
    pub(crate) teep: SecretKey,
    pub(crate) ueid: Ueid,
}

impl People {
    /// The one set of people of this process.
    pub(crate) fn get() -> &'static Self {
        static PEOPLE: OnceLock<People> = OnceLock::new();
        PEOPLE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let crypto = CryptoProvider {
            random: &Seeded,
            ..aws_lc::provider()
        };
        seed(0);
        let key = || SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
        let administrator = key();
        let providers: Vec<_> = DOMAINS.iter().map(|_| key()).collect();
        let devices: Vec<_> = (0..DEVICES)
            .map(|n| DeviceKeys {
                attester: key(),
                teep: key(),
                ueid: Ueid::new(format!("\u{1}device {n}").into_bytes()).unwrap(),
            })
            .collect();
        let descriptors: Vec<_> = (0..TAMS)
            .map(|tam| descriptor(tam, &providers[tam]))
            .collect();
        let mut people = Self {
            releases: (0..TAMS)
                .map(|tam| releases(&crypto, tam, &providers[tam]))
                .collect(),
            rogue: key(),
            databases: Vec::new(),
            folder: scratch(),
            crypto,
            administrator,
            devices,
            descriptors,
        };
        for (tam, provider) in providers.iter().enumerate() {
            let database = people.database(tam, provider);
            people.databases.push(database);
        }
        people
    }

    /// The keys of a TAM, read from its files as at each start.
    pub(crate) fn tam_keys(&self, tam: usize) -> TamKeys {
        TamKeys::open_or_create(&self.crypto, self.tam_folder(tam)).unwrap()
    }

    fn tam_folder(&self, tam: usize) -> PathBuf {
        self.folder.path().join(DOMAINS[tam])
    }

    pub(crate) fn identity(&self, device: usize) -> Identity {
        Identity {
            ueid: self.devices[device].ueid.as_bytes().to_vec(),
            suit: tamarack_suit::Identity {
                vendors: Vec::new(),
                classes: Vec::new(),
                devices: Vec::new(),
            },
        }
    }

    /// A database with the TAM's domain and all devices enrolled, whether they trust it or not.
    fn database(&self, tam: usize, provider: &SecretKey) -> Vec<u8> {
        let path = self.folder.path().join("template.sqlite");
        let clock = SimClock::new();
        let entry = AuditEntry {
            at: clock.now(),
            action: AuditAction::Enroll,
            device: None,
            subject: String::new(),
            detail: String::new(),
        };
        let domain = Release::domain(
            &self.crypto,
            DOMAINS[tam],
            &self.descriptors[tam],
            &self.administrator,
        );
        let registration = Registration {
            name: DOMAINS[tam].to_owned(),
            prefix: id(DOMAINS[tam]),
            signers: vec![*provider.public_key()],
            anchor: Some(*self.administrator.public_key()),
            manifest: Some(domain),
        };
        let server = Tam::new(
            SimStore::open(&path, None),
            clock,
            self.crypto,
            self.tam_keys(tam),
            Settings::default(),
        );
        register_domain(&server, &Limits::default(), &registration).unwrap();
        for device in &self.devices {
            let (ueid, attester) = (device.ueid.as_bytes(), device.attester.public_key());
            let endorsement = Endorsement::new(ueid.to_vec(), *attester);
            let _enrolled = server.store().enroll(&endorsement, &entry).unwrap();
        }
        drop(server);
        // The last connection that is closed leaves everything in one file.
        let database = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        database
    }
}

/// A folder in memory, if the system has one: nothing here has to outlive the process.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn descriptor(tam: usize, owner: &SecretKey) -> Vec<u8> {
    let owners = vec![*owner.public_key()];
    SecurityDomain::new(id(DOMAINS[tam]), owners, Quota::default()).encode()
}

fn releases(crypto: &CryptoProvider, tam: usize, provider: &SecretKey) -> Vec<Vec<Release>> {
    let mut by_component: Vec<Vec<Release>> = COMPONENTS.iter().map(|_| Vec::new()).collect();
    for number in 1..=RELEASES {
        // What is needed is made before what needs it.
        for component in [0, 1, LIB, SUITE] {
            let needed = (component == SUITE).then(|| &by_component[LIB][number - 1]);
            let release = Release::new(crypto, (tam, component, number), needed, provider);
            by_component[component].push(release);
        }
    }
    by_component
}

impl Release {
    fn new(
        crypto: &CryptoProvider,
        (tam, component, number): (usize, usize, usize),
        needed: Option<&Self>,
        provider: &SecretKey,
    ) -> Self {
        let name = format!("{}/{}", DOMAINS[tam], COMPONENTS[component]);
        // The first of them look like WebAssembly, which makes Trusted Applications of them.
        let magic: &[u8] = if component == 0 { b"\0asm" } else { b"" };
        let payload = [magic, format!("{name}, release {number}").as_bytes()].concat();
        let digest = SuitDigest::sha256(crypto, &payload);
        let content = ComponentBuilder::new(id(&name));
        let content = match component {
            1 => content.uri(format!("{name}/{number}"), digest, payload.len() as u64),
            _ => content.integrated(crypto, "#payload", &payload[..]),
        };
        let mut builder = ManifestBuilder::new(SequenceNumber(number as u64))
            .manifest_id(release_manifest(tam, component))
            .component(content);
        if let Some(needed) = needed {
            let envelope = Envelope::decode(&needed.envelope).unwrap();
            builder = builder.dependency(DependencyBuilder::of(&envelope).unwrap());
        }
        let signer = crypto.signatures.signer(provider).unwrap();
        let envelope = builder.build().unwrap().sign(crypto, &[&*signer]).unwrap();
        Self {
            envelope,
            payload,
            digest,
        }
    }

    /// The manifest of a security domain itself.
    fn domain(
        crypto: &CryptoProvider,
        name: &str,
        descriptor: &[u8],
        administrator: &SecretKey,
    ) -> Vec<u8> {
        let component = SecurityDomain::component_id(name).unwrap();
        let manifest = component.clone().joined(b"suit").unwrap();
        let content =
            ComponentBuilder::new(component).integrated(crypto, "#descriptor", descriptor);
        let builder = ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(manifest)
            .component(content);
        let signer = crypto.signatures.signer(administrator).unwrap();
        builder.build().unwrap().sign(crypto, &[&*signer]).unwrap()
    }
}

/// Randomness that a seed decides, for each thread its own: a run with the same seed draws the same.
struct Seeded;

thread_local! {
    static RANDOM: RefCell<fastrand::Rng> = const { RefCell::new(fastrand::Rng::with_seed(0)) };
}

/// Makes the randomness of this thread start anew.
pub(crate) fn seed(seed: u64) {
    RANDOM.with_borrow_mut(|random| random.seed(seed));
}

impl SecureRandom for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        RANDOM.with_borrow_mut(|random| random.fill(out));
        Ok(())
    }
}
