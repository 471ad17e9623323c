//! What the broker's machine lets it try beside the link: files, the socket, other processes.

use std::{
    fs::{self, Permissions},
    io::{Read, Write},
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::{UnixListener, UnixStream},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use tamarack_tests::system::{alive, binary, eventually, is_root};

use super::{
    attempt::{Attempt, Expected, Outcome},
    stage::Stage,
};

/// A user that no program of the machine runs as.
const STRANGER: u32 = 3_000_003;

const ROLLED_BACK: Expected = Expected::NoStart("rolled back");
const CORRUPT: Expected = Expected::NoStart("corrupt");

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt {
        what: "Puts an older copy of the storage in its place",
        expected: ROLLED_BACK,
        act: |stage| {
            let older = copy_of(stage, "tee/store.redb");
            // Several commits: one could be a commit that the counter did not see.
            (0..3).for_each(|_| stage.is_unharmed());
            replaced(stage, "tee/store.redb", Some(&older))
        },
    },
    Attempt {
        what: "Takes the storage away",
        expected: ROLLED_BACK,
        act: |stage| replaced(stage, "tee/store.redb", None),
    },
    Attempt {
        what: "Empties the storage",
        expected: ROLLED_BACK,
        act: |stage| replaced(stage, "tee/store.redb", Some(b"")),
    },
    Attempt {
        what: "Cuts the storage",
        expected: CORRUPT,
        act: |stage| {
            let whole = copy_of(stage, "tee/store.redb");
            let parts = [1, 100, 4096, 40_000];
            let cut = |end: usize| replaced(stage, "tee/store.redb", Some(&whole[..end]));
            parts.into_iter().flat_map(cut).collect()
        },
    },
    Attempt {
        what: "Cuts a page off the end of the storage, where most likely nothing is",
        expected: Expected::Harmless("The TEE does not start, or it starts and nothing is missing"),
        act: |stage| {
            stage.stop();
            let (path, aside) = (stage.path("tee/store.redb"), stage.path("aside"));
            fs::copy(&path, &aside).unwrap();
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(file.metadata().unwrap().len() - 4096).unwrap();
            drop(file);
            match starts(stage) {
                true => stage.is_unharmed(),
                false => {
                    fs::rename(&aside, &path).unwrap();
                    stage.start();
                }
            }
            vec![Outcome::Nothing]
        },
    },
    Attempt {
        what: "Flips a bit in each page of the storage",
        expected: CORRUPT,
        act: |stage| {
            let mut spoilt = copy_of(stage, "tee/store.redb");
            spoilt
                .iter_mut()
                .step_by(4096)
                .skip(1)
                .for_each(|byte| *byte ^= 1);
            replaced(stage, "tee/store.redb", Some(&spoilt))
        },
    },
    Attempt {
        what: "Puts the storage of another device in its place",
        expected: CORRUPT,
        act: |stage| {
            stage.provision("other");
            let other = fs::read(stage.path("other/store.redb")).unwrap();
            replaced(stage, "tee/store.redb", Some(&other))
        },
    },
    Attempt {
        what: "Takes the counter away, or puts something in it that is no number",
        expected: Expected::NoStart("counter"),
        act: |stage| {
            let mut outcomes = replaced(stage, "tee/platform/counter", None);
            for content in [&b""[..], b"-1\n", b"many\n", &[0xff; 9000]] {
                outcomes.extend(replaced(stage, "tee/platform/counter", Some(content)));
            }
            outcomes
        },
    },
    Attempt {
        what: "Puts the counter forward",
        expected: ROLLED_BACK,
        act: |stage| replaced(stage, "tee/platform/counter", Some(b"99999999\n")),
    },
    Attempt {
        what: "Lets other users into the data folder, or into a file in it",
        expected: Expected::NoStart("chmod go-rwx"),
        act: |stage| {
            let mut outcomes = Vec::new();
            for (name, mode) in [
                ("tee", 0o701),
                ("tee/store.redb", 0o604),
                ("tee/platform", 0o710),
                ("tee/platform/counter", 0o620),
            ] {
                stage.stop();
                let path = stage.path(name);
                let before = fs::metadata(&path).unwrap().permissions();
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
                outcomes.push(ended(&stage.arguments()));
                fs::set_permissions(&path, before).unwrap();
                stage.start();
            }
            outcomes
        },
    },
    Attempt {
        what: "Puts a link to somebody else's folder where the data folder was",
        expected: Expected::NoStart("chmod go-rwx"),
        act: |stage| {
            stage.stop();
            let (data, aside, open) = (stage.path("tee"), stage.path("aside"), stage.path("open"));
            fs::create_dir(&open).unwrap();
            fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
            fs::rename(&data, &aside).unwrap();
            symlink(&open, &data).unwrap();
            let outcome = ended(&stage.arguments());
            assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
            fs::remove_file(&data).unwrap();
            fs::rename(&aside, &data).unwrap();
            stage.start();
            vec![outcome]
        },
    },
    Attempt {
        what: "Puts a file, a folder, or a link to a file where the socket goes",
        expected: Expected::NoStart("cannot listen"),
        act: |stage| {
            let target = stage.path("precious");
            fs::write(&target, "precious").unwrap();
            let place: [fn(&Path, &Path); 3] = [
                |_, socket| fs::write(socket, "file").unwrap(),
                |_, socket| fs::create_dir(socket).unwrap(),
                |target, socket| symlink(target, socket).unwrap(),
            ];
            let mut outcomes = Vec::new();
            for put in place {
                stage.stop();
                let socket = stage.socket();
                fs::remove_file(&socket).unwrap();
                put(&target, &socket);
                outcomes.push(ended(&stage.arguments()));
                assert_eq!(fs::read(&target).unwrap(), b"precious");
                match fs::symlink_metadata(&socket).unwrap().is_dir() {
                    true => fs::remove_dir(&socket).unwrap(),
                    false => fs::remove_file(&socket).unwrap(),
                }
                stage.start();
            }
            outcomes
        },
    },
    Attempt {
        what: "Listens itself where the socket goes, before the TEE does",
        expected: Expected::NoStart("cannot listen"),
        act: |stage| {
            stage.stop();
            let socket = stage.socket();
            fs::remove_file(&socket).unwrap();
            let listener = UnixListener::bind(&socket).unwrap();
            let outcome = ended(&stage.arguments());
            drop(listener);
            stage.start();
            vec![outcome]
        },
    },
    Attempt {
        what: "Starts a second TEE on the folder of the one that runs",
        expected: Expected::NoStart("stop it first"),
        act: |stage| {
            let mut arguments = stage.arguments();
            let last = arguments.last_mut().unwrap();
            last.push('2');
            vec![ended(&arguments)]
        },
    },
    Attempt {
        what: "Connects as a user that the TEE does not serve, with a socket that lets it in",
        expected: Expected::HangsUp,
        act: |stage| {
            if !is_root() {
                return vec![Outcome::Skipped("only root can try as another user")];
            }
            fs::set_permissions(stage.socket(), Permissions::from_mode(0o666)).unwrap();
            // The frame of a call for the list of what is installed.
            let script = "import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
try:
    s.sendall(bytes([0, 0, 0, 2, 0x81, 6]))
    sys.stdout.buffer.write(s.recv(100))
except OSError:
    pass
";
            let mut python = Command::new("python3");
            python.args(["-c", script]).arg(stage.socket());
            let Ok(output) = python.uid(STRANGER).gid(STRANGER).output() else {
                return vec![Outcome::Skipped("there is no python3")];
            };
            assert!(output.status.success(), "{output:?}");
            assert_eq!(output.stdout, b"", "an answer");
            vec![Outcome::Reply(None)]
        },
    },
    Attempt {
        what: "Reads the memory, the environment and the open files of the TEE as another user",
        expected: Expected::Refused("Permission denied"),
        act: |stage| {
            if !is_root() {
                return vec![Outcome::Skipped("only root can try as another user")];
            }
            let process = stage.process().id();
            let read = |name: &str| {
                let mut head = Command::new("head");
                head.args(["-c", "1", &format!("/proc/{process}/{name}")]);
                let output = head.uid(STRANGER).gid(STRANGER).output().unwrap();
                assert_eq!(output.stdout, b"");
                Outcome::Refusal(String::from_utf8(output.stderr).unwrap())
            };
            ["mem", "environ", "auxv", "maps", "fd/0"].map(read).into()
        },
    },
    Attempt {
        what: "Sends the TEE signals as another user, for a core dump or its end",
        expected: Expected::Refused("not permitted"),
        act: |stage| {
            if !is_root() {
                return vec![Outcome::Skipped("only root can try as another user")];
            }
            let process = stage.process().id();
            let send = |signal: &str| {
                let mut kill = Command::new("sh");
                kill.args(["-c", &format!("kill -{signal} {process}")]);
                let output = kill.uid(STRANGER).gid(STRANGER).output().unwrap();
                Outcome::Refusal(String::from_utf8(output.stderr).unwrap().to_lowercase())
            };
            let outcomes = ["QUIT", "ABRT", "STOP", "KILL"].map(send).into();
            assert!(alive(process));
            stage.process().assert_no_core_dump();
            outcomes
        },
    },
];

/// The content of a file while the TEE is not running.
fn copy_of(stage: &mut Stage, name: &str) -> Vec<u8> {
    stage.stop();
    let content = fs::read(stage.path(name)).unwrap();
    stage.start();
    content
}

/// What the TEE says that starts on other content of a file, or on none. What was there comes back.
fn replaced(stage: &mut Stage, name: &str, content: Option<&[u8]>) -> Vec<Outcome> {
    stage.stop();
    let (path, aside): (PathBuf, PathBuf) = (stage.path(name), stage.path("aside"));
    fs::rename(&path, &aside).unwrap();
    if let Some(content) = content {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    let outcome = ended(&stage.arguments());
    if path.exists() {
        fs::remove_file(&path).unwrap();
    }
    fs::rename(&aside, &path).unwrap();
    stage.start();
    vec![outcome]
}

/// Whether somebody answers at the socket.
fn answers(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok_and(|mut stream| {
        let list = [0, 0, 0, 2, 0x81, 6];
        let mut first = [0];
        stream.write_all(&list).is_ok() && stream.read_exact(&mut first).is_ok()
    })
}

/// Whether the TEE starts; it runs then.
fn starts(stage: &mut Stage) -> bool {
    let log = fs::File::create(stage.path("start.log")).unwrap();
    let mut child = Command::new(binary())
        .args(stage.arguments())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let socket = stage.socket();
    let serves = eventually("the TEE starts or not", || {
        match child.try_wait().unwrap() {
            Some(_) => Some(false),
            // The socket is there before the storage was read; an answer is not.
            None => answers(&socket).then_some(true),
        }
    });
    let _ = child.kill();
    child.wait().unwrap();
    let said = fs::read_to_string(stage.path("start.log")).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    if serves {
        stage.start();
    } else {
        assert!(said.contains("corrupt"), "{said}");
    }
    serves
}

/// What `tamarack tee serve` says that must end by itself.
fn ended(arguments: &[String]) -> Outcome {
    let mut command = Command::new("timeout");
    command.arg("10").arg(binary()).args(arguments);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    match output.status.code() {
        Some(1) => Outcome::Ended(said),
        // `timeout` had to end it.
        Some(124) => Outcome::Nothing,
        code => panic!("it ended with {code:?}: {said}"),
    }
}
