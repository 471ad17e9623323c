//! The device under attack, the broker that attacks it, and who is not to notice.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
};

use tamarack_agent::link::{Call, InstalledComponent, Reply};
use tamarack_cose::cbor::Limits;
use tamarack_ta::ResultCode;
use tamarack_teep::{Challenge, Message, Protected, QueryRequest, announce};
use tamarack_tests::{
    Person, Tam, id, release,
    system::{PATIENCE, Process, alive, eventually, run},
    wasm::{COUNT, HELLO_1, SIGN, VAULT},
};
use tempfile::TempDir;

use super::worker;

/// Where the device's TAM is, as its maker has said. Nobody is there: the broker is in between anyway.
pub(crate) const TAM_URI: &str = "http://tam.example/tam";

/// A running `tamarack tee serve`, and everybody whom it trusts.
pub(crate) struct Stage {
    /// The process.
    pub(crate) tee: Option<Process>,
    /// The TAM that the device asks.
    pub(crate) tam: Tam,
    /// Another TAM that it trusts, with which it never had an exchange.
    pub(crate) other_tam: Tam,
    /// The device administrator, who signs security domains.
    pub(crate) admin: Person,
    /// The owner of the domain `acme`, whose applications the broker plays with.
    pub(crate) acme: Person,
    /// The owner of the domain `globex`, in which the victim is.
    pub(crate) globex: Person,
    /// Signatures that the victim has made.
    signatures: u64,
    /// What is installed when nothing has happened.
    installed: Vec<InstalledComponent>,
    folder: TempDir,
}

/// One connection of the link, on which a broker can say anything.
pub(crate) struct Link(UnixStream);

impl Link {
    /// Connects to a TEE.
    pub(crate) fn to(socket: &Path) -> Self {
        let stream = eventually("a connection", || UnixStream::connect(socket).ok());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Sends bytes as they are; whether the TEE still takes any.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Sends a frame of this content; whether the TEE still takes any.
    pub(crate) fn frame(&mut self, content: &[u8]) -> bool {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        self.raw(&length) && self.raw(content)
    }

    /// Sends a call.
    pub(crate) fn say(&mut self, call: &Call) -> bool {
        self.frame(&call.encode())
    }

    /// Says that nothing more comes.
    pub(crate) fn half_close(&self) {
        self.0.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// The next frame of the TEE; `None` if it has hung up instead.
    pub(crate) fn hear(&mut self) -> Option<Reply> {
        let mut length = [0; 4];
        self.read(&mut length)?;
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.read(&mut frame)?;
        Some(Reply::decode(&frame).expect("what the TEE says is well-formed"))
    }

    fn read(&mut self, to: &mut [u8]) -> Option<()> {
        match self.0.read_exact(to) {
            Ok(()) => Some(()),
            Err(error) => {
                let kind = error.kind();
                let waited = matches!(
                    kind,
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                );
                assert!(!waited, "the TEE neither answers nor hangs up");
                None
            }
        }
    }
}

/// How the C library manages memory under the unit in `docs/hardening.md`. By its own defaults it keeps freed memory for each
/// thread, so that growth would count how calls happened to be spread over threads.
fn documented_tunables() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hardening.md");
    let page = fs::read_to_string(page).unwrap();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("Environment=GLIBC_TUNABLES="));
    line.expect("the unit sets the tunables").to_owned()
}

/// What the broker serves as payload.
pub(crate) type Payload<'a> = &'a mut dyn FnMut(&mut Link, &str);

impl Stage {
    /// Prepares a device with two domains, three applications and a piece of data, and starts it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Another user gets as far as the socket.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut stage = Self {
            tee: None,
            tam: Tam::new(),
            other_tam: Tam::new(),
            admin: Person::new(),
            acme: Person::new(),
            globex: Person::new(),
            signatures: 0,
            installed: Vec::new(),
            folder,
        };
        stage.provision("tee");
        stage.start();
        let quick = tamarack_agent::Quota {
            time_ms: 1_500,
            fuel: u64::MAX,
            ..Default::default()
        };
        let envelopes = [
            release::domain_with("acme", 1, "acme", &[&stage.acme], quick, &stage.admin),
            release::domain("globex", 1, &stage.globex, &stage.admin),
            release::app("acme/worker", 1, &worker::code(), &stage.acme),
            release::app("acme/hello", 1, HELLO_1, &stage.acme),
            release::app("acme/hello/greeting", 1, b"Servus", &stage.acme),
            release::app("globex/vault", 1, VAULT, &stage.globex),
        ];
        for envelope in &envelopes {
            stage.install(envelope);
        }
        stage.installed = stage.list();
        stage
    }

    /// Makes the folder of a device that trusts the TAMs and the administrator.
    pub(crate) fn provision(&self, data: &str) {
        let pem = |name: &str, person: &Person| {
            let path = self.path(name);
            fs::write(&path, person.public().to_pem().unwrap()).unwrap();
            path
        };
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let tam = text(&pem("tam.pem", &self.tam.key)) + "=" + TAM_URI;
        let other = text(&pem("other.pem", &self.other_tam.key));
        let admin = text(&pem("admin.pem", &self.admin));
        let data = text(&self.path(data));
        let trust = ["tee", "trust", "--data", &data, "--tam-key", &tam, &other];
        run(&[&trust[..], &["--signer-key", &admin]].concat()).ok();
    }

    /// A path in the folder of the test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The socket of the TEE.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("tee.sock")
    }

    /// The arguments with which the TEE is started.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let text = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let (data, socket) = (text("tee"), text("tee.sock"));
        let words = [
            "--verbose",
            "tee",
            "serve",
            "--data",
            &data,
            "--socket",
            &socket,
        ];
        words.map(str::to_owned).into()
    }

    /// Starts the TEE.
    pub(crate) fn start(&mut self) {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let tunables = documented_tunables();
        let mut tee = Process::start_in(
            &[("GLIBC_TUNABLES", &tunables)],
            "log",
            self.folder.path(),
            &arguments,
        );
        let socket = self.socket();
        tee.wait_until("the TEE serves", || UnixStream::connect(&socket).ok());
        self.tee = Some(tee);
    }

    /// Takes the power from the TEE.
    pub(crate) fn stop(&mut self) {
        if let Some(tee) = self.tee.take() {
            tee.kill();
        }
    }

    /// The running process.
    pub(crate) fn process(&self) -> &Process {
        self.tee.as_ref().unwrap()
    }

    /// A new connection.
    pub(crate) fn link(&self) -> Link {
        Link::to(&self.socket())
    }

    /// Makes a call on a connection of its own; `None` if the TEE hangs up.
    pub(crate) fn call(&self, call: &Call) -> Option<Reply> {
        let mut link = self.link();
        link.say(call);
        link.hear()
    }

    /// What is installed.
    pub(crate) fn list(&self) -> Vec<InstalledComponent> {
        match self.call(&Call::List) {
            Some(Reply::Components(components)) => components,
            other => panic!("not a list: {other:?}"),
        }
    }

    /// Opens a session.
    pub(crate) fn open(&self, component: &str) -> u64 {
        match self.try_open(component, Some(1000), b"") {
            Some(Reply::Session(session)) => session,
            other => panic!("not a session: {other:?}"),
        }
    }

    /// Tries to open a session.
    pub(crate) fn try_open(
        &self,
        component: &str,
        user: Option<u32>,
        input: &[u8],
    ) -> Option<Reply> {
        self.call(&Call::OpenSession {
            component: id(component),
            user,
            input: input.to_vec(),
        })
    }

    /// Invokes a command.
    pub(crate) fn invoke(&self, session: u64, command: u32, input: &[u8]) -> Option<Reply> {
        self.call(&Call::Invoke {
            session,
            command,
            input: input.to_vec(),
        })
    }

    /// Closes a session.
    pub(crate) fn close(&self, session: u64) -> Option<Reply> {
        self.call(&Call::CloseSession { session })
    }

    /// Hands a message to the agent, and serves no payloads.
    pub(crate) fn process_message(&self, message: &[u8]) -> Option<Reply> {
        self.process_with(message, &mut |link, _| {
            link.say(&Call::FetchFailed("there are none".into()));
        })
    }

    /// Hands a message to the agent, and serves payloads.
    pub(crate) fn process_with(&self, message: &[u8], payload: Payload<'_>) -> Option<Reply> {
        let mut link = self.link();
        link.say(&Call::ProcessTeepMessage {
            tam_uri: TAM_URI.into(),
            message: message.to_vec(),
        });
        loop {
            match link.hear()? {
                Reply::Fetch { uri } => payload(&mut link, &uri),
                reply => return Some(reply),
            }
        }
    }

    /// A QueryRequest whose Updates follow its answer, as Tamarack's own TAM makes it.
    pub(crate) fn query() -> QueryRequest {
        let crypto = tamarack_tests::crypto();
        let random = crypto.random_array::<32>().unwrap().to_vec();
        QueryRequest {
            challenge: Challenge::new(announce(&crypto, random)),
            ..Tam::query()
        }
    }

    /// Has the TAM open an exchange; the agent's answer.
    pub(crate) fn exchange(&self, tam: &Tam) -> Message {
        read(self.process_message(&tam.sign(Tam::query())))
    }

    /// Installs an envelope, as an honest broker would.
    #[track_caller]
    pub(crate) fn install(&self, envelope: &[u8]) -> Vec<u8> {
        self.exchange(&self.tam);
        let update = self.tam.sign(Tam::install(&[envelope]));
        let answer = read(self.process_message(&update));
        assert!(matches!(answer, Message::Success(_)), "{answer:?}");
        update
    }

    /// Removes what a manifest installed, as an honest broker would.
    #[track_caller]
    pub(crate) fn remove(&self, manifest: &str) {
        self.exchange(&self.tam);
        let update = self.tam.sign(Tam::unlink(&[manifest]));
        let answer = read(self.process_message(&update));
        assert!(matches!(answer, Message::Success(_)), "{answer:?}");
    }

    /// Says that nobody has noticed anything: the process lives, others are served, the victim works and has
    /// signed what it was asked to sign and nothing else, and the same is installed.
    #[track_caller]
    pub(crate) fn is_unharmed(&mut self) {
        if self.tee.is_none() {
            self.start();
        }
        assert!(alive(self.process().id()), "{}", self.process().log());
        assert_eq!(self.list(), self.installed);
        let session = self.open("globex/vault");
        let Some(Reply::Output { result: 0, output }) = self.invoke(session, SIGN, b"honest")
        else {
            panic!("the victim does not sign");
        };
        assert_eq!(output.len(), 64);
        self.signatures += 1;
        let count = self.invoke(session, COUNT, b"");
        let expected = Reply::Output {
            result: 0,
            output: self.signatures.to_be_bytes().into(),
        };
        assert_eq!(count, Some(expected));
        assert_eq!(self.close(session), Some(Reply::NoData));
        let log = self.process().log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// One signature more of the victim's, made in an attempt.
    pub(crate) fn signed(&mut self) {
        self.signatures += 1;
    }

    /// The open files of the TEE by what they are.
    pub(crate) fn descriptors(&self) -> BTreeMap<String, usize> {
        let folder = format!("/proc/{}/fd", self.process().id());
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let Ok(target) = fs::read_link(entry.path()) else {
                continue;
            };
            let target = target.to_string_lossy().into_owned();
            let kind = target.split(':').next().unwrap_or_default().to_owned();
            *found.entry(kind).or_default() += 1;
        }
        found
    }
}

/// The message in a reply, whoever signed it.
#[track_caller]
pub(crate) fn read(reply: Option<Reply>) -> Message {
    match reply {
        Some(Reply::Message(bytes)) => read_message(&bytes),
        other => panic!("not a message: {other:?}"),
    }
}

/// A message, whoever signed it.
#[track_caller]
pub(crate) fn read_message(bytes: &[u8]) -> Message {
    let limits = Limits {
        bytes: 16 << 20,
        ..Limits::default()
    };
    let protected = Protected::decode(bytes, &limits).unwrap();
    protected.read_unverified().unwrap().0
}

/// The result code in a reply, as far as it has one.
pub(crate) fn result_of(reply: &Reply) -> Option<ResultCode> {
    match reply {
        Reply::Output { result, .. } | Reply::Failed { result, .. } => Some(ResultCode(*result)),
        _ => None,
    }
}
