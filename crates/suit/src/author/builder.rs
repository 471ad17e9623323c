use alloc::{string::String, vec::Vec};

use super::{BuildError, ComponentBuilder, DependencyBuilder, Draft};
use crate::{
    ComponentId, SequenceNumber,
    codec::{
        Command, Common, Dependency, IndexArgument, Manifest, Section, Sequence, Severable, Text,
        Version,
    },
};

/// Builds a manifest in the shape of the TEEP draft's examples.
///
/// The shared sequence checks vendor and class and sets digests and sizes; install fetches (or writes)
/// and verifies each component; validate verifies them again; uninstall unlinks them. Dependencies are
/// fetched and verified by dependency resolution and have their own sections run within those of the
/// dependent.
#[derive(Debug, Clone)]
#[must_use]
pub struct ManifestBuilder {
    sequence_number: SequenceNumber,
    manifest_id: Option<ComponentId>,
    reference_uri: Option<String>,
    version: Option<Version>,
    components: Vec<ComponentBuilder>,
    dependencies: Vec<DependencyBuilder>,
    text: Option<Text<'static>>,
    replaced: Vec<(Section, Option<Sequence<'static>>)>,
}

impl ManifestBuilder {
    /// A manifest of this release. Numbers rise from release to release.
    // req: SUIT-MAN-002
    pub fn new(sequence_number: SequenceNumber) -> Self {
        Self {
            sequence_number,
            manifest_id: None,
            reference_uri: None,
            version: None,
            components: Vec::new(),
            dependencies: Vec::new(),
            text: None,
            replaced: Vec::new(),
        }
    }

    /// Where the manifest itself is kept.
    pub fn manifest_id(mut self, id: ComponentId) -> Self {
        self.manifest_id = Some(id);
        self
    }

    /// Where the manifest can be had.
    pub fn reference_uri(mut self, uri: impl Into<String>) -> Self {
        self.reference_uri = Some(uri.into());
        self
    }

    /// The version of what is installed; empty for none.
    pub fn version(mut self, version: impl Into<Vec<i64>>) -> Self {
        self.version = Some(Version(version.into())).filter(|version| !version.0.is_empty());
        self
    }

    /// Text for people.
    pub fn text(mut self, text: Text<'static>) -> Self {
        self.text = Some(text);
        self
    }

    /// Adds a component; its index is the number of components before it.
    pub fn component(mut self, component: ComponentBuilder) -> Self {
        self.components.push(component);
        self
    }

    /// Adds a dependency; its index comes after those of all components.
    pub fn dependency(mut self, dependency: DependencyBuilder) -> Self {
        self.dependencies.push(dependency);
        self
    }

    /// Uses this sequence for a section, in place of what would be built.
    pub fn section(mut self, section: Section, sequence: Sequence<'static>) -> Self {
        self.replaced.push((section, Some(sequence)));
        self
    }

    /// Leaves a section out.
    pub fn without_section(mut self, section: Section) -> Self {
        self.replaced.push((section, None));
        self
    }

    /// The manifest, ready to be signed.
    ///
    /// # Errors
    ///
    /// If there is nothing to install, identifiers or keys occur twice, or the manifest would not be
    /// accepted by a Recipient with the default [`Limits`].
    pub fn build(self) -> Result<Draft, BuildError> {
        if self.components.is_empty() && self.dependencies.is_empty() {
            return Err(BuildError::Empty);
        }
        self.refuse_duplicate_identifiers()?;
        self.refuse_text_about_others()?;
        let mut manifest = Manifest::new(self.sequence_number, self.common());
        manifest.component_id.clone_from(&self.manifest_id);
        manifest.reference_uri = self.reference_uri.clone().map(Into::into);
        manifest.set_version.clone_from(&self.version);
        manifest.text = self
            .text
            .as_ref()
            .map(|text| Severable::Inline(text.encode().into()));
        for section in Section::ALL {
            let replaced = self
                .replaced
                .iter()
                .rev()
                .find(|(name, _)| *name == section);
            let sequence = match replaced {
                Some((_, sequence)) => sequence.clone(),
                None => self.built(section),
            };
            if let Some(sequence) = sequence {
                manifest.set_section(section, Severable::Inline(sequence));
            }
        }
        let components = self.components.iter().flat_map(ComponentBuilder::payloads);
        let dependencies = self
            .dependencies
            .iter()
            .filter_map(DependencyBuilder::payload);
        let mut keys: Vec<&String> = Vec::new();
        let mut integrated = Vec::new();
        for (key, payload) in components.chain(dependencies) {
            if keys.contains(&key) {
                return Err(BuildError::DuplicateKey(key.clone()));
            }
            keys.push(key);
            integrated.push((key, payload));
        }
        let draft = Draft::checked(&manifest)?;
        Ok(integrated.into_iter().fold(draft, |draft, (key, payload)| {
            draft.with_integrated(key.clone(), payload.clone())
        }))
    }

    fn refuse_duplicate_identifiers(&self) -> Result<(), BuildError> {
        let components = self.components.iter().map(|component| &component.id);
        let mut seen: Vec<&ComponentId> = Vec::new();
        for id in components.chain(self.dependencies.iter().map(|dependency| &dependency.id)) {
            if seen.contains(&id) {
                return Err(BuildError::DuplicateIdentifier(id.clone()));
            }
            seen.push(id);
        }
        Ok(())
    }

    // req: SUIT-MAN-010
    fn refuse_text_about_others(&self) -> Result<(), BuildError> {
        let languages = self.text.iter().flat_map(|text| &text.languages);
        let mut described = languages.flat_map(|(_, text)| &text.components);
        let listed = |id: &ComponentId| self.components.iter().any(|component| component.id == *id);
        match described.find(|(id, _)| !listed(id)) {
            Some((id, _)) => Err(BuildError::TextComponent(id.clone())),
            None => Ok(()),
        }
    }

    fn common(&self) -> Common<'static> {
        let dependency = |(position, dependency): (usize, &DependencyBuilder)| Dependency {
            index: (self.components.len() + position) as u64,
            prefix: Some(dependency.id.clone()),
        };
        Common {
            dependencies: self
                .dependencies
                .iter()
                .enumerate()
                .map(dependency)
                .collect(),
            components: self
                .components
                .iter()
                .map(|component| component.id.clone())
                .collect(),
            shared_sequence: self.sequence(ComponentBuilder::shared, DependencyBuilder::shared),
        }
    }

    fn built(&self, section: Section) -> Option<Sequence<'static>> {
        let none = |_: &ComponentBuilder| Vec::new();
        let process = |dependency: &DependencyBuilder| dependency.process(section);
        match section {
            Section::DependencyResolution => self.sequence(none, DependencyBuilder::resolve),
            Section::PayloadFetch | Section::CandidateVerification | Section::Load => {
                self.sequence(none, process)
            }
            Section::Install => self.sequence(ComponentBuilder::install, process),
            Section::Validate => self.sequence(ComponentBuilder::validate, process),
            Section::Invoke => self.sequence(ComponentBuilder::invocation, process),
            Section::Uninstall => self.sequence(ComponentBuilder::uninstall, process),
        }
    }

    /// A sequence of what each dependency and then each component needs; `None` if that is nothing.
    // req: SUIT-COM-012, SUIT-COM-013
    fn sequence(
        &self,
        component: impl Fn(&ComponentBuilder) -> Vec<Command<'static>>,
        dependency: impl Fn(&DependencyBuilder) -> Vec<Command<'static>>,
    ) -> Option<Sequence<'static>> {
        let several = self.components.len() + self.dependencies.len() > 1;
        let first_dependency = self.components.len();
        let dependencies = self
            .dependencies
            .iter()
            .enumerate()
            .map(|(position, builder)| (first_dependency + position, dependency(builder)));
        let components = self.components.iter().map(component).enumerate();
        let mut commands = Vec::new();
        for (index, needed) in dependencies.chain(components) {
            if needed.is_empty() {
                continue;
            }
            if several {
                commands.push(Command::SetComponentIndex(IndexArgument::One(index as u64)));
            }
            commands.extend(needed);
        }
        (!commands.is_empty()).then(|| commands.into_iter().collect())
    }
}
