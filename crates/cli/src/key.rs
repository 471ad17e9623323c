//! `tamarack key`: make keys and show them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use tamarack_cose::{CryptoProvider, SecretKey, SignatureAlgorithm, aws_lc};

use crate::{
    failure::Failure,
    files,
    key_file::{KeyFormat, read_public},
    output::{DIM, Output},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a key pair. The private key goes to a file that only you can read.
    Generate(Generate),
    /// Show the public key that is in a file.
    Show(Show),
    /// Print the key id: the RFC 9679 thumbprint (SHA-256) of the public key.
    Thumbprint(Thumbprint),
}

#[derive(Args)]
pub(crate) struct Generate {
    /// The signature algorithm.
    #[arg(long, value_enum, default_value = "esp256")]
    algorithm: Algorithm,
    /// Where the private key goes.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Where the public key goes, if it is wanted in a file.
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// The format of both.
    #[arg(long, value_enum, default_value = "pem")]
    format: KeyFormat,
}

#[derive(Args)]
pub(crate) struct Show {
    /// A key in PEM, JWK or COSE_Key.
    file: PathBuf,
    /// Print the public key in this format instead of describing it.
    #[arg(long, value_enum)]
    format: Option<KeyFormat>,
}

#[derive(Args)]
pub(crate) struct Thumbprint {
    /// A key in PEM, JWK or COSE_Key.
    file: PathBuf,
}

/// The algorithms of TEEP's mandatory cipher suites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Esp256,
    /// Ed25519.
    Ed25519,
}

impl From<Algorithm> for SignatureAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Esp256 => Self::Esp256,
            Algorithm::Ed25519 => Self::Ed25519,
        }
    }
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        match self {
            Self::Generate(command) => command.run(&crypto, output),
            Self::Show(command) => command.run(&crypto, output),
            Self::Thumbprint(command) => {
                let id = read_public(&command.file, &crypto)?
                    .key_id(&crypto)
                    .to_hex();
                output.result(&json!({ "key_id": id }), || id.clone());
                Ok(())
            }
        }
    }
}

impl Generate {
    fn run(self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        let key = SecretKey::generate(crypto, self.algorithm.into())?;
        files::write_secret(&self.out, &self.format.encode_secret(&key)?)?;
        if let Some(path) = &self.public {
            files::write(path, &self.format.encode_public(key.public_key())?)?;
        }
        let id = key.public_key().key_id(crypto).to_hex();
        let algorithm = key.public_key().algorithm().name();
        let value = json!({
            "algorithm": algorithm,
            "key_id": id,
            "private_key": self.out,
            "public_key": self.public,
        });
        output.result(&value, || {
            let mut text = format!("{algorithm} key {id}\nprivate key: {}", self.out.display());
            if let Some(path) = &self.public {
                text += &format!("\npublic key:  {}", path.display());
            }
            text
        });
        Ok(())
    }
}

impl Show {
    fn run(self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        let key = read_public(&self.file, crypto)?;
        if let Some(format) = self.format {
            return files::write("-".as_ref(), &format.encode_public(&key)?);
        }
        let id = key.key_id(crypto).to_hex();
        let jwk = key.to_jwk();
        let algorithm = key.algorithm().name();
        let value = json!({
            "algorithm": algorithm,
            "key_id": id,
            "jwk": serde_json::from_str::<serde_json::Value>(&jwk).unwrap_or_default(),
        });
        output.result(&value, || {
            format!("{DIM}algorithm{DIM:#}  {algorithm}\n{DIM}key id{DIM:#}     {id}\n{jwk}")
        });
        Ok(())
    }
}
