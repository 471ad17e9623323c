//! What a signer may not touch, and what must not be gone back to.

use tamarack_suit::{
    Action, Condition, Parameter, Section, SequenceNumber,
    author::{ComponentBuilder, ManifestBuilder},
};

use crate::{common::*, fixture::Attack};

/// A component with an integrated payload, under a manifest kept at `manifest`.
fn app(author: &Author, manifest: &str, component: &str, number: u64, payload: &[u8]) -> Vec<u8> {
    ManifestBuilder::new(SequenceNumber(number))
        .manifest_id(id(manifest))
        .component(ComponentBuilder::new(id(component)).integrated(&crypto(), "#x", payload))
        .build()
        .unwrap()
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

pub fn attacks() -> Vec<Attack> {
    let (ours, theirs) = (author(2), author(4));
    let install = |components: &[&str], commands| {
        sign_sections(&ours, components, vec![(Section::Install, commands)])
    };
    vec![
        Attack::new(
            "downgrade",
            "replays an older release, with its known holes, after a newer one was installed",
            "The sequence number of what is installed is never gone below.",
        )
        .accepted("two", ta(&ours, 2, b"two"))
        .refused("one", ta(&ours, 1, b"one"), "Rollback")
        .accepted("two-again", ta(&ours, 2, b"two"))
        .accepted("three", ta(&ours, 3, b"three"))
        .refused("zero", ta(&ours, 0, b"zero"), "Rollback"),
        Attack::new(
            "same-number",
            "offers another manifest under the number of the one that is installed",
            "The same manifest may be applied again; another one needs a higher number.",
        )
        .accepted("one", ta(&ours, 1, b"one"))
        .refused("another-one", ta(&ours, 1, b"another"), "Rollback"),
        Attack::new(
            "number-locked",
            "makes a device count to the highest number with a manifest that it then refuses, so that no release fits any more",
            "Only a manifest that was processed to its end moves the number.",
        )
        .accepted("one", ta(&ours, 1, b"one"))
        .refused("highest-for-another-class", {
            ManifestBuilder::new(SequenceNumber(u64::MAX))
                .manifest_id(id("provider/app/suit"))
                .component(
                    ComponentBuilder::new(id("provider/app/ta"))
                        .class(vendor().class("window"))
                        .integrated(&crypto(), "#ta", b"x"),
                )
                .build()
                .unwrap()
                .sign(&crypto(), &[&*ours.signer])
                .unwrap()
        }, "ConditionFailed(class-identifier)")
        .accepted("two", ta(&ours, 2, b"two")),
        Attack::new(
            "foreign-component",
            "is trusted for components below `ours`, and signs a manifest that names others",
            "Every component of a manifest, and the place where the manifest itself is kept, is looked up before \
             anything is done. A prefix is one of whole segments.",
        )
        .rights(&[(2, "ours"), (4, "theirs")])
        .holding("theirs/x", "untouched")
        .refused("target", app(&ours, "ours/suit", "theirs/x", 1, b"evil"), "ComponentUnauthorized")
        .refused("placement", app(&ours, "theirs/suit", "ours/x", 1, b"evil"), "ComponentUnauthorized")
        .refused("longer-name", app(&ours, "ours/suit", "oursx", 1, b"evil"), "ComponentUnauthorized")
        .refused("parent", app(&ours, "ours/suit", "our", 1, b"evil"), "ComponentUnauthorized")
        .refused("source", install(&["ours/x", "theirs/x"], vec![
            index(0),
            set([Parameter::SourceComponent(1), digest_of(b"untouched")]),
            action(Action::Copy),
            condition(Condition::ImageMatch),
        ]), "ComponentUnauthorized")
        .refused("unlink", install(&["ours/x", "theirs/x"], vec![index(1), action(Action::Unlink)]), "ComponentUnauthorized")
        .refused("only-named", install(&["ours/x", "theirs/x"], vec![
            index(0),
            set([content(b"x")]),
            condition(Condition::CheckContent),
        ]), "ComponentUnauthorized")
        .accepted("theirs", app(&theirs, "theirs/suit", "theirs/x", 1, b"theirs"))
        .accepted("ours", app(&ours, "ours/suit", "ours/x", 1, b"ours")),
        Attack::new(
            "empty-identifiers",
            "names a component of no segments or of empty segments, which a prefix test may let through",
            "Such an identifier starts with nobody's prefix.",
        )
        .rights(&[(2, "ours")])
        .refused("no-segment", {
            let common = tamarack_suit::Common {
                components: vec![tamarack_suit::ComponentId::default()],
                ..Default::default()
            };
            let mut manifest = tamarack_suit::Manifest::new(SequenceNumber(1), common);
            manifest.component_id = Some(id("ours/suit"));
            tamarack_suit::author::Draft::new(manifest)
                .sign(&crypto(), &[&*ours.signer])
                .unwrap()
        }, "ComponentUnauthorized")
        .refused("empty-segments", app(&ours, "ours/suit", "0x/ours", 1, b"x"), "ComponentUnauthorized"),
        Attack::new(
            "over-another-manifest",
            "installs a component where another manifest, or a component of it, is installed",
            "What belongs to an installed manifest changes with that manifest only.",
        )
        .accepted("app", ta(&ours, 1, b"ours"))
        .refused("over-its-envelope", app(&ours, "other/suit", "provider/app/suit", 1, b"evil"), "InUse")
        .refused("over-its-component", app(&ours, "other/suit", "provider/app/ta", 1, b"evil"), "ActionFailed(fetch, InUse)")
        .refused("unlink-its-envelope", install(&["provider/app/suit"], vec![action(Action::Unlink)]), "InUse")
        .refused("kept-over-its-component", app(&ours, "provider/app/ta", "other/x", 1, b"evil"), "InUse"),
        Attack::new(
            "over-itself",
            "makes a manifest a component of itself, so that it can't be removed any more",
            "The place where a manifest is kept is none of its components.",
        )
        .refused("over-itself", app(&ours, "app/suit", "app/suit", 1, b"evil"), "Invalid"),
        Attack::new(
            "onto-itself",
            "copies a component onto itself, or swaps it with itself, which loses the content if it is begun anew",
            "Refused before anything is written; also where two indices stand for one component.",
        )
        .holding("a/b", "content")
        .refused("copy", install(&["a/b"], vec![set([Parameter::SourceComponent(0)]), action(Action::Copy)]), "Invalid")
        .refused("swap", install(&["a/b"], vec![
            set([Parameter::SourceComponent(0), digest_of(b"")]),
            action(Action::Swap),
            condition(Condition::ImageMatch),
        ]), "Invalid")
        .refused("swap-by-another-index", install(&["a/b", "a/b"], vec![
            index(0),
            set([Parameter::SourceComponent(1), digest_of(b"")]),
            action(Action::Swap),
            condition(Condition::ImageMatch),
        ]), "Invalid"),
        Attack::new(
            "other-device",
            "sends a device software for another vendor, class or device",
            "The shared sequence is run before every section; what does not hold there ends it.",
        )
        .refused("class", {
            ManifestBuilder::new(SequenceNumber(1))
                .component(
                    ComponentBuilder::new(id("a"))
                        .class(vendor().class("window"))
                        .content(&crypto(), *b"x"),
                )
                .build()
                .unwrap()
                .sign(&crypto(), &[&*ours.signer])
                .unwrap()
        }, "ConditionFailed(class-identifier)")
        .refused("vendor", {
            ManifestBuilder::new(SequenceNumber(1))
                .component(
                    ComponentBuilder::new(id("a"))
                        .vendor(tamarack_suit::Uuid::vendor("example.org"))
                        .content(&crypto(), *b"x"),
                )
                .build()
                .unwrap()
                .sign(&crypto(), &[&*ours.signer])
                .unwrap()
        }, "ConditionFailed(vendor-identifier)")
        .refused("unset", install(&["a/b"], vec![condition(Condition::VendorIdentifier)]), "ConditionFailed(vendor-identifier)")
        .refused("device", install(&["a/b"], vec![
            set([Parameter::DeviceId(tamarack_suit::Uuid([9; 16]))]),
            condition(Condition::DeviceIdentifier),
        ]), "ConditionFailed(device-identifier)"),
    ]
}
