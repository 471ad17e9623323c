//! What a parameter is set to. Values that do not decode are shown as they are.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use tamarack_cose::{
    cbor::Reader,
    encrypt::{Encrypted, RecipientAlgorithm},
};

use super::{Tree, shape, tree::map};
use crate::{
    ComponentId, Limits, Uuid,
    codec::{
        ActorId, ComponentMetadata, FileType, Parameter, Parameters, Permissions, WaitEvent,
        WaitInfo, metadata_label as metadata,
    },
};

/// Parameters, each by its name.
pub(super) fn all(parameters: &Parameters<'_>) -> Tree {
    Tree::Map(parameters.iter().map(describe_parameter).collect())
}

/// Describes a parameter: its name, and its value.
#[must_use]
pub fn describe_parameter(parameter: &Parameter<'_>) -> (String, Tree) {
    let name = match parameter {
        Parameter::Other { label, .. } => alloc::format!("parameter {label}"),
        known => known.name().to_string(),
    };
    (name, value(parameter))
}

fn value(parameter: &Parameter<'_>) -> Tree {
    match parameter {
        Parameter::VendorId(vendor) => Tree::text(vendor),
        Parameter::ClassId(uuid) | Parameter::DeviceId(uuid) => Tree::text(uuid),
        Parameter::ImageDigest(digest) => Tree::text(digest),
        Parameter::UseBefore(value)
        | Parameter::ComponentSlot(value)
        | Parameter::ImageSize(value)
        | Parameter::SourceComponent(value)
        | Parameter::MinimumBattery(value) => Tree::number(*value),
        Parameter::StrictOrder(value) | Parameter::SoftFailure(value) => Tree::Flag(*value),
        Parameter::Uri(uri) => Tree::text(uri),
        Parameter::UpdatePriority(value) => Tree::number(*value),
        Parameter::Version(version) => Tree::text(version),
        Parameter::EncryptionInfo(bytes) => encryption(bytes),
        Parameter::WaitInfo(bytes) => match WaitInfo::decode(bytes, &Limits::default()) {
            Ok(info) => wait_info(&info),
            Err(_) => Tree::hex(bytes),
        },
        Parameter::ComponentMetadata(bytes) => {
            match ComponentMetadata::decode(bytes, &Limits::default()) {
                Ok(metadata) => component_metadata(&metadata),
                Err(_) => Tree::hex(bytes),
            }
        }
        Parameter::Content(bytes)
        | Parameter::InvokeArguments(bytes)
        | Parameter::FetchArguments(bytes) => Tree::hex(bytes),
        Parameter::Other { value, .. } => Tree::hex(value),
    }
}

/// How content is encrypted, and to whom; what is no encryption information, as it is.
fn encryption(bytes: &[u8]) -> Tree {
    let Ok(encrypted) = Encrypted::decode_encrypt(bytes) else {
        return Tree::hex(bytes);
    };
    let recipients = encrypted.recipients().unwrap_or_default().iter();
    let recipients = recipients.map(|recipient| {
        let id = recipient.algorithm().map(RecipientAlgorithm::cose_id);
        let mut members = map([("algorithm", Tree::algorithm(id))]);
        if let Some(key_id) = recipient.key_id() {
            members.push(("key-id".to_string(), key_name(key_id)));
        }
        if let Some(target) = recipient.target() {
            let id = ComponentId::read(&mut Reader::new(target), "target");
            let shown = id.map_or_else(|_| Tree::hex(target), Tree::text);
            members.push(("for-component".to_string(), shown));
        }
        Tree::Map(members)
    });
    Tree::Map(map([
        ("algorithm", Tree::text(encrypted.algorithm().name())),
        ("recipients", Tree::List(recipients.collect())),
    ]))
}

/// A key id as text, where people gave it as text.
fn key_name(key_id: &[u8]) -> Tree {
    match core::str::from_utf8(key_id) {
        Ok(text) if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) => {
            Tree::text(text)
        }
        _ => Tree::hex(key_id),
    }
}

/// What is waited for, each event by its name; times in seconds, as they are encoded.
fn wait_info(info: &WaitInfo<'_>) -> Tree {
    let event = |event: &WaitEvent<'_>| {
        let value = match event {
            WaitEvent::Authorization(value)
            | WaitEvent::Power(value)
            | WaitEvent::Network(value) => Tree::number(*value),
            WaitEvent::OtherDeviceVersion { device, versions } => Tree::Map(map([
                ("device", Tree::hex(device)),
                (
                    "versions",
                    Tree::List(versions.iter().map(Tree::text).collect()),
                ),
            ])),
            WaitEvent::Time(value)
            | WaitEvent::TimeOfDay(value)
            | WaitEvent::DayOfWeek(value)
            | WaitEvent::TimeOfDayUtc(value)
            | WaitEvent::DayOfWeekUtc(value) => Tree::number(*value),
            WaitEvent::Other { value, .. } => Tree::hex(value),
        };
        let name = match shape::wait_event(event.label()).name {
            "" => alloc::format!("event {}", event.label()),
            name => name.to_string(),
        };
        (name, value)
    };
    Tree::Map(info.events().iter().map(event).collect())
}

fn component_metadata(about: &ComponentMetadata<'_>) -> Tree {
    let name = |label| shape::metadata(label).name.to_string();
    let mut members = Vec::new();
    if let Some(permissions) = about.default_permissions {
        members.push((
            name(metadata::DEFAULT_PERMISSIONS),
            self::permissions(permissions),
        ));
    }
    let lists = [
        (metadata::USER_PERMISSIONS, &about.user_permissions),
        (metadata::GROUP_PERMISSIONS, &about.group_permissions),
        (metadata::ROLE_PERMISSIONS, &about.role_permissions),
    ];
    for (label, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let entry = |(actor, permissions): &(ActorId<'_>, Permissions)| {
            Tree::Map(map([
                ("actor", self::actor(actor)),
                ("permissions", self::permissions(*permissions)),
            ]))
        };
        members.push((name(label), Tree::List(list.iter().map(entry).collect())));
    }
    if let Some(file_type) = about.file_type {
        let kind = match file_type {
            FileType::Regular => "regular",
            FileType::Directory => "directory",
            FileType::SymbolicLink => "symbolic link",
        };
        members.push((name(metadata::FILE_TYPE), Tree::text(kind)));
    }
    let times = [
        (metadata::MODIFICATION_TIME, about.modification_time),
        (metadata::CREATION_TIME, about.creation_time),
    ];
    for (label, time) in times {
        members.extend(time.map(|time| (name(label), Tree::number(time))));
    }
    if let Some(creator) = &about.creator {
        members.push((name(metadata::CREATOR), actor(creator)));
    }
    Tree::Map(members)
}

fn actor(actor: &ActorId<'_>) -> Tree {
    match actor {
        ActorId::Uuid(bytes) => Tree::text(Uuid(*bytes)),
        ActorId::Bytes(bytes) => Tree::hex(bytes),
        ActorId::Text(text) => Tree::text(text),
        ActorId::Number(number) => Tree::number(*number),
    }
}

/// The bits that are set, by their names in the draft.
fn permissions(permissions: Permissions) -> Tree {
    let set = shape::PERMISSIONS.iter().enumerate();
    let set = set.filter(|(bit, _)| permissions.bits() >> bit & 1 == 1);
    let names: Vec<_> = set.map(|(_, name)| *name).collect();
    match names.as_slice() {
        [] => Tree::text("none"),
        names => Tree::Text(names.join(", ")),
    }
}
