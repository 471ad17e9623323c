//! What authors say with the builder beside payloads, and what they check before they ship.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::{
    SymmetricKey,
    encrypt::{ContentAlgorithm, Curve, DecryptionKey, RecipientKey},
};
use tamarack_suit::{
    Common, ConciseSwidTag, Condition, Entity, Envelope, Error, IdentityChecks, LanguageText,
    Limits, Manifest, Mud, NoFetch, Parameter, Processor, Section, SequenceNumber, Settings,
    Severable, SingleAuthority, SuitDigest, TagId, Text, Version,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder, PayloadEncryption},
    report::{CapabilityList, CapabilityReport, ComponentCapability, Lack, Reason},
};

const VERSION_REQUIRED: i64 = 7;
const CURRENT_VERSION: i64 = 8;

fn component() -> ComponentBuilder {
    ComponentBuilder::new(id("p/app"))
        .vendor(vendor())
        .class(class())
        .integrated(&crypto(), "#app", b"payload")
}

fn manifest() -> ManifestBuilder {
    ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("p/suit"))
        .component(component())
}

fn mud() -> Mud<'static> {
    Mud {
        url: "https://example.com/lock.mud".into(),
        subject_key_identifier: SuitDigest::sha256(&crypto(), b"key"),
    }
}

fn tag() -> ConciseSwidTag<'static> {
    ConciseSwidTag {
        tag_id: TagId::Uuid([5; 16]),
        tag_version: 0,
        software_name: "Door lock".into(),
        software_version: Some("1.2.3".into()),
        entities: vec![Entity {
            name: "Example".into(),
            roles: vec![1, 2],
            others: vec![],
        }],
        others: vec![],
    }
}

/// Text about versions, long enough to be worth severing.
fn text() -> Text<'static> {
    let about = vec![
        (
            5,
            "The lock's firmware, which opens the door and closes it again.".into(),
        ),
        (VERSION_REQUIRED, ">=1.1.0".into()),
        (CURRENT_VERSION, "1.2.3".into()),
    ];
    let text = LanguageText {
        manifest: vec![(1, "An update of the lock".into())],
        components: vec![(id("p/app"), about)],
    };
    Text {
        languages: vec![("en".into(), text)],
    }
}

// req: SUIT-UPD-008, SUIT-UPD-003, SUIT-UPD-005, SUIT-UPD-006, SUIT-MUD-001, SUIT-MUD-002
#[test]
fn versions_text_and_references_reach_the_device() {
    let draft = manifest()
        .version("1.2.3".parse::<Version>().unwrap().0)
        .text(text())
        .mud(mud())
        .coswid(&tag())
        .build()
        .unwrap();
    let bytes = signed(&draft);
    let envelope = Envelope::decode(&bytes).unwrap();
    let read = envelope.unverified_manifest().unwrap();
    let limits = Limits::default();
    assert_eq!(read.set_version, Some("1.2.3".parse().unwrap()));
    assert_eq!(read.mud, Some(mud()));
    let coswid = read.coswid.as_ref().and_then(Severable::content).unwrap();
    assert_eq!(ConciseSwidTag::decode(coswid, &limits), Ok(tag()));
    let found = read.text.as_ref().and_then(Severable::content).unwrap();
    let found = Text::decode(found, &limits).unwrap();
    // Operators read which versions are needed and there under the component's identifier.
    let (component, entries) = &found.languages[0].1.components[0];
    assert_eq!(*component, id("p/app"));
    let entry = |label| entries.iter().find(|(l, _)| *l == label).map(|(_, t)| &**t);
    assert_eq!(entry(VERSION_REQUIRED), Some(">=1.1.0"));
    assert_eq!(entry(CURRENT_VERSION), Some("1.2.3"));

    let mut device = device();
    assert_eq!(update(&mut device, &author(2), &bytes).result, Ok(()));
}

// req: SUIT-SEV-009, SUIT-SEV-010, SUIT-UPD-006
#[test]
fn what_is_larger_than_its_digest_is_severed() {
    let draft = manifest().text(text()).coswid(&tag()).build().unwrap();
    let whole = draft.manifest().encode().len();
    let severed = draft.sever_large(&crypto());
    assert!(severed.manifest().encode().len() < whole);
    let bytes = signed(&severed);
    let envelope = Envelope::decode(&bytes).unwrap();
    let labels: Vec<i64> = envelope
        .severed()
        .iter()
        .map(|severed| severed.label)
        .collect();
    assert!(labels.contains(&14) && labels.contains(&23), "{labels:?}");
    // What would not get smaller stays: a digest takes as much room.
    assert!(!labels.contains(&Section::Uninstall.label()));
    let validate = severed.manifest().section(Section::Validate).unwrap();
    assert!(validate.digest().is_none());
    for (label, content) in envelope.severed().iter().map(|s| (s.label, s.content())) {
        assert!(content.len() > 32, "{label}");
    }
    let mut device = common::device();
    assert_eq!(update(&mut device, &author(2), &bytes).result, Ok(()));
    // Text and software tags can be left out on the way.
    let lean = envelope
        .clone()
        .without_severed(23)
        .without_severed(14)
        .encode();
    let mut device = common::device();
    assert_eq!(update(&mut device, &author(2), &lean).result, Ok(()));
}

/// What a device with every extension, or with none, is capable of.
fn capable(keys: &[RecipientKey]) -> CapabilityReport {
    let (crypto, trusted) = (crypto(), [author(2).key]);
    Processor::new(&crypto, &trusted, &SingleAuthority)
        .with_recipient_keys(keys)
        .capabilities(&device())
}

fn lacks(report: &CapabilityReport, envelope: &[u8]) -> Vec<Lack> {
    report.lacks(&Envelope::decode(envelope).unwrap()).unwrap()
}

// req: SUIT-UPD-002, SUIT-MTI-007, SUIT-ENC-026, SUIT-REP-016
#[test]
fn what_a_recipient_lacks_is_known_before_shipping() {
    let wrapping = [RecipientKey::wrapping(
        &crypto(),
        SymmetricKey::new([7; 16]),
    )];
    let plain = signed(&manifest().build().unwrap());
    assert_eq!(lacks(&capable(&[]), &plain), []);

    // An extension that the device has not advertised.
    let battery = vec![
        set([Parameter::MinimumBattery(100)]),
        condition(tamarack_suit::Condition::MinimumBattery),
    ];
    let wanting = manifest().section(Section::Validate, sequence(battery));
    let wanting = signed(&wanting.build().unwrap());
    assert_eq!(
        lacks(&capable(&[]), &wanting),
        [
            Lack::Label(CapabilityList::Parameters, 26),
            Lack::Label(CapabilityList::Commands, 26),
        ]
    );
    // The device says the same when it is sent all the same.
    let outcome = update(&mut device(), &author(2), &wanting);
    assert_eq!(outcome.result, Err(Error::ParameterUnsupported(26)));

    // Encryption, for a device without keys, and for one with another method.
    let agreement = DecryptionKey::from_bytes(&crypto(), Curve::P256, &[7; 32]).unwrap();
    let to = [tamarack_cose::encrypt::Recipient::agreement(
        agreement.public_key(),
    )];
    let (image, ciphertext) = PayloadEncryption::new(ContentAlgorithm::A128Gcm)
        .encrypt(&crypto(), Some(&id("p/app")), &to, b"payload")
        .unwrap();
    let encrypted = ComponentBuilder::new(id("p/app"))
        .vendor(vendor())
        .class(class())
        .encrypted_integrated("#app", ciphertext, id("p/staged"), image);
    let encrypted = ManifestBuilder::new(SequenceNumber(1)).component(encrypted);
    // Severed commands are looked at as well.
    let encrypted = signed(&encrypted.build().unwrap().sever_large(&crypto()));
    let lacking = lacks(&capable(&[]), &encrypted);
    for lack in [
        Lack::Label(CapabilityList::Parameters, 19),
        Lack::Label(CapabilityList::Algorithms, 1),
        Lack::Label(CapabilityList::Algorithms, -29),
    ] {
        assert!(lacking.contains(&lack), "{lack} of {lacking:?}");
    }
    assert_eq!(
        lacks(&capable(&wrapping), &encrypted),
        [Lack::Label(CapabilityList::Algorithms, -29)]
    );
    let agreeing = [RecipientKey::agreement(&crypto(), agreement)];
    assert_eq!(lacks(&capable(&agreeing), &encrypted), []);

    // Signatures, elements and components.
    let mut small = capable(&[]);
    small.components = vec![ComponentCapability {
        id: id("q"),
        is_prefix: true,
    }];
    for (list, labels) in &mut small.lists {
        match list {
            CapabilityList::Algorithms => labels.retain(|id| *id == -16),
            CapabilityList::Manifest => labels.retain(|label| *label != 24),
            _ => {}
        }
    }
    let lacking = lacks(&small, &plain);
    assert_eq!(lacking.len(), 3, "{lacking:?}");
    assert!(lacking.contains(&Lack::Component(id("p/app"))));
    assert!(lacking.contains(&Lack::Label(CapabilityList::Manifest, 24)));
    assert!(lacking.contains(&Lack::Label(CapabilityList::Algorithms, -9)));
    assert_eq!(Lack::Component(id("p/app")).to_string(), "component p/app");
}

// req: SUIT-UPD-002
#[test]
fn text_and_dependencies_are_looked_for_where_the_report_lists_them() {
    let dependency = Envelope::decode(&signed(&manifest().build().unwrap()))
        .map(|envelope| DependencyBuilder::of(&envelope).unwrap())
        .unwrap();
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("p/other"))
        .component(ComponentBuilder::new(id("p/config")).content(&crypto(), b"{}"))
        .dependency(dependency)
        .text(Text {
            languages: vec![(
                "en".into(),
                LanguageText {
                    manifest: vec![(1, "text".into())],
                    components: vec![(id("p/config"), vec![(CURRENT_VERSION, "1".into())])],
                },
            )],
        })
        .build()
        .unwrap();
    let envelope = signed(&draft);
    let mut report = capable(&[]);
    assert_eq!(lacks(&report, &envelope), []);
    report.lists.retain(|(list, _)| {
        !matches!(
            list,
            CapabilityList::Dependency | CapabilityList::Text | CapabilityList::ComponentText
        )
    });
    report.lists.extend([
        (CapabilityList::Text, vec![2]),
        (CapabilityList::ComponentText, vec![1]),
        (CapabilityList::Dependency, vec![9]),
    ]);
    let lacking = lacks(&report, &envelope);
    assert_eq!(
        lacking,
        [
            Lack::Label(CapabilityList::Dependency, 1),
            Lack::Label(CapabilityList::Text, 1),
            Lack::Label(CapabilityList::ComponentText, CURRENT_VERSION),
        ]
    );
}

// req: SUIT-COM-009
#[test]
fn a_recipient_may_demand_that_manifests_say_whom_they_are_for() {
    let settings = Settings {
        identity_checks: IdentityChecks::Required,
        ..Settings::default()
    };
    let bare = ComponentBuilder::new(id("p/app")).integrated(&crypto(), "#app", b"payload");
    for (component, accepted) in [
        (bare.clone(), false),
        (bare.clone().vendor(vendor()), false),
        (bare.clone().class(class()), false),
        (bare.vendor(vendor()).class(class()), true),
    ] {
        let draft = ManifestBuilder::new(SequenceNumber(1)).component(component);
        let envelope = signed(&draft.build().unwrap());
        let recipient = common::Recipient::trusting([author(2).key]).with_settings(settings);
        let mut device = Recorder::new(device());
        let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| {
            recipient.update(device, fetch, &envelope)
        });
        assert_eq!(outcome.result.is_ok(), accepted, "{:?}", outcome.result);
        if !accepted {
            assert_eq!(effects, []);
            assert_eq!(outcome.result.unwrap_err().reason(), Reason::CborParse);
        }
        // The default takes what the published examples leave out.
        let recipient = common::Recipient::trusting([author(2).key]);
        let mut device = common::device();
        let outcome = in_transaction(&mut device, |device| {
            recipient.update(device, &mut NoFetch, &envelope)
        });
        assert_eq!(outcome.result, Ok(()));
    }
}

#[test]
fn what_is_severed_is_read_within_the_limits_of_its_envelope() {
    let nested = (0..6).fold(vec![condition(Condition::Abort)], |inner, _| {
        vec![run(inner)]
    });
    let common = Common {
        components: vec![id("p/app")],
        ..Common::default()
    };
    let mut bare = Manifest::new(SequenceNumber(1), common);
    bare.set_section(Section::Install, Severable::Inline(sequence(nested)));
    let bytes = signed(&Draft::new(bare).sever(&crypto(), Section::Install));
    let lacks = |nesting| {
        let limits = Limits {
            nesting,
            ..Limits::default()
        };
        let envelope = Envelope::decode_within(&bytes, &limits).unwrap();
        capable(&[]).lacks(&envelope)
    };
    assert_eq!(lacks(8), Ok(vec![]));
    assert!(lacks(5).is_err());
}
