//! From an authenticated envelope to what the catalog keeps of it.

use std::collections::BTreeSet;

use tamarack_suit::{
    Action, AuthenticatedEnvelope, Authority, Command, ComponentId, Condition, IndexArgument,
    Manifest, Parameters, Section, Sequence, VendorId,
};

use super::PublishError;
use crate::{
    NewManifest,
    catalog::{ComponentImage, ManifestKind},
};

/// The components that the manifest itself installs, with their indices; dependencies are not among them.
pub(super) fn own_components<'m>(manifest: &'m Manifest<'_>) -> Vec<(u64, &'m ComponentId)> {
    let components = (0..).zip(&manifest.common.components);
    components
        .filter(|(index, _)| manifest.common.dependency(*index).is_none())
        .collect()
}

/// What the catalog keeps.
pub(super) fn new_manifest(
    authentic: &AuthenticatedEnvelope<'_>,
    kind: ManifestKind,
    domain: &str,
    envelope: &[u8],
) -> Result<NewManifest, PublishError> {
    let manifest = authentic.manifest();
    let number = manifest.sequence_number.0;
    if i64::try_from(number).is_err() {
        return Err(PublishError::SequenceNumber(number));
    }
    let released = released(manifest);
    let images = own_components(manifest)
        .into_iter()
        .filter(|(index, _)| !released.contains(index))
        .map(|(index, component)| ComponentImage {
            component: component.clone(),
            digests: manifest.image_digests(index),
        });
    let dependencies = manifest.common.dependencies.iter();
    let dependencies = dependencies.flat_map(|found| manifest.image_digests(found.index));
    Ok(NewManifest {
        kind,
        domain: domain.to_owned(),
        manifest_component: manifest.placement(),
        sequence_number: number,
        digest: authentic.digest(),
        components: images.collect(),
        dependencies: dependencies.collect(),
        vendor_ids: identifiers(manifest, Condition::VendorIdentifier, |parameters| {
            parameters.vendor_id().map(|vendor| match vendor {
                VendorId::Uuid(uuid) => Some(uuid.0),
                _ => None,
            })
        }),
        class_ids: identifiers(manifest, Condition::ClassIdentifier, |parameters| {
            parameters.class_id().map(|class| Some(class.0))
        }),
        // Authentication names one signer at least; without, nothing would have been authentic.
        signer: *authentic
            .signers()
            .first()
            .and_then(Authority::public_key)
            .ok_or(PublishError::Empty)?,
        envelope: envelope.to_vec(),
    })
}

/// Indices of components that are empty once the manifest is installed: payloads wait there, such as those that
/// are encrypted, until they are copied to where they belong.
fn released(manifest: &Manifest<'_>) -> BTreeSet<u64> {
    let install = manifest.section(Section::Install);
    let install = install.and_then(|section| section.content());
    let mut selected = IndexArgument::One(0);
    let mut released = BTreeSet::new();
    for located in install
        .into_iter()
        .flat_map(tamarack_suit::Sequence::commands)
    {
        let written = match &located.command {
            Command::SetComponentIndex(argument) => {
                selected = argument.clone();
                continue;
            }
            Command::Action(Action::Unlink, _) => false,
            Command::Action(Action::Fetch | Action::Copy | Action::Swap | Action::Write, _) => true,
            _ => continue,
        };
        for (index, _) in own_components(manifest) {
            if selected.covers(index) && written {
                released.remove(&index);
            } else if selected.covers(index) {
                released.insert(index);
            }
        }
    }
    released
}

/// The identifier that parameters set; `Some(None)` if it is no UUID.
type ReadIdentifier = fn(&Parameters<'_>) -> Option<Option<[u8; 16]>>;

/// Identifiers that the shared sequence sets for the manifest's own components and checks: a device that
/// answers to none of them refuses the manifest. Empty if there may be one that answers to others.
fn identifiers(
    manifest: &Manifest<'_>,
    condition: Condition,
    read: ReadIdentifier,
) -> Vec<[u8; 16]> {
    let own = own_components(manifest);
    let mut checks = Checks {
        own: own.into_iter().map(|(index, _)| index).collect(),
        condition,
        read,
        set: BTreeSet::new(),
    };
    let shared = manifest.common.shared_sequence.as_ref();
    let found = shared.map(|sequence| checks.of(sequence, IndexArgument::One(0)));
    found.unwrap_or_default().into_iter().collect()
}

/// A walk over a sequence, looking for the checks of one kind of identifier.
struct Checks {
    /// Indices of the manifest's own components.
    own: Vec<u64>,
    condition: Condition,
    read: ReadIdentifier,
    /// What was set so far, for whichever own component; `None` for what is no UUID.
    set: BTreeSet<Option<[u8; 16]>>,
}

impl Checks {
    /// The identifiers of which a device must answer to one for the sequence to succeed; empty if it may
    /// succeed without.
    ///
    /// Where commands leave room, this errs towards more identifiers, or none: the device checks again.
    fn of(&mut self, sequence: &Sequence<'_>, mut selected: IndexArgument) -> BTreeSet<[u8; 16]> {
        let mut found = BTreeSet::new();
        for located in sequence.commands() {
            let is_own = self.own.iter().any(|index| selected.covers(*index));
            match &located.command {
                Command::SetComponentIndex(argument) => selected = argument.clone(),
                Command::SetParameters(parameters) | Command::OverrideParameters(parameters)
                    if is_own =>
                {
                    self.set.extend((self.read)(parameters));
                }
                Command::OverrideMultiple(list) => {
                    let own = list.iter().filter(|(index, _)| self.own.contains(index));
                    let set: Vec<_> = own.filter_map(|(_, p)| (self.read)(p)).collect();
                    self.set.extend(set);
                }
                // What is copied from a dependency is not followed.
                Command::CopyParameters(_) => {
                    self.set.insert(None);
                }
                Command::Condition(condition, _) if *condition == self.condition && is_own => {
                    found.extend(self.checked());
                }
                Command::TryEach {
                    alternatives,
                    or_nothing,
                } => {
                    let each: Vec<_> = alternatives
                        .iter()
                        .map(|inner| self.of(inner, selected.clone()))
                        .collect();
                    if !or_nothing && each.iter().all(|inner| !inner.is_empty()) {
                        found.extend(each.into_iter().flatten());
                    }
                }
                Command::RunSequence(inner) => {
                    let inside = self.of(inner, selected.clone());
                    if !may_fail_softly(inner) {
                        found.extend(inside);
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// What a check at this point accepts; empty if that can't be told.
    fn checked(&self) -> BTreeSet<[u8; 16]> {
        let uuids: Option<BTreeSet<_>> = self.set.iter().copied().collect();
        uuids.unwrap_or_default()
    }
}

/// Whether a condition that fails in the sequence may end only the sequence.
fn may_fail_softly(sequence: &Sequence<'_>) -> bool {
    sequence.walk().any(|located| match &located.command {
        Command::SetParameters(parameters) | Command::OverrideParameters(parameters) => {
            parameters.soft_failure() == Some(true)
        }
        Command::OverrideMultiple(list) => list
            .iter()
            .any(|(_, parameters)| parameters.soft_failure() == Some(true)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use tamarack_suit::{Parameter, ReportingPolicy, Uuid};

    use super::*;

    const NONE: [u8; 0] = [];

    fn set(class: u8) -> Command<'static> {
        let class = Parameter::ClassId(Uuid([class; 16]));
        Command::OverrideParameters(Parameters::from_list([class]))
    }

    fn check() -> Command<'static> {
        Command::Condition(Condition::ClassIdentifier, ReportingPolicy::default())
    }

    fn either(or_nothing: bool, each: &[Vec<Command<'static>>]) -> Command<'static> {
        Command::TryEach {
            alternatives: each.iter().map(|c| c.iter().cloned().collect()).collect(),
            or_nothing,
        }
    }

    fn found(commands: Vec<Command<'static>>) -> Vec<u8> {
        let mut checks = Checks {
            own: vec![0],
            condition: Condition::ClassIdentifier,
            read: |parameters| parameters.class_id().map(|class| Some(class.0)),
            set: BTreeSet::new(),
        };
        let found = checks.of(&commands.into_iter().collect(), IndexArgument::One(0));
        found.into_iter().map(|id| id[0]).collect()
    }

    #[test]
    fn an_identifier_counts_if_it_is_set_and_checked_in_any_case() {
        let other = || Command::SetComponentIndex(IndexArgument::One(1));
        assert_eq!(found(vec![set(1), check()]), [1]);
        assert_eq!(found(vec![set(1)]), NONE, "set and not checked");
        assert_eq!(found(vec![other(), set(1), check()]), NONE, "a dependency");
        let (one, two) = (vec![set(1), check()], vec![set(2), check()]);
        assert_eq!(found(vec![either(false, &[one.clone(), two])]), [1, 2]);
        assert_eq!(found(vec![either(true, std::slice::from_ref(&one))]), NONE);
        assert_eq!(found(vec![either(false, &[one.clone(), vec![]])]), NONE);
        let run =
            |commands: Vec<Command<'static>>| Command::RunSequence(commands.into_iter().collect());
        assert_eq!(found(vec![run(one.clone())]), [1]);
        let soft = Parameters::from_list([Parameter::SoftFailure(true)]);
        let soft = [vec![Command::OverrideParameters(soft)], one].concat();
        assert_eq!(found(vec![run(soft)]), NONE);
    }
}
