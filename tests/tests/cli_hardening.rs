//! The TEE as a process among others: what they can't read of it, what it can't do to them, and who may talk to it.

use std::{
    collections::HashSet,
    fs::{self, File, Permissions},
    os::unix::{
        fs::{FileExt, MetadataExt, PermissionsExt, chown},
        net::UnixStream,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tamarack_tests::{
    system::{Finished, Process, World, binary, copy_binary, eventually, is_root, run, tamarack},
    wasm::HELLO_2,
};
use tempfile::TempDir;

/// Users that no program of the machine runs as: the TEE's, the broker's, and a stranger.
const TEE: u32 = 3_000_001;
const BROKER: u32 = 3_000_002;
const STRANGER: u32 = 3_000_003;

/// A folder that everybody may enter, with the binary in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        // The target folder may be in somebody's home.
        copy_binary(folder.path().join("tamarack"));
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// The binary, as it is run by this user.
    fn command(&self, user: u32, arguments: &[&str]) -> Command {
        let like = tamarack(arguments);
        let mut command = Command::new(self.path("tamarack"));
        command.args(like.get_args()).uid(user).gid(user);
        command
    }

    /// A folder that is this user's.
    fn folder_of(&self, user: u32, mode: u32) -> PathBuf {
        let path = self.0.path().join(user.to_string());
        if !path.exists() {
            fs::create_dir(&path).unwrap();
            chown(&path, Some(user), Some(user)).unwrap();
            set_mode(&path, mode);
        }
        path
    }

    /// Starts a TEE as this user, its socket at `tee.sock` in the user's folder; itself and what it said about itself.
    fn tee(&self, user: u32, options: &[&str]) -> (Process, Value) {
        let folder = self.folder_of(user, 0o755);
        let serve = Serve::within(&folder);
        let serve = serve.arguments(options);
        let name = format!("tee-{}", fs::read_dir(self.0.path()).unwrap().count());
        let mut tee = Process::spawn(&name, self.0.path(), self.command(user, &serve));
        let log = self.0.path().join(format!("{name}.log"));
        let said = tee.wait_until("the TEE serves", || said(&log));
        (tee, said)
    }

    /// Runs `tamarack app list` at a broker of this user's, which talks to the TEE of [`TEE`].
    fn ask_as(&self, user: u32) -> Finished {
        let folder = self.folder_of(user, 0o755);
        let (tee, socket) = (
            self.folder_of(TEE, 0o755).join("tee.sock"),
            folder.join("app.sock"),
        );
        let (tee, socket) = (tee.to_str().unwrap(), socket.to_str().unwrap());
        let serve = ["broker", "serve", "--tee", tee, "--socket", socket];
        let mut broker = Process::spawn("broker", self.0.path(), self.command(user, &serve));
        broker.wait_until("the broker serves", || UnixStream::connect(socket).ok());
        run(&["--json", "app", "--socket", socket, "list"])
    }
}

/// `tamarack tee serve` in a folder.
struct Serve {
    data: String,
    socket: String,
}

impl Serve {
    fn within(folder: &Path) -> Self {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        Self {
            data: path("data"),
            socket: path("tee.sock"),
        }
    }

    fn arguments<'a>(&'a self, options: &[&'a str]) -> Vec<&'a str> {
        let (data, socket) = (self.data.as_str(), self.socket.as_str());
        let serve = ["--json", "tee", "serve", "--data", data, "--socket", socket];
        [&serve, options].concat()
    }
}

/// Starts a TEE in a folder, as the user of the tests; itself and what it said about itself.
fn start(folder: &Path, name: &str, options: &[&str]) -> (Process, Value) {
    let serve = Serve::within(folder);
    let mut tee = Process::start(name, folder, &serve.arguments(options));
    let log = folder.join(format!("{name}.log"));
    let said = tee.wait_until("the TEE serves", || said(&log));
    (tee, said)
}

/// The JSON in a log that has other lines too.
fn said(log: &Path) -> Option<Value> {
    let text = fs::read_to_string(log).unwrap();
    let (_, from_start) = text.split_once("{\n")?;
    let (inside, _) = from_start.split_once("\n}\n")?;
    Some(serde_json::from_str(&format!("{{{inside}}}")).unwrap())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Whether tests can run processes as other users; says so if not.
fn can_be_others() -> bool {
    let root = is_root();
    if !root {
        eprintln!("SKIPPED: only root can start processes of several users");
    }
    root
}

/// What came of a protection, as a TEE says.
fn state<'a>(said: &'a Value, protection: &str) -> &'a str {
    let list = said["hardening"].as_array().unwrap();
    let found = list.iter().find(|found| found["protection"] == protection);
    found.unwrap()["state"].as_str().unwrap()
}

#[test]
fn the_kernel_confirms_what_the_tee_says() {
    let folder = tempfile::tempdir().unwrap();
    let (tee, said) = start(folder.path(), "tee", &[]);

    for protection in [
        "core-dumps",
        "tracing",
        "privileges",
        "private-files",
        "system-calls",
    ] {
        assert_eq!(state(&said, protection), "on", "{said:#}");
    }
    assert_eq!(tee.status("Seccomp"), "2", "filters");
    assert_eq!(tee.status("NoNewPrivs"), "1");
    tee.assert_no_core_dump();
    // A process that can't be traced has files of root's in /proc, whoever it runs as.
    let owner = fs::metadata(format!("/proc/{}/mem", tee.id()))
        .unwrap()
        .uid();
    assert_eq!(owner, 0);
    let locked = tee.status("VmLck");
    match state(&said, "locked-memory") {
        "on" => assert_ne!(locked, "0 kB"),
        missing => {
            assert_eq!(missing, "missing");
            eprintln!("SKIPPED: memory is not locked: {}", said["hardening"]);
        }
    }
    for protection in ["file-access", "tcp", "other-processes"] {
        if state(&said, protection) != "on" {
            eprintln!(
                "SKIPPED: {protection} is not for this kernel: {}",
                said["hardening"]
            );
        }
    }
}

#[test]
fn strictness_decides_whether_something_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    // Who may not lock memory lacks something on every machine, others on some.
    let (tee, said) = start(folder.path(), "best-effort", &[]);
    drop(tee);
    let missing: Vec<_> = said["hardening"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| found["state"] != "on")
        .map(|found| found["protection"].as_str().unwrap().to_owned())
        .collect();
    let required = ["--hardening", "required"];
    if missing.is_empty() {
        start(folder.path(), "required", &required);
    } else {
        let words: Vec<_> = missing.iter().map(String::as_str).collect();
        run(&Serve::within(folder.path()).arguments(&required)).fails(1, &words);
    }

    let (tee, said) = start(folder.path(), "off", &["--hardening", "off"]);
    for found in said["hardening"].as_array().unwrap() {
        assert_eq!(found["state"], "missing", "{found}");
    }
    assert_eq!(tee.status("Seccomp"), "0");
    assert!(tee.log().contains("HARDENING IS OFF"), "{}", tee.log());
}

#[test]
fn a_tee_without_all_rights_is_refused_where_all_is_required() {
    if !can_be_others() {
        return;
    }
    let place = Place::new();
    let folder = place.folder_of(TEE, 0o755);
    let serve = Serve::within(&folder);
    let serve = serve.arguments(&["--hardening", "required"]);
    // A limit that is too small for everything, whatever this machine's is.
    let limited = |limit: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -l {limit}; exec \"$@\""), "sh"])
            .arg(place.path("tamarack"))
            .args(&serve)
            .uid(TEE)
            .gid(TEE);
        command
    };
    Finished::of(&serve, limited("64")).fails(1, &["locked-memory", "64 KiB", "LimitMEMLOCK"]);
    Finished::of(&serve, limited("0")).fails(1, &["locked-memory"]);
}

#[test]
fn another_process_of_the_same_user_can_t_read_the_tee() {
    if !can_be_others() {
        return;
    }
    let place = Place::new();
    let reads = |process: u32, file: &str| {
        let mut command = Command::new("head");
        command.args(["-c", "1", &format!("/proc/{process}/{file}")]);
        let output = command.uid(TEE).gid(TEE).output().unwrap();
        output.status.success() && !output.stdout.is_empty()
    };
    let (tee, _) = place.tee(TEE, &[]);
    assert_eq!(tee.status("Uid").split_whitespace().next(), Some("3000001"));
    for file in ["maps", "environ", "auxv"] {
        assert!(!reads(tee.id(), file), "{file}");
    }
    let mut descriptors = Command::new("ls");
    descriptors.arg(format!("/proc/{}/fd", tee.id()));
    assert!(
        !descriptors
            .uid(TEE)
            .gid(TEE)
            .output()
            .unwrap()
            .status
            .success()
    );
    tee.kill();
    // It is the hardening that does it.
    let (tee, _) = place.tee(TEE, &["--hardening", "off"]);
    assert!(reads(tee.id(), "maps") && reads(tee.id(), "auxv"));
}

#[test]
fn everything_in_the_data_folder_is_for_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::within(folder.path());
    // Whatever the shell that starts it thinks.
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 0; exec \"$@\"", "sh"])
        .arg(binary())
        .args(serve.arguments(&[]));
    let mut tee = Process::spawn("tee", folder.path(), command);
    tee.wait_until("the TEE serves", || said(&folder.path().join("tee.log")));

    let mut seen = 0;
    let mut left = vec![folder.path().join("data")];
    while let Some(next) = left.pop() {
        let found = fs::symlink_metadata(&next).unwrap();
        let expected = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.mode() & 0o7777, expected, "{}", next.display());
        if found.is_dir() {
            left.extend(
                fs::read_dir(&next)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        seen += 1;
    }
    assert!(seen > 8, "{seen}");
    let socket = fs::metadata(&serve.socket).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o660);
}

#[test]
fn a_folder_that_others_can_read_is_refused_and_the_way_out_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data_text = data.to_str().unwrap();
    run(&["tee", "endorsement", "--data", data_text]).ok();
    let trust = ["tee", "trust", "--data", data_text];
    run(&trust).ok();
    for (name, mode) in [
        ("", 0o750),
        ("store.redb", 0o640),
        ("platform", 0o701),
        ("platform/ueid", 0o604),
    ] {
        let path = data.join(name);
        let before = fs::metadata(&path).unwrap().mode() & 0o777;
        set_mode(&path, mode);
        let said = run(&trust).fails(1, &[&format!("{mode:o}"), "chmod go-rwx"]);
        assert!(said.contains(name), "{said}");
        set_mode(&path, before);
    }
    run(&trust).ok();
}

#[test]
fn strangers_are_refused_at_the_socket() {
    if !can_be_others() {
        return;
    }
    let place = Place::new();
    let (tee, said) = place.tee(TEE, &[]);
    assert_eq!(said["peers"], serde_json::json!([0, TEE]));
    let socket = place.folder_of(TEE, 0o755).join("tee.sock");
    // The mode of the socket keeps them out, and where it does not, the TEE does.
    place.ask_as(STRANGER).fails(1, &[]);
    assert!(!tee.log().contains("refused"), "{}", tee.log());
    set_mode(&socket, 0o666);
    place.ask_as(STRANGER).fails(1, &[]);
    let line = eventually("the TEE says so", || {
        tee.log()
            .contains("a connection was refused")
            .then(|| tee.log())
    });
    assert!(line.contains(&format!("uid={STRANGER}")), "{line}");
    place.ask_as(BROKER).fails(1, &[]);
    // Its own user and root are served.
    place.ask_as(TEE).ok();
    place.ask_as(0).ok();
    // Who tries again and again does not fill the log.
    for _ in 0..3 {
        place.ask_as(STRANGER).fails(1, &[]);
    }
    let lines = tee.log().matches("a connection was refused").count();
    assert!(lines < 6, "{lines}");
}

#[test]
fn a_broker_of_another_user_is_served_where_it_was_named() {
    if !can_be_others() {
        return;
    }
    let place = Place::new();
    let user = BROKER.to_string();
    let (_tee, said) = place.tee(TEE, &["--broker-user", &user]);
    assert_eq!(said["peers"], serde_json::json!([0, TEE, BROKER]));
    let socket = place.folder_of(TEE, 0o755).join("tee.sock");
    // A user without a name has no group that the TEE could know of; services of one group need none.
    chown(&socket, None, Some(BROKER)).unwrap();
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o660);
    place.ask_as(BROKER).ok();
    place.ask_as(STRANGER).fails(1, &[]);
    set_mode(&socket, 0o666);
    place.ask_as(STRANGER).fails(1, &[]);
}

#[test]
fn the_socket_is_given_to_the_group_of_a_broker_with_a_name() {
    if !can_be_others() {
        return;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let nobody = users.lines().find(|line| line.starts_with("nobody:"));
    let Some(nobody) = nobody else {
        eprintln!("SKIPPED: this machine has no user called nobody");
        return;
    };
    let fields: Vec<_> = nobody.split(':').collect();
    let [uid, gid] = [2, 3].map(|number: usize| fields[number].parse::<u32>().unwrap());
    let place = Place::new();
    let (_tee, said) = place.tee(0, &["--broker-user", "nobody"]);
    assert_eq!(said["peers"], serde_json::json!([0, uid]));
    let socket = fs::metadata(place.folder_of(0, 0o755).join("tee.sock")).unwrap();
    assert_eq!(
        (socket.uid(), socket.gid(), socket.mode() & 0o777),
        (0, gid, 0o660)
    );
}

/// Which of these words are in the memory of a process, which only root can read. They are equally long and begin with the
/// same byte.
fn found_in_memory(process: u32, words: &[String]) -> Vec<String> {
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let (first, length) = (words[0].as_bytes()[0], words[0].len());
    let ends: HashSet<&[u8]> = words.iter().map(|word| &word.as_bytes()[1..]).collect();
    let mut found = Vec::new();
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        // What the kernel maps for the clock can't be read.
        if !rest.starts_with('r') || rest.contains("[v") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            for behind in bytes.split(|byte| *byte == first).skip(1) {
                let end = behind.get(..length - 1).unwrap_or_default();
                if ends.contains(end) {
                    found.push(String::from_utf8_lossy(end).into_owned());
                }
            }
        }
    }
    found
}

#[test]
fn personalization_data_leaves_no_copies_in_memory_when_it_is_installed() {
    if !can_be_others() {
        return;
    }
    let world = World::new();
    world.publish("acme/hello", 2, HELLO_2, "acme");
    world.deploy("acme/hello");
    world.policy_check();
    let (data, key) = (world.path("tee"), world.path("tee.enc.pem"));
    let keys = [
        "tee", "keys", "--data", &data, "--format", "pem", "--curve", "p256",
    ];
    run(&[&keys[..], &["--out", &key]].concat()).ok();
    // Longer than what is decrypted at a time, and every piece of it is searched for.
    let mark = |number: u32| format!("<{:08x}", number.wrapping_mul(0x9e37_79b9));
    let marks: Vec<String> = (1..=2000).map(mark).collect();
    let text = marks.concat();
    let name = "acme/hello/greeting";
    let greeting = world.manifest(name, 1, text.as_bytes(), "acme", &["--encrypt-to", &key]);
    world.admin(&["publish", &greeting]).ok();
    world.deploy(name);
    world.policy_check();
    assert_eq!(world.version(name), Some(1));

    let tee = world.tee.id();
    assert_eq!(found_in_memory(tee, &marks), [""; 0]);
    // What is there is found.
    let known = ["core-dumps".to_owned()];
    assert!(!found_in_memory(tee, &known).is_empty());
}

#[test]
fn a_broker_that_does_not_exist_is_wrong_usage() {
    let serve = ["tee", "serve", "--data", "x", "--socket", "y"];
    let serve = [&serve[..], &["--broker-user", "no such user"]].concat();
    run(&serve).fails(2, &["--broker-user", "no such user"]);
    assert!(!Path::new("x").exists());
}
