use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tamarack_cose::{
    aws_lc,
    cbor::{self, DecodeError},
};
use tamarack_suit::{
    Envelope, Report,
    explain::{self, Diagnostic, Tree},
};

use super::{outline::outline, place};
use crate::{
    failure::Failure,
    files,
    key_file::is_key,
    output::{BAD, DIM, Output, STRONG},
};

/// Show what a manifest says, or a report. Nothing is verified but digests.
///
///   tamarack manifest show hello.suit
///   tamarack manifest show hello.suit --format diagnostic
///   tamarack manifest show hello.suit --format json | jq .manifest.install
///   tamarack manifest show report.cbor
///
/// Of a manifest that is broken, what can be read is shown, with the place of the
/// break; the exit code is 1.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Show {
    /// The envelope or SUIT report, `-` for standard input.
    file: PathBuf,
    /// How: as a tree, in CBOR's diagnostic notation, or as JSON.
    #[arg(long, value_enum, default_value = "tree")]
    format: Format,
    /// Show long byte strings whole in diagnostic notation.
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The elements by name, with digests compared.
    Tree,
    /// RFC 8949, with names on labels and wrapped items opened.
    Diagnostic,
    /// The tree as JSON.
    Json,
}

/// Bytes of a string that diagnostic notation shows unless asked for all; the longest of an unhurt
/// manifest, signatures, are that long.
const ABRIDGED: usize = 64;

impl Show {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let bytes = files::read(&self.file)?;
        if is_key(&bytes) {
            let problem = "a key, and no manifest: nothing of it is shown here";
            return Err(
                Failure::file(&self.file, problem).hint("`tamarack key show` says which key it is")
            );
        }
        let output = match self.format {
            Format::Json => Output::new(true),
            _ => output,
        };
        let mut diagnostic = Diagnostic::of(&bytes);
        if !self.full {
            diagnostic = diagnostic.abridged(ABRIDGED);
        }
        let decoded = Envelope::decode(&bytes);
        if let (Err(_), Ok(report)) = (&decoded, Report::decode(&bytes)) {
            self.report(&report, &bytes, output);
            return Ok(());
        }
        let error = match &decoded {
            Ok(envelope) => envelope.unverified_manifest().err(),
            Err(error) => Some(error.clone()),
        };
        if let Some(error) = &error
            && diagnostic.fault().is_none()
        {
            diagnostic = diagnostic.marked(error.clone());
        }
        if self.format == Format::Diagnostic {
            let text = diagnostic.to_string();
            output.result(&json!({ "diagnostic": text }), || dimmed(&text));
        } else {
            let tree = decoded
                .as_ref()
                .ok()
                .map(|envelope| explain::describe(envelope, Some(&aws_lc::provider())));
            let value = self.json(tree.as_ref(), error.as_ref(), &bytes, &diagnostic);
            output.result(&value, || {
                let mut text = format!(
                    "{STRONG}{}{STRONG:#}  {DIM}{} bytes{DIM:#}",
                    self.file.display(),
                    bytes.len()
                );
                if let Some(tree) = &tree {
                    text = text + "\n" + &outline(tree);
                }
                if error.is_some() {
                    let notation = dimmed(&diagnostic.to_string());
                    text += &format!("\n{BAD}broken{BAD:#}; what can be read:\n{notation}");
                }
                text
            });
        }
        error.map_or(Ok(()), |error| {
            Err(place::failure(&self.file, &bytes, &error))
        })
    }

    fn report(&self, report: &Report, bytes: &[u8], output: Output) {
        if self.format == Format::Diagnostic {
            let text = cbor::diagnostic(bytes);
            output.result(&json!({ "diagnostic": text }), || text.clone());
            return;
        }
        let tree = explain::describe_report(report);
        output.result(&tree.to_json(), || {
            format!(
                "{STRONG}{}{STRONG:#}  {DIM}report, {} bytes{DIM:#}\n{}",
                self.file.display(),
                bytes.len(),
                outline(&tree)
            )
        });
    }

    fn json(
        &self,
        tree: Option<&Tree>,
        error: Option<&DecodeError>,
        bytes: &[u8],
        diagnostic: &Diagnostic<'_>,
    ) -> Value {
        let described = tree.map(Tree::to_json);
        let mut members = match described {
            Some(Value::Object(members)) => members,
            _ => serde_json::Map::new(),
        };
        if let Some(error) = error {
            let fault = json!({
                "offset": error.offset,
                "path": explain::locate(bytes, error.offset),
                "rule": error.rule,
                "problem": error.problem.to_string(),
            });
            members.insert("error".into(), fault);
            members.insert("diagnostic".into(), json!(diagnostic.to_string()));
        }
        Value::Object(members)
    }
}

/// Diagnostic notation with its comments dimmed.
fn dimmed(notation: &str) -> String {
    let mut out = String::with_capacity(notation.len());
    let mut comment = false;
    let mut chars = notation.chars();
    while let Some(c) = chars.next() {
        match c {
            '/' if comment => {
                out += &format!("/{DIM:#}");
                comment = false;
            }
            '/' => {
                out += &format!("{DIM}/");
                comment = true;
            }
            '"' | '\'' if !comment => {
                out.push(c);
                let mut escaped = false;
                for inner in chars.by_ref() {
                    out.push(inner);
                    if inner == c && !escaped {
                        break;
                    }
                    escaped = inner == '\\' && !escaped;
                }
            }
            c => out.push(c),
        }
    }
    out
}
