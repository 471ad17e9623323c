//! `tamarack demo`: one Trusted Application's whole life, on real processes.

mod mallory;
mod steps;
mod world;

use std::{
    future::Future,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;

use crate::{
    block_on,
    failure::Failure,
    output::{BAD, DIM, GOOD, Output},
    signals::stop_requested,
};
use steps::Step;
use world::World;

/// Walk a trusted application through its whole life, on this machine, in seconds.
///
/// Starts a TAM, a TEE and a broker as processes of their own on free loopback ports, has a device enrolled
/// and attested, a provider given a security domain, an application installed, invoked, updated,
/// personalised, attacked in four ways, and deleted. Stops what it started.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Keep everything that the demo makes in this folder: keys, manifests, databases, logs.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// How a step ended.
struct Report {
    name: &'static str,
    outcome: Result<String, Failure>,
    took: Duration,
}

impl Report {
    /// Runs a step and takes its time.
    async fn of(name: &'static str, step: impl Future<Output = Result<String, Failure>>) -> Self {
        let started = Instant::now();
        let outcome = step.await;
        Self {
            name,
            outcome,
            took: started.elapsed(),
        }
    }

    fn print(&self, output: Output) {
        let ok = self.outcome.is_ok();
        let detail = match &self.outcome {
            Ok(detail) => detail.clone(),
            Err(failure) => failure.to_string(),
        };
        let ms = self.took.as_millis();
        let (mark, style) = if ok { ("✓", GOOD) } else { ("✗", BAD) };
        let name = self.name;
        output.text(&format!(
            "{style}{mark}{style:#} {name:<21} {detail} {DIM}{ms} ms{DIM:#}"
        ));
        output.event(&json!({ "step": name, "ok": ok, "ms": ms, "detail": detail }));
    }
}

impl Arguments {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let folder = Folder::new(self.keep)?;
        let kept = folder.kept().map(std::path::Path::to_owned);
        output.text(
            "A TEE is a part of a device that the rest of the device cannot look into.\n\
             This walks one trusted application through its life in such a place:\n",
        );
        let outcome = block_on(async {
            tokio::select! {
                // The signals are listened for before the first process is started.
                biased;
                () = stop_requested() => Err(Failure::new("stopped; the processes are gone")),
                outcome = walk(folder.path(), output) => outcome,
            }
        });
        if let Some(kept) = kept {
            output.text(&format!(
                "\nkeys, manifests, databases and logs are in {}",
                kept.display()
            ));
        }
        outcome?;
        output.text("\ndemo: ok");
        output.event(&json!({ "step": "demo", "ok": true, "detail": "demo: ok" }));
        Ok(())
    }
}

/// Walks all steps; dropping the world ends the processes.
async fn walk(folder: &std::path::Path, output: Output) -> Result<(), Failure> {
    let mut world = None;
    let report = Report::of("start", async {
        let (started, detail) = World::start(folder).await?;
        world = Some(started);
        Ok(detail)
    })
    .await;
    report.print(output);
    report.outcome?;
    let Some(mut world) = world else {
        return Ok(());
    };
    for step in Step::ALL {
        let report = Report::of(step.name(), step.take(&mut world)).await;
        report.print(output);
        report.outcome?;
    }
    world.stop().await;
    Ok(())
}

/// Where the demo's files go: a folder that is kept, or one that is not.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn new(keep: Option<PathBuf>) -> Result<Self, Failure> {
        match keep {
            None => {
                let made = tempfile::Builder::new().prefix("tamarack-demo-").tempdir();
                Ok(Self::Temporary(made.map_err(|error| {
                    Failure::new(format!("cannot make a temporary folder: {error}"))
                })?))
            }
            Some(folder) => {
                let fault = |error: std::io::Error| Failure::file(&folder, error);
                std::fs::create_dir_all(&folder).map_err(fault)?;
                if std::fs::read_dir(&folder).map_err(fault)?.next().is_some() {
                    return Err(Failure::file(&folder, "the folder is not empty")
                        .hint("give --keep a folder that does not exist yet"));
                }
                let absolute = folder.canonicalize().map_err(fault)?;
                Ok(Self::Kept(absolute))
            }
        }
    }

    fn path(&self) -> &std::path::Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }

    fn kept(&self) -> Option<&std::path::Path> {
        match self {
            Self::Kept(path) => Some(path),
            Self::Temporary(_) => None,
        }
    }
}
