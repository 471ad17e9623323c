use alloc::{
    borrow::Cow,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Input, InputError,
    image::Image,
    input::{ComponentText, ManifestText, place},
};
use crate::codec::{LanguageText, Text, TextEntries};

/// The label of the JSON source among the texts about the manifest.
const JSON_SOURCE: i64 = 3;

/// The text element; `None` if there is no text.
// req: SUIT-MAN-009, SUIT-MAN-010
pub(super) fn text(
    input: &Input,
    images: &[Image<'_>],
) -> Result<Option<Text<'static>>, InputError> {
    let mut languages: BTreeMap<String, LanguageText<'static>> = BTreeMap::new();
    for (tag, description) in &input.manifest.description {
        let language = languages.entry(tag.clone()).or_default();
        language.manifest = manifest_entries(description);
    }
    for image in images {
        for (tag, description) in &image.component.description {
            let components = &mut languages.entry(tag.clone()).or_default().components;
            if components.iter().any(|(id, _)| *id == image.install_id) {
                let at = place(image.position, &format!("description.{tag}"));
                let problem = "another component with this identifier has one too";
                return Err(InputError::new(at, problem));
            }
            components.push((image.install_id.clone(), component_entries(description)));
        }
    }
    if input.manifest.include_json {
        // Of several languages the first has it: JSON is in none of them.
        let tag = languages.keys().next().cloned();
        let language = languages.entry(tag.unwrap_or_else(|| "en".to_string()));
        let source = (JSON_SOURCE, Cow::Owned(input.source.clone()));
        language.or_default().manifest.push(source);
    }
    if languages.is_empty() {
        return Ok(None);
    }
    let languages = languages.into_iter();
    Ok(Some(Text {
        languages: languages
            .map(|(tag, text)| (Cow::Owned(tag), text))
            .collect(),
    }))
}

fn manifest_entries(text: &ManifestText) -> TextEntries<'static> {
    entries([&text.manifest_description, &text.update_description])
}

fn component_entries(text: &ComponentText) -> TextEntries<'static> {
    entries([
        &text.vendor_name,
        &text.model_name,
        &text.vendor_domain,
        &text.model_info,
        &text.component_description,
        &text.component_version,
        &text.version_required,
        &text.current_version,
    ])
}

/// The texts there are, by their labels, which count from 1.
fn entries<const N: usize>(texts: [&Option<String>; N]) -> Vec<(i64, Cow<'static, str>)> {
    (1..)
        .zip(texts)
        .filter_map(|(label, text)| Some((label, Cow::Owned(text.clone()?))))
        .collect()
}
