use alloc::vec::Vec;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

use crate::{ComponentId, codec::several};

/// What a Recipient is capable of (`SUIT_Capability_Report`): what the author of a manifest for it can
/// rely on.
// req: SUIT-REP-015
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CapabilityReport {
    /// 1: the components there can be; at least one.
    pub components: Vec<ComponentCapability>,
    /// 2 to 10: what is supported of each registry. Commands, parameters and algorithms (2 to 4) are
    /// always there, and nothing is empty.
    pub lists: Vec<(CapabilityList, Vec<i64>)>,
    /// What is supported of elements without a registry in this list: the labels that lead to the element
    /// from the envelope, and the labels within it.
    // req: SUIT-REP-017
    pub elements: Vec<(Vec<i64>, Vec<i64>)>,
}

/// A component that a Recipient may have, or all components with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentCapability {
    /// The component, or the prefix.
    pub id: ComponentId,
    /// Whether everything below is meant.
    pub is_prefix: bool,
}

/// A list of supported labels of one registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CapabilityList {
    /// 2: commands.
    Commands,
    /// 3: parameters.
    Parameters,
    /// 4: COSE algorithms.
    Algorithms,
    /// 5: elements of the envelope.
    Envelope,
    /// 6: elements of the manifest.
    Manifest,
    /// 7: elements of the common section.
    Common,
    /// 8: text about the manifest.
    Text,
    /// 9: text about components.
    ComponentText,
    /// 10: metadata of dependencies.
    Dependency,
}

const RULE: &str = "SUIT_Capability_Report";
const COMPONENTS: i64 = 1;
/// Most components, and most labels of one list.
const MAX_ITEMS: usize = 256;

impl CapabilityList {
    const ALL: [Self; 9] = [
        Self::Commands,
        Self::Parameters,
        Self::Algorithms,
        Self::Envelope,
        Self::Manifest,
        Self::Common,
        Self::Text,
        Self::ComponentText,
        Self::Dependency,
    ];
    const MANDATORY: [Self; 3] = [Self::Commands, Self::Parameters, Self::Algorithms];

    /// The label in the capability report.
    #[must_use]
    pub fn label(self) -> i64 {
        match self {
            Self::Commands => 2,
            Self::Parameters => 3,
            Self::Algorithms => 4,
            Self::Envelope => 5,
            Self::Manifest => 6,
            Self::Common => 7,
            Self::Text => 8,
            Self::ComponentText => 9,
            Self::Dependency => 10,
        }
    }

    /// What is listed, in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Parameters => "parameters",
            Self::Algorithms => "algorithms",
            Self::Envelope => "envelope-elements",
            Self::Manifest => "manifest-elements",
            Self::Common => "common-elements",
            Self::Text => "text-elements",
            Self::ComponentText => "component-text-elements",
            Self::Dependency => "dependency-elements",
        }
    }
}

impl ComponentCapability {
    /// Whether the capability covers a component.
    #[must_use]
    pub fn covers(&self, component: &ComponentId) -> bool {
        match self.is_prefix {
            true => component.starts_with(&self.id),
            false => *component == self.id,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Component_Capability";
        let start = reader.clone();
        let count = reader.array(RULE)?;
        let mut id = ComponentId::default();
        for position in 1..=count {
            if position == count && reader.peek() == Type::Bool {
                return match reader.bool(RULE)? {
                    true => Ok(Self {
                        id,
                        is_prefix: true,
                    }),
                    false => Err(start.error(RULE, Problem::Expected("true, or nothing"))),
                };
            }
            id = id
                .joined(reader.bytes(RULE)?)
                .map_err(|_| start.error(RULE, Problem::OutOfBounds("32 segments, 1024 bytes")))?;
        }
        Ok(Self {
            id,
            is_prefix: false,
        })
    }

    fn write(&self, w: &mut Writer) {
        self.id.write_with(usize::from(self.is_prefix), w);
        if self.is_prefix {
            w.bool(true);
        }
    }
}

impl CapabilityReport {
    /// What is supported of a registry; empty if the report does not say.
    #[must_use]
    pub fn list(&self, list: CapabilityList) -> &[i64] {
        let found = self.lists.iter().find(|(name, _)| *name == list);
        found
            .map(|(_, labels)| labels.as_slice())
            .unwrap_or_default()
    }

    /// Decodes a capability report. Members that are not known are ignored.
    ///
    /// # Errors
    ///
    /// If the next item is none, or lacks components, commands, parameters or algorithms.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let mut report = Self::default();
        let members = reader.map(RULE)?;
        if members > MAX_ITEMS {
            return Err(start.error(RULE, Problem::OutOfBounds("256 members")));
        }
        for _ in 0..members {
            if reader.peek() == Type::Array {
                let path = labels(reader)?;
                report.elements.push((path, labels(reader)?));
                continue;
            }
            let label = reader.int(RULE)?;
            if label == COMPONENTS {
                let count = bounded(reader)?;
                report.components = several(count, || ComponentCapability::read(reader))?;
            } else if let Some(list) = CapabilityList::ALL.into_iter().find(|l| l.label() == label)
            {
                report.lists.push((list, labels(reader)?));
            } else {
                reader.skip(RULE)?;
            }
        }
        let complete = !report.components.is_empty()
            && CapabilityList::MANDATORY
                .iter()
                .all(|list| !report.list(*list).is_empty());
        match complete {
            true => Ok(report),
            false => Err(start.error(RULE, Problem::Missing("one of the members 1 to 4"))),
        }
    }

    /// Writes the map deterministically.
    pub fn write(&self, w: &mut Writer) {
        let mut entries = Vec::from([Writer::build(|w| {
            w.int(COMPONENTS).array(self.components.len());
            for component in &self.components {
                component.write(w);
            }
        })]);
        for (list, supported) in &self.lists {
            entries.push(Writer::build(|w| {
                w.int(list.label());
                write_labels(supported, w);
            }));
        }
        for (path, supported) in &self.elements {
            entries.push(Writer::build(|w| {
                write_labels(path, w);
                write_labels(supported, w);
            }));
        }
        w.sorted_map(entries);
    }
}

/// The head of an array that is not empty and not too long.
fn bounded(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let start = reader.clone();
    let count = reader.array(RULE)?;
    match (1..=MAX_ITEMS).contains(&count) {
        true => Ok(count),
        false => Err(start.error(RULE, Problem::OutOfBounds("1 to 256 items"))),
    }
}

fn labels(reader: &mut Reader<'_>) -> Result<Vec<i64>, DecodeError> {
    let count = bounded(reader)?;
    several(count, || reader.int(RULE))
}

fn write_labels(labels: &[i64], w: &mut Writer) {
    w.array(labels.len());
    for label in labels {
        w.int(*label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn report() -> CapabilityReport {
        CapabilityReport {
            components: vec![
                ComponentCapability {
                    id: "vendor".parse().unwrap(),
                    is_prefix: true,
                },
                ComponentCapability {
                    id: "boot/0".parse().unwrap(),
                    is_prefix: false,
                },
            ],
            lists: vec![
                (CapabilityList::Commands, vec![1, 2, 3]),
                (CapabilityList::Parameters, vec![1, 2, 3, 14]),
                (CapabilityList::Algorithms, vec![-16, -9]),
                (CapabilityList::Dependency, vec![1]),
            ],
            elements: vec![(vec![3, 3, 1], vec![3])],
        }
    }

    fn encoded(report: &CapabilityReport) -> Vec<u8> {
        Writer::build(|w| report.write(w))
    }

    // req: SUIT-REP-015, SUIT-REP-017
    #[test]
    fn a_report_round_trips() {
        let bytes = encoded(&report());
        assert_eq!(
            CapabilityReport::read(&mut Reader::new(&bytes)),
            Ok(report())
        );
    }

    // req: SUIT-REP-015
    #[test]
    fn what_is_mandatory_is_not_left_out() {
        for list in CapabilityList::MANDATORY {
            let mut report = report();
            report.lists.retain(|(name, _)| *name != list);
            assert!(CapabilityReport::read(&mut Reader::new(&encoded(&report))).is_err());
        }
        let mut empty = report();
        empty.lists[3].1.clear();
        assert!(CapabilityReport::read(&mut Reader::new(&encoded(&empty))).is_err());
    }

    // req: SUIT-REP-015
    #[test]
    fn a_trailing_true_covers_what_is_below() {
        let [below, exact] = report().components.try_into().unwrap();
        assert!(below.covers(&"vendor/app".parse().unwrap()));
        assert!(!below.covers(&"other/app".parse().unwrap()));
        assert!(exact.covers(&"boot/0".parse().unwrap()));
        assert!(!exact.covers(&"boot/0/x".parse().unwrap()));
    }
}
