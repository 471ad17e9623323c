//! Everybody, and the letters between them.

use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc, time::Duration};

use tamarack_agent::{
    Agent, AgentError, Relay, installed_components,
    link::InstalledComponent,
    platform::Platform,
    state::{Anchor, AnchorRole},
};
use tamarack_cose::{CryptoProvider, PublicKey, SecretKey, SignatureAlgorithm, cbor};
use tamarack_rats::Evidence;
use tamarack_suit::{DeviceError, Fetch, Limits};
use tamarack_tam::{
    AuditAction, AuditEntry, Clock, Mode, Selector, Settings, Store, Tam, Timestamp, publish,
};
use tamarack_teep::{
    Challenge, CipherSuite, DataItems, Message, Protected, QueryRequest, SuitCoseProfile, Token,
    Update, protect,
};
use tempfile::TempDir;

use crate::{
    FetchFault, Invariant, MemoryTee, PowerLoss, SimClock, SimStore, Violation,
    people::{COMPONENTS, DEVICES, LIB, People, RELEASES, SUITE, TAMS, release_component, scratch},
};

/// Something that is broken on purpose, to see an invariant fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Devices trust a TAM that nobody should.
    TrustsRogue,
    /// Devices trust that TAM, and keep no record of a manifest once it is unlinked.
    ForgetsUnlinked,
    /// Devices do not remember which Updates they have seen.
    ForgetsUpdates,
    /// Devices do not see, and do not say, what they hold.
    HidesComponents,
    /// Devices store something with each transaction that nobody removes.
    Hoards,
    /// Devices panic once they hold something.
    Panics,
    /// TAMs take a challenge as unused whatever was answered before.
    ReusesChallenges,
    /// TAMs take no note of what devices say they hold.
    IgnoresLists,
}

/// One end of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The TAM with this number.
    Tam(usize),
    /// The device with this number.
    Device(usize),
}

impl Party {
    /// Everybody.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let tams = (0..TAMS).map(Self::Tam);
        tams.chain((0..DEVICES).map(Self::Device)).collect()
    }
}

/// A message that somebody sent at some time. The adversary keeps them all.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Who made it.
    pub from: Party,
    /// Who it is for.
    pub to: Party,
    /// The message.
    pub bytes: Vec<u8>,
}

/// TAMs, devices, and all that was ever sent between them.
pub struct World {
    pub(crate) people: &'static People,
    pub(crate) clock: SimClock,
    pub(crate) devices: Vec<Device>,
    pub(crate) tams: Vec<Server>,
    /// Everything that was sent, oldest first.
    pub log: Vec<Letter>,
    pub(crate) defect: Option<Defect>,
    settings: Settings,
    folder: TempDir,
}

/// A device.
pub(crate) struct Device {
    pub(crate) agent: Agent<Arc<MemoryTee>>,
    pub(crate) tee: Arc<MemoryTee>,
    /// Which TAMs it trusts.
    pub(crate) trusts: [bool; TAMS],
    /// How its broker treats payloads.
    pub(crate) fetch: Option<FetchFault>,
    /// The highest sequence number ever seen installed, by component.
    pub(crate) highest: std::collections::BTreeMap<String, u64>,
    /// [`MemoryTee::commits`] when the invariants were checked last.
    pub(crate) checked: u64,
}

/// A TAM with its operator.
pub(crate) struct Server {
    /// A look at its database from outside.
    watched: rusqlite::Connection,
    /// `None` while it restarts.
    running: Option<Tam<SimStore, SimClock>>,
    /// How many releases of each component are published.
    pub(crate) published: [usize; COMPONENTS.len()],
    pub(crate) deployments: Vec<Deployment>,
    /// What was ever deployed for a device, or needed by that.
    pub(crate) deployed: [[bool; COMPONENTS.len()]; DEVICES],
    /// Challenges whose answer got an Update, each with the device.
    pub(crate) answered: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) number: i64,
    pub(crate) component: usize,
    /// `None` for all.
    pub(crate) device: Option<usize>,
    pub(crate) mode: Mode,
}

impl Server {
    pub(crate) fn tam(&self) -> &Tam<SimStore, SimClock> {
        self.running.as_ref().unwrap()
    }

    /// How strongly the operator wants the component on the device.
    pub(crate) fn mode(&self, device: usize, component: usize) -> Option<Mode> {
        let deployments = self.deployments.iter();
        deployments
            .filter(|deployment| deployment.component == component)
            .filter(|deployment| deployment.device.is_none_or(|found| found == device))
            .map(|deployment| deployment.mode)
            .max()
    }
}

impl World {
    /// Everybody at the beginning: all devices are enrolled at all TAMs, the last of them trusts the first
    /// TAM only, and nothing is published.
    #[must_use]
    pub fn new(settings: Settings, defect: Option<Defect>) -> Self {
        let people = People::get();
        let clock = SimClock::new();
        let folder = scratch();
        let mut world = Self {
            people,
            devices: Vec::new(),
            tams: Vec::new(),
            log: Vec::new(),
            clock,
            defect,
            settings,
            folder,
        };
        for tam in 0..TAMS {
            fs::write(world.database(tam), &people.databases[tam]).unwrap();
            let running = world.start(tam);
            world.tams.push(Server {
                watched: rusqlite::Connection::open(world.database(tam)).unwrap(),
                running: Some(running),
                published: Default::default(),
                deployments: Vec::new(),
                deployed: Default::default(),
                answered: BTreeSet::new(),
            });
        }
        for device in 0..DEVICES {
            let device = world.new_device(device);
            world.devices.push(device);
        }
        world
    }

    fn database(&self, tam: usize) -> PathBuf {
        self.folder.path().join(format!("{tam}.sqlite"))
    }

    fn start(&self, tam: usize) -> Tam<SimStore, SimClock> {
        Tam::new(
            SimStore::open(&self.database(tam), self.defect),
            self.clock.clone(),
            self.people.crypto,
            self.people.tam_keys(tam),
            self.settings,
        )
    }

    fn new_device(&self, number: usize) -> Device {
        let crypto = self.people.crypto;
        let keys = &self.people.devices[number];
        let trusts = std::array::from_fn(|tam| tam == 0 || number + 1 < DEVICES);
        let anchor = |role, key| Anchor::new(role, key, "simulated", &crypto);
        let mut anchors = vec![anchor(
            AnchorRole::Signer,
            *self.people.administrator.public_key(),
        )];
        for tam in (0..TAMS).filter(|tam| trusts[*tam]) {
            anchors.push(anchor(AnchorRole::Tam, self.tam_key(tam)));
        }
        if let Some(Defect::TrustsRogue | Defect::ForgetsUnlinked) = self.defect {
            anchors.push(anchor(AnchorRole::Tam, *self.people.rogue.public_key()));
        }
        let tee = Arc::new(MemoryTee::new(
            crypto,
            self.clock.clone(),
            self.people.identity(number),
            (&keys.attester, &keys.teep),
            &anchors,
            self.defect,
        ));
        Device {
            agent: Agent::new(Arc::clone(&tee)),
            checked: tee.commits(),
            tee,
            trusts,
            fetch: None,
            highest: Default::default(),
        }
    }

    /// The crypto provider of everybody.
    #[must_use]
    pub fn crypto(&self) -> &CryptoProvider {
        &self.people.crypto
    }

    /// The key with which a TAM signs to these devices.
    #[must_use]
    pub fn tam_key(&self, tam: usize) -> PublicKey {
        let keys = self.tams[tam].tam().keys();
        *keys
            .signer(SignatureAlgorithm::Esp256)
            .unwrap()
            .public_key()
    }

    /// Time goes by.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// The current moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What a device holds.
    #[must_use]
    pub fn installed(&self, device: usize) -> Vec<InstalledComponent> {
        let storage = self.devices[device].tee.storage();
        installed_components(&*storage.view().unwrap()).unwrap()
    }

    /// The TEE of a device.
    #[must_use]
    pub fn tee(&self, device: usize) -> &MemoryTee {
        &self.devices[device].tee
    }

    /// A device as a TAM knows it.
    #[must_use]
    pub fn known(&self, tam: usize, device: usize) -> tamarack_tam::Device {
        let ueid = &self.people.devices[device].ueid;
        self.tams[tam].tam().store().device(ueid).unwrap().unwrap()
    }

    /// A number that changes whenever something is written to a TAM's database.
    #[must_use]
    pub fn version(&self, tam: usize) -> i64 {
        let version = "SELECT data_version FROM pragma_data_version";
        let watched = &self.tams[tam].watched;
        watched.query_row(version, [], |row| row.get(0)).unwrap()
    }

    // ---- the broker ----

    /// A broker connects for a device; the number of the QueryRequest.
    pub fn connect(&mut self, device: usize, tam: usize) -> usize {
        let bytes = self.tams[tam].tam().process_connect().unwrap();
        self.send(Party::Tam(tam), Party::Device(device), bytes)
    }

    fn send(&mut self, from: Party, to: Party, bytes: Vec<u8>) -> usize {
        self.log.push(Letter { from, to, bytes });
        self.log.len() - 1
    }

    /// Delivers bytes to somebody, as if `from` had sent them; the number of the answer, if there is one.
    ///
    /// # Errors
    ///
    /// If the party fails in a way that it must not, or answers what it has answered before.
    pub fn deliver(
        &mut self,
        bytes: &[u8],
        from: Party,
        to: Party,
    ) -> Result<Option<usize>, Violation> {
        // No two messages arrive in the same moment.
        self.advance(Duration::from_millis(1));
        let answer = match to {
            Party::Tam(tam) => self.process_at_tam(tam, bytes)?,
            Party::Device(device) => self.process_at_device(device, bytes)?,
        };
        Ok(answer.map(|bytes| self.send(to, from, bytes)))
    }

    fn process_at_tam(&mut self, tam: usize, bytes: &[u8]) -> Result<Option<Vec<u8>>, Violation> {
        let server = &mut self.tams[tam];
        let tam = server.running.as_ref().unwrap();
        let answer = tam.process_teep_message(bytes);
        let answer = answer.map_err(|error| Invariant::Failure.violated(error.to_string()))?;
        let is_update = |answer: &Vec<u8>| {
            matches!(
                read(answer),
                Some(Message::Update(Update { token: Some(_), .. }))
            )
        };
        if answer.as_ref().is_some_and(is_update)
            && let Some(challenge) = answered_challenge(bytes)
            && !server.answered.insert(challenge)
        {
            let text = "a challenge that was used got another Update";
            return Err(Invariant::SingleUse.violated(text));
        }
        Ok(answer)
    }

    fn process_at_device(
        &mut self,
        number: usize,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, Violation> {
        let device = &mut self.devices[number];
        let mut fetch = Network {
            people: self.people,
            clock: &self.clock,
            fault: device.fetch,
        };
        let answer = device.agent.process_teep_message(bytes, &mut fetch);
        self.powered(number, answer).map(Option::flatten)
    }

    /// Restarts a device whose power went off; any other error of the agent is one too many.
    fn powered<T>(
        &mut self,
        device: usize,
        result: Result<T, AgentError>,
    ) -> Result<Option<T>, Violation> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(AgentError::NotInstalled(_) | AgentError::TooManyRequests) => Ok(None),
            Err(error) => {
                if !self.devices[device].tee.restore_power() {
                    return Err(Invariant::Failure.violated(format!("device {device}: {error}")));
                }
                self.restart(Party::Device(device));
                Ok(None)
            }
        }
    }

    /// Switches somebody off and on again.
    pub fn restart(&mut self, party: Party) {
        match party {
            Party::Tam(tam) => {
                // Its database is open once at a time.
                self.tams[tam].running = None;
                let running = self.start(tam);
                self.tams[tam].running = Some(running);
            }
            Party::Device(device) => {
                let device = &mut self.devices[device];
                device.tee.restore_power();
                device.agent = Agent::new(Arc::clone(&device.tee));
            }
        }
    }

    /// Lets the power of a device go off at a commit to come.
    pub fn lose_power(&self, device: usize, when: PowerLoss) {
        self.devices[device].tee.lose_power(when);
    }

    /// From now on the broker of a device treats payloads like this.
    pub fn treat_payloads(&mut self, device: usize, fault: Option<FetchFault>) {
        self.devices[device].fetch = fault;
    }

    /// A TAM that nobody trusts sends an Update that installs a genuine release.
    ///
    /// # Errors
    ///
    /// As [`deliver`](Self::deliver).
    pub fn forge(
        &mut self,
        device: usize,
        (tam, component, release): (usize, usize, usize),
    ) -> Result<(), Violation> {
        let random = |length| self.crypto().random_array::<32>().unwrap()[..length].to_vec();
        let query = QueryRequest {
            challenge: Challenge::new(random(32)),
            supported_teep_cipher_suites: CipherSuite::ALGORITHMS.map(CipherSuite::sign1).into(),
            supported_suit_cose_profiles: SuitCoseProfile::ALL.into(),
            data_items: DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS,
            ..QueryRequest::default()
        };
        let mut envelopes = vec![
            self.people.releases[tam][component][release]
                .envelope
                .clone(),
        ];
        if component == SUITE {
            envelopes.insert(0, self.people.releases[tam][LIB][release].envelope.clone());
        }
        let update = Update {
            token: Token::new(random(16)),
            manifest_list: envelopes,
            ..Update::default()
        };
        for message in [query.into(), update.into()] {
            let bytes = sign(self.crypto(), &self.people.rogue, &message);
            self.deliver(&bytes, Party::Tam(tam), Party::Device(device))?;
        }
        Ok(())
    }

    // ---- the operator ----

    fn entry(&self, action: AuditAction) -> AuditEntry {
        AuditEntry {
            at: self.clock.now(),
            action,
            device: None,
            subject: String::new(),
            detail: String::new(),
        }
    }

    /// Publishes the next release of a component, if there is one, and what it needs.
    pub fn publish(&mut self, tam: usize, component: usize) {
        let next = self.tams[tam].published[component];
        // The library is published with what needs it.
        if next >= RELEASES || component == LIB {
            return;
        }
        let parts: &[usize] = if component == SUITE {
            &[LIB, SUITE]
        } else {
            &[component]
        };
        for part in parts {
            let envelope = &self.people.releases[tam][*part][next].envelope;
            publish(self.tams[tam].tam(), &Limits::default(), envelope).unwrap();
            self.tams[tam].published[*part] = next + 1;
        }
    }

    /// Deploys a component for one device or all; changes nothing for what is needed by others only.
    pub fn deploy(&mut self, tam: usize, component: usize, device: Option<usize>, mode: Mode) {
        if component == LIB {
            return;
        }
        let selector = device.map_or(Selector::All, |device| {
            Selector::Device(self.people.devices[device].ueid.clone())
        });
        let entry = self.entry(AuditAction::Deploy);
        let server = &mut self.tams[tam];
        let store = server.running.as_ref().unwrap().store();
        let name = release_component(tam, component);
        let number = store.deploy(&selector, &name, mode, &entry).unwrap();
        server.deployments.retain(|known| known.number != number);
        server.deployments.push(Deployment {
            number,
            component,
            device,
            mode,
        });
        for selected in (0..DEVICES).filter(|n| device.is_none_or(|device| device == *n)) {
            server.deployed[selected][component] = true;
            server.deployed[selected][LIB] |= component == SUITE;
        }
    }

    /// Takes a deployment back, if there is any.
    pub fn undeploy(&mut self, tam: usize, deployment: usize) {
        if self.tams[tam].deployments.is_empty() {
            return;
        }
        let entry = self.entry(AuditAction::Undeploy);
        let server = &mut self.tams[tam];
        let at = deployment % server.deployments.len();
        let number = server.deployments.remove(at).number;
        let store = server.running.as_ref().unwrap().store();
        assert!(store.undeploy(number, &entry).unwrap());
    }

    /// Has each TAM forget how often it has failed: the operator looks after what does not arrive.
    pub fn try_again(&mut self) {
        for tam in 0..TAMS {
            let known = self.tams[tam].deployments.clone();
            // Failures are counted for the deployments as they are; any change will do.
            self.deploy(tam, 0, None, Mode::OnRequest);
            let server = &mut self.tams[tam];
            let added = server.deployments.last().unwrap().number;
            match known.iter().find(|deployment| deployment.number == added) {
                Some(before) => {
                    let mode = before.mode;
                    self.deploy(tam, 0, None, mode);
                }
                None => {
                    let last = server.deployments.len() - 1;
                    self.undeploy(tam, last);
                }
            }
        }
    }

    // ---- applications ----

    /// An application needs a component.
    ///
    /// # Errors
    ///
    /// If the agent fails.
    pub fn request(
        &mut self,
        device: usize,
        tam: usize,
        component: usize,
    ) -> Result<(), Violation> {
        let agent = &mut self.devices[device].agent;
        let asked = agent.request_ta(&release_component(tam, component), Some("tam"));
        self.powered(device, asked).map(drop)
    }

    /// An application no longer needs a component.
    ///
    /// # Errors
    ///
    /// If the agent fails.
    pub fn unrequest(
        &mut self,
        device: usize,
        tam: usize,
        component: usize,
    ) -> Result<(), Violation> {
        let agent = &mut self.devices[device].agent;
        let told = agent.unrequest_ta(&release_component(tam, component), Some("tam"));
        self.powered(device, told).map(drop)
    }
}

/// A message, whoever signed it.
pub(crate) fn read(bytes: &[u8]) -> Option<Message> {
    let protected = Protected::decode(bytes, &cbor::Limits::default()).ok()?;
    Some(protected.read_unverified().ok()?.0)
}

/// The challenge that a QueryResponse answers, and the device that says so.
fn answered_challenge(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let Message::QueryResponse(response) = read(bytes)? else {
        return None;
    };
    let evidence = response.attestation?.bytes;
    let evidence = Evidence::decode(&evidence).ok()?;
    let claims = evidence.unverified_claims();
    claims.nonce.clone().zip(claims.ueid.clone())
}

fn sign(crypto: &CryptoProvider, key: &SecretKey, message: &Message) -> Vec<u8> {
    let signer = crypto.signatures.signer(key).unwrap();
    protect(crypto, &*signer, message, Default::default()).unwrap()
}

/// What the broker makes of payloads.
struct Network<'a> {
    people: &'a People,
    clock: &'a SimClock,
    fault: Option<FetchFault>,
}

impl Relay for Network<'_> {}

impl Fetch for Network<'_> {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let unavailable = || DeviceError::Unavailable(format!("{uri}: nobody has it"));
        let mut releases = self.people.releases.iter().flatten().flatten();
        // The URI is the first part of the payload's text.
        let (name, number) = uri.rsplit_once('/').ok_or_else(unavailable)?;
        let text = format!("{name}, release {number}");
        let release = releases.find(|release| release.payload == text.as_bytes());
        let mut payload = release.ok_or_else(unavailable)?.payload.clone();
        match self.fault {
            None => {}
            Some(FetchFault::Refused) => return Err(unavailable()),
            Some(FetchFault::Changed(bit)) => {
                let at = usize::from(bit / 8) % payload.len();
                payload[at] ^= 1 << (bit % 8);
            }
            Some(FetchFault::Cut(at)) => payload.truncate(usize::from(at) % payload.len()),
            Some(FetchFault::Longer) => payload.extend_from_slice(&[0; 300]),
            Some(FetchFault::Slow) => self.clock.advance(Duration::from_secs(3600)),
        }
        payload.chunks(7).try_for_each(sink)
    }
}
