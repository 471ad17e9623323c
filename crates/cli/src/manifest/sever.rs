use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::json;
use tamarack_cose::aws_lc;
use tamarack_suit::{Section, Severed, author::Draft};

use super::{
    decode,
    part::{Part, sever},
};
use crate::{
    failure::Failure,
    files,
    output::{Output, printable},
};

/// Move parts of an unsigned manifest into the envelope, or drop what was moved there.
///
/// An author severs before signing: the manifest keeps a digest of the part.
///   tamarack manifest sever lamp.suit --section install --text
///
/// Whoever passes an envelope on may drop severed parts and payloads that its
/// receivers do not need, or get elsewhere. The signature stays valid:
///   tamarack manifest sever lamp.suit --drop text --drop '#payload' \
///       --out small.suit
#[derive(Args)]
#[command(verbatim_doc_comment, group = ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct Sever {
    /// The envelope, `-` for standard input.
    file: PathBuf,
    /// A section to move: dependency-resolution, payload-fetch, candidate-verification or install.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = section, group = "what")]
    section: Vec<Section>,
    /// Move the text.
    #[arg(long, group = "what")]
    text: bool,
    /// Move the software tag (CoSWID).
    #[arg(long, group = "what")]
    coswid: bool,
    /// Drop a severed section, `text`, `coswid`, or the payload with this key. May be given several times.
    #[arg(long, value_name = "PART", group = "what", conflicts_with_all = ["section", "text", "coswid"])]
    drop: Vec<String>,
    /// Where the envelope goes, `-` for standard output; in place of the old one by default.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn section(text: &str) -> Result<Section, String> {
    match text.parse()? {
        Part::Section(section) => Ok(section),
        part @ (Part::Text | Part::Coswid) => {
            Err(format!("{part} is no section; --{part} severs it"))
        }
    }
}

impl Sever {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let (bytes, target) = files::revise(&self.file, self.out.as_deref(), &[])?;
        let (envelope, done) = match self.drop.is_empty() {
            true => self.severed(&bytes)?,
            false => self.dropped(&bytes)?,
        };
        let is_here = target.is_standard();
        target.fill(&envelope)?;
        if is_here {
            return Ok(());
        }
        let out = self.out.as_ref().unwrap_or(&self.file);
        let value = json!({
            "file": out,
            "severed": if self.drop.is_empty() { &done[..] } else { &[] },
            "dropped": if self.drop.is_empty() { &[] } else { &done[..] },
            "bytes_before": bytes.len(),
            "bytes": envelope.len(),
        });
        output.result(&value, || {
            let verb = match self.drop.is_empty() {
                true => "severed",
                false => "dropped",
            };
            let sizes = format!("{} bytes, {} before", envelope.len(), bytes.len());
            format!("{}: {verb} {}; {sizes}", out.display(), done.join(", "))
        });
        Ok(())
    }

    // req: SUIT-SEV-004
    fn severed(&self, bytes: &[u8]) -> Result<(Vec<u8>, Vec<String>), Failure> {
        let crypto = aws_lc::provider();
        let envelope = decode(&self.file, bytes)?;
        if !envelope.authentication_blocks().is_empty() {
            let problem = "it is signed, and severing changes what the signature is about";
            return Err(Failure::file(&self.file, problem).hint(
                "sever before signing: `tamarack manifest create --sever` or `manifest sever` on the unsigned envelope",
            ));
        }
        let fault = |error: tamarack_cose::cbor::DecodeError| Failure::file(&self.file, error);
        let mut draft = Draft::of(&envelope).map_err(fault)?;
        let sections = self.section.iter().copied().map(Part::Section);
        let parts = sections
            .chain(self.text.then_some(Part::Text))
            .chain(self.coswid.then_some(Part::Coswid));
        let parts: Vec<Part> = parts.collect();
        for part in &parts {
            draft = sever(draft, *part, &crypto)?;
        }
        let names = parts.iter().map(ToString::to_string).collect();
        Ok((draft.encode_unsigned(&crypto), names))
    }

    // req: SUIT-SEV-012
    fn dropped(&self, bytes: &[u8]) -> Result<(Vec<u8>, Vec<String>), Failure> {
        let mut envelope = decode(&self.file, bytes)?;
        for name in &self.drop {
            let keys = envelope.integrated().iter();
            if keys.clone().any(|(key, _)| key == name) {
                envelope = envelope.without_integrated(name);
                continue;
            }
            let mut severed = envelope.severed().iter();
            let Some(label) = severed
                .find(|severed| severed.name() == name)
                .map(|severed| severed.label)
            else {
                let severed = envelope.severed().iter().map(Severed::name);
                let mut there: Vec<String> = severed.map(str::to_owned).collect();
                there.extend(keys.map(|(key, _)| printable(key)));
                let failure = Failure::file(&self.file, format!("the envelope has no {name}"));
                return Err(match there.is_empty() {
                    true => failure.hint("nothing in it can be dropped"),
                    false => failure.hint(format!("what can be dropped is {}", there.join(", "))),
                });
            };
            envelope = envelope.without_severed(label);
        }
        Ok((envelope.encode(), self.drop.clone()))
    }
}
