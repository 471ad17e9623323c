//! `tamarack verifier`: run a Verifier, or show its key.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use tamarack_cose::aws_lc;
use tamarack_verifier::{ServerSettings, VerifierFiles, serve_until};
use tokio::net::TcpListener;

use crate::{
    block_on, failure::Failure, files, key_file::KeyFormat, output::Output, signals::stop_requested,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a Verifier until stopped. The first start makes its key.
    Serve(Serve),
    /// Print the public key of the Verifier, which TAMs are to trust (`tamarack tam serve --verifier-key`).
    Key(Key),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// The folder of the Verifier, with `key.pem`.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The folder with the endorsements of the devices that it knows, files `*.json`. They are read at the
    /// start.
    #[arg(long, value_name = "DIR")]
    endorsements: PathBuf,
    /// Where to listen. Port 0 takes one that is free.
    #[arg(long, value_name = "HOST:PORT")]
    listen: String,
    /// How long a result counts, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    lifetime: u64,
}

#[derive(Args)]
pub(crate) struct Key {
    /// The folder of the Verifier.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The format of the key.
    #[arg(long, value_enum)]
    format: KeyFormat,
    /// Where the key goes; standard output by default.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Serve(command) => command.run(output),
            Self::Key(command) => command.run(),
        }
    }
}

impl Serve {
    fn run(self, output: Output) -> Result<(), Failure> {
        let files = VerifierFiles {
            data: self.data,
            endorsements: self.endorsements,
        };
        let verifier = files
            .open(aws_lc::provider(), self.lifetime)
            .map_err(|error| Failure::new(error.to_string()))?;
        let key_id = verifier.public_key().key_id(verifier.crypto());
        block_on(async {
            let fault = |error: std::io::Error| {
                Failure::new(format!("--listen {}: {error}", self.listen)).hint(
                    "give an address of this machine and a port that is free, such as 127.0.0.1:8081",
                )
            };
            let listener = TcpListener::bind(&self.listen).await.map_err(fault)?;
            let address = listener.local_addr().map_err(fault)?;
            let url = format!("http://{address}");
            let value = json!({ "verifier": url, "key_id": key_id.to_hex() });
            output.result(&value, || {
                format!("Verifier on {url}, signing with the key {key_id}")
            });
            serve_until(
                verifier,
                ServerSettings::default(),
                listener,
                stop_requested(),
            )
            .await
            .map_err(|error| Failure::new(error.to_string()))
        })
    }
}

impl Key {
    fn run(self) -> Result<(), Failure> {
        let files = VerifierFiles {
            endorsements: PathBuf::new(),
            data: self.data,
        };
        if !files.data.join("key.pem").exists() {
            return Err(Failure::file(&files.data, "holds no Verifier")
                .hint("`tamarack verifier serve` makes its key at the first start"));
        }
        let key = files
            .key(&aws_lc::provider())
            .map_err(|error| Failure::new(error.to_string()))?;
        files::write(&self.out, &self.format.encode_public(key.public_key())?)
    }
}
