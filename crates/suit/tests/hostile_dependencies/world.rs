//! Two signers, what they own, and short ways to write what they do to each other.

use tamarack_suit::{
    Action, Command, Common, Condition, Dependency, Envelope, Error, Manifest, MemoryDevice,
    NoFetch, Outcome, Parameter, Processor, Section, SequenceNumber, Severable, TrustAnchor,
    TrustAnchors, author::Draft,
};

use crate::common::*;

/// A manifest with these components and, at their indices, dependencies with their prefixes.
pub(crate) fn manifest(
    number: u64,
    place: &str,
    components: &[&str],
    dependencies: &[(u64, Option<&str>)],
    sections: Vec<(Section, Vec<Command<'static>>)>,
) -> Manifest<'static> {
    let dependency = |(index, prefix): &(u64, Option<&str>)| Dependency {
        index: *index,
        prefix: prefix.map(id),
    };
    let common = Common {
        components: components.iter().map(|text| id(text)).collect(),
        dependencies: dependencies.iter().map(dependency).collect(),
        shared_sequence: None,
    };
    let mut manifest = Manifest::new(SequenceNumber(number), common);
    manifest.component_id = Some(id(place));
    for (section, commands) in sections {
        manifest.set_section(section, Severable::Inline(sequence(commands)));
    }
    manifest
}

pub(crate) fn signed_by(author: &Author, manifest: Manifest<'static>) -> Vec<u8> {
    let draft = Draft::new(manifest);
    draft.sign(&crypto(), &[&*author.signer]).unwrap()
}

pub(crate) fn install(commands: Vec<Command<'static>>) -> Vec<(Section, Vec<Command<'static>>)> {
    vec![(Section::Install, commands)]
}

#[track_caller]
pub(crate) fn refused_for_a_dependency(world: &mut World, envelope: &[u8]) {
    let result = world.update(envelope);
    assert!(
        matches!(result, Err(Error::Dependency { .. })),
        "{result:?}"
    );
}

pub(crate) fn bytes(bytes: &[u8]) -> Parameter<'static> {
    Parameter::Content(bytes.to_vec().into())
}

pub(crate) fn manifest_digest(envelope: &[u8]) -> Parameter<'static> {
    Parameter::ImageDigest(Envelope::decode(envelope).unwrap().claimed_digest())
}

/// Writes and verifies content.
pub(crate) fn write(at: u64, content: &[u8]) -> Vec<Command<'static>> {
    vec![
        index(at),
        set([bytes(content), digest_of(content)]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ]
}

/// Writes an envelope into a dependency.
pub(crate) fn bring(at: u64, envelope: &[u8]) -> Vec<Command<'static>> {
    vec![
        index(at),
        set([bytes(envelope), manifest_digest(envelope)]),
        action(Action::Write),
    ]
}

pub(crate) fn check_and_process() -> Vec<Command<'static>> {
    vec![
        condition(Condition::DependencyIntegrity),
        action(Action::ProcessDependency),
    ]
}

pub(crate) fn brought(at: u64, envelope: &[u8]) -> Vec<Command<'static>> {
    [bring(at, envelope), check_and_process()].concat()
}

/// Two signers with a prefix each, `evil` and `victim`.
pub(crate) struct World {
    pub(crate) evil: Author,
    pub(crate) victim: Author,
    pub(crate) anchors: TrustAnchors,
    pub(crate) device: MemoryDevice,
}

impl World {
    /// One in which `evil` may depend on what is below `dependencies` too.
    pub(crate) fn new(dependencies: &[&str]) -> Self {
        let (evil, victim) = (author(2), author(4));
        let may_depend = dependencies.iter().map(|text| id(text));
        let anchors = anchors([
            TrustAnchor::new(evil.key)
                .with_prefixes([id("evil")])
                .with_dependencies(may_depend),
            TrustAnchor::new(victim.key).with_prefixes([id("victim")]),
        ]);
        Self {
            evil,
            victim,
            anchors,
            device: device(),
        }
    }

    /// With an application and a secret of the victim's, and something of its that no manifest has.
    pub(crate) fn with_victim(dependencies: &[&str]) -> Self {
        let mut world = Self::new(dependencies);
        world.device.put(&id("victim/factory"), b"provisioned");
        let components = ["victim/secret", "victim/app"];
        let content = [write(0, b"SECRET"), write(1, b"app")].concat();
        let app = manifest(1, "victim/suit", &components, &[], install(content));
        let app = signed_by(&world.victim, app);
        assert_eq!(world.update(&app), Ok(()));
        world
    }

    pub(crate) fn run(
        &mut self,
        procedure: impl FnOnce(&Processor<'_>, &mut MemoryDevice) -> Outcome,
    ) -> Result<(), Error> {
        let crypto = crypto();
        let processor = Processor::new(&crypto, &self.anchors, &self.anchors);
        in_transaction(&mut self.device, |device| procedure(&processor, device)).result
    }

    pub(crate) fn update(&mut self, envelope: &[u8]) -> Result<(), Error> {
        self.run(|processor, device| processor.update_bytes(device, &mut NoFetch, envelope))
    }

    pub(crate) fn uninstall(&mut self, place: &str) -> Result<(), Error> {
        self.run(|processor, device| processor.uninstall(device, &mut NoFetch, &id(place)))
    }

    pub(crate) fn invoke(&mut self, place: &str) -> Result<(), Error> {
        self.run(|processor, device| processor.invoke(device, &mut NoFetch, &id(place)))
    }

    pub(crate) fn evil(&self, manifest: Manifest<'static>) -> Vec<u8> {
        signed_by(&self.evil, manifest)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let components = self.device.components();
        components.map(ToString::to_string).collect()
    }

    pub(crate) fn content(&self, component: &str) -> Option<&[u8]> {
        self.device.content(&id(component))
    }

    /// What is below `victim/`, with its content.
    pub(crate) fn of_victim(&self) -> Vec<(String, Vec<u8>)> {
        let components = self.device.components();
        let content = |id| self.device.content(id).unwrap().to_vec();
        let all = components.map(|id| (id.to_string(), content(id)));
        all.filter(|(name, _)| name.starts_with("victim/"))
            .collect()
    }
}
