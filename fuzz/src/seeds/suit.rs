use std::borrow::Cow;

use tamarack_cose::{
    MacAlgorithm, MacKey, MacWrappingKey,
    SignatureAlgorithm::{Ed25519, Esp256},
    SymmetricKey,
    hss::{HssHash, HssLevel, HssSecretKey, HssSigner, HssState},
};
use tamarack_suit::{
    Action, Command, ComponentId, Condition, Envelope, IndexArgument, LanguageText, NoFetch,
    Parameter, Parameters, Processor, ReportingPolicy, Section, Sequence, SequenceNumber,
    SingleAuthority, SuitDigest, Text, Uuid,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
};

use crate::{encrypt, insecure, process, suit};

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
        ("encrypted", sign(&encrypted())),
        ("mac", mac()),
        ("mac-to", mac_to()),
        ("signed-together", signed_together()),
        ("hss", hss()),
        ("report-success", report(&update)),
        ("report-failure", report(b"no envelope")),
    ]
}

/// Every digest is zeros under the insecure provider.
pub(super) fn digest() -> SuitDigest {
    SuitDigest::sha256(&insecure::provider(), &[])
}

pub(super) fn id(text: &str) -> ComponentId {
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

/// Encrypted content, written and copied.
fn encrypted() -> Draft {
    let set =
        |list: Vec<Parameter<'static>>| Command::OverrideParameters(Parameters::from_list(list));
    let action = |action| Command::Action(action, ReportingPolicy::ALL);
    let matches = || Command::Condition(Condition::ImageMatch, ReportingPolicy::ALL);
    let mut ciphertext = b"plaintext".to_vec();
    ciphertext.extend([0; 16]);
    let info = || Parameter::EncryptionInfo(process::encryption_info().into());
    let install = [
        Command::SetComponentIndex(IndexArgument::One(0)),
        set(vec![
            info(),
            Parameter::Content(ciphertext.clone().into()),
            Parameter::ImageDigest(digest()),
            Parameter::ImageSize(9),
        ]),
        action(Action::Write),
        matches(),
        Command::SetComponentIndex(IndexArgument::One(1)),
        set(vec![
            Parameter::Content(ciphertext.into()),
            Parameter::ImageDigest(digest()),
        ]),
        action(Action::Write),
        matches(),
        Command::SetComponentIndex(IndexArgument::One(2)),
        set(vec![
            info(),
            Parameter::SourceComponent(1),
            Parameter::ImageDigest(digest()),
        ]),
        action(Action::Copy),
        matches(),
    ];
    let components = ["acme/written", "acme/ciphertext", "acme/copied"];
    let components = components.map(component).into_iter();
    components
        .fold(manifest(4), ManifestBuilder::component)
        .without_section(Section::Validate)
        .section(Section::Install, install.into_iter().collect())
        .build()
        .expect("a manifest")
}

/// A manifest that is small, to be authenticated in every way.
fn small() -> Draft {
    manifest(5)
        .component(component("acme/config").content(&insecure::provider(), *b"x"))
        .build()
        .expect("a manifest")
}

fn mac() -> Vec<u8> {
    let key = MacKey::new(MacAlgorithm::Hmac256, SymmetricKey::new([8; 32])).expect("a key");
    small().mac(&insecure::provider(), &key, Some(b"kid-1"))
}

fn mac_to() -> Vec<u8> {
    let key = MacWrappingKey::new(SymmetricKey::new([9; 16])).expect("a key");
    let recipients = [(&key, Some(&b"kid-2"[..])), (&key, None)];
    let sealed = small().mac_to(&insecure::provider(), MacAlgorithm::Hmac256, &recipients);
    sealed.expect("wraps")
}

fn signed_together() -> Vec<u8> {
    let signers = [Esp256, Ed25519].map(insecure::signer);
    let signers = [&*signers[0], &*signers[1]];
    let signed = small().sign_together(&insecure::provider(), &signers);
    signed.expect("signs")
}

/// Counts from 0; nothing is ever signed with it but the seed.
struct Count(u64);

impl HssState for Count {
    fn claim(&mut self) -> Result<u64, tamarack_cose::Error> {
        self.0 += 1;
        Ok(self.0 - 1)
    }
}

/// A real signature of the smallest tree, by a key that is the same each time.
fn hss() -> Vec<u8> {
    let crypto = encrypt::real();
    let level = HssLevel {
        hash: HssHash::Sha256_192,
        height: 5,
        width: 8,
    };
    let key = HssSecretKey::generate(&crypto, &[level]).expect("a key");
    let signer = HssSigner::new(&crypto, key, Box::new(Count(0))).expect("a signer");
    small().sign(&insecure::provider(), &[&signer]).expect("signs")
}

fn report(envelope: &[u8]) -> Vec<u8> {
    let (crypto, keys) = (insecure::provider(), insecure::keys());
    let processor = Processor::new(&crypto, &keys, &SingleAuthority).with_nonce(&[7; 16]);
    let outcome = processor.update_bytes(&mut suit::device(), &mut NoFetch, envelope);
    outcome.report.encode()
}
