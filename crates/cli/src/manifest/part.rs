//! Parts of an envelope by their names on the command line.

use std::{fmt, str::FromStr};

use tamarack_cose::CryptoProvider;
use tamarack_suit::{Section, Severable, author::Draft};

use crate::failure::Failure;

/// A part of a manifest that may stand in the envelope instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A command sequence.
    Section(Section),
    /// The text for people.
    Text,
    /// The software tag (CoSWID).
    Coswid,
}

/// The labels of the software tag, and of the text.
pub(super) const COSWID: i64 = 14;
pub(super) const TEXT: i64 = 23;

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Section(section) => section.name(),
            Self::Text => "text",
            Self::Coswid => "coswid",
        })
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => return Ok(Self::Text),
            "coswid" => return Ok(Self::Coswid),
            _ => {}
        }
        let severable = || {
            Section::ALL
                .into_iter()
                .filter(|section| section.is_severable())
        };
        match Section::from_name(text) {
            Some(section) if section.is_severable() => Ok(Self::Section(section)),
            known => {
                let names: Vec<&str> = severable().map(Section::name).collect();
                let what = match known {
                    Some(_) => "stays in the manifest",
                    None => "is no part of a manifest",
                };
                Err(format!(
                    "{text} {what}; severable are {}, text and coswid",
                    names.join(", ")
                ))
            }
        }
    }
}

/// Moves a part out of the manifest of a draft.
pub(super) fn sever(draft: Draft, part: Part, crypto: &CryptoProvider) -> Result<Draft, Failure> {
    let manifest = draft.manifest();
    let is_severed = match part {
        Part::Section(section) => manifest.section(section).map(|s| s.digest().is_some()),
        Part::Text => manifest.text.as_ref().map(|s| s.digest().is_some()),
        Part::Coswid => manifest.coswid.as_ref().map(|s| s.digest().is_some()),
    };
    match is_severed {
        None => {
            let mut there: Vec<&str> = manifest
                .sections()
                .filter(|(section, sequence)| {
                    section.is_severable() && matches!(sequence, Severable::Inline(_))
                })
                .map(|(section, _)| section.name())
                .collect();
            there.extend(manifest.text.is_some().then_some("text"));
            there.extend(manifest.coswid.is_some().then_some("coswid"));
            let hint = match there.is_empty() {
                true => "it has no part that can be severed".to_owned(),
                false => format!("what can be severed is {}", there.join(", ")),
            };
            Err(Failure::new(format!("the manifest has no {part}")).hint(hint))
        }
        // Severed before: nothing is left to do.
        Some(true) => Ok(draft),
        Some(false) => Ok(match part {
            Part::Section(section) => draft.sever(crypto, section),
            Part::Text => draft.sever_text(crypto),
            Part::Coswid => draft.sever_coswid(crypto),
        }),
    }
}
