use alloc::vec::Vec;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

use super::{Sequence, label::common as label, sequence::Allowance, several, unknown_label};
use crate::{ComponentId, Limits};

/// What all sections of a manifest share (label 3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Common<'a> {
    /// 1: the components that are manifests themselves, by rising index.
    pub dependencies: Vec<Dependency>,
    /// 2: the components; commands refer to them by position.
    pub components: Vec<ComponentId>,
    /// 4: the sequence that runs before each other one.
    pub shared_sequence: Option<Sequence<'a>>,
}

/// A dependency of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its index among the components.
    pub index: u64,
    /// 1: for an index within the component list, what the dependency's component identifiers are
    /// prefixed with; for an index beyond the list, the dependency's own identifier.
    pub prefix: Option<ComponentId>,
}

impl<'a> Common<'a> {
    /// How many indices there are: components, and dependencies beyond the component list.
    #[must_use]
    pub fn index_count(&self) -> usize {
        let beyond = |dependency: &&Dependency| !self.is_listed(dependency.index);
        self.components.len() + self.dependencies.iter().filter(beyond).count()
    }

    fn is_listed(&self, index: u64) -> bool {
        index < self.components.len() as u64
    }

    /// The identifier of the component or dependency at an index.
    #[must_use]
    pub fn identifier(&self, index: u64) -> Option<&ComponentId> {
        match usize::try_from(index)
            .ok()
            .and_then(|index| self.components.get(index))
        {
            Some(component) => Some(component),
            None => self.dependency(index)?.prefix.as_ref(),
        }
    }

    /// The dependency with an index.
    #[must_use]
    pub fn dependency(&self, index: u64) -> Option<&Dependency> {
        self.dependencies
            .iter()
            .find(|dependency| dependency.index == index)
    }

    /// What the component identifiers of a dependency are prefixed with.
    #[must_use]
    pub fn scope<'d>(&self, dependency: &'d Dependency) -> Option<&'d ComponentId> {
        dependency
            .prefix
            .as_ref()
            .filter(|_| self.is_listed(dependency.index))
    }

    /// Reads the members in place of what is here, which is the default.
    // req: SUIT-COM-001, SUIT-AMB-031
    pub(super) fn read(
        &mut self,
        mut reader: Reader<'a>,
        limits: &Limits,
        left: &mut Allowance,
    ) -> Result<(), DecodeError> {
        const RULE: &str = "SUIT_Common";
        for _ in 0..reader.map(RULE)? {
            let start = reader.clone();
            match reader.label(RULE)? {
                label::DEPENDENCIES => self.dependencies = dependencies(&mut reader, limits)?,
                label::COMPONENTS => self.components = components(&mut reader, limits)?,
                label::SHARED_SEQUENCE => {
                    let rule = "suit-shared-sequence";
                    let shared = Sequence::read(&mut reader, rule, limits, true, left)?;
                    self.shared_sequence = Some(shared);
                }
                _ => return Err(unknown_label(&start, RULE)),
            }
        }
        self.check_indices(&reader)
    }

    /// Indices beyond the component list have an identifier, and leave no gap.
    // req: SUIT-AMB-002
    fn check_indices(&self, reader: &Reader<'_>) -> Result<(), DecodeError> {
        const RULE: &str = "SUIT_Dependencies";
        let beyond = self
            .dependencies
            .iter()
            .filter(|d| !self.is_listed(d.index));
        for (expected, dependency) in (self.components.len() as u64..).zip(beyond) {
            if dependency.index != expected {
                let problem = Problem::Expected("component indices without a gap");
                return Err(reader.error(RULE, problem));
            }
            if dependency.prefix.is_none() {
                let problem = Problem::Missing("the identifier of a dependency");
                return Err(reader.error(RULE, problem));
            }
        }
        Ok(())
    }

    /// The labels of the members there are.
    #[cfg(feature = "author")]
    pub(crate) fn labels(&self) -> Vec<i64> {
        let members = [
            (!self.dependencies.is_empty(), label::DEPENDENCIES),
            (!self.components.is_empty(), label::COMPONENTS),
            (self.shared_sequence.is_some(), label::SHARED_SEQUENCE),
        ];
        let there = members.into_iter().filter(|(there, _)| *there);
        there.map(|(_, label)| label).collect()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            let members = usize::from(!self.dependencies.is_empty())
                + usize::from(!self.components.is_empty())
                + usize::from(self.shared_sequence.is_some());
            w.map(members);
            if !self.dependencies.is_empty() {
                w.int(label::DEPENDENCIES).map(self.dependencies.len());
                for dependency in &self.dependencies {
                    w.uint(dependency.index)
                        .map(usize::from(dependency.prefix.is_some()));
                    if let Some(prefix) = &dependency.prefix {
                        w.int(label::DEPENDENCY_PREFIX);
                        prefix.write(w);
                    }
                }
            }
            if !self.components.is_empty() {
                w.int(label::COMPONENTS).array(self.components.len());
                for component in &self.components {
                    component.write(w);
                }
            }
            if let Some(shared) = &self.shared_sequence {
                w.int(label::SHARED_SEQUENCE).bytes(&shared.encode());
            }
        })
    }

    pub(super) fn into_owned(self) -> Common<'static> {
        Common {
            dependencies: self.dependencies,
            components: self.components,
            shared_sequence: self.shared_sequence.map(Sequence::into_owned),
        }
    }
}

fn components(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<ComponentId>, DecodeError> {
    const RULE: &str = "SUIT_Components";
    let start = reader.clone();
    let count = reader.array(RULE)?;
    if count == 0 || count > limits.components {
        return Err(start.error(RULE, Problem::OutOfBounds("one component to the limit")));
    }
    several(count, || {
        ComponentId::read(reader, "SUIT_Component_Identifier")
    })
}

// req: SUIT-DEP-001
fn dependencies(reader: &mut Reader<'_>, limits: &Limits) -> Result<Vec<Dependency>, DecodeError> {
    const RULE: &str = "SUIT_Dependencies";
    const METADATA: &str = "SUIT_Dependency_Metadata";
    let start = reader.clone();
    let count = reader.map(RULE)?;
    if count == 0 || count > limits.dependencies {
        return Err(start.error(RULE, Problem::OutOfBounds("one dependency to the limit")));
    }
    let mut dependencies = Vec::new();
    for _ in 0..count {
        let index = reader.uint(RULE)?;
        let mut prefix = None;
        for _ in 0..reader.map(METADATA)? {
            let start = reader.clone();
            match reader.label(METADATA)? {
                label::DEPENDENCY_PREFIX => {
                    prefix = Some(ComponentId::read(reader, "suit-dependency-prefix")?);
                }
                _ => return Err(unknown_label(&start, METADATA)),
            }
        }
        let place = dependencies.partition_point(|other: &Dependency| other.index < index);
        dependencies.insert(place, Dependency { index, prefix });
    }
    Ok(dependencies)
}
