//! `tamarack tam`: run a TAM, or show its keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use tamarack_cose::{PublicKey, SignatureAlgorithm, aws_lc};
use tamarack_tam::{ServeConfig, TamKeys, serve_until};
use tokio::net::TcpListener;

use crate::{
    block_on, failure::Failure, files, key::Algorithm, key_file::KeyFormat, output::Output,
    signals::stop_requested, trace,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the TAM until stopped. The first start makes its keys, its database and the admin token.
    Serve(Serve),
    /// Print the public keys of the TAM, which devices are to trust.
    Keys(Keys),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// The folder of the TAM: `keys/`, `tam.sqlite`, and `admin.token` for the admin API.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen: TEEP on /tam, the admin API on /api/v1. Port 0 takes one that is free.
    #[arg(long, value_name = "HOST:PORT")]
    listen: String,
    #[command(flatten)]
    trace: trace::Options,
}

#[derive(Args)]
pub(crate) struct Keys {
    /// The folder of the TAM.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The format of the keys.
    #[arg(long, value_enum)]
    format: KeyFormat,
    /// Only the key of this algorithm. COSE_Key, which is binary, needs it.
    #[arg(long, value_enum)]
    algorithm: Option<Algorithm>,
    /// Where the keys go; standard output by default.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Serve(command) => command.run(output),
            Self::Keys(command) => command.run(),
        }
    }
}

impl Serve {
    fn run(self, output: Output) -> Result<(), Failure> {
        block_on(async {
            let listener = TcpListener::bind(&self.listen).await.map_err(|error| {
                Failure::new(format!("--listen {}: {error}", self.listen))
                    .hint("give an address of this machine and a port that is free, such as 127.0.0.1:8080")
            })?;
            let address = listener
                .local_addr()
                .map_err(|error| Failure::new(format!("--listen {}: {error}", self.listen)))?;
            let mut config = ServeConfig::new(&self.data);
            config.trace = self.trace.settings();
            let url = format!("http://{address}");
            let value = json!({
                "tam": format!("{url}/tam"),
                "admin": format!("{url}/api/v1"),
                "token_file": config.admin_token(),
            });
            output.result(&value, || {
                format!(
                    "TAM on {url}/tam, admin API on {url}/api/v1, token in {}",
                    config.admin_token().display()
                )
            });
            serve_until(config, listener, stop_requested())
                .await
                .map_err(|error| Failure::new(error.to_string()))
        })
    }
}

impl Keys {
    fn run(self) -> Result<(), Failure> {
        let keys_dir = ServeConfig::new(&self.data).keys_dir();
        if !keys_dir.is_dir() {
            return Err(Failure::file(&self.data, "holds no TAM")
                .hint("`tamarack tam serve` makes its keys at the first start"));
        }
        let keys = TamKeys::open_or_create(&aws_lc::provider(), keys_dir)
            .map_err(|error| Failure::new(error.to_string()))?;
        let wanted = self.algorithm.map(SignatureAlgorithm::from);
        let selected: Vec<PublicKey> = keys
            .public_keys()
            .into_iter()
            .filter(|key| wanted.is_none_or(|wanted| key.algorithm() == wanted))
            .collect();
        files::write(&self.out, &encode(&selected, self.format)?)
    }
}

/// One key as it is; several as a sequence of PEM blocks, or as a JWK set.
fn encode(keys: &[PublicKey], format: KeyFormat) -> Result<Vec<u8>, Failure> {
    match (keys, format) {
        ([key], format) => format.encode_public(key),
        (keys, KeyFormat::Pem) => {
            let blocks = keys.iter().map(|key| KeyFormat::Pem.encode_public(key));
            Ok(blocks.collect::<Result<Vec<_>, _>>()?.concat())
        }
        (keys, KeyFormat::Jwk) => {
            let jwk = |key: &PublicKey| {
                serde_json::from_str::<serde_json::Value>(&key.to_jwk()).unwrap_or_default()
            };
            let set = json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() });
            Ok(format!("{set:#}\n").into_bytes())
        }
        (_, KeyFormat::Cose) => {
            Err(Failure::new("--format cose prints one key; which?").hint("add --algorithm"))
        }
    }
}
