use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tamarack_tam::Settings;

use crate::{Action, Defect, Invariant, Violation, World, people::seed};

/// Plays a schedule, lets messages flow again, and checks the invariants all the way.
///
/// The same actions lead to the same end: randomness within is seeded too.
///
/// # Errors
///
/// The first invariant that is found not to hold.
pub fn run(actions: &[Action], defect: Option<Defect>) -> Result<(), Violation> {
    let play = || {
        seed(1);
        let mut world = World::new(Settings::default(), defect);
        actions.iter().try_for_each(|action| world.apply(action))?;
        world.settle()
    };
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Invariant::Panic.violated(text.unwrap_or_default()))
    })
}

/// A schedule that violates an invariant, as short as [`shrink`] found one.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What violates it.
    pub actions: Vec<Action>,
    /// How.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.violation)?;
        let mut actions = self.actions.iter();
        actions.try_for_each(|action| writeln!(f, "    {action:?},"))
    }
}

/// Leaves out of a schedule what is not needed to violate the same invariant: halves first, single steps last.
#[must_use]
pub fn shrink(actions: Vec<Action>, violation: Violation, defect: Option<Defect>) -> Failure {
    let mut least = Failure { actions, violation };
    let mut size = least.actions.len().div_ceil(2);
    loop {
        let mut removed = false;
        let mut start = 0;
        while start < least.actions.len() {
            let end = (start + size).min(least.actions.len());
            let mut fewer = least.actions.clone();
            fewer.drain(start..end);
            match run(&fewer, defect) {
                Err(violation) if violation.invariant == least.violation.invariant => {
                    least = Failure {
                        actions: fewer,
                        violation,
                    };
                    removed = true;
                }
                _ => start = end,
            }
        }
        if size == 1 && !removed {
            return least;
        }
        size = (size / 2).max(1);
    }
}
