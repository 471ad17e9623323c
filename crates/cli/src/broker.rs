//! `tamarack broker`: run a broker.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use crate::{block_on, failure::Failure, output::Output, signals::stop_requested, trace};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Carry messages between a TEE and a TAM, and serve applications on a socket, until stopped.
    Serve(Serve),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// The socket of the TEE, as given to `tamarack tee serve`.
    #[arg(long, value_name = "PATH")]
    tee: PathBuf,
    /// The TEEP endpoint of a TAM, such as https://tam.example/tam. The agent decides whether to trust it.
    #[arg(long, value_name = "URL")]
    tam: String,
    /// The socket for applications.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// Seconds between policy checks.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    policy_interval: u64,
    #[command(flatten)]
    trace: trace::Options,
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let Self::Serve(serve) = self;
        if !serve.tam.starts_with("http://") && !serve.tam.starts_with("https://") {
            return Err(
                Failure::new(format!("--tam {}: not an http or https URL", serve.tam)).hint(
                    "give the TEEP endpoint with its path, for example http://127.0.0.1:8080/tam",
                ),
            );
        }
        let announcement = format!("serving applications on {}", serve.socket.display());
        let config = tamarack_broker::Config {
            tee: serve.tee,
            tam_uri: serve.tam,
            socket: serve.socket,
            policy_interval: Duration::from_secs(serve.policy_interval),
            trace: serve.trace.settings(),
        };
        block_on(async {
            let server = tamarack_broker::Server::open(config)?;
            output.text(&announcement);
            Ok(server.serve(stop_requested()).await?)
        })
    }
}
