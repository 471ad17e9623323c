//! Strict Order: what a sequence may do while the order of its commands does not matter.
//!
//! This processor runs commands in order in any case, which the standard allows; every barrier is thereby
//! kept. What would be a race for a processor that does not is refused here too, so that a manifest means
//! the same everywhere.

use alloc::{boxed::Box, vec::Vec};

use super::Failure;
use crate::codec::{Action, Command, Sequence};

/// The order of the commands of one sequence.
#[derive(Default)]
pub(super) struct Order {
    /// Whether a command has set Strict Order.
    is_set: bool,
    /// What commands touched since Strict Order is false; `None` while it is true, the default. Apart, as every frame
    /// of the machine has an order, and few have this.
    // req: SUIT-PAR-016, SUIT-PAR-017
    relaxed: Option<Box<Touched>>,
    /// Whether the sequence, being run by a command under false Strict Order, may not choose components.
    isolated: bool,
}

/// What commands touched, each component once.
#[derive(Default)]
struct Touched {
    targets: Vec<Touch>,
    sources: Vec<Touch>,
}

/// A component that was touched, by its slot, and by what: a command, itself or in a sequence that it runs.
#[derive(Clone, Copy)]
struct Touch {
    slot: usize,
    turn: Turn,
    /// Whether others touched it too.
    by_several: bool,
}

/// A command of a sequence, by its position, for one of its components, by the number of those before.
pub(super) type Turn = (usize, usize);

impl Touch {
    /// Takes note of a touch among others of its kind.
    fn note(touches: &mut Vec<Self>, slot: usize, turn: Turn) {
        match touches.iter_mut().find(|touch| touch.slot == slot) {
            Some(touch) => touch.by_several |= touch.turn != turn,
            None => touches.push(Self {
                slot,
                turn,
                by_several: false,
            }),
        }
    }

    /// Whether another command is among those of `others` that touched the same component.
    fn conflicts(&self, others: &[Self]) -> bool {
        let same = others.iter().find(|other| other.slot == self.slot);
        same.is_some_and(|other| self.by_several || other.by_several || other.turn != self.turn)
    }
}

impl Order {
    /// The order of a sequence that runs within this one; by Run Sequence, or as an alternative.
    // req: SUIT-PAR-020, SUIT-PAR-021
    pub(super) fn nested(&self, by_run: bool) -> Self {
        Self {
            is_set: false,
            relaxed: None,
            isolated: self.isolated || (by_run && self.relaxed.is_some()),
        }
    }

    /// Sets Strict Order, if that is to `replace` what is set.
    // req: SUIT-PAR-018
    pub(super) fn set_strict(&mut self, strict: bool, replace: bool) {
        if self.is_set && !replace {
            return;
        }
        self.is_set = true;
        match strict {
            true => self.relaxed = None,
            false => drop(self.relaxed.get_or_insert_default()),
        }
    }

    /// Refuses a component that is changed by one command and read by another, in whatever order, also for another
    /// component. What a command runs has an order of its own.
    // req: SUIT-PAR-019
    pub(super) fn touch(
        &mut self,
        turn: Turn,
        action: Action,
        target: usize,
        source: Option<usize>,
    ) -> Result<(), Failure> {
        let changes = matches!(
            action,
            Action::Write | Action::Fetch | Action::Copy | Action::Swap | Action::Unlink
        );
        let Some(touched) = self.relaxed.as_mut().filter(|_| changes) else {
            return Ok(());
        };
        Touch::note(&mut touched.targets, target, turn);
        if let Some(source) = source {
            Touch::note(&mut touched.sources, source, turn);
        }
        let mut targets = touched.targets.iter();
        match targets.any(|target| target.conflicts(&touched.sources)) {
            true => Err(Failure::invalid(
                "changes a component and reads it while strict-order is false",
            )),
            false => Ok(()),
        }
    }

    /// Whether the command at `position` may choose components.
    pub(super) fn check_index(
        &self,
        command: &Command<'_>,
        position: usize,
    ) -> Result<(), Failure> {
        match self.isolated && command.chooses_components() && position > 0 {
            true => Err(Failure::invalid(
                "sets the component index in a sequence that is run while strict-order is false",
            )),
            false => Ok(()),
        }
    }

    /// Whether `sequence` may be run now by Run Sequence for one component that was chosen by its index.
    pub(super) fn check_run(&self, sequence: &Sequence<'_>, one: bool) -> Result<(), Failure> {
        let first = sequence.commands().first();
        match (
            one,
            first.is_some_and(|first| first.command.chooses_components()),
        ) {
            _ if self.relaxed.is_none() => Ok(()),
            (true, true) | (false, false) => Ok(()),
            (true, false) => Err(Failure::invalid(
                "runs a sequence while strict-order is false that does not begin with \
                 set-component-index",
            )),
            (false, true) => Err(Failure::invalid(
                "sets the component index in a sequence that is run for each of several",
            )),
        }
    }
}
