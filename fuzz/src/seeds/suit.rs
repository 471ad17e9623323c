use std::borrow::Cow;

use tamarack_cose::SignatureAlgorithm::{Ed25519, Esp256};
use tamarack_suit::{
    Action, Command, ComponentId, Condition, Envelope, IndexArgument, LanguageText, NoFetch,
    Parameter, Parameters, Processor, ReportingPolicy, Section, Sequence, SequenceNumber,
    SingleAuthority, SuitDigest, Text, Uuid,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
};

use crate::{insecure, suit};

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let crypto = insecure::provider();
    let integrated = component("acme/lock").integrated(&crypto, "#lock", *b"\0asm payload");
    let uri = "https://example.com/lock";
    let fetched = component("acme/photo").uri(uri, digest(), uri.len() as u64);
    let written = component("acme/config").content(&crypto, *b"colour: red");
    let single = |component: ComponentBuilder| manifest(1).component(component).build();
    let update = sign(&single(integrated.clone()).expect("a manifest"));
    vec![
        ("integrated", update.clone()),
        (
            "fetched",
            sign(&single(fetched.clone()).expect("a manifest")),
        ),
        (
            "written",
            sign(&single(written.clone()).expect("a manifest")),
        ),
        ("severed", sign(&severed(integrated.clone()))),
        ("dependent", dependent(&update)),
        (
            "commands",
            sign(&commands(&[
                integrated.invoke(Some(vec![1])),
                fetched,
                written,
            ])),
        ),
        (
            "unsigned",
            single(component("acme/lock"))
                .expect("a manifest")
                .encode_unsigned(&crypto),
        ),
        ("report-success", report(&update)),
        ("report-failure", report(b"no envelope")),
    ]
}

/// Every digest is zeros under the insecure provider.
fn digest() -> SuitDigest {
    SuitDigest::sha256(&insecure::provider(), &[])
}

fn id(text: &str) -> ComponentId {
    text.parse().expect("a component identifier")
}

fn component(name: &str) -> ComponentBuilder {
    let vendor = Uuid::vendor("example.com");
    ComponentBuilder::new(id(name))
        .vendor(vendor)
        .class(vendor.class("door lock"))
}

fn manifest(number: u64) -> ManifestBuilder {
    ManifestBuilder::new(SequenceNumber(number)).manifest_id(id("acme/lock.suit"))
}

fn sign(draft: &Draft) -> Vec<u8> {
    let signers = [Esp256, Ed25519].map(insecure::signer);
    let signers = [&*signers[0], &*signers[1]];
    draft.sign(&insecure::provider(), &signers).expect("signs")
}

/// Install and text stand in the envelope, only their digests in the manifest.
fn severed(component: ComponentBuilder) -> Draft {
    let text = LanguageText {
        manifest: vec![(1, "opens the door".into())],
        components: vec![(id("acme/lock"), vec![(1, "Acme".into())])],
    };
    let crypto = insecure::provider();
    manifest(2)
        .reference_uri("https://example.com/lock.suit")
        .version([1, 2, 0])
        .text(Text {
            languages: vec![("en".into(), text)],
        })
        .component(component)
        .build()
        .expect("a manifest")
        .sever(&crypto, Section::Install)
        .sever_text(&crypto)
}

/// A manifest that brings along the one that it depends on.
fn dependent(envelope: &[u8]) -> Vec<u8> {
    let dependency = Envelope::decode(envelope).expect("an envelope");
    let dependency = DependencyBuilder::of(&dependency).expect("a manifest");
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .manifest_id(id("acme/app.suit"))
        .component(component("acme/app").integrated(&insecure::provider(), "#app", *b"app"))
        .dependency(dependency.integrated("#lock.suit", envelope))
        .build()
        .expect("a manifest");
    sign(&draft)
}

/// The commands that the builder does not use by itself.
fn commands(components: &[ComponentBuilder]) -> Draft {
    let set =
        |list: Vec<Parameter<'static>>| Command::OverrideParameters(Parameters::from_list(list));
    let condition = |condition| Command::Condition(condition, ReportingPolicy::ALL);
    let action = |action| Command::Action(action, ReportingPolicy::ALL);
    let attempt: Sequence<'static> = [
        set(vec![Parameter::ComponentSlot(1)]),
        condition(Condition::ComponentSlot),
    ]
    .into_iter()
    .collect();
    let write: Sequence<'static> = [
        set(vec![
            Parameter::Content(Cow::Borrowed(b"colour: blue")),
            Parameter::ImageSize(12),
            Parameter::ImageDigest(digest()),
        ]),
        action(Action::Write),
        condition(Condition::ImageMatch),
        condition(Condition::CheckContent),
    ]
    .into_iter()
    .collect();
    let install = [
        Command::SetComponentIndex(IndexArgument::One(2)),
        Command::TryEach {
            alternatives: vec![attempt, write.clone()],
            or_nothing: true,
        },
        Command::RunSequence(write),
        Command::SetComponentIndex(IndexArgument::One(0)),
        set(vec![
            Parameter::SourceComponent(2),
            Parameter::ImageSize(12),
        ]),
        action(Action::Copy),
        condition(Condition::ImageMatch),
        Command::SetComponentIndex(IndexArgument::List(vec![0, 2])),
        condition(Condition::ImageMatch),
        Command::SetComponentIndex(IndexArgument::All),
    ];
    let mut builder = manifest(3);
    for component in components {
        builder = builder.component(component.clone());
    }
    builder
        .without_section(Section::Validate)
        .section(Section::Install, install.into_iter().collect())
        .build()
        .expect("a manifest")
}

fn report(envelope: &[u8]) -> Vec<u8> {
    let (crypto, keys) = (insecure::provider(), insecure::keys());
    let processor = Processor::new(&crypto, &keys, &SingleAuthority).with_nonce(&[7; 16]);
    let outcome = processor.update_bytes(&mut suit::device(), &mut NoFetch, envelope);
    outcome.report.encode()
}
