//! A sequence that is being run: how far it is, for which components, and what failing means in it.

use super::{Failure, order::Order};
use crate::{
    Section,
    codec::{IndexArgument, Located, Parameter, Parameters, Sequence},
};

/// A sequence being run.
pub(super) struct Frame<'r> {
    pub(super) manifest: usize,
    pub(super) section: Section,
    /// Whether this is the shared sequence (which runs before a section), or nested in it.
    pub(super) shared: bool,
    pub(super) kind: Kind<'r>,
    commands: &'r [Located<'r>],
    /// Position of the command to be executed.
    pub(super) next: usize,
    /// The components that commands are for.
    pub(super) targets: Targets<'r>,
    /// How many of the targets the command at `next` is done with.
    pub(super) done: usize,
    /// Whether a failed condition ends this sequence only.
    // req: SUIT-PAR-012, SUIT-PAR-013
    pub(super) soft_failure: bool,
    /// Whether a command has set that.
    soft_failure_is_set: bool,
    pub(super) order: Order,
}

#[derive(Clone, Copy)]
pub(super) enum Kind<'r> {
    /// A section or the shared sequence.
    TopLevel,
    /// An alternative of the Try Each at the frame below.
    Alternative {
        /// The alternatives after it.
        rest: &'r [Sequence<'r>],
        /// Whether the command succeeds when none of them does.
        or_nothing: bool,
    },
    /// The argument of the Run Sequence at the frame below.
    Run,
}

/// The component index in force.
#[derive(Clone, Copy)]
pub(super) enum Targets<'r> {
    One(usize),
    All,
    List(&'r [u64]),
}

impl<'r> Targets<'r> {
    /// The components that an index argument names; that they exist was checked before anything ran.
    // req: SUIT-COM-014, SUIT-COM-017
    pub(super) fn of(argument: &'r IndexArgument) -> Self {
        match argument {
            IndexArgument::One(index) => Self::one(*index),
            IndexArgument::All => Self::All,
            IndexArgument::List(list) => Self::List(list),
        }
    }

    /// One component. An index beyond what there can be finds none.
    pub(super) fn one(index: u64) -> Self {
        Self::One(usize::try_from(index).unwrap_or(usize::MAX))
    }

    /// The component in turn, of `count`.
    pub(super) fn get(&self, turn: usize, count: usize) -> Option<usize> {
        match self {
            Self::One(index) => (turn == 0).then_some(*index),
            Self::All => (turn < count).then_some(turn),
            Self::List(list) => usize::try_from(*list.get(turn)?).ok(),
        }
    }
}

impl<'r> Frame<'r> {
    pub(super) fn top_level(
        manifest: usize,
        section: Section,
        shared: bool,
        sequence: &'r Sequence<'r>,
    ) -> Self {
        Self {
            manifest,
            section,
            shared,
            kind: Kind::TopLevel,
            commands: sequence.commands(),
            next: 0,
            targets: Targets::One(0),
            done: 0,
            soft_failure: false,
            soft_failure_is_set: false,
            order: Order::default(),
        }
    }

    /// A sequence that the command at hand runs for one component.
    // req: SUIT-COM-018, SUIT-PAR-012
    pub(super) fn nested(&self, kind: Kind<'r>, sequence: &'r Sequence<'r>, target: usize) -> Self {
        Self {
            kind,
            commands: sequence.commands(),
            next: 0,
            targets: Targets::One(target),
            done: 0,
            soft_failure: matches!(kind, Kind::Alternative { .. }),
            soft_failure_is_set: false,
            order: self.order.nested(matches!(kind, Kind::Run)),
            ..*self
        }
    }

    /// The command at hand.
    pub(super) fn command(&self) -> Option<&'r Located<'r>> {
        self.commands.get(self.next)
    }

    /// Goes on to the next command.
    pub(super) fn advance(&mut self) {
        self.next += 1;
        self.done = 0;
    }

    /// Sets what of these parameters is about the sequence itself and, if not to `replace` it, is not set yet.
    // req: SUIT-DEP-017
    pub(super) fn set_parameters(
        &mut self,
        parameters: &Parameters<'_>,
        replace: bool,
    ) -> Result<(), Failure> {
        for parameter in parameters.iter() {
            match parameter {
                Parameter::StrictOrder(strict) => self.order.set_strict(*strict, replace),
                // req: SUIT-PAR-014
                Parameter::SoftFailure(_) if matches!(self.kind, Kind::TopLevel) => {
                    return Err(Failure::invalid(
                        "sets soft-failure outside a nested sequence",
                    ));
                }
                Parameter::SoftFailure(soft) if replace || !self.soft_failure_is_set => {
                    self.soft_failure = *soft;
                    self.soft_failure_is_set = true;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
