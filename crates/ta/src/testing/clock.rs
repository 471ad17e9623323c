use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clocks of a TEE: the system's, until somebody stops them.
pub(super) struct Clock {
    started: Instant,
    stopped: Option<Stopped>,
}

#[derive(Clone, Copy)]
struct Stopped {
    day: Duration,
    system: Duration,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            stopped: None,
        }
    }
}

impl Clock {
    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.read().day.as_secs()
    }

    /// Since the TEE was made.
    pub(super) fn system(&self) -> Duration {
        self.read().system
    }

    pub(super) fn set(&mut self, seconds: u64) {
        let day = Duration::from_secs(seconds);
        self.stopped = Some(Stopped { day, ..self.read() });
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let Stopped { day, system } = self.read();
        self.stopped = Some(Stopped {
            day: day.saturating_add(by),
            system: system.saturating_add(by),
        });
    }

    fn read(&self) -> Stopped {
        self.stopped.unwrap_or_else(|| Stopped {
            day: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            system: self.started.elapsed(),
        })
    }
}
