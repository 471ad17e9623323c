use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt::Write;

use base16ct::lower::encode_string;
use tamarack_suit::explain::visible;

use super::item::{Item, Octets, Value, Whole};

/// Byte strings within each other that are opened.
const NESTED: usize = 12;

/// Longest array or map, in characters, that stands on one line.
const LINE: usize = 60;

/// Bytes in diagnostic notation (RFC 8949 section 8), with what is in byte strings shown as `<< … >>` where it
/// is an array, a map or a tagged item. What can't be read is shown in hexadecimal, behind a comment that says
/// what is wrong at which byte. Text is escaped, so that it can't disturb a terminal.
///
/// ```
/// use tamarack_teep::explain::diagnostic;
///
/// assert_eq!(diagnostic(&[0x82, 0x01, 0x43, 0x81, 0x20, 0x00]), "[1, h'812000']");
/// assert_eq!(diagnostic(&[0x82, 0x01, 0x42, 0x81, 0x20]), "[1, << [-1] >>]");
/// assert_eq!(diagnostic(&[0x82, 0x01]), "[1, / byte 2: the input ends too early / h'']");
/// ```
#[must_use]
pub fn diagnostic(bytes: &[u8]) -> String {
    let octets = Octets::file(bytes);
    let Whole { item, rest } = octets.item();
    let mut text = shown(&item, 0, 0);
    if let Some(rest) = rest {
        let more = bytes.get(rest..).unwrap_or_default();
        let _ = write!(
            text,
            "\n/ byte {rest}: bytes follow the end / h'{}'",
            encode_string(more)
        );
    }
    text
}

fn shown(item: &Item<'_>, indent: usize, nested: usize) -> String {
    let mut out = String::new();
    if let Some(fault) = item.fault {
        // Writing to a string does not fail.
        let _ = write!(out, "/ byte {}: {} / ", fault.offset, fault.problem);
    }
    out += &match &item.value {
        Value::Uint(number) => number.to_string(),
        Value::Negative(number) => (-1 - i128::from(*number)).to_string(),
        Value::Bytes(octets) => string(octets, indent, nested),
        Value::Text(text) => {
            let text = visible(text).replace('"', "\\\"");
            format!("\"{text}\"")
        }
        Value::Bool(flag) => flag.to_string(),
        Value::Null => "null".into(),
        Value::Float(number) => format!("{number:?}"),
        Value::Simple(23) => "undefined".into(),
        Value::Simple(number) => format!("simple({number})"),
        Value::Broken => format!("h'{}'", encode_string(item.raw)),
        Value::Tag(tag, inner) => format!("{tag}({})", shown(inner, indent, nested)),
        Value::Array(items) => {
            let items = items.iter().map(|item| shown(item, indent + 1, nested));
            lines(items.collect(), ['[', ']'], indent)
        }
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key_text = shown(key, indent + 1, nested);
                match key.value {
                    Value::Broken => key_text,
                    _ => format!("{key_text}: {}", shown(value, indent + 1, nested)),
                }
            });
            lines(entries.collect(), ['{', '}'], indent)
        }
    };
    out
}

/// Parts of an array or a map: on one line if they fit, else on one each.
fn lines(parts: alloc::vec::Vec<String>, [open, close]: [char; 2], indent: usize) -> String {
    let length: usize = parts.iter().map(|part| part.len() + 2).sum();
    if length <= LINE && !parts.iter().any(|part| part.contains('\n')) {
        return format!("{open}{}{close}", parts.join(", "));
    }
    let margin = "  ".repeat(indent + 1);
    let parts = parts.join(&format!(",\n{margin}"));
    format!("{open}\n{margin}{parts}\n{}{close}", "  ".repeat(indent))
}

fn string(octets: &Octets<'_>, indent: usize, nested: usize) -> String {
    let hex = || format!("h'{}'", encode_string(&octets.content));
    if nested >= NESTED || !matches!(octets.content.first(), Some(0x80..=0xdf)) {
        return hex();
    }
    let Whole { item, rest } = octets.item();
    if rest.is_some() || has_fault(&item) {
        return hex();
    }
    format!("<< {} >>", shown(&item, indent, nested + 1))
}

/// Whether anything in an item is wrong: then the bytes may just look like CBOR.
fn has_fault(item: &Item<'_>) -> bool {
    item.fault.is_some()
        || match &item.value {
            Value::Array(items) => items.iter().any(has_fault),
            Value::Map(entries) => entries
                .iter()
                .any(|(key, value)| has_fault(key) || has_fault(value)),
            Value::Tag(_, inner) => has_fault(inner),
            _ => false,
        }
}
