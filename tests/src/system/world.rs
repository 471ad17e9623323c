use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Finished, Process, Wire, eventually, run, signal};

/// A TAM, a TEE and a broker that know each other, as processes on this machine, in a temporary folder.
///
/// The device administrator has the key `administrator`; the providers acme and globex have keys and a
/// security domain each.
pub struct World {
    /// The TAM.
    pub tam: Process,
    /// The TEE.
    pub tee: Process,
    /// The broker.
    pub broker: Process,
    /// What passes between broker and TAM.
    pub wire: Wire,
    /// `HOST:PORT` of the TAM.
    pub address: String,
    /// Device id, in hexadecimal.
    pub ueid: String,
    /// Where everything is.
    pub folder: PathBuf,
    /// Removed with the world.
    _temporary: Option<TempDir>,
}

/// Key files made with `tamarack key generate`.
pub struct Keys;

impl Keys {
    /// Makes `NAME.pem` and `NAME.pub.pem` in `folder`.
    pub fn make(folder: &Path, name: &str, algorithm: &str) {
        let secret = text(folder, &format!("{name}.pem"));
        let public = text(folder, &format!("{name}.pub.pem"));
        let arguments = [
            "key",
            "generate",
            "--algorithm",
            algorithm,
            "--out",
            &secret,
        ];
        run(&[&arguments[..], &["--public", &public]].concat()).ok();
    }
}

fn text(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// Starts a TAM with its data in `folder`/tam and returns `HOST:PORT`.
#[must_use]
pub fn start_tam(folder: &Path, listen: &str, options: &[&str]) -> (Process, String) {
    let data = text(folder, "tam");
    let log = folder.join("tam.log");
    let before = fs::metadata(&log).map_or(0, |found| found.len());
    let arguments = [
        "--json", "tam", "serve", "--data", &data, "--listen", listen,
    ];
    let mut tam = Process::start("tam", folder, &[&arguments[..], options].concat());
    let address = tam.wait_until("the TAM serves", || {
        let said = fs::read(&log).unwrap();
        let said = String::from_utf8_lossy(&said[usize::try_from(before).unwrap()..]).into_owned();
        let (_, url) = said.split_once("\"tam\": \"http://")?;
        let address = url.split_once("/tam")?.0.to_owned();
        // It says so before the first connection is taken.
        let token = folder.join("tam/admin.token").exists();
        let answers = token && std::net::TcpStream::connect(&address).is_ok();
        (answers && healthy(&address)).then_some(address)
    });
    (tam, address)
}

fn healthy(address: &str) -> bool {
    super::request(address, "GET", "/healthz", &[], b"").status == 200
}

impl World {
    /// Sets everything up with the documented commands.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let mut world = Self::in_folder(&path, &path.join("tee"));
        world._temporary = Some(folder);
        world
    }

    /// Sets everything up in `folder`, with the TEE's data in `tee_data`.
    #[must_use]
    pub fn in_folder(folder: &Path, tee_data: &Path) -> Self {
        for (name, algorithm) in [
            ("administrator", "esp256"),
            ("acme", "ed25519"),
            ("globex", "esp256"),
        ] {
            Keys::make(folder, name, algorithm);
        }
        let (tam, address) = start_tam(folder, "127.0.0.1:0", &[]);
        let wire = Wire::to(&address);
        let path = |name: &str| text(folder, name);
        let tam_key = path("tam.pub.pem");
        let (tam_data, tee_data) = (path("tam"), tee_data.to_str().unwrap().to_owned());
        let keys = ["tam", "keys", "--data", &tam_data, "--format", "pem"];
        run(&[&keys[..], &["--algorithm", "esp256", "--out", &tam_key]].concat()).ok();
        let administrator = path("administrator.pub.pem");
        let trust = ["tee", "trust", "--data", &tee_data, "--tam-key", &tam_key];
        run(&[&trust[..], &["--signer-key", &administrator]].concat()).ok();
        let endorsement = [
            "tee",
            "endorsement",
            "--data",
            &tee_data,
            "--label",
            "site=test",
        ];
        fs::write(path("endorsement.json"), run(&endorsement).bytes()).unwrap();
        if !folder.join("tee").exists() {
            std::os::unix::fs::symlink(&tee_data, folder.join("tee")).unwrap();
        }
        let tee = start_tee(folder);
        let broker = start_broker(folder, &wire.url());
        let mut world = Self {
            tam,
            tee,
            broker,
            wire,
            address,
            ueid: String::new(),
            folder: folder.to_owned(),
            _temporary: None,
        };
        let device = world.admin(&["enroll", &path("endorsement.json")]).json();
        world.ueid = device["ueid"].as_str().unwrap().to_owned();
        world.create_domain("acme");
        world.create_domain("globex");
        world
    }

    /// The path of a file in the world's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        text(&self.folder, name)
    }

    /// Writes a file in the world's folder; its path.
    #[must_use]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.folder.join(name), content).unwrap();
        self.path(name)
    }

    /// Runs `tamarack admin` with `--json`.
    #[track_caller]
    pub fn admin(&self, arguments: &[&str]) -> Finished {
        let (tam, token) = (
            format!("http://{}", self.address),
            self.path("tam/admin.token"),
        );
        run(&[
            &["--json", "admin", "--tam", &tam, "--token-file", &token],
            arguments,
        ]
        .concat())
    }

    /// What the TAM answers to a GET, as JSON.
    #[must_use]
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let response = super::request(&self.address, "GET", path, &[], b"");
        assert_eq!(response.status, 200, "{response:?}");
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Runs `tamarack app` with `--json`.
    #[track_caller]
    pub fn app(&self, arguments: &[&str]) -> Finished {
        let socket = self.path("app.sock");
        run(&[&["--json", "app", "--socket", &socket], arguments].concat())
    }

    /// Makes the manifest of a domain whose prefix has its name; the envelope's path. `more` are further arguments.
    #[track_caller]
    pub fn domain_manifest(
        &self,
        name: &str,
        number: u64,
        owner: &str,
        signer: &str,
        more: &[&str],
    ) -> String {
        let out = self.path(&format!("{}-domain-{number}.suit", name.replace('/', ".")));
        let (owner, key) = (
            self.path(&format!("{owner}.pub.pem")),
            self.path(&format!("{signer}.pem")),
        );
        let number = number.to_string();
        let create = [
            "manifest", "create", "--domain", name, "--prefix", name, "--owner", &owner,
        ];
        let signed = ["--sequence-number", &number, "--key", &key, "--out", &out];
        run(&[&create[..], &signed, more].concat()).ok();
        out
    }

    /// Creates a domain at a TAM by its manifest, with what runs `tamarack admin` there. `more` are further arguments.
    #[track_caller]
    pub fn create_domain_by(
        &self,
        admin: impl FnOnce(&[&str]) -> Finished,
        name: &str,
        owner: &str,
        manifest: &str,
        more: &[&str],
    ) {
        let owner = self.path(&format!("{owner}.pub.pem"));
        let create = ["domain", "create", name, "--prefix", name];
        let signed = ["--signer-key", &owner, "--manifest", manifest];
        admin(&[&create[..], &signed, more].concat()).ok();
    }

    /// Creates a domain at the TAM whose prefix and owner have its name.
    pub fn create_domain(&self, name: &str) {
        let manifest = self.domain_manifest(name, 1, name, "administrator", &[]);
        let anchor = self.path("administrator.pub.pem");
        let admin = |arguments: &[&str]| self.admin(arguments);
        self.create_domain_by(admin, name, name, &manifest, &["--anchor", &anchor]);
    }

    /// Makes a manifest; the envelope's path. `more` are further arguments.
    #[track_caller]
    pub fn manifest(
        &self,
        component: &str,
        number: u64,
        payload: &[u8],
        signer: &str,
        more: &[&str],
    ) -> String {
        let name = format!("{}-{number}-by-{signer}", component.replace('/', "."));
        let payload = self.write(&format!("{name}.payload"), payload);
        let (out, key) = (
            self.path(&format!("{name}.suit")),
            self.path(&format!("{signer}.pem")),
        );
        let number = number.to_string();
        let create = [
            "manifest",
            "create",
            "--component",
            component,
            "--payload",
            &payload,
        ];
        let signed = ["--sequence-number", &number, "--key", &key, "--out", &out];
        run(&[&create[..], &signed, more].concat()).ok();
        out
    }

    /// Publishes a component's release that carries its payload.
    #[track_caller]
    pub fn publish(&self, component: &str, number: u64, payload: &[u8], signer: &str) {
        let envelope = self.manifest(component, number, payload, signer, &[]);
        self.admin(&["publish", &envelope]).ok();
    }

    /// Has a component on every device.
    #[track_caller]
    pub fn deploy(&self, component: &str) {
        self.admin(&["deploy", component, "--to", "all"]).ok();
    }

    /// Has the device ask the TAM; how many exchanges that were.
    #[track_caller]
    pub fn policy_check(&self) -> u64 {
        self.app(&["policy-check"]).json()["exchanges"]
            .as_u64()
            .unwrap()
    }

    /// What is installed: component and sequence number.
    #[must_use]
    #[track_caller]
    pub fn installed(&self) -> Vec<(String, u64)> {
        let list = self.app(&["list"]).json();
        let entry = |component: &Value| {
            let name = component["component"].as_str().unwrap().to_owned();
            (name, component["sequence_number"].as_u64().unwrap())
        };
        list["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(entry)
            .collect()
    }

    /// The sequence number of what is installed as a component.
    #[must_use]
    #[track_caller]
    pub fn version(&self, component: &str) -> Option<u64> {
        let installed = self.installed();
        installed
            .iter()
            .find(|(name, _)| name == component)
            .map(|(_, number)| *number)
    }

    /// What an application answers to its command 1 with the input `Ada`.
    #[must_use]
    #[track_caller]
    pub fn greeting(&self, component: &str) -> String {
        let answer = self
            .app(&["invoke", component, "1", "--input", "Ada"])
            .json();
        answer["output_text"].as_str().unwrap().to_owned()
    }

    /// Starts the broker again, with these arguments beside those for its sockets.
    #[track_caller]
    pub fn restart_broker(&mut self, arguments: &[&str]) {
        self.restart_broker_in(&[], arguments);
    }

    /// The same with these variables in its environment.
    #[track_caller]
    pub fn restart_broker_in(&mut self, environment: &[(&str, &str)], arguments: &[&str]) {
        signal(self.broker.id(), "KILL");
        let socket = self.path("app.sock");
        eventually("the broker goes", || {
            UnixStream::connect(&socket).is_err().then_some(())
        });
        self.broker = start_broker_with(&self.folder, environment, arguments);
    }

    /// Runs `tamarack tee trust` with these arguments, while the TEE is not running.
    #[track_caller]
    pub fn trust(&mut self, arguments: &[&str]) {
        signal(self.tee.id(), "KILL");
        let socket = self.path("tee.sock");
        eventually("the TEE goes", || {
            UnixStream::connect(&socket).is_err().then_some(())
        });
        // Until the process is waited for, its lock on the store may be there.
        let data = self.path("tee");
        let trust = [&["tee", "trust", "--data", &data], arguments].concat();
        let trusted = eventually("the TEE's folder is free", || {
            let finished = run(&trust);
            (finished.code == Some(0)).then_some(finished)
        });
        trusted.ok();
        self.restart_tee();
    }

    /// Runs `tamarack admin` at another TAM that [`start_tam`] started in `folder`, with `--json`.
    #[track_caller]
    pub fn admin_of(&self, folder: &Path, address: &str, arguments: &[&str]) -> Finished {
        let (tam, token) = (format!("http://{address}"), text(folder, "tam/admin.token"));
        let admin = ["--json", "admin", "--tam", &tam, "--token-file", &token];
        run(&[&admin[..], arguments].concat())
    }

    /// Starts another TAM, which knows the device and both providers, in `NAME` in the world's folder; itself,
    /// its folder, its `HOST:PORT`, and the path of its public key.
    #[must_use]
    pub fn another_tam(&self, name: &str) -> (Process, PathBuf, String, String) {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).unwrap();
        let (tam, address) = start_tam(&folder, "127.0.0.1:0", &[]);
        let (data, key) = (text(&folder, "tam"), text(&folder, "tam.pub.pem"));
        let keys = ["tam", "keys", "--data", &data, "--format", "pem"];
        run(&[&keys[..], &["--algorithm", "esp256", "--out", &key]].concat()).ok();
        let endorsement = self.path("endorsement.json");
        self.admin_of(&folder, &address, &["enroll", &endorsement])
            .ok();
        for name in ["acme", "globex"] {
            let manifest = self.path(&format!("{name}-domain-1.suit"));
            let anchor = self.path("administrator.pub.pem");
            let admin = |arguments: &[&str]| self.admin_of(&folder, &address, arguments);
            self.create_domain_by(admin, name, name, &manifest, &["--anchor", &anchor]);
        }
        (tam, folder, address, key)
    }

    /// Starts another TEE of the same maker, enrolled at the world's TAM; itself and its socket.
    #[must_use]
    pub fn another_tee(&self, name: &str, trust: &[&str]) -> (Process, String) {
        self.another_tee_on(name, &[], trust)
    }

    /// The same on the platform that these options choose.
    #[must_use]
    pub fn another_tee_on(
        &self,
        name: &str,
        platform: &[&str],
        trust: &[&str],
    ) -> (Process, String) {
        let (data, socket) = (self.path(name), self.path(&format!("{name}.sock")));
        let (tam, signer) = (self.path("tam.pub.pem"), self.path("administrator.pub.pem"));
        let keys = ["tee", "trust", "--data", &data, "--signer-key", &signer];
        let trust = match trust {
            [] => vec!["--tam-key", tam.as_str()],
            given => given.to_vec(),
        };
        run(&[&keys[..], platform, &trust].concat()).ok();
        let endorsement = ["tee", "endorsement", "--data", &data];
        let endorsement = run(&[&endorsement[..], platform].concat()).bytes();
        let endorsement = self.write(&format!("{name}-endorsement.json"), endorsement);
        self.admin(&["enroll", &endorsement]).ok();
        let options = [&["--name", name], platform].concat();
        let tee = serve_tee(name, &self.folder, &data, &socket, &options);
        (tee, socket)
    }

    /// Starts the TEE again, after it has gone.
    pub fn restart_tee(&mut self) {
        self.tee = start_tee(&self.folder);
    }

    /// Starts the TAM again where it was, after it has gone.
    pub fn restart_tam(&mut self) {
        self.restart_tam_with(&[]);
    }

    /// Starts the TAM again where it was, after it has gone, with more options.
    pub fn restart_tam_with(&mut self, options: &[&str]) {
        (self.tam, _) = start_tam(&self.folder, &self.address, options);
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn start_tee(folder: &Path) -> Process {
    let (data, socket) = (text(folder, "tee"), text(folder, "tee.sock"));
    serve_tee("tee", folder, &data, &socket, &[])
}

/// Starts a TEE with its data in `data`, which says what it does in `NAME.log` in `folder`; it serves at `socket`.
#[must_use]
#[track_caller]
pub fn serve_tee(name: &str, folder: &Path, data: &str, socket: &str, options: &[&str]) -> Process {
    let serve = [
        "--verbose",
        "tee",
        "serve",
        "--data",
        data,
        "--socket",
        socket,
    ];
    let mut tee = Process::start(name, folder, &[&serve[..], options].concat());
    tee.wait_until("the TEE serves", || UnixStream::connect(socket).ok());
    tee
}

fn start_broker(folder: &Path, tam: &str) -> Process {
    start_broker_with(folder, &[], &["--tam", tam])
}

fn start_broker_with(folder: &Path, environment: &[(&str, &str)], more: &[&str]) -> Process {
    let (tee, socket) = (text(folder, "tee.sock"), text(folder, "app.sock"));
    let arguments = [
        &[
            "--verbose",
            "broker",
            "serve",
            "--tee",
            &tee,
            "--socket",
            &socket,
        ],
        more,
    ]
    .concat();
    let mut broker = Process::start_in(environment, "broker", folder, &arguments);
    broker.wait_until("the broker serves", || UnixStream::connect(&socket).ok());
    broker
}
