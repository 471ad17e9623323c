use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::json;
use tamarack_cose::cbor::Reader;
use tamarack_suit::{Envelope, Section, Severed};

use super::{
    decode,
    part::{COSWID, TEXT},
    place,
};
use crate::{
    failure::Failure,
    files::{self, Target},
    output::{Output, printable},
};

/// Take parts out of an envelope: payloads, dependencies, the manifest, sections, the text.
///
///   tamarack manifest extract lamp.suit --payload '#payload' --out app.bin
///   tamarack manifest extract lamp.suit --section install --out install.cbor
///   tamarack manifest extract lamp.suit --all --out parts
///
/// Manifest, sections, text and software tag (CoSWID) are CBOR. Nothing is
/// verified: see `tamarack manifest verify`. A file that is there is never
/// overwritten.
#[derive(Args)]
#[command(verbatim_doc_comment, group = ArgGroup::new("part").required(true))]
pub(crate) struct Extract {
    /// The envelope, `-` for standard input.
    file: PathBuf,
    /// The integrated payload or dependency with this key.
    #[arg(long, value_name = "KEY", group = "part")]
    payload: Option<String>,
    /// The manifest.
    #[arg(long, group = "part")]
    manifest: bool,
    /// A section, wherever it stands.
    #[arg(long, value_name = "NAME", group = "part", value_parser = section)]
    section: Option<Section>,
    /// The text for people, wherever it stands.
    #[arg(long, group = "part")]
    text: bool,
    /// The software tag (CoSWID), wherever it stands.
    #[arg(long, group = "part")]
    coswid: bool,
    /// Everything that is in the envelope, each part in a file of its own.
    #[arg(long, group = "part")]
    all: bool,
    /// The file to write, `-` for standard output; with --all a folder, which is made if need be.
    #[arg(long, short, value_name = "PATH")]
    out: PathBuf,
}

fn section(text: &str) -> Result<Section, String> {
    Section::from_name(text).ok_or_else(|| {
        let names = Section::ALL.map(Section::name);
        format!("the sections are {}", names.join(", "))
    })
}

/// A part: what it is, a name for its file, and its bytes.
struct Piece<'a> {
    part: String,
    name: String,
    bytes: &'a [u8],
}

impl Extract {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        if self.all && files::is_standard(&self.out) {
            return Err(
                Failure::usage("--all --out -: several parts can't go to standard output")
                    .hint("give a folder for them, or take out one part"),
            );
        }
        let bytes = files::read(&self.file)?;
        let envelope = decode(&self.file, &bytes)?;
        if self.all {
            return self.extract_all(&envelope, output);
        }
        let content = self.one(&envelope)?;
        let target = Target::new(&self.out)?;
        let is_here = target.is_standard();
        target.fill(content)?;
        if is_here {
            return Ok(());
        }
        let value = json!({ "file": self.out, "bytes": content.len() });
        output.result(&value, || {
            format!("{}: {} bytes", self.out.display(), content.len())
        });
        Ok(())
    }

    fn one<'a>(&self, envelope: &Envelope<'a>) -> Result<&'a [u8], Failure> {
        if let Some(wanted) = &self.payload {
            let mut payloads = envelope.integrated().iter();
            let found = payloads.find(|(key, _)| key == wanted);
            return found.map(|(_, payload)| *payload).ok_or_else(|| {
                let keys = envelope.integrated().iter().map(|(key, _)| printable(key));
                let keys: Vec<String> = keys.collect();
                let failure = Failure::file(&self.file, format!("no payload has the key {wanted}"));
                match keys.is_empty() {
                    true => failure.hint("the envelope carries no payload"),
                    false => failure.hint(format!("the keys are {}", keys.join(", "))),
                }
            });
        }
        let (label, name) = match self.section {
            Some(section) => (section.label(), section.name()),
            None if self.text => (TEXT, "text"),
            None if self.coswid => (COSWID, "coswid"),
            None => return Ok(manifest(envelope)),
        };
        element(envelope, label).ok_or_else(|| {
            let severed = is_severed(envelope, label);
            let failure = Failure::file(&self.file, format!("there is no {name} in the envelope"));
            match severed {
                true => failure.hint("it was severed and dropped; the manifest has its digest"),
                false => failure.hint("`tamarack manifest show` says what there is"),
            }
        })
    }

    fn extract_all(&self, envelope: &Envelope<'_>, output: Output) -> Result<(), Failure> {
        let mut pieces = vec![Piece {
            part: "manifest".into(),
            name: "manifest.cbor".into(),
            bytes: manifest(envelope),
        }];
        let sections = Section::ALL.map(|section| (section.label(), section.name()));
        for (label, name) in sections
            .into_iter()
            .chain([(COSWID, "coswid"), (TEXT, "text")])
        {
            if let Some(bytes) = element(envelope, label) {
                pieces.push(Piece {
                    part: name.into(),
                    name: format!("{name}.cbor"),
                    bytes,
                });
            }
        }
        for (key, bytes) in envelope.integrated() {
            let name = file_name(key, Envelope::decode(bytes).is_ok());
            pieces.push(Piece {
                part: (*key).into(),
                name: unused(name, &pieces),
                bytes,
            });
        }
        files::make_folder(&self.out)?;
        // Nothing is there if anything is in the way, or the disk is full.
        let targets = pieces.iter().map(|piece| {
            let mut target = Target::new(&self.out.join(&piece.name))?;
            target.put(piece.bytes)?;
            Ok(target)
        });
        files::publish(targets.collect::<Result<Vec<_>, Failure>>()?)?;
        let list = pieces.iter().map(|piece| {
            let file = self.out.join(&piece.name);
            json!({ "part": piece.part, "file": file, "bytes": piece.bytes.len() })
        });
        let value = json!({ "folder": self.out, "parts": list.collect::<Vec<_>>() });
        output.result(&value, || {
            let lines = pieces.iter().map(|piece| {
                let file = self.out.join(&piece.name);
                format!("{}: {} bytes", file.display(), piece.bytes.len())
            });
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}

fn manifest<'a>(envelope: &Envelope<'a>) -> &'a [u8] {
    place::content(envelope.manifest_item())
}

/// The content of an element, from the envelope if it was severed, or from the manifest.
fn element<'a>(envelope: &Envelope<'a>, label: i64) -> Option<&'a [u8]> {
    let mut severed = envelope.severed().iter();
    match Reader::new(member(envelope, label)?).bytes("element") {
        Ok(inline) => Some(inline),
        Err(_) => severed
            .find(|severed| severed.label == label)
            .map(Severed::content),
    }
}

fn is_severed(envelope: &Envelope<'_>, label: i64) -> bool {
    member(envelope, label).is_some_and(|item| Reader::new(item).array("element").is_ok())
}

/// The encoded member of the manifest with a label.
fn member<'a>(envelope: &Envelope<'a>, label: i64) -> Option<&'a [u8]> {
    const RULE: &str = "SUIT_Manifest";
    let mut reader = Reader::new(manifest(envelope));
    let count = reader.map(RULE).ok()?;
    for _ in 0..count {
        let found = reader.int(RULE).ok()?;
        let item = reader.raw(RULE).ok()?;
        if found == label {
            return Some(item);
        }
    }
    None
}

/// A file name for the payload with a key, which comes from whoever made the envelope: letters, digits and
/// a few marks, never a path and never hidden.
fn file_name(key: &str, is_envelope: bool) -> String {
    const LONGEST: usize = 64;
    // Of a URI, its last segment.
    let last = key.rsplit(['/', '#', '?']).find(|part| !part.is_empty());
    let safe = |c: char| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') => c,
        _ => '_',
    };
    let name: String = last
        .unwrap_or_default()
        .chars()
        .map(safe)
        .take(LONGEST)
        .collect();
    let name = name.trim_start_matches(['.', '-']);
    let name = if name.is_empty() { "payload" } else { name };
    match is_envelope && !name.ends_with(".suit") {
        true => format!("{name}.suit"),
        false => name.to_owned(),
    }
}

/// The name, with a number after it if another piece has it.
fn unused(name: String, pieces: &[Piece<'_>]) -> String {
    let taken = |name: &str| {
        let mut pieces = pieces.iter();
        pieces.any(|piece| piece.name.eq_ignore_ascii_case(name))
    };
    let mut candidate = name.clone();
    let mut number = 2_u64;
    while taken(&candidate) {
        candidate = match name.rsplit_once('.') {
            Some((stem, extension)) => format!("{stem}-{number}.{extension}"),
            None => format!("{name}-{number}"),
        };
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_names_in_the_folder() {
        for (key, name) in [
            ("#payload", "payload"),
            ("https://example.com/a/b.bin?x=1", "x_1"),
            ("https://example.com/a/b.bin", "b.bin"),
            ("../../etc/passwd", "passwd"),
            ("#..", "payload"),
            ("#.ssh", "ssh"),
            ("#-rf", "rf"),
            ("", "payload"),
            ("#a\u{202e}\u{1b}[2J", "a___2J"),
            ("C:\\x", "C__x"),
        ] {
            assert_eq!(file_name(key, false), name, "{key}");
        }
        assert_eq!(file_name("#dependency", true), "dependency.suit");
        assert_eq!(file_name("#dependency.suit", true), "dependency.suit");
        assert_eq!(file_name(&"x".repeat(500), false).len(), 64);
    }
}
