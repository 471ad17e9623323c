//! Processes of this very binary in other roles, for the demo and the benchmarks.

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
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// The command line of this binary with `arguments`.
fn command(arguments: &[&str]) -> Result<Command, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find this program: {error}")))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// Runs a subcommand to its end and returns its standard output.
pub(crate) async fn run(arguments: &[&str]) -> Result<Vec<u8>, Failure> {
    let output = command(arguments)?
        .output()
        .await
        .map_err(|error| Failure::new(format!("cannot start this program: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!(
        "tamarack {}: {}",
        arguments.join(" "),
        said.trim()
    )))
}

/// A path as an argument.
pub(crate) fn path_text(path: &Path) -> Result<&str, Failure> {
    path.to_str()
        .ok_or_else(|| Failure::file(path, "the path is not UTF-8"))
}

impl Process {
    /// Starts a subcommand that serves; its output and log go to `NAME.log` in `folder`.
    pub(crate) fn start(
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

    /// Starts a TAM with its data in `dir` on a free loopback port, and returns its URL, without a path.
    pub(crate) async fn start_tam(folder: &Path, dir: &Path) -> Result<(Self, String), Failure> {
        let data = path_text(dir)?;
        // Everything comes from this machine, and as fast as it can.
        let unbounded = [
            "--rate-per-address",
            "0",
            "--rate",
            "0",
            "--connections-per-address",
            "900",
        ];
        let arguments = ["tam", "serve", "--data", data, "--listen", "127.0.0.1:0"];
        let arguments = [&arguments[..], &unbounded].concat();
        let mut tam = Self::start("tam", folder, &arguments)?;
        let log = tam.log.clone();
        let url = tam
            .wait_until(|| {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let line = said
                    .lines()
                    .find_map(|line| line.split_once("TAM on "))?
                    .1
                    .to_owned();
                Some(line.split_once("/tam")?.0.to_owned())
            })
            .await?;
        let token = dir.join("admin.token");
        tam.wait_until(|| token.exists().then_some(())).await?;
        Ok((tam, url))
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Waits until `ready` has an answer, or says why there is none.
    pub(crate) async fn wait_until<T>(
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
                let last = said
                    .trim()
                    .lines()
                    .last()
                    .unwrap_or("it said nothing")
                    .to_owned();
                return Err(Failure::new(format!(
                    "the {} did not start: {last}",
                    self.name
                )));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the process and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        // It is ours, it holds nothing that a crash could not take: no need to ask politely.
        let _ = self.child.kill().await;
    }
}
