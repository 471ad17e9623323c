//! What the kernel really makes of the hardening: each attempt is a process of its own, which confines itself as the TEE does
//! and then tries something.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod attempts;

use std::{
    env,
    net::TcpListener,
    os::unix::{net::UnixListener, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
};

use attempts::{ATTEMPTS, Attempt};
use nix::{libc, sys::signal::Signal};
use tamarack_tee::hardening::{Hardening, Protection, Report, State};

/// What a process has to try with.
struct Scene {
    /// The data folder, in a folder with other things.
    data: PathBuf,
    /// A TCP port on which somebody listens.
    port: u16,
    /// Another one.
    other_port: u16,
    /// The process that waits for this one.
    parent: i32,
}

impl Scene {
    /// A socket in the file system at which somebody listens.
    fn socket(&self) -> PathBuf {
        self.data.with_file_name("listening")
    }
}

/// What must come of an attempt.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Works,
    /// Refused with this error.
    Refused(i32),
    /// Refused with this error where the kernel has what this protection needs.
    RefusedBy(Protection, i32),
    /// It ends the process with this signal.
    Ends(Signal),
}

/// How an attempt tells that this kernel can't refuse it.
const CANT: i32 = 250;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["attempt", name, data, port, other_port] => {
            let scene = Scene {
                data: data.into(),
                port: port.parse().unwrap(),
                other_port: other_port.parse().unwrap(),
                parent: nix::unistd::getppid().as_raw(),
            };
            let found = ATTEMPTS.iter().find(|attempt| attempt.name == *name);
            found.unwrap().perform(&scene)
        }
        // What a runner of tests passes does not matter: they run all, and fast.
        _ => perform_all(),
    }
}

fn perform_all() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let [tcp, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [port, other_port] = [&tcp, &other].map(|found| found.local_addr().unwrap().port());
    let scene = Scene {
        data: folder.path().join("data"),
        port,
        other_port,
        parent: 0,
    };
    let _unix = UnixListener::bind(scene.socket()).unwrap();
    let mut failed = 0;
    for attempt in ATTEMPTS {
        let status = Command::new(env::current_exe().unwrap())
            .args(["attempt", attempt.name])
            .arg(&scene.data)
            .args([port, other_port].map(|port| port.to_string()))
            .status()
            .unwrap();
        let verdict = judge(attempt.expected, status);
        println!("{} ... {verdict}", attempt.name);
        failed += usize::from(verdict.starts_with("FAILED"));
    }
    println!(
        "{} attempts, {failed} with another outcome than expected",
        ATTEMPTS.len()
    );
    ExitCode::from(u8::from(failed > 0))
}

fn judge(expected: Outcome, status: ExitStatus) -> String {
    let wanted = match expected {
        Outcome::Works => (Some(0), None),
        Outcome::Refused(error) | Outcome::RefusedBy(_, error) => (Some(error), None),
        Outcome::Ends(signal) => (None, Some(signal as i32)),
    };
    match (expected, status.code()) {
        (Outcome::RefusedBy(protection, _), Some(CANT)) => {
            format!("SKIPPED: this kernel can't: {}", protection.meaning())
        }
        _ if wanted == (status.code(), status.signal()) => "ok".into(),
        _ => format!("FAILED: {expected:?} was expected, not {status}"),
    }
}

impl Attempt {
    /// Confines this process and tries; the code is the number of the error.
    fn perform(&self, scene: &Scene) -> ExitCode {
        tamarack_tee::hardening::private_folder(&scene.data).unwrap();
        let needs = (self.before)(scene);
        let report = Hardening::begin().confine(&scene.data, &needs);
        for protection in self.lacking {
            assert!(!has(&report, *protection), "{report:?}");
        }
        let filtered = !self.lacking.contains(&Protection::SystemCalls);
        assert_eq!(
            has(&report, Protection::SystemCalls),
            filtered,
            "{report:?}"
        );
        if let Outcome::RefusedBy(protection, _) = self.expected
            && !has(&report, protection)
        {
            return ExitCode::from(u8::try_from(CANT).unwrap());
        }
        match (self.act)(scene) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let number = error.raw_os_error().unwrap_or(CANT + 1);
                ExitCode::from(u8::try_from(number).unwrap())
            }
        }
    }
}

fn has(report: &Report, protection: Protection) -> bool {
    report
        .iter()
        .any(|(found, state)| found == protection && !matches!(state, State::Missing(_)))
}

/// A path beside the data folder, not in it.
fn outside(scene: &Scene, name: &str) -> PathBuf {
    let folder = scene.data.parent().unwrap_or(Path::new("/"));
    folder.join(name)
}

/// The call is answered as by a kernel without it.
const NOT_THERE: Outcome = Outcome::Refused(libc::ENOSYS);

/// It ends the process at once.
const ENDS: Outcome = Outcome::Ends(Signal::SIGSYS);
