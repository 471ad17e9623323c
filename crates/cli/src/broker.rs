//! `tamarack broker`: run a broker.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use tamarack_broker::{Config, Server, Transport};

use crate::{block_on, failure::Failure, output::Output, signals::stop_requested, trace};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Carry messages between TEEs and TAMs, and serve applications on a socket, until stopped.
    Serve(Serve),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// The socket of a TEE, as given to `tamarack tee serve`. May be given several times: an application that
    /// has no preference gets the first that suits it.
    #[arg(long, value_name = "PATH", required = true)]
    tee: Vec<PathBuf>,
    /// The TEEP endpoint of a TAM, such as https://tam.example/tam, for a device that was provisioned with none
    /// (`tamarack tee trust --tam-key FILE=URI`). May be given several times. The agent decides whom it trusts.
    #[arg(long, value_name = "URL")]
    tam: Vec<String>,
    /// The socket for applications.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// The group whose members can connect to the socket, by name or number. What they may do there, --permissions says.
    #[arg(long, value_name = "GROUP")]
    socket_group: Option<String>,
    /// Which users and groups may do what with which components: a JSON file. It is read again when it changes, and on
    /// SIGHUP. Without it, only root and the user of this process may do anything.
    #[arg(long, value_name = "FILE")]
    permissions: Option<PathBuf>,
    /// Sessions that one user may have open at a time.
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    sessions_per_user: u32,
    /// A Verifier, for TAMs that want an Attestation Result in the place of Evidence: where it takes Evidence.
    #[arg(long, value_name = "URL")]
    verifier: Option<String>,
    /// Certificates of authorities whose TAMs and payload servers are trusted, beside those of the system: a PEM
    /// file. May be given several times.
    #[arg(long, value_name = "FILE")]
    tam_ca: Vec<PathBuf>,
    /// Trust the authorities of --tam-ca only, not those of the system.
    #[arg(long, requires = "tam_ca")]
    tam_ca_only: bool,
    /// An HTTP proxy to reach TAMs and payload servers through, except those that NO_PROXY lists. Without it the
    /// environment says: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Exchanges that applications may cause in a minute; 0 for any number.
    #[arg(long, value_name = "NUMBER", default_value_t = 240)]
    requests_per_minute: u32,
    /// Take messages that a TAM brings of its own accord (`tamarack admin contact`), on /teep, or on /teep/NAME
    /// where there are several TEEs.
    #[arg(long, value_name = "HOST:PORT")]
    listen_for_tam: Option<String>,
    /// Seconds between policy checks, give or take a tenth.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..))]
    policy_interval: u64,
    #[command(flatten)]
    trace: trace::Options,
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let Self::Serve(serve) = self;
        for tam in &serve.tam {
            if !tam.starts_with("http://") && !tam.starts_with("https://") {
                return Err(
                    Failure::new(format!("--tam {tam}: not an http or https URL")).hint(
                        "give the TEEP endpoint with its path, for example http://127.0.0.1:8080/tam",
                    ),
                );
            }
        }
        let announcement = format!("serving applications on {}", serve.socket.display());
        let config = Config {
            tees: serve.tee,
            tam_uris: serve.tam,
            socket: serve.socket,
            socket_group: serve.socket_group,
            permissions: serve.permissions,
            sessions_per_user: serve.sessions_per_user as usize,
            policy_interval: Duration::from_secs(serve.policy_interval),
            verifier: serve.verifier,
            transport: Transport {
                authorities: serve.tam_ca,
                only_those: serve.tam_ca_only,
                proxy: serve.proxy,
            },
            requests_per_minute: serve.requests_per_minute,
            listen_for_tam: serve.listen_for_tam,
            trace: serve.trace.settings(),
            ..Config::default()
        };
        block_on(async {
            let server = Server::open(config).await?;
            let announcement = match server.tam_address() {
                Some(address) => format!("{announcement}, TAMs on http://{address}/teep"),
                None => announcement,
            };
            output.text(&announcement);
            Ok(server.serve(stop_requested()).await?)
        })
    }
}
