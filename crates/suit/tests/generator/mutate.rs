//! One change to one command of a manifest.

use proptest::{prelude::*, sample::Index};
use tamarack_suit::{
    Action, Command, Condition, IndexArgument, Manifest, Parameter, Parameters, ReportingPolicy,
    Section, Sequence, Severable, SuitDigest,
};

use crate::common::*;

/// What is changed.
#[derive(Debug, Clone)]
pub enum Change {
    /// The reporting policy, of a command that has one.
    Policy(u8),
    /// The component index.
    Index(u64),
    /// One parameter more, or another value.
    Parameter(Parameter<'static>),
    /// The command becomes a directive.
    Action(Action),
    /// The command becomes a condition.
    Condition(Condition),
    /// The command is left out.
    Removed,
    /// A component of somebody else's stands in place of the first one.
    ForeignComponent,
}

pub fn change() -> impl Strategy<Value = Change> {
    let parameters = prop_oneof![
        Just(content(b"another")),
        Just(Parameter::ImageSize(0)),
        Just(Parameter::ImageSize(u64::MAX)),
        Just(Parameter::ImageDigest(SuitDigest::sha256(&crypto(), b"x"))),
        Just(uri("coap://nowhere")),
        Just(uri("#0")),
        (0..6_u64).prop_map(Parameter::SourceComponent),
        any::<bool>().prop_map(Parameter::SoftFailure),
    ];
    prop_oneof![
        2 => (0..16_u8).prop_map(Change::Policy),
        2 => (0..6_u64).prop_map(Change::Index),
        4 => parameters.prop_map(Change::Parameter),
        2 => prop::sample::select(vec![
            Action::Write, Action::Fetch, Action::Copy, Action::Swap, Action::Unlink, Action::Invoke,
            Action::ProcessDependency,
        ]).prop_map(Change::Action),
        1 => prop::sample::select(vec![
            Condition::Abort, Condition::ImageMatch, Condition::ImageNotMatch, Condition::IsDependency,
            Condition::DependencyIntegrity, Condition::CheckContent, Condition::UseBefore,
        ]).prop_map(Change::Condition),
        1 => Just(Change::Removed),
        1 => Just(Change::ForeignComponent),
    ]
}

/// Makes the change to the command at `at` of those that it fits.
pub fn apply(manifest: &mut Manifest<'static>, at: Index, change: &Change) {
    if let Change::ForeignComponent = change {
        manifest.common.components[0] = id("theirs/x");
        return;
    }
    let count = manifest
        .sequences()
        .flat_map(Sequence::walk)
        .filter(|located| fits(change, &located.command))
        .count();
    if count == 0 {
        return;
    }
    let mut left = at.index(count);
    let shared = manifest.common.shared_sequence.take();
    manifest.common.shared_sequence = shared.map(|shared| altered(&shared, change, &mut left));
    for section in Section::ALL {
        if let Some(Severable::Inline(sequence)) = manifest.section(section) {
            let sequence = altered(&sequence.clone(), change, &mut left);
            manifest.set_section(section, Severable::Inline(sequence));
        }
    }
}

fn fits(change: &Change, command: &Command<'_>) -> bool {
    match change {
        Change::Policy(_) => command.policy().is_some(),
        Change::Index(_) => matches!(command, Command::SetComponentIndex(_)),
        Change::Parameter(_) => matches!(
            command,
            Command::OverrideParameters(_) | Command::SetParameters(_)
        ),
        Change::Action(_) | Change::Condition(_) | Change::Removed => true,
        Change::ForeignComponent => false,
    }
}

/// The sequence with its `left`th fitting command changed; counts as [`Sequence::walk`] does.
fn altered(sequence: &Sequence<'static>, change: &Change, left: &mut usize) -> Sequence<'static> {
    let mut commands = Vec::new();
    for located in sequence.commands() {
        let command = &located.command;
        if fits(change, command) {
            let here = *left == 0;
            *left = left.wrapping_sub(1);
            if here {
                // A sequence that loses its only command keeps it: no sequence is empty.
                match changed(command, change) {
                    Some(command) => commands.push(command),
                    None if sequence.commands().len() == 1 => commands.push(command.clone()),
                    None => {}
                }
                continue;
            }
        }
        commands.push(match command {
            Command::TryEach {
                alternatives,
                or_nothing,
            } => Command::TryEach {
                alternatives: alternatives
                    .iter()
                    .map(|inner| altered(inner, change, left))
                    .collect(),
                or_nothing: *or_nothing,
            },
            Command::RunSequence(inner) => Command::RunSequence(altered(inner, change, left)),
            other => other.clone(),
        });
    }
    commands.into_iter().collect()
}

fn changed(command: &Command<'static>, change: &Change) -> Option<Command<'static>> {
    let policy = || ReportingPolicy::ALL;
    Some(match (change, command) {
        (Change::Policy(bits), Command::Condition(condition, _)) => {
            Command::Condition(*condition, ReportingPolicy::new(*bits).unwrap())
        }
        (Change::Policy(bits), Command::Action(action, _)) => {
            Command::Action(*action, ReportingPolicy::new(*bits).unwrap())
        }
        (Change::Index(index), _) => Command::SetComponentIndex(IndexArgument::One(*index)),
        (Change::Parameter(parameter), Command::OverrideParameters(list)) => {
            Command::OverrideParameters(with(list, parameter))
        }
        (Change::Parameter(parameter), Command::SetParameters(list)) => {
            Command::SetParameters(with(list, parameter))
        }
        (Change::Action(action), _) => Command::Action(*action, policy()),
        (Change::Condition(condition), _) => Command::Condition(*condition, policy()),
        (Change::Removed, _) => return None,
        (_, other) => other.clone(),
    })
}

fn with(list: &Parameters<'static>, parameter: &Parameter<'static>) -> Parameters<'static> {
    let mut list = list.clone();
    list.set(parameter.clone());
    list
}
