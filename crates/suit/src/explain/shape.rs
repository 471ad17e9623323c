use crate::codec::{
    Action, Condition, Mud, Section, command_label as command, common_label as common,
    envelope_label as envelope, manifest_label as manifest, metadata_label as metadata,
    parameter_label as parameter, wait_event_label as wait_event,
};

/// What an item is known to be: enough to name what is in it, and to look into byte strings.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Nothing is known.
    Plain,
    /// A map with integer labels, or an array of such maps; text labels are integrated payloads.
    Map(fn(i64) -> Member),
    /// An array, or a map with indices as keys, whose items are all alike.
    Each(fn() -> Self),
    /// An array with these items, and then perhaps more like the last one.
    Items(&'static [Member]),
    /// A byte string that holds one item.
    Wrapped(fn() -> Self),
    /// Pairs of command and argument.
    Commands,
    /// A tagged COSE structure.
    Cose,
    /// A payload in the envelope: an envelope itself, or anything.
    Payload,
    /// A byte string that is often text.
    Name,
    /// A UUID in 16 bytes.
    Uuid,
    /// A COSE algorithm.
    Algorithm,
    /// Texts by language.
    Text,
}

/// A name and what is there.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
}

const fn member(name: &'static str, shape: Shape) -> Member {
    Member { name, shape }
}

const UNKNOWN: Member = member("", Shape::Plain);

pub(super) fn envelope() -> Shape {
    Shape::Map(|label| match label {
        envelope::AUTHENTICATION => {
            member("authentication-wrapper", Shape::Wrapped(authentication))
        }
        envelope::MANIFEST => member("manifest", Shape::Wrapped(manifest)),
        label => manifest_member(label),
    })
}

fn authentication() -> Shape {
    const DIGEST: Member = member("digest", Shape::Wrapped(digest));
    const BLOCK: Member = member("authentication-block", Shape::Wrapped(|| Shape::Cose));
    Shape::Items(&[DIGEST, BLOCK])
}

pub(super) fn digest() -> Shape {
    const ALGORITHM: Member = member("algorithm-id", Shape::Algorithm);
    const BYTES: Member = member("digest-bytes", Shape::Plain);
    Shape::Items(&[ALGORITHM, BYTES])
}

pub(super) fn manifest() -> Shape {
    Shape::Map(|label| match label {
        manifest::VERSION => member("manifest-version", Shape::Plain),
        manifest::SEQUENCE_NUMBER => member("manifest-sequence-number", Shape::Plain),
        manifest::COMMON => member("common", Shape::Wrapped(common)),
        manifest::REFERENCE_URI => member("reference-uri", Shape::Plain),
        manifest::COMPONENT_ID => member("manifest-component-id", component_id()),
        manifest::SET_VERSION => member("set-version", Shape::Wrapped(|| Shape::Plain)),
        Mud::LABEL => member("mud", Shape::Wrapped(|| Shape::Map(mud))),
        label => manifest_member(label),
    })
}

/// What may stand in the manifest or, severed, in the envelope.
fn manifest_member(label: i64) -> Member {
    match label {
        manifest::COSWID => member("coswid", Shape::Wrapped(|| Shape::Map(software_tag))),
        manifest::TEXT => member("text", Shape::Wrapped(|| Shape::Text)),
        label => match Section::from_label(label) {
            Some(section) => member(section.name(), sequence()),
            None => UNKNOWN,
        },
    }
}

fn common() -> Shape {
    Shape::Map(|label| match label {
        common::DEPENDENCIES => member("dependencies", Shape::Each(dependency)),
        common::COMPONENTS => member("components", Shape::Each(component_id)),
        common::SHARED_SEQUENCE => member("shared-sequence", sequence()),
        _ => UNKNOWN,
    })
}

fn dependency() -> Shape {
    Shape::Map(|label| match label {
        common::DEPENDENCY_PREFIX => member("dependency-prefix", component_id()),
        _ => UNKNOWN,
    })
}

pub(super) fn component_id() -> Shape {
    Shape::Each(|| Shape::Name)
}

fn sequence() -> Shape {
    Shape::Wrapped(|| Shape::Commands)
}

/// The kind of a command, its name, and its argument.
pub(super) fn command(label: i64) -> (&'static str, Member) {
    if let Some(condition) = Condition::from_label(label) {
        return ("condition-", member(condition.name(), Shape::Plain));
    }
    if let Some(action) = Action::from_label(label) {
        return ("directive-", member(action.name(), Shape::Plain));
    }
    let directive = match label {
        command::SET_COMPONENT_INDEX => member("set-component-index", Shape::Plain),
        command::TRY_EACH => member("try-each", Shape::Each(sequence)),
        command::SET_PARAMETERS => member("set-parameters", Shape::Map(parameter)),
        command::OVERRIDE_PARAMETERS => member("override-parameters", Shape::Map(parameter)),
        command::RUN_SEQUENCE => member("run-sequence", sequence()),
        command::OVERRIDE_MULTIPLE => {
            member("override-multiple", Shape::Each(|| Shape::Map(parameter)))
        }
        command::COPY_PARAMS => member("copy-params", Shape::Plain),
        _ => return ("", UNKNOWN),
    };
    ("directive-", directive)
}

pub(super) fn parameter(label: i64) -> Member {
    match label {
        parameter::VENDOR_IDENTIFIER => member("vendor-id", Shape::Uuid),
        parameter::CLASS_IDENTIFIER => member("class-id", Shape::Uuid),
        parameter::IMAGE_DIGEST => member("image-digest", Shape::Wrapped(digest)),
        parameter::USE_BEFORE => member("use-before", Shape::Plain),
        parameter::COMPONENT_SLOT => member("component-slot", Shape::Plain),
        parameter::STRICT_ORDER => member("strict-order", Shape::Plain),
        parameter::SOFT_FAILURE => member("soft-failure", Shape::Plain),
        parameter::IMAGE_SIZE => member("image-size", Shape::Plain),
        parameter::CONTENT => member("content", Shape::Name),
        parameter::ENCRYPTION_INFO => member("encryption-info", Shape::Wrapped(|| Shape::Cose)),
        parameter::URI => member("uri", Shape::Plain),
        parameter::SOURCE_COMPONENT => member("source-component", Shape::Plain),
        parameter::INVOKE_ARGUMENTS => member("invoke-args", Shape::Name),
        parameter::DEVICE_IDENTIFIER => member("device-id", Shape::Uuid),
        parameter::FETCH_ARGUMENTS => member("fetch-args", Shape::Name),
        parameter::MINIMUM_BATTERY => member("minimum-battery", Shape::Plain),
        parameter::UPDATE_PRIORITY => member("update-priority", Shape::Plain),
        parameter::VERSION => member("version", Shape::Wrapped(|| Shape::Plain)),
        parameter::WAIT_INFO => member("wait-info", Shape::Wrapped(|| Shape::Map(wait_event))),
        parameter::COMPONENT_METADATA => member(
            "component-metadata",
            Shape::Wrapped(|| Shape::Map(metadata)),
        ),
        _ => UNKNOWN,
    }
}

pub(super) fn wait_event(label: i64) -> Member {
    let name = match label {
        wait_event::AUTHORIZATION => "authorization",
        wait_event::POWER => "power",
        wait_event::NETWORK => "network",
        wait_event::OTHER_DEVICE_VERSION => "other-device-version",
        wait_event::TIME => "time",
        wait_event::TIME_OF_DAY => "time-of-day",
        wait_event::DAY_OF_WEEK => "day-of-week",
        wait_event::TIME_OF_DAY_UTC => "time-of-day-utc",
        wait_event::DAY_OF_WEEK_UTC => "day-of-week-utc",
        _ => "",
    };
    member(name, Shape::Plain)
}

pub(super) fn metadata(label: i64) -> Member {
    let name = match label {
        metadata::DEFAULT_PERMISSIONS => "default-permissions",
        metadata::USER_PERMISSIONS => "user-permissions",
        metadata::GROUP_PERMISSIONS => "group-permissions",
        metadata::ROLE_PERMISSIONS => "role-permissions",
        metadata::FILE_TYPE => "file-type",
        metadata::MODIFICATION_TIME => "modification-time",
        metadata::CREATION_TIME => "creation-time",
        metadata::CREATOR => "creator",
        _ => "",
    };
    member(name, Shape::Plain)
}

/// The names of permissions, bit by bit.
pub(super) const PERMISSIONS: [&str; 14] = [
    "traverse_exec",
    "create_write",
    "list_read",
    "createdir_append",
    "read_attr",
    "read_perm",
    "change_perm",
    "change_owner",
    "write_attr",
    "recurse_delete",
    "delete",
    "sync",
    "read_attr_ex",
    "write_attr_ex",
];

fn mud(label: i64) -> Member {
    match label {
        Mud::URL => member("url", Shape::Plain),
        Mud::SUBJECT_KEY_IDENTIFIER => member("subject-key-identifier", digest()),
        _ => UNKNOWN,
    }
}

/// A member of a software tag, or of what is in one: their labels are one registry (RFC 9393 section 6.1).
pub(super) fn software_tag(label: i64) -> Member {
    let name = usize::try_from(label)
        .ok()
        .and_then(|label| SOFTWARE_TAG.get(label));
    member(name.copied().unwrap_or_default(), Shape::Map(software_tag))
}

const SOFTWARE_TAG: [&str; 58] = [
    "tag-id",
    "software-name",
    "entity",
    "evidence",
    "link",
    "software-meta",
    "payload",
    "hash",
    "corpus",
    "patch",
    "media",
    "supplemental",
    "tag-version",
    "software-version",
    "version-scheme",
    "lang",
    "directory",
    "file",
    "process",
    "resource",
    "size",
    "file-version",
    "key",
    "location",
    "fs-name",
    "root",
    "path-elements",
    "process-name",
    "pid",
    "type",
    "",
    "entity-name",
    "reg-id",
    "role",
    "thumbprint",
    "date",
    "device-id",
    "artifact",
    "href",
    "ownership",
    "rel",
    "media-type",
    "use",
    "activation-status",
    "channel-type",
    "colloquial-version",
    "description",
    "edition",
    "entitlement-data-required",
    "entitlement-key",
    "generator",
    "persistent-id",
    "product",
    "product-family",
    "revision",
    "summary",
    "unspsc-code",
    "unspsc-version",
];

const PROTECTED: Member = member("protected", Shape::Wrapped(headers));
const UNPROTECTED: Member = member("unprotected", Shape::Map(header));
const CIPHERTEXT: Member = member("ciphertext", Shape::Plain);
const SIGNATURE: Member = member("signature", Shape::Plain);
const TAG: Member = member("tag", Shape::Plain);
const RECIPIENTS: Member = member("recipients", Shape::Each(recipient));

/// What is in a COSE structure, by its tag (RFC 9052 section 2).
pub(super) fn cose(tag: u64) -> Shape {
    const PAYLOAD: Member = member("payload", Shape::Plain);
    const SIGNATURES: Member = member("signatures", Shape::Each(signature));
    match tag {
        16 => Shape::Items(&[PROTECTED, UNPROTECTED, CIPHERTEXT]),
        17 => Shape::Items(&[PROTECTED, UNPROTECTED, PAYLOAD, TAG]),
        18 => Shape::Items(&[PROTECTED, UNPROTECTED, PAYLOAD, SIGNATURE]),
        96 => Shape::Items(&[PROTECTED, UNPROTECTED, CIPHERTEXT, RECIPIENTS]),
        97 => Shape::Items(&[PROTECTED, UNPROTECTED, PAYLOAD, TAG, RECIPIENTS]),
        98 => Shape::Items(&[PROTECTED, UNPROTECTED, PAYLOAD, SIGNATURES]),
        _ => Shape::Plain,
    }
}

/// The name of a COSE structure.
pub(super) fn cose_name(tag: u64) -> Option<&'static str> {
    Some(match tag {
        16 => "COSE_Encrypt0",
        17 => "COSE_Mac0",
        18 => "COSE_Sign1",
        96 => "COSE_Encrypt",
        97 => "COSE_Mac",
        98 => "COSE_Sign",
        _ => return None,
    })
}

fn recipient() -> Shape {
    Shape::Items(&[PROTECTED, UNPROTECTED, CIPHERTEXT, RECIPIENTS])
}

fn signature() -> Shape {
    Shape::Items(&[PROTECTED, UNPROTECTED, SIGNATURE])
}

fn headers() -> Shape {
    Shape::Map(header)
}

fn header(label: i64) -> Member {
    match label {
        1 => member("alg", Shape::Algorithm),
        2 => member("crit", Shape::Plain),
        3 => member("content-type", Shape::Plain),
        4 => member("kid", Shape::Name),
        5 => member("IV", Shape::Plain),
        6 => member("partial-IV", Shape::Plain),
        -1 => member("ephemeral-key", Shape::Map(key)),
        _ => UNKNOWN,
    }
}

fn key(label: i64) -> Member {
    match label {
        1 => member("kty", Shape::Plain),
        2 => member("kid", Shape::Name),
        3 => member("alg", Shape::Algorithm),
        -1 => member("crv", Shape::Plain),
        -2 => member("x", Shape::Plain),
        -3 => member("y", Shape::Plain),
        _ => UNKNOWN,
    }
}

/// The texts about the manifest, by label.
pub(super) fn manifest_text(label: i64) -> &'static str {
    match label {
        1 => "manifest-description",
        2 => "update-description",
        3 => "json-source",
        4 => "yaml-source",
        _ => "",
    }
}

/// The texts about a component, by label.
pub(super) fn component_text(label: i64) -> &'static str {
    match label {
        1 => "vendor-name",
        2 => "model-name",
        3 => "vendor-domain",
        4 => "model-info",
        5 => "component-description",
        6 => "component-version",
        7 => "version-required",
        8 => "current-version",
        _ => "",
    }
}

/// The name of a COSE algorithm that SUIT uses.
pub(super) fn algorithm(id: i64) -> Option<&'static str> {
    Some(match id {
        -7 => "ES256",
        -8 => "EdDSA",
        -9 => "ESP256",
        -19 => "Ed25519",
        -46 => "HSS-LMS",
        -16 => "SHA-256",
        -17 => "SHA-512/256",
        -18 => "SHAKE128",
        -43 => "SHA-384",
        -44 => "SHA-512",
        -45 => "SHAKE256",
        5 => "HMAC 256",
        6 => "HMAC 384",
        7 => "HMAC 512",
        1 => "A128GCM",
        2 => "A192GCM",
        3 => "A256GCM",
        24 => "ChaCha20-Poly1305",
        -3 => "A128KW",
        -4 => "A192KW",
        -5 => "A256KW",
        -29 => "ECDH-ES + A128KW",
        -30 => "ECDH-ES + A192KW",
        -31 => "ECDH-ES + A256KW",
        -6 => "direct",
        46 => "HPKE-0-KE",
        49 => "HPKE-3-KE",
        50 => "HPKE-4-KE",
        53 => "HPKE-7-KE",
        -65534 => "A128CTR",
        -65533 => "A192CTR",
        -65532 => "A256CTR",
        -65531 => "A128CBC",
        -65530 => "A192CBC",
        -65529 => "A256CBC",
        _ => return None,
    })
}
