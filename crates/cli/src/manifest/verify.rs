use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tamarack_cose::aws_lc;

use super::decode;
use crate::{
    failure::Failure,
    files,
    key_file::read_public,
    output::{GOOD, Output},
};

/// Check who signed a manifest.
#[derive(Args)]
pub(crate) struct Verify {
    /// The envelope, `-` for standard input.
    file: PathBuf,
    /// A public key that is trusted to sign. May be given several times; one must have signed.
    #[arg(long, short, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
}

impl Verify {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        let keys = self.key.iter().map(|path| read_public(path, &crypto));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let bytes = files::read(&self.file)?;
        let envelope = decode(&self.file, &bytes)?
            .authenticate(&crypto, &keys)
            .map_err(|error| Failure::file(&self.file, error))?;
        if let Some(component) = envelope.spoiled_payload(&crypto) {
            let text = format!("the payload for {component} is not what the manifest promises");
            return Err(Failure::file(&self.file, text));
        }
        let manifest = envelope.manifest();
        let signers: Vec<String> = envelope
            .signers()
            .iter()
            .map(|key| key.key_id(&crypto).to_hex())
            .collect();
        let value = json!({
            "verified": true,
            "manifest": manifest.placement().to_string(),
            "sequence_number": manifest.sequence_number.0,
            "digest": envelope.digest().to_string(),
            "signers": signers,
        });
        output.result(&value, || {
            let number = manifest.sequence_number;
            format!(
                "{GOOD}verified{GOOD:#}: manifest {}, number {number}, signed by {}",
                manifest.placement(),
                signers.join(", ")
            )
        });
        Ok(())
    }
}
