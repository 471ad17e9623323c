//! What is revoked, and whose certificates make devices known.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tamarack_cose::aws_lc;
use tamarack_tam::api;

use super::AdminApi;
use crate::{
    failure::Failure,
    files,
    key_file::read_publics,
    output::{GOOD, Output, table},
};

/// Trust keys and certificates of agents and attesters no longer.
///
/// A device whose agent's key is revoked is heard again once it attests another key; one whose attester's key is
/// revoked is not. Both are answered with ERR_BAD_CERTIFICATE.
#[derive(Args)]
pub(super) struct Revoke {
    /// The id of a key. May be given several times.
    #[arg(long, value_name = "KEY ID", required_unless_present_any = ["key", "certificate", "list"])]
    key_id: Vec<String>,
    /// A file with public keys. May be given several times.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// A file with a certificate, whose key may have others that stay good. May be given several times.
    #[arg(long, value_name = "FILE")]
    certificate: Vec<PathBuf>,
    /// A certificate revocation list (RFC 5280) in PEM. May be given several times.
    #[arg(long, value_name = "FILE", requires = "issuer")]
    list: Vec<PathBuf>,
    /// The certificate of the authority that issued the lists.
    #[arg(long, value_name = "FILE")]
    issuer: Option<PathBuf>,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

#[derive(Subcommand)]
pub(super) enum Maker {
    /// Add a maker, or replace the one with its name.
    Add {
        /// Its name.
        name: String,
        /// The certificate of its authority, in PEM.
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        /// What all its devices have in common: an endorsement in JSON without ueid and attester.
        #[arg(long, value_name = "FILE")]
        template: Option<PathBuf>,
    },
    /// List the makers.
    List,
    /// Remove a maker. Its devices stay enrolled.
    Remove {
        /// Its name.
        name: String,
    },
}

impl Revoke {
    pub(super) async fn run(self, api: &AdminApi, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        let mut key_ids = self.key_id;
        for path in &self.key {
            let keys = read_publics(path, &crypto)?.into_iter();
            key_ids.extend(keys.map(|key| key.key_id(&crypto).to_hex()));
        }
        let texts = |paths: &[PathBuf]| {
            let texts = paths.iter().map(|path| files::read_text(path));
            texts.collect::<Result<Vec<_>, _>>()
        };
        let request = api::RevocationRequest {
            key_ids,
            certificates: texts(&self.certificate)?,
            lists: texts(&self.list)?,
            issuer: self
                .issuer
                .map(|path| files::read_text(&path))
                .transpose()?,
            reason: self.reason,
        };
        let list = api.revoke(&request).await?;
        output.result(&list, || {
            let line = |one: &api::Revocation| format!("{GOOD}revoked{GOOD:#} {}", one.revoked);
            let lines: Vec<_> = list.revocations.iter().map(line).collect();
            lines.join("\n")
        });
        Ok(())
    }
}

pub(super) fn revocations(list: &api::Revocations) -> String {
    if list.revocations.is_empty() {
        return "nothing is revoked".into();
    }
    let row = |one: &api::Revocation| vec![one.revoked.clone(), one.reason.clone(), one.id.clone()];
    let rows: Vec<_> = list.revocations.iter().map(row).collect();
    table(&["REVOKED", "REASON", "ID"], &rows)
}

impl Maker {
    pub(super) async fn run(self, api: &AdminApi, output: Output) -> Result<(), Failure> {
        match self {
            Self::Add {
                name,
                certificate,
                template,
            } => {
                let template = match template {
                    Some(path) => serde_json::from_str(&files::read_text(&path)?)
                        .map_err(|error| Failure::file(&path, error))?,
                    None => serde_json::json!({}),
                };
                let request = api::MakerRequest {
                    name,
                    certificate: files::read_text(&certificate)?,
                    template,
                };
                let maker = api.put_maker(&request).await?;
                output.result(&maker, || {
                    format!("{GOOD}maker{GOOD:#} {}: {}", maker.name, maker.authority)
                });
            }
            Self::List => {
                let list = api.makers().await?;
                output.result(&list, || {
                    if list.makers.is_empty() {
                        return "no maker is known".into();
                    }
                    let row = |one: &api::Maker| {
                        vec![one.name.clone(), one.authority.clone(), one.key_id.clone()]
                    };
                    let rows: Vec<_> = list.makers.iter().map(row).collect();
                    table(&["MAKER", "AUTHORITY", "KEY ID"], &rows)
                });
            }
            Self::Remove { name } => {
                api.remove_maker(&name).await?;
                output.result(&serde_json::json!({ "removed": name }), || {
                    format!("maker {name} is removed")
                });
            }
        }
        Ok(())
    }
}
