//! `tamarack manifest`: make, sign, read, verify, run, encrypt, compare and take apart SUIT manifests.

mod component;
mod create;
mod diff;
mod domain;
mod encrypt;
mod encryption;
mod extract;
pub(crate) mod outline;
mod part;
mod place;
mod run;
mod sever;
mod show;
mod sign;
mod single;
mod software;
mod trust;
pub(crate) mod typed;
mod verify;

use std::path::Path;

use clap::Subcommand;
use tamarack_suit::{Envelope, Limits};

use crate::{failure::Failure, output::Output};

pub(crate) use create::Applies;
pub(crate) use single::Draft;

#[derive(Subcommand)]
pub(crate) enum Command {
    Create(Box<create::Create>),
    Sign(sign::Sign),
    Sever(sever::Sever),
    Extract(extract::Extract),
    Show(show::Show),
    Verify(verify::Verify),
    Run(Box<run::Run>),
    Encrypt(encrypt::Encrypt),
    Diff(diff::Diff),
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
            Self::Run(command) => command.run(output),
            Self::Encrypt(command) => command.run(output),
            Self::Diff(command) => command.run(output),
        }
    }
}

/// Decodes an envelope from a file.
pub(crate) fn decode<'a>(path: &Path, bytes: &'a [u8]) -> Result<Envelope<'a>, Failure> {
    Envelope::decode(bytes).map_err(|error| place::failure(path, bytes, &error))
}

/// Refuses an envelope that is longer than anybody reads.
fn refuse_too_long(envelope: &[u8]) -> Result<(), Failure> {
    let most = Limits::default().envelope_bytes;
    match envelope.len() > most {
        true => Err(Failure::new(format!(
            "the envelope would have {} bytes; one of more than {} MiB is read by nobody",
            envelope.len(),
            most >> 20
        ))
        .hint("with --uri after --payload, a payload is measured and not carried, and devices fetch it")),
        false => Ok(()),
    }
}
