//! `tamarack app`: what an application on the device does, over the broker's socket.

mod argument;
mod form;
mod local_api;
mod session;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tamarack_client::{
    Client, Error,
    api::{ComponentRequest, Outcome, TeeRequirements},
};

use crate::{
    failure::Failure,
    output::{BAD, GOOD, Output, table},
};

pub(crate) use local_api::LocalApi;

/// Use trusted applications, as an application on the device does.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The broker's socket, as given to `tamarack broker serve`.
    #[arg(long, value_name = "PATH", env = "TAMARACK_APP_SOCKET")]
    socket: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ask for a component. A TAM decides whether the device gets it.
    Request(Wish),
    /// Say that a component is no longer needed. A TAM decides whether it goes.
    Unrequest(Wish),
    /// List what is installed in the TEEs.
    List,
    /// List the TEEs of the device.
    Tees,
    /// Ask the TAM for changes now, without waiting for the next periodic check.
    PolicyCheck,
    /// Invoke a command of a trusted application and print its output.
    Invoke(session::Invoke),
    /// Invoke a command of a trusted application with input and output of any length: from standard input to standard
    /// output, or from file to file.
    Stream(session::Stream),
    #[command(subcommand)]
    Session(session::Command),
}

#[derive(Args)]
struct Wish {
    /// The component identifier, such as acme/hello.
    component: String,
    /// The TAM that has it. It counts if the device knows it.
    #[arg(long, value_name = "URL")]
    tam: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// Which of several TEEs will do.
#[derive(Args)]
#[command(next_help_heading = "Which TEE")]
struct Which {
    /// The one of this name.
    #[arg(long, value_name = "NAME")]
    tee: Option<String>,
    /// One on this platform.
    #[arg(long, value_name = "NAME")]
    platform: Option<String>,
    /// One of this vendor.
    #[arg(long, value_name = "UUID")]
    vendor: Option<String>,
    /// One of this class.
    #[arg(long, value_name = "UUID")]
    class: Option<String>,
    /// One that can do this, such as webassembly. May be given several times.
    #[arg(long, value_name = "NAME")]
    capability: Vec<String>,
}

impl Which {
    fn requirements(self) -> Option<TeeRequirements> {
        let requirements = TeeRequirements {
            name: self.tee,
            platform: self.platform,
            vendor: self.vendor,
            class: self.class,
            capabilities: self.capability,
        };
        (requirements != TeeRequirements::default()).then_some(requirements)
    }
}

/// The result of a command and its output; a result other than success has none.
fn result_and_output(outcome: Result<Vec<u8>, Error>) -> Result<(u32, Vec<u8>), Error> {
    match outcome {
        Ok(output) => Ok((0, output)),
        Err(Error::Command { result, .. }) => Ok((result, Vec::new())),
        Err(error) => Err(error),
    }
}

impl Wish {
    fn body(self) -> ComponentRequest {
        ComponentRequest {
            component: self.component,
            tam_uri: self.tam,
            tee: self.which.requirements(),
        }
    }
}

impl Arguments {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let client = Client::new(self.socket);
        match self.command {
            Command::Request(wish) => {
                let wish = wish.body();
                let component = &wish.component;
                let outcome = client.request(&wish)?;
                output.result(&outcome, || {
                    let said = match outcome.installed {
                        Some(true) => format!("{GOOD}{component} is installed{GOOD:#}"),
                        _ => format!("{component} was requested; the TAM has not installed it"),
                    };
                    with_refusals(said, &outcome)
                });
            }
            Command::Unrequest(wish) => {
                let wish = wish.body();
                let component = &wish.component;
                let outcome = client.unrequest(&wish)?;
                output.result(&outcome, || match outcome.installed {
                    Some(true) => format!("{component} is still wanted by the TAM and stays"),
                    _ => format!("{component} is not installed"),
                });
            }
            Command::PolicyCheck => {
                let outcome = client.check_policy()?;
                output.result(&outcome, || {
                    let said = match outcome.exchanges {
                        1 => "1 exchange with a TAM".to_owned(),
                        count => format!("{count} exchanges with TAMs"),
                    };
                    with_refusals(said, &outcome)
                });
            }
            Command::List => list(&client, output)?,
            Command::Tees => tees(&client, output)?,
            Command::Invoke(invoke) => invoke.run(&client, output)?,
            Command::Stream(stream) => stream.run(&client, output)?,
            Command::Session(command) => command.run(&client, output)?,
        }
        Ok(())
    }
}

/// What was done, and below it what was refused.
fn with_refusals(mut said: String, outcome: &Outcome) -> String {
    for refusal in &outcome.refusals {
        said += &format!("\n{BAD}refused{BAD:#} {refusal}");
    }
    said
}

fn list(client: &Client, output: Output) -> Result<(), Failure> {
    let list = client.components()?;
    output.result(&list, || {
        if list.components.is_empty() {
            return "nothing is installed".into();
        }
        let row = |c: &tamarack_client::api::Component| {
            let digest: String = c.digest.chars().take(12).collect();
            let domain = if c.domain.is_empty() { "-" } else { &c.domain };
            vec![
                c.component.clone(),
                c.kind.clone(),
                domain.to_owned(),
                c.sequence_number.to_string(),
                c.size.to_string(),
                digest,
            ]
        };
        let header = [
            "COMPONENT",
            "KIND",
            "DOMAIN",
            "SEQUENCE",
            "BYTES",
            "SHA-256",
        ];
        table(
            &header,
            &list.components.iter().map(row).collect::<Vec<_>>(),
        )
    });
    Ok(())
}

fn tees(client: &Client, output: Output) -> Result<(), Failure> {
    let list = client.tees()?;
    output.result(&list, || {
        let row = |tee: &tamarack_client::api::Tee| {
            vec![
                tee.name.clone(),
                tee.platform.clone(),
                tee.version.clone(),
                tee.capabilities.join(" "),
                tee.tam_uris.join(" "),
            ]
        };
        let rows: Vec<_> = list.tees.iter().map(row).collect();
        let mut text = table(&["NAME", "PLATFORM", "VERSION", "CAN DO", "TAMS"], &rows);
        for problem in &list.unreachable {
            text += &format!("\n{problem}");
        }
        text
    });
    Ok(())
}
