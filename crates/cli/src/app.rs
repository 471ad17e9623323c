//! `tamarack app`: what an application on the device does, over the broker's socket.

use std::{io::Write, path::PathBuf};

use base64ct::{Base64, Encoding};
use clap::{Args, Subcommand};
use reqwest::Client;
use tamarack_broker::api::{CommandResult, ComponentRequest, Components, Invocation, Outcome};

use crate::{
    block_on,
    failure::Failure,
    files, http,
    output::{GOOD, Output, table},
};

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
    Request {
        /// The component identifier, such as acme/hello.
        component: String,
    },
    /// Say that a component is no longer needed. A TAM decides whether it goes.
    Unrequest {
        /// The component identifier, such as acme/hello.
        component: String,
    },
    /// List what is installed in the TEE.
    List,
    /// Ask the TAM for changes now, without waiting for the next periodic check.
    PolicyCheck,
    /// Invoke a command of a trusted application and print its output.
    Invoke(Invoke),
}

#[derive(Args)]
struct Invoke {
    /// The component identifier, such as acme/hello.
    component: String,
    /// The command, a number that the trusted application gives meaning.
    command: u32,
    /// Input as text.
    #[arg(long, short, conflicts_with = "input_file")]
    input: Option<String>,
    /// Input from a file, `-` for standard input.
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
}

/// The broker's local API as a client sees it.
#[derive(Clone)]
pub(crate) struct LocalApi {
    client: Client,
    peer: String,
}

impl LocalApi {
    pub(crate) fn new(socket: &std::path::Path) -> Result<Self, Failure> {
        let peer = format!("the broker on {}", socket.display());
        Ok(Self {
            client: http::unix_client(socket)?,
            peer,
        })
    }

    // The host is a name for the sake of HTTP; the socket is where the request goes.
    fn url(path: &str) -> String {
        format!("http://broker/v1/{path}")
    }

    pub(crate) async fn list(&self) -> Result<Components, Failure> {
        http::json(self.client.get(Self::url("components")), &self.peer).await
    }

    pub(crate) async fn request(&self, component: &str) -> Result<Outcome, Failure> {
        self.post_component("request", component).await
    }

    pub(crate) async fn unrequest(&self, component: &str) -> Result<Outcome, Failure> {
        self.post_component("unrequest", component).await
    }

    async fn post_component(&self, path: &str, component: &str) -> Result<Outcome, Failure> {
        let body = ComponentRequest {
            component: component.to_owned(),
        };
        http::json(self.client.post(Self::url(path)).json(&body), &self.peer).await
    }

    pub(crate) async fn policy_check(&self) -> Result<Outcome, Failure> {
        http::json(self.client.post(Self::url("policy-check")), &self.peer).await
    }

    /// Invokes a command in a session of its own.
    pub(crate) async fn invoke(
        &self,
        component: &str,
        command: u32,
        input: &[u8],
    ) -> Result<(u32, Vec<u8>), Failure> {
        let body = Invocation {
            component: component.to_owned(),
            command,
            input_text: None,
            input_base64: Some(Base64::encode_string(input)),
        };
        let request = self.client.post(Self::url("invoke")).json(&body);
        let result: CommandResult = http::json(request, &self.peer).await?;
        let output = Base64::decode_vec(&result.output_base64)
            .map_err(|_| Failure::new(format!("{} gave output that is not base64", self.peer)))?;
        Ok((result.result, output))
    }
}

impl Arguments {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let api = LocalApi::new(&self.socket)?;
        block_on(async {
            match self.command {
                Command::Request { component } => {
                    let outcome = api.request(&component).await?;
                    output.result(&outcome, || match outcome.installed {
                        Some(true) => format!("{GOOD}{component} is installed{GOOD:#}"),
                        _ => format!("{component} was requested; the TAM has not installed it"),
                    });
                }
                Command::Unrequest { component } => {
                    let outcome = api.unrequest(&component).await?;
                    output.result(&outcome, || match outcome.installed {
                        Some(true) => format!("{component} is still wanted by the TAM and stays"),
                        _ => format!("{component} is not installed"),
                    });
                }
                Command::PolicyCheck => {
                    let outcome = api.policy_check().await?;
                    output.result(&outcome, || format!("{} TAM asked", outcome.exchanges));
                }
                Command::List => list(&api, output).await?,
                Command::Invoke(invoke) => invoke.run(&api, output).await?,
            }
            Ok(())
        })
    }
}

async fn list(api: &LocalApi, output: Output) -> Result<(), Failure> {
    let list = api.list().await?;
    output.result(&list, || {
        if list.components.is_empty() {
            return "nothing is installed".into();
        }
        let row = |c: &tamarack_broker::api::Component| {
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

impl Invoke {
    async fn run(self, api: &LocalApi, output: Output) -> Result<(), Failure> {
        let input = match (self.input, self.input_file) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(file)) => files::read(&file)?,
            (None, None) => Vec::new(),
        };
        let (result, bytes) = api.invoke(&self.component, self.command, &input).await?;
        if output.is_json() {
            let value = serde_json::json!({
                "result": result,
                "output_base64": Base64::encode_string(&bytes),
                "output_text": std::str::from_utf8(&bytes).ok(),
            });
            output.result(&value, String::new);
        } else if let Ok(text) = std::str::from_utf8(&bytes) {
            output.text(text);
        } else {
            // Raw bytes, for a file or another program.
            std::io::stdout()
                .write_all(&bytes)
                .map_err(|error| Failure::new(format!("standard output: {error}")))?;
        }
        match result {
            0 => Ok(()),
            code => Err(Failure::new(format!(
                "command {} of {} returned {code:#010x}",
                self.command, self.component
            ))),
        }
    }
}
