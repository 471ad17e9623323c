//! What the filters answer, call by call: the programs are run here as the kernel runs them.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "arguments of calls have whatever type a C library gives them"
)]

use super::*;

/// What a program answers.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Allow,
    NotThere,
    Kill,
}

const PROCESS: u32 = 4242;

/// Answers of a kernel, from `linux/seccomp.h`.
const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;

/// Runs a program of the classic Berkeley Packet Filter over `struct seccomp_data`.
fn run(program: &BpfProgram, data: &[u32]) -> u32 {
    let mut accumulator = 0;
    let mut at = 0;
    loop {
        let instruction = &program[at];
        at += 1;
        let k = instruction.k;
        let mut jump = |holds| {
            let by = if holds {
                instruction.jt
            } else {
                instruction.jf
            };
            at += usize::from(by);
        };
        match instruction.code {
            0x20 => accumulator = data[k as usize / 4],
            0x05 => at += k as usize,
            0x15 => jump(accumulator == k),
            0x25 => jump(accumulator > k),
            0x35 => jump(accumulator >= k),
            0x54 => accumulator &= k,
            0x06 => return k,
            code => panic!("instruction {code:#x}"),
        }
    }
}

/// What both filters together answer to a call with these arguments.
fn answer(needs: &[Need], call: i64, arguments: &[u64]) -> Answer {
    // From linux/audit.h: the machine, 64 bits, little-endian.
    let processor = if cfg!(target_arch = "x86_64") {
        0xc000_003e
    } else {
        0xc000_00b7
    };
    let mut data = vec![u32::try_from(call).unwrap(), processor, 0, 0];
    for number in 0..6 {
        let argument = arguments.get(number).copied().unwrap_or_default();
        data.extend([argument as u32, (argument >> 32) as u32]);
    }
    let hostile = run(&hostile().unwrap(), &data);
    let needed = run(&needed(needs, PROCESS).unwrap(), &data);
    match (hostile, needed) {
        (KILL_PROCESS, _) => Answer::Kill,
        (ALLOW, ALLOW) => Answer::Allow,
        (ALLOW, needed) if needed == ERRNO | c::ENOSYS as u32 => Answer::NotThere,
        other => panic!("{other:x?}"),
    }
}

fn plain(call: i64, arguments: &[u64]) -> Answer {
    answer(&[], call, arguments)
}

#[test]
fn no_call_is_both_needed_and_hostile() {
    for call in HOSTILE.iter().chain(HOSTILE_HERE) {
        assert!(
            !NEEDED.contains(call) && !NEEDED_HERE.contains(call),
            "{call}"
        );
        assert_eq!(plain(*call, &[]), Answer::Kill, "{call}");
    }
    for call in NEEDED.iter().chain(NEEDED_HERE) {
        assert_eq!(plain(*call, &[u64::MAX; 6]), Answer::Allow, "{call}");
    }
}

#[test]
fn what_is_on_no_list_is_not_there() {
    let listed: Vec<i64> = [NEEDED, NEEDED_HERE, HOSTILE, HOSTILE_HERE].concat();
    let watched = [
        c::SYS_mmap,
        c::SYS_mprotect,
        c::SYS_clone,
        c::SYS_tgkill,
        c::SYS_prctl,
        c::SYS_prlimit64,
        c::SYS_ioctl,
    ];
    // Those of tomorrow too.
    for call in 0..1024 {
        if !listed.contains(&call) && !watched.contains(&call) {
            assert_eq!(plain(call, &[]), Answer::NotThere, "{call}");
        }
    }
    // Nothing of the 32-bit interface of x86-64.
    for call in [c::SYS_read, c::SYS_openat, c::SYS_socket] {
        assert_eq!(plain(call | 0x4000_0000, &[]), Answer::NotThere);
    }
}

#[test]
fn calls_of_another_processor_end_the_process() {
    let data = [[c::SYS_read as u32, 0x4000_0003, 0, 0].as_slice(), &[0; 12]].concat();
    assert_eq!(run(&hostile().unwrap(), &data), KILL_PROCESS);
}

#[test]
fn memory_that_is_run_is_not_made() {
    let (read, write) = (c::PROT_READ as u64, c::PROT_WRITE as u64);
    for call in [c::SYS_mmap, c::SYS_mprotect] {
        for protection in [0, read, write, read | write] {
            assert_eq!(plain(call, &[0, 4096, protection]), Answer::Allow);
            let run = protection | c::PROT_EXEC as u64;
            assert_eq!(plain(call, &[0, 4096, run]), Answer::NotThere);
            // The kernel drops the upper half.
            assert_eq!(plain(call, &[0, 4096, run | 1 << 40]), Answer::NotThere);
        }
    }
}

#[test]
fn threads_are_started_and_processes_are_not() {
    let thread = (c::CLONE_VM | c::CLONE_FS | c::CLONE_SIGHAND | c::CLONE_THREAD) as u64;
    assert_eq!(plain(c::SYS_clone, &[thread]), Answer::Allow);
    assert_eq!(plain(c::SYS_clone, &[c::SIGCHLD as u64]), Answer::NotThere);
    let vfork = (c::CLONE_VM | c::CLONE_VFORK | c::SIGCHLD) as u64;
    assert_eq!(plain(c::SYS_clone, &[vfork]), Answer::NotThere);
    assert_eq!(plain(c::SYS_clone3, &[0, 0]), Answer::NotThere);
}

#[test]
fn signals_go_to_oneself() {
    let abort = c::SIGABRT as u64;
    let own = u64::from(PROCESS);
    assert_eq!(plain(c::SYS_tgkill, &[own, own, abort]), Answer::Allow);
    assert_eq!(plain(c::SYS_tgkill, &[1, 1, abort]), Answer::NotThere);
    for call in [c::SYS_kill, c::SYS_tkill, c::SYS_rt_sigqueueinfo] {
        assert_eq!(plain(call, &[1, 9]), Answer::NotThere);
    }
}

#[test]
fn what_protects_the_process_stays_on() {
    let prctl = |option: i32| plain(c::SYS_prctl, &[option as u64, 1]);
    assert_eq!(prctl(c::PR_SET_NAME), Answer::Allow);
    assert_eq!(prctl(PR_SET_VMA), Answer::Allow);
    for option in [
        c::PR_SET_DUMPABLE,
        c::PR_SET_SECCOMP,
        c::PR_SET_MM,
        c::PR_SET_PTRACER,
    ] {
        assert_eq!(prctl(option), Answer::NotThere);
    }
    let core = c::RLIMIT_CORE as u64;
    let memory = 0x7f00_0000_0000;
    assert_eq!(
        plain(c::SYS_prlimit64, &[0, core, 0, memory]),
        Answer::Allow
    );
    for arguments in [
        [0, core, memory, 0],
        [1, core, 0, memory],
        [0, core, 1 << 32, 0],
    ] {
        assert_eq!(plain(c::SYS_prlimit64, &arguments), Answer::NotThere);
    }
    assert_eq!(plain(c::SYS_munlockall, &[]), Answer::NotThere);
}

#[test]
fn devices_are_controlled_where_there_is_need() {
    assert_eq!(plain(c::SYS_ioctl, &[0, c::FIONBIO as u64]), Answer::Allow);
    // Writes to the terminal as if its user had typed it.
    assert_eq!(
        plain(c::SYS_ioctl, &[0, c::TIOCSTI as u64]),
        Answer::NotThere
    );
    let needs = [Need::Device("/dev/sev-guest".into())];
    assert_eq!(
        answer(&needs, c::SYS_ioctl, &[3, 0xc020_5300]),
        Answer::Allow
    );
    let needs = [
        Need::Read("/sys".into()),
        Need::Write("/dev/attestation".into()),
    ];
    assert_eq!(
        answer(&needs, c::SYS_ioctl, &[3, 0xc020_5300]),
        Answer::NotThere
    );
}

#[test]
fn sockets_are_made_where_there_is_need() {
    let socket = |needs: &[Need], family: i32, kind: i32, protocol: i32| {
        let arguments = [family, kind, protocol].map(bits);
        answer(needs, c::SYS_socket, &arguments)
    };
    let kind = c::SOCK_STREAM | c::SOCK_CLOEXEC;
    for family in 0..46 {
        assert_eq!(socket(&[], family, kind, 0), Answer::NotThere, "{family}");
    }
    for call in [
        c::SYS_socketpair,
        c::SYS_bind,
        c::SYS_listen,
        c::SYS_connect,
    ] {
        assert_eq!(plain(call, &[1, 1, 0]), Answer::NotThere);
    }

    let unix = [Need::UnixSockets];
    assert_eq!(socket(&unix, c::AF_UNIX, kind, 0), Answer::Allow);
    assert_eq!(socket(&unix, c::AF_INET, kind, 0), Answer::NotThere);
    assert_eq!(answer(&unix, c::SYS_connect, &[3]), Answer::Allow);

    let tcp = [Need::Tcp(2321)];
    for family in [c::AF_INET, c::AF_INET6] {
        assert_eq!(socket(&tcp, family, kind, 0), Answer::Allow);
        assert_eq!(socket(&tcp, family, kind, c::IPPROTO_TCP), Answer::Allow);
        assert_eq!(
            socket(&tcp, family, kind, c::IPPROTO_MPTCP),
            Answer::NotThere
        );
        assert_eq!(socket(&tcp, family, c::SOCK_DGRAM, 0), Answer::NotThere);
        assert_eq!(socket(&tcp, family, c::SOCK_RAW, 0), Answer::NotThere);
    }
    for family in [
        c::AF_UNIX,
        c::AF_NETLINK,
        c::AF_PACKET,
        c::AF_VSOCK,
        c::AF_ALG,
    ] {
        assert_eq!(socket(&tcp, family, kind, 0), Answer::NotThere);
    }
    for call in [c::SYS_bind, c::SYS_listen] {
        assert_eq!(answer(&tcp, call, &[3]), Answer::NotThere);
    }

    let both = [Need::Tcp(2321), Need::UnixSockets, Need::Tcp(2322)];
    for family in [c::AF_UNIX, c::AF_INET] {
        assert_eq!(socket(&both, family, kind, 0), Answer::Allow);
    }
    assert_eq!(
        socket(&both, c::AF_NETLINK, c::SOCK_RAW, 0),
        Answer::NotThere
    );
}
