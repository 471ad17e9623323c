//! The processes of the demo: this very binary, started again in other roles.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};

use crate::failure::Failure;

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that ends when this is dropped.
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// The command line of this binary with `arguments`.
fn command(arguments: &[&str]) -> Result<Command, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find this program: {error}")))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

/// Runs a subcommand to its end and returns its standard output.
pub(super) async fn run(arguments: &[&str]) -> Result<Vec<u8>, Failure> {
    let output = command(arguments)?
        .output()
        .await
        .map_err(|error| Failure::new(format!("cannot start this program: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("tamarack {}: {}", arguments.join(" "), said.trim())))
}

impl Process {
    /// Starts a subcommand that serves; its output and log go to `NAME.log` in `folder`.
    pub(super) fn start(
        name: &'static str,
        folder: &Path,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        let log = folder.join(format!("{name}.log"));
        let fault = |error: std::io::Error| Failure::file(&log, error);
        let file = std::fs::File::create(&log).map_err(fault)?;
        let errors = file.try_clone().map_err(fault)?;
        let child = command(&["--verbose"])?
            .args(arguments)
            // Ctrl-C reaches the demo, which then ends its processes itself.
            .process_group(0)
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(|error| Failure::new(format!("cannot start the {name}: {error}")))?;
        Ok(Self { name, child, log })
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Waits until `ready` has an answer, or says why there is none.
    pub(super) async fn wait_until<T>(
        &mut self,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        loop {
            if let Some(answer) = ready() {
                return Ok(answer);
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || started.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                let last = said.trim().lines().last().unwrap_or("it said nothing").to_owned();
                return Err(Failure::new(format!("the {} did not start: {last}", self.name)));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What the process wrote so far.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends the process and waits until it is gone.
    pub(super) async fn stop(mut self) {
        // It is ours, it holds nothing that a crash could not take: no need to ask politely.
        let _ = self.child.kill().await;
    }
}
