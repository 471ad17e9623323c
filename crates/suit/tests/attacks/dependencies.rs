//! Manifests that depend on manifests.

use tamarack_suit::{
    Action, Command, Common, ComponentId, Condition, Dependency, Envelope, Manifest, Parameter,
    Section, SequenceNumber, Severable,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
};

use crate::{common::*, fixture::Attack};

/// A configuration that depends on the manifest in `dependency`, and brings `carried` along.
fn dependent(author: &Author, dependency: &[u8], carried: &[u8]) -> Vec<u8> {
    let dependency = DependencyBuilder::of(&Envelope::decode(dependency).unwrap()).unwrap();
    ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("config/suit"))
        .component(ComponentBuilder::new(id("config/json")).content(&crypto(), *b"{}"))
        .dependency(dependency.integrated("#app", carried))
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

/// A manifest kept at `place` that depends on what is at `dependency`, with the install section given
/// for index 0, the dependency, and nothing else.
fn by_hand(
    author: &Author,
    place: &str,
    dependency: &str,
    carried: &[u8],
    install: Vec<Command<'static>>,
) -> Vec<u8> {
    let digest = Envelope::decode(carried).unwrap().claimed_digest();
    let common = Common {
        components: vec![],
        dependencies: vec![Dependency {
            index: 0,
            prefix: Some(id(dependency)),
        }],
        shared_sequence: Some(sequence([set([
            Parameter::ImageDigest(digest),
            uri("#inner"),
        ])])),
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id(place));
    for section in [Section::Install, Section::Validate] {
        let commands = match section {
            Section::Install => install.clone(),
            _ => process(),
        };
        manifest.set_section(section, Severable::Inline(sequence(commands)));
    }
    Draft::new(manifest)
        .with_integrated("#inner", carried)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

fn process() -> Vec<Command<'static>> {
    vec![
        condition(Condition::DependencyIntegrity),
        action(Action::ProcessDependency),
    ]
}

fn fetch_and_process() -> Vec<Command<'static>> {
    let mut commands = process();
    commands.insert(0, action(Action::Fetch));
    commands
}

fn app(author: &Author, place: &str, component: &ComponentId, payload: &[u8]) -> Vec<u8> {
    ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id(place))
        .component(ComponentBuilder::new(component.clone()).content(&crypto(), payload))
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

pub fn attacks() -> Vec<Attack> {
    let (ours, theirs, stranger) = (author(2), author(4), author(6));
    let good = ta(&ours, 1, b"payload");
    let unsigned = ta_draft(1, b"payload").encode_unsigned(&crypto());
    let spoiled = ta_draft(1, b"payload")
        .with_integrated("#ta", b"PAYLOAD")
        .sign(&crypto(), &[&*ours.signer])
        .unwrap();
    vec![
        Attack::new(
            "dependency-under-wrong-key",
            "brings along the right manifest with a signature of their own, or with none",
            "A dependency is authenticated for itself; that a trusted manifest names its digest does not do.",
        )
        .rolled_back("stranger", dependent(&ours, &good, &ta(&stranger, 1, b"payload")), "Unauthorized")
        .rolled_back("unsigned", dependent(&ours, &good, &unsigned), "Unsigned")
        .accepted("right", dependent(&ours, &good, &good)),
        Attack::new(
            "dependency-swapped",
            "brings along another manifest that is signed as well as the one that is named",
            "The digest of the dependency's manifest decides, and its payloads are verified by its own manifest.",
        )
        .rolled_back("another-release", dependent(&ours, &good, &ta(&ours, 2, b"two")), "Dependency")
        .rolled_back("another-payload", dependent(&ours, &good, &spoiled), "ConditionFailed(image-match)")
        .rolled_back("junk", dependent(&ours, &good, b"junk"), "Decode(Truncated)")
        .rolled_back("bare-manifest", dependent(&ours, &good, &ta_draft(1, b"payload").manifest().encode()), "Decode(OutOfBounds)"),
        Attack::new(
            "dependency-without-integrity",
            "processes a dependency that nobody looked at, or that was changed after it was",
            "Process Dependency needs Dependency Integrity before it; an image match does not count, and the check \
             ends with the content that it was about.",
        )
        .rolled_back("unchecked", by_hand(&ours, "config/suit", "provider/app/suit", &good, vec![
            action(Action::Fetch),
            action(Action::ProcessDependency),
        ]), "Dependency")
        .rolled_back("image-match", by_hand(&ours, "config/suit", "provider/app/suit", &good, vec![
            action(Action::Fetch),
            condition(Condition::ImageMatch),
            action(Action::ProcessDependency),
        ]), "Dependency")
        .rolled_back("changed-since", by_hand(&ours, "config/suit", "provider/app/suit", &good, vec![
            action(Action::Fetch),
            condition(Condition::DependencyIntegrity),
            set([Parameter::Content(ta(&stranger, 9, b"evil").into())]),
            action(Action::Write),
            action(Action::ProcessDependency),
        ]), "Dependency")
        .rolled_back("softly", by_hand(&ours, "config/suit", "provider/app/suit", &unsigned, vec![
            action(Action::Fetch),
            try_each([vec![condition(Condition::DependencyIntegrity)]], true),
        ]), "Unsigned"),
        Attack::new(
            "dependency-cycle",
            "makes a manifest depend on another that depends on the first, or writes over it",
            "A manifest that takes part can't be named by one further down: neither processed again nor replaced.",
        )
        .rolled_back("cycle", {
            let root_again = app(&ours, "a/suit", &id("a/x"), b"x");
            let inner = by_hand(&ours, "b/suit", "a/suit", &root_again, fetch_and_process());
            by_hand(&ours, "a/suit", "b/suit", &inner, fetch_and_process())
        }, "Dependency")
        .rolled_back("over-the-dependent", {
            let inner = app(&ours, "b/suit", &id("a/suit"), b"evil");
            by_hand(&ours, "a/suit", "b/suit", &inner, fetch_and_process())
        }, "Dependency")
        .refused("itself", {
            let same = app(&ours, "a/suit", &id("a/x"), b"x");
            by_hand(&ours, "a/suit", "a/suit", &same, fetch_and_process())
        }, "Invalid"),
        Attack::new(
            "dependency-too-deep",
            "builds a chain of dependencies as long as it gets",
            "The depth is bounded.",
        )
        .rolled_back("chain", {
            let mut envelope = ta(&ours, 1, b"payload");
            let mut inner = "provider/app/suit".to_owned();
            for level in 0..4 {
                let place = format!("level{level}/suit");
                envelope = by_hand(&ours, &place, &inner, &envelope, fetch_and_process());
                inner = place;
            }
            envelope
        }, "LimitExceeded"),
        Attack::new(
            "dependency-of-foreign-component",
            "may sign for `ours` only, and reaches for `theirs` through a dependency of their own",
            "A dependency has the rights of those who signed it, not those of its dependent, and the other way round.",
        )
        .rights(&[(2, "ours"), (4, "theirs")])
        .rolled_back("own-signature", {
            let inner = app(&ours, "theirs/suit", &id("theirs/x"), b"evil");
            by_hand(&ours, "ours/suit", "theirs/suit", &inner, fetch_and_process())
        }, "ComponentUnauthorized")
        .rolled_back("target", {
            let inner = app(&ours, "ours/inner", &id("theirs/x"), b"evil");
            by_hand(&ours, "ours/suit", "ours/inner", &inner, fetch_and_process())
        }, "ComponentUnauthorized")
        .rolled_back("elsewhere", {
            let inner = app(&theirs, "theirs/suit", &id("theirs/x"), b"theirs");
            by_hand(&ours, "ours/suit", "ours/inner", &inner, fetch_and_process())
        }, "ComponentUnauthorized")
        .accepted("of-its-owner", {
            let inner = app(&theirs, "theirs/suit", &id("theirs/x"), b"theirs");
            by_hand(&ours, "ours/suit", "theirs/suit", &inner, fetch_and_process())
        }),
        Attack::new(
            "dependency-ignored",
            "declares a dependency and does not process it, or processes what is none",
            "Every section of every dependency runs within the same section of its dependent.",
        )
        .rolled_back("not-processed", by_hand(&ours, "config/suit", "provider/app/suit", &good, vec![
            action(Action::Fetch),
            condition(Condition::DependencyIntegrity),
        ]), "Dependency")
        .refused("never-fetched", by_hand(&ours, "config/suit", "provider/app/suit", &good, vec![
            condition(Condition::IsDependency),
        ]), "Dependency")
        .refused("none", sign_sections(&ours, &["a/b"], vec![(
            Section::Install,
            vec![action(Action::ProcessDependency)],
        )]), "Dependency"),
    ]
}
