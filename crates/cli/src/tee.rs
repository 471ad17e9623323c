//! `tamarack tee`: run a TEE, or prepare one.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand};
use serde_json::json;
use tamarack_agent::{
    platform::StorageError,
    state::{Anchor, AnchorRole},
};
use tamarack_cose::{CryptoProvider, KeyId, rustcrypto};
use tamarack_tee::{
    Tee, TeeError, endorsement,
    platform::{Software, SoftwareOptions, TeePlatform},
};

use crate::{
    failure::Failure,
    files,
    key::Algorithm,
    key_file::read_publics,
    output::{Output, table},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the TEE until stopped. The first start makes its keys.
    Serve(Serve),
    /// Print the endorsement of the device, for `tamarack admin enroll`.
    Endorsement(EndorsementOf),
    /// Trust keys, or no longer: of TAMs, and of those who sign security domains and whatever no domain owns.
    ///
    /// This is the part of the device's maker; the TEE must not be running.
    Trust(Trust),
}

#[derive(Args)]
pub(crate) struct Folder {
    /// The folder of the TEE: its keys and its sealed storage.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The algorithms with which TEEP messages can be signed, the preferred one first; one key is made for
    /// each. Counts at the first start only.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "esp256")]
    algorithm: Vec<Algorithm>,
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    folder: Folder,
    /// The socket for the broker.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
}

#[derive(Args)]
pub(crate) struct EndorsementOf {
    #[command(flatten)]
    folder: Folder,
    /// A fact about the device, for selecting it in deployments. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
}

#[derive(Args)]
pub(crate) struct Trust {
    #[command(flatten)]
    folder: Folder,
    /// The public key of a TAM. May be given several times.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    tam_key: Vec<PathBuf>,
    /// The public key of a device administrator. May be given several times.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    signer_key: Vec<PathBuf>,
    /// Trust the key with this id no longer, in any role. What it signed before stays.
    #[arg(long, value_name = "KEY ID")]
    revoke: Vec<String>,
}

/// Reads `name=value`.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}

impl Folder {
    fn platform(&self, crypto: &CryptoProvider) -> Result<Arc<dyn TeePlatform>, Failure> {
        let mut options = SoftwareOptions::default();
        options.teep_algorithms = self.algorithm.iter().map(|chosen| (*chosen).into()).collect();
        let opened = Software::open(&self.data, crypto, &options);
        Ok(Arc::new(
            opened.map_err(|error| Failure::new(error.to_string()))?,
        ))
    }

    fn tee(&self) -> Result<Tee, Failure> {
        let crypto = rustcrypto::provider();
        let platform = self.platform(&crypto)?;
        Tee::open(&self.data, platform, crypto).map_err(|error| explain(&error, &self.data))
    }
}

fn explain(error: &TeeError, dir: &Path) -> Failure {
    let failure = Failure::file(dir, error);
    match error {
        TeeError::Storage(StorageError::RolledBack) => failure.hint(
            "the folder was replaced by an older copy; a TEE does not start on one. \
             Prepare the device anew with an empty folder",
        ),
        TeeError::Storage(StorageError::Failed(_)) => {
            failure.hint("if `tamarack tee serve` runs on this folder, stop it first")
        }
        _ => failure,
    }
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Serve(command) => command.run(output),
            Self::Endorsement(command) => command.run(output),
            Self::Trust(command) => command.run(output),
        }
    }
}

impl Serve {
    fn run(self, output: Output) -> Result<(), Failure> {
        let tee = self.folder.tee()?;
        if !tee
            .has_tam_anchor()
            .map_err(|error| explain(&error, &self.folder.data))?
        {
            tracing::warn!(
                "no TAM is trusted: nobody can install anything; see `tamarack tee trust`"
            );
        }
        let platform = tee.platform().name();
        let ready = || {
            let socket = self.socket.display().to_string();
            let value = json!({ "platform": platform, "socket": socket });
            output.result(&value, || {
                format!("TEE on the {platform} platform, serving on {socket}")
            });
        };
        let tee = Arc::new(tee);
        tamarack_tee::serve(Arc::clone(&tee), &self.socket, ready)
            .map_err(|error| Failure::new(error.to_string()))
    }
}

impl EndorsementOf {
    fn run(self, output: Output) -> Result<(), Failure> {
        let platform = self.folder.platform(&rustcrypto::provider())?;
        let mut endorsement = endorsement(&*platform);
        endorsement.labels.extend(self.label);
        // JSON either way: it is a file for another command.
        let json = endorsement.to_json();
        files::write("-".as_ref(), format!("{json}\n").as_bytes())?;
        let _ = output;
        Ok(())
    }
}

impl Trust {
    fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = rustcrypto::provider();
        let anchors = |paths: &[PathBuf], role| {
            let mut anchors = Vec::new();
            for path in paths {
                let name = path.display().to_string();
                let keys = read_publics(path, &crypto)?.into_iter();
                anchors.extend(keys.map(|key| Anchor::new(role, key, &name, &crypto)));
            }
            Ok::<_, Failure>(anchors)
        };
        let mut added = anchors(&self.tam_key, AnchorRole::Tam)?;
        added.extend(anchors(&self.signer_key, AnchorRole::Signer)?);
        let tee = self.folder.tee()?;
        let fault = |error: TeeError| explain(&error, &self.folder.data);
        tee.trust(&added).map_err(fault)?;
        for text in &self.revoke {
            let id = KeyId::from_hex(text).ok_or_else(|| {
                Failure::new(format!(
                    "--revoke {text}: not a key id of 64 hexadecimal digits"
                ))
            })?;
            if !tee.distrust(&id).map_err(fault)? {
                return Err(Failure::new(format!(
                    "--revoke {text}: no such key is trusted"
                )));
            }
        }
        let role = |anchor: &Anchor| match anchor.role {
            AnchorRole::Tam => "tam",
            AnchorRole::Signer => "signer",
        };
        let anchors = tee.anchors().map_err(fault)?;
        let list: Vec<_> = anchors
            .iter()
            .map(|anchor| {
                json!({
                    "role": role(anchor),
                    "algorithm": anchor.key.algorithm().name(),
                    "key_id": anchor.key_id.to_hex(),
                    "from": anchor.name,
                })
            })
            .collect();
        output.result(&json!({ "anchors": list }), || {
            if anchors.is_empty() {
                return "nobody is trusted".into();
            }
            let row = |anchor: &Anchor| {
                vec![
                    role(anchor).to_owned(),
                    anchor.key.algorithm().name().to_owned(),
                    anchor.key_id.to_hex(),
                    anchor.name.clone(),
                ]
            };
            let rows: Vec<_> = anchors.iter().map(row).collect();
            table(&["ROLE", "ALGORITHM", "KEY ID", "FROM"], &rows)
        });
        Ok(())
    }
}
