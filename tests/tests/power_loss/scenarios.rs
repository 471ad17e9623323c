//! What is interrupted: a device in some state, and something that changes it.

use std::sync::Arc;

use tamarack_agent::{
    Agent, Quota,
    platform::{Namespace, Platform, Storage, StorageError, Transaction},
    state::{Anchor, AnchorRole},
};
use tamarack_cose::cbor::Limits;
use tamarack_tee::{
    Tee,
    platform::{self, DeviceOptions, Software},
    store::{Store, StoreOptions},
};
use tamarack_teep::{Message, Protected, Update};
use tamarack_tests::{
    Payloads, Person, Tam, crypto, id,
    release::{self, Release},
    wasm::{HELLO_1, HELLO_2, SIGN, VAULT},
};
use tempfile::TempDir;

use crate::machine::{Machine, repeatable_crypto, reseed};

/// How often an act can be done with messages of its own.
pub const ATTEMPTS: usize = 4;

/// Everybody who has a say, and the part of the device that no loss of power touches.
pub struct World {
    platform: Arc<platform::Device>,
    tam: Tam,
    admin: Person,
    acme: Person,
    query: Vec<u8>,
    payloads: fn() -> Payloads,
    _folder: TempDir,
}

/// What a transaction does.
pub type Change = fn(&mut dyn Transaction) -> Result<(), StorageError>;

/// Something that changes what is stored.
pub enum Act {
    /// A whole exchange with the TAM, whose Update is one of these: they say the same, and are fresh.
    Exchange(Vec<Vec<u8>>),
    /// The maker of the device prepares it.
    Trust(Vec<Anchor>),
    /// An application signs with its key and counts.
    Sign,
    /// A transaction on the store.
    Commit(Change),
    /// The store is compacted.
    Compact,
}

/// An act on a device in some state.
pub struct Scenario {
    pub name: &'static str,
    pub before: Machine,
    pub act: Act,
}

/// A device that is on.
pub enum Device {
    Tee {
        tee: Arc<Tee>,
        agent: Box<Agent<Arc<Tee>>>,
    },
    Store(Store),
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = DeviceOptions::default();
        let platform = Software::open(folder.path(), &crypto(), &options).unwrap();
        let tam = Tam::new();
        let query = tam.sign(Tam::query());
        Self {
            platform: Arc::new(platform),
            tam,
            admin: Person::new(),
            acme: Person::new(),
            query,
            payloads: || {
                let mut payloads = Payloads::default();
                payloads.offer(LONG_URI, long_payload());
                payloads
            },
            _folder: folder,
        }
    }

    pub fn open_store(&self, machine: &Machine) -> Result<Store, String> {
        let options = StoreOptions::default();
        let platform = machine.platform(&self.platform);
        Store::open_on(
            Arc::new(machine.clone()),
            platform,
            &repeatable_crypto(),
            options,
        )
        .map_err(|error| error.to_string())
    }

    /// Switches a device on, as the act needs it.
    pub fn boot(&self, machine: &Machine, act: &Act) -> Result<Device, String> {
        if matches!(act, Act::Commit(_) | Act::Compact) {
            return Ok(Device::Store(self.open_store(machine)?));
        }
        let platform = machine.platform(&self.platform);
        let medium = Arc::new(machine.clone());
        let tee = Tee::open_on(medium, platform, repeatable_crypto());
        let tee = Arc::new(tee.map_err(|error| error.to_string())?);
        Ok(Device::Tee {
            agent: Box::new(Agent::new(Arc::clone(&tee))),
            tee,
        })
    }

    /// Does it.
    pub fn perform(&self, device: &mut Device, act: &Act, attempt: usize) -> Result<(), String> {
        match (act, device) {
            (Act::Exchange(updates), Device::Tee { tee, agent }) => {
                self.exchange(tee, agent, &updates[attempt])
            }
            (Act::Trust(anchors), Device::Tee { tee, .. }) => {
                tee.trust(anchors).map_err(|error| error.to_string())
            }
            (Act::Sign, Device::Tee { tee, .. }) => {
                let failed = |error: tamarack_tee::InvocationError| error.to_string();
                let session = tamarack_tests::open_session(tee, "acme/vault").map_err(failed)?;
                let outcome =
                    tamarack_tests::invoke_in(tee, session, SIGN, b"x").map_err(failed)?;
                outcome.map(drop).map_err(|code| code.description().into())
            }
            (Act::Commit(change), Device::Store(store)) => commit(store, *change),
            (Act::Compact, Device::Store(store)) => {
                store.compact().map(drop).map_err(|error| error.to_string())
            }
            _ => unreachable!("a device is booted for its act"),
        }
    }

    fn exchange(
        &self,
        tee: &Arc<Tee>,
        agent: &mut Agent<Arc<Tee>>,
        update: &[u8],
    ) -> Result<(), String> {
        let mut payloads = (self.payloads)();
        let mut process = |message: &[u8]| {
            let answer = agent
                .process_teep_message(message, &mut payloads)
                .map_err(|error| error.to_string())?
                .ok_or("no answer")?;
            let protected = Protected::decode(&answer, &Limits::default()).unwrap();
            let key = *tee.teep_keys()[0].public_key();
            let verified = protected.verify(&crypto(), &[key]).unwrap();
            Ok::<_, String>(verified.into_message())
        };
        process(&self.query)?;
        match process(update)? {
            Message::Success(_) => Ok(()),
            Message::Error(error) => Err(format!("{:?}", error.explanation)),
            other => Err(format!("{other:?}")),
        }
    }

    /// A machine after some acts.
    fn after(&self, before: &Machine, acts: Vec<Act>) -> Machine {
        let machine = before.duplicate();
        for act in acts {
            let mut device = self.boot(&machine, &act).unwrap();
            self.perform(&mut device, &act, 0).unwrap();
            drop(device);
            machine.reboot(crate::machine::Survival::Nothing);
        }
        machine
    }

    fn signed(&self, update: impl Fn() -> Update) -> Act {
        Act::Exchange((0..ATTEMPTS).map(|_| self.tam.sign(update())).collect())
    }

    fn install(&self, envelopes: &[&[u8]]) -> Act {
        self.signed(|| Tam::install(envelopes))
    }

    fn unlink(&self, manifests: &[&str]) -> Act {
        self.signed(|| Tam::unlink(manifests))
    }

    /// All scenarios. They differ from call to call in nothing but keys.
    pub fn scenarios(&self) -> Vec<Scenario> {
        reseed(1);
        let domain = |number, quota| {
            let owners = [&self.acme];
            release::domain_with("acme", number, "acme", &owners, quota, &self.admin)
        };
        let small = Quota {
            bytes: 1_000_000,
            ..Quota::default()
        };
        let trust = || {
            let anchor = |role, key| Anchor::new(role, key, "test", &crypto());
            Act::Trust(vec![
                anchor(AnchorRole::Tam, self.tam.key.public()),
                anchor(AnchorRole::Signer, self.admin.public()),
            ])
        };
        let app = |component: &str, number, payload: &[u8]| {
            release::app(component, number, payload, &self.acme)
        };
        let long = Release::new("acme/long", 1)
            .fetching(LONG_URI, &long_payload())
            .by(&self.acme);
        let create = domain(1, Quota::default());
        let new = Machine::default();
        let trusting = self.after(&new, vec![trust()]);
        let empty = self.after(&trusting, vec![self.install(&[&create])]);
        let hello = self.install(&[&app("acme/hello", 1, HELLO_1)]);
        let hello = self.after(&empty, vec![hello]);
        let vault = app("acme/vault", 1, VAULT);
        let installed = self.after(&empty, vec![self.install(&[&vault])]);
        let signed = self.after(&installed, vec![Act::Sign]);
        let data = app("acme/data", 1, &[7; 5_000]);
        let all = self.after(&signed, vec![self.install(&[&data])]);
        let greeting = app("acme/hello/greeting", 1, b"Servus");
        let values = self.after(&new, vec![Act::Commit(write_values)]);
        let holes = self.after(
            &values,
            vec![Act::Commit(write_more), Act::Commit(remove_more)],
        );
        let scenario = |name, before: &Machine, act| Scenario {
            name,
            before: before.clone(),
            act,
        };
        vec![
            scenario("first start", &new, trust()),
            scenario("create a domain", &trusting, self.install(&[&create])),
            scenario(
                "update a domain",
                &hello,
                self.install(&[&domain(2, small)]),
            ),
            scenario(
                "install",
                &empty,
                self.install(&[&app("acme/hello", 1, HELLO_1)]),
            ),
            scenario("install what is fetched", &empty, self.install(&[&long])),
            scenario(
                "update",
                &hello,
                self.install(&[&app("acme/hello", 2, HELLO_2)]),
            ),
            scenario("personalise", &hello, self.install(&[&greeting])),
            scenario("delete", &signed, self.unlink(&["acme/vault/suit"])),
            scenario(
                "delete a domain with all that is in it",
                &all,
                self.unlink(&[
                    "acme/data/suit",
                    "acme/vault/suit",
                    "security-domain/acme/suit",
                ]),
            ),
            scenario("an application's first objects", &installed, Act::Sign),
            scenario("an application's objects", &signed, Act::Sign),
            scenario("values", &values, Act::Commit(change_values)),
            scenario("first values", &new, Act::Commit(write_values)),
            scenario("compact", &holes, Act::Compact),
        ]
    }
}

const LONG_URI: &str = "https://example.com/long";

/// More than the agent holds in memory.
fn long_payload() -> Vec<u8> {
    vec![6; 270_000]
}

fn commit(store: &Store, change: Change) -> Result<(), String> {
    let run = || {
        let mut transaction = store.begin()?;
        change(&mut *transaction)?;
        transaction.commit()
    };
    run().map_err(|error: StorageError| error.to_string())
}

/// The namespaces in which scenarios store something, but for that of pieces of payloads.
pub fn spaces() -> Vec<Namespace> {
    let application = |component: &str| Namespace::application("acme", &id(component));
    vec![
        Namespace::agent(),
        Namespace::domain(""),
        Namespace::domain("acme"),
        application("acme/vault"),
        application("acme/hello"),
        values_space(),
    ]
}

fn values_space() -> Namespace {
    Namespace::application("acme", &id("acme/values"))
}

fn write_values(transaction: &mut dyn Transaction) -> Result<(), StorageError> {
    let space = values_space();
    transaction.put(&space, b"small", b"1")?;
    transaction.put(&space, b"old name", &[2; 3_000])?;
    transaction.put(&space, b"long", &[3; 150_000])?;
    transaction.put(&Namespace::domain("acme"), b"gone", &[4; 70_000])
}

/// Replaces, appends, renames, removes, and destroys a namespace. Done once more, it changes nothing.
fn change_values(transaction: &mut dyn Transaction) -> Result<(), StorageError> {
    let space = values_space();
    transaction.put(&space, b"small", b"one")?;
    if transaction.length(&space, b"long")? == Some(150_000) {
        transaction.append(&space, b"long", &[5; 100])?;
    }
    if let Some(value) = transaction.get(&space, b"old name")? {
        transaction.remove(&space, b"old name")?;
        transaction.put(&space, b"new name", &value)?;
    }
    transaction.destroy(&Namespace::domain("acme"))
}

fn write_more(transaction: &mut dyn Transaction) -> Result<(), StorageError> {
    (0..40_u8).try_for_each(|number| {
        let value = vec![number; 20_000];
        transaction.put(&values_space(), &[number], &value)
    })
}

fn remove_more(transaction: &mut dyn Transaction) -> Result<(), StorageError> {
    (0..38_u8).try_for_each(|number| transaction.remove(&values_space(), &[number]).map(drop))
}
