use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use super::tamarack;

/// How long anything may take before a test gives up: far longer than it takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
///
/// # Panics
///
/// If there is none in the end.
#[track_caller]
pub fn eventually<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// A process of the binary that serves. It ends when this is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; what it says goes to `NAME.log` in `folder`.
    #[must_use]
    pub fn start(name: &str, folder: &Path, arguments: &[&str]) -> Self {
        Self::start_in(&[], name, folder, arguments)
    }

    /// The same with these variables in its environment.
    #[must_use]
    pub fn start_in(
        environment: &[(&str, &str)],
        name: &str,
        folder: &Path,
        arguments: &[&str],
    ) -> Self {
        let mut command = tamarack(arguments);
        command.envs(environment.iter().copied());
        Self::spawn(name, folder, command)
    }

    /// Starts this command in the same way.
    #[must_use]
    pub fn spawn(name: &str, folder: &Path, mut command: Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = command
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it, and those before it under the same name, have said.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until `ready` has an answer; fails early if the process ends.
    #[track_caller]
    pub fn wait_until<T>(&mut self, what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
        eventually(what, || {
            let answer = ready();
            if answer.is_none() {
                let ended = self.child.try_wait().unwrap();
                let said = || fs::read_to_string(&self.log).unwrap_or_default();
                assert!(
                    ended.is_none(),
                    "{what}: the process ended ({ended:?}): {}",
                    said()
                );
            }
            answer
        })
    }

    /// Ends the process as a crash or a power failure would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop, and waits until it has.
    #[track_caller]
    pub fn stop(mut self) -> ExitStatus {
        signal(self.id(), "TERM");
        eventually("the process stops", || self.child.try_wait().unwrap())
    }

    /// A line of its `/proc/PID/status`.
    #[must_use]
    #[track_caller]
    pub fn status(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().to_owned()
    }

    fn number(&self, name: &str) -> u64 {
        let status = self.status(name);
        status.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The memory that it has in use, in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        self.number("VmRSS")
    }

    /// The most memory that it had in use, in KiB.
    #[must_use]
    pub fn peak_kib(&self) -> u64 {
        self.number("VmHWM")
    }

    /// Says that it writes no core dump, and can't change that.
    #[track_caller]
    pub fn assert_no_core_dump(&self) {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.id())).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let core: Vec<_> = core.unwrap().split_whitespace().collect();
        assert_eq!(core[4..6], ["0", "0"], "{limits}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the tests run as root, who can run processes of other users.
#[must_use]
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

/// Sends a signal, such as `INT`, to a process. The shell's own `kill` is there on every machine.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .status();
    assert!(sent.unwrap().success());
}

/// The state letter and the parent of a process, if there is such a process.
fn stat(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// Whether a process is running. One that ended and that nobody has waited for is not.
#[must_use]
pub fn alive(process: u32) -> bool {
    stat(process).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// The running children of a process.
#[must_use]
pub fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    processes
        .filter(|process| stat(*process).is_some_and(|(_, found)| found == parent))
        .filter(|process| alive(*process))
        .collect()
}
