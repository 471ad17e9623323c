use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use tamarack_cose::{CryptoProvider, PublicKey, aws_lc, encrypt::RecipientKey};
use tamarack_teep::explain::{Knowledge, diagnostic, explain};
use tamarack_trace::Lines;

use super::{
    chart::{self, Charset},
    input::{self, Input},
    message::Shown,
};
use crate::{
    failure::Failure,
    files,
    key_file::{KeyFile, read_publics},
    output::Output,
};

/// Show TEEP messages with everything in them, and what is wrong with them where; or draw a trace.
///
///   tamarack teep show message.cose
///   tamarack teep show message.cose --key tam.pub.pem --key device.pub.pem
///   tamarack teep show --trace exchanges.trace
///   tamarack teep show --trace exchanges.trace --message 3
///
/// A message may be protected or bare, in CBOR, hexadecimal or base64; an EAT is
/// shown too. Nothing that is shown is verified, unless `verified by` says so. The
/// exit code is 1 if a message has a problem.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Show {
    /// The messages, `-` for standard input. A trace is recognised, and drawn.
    #[arg(value_name = "FILE", required_unless_present = "trace")]
    files: Vec<PathBuf>,
    /// A key that may have signed, as often as there are keys. It is a problem if none of them signed a message.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// A private key to which Evidence or reports may be encrypted, as often as there are keys.
    #[arg(long, value_name = "FILE")]
    decrypt_key: Vec<PathBuf>,
    /// Draw this trace, which a broker or TAM wrote with its own `--trace`.
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    trace: Option<PathBuf>,
    /// Of a trace, show this message in full.
    #[arg(long, value_name = "NUMBER")]
    message: Option<usize>,
    /// Print CBOR diagnostic notation instead, with what is in byte strings opened.
    #[arg(long)]
    diagnostic: bool,
    /// Columns to use; by default those of the terminal.
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(20..))]
    width: Option<u16>,
    /// Draw a trace with ASCII characters only, as is done where the locale is not UTF-8.
    #[arg(long)]
    ascii: bool,
}

/// The keys that were given.
pub(super) struct Keys {
    crypto: CryptoProvider,
    public: Vec<(String, PublicKey)>,
    private: Vec<RecipientKey>,
}

impl Keys {
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self {
            crypto: aws_lc::provider(),
            public: Vec::new(),
            private: Vec::new(),
        }
    }

    fn read(show: &Show) -> Result<Self, Failure> {
        let crypto = aws_lc::provider();
        let mut public = Vec::new();
        for path in &show.key {
            let keys = read_publics(path, &crypto)?;
            public.extend(
                keys.into_iter()
                    .map(|key| (path.display().to_string(), key)),
            );
        }
        let mut private = Vec::new();
        for path in &show.decrypt_key {
            let key = KeyFile::read(path)?.decryption(&crypto)?;
            private.push(RecipientKey::agreement(&crypto, key));
        }
        Ok(Self {
            crypto,
            public,
            private,
        })
    }

    /// Whether one of the public keys has this id; of a message that names no key, any may have signed it.
    pub(super) fn may_have_signed(&self, key_id: Option<&[u8]>) -> bool {
        let mut keys = self.public.iter();
        keys.any(|(_, key)| key_id.is_none_or(|id| id == key.key_id(&self.crypto).as_bytes()))
    }

    /// What is known without the public keys.
    pub(super) fn without_public(&self) -> Knowledge<'_> {
        Knowledge {
            keys: &[],
            ..self.knowledge()
        }
    }

    pub(super) fn knowledge(&self) -> Knowledge<'_> {
        Knowledge {
            crypto: &self.crypto,
            keys: &self.public,
            recipient_keys: &self.private,
        }
    }
}

impl Show {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let keys = Keys::read(&self)?;
        if let Some(path) = &self.trace {
            return self.show_trace(path, &files::read(path)?, &keys, output);
        }
        let mut results = Vec::new();
        let mut failure = None;
        for path in &self.files {
            let bytes = files::read(path)?;
            if Lines::recognise(&bytes) {
                self.show_trace(path, &bytes, &keys, output)?;
                continue;
            }
            let input = input::decode(bytes);
            let name = path.display().to_string();
            let (value, problem) = self.show_message(&name, &input, &keys, output);
            results.push(value);
            if let Some(problem) = problem {
                failure.get_or_insert(Failure::file(path, problem));
            }
        }
        if output.is_json() {
            match results.as_slice() {
                [] => {}
                [one] => output.result(one, String::new),
                several => output.result(&several, String::new),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Shows a message to people; for programs it is returned. Also returned is what is wrong first.
    fn show_message(
        &self,
        name: &str,
        input: &Input,
        keys: &Keys,
        output: Output,
    ) -> (Value, Option<String>) {
        let explained = explain(&input.bytes, keys.knowledge());
        let problem = explained.problems().next().map(|finding| {
            let more = explained.problems().count() - 1;
            match more {
                0 => finding.to_string(),
                more => format!("{finding}; and {more} more"),
            }
        });
        // Paths and texts in it come from the message.
        let problem = problem.map(|problem| tamarack_suit::explain::visible(&problem));
        if self.diagnostic {
            let text = diagnostic(&input.bytes);
            output.text(&text);
            return (json!({ "file": name, "diagnostic": text }), problem);
        }
        let shown = Shown {
            name,
            input,
            explained: &explained,
        };
        output.text(&shown.text(self.width()));
        (shown.json(), problem)
    }

    fn show_trace(
        &self,
        path: &Path,
        bytes: &[u8],
        keys: &Keys,
        output: Output,
    ) -> Result<(), Failure> {
        let lines = Lines::read(bytes);
        let charset = match self.ascii {
            true => Charset::ASCII,
            false => Charset::of_locale(),
        };
        let trace = chart::Trace::of(&lines, keys);
        if trace.messages.is_empty() && !lines.faults.is_empty() {
            let (line, why) = lines.faults.first().cloned().unwrap_or_default();
            return Err(Failure::file(path, format!("no trace: line {line}: {why}"))
                .hint("a file is expected that `tamarack broker serve --trace` or `tamarack tam serve --trace` wrote"));
        }
        let Some(number) = self.message else {
            let width = self.width().unwrap_or(100);
            let value = trace.json(path);
            output.result(&value, || trace.draw(path, width, charset));
            // The chart has marked what is wrong.
            return match trace.has_problem() {
                true => Err(Failure::told()),
                false => Ok(()),
            };
        };
        let count = trace.messages.len();
        let message = number.checked_sub(1).and_then(|at| trace.messages.get(at));
        let message = message.ok_or_else(|| {
            Failure::file(path, format!("has no message {number}"))
                .hint(format!("it has {count}, counted from 1"))
        })?;
        let Some(body) = message.body.filter(|body| !body.is_empty()) else {
            return Err(Failure::file(path, format!("message {number} is empty")));
        };
        let input = Input {
            bytes: body.to_vec(),
            encoding: "cbor",
        };
        let name = format!("{}, message {number}", path.display());
        let (value, problem) = self.show_message(&name, &input, keys, output);
        if output.is_json() {
            output.result(&value, String::new);
        }
        problem.map_or(Ok(()), |problem| Err(Failure::file(path, problem)))
    }

    /// The columns to use, if there is a terminal or somebody says so.
    fn width(&self) -> Option<usize> {
        let given = self.width.map(usize::from);
        let variable = || std::env::var("COLUMNS").ok()?.parse().ok();
        let terminal = || {
            Some(usize::from(
                terminal_size::terminal_size_of(std::io::stdout())?.0.0,
            ))
        };
        given
            .or_else(terminal)
            .or_else(variable)
            .filter(|width| *width >= 20)
    }
}
