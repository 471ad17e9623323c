use core::time::Duration;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use tamarack_ta::interface::CANCEL_GRACE_MS;
use wasmi::errors::HostError;

/// What a call into a TA may use up: fuel, and time.
#[derive(Debug, Clone)]
pub struct Allowance {
    /// Fuel: about one unit per WebAssembly instruction, more for a service. What is left after the call.
    pub fuel: u64,
    /// Log lines that may be written; further ones are dropped. What is left after the call.
    pub log_lines: u32,
    /// Until when, and whether anybody still wants it.
    pub watch: Watch,
}

impl Allowance {
    /// Log lines of one call.
    const LOG_LINES: u32 = 64;

    /// So much fuel, and until the watch ends it.
    #[must_use]
    pub fn new(fuel: u64, watch: Watch) -> Self {
        Self {
            fuel,
            log_lines: Self::LOG_LINES,
            watch,
        }
    }
}

/// Ends a call from outside that takes too long, or that nobody wants any more.
#[derive(Debug, Clone)]
pub struct Watch {
    deadline: Instant,
    cancellation: Cancellation,
}

impl Watch {
    /// Ends in `time` from now, or [`CANCEL_GRACE_MS`] after somebody cancels.
    #[must_use]
    pub fn new(time: Duration, cancellation: Cancellation) -> Self {
        Self {
            deadline: Instant::now() + time,
            cancellation,
        }
    }

    /// Whether somebody asked for the end: the TA should come to its own.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.requested().is_some()
    }

    /// Fails once the call has to end.
    pub(crate) fn check(&self) -> Result<(), End> {
        let grace = Duration::from_millis(CANCEL_GRACE_MS);
        if let Some(requested) = self.cancellation.requested()
            && requested.elapsed() > grace
        {
            return Err(End::Cancelled);
        }
        match self.left().is_zero() {
            true => Err(End::OutOfTime),
            false => Ok(()),
        }
    }

    /// Time until the deadline.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// A wish that a call comes to its end; clones are the same wish.
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<OnceLock<Instant>>);

impl Cancellation {
    /// Asks for the end. Asking again changes nothing.
    pub fn request(&self) {
        self.0.get_or_init(Instant::now);
    }

    fn requested(&self) -> Option<Instant> {
        self.0.get().copied()
    }

    /// Whether both are the same wish.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Why the TEE ends a call that the TA does not end itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum End {
    /// No fuel is left.
    #[error("it used up its fuel")]
    OutOfFuel,
    /// The time is over.
    #[error("it took too long")]
    OutOfTime,
    /// It was cancelled and did not heed it.
    #[error("it was cancelled")]
    Cancelled,
    /// A key made without randomness is worse than none.
    #[error("there is no randomness to give")]
    NoRandomness,
}

impl HostError for End {}

impl From<End> for wasmi::Error {
    fn from(end: End) -> Self {
        Self::host(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_cancellation_end_a_call() {
        let cancellation = Cancellation::default();
        let watch = Watch::new(Duration::from_secs(3600), cancellation.clone());
        assert_eq!(watch.check(), Ok(()));
        assert!(!watch.is_cancelled());
        cancellation.request();
        assert!(watch.is_cancelled());
        assert_eq!(watch.check(), Ok(()), "it has a grace");
        assert!(cancellation.is(&cancellation.clone()));
        assert!(!cancellation.is(&Cancellation::default()));
        let over = Watch::new(Duration::ZERO, Cancellation::default());
        assert_eq!(over.check(), Err(End::OutOfTime));
    }
}
