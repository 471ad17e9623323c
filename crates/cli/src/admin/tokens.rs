//! Tokens of people who may do a part of what the administrator may.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use tamarack_tam::api;

use super::{AdminApi, show};
use crate::{
    failure::Failure,
    files::Target,
    output::{GOOD, Output, table},
};

#[derive(Subcommand)]
pub(super) enum Token {
    /// Make a token for somebody, such as a provider's build server.
    ///
    /// The roles:
    ///   operator              everything but tokens
    ///   device-administrator  devices, their makers, and what is revoked; reads everything
    ///   signer                publishes and withdraws in its domains, and makes sub-domains in them
    ///   auditor               reads everything
    #[command(verbatim_doc_comment)]
    Create {
        /// Its name, which the audit shows.
        name: String,
        /// What its holder may do: operator, device-administrator, signer or auditor.
        #[arg(long, value_name = "ROLE")]
        role: String,
        /// A security domain of a signer. May be given several times.
        #[arg(long, value_name = "NAME")]
        domain: Vec<String>,
        /// Where the token goes, readable by its owner only. It can't be had again. `-` is standard
        /// output.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// List the tokens.
    List,
    /// Remove a token; its holder can do nothing any more.
    Remove {
        /// Its name.
        name: String,
    },
}

impl Token {
    pub(super) async fn run(self, api: &AdminApi, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create {
                name,
                role,
                domain,
                out,
            } => {
                // Before there is a token that nobody has.
                let target = Target::secret(&out)?;
                let is_here = target.is_standard();
                let request = api::TokenRequest {
                    name,
                    role,
                    domains: domain,
                };
                let made = api.add_token(&request).await?;
                let written = target.fill(format!("{}\n", made.secret).as_bytes());
                if let Err(failure) = written {
                    api.remove_token(&made.token.name).await?;
                    return Err(failure);
                }
                if is_here {
                    return Ok(());
                }
                let token = made.token;
                let result = json!({ "token": token, "file": out });
                output.result(&result, || {
                    format!(
                        "{GOOD}token{GOOD:#} {} for the role {} is in {}",
                        token.name,
                        token.role,
                        out.display()
                    )
                });
            }
            Self::List => {
                let list = api.tokens().await?;
                output.result(&list, || tokens(&list));
            }
            Self::Remove { name } => {
                api.remove_token(&name).await?;
                output.result(&json!({ "removed": name }), || {
                    format!("token {name} is removed")
                });
            }
        }
        Ok(())
    }
}

fn tokens(list: &api::Tokens) -> String {
    if list.tokens.is_empty() {
        return "there is no token but the administrator's".into();
    }
    let row = |token: &api::Token| {
        vec![
            token.name.clone(),
            token.role.clone(),
            token.domains.join(", "),
            show::time(token.created_at),
        ]
    };
    let rows: Vec<_> = list.tokens.iter().map(row).collect();
    table(&["TOKEN", "ROLE", "DOMAINS", "SINCE"], &rows)
}
