//! `tamarack key`: make keys, show them, and write them in other formats.

pub(crate) mod certificate;
mod generate;

use std::path::PathBuf;

use base16ct::lower::encode_string;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use tamarack_cose::{CryptoProvider, SignatureAlgorithm, aws_lc};

use crate::{
    failure::Failure,
    files,
    key_file::{KeyFile, KeyFormat, Kind},
    output::{DIM, Output, printable},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    Generate(generate::Generate),
    /// Show what key is in a file: its public half, or of a secret that is shared, its id.
    Show(Show),
    /// Write a private or shared key in another format, into a file that only you can read.
    Convert(Convert),
    Authority(certificate::Authority),
    Certify(certificate::Certify),
    Certificates(certificate::Certificates),
    /// Print the key id: the RFC 9679 thumbprint (SHA-256) of the public key.
    Thumbprint(Thumbprint),
}

#[derive(Args)]
pub(crate) struct Show {
    /// A key in PEM, JWK or COSE_Key, or certificates in PEM.
    file: PathBuf,
    /// Print the public key in this format instead of describing it.
    #[arg(long, value_enum)]
    format: Option<KeyFormat>,
}

#[derive(Args)]
pub(crate) struct Convert {
    /// A private or shared key in PEM, JWK or COSE_Key.
    file: PathBuf,
    /// The format to write.
    #[arg(long, value_enum)]
    format: KeyFormat,
    /// Where it goes, `-` for standard output.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
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
            Self::Convert(command) => command.run(&crypto, output),
            Self::Authority(command) => command.run(&crypto, output),
            Self::Certify(command) => command.run(&crypto, output),
            Self::Certificates(command) => command.run(&crypto, output),
            Self::Thumbprint(command) => {
                let id = key_id(&KeyFile::read(&command.file)?, &crypto)?;
                output.result(&json!({ "key_id": id }), || id.clone());
                Ok(())
            }
        }
    }
}

/// The id by which a manifest names the key in a file.
fn key_id(file: &KeyFile, crypto: &CryptoProvider) -> Result<String, Failure> {
    if file.kind() == Kind::Symmetric {
        return Ok(file.shared()?.1.id(crypto).to_hex());
    }
    match file.public(crypto) {
        Ok(key) => Ok(key.key_id(crypto).to_hex()),
        Err(failure) => match file.encryption(crypto) {
            Ok(key) => Ok(key.key_id(crypto).to_hex()),
            Err(_) => Err(failure),
        },
    }
}

impl Show {
    fn run(self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        let file = KeyFile::read(&self.file)?;
        if let (None, Some(chain)) = (self.format, file.certificates()?) {
            certificate::show_chain(&chain, crypto, output);
            return Ok(());
        }
        let kind = file.kind();
        if kind == Kind::Symmetric {
            return self.show_shared(&file, crypto, output);
        }
        let (algorithm, id, jwk) = match file.public(crypto) {
            Ok(key) => {
                if let Some(format) = self.format {
                    return files::write("-".as_ref(), &format.encode_public(&key)?);
                }
                let algorithm = key.algorithm().name();
                (algorithm, key.key_id(crypto), key.to_jwk())
            }
            Err(failure) => {
                let key = file.encryption(crypto).map_err(|_| failure)?;
                if let Some(format) = self.format {
                    return files::write("-".as_ref(), &format.encode_encryption(&key)?);
                }
                ("X25519, for encryption", key.key_id(crypto), key.to_jwk())
            }
        };
        let id = id.to_hex();
        let mut value = json!({
            "algorithm": algorithm,
            "key_id": id,
            "jwk": serde_json::from_str::<Value>(&jwk).unwrap_or_default(),
        });
        let mut state = String::new();
        if kind == Kind::Hss {
            let (made, capacity) = file.hss()?.used()?;
            state = format!("\n{DIM}signatures{DIM:#} {made} of {capacity} made");
            if let Value::Object(members) = &mut value {
                members.insert("signatures".into(), json!(made));
                members.insert("capacity".into(), json!(capacity));
            }
        }
        output.result(&value, || {
            format!("{DIM}algorithm{DIM:#}  {algorithm}\n{DIM}key id{DIM:#}     {id}{state}\n{jwk}")
        });
        Ok(())
    }

    /// Of a secret, nothing but names.
    fn show_shared(
        &self,
        file: &KeyFile,
        crypto: &CryptoProvider,
        output: Output,
    ) -> Result<(), Failure> {
        if self.format.is_some() {
            return Err(file
                .failure("a shared key has no public half to show")
                .hint("`tamarack key convert` writes the key itself in another format"));
        }
        let (used_for, key) = file.shared()?;
        let (algorithm, id) = (used_for.name(), key.id(crypto).to_hex());
        let named = file
            .about()
            .key_id
            .map(|name| match String::from_utf8(name) {
                Ok(text) => text,
                Err(error) => format!("0x{}", encode_string(error.as_bytes())),
            });
        let value = json!({ "algorithm": algorithm, "key_id": id, "kid": named });
        output.result(&value, || {
            let mut text =
                format!("{DIM}algorithm{DIM:#}  {algorithm}\n{DIM}key id{DIM:#}     {id}");
            if let Some(named) = named {
                text += &format!("\n{DIM}known as{DIM:#}   {}", printable(&named));
            }
            text
        });
        Ok(())
    }
}

impl Convert {
    fn run(self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        let file = KeyFile::read(&self.file)?;
        let bytes = match file.kind() {
            Kind::Hss => {
                return Err(file.failure("an HSS/LMS key is not converted")
                    .hint("a second file with the key would be a second one to sign with, and two signatures with one number give it away"));
            }
            Kind::Symmetric if self.format == KeyFormat::Pem => {
                return Err(
                    Failure::usage("--format pem: there is no PEM for shared keys")
                        .hint("choose jwk or cose"),
                );
            }
            Kind::Symmetric => {
                let (used_for, _) = file.shared()?;
                used_for.encode(&file.symmetric()?, self.format)
            }
            Kind::Asymmetric => match file.secret(crypto) {
                Ok(key) => self.format.encode_secret(&key)?,
                Err(failure) => {
                    let key = file.decryption(crypto).map_err(|_| failure)?;
                    self.format.encode_decryption(&key, crypto)?
                }
            },
        };
        files::write_secret(&self.out, &bytes)?;
        if files::is_standard(&self.out) {
            return Ok(());
        }
        let value = json!({ "file": self.out });
        output.result(&value, || self.out.display().to_string());
        Ok(())
    }
}
