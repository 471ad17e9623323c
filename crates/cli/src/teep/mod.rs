//! `tamarack teep`: read TEEP messages.

mod describe;

use std::path::PathBuf;

use base16ct::lower::encode_string;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tamarack_cose::{CryptoProvider, Signed, aws_lc, cbor, cbor::Limits};
use tamarack_teep::{Message, Protected};

use crate::{
    failure::Failure,
    files,
    key_file::read_public,
    output::{Output, tree},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show a TEEP message, signed or not, with the manifests, Evidence and reports inside it.
    Show(Show),
}

#[derive(Args)]
pub(crate) struct Show {
    /// The message, `-` for standard input.
    file: PathBuf,
    /// Verify the signature with this public key, and fail if it does not verify.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Print CBOR diagnostic notation instead.
    #[arg(long)]
    diagnostic: bool,
}

/// Messages are shown up to the size that a manifest with a payload can have.
const LIMITS: Limits = Limits {
    bytes: 64 << 20,
    depth: 16,
};

impl Command {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let Self::Show(show) = self;
        show.run(output)
    }
}

impl Show {
    fn run(self, output: Output) -> Result<(), Failure> {
        let crypto = aws_lc::provider();
        let bytes = files::read(&self.file)?;
        if self.diagnostic {
            cbor::check(&bytes, &LIMITS).map_err(|error| Failure::file(&self.file, error))?;
            let text = cbor::diagnostic(&bytes);
            output.result(&json!({ "diagnostic": text }), || text.clone());
            return Ok(());
        }
        let described = self.describe(&bytes, &crypto)?;
        output.result(&described, || tree(&described));
        Ok(())
    }

    fn describe(&self, bytes: &[u8], crypto: &CryptoProvider) -> Result<Value, Failure> {
        match Protected::decode(bytes, &LIMITS) {
            Ok(protected) => self.describe_protected(&protected, crypto),
            // Not COSE: perhaps the bare message, as the examples of the draft are.
            Err(cose) => match Message::decode(bytes, &LIMITS) {
                Ok((message, encoding)) => {
                    let mut described = describe::message(&message, encoding, crypto);
                    described.insert("signed".into(), json!(false));
                    Ok(Value::Object(described))
                }
                Err(message) if looks_like_message(bytes) => Err(Failure::file(&self.file, message)
                    .hint("the file is an unsigned TEEP message with a mistake at that byte")),
                Err(_) => Err(Failure::file(&self.file, cose).hint(
                    "a COSE_Sign1 or COSE_Sign with a TEEP message in it, or a bare TEEP message, is expected",
                )),
            },
        }
    }

    fn describe_protected(
        &self,
        protected: &Protected<'_>,
        crypto: &CryptoProvider,
    ) -> Result<Value, Failure> {
        let structure = match protected.signed() {
            Signed::Sign1(_) => "COSE_Sign1",
            Signed::Sign(_) => "COSE_Sign",
        };
        let signatures: Vec<Value> = protected
            .signed()
            .signatures()
            .iter()
            .map(|headers| {
                json!({
                    "algorithm": describe::algorithm(headers.algorithm_id()),
                    "key_id": headers.key_id().map(encode_string),
                })
            })
            .collect();
        let mut described = serde_json::Map::new();
        described.insert("signed".into(), json!(structure));
        described.insert("signatures".into(), json!(signatures));
        if !self.key.is_empty() {
            let keys = self.key.iter().map(|path| read_public(path, crypto));
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            let verified = protected
                .verify(crypto, &keys)
                .map_err(|error| Failure::file(&self.file, error))?;
            let by = verified.signer().key_id(crypto).to_hex();
            described.insert("verified_by".into(), json!(by));
        }
        let (message, encoding) = protected
            .read_unverified()
            .map_err(|error| Failure::file(&self.file, error))?;
        described.extend(describe::message(&message, encoding, crypto));
        Ok(Value::Object(described))
    }
}

/// An array that starts with a small number: what a TEEP message without COSE looks like.
fn looks_like_message(bytes: &[u8]) -> bool {
    matches!(bytes, [0x82..=0x85 | 0x9f, 0..=0x17, ..])
}
