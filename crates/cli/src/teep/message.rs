//! One message, for people and for programs.

use base16ct::lower::encode_string;
use serde_json::{Value, json};
use tamarack_suit::explain::{Tree, visible};
use tamarack_teep::{
    Numbering,
    explain::{Content, Explained, Finding, Severity},
};

use super::{input::Input, wrap::wrap};
use crate::{
    manifest::outline::outline,
    output::{BAD, DIM, GOOD, STRONG},
};

/// Bytes before and after a place that are shown with it.
const AROUND: usize = 8;

/// A message and what is known of it.
pub(super) struct Shown<'s> {
    pub(super) name: &'s str,
    pub(super) input: &'s Input,
    pub(super) explained: &'s Explained,
}

impl Shown<'_> {
    /// The message as a tree, and below it what is wrong.
    pub(super) fn text(&self, width: Option<usize>) -> String {
        let explained = self.explained;
        let what = explained.name.unwrap_or("no TEEP message");
        let size = self.input.bytes.len();
        let encoded = match self.input.encoding {
            "cbor" => String::new(),
            encoding => format!(", in {encoding}"),
        };
        let numbering = match explained.numbering {
            Numbering::Sparse => "",
            Numbering::Compact => ", numbers of the proposed compact registries",
        };
        let mut text = format!(
            "{STRONG}{}{STRONG:#}  {what}  {DIM}{size} bytes{encoded}{numbering}{DIM:#}",
            visible(self.name)
        );
        match &explained.verified_by {
            Some((name, id)) => {
                let name = visible(name);
                text += &format!("\n{GOOD}verified{GOOD:#} by {name}  {DIM}{id}{DIM:#}");
            }
            None if explained.structure.is_none() && explained.name.is_some() => {
                text += &format!("\n{DIM}not signed{DIM:#}");
            }
            None => {}
        }
        let mut parts = Vec::new();
        if let (Some(structure), Some(protection)) = (explained.structure, &explained.protection) {
            parts.push((structure.to_owned(), protection.numbered()));
        }
        let name = explained.name.unwrap_or("content");
        match explained.content.numbered() {
            // A bare message needs no heading but the line above.
            Tree::Map(members) if parts.is_empty() => parts = members,
            tree => parts.push((name.to_owned(), tree)),
        }
        let tree = outline(&Tree::Map(parts));
        text = text + "\n" + &tree;
        for severity in [Severity::Problem, Severity::Note] {
            text += &self.findings(severity);
        }
        match width {
            Some(width) => wrap(&text, width),
            None => text,
        }
    }

    fn findings(&self, severity: Severity) -> String {
        let findings = self.explained.findings.iter();
        let findings: Vec<&Finding> = findings.filter(|f| f.severity == severity).collect();
        let (style, mark, one, many) = match severity {
            Severity::Problem => (BAD, "✗", "problem", "problems"),
            Severity::Note => (DIM, "·", "note", "notes"),
        };
        let heading = match findings.len() {
            0 => return String::new(),
            1 => format!("\n\n{style}1 {one}{style:#}"),
            count => format!("\n\n{style}{count} {many}{style:#}"),
        };
        findings.iter().fold(heading, |text, finding| {
            let path = visible(&finding.path);
            let what = visible(&finding.what);
            format!(
                "{text}\n{style}{mark} byte {}{style:#}  {STRONG}{path}{STRONG:#}\n    {what}  {DIM}{}{DIM:#}\n    {}",
                finding.offset,
                finding.source,
                self.excerpt(finding)
            )
        })
    }

    /// The bytes around a place, with those of the item in brackets.
    fn excerpt(&self, finding: &Finding) -> String {
        let (start, bytes, within) = self.around(finding);
        let mut text = format!("{DIM}{start:08x}{DIM:#} ");
        if bytes.is_empty() || within.start >= bytes.len() {
            return text + &hex(bytes) + &format!(" {BAD}[end of the input]{BAD:#}");
        }
        let part = |range: std::ops::Range<usize>| hex(bytes.get(range).unwrap_or_default());
        text += &part(0..within.start);
        text += &format!(" {BAD}[{}]{BAD:#}", part(within.clone()).trim());
        text + &part(within.end..bytes.len())
    }

    /// Where an excerpt starts, its bytes, and which of them are the item's.
    fn around(&self, finding: &Finding) -> (usize, &[u8], std::ops::Range<usize>) {
        let all = &self.input.bytes;
        let offset = finding.offset.min(all.len());
        let start = offset.saturating_sub(AROUND);
        let marked = finding.length.min(AROUND);
        let end = offset.saturating_add(marked + AROUND).min(all.len());
        let bytes = all.get(start..end).unwrap_or_default();
        let first = offset - start;
        (start, bytes, first..(first + marked).min(bytes.len()))
    }

    /// The message for programs; `docs/traces.md` describes the members.
    pub(super) fn json(&self) -> Value {
        let explained = self.explained;
        let findings = |severity: Severity| -> Vec<Value> {
            let findings = explained.findings.iter();
            let findings = findings.filter(|finding| finding.severity == severity);
            findings
                .map(|finding| {
                    let (start, bytes, _) = self.around(finding);
                    json!({
                        "offset": finding.offset,
                        "path": finding.path,
                        "problem": finding.what,
                        "source": finding.source,
                        "around": { "offset": start, "hex": encode_string(bytes) },
                    })
                })
                .collect()
        };
        json!({
            "file": self.name,
            "bytes": self.input.bytes.len(),
            "encoding": self.input.encoding,
            "message": explained.name,
            "numbering": match explained.numbering {
                Numbering::Sparse => "sparse",
                Numbering::Compact => "compact",
            },
            "signed": explained.structure.map_or(json!(false), |structure| json!(structure)),
            "key_id": explained.key_id.as_deref().map(encode_string),
            "verified_by": explained.verified_by.as_ref().map(|(_, id)| id),
            "verified_with": explained.verified_by.as_ref().map(|(name, _)| name),
            "protection": explained.protection.as_ref().map(content),
            "content": content(&explained.content),
            "problems": findings(Severity::Problem),
            "notes": findings(Severity::Note),
        })
    }
}

fn content(content: &Content) -> Value {
    content.named().to_json()
}

/// Bytes in hexadecimal, each with a space before it.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!(" {byte:02x}")).collect()
}
