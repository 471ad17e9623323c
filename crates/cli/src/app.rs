//! `tamarack app`: what an application on the device does, over the broker's socket.

use std::{io::Write, path::PathBuf};

use base64ct::{Base64, Encoding};
use clap::{Args, Subcommand};
use reqwest::Client;
use tamarack_broker::api::{
    CommandResult, ComponentRequest, Components, Invocation, Outcome, TeeRequirements, Tees,
};

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
    Invoke(Invoke),
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
    #[command(flatten)]
    which: Which,
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
        self.post("request", &wish(component)).await
    }

    async fn post(&self, path: &str, body: &ComponentRequest) -> Result<Outcome, Failure> {
        http::json(self.client.post(Self::url(path)).json(body), &self.peer).await
    }

    async fn tees(&self) -> Result<Tees, Failure> {
        http::json(self.client.get(Self::url("tees")), &self.peer).await
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
        self.invoke_in(component, command, input, None).await
    }

    /// The same in one of several TEEs.
    async fn invoke_in(
        &self,
        component: &str,
        command: u32,
        input: &[u8],
        tee: Option<TeeRequirements>,
    ) -> Result<(u32, Vec<u8>), Failure> {
        let body = Invocation {
            component: component.to_owned(),
            command,
            input_text: None,
            input_base64: Some(Base64::encode_string(input)),
            tee,
        };
        let request = self.client.post(Self::url("invoke")).json(&body);
        let result: CommandResult = http::json(request, &self.peer).await?;
        let output = Base64::decode_vec(&result.output_base64)
            .map_err(|_| Failure::new(format!("{} gave output that is not base64", self.peer)))?;
        Ok((result.result, output))
    }
}

/// A wish without any preference.
fn wish(component: &str) -> ComponentRequest {
    ComponentRequest {
        component: component.to_owned(),
        tam_uri: None,
        tee: None,
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
        let api = LocalApi::new(&self.socket)?;
        block_on(async {
            match self.command {
                Command::Request(wish) => {
                    let wish = wish.body();
                    let component = &wish.component;
                    let outcome = api.post("request", &wish).await?;
                    output.result(&outcome, || match outcome.installed {
                        Some(true) => format!("{GOOD}{component} is installed{GOOD:#}"),
                        _ => format!("{component} was requested; the TAM has not installed it"),
                    });
                }
                Command::Unrequest(wish) => {
                    let wish = wish.body();
                    let component = &wish.component;
                    let outcome = api.post("unrequest", &wish).await?;
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
                Command::Tees => tees(&api, output).await?,
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

async fn tees(api: &LocalApi, output: Output) -> Result<(), Failure> {
    let list = api.tees().await?;
    output.result(&list, || {
        let row = |tee: &tamarack_broker::api::Tee| {
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

impl Invoke {
    async fn run(self, api: &LocalApi, output: Output) -> Result<(), Failure> {
        let input = match (self.input, self.input_file) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(file)) => files::read(&file)?,
            (None, None) => Vec::new(),
        };
        let (result, bytes) = api
            .invoke_in(
                &self.component,
                self.command,
                &input,
                self.which.requirements(),
            )
            .await?;
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
