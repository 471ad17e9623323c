//! What is said about the software that a manifest installs: its tag (CoSWID), and its MUD file.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    vec::Vec,
};

use tamarack_cose::cbor::{Reader, Type};

use super::{Tree, shape, tree::map};
use crate::{
    Limits, Uuid,
    codec::{ConciseSwidTag, Entity, Mud, TagId},
};

/// Describes the content of a software tag's byte string, which is shown as it is where it is none.
#[must_use]
pub fn describe_coswid(content: &[u8], limits: &Limits) -> Tree {
    let Ok(tag) = ConciseSwidTag::decode(content, limits) else {
        return Tree::hex(content);
    };
    let id = match &tag.tag_id {
        TagId::Text(text) => Tree::text(text),
        TagId::Uuid(bytes) => Tree::text(Uuid(*bytes)),
    };
    let mut members = map([
        ("tag-id", id),
        ("tag-version", Tree::number(tag.tag_version)),
        ("software-name", Tree::text(&tag.software_name)),
    ]);
    if let Some(version) = &tag.software_version {
        members.push(("software-version".to_string(), Tree::text(version)));
    }
    let entities = tag.entities.iter().map(entity).collect();
    members.push(("entities".to_string(), Tree::List(entities)));
    members.extend(others(&tag.others));
    Tree::Map(members)
}

fn entity(entity: &Entity<'_>) -> Tree {
    let roles: Vec<_> = entity.roles.iter().map(|role| role_name(*role)).collect();
    let mut members = map([
        ("name", Tree::text(&entity.name)),
        ("roles", Tree::Text(roles.join(", "))),
    ]);
    members.extend(others(&entity.others));
    Tree::Map(members)
}

/// The name of an entity's role (RFC 9393 section 4.2); the number of one that is not registered.
fn role_name(role: i64) -> String {
    let name = match role {
        1 => "tag creator",
        2 => "software creator",
        3 => "aggregator",
        4 => "distributor",
        5 => "licensor",
        6 => "maintainer",
        _ => return role.to_string(),
    };
    name.to_string()
}

/// Members that say more, by name: text, numbers and flags as such, and the rest as it is encoded.
fn others(members: &[(i64, Cow<'_, [u8]>)]) -> Vec<(String, Tree)> {
    let member = |(label, value): &(i64, Cow<'_, [u8]>)| {
        let name = match shape::software_tag(*label).name {
            "" => alloc::format!("member {label}"),
            name => name.to_string(),
        };
        (name, scalar(value))
    };
    members.iter().map(member).collect()
}

fn scalar(encoded: &[u8]) -> Tree {
    const RULE: &str = "concise-swid-tag";
    let mut reader = Reader::new(encoded);
    let shown = match reader.peek() {
        Type::Text => reader.text(RULE).map(Tree::text),
        Type::Bool => reader.bool(RULE).map(Tree::Flag),
        _ => reader.int(RULE).map(Tree::number),
    };
    shown.unwrap_or_else(|_| Tree::hex(encoded))
}

/// Describes the reference to a MUD file.
#[must_use]
pub fn describe_mud(mud: &Mud<'_>) -> Tree {
    Tree::Map(map([
        ("url", Tree::text(&mud.url)),
        (
            "subject-key-identifier",
            Tree::text(mud.subject_key_identifier),
        ),
    ]))
}
