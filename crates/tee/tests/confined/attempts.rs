//! What is tried.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    os::unix::{
        net::{UnixListener, UnixStream},
        process::CommandExt,
    },
    panic,
    process::Command,
    sync::{
        Arc, Barrier, Mutex, OnceLock,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
};

use nix::{
    libc,
    mount::MsFlags,
    sched::CloneFlags,
    sys::{
        prctl, ptrace,
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
        socket::{AddressFamily, SockFlag, SockType, socket},
        uio::{RemoteIoVec, process_vm_readv},
    },
    unistd::{Pid, Uid},
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use tamarack_agent::platform::{Namespace, Storage};
use tamarack_cose::rustcrypto;
use tamarack_tee::{
    hardening::{Need, Protection},
    platform::{Device, DeviceOptions, Software, TeePlatform},
    store::{Store, StoreOptions},
};

use crate::{ENDS, NOT_THERE, Outcome, Scene, outside};

/// Something that a confined process tries.
pub(crate) struct Attempt {
    pub(crate) name: &'static str,
    /// What happens before the process is confined, and what it needs afterwards.
    pub(crate) before: fn(&Scene) -> Vec<Need>,
    pub(crate) act: fn(&Scene) -> io::Result<()>,
    pub(crate) expected: Outcome,
    /// Protections that the kernel is made to lack.
    pub(crate) lacking: &'static [Protection],
}

const fn of(name: &'static str, act: fn(&Scene) -> io::Result<()>, expected: Outcome) -> Attempt {
    Attempt {
        name,
        before: |_| Vec::new(),
        act,
        expected,
        lacking: &[],
    }
}

impl Attempt {
    const fn after(self, before: fn(&Scene) -> Vec<Need>) -> Self {
        Self { before, ..self }
    }

    const fn lacking(self, lacking: &'static [Protection]) -> Self {
        Self { lacking, ..self }
    }
}

const BY_LANDLOCK: Outcome = Outcome::RefusedBy(Protection::FileAccess, libc::EACCES);
const BY_TCP_RULES: Outcome = Outcome::RefusedBy(Protection::Tcp, libc::EACCES);

pub(crate) const ATTEMPTS: &[Attempt] = &[
    // What a TEE does.
    of(
        "the storage is written and read",
        use_storage,
        Outcome::Works,
    )
    .after(has_a_platform),
    of("threads run, wait and end", use_threads, Outcome::Works),
    of("a panic ends one thread", panic_in_a_thread, Outcome::Works),
    of(
        "limits are looked up",
        |_| Ok(getrlimit(Resource::RLIMIT_NOFILE).map(|_| ())?),
        Outcome::Works,
    ),
    of(
        "the process aborts",
        |_| std::process::abort(),
        Outcome::Ends(Signal::SIGABRT),
    ),
    // Other programs and processes.
    of(
        "a program replaces this one",
        |_| Err(Command::new("/bin/true").exec()),
        ENDS,
    ),
    of(
        "a program is started",
        |_| Command::new("/bin/true").spawn().map(drop),
        NOT_THERE,
    ),
    of(
        "another process is traced",
        |scene| Ok(ptrace::attach(Pid::from_raw(scene.parent))?),
        ENDS,
    ),
    of("the memory of another process is read", read_memory, ENDS),
    of(
        "another process is signalled",
        |scene| Ok(kill(Pid::from_raw(scene.parent), None)?),
        NOT_THERE,
    ),
    of(
        "protections are taken back",
        |_| Ok(prctl::set_dumpable(true)?),
        NOT_THERE,
    ),
    of(
        "limits are lifted",
        |_| Ok(setrlimit(Resource::RLIMIT_NOFILE, 8, 8)?),
        NOT_THERE,
    ),
    // The machine.
    of("a file system is mounted", mount, ENDS),
    of(
        "a namespace is made",
        |_| Ok(nix::sched::unshare(CloneFlags::CLONE_NEWNS)?),
        ENDS,
    ),
    of(
        "the root is changed",
        |scene| Ok(nix::unistd::chroot(&scene.data)?),
        ENDS,
    ),
    of(
        "the user is changed",
        |_| Ok(nix::unistd::setuid(Uid::from_raw(65534))?),
        ENDS,
    ),
    of(
        "a module is loaded",
        |_| Ok(nix::kmod::init_module(b"none", c"")?),
        ENDS,
    ),
    // Networks.
    of(
        "a TCP port is listened on",
        |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(drop),
        NOT_THERE,
    ),
    of(
        "a TCP connection is made",
        |scene| connect(scene.port),
        NOT_THERE,
    ),
    of(
        "a UDP socket is made",
        |_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop),
        NOT_THERE,
    ),
    of(
        "a Netlink socket is made",
        |_| make_socket(AddressFamily::Netlink),
        NOT_THERE,
    ),
    of(
        "a packet socket is made",
        |_| make_socket(AddressFamily::Packet),
        NOT_THERE,
    ),
    of(
        "a local socket is connected to",
        |scene| UnixStream::connect(scene.socket()).map(drop),
        NOT_THERE,
    ),
    of(
        "a pair of sockets is made",
        |_| UnixStream::pair().map(drop),
        NOT_THERE,
    ),
    of(
        "a thread from before makes a socket",
        let_the_older_thread_try,
        NOT_THERE,
    )
    .after(needs_an_older_thread),
    // Networks of which there is need.
    of(
        "a needed port is connected to",
        |scene| connect(scene.port),
        Outcome::Works,
    )
    .after(needs_port),
    of(
        "another port is connected to",
        |scene| connect(scene.other_port),
        BY_TCP_RULES,
    )
    .after(needs_port),
    of(
        "UDP, where TCP is needed",
        |_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(drop),
        NOT_THERE,
    )
    .after(needs_port),
    of(
        "listening, where connections are needed",
        |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map(drop),
        NOT_THERE,
    )
    .after(needs_port),
    of(
        "a local socket, where it is needed",
        |scene| UnixStream::connect(scene.socket()).map(drop),
        Outcome::Works,
    )
    .after(needs_sockets),
    of(
        "TCP, where local sockets are needed",
        |scene| connect(scene.port),
        NOT_THERE,
    )
    .after(needs_sockets),
    // Files.
    of(
        "a foreign file is read",
        |_| fs::read("/etc/passwd").map(drop),
        BY_LANDLOCK,
    ),
    of(
        "a foreign folder is listed",
        |_| fs::read_dir("/").map(drop),
        BY_LANDLOCK,
    ),
    of(
        "a file is made outside",
        |scene| fs::write(outside(scene, "made"), "x"),
        BY_LANDLOCK,
    ),
    of("a file is moved outside", move_outside, BY_LANDLOCK),
    of(
        "a socket is removed",
        |scene| fs::remove_file(scene.socket()),
        BY_LANDLOCK,
    ),
    of(
        "a socket is made in the folder",
        |scene| UnixListener::bind(scene.data.join("socket")).map(drop),
        NOT_THERE,
    )
    .after(needs_sockets),
    of(
        "a device is opened",
        |_| File::open("/dev/zero").map(drop),
        BY_LANDLOCK,
    ),
    // Files of which there is need.
    of("a needed device is opened", open_device, Outcome::Works)
        .after(|_| vec![Need::Device("/dev/zero".into())]),
    of(
        "a needed file is read",
        |_| fs::read("/etc/passwd").map(drop),
        Outcome::Works,
    )
    .after(needs_file),
    of(
        "a needed file is written",
        |_| {
            OpenOptions::new()
                .append(true)
                .open("/etc/passwd")
                .map(drop)
        },
        BY_LANDLOCK,
    )
    .after(needs_file),
    of("a needed folder is used", use_folder, Outcome::Works).after(needs_folder),
    of(
        "what is beside a needed folder is used",
        |scene| fs::create_dir(outside(scene, "beside")),
        BY_LANDLOCK,
    )
    .after(needs_folder),
    of(
        "something is needed that is not there",
        use_threads,
        Outcome::Works,
    )
    .after(|_| vec![Need::Device("/dev/none".into())]),
    // Kernels and containers that have less.
    of(
        "without Landlock, the TEE runs and files are within reach",
        read_and_use_threads,
        Outcome::Works,
    )
    .after(|_| take_away(libc::SYS_landlock_create_ruleset))
    .lacking(&[
        Protection::FileAccess,
        Protection::Tcp,
        Protection::OtherProcesses,
    ]),
    of(
        "without seccomp, the TEE runs and sockets can be made",
        |scene| {
            use_threads(scene)?;
            make_socket(AddressFamily::Netlink)
        },
        Outcome::Works,
    )
    .after(|_| take_away(libc::SYS_seccomp))
    .lacking(&[Protection::SystemCalls]),
];

/// Makes the kernel one without this call, as an old one is, or a container that forbids it.
fn take_away(call: i64) -> Vec<Need> {
    let processor = std::env::consts::ARCH.try_into().unwrap();
    let gone = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let rules = [(call, Vec::new())].into();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, gone, processor).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter_all_threads(&program).unwrap();
    Vec::new()
}

fn read_and_use_threads(scene: &Scene) -> io::Result<()> {
    fs::read("/etc/passwd")?;
    use_threads(scene)
}

/// The platform is open before the process is confined.
static PLATFORM: OnceLock<Arc<Device>> = OnceLock::new();

fn has_a_platform(scene: &Scene) -> Vec<Need> {
    let crypto = rustcrypto::provider();
    let platform = Software::open(&scene.data, &crypto, &DeviceOptions::default());
    let platform = PLATFORM.get_or_init(|| Arc::new(platform.unwrap()));
    platform.needs()
}

fn use_storage(scene: &Scene) -> io::Result<()> {
    let crypto = rustcrypto::provider();
    let platform = PLATFORM.get().unwrap().clone();
    let path = scene.data.join("store");
    let store = Store::open(&path, platform, &crypto, StoreOptions::default());
    let store = store.map_err(io::Error::other)?;
    let space = Namespace::domain("acme");
    // Longer than one chunk, so that the file grows.
    let value = vec![7; 3 << 20];
    let write = || -> Result<(), tamarack_agent::platform::StorageError> {
        let mut transaction = store.begin()?;
        transaction.put(&space, b"value", &value)?;
        transaction.commit()?;
        assert_eq!(store.view()?.get(&space, b"value")?.as_ref(), Some(&value));
        let mut transaction = store.begin()?;
        transaction.destroy(&space)?;
        transaction.commit()
    };
    write().map_err(io::Error::other)
}

fn use_threads(_: &Scene) -> io::Result<()> {
    let barrier = Arc::new(Barrier::new(8));
    let threads = (0..8).map(|number| {
        let barrier = Arc::clone(&barrier);
        thread::Builder::new()
            .name(format!("thread {number}"))
            .spawn(move || {
                barrier.wait();
                vec![number; 1 << 20].len()
            })
    });
    for thread in threads.collect::<io::Result<Vec<_>>>()? {
        assert_eq!(thread.join().unwrap(), 1 << 20);
    }
    Ok(())
}

fn panic_in_a_thread(_: &Scene) -> io::Result<()> {
    panic::set_hook(Box::new(|_| {}));
    let outcome = thread::spawn(|| panic!("as a hostile application might make us")).join();
    assert!(outcome.is_err());
    Ok(())
}

fn read_memory(scene: &Scene) -> io::Result<()> {
    let mut own = [0; 8];
    let other = RemoteIoVec {
        base: 0x1000,
        len: 8,
    };
    let own = &mut [io::IoSliceMut::new(&mut own)];
    process_vm_readv(Pid::from_raw(scene.parent), own, &[other])?;
    Ok(())
}

fn mount(scene: &Scene) -> io::Result<()> {
    let none: Option<&str> = None;
    nix::mount::mount(none, &scene.data, Some("tmpfs"), MsFlags::empty(), none)?;
    Ok(())
}

fn connect(port: u16) -> io::Result<()> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map(drop)
}

fn make_socket(family: AddressFamily) -> io::Result<()> {
    socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    Ok(())
}

fn move_outside(scene: &Scene) -> io::Result<()> {
    let inside = scene.data.join("moved");
    fs::write(&inside, "x")?;
    fs::rename(inside, outside(scene, "moved"))
}

fn open_device(_: &Scene) -> io::Result<()> {
    let mut device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/zero")?;
    device.write_all(b"x")?;
    device.read_exact(&mut [1])
}

fn use_folder(scene: &Scene) -> io::Result<()> {
    let folder = outside(scene, "needed/report");
    fs::create_dir(&folder)?;
    fs::write(folder.join("inblob"), "x")?;
    fs::read(folder.join("inblob"))?;
    fs::remove_file(folder.join("inblob"))?;
    fs::remove_dir(folder)
}

/// A thread that is older than the confinement, and what makes it try.
static OLDER: Mutex<Option<Older>> = Mutex::new(None);

type Older = (Sender<()>, JoinHandle<io::Result<()>>);

fn needs_an_older_thread(_: &Scene) -> Vec<Need> {
    let (go, wait) = channel();
    let thread = thread::spawn(move || {
        wait.recv().map_err(io::Error::other)?;
        make_socket(AddressFamily::Netlink)
    });
    *OLDER.lock().unwrap() = Some((go, thread));
    Vec::new()
}

fn let_the_older_thread_try(_: &Scene) -> io::Result<()> {
    let (go, thread) = OLDER.lock().unwrap().take().unwrap();
    go.send(()).map_err(io::Error::other)?;
    thread.join().unwrap()
}

fn needs_port(scene: &Scene) -> Vec<Need> {
    vec![Need::Tcp(scene.port)]
}

fn needs_sockets(_: &Scene) -> Vec<Need> {
    vec![Need::UnixSockets]
}

fn needs_file(_: &Scene) -> Vec<Need> {
    vec![Need::Read("/etc/passwd".into())]
}

fn needs_folder(scene: &Scene) -> Vec<Need> {
    let folder = outside(scene, "needed");
    // The first attempt makes it, before it is confined.
    let _ = fs::create_dir(&folder);
    vec![Need::Write(folder)]
}
