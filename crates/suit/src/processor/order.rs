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
    /// What commands touched since Strict Order is false; `None` while it is true, the default. Apart, as every frame
    /// of the machine has an order, and few have this.
    // req: SUIT-PAR-016, SUIT-PAR-017
    relaxed: Option<Box<Touched>>,
    /// Whether the sequence, being run by a command under false Strict Order, may not choose components.
    isolated: bool,
}

/// Slots of components.
#[derive(Default)]
struct Touched {
    targets: Vec<usize>,
    sources: Vec<usize>,
}

impl Order {
    /// The order of a sequence that runs within this one.
    // req: SUIT-PAR-020, SUIT-PAR-021
    pub(super) fn nested(&self) -> Self {
        Self {
            relaxed: None,
            isolated: self.isolated || self.relaxed.is_some(),
        }
    }

    /// Sets Strict Order.
    // req: SUIT-PAR-018
    pub(super) fn set_strict(&mut self, strict: bool) {
        match strict {
            true => self.relaxed = None,
            false => drop(self.relaxed.get_or_insert_default()),
        }
    }

    /// Refuses a component that is changed by one command and read by another, in whatever order.
    // req: SUIT-PAR-019
    pub(super) fn touch(
        &mut self,
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
        // Each once, so that the comparison does not grow with the number of commands.
        if !touched.targets.contains(&target) {
            touched.targets.push(target);
        }
        if let Some(source) = source.filter(|source| !touched.sources.contains(source)) {
            touched.sources.push(source);
        }
        match touched
            .targets
            .iter()
            .any(|slot| touched.sources.contains(slot))
        {
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
