//! `tamarack manifest`: make, sign, read and verify SUIT manifests.

mod create;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use tamarack_cose::aws_lc;
use tamarack_suit::{Envelope, explain};

use crate::{failure::Failure, files, key_file::read_secret, output::Output};

pub(crate) use create::{Applies, Content, Draft};

#[derive(Subcommand)]
pub(crate) enum Command {
    Create(Box<create::Create>),
    /// Add a signature to a manifest.
    Sign(Sign),
    /// Show what a manifest says.
    Show(Show),
    /// Check who signed a manifest, and that what it carries is what it promises.
    Verify(verify::Verify),
}

#[derive(Args)]
pub(crate) struct Sign {
    /// The envelope to sign.
    file: PathBuf,
    /// The private key of the trusted component signer.
    #[arg(long, short, value_name = "FILE")]
    key: PathBuf,
    /// Where the signed envelope goes; in place of the old one by default.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Show {
    /// The envelope, `-` for standard input.
    file: PathBuf,
}

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run(output),
            Self::Sign(command) => command.run(output),
            Self::Show(command) => command.run(output),
            Self::Verify(command) => command.run(output),
        }
    }
}

impl Sign {
    fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        let bytes = files::read(&self.file)?;
        let envelope = decode(&self.file, &bytes)?;
        let key = read_secret(&self.key, &crypto)?;
        let signer = crypto.signatures.signer(&key)?;
        let signed = envelope
            .add_signatures(&crypto, &[&*signer])
            .map_err(|error| Failure::file(&self.file, error))?;
        let out = self.out.unwrap_or(self.file);
        files::write(&out, &signed)?;
        let id = key.public_key().key_id(&crypto).to_hex();
        output.result(&json!({ "file": out, "signed_by": id }), || {
            format!("{}: signed by {id}", out.display())
        });
        Ok(())
    }
}

impl Show {
    fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        let bytes = files::read(&self.file)?;
        let tree = explain::describe(&decode(&self.file, &bytes)?, Some(&crypto));
        output.result(&tree.to_json(), || tree.to_string());
        Ok(())
    }
}

/// Decodes an envelope from a file.
pub(crate) fn decode<'a>(path: &std::path::Path, bytes: &'a [u8]) -> Result<Envelope<'a>, Failure> {
    Envelope::decode(bytes).map_err(|error| {
        Failure::file(path, error)
            .hint("a SUIT envelope, in CBOR with or without tag 107, is expected")
    })
}
