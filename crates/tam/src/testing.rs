//! A TAM and scripted agents in one process, with virtual time.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey, SecretKey, SignatureAlgorithm, Signer, aws_lc, sign1,
};
use tamarack_rats::{Claims, Confirmation, Endorsement, Evidence};
use tamarack_suit::{
    ComponentId, Envelope, Limits, Report, SequenceNumber, SuitDigest, Uuid,
    author::{ComponentBuilder, DependencyBuilder, ManifestBuilder},
    report::{Record, Reference, ReportResult},
};
use tamarack_teep::{
    AttestationPayload, Challenge, Encoding, ErrorCode, Message, Numbering, Order, Protected,
    QueryRequest, QueryResponse, RequestedComponent, Success, Token, Update, Verified, protect,
};
use tempfile::TempDir;

use crate::{
    AuditAction, AuditEntry, Clock, Device, Mode, Publication, PublishError, Registration,
    Selector, Settings, SqliteStore, Store, Tam, TamAttester, TamKeys, Timestamp, Ueid, publish,
    register_domain,
};

/// A clock that stands still until it is told to go on.
#[derive(Debug, Clone)]
pub(crate) struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000_000)))
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.0.fetch_add(
            u64::try_from(duration.as_micros()).unwrap(),
            Ordering::SeqCst,
        );
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A TAM with a store of its own.
pub(crate) struct World {
    pub(crate) tam: Tam<SqliteStore, VirtualClock>,
    pub(crate) clock: VirtualClock,
    pub(crate) crypto: CryptoProvider,
    dir: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let crypto = aws_lc::provider();
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("tam.sqlite")).unwrap();
        let keys = TamKeys::generate(&crypto).unwrap();
        let clock = VirtualClock::new();
        let settings = Settings {
            // Smaller than it is in earnest, so that tests don't need large payloads.
            update_bytes: 768 << 10,
            ..Settings::default()
        };
        let tam = Tam::new(store, clock.clone(), crypto, keys, settings);
        Self {
            tam,
            clock,
            crypto,
            dir,
        }
    }

    /// A TAM with the domain `acme`, one published component `acme/lock/ta` that every device shall
    /// have, and an enrolled device with this agent.
    pub(crate) fn with(agent: &Agent) -> (Self, Provider) {
        let world = Self::new();
        world.enroll(agent, &[]);
        let acme = Provider::new("acme");
        world.register(&acme);
        world.publish(&acme.envelope("lock", 1, b"first")).unwrap();
        world.deploy("all", "acme/lock/ta", Mode::Required);
        (world, acme)
    }

    /// The same TAM under another limit.
    pub(crate) fn with_update_bytes(self, update_bytes: usize) -> Self {
        self.with_settings(|settings| settings.update_bytes = update_bytes)
    }

    /// The same TAM, set otherwise.
    pub(crate) fn set(
        self,
        set: impl FnOnce(Tam<SqliteStore, VirtualClock>) -> Tam<SqliteStore, VirtualClock>,
    ) -> Self {
        let tam = set(self.tam);
        Self { tam, ..self }
    }

    /// The same TAM, with other keys, set in another way.
    pub(crate) fn with_settings(self, change: impl FnOnce(&mut Settings)) -> Self {
        let store = SqliteStore::open(self.dir.path().join("tam.sqlite")).unwrap();
        let keys = TamKeys::generate(&self.crypto).unwrap();
        let mut settings = *self.tam.settings();
        change(&mut settings);
        let tam = Tam::new(store, self.clock.clone(), self.crypto, keys, settings);
        Self { tam, ..self }
    }

    /// The same TAM with something that attests it.
    pub(crate) fn with_attester(self, attester: Box<dyn TamAttester>) -> Self {
        let tam = self.tam.with_attester(attester);
        Self { tam, ..self }
    }

    pub(crate) fn entry(&self, action: AuditAction) -> AuditEntry {
        AuditEntry {
            at: self.clock.now(),
            action,
            device: None,
            subject: String::new(),
            detail: String::new(),
        }
    }

    pub(crate) fn enroll(&self, agent: &Agent, labels: &[(&str, &str)]) {
        let mut endorsement = agent.endorsement();
        let labels = labels
            .iter()
            .map(|(l, v)| ((*l).to_owned(), (*v).to_owned()));
        endorsement.labels = BTreeMap::from_iter(labels);
        self.tam
            .store()
            .enroll(&endorsement, &self.entry(AuditAction::Enroll))
            .unwrap();
    }

    pub(crate) fn register(&self, provider: &Provider) {
        let limits = Limits::default();
        let registration = provider.registration();
        register_domain(&self.tam, &limits, &registration).unwrap();
    }

    pub(crate) fn publish(&self, envelope: &[u8]) -> Result<Publication, PublishError> {
        publish(&self.tam, &Limits::default(), envelope)
    }

    pub(crate) fn deploy(&self, selector: &str, component: &str, mode: Mode) -> i64 {
        let entry = self.entry(AuditAction::Deploy);
        let selector: Selector = selector.parse().unwrap();
        self.tam
            .store()
            .deploy(&selector, &id(component), mode, &entry)
            .unwrap()
    }

    pub(crate) fn undeploy(&self, id: i64) {
        assert!(
            self.tam
                .store()
                .undeploy(id, &self.entry(AuditAction::Undeploy))
                .unwrap()
        );
    }

    pub(crate) fn device(&self, agent: &Agent) -> Device {
        self.tam
            .store()
            .device(&Ueid::new(agent.ueid.clone()).unwrap())
            .unwrap()
            .unwrap()
    }

    /// A QueryRequest, and the challenge in it.
    pub(crate) fn connect(&self) -> Challenge {
        let bytes = self.tam.process_connect().unwrap();
        self.open_query_request(&bytes).challenge.unwrap()
    }

    pub(crate) fn open_query_request(&self, bytes: &[u8]) -> QueryRequest {
        let protected = Protected::decode(bytes, &tamarack_cose::cbor::Limits::default()).unwrap();
        for key in self.tam.keys().public_keys() {
            if protected.algorithms().any(|found| found == key.algorithm()) {
                protected.verify(&self.crypto, &[key]).unwrap();
            }
        }
        match protected.read_unverified().unwrap().0 {
            Message::QueryRequest(request) => request,
            other => panic!("not a QueryRequest: {other:?}"),
        }
    }

    pub(crate) fn process(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.tam.process_teep_message(message).unwrap()
    }

    /// One session up to the Update, if there is one.
    pub(crate) fn session(&self, agent: &Agent) -> Option<Update> {
        let response = agent.answer(&self.connect());
        self.clock.advance(Duration::from_millis(1));
        self.process(&response)
            .map(|reply| agent.open_update(self, &reply))
    }

    /// Everything in the database.
    pub(crate) fn dump(&self) -> String {
        let path = self.dir.path().join("tam.sqlite");
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut statement = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap();
        let tables: Vec<String> = statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut dump = String::new();
        for table in tables {
            let mut statement = connection
                .prepare(&format!("SELECT * FROM {table}"))
                .unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<_> = (0..columns).map(|n| row.get_ref_unwrap(n)).collect();
                dump += &format!("{table} {values:?}\n");
            }
        }
        dump
    }

    pub(crate) fn audit(&self) -> Vec<String> {
        let records = self.tam.store().audit(0, 1000).unwrap();
        records.into_iter().map(|record| record.action).collect()
    }
}

/// An envelope as an Update has it: without its tag.
pub(crate) fn untagged(envelope: &[u8]) -> &[u8] {
    envelope.strip_prefix(&[0xd8, 107]).unwrap()
}

pub(crate) fn id(text: &str) -> ComponentId {
    text.parse().unwrap()
}

fn signer(crypto: &CryptoProvider, key: &SecretKey) -> Box<dyn Signer> {
    crypto.signatures.signer(key).unwrap()
}

/// A Trusted Component Signer with a domain whose name is its prefix.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) key: SecretKey,
    crypto: CryptoProvider,
}

impl Provider {
    pub(crate) fn new(name: &str) -> Self {
        let crypto = aws_lc::provider();
        let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
        Self {
            name: name.to_owned(),
            key,
            crypto,
        }
    }

    pub(crate) fn registration(&self) -> Registration {
        Registration {
            name: self.name.clone(),
            prefix: id(&self.name),
            signers: vec![*self.key.public_key()],
            anchor: None,
            manifest: None,
        }
    }

    /// A manifest `NAME/component/suit` that installs `NAME/component/ta`.
    pub(crate) fn envelope(&self, component: &str, number: u64, payload: &[u8]) -> Vec<u8> {
        self.manifest(component, number, payload, &[])
    }

    /// The same, for devices of one class only.
    pub(crate) fn envelope_for_class(
        &self,
        component: &str,
        number: u64,
        class: [u8; 16],
    ) -> Vec<u8> {
        let prefix = format!("{}/{component}", self.name);
        let content = ComponentBuilder::new(id(&format!("{prefix}/ta")))
            .class(Uuid(class))
            .integrated(&self.crypto, "#ta", *b"for a class");
        let draft = ManifestBuilder::new(SequenceNumber(number))
            .manifest_id(id(&format!("{prefix}/suit")))
            .component(content)
            .build()
            .unwrap();
        draft
            .sign(&self.crypto, &[&*signer(&self.crypto, &self.key)])
            .unwrap()
    }

    pub(crate) fn manifest(
        &self,
        component: &str,
        number: u64,
        payload: &[u8],
        dependencies: &[&[u8]],
    ) -> Vec<u8> {
        let prefix = format!("{}/{component}", self.name);
        let ta = id(&format!("{prefix}/ta"));
        self.sign(
            &format!("{prefix}/suit"),
            number,
            &ta,
            payload,
            dependencies,
        )
    }

    pub(crate) fn sign(
        &self,
        manifest: &str,
        number: u64,
        component: &ComponentId,
        payload: &[u8],
        dependencies: &[&[u8]],
    ) -> Vec<u8> {
        let content = ComponentBuilder::new(component.clone());
        let mut builder = ManifestBuilder::new(SequenceNumber(number))
            .manifest_id(id(manifest))
            .component(content.integrated(&self.crypto, "#ta", payload));
        for dependency in dependencies {
            let envelope = Envelope::decode(dependency).unwrap();
            builder = builder.dependency(DependencyBuilder::of(&envelope).unwrap());
        }
        let draft = builder.build().unwrap();
        draft
            .sign(&self.crypto, &[&*signer(&self.crypto, &self.key)])
            .unwrap()
    }
}

/// A device with a TEEP Agent that says what it is told to say.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) crypto: CryptoProvider,
    pub(crate) ueid: Vec<u8>,
    pub(crate) attester: SecretKey,
    pub(crate) key: SecretKey,
    /// The key that its Evidence binds.
    pub(crate) confirmation: Confirmation,
    pub(crate) numbering: Numbering,
    pub(crate) format: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) installed: Option<Vec<(ComponentId, Option<SuitDigest>)>>,
    pub(crate) requested: Vec<RequestedComponent>,
    pub(crate) unneeded: Vec<ComponentId>,
}

impl Agent {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, SignatureAlgorithm::Esp256, Numbering::Sparse)
    }

    pub(crate) fn with(name: &str, algorithm: SignatureAlgorithm, numbering: Numbering) -> Self {
        let crypto = aws_lc::provider();
        let key = SecretKey::generate(&crypto, algorithm).unwrap();
        Self {
            crypto,
            ueid: [b"\x01device ", name.as_bytes()].concat(),
            attester: SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap(),
            confirmation: Confirmation::Key(*key.public_key()),
            key,
            numbering,
            format: Some("application/eat+cwt".into()),
            profile: None,
            installed: Some(Vec::new()),
            requested: Vec::new(),
            unneeded: Vec::new(),
        }
    }

    pub(crate) fn endorsement(&self) -> Endorsement {
        Endorsement::new(self.ueid.clone(), *self.attester.public_key())
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        *self.key.public_key()
    }

    pub(crate) fn evidence(&self, nonce: &[u8]) -> Vec<u8> {
        let claims = Claims {
            nonce: Some(nonce.to_vec()),
            ueid: Some(self.ueid.clone()),
            confirmation: Some(self.confirmation),
            profile: self.profile.clone(),
            ..Claims::default()
        };
        let evidence = claims
            .sign(&self.crypto, &*signer(&self.crypto, &self.attester))
            .unwrap();
        Evidence::decode(&evidence).unwrap();
        evidence
    }

    pub(crate) fn query_response(&self, challenge: &Challenge) -> QueryResponse {
        let claims = |(component, digest): &(ComponentId, Option<SuitDigest>)| {
            tamarack_suit::report::Claims {
                component: component.clone(),
                // Something must be said of each component.
                properties: tamarack_suit::Parameters::from_list([match digest {
                    Some(digest) => tamarack_suit::Parameter::ImageDigest(*digest),
                    None => tamarack_suit::Parameter::ImageSize(1),
                }]),
            }
        };
        QueryResponse {
            attestation: Some(AttestationPayload {
                format: self.format.clone(),
                bytes: self.evidence(challenge.as_bytes()),
            }),
            tc_list: self
                .installed
                .as_ref()
                .map(|list| list.iter().map(claims).collect()),
            requested_tc_list: self.requested.clone(),
            unneeded_manifest_list: self.unneeded.clone(),
            ..QueryResponse::default()
        }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        Encoding {
            numbering: self.numbering,
            order: Order::Deterministic,
        }
    }

    pub(crate) fn sign(&self, message: impl Into<Message>) -> Vec<u8> {
        let signer = signer(&self.crypto, &self.key);
        protect(&self.crypto, &*signer, &message.into(), self.encoding()).unwrap()
    }

    pub(crate) fn sign_without_key_id(&self, message: impl Into<Message>) -> Vec<u8> {
        let payload = message.into().encode(self.encoding());
        sign1(&*signer(&self.crypto, &self.key), &payload, None).unwrap()
    }

    pub(crate) fn answer(&self, challenge: &Challenge) -> Vec<u8> {
        self.sign(self.query_response(challenge))
    }

    pub(crate) fn verify(&self, world: &World, reply: &[u8]) -> Verified {
        let protected = Protected::decode(reply, &tamarack_cose::cbor::Limits::default()).unwrap();
        let key = world
            .tam
            .keys()
            .signer(self.public_key().algorithm())
            .unwrap()
            .public_key();
        assert_eq!(
            protected.key_ids().next(),
            Some(KeyId::of(key, &self.crypto))
        );
        let verified = protected.verify(&self.crypto, &[*key]).unwrap();
        assert_eq!(
            verified.encoding(),
            self.encoding(),
            "the agent's own numbering"
        );
        verified
    }

    pub(crate) fn open_update(&self, world: &World, reply: &[u8]) -> Update {
        match self.verify(world, reply).into_message() {
            Message::Update(update) => update,
            other => panic!("not an Update: {other:?}"),
        }
    }

    /// The error code of an Update that has nothing but an error.
    pub(crate) fn open_fault(&self, world: &World, reply: &[u8]) -> ErrorCode {
        let update = self.open_update(world, reply);
        assert!(
            update.explanation.is_some(),
            "an err-msg says what is wrong"
        );
        assert!(update.manifest_list.is_empty() && update.unneeded_manifest_list.is_empty());
        update.error.expect("an err-code")
    }

    /// Carries out an Update.
    pub(crate) fn install(&mut self, update: &Update) {
        let installed = self.installed.get_or_insert_default();
        for envelope in &update.manifest_list {
            let envelope = Envelope::decode(envelope).unwrap();
            let manifest = envelope.unverified_manifest().unwrap();
            let component = manifest.common.components.first().unwrap();
            let payload = envelope.integrated().first().unwrap().1;
            installed.retain(|(known, _)| known != component);
            let digest = SuitDigest::sha256(&self.crypto, payload);
            installed.push((component.clone(), Some(digest)));
        }
    }

    pub(crate) fn reports(&self, update: &Update, result: &ReportResult) -> Vec<Vec<u8>> {
        let report = |envelope: &Vec<u8>| Report {
            reference: Reference {
                uri: String::new(),
                digest: Envelope::decode(envelope).unwrap().claimed_digest(),
            },
            nonce: update.token.as_ref().map(|token| token.as_bytes().to_vec()),
            records: Vec::new(),
            result: result.clone(),
            capability_report: None,
        };
        update
            .manifest_list
            .iter()
            .map(|envelope| report(envelope).encode())
            .collect()
    }

    pub(crate) fn success(&self, update: &Update) -> Success {
        Success {
            token: update.token.clone(),
            suit_reports: self.reports(update, &ReportResult::Success),
            ..Success::default()
        }
    }

    pub(crate) fn failure(&self, update: &Update) -> tamarack_teep::Error {
        let result = ReportResult::Failure {
            code: -1,
            record: Record::default(),
            reason: tamarack_suit::report::Reason::ConditionFailed,
        };
        tamarack_teep::Error {
            token: update.token.clone(),
            suit_reports: self.reports(update, &result),
            ..tamarack_teep::Error::new(ErrorCode::MANIFEST_PROCESSING_FAILED)
        }
    }
}

pub(crate) fn token(byte: u8) -> Token {
    Token::new(vec![byte; 16]).unwrap()
}
