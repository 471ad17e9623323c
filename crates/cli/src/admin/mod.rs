//! `tamarack admin`: operate a TAM over its admin API.

mod certificates;
mod client;
pub(crate) mod show;
mod tokens;

use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use clap::{Args, Subcommand};
use tamarack_cose::{PublicKey, aws_lc};
use tamarack_rats::Endorsement;
use tamarack_tam::api;

use crate::{
    block_on,
    failure::Failure,
    files,
    key_file::read_public,
    output::{GOOD, Output},
};

pub(crate) use client::AdminApi;

/// Operate a TAM: devices, components, domains, deployments, audit.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The TAM, such as http://127.0.0.1:8080.
    #[arg(long, value_name = "URL", env = "TAMARACK_TAM")]
    tam: String,
    /// The file with a token: `admin.token` in the TAM's data folder, or one that `token create` made.
    #[arg(long, value_name = "FILE", env = "TAMARACK_TOKEN_FILE")]
    token_file: PathBuf,
    /// Certificates of authorities that vouch for the TAM, beside those of the system: a PEM file.
    #[arg(long, value_name = "FILE", env = "TAMARACK_TAM_CA")]
    tam_ca: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Enroll a device, from the endorsement that its maker gives (`tamarack tee endorsement`).
    Enroll {
        /// The endorsement, a JSON file; `-` for standard input.
        endorsement: PathBuf,
    },
    /// Forget a device. What is installed on it stays there.
    Unenroll {
        /// The device's id, in hexadecimal.
        ueid: String,
    },
    /// Publish signed manifests. The TAM takes them if their signer owns what they install.
    Publish {
        /// The envelopes.
        #[arg(required = true)]
        envelopes: Vec<PathBuf>,
    },
    /// Withdraw published manifests. Devices remove what they installed at their next contact.
    Withdraw {
        /// The identifier of the manifest, or of a component that it installs.
        #[arg(required = true)]
        components: Vec<String>,
    },
    /// Tokens of people who may do a part of what the administrator may.
    #[command(subcommand)]
    Token(tokens::Token),
    /// Security domains: who may publish what.
    #[command(subcommand)]
    Domain(Domain),
    /// Have a component on all devices that a selector names.
    Deploy {
        /// The component identifier, such as acme/hello.
        component: String,
        /// Which devices: `all`, `ueid=HEX`, or labels such as `site=lab,ring=canary`.
        #[arg(long, value_name = "SELECTOR", default_value = "all")]
        to: String,
        /// Only on devices on which an application asks for it.
        #[arg(long)]
        on_request: bool,
    },
    /// End deployments of a component. Devices remove it, and what it stored, at their next contact.
    Undeploy {
        /// The component identifier.
        component: String,
        /// Only the deployment to this selector.
        #[arg(long, value_name = "SELECTOR")]
        to: Option<String>,
    },
    /// List deployments.
    Deployments,
    /// List devices.
    Devices,
    /// Have the TAM contact a device that listens (`tamarack broker serve --listen-for-tam`), now.
    Contact {
        /// The device's id, in hexadecimal.
        ueid: String,
        /// Where the device listens, such as http://device.example:8123/teep.
        #[arg(long, value_name = "URL")]
        uri: String,
    },
    /// Show all that is known about a device.
    Device {
        /// The device's id, in hexadecimal.
        ueid: String,
    },
    Revoke(certificates::Revoke),
    /// List what is revoked.
    Revocations,
    /// Take a revocation back.
    Reinstate {
        /// The id of the revocation, as `revocations` lists it.
        id: String,
    },
    /// Makers of devices, whose certificates make devices known without an endorsement of each.
    #[command(subcommand)]
    Maker(certificates::Maker),
    /// List published manifests.
    Components,
    /// Show what was decided last, and why.
    Audit {
        /// Only what came after this record.
        #[arg(long, value_name = "ID")]
        after: Option<i64>,
        /// At most so many records.
        #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

#[derive(Subcommand)]
enum Domain {
    /// Create a domain, or change its keys.
    Create {
        /// Its name; PARENT/NAME for one that is in another.
        name: String,
        /// The prefix of the component identifiers that it owns; empty for what no other domain owns.
        #[arg(long, value_name = "ID")]
        prefix: String,
        /// A public key whose holder may publish in the domain. May be given several times.
        #[arg(long, value_name = "FILE", required = true)]
        signer_key: Vec<PathBuf>,
        /// The domain's own manifest, which devices install before anything else of the domain.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// The public key of the device administrator who signed that manifest. A domain that is in another one
        /// needs none if a signer of that one did.
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
    },
    /// List the domains.
    List,
    /// Show a domain.
    Show {
        /// Its name.
        name: String,
    },
    /// Remove a domain from the devices and then from the TAM.
    ///
    /// What is published in it has to be withdrawn before. Devices that hold the domain remove it at their next
    /// contact; to remove it again once they have done so ends it.
    Remove {
        /// Its name.
        name: String,
    },
}

impl Arguments {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let token = files::read_text(&self.token_file)?;
        let api = AdminApi::new(&self.tam, token.trim(), self.tam_ca.as_deref())?;
        block_on(self.command.run(&api, output))
    }
}

impl Command {
    async fn run(self, api: &AdminApi, output: Output) -> Result<(), Failure> {
        match self {
            Self::Enroll { endorsement } => {
                let json = files::read_text(&endorsement)?;
                // A mistake in the file is best explained beside the file.
                Endorsement::from_json(&json).map_err(|e| Failure::file(&endorsement, e))?;
                let device = api.enroll(json).await?;
                output.result(&device, || {
                    format!("{GOOD}enrolled{GOOD:#} {}", device.ueid)
                });
            }
            Self::Unenroll { ueid } => {
                api.unenroll(&ueid).await?;
                output.result(&serde_json::json!({ "unenrolled": ueid }), || {
                    format!("{ueid} is no longer enrolled")
                });
            }
            Self::Publish { envelopes } => publish(api, &envelopes, output).await?,
            Self::Withdraw { components } => withdraw(api, &components, output).await?,
            Self::Token(command) => command.run(api, output).await?,
            Self::Domain(command) => command.run(api, output).await?,
            Self::Deploy {
                component,
                to,
                on_request,
            } => {
                let mode = if on_request { "on-request" } else { "required" };
                let deployment = api.deploy(&component, &to, mode).await?;
                let published = api.components().await?.components;
                let known = published.iter().any(|manifest| {
                    manifest
                        .components
                        .iter()
                        .any(|image| image.component == component)
                });
                if !known {
                    tracing::warn!("nothing that is published installs {component} yet");
                }
                output.result(&deployment, || {
                    format!("{component} is deployed to {to}, {mode}; devices change at their next contact")
                });
            }
            Self::Undeploy { component, to } => {
                let ended = api.undeploy(&component, to.as_deref()).await?;
                output.result(&serde_json::json!({ "ended": ended }), || {
                    let count = ended.len();
                    format!("{component}: {count} deployment(s) ended; devices that have no other for it remove it, and what it stored, at their next contact")
                });
            }
            Self::Deployments => {
                let list = api.deployments().await?;
                output.result(&list, || show::deployments(&list));
            }
            Self::Devices => {
                let list = api.devices().await?;
                output.result(&list, || show::devices(&list));
            }
            Self::Contact { ueid, uri } => {
                let contacted = api.contact(&ueid, &uri).await?;
                output.result(&contacted, || match contacted.answers {
                    0 => "the device had nothing to say".into(),
                    answers => format!("the device answered {answers} messages"),
                });
            }
            Self::Device { ueid } => {
                let device = api.device(&ueid).await?;
                output.result(&device, || show::device(&device));
            }
            Self::Components => {
                let list = api.components().await?;
                output.result(&list, || show::components(&list));
            }
            Self::Revoke(command) => command.run(api, output).await?,
            Self::Revocations => {
                let list = api.revocations().await?;
                output.result(&list, || certificates::revocations(&list));
            }
            Self::Reinstate { id } => {
                api.reinstate(&id).await?;
                output.result(&serde_json::json!({ "reinstated": id }), || {
                    "no longer revoked".into()
                });
            }
            Self::Maker(command) => command.run(api, output).await?,
            Self::Audit { after, limit } => {
                let page = api.audit(after, limit as usize).await?;
                output.result(&page, || show::audit(&page));
            }
        }
        Ok(())
    }
}

async fn publish(api: &AdminApi, envelopes: &[PathBuf], output: Output) -> Result<(), Failure> {
    let mut published = Vec::new();
    for path in envelopes {
        let component = api
            .publish(files::read(path)?)
            .await
            .map_err(|failure| failure.about(path))?;
        published.push(component);
    }
    output.result(
        &api::Components {
            components: published.clone(),
        },
        || {
            let line = |component: &api::Component| {
                let number = component.sequence_number;
                format!(
                    "{GOOD}published{GOOD:#} {}, number {number}",
                    component.manifest
                )
            };
            published.iter().map(line).collect::<Vec<_>>().join("\n")
        },
    );
    Ok(())
}

async fn withdraw(api: &AdminApi, components: &[String], output: Output) -> Result<(), Failure> {
    let mut withdrawn = Vec::new();
    for component in components {
        withdrawn.extend(api.withdraw(component).await?);
    }
    output.result(&serde_json::json!({ "withdrawn": withdrawn }), || {
        let line = |manifest: &String| {
            format!("{manifest} is withdrawn; devices remove it at their next contact")
        };
        withdrawn.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

impl Domain {
    async fn run(self, api: &AdminApi, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create {
                name,
                prefix,
                signer_key,
                manifest,
                anchor,
            } => {
                let crypto = aws_lc::provider();
                let key = |path: &PathBuf| read_public(path, &crypto).map(|key| jwk(&key));
                let request = api::DomainRequest {
                    name,
                    prefix,
                    signers: signer_key.iter().map(key).collect::<Result<_, _>>()?,
                    anchor: anchor.as_ref().map(key).transpose()?,
                    manifest: match manifest {
                        Some(path) => Some(Base64::encode_string(&files::read(&path)?)),
                        None => None,
                    },
                };
                let domain = api.put_domain(&request).await?;
                output.result(&domain, || {
                    let prefix = show::prefix(&domain.prefix);
                    format!("{GOOD}domain{GOOD:#} {} owns {prefix}", domain.name)
                });
            }
            Self::List => {
                let list = api.domains().await?;
                output.result(&list, || show::domains(&list));
            }
            Self::Show { name } => {
                let domain = api.domain(&name).await?;
                output.result(&domain, || show::domain(&domain));
            }
            Self::Remove { name } => {
                let rest = api.remove_domain(&name).await?;
                let result = serde_json::json!({
                    "domain": name,
                    "removed": rest.is_none(),
                    "devices": rest.as_ref().map_or(0, |rest| rest.devices),
                });
                output.result(&result, || match rest {
                    None => format!("domain {name} is removed"),
                    Some(rest) => format!(
                        "domain {name} is still on {} device(s), which remove it at their next contact; then remove it again",
                        rest.devices
                    ),
                });
            }
        }
        Ok(())
    }
}

/// A public key as the JWK that the admin API takes.
pub(crate) fn jwk(key: &PublicKey) -> serde_json::Value {
    serde_json::from_str(&key.to_jwk()).unwrap_or_default()
}
