//! Attestation Results and EATs in JSON.

use alloc::{string::String, vec::Vec};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::Value;
use tamarack_suit::explain::Tree;

use super::{
    claims::is_claim,
    item::Octets,
    node::{Content, Node},
    walk::{Walk, source},
};

/// A JSON header in base64url starts so: `{"`.
const START: &str = "eyJ";

/// Levels of JSON that are shown; the parser has a limit of its own beyond it.
const DEPTH: usize = 32;

impl Walk<'_> {
    /// Shows a JWT, in quotes or not, or a claims set in JSON; `None` if the bytes are neither.
    pub(super) fn jwt(&mut self, octets: &Octets<'_>) -> Option<Content> {
        self.under("JWT", |walk| walk.jwt_parts(octets))
    }

    fn jwt_parts(&mut self, octets: &Octets<'_>) -> Option<Content> {
        let text = core::str::from_utf8(&octets.content).ok()?;
        let trimmed = text.trim();
        let bare = trimmed.trim_matches('"');
        if !bare.starts_with(START) {
            if !trimmed.starts_with('{') {
                return None;
            }
            let value: Value = serde_json::from_str(trimmed).ok()?;
            // Other objects are no claims sets.
            value.as_object()?.keys().find(|name| is_claim(name))?;
            return Some(json("", &value, 0));
        }
        // Both are parts of `text`.
        let start = bare.as_ptr().addr().saturating_sub(text.as_ptr().addr());
        let mut nodes = Vec::new();
        let mut at = start;
        let mut parts = 0;
        for part in bare.split('.') {
            let place = octets.origin.locate(at);
            at += part.len() + 1;
            parts += 1;
            let name = match parts {
                1 => "header",
                2 => "claims",
                3 => "signature",
                _ => break,
            };
            let content = self.under(name, |walk| {
                let Ok(bytes) = Base64UrlUnpadded::decode_vec(part) else {
                    walk.problem_at(place, "not base64url", "RFC 7515, section 3.1");
                    return Content::text(part);
                };
                if name == "signature" {
                    return Content::text(alloc::format!("{} bytes", bytes.len()));
                }
                match serde_json::from_slice::<Value>(&bytes) {
                    Ok(value) => json("", &value, 0),
                    Err(error) => {
                        walk.problem_at(place, alloc::format!("not JSON: {error}"), source::EAT);
                        Content::start_of(&bytes)
                    }
                }
            });
            nodes.push(Node::plain(name, content));
        }
        if bare.split('.').count() != 3 {
            let place = octets.origin.locate(start);
            self.problem_at(
                place,
                "a JWT has three parts with dots between them",
                "RFC 7515, section 3.1",
            );
        }
        Some(Content::Map(nodes))
    }
}

/// A JSON value; `name` is that of the member which holds it.
fn json(name: &str, value: &Value, depth: usize) -> Content {
    if depth > DEPTH {
        return Content::text("(nested too deeply to be shown)");
    }
    match value {
        Value::Null => Content::text("null"),
        Value::Bool(flag) => Content::Leaf(Tree::Flag(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Walk::json_claim(name, number),
            None => Content::text(number),
        },
        Value::String(text) => Content::text(text),
        Value::Array(items) => {
            Content::List(items.iter().map(|item| json("", item, depth + 1)).collect())
        }
        Value::Object(members) => Content::Map(
            members
                .iter()
                .map(|(name, value)| {
                    Node::new(String::from(name), None, json(name, value, depth + 1))
                })
                .collect(),
        ),
    }
}
