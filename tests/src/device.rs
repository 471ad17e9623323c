use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tamarack_agent::{
    Agent, installed_components,
    link::InstalledComponent,
    platform::{Namespace, Platform, View},
    state::{Anchor, AnchorRole},
};
use tamarack_cose::{PublicKey, SignatureAlgorithm, cbor::Limits, encrypt::EncryptionKey};
use tamarack_rats::Endorsement;
use tamarack_suit::Report;
use tamarack_ta::{ResultCode, interface::Client};
use tamarack_tee::{
    InvocationError, Tee, endorsement,
    platform::{DeviceOptions, Software},
    runtime::Input,
};
use tamarack_teep::{Error, ErrorCode, Message, Protected, QueryRequest, QueryResponse, Update};
use tempfile::TempDir;

use crate::{Payloads, Person, Tam, crypto, error_of, id};

/// A device: the real agent in the real TEE, in a temporary folder.
pub struct Device {
    /// The agent. The test plays the broker.
    pub agent: Agent<Arc<Tee>>,
    /// The TEE around the agent.
    pub tee: Arc<Tee>,
    /// The network, as the broker offers it.
    pub payloads: Payloads,
    folder: TempDir,
}

fn open(folder: &Path, algorithms: &[SignatureAlgorithm]) -> Result<Arc<Tee>, String> {
    let crypto = crypto();
    let mut options = DeviceOptions::default();
    options.teep_algorithms = algorithms.to_vec();
    let platform = Software::open(folder, &crypto, &options).map_err(|e| e.to_string())?;
    let tee = Tee::open(folder, Arc::new(platform), crypto).map_err(|e| e.to_string())?;
    Ok(Arc::new(tee))
}

/// A device without power: what an attacker has who takes the disk out.
pub struct Off {
    folder: TempDir,
}

impl Off {
    /// The file of its sealed storage.
    #[must_use]
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("store.redb")
    }

    /// Starts its TEE.
    ///
    /// # Errors
    ///
    /// Why that refuses to start.
    pub fn start(&self) -> Result<Arc<Tee>, String> {
        open(self.folder.path(), &[SignatureAlgorithm::Esp256])
    }
}

fn anchors(tams: &[&Tam], administrators: &[&Person]) -> Vec<Anchor> {
    let anchor = |role, key| Anchor::new(role, key, "test", &crypto());
    let tams = tams
        .iter()
        .map(|tam| anchor(AnchorRole::Tam, tam.key.public()));
    let signers = administrators
        .iter()
        .map(|person| anchor(AnchorRole::Signer, person.public()));
    tams.chain(signers).collect()
}

impl Device {
    /// A new device that trusts these TAMs and administrators.
    #[must_use]
    pub fn new(tams: &[&Tam], administrators: &[&Person]) -> Self {
        Self::with(SignatureAlgorithm::Esp256, tams, administrators)
    }

    /// A new device whose agent signs with this algorithm.
    #[must_use]
    pub fn with(algorithm: SignatureAlgorithm, tams: &[&Tam], administrators: &[&Person]) -> Self {
        Self::trusting(&[algorithm], &anchors(tams, administrators))
    }

    /// A new device whose agent signs with several algorithms, the preferred one first.
    #[must_use]
    pub fn with_algorithms(algorithms: &[SignatureAlgorithm], tams: &[&Tam]) -> Self {
        Self::trusting(algorithms, &anchors(tams, &[]))
    }

    /// A new device whose agent signs with these algorithms, and that has these trust anchors.
    #[must_use]
    pub fn trusting(algorithms: &[SignatureAlgorithm], anchors: &[Anchor]) -> Self {
        let device = Self::in_folder(tempfile::tempdir().unwrap(), algorithms);
        device.tee.trust(anchors).unwrap();
        device
    }

    fn in_folder(folder: TempDir, algorithms: &[SignatureAlgorithm]) -> Self {
        let tee = open(folder.path(), algorithms).unwrap();
        Self {
            agent: Agent::new(Arc::clone(&tee)),
            tee,
            payloads: Payloads::default(),
            folder,
        }
    }

    /// The device after the power was off.
    #[must_use]
    pub fn restarted(self) -> Self {
        let Self {
            agent,
            tee,
            payloads,
            folder,
        } = self;
        // The store is open once at a time.
        drop((agent, tee));
        let mut device = Self::on(Off { folder });
        device.payloads = payloads;
        device
    }

    /// The device with its power on again.
    #[must_use]
    pub fn on(off: Off) -> Self {
        Self::in_folder(off.folder, &[SignatureAlgorithm::Esp256])
    }

    /// The device without power.
    #[must_use]
    pub fn off(self) -> Off {
        Off {
            folder: self.folder,
        }
    }

    /// The public key of the agent.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        *self.tee.teep_keys()[0].public_key()
    }

    /// What its maker says about it.
    #[must_use]
    pub fn endorsement(&self) -> Endorsement {
        endorsement(self.tee.platform())
    }

    /// Hands a message to the agent; its answer as bytes.
    pub fn process(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        self.agent
            .process_teep_message(message, &mut self.payloads)
            .unwrap()
    }

    /// Encrypts what goes to `tam` to these keys from now on.
    pub fn encrypt_to(&self, tam: &Tam, keys: &[EncryptionKey]) {
        let tam = tam.key.public().key_id(&crypto());
        self.tee.encrypt_to(&tam, keys).unwrap();
    }

    /// Trusts `verifier` to say which TAMs are in order.
    pub fn trust_verifier(&self, verifier: &Person) {
        let anchor = Anchor::new(AnchorRole::Verifier, verifier.public(), "test", &crypto());
        self.tee.trust(&[anchor]).unwrap();
    }

    /// Hands a message to the agent, which must answer with a message that it signed.
    #[track_caller]
    pub fn answer(&mut self, message: &[u8]) -> Message {
        let answer = self.process(message).expect("an answer");
        self.open(&answer)
    }

    /// Opens a message of the agent.
    #[must_use]
    #[track_caller]
    pub fn open(&self, message: &[u8]) -> Message {
        let protected = Protected::decode(message, &Limits::default()).unwrap();
        let verified = protected.verify(&crypto(), &[self.key()]).unwrap();
        verified.into_message()
    }

    /// Asks with a QueryRequest that must be answered with a QueryResponse.
    #[track_caller]
    pub fn query(&mut self, tam: &Tam, request: QueryRequest) -> QueryResponse {
        match self.answer(&tam.sign(request)) {
            Message::QueryResponse(response) => response,
            other => panic!("not a QueryResponse: {other:?}"),
        }
    }

    /// A whole exchange: a QueryRequest, then this Update; the answer to that.
    #[track_caller]
    pub fn exchange(&mut self, tam: &Tam, update: Update) -> Message {
        self.query(tam, Tam::query());
        self.answer(&tam.sign(update))
    }

    /// An exchange that installs these envelopes.
    #[track_caller]
    pub fn install(&mut self, tam: &Tam, envelopes: &[&[u8]]) {
        let answer = self.exchange(tam, Tam::install(envelopes));
        assert!(matches!(answer, Message::Success(_)), "{answer:?}");
    }

    /// An exchange that installs this envelope.
    ///
    /// # Errors
    ///
    /// Why it was not.
    #[track_caller]
    pub fn try_install(&mut self, tam: &Tam, envelope: &[u8]) -> Result<(), String> {
        match self.exchange(tam, Tam::install(&[envelope])) {
            Message::Success(_) => Ok(()),
            Message::Error(error) => Err(error.explanation.unwrap().text),
            other => panic!("{other:?}"),
        }
    }

    /// An exchange that unlinks these manifests.
    #[track_caller]
    pub fn unlink(&mut self, tam: &Tam, manifests: &[&str]) {
        let answer = self.exchange(tam, Tam::unlink(manifests));
        assert!(matches!(answer, Message::Success(_)), "{answer:?}");
    }

    /// An exchange whose Update must fail and change nothing that is installed.
    #[track_caller]
    pub fn refused(&mut self, tam: &Tam, update: Update) -> Error {
        let before = self.installed();
        let error = error_of(self.exchange(tam, update));
        assert_eq!(error.code, ErrorCode::MANIFEST_PROCESSING_FAILED);
        assert_eq!(self.installed(), before);
        error
    }

    /// What is installed.
    #[must_use]
    pub fn installed(&self) -> Vec<InstalledComponent> {
        installed_components(&*self.tee.storage().view().unwrap()).unwrap()
    }

    /// The sequence number under which a component is installed.
    #[must_use]
    pub fn version(&self, component: &str) -> Option<u64> {
        let component = id(component);
        let installed = self.installed();
        let found = installed.iter().find(|found| found.component == component);
        found.map(|found| found.sequence_number)
    }

    /// Everything that the agent and the administrator's domain have stored, and the contents of `domains`.
    #[must_use]
    pub fn stored(&self, domains: &[&str]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let view = self.tee.storage().view().unwrap();
        let spaces = ["", "acme", "globex"].iter().chain(domains);
        let spaces = spaces.map(|name| Namespace::domain(name));
        let mut stored = Vec::new();
        for space in [Namespace::agent()].into_iter().chain(spaces) {
            stored.extend(contents(&*view, &space));
        }
        stored
    }

    /// The names in a namespace.
    #[must_use]
    pub fn names(&self, space: &Namespace) -> Vec<Vec<u8>> {
        let view = self.tee.storage().view().unwrap();
        view.names(space, b"").unwrap()
    }

    /// Invokes a command in a session of its own.
    ///
    /// # Errors
    ///
    /// If there is no session to be had.
    pub fn invoke(
        &self,
        component: &str,
        command: u32,
        input: &[u8],
    ) -> Result<Result<Vec<u8>, ResultCode>, InvocationError> {
        self.invoke_as(Client::Unknown, component, command, input)
    }

    /// The same on behalf of somebody.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    pub fn invoke_as(
        &self,
        client: Client,
        component: &str,
        command: u32,
        input: &[u8],
    ) -> Result<Result<Vec<u8>, ResultCode>, InvocationError> {
        let applications = self.tee.applications();
        let session = applications.open(&id(component), client, &[])?;
        let outcome = invoke_in(&self.tee, session, command, input);
        // A session whose application died is closed already.
        let _ = applications.close(session);
        outcome
    }

    /// Invokes a command that must succeed.
    #[must_use]
    #[track_caller]
    pub fn output(&self, component: &str, command: u32, input: &[u8]) -> Vec<u8> {
        self.invoke(component, command, input).unwrap().unwrap()
    }

    /// What the application `hello` answers.
    #[must_use]
    #[track_caller]
    pub fn greeting(&self, component: &str) -> String {
        String::from_utf8(self.output(component, crate::wasm::GREET, b"Ada")).unwrap()
    }
}

fn contents(view: &dyn View, space: &Namespace) -> Vec<(Vec<u8>, Vec<u8>)> {
    let names = view.names(space, b"").unwrap().into_iter();
    let with_value = names.map(|name| {
        let value = view.get(space, &name).unwrap().unwrap();
        (name, value)
    });
    with_value.collect()
}

/// The SUIT reports of an answer, decoded.
#[must_use]
#[track_caller]
pub fn reports(encoded: &[Vec<u8>]) -> Vec<Report> {
    encoded
        .iter()
        .map(|bytes| Report::decode(bytes).unwrap())
        .collect()
}

/// Opens a session for nobody in particular.
///
/// # Errors
///
/// If there is no session to be had.
pub fn open_session(tee: &Tee, component: &str) -> Result<u64, InvocationError> {
    let applications = tee.applications();
    applications.open(&id(component), Client::Unknown, &[])
}

/// Invokes a command in a session.
///
/// # Errors
///
/// If the session is not open.
pub fn invoke_in(
    tee: &Tee,
    session: u64,
    command: u32,
    input: &[u8],
) -> Result<Result<Vec<u8>, ResultCode>, InvocationError> {
    let applications = tee.applications();
    let outcome = applications.invoke(session, command, Input::Whole(input))?;
    Ok(outcome.map(|output| output.to_vec()))
}
