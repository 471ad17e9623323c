//! A device with a hostile owner of a security domain, and everybody who has something to lose there.

use tamarack_agent::{
    Quota, SecurityDomain, Service, TrustAnchorSet,
    link::InstalledComponent,
    platform::{Namespace, Platform},
    state::{
        Anchor, AnchorRole, DomainRecord, DomainUsage, KnownManifest, Record, RevocationRecord,
    },
};
use tamarack_cose::{cbor::Writer, sign1_detached, x509::TrustAnchor};
use tamarack_suit::{
    Command, ComponentId, Section, SequenceNumber, SuitDigest, Uuid,
    author::{ComponentBuilder, Draft, ManifestBuilder},
    report::{Reason, ReportResult},
};
use tamarack_teep::{ErrorCode, Message, Update};
use tamarack_tests::{
    Person, Providers, Tam, crypto, id,
    release::{self, Release},
    reports,
    wasm::{COUNT, GREET, HELLO_1, HELLO_2, PUBLIC_KEY, SIGN, VAULT},
};

/// What nobody but its owner is to learn.
pub(crate) const GREETING: &[u8] = b"Servus vom Nachbarn";
const GLOBEX_SECRET: &[u8] = b"what globex knows and nobody else";
const LEDGER: &[u8] = b"what all applications of acme share";

/// How the device refused a manifest.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) reason: Reason,
    pub(crate) text: String,
    /// What else the report says: number and place.
    pub(crate) place: (i64, i64, u64, u64),
}

/// What became of an attempt.
pub(crate) type Tried = Result<(), Refusal>;

/// The device, and all who have a say there.
pub(crate) struct World {
    pub(crate) providers: Providers,
    /// Owns `evil` and `acme/guest`, and wants more.
    pub(crate) evil: Person,
    /// Owns `acme/locks`.
    locks: Person,
    /// Everything that the device answered to attempts.
    heard: Vec<Vec<u8>>,
    probes: u64,
    /// What all but the hostile signer have left behind.
    pub(crate) before: Option<Victims>,
}

/// What must stay as it is.
#[derive(Debug, PartialEq)]
pub(crate) struct Victims {
    components: Vec<InstalledComponent>,
    manifests: Vec<KnownManifest>,
    domains: Vec<DomainRecord>,
    anchors: Vec<Anchor>,
    revocations: Vec<RevocationRecord>,
    stored: Vec<(Namespace, Vec<u8>, Vec<u8>)>,
    usage: Vec<(&'static str, DomainUsage)>,
    answers: Vec<Vec<u8>>,
}

/// A quota for a sub-domain that leaves something.
pub(crate) fn part() -> Quota {
    Quota {
        bytes: 100_000,
        applications: 1,
        objects: 10,
        sessions: 1,
        ..Quota::default()
    }
}

/// A quota for a sub-domain that holds a few manifests.
pub(crate) fn little() -> Quota {
    Quota {
        bytes: 10_000,
        applications: 0,
        objects: 0,
        sessions: 0,
        ..part()
    }
}

fn evils_quota() -> Quota {
    Quota {
        bytes: 1 << 20,
        applications: 4,
        objects: 64,
        ..Quota::default()
    }
}

/// Domains whose owners are not hostile; the administrator's is the one without a name.
const NEIGHBOURS: [&str; 5] = ["", "acme", "acme/locks", "globex", "tenant"];

impl World {
    pub(crate) fn new() -> Self {
        let mut providers = Providers::new();
        let (evil, locks) = (Person::new(), Person::new());
        let Providers {
            admin,
            acme,
            globex,
            ..
        } = &providers;
        let mut described = SecurityDomain::new(id("acme"), vec![acme.public()], Quota::default());
        described.services.push(Service {
            name: "sign".into(),
            component: id("acme/vault"),
            callers: Some(vec!["globex".into()]),
        });
        described.shared_objects.push("ledger".into());
        let spare = TrustAnchor::key(AnchorRole::Tam, Person::new().public());
        let spare = TrustAnchorSet {
            anchors: vec![tamarack_agent::AnchorEntry::new(spare, "spare")],
            revocations: Vec::new(),
        };
        let sub = |name: &str, owner| release::domain_with(name, 1, name, &[owner], part(), acme);
        let (initech, quota) = (Person::new(), Quota::default());
        let releases = [
            release::described("acme", 2, &described, admin),
            release::domain_with("evil", 1, "evil", &[&evil], evils_quota(), admin),
            release::domain_with("tenant", 1, "evil/tenant", &[globex], quota, admin),
            release::domain("initech", 1, &initech, admin),
            Release::new("trust-anchors/spare", 1)
                .carrying(&spare.encode())
                .by(admin),
            release::app("system/hello", 1, HELLO_1, admin),
            sub("acme/locks", &locks),
            sub("acme/guest", &evil),
            release::app("acme/vault", 3, VAULT, acme),
            release::app("acme/hello", 3, HELLO_2, acme),
            release::app("acme/hello/greeting", 3, GREETING, acme),
            release::app("acme/locks/front", 1, HELLO_1, &locks),
            release::app("globex/hello", 1, HELLO_1, globex),
            release::app("globex/data", 1, GLOBEX_SECRET, globex),
            release::app("evil/tenant/data", 1, GLOBEX_SECRET, globex),
            release::app("initech/vault", 1, VAULT, &initech),
        ];
        for release in &releases {
            providers.install(release);
        }
        for vault in ["acme/vault", "initech/vault"] {
            let _ = providers.device.output(vault, SIGN, b"first");
        }
        providers.device.unlink(
            &providers.tam,
            &["initech/vault/suit", "security-domain/initech/suit"],
        );
        let mut transaction = providers.device.tee.storage().begin().unwrap();
        let shared = Namespace::shared("acme");
        transaction.put(&shared, b"oledger", LEDGER).unwrap();
        transaction.commit().unwrap();
        let world = Self {
            providers,
            evil,
            locks,
            heard: Vec::new(),
            probes: 0,
            before: None,
        };
        // Some applications store something when they are asked for the first time.
        let _ = world.victims();
        world
    }

    /// What the hostile signer must not change.
    pub(crate) fn victims(&self) -> Victims {
        let device = &self.providers.device;
        let view = device.tee.storage().view().unwrap();
        let neighbours = |name: &str| NEIGHBOURS.contains(&name);
        let manifests = KnownManifest::all(&*view).unwrap().into_iter();
        let domains = DomainRecord::all(&*view).unwrap().into_iter();
        let applications = [
            ("acme", "acme/vault"),
            ("acme", "acme/hello"),
            ("acme/locks", "acme/locks/front"),
            ("globex", "globex/hello"),
            ("", "system/hello"),
        ];
        let spaces = NEIGHBOURS
            .iter()
            .flat_map(|name| [Namespace::domain(name), Namespace::shared(name)])
            .chain(applications.map(|(domain, name)| Namespace::application(domain, &id(name))));
        let mut stored = Vec::new();
        for space in spaces {
            for name in view.names(&space, b"").unwrap() {
                let value = view.get(&space, &name).unwrap().unwrap();
                stored.push((space.clone(), name, value));
            }
        }
        let usage = |name| (name, DomainUsage::of(&*view, name).unwrap());
        Victims {
            components: device
                .installed()
                .into_iter()
                .filter(|found| neighbours(&found.domain))
                .collect(),
            manifests: manifests
                .filter(|known| !is_evils(&known.record.id))
                .collect(),
            domains: domains
                .filter(|domain| !domain.name.starts_with("evil/"))
                .collect(),
            anchors: Anchor::all(&*view).unwrap(),
            revocations: RevocationRecord::all(&*view).unwrap(),
            stored,
            usage: NEIGHBOURS.map(usage).into(),
            answers: [
                ("acme/vault", PUBLIC_KEY, &b""[..]),
                ("acme/vault", COUNT, b""),
                ("acme/hello", GREET, b"Ada"),
                ("acme/locks/front", GREET, b"Ada"),
                ("globex/hello", GREET, b"Ada"),
                ("system/hello", GREET, b"Ada"),
            ]
            .map(|(component, command, input)| device.output(component, command, input))
            .into(),
        }
    }

    /// The neighbours can install, and get rid of it again.
    pub(crate) fn neighbours_can_install(&mut self) {
        self.probes += 1;
        let (number, world) = (self.probes, &mut self.providers);
        let probes = [
            release::app("acme/probe", number, HELLO_1, &world.acme),
            release::app("acme/locks/probe", number, b"data", &self.locks),
            release::app("globex/probe", number, HELLO_1, &world.globex),
            release::app("evil/tenant/probe", number, b"data", &world.globex),
            release::app("probe", number, b"data", &world.admin),
        ];
        let probes: Vec<&[u8]> = probes.iter().map(Vec::as_slice).collect();
        world.device.install(&world.tam, &probes);
        let manifests = ["acme", "acme/locks", "globex", "evil/tenant"]
            .map(|prefix| format!("{prefix}/probe/suit"));
        let mut manifests: Vec<&str> = manifests.iter().map(String::as_str).collect();
        manifests.push("probe/suit");
        world.device.unlink(&world.tam, &manifests);
    }

    /// Lets others than the hostile signer do something, once it is clear that nothing has changed until then.
    #[track_caller]
    pub(crate) fn neighbours_act(&mut self, act: impl FnOnce(&mut Self)) {
        assert!(self.before.as_ref() == Some(&self.victims()));
        act(self);
        self.before = Some(self.victims());
    }

    /// Has the device remember `count` manifests more that were removed, as it remembers the one at `like`: what
    /// as many installations and removals would lead to.
    pub(crate) fn remember_removed(&self, like: &str, count: usize) {
        let storage = self.providers.device.tee.storage();
        let mut transaction = storage.begin().unwrap();
        let like = KnownManifest::load(&*transaction, &id(like).to_cbor())
            .unwrap()
            .unwrap();
        for at in 0..count {
            let mut removed = like.clone();
            (removed.envelope, removed.tam) = (None, None);
            removed.record.id = id(&format!("evil/removed/{at}/suit"));
            removed.record.components.clear();
            removed.save(&mut *transaction).unwrap();
        }
        transaction.commit().unwrap();
    }

    /// Removes manifests through the TAM.
    #[track_caller]
    pub(crate) fn unlink(&mut self, manifests: &[&str]) {
        let world = &mut self.providers;
        world.device.unlink(&world.tam, manifests);
    }

    /// Whether anything that the device said about attempts holds what only neighbours know.
    pub(crate) fn something_leaked(&self) -> bool {
        let secrets = [GREETING, GLOBEX_SECRET, LEDGER];
        let digests = secrets.map(|secret| crypto().sha256(secret).to_vec());
        let secrets = secrets.map(<[u8]>::to_vec).into_iter().chain(digests);
        let contains = |heard: &Vec<u8>, secret: &[u8]| {
            heard.windows(secret.len()).any(|bytes| bytes == secret)
        };
        let mut secrets = secrets;
        secrets.any(|secret| self.heard.iter().any(|heard| contains(heard, &secret)))
    }

    /// Sends a manifest; how it was refused.
    pub(crate) fn send(&mut self, envelope: &[u8]) -> Tried {
        self.exchange(Tam::install(&[envelope]))
    }

    /// Sends several manifests at once; how the first of them that failed was refused.
    pub(crate) fn send_all(&mut self, envelopes: &[Vec<u8>]) -> Tried {
        let envelopes: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
        self.exchange(Tam::install(&envelopes))
    }

    fn exchange(&mut self, update: Update) -> Tried {
        let world = &mut self.providers;
        match world.device.exchange(&world.tam, update) {
            Message::Success(success) => {
                self.heard.extend(success.suit_reports);
                Ok(())
            }
            Message::Error(error) => {
                let text = error.explanation.unwrap().text;
                self.heard.push(text.clone().into_bytes());
                let failed =
                    reports(&error.suit_reports).into_iter().find_map(|report| {
                        match report.result {
                            ReportResult::Failure {
                                code,
                                record,
                                reason,
                            } => Some((code, record, reason)),
                            ReportResult::Success => None,
                        }
                    });
                self.heard.extend(error.suit_reports);
                let (code, record, reason) = failed.unwrap();
                Err(Refusal {
                    code: error.code,
                    reason,
                    text,
                    place: (code, record.section, record.offset, record.component_index),
                })
            }
            other => panic!("{other:?}"),
        }
    }

    /// What reports said, the last first.
    pub(crate) fn heard(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.heard.iter().rev()
    }

    /// Does what the hostile signer may do: this must succeed.
    #[track_caller]
    pub(crate) fn allowed(&mut self, envelope: &[u8]) {
        self.send(envelope).unwrap();
    }

    /// A release of an application by the hostile signer, kept where that may keep it.
    pub(crate) fn installs(&mut self, component: &str) -> Tried {
        self.installs_id(&id(component))
    }

    /// As [`installs`](Self::installs).
    pub(crate) fn installs_id(&mut self, component: &ComponentId) -> Tried {
        self.installs_id_as(component, "evil/manifest")
    }

    /// As [`installs`](Self::installs), with the manifest kept there.
    pub(crate) fn installs_id_as(&mut self, component: &ComponentId, kept: &str) -> Tried {
        let builder = identified(component).integrated(&crypto(), "#payload", HELLO_1);
        let draft = manifest(1).manifest_id(id(kept)).component(builder);
        self.signs(&draft.build().unwrap())
    }

    /// Sends what the hostile signer signs.
    pub(crate) fn signs(&mut self, draft: &Draft) -> Tried {
        let envelope = draft.sign(&crypto(), &[self.evil.signer()]).unwrap();
        self.send(&envelope)
    }

    /// A manifest with these components, of which `evil/x` is the first, and these commands to install.
    pub(crate) fn commands(
        &mut self,
        components: &[&str],
        commands: Vec<Command<'static>>,
    ) -> Tried {
        let mut builder = manifest(1).component(identified(&id("evil/x")));
        for component in components {
            builder = builder.component(ComponentBuilder::new(id(component)));
        }
        let draft = builder
            .section(Section::Install, commands.into_iter().collect())
            .build();
        self.signs(&draft.unwrap())
    }

    /// The descriptor of a sub-domain of `evil`, with its own name as its prefix, changed by `change`.
    pub(crate) fn sub_domain(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut SecurityDomain),
    ) -> Tried {
        let mut domain = SecurityDomain::new(id(name), vec![self.evil.public()], little());
        change(&mut domain);
        self.descriptor(name, 1, &domain.encode())
    }

    /// A descriptor of a domain.
    pub(crate) fn descriptor(&mut self, name: &str, number: u64, descriptor: &[u8]) -> Tried {
        let release = Release::new(&format!("security-domain/{name}"), number);
        let envelope = release.carrying(descriptor).by(&self.evil);
        self.send(&envelope)
    }

    /// Signs a manifest that no author would make, byte for byte.
    pub(crate) fn signs_bytes(&mut self, manifest: &[u8]) -> Tried {
        let crypto = crypto();
        let item = Writer::build(|w| {
            w.bytes(manifest);
        });
        let digest = Writer::build(|w| SuitDigest::sha256(&crypto, &item).write(w));
        let signature = sign1_detached(self.evil.signer(), &digest, None).unwrap();
        let wrapper = Writer::build(|w| {
            w.array(2).bytes(&digest).bytes(&signature);
        });
        let envelope = Writer::build(|w| {
            w.tag(107).map(2).int(2).bytes(&wrapper).int(3).raw(&item);
        });
        self.send(&envelope)
    }

    /// What the hostile signer's own `vault` has counted, and its public key.
    pub(crate) fn vault(&self, vault: &str) -> (u64, Vec<u8>) {
        let world = &self.providers;
        (
            world.count(vault),
            world.device.output(vault, PUBLIC_KEY, b""),
        )
    }
}

fn is_evils(manifest: &ComponentId) -> bool {
    let below = |prefix: &str| manifest.starts_with(&id(prefix));
    let of_a_sub_domain = below("security-domain/evil")
        && *manifest != id("security-domain/evil/suit")
        && *manifest != id("security-domain/evil");
    below("evil") && !below("evil/tenant") || below("acme/guest") || of_a_sub_domain
}

/// A component for devices like this one.
pub(crate) fn identified(component: &ComponentId) -> ComponentBuilder {
    let vendor = Uuid::vendor("tamarack.example");
    ComponentBuilder::new(component.clone())
        .vendor(vendor)
        .class(vendor.class("software-tee"))
}

/// A manifest that is kept at `evil/manifest`.
pub(crate) fn manifest(number: u64) -> ManifestBuilder {
    ManifestBuilder::new(SequenceNumber(number)).manifest_id(id("evil/manifest"))
}
