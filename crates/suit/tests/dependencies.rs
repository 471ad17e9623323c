//! Manifests that depend on manifests.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_suit::{
    Access, Action, Command, Common, Condition, Dependency, Device, Envelope, Error, Limits,
    Manifest, MemoryDevice, NoFetch, Outcome, Parameter, Processor, Section, SequenceNumber,
    Settings, Severable, SingleAuthority, Why,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
    report::ReportResult,
};

const TA: &str = "https://example.com/app.suit";

enum Bring {
    Installed,
    Uri,
    Integrated,
}

/// Configuration for the application in `ta`, which it depends on.
fn configuration(author: &Author, number: u64, ta: &[u8], bring: &Bring) -> Vec<u8> {
    let dependency = DependencyBuilder::of(&Envelope::decode(ta).unwrap()).unwrap();
    let dependency = match bring {
        Bring::Installed => dependency,
        Bring::Uri => dependency.uri(TA),
        Bring::Integrated => dependency.integrated("#ta.suit", ta),
    };
    ManifestBuilder::new(SequenceNumber(number))
        .manifest_id(id("provider/config/suit"))
        .component(
            ComponentBuilder::new(id("provider/config/json"))
                .vendor(vendor())
                .class(class())
                .content(&crypto(), *b"{\"volume\": 11}"),
        )
        .dependency(dependency)
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

fn with_keys(
    device: &mut MemoryDevice,
    authors: &[&Author],
    work: impl FnOnce(&Processor<'_>, &mut MemoryDevice) -> Outcome,
) -> Outcome {
    let crypto = crypto();
    let trusted: Vec<_> = authors.iter().map(|author| author.key).collect();
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority);
    in_transaction(device, |device| work(&processor, device))
}

fn remove(device: &mut MemoryDevice, author: &Author, place: &str) -> Result<(), Error> {
    with_keys(device, &[author], |processor, device| {
        processor.uninstall(device, &mut NoFetch, &id(place))
    })
    .result
}

fn names(device: &MemoryDevice) -> Vec<String> {
    device.components().map(ToString::to_string).collect()
}

const EVERYTHING: [&str; 4] = [
    "provider/app/suit",
    "provider/app/ta",
    "provider/config/json",
    "provider/config/suit",
];

// req: SUIT-DEP-010, SUIT-DEP-014, SUIT-DEP-015, SUIT-DEP-020, SUIT-DEP-027, SUIT-DEP-037, SUIT-DEP-038
// req: SUIT-DEP-035, SUIT-AMB-018
#[test]
fn a_dependency_is_brought_along() {
    let author = author(2);
    let ta = ta(&author, 1, b"payload");
    for bring in [Bring::Uri, Bring::Integrated] {
        let mut device = device();
        let mut server = Server::with(TA, &ta);
        let envelope = configuration(&author, 1, &ta, &bring);
        let outcome = update_from(&mut device, &author, &envelope, &mut server);
        assert_eq!(outcome.result, Ok(()));
        assert_eq!(names(&device), EVERYTHING);
        assert_eq!(
            device.content(&id("provider/app/ta")),
            Some(&b"payload"[..])
        );
        let claimed: Vec<_> = outcome
            .report
            .claims()
            .filter(|claims| claims.properties.image_digest().is_some())
            .map(|claims| claims.component.clone())
            .collect();
        assert_eq!(claimed.len(), 2);
        // The same again changes nothing.
        let outcome = update_from(&mut device, &author, &envelope, &mut server);
        assert_eq!(outcome.result, Ok(()));
        // Nobody asked for the application itself: it goes with the last that needs it.
        assert_eq!(remove(&mut device, &author, "provider/config/suit"), Ok(()));
        assert_eq!(names(&device), Vec::<String>::new());
    }
}

// req: SUIT-CMD-015
#[test]
fn a_dependency_that_is_there_is_mended_and_signed_anew() {
    let (author, other) = (author(2), common::author(4));
    let draft = ta_draft(1, b"payload");
    let ta = draft.sign(&crypto(), &[&*author.signer]).unwrap();
    let again = draft.sign(&crypto(), &[&*other.signer]).unwrap();
    for bring in [Bring::Uri, Bring::Integrated] {
        let mut device = device();
        let mut server = Server::with(TA, &ta);
        let envelope = configuration(&author, 1, &ta, &bring);
        let mut apply = |device: &mut MemoryDevice| {
            let outcome = update_from(device, &author, &envelope, &mut server);
            assert_eq!(outcome.result, Ok(()));
            let content = device.content(&id("provider/app/ta"));
            assert_eq!(content, Some(&b"payload"[..]));
        };
        apply(&mut device);
        // What the kept envelope does not carry any more comes again from where it came first.
        Device::remove(&mut device, &id("provider/app/ta")).unwrap();
        apply(&mut device);
        if let Bring::Integrated = bring {
            device.put(&id("provider/app/ta"), b"damaged");
            apply(&mut device);
        }
        // The same manifest, by a signer who alone is trusted now.
        let mut server = Server::with(TA, &again);
        let envelope = configuration(&other, 2, &again, &bring);
        let outcome = update_from(&mut device, &other, &envelope, &mut server);
        assert_eq!(outcome.result, Ok(()));
    }
}

// req: SUIT-DEP-031, SUIT-DEP-032, SUIT-CMD-015, SUIT-AMB-018
#[test]
fn a_dependency_that_is_installed_already_stays() {
    let author = author(2);
    let ta_1 = ta(&author, 1, b"payload");
    for bring in [Bring::Installed, Bring::Uri, Bring::Integrated] {
        let mut device = device();
        assert_eq!(update(&mut device, &author, &ta_1).result, Ok(()));
        // Not fetched again: there is no server.
        let envelope = configuration(&author, 1, &ta_1, &bring);
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        assert_eq!(remove(&mut device, &author, "provider/config/suit"), Ok(()));
        assert_eq!(names(&device), EVERYTHING[..2]);
        // The other way round: the application is needed until its configuration is gone.
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        assert_eq!(remove(&mut device, &author, "provider/app/suit"), Ok(()));
        assert_eq!(names(&device), EVERYTHING);
        assert_eq!(remove(&mut device, &author, "provider/config/suit"), Ok(()));
        assert_eq!(names(&device), Vec::<String>::new());
        // An update of the application does not keep its configuration from being removed.
        assert_eq!(update(&mut device, &author, &ta_1).result, Ok(()));
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        assert_eq!(
            update(&mut device, &author, &ta(&author, 2, b"two")).result,
            Ok(())
        );
        assert_eq!(remove(&mut device, &author, "provider/config/suit"), Ok(()));
        assert_eq!(names(&device), EVERYTHING[..2]);
    }
    let envelope = configuration(&author, 1, &ta_1, &Bring::Installed);
    assert!(matches!(
        update(&mut device(), &author, &envelope).result,
        Err(Error::Dependency { .. })
    ));
}

// req: SUIT-DEP-003, SUIT-DEP-004, SUIT-DEP-007, SUIT-DEP-025, SUIT-DEP-027, SUIT-DEP-028, SUIT-DEP-032
#[test]
fn a_dependency_that_is_not_the_one_named() {
    let (ours, stranger) = (author(2), author(4));
    let ta_1 = ta(&ours, 1, b"payload");
    let envelope = configuration(&ours, 1, &ta_1, &Bring::Uri);
    let served = |content: &[u8]| {
        let mut device = device();
        let outcome = update_from(
            &mut device,
            &ours,
            &envelope,
            &mut Server::with(TA, content),
        );
        assert_eq!(device.components().count(), 0);
        outcome.result.unwrap_err()
    };
    assert!(matches!(
        served(&ta(&ours, 2, b"two")),
        Error::Dependency { .. }
    ));
    assert!(matches!(
        served(&ta(&stranger, 1, b"payload")),
        Error::Unauthorized(_)
    ));
    assert_eq!(
        served(&ta_draft(1, b"payload").encode_unsigned(&crypto())),
        Error::Unsigned
    );
    assert!(matches!(served(b"junk"), Error::Decode(_)));
    // A manifest without its envelope, as it stands there or as it is in its byte string.
    let bare = ta_draft(1, b"payload").manifest().encode();
    assert!(matches!(served(&bare), Error::Decode(_)));
    let item = Envelope::decode(&ta_1).unwrap().manifest_item().to_vec();
    assert!(matches!(served(&item), Error::Decode(_)));
    // The same manifest with another integrated payload: what is installed is still verified.
    let other = ta_draft(1, b"payload").with_integrated("#ta", b"evil!!!");
    let other = other.sign(&crypto(), &[&*ours.signer]).unwrap();
    assert!(matches!(served(&other), Error::ConditionFailed { .. }));
    // An application that is installed for its own sake is not replaced on the side.
    let mut device = device();
    assert_eq!(
        update(&mut device, &ours, &ta(&ours, 1, b"installed")).result,
        Ok(())
    );
    let outcome = update_from(&mut device, &ours, &envelope, &mut Server::with(TA, &ta_1));
    assert!(matches!(
        outcome.result,
        Err(Error::ActionFailed {
            why: Why::InUse,
            ..
        })
    ));
}

// req: SUIT-ACL-004, SUIT-ACL-005, SUIT-ACL-006, SUIT-DEP-007
#[test]
fn a_dependency_has_the_rights_of_its_own_signers() {
    let crypto = crypto();
    let (ours, theirs) = (author(2), author(4));
    let trusted = [ours.key, theirs.key];
    let ta = ta(&theirs, 1, b"payload");
    let envelope = configuration(&ours, 1, &ta, &Bring::Integrated);
    // `theirs` owns app, `ours` owns config; ours may depend on anything.
    let access = |signers: &[tamarack_suit::Authority], access: Access, component: &_| match access
    {
        Access::Dependency => true,
        _ => signers.iter().any(|key| {
            let prefix = if *key == theirs.key {
                "provider/app"
            } else {
                "provider/config"
            };
            tamarack_suit::ComponentId::starts_with(component, &id(prefix))
        }),
    };
    let processor = Processor::new(&crypto, &trusted, &access);
    let mut device = device();
    assert_eq!(
        processor
            .update_bytes(&mut device, &mut NoFetch, &envelope)
            .result,
        Ok(())
    );
    // Signed by ours, the application is not ours to install, dependency or not.
    let stolen = common::ta(&ours, 1, b"payload");
    let envelope = configuration(&ours, 1, &stolen, &Bring::Integrated);
    let mut device = common::device();
    let outcome = in_transaction(&mut device, |device| {
        processor.update_bytes(device, &mut NoFetch, &envelope)
    });
    assert_eq!(
        outcome.result,
        Err(Error::ComponentUnauthorized(id("provider/app/suit")))
    );
    assert_eq!(device.components().count(), 0);
}

/// A dependent of the application with these sections, and the application's digest set.
fn dependent(
    author: &Author,
    ta: &[u8],
    sections: Vec<(Section, Vec<Command<'static>>)>,
) -> Vec<u8> {
    let digest = Envelope::decode(ta).unwrap().claimed_digest();
    let common = Common {
        components: vec![id("provider/config/json")],
        dependencies: vec![Dependency {
            index: 1,
            prefix: Some(id("provider/app/suit")),
        }],
        shared_sequence: Some(sequence([
            index(1),
            set([Parameter::ImageDigest(digest), uri("#ta.suit")]),
        ])),
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    for (section, commands) in sections {
        manifest.set_section(section, Severable::Inline(sequence(commands)));
    }
    Draft::new(manifest)
        .with_integrated("#ta.suit", ta)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

// req: SUIT-DEP-010, SUIT-DEP-011, SUIT-DEP-021, SUIT-DEP-022, SUIT-DEP-023, SUIT-DEP-024, SUIT-DEP-026, SUIT-DEP-029
#[test]
fn rules_for_processing() {
    let author = author(2);
    let ta = ta(&author, 1, b"payload");
    let fetch = || {
        (
            Section::DependencyResolution,
            vec![index(1), action(Action::Fetch), integrity()],
        )
    };
    let process = || vec![index(1), integrity(), action(Action::ProcessDependency)];
    let done = |sections| {
        let envelope = dependent(&author, &ta, sections);
        update(&mut device(), &author, &envelope).result
    };
    fn integrity() -> Command<'static> {
        condition(Condition::DependencyIntegrity)
    }
    let good = || {
        vec![
            fetch(),
            (Section::Install, process()),
            (Section::Validate, process()),
        ]
    };
    assert_eq!(done(good()), Ok(()));
    // It lacks a section that the application has.
    let refused = |sections| {
        let result = done(sections);
        assert!(
            matches!(result, Err(Error::Dependency { .. })),
            "{result:?}"
        );
    };
    refused(vec![fetch(), (Section::Install, process())]);
    // It has it, and does not process it.
    let is_dependency = vec![index(1), condition(Condition::IsDependency)];
    let ignored = vec![
        fetch(),
        (Section::Install, process()),
        (Section::Validate, is_dependency),
    ];
    refused(ignored.clone());
    // That is reported of the section, and not of its last command, which succeeded.
    let outcome = update(&mut device(), &author, &dependent(&author, &ta, ignored));
    let ReportResult::Failure { record, .. } = outcome.report.result else {
        panic!("{:?}", outcome.result);
    };
    assert_eq!((record.section, record.offset), (7, 0));
    assert!(record.properties.is_empty());
    // It processes it without having looked, or a component that is none.
    let blind = vec![
        index(1),
        action(Action::Fetch),
        action(Action::ProcessDependency),
    ];
    refused(vec![
        (Section::Install, blind),
        (Section::Validate, process()),
    ]);
    let plain = vec![index(0), action(Action::ProcessDependency)];
    refused(vec![
        fetch(),
        (Section::Install, plain),
        (Section::Validate, process()),
    ]);
    // An image match is not enough.
    let matched = vec![
        index(1),
        action(Action::Fetch),
        condition(Condition::ImageMatch),
        action(Action::ProcessDependency),
    ];
    refused(vec![
        (Section::Install, matched),
        (Section::Validate, process()),
    ]);
    // Soft Failure does not rescue a dependency.
    let soft = vec![index(1), try_each([vec![integrity()]], true)];
    refused(vec![(Section::Install, soft)]);
    // Written again, it has to be looked at again.
    let again = vec![
        index(1),
        action(Action::Fetch),
        integrity(),
        set([Parameter::Content(ta.clone().into())]),
        action(Action::Write),
        action(Action::ProcessDependency),
    ];
    refused(vec![
        (Section::Install, again),
        (Section::Validate, process()),
    ]);
    // With index true: all dependencies, and nothing else.
    let all = vec![
        index(1),
        integrity(),
        Command::SetComponentIndex(tamarack_suit::IndexArgument::All),
        action(Action::ProcessDependency),
    ];
    assert_eq!(
        done(vec![
            fetch(),
            (Section::Install, all.clone()),
            (Section::Validate, all)
        ]),
        Ok(())
    );
}

// req: SUIT-LIM-005, SUIT-REP-005
#[test]
fn chains_of_dependencies() {
    let author = author(2);
    let sign = |draft: Draft| draft.sign(&crypto(), &[&*author.signer]).unwrap();
    let mut envelope = ta(&author, 1, b"payload");
    // Each level depends on the one before.
    let chain: Vec<Vec<u8>> = (0..3)
        .map(|level| {
            let inner = DependencyBuilder::of(&Envelope::decode(&envelope).unwrap()).unwrap();
            envelope = sign(
                ManifestBuilder::new(SequenceNumber(1))
                    .manifest_id(id(&format!("level{level}/suit")))
                    .component(
                        ComponentBuilder::new(id(&format!("level{level}/data")))
                            .content(&crypto(), format!("{level}")),
                    )
                    .dependency(inner.integrated("#inner", envelope.clone()))
                    .build()
                    .unwrap(),
            );
            envelope.clone()
        })
        .collect();
    let mut device = device();
    assert_eq!(update(&mut device, &author, &chain[1]).result, Ok(()));
    assert_eq!(
        device.content(&id("provider/app/ta")),
        Some(&b"payload"[..])
    );
    assert_eq!(
        update(&mut common::device(), &author, &chain[2]).result,
        Err(Error::LimitExceeded("the depth of dependencies"))
    );
    // Removing the outermost removes all that it brought along.
    assert_eq!(remove(&mut device, &author, "level1/suit"), Ok(()));
    assert_eq!(names(&device), Vec::<String>::new());
    // More levels are a matter of the limit.
    let crypto = crypto();
    let trusted = [author.key];
    let limits = Limits {
        dependency_depth: 3,
        ..Limits::default()
    };
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_settings(Settings {
        limits,
        ..Settings::default()
    });
    let mut device = common::device();
    assert_eq!(
        processor
            .update_bytes(&mut device, &mut NoFetch, &chain[2])
            .result,
        Ok(())
    );
    assert_eq!(
        device.content(&id("provider/app/ta")),
        Some(&b"payload"[..])
    );
    // A failure far down says where it was.
    let mut device = MemoryDevice::default();
    let outcome = processor.update_bytes(&mut device, &mut NoFetch, &chain[2]);
    let tamarack_suit::report::ReportResult::Failure { record, .. } = outcome.report.result else {
        panic!("no failure");
    };
    assert_eq!(record.manifest_id, [1, 1, 1]);
    assert_eq!(record.section, 3);
}

// req: SUIT-DEP-002, SUIT-AMB-002
#[test]
fn a_dependency_within_the_component_list() {
    let author = author(2);
    let ta = ta(&author, 1, b"payload");
    let digest = Envelope::decode(&ta).unwrap().claimed_digest();
    let process = || {
        vec![
            condition(Condition::DependencyIntegrity),
            action(Action::ProcessDependency),
        ]
    };
    let with = |prefix| {
        let common = Common {
            components: vec![id("scope/app.suit")],
            dependencies: vec![Dependency { index: 0, prefix }],
            shared_sequence: Some(sequence([set([
                Parameter::ImageDigest(digest),
                uri("#ta"),
            ])])),
        };
        let mut manifest = Manifest::new(SequenceNumber(1), common);
        manifest.component_id = Some(id("scope/suit"));
        let mut install = process();
        install.insert(0, action(Action::Fetch));
        for (section, commands) in [(Section::Install, install), (Section::Validate, process())] {
            manifest.set_section(section, Severable::Inline(sequence(commands)));
        }
        let draft = Draft::new(manifest).with_integrated("#ta", ta.clone());
        let envelope = draft.sign(&crypto(), &[&*author.signer]).unwrap();
        let mut device = device();
        device.put(&id("scope/provider/app/ta"), b"somebody's");
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        let installed = names(&device);
        assert_eq!(remove(&mut device, &author, "scope/suit"), Ok(()));
        installed
            .into_iter()
            .filter(|name| device.content(&id(name)).is_none())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        with(None),
        ["provider/app/ta", "scope/app.suit", "scope/suit"]
    );
    // The prefix is a scope for what the dependency names, and what is removed with it.
    assert_eq!(
        with(Some(id("scope"))),
        ["scope/app.suit", "scope/provider/app/ta", "scope/suit"]
    );
}

// req: SUIT-DEP-031
#[test]
fn a_new_release_drops_a_dependency() {
    let author = author(2);
    let ta = ta(&author, 1, b"payload");
    let mut device = device();
    let with = configuration(&author, 1, &ta, &Bring::Integrated);
    assert_eq!(update(&mut device, &author, &with).result, Ok(()));
    let without = ManifestBuilder::new(SequenceNumber(2))
        .manifest_id(id("provider/config/suit"))
        .component(ComponentBuilder::new(id("provider/config/json")).content(&crypto(), *b"{}"))
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author.signer])
        .unwrap();
    assert_eq!(update(&mut device, &author, &without).result, Ok(()));
    assert_eq!(names(&device), EVERYTHING[2..]);
}

// The same one level further down: it is the dependency that no longer needs it.
// req: SUIT-DEP-031, SUIT-AMB-018
#[test]
fn a_new_release_of_a_dependency_drops_its_own() {
    let author = author(2);
    let release = |number: u64, inner: Option<&[u8]>| {
        let dependent = |place: &str, inner: Option<&[u8]>| {
            let manifest = ManifestBuilder::new(SequenceNumber(number))
                .manifest_id(id(&format!("{place}/suit")))
                .component(
                    ComponentBuilder::new(id(&format!("{place}/data")))
                        .content(&crypto(), format!("{number}")),
                );
            let manifest = match inner {
                Some(inner) => {
                    let dependency = DependencyBuilder::of(&Envelope::decode(inner).unwrap());
                    manifest.dependency(dependency.unwrap().integrated("#inner", inner))
                }
                None => manifest,
            };
            let draft = manifest.build().unwrap();
            draft.sign(&crypto(), &[&*author.signer]).unwrap()
        };
        dependent("outer", Some(&dependent("middle", inner)))
    };
    let mut device = device();
    let leaf = ta(&author, 1, b"payload");
    let first = release(1, Some(&leaf));
    assert_eq!(update(&mut device, &author, &first).result, Ok(()));
    assert!(device.content(&id("provider/app/ta")).is_some());
    assert_eq!(
        update(&mut device, &author, &release(2, None)).result,
        Ok(())
    );
    assert_eq!(
        names(&device),
        ["middle/data", "middle/suit", "outer/data", "outer/suit"]
    );
    assert_eq!(remove(&mut device, &author, "outer/suit"), Ok(()));
    assert_eq!(names(&device), Vec::<String>::new());
}

// A dependency that is changed after it was installed, in the last section.
// req: SUIT-DEP-029
#[test]
fn a_dependency_changed_at_the_end() {
    let author = author(2);
    let ta = ta(&author, 1, b"payload");
    let unsigned = ta_draft(1, b"payload").encode_unsigned(&crypto());
    let process = || {
        vec![
            index(1),
            condition(Condition::DependencyIntegrity),
            action(Action::ProcessDependency),
        ]
    };
    let mut install = process();
    install.insert(1, action(Action::Fetch));
    let mut validate = process();
    validate.extend([
        set([Parameter::Content(unsigned.into())]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ]);
    let envelope = dependent(
        &author,
        &ta,
        vec![(Section::Install, install), (Section::Validate, validate)],
    );
    assert_eq!(
        update(&mut device(), &author, &envelope).result,
        Err(Error::ActionFailed {
            action: Action::Write,
            why: Why::InUse
        })
    );
}

// Declared, and never looked at.
// req: SUIT-DEP-009
#[test]
fn a_dependency_that_is_only_declared() {
    let author = author(2);
    let ta = ta(&author, 1, b"payload");
    let envelope = dependent(&author, &ta, vec![]);
    assert!(matches!(
        update(&mut device(), &author, &envelope).result,
        Err(Error::Dependency { .. })
    ));
}
