//! Files, TCP and other processes, by Landlock.

use std::{fs, path::Path};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, RestrictSelfAttr, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};

use super::{Need, Protection, State};

/// What is asked for: all that this version knows. A kernel with less gives what it has.
const ASKED: ABI = ABI::V7;

type States = [(Protection, State); 3];

/// Confines this thread, those that it starts, and, where the kernel can, all others.
pub(super) fn restrict(data: &Path, needs: &[Need]) -> States {
    match enforce(data, needs) {
        Ok(status) => states(status.landlock, other_threads(&status)),
        Err(error) => all(&State::Missing(error.to_string())),
    }
}

fn enforce(data: &Path, needs: &[Need]) -> Result<RestrictionStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ASKED))?
        .handle_access(AccessNet::from_all(ASKED))?
        .scope(Scope::from_all(ASKED))?
        .create()?;
    rules = beneath(rules, data, written())?;
    for need in needs {
        rules = match need {
            Need::Read(path) => {
                beneath(rules, path, make_bitflags!(AccessFs::{ReadFile | ReadDir}))?
            }
            Need::Write(path) => beneath(rules, path, written())?,
            Need::Device(path) => {
                let rights = make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev});
                beneath(rules, path, rights)?
            }
            Need::Tcp(port) => rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?,
            Need::UnixSockets => rules,
        };
    }
    rules.all_threads(true)?.restrict_self()
}

/// What the TEE does in its own folder: no devices, sockets or links are made there, and no programs run.
fn written() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
    })
}

fn beneath(
    rules: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(opened) => {
            let folder = fs::metadata(path).is_ok_and(|found| found.is_dir());
            let of_file = AccessFs::from_file(ASKED);
            let rights = if folder { rights } else { rights & of_file };
            rules.add_rule(PathBeneath::new(opened, rights))
        }
        Err(error) => {
            // Confinement is tighter without it; whoever needs the path will say what that broke.
            tracing::warn!(%error, path = %path.display(), "the TEE can't be given access to what it needs");
            Ok(rules)
        }
    }
}

/// Threads that run without what was just enforced.
fn other_threads(status: &RestrictionStatus) -> usize {
    if status.all_threads {
        return 0;
    }
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    threads.saturating_sub(1)
}

fn all(state: &State) -> States {
    [
        Protection::FileAccess,
        Protection::Tcp,
        Protection::OtherProcesses,
    ]
    .map(|protection| (protection, state.clone()))
}

/// What a kernel with this Landlock makes of it, in a process with so many threads that were there before.
fn states(kernel: LandlockStatus, other_threads: usize) -> States {
    let abi = match kernel {
        LandlockStatus::NotImplemented => {
            return all(&State::Missing(
                "this kernel is built without Landlock, which Linux has since 5.13".into(),
            ));
        }
        LandlockStatus::NotEnabled => {
            return all(&State::Missing(
                "this kernel was started without Landlock: add it to lsm= on its command line"
                    .into(),
            ));
        }
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
    };
    if other_threads > 0 {
        return all(&State::Partial(format!(
            "{other_threads} threads were started before, and this kernel does not reach them"
        )));
    }
    let since = |first: ABI, what: &str, version: &str| {
        (abi < first).then(|| format!("{what} since Linux {version}"))
    };
    let files = [
        since(ABI::V3, "truncation is restricted", "6.2"),
        since(ABI::V5, "control of devices is", "6.10"),
    ];
    let files: Vec<String> = files.into_iter().flatten().collect();
    let files = if files.is_empty() {
        State::On
    } else {
        State::Partial(files.join(", "))
    };
    let missing = |problem: Option<String>| problem.map_or(State::On, State::Missing);
    [
        (Protection::FileAccess, files),
        (
            Protection::Tcp,
            missing(since(ABI::V4, "Landlock restricts TCP", "6.7")),
        ),
        (
            Protection::OtherProcesses,
            missing(since(ABI::V6, "Landlock restricts signals", "6.12")),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn available(effective_abi: ABI) -> LandlockStatus {
        LandlockStatus::Available {
            effective_abi,
            kernel_abi: None,
        }
    }

    fn names(states: &States) -> [&'static str; 3] {
        [&states[0].1, &states[1].1, &states[2].1].map(State::name)
    }

    #[test]
    fn each_kernel_gives_what_it_has() {
        for (abi, expected) in [
            (ABI::V1, ["partial", "missing", "missing"]),
            (ABI::V2, ["partial", "missing", "missing"]),
            (ABI::V3, ["partial", "missing", "missing"]),
            (ABI::V4, ["partial", "on", "missing"]),
            (ABI::V5, ["on", "on", "missing"]),
            (ABI::V6, ["on", "on", "on"]),
            (ABI::V7, ["on", "on", "on"]),
            (ABI::V10, ["on", "on", "on"]),
        ] {
            assert_eq!(names(&states(available(abi), 0)), expected, "{abi:?}");
        }
        for none in [LandlockStatus::NotEnabled, LandlockStatus::NotImplemented] {
            assert_eq!(names(&states(none, 0)), ["missing"; 3]);
        }
    }

    #[test]
    fn an_old_kernel_is_told_what_it_lacks() {
        let states = states(available(ABI::V2), 0);
        let problem = states[0].1.problem().unwrap();
        assert!(
            problem.contains("truncation") && problem.contains("6.10"),
            "{problem}"
        );
    }

    #[test]
    fn threads_that_were_there_before_count() {
        assert_eq!(names(&states(available(ABI::V7), 2)), ["partial"; 3]);
    }
}
