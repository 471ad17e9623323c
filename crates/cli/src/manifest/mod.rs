//! `tamarack manifest`: make, sign, read, verify, compare and take apart SUIT manifests.

mod component;
mod create;
mod diff;
mod extract;
mod outline;
mod part;
mod place;
mod sever;
mod show;
mod single;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use tamarack_cose::aws_lc;
use tamarack_suit::Envelope;

use crate::{failure::Failure, files, key_file::read_secret, output::Output};

pub(crate) use create::Applies;
pub(crate) use single::Draft;

#[derive(Subcommand)]
pub(crate) enum Command {
    Create(Box<create::Create>),
    Sign(Sign),
    Sever(sever::Sever),
    Extract(extract::Extract),
    Show(show::Show),
    Verify(verify::Verify),
    Diff(diff::Diff),
}

/// Add a signature to a manifest.
///
///   tamarack manifest sign hello.suit --key acme.pem
///
/// Signatures that are there stay: several authorities may sign one manifest.
#[derive(Args)]
#[command(verbatim_doc_comment)]
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

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run(output),
            Self::Sign(command) => command.run(output),
            Self::Sever(command) => command.run(output),
            Self::Extract(command) => command.run(output),
            Self::Show(command) => command.run(output),
            Self::Verify(command) => command.run(output),
            Self::Diff(command) => command.run(output),
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
        if out == Path::new("-") {
            return Ok(());
        }
        let id = key.public_key().key_id(&crypto).to_hex();
        output.result(&json!({ "file": out, "signed_by": id }), || {
            format!("{}: signed by {id}", out.display())
        });
        Ok(())
    }
}

/// Decodes an envelope from a file.
pub(crate) fn decode<'a>(path: &Path, bytes: &'a [u8]) -> Result<Envelope<'a>, Failure> {
    Envelope::decode(bytes).map_err(|error| place::failure(path, bytes, &error))
}
