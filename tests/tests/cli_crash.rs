//! Processes that die, networks that stall, disks that fill up: the old component runs on, and the next try
//! succeeds.

use std::{
    io::Write,
    path::Path,
    process::Command,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use tamarack_agent::platform::{Namespace, Storage, StorageError};
use tamarack_tee::{
    platform::{DeviceOptions, Software},
    store::{Store, StoreOptions},
};
use tamarack_tests::{
    crypto,
    system::{PATIENCE, Process, Response, Server, World, run, tamarack},
    wasm::{HELLO_1, HELLO_2},
};

const OLD: &str = "Hello from inside the TEE, Ada!";

/// A world on whose device hello 1 runs.
fn world() -> World {
    let world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world.policy_check();
    assert_eq!(world.greeting("acme/hello"), OLD);
    world
}

/// A server that sends half of hello 2 and then waits, until it is told to be quick.
struct Stalling {
    server: Server,
    /// Gets a word whenever half is sent.
    halfway: mpsc::Receiver<()>,
    quick: Arc<AtomicBool>,
    /// How often those who wait were told to go on.
    released: Arc<(Mutex<u32>, Condvar)>,
}

impl Stalling {
    fn new() -> Self {
        let (tell, halfway) = mpsc::channel();
        let quick = Arc::new(AtomicBool::new(false));
        let released = Arc::new((Mutex::new(0), Condvar::new()));
        let (is_quick, is_released) = (Arc::clone(&quick), Arc::clone(&released));
        let server = Server::start(move |_, stream| {
            if is_quick.load(Ordering::SeqCst) {
                return Some(Response {
                    status: 200,
                    headers: Vec::new(),
                    body: HELLO_2.to_vec(),
                });
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                HELLO_2.len()
            );
            let (first, rest) = HELLO_2.split_at(HELLO_2.len() / 2);
            // Whoever asked may be gone already.
            let sent = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(first));
            sent.and_then(|()| stream.flush()).ok()?;
            let (released, condition) = &*is_released;
            let guard = released.lock().unwrap();
            let now = *guard;
            tell.send(()).ok()?;
            drop(
                condition
                    .wait_timeout_while(guard, PATIENCE, |count| *count == now)
                    .unwrap(),
            );
            let _ = stream.write_all(rest);
            None
        });
        Self {
            server,
            halfway,
            quick,
            released,
        }
    }

    /// Publishes hello 2 with its payload on this server.
    fn publish(&self, world: &World) {
        let uri = self.server.url("/hello-2.wasm");
        let two = world.manifest("acme/hello", 2, HELLO_2, "acme", &["--uri", &uri]);
        world.admin(&["publish", &two]).ok();
    }

    /// Starts a policy check that gets as far as half of the payload.
    fn check_until_halfway(&self, world: &World) -> thread::JoinHandle<bool> {
        let socket = world.path("app.sock");
        let check = thread::spawn(move || {
            let status = tamarack(&["app", "--socket", &socket, "policy-check"]).output();
            status.unwrap().status.success()
        });
        self.halfway
            .recv_timeout(PATIENCE)
            .expect("the payload is asked for");
        check
    }

    /// Goes on with what is half sent.
    fn hang_up(&self) {
        *self.released.0.lock().unwrap() += 1;
        self.released.1.notify_all();
    }

    /// Goes on with what is half sent, and does not stall any more.
    fn release(&self) {
        self.quick.store(true, Ordering::SeqCst);
        self.hang_up();
    }
}

#[test]
fn a_tee_killed_in_the_middle_of_an_install_has_the_old_component() {
    let mut world = world();
    let payloads = Stalling::new();
    payloads.publish(&world);
    for _ in 0..2 {
        let check = payloads.check_until_halfway(&world);
        // Meanwhile the old one answers.
        assert_eq!(world.greeting("acme/hello"), OLD);
        let tee = std::mem::replace(&mut world.tee, idle());
        tee.kill();
        payloads.hang_up();
        assert!(!check.join().unwrap(), "a policy check without a TEE fails");
        world.restart_tee();
        assert_eq!(world.greeting("acme/hello"), OLD);
        assert_eq!(world.version("acme/hello"), Some(1));
    }
    payloads.release();
    assert_eq!(world.policy_check(), 1);
    assert_eq!(world.version("acme/hello"), Some(2));
    assert!(world.greeting("acme/hello").starts_with("Welcome, Ada!"));
}

/// A process that does nothing, in the place of one that is gone.
fn idle() -> Process {
    Process::start("idle", &std::env::temp_dir(), &["--version"])
}

#[test]
fn a_payload_that_breaks_off_or_is_another_leaves_the_old_component() {
    let world = world();
    let calls = Arc::new(Mutex::new(0));
    let server = {
        let calls = Arc::clone(&calls);
        Server::start(move |_, stream| {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            let body = match *calls {
                1 => {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                        HELLO_2.len()
                    );
                    let _ = stream.write_all(&[head.as_bytes(), &HELLO_2[..5_000]].concat());
                    return None;
                }
                2 => HELLO_1.to_vec(),
                3 => [HELLO_2, &[0; 100_000]].concat(),
                _ => HELLO_2.to_vec(),
            };
            Some(Response {
                status: 200,
                headers: Vec::new(),
                body,
            })
        })
    };
    let uri = server.url("/hello-2.wasm");
    let two = world.manifest("acme/hello", 2, HELLO_2, "acme", &["--uri", &uri]);
    world.admin(&["publish", &two]).ok();
    for call in 1..=3 {
        world.policy_check();
        assert_eq!(*calls.lock().unwrap(), call);
        assert_eq!(
            (world.version("acme/hello"), world.greeting("acme/hello")),
            (Some(1), OLD.into())
        );
        let device = world.admin(&["device", &world.ueid]).json();
        let failed = device["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .any(|outcome| {
                outcome["manifest"] == "acme/hello/suit" && outcome["status"] == "failed"
            });
        assert!(failed, "{device}");
    }
    // A TAM stops sending what failed again and again, until the operator deploys anew.
    world.policy_check();
    assert_eq!(*calls.lock().unwrap(), 3);
    world.admin(&["undeploy", "acme/hello"]).ok();
    world.deploy("acme/hello");
    world.policy_check();
    assert_eq!(world.version("acme/hello"), Some(2));
}

#[test]
fn a_tam_killed_at_any_time_goes_on_where_it_was() {
    let mut world = world();
    let payloads = Stalling::new();
    payloads.publish(&world);
    let check = payloads.check_until_halfway(&world);
    // In the middle of an exchange: the answer to the Update finds nobody.
    let tam = std::mem::replace(&mut world.tam, idle());
    tam.kill();
    payloads.release();
    assert!(!check.join().unwrap(), "the TAM can't be reached");
    assert_eq!(
        world.version("acme/hello"),
        Some(2),
        "the device needs no TAM to finish"
    );
    world.app(&["policy-check"]).fails(1, &[]);

    world.restart_tam();
    // However often it could not be reached, the next check is a check.
    assert_eq!(world.policy_check(), 1);
    let device = world.admin(&["device", &world.ueid]).json();
    assert!(
        device["installed"].to_string().contains("acme/hello"),
        "{device}"
    );
    world.publish("acme/hello", 3, HELLO_1, "acme");
    for _ in 0..3 {
        let tam = std::mem::replace(&mut world.tam, idle());
        tam.kill();
        world.restart_tam();
    }
    assert_eq!(world.policy_check(), 1);
    assert_eq!(world.version("acme/hello"), Some(3));
}

#[test]
fn servers_that_are_asked_to_stop_do_so_and_start_again() {
    let mut world = world();
    let tam = std::mem::replace(&mut world.tam, idle());
    assert_eq!(tam.stop().code(), Some(0));
    world.restart_tam();
    let tee = std::mem::replace(&mut world.tee, idle());
    let _ = tee.stop();
    world.app(&["list"]).fails(1, &["tee.sock"]);
    world.restart_tee();
    assert_eq!(world.greeting("acme/hello"), OLD);
    assert_eq!(world.policy_check(), 1);
}

/// A small file system of its own, for as long as this lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None`, with a loud note, where a test may not mount anything.
    fn new(bytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={bytes},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(folder)),
            other => {
                eprintln!("SKIPPED: a small disk needs the right to mount: {other:?}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}

#[test]
fn a_full_disk_leaves_the_old_component_and_is_reported() {
    let Some(disk) = SmallDisk::new(12 << 20) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let world = World::in_folder(folder.path(), &disk.path().join("tee"));
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.deploy("acme/hello");
    world.policy_check();
    assert_eq!(world.greeting("acme/hello"), OLD);

    // More than there is room for, and not compressible by any accident.
    let payload: &'static [u8] = Box::leak(vec![0x5a; 14 << 20].into_boxed_slice());
    let server = Server::start(move |_, _| {
        Some(Response {
            status: 200,
            headers: Vec::new(),
            body: payload.to_vec(),
        })
    });
    let uri = server.url("/big");
    let big = world.manifest("acme/big", 1, payload, "acme", &["--uri", &uri]);
    world.admin(&["publish", &big]).ok();
    world.deploy("acme/big");
    assert_eq!(world.policy_check(), 1, "the exchange comes to its end");
    assert_eq!(
        (world.version("acme/big"), world.greeting("acme/hello")),
        (None, OLD.into())
    );
    let device = world.admin(&["device", &world.ueid]).json();
    let reported = device["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .any(|outcome| outcome["manifest"] == "acme/big/suit" && outcome["status"] == "failed");
    assert!(reported, "{device}");

    // What fits goes on being installed, and survives a restart.
    world.admin(&["undeploy", "acme/big"]).ok();
    world.publish("acme/hello", 2, HELLO_2, "acme");
    world.policy_check();
    let logs = [&world.tee, &world.broker, &world.tam].map(Process::log);
    let [tee, broker, tam] = logs;
    assert_eq!(
        world.version("acme/hello"),
        Some(2),
        "TEE:\n{tee}\nbroker:\n{broker}\nTAM:\n{tam}"
    );
    let mut world = world;
    std::mem::replace(&mut world.tee, idle()).kill();
    world.restart_tee();
    assert!(world.greeting("acme/hello").starts_with("Welcome, Ada!"));
}

#[test]
fn a_storage_that_is_mostly_free_is_made_small_by_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    let data = folder.to_str().unwrap();
    let compact = ["--json", "tee", "compact", "--data", data];
    run(&compact).fails(1, &["store.redb"]);
    let open = || {
        let platform = Software::open(&folder, &crypto(), &DeviceOptions::default());
        let platform = Arc::new(platform.unwrap());
        let path = folder.join("store.redb");
        Store::open(&path, platform, &crypto(), StoreOptions::default()).unwrap()
    };
    let space = Namespace::domain("acme");
    let store = open();
    let fill = || {
        let mut transaction = store.begin()?;
        for number in 0..100_u8 {
            transaction.put(&space, &[number], &[number; 100_000])?;
        }
        transaction.commit()?;
        let mut transaction = store.begin()?;
        for number in 1..100_u8 {
            transaction.remove(&space, &[number])?;
        }
        transaction.commit()
    };
    fill()
        .map_err(|error: StorageError| error.to_string())
        .unwrap();
    run(&compact).fails(1, &["another process", "stop it first"]);
    drop(store);
    let sizes = run(&compact).json();
    let size = |name: &str| sizes[name].as_u64().unwrap();
    assert!(size("before") > 10 << 20, "{sizes}");
    assert!(size("after") < 1 << 20, "{sizes}");
    let kept = open().view().unwrap().get(&space, &[0]).unwrap();
    assert_eq!(kept.unwrap(), [0; 100_000]);
}
