use alloc::{borrow::Cow, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

use super::{bounded, metadata::is_visible, open, several};
use crate::{ComponentId, Limits};

/// Text for people (manifest label 23), by language.
///
/// Nothing in it is meant for machines, and nothing in it is trusted to be harmless on a terminal:
/// show it escaped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text<'a> {
    /// At least one language tag with its text.
    pub languages: Vec<(Cow<'a, str>, LanguageText<'a>)>,
}

/// Texts by label.
pub type TextEntries<'a> = Vec<(i64, Cow<'a, str>)>;

/// The text in one language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LanguageText<'a> {
    /// About the manifest: 1 its description, 2 the update's description, 3 and 4 its JSON and YAML
    /// source.
    pub manifest: TextEntries<'a>,
    /// About components: 1 vendor name, 2 model name, 3 vendor domain, 4 model information,
    /// 5 description, 6 version, 7 version required, 8 current version.
    pub components: Vec<(ComponentId, TextEntries<'a>)>,
}

const RULE: &str = "SUIT_Text_Map";
/// The label of what version of something else a component requires.
pub(crate) const VERSION_REQUIRED: i64 = 7;

impl<'a> Text<'a> {
    /// Decodes the content of the text element's byte string.
    ///
    /// # Errors
    ///
    /// If it is not a text map.
    // req: SUIT-MAN-009
    pub fn decode(content: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::read(&mut open(content, limits, RULE)?, limits)
    }

    pub(super) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let count = reader.map(RULE)?;
        if count == 0 {
            return Err(start.error(RULE, Problem::OutOfBounds("one language or more")));
        }
        let count = bounded(count, limits, reader, RULE)?;
        let mut languages = Vec::new();
        for _ in 0..count {
            let start = reader.clone();
            let tag = reader.text("tag38-ltag")?;
            if !is_language_tag(tag) {
                return Err(start.error("tag38-ltag", Problem::Expected("a language tag")));
            }
            languages.push((tag.into(), LanguageText::read(reader, limits)?));
        }
        Ok(Self { languages })
    }

    /// The encoded map, without a byte string around it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let languages = self.languages.iter().map(|(tag, text)| {
            Writer::build(|w| {
                w.text(tag);
                text.write(w);
            })
        });
        Writer::build(|w| {
            w.sorted_map(languages.collect());
        })
    }
}

/// 1 to 8 letters, then groups of 1 to 8 letters and digits after hyphens.
fn is_language_tag(tag: &str) -> bool {
    let mut groups = tag.as_bytes().split(|byte| *byte == b'-').enumerate();
    groups.all(|(position, group)| {
        let allowed =
            |byte: &u8| byte.is_ascii_alphabetic() || (position > 0 && byte.is_ascii_digit());
        (1..=8).contains(&group.len()) && group.iter().all(allowed)
    })
}

impl<'a> LanguageText<'a> {
    // req: SUIT-FMT-003
    fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Text_LMap";
        let mut text = Self::default();
        for _ in 0..bounded(reader.map(RULE)?, limits, reader, RULE)? {
            if reader.peek() == Type::Array {
                let start = reader.clone();
                let id = ComponentId::read(reader, "SUIT_Component_Identifier")?;
                // The door compares keys as they are encoded; within an array, heads may differ.
                if text.components.iter().any(|(known, _)| *known == id) {
                    return Err(start.error(RULE, Problem::DuplicateKey));
                }
                const RULE: &str = "SUIT_Text_Component_Keys";
                let count = bounded(reader.map(RULE)?, limits, reader, RULE)?;
                let entries = several(count, || component_entry(reader))?;
                text.components.push((id, entries));
            } else {
                text.manifest.push(entry(reader)?);
            }
        }
        Ok(text)
    }

    fn write(&self, w: &mut Writer) {
        let components = self.components.iter().map(|(id, entries)| {
            Writer::build(|w| {
                id.write(w);
                w.sorted_map(encoded(entries).collect());
            })
        });
        w.sorted_map(encoded(&self.manifest).chain(components).collect());
    }
}

fn entry<'a>(reader: &mut Reader<'a>) -> Result<(i64, Cow<'a, str>), DecodeError> {
    let start = reader.clone();
    let label = reader.int("SUIT_Text_Keys")?;
    if label == 0 {
        return Err(start.error(
            "SUIT_Text_Keys",
            Problem::OutOfBounds("labels other than 0"),
        ));
    }
    Ok((label, reader.text("SUIT_Text_Keys / text")?.into()))
}

/// An entry about a component. Versions, which end up before operators, are visible text of one line.
// req: SUIT-UPD-009
fn component_entry<'a>(reader: &mut Reader<'a>) -> Result<(i64, Cow<'a, str>), DecodeError> {
    const CURRENT_VERSION: i64 = 8;
    let start = reader.clone();
    let (label, text) = entry(reader)?;
    let of_version = matches!(label, VERSION_REQUIRED | CURRENT_VERSION);
    if of_version && !is_visible(&text) {
        let problem = Problem::OutOfBounds("visible text");
        return Err(start.error("SUIT_Text_Component_Keys / version", problem));
    }
    Ok((label, text))
}

/// Each entry with its label.
fn encoded(entries: &[(i64, Cow<'_, str>)]) -> impl Iterator<Item = Vec<u8>> {
    entries.iter().map(|(label, text)| {
        Writer::build(|w| {
            w.int(*label).text(text);
        })
    })
}
