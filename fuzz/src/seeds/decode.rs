use tamarack_cose::cbor::Writer;
use tamarack_suit::{
    ActorId, Comparison, ComponentMetadata, ConciseSwidTag, Entity, Envelope, FileType,
    LanguageText, Manifest, Mud, Permissions, Section, SequenceNumber, Severable, TagId, Text,
    Version, VersionMatch, WaitEvent, WaitInfo,
};

use super::suit::{digest, id, seeds as envelopes};
use crate::{insecure, suit};

/// Each element by itself.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let text = Text {
        languages: vec![(
            "en-GB".into(),
            LanguageText {
                manifest: vec![(1, "opens the door".into()), (2, "faster".into())],
                components: vec![(id("acme/lock"), vec![(1, "Acme".into()), (8, "1.2".into())])],
            },
        )],
    };
    let tag = ConciseSwidTag {
        tag_id: TagId::Uuid([3; 16]),
        tag_version: 0,
        software_name: "door lock".into(),
        software_version: Some("1.2.3".into()),
        entities: vec![Entity {
            name: "Example".into(),
            roles: vec![1, 2],
            others: vec![(32, vec![0x61, b'x'].into())],
        }],
        others: vec![(4, vec![0xa0].into())],
    };
    let mud = Mud {
        url: "https://example.com/lock.mud".into(),
        subject_key_identifier: digest(),
    };
    let wait = WaitInfo::new(vec![
        WaitEvent::Authorization(-3),
        WaitEvent::OtherDeviceVersion {
            device: b"pump".into(),
            versions: vec![VersionMatch {
                comparison: Comparison::GreaterEqual,
                version: Version(vec![1, 2, -1]),
            }],
        },
        WaitEvent::TimeOfDay(3600),
    ])
    .expect("different events");
    let metadata = ComponentMetadata {
        default_permissions: Some(Permissions::LIST_READ),
        user_permissions: vec![
            (ActorId::Number(0), Permissions::CREATE_WRITE),
            (ActorId::Text("door".into()), Permissions::LIST_READ),
        ],
        group_permissions: vec![(ActorId::Uuid([5; 16]), Permissions::TRAVERSE_EXECUTE)],
        role_permissions: vec![],
        file_type: Some(FileType::SymbolicLink),
        modification_time: Some(1_700_000_000),
        creation_time: None,
        creator: Some(ActorId::Bytes(b"me".into())),
    };
    let named = |wanted: &str| {
        let found = envelopes().into_iter().find(|(name, _)| *name == wanted);
        found.expect("a seed").1
    };
    let commands = named("commands");
    let commands = Envelope::decode(&commands).expect("an envelope");
    let commands = commands
        .unverified_manifest()
        .expect("a manifest")
        .into_owned();
    let mut full: Manifest<'static> = commands;
    full.sequence_number = SequenceNumber(u64::MAX);
    full.set_version = Some(Version(vec![1, 2, 0]));
    full.coswid = Some(Severable::Inline(tag.encode().into()));
    full.mud = Some(mud.clone());
    full.text = Some(Severable::Inline(text.encode().into()));
    let mut severed = full.clone();
    severed.set_section(
        Section::Install,
        Severable::Severed {
            digest: digest(),
            content: None,
        },
    );
    let crypto = insecure::provider();
    let keys = insecure::keys();
    let mut device = suit::device();
    let processor = tamarack_suit::Processor::new(&crypto, &keys, &tamarack_suit::SingleAuthority);
    let outcome = processor.update_bytes(&mut device, &mut suit::Echo, &named("dependent"));
    assert_eq!(outcome.result, Ok(()));
    let record = tamarack_suit::Device::manifests(&mut device).expect("memory does not fail");
    let capabilities = processor.capabilities(&device);
    vec![
        ("capabilities", Writer::build(|w| capabilities.write(w))),
        ("coswid", tag.encode()),
        ("envelope", named("dependent")),
        ("manifest", full.encode()),
        ("manifest-severed", severed.encode()),
        ("metadata", metadata.encode()),
        ("mud", mud.encode()),
        ("record", Writer::build(|w| record[0].write(w))),
        ("report", named("report-failure")),
        ("text", text.encode()),
        ("wait", wait.encode()),
    ]
}
